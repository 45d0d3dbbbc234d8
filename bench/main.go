package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if isChild() {
		os.Exit(serveRole(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	settings, err := parseFlags(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if err := measure(ctx, settings, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are what a run is asked for.
type settings struct {
	slice   time.Duration // length of each measured slice
	pairs   int           // slices of each kind
	rates   []int         // of the open loop, pings per second
	only    []string      // parts to run; empty means all
	out     string        // folder for the JSON; "" writes none
	profile string        // file for a CPU profile of the full bid path; "" for none

	latency     time.Duration // of each rate of the open loop
	pin         bool          // the measured server alone on a CPU, where the machine allows it
	comparisons []comparison  // of the bid path
	people      int           // different homeowners
	connections int           // of the closed loop
	salesAtOnce int           // leads that are on sale at one time
	auction     time.Duration // how long an auction waits for bids
	log         io.Writer
}

// The parts of a run, as --only names them.
const (
	partBids     = "bids"
	partLatency  = "latency"
	partAuctions = "auctions"
)

var parts = []string{partBids, partLatency, partAuctions}

func defaultSettings() settings {
	return settings{
		slice: time.Second, pairs: 6, rates: []int{1000, 5000, 10_000}, out: "bench/results",
		latency: 3 * time.Second, pin: canPin(), comparisons: comparisons,
		people: 5_000, connections: 32, salesAtOnce: 16, auction: 300 * time.Millisecond, log: os.Stderr,
	}
}

func parseFlags(args []string, usage io.Writer) (settings, error) {
	s := defaultSettings()
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.DurationVar(&s.slice, "for", s.slice, "length of each measured slice")
	flags.IntVar(&s.pairs, "pairs", s.pairs, "slices of each kind; each stands next to one of what it is held against")
	flags.StringVar(&s.out, "out", s.out, "folder that the JSON is written to; empty writes none")
	flags.StringVar(&s.profile, "cpuprofile", "", "write a CPU profile of the full bid path to this file; such a run's figures are not to be quoted")
	only := flags.String("only", "", "parts to run, of "+strings.Join(parts, ","))
	rows := flags.String("rows", "", "rows of the bid path to measure, of "+strings.Join(rowNames(), ","))
	rates := flags.String("rates", "1000,5000,10000", "pings per second of the open loop")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("%q is not understood: there are only flags", flags.Arg(0))
	}
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	if *rows != "" {
		s.comparisons = nil
		for _, name := range strings.Split(*rows, ",") {
			i := slices.Index(rowNames(), name)
			if i < 0 {
				return s, fmt.Errorf("--rows %s: the rows are %s", name, strings.Join(rowNames(), ", "))
			}
			s.comparisons = append(s.comparisons, comparisons[i])
		}
	}
	s.rates = nil
	for _, text := range strings.Split(*rates, ",") {
		rate, err := strconv.Atoi(text)
		if err != nil || rate < 1 || rate > 200_000 {
			return s, fmt.Errorf("--rates: %q is not a number of pings per second from 1 to 200000", text)
		}
		s.rates = append(s.rates, rate)
	}
	return s, s.check()
}

// rowNames are the rows of the bid path's table, as --rows names them.
func rowNames() (names []string) {
	for _, c := range comparisons {
		names = append(names, c.fullSide)
	}
	return names
}

func (s *settings) check() error {
	switch {
	case s.slice < 100*time.Millisecond || s.slice > time.Minute:
		return fmt.Errorf("--for %v: a slice lasts from 100ms to 1m", s.slice)
	case s.pairs < 1 || s.pairs > 100:
		return fmt.Errorf("--pairs %d: say 1 to 100", s.pairs)
	}
	for _, part := range s.only {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("--only %s: the parts are %s", part, strings.Join(parts, ", "))
		}
	}
	return nil
}

func (s *settings) runs(part string) bool { return len(s.only) == 0 || slices.Contains(s.only, part) }

// measure runs the parts one after the other, prints the tables and writes the JSON.
func measure(ctx context.Context, s settings, out io.Writer) error {
	dir, err := os.MkdirTemp("", "leadbid-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	result := newReport(s)
	for _, part := range []struct {
		name string
		run  func(context.Context, settings, string, *report) error
	}{{partBids, measureBids}, {partLatency, measureLatency}, {partAuctions, measureAuctions}} {
		if !s.runs(part.name) {
			continue
		}
		if err := part.run(ctx, s, dir, result); err != nil {
			result.print(out) // of the parts before it
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	result.print(out)
	if s.out == "" {
		return nil
	}
	return result.write(s.out, s.log)
}
