package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	settings, err := parseFlags(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "strategy:", err)
		os.Exit(2)
	}
	if err := settings.run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "strategy:", err)
		os.Exit(1)
	}
}

// The parts of this command beside the strategies themselves.
const (
	shadingPart = "shading"
	crewPart    = "crew"
)

// settings are what a run is asked for.
type settings struct {
	part    string // shadingPart, crewPart, or "" for the strategies
	folder  string // for the JSON; "" writes none
	periods int
	only    string // one market; "" plays all
	first   int    // number of the first period
}

func parseFlags(args []string, usage io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("strategy", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&s.folder, "out", "bench/results/strategy", "folder that the JSON is written to; empty writes none")
	flags.IntVar(&s.periods, "periods", 200, "periods of each synthetic market that count")
	flags.StringVar(&s.only, "only", "", "one market, or recorded; empty plays all")
	flags.IntVar(&s.first, "first", 0, "the number of the first period: other draws than those that anything was tuned by")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.part = flags.Arg(0)
	if flags.NArg() > 1 {
		return s, fmt.Errorf("%q is not understood: after %s there is nothing", flags.Arg(1), s.part)
	}
	return s, s.check()
}

func (s *settings) check() error {
	names := marketsOf(s.part)
	switch {
	case names == nil:
		return fmt.Errorf("%q is not understood: after the flags there is nothing, %s or %s", s.part, shadingPart, crewPart)
	case s.periods < 2 || s.periods > 100_000:
		return fmt.Errorf("--periods %d: say 2 to 100000", s.periods)
	case s.only != "" && !slices.Contains(names, s.only):
		return fmt.Errorf("--only %s: the markets are %s", s.only, strings.Join(names, ", "))
	case s.first != 0 && s.part != "":
		return fmt.Errorf("--first %d: %s always draws the same; it is for the strategies alone", s.first, s.part)
	}
	return nil
}

// recordedMarket is what --only calls the recorded auctions.
const recordedMarket = "recorded"

// marketsOf are what --only may name in a part; nil where there is no such part.
func marketsOf(part string) (names []string) {
	switch part {
	case "":
		for _, m := range markets {
			names = append(names, m.name)
		}
		return append(names, recordedMarket)
	case shadingPart:
		for _, m := range firstPrices {
			names = append(names, m.name)
		}
	case crewPart:
		for _, m := range crewMarkets {
			names = append(names, m.name)
		}
	}
	return names
}

func (s *settings) run(out io.Writer) error {
	switch s.part {
	case shadingPart:
		return runShading(out, s.folder, s.periods, s.only)
	case crewPart:
		return runCrew(out, s.folder, s.periods, s.only)
	}
	return run(out, s.folder, s.periods, os.Getenv("LEADBID_IPINYOU"), s.only, s.first)
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
	case only != "" && only != recordedMarket:
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
	if folder == "" || tables == nil {
		return nil
	}
	return keep(folder, "", struct {
		Date   string  `json:"date"`
		First  int     `json:"first,omitempty"` // the number of the first period
		Tables []table `json:"tables"`
	}{today(), first, tables})
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
