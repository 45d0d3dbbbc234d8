package store

import (
	"context"
	"strings"
	"sync"
	"time"

	"leadbid/budget"
	"leadbid/internal/planted"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

// leaseLength is how far ahead a lease is granted and extended.
const leaseLength = 30 * time.Second

func (s *books) Upkeep(ctx context.Context, run Run, plan *budget.Plan, ask budget.Upkeep) (answer budget.UpkeepAnswer, err error) {
	entered := time.Now()
	err = s.write(ctx, "looking after leases", func(tx *sqlstore.Tx) error {
		u := upkeep{
			tx: tx, run: run, plan: plan, now: s.now(tx),
			caps: map[capKey]*capRow{}, answer: budget.UpkeepAnswer{At: ask.At},
		}
		if s.db.Shared() {
			if err := u.countReplicas(&s.over); err != nil {
				return err
			}
			u.answer.Replicas = u.live
		}
		err := u.do(ask)
		answer = u.answer
		translate := s.callers(tx, ask.At, entered)
		for i := range answer.Leases {
			translate(&answer.Leases[i])
		}
		for _, grant := range answer.Grants {
			translate(grant.Lease)
		}
		if err != nil {
			return err
		}
		return markHead(tx, int64(run.ID))
	})
	if err != nil {
		return budget.UpkeepAnswer{}, err
	}
	return answer, nil
}

type capKey struct {
	scope  budget.Scope
	period pingpost.Period
}

// upkeep is one question of a Book while it is being answered.
type upkeep struct {
	tx     *sqlstore.Tx
	run    Run
	plan   *budget.Plan
	now    time.Time
	live   int64              // replicas that share the caps; 0 where nobody can
	caps   map[capKey]*capRow // of the plan, in the windows that contain now
	open   backing            // the open leases, as those caps see them
	answer budget.UpkeepAnswer
}

func (u *upkeep) do(ask budget.Upkeep) error {
	if err := u.closeDue(); err != nil {
		return err
	}
	windows := planWindows(u.plan, u.now)
	for _, w := range windows {
		row, err := openCap(u.tx, w)
		if err != nil {
			return err
		}
		u.caps[capKey{w.Cap.Scope, w.Cap.Period}] = &row
	}
	open, err := backingOf(u.tx)
	if err != nil {
		return err
	}
	u.open = open
	// Returns come before grants: what one line gives back is what another asks for.
	for _, keep := range ask.Keeps {
		if err := u.keep(keep); err != nil {
			return err
		}
	}
	for _, want := range ask.Wants {
		grant, err := u.grant(want)
		if err != nil {
			return err
		}
		u.answer.Grants = append(u.answer.Grants, grant)
	}
	if err := u.show(ask.Reads); err != nil {
		return err
	}
	for _, w := range windows {
		use, err := useOf(w, u.open, u.tx.Row)
		if err != nil {
			return err
		}
		u.answer.Caps = append(u.answer.Caps, use)
	}
	return nil
}

const leaseColumns = `id, campaign, exchange, rev, cents, used_cents, leads, used_leads,
	bid_until_ms, close_at_ms, state = 'open'`

// Most leases are closed ones, so the open ones are named by their index: to have the rows in the
// order of id, SQLite would read them all.
const (
	dueLeases = `SELECT ` + leaseColumns + ` FROM lease INDEXED BY lease_open
		WHERE state = 'open' AND close_at_ms <= ? ORDER BY id`
	openLeases = `SELECT ` + leaseColumns + ` FROM lease INDEXED BY lease_open
		WHERE state = 'open' AND run = ? ORDER BY id`
)

// scanned gives the places to scan leaseColumns into, and what turns the instants when done.
func scanned(l *budget.LeaseState) (into []any, finish func()) {
	var bidUntil, closeAt int64
	into = []any{(*int64)(&l.ID), &l.Line.Campaign, &l.Line.Exchange, &l.Rev, centsInto(&l.Cents),
		centsInto(&l.UsedCents), &l.Leads, &l.UsedLeads, &bidUntil, &closeAt, &l.Open}
	return into, func() { l.BidUntil, l.CloseAt = instant(bidUntil), instant(closeAt) }
}

// leaseRow reads the one lease that a query finds.
func leaseRow(tx *sqlstore.Tx, query string, args ...any) (state budget.LeaseState, found bool, err error) {
	into, finish := scanned(&state)
	found, err = tx.Row(query, args, into...)
	finish()
	return state, found, err
}

func leaseRows(tx *sqlstore.Tx, query string, args ...any) (states []budget.LeaseState, err error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var state budget.LeaseState
		into, finish := scanned(&state)
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		finish()
		states = append(states, state)
	}
	return states, rows.Err()
}

