package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"leadbid/budget/store"
	"leadbid/internal/cputime"
)

const (
	callers      = 256   // that post at the same time, in both kinds of slice
	groupedSlice = 8_192 // charges in a slice of group commit
	aloneSlice   = 1_024 // charges in a slice of one commit each

	leastGain = 8.0 // how many times as many charges group commit must do
)

// chargesRow compares the two on books of one size. Each charge is the same full transaction: the
// post's answer, the lease, the lead, two contacts, a delivery, an entry of the audit trail.
type chargesRow struct {
	History int         `json:"leads_before"`
	Pairs   []pairOf    `json:"pairs"`
	Grouped chargesSide `json:"grouped"`
	Alone   chargesSide `json:"one_at_a_time"`
	Gain    float64     `json:"gain"` // median of the pairs
}

// chargesSide is the median of all slices of a kind.
type chargesSide struct {
	Rate float64 `json:"per_s"`
	CPU  float64 `json:"cpu_us"` // of the whole process, for one charge
}

type pairOf struct {
	Grouped chargesSide `json:"grouped"`
	Alone   chargesSide `json:"one_at_a_time"`
}

func (p pairOf) gain() float64 { return p.Grouped.Rate / p.Alone.Rate }

func measureCharges(ctx context.Context, s *settings, out io.Writer) (any, error) {
	var rows []chargesRow
	for _, n := range s.leads {
		row, err := chargesOn(ctx, s, n)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "leads before\tgrouped\tcpu\tone at a time\tcpu\tgain\trange\t")
	var short error
	for _, row := range rows {
		gains := row.gains()
		fmt.Fprintf(w, "%d\t%.0f /s\t%.0f us\t%.0f /s\t%.0f us\t%.1f\t%.1f-%.1f\t\n", row.History, row.Grouped.Rate, row.Grouped.CPU,
			row.Alone.Rate, row.Alone.CPU, row.Gain, gains[0], gains[len(gains)-1])
		if row.Gain < leastGain {
			short = errors.Join(short, fmt.Errorf("%w: with %d leads before, group commit does %.1f times the charges, not %.0f",
				errBound, row.History, row.Gain, leastGain))
		}
	}
	return rows, errors.Join(w.Flush(), short)
}

// chargesOn measures on books that hold some leads already.
func chargesOn(ctx context.Context, s *settings, leads int) (chargesRow, error) {
	row := chargesRow{History: leads}
	folder, err := s.copyOfBooks(ctx, leads)
	if err != nil {
		return row, err
	}
	b, err := openBooks(ctx, filepath.Join(folder, booksFile), historyEnd)
	if err != nil {
		return row, err
	}
	defer b.store.Close()
	err = row.measure(ctx, s, b, groupedSlice, aloneSlice)
	return row, err
}

// measure has slices of both kinds take turns on the books.
func (r *chargesRow) measure(ctx context.Context, s *settings, b *books, many, few int) error {
	var one sync.Mutex
	alone := func(p store.Post) error {
		one.Lock()
		defer one.Unlock()
		return charge(ctx, b.store, p)
	}
	grouped := func(p store.Post) error { return charge(ctx, b.store, p) }
	for range s.pairs {
		var pair pairOf
		var err error
		if pair.Grouped, err = b.slice(ctx, many, grouped); err != nil {
			return err
		}
		if pair.Alone, err = b.slice(ctx, few, alone); err != nil {
			return err
		}
		r.Pairs = append(r.Pairs, pair)
	}
	r.Gain = median(r.gains())
	r.Grouped = medianSide(r.Pairs, func(p pairOf) chargesSide { return p.Grouped })
	r.Alone = medianSide(r.Pairs, func(p pairOf) chargesSide { return p.Alone })
	return nil
}

func charge(ctx context.Context, books store.Store, p store.Post) error {
	answer, err := books.Post(ctx, p)
	switch {
	case err != nil:
		return err
	case answer.Outcome != store.PostAccepted || answer.Lease == nil:
		return fmt.Errorf("a charge was not taken from its lease: %+v", answer)
	}
	return nil
}

// slice measures some charges from all callers. The posts are made before.
func (b *books) slice(ctx context.Context, charges int, do func(store.Post) error) (chargesSide, error) {
	b.now.Add(int64(time.Second))
	if err := b.grant(ctx, charges); err != nil {
		return chargesSide{}, err
	}
	posts := make([]store.Post, charges)
	for i := range posts {
		posts[i] = b.post()
	}
	used, began := cputime.Used(), time.Now()
	if err := hand(callers, posts, do); err != nil {
		return chargesSide{}, err
	}
	took, n := time.Since(began), float64(charges)
	return chargesSide{Rate: n / took.Seconds(), CPU: float64((cputime.Used() - used).Nanoseconds()) / 1e3 / n}, nil
}

func (r *chargesRow) gains() []float64 {
	var gains []float64
	for _, pair := range r.Pairs {
		gains = append(gains, pair.gain())
	}
	slices.Sort(gains)
	return gains
}

func medianSide(pairs []pairOf, side func(pairOf) chargesSide) chargesSide {
	var rates, cpu []float64
	for _, pair := range pairs {
		rates, cpu = append(rates, side(pair).Rate), append(cpu, side(pair).CPU)
	}
	return chargesSide{Rate: median(rates), CPU: median(cpu)}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
