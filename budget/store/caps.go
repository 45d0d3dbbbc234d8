package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"leadbid/budget"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

// capRow is one cap in one window as it stands inside a transaction.
type capRow struct {
	id     int64
	cap    budget.Cap
	end    time.Time
	opens  int64 // start_ms
	cents  int64 // spent and leased
	leads  int64
	past   room   // what open leases may still buy past it, as far as anybody looked
	limits [2]any // limit_cents and limit_leads as the database has them: nil where there is none
}

func limits(c budget.Cap) [2]any {
	var l [2]any
	if c.Cents.Set {
		l[0] = c.Cents.N
	}
	if c.Leads.Set {
		l[1] = c.Leads.N
	}
	return l
}

// openCap finds the row of a cap's window, makes it where there is none, and puts the limits in force.
// A cap that comes in the middle of its window begins with what that window has bought. From then on
// every lead counts in it, whether or not whoever buys it knows of the cap: it may be out of the
// configuration for a while, or in that of another replica only.
func openCap(tx *sqlstore.Tx, w budget.CapWindow) (row capRow, err error) {
	row = capRow{cap: w.Cap, end: w.End, opens: milliseconds(w.Start), limits: limits(w.Cap)}
	key := []any{w.Cap.Scope.Kind, w.Cap.Scope.Name, w.Cap.Period, row.opens, milliseconds(w.End)}
	const find = `SELECT id, spent_cents + leased_cents, spent_leads + leased_leads, limit_cents, limit_leads
		FROM cap WHERE kind = ? AND name = ? AND period = ? AND start_ms = ? AND end_ms = ?`
	var cents, leads sql.NullInt64
	found, err := tx.Row(find, key, &row.id, &row.cents, &row.leads, &cents, &leads)
	switch {
	case err != nil:
		return row, err
	case !found:
		return makeCap(tx, row, key)
	case cents == nullable(w.Cap.Cents) && leads == nullable(w.Cap.Leads):
		return row, nil
	}
	return row, mustHit(tx.Exec(`UPDATE cap SET limit_cents = ?, limit_leads = ? WHERE id = ?`,
		row.limits[0], row.limits[1], row.id))
}

func nullable(l budget.Limit) sql.NullInt64 {
	if !l.Set {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: l.N, Valid: true}
}