// closeDue closes the leases of all runs whose time is over: what they used is spent, the rest is
// free again.
func (u *upkeep) closeDue() error {
	by := u.now
	if planted.Is(planted.CloseEarly) {
		by = by.Add(time.Minute)
	}
	due, err := leaseRows(u.tx, dueLeases, by.UnixMilli())
	if err != nil {
		return err
	}
	for _, lease := range due {
		err := mustHit(u.tx.Exec(`UPDATE lease SET state = 'closed', rev = rev + 1 WHERE id = ? AND state = 'open'`,
			int64(lease.ID)))
		if err != nil {
			return err
		}
		_, err = u.tx.Exec(`UPDATE cap SET spent_cents = spent_cents + ?, leased_cents = leased_cents - ?,
			spent_leads = spent_leads + ?, leased_leads = leased_leads - ?
			WHERE id IN (SELECT cap FROM lease_cap WHERE lease = ?)`,
			int64(lease.UsedCents), int64(lease.Cents), lease.UsedLeads, lease.Leads, int64(lease.ID))
		if err != nil {
			return err
		}
		if err := u.note("close", lease.ID, int64(lease.UsedCents), lease.UsedLeads); err != nil {
			return err
		}
		lease.Open, lease.Rev = false, lease.Rev+1
		u.answer.Leases = append(u.answer.Leases, lease)
	}
	return nil
}

func (u *upkeep) note(kind string, lease budget.LeaseID, cents, leads int64) error {
	return note(u.tx, entry{run: int64(u.run.ID), at: u.now, kind: kind, lease: int64(lease), cents: cents, leads: leads})
}

// keep extends a lease, takes back part of it, or both. A lease that is not this run's, or that is
// closed, is left alone: its state tells the Book.
func (u *upkeep) keep(ask budget.Keep) error {
	lease, found, err := leaseRow(u.tx, `SELECT `+leaseColumns+` FROM lease
		WHERE id = ? AND run = ? AND state = 'open'`, int64(ask.ID), u.run.ID)
	if err != nil || !found {
		return err
	}
	back := room{int64(ask.ReturnCents), ask.ReturnLeads}
	if ask.Extend {
		cut, err := u.extend(&lease)
		if err != nil {
			return err
		}
		if !ask.Cut && !planted.Is(planted.CutUnasked) || planted.Is(planted.IgnoreLowered) {
			cut = room{} // bids may be made from it until the answer
		}
		back = room{max(back.cents, cut.cents), max(back.leads, cut.leads)}
	}
	if planted.Is(planted.ReturnMore) {
		ask.OutstandingCents, ask.OutstandingLeads = 0, 0
	}
	back.cents = min(back.cents, int64(lease.Cents-lease.UsedCents-ask.OutstandingCents))
	back.leads = min(back.leads, lease.Leads-lease.UsedLeads-ask.OutstandingLeads)
	return u.giveBack(ask, room{max(back.cents, 0), max(back.leads, 0)})
}

const (
	// seenWithin is how long a run counts as live after its last question: longer than one that holds
	// nothing waits between two.
	seenWithin = 2 * leaseLength
	// seenStep is the least time between two notes of it.
	seenStep = 5 * time.Second
)

// countReplicas notes that this run is live, and counts those that are, apart from this process's own
// former ones.
func (u *upkeep) countReplicas(over *sync.Map) error {
	soon := u.now.Add(seenStep).UnixMilli() // what was noted later than that was before the clock was set back
	err := u.tx.Later(`UPDATE run SET seen_ms = ? WHERE id = ? AND (seen_ms < ? OR seen_ms > ?)`,
		[]any{u.now.UnixMilli(), u.run.ID, u.now.Add(-seenStep).UnixMilli(), soon}, nil)
	if err != nil {
		return err
	}
	rows, err := u.tx.Query(`SELECT id FROM run WHERE seen_ms > ? AND seen_ms <= ? OR id = ?`,
		u.now.Add(-seenWithin).UnixMilli(), soon, u.run.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var run int64
		if err := rows.Scan(&run); err != nil {
			return err
		}
		if _, ended := over.Load(uint32(run)); !ended || uint32(run) == u.run.ID {
			u.live++
		}
	}
	return rows.Err()
}

