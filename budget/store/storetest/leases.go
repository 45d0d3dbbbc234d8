package storetest

import (
	"testing"
	"time"

	"leadbid/budget"
	"leadbid/pingpost"
)

func testGrants(t *testing.T, b *bench) {
	plan := planOf(business(pingpost.Month, 500_00), cents(pingpost.Day, 100_00), leads(pingpost.Hour, 5))
	first := b.lease(plan, 60_00, 3)
	if first.Cents != 60_00 || first.Leads != 3 || !first.Open || first.Line != line ||
		!first.BidUntil.Equal(start.Add(30*time.Second)) || !first.CloseAt.Equal(first.BidUntil.Add(62*time.Second)) {
		t.Errorf("%+v", first)
	}
	second := b.lease(plan, 60_00, 9)
	if second.Cents != 40_00 || second.Leads != 2 || second.ID == first.ID {
		t.Errorf("the rest is %+v", second)
	}
	dayEnd := time.Date(2026, 3, 5, 0, 0, 0, 0, zone)
	if grant := b.upkeep(plan, want(1, 1)).Grants[0]; grant.Lease != nil || grant.Refused != pingpost.BudgetExhausted || !grant.Until.Equal(dayEnd) {
		t.Errorf("an empty cap granted %+v", grant)
	}
	uses := b.upkeep(plan, budget.Upkeep{}).Caps
	if len(uses) != 3 || uses[0].LeasedCents != 100_00 || uses[1].LeasedCents != 100_00 || uses[2].LeasedLeads != 5 || uses[0].UsedCents != 0 {
		t.Errorf("%+v", uses)
	}
	b.verify()
}

func testReturnThenGrant(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	first := b.lease(plan, 100_00, 10)
	ask := want(90_00, 5)
	ask.Wants[0].Least = 80_00
	ask.Keeps = []budget.Keep{{ID: first.ID, ReturnCents: 85_00, ReturnLeads: 5}}
	grant := b.upkeep(plan, ask).Grants[0]
	if grant.Lease == nil || grant.Lease.Cents != 85_00 {
		t.Fatalf("%+v", grant)
	}
	ask.Keeps = nil
	if grant := b.upkeep(plan, ask).Grants[0]; grant.Lease != nil {
		t.Errorf("less than of use was granted: %+v", grant.Lease)
	}
	b.spentLeased(plan, 0, 100_00)
	b.verify()
}

func testWindowEnd(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Hour, 100_00), cents(pingpost.Day, 150_00))
	b.wait(39*time.Minute + 50*time.Second) // ten seconds before one o'clock
	lease := b.lease(plan, 100_00, 10)
	hourEnd := time.Date(2026, 3, 4, 13, 0, 0, 0, zone)
	if !lease.BidUntil.Equal(hourEnd) {
		t.Errorf("the lease ends at %v", lease.BidUntil)
	}
	b.accepted(b.post(plan, lease.ID, 30_00))
	b.wait(5 * time.Second)
	answer := b.upkeep(plan, budget.Upkeep{Keeps: []budget.Keep{{ID: lease.ID, Extend: true}}})
	if !answer.Leases[0].BidUntil.Equal(hourEnd) {
		t.Errorf("it was extended to %v", answer.Leases[0].BidUntil)
	}
	b.wait(6 * time.Second)
	if next := b.lease(plan, 100_00, 10); next.Cents != 50_00 {
		t.Errorf("the next hour got %v beside an open lease of $100 in a day of $150", next.Cents)
	}
	b.wait(lease.CloseAt.Sub(b.clock()))
	answer = b.upkeep(plan, budget.Upkeep{})
	if closed := answer.Leases[0]; closed.ID != lease.ID || closed.Open || closed.UsedCents != 30_00 {
		t.Errorf("the due lease is %+v", closed)
	}
	if day := b.use(plan, 1); day.SpentCents != 30_00 || day.LeasedCents != 50_00 || day.UsedCents != 30_00 {
		t.Errorf("the day has %+v", day)
	}
	if hour := b.use(plan, 0); hour.SpentCents != 0 || hour.LeasedCents != 50_00 {
		t.Errorf("the new hour has %+v", hour)
	}
	b.verify()
}

func testLoweredLimit(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	lease := b.lease(plan, 100_00, 10)
	b.accepted(b.post(plan, lease.ID, 20_00))
	lower := planOf(cents(pingpost.Day, 50_00))
	b.wait(15 * time.Second)
	keep := budget.Keep{ID: lease.ID, Extend: true, OutstandingCents: 40_00, OutstandingLeads: 1}
	got := b.upkeep(lower, budget.Upkeep{Keeps: []budget.Keep{keep}}).Leases[0]
	if got.Cents != 100_00 || !got.BidUntil.Equal(b.clock().Add(30*time.Second)) {
		t.Errorf("cut while bids may be made from it: %+v", got)
	}
	keep.Cut = true
	b.wait(time.Second)
	got = b.upkeep(lower, budget.Upkeep{Keeps: []budget.Keep{keep}}).Leases[0]
	if got.Cents != 60_00 || got.UsedCents != 20_00 || !got.BidUntil.Equal(b.clock().Add(30*time.Second)) {
		t.Errorf("cut to what was promised: %+v", got)
	}
	keep.OutstandingCents = 0
	if got = b.upkeep(lower, budget.Upkeep{Keeps: []budget.Keep{keep}}).Leases[0]; got.Cents != 50_00 {
		t.Errorf("cut to the limit: %+v", got)
	}
	b.verify()
}

func testOutstanding(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	lease := b.lease(plan, 100_00, 10)
	b.accepted(b.post(plan, lease.ID, 30_00))
	keep := budget.Keep{ID: lease.ID, ReturnCents: 100_00, ReturnLeads: 10, OutstandingCents: 50_00, OutstandingLeads: 2}
	got := b.upkeep(plan, budget.Upkeep{Keeps: []budget.Keep{keep}}).Leases[0]
	if got.Cents != 80_00 || got.Leads != 3 || got.Rev <= lease.Rev {
		t.Errorf("%+v", got)
	}
	// A late post has used what was held for another bid: nothing more can go back.
	b.accepted(b.post(plan, lease.ID, 40_00))
	if got = b.upkeep(plan, budget.Upkeep{Keeps: []budget.Keep{keep}}).Leases[0]; got.Cents != 80_00 {
		t.Errorf("%+v", got)
	}
	b.spentLeased(plan, 0, 80_00)
	b.verify()
}

func testForeignLease(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	lease := b.lease(plan, 100_00, 10)
	b.begin()
	b.wait(time.Second)
	answer := b.upkeep(plan, budget.Upkeep{
		Keeps: []budget.Keep{{ID: lease.ID, Extend: true, ReturnCents: 100_00}}, Reads: []budget.LeaseID{lease.ID, 777},
	})
	if len(answer.Leases) != 2 {
		t.Fatalf("%+v", answer.Leases)
	}
	if got := answer.Leases[0]; got.Cents != 100_00 || !got.BidUntil.Equal(lease.BidUntil) {
		t.Errorf("%+v", got)
	}
	if got := answer.Leases[1]; got.ID != 777 || got.Open {
		t.Errorf("a lease that never was: %+v", got)
	}
	b.accepted(b.post(plan, lease.ID, 10_00)) // but its bids are still honoured
	b.wait(lease.CloseAt.Sub(b.clock()))
	b.upkeep(plan, budget.Upkeep{})
	b.spentLeased(plan, 10_00, 0)
	b.verify()
}
