package books

import (
	"context"
	"slices"
	"time"

	"leadbid/budget"
	"leadbid/pingpost"
)

func keyOf(w budget.CapWindow) capKey {
	return capKey{w.Cap.Scope, w.Cap.Period, milliseconds(w.Start), milliseconds(w.End)}
}

// openCap finds a cap in a window, makes it where there is none, and puts its limits in force.
func (b *Books) openCap(w budget.CapWindow) *capRow {
	limit := amounts{w.Cap.Cents, w.Cap.Leads}
	c := b.byCap[keyOf(w)]
	switch {
	case c == nil:
		c = &capRow{key: keyOf(w), limit: limit}
		c.opening = b.boughtPast(c)
		add(b, &b.caps, c)
		put(b, b.byCap, c.key, c)
		b.changedCaps = append(b.changedCaps, c)
	case c.limit != limit:
		remember(b, &c.limit)
		c.limit = limit
	}
	return c
}

// holds tells whether a lead belongs to the cap's scope and window.
func (c *capRow) holds(l *leadRow) bool {
	return c.over(l.post.Charge.Line) && c.contains(l.bidAt)
}

func (c *capRow) contains(bidAt int64) bool {
	return bidAt >= c.key.from && (c.key.to == 0 || bidAt < c.key.to)
}

// boughtPast sums up the leads of the cap's scope and window.
func (b *Books) boughtPast(c *capRow) (past room) {
	for _, l := range b.leads {
		if !l.credited && c.holds(l) {
			past = past.plus(l.room())
		}
	}
	return past
}

func (c *capRow) counts(l *leadRow) bool {
	return slices.ContainsFunc(c.counted, func(one count) bool { return one.lead == l })
}

// spent is what closed leases and direct charges used, and what was bought before the cap was there or
// without asking it.
func (c *capRow) spent() room {
	sum := c.opening
	for _, one := range c.counted {
		if !one.lead.credited && (one.directly || !one.lead.lease.state.Open) {
			sum = sum.plus(one.lead.room())
		}
	}
	return sum
}

// leased is what open leases hold.
func (c *capRow) leased() (sum room) {
	for _, l := range c.leases {
		sum = sum.plus(room{int64(l.state.Cents), l.state.Leads})
	}
	return sum
}

// promisedPast is what open leases that were not carved from the cap may still buy in its scope and window.
func (b *Books) promisedPast(c *capRow) (sum room) {
	for _, l := range b.open {
		if !slices.Contains(l.caps, c) && c.mayHold(l) {
			sum = sum.plus(l.rest())
		}
	}
	return sum
}

// mayHold tells whether bids that a lease backs may belong to the cap: they lie within the windows of the
// caps that it was carved from.
func (c *capRow) mayHold(l *leaseRow) bool {
	from := int64(0)
	for _, carved := range l.caps {
		from = max(from, carved.key.from)
	}
	return c.over(l.state.Line) && l.state.BidUntil.UnixMilli() > c.key.from && (c.key.to == 0 || from < c.key.to)
}

// over tells whether a line is in the cap's scope.
func (c *capRow) over(line budget.Line) bool {
	switch c.key.scope.Kind {
	case budget.ScopeCampaign:
		return line.Campaign == c.key.scope.Name
	case budget.ScopeExchange:
		return line.Exchange == c.key.scope.Name
	}
	return true
}

func (b *Books) promised(c *capRow) room { return c.spent().plus(c.leased()).plus(b.promisedPast(c)) }

// left is what may still be promised under the cap.
func (b *Books) left(c *capRow) room {
	left, promised := room{int64(pingpost.MaxCents), int64(pingpost.MaxCents)}, b.promised(c)
	if c.limit.cents.Set {
		left.cents = c.limit.cents.N - promised.cents
	}
	if c.limit.leads.Set {
		left.leads = c.limit.leads.N - promised.leads
	}
	return left
}

// use is the cap as the outside is told of it; all zero where there is no row.
func (b *Books) use(w budget.CapWindow) budget.CapUse {
	u := budget.CapUse{Cap: w.Cap, Start: w.Start, End: w.End}
	c := b.byCap[keyOf(w)]
	if c == nil {
		return u
	}
	spent, leased := c.spent(), c.leased().plus(b.promisedPast(c))
	used := spent
	for _, l := range c.leases {
		used = used.plus(room{int64(l.state.UsedCents), l.state.UsedLeads})
	}
	u.SpentCents, u.SpentLeads = pingpost.Cents(spent.cents), spent.leads
	u.LeasedCents, u.LeasedLeads = pingpost.Cents(leased.cents), leased.leads
	u.UsedCents, u.UsedLeads = pingpost.Cents(used.cents), used.leads
	return u
}

// windowsOf lists every cap of a plan once, in the windows that contain an instant.
func windowsOf(plan *budget.Plan, now time.Time) (windows []budget.CapWindow) {
	for _, line := range plan.Lines {
		for _, c := range line.Caps {
			same := func(w budget.CapWindow) bool { return w.Cap.Scope == c.Scope && w.Cap.Period == c.Period }
			if !slices.ContainsFunc(windows, same) {
				from, to := budget.WindowOf(c.Period, now, plan.Location)
				windows = append(windows, budget.CapWindow{Cap: c, Start: from, End: to})
			}
		}
	}
	return windows
}

// Usage implements store.Store.
func (b *Books) Usage(_ context.Context, plan *budget.Plan, now time.Time) (uses []budget.CapUse, err error) {
	err = b.read("reading the caps", func() {
		for _, w := range windowsOf(plan, now) {
			uses = append(uses, b.use(w))
		}
	})
	return uses, err
}
