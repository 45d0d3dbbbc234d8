package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

func main() {
	out := flag.String("out", "bench/results/strategy", "folder that the JSON is written to; empty writes none")
	periods := flag.Int("periods", 200, "periods of each synthetic market that count")
	only := flag.String("only", "", "one market, or recorded; empty plays all")
	first := flag.Int("first", 0, "the number of the first period: other draws than those that anything was tuned by")
	flag.Parse()
	parts := map[string]func(io.Writer, string, int, string) error{"shading": runShading, "crew": runCrew}
	part, known := parts[flag.Arg(0)]
	if flag.NArg() > 1 || flag.NArg() == 1 && !known || *periods < 2 || *periods > 100_000 {
		fmt.Fprintln(os.Stderr, "strategy: after the flags there is nothing, shading or crew, and --periods is from 2 to 100000")
		os.Exit(2)
	}
	if known {
		if err := part(os.Stdout, *out, *periods, *only); err != nil {
			fmt.Fprintln(os.Stderr, "strategy:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(os.Stdout, *out, *periods, os.Getenv("LEADBID_IPINYOU"), *only, *first); err != nil {
		fmt.Fprintln(os.Stderr, "strategy:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, folder string, periods int, recorded, only string, first int) error {
	var tables []table
	for _, m := range markets {
		if only != "" && only != m.name {
			continue
		}
		m.first = first
		t := compare(m, periods)
		tables = append(tables, t)
		if err := t.print(out); err != nil {
			return err
		}
	}
	switch {
	case only != "" && only != "recorded":
	case recorded == "":
		fmt.Fprintln(out, "recorded auctions: skipped; LEADBID_IPINYOU names no file")
	default:
		more, err := compareRecorded(recorded)
		if err != nil {
			return err
		}
		for _, t := range more {
			if err := t.print(out); err != nil {
				return err
			}
		}
		tables = append(tables, more...)
	}
	if folder == "" {
		return nil
	}
	return keep(folder, "", struct {
		Date   string  `json:"date"`
		Tables []table `json:"tables"`
	}{today(), tables})
}

// runShading compares the win curves instead, with as many seeds as there would be periods.
func runShading(out io.Writer, folder string, seeds int, only string) error {
	report := compareShading(seeds, only)
	report.Date = today()
	if err := report.print(out); err != nil || folder == "" {
		return err
	}
	return keep(folder, "shading", report)
}

func today() string { return time.Now().UTC().Format(time.DateOnly) }

func (t *table) print(out io.Writer) error {
	fmt.Fprintf(out, "\n%s: %s; $%.0f, at best %.0f leads; share of the %s, mean of %d\n", t.Market, t.What, t.Budget, t.Possible, t.Bound, t.Periods)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "strategy\tworth\t± 1 se\tspent\tout at\tearliest\tleads\t")
	for _, r := range t.Rows {
		fmt.Fprintf(w, "%s\t%.3f\t%.4f\t%.3f\t%.3f\t%.3f\t%.0f\t\n", r.Strategy, r.Share, r.Error, r.Spent, r.Out, r.Least, r.Bought)
	}
	return w.Flush()
}

func keep(folder, part string, results any) error {
	folder = filepath.Join(folder, part)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, today()+".json"), append(text, '\n'), 0o644)
}