type room struct{ cents, leads int64 }

func (r room) plus(other room) room { return room{r.cents + other.cents, r.leads + other.leads} }

// giveBack returns room to every cap of a lease, if the lease can spare it beside what its bids
// still need.
func (u *upkeep) giveBack(ask budget.Keep, back room) error {
	if back == (room{}) {
		return nil
	}
	err := mustHit(u.tx.Exec(`UPDATE lease SET cents = cents - ?1, leads = leads - ?2, rev = rev + 1,
		returned_cents = returned_cents + ?1, returned_leads = returned_leads + ?2
		WHERE id = ?3 AND state = 'open' AND used_cents + ?4 <= cents - ?1 AND used_leads + ?5 <= leads - ?2`,
		back.cents, back.leads, int64(ask.ID), keepBack(back.cents, int64(ask.OutstandingCents)),
		keepBack(back.leads, ask.OutstandingLeads)))
	if err != nil {
		return err
	}
	_, err = u.tx.Exec(`UPDATE cap SET leased_cents = leased_cents - ?, leased_leads = leased_leads - ?
		WHERE id IN (SELECT cap FROM lease_cap WHERE lease = ?)`, back.cents, back.leads, int64(ask.ID))
	if err != nil {
		return err
	}
	for _, row := range u.caps {
		if err := row.refresh(u.tx); err != nil {
			return err
		}
	}
	u.open.giveBack(ask.ID, back)
	return u.note("return", ask.ID, back.cents, back.leads)
}

// keepBack is what must stay for open bids. Where nothing goes back nothing is demanded: late posts
// may have used what was held for another bid.
func keepBack(back, outstanding int64) int64 {
	if back == 0 {
		return 0
	}
	return outstanding
}

func (r *capRow) refresh(tx *sqlstore.Tx) error {
	_, err := tx.Row(`SELECT spent_cents + leased_cents, spent_leads + leased_leads FROM cap WHERE id = ?`,
		[]any{r.id}, &r.cents, &r.leads)
	return err
}

// extend moves a lease's end ahead, never past the first window that it was carved from. cut is
// what has to come back because a limit was lowered since, or somebody may buy past it.
func (u *upkeep) extend(lease *budget.LeaseState) (cut room, err error) {
	plan, planned := u.line(lease.Line)
	if !planned {
		return room{}, nil
	}
	var end int64
	const first = `SELECT coalesce(min(end_ms), 0) FROM cap
		WHERE end_ms > 0 AND id IN (SELECT cap FROM lease_cap WHERE lease = ?)`
	if _, err := u.tx.Row(first, []any{int64(lease.ID)}, &end); err != nil {
		return room{}, err
	}
	until := u.now.Add(leaseLength).UnixMilli()
	if end > 0 && !planted.Is(planted.ExtendPastEnd) {
		until = min(until, end)
	}
	if until > lease.BidUntil.UnixMilli() && until > u.now.UnixMilli() {
		closeAt := until + (plan.Terms.BidTTL + plan.Terms.Grace).Milliseconds()
		err := mustHit(u.tx.Exec(`UPDATE lease SET bid_until_ms = ?,
			close_at_ms = CASE WHEN close_at_ms < ? THEN ? ELSE close_at_ms END, rev = rev + 1
			WHERE id = ? AND run = ? AND state = 'open'`, until, closeAt, closeAt, int64(lease.ID), u.run.ID))
		if err != nil {
			return room{}, err
		}
	}
	for _, row := range u.caps {
		if u.open.carved(lease.ID, row) {
			cents, leads := u.left(row)
			cut = room{max(cut.cents, -cents), max(cut.leads, -leads)}
		}
	}
	return cut, nil
}

// left is what a cap has left beside what may be bought past it.
func (u *upkeep) left(row *capRow) (cents, leads int64) {
	_, row.past = u.open.under(row)
	return row.left()
}

func (u *upkeep) line(line budget.Line) (plan budget.LinePlan, planned bool) {
	for _, plan := range u.plan.Lines {
		if plan.Line == line {
			return plan, true
		}
	}
	return budget.LinePlan{}, false
}

