package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"leadbid/exchange/load"
)

// report is what a run measured. Its JSON is kept under bench/results.
type report struct {
	Date     string       `json:"date"`
	Machine  machine      `json:"machine"`
	Slice    string       `json:"slice"`
	Pairs    int          `json:"pairs"`
	Bids     []bidRow     `json:"bids,omitempty"`
	Latency  []latencyRow `json:"latency,omitempty"`
	Auctions []auctionRow `json:"auctions,omitempty"`
}

// spread is a figure of several slices.
type spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// bidRow holds a bidder against bare. CPU is in microseconds per request of the server's process.
type bidRow struct {
	Name     string           `json:"name"`
	What     string           `json:"what"`
	Keep     spread           `json:"keep"` // bare's CPU per request divided by the bidder's, pair by pair
	CPU      spread           `json:"cpu_us"`
	BareCPU  spread           `json:"bare_cpu_us"`
	Allocs   float64          `json:"allocs"` // heap objects per request, median
	Bytes    float64          `json:"bytes"`
	Requests int64            `json:"requests"`
	BidShare float64          `json:"bid_share"`
	NoBids   map[string]int64 `json:"no_bids"`
	Dropped  uint64           `json:"recording_dropped"`
	PerSec   float64          `json:"per_second"` // a remark: it depends on the generator as well
}

type latencyRow struct {
	Rate int       `json:"rate"`
	Bare load.Step `json:"bare"`
	Full load.Step `json:"full"`
}

type auctionRow struct {
	Buyers    int     `json:"buyers"`
	PerSecond spread  `json:"auctions_per_second"`
	CPU       spread  `json:"cpu_us"` // of the exchange's process, per auction
	Allocs    float64 `json:"allocs"`
	Auctions  int64   `json:"auctions"`
	SoldShare float64 `json:"sold_share"`
}

func newReport(s settings) *report {
	facts := thisMachine()
	facts.Pinned = s.pin
	return &report{
		Date: time.Now().UTC().Format(time.DateOnly), Machine: facts, Slice: s.slice.String(), Pairs: s.pairs,
	}
}

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return spread{}
	}
	middle := sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		middle = (middle + sorted[len(sorted)/2-1]) / 2
	}
	return spread{round(middle), round(sorted[0]), round(sorted[len(sorted)-1])}
}

func round(value float64) float64 { return float64(int64(value*1000+0.5)) / 1000 }

func pick(costs []cost, of func(cost) float64) []float64 {
	var values []float64
	for _, c := range costs {
		values = append(values, of(c))
	}
	return values
}

func cpuOf(c cost) float64 { return c.CPU }

// addBids turns slices into rows. It is an error where too few pings were answered by a bid: such
// a run measures refusals.
func (r *report) addBids(pairings []pairing, subjects map[string]*subject, finals map[string]final) error {
	for _, p := range pairings {
		full := subjects[p.fullSide]
		var keep []float64
		for i := range p.full {
			keep = append(keep, p.bare[i].CPU/p.full[i].CPU)
		}
		r.Bids = append(r.Bids, bidRow{
			Name: full.name, What: p.what, Keep: spreadOf(keep),
			CPU: spreadOf(pick(p.full, cpuOf)), BareCPU: spreadOf(pick(p.bare, cpuOf)),
			Allocs:   spreadOf(pick(p.full, func(c cost) float64 { return c.Allocs })).Median,
			Bytes:    spreadOf(pick(p.full, func(c cost) float64 { return c.Bytes })).Median,
			Requests: full.total.Requests, BidShare: round(full.total.share()), NoBids: full.total.Reasons,
			Dropped: finals[full.process.name].Dropped,
			PerSec:  round(float64(full.total.Requests) / full.total.Elapsed.Seconds()),
		})
		if full.total.share() < 0.5 {
			return fmt.Errorf("%s: only %.0f %% of the pings got a bid: %v", full.name, 100*full.total.share(), full.total.Reasons)
		}
	}
	return nil
}

func (r *report) addAuctions(subjects []*subject) error {
	for _, one := range subjects {
		r.Auctions = append(r.Auctions, auctionRow{
			Buyers: one.buyers, PerSecond: spreadOf(one.rates), CPU: spreadOf(pick(one.costs, cpuOf)),
			Allocs:   spreadOf(pick(one.costs, func(c cost) float64 { return c.Allocs })).Median,
			Auctions: one.total.Pings, SoldShare: round(one.total.share()),
		})
		if one.total.share() < 0.95 {
			return fmt.Errorf("%s: only %.1f %% of the leads were sold: %v", one.name, 100*one.total.share(), one.total.Reasons)
		}
	}
	return nil
}

