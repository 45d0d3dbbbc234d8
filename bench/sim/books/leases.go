package books

import (
	"context"
	"slices"
	"time"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

// leaseLength is how far ahead a lease is granted and extended.
const leaseLength = 30 * time.Second

// A run counts as live for seenWithin after it was noted, which it is again after seenStep.
const (
	seenWithin = 2 * leaseLength
	seenStep   = 5 * time.Second
)

// Upkeep implements store.Store.
func (b *Books) Upkeep(_ context.Context, run store.Run, plan *budget.Plan, ask budget.Upkeep) (answer budget.UpkeepAnswer, err error) {
	err = b.write("looking after leases", func() error {
		now := b.now()
		answer = budget.UpkeepAnswer{At: ask.At}
		if b.Shared {
			answer.Replicas = b.countReplicas(run, now)
		}
		b.closeDue(now, &answer)
		windows := windowsOf(plan, now)
		var inForce []*capRow
		for _, w := range windows {
			inForce = append(inForce, b.openCap(w))
		}
		for _, keep := range ask.Keeps {
			b.keep(run, plan, inForce, now, keep)
		}
		for _, want := range ask.Wants {
			answer.Grants = append(answer.Grants, b.grant(run, plan, now, want, answer.Replicas))
		}
		b.show(run, ask.Reads, &answer)
		for _, w := range windows {
			answer.Caps = append(answer.Caps, b.use(w))
		}
		for i := range answer.Leases {
			answer.Leases[i] = b.told(answer.Leases[i], ask.At)
		}
		for _, grant := range answer.Grants {
			if grant.Lease != nil {
				*grant.Lease = b.told(*grant.Lease, ask.At)
			}
		}
		return nil
	})
	if err != nil {
		return budget.UpkeepAnswer{}, err
	}
	return answer, nil
}

// countReplicas notes that a run is live, and counts those that are.
func (b *Books) countReplicas(run store.Run, now time.Time) (live int64) {
	soon := now.Add(seenStep).UnixMilli()
	if seen := &b.seen[run.ID-1]; *seen < now.Add(-seenStep).UnixMilli() || *seen > soon {
		remember(b, seen)
		*seen = now.UnixMilli()
	}
	for i, seen := range b.seen {
		if seen > now.Add(-seenWithin).UnixMilli() && seen <= soon || uint32(i+1) == run.ID {
			live++
		}
	}
	return live
}

// change notes that a lease is about to change, and counts its revision.
func (b *Books) change(l *leaseRow) {
	remember(b, l)
	l.state.Rev++
	b.changedLeases = append(b.changedLeases, l)
}

// closeDue closes what is due of all runs: what it used is spent, the rest is free again.
func (b *Books) closeDue(now time.Time, answer *budget.UpkeepAnswer) {
	for _, l := range slices.Clone(b.open) {
		if l.state.CloseAt.After(now) {
			continue
		}
		b.change(l)
		l.state.Open = false
		is := func(other *leaseRow) bool { return other == l }
		remember(b, &b.open)
		b.open = slices.DeleteFunc(slices.Clone(b.open), is)
		for _, c := range l.caps {
			remember(b, &c.leases)
			c.leases = slices.DeleteFunc(slices.Clone(c.leases), is)
			b.changedCaps = append(b.changedCaps, c)
		}
		b.note("close", l.state.ID, "", room{int64(l.state.UsedCents), l.state.UsedLeads})
		answer.Leases = append(answer.Leases, l.state)
	}
}

func (b *Books) note(kind string, lease budget.LeaseID, lead string, amount room) {
	add(b, &b.entries, entry{kind, lease, lead, amount})
}

// keep extends a lease of this run, takes back what it can spare, or both.
func (b *Books) keep(run store.Run, plan *budget.Plan, inForce []*capRow, now time.Time, ask budget.Keep) {
	if ask.ID < 1 || int(ask.ID) > len(b.leases) {
		return
	}
	l := b.leases[ask.ID-1]
	if !l.state.Open || l.run != run.ID {
		return
	}
	back := room{int64(ask.ReturnCents), ask.ReturnLeads}
	if line := lineOf(plan, l.state.Line); ask.Extend && line != nil {
		b.extend(l, line, now)
		if ask.Cut { // else bids may be made from it until the answer
			for _, c := range inForce {
				if !slices.Contains(l.caps, c) {
					continue
				}
				left := b.left(c)
				back = room{max(back.cents, -left.cents), max(back.leads, -left.leads)}
			}
		}
	}
	back.cents = max(min(back.cents, int64(l.state.Cents-l.state.UsedCents-ask.OutstandingCents)), 0)
	back.leads = max(min(back.leads, l.state.Leads-l.state.UsedLeads-ask.OutstandingLeads), 0)
	if back == (room{}) {
		return
	}
	b.change(l)
	b.takeBack(l, back)
}

// takeBack takes room out of an open lease that is about to change.
func (b *Books) takeBack(l *leaseRow, back room) {
	l.state.Cents -= pingpost.Cents(back.cents)
	l.state.Leads -= back.leads
	l.returned = l.returned.plus(back)
	b.changedCaps = append(b.changedCaps, l.caps...)
	b.note("return", l.state.ID, "", back)
}

func lineOf(plan *budget.Plan, line budget.Line) *budget.LinePlan {
	for i := range plan.Lines {
		if plan.Lines[i].Line == line {
			return &plan.Lines[i]
		}
	}
	return nil
}

// extend moves a lease's end ahead, never past the first window that it was carved from.
func (b *Books) extend(l *leaseRow, line *budget.LinePlan, now time.Time) {
	until := now.Add(leaseLength)
	for _, c := range l.caps {
		if end := instant(c.key.to); c.key.to > 0 && end.Before(until) {
			until = end
		}
	}
	if !until.After(l.state.BidUntil) || !until.After(now) {
		return
	}
	b.change(l)
	l.state.BidUntil = until
	if closeAt := until.Add((line.Terms.BidTTL + line.Terms.Grace).Truncate(time.Millisecond)); closeAt.After(l.state.CloseAt) {
		l.state.CloseAt = closeAt
	}
}

// grant carves a lease out of every cap above a line: as much as is wanted and all of them have, and of
// that no more than one of so many replicas gets.
func (b *Books) grant(run store.Run, plan *budget.Plan, now time.Time, want budget.Want, live int64) budget.Grant {
	grant := budget.Grant{Line: want.Line}
	line := lineOf(plan, want.Line)
	if line == nil {
		grant.Refused, grant.Until = pingpost.BudgetExhausted, now.Add(leaseLength)
		return grant
	}
	amount, covered := room{int64(want.Cents), max(want.Leads, 1)}, false
	until := now.Add(leaseLength)
	l := &leaseRow{run: run.ID}
	for _, limit := range line.Caps {
		from, to := budget.WindowOf(limit.Period, now, plan.Location)
		c := b.byCap[capKey{limit.Scope, limit.Period, milliseconds(from), milliseconds(to)}]
		left := b.left(c)
		covered = covered || limit.Cents.Set
		switch {
		case left.cents < max(int64(want.Least), 1):
			grant.Refused, grant.Until = pingpost.BudgetExhausted, to
			return grant
		case left.leads < 1:
			grant.Refused, grant.Until = pingpost.CapacityFull, to
			return grant
		}
		if live > 1 {
			left = room{
				min(left.cents, max(int64(want.Least), left.cents/(2*live))),
				min(left.leads, max(1, left.leads/(2*live))),
			}
		}
		amount = room{min(amount.cents, left.cents), min(amount.leads, left.leads)}
		if !to.IsZero() && to.Before(until) {
			until = to
		}
		l.caps = append(l.caps, c)
	}
	if !covered || amount.cents < 1 {
		grant.Refused = pingpost.BudgetExhausted
		return grant
	}
	l.granted = amount
	l.state = budget.LeaseState{
		ID: budget.LeaseID(len(b.leases) + 1), Line: want.Line, Rev: 1,
		Cents: pingpost.Cents(amount.cents), Leads: amount.leads, Open: true,
		BidUntil: until, CloseAt: until.Add((line.Terms.BidTTL + line.Terms.Grace).Truncate(time.Millisecond)),
	}
	b.carve(l)
	state := l.state
	grant.Lease = &state
	return grant
}

func (b *Books) carve(l *leaseRow) {
	add(b, &b.leases, l)
	add(b, &b.open, l)
	for _, c := range l.caps {
		add(b, &c.leases, l)
		b.mustAllow(c, "a grant")
	}
	b.changedCaps = append(b.changedCaps, l.caps...)
	b.changedLeases = append(b.changedLeases, l)
	b.note("grant", l.state.ID, "", l.granted)
}

// Stranded is what of a cap's window open leases of runs that are over may still buy until they close.
func (b *Books) Stranded(use budget.CapUse, over func(run uint32) bool) (cents pingpost.Cents, leads int64) {
	c := b.byCap[capKey{use.Cap.Scope, use.Cap.Period, milliseconds(use.Start), milliseconds(use.End)}]
	if c == nil {
		return 0, 0
	}
	for _, l := range b.open {
		if c.mayHold(l) && over(l.run) && l.state.CloseAt.After(b.now()) {
			cents += pingpost.Cents(l.rest().cents)
			leads += l.rest().leads
		}
	}
	return cents, leads
}

// show tells the state of every open lease of the run, and of those that were asked for.
func (b *Books) show(run store.Run, reads []budget.LeaseID, answer *budget.UpkeepAnswer) {
	for _, l := range b.open {
		if l.run == run.ID {
			answer.Leases = append(answer.Leases, l.state)
		}
	}
	for _, id := range reads {
		if slices.ContainsFunc(answer.Leases, func(s budget.LeaseState) bool { return s.ID == id }) {
			continue
		}
		state := budget.LeaseState{ID: id}
		if id >= 1 && int(id) <= len(b.leases) {
			state = b.leases[id-1].state
		}
		answer.Leases = append(answer.Leases, state)
	}
}