// grant carves a lease out of every cap above a line: as much as is wanted, at most what all of
// them have left, nothing where that is less than is of use.
func (u *upkeep) grant(want budget.Want) (budget.Grant, error) {
	grant := budget.Grant{Line: want.Line}
	plan, planned := u.line(want.Line)
	if !planned {
		grant.Refused, grant.Until = pingpost.BudgetExhausted, u.now.Add(leaseLength)
		return grant, nil
	}
	cents, leads, covered := int64(want.Cents), max(want.Leads, 1), false
	until := u.now.Add(leaseLength)
	for _, c := range plan.Caps {
		row := u.caps[capKey{c.Scope, c.Period}]
		leftCents, leftLeads := u.left(row)
		covered = covered || c.Cents.Set
		switch {
		case leftCents < max(int64(want.Least), 1):
			grant.Refused, grant.Until = pingpost.BudgetExhausted, row.end
			return grant, nil
		case leftLeads < 1:
			grant.Refused, grant.Until = pingpost.CapacityFull, row.end
			return grant, nil
		}
		if u.live > 1 && !planted.Is(planted.WholeRest) { // room for one bid, or a part of what is left: the others want some too
			leftCents = min(leftCents, max(int64(want.Least), leftCents/(2*u.live)))
			leftLeads = min(leftLeads, max(1, leftLeads/(2*u.live)))
		}
		cents, leads = min(cents, leftCents), min(leads, leftLeads)
		if !row.end.IsZero() && row.end.Before(until) {
			until = row.end
		}
	}
	if !covered || cents < 1 {
		grant.Refused = pingpost.BudgetExhausted
		return grant, nil
	}
	lease, err := u.carve(plan, room{cents, leads}, until)
	grant.Lease = &lease
	return grant, err
}

func (u *upkeep) carve(plan budget.LinePlan, amount room, until time.Time) (budget.LeaseState, error) {
	lease := budget.LeaseState{
		Line: plan.Line, Rev: 1, Cents: pingpost.Cents(amount.cents), Leads: amount.leads, Open: true,
		BidUntil: until, CloseAt: until.Add((plan.Terms.BidTTL + plan.Terms.Grace).Truncate(time.Millisecond)),
	}
	id, err := u.tx.Insert(`INSERT INTO lease (run, campaign, exchange, granted_cents, granted_leads, cents, leads,
		bid_until_ms, close_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?5, ?6, ?7)`,
		u.run.ID, lease.Line.Campaign, lease.Line.Exchange, amount.cents, amount.leads,
		lease.BidUntil.UnixMilli(), lease.CloseAt.UnixMilli())
	if err != nil {
		return lease, err
	}
	lease.ID = budget.LeaseID(id)
	var of facts
	of.number(id)
	of.words(lease.Line.Campaign, lease.Line.Exchange)
	for _, c := range plan.Caps {
		row := u.caps[capKey{c.Scope, c.Period}]
		hit, err := row.takeFrom(u.tx, "leased", amount.cents, amount.leads)
		switch {
		case err != nil:
			return lease, err
		case !hit:
			return lease, errGuard
		}
		_, err = u.tx.Exec(`INSERT INTO lease_cap (lease, cap, limit_cents, limit_leads, after_cents, after_leads)
			VALUES (?, ?, ?, ?, ?, ?)`, id, row.id, row.limits[0], row.limits[1], row.cents, row.leads)
		if err != nil {
			return lease, err
		}
		of.cap(row)
		u.open.grant(lease, row)
	}
	return lease, note(u.tx, entry{
		run: int64(u.run.ID), at: u.now, kind: "grant", lease: id, cents: amount.cents, leads: amount.leads, of: of,
	})
}

// show answers with the state of every open lease of this run, and of those that were asked for
// and are not open any more.
func (u *upkeep) show(reads []budget.LeaseID) error {
	query := openLeases
	if planted.Is(planted.ResumeLeases) {
		query = strings.Replace(openLeases, "run =", "run <=", 1)
	}
	states, err := leaseRows(u.tx, query, u.run.ID)
	if err != nil {
		return err
	}
	u.answer.Leases = append(u.answer.Leases, states...)
	shown := map[budget.LeaseID]bool{}
	for _, state := range u.answer.Leases {
		shown[state.ID] = true
	}
	for _, id := range reads {
		if shown[id] {
			continue
		}
		state, _, err := leaseRow(u.tx, `SELECT `+leaseColumns+` FROM lease WHERE id = ?`, int64(id))
		if err != nil {
			return err
		}
		state.ID = id
		u.answer.Leases = append(u.answer.Leases, state)
	}
	return nil
}
