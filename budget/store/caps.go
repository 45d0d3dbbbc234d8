package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"leadbid/budget"
	"leadbid/internal/planted"
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

// openCap finds the row of a cap's window, makes it where there is none, and puts the limits in
// force. A cap that comes in the middle of its window begins with what that window has bought, and
// one that was out of the configuration for a while catches up with what was bought meanwhile: so
// once in each run, and again after each Replan, its row is held against the leads. The row says which
// run looked last; looks keeps that this one did where other replicas look as well.
func openCap(tx *sqlstore.Tx, run uint32, w budget.CapWindow, looks *looks) (row capRow, err error) {
	row = capRow{cap: w.Cap, end: w.End, opens: milliseconds(w.Start), limits: limits(w.Cap)}
	key := []any{w.Cap.Scope.Kind, w.Cap.Scope.Name, w.Cap.Period, row.opens}
	const find = `SELECT id, spent_cents + leased_cents, spent_leads + leased_leads, limit_cents, limit_leads, run
		FROM cap WHERE kind = ? AND name = ? AND period = ? AND start_ms = ?`
	var cents, leads sql.NullInt64
	var checked uint32
	found, err := tx.Row(find, key, &row.id, &row.cents, &row.leads, &cents, &leads, &checked)
	switch {
	case err != nil:
		return row, err
	case !found:
		return makeCap(tx, run, row, key)
	case checked != run && !looks.had(row):
		looks.note(row)
		return row, row.catchUp(tx, run)
	case cents == nullable(w.Cap.Cents) && leads == nullable(w.Cap.Leads):
		return row, nil
	}
	return row, mustHit(tx.Exec(`UPDATE cap SET limit_cents = ?, limit_leads = ? WHERE id = ?`,
		row.limits[0], row.limits[1], row.id))
}

// looked is what a process remembers of the caps that it held against the leads: by cap, the latest row.
// Without it replicas that take turns at a row would each look again every time, and a look costs more
// the longer the history is.
type looked struct {
	mu    sync.Mutex
	plans uint64 // changes of the plan so far: what was looked at before counts no more
	rows  map[capKey]look
}

type look struct {
	run   uint32
	plans uint64
	row   int64
	until time.Time
}

// lookLasts is how long a look counts. A replica that still has a former plan may buy past a cap of
// this one, and end before it has looked itself.
const lookLasts = 5 * time.Minute

// looks are those of one write. Whether it is done is known only after it: then keep takes them over.
type looks struct {
	of    *looked
	run   uint32
	now   time.Time
	plans uint64
	rows  []capRow
}

// during gives the looks of a write that is under way.
func (l *looked) during(run uint32, now time.Time) *looks {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &looks{of: l, run: run, now: now, plans: l.plans}
}

func (l *looked) replan() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.plans++
}

// had tells whether this run looked at the row under this plan, not too long ago.
func (l *looks) had(row capRow) bool {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	last := l.of.rows[capKey{row.cap.Scope, row.cap.Period}]
	return last == look{l.run, l.plans, row.id, last.until} && l.now.Before(last.until)
}

func (l *looks) note(row capRow) { l.rows = append(l.rows, row) }

func (l *looks) keep() {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.of.rows == nil {
		l.of.rows = map[capKey]look{}
	}
	for _, row := range l.rows {
		l.of.rows[capKey{row.cap.Scope, row.cap.Period}] = look{l.run, l.plans, row.id, l.now.Add(lookLasts)}
	}
}

// Replan has every row looked at anew by taking from it the run that did so.
func (s *books) Replan(ctx context.Context, run Run) error {
	return s.write(ctx, "changing the plan", func(tx *sqlstore.Tx) error {
		s.looked.replan()
		_, err := tx.Exec(`UPDATE cap SET run = 0 WHERE run = ?`, run.ID)
		return err
	})
}

func nullable(l budget.Limit) sql.NullInt64 {
	if !l.Set {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: l.N, Valid: true}
}

