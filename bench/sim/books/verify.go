package books

import (
	"context"
	"fmt"

	"leadbid/budget/store"
)

func (b *Books) report(id, format string, args ...any) {
	b.findings = append(b.findings, store.Finding{ID: id, What: fmt.Sprintf(format, args...)})
}

// Look holds the invariants against what changed since it was asked last.
func (b *Books) Look() []store.Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.changedCaps {
		b.checkCap(c)
	}
	for _, l := range b.changedLeases {
		b.checkLease(l)
	}
	for _, l := range b.changedLeads {
		b.checkLead(l)
	}
	b.changedCaps, b.changedLeases, b.changedLeads = b.changedCaps[:0], b.changedLeases[:0], b.changedLeads[:0]
	found := b.findings
	b.findings = nil
	return found
}

// mustAllow is B1 and B4 where they arise: what was just granted or charged fits into the limit in
// force, counting every lead of the cap's scope and window, and not what the cap itself believes.
func (b *Books) mustAllow(c *capRow, what string) {
	promised := b.promised(c)
	bought := b.bought(c)
	if c.limit.cents.Set && max(promised.cents, bought.cents) > c.limit.cents.N ||
		c.limit.leads.Set && max(promised.leads, bought.leads) > c.limit.leads.N {
		b.report("B1", "%s brought %v to %v, its leads and open leases to %v, and its limits were %v", what, c.key, promised, bought, c.limit)
	}
}

// bought is what a cap may come to by the leads of its scope and window, and the rest of the open leases
// whose bids may belong to it.
func (b *Books) bought(c *capRow) (sum room) {
	for _, l := range b.leads {
		if !l.credited && c.holds(l) {
			sum = sum.plus(l.room())
		}
	}
	for _, l := range b.open {
		if c.mayHold(l) {
			sum = sum.plus(l.rest())
		}
	}
	return sum
}

// checkCap: B5, what counts in a cap belongs to its window; B2, nothing counts twice in it.
func (b *Books) checkCap(c *capRow) {
	seen := map[*leadRow]bool{}
	for _, one := range c.counted {
		if seen[one.lead] {
			b.report("B2", "lead %s counts twice in %v", one.lead.id, c.key)
		}
		seen[one.lead] = true
		if !c.contains(one.lead.bidAt) {
			b.report("B5", "lead %s, bid at %v, counts in %v", one.lead.id, instant(one.lead.bidAt), c.key)
		}
	}
	for _, l := range c.leases {
		if !l.state.Open {
			b.report("B7", "lease %d is closed and counts as leased in %v", l.state.ID, c.key)
		}
	}
}

// checkLease: B1, B4 and B7 of one lease.
func (b *Books) checkLease(l *leaseRow) {
	var used room
	for _, lead := range l.leads {
		if lead.lease == l && !lead.credited {
			used = used.plus(lead.room())
		}
	}
	s := &l.state
	told := room{int64(s.UsedCents), s.UsedLeads}
	if s.Open && told != used {
		b.report("B4", "lease %d used %v, its leads say %v", s.ID, told, used)
	}
	holds := room{int64(s.Cents), s.Leads}
	if told.cents < 0 || told.leads < 0 || told.cents > holds.cents || told.leads > holds.leads {
		b.report("B1", "lease %d used %v of %v", s.ID, told, holds)
	}
	if l.granted != holds.plus(l.returned) {
		b.report("B7", "lease %d was granted %v, gave back %v and holds %v", s.ID, l.granted, l.returned, holds)
	}
	for _, c := range l.caps {
		if c.key.to > 0 && s.BidUntil.After(instant(c.key.to)) {
			b.report("B5", "lease %d backs bids until %v, past the end of %v", s.ID, s.BidUntil, c.key)
		}
	}
}

