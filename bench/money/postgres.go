package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"leadbid/bidder"
	"leadbid/budget/store"
	"leadbid/internal/pgtest"
	"leadbid/pingpost"
)

const (
	leastRatio    = 20.0 // bids with leases for each with one row updated per bid
	leasedSlice   = 20_000
	rowSlice      = 2_000
	rowCallers    = 16 // each on a connection of its own
	onServerGroup = 2_048
	onServerAlone = 128
)

// postgresFigures are what books on PostgreSQL cost. Bids come from one bidder, with every question to the
// store within the time; a row is updated by 16 connections at once.
type postgresFigures struct {
	Leased  []float64   `json:"bids_per_s_with_leases"`
	Row     []float64   `json:"bids_per_s_with_one_row"`
	Ratio   float64     `json:"ratio"` // median of the pairs
	Asked   int         `json:"questions_to_the_store"`
	Bids    int         `json:"bids"`
	Charges *chargesRow `json:"charges"`
}

// measurePostgres skips by itself where there is no PostgreSQL.
func measurePostgres(ctx context.Context, s *settings, out io.Writer) (any, error) {
	server, err := pgtest.Running()
	if err != nil {
		fmt.Fprintf(out, "not measured on PostgreSQL: %v. Install postgresql, or name a server with %s=postgres://...\n", err, pgtest.Variable)
		return nil, nil
	}
	defer server.Stop()
	f := &postgresFigures{}
	if err := f.bids(ctx, s, server); err != nil {
		return nil, err
	}
	if f.Charges, err = s.chargesOnServer(ctx, server); err != nil {
		return nil, err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "PostgreSQL\tgrouped or leased\tcpu\tone at a time\tcpu\tgain\t")
	fmt.Fprintf(w, "bids\t%.0f /s\t\t%.0f /s\t\t%.0f\t\n", median(f.Leased), median(f.Row), f.Ratio)
	c := f.Charges
	fmt.Fprintf(w, "charges\t%.0f /s\t%.0f us\t%.0f /s\t%.0f us\t%.1f\t\n", c.Grouped.Rate, c.Grouped.CPU, c.Alone.Rate, c.Alone.CPU, c.Gain)
	err = w.Flush()
	if f.Ratio < leastRatio {
		err = errors.Join(err, fmt.Errorf("%w: leases serve %.1f times the bids, not %.0f", errBound, f.Ratio, leastRatio))
	}
	return f, err
}

// bids has slices of both kinds take turns. A bid from a lease is the whole decision, a bid from the row
// nothing but the update.
func (f *postgresFigures) bids(ctx context.Context, s *settings, server *pgtest.Server) error {
	address, err := server.NewSchema(ctx)
	if err != nil {
		return err
	}
	at := time.Date(2026, time.November, 23, 18, 0, 0, 0, time.UTC)
	text := fmt.Sprintf(leasesConfiguration, 1_000_000, 2_000_000, kinds["loss notices"].yaml, 1_000_000, 2_000_000, 20, 20)
	d, err := openDeskOn(ctx, s.folder, text, at, func(opts store.Options) (store.Store, error) {
		return store.OpenPostgres(ctx, address, opts)
	})
	if err != nil {
		return err
	}
	defer d.store.Close()
	pool, err := onePlainRow(ctx, address)
	if err != nil {
		return err
	}
	defer pool.Close()
	var ratios []float64
	for range s.pairs {
		leased, err := d.bidFor(ctx, leasedSlice)
		if err != nil {
			return err
		}
		row, err := updateRow(ctx, pool, rowSlice)
		if err != nil {
			return err
		}
		f.Leased, f.Row = append(f.Leased, leased), append(f.Row, row)
		ratios = append(ratios, leased/row)
	}
	f.Ratio, f.Asked, f.Bids = median(ratios), d.upkeeps, d.bids
	return nil
}

// bidFor makes some bids, 1,000 a second of the desk's clock, each lost a second later, and gives how many
// it made in a real one.
func (d *desk) bidFor(ctx context.Context, many int) (rate float64, err error) {
	began, before := time.Now(), d.bids
	var waiting []bidder.Decision
	for d.bids < before+many {
		if due, ok := d.agent.Due(d.now); ok && !due.After(d.now) {
			if err := d.tend(ctx); err != nil {
				return 0, err
			}
		}
		if bid := d.ping(); bid.Bid {
			waiting = append(waiting, bid)
		}
		if len(waiting) > 1000 {
			d.agent.Notify(d.now, pingpost.OutcomeLost, waiting[0].Ref)
			waiting = waiting[1:]
		}
		d.now = d.now.Add(time.Millisecond)
	}
	rate = float64(many) / time.Since(began).Seconds()
	for _, bid := range waiting {
		d.agent.Notify(d.now, pingpost.OutcomeLost, bid.Ref)
	}
	return rate, nil
}

// onePlainRow makes the table of the plain way: a cap whose row every bid updates.
func onePlainRow(ctx context.Context, address string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	config.MaxConns = rowCallers
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	_, err = pool.Exec(ctx, `CREATE TABLE plain_cap (id BIGINT PRIMARY KEY, limit_cents BIGINT NOT NULL, spent_cents BIGINT NOT NULL)`)
	if err == nil {
		_, err = pool.Exec(ctx, `INSERT INTO plain_cap VALUES (1, 1000000000000, 0)`)
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

func updateRow(ctx context.Context, pool *pgxpool.Pool, many int) (rate float64, err error) {
	began := time.Now()
	err = hand(rowCallers, make([]struct{}, many), func(struct{}) error {
		tag, err := pool.Exec(ctx, `UPDATE plain_cap SET spent_cents = spent_cents + $1
			WHERE id = 1 AND spent_cents + $1 <= limit_cents`, 20_00)
		if err == nil && tag.RowsAffected() != 1 {
			err = pgx.ErrNoRows
		}
		return err
	})
	return float64(many) / time.Since(began).Seconds(), err
}

// chargesOnServer is chargesOn for new books on PostgreSQL. cpu is that of this process alone.
func (s *settings) chargesOnServer(ctx context.Context, server *pgtest.Server) (*chargesRow, error) {
	address, err := server.NewSchema(ctx)
	if err != nil {
		return nil, err
	}
	b, err := openBooksOn(ctx, historyEnd, func(opts store.Options) (store.Store, error) {
		return store.OpenPostgres(ctx, address, opts)
	})
	if err != nil {
		return nil, err
	}
	defer b.store.Close()
	row := &chargesRow{}
	if err := row.measure(ctx, s, b, onServerGroup, onServerAlone); err != nil {
		return nil, err
	}
	return row, nil
}
