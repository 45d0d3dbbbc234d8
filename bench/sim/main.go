package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"leadbid/pingpost"
)

func main() {
	seed := flag.Uint64("seed", 0, "play the day of this seed only")
	profile := flag.String("cpuprofile", "", "write a profile there")
	traced := flag.Bool("trace", false, "print every step of the day of --seed")
	days := flag.Uint64("days", 100, "how many days to play")
	from := flag.Uint64("from", 1, "the first seed")
	long := flag.Duration("for", 365*24*time.Hour, "begin no other day after that long")
	most := flag.Int("failures", 5, "how many failing seeds end the campaign")
	parallel := flag.Int("parallel", 1, "how many days to play at a time")
	flag.Parse()
	switch {
	case flag.NArg() == 1 && flag.Arg(0) == "holds":
		if err := holds(os.Stdout, "bench/results/holds"); err != nil {
			fmt.Fprintln(os.Stderr, "sim:", err)
			os.Exit(1)
		}
		return
	case flag.NArg() > 0:
		fmt.Fprintln(os.Stderr, "sim: besides flags there is only: holds")
		os.Exit(2)
	}
	if *seed != 0 {
		*from, *days = *seed, 1
	}
	var print func(step)
	if *traced {
		print = func(s step) { fmt.Println(s) }
	}
	if *profile != "" {
		file, err := os.Create(*profile)
		if err == nil && pprof.StartCPUProfile(file) == nil {
			defer pprof.StopCPUProfile()
		}
	}
	began := time.Now()
	debug.SetGCPercent(400)                                                  // a day's rubbish is small beside the time it takes to look through it
	told, cancel := signal.NotifyContext(context.Background(), os.Interrupt) // to end with what there is
	defer cancel()
	c := newCampaign(*from, *days, *most, func() bool { return time.Since(began) > *long || told.Err() != nil })
	c.print, c.faults = print, os.Stderr
	total, failures := c.run(*parallel)
	total.print(os.Stdout, time.Since(began))
	if len(failures) > 0 {
		pprof.StopCPUProfile()
		os.Exit(4)
	}
}

// campaign plays days, those of the seeds again first, until enough of them are over, or stop says so.
// Only failing seeds are kept. Days know nothing of each other: several may be played at a time.
type campaign struct {
	again    []uint64
	from     uint64
	days     uint64
	most     int // failing seeds
	stop     func() bool
	print    func(step)
	faults   io.Writer
	mu       sync.Mutex
	begun    uint64
	total    counts
	failures []*failure
}

func newCampaign(from, days uint64, most int, stop func() bool) *campaign {
	return &campaign{from: from, days: days, most: most, stop: stop, faults: io.Discard}
}

func (c *campaign) run(parallel int) (total counts, failures []*failure) {
	var all sync.WaitGroup
	for range max(parallel, 1) {
		all.Go(func() {
			for seed, more := c.next(); more; seed, more = c.next() {
				c.add(play(seed, c.print))
			}
		})
	}
	all.Wait()
	return c.total, c.failures
}

// next gives the seed of the next day to play.
func (c *campaign) next() (seed uint64, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.begun
	known := uint64(len(c.again))
	if n >= known+c.days || len(c.failures) >= c.most || c.stop() {
		return 0, false
	}
	c.begun++
	if n < known {
		return c.again[n], true
	}
	return c.from + n - known, true
}

// add counts a day that is over.
func (c *campaign) add(w *world) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.add(&w.count)
	if w.failure != nil {
		w.failure.print(c.faults)
		c.failures = append(c.failures, w.failure)
	}
}

// print tells how a promise was broken, and how to see it again.
func (f *failure) print(out io.Writer) {
	for _, line := range f.last {
		fmt.Fprintln(out, line)
	}
	fmt.Fprintf(out, "%v\nagain: go run ./bench/sim --seed %d --trace\n", f, f.seed)
}

// counts are what happened in some days.
type counts struct {
	Days, Steps, Starts, Crashes, Pauses, Partitions, Jumps, DiskFaults, Faults, Reloads, Stops int64
	Offers, Pings, Bids, Posts, Accepted, Busy, Sold, Returned, Voided, Credits                 int64
	Lost, Repeated, WritesLost, Away, Compared, Spent, LostToClocks                             int64
	Refused                                                                                     map[string]int64
}

func (c *counts) refuse(reason pingpost.Reason) {
	if c.Refused == nil {
		c.Refused = map[string]int64{}
	}
	c.Refused[reason.String()]++
}

func (c *counts) list() []struct {
	name string
	n    *int64
} {
	return []struct {
		name string
		n    *int64
	}{
		{"days", &c.Days}, {"steps", &c.Steps}, {"starts", &c.Starts}, {"crashes", &c.Crashes}, {"graceful stops", &c.Stops},
		{"pauses", &c.Pauses}, {"partitions", &c.Partitions}, {"clock jumps", &c.Jumps}, {"disk faults", &c.DiskFaults},
		{"larger faults", &c.Faults}, {"reloads", &c.Reloads}, {"messages lost", &c.Lost}, {"messages repeated", &c.Repeated},
		{"unsynced writes lost", &c.WritesLost}, {"store away", &c.Away}, {"leads offered", &c.Offers}, {"pings", &c.Pings},
		{"bids", &c.Bids}, {"posts answered", &c.Posts}, {"charges", &c.Accepted}, {"posts busy", &c.Busy}, {"leads sold", &c.Sold},
		{"leads returned", &c.Returned}, {"posts withdrawn", &c.Voided}, {"credits", &c.Credits},
		{"comparisons of both books", &c.Compared}, {"budgets spent to the end", &c.Spent},
		{"binding posts lost to clocks", &c.LostToClocks},
	}
}

func (c *counts) add(other *counts) {
	mine, theirs := c.list(), other.list()
	for i := range mine {
		*mine[i].n += *theirs[i].n
	}
	for reason, n := range other.Refused {
		if c.Refused == nil {
			c.Refused = map[string]int64{}
		}
		c.Refused[reason] += n
	}
}

func (c *counts) print(out io.Writer, took time.Duration) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, one := range c.list() {
		fmt.Fprintf(w, "%s\t%d\n", one.name, *one.n)
	}
	for _, reason := range slices.Sorted(maps.Keys(c.Refused)) {
		fmt.Fprintf(w, "refused: %s\t%d\n", reason, c.Refused[reason])
	}
	fmt.Fprintf(w, "time\t%.1f s\n", took.Seconds())
	_ = w.Flush()
}
