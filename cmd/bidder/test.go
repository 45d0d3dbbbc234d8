package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leadbid/bidder/cases"
	"leadbid/internal/cli"
	"leadbid/internal/yamlfile"
	"leadbid/rules"
)

func testCommand(env *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "test [CASES.yaml...]",
		Short: "Run the cases kept beside the rules, and name the rules that none covers",
		Long: "Puts every case (a ping, an instant, what is used of the budgets) to the rules and compares what\n" +
			"comes of it with what the case expects. The files are those named, else those under tests: in\n" +
			"the configuration, else bidder.test.yaml beside bidder.yaml. No keys and no books are needed.\n" +
			"Exit 4 where a case fails.",
		RunE: func(_ *cobra.Command, args []string) error {
			// Warnings are what `check` is for; a case that depends on one fails by itself.
			rs, dir, _, err := loadOffline(env)
			if err != nil {
				return err
			}
			faults := new(yamlfile.Faults)
			all, err := loadCases(env, rs, dir, args, faults)
			if err != nil {
				return err
			}
			if faults.Any() {
				return cli.Faults(faults.Err())
			}
			return printTests(env, rs, cases.Run(rs, all))
		},
	}
}

// defaultTests is where the cases of a configuration are looked for: beside it.
func defaultTests(config string) string {
	base := filepath.Base(config)
	return strings.TrimSuffix(base, filepath.Ext(base)) + ".test" + filepath.Ext(base)
}

// loadCases reads the files that are named, else those of the configuration, else the default.
func loadCases(env *cli.Env, rs *rules.Ruleset, dir string, named []string, faults *yamlfile.Faults) ([]cases.Case, error) {
	if len(named) > 0 {
		var all []cases.Case
		for _, path := range named {
			all = append(all, cases.Load(os.DirFS(filepath.Dir(path)), filepath.Base(path), rs, faults)...)
		}
		return all, nil
	}
	files := rs.Settings().Tests
	if len(files) == 0 {
		beside := defaultTests(env.ConfigPath())
		if _, err := os.Stat(filepath.Join(dir, beside)); errors.Is(err, fs.ErrNotExist) {
			return nil, cli.Hint(cli.Usage("there are no cases: %s does not exist", filepath.Join(dir, beside)),
				"write some there, or name their files under tests: in the configuration")
		}
		files = []string{beside}
	}
	var all []cases.Case
	for _, path := range files {
		all = append(all, cases.Load(os.DirFS(dir), filepath.ToSlash(path), rs, faults)...)
	}
	return all, nil
}

func printTests(env *cli.Env, rs *rules.Ruleset, report cases.Report) error {
	table := cli.Table{Columns: []string{"result", "case", "got"}}
	if env.Output() == cli.CSV {
		table.Columns = []string{"result", "case", "expected", "got", "file", "line"}
	}
	for _, result := range report.Results {
		word := "ok"
		if !result.OK {
			word = "FAIL"
		}
		if env.Output() == cli.CSV {
			table.Add(word, result.Name, result.Want.String(), result.Got.String(), result.File, result.Line)
		} else {
			table.Add(word, result.Name, result.Got.String())
		}
	}
	tables := []cli.Table{table}
	if len(report.Uncovered) > 0 {
		uncovered := cli.Table{Title: "no case covers", Columns: []string{"campaign", "kind", "name", "line"}}
		for _, rule := range report.Uncovered {
			uncovered.Add(rule.Campaign, rule.Kind, rule.Rule, rule.Line)
		}
		tables = append(tables, uncovered)
	}
	if err := env.Print(report, tables...); err != nil {
		return err
	}
	if env.Output() == cli.Text {
		for _, result := range report.Results {
			if !result.OK {
				writeFailure(env.Stdout, result, rs.Settings().Business.Location)
			}
		}
	}
	if report.Failed > 0 {
		return cli.Failed("%d of %d cases fail", report.Failed, report.Failed+report.Passed)
	}
	env.Sayf("all %d cases pass", report.Passed)
	return nil
}

// writeFailure shows what was expected, what was got, and how it came about.
func writeFailure(out io.Writer, result cases.Result, zone *time.Location) {
	want, got := result.Differs()
	fmt.Fprintf(out, "\n%s:%d: %s (%s)\n  expected %s\n  got      %s\n", result.File, result.Line, result.Name,
		result.Explanation.At.In(zone).Format("Mon 2006-01-02 15:04 MST"), want, got)
	writeCampaigns(out, result.Explanation.Campaigns)
}