// checkLead: B2, B3 and B6 of one lead that is in the books.
func (b *Books) checkLead(l *leadRow) {
	charge := &l.post.Charge
	if b.byBid[charge.BidID] != l {
		return // it was undone
	}
	if charge.Price <= 0 || charge.Price > charge.Ref.Price {
		b.report("B3", "lead %s cost %v, its bid was %v", l.id, charge.Price, charge.Ref.Price)
	}
	p := b.posts[charge.BidID]
	if p == nil || !p.accepted || p != b.byPing[pingKey{charge.Exchange, charge.PingID}] {
		b.report("B2", "lead %s has no accepted post of its bid and ping", l.id)
	}
	if l.credited != (l.credits == 1) || l.charges != 1 || l.credits > 1 {
		b.report("B2", "lead %s was charged %d times and credited %d times", l.id, l.charges, l.credits)
	}
	for i := range l.post.Deliveries {
		if b.byOwed[fmt.Sprintf("%s-%d", l.id, i+1)] == nil && (p == nil || !p.voided) {
			b.report("B6", "lead %s is not owed to target %d", l.id, i+1)
		}
	}
}

// VerifyRecent implements store.Store: books in memory are always checked whole.
func (b *Books) VerifyRecent(ctx context.Context) (store.Report, error) { return b.Verify(ctx) }

// Verify implements store.Store.
func (b *Books) Verify(context.Context) (found store.Report, err error) {
	err = b.read("verifying", func() {
		for _, c := range b.caps {
			b.checkCap(c)
		}
		for _, l := range b.leases {
			b.checkLease(l)
		}
		pings := map[pingKey]int{}
		for _, l := range b.leads {
			b.checkLead(l)
			pings[pingKey{l.post.Charge.Exchange, l.post.Charge.PingID}]++
		}
		for _, l := range b.leads {
			if n := pings[pingKey{l.post.Charge.Exchange, l.post.Charge.PingID}]; n != 1 {
				b.report("B2", "the ping of lead %s has %d leads", l.id, n)
			}
		}
		b.checkTrail()
		broken := map[string]int64{}
		for _, finding := range b.findings {
			broken[finding.ID]++
		}
		for _, check := range []struct {
			id, what string
			rows     int
		}{
			{"B1", "no grant and no direct charge passed its limit; no lease used more than it holds", len(b.entries)},
			{"B2", "every bid and every ping was charged at most once", len(b.leads)},
			{"B3", "no lead cost more than its bid", len(b.leads)},
			{"B4", "each lease used what its leads took", len(b.leases)},
			{"B5", "every charge belongs to windows that contain its bid", len(b.caps)},
			{"B6", "every accepted post has its lead and its deliveries", len(b.posts)},
			{"B7", "each lease was granted what it used, gave back and still holds", len(b.leases)},
		} {
			found.Checked = append(found.Checked, store.Check{
				ID: check.id, What: check.what, Rows: int64(check.rows), Broken: broken[check.id],
			})
		}
		found.Findings = b.findings
		b.findings = nil
	})
	return found, err
}

// checkTrail adds up the audit trail, and compares it with leads and leases.
func (b *Books) checkTrail() {
	granted, returned, paid := map[int64]room{}, map[int64]room{}, map[string]room{}
	for _, e := range b.entries {
		switch e.kind {
		case "grant":
			granted[int64(e.lease)] = granted[int64(e.lease)].plus(e.room)
		case "return":
			returned[int64(e.lease)] = returned[int64(e.lease)].plus(e.room)
		case "charge", "credit":
			paid[e.lead] = paid[e.lead].plus(e.room)
		}
	}
	for _, l := range b.leases {
		if id := int64(l.state.ID); granted[id] != l.granted || returned[id] != l.returned {
			b.report("B7", "lease %d was granted %v and gave back %v, the trail says %v and %v", id, l.granted, l.returned, granted[id], returned[id])
		}
	}
	for _, l := range b.leads {
		want := l.room()
		if l.credited {
			want = room{}
		}
		if paid[l.id] != want {
			b.report("B2", "lead %s cost %v in all, the trail says %v", l.id, want, paid[l.id])
		}
	}
}
