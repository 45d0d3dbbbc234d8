package main

import (
	"github.com/spf13/cobra"

	"leadbid/internal/cli"
	"leadbid/internal/yamlfile"
)

// checked is the JSON form of a check.
type checked struct {
	OK      bool             `json:"ok"`
	Faults  *yamlfile.Faults `json:"faults,omitempty"`
	Summary []string         `json:"summary,omitempty"`
}

func checkCommand(env *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the configuration, and say in words what it comes to",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			rs, _, faults, err := loadQuietly(env)
			if env.Output() == cli.JSON && faults != nil {
				document := checked{OK: rs != nil, Faults: faults}
				if rs != nil {
					document.Summary = rs.Summary()
				}
				if printErr := env.Print(document); printErr != nil {
					return printErr
				}
				if err != nil {
					return &cli.Error{Code: cli.CodeConfig}
				}
				return nil
			}
			if err != nil {
				return err
			}
			sayWarnings(env, faults)
			rows := [][]any{}
			for _, sentence := range rs.Summary() {
				rows = append(rows, []any{sentence})
			}
			return env.Print(nil, cli.Table{Columns: []string{env.ConfigPath() + " is right"}, Rows: rows})
		},
	}
}
