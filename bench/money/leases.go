package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"leadbid/bidder"
	"leadbid/pingpost"
)

// leastBids is how many bids a question to the store must serve, from 100 bids a second up.
const leastBids = 50

// traffic is an hour of pings that all get a bid, of which one in a hundred wins.
type traffic struct {
	Rate    int            `json:"bids_per_s"`
	Price   pingpost.Cents `json:"price_cents"`
	Kind    string         `json:"exchange"`
	Room    float64        `json:"cap_by_held"` // the day's cap in multiples of what the open bids hold
	Minutes int            `json:"minutes"`
}

// kinds are how long a bid holds its money.
var kinds = map[string]struct {
	yaml string
	hold time.Duration // until the money can be bid again
	lost time.Duration // until the notice that says so; 0 for none
}{
	"loss notices": {"commitment: refusable, tells: result", time.Second, time.Second},
	"no notices":   {"commitment: refusable, tells: none", 10300 * time.Millisecond, 0},
	"binding":      {"commitment: binding, tells: none, bid_ttl: 60s", 62 * time.Second, 0},
}

func traffics() []traffic {
	var all []traffic
	for _, rate := range []int{100, 1_000, 5_000} {
		minutes := 60
		if rate > 1_000 {
			minutes = 10
		}
		for _, kind := range []string{"loss notices", "no notices", "binding"} {
			all = append(all, traffic{rate, 20_00, kind, 4, minutes})
		}
	}
	for _, price := range []pingpost.Cents{5_00, 150_00} {
		all = append(all, traffic{1_000, price, "no notices", 4, 60})
	}
	for _, room := range []float64{1.5, 100} {
		all = append(all, traffic{1_000, 20_00, "no notices", room, 60})
	}
	return all
}

// leasesRow is what one hour asked of the store.
type leasesRow struct {
	traffic
	Bids    int     `json:"bids"`
	Asked   int     `json:"asked"`     // questions to the store: leases granted, extended, read, returned
	Charges int     `json:"charges"`   // posts, each a write of its own kind
	PerAsk  float64 `json:"per_asked"` // bids for each question
	Refused int     `json:"refused"`   // pings that found no money in the leases
}

func measureLeases(ctx context.Context, s *settings, out io.Writer) (any, error) {
	var rows []leasesRow
	var short error
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "bids/s\tprice\texchange\tcap / held\tminutes\tbids\tasked\tbids per question\tno money\tcharges\t")
	for _, t := range traffics() {
		row, err := s.hour(ctx, t)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
		fmt.Fprintf(w, "%d\t%v\t%s\t%g\t%d\t%d\t%d\t%.0f\t%d\t%d\t\n", t.Rate, t.Price, t.Kind, t.Room, t.Minutes, row.Bids,
			row.Asked, row.PerAsk, row.Refused, row.Charges)
		if row.PerAsk < leastBids {
			short = errors.Join(short, fmt.Errorf("%w: at %d bids a second the store is asked once for %.0f bids, not %d",
				errBound, t.Rate, row.PerAsk, leastBids))
		}
	}
	return rows, errors.Join(w.Flush(), short)
}

const leasesConfiguration = `version: 1
business: {name: Busy, timezone: America/Chicago, budget: {day: $%d, month: $%d}}
store: sqlite:bidder.db
exchanges:
  north: {profile: native, auth: {bearer: "${KEY}"}, auction: first, %s}
campaigns:
  all:
    services: [hvac]
    area: {states: [IL]}
    budget: {day: $%d, total: $%d}
    rules: [{name: all, bid: %d}]
    limits: {max_bid: $%d}
`

// open is a bid whose outcome is not told yet.
type open struct {
	at   time.Time
	ping int
	bid  bidder.Decision
}

// hour is one row. The desk looks at the store as the server's loop does: when the Agent says so,
// at once where a ping found no money, but never twice within 20 ms.
func (s *settings) hour(ctx context.Context, t traffic) (row leasesRow, err error) {
	folder, err := os.MkdirTemp(s.folder, "leases-")
	if err != nil {
		return row, err
	}
	defer os.RemoveAll(folder)
	kind := kinds[t.Kind]
	day := int(float64(t.Rate)*kind.hold.Seconds()*t.Room) * int(t.Price/100)
	bought := int(t.Price/100) * t.Rate * 60 * t.Minutes / 100 // by the wins, so that the cap is as wide at the end
	day += bought
	text := fmt.Sprintf(leasesConfiguration, day, 2*day, kind.yaml, day, 2*day, int(t.Price/100), int(t.Price/100))
	at := time.Date(2026, time.November, 23, 18, 0, 0, 0, time.UTC)
	d, err := openDesk(ctx, folder, text, at)
	if err != nil {
		return row, err
	}
	defer d.store.Close()
	const leastStep = 20 * time.Millisecond
	step, end, look := time.Second/time.Duration(t.Rate), at.Add(time.Duration(t.Minutes)*time.Minute), at
	told := kind.lost
	if told == 0 {
		told = time.Second // of a win only
	}
	var waiting []open
	for ; d.now.Before(end); d.now = d.now.Add(step) {
		for len(waiting) > 0 && !waiting[0].at.After(d.now) {
			if err := d.outcome(ctx, waiting[0], kind.lost > 0); err != nil {
				return row, err
			}
			waiting = waiting[1:]
		}
		if !d.now.Before(look) {
			if err := d.tend(ctx); err != nil {
				return row, err
			}
			look = d.now.Add(time.Second)
			if due, ok := d.agent.Due(d.now); ok && due.Before(look) {
				look = due
			}
			if soon := d.now.Add(leastStep); look.Before(soon) {
				look = soon
			}
		}
		bid := d.ping()
		if !bid.Bid {
			row.Refused++
			look = d.now
			continue
		}
		if kind.lost > 0 || d.seq%100 == 0 {
			waiting = append(waiting, open{d.now.Add(told), d.seq, bid})
		}
	}
	row.traffic, row.Bids, row.Asked, row.Charges = t, d.bids, d.upkeeps, d.posts
	row.PerAsk = float64(d.bids) / float64(max(d.upkeeps, 1))
	return row, nil
}

// outcome tells a bid's end: one in a hundred won, the others lost where the exchange says so.
func (d *desk) outcome(ctx context.Context, o open, tells bool) error {
	if o.ping%100 == 0 {
		return d.win(ctx, o.ping, o.bid)
	}
	if tells {
		d.agent.Notify(d.now, pingpost.OutcomeLost, o.bid.Ref)
	}
	return nil
}