func makeCap(tx *sqlstore.Tx, run uint32, row capRow, key []any) (_ capRow, err error) {
	if row.cents, row.leads, err = row.boughtPast(tx); err != nil {
		return row, err
	}
	args := append(key[:4:4], milliseconds(row.end), row.limits[0], row.limits[1],
		row.cents, row.leads, row.cents, row.leads, run)
	row.id, err = tx.Insert(`INSERT INTO cap (kind, name, period, start_ms, end_ms, limit_cents, limit_leads,
		opening_cents, opening_leads, spent_cents, spent_leads, run) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, args...)
	return row, err
}

// catchUp counts what was bought past the cap since it was looked after last. It never lowers what
// the cap has come to.
func (r *capRow) catchUp(tx *sqlstore.Tx, run uint32) error {
	cents, leads, err := r.boughtPast(tx)
	if err != nil {
		return err
	}
	if planted.Is(planted.ForgetAway) {
		cents, leads = 0, 0
	}
	_, err = tx.Row(`UPDATE cap SET limit_cents = ?2, limit_leads = ?3, run = ?4,
		spent_cents = spent_cents + CASE WHEN ?5 > opening_cents + late_cents THEN ?5 - opening_cents - late_cents ELSE 0 END,
		late_cents = CASE WHEN ?5 > opening_cents + late_cents THEN ?5 - opening_cents ELSE late_cents END,
		spent_leads = spent_leads + CASE WHEN ?6 > opening_leads + late_leads THEN ?6 - opening_leads - late_leads ELSE 0 END,
		late_leads = CASE WHEN ?6 > opening_leads + late_leads THEN ?6 - opening_leads ELSE late_leads END
		WHERE id = ?1 RETURNING spent_cents + leased_cents, spent_leads + leased_leads`,
		[]any{r.id, r.limits[0], r.limits[1], run, cents, leads}, &r.cents, &r.leads)
	return err
}

// boughtPast sums up the leads of the cap's scope and window that were paid neither by a lease
// carved from it nor by the cap itself.
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
	_, err = tx.Row(boughtPast, []any{r.opens, until, campaign, exchange, r.id}, &cents, &leads)
	return cents, leads, err
}

// boughtPast begins at the leases, of which hardly one was not carved from a cap of its window, and
// not at the leads, which may be a million: every cap is asked for once at each start. A lease pays
// no bid after it was closed.
const boughtPast = `SELECT CAST(coalesce(sum(price_cents), 0) AS BIGINT), count(*) FROM (
	SELECT lead.id, bid_at_ms, price_cents FROM lease INDEXED BY lease_close CROSS JOIN lead
		WHERE close_at_ms > ?1 AND lead.lease = lease.id AND credited = 0 AND bid_at_ms >= ?1 AND bid_at_ms < ?2
		AND lease.campaign = coalesce(CAST(?3 AS TEXT), lease.campaign) AND lease.exchange = coalesce(CAST(?4 AS TEXT), lease.exchange)
		AND NOT EXISTS (SELECT 1 FROM lease_cap WHERE lease_cap.lease = lease.id AND cap = ?5)
	UNION ALL
	SELECT id, bid_at_ms, price_cents FROM lead INDEXED BY lead_direct
		WHERE lease IS NULL AND credited = 0 AND bid_at_ms >= ?1 AND bid_at_ms < ?2
		AND campaign = coalesce(CAST(?3 AS TEXT), campaign) AND exchange = coalesce(CAST(?4 AS TEXT), exchange)) past
	WHERE NOT EXISTS (SELECT 1 FROM lead_cap WHERE lead_cap.lead = past.id AND cap = ?5)`

// left is what may still be promised under the cap, in cents and leads.
func (r *capRow) left() (cents, leads int64) {
	cents, leads = int64(pingpost.MaxCents), int64(pingpost.MaxCents)
	if r.cap.Cents.Set {
		cents = r.cap.Cents.N - r.cents
	}
	if r.cap.Leads.Set {
		leads = r.cap.Leads.N - r.leads
	}
	return cents, leads
}

// within is the condition under which money leaves a cap, over its limits then.
const within = ` AND (CAST(?2 AS BIGINT) IS NULL OR spent_cents + leased_cents + ?4 <= CAST(?2 AS BIGINT))
	AND (CAST(?3 AS BIGINT) IS NULL OR spent_leads + leased_leads + ?5 <= CAST(?3 AS BIGINT))
	RETURNING spent_cents + leased_cents, spent_leads + leased_leads`

// takeFrom moves cents and leads out of a cap's limit: into leases, or spent at once. hit is false
// where they don't fit.
func (r *capRow) takeFrom(tx *sqlstore.Tx, into string, cents, leads int64) (hit bool, err error) {
	query := `UPDATE cap SET spent_cents = spent_cents + ?4, spent_leads = spent_leads + ?5 WHERE id = ?1` + within
	if into == "leased" {
		query = `UPDATE cap SET leased_cents = leased_cents + ?4, leased_leads = leased_leads + ?5 WHERE id = ?1` + within
	}
	args := []any{r.id, r.limits[0], r.limits[1], cents, leads}
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

// capUse begins at the open leases, which are few, not at all those that the cap ever had.
const capUse = `SELECT spent_cents, leased_cents, spent_leads, leased_leads,
	CAST(coalesce((SELECT sum(l.used_cents) FROM lease l INDEXED BY lease_open WHERE l.state = 'open'
		AND EXISTS (SELECT 1 FROM lease_cap lc WHERE lc.lease = l.id AND lc.cap = cap.id)), 0) AS BIGINT),
	CAST(coalesce((SELECT sum(l.used_leads) FROM lease l INDEXED BY lease_open WHERE l.state = 'open'
		AND EXISTS (SELECT 1 FROM lease_cap lc WHERE lc.lease = l.id AND lc.cap = cap.id)), 0) AS BIGINT)
	FROM cap WHERE kind = ? AND name = ? AND period = ? AND start_ms = ?`

func useOf(w budget.CapWindow, row func(query string, args []any, into ...any) (bool, error)) (budget.CapUse, error) {
	u := budget.CapUse{Cap: w.Cap, Start: w.Start, End: w.End}
	key := []any{w.Cap.Scope.Kind, w.Cap.Scope.Name, w.Cap.Period, milliseconds(w.Start)}
	_, err := row(capUse, key, centsInto(&u.SpentCents), centsInto(&u.LeasedCents), &u.SpentLeads, &u.LeasedLeads,
		centsInto(&u.UsedCents), &u.UsedLeads)
	u.UsedCents += u.SpentCents
	u.UsedLeads += u.SpentLeads
	return u, err
}

func centsInto(c *pingpost.Cents) *int64 { return (*int64)(c) }

// Usage reads the caps without making any row.
func (s *books) Usage(ctx context.Context, plan *budget.Plan, now time.Time) (uses []budget.CapUse, err error) {
	err = s.db.Snapshot(ctx, func(r sqlstore.Reader) error {
		for _, w := range planWindows(plan, now) {
			u, err := useOf(w, r.Row)
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
