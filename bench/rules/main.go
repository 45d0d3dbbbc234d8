// Command rules measures what rules cost a bidder: to find those that may hold for a ping, to price
// it, to load them, and to keep them in memory, at 10 to 10,000 rules in one campaign and in a
// thousand; and the worst ping of the worst configuration that the loader accepts.
//
// It prints a table and writes JSON. The configurations and pings are drawn from a fixed seed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"
)

func main() {
	out := flag.String("out", "bench/results/rules", "folder that the JSON is written to; empty writes none")
	rounds := flag.Int("rounds", 15, "how often each figure is taken; the least counts")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 || *rounds > 1000 {
		fmt.Fprintln(os.Stderr, "rules: there are only flags, and --rounds is from 1 to 1000")
		os.Exit(2)
	}
	if err := run(os.Stdout, *out, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "rules:", err)
		os.Exit(1)
	}
}

// report is what a run measured.
type report struct {
	Date  string     `json:"date"`
	OS    string     `json:"os"`
	CPUs  int        `json:"cpus"`
	Go    string     `json:"go"`
	Rules []rulesRow `json:"rules"`
	Worst []worstRow `json:"worst"`
}

// rulesRow is one configuration. Times are the least of all rounds, in nanoseconds per ping.
type rulesRow struct {
	Shape     shape   `json:"shape"`
	KiB       int     `json:"kib"`        // of the configuration
	Load      float64 `json:"load_s"`     // seconds from the file to a Ruleset
	Heap      float64 `json:"heap_mb"`    // what the Ruleset keeps
	Find      float64 `json:"find_ns"`    // Candidates, and of each campaign the rules that may hold
	Path      float64 `json:"path_ns"`    // Candidates, Begin, Check, Price, Bid
	Allocs    float64 `json:"allocs"`     // heap objects per ping on that path
	Campaigns float64 `json:"candidates"` // campaigns per ping
	Asked     float64 `json:"asked"`      // rules per ping that the index leaves
	Bids      float64 `json:"bids"`       // share of the pings that get a bid
}

// worstRow is a configuration at the loader's limit. Times are in microseconds.
type worstRow struct {
	Name  string  `json:"name"`
	Rules int     `json:"rules"`
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`     // by the wall clock, in the quietest round
	Own   float64 `json:"p99_own_us"` // over the pings, each in its quickest round: without what else ran on the machine
}

func run(out io.Writer, folder string, rounds int) error {
	temporary, err := os.MkdirTemp("", "leadbid-rules-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	r := report{Date: time.Now().UTC().Format(time.DateOnly), OS: runtime.GOOS + "/" + runtime.GOARCH,
		CPUs: runtime.NumCPU(), Go: runtime.Version()}
	m := newMarket()
	for _, s := range []shape{{1, 10}, {1, 100}, {1, 1_000}, {1, 10_000}, {10, 10}, {100, 10}, {1_000, 10}} {
		row, err := m.measure(temporary, s, rounds)
		if err != nil {
			return err
		}
		r.Rules = append(r.Rules, row)
	}
	for _, w := range worsts {
		row, err := w.measure(temporary, rounds)
		if err != nil {
			return err
		}
		r.Worst = append(r.Worst, row)
	}
	if err := r.print(out); err != nil || folder == "" {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, r.Date+".json"), append(text, '\n'), 0o644)
}

func (r *report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "campaigns x rules\tload\theap\tfind\tof 1 x 10\tpath\tallocs\tcampaigns\tasked\tbids\t")
	for _, row := range r.Rules {
		fmt.Fprintf(w, "%v\t%.3f s\t%.1f MB\t%.0f ns\t%.1f\t%.0f ns\t%.2f\t%.2f\t%.2f\t%.0f %%\t\n", row.Shape, row.Load, row.Heap,
			row.Find, row.Find/r.Rules[0].Find, row.Path, row.Allocs, row.Campaigns, row.Asked, 100*row.Bids)
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t\t\t\t\t")
	fmt.Fprintln(w, "the most that the loader accepts\trules\tp50\tp99\tp99 own\t")
	for _, row := range r.Worst {
		fmt.Fprintf(w, "%s\t%d\t%.1f us\t%.1f us\t%.1f us\t\n", row.Name, row.Rules, row.P50, row.P99, row.Own)
	}
	return w.Flush()
}
