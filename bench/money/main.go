// Command money measures what it costs to keep the promise about money: charges in group commit
// beside the same charges committed one at a time, how seldom a bid makes the store work, civil days
// in every zone, and what a long history does to the start, to memory and to a verification.
//
// Each part prints a table and writes JSON. A part whose bound does not hold ends with exit code 4.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// errBound is a bound that did not hold. The table was printed and nothing was written.
var errBound = errors.New("not within the bound")

// settings are what a run is asked for.
type settings struct {
	out    string // folder of the JSON; "" writes none
	books  string // folder in which books of a long history are kept for the next run; "" keeps none
	leads  []int  // how many leads those books hold
	pairs  int    // slices of each kind
	folder string // for files of this run
	log    io.Writer
}

// part is one measurement: it gives what is to be written as JSON, and prints its table.
type part struct {
	name string
	run  func(ctx context.Context, s *settings, out io.Writer) (any, error)
}

var parts = []part{{"charges", measureCharges}, {"leases", measureLeases}, {"zones", measureZones},
	{"startup", measureStartup}, {"memory", measureMemory}, {"postgres", measurePostgres}}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errBound):
		fmt.Fprintln(os.Stderr, "money:", err)
		os.Exit(4)
	case errors.As(err, new(usageError)):
		fmt.Fprintln(os.Stderr, "money:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "money:", err)
		os.Exit(1)
	}
}

type usageError string

func (e usageError) Error() string { return string(e) }

func run(ctx context.Context, args []string, out, log io.Writer) error {
	s := &settings{log: log}
	flags := flag.NewFlagSet("money", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&s.out, "out", "bench/results/money", "folder that the JSON is written to; empty writes none")
	flags.StringVar(&s.books, "books", "", "folder to keep books of a long history in, for the next run")
	flags.IntVar(&s.pairs, "pairs", 6, "slices of each kind; each stands next to one of what it is held against")
	leads := flags.String("leads", "0,100000,1000000", "leads in the books that startup, memory and charges are measured on")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError(err.Error())
	}
	for text := range strings.SplitSeq(*leads, ",") {
		var n int
		if _, err := fmt.Sscanf(text, "%d", &n); err != nil || n < 0 || n > 100_000_000 {
			return usageError(fmt.Sprintf("--leads: %q is not a number of leads from 0 to 100000000", text))
		}
		s.leads = append(s.leads, n)
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	if s.pairs < 1 || s.pairs > 100 {
		return usageError("--pairs is from 1 to 100")
	}
	if s.folder, err = os.MkdirTemp("", "leadbid-money-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.folder)
	for _, p := range chosen {
		if err := p.measure(ctx, s, out); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// choose gives the parts that were named; all of them where none was.
func choose(names []string) ([]part, error) {
	if len(names) == 0 {
		return parts, nil
	}
	var chosen []part
	for _, name := range names {
		var known []string
		found := false
		for _, p := range parts {
			known = append(known, p.name)
			if p.name == name {
				chosen, found = append(chosen, p), true
			}
		}
		if !found {
			return nil, usageError(fmt.Sprintf("%q is not a part: say %s, after the flags", name, strings.Join(known, ", ")))
		}
	}
	return chosen, nil
}

// report is the JSON of one part: figures and what they depend on besides the code.
type report struct {
	Date    string `json:"date"`
	OS      string `json:"os"`
	CPUs    int    `json:"cpus"`
	Go      string `json:"go"`
	Load    string `json:"load_averages,omitempty"` // when the part began
	Figures any    `json:"figures"`
}

func (p part) measure(ctx context.Context, s *settings, out io.Writer) error {
	r := report{Date: time.Now().UTC().Format(time.DateOnly), OS: runtime.GOOS + "/" + runtime.GOARCH,
		CPUs: runtime.NumCPU(), Go: runtime.Version(), Load: loadAverages()}
	var err error
	if r.Figures, err = p.run(ctx, s, out); err != nil || r.Figures == nil || s.out == "" {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	folder := filepath.Join(s.out, p.name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, r.Date+".json"), append(text, '\n'), 0o644)
}

func loadAverages() string {
	text, _ := os.ReadFile("/proc/loadavg") // empty where there is none
	fields := strings.Fields(string(text))
	return strings.Join(fields[:min(3, len(fields))], " ")
}
