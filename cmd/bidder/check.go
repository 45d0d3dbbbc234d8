package main

import (
	"github.com/spf13/cobra"

	"leadbid/internal/cli"
	"leadbid/internal/yamlfile"
	"leadbid/rules"
)

// checked is the JSON form of a check.
type checked struct {
	OK        bool             `json:"ok"`
	Stages    []stage          `json:"stages"`
	Faults    *yamlfile.Faults `json:"faults"` // warnings included; never null
	Summary   []string         `json:"summary,omitempty"`
	Questions []rules.Question `json:"questions,omitempty"`
}

// stage is one of the three parts of a check.
type stage struct {
	Name   string `json:"name"`
	Result string `json:"result"` // right, faulty or skipped
}

func checkCommand(env *cli.Env) *cobra.Command {
	var offline bool
	command := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration, and say in words what it comes to",
		Long: "Checks the syntax; the meaning, with every expression compiled and typed; and the surroundings:\n" +
			"keys are set, lists, certificates and cases are there, the books open, folders can be written.\n" +
			"All faults are told at once. Exit 3 where there is one.\n\n" +
			"With --offline the surroundings are not looked at and keys may be missing: for a laptop, or for\n" +
			"the machine that checks every change.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rs, result, err := check(cmd, env, offline)
			if err != nil {
				return err
			}
			if env.Output() == cli.JSON {
				if err := env.Print(result); err != nil {
					return err
				}
			}
			if !result.OK {
				if env.Output() == cli.JSON {
					return &cli.Error{Code: cli.CodeConfig}
				}
				return cli.Faults(result.Faults.Err())
			}
			if env.Output() == cli.JSON {
				return nil
			}
			return sayRight(env, rs, result)
		},
	}
	command.Flags().BoolVar(&offline, "offline", false, "do not look at files, books and keys")
	return command
}

// check runs the three stages. The error is one of use: no file, no check.
func check(cmd *cobra.Command, env *cli.Env, offline bool) (*rules.Ruleset, checked, error) {
	read := loader(rules.Load)
	if offline {
		read = rules.LoadOffline
	}
	rs, dir, faults, err := loadWith(env, read)
	if faults == nil {
		return nil, checked{}, err
	}
	meaning, surroundings := "right", "skipped"
	if faults.Any() {
		meaning = "faulty"
	}
	if !offline {
		// Where only keys are missing, the rest of the surroundings is looked at all the same.
		around := rs
		if around == nil {
			around, _, _, _ = loadOffline(env)
		}
		if around != nil {
			if rs == nil {
				meaning = "right"
			}
			surroundings = "right"
			if lookAround(cmd.Context(), env, around, dir, faults); faults.Any() {
				surroundings = "faulty"
			}
		}
	}
	result := checked{OK: !faults.Any(), Faults: faults}
	result.Stages = []stage{{"syntax", syntaxResult(env, dir)}, {"meaning", meaning}, {"surroundings", surroundings}}
	if result.OK {
		result.Summary, result.Questions = rs.Summary(), rs.Questions()
	}
	return rs, result, nil
}

func sayRight(env *cli.Env, rs *rules.Ruleset, result checked) error {
	sayWarnings(env, result.Faults)
	rows := [][]any{}
	for _, sentence := range result.Summary {
		rows = append(rows, []any{sentence})
	}
	if err := env.Print(nil, cli.Table{Columns: []string{env.ConfigPath() + " is right"}, Rows: rows}); err != nil {
		return err
	}
	for _, question := range result.Questions {
		env.Sayf("%s", question)
	}
	return nil
}
