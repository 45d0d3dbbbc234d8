package storetest

import (
	"testing"
	"time"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

func inZone(t *testing.T, zone string, caps ...budget.Cap) *budget.Plan {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	plan := planOf(caps...)
	plan.Location = loc
	return plan
}

// testZoneOfTheSameStart changes the time zone to one in which the month begins at the same instant, and ends
// at another: it is another cap, which begins with what was bought and promised.
func testZoneOfTheSameStart(t *testing.T, b *bench) {
	month := cents(pingpost.Month, 100_00)
	before, after := inZone(t, "America/Phoenix", month), inZone(t, "America/Denver", month)
	in := func(plan *budget.Plan, lease budget.LeaseID, price pingpost.Cents) store.Post {
		p := b.post(plan, lease, price)
		p.Charge.Caps = budget.WindowsOf(plan.Lines[0].Caps, p.Charge.BidAt, plan.Location)
		return p
	}
	lease := b.lease(before, 40_00, 10)
	b.accepted(in(before, lease.ID, 10_00))
	b.accepted(in(after, 0, 20_00)) // paid by the caps
	if got := b.lease(after, 100_00, 10); got.Cents != 40_00 {
		t.Errorf("a month of $100 that bought for $30, and may buy for $30 more with the lease of before, granted %v", got.Cents)
	}
	b.verify()
	b.wait(time.Date(2026, 4, 1, 6, 20, 0, 0, time.UTC).Sub(b.clock())) // it is still March in Phoenix
	b.lease(before, 5_00, 1)
	b.verify()
}

// testReturnToNewerCap returns leads that were bought before a cap was there: it began with them.
func testReturnToNewerCap(t *testing.T, b *bench) {
	without := planOf(cents(pingpost.Day, 100_00))
	with := planOf(cents(pingpost.Day, 100_00), cents(pingpost.Month, 50_00))
	lease := b.lease(without, 40_00, 10)
	first, second, third := b.post(without, lease.ID, 20_00), b.post(without, lease.ID, 5_00), b.post(without, 0, 8_00)
	b.accepted(first)
	b.accepted(second)
	b.accepted(third)
	month := func(spent, leased pingpost.Cents, when string) {
		t.Helper()
		if u := b.use(with, 1); u.SpentCents != spent || u.LeasedCents != leased {
			t.Errorf("%s the month has spent %v and promised %v, not %v and %v", when, u.SpentCents, u.LeasedCents, spent, leased)
		}
	}
	b.upkeep(with, budget.Upkeep{})
	month(33_00, 15_00, "when it is new")
	b.credit(first, pingpost.OutcomeReturned)
	month(13_00, 15_00, "when a lead of its open lease came back")
	b.wait(lease.CloseAt.Sub(b.clock()))
	b.upkeep(with, budget.Upkeep{})
	b.credit(second, pingpost.OutcomeReturned)
	b.credit(third, pingpost.OutcomeReturned)
	month(0, 0, "when all came back")
	b.verify()
}

// testReturnBesideNewCap gives back a lead of the hour before to an open lease, beside an hour's cap that came
// later and counts what that lease may still buy: it may not buy more for it.
func testReturnBesideNewCap(t *testing.T, b *bench) {
	b.wait(39*time.Minute + 40*time.Second) // 12:59:40
	without := planOf(business(pingpost.Total, 1000_00))
	with := planOf(business(pingpost.Total, 1000_00), cents(pingpost.Hour, 50_00))
	lease := b.lease(without, 40_00, 10)
	early := b.post(without, lease.ID, 40_00) // its hold ends before it is posted,
	b.wait(25 * time.Second)
	again := b.post(without, lease.ID, 40_00) // so the same money is bid once more, at 13:00:05
	b.accepted(early)
	b.begin()
	b.accepted(b.post(with, b.lease(with, 50_00, 10).ID, 50_00))
	b.credit(early, pingpost.OutcomeVoided)
	again.Charge.Caps = budget.WindowsOf(with.Lines[0].Caps, again.Charge.BidAt, with.Location)
	b.refused(again, pingpost.BudgetExhausted)
	if hour := b.use(with, 1); hour.UsedCents != 50_00 {
		t.Errorf("an hour of $50 has bought for %v", hour.UsedCents)
	}
	b.verify()
}

// testBidOfItsLease posts a bid of a lease with an instant after the lease's last: bid_ttl may be shorter after a
// restart, and a replica's clock ahead of the server's. It is a bid of the lease's time, which caps that the lease was
// not carved from have reckoned with.
func testBidOfItsLease(t *testing.T, b *bench) {
	b.wait(39*time.Minute + 20*time.Second) // 12:59:20
	without := planOf(business(pingpost.Total, 1000_00))
	with := planOf(business(pingpost.Total, 1000_00), cents(pingpost.Hour, 50_00))
	lease := b.lease(without, 30_00, 10)
	late := b.post(without, lease.ID, 30_00)
	b.wait(50 * time.Second)
	hour := b.lease(with, 50_00, 10)
	late.Charge.BidAt, late.Charge.Caps = b.clock(), b.post(with, lease.ID, 1).Charge.Caps
	b.accepted(late)
	b.accepted(b.post(with, hour.ID, hour.Cents))
	if u := b.use(with, 1); u.UsedCents > 50_00 {
		t.Errorf("an hour of $50 has bought for %v", u.UsedCents)
	}
	b.verify()
}

// testFormerHour posts a bid of the hour before, which leases of this one have no part in.
func testFormerHour(t *testing.T, b *bench) {
	b.wait(39 * time.Minute) // 12:59
	plan := planOf(cents(pingpost.Hour, 50_00))
	late := b.post(plan, 0, 20_00)
	b.upkeep(plan, budget.Upkeep{})
	b.wait(90 * time.Second)
	b.lease(plan, 50_00, 10)
	b.accepted(late)
	b.verify()
}

// testGivenBackAtOnce grants from a new cap what a lease that is older gives back in the same question.
func testGivenBackAtOnce(t *testing.T, b *bench) {
	old := b.lease(planOf(cents(pingpost.Month, 1000_00)), 90_00, 9)
	with := planOf(cents(pingpost.Month, 1000_00), cents(pingpost.Day, 100_00))
	ask := want(100_00, 10)
	ask.Keeps = []budget.Keep{{ID: old.ID, ReturnCents: 90_00, ReturnLeads: 9}}
	if got := b.upkeep(with, ask).Grants[0].Lease; got == nil || got.Cents != 100_00 {
		t.Errorf("granted %+v", got)
	}
	b.verify()
}
