package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// longestStart is how long a bidder may take from its start to its first answer, in seconds.
const longestStart = 2.0

// startRow is what books of one size do to a bidder's process.
type startRow struct {
	Leads      int     `json:"leads"`
	MB         int64   `json:"books_mb"`
	Start      float64 `json:"start_s"`        // the least of three starts, until pings are answered
	StartPeak  int64   `json:"start_peak_mb"`  // of the process's memory, until it was stopped
	Verify     float64 `json:"verify_s"`       // bidder verify, in full
	VerifyPeak int64   `json:"verify_peak_mb"` // of the process's memory
}

// startConfiguration has the caps that the books know.
const startConfiguration = `version: 1
business: {name: Long History, timezone: America/Chicago, budget: {day: $900000, month: $9000000, total: $90000000}}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: sqlite:bidder.db
exchanges:
  northside: {profile: native, auth: {bearer: "${KEY}"}, commitment: refusable}
campaigns:
  hvac-chicago:
    services: [hvac]
    area: {zip: 60614, miles: 25, only_states: [IL]}
    budget: {day: $900000, month: $9000000, total: $90000000}
    rules: [{name: all, bid: 40}]
    limits: {max_bid: $60}
    delivery: [{name: crm, file: leads.jsonl}]
`

func measureStartup(ctx context.Context, s *settings, out io.Writer) (any, error) {
	program := filepath.Join(s.folder, "bidder"+map[bool]string{true: ".exe"}[runtime.GOOS == "windows"])
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/bidder").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the bidder: %w\n%s", err, text)
	}
	var rows []startRow
	var short error
	for _, leads := range s.leads {
		row, err := s.startOn(ctx, program, leads)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
		if row.Start > longestStart {
			short = errors.Join(short, fmt.Errorf("%w: with %d leads a start takes %.2f s, not %.0f", errBound, leads, row.Start, longestStart))
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "leads\tbooks\tstart\tpeak\tverify\tpeak\t")
	for _, row := range rows {
		fmt.Fprintf(w, "%d\t%d MB\t%.2f s\t%d MB\t%.1f s\t%d MB\t\n", row.Leads, row.MB, row.Start, row.StartPeak, row.Verify, row.VerifyPeak)
	}
	return rows, errors.Join(w.Flush(), short)
}

func (s *settings) startOn(ctx context.Context, program string, leads int) (startRow, error) {
	row := startRow{Leads: leads}
	folder, err := s.copyOfBooks(ctx, leads)
	if err != nil {
		return row, err
	}
	defer os.RemoveAll(folder)
	file, err := os.Stat(filepath.Join(folder, booksFile))
	if err != nil {
		return row, err
	}
	row.MB = file.Size() >> 20
	if err := os.WriteFile(filepath.Join(folder, "bidder.yaml"), []byte(startConfiguration), 0o600); err != nil {
		return row, err
	}
	for range 3 {
		took, peak, err := start(ctx, program, folder)
		if err != nil {
			return row, err
		}
		if row.Start == 0 || took.Seconds() < row.Start {
			row.Start = took.Seconds()
		}
		row.StartPeak = max(row.StartPeak, peak)
	}
	began := time.Now()
	command := bidderCommand(ctx, program, folder, "verify")
	if text, err := command.CombinedOutput(); err != nil {
		return row, fmt.Errorf("bidder verify: %w\n%s", err, text)
	}
	row.Verify, row.VerifyPeak = time.Since(began).Seconds(), peakMemory(command.ProcessState)
	return row, nil
}

func bidderCommand(ctx context.Context, program, folder, name string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, name, "--config", filepath.Join(folder, "bidder.yaml"))
	command.Env = append(os.Environ(), "KEY=0123456789abcdef0123456789abcdef")
	return command
}

// start runs a bidder until it says that it answers, and stops it.
func start(ctx context.Context, program, folder string) (took time.Duration, peak int64, err error) {
	command := bidderCommand(ctx, program, folder, "serve")
	said, err := command.StderrPipe()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := command.Start(); err != nil {
		return 0, 0, err
	}
	var words strings.Builder
	for lines := bufio.NewScanner(said); lines.Scan(); {
		words.WriteString(lines.Text() + "\n")
		if took == 0 && strings.Contains(lines.Text(), "answering pings at") {
			took = time.Since(began)
			if err := command.Process.Signal(os.Interrupt); err != nil {
				return 0, 0, err
			}
		}
	}
	if err := command.Wait(); err != nil || took == 0 {
		return 0, 0, fmt.Errorf("bidder serve did not come to answer: %w\n%s", err, words.String())
	}
	return took, peakMemory(command.ProcessState), nil
}

// heapRow is the heap after so many bids, of one bidder that goes on.
type heapRow struct {
	Bids int     `json:"bids"`
	Heap float64 `json:"heap_mb"`
}

// heapGrowth is how much more the heap may be after ten times the bids.
const heapGrowth = 1.25

// measureMemory has the real Agent bid a thousand times a second of a clock of its own, on a store,
// and looks at the heap from time to time.
func measureMemory(ctx context.Context, s *settings, out io.Writer) (any, error) {
	folder, err := os.MkdirTemp(s.folder, "memory-")
	if err != nil {
		return nil, err
	}
	const rate = 1_000
	text := fmt.Sprintf(leasesConfiguration, 1_000_000, 9_000_000, kinds["no notices"].yaml, 1_000_000, 9_000_000, 20, 20)
	d, err := openDesk(ctx, folder, text, time.Date(2026, time.November, 23, 18, 0, 0, 0, time.UTC))
	if err != nil {
		return nil, err
	}
	defer d.store.Close()
	var rows []heapRow
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "bids\theap\t")
	for _, bids := range []int{100_000, 300_000, 1_000_000} {
		for ; d.bids < bids; d.now = d.now.Add(time.Second / rate) {
			if d.seq%(rate/10) == 0 {
				if err := d.tend(ctx); err != nil {
					return nil, err
				}
			}
			if bid := d.ping(); bid.Bid && d.seq%(10*rate) == 0 {
				if err := d.win(ctx, d.seq, bid); err != nil {
					return nil, err
				}
			}
		}
		rows = append(rows, heapRow{bids, heap()})
		fmt.Fprintf(w, "%d\t%.1f MB\t\n", bids, rows[len(rows)-1].Heap)
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	if first, last := rows[0].Heap, rows[len(rows)-1].Heap; last > heapGrowth*first {
		return rows, fmt.Errorf("%w: the heap grew from %.1f to %.1f MB", errBound, first, last)
	}
	return rows, nil
}

// heap is what is reachable now, in megabytes.
func heap() float64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc) / 1e6
}