func makeCap(tx *sqlstore.Tx, row capRow, key []any) (_ capRow, err error) {
	if err := tx.Settle(); err != nil { // leads of the same transaction count
		return row, err
	}
	if row.cents, row.leads, err = row.boughtPast(tx); err != nil {
		return row, err
	}
	tx.Remember(capsKnown{}, nil)
	args := append(key[:5:5], row.limits[0], row.limits[1],
		row.cents, row.leads, row.cents, row.leads)
	row.id, err = tx.Insert(`INSERT INTO cap (kind, name, period, start_ms, end_ms, limit_cents, limit_leads,
		opening_cents, opening_leads, spent_cents, spent_leads) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, args...)
	return row, err
}

// capsKnown names the caps among what a transaction remembers.
type capsKnown struct{}

// capsFrom are all caps whose windows end after an instant in milliseconds.
type capsFrom struct {
	from int64
	rows []capRow
}

const capsThatEndAfter = `SELECT id, kind, name, period, start_ms, end_ms FROM cap WHERE end_ms > ? OR end_ms = 0`

// capsOver lists the caps whose windows may hold an instant, and perhaps more. What they came to is
// not told.
func capsOver(tx *sqlstore.Tx, at int64) ([]capRow, error) {
	if known, ok := tx.Recall(capsKnown{}).(capsFrom); ok && known.from <= at {
		return known.rows, nil
	}
	known := capsFrom{from: at - time.Minute.Milliseconds()} // for bids of a transaction's other posts
	rows, err := tx.Query(capsThatEndAfter, known.from)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var row capRow
		var end int64
		if err := rows.Scan(&row.id, &row.cap.Scope.Kind, &row.cap.Scope.Name, &row.cap.Period, &row.opens, &end); err != nil {
			return nil, err
		}
		row.end = instant(end)
		known.rows = append(known.rows, row)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	tx.Remember(capsKnown{}, known)
	return known.rows, nil
}

// window is the cap's name and times, without its row.
func (r *capRow) window() carved {
	return carved{r.cap.Scope.Kind, r.cap.Scope.Name, r.cap.Period, r.opens, milliseconds(r.end)}
}

// holds tells whether a bid on a line at an instant is in the cap's scope and window.
func (c *carved) holds(line budget.Line, bidAt int64) bool {
	return bidAt >= c.from && (c.to == 0 || bidAt < c.to) && c.over(line)
}

// over tells whether a line is in the cap's scope.
func (c *carved) over(line budget.Line) bool {
	switch c.kind {
	case budget.ScopeCampaign:
		return c.name == line.Campaign
	case budget.ScopeExchange:
		return c.name == line.Exchange
	}
	return true
}

// boughtPast sums up the leads of the cap's scope and window: what a cap that is new begins with.
func (r *capRow) boughtPast(tx *sqlstore.Tx) (cents, leads int64, err error) {
	until := milliseconds(r.end)
	if until == 0 {
		until = 1<<63 - 1
	}
	var campaign, exchange any
	switch r.cap.Scope.Kind {
	case budget.ScopeCampaign:
		campaign = r.cap.Scope.Name
	case budget.ScopeExchange:
		exchange = r.cap.Scope.Name
	}
	_, err = tx.Row(boughtPast, []any{r.opens, until, campaign, exchange}, &cents, &leads)
	return cents, leads, err
}

// boughtPast begins at the leases, most of which are closed before the window, and not at the leads, which may
// be a million: every hour has new caps. A lease pays no bid after it was closed.
const boughtPast = `SELECT CAST(coalesce(sum(price_cents), 0) AS BIGINT), count(*) FROM (
	SELECT price_cents FROM lease INDEXED BY lease_close CROSS JOIN lead
		WHERE close_at_ms > ?1 AND lead.lease = lease.id AND credited = 0 AND bid_at_ms >= ?1 AND bid_at_ms < ?2
		AND lease.campaign = coalesce(CAST(?3 AS TEXT), lease.campaign) AND lease.exchange = coalesce(CAST(?4 AS TEXT), lease.exchange)
	UNION ALL
	SELECT price_cents FROM lead INDEXED BY lead_direct
		WHERE lease IS NULL AND credited = 0 AND bid_at_ms >= ?1 AND bid_at_ms < ?2
		AND campaign = coalesce(CAST(?3 AS TEXT), campaign) AND exchange = coalesce(CAST(?4 AS TEXT), exchange)) past`

// left is what may still be promised under the cap, in cents and leads.
func (r *capRow) left() (cents, leads int64) {
	cents, leads = int64(pingpost.MaxCents), int64(pingpost.MaxCents)
	if r.cap.Cents.Set {
		cents = r.cap.Cents.N - r.cents - r.past.cents
	}
	if r.cap.Leads.Set {
		leads = r.cap.Leads.N - r.leads - r.past.leads
	}
	return cents, leads
}

// within is the condition under which money leaves a cap, over its limits then and what may be bought past it.
const within = ` AND (CAST(?2 AS BIGINT) IS NULL OR spent_cents + leased_cents + ?4 + ?6 <= CAST(?2 AS BIGINT))
	AND (CAST(?3 AS BIGINT) IS NULL OR spent_leads + leased_leads + ?5 + ?7 <= CAST(?3 AS BIGINT))
	RETURNING spent_cents + leased_cents, spent_leads + leased_leads`

// takeFrom moves cents and leads out of a cap's limit: into leases, or spent at once. hit is false
// where they don't fit.
func (r *capRow) takeFrom(tx *sqlstore.Tx, into string, cents, leads int64) (hit bool, err error) {
	query := `UPDATE cap SET spent_cents = spent_cents + ?4, spent_leads = spent_leads + ?5 WHERE id = ?1` + within
	if into == "leased" {
		query = `UPDATE cap SET leased_cents = leased_cents + ?4, leased_leads = leased_leads + ?5 WHERE id = ?1` + within
	}
	args := []any{r.id, r.limits[0], r.limits[1], cents, leads, r.past.cents, r.past.leads}
	return tx.Row(query, args, &r.cents, &r.leads)
}

// planWindows lists every cap of a plan once, in the windows that contain now, in the plan's order.
func planWindows(plan *budget.Plan, now time.Time) []budget.CapWindow {
	type key struct {
		scope  budget.Scope
		period pingpost.Period
	}
	seen := map[key]bool{}
	var windows []budget.CapWindow
	for _, line := range plan.Lines {
		for _, c := range line.Caps {
			if k := (key{c.Scope, c.Period}); !seen[k] {
				seen[k] = true
				start, end := budget.WindowOf(c.Period, now, plan.Location)
				windows = append(windows, budget.CapWindow{Cap: c, Start: start, End: end})
			}
		}
	}
	return windows
}

const capUse = `SELECT id, spent_cents, leased_cents, spent_leads, leased_leads
	FROM cap WHERE kind = ? AND name = ? AND period = ? AND start_ms = ? AND end_ms = ?`

// useOf tells a cap's use. What may still be bought past it counts as leased: it is promised, and may come back.
func useOf(w budget.CapWindow, open backing, row func(query string, args []any, into ...any) (bool, error)) (budget.CapUse, error) {
	u := budget.CapUse{Cap: w.Cap, Start: w.Start, End: w.End}
	c := capRow{cap: w.Cap, end: w.End, opens: milliseconds(w.Start)}
	key := []any{w.Cap.Scope.Kind, w.Cap.Scope.Name, w.Cap.Period, c.opens, milliseconds(w.End)}
	found, err := row(capUse, key, &c.id, centsInto(&u.SpentCents), centsInto(&u.LeasedCents), &u.SpentLeads, &u.LeasedLeads)
	if err != nil || !found {
		return u, err
	}
	used, past := open.under(&c)
	u.UsedCents, u.UsedLeads = u.SpentCents+pingpost.Cents(used.cents), u.SpentLeads+used.leads
	u.LeasedCents, u.LeasedLeads = u.LeasedCents+pingpost.Cents(past.cents), u.LeasedLeads+past.leads
	return u, nil
}

func centsInto(c *pingpost.Cents) *int64 { return (*int64)(c) }

// Usage reads the caps without making any row.
func (s *books) Usage(ctx context.Context, plan *budget.Plan, now time.Time) (uses []budget.CapUse, err error) {
	err = s.db.Snapshot(ctx, func(r sqlstore.Reader) error {
		open := backing{}
		if err := r.Each(backedBy, nil, open.scan); err != nil {
			return err
		}
		for _, w := range planWindows(plan, now) {
			u, err := useOf(w, open, r.Row)
			if err != nil {
				return err
			}
			uses = append(uses, u)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: reading the caps: %w", ErrAway, err)
	}
	return uses, nil
}