// checkLatency holds a step to what makes its figures mean something.
func (r *report) checkLatency() error {
	var errs []error
	for _, row := range r.Latency {
		for _, step := range []load.Step{row.Bare, row.Full} {
			if step.Errors > 0 || step.BidShare < 0.5 {
				errs = append(errs, fmt.Errorf("%d/s: %d errors %v, %.0f %% bids %v",
					row.Rate, step.Errors, step.ErrorKinds, 100*step.BidShare, step.Reasons))
			}
		}
	}
	return errors.Join(errs...)
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %d CPUs, %s, %s, kernel %s, load %s\n", r.Machine.CPU, r.Machine.CPUs, r.Machine.OS, r.Machine.Go,
		r.Machine.Kernel, r.Machine.Load)
	where := "nothing is bound to a CPU"
	if r.Machine.Pinned {
		where = "servers have GOMAXPROCS=1 on one CPU, the generator and the buyers have the others"
	}
	fmt.Fprintf(w, "%s\n", where)
	r.printBids(w)
	r.printLatency(w)
	r.printAuctions(w)
}

func table(w io.Writer, title, head string) *tabwriter.Writer {
	fmt.Fprintf(w, "\n%s\n", title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.ReplaceAll(head, "|", "\t")+"\t")
	return t
}

func (s spread) String() string { return fmt.Sprintf("%.2f [%.2f-%.2f]", s.Median, s.Low, s.High) }

func (r *report) printBids(w io.Writer) {
	if len(r.Bids) == 0 {
		return
	}
	t := table(w, "Bid path against bare fasthttp: CPU of the server's process per request, closed loop",
		"server|keep|cpu us|bare us|allocs|bytes|bids|requests|dropped")
	for _, row := range r.Bids {
		fmt.Fprintf(t, "%s\t%v\t%v\t%v\t%.2f\t%.0f\t%.0f %%\t%d\t%d\t\n", row.Name, row.Keep, row.CPU, row.BareCPU,
			row.Allocs, row.Bytes, 100*row.BidShare, row.Requests, row.Dropped)
	}
	_ = t.Flush()
	fmt.Fprintln(w, "keep = bare's CPU / the bidder's, median [lowest-highest] of the pairs. allocs and bytes are per request.")
	for _, row := range r.Bids {
		fmt.Fprintf(w, "  %s: %s\n", row.Name, row.What)
	}
}

func (r *report) printLatency(w io.Writer) {
	if len(r.Latency) == 0 {
		return
	}
	t := table(w, "Latency from the scheduled send, open loop, a loss notice after each bid: milliseconds",
		"pings/s|server|p50|p99|p99.9|max|lag p99|bids|errors|dropped")
	for _, row := range r.Latency {
		for _, side := range []struct {
			name string
			step load.Step
		}{{"bare", row.Bare}, {"full", row.Full}} {
			fmt.Fprintf(t, "%d\t%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f %%\t%d\t%d\t\n", row.Rate, side.name,
				side.step.Latency.P50, side.step.Latency.P99, side.step.Latency.P999, side.step.Latency.Max,
				side.step.Lag.P99, 100*side.step.BidShare, side.step.Errors, side.step.Dropped)
		}
	}
	_ = t.Flush()
	fmt.Fprintln(w, "lag is the generator's own delay, which the latency includes. From p99 up this is scheduling as much as serving.")
}

func (r *report) printAuctions(w io.Writer) {
	if len(r.Auctions) == 0 {
		return
	}
	t := table(w, "Sealed-bid auctions from lead to captured sale, every buyer asked over HTTP, SQLite with group commit",
		"buyers|auctions/s|cpu us/auction|allocs|auctions|sold")
	for _, row := range r.Auctions {
		fmt.Fprintf(t, "%d\t%v\t%v\t%.0f\t%d\t%.1f %%\t\n", row.Buyers, row.PerSecond, row.CPU, row.Allocs, row.Auctions, 100*row.SoldShare)
	}
	_ = t.Flush()
	fmt.Fprintln(w, "cpu is of the exchange's process alone. auctions/s is what this machine did with the buyers and the sellers on it as well.")
}

// write keeps the report as a file of its own.
func (r *report) write(dir string, log io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, r.Date+".json")
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Fprintln(log, "written:", path)
	return nil
}
