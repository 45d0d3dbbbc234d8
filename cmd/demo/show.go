package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"leadbid/bidder/backtest"
	"leadbid/exchange"
	"leadbid/exchange/simulate"
	"leadbid/internal/cli"
	"leadbid/pingpost"
)

// figures are what the demo shows while it runs and at its end. Its JSON is stable.
type figures struct {
	Seed       uint64           `json:"seed"`
	Seconds    float64          `json:"seconds"`
	Homeowners int              `json:"homeowners"`
	Sold       int64            `json:"leads_sold"`
	Pings      int64            `json:"pings"`
	Bids       int64            `json:"bids"`
	Wins       int64            `json:"wins"`
	Spend      pingpost.Cents   `json:"spend"`
	Caps       []capFigures     `json:"caps"`
	P50        float64          `json:"latency_p50_ms"`
	P95        float64          `json:"latency_p95_ms"`
	NoBids     map[string]int64 `json:"no_bids"`
	Delivered  int              `json:"delivered"`
	SideBySide *comparison      `json:"side_by_side"`
	Invariants invariants       `json:"invariants"`
}

type capFigures struct {
	Cap   string         `json:"cap"`
	Used  pingpost.Cents `json:"used"`
	Limit pingpost.Cents `json:"limit"`
}

// The bounds of the end: time for the last auctions and posts, and for the last deliveries.
const (
	drainWithin   = 30 * time.Second
	deliverWithin = 20 * time.Second
)

// show runs the market, prints it as it goes, compares two contractors, and proves the books.
func show(ctx context.Context, env *cli.Env, s settings) error {
	dir, remove, err := folder(s.keep)
	if err != nil {
		return err
	}
	defer remove()
	m, err := newMarket(s, dir)
	if err != nil {
		return err
	}
	if err := m.group.Start(ctx); err != nil {
		return err
	}
	result, err := m.run(ctx, env)
	if stopErr := m.group.Stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	if err := m.replay(&result.Invariants); err != nil {
		return err
	}
	// Also after Ctrl-C: it takes a second or two.
	result.SideBySide, err = sideBySide(context.WithoutCancel(ctx), s.seed, twoWeeks, dir)
	if err != nil {
		return err
	}
	result.SideBySide.prove(&result.Invariants)
	env.Sayf("%s", result.SideBySide.line())
	return result.print(env)
}

func folder(keep string) (dir string, remove func(), err error) {
	if keep == "" {
		return cli.Temporary("leadbid-demo-")
	}
	if entries, err := os.ReadDir(keep); err == nil && len(entries) > 0 {
		return "", nil, cli.Usage("--keep %s: there is something in it already", keep)
	}
	if err := os.MkdirAll(keep, 0o755); err != nil {
		return "", nil, cli.Usage("--keep %s: %w", keep, err)
	}
	return keep, func() {}, nil
}

func (m *market) run(ctx context.Context, env *cli.Env) (*figures, error) {
	env.Sayf("exchange at http://%s, bidder at http://%s (status: http://%s/status)",
		m.exchange.Addr(), m.bidder.Addr(), m.bidder.AdminAddr())
	env.Sayf("synthetic, illustrative: homeowners within 25 miles of Chicago 60614, a minute a second; seed %d", m.settings.seed)
	began := time.Now()
	type driven struct {
		simulate.Driven
		err error
	}
	ended := make(chan driven, 1)
	go func() {
		d, err := m.homeowners(ctx)
		ended <- driven{d, err}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case d := <-ended:
			if d.err != nil {
				return nil, d.err
			}
			return m.finish(env, d.Driven, time.Since(began))
		case <-tick.C:
			now, err := m.look(context.WithoutCancel(ctx))
			if err != nil {
				return nil, err
			}
			env.Sayf("%s", now.line(time.Since(began)))
		}
	}
}

// finish lets every offer, post and delivery come to its end, then takes stock.
func (m *market) finish(env *cli.Env, driven simulate.Driven, took time.Duration) (*figures, error) {
	env.Sayf("no more homeowners: settling what is open")
	ctx, cancel := context.WithTimeout(context.Background(), drainWithin)
	defer cancel()
	if err := m.exchange.Drain(ctx); err != nil {
		return nil, fmt.Errorf("the exchange did not come to rest: %w", err)
	}
	if err := m.deliverAll(ctx); err != nil {
		return nil, err
	}
	result, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	result.Seed, result.Seconds, result.Homeowners = m.settings.seed, took.Seconds(), driven.Offered
	result.Invariants, err = m.prove(ctx)
	return result, err
}

// deliverAll drains the outbox: a webhook that failed once comes again a second later.
func (m *market) deliverAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, deliverWithin)
	defer cancel()
	for {
		if err := m.bidder.Drain(ctx); err != nil {
			return fmt.Errorf("delivering: %w", err)
		}
		counts, err := m.bidder.Store().Counts(ctx)
		if err != nil || counts.Owed == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d deliveries are still owed", counts.Owed)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// look reads both programs' figures as they are now.
func (m *market) look(ctx context.Context) (*figures, error) {
	report, err := m.books.Report(ctx, time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	status, err := m.bidder.Status(ctx)
	if err != nil {
		return nil, err
	}
	f := &figures{NoBids: status.Answers.NoBids, Delivered: m.crm.count()}
	for _, seller := range report.Sellers {
		f.Sold += seller.Sold
	}
	for _, buyer := range report.Buyers {
		if buyer.Buyer == contractor {
			f.readBuyer(buyer)
		}
	}
	for _, c := range status.Caps {
		if c.Limit != nil {
			f.Caps = append(f.Caps, capFigures{strings.Join(strings.Fields(c.Scope+" "+c.Name+" "+c.Period), " "), c.Used, *c.Limit})
		}
	}
	return f, nil
}

func (f *figures) readBuyer(buyer exchange.BuyerLine) {
	f.Pings, f.Bids, f.Wins, f.Spend = buyer.Eligible, buyer.Bids, buyer.Won, buyer.Spend
	f.P50 = float64(buyer.Latency50) / float64(time.Millisecond)
	f.P95 = float64(buyer.Latency95) / float64(time.Millisecond)
}

// line is the market in one line.
func (f *figures) line(since time.Duration) string {
	return fmt.Sprintf("%4.0fs  sold %d  pings %d  bids %d  won %d  spent %s  p50 %.1f ms  p95 %.1f ms  no bid: %s",
		since.Seconds(), f.Sold, f.Pings, f.Bids, f.Wins, f.Spend, f.P50, f.P95, mostFrequent(f.NoBids, 3))
}

// replay runs the bidder's recording through the Agent again: the last of the proofs.
func (m *market) replay(proof *invariants) error {
	segments, err := backtest.Segments(filepath.Join(m.dir, "recordings"))
	if err != nil {
		return err
	}
	report, err := backtest.Replay(context.Background(), m.rules, segments, nil)
	if err != nil {
		return err
	}
	proof.add("every recorded decision is the same again, to the byte",
		fmt.Sprintf("%d compared", report.Compared), report.Identical() && report.Uncompared == 0,
		fmt.Sprintf("%d of %d differ, %d could not be compared", report.DifferentCount, report.Compared, report.Uncompared))
	return nil
}
