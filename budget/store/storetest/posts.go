package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

func keyOf(p store.Post) store.PostKey {
	return store.PostKey{
		Exchange: p.Charge.Exchange, PingID: p.Charge.PingID, BidID: p.Charge.BidID, BodyHash: p.BodyHash,
	}
}

func testPostOnce(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	lease := b.lease(plan, 100_00, 10)
	p := b.post(plan, lease.ID, 40_00)
	ctx := context.Background()
	if _, found, err := b.s.Answer(ctx, keyOf(p)); found || err != nil {
		t.Fatalf("a new post: %v %v", found, err)
	}
	first := b.accepted(p)
	if first.Lease == nil || first.Lease.UsedCents != 40_00 || first.Lease.UsedLeads != 1 || first.Lease.Rev <= lease.Rev {
		t.Errorf("the lease came back as %+v", first.Lease)
	}
	repeat := store.PostAnswer{Outcome: store.PostAccepted, LeadID: p.LeadID, Price: 40_00, Repeat: true}
	p.LeadID = "another"
	if diff := cmp.Diff(repeat, b.send(p)); diff != "" {
		t.Error(diff)
	}
	if answer, found, err := b.s.Answer(ctx, keyOf(p)); !found || err != nil || !cmp.Equal(repeat, answer) {
		t.Errorf("%+v %v %v", answer, found, err)
	}
	otherBody, otherBid, otherPing, otherExchange := p, p, p, p
	otherBody.BodyHash[0]++
	otherBid.Charge.BidID = "bid-x"
	otherPing.Charge.PingID = "ping-x"
	otherExchange.Charge.Exchange = "south"
	for i, other := range []store.Post{otherBody, otherBid, otherPing, otherExchange} {
		if answer := b.send(other); answer.Outcome != store.PostConflict {
			t.Errorf("%d: %+v", i, answer)
		}
		if answer, found, err := b.s.Answer(ctx, keyOf(other)); !found || err != nil || answer.Outcome != store.PostConflict {
			t.Errorf("%d: %+v %v %v", i, answer, found, err)
		}
	}
	refuse := b.post(plan, lease.ID, 40_00)
	refuse.Charge.Refuse, refuse.Charge.Detail = pingpost.RejectedByRule, "not our town"
	b.refused(refuse, pingpost.RejectedByRule)
	refuse.Charge.Refuse, refuse.Charge.Detail = 0, ""
	if answer := b.send(refuse); answer.Reason != pingpost.RejectedByRule || answer.Detail != "not our town" || !answer.Repeat {
		t.Errorf("the repeat of a refusal: %+v", answer)
	}
	counts, err := b.s.Counts(ctx)
	b.must(err)
	if counts.Leads != 1 || counts.Refused != 1 || counts.Charged != 40_00 || counts.Owed != 2 || counts.OpenLeases != 1 {
		t.Errorf("%+v", counts)
	}
	dear := b.post(plan, lease.ID, 10_00)
	dear.Charge.Price = 10_01
	if _, err := b.s.Post(ctx, dear); err == nil {
		t.Error("more than the bid was charged")
	}
	b.verify()
}

func testCapsPay(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	lease := b.lease(plan, 50_00, 1)
	b.accepted(b.post(plan, lease.ID, 10_00))
	second := b.post(plan, lease.ID, 10_00) // the lease has no lead left
	if answer := b.accepted(second); answer.Lease != nil {
		t.Errorf("paid by %+v", answer.Lease)
	}
	b.spentLeased(plan, 10_00, 50_00)
	b.refused(b.post(plan, lease.ID, 41_00), pingpost.BudgetExhausted)
	b.accepted(b.post(plan, lease.ID, 40_00))
	b.spentLeased(plan, 50_00, 50_00)

	// A post after the lease was closed is paid in the windows of its bid, not of the day it comes.
	late := b.post(plan, lease.ID, 10_00)
	b.wait(24 * time.Hour)
	b.upkeep(plan, budget.Upkeep{})
	b.accepted(late)
	b.spentLeased(plan, 0, 0)
	b.wait(-24 * time.Hour)
	b.spentLeased(plan, 70_00, 0)

	none := b.post(planOf(), 999, 10_00)
	b.refused(none, pingpost.BudgetExhausted)
	wrongLine := b.post(plan, lease.ID, 10_00)
	wrongLine.Charge.Line.Campaign = "roofing"
	if answer := b.send(wrongLine); answer.Lease != nil {
		t.Error("a lease paid for another campaign")
	}
	b.verify()
}

func testCapacity(t *testing.T, b *bench) {
	plan := planOf(business(pingpost.Day, 1000_00), leads(pingpost.Hour, 2))
	lease := b.lease(plan, 500_00, 1)
	first := b.post(plan, lease.ID, 10_00)
	b.accepted(first)
	b.accepted(b.post(plan, lease.ID, 10_00))
	b.refused(b.post(plan, lease.ID, 10_00), pingpost.CapacityFull)
	if grant := b.upkeep(plan, want(1_00, 1)).Grants[0]; grant.Refused != pingpost.CapacityFull {
		t.Errorf("%+v", grant)
	}
	b.credit(first, pingpost.OutcomeReturned)
	b.accepted(b.post(plan, lease.ID, 10_00))
	b.verify()
}

func testDuplicates(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Total, 1000_00))
	phone, email, other := phoneHash("1"), phoneHash("2"), phoneHash("3")
	first := b.post(plan, 0, 10_00)
	first.Contacts = []store.ContactHash{phone, email}
	b.accepted(first)
	again := b.post(plan, 0, 10_00)
	again.Contacts = []store.ContactHash{other, email}
	b.refused(again, pingpost.DuplicateLead)
	b.spentLeased(plan, 10_00, 0)
	fresh := b.post(plan, 0, 10_00)
	fresh.Contacts = []store.ContactHash{other, other}
	b.accepted(fresh) // the refused post has not taken the contact
	welcome := b.post(plan, 0, 10_00)
	welcome.Contacts, welcome.DedupeFor = []store.ContactHash{phone}, 0
	b.accepted(welcome)
	b.wait(100 * time.Hour)
	soon, late := b.post(plan, 0, 10_00), b.post(plan, 0, 10_00)
	soon.Contacts, soon.DedupeFor = []store.ContactHash{phone}, 101*time.Hour
	late.Contacts, late.DedupeFor = []store.ContactHash{phone}, 100*time.Hour
	b.refused(soon, pingpost.DuplicateLead)
	b.accepted(late)
	b.verify()
}

// testVoidedLead withdraws a lead: it goes to nobody any more, and its homeowner may be bought after all.
func testVoidedLead(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	homeowner := []store.ContactHash{phoneHash("555-0100")}
	withdrawn, kept := b.post(plan, 0, 10_00), b.post(plan, 0, 10_00)
	withdrawn.Contacts = homeowner
	b.accepted(withdrawn)
	b.accepted(kept)
	due, err := b.s.Due(t.Context(), b.clock(), 10)
	b.must(err)
	b.must(b.s.Attempted(t.Context(), store.Attempt{ID: due[0].ID, Done: true}))
	b.credit(withdrawn, pingpost.OutcomeVoided)
	// One of its deliveries was under way meanwhile.
	b.must(b.s.Attempted(t.Context(), store.Attempt{ID: due[1].ID, Number: 1, Next: b.clock().Add(time.Minute)}))
	b.wait(time.Minute)
	due, err = b.s.Due(t.Context(), b.clock(), 10)
	b.must(err)
	if len(due) != 2 || due[0].LeadID != kept.LeadID || due[1].LeadID != kept.LeadID {
		t.Errorf("owed is %+v", due)
	}
	again, more := b.post(plan, 0, 10_00), b.post(plan, 0, 10_00)
	again.Contacts, more.Contacts = homeowner, homeowner
	b.accepted(again)
	b.refused(more, pingpost.DuplicateLead)
	b.verify()
}

func testReturned(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00), business(pingpost.Month, 200_00))
	lease := b.lease(plan, 50_00, 5)
	early, closed, direct := b.post(plan, lease.ID, 20_00), b.post(plan, lease.ID, 30_00), b.post(plan, lease.ID, 25_00)
	for _, p := range []store.Post{early, closed, direct} {
		b.accepted(p)
	}
	answer := b.credit(early, pingpost.OutcomeReturned)
	if answer.Credited != 20_00 || !answer.Found || answer.Lease == nil ||
		answer.Lease.UsedCents != 30_00 || answer.Lease.Cents != 30_00 || answer.Lease.Leads != 4 {
		t.Errorf("%+v", answer)
	}
	b.spentLeased(plan, 25_00, 30_00)
	b.wait(48 * time.Hour)
	b.upkeep(plan, budget.Upkeep{})
	for _, p := range []store.Post{closed, direct} {
		if answer := b.credit(p, pingpost.OutcomeReturned); answer.Credited != p.Charge.Price || answer.Lease != nil {
			t.Errorf("%+v", answer)
		}
	}
	if answer := b.send(early); answer.Outcome != store.PostAccepted || !answer.Repeat {
		t.Errorf("the post of a returned lead, again: %+v", answer)
	}
	for _, p := range []store.Post{early, closed, direct} {
		for _, outcome := range []pingpost.Outcome{pingpost.OutcomeReturned, pingpost.OutcomeVoided} {
			if answer := b.credit(p, outcome); answer.Credited != 0 || !answer.Repeat || !answer.Found {
				t.Errorf("again: %+v", answer)
			}
		}
	}
	b.wait(-48 * time.Hour)
	b.spentLeased(plan, 0, 0)
	if month := b.use(plan, 1); month.UsedCents != 0 || month.UsedLeads != 0 {
		t.Errorf("%+v", month)
	}
	if _, err := b.s.Credit(context.Background(), store.Credit{Outcome: pingpost.OutcomeLost}); err == nil {
		t.Error("a lost bid was credited")
	}
	b.verify()
}

func testVoided(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	unposted, refused, accepted := b.post(plan, 0, 10_00), b.post(plan, 0, 500_00), b.post(plan, 0, 10_00)
	if answer := b.credit(unposted, pingpost.OutcomeReturned); answer.Found || answer.Repeat {
		t.Errorf("nothing was there to return: %+v", answer)
	}
	if answer := b.credit(unposted, pingpost.OutcomeVoided); answer.Found || answer.Repeat {
		t.Errorf("%+v", answer)
	}
	if answer := b.credit(unposted, pingpost.OutcomeVoided); !answer.Repeat {
		t.Errorf("%+v", answer)
	}
	b.refused(unposted, pingpost.Voided)
	unposted.BodyHash[0]++
	b.refused(unposted, pingpost.Voided)
	b.refused(refused, pingpost.BudgetExhausted)
	if answer := b.credit(refused, pingpost.OutcomeVoided); !answer.Found || answer.Credited != 0 {
		t.Errorf("%+v", answer)
	}
	b.accepted(accepted)
	if answer := b.credit(accepted, pingpost.OutcomeVoided); answer.Credited != 10_00 {
		t.Errorf("%+v", answer)
	}
	b.refused(accepted, pingpost.Voided) // withdrawn is withdrawn: its post is refused from now on
	stolen := accepted
	stolen.Charge.PingID = "another"
	if answer := b.credit(stolen, pingpost.OutcomeReturned); answer.Found || answer.Credited != 0 {
		t.Errorf("a credit that names another ping: %+v", answer)
	}
	b.spentLeased(plan, 0, 0)
	b.verify()
}

func testLateCap(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Month, 1000_00))
	lease := b.lease(plan, 500_00, 50)
	b.accepted(b.post(plan, lease.ID, 30_00))
	b.accepted(b.post(plan, 0, 10_00))
	b.wait(time.Hour)
	more := planOf(cents(pingpost.Month, 1000_00), cents(pingpost.Day, 100_00), cents(pingpost.Hour, 100_00))
	if got := b.lease(more, 500_00, 50); got.Cents != 60_00 {
		t.Errorf("a day of $100 that has bought for $40 granted %v", got.Cents)
	}
	b.verify()
}

// testCapAway takes a cap out of the configuration and puts it back within its window.
func testCapAway(t *testing.T, b *bench) {
	without := planOf(cents(pingpost.Month, 1000_00))
	with := planOf(cents(pingpost.Month, 1000_00), cents(pingpost.Day, 100_00), leads(pingpost.Hour, 5))
	b.accepted(b.post(with, b.lease(with, 20_00, 1).ID, 20_00))
	b.begin()
	b.accepted(b.post(without, b.lease(without, 30_00, 1).ID, 30_00))
	back := b.post(without, 0, 10_00)
	b.accepted(back)
	b.accepted(b.post(without, 0, 5_00))
	b.credit(back, pingpost.OutcomeReturned)
	b.begin()
	if got := b.lease(with, 500_00, 50); got.Cents != 45_00 || got.Leads != 2 {
		t.Errorf("a day of $100 that has bought for $55, and an hour of 5 leads that has bought 3, granted %v and %d", got.Cents, got.Leads)
	}
	b.begin()
	b.upkeep(with, budget.Upkeep{})
	if day := b.use(with, 1); day.SpentCents+day.LeasedCents != 100_00 {
		t.Errorf("counted again by the next run: %+v", day)
	}
	b.verify()
}

// testCapOfOneReplica has one replica of two know of a cap already: what the other buys past it counts
// in it at once.
func testCapOfOneReplica(t *testing.T, b *bench) {
	without := planOf(cents(pingpost.Month, 1000_00))
	with := planOf(cents(pingpost.Month, 1000_00), cents(pingpost.Day, 100_00), leads(pingpost.Hour, 8))
	one := b.run
	b.accepted(b.post(with, b.lease(with, 20_00, 1).ID, 20_00))
	b.begin()
	other := b.lease(without, 40_00, 3)
	b.accepted(b.post(without, other.ID, 30_00))
	b.accepted(b.post(without, 0, 5_00))
	back := b.post(without, other.ID, 7_00)
	b.accepted(back)
	b.credit(back, pingpost.OutcomeReturned)
	b.run = one
	b.wait(61 * time.Second) // the other is gone: it has no part in what is left
	if got := b.lease(with, 500_00, 50); got.Cents != 42_00 || got.Leads != 4 {
		t.Errorf("a day of $100 and an hour of 8 leads, of which two replicas have bought 3 for $55, and may buy 1 for $3, granted %v and %d", got.Cents, got.Leads)
	}
	b.accepted(b.post(without, other.ID, 2_00))
	if day := b.use(with, 1); day.SpentCents+day.LeasedCents != 100_00 {
		t.Errorf("not counted, or counted twice: %+v", day)
	}
	b.verify()
}

// testOlderLease charges a lease of a former run that was carved before a cap was there.
func testOlderLease(t *testing.T, b *bench) {
	without := planOf(cents(pingpost.Month, 1000_00))
	with := planOf(cents(pingpost.Month, 1000_00), cents(pingpost.Day, 100_00))
	lease := b.lease(without, 90_00, 9)
	b.accepted(b.post(without, lease.ID, 10_00))
	b.begin()
	b.accepted(b.post(with, lease.ID, 20_00))
	b.accepted(b.post(with, lease.ID, 25_00))
	back, late := b.post(with, lease.ID, 5_00), b.post(with, lease.ID, 4_00)
	b.accepted(back)
	b.accepted(late)
	if answer := b.credit(back, pingpost.OutcomeReturned); answer.Credited != 5_00 || answer.Lease == nil {
		t.Errorf("a return to the older lease: %+v", answer)
	}
	b.verify()
	if got := b.lease(with, 500_00, 50); got.Cents != 15_00 {
		t.Errorf("a day of $100 that has bought for $59 with an older lease, which has $26 left, granted %v", got.Cents)
	}
	b.wait(lease.CloseAt.Sub(b.clock()))
	b.begin()
	b.upkeep(with, budget.Upkeep{})
	if answer := b.credit(late, pingpost.OutcomeReturned); answer.Credited != 4_00 || answer.Lease != nil {
		t.Errorf("a return after the older lease: %+v", answer)
	}
	if day := b.use(with, 1); day.SpentCents != 55_00 {
		t.Errorf("the day has %+v", day)
	}
	if month := b.use(with, 0); month.SpentCents != 55_00 {
		t.Errorf("the month has %+v", month)
	}
	b.verify()
}

// testOpenBidsUnderNewCap puts caps beside leases that back open bids: all that those have left is promised
// under the new cap, too, until it is given back or closed.
func testOpenBidsUnderNewCap(t *testing.T, b *bench) {
	without := planOf(cents(pingpost.Month, 1000_00))
	with := planOf(cents(pingpost.Month, 1000_00), cents(pingpost.Day, 100_00), leads(pingpost.Hour, 5))
	lease := b.lease(without, 90_00, 4)
	b.accepted(b.post(without, lease.ID, 20_00))
	granted := func(want pingpost.Cents, leads int64, when string) {
		t.Helper()
		if got := b.lease(with, 500_00, 50); got.Cents != want || got.Leads != leads {
			t.Errorf("%s: granted %v and %d, not %v and %d", when, got.Cents, got.Leads, want, leads)
		}
	}
	granted(10_00, 1, "a day of $100 and an hour of 5 leads, beside a lease of $90 and 4 leads that bought one for $20")
	if day := b.use(with, 1); day.SpentCents != 20_00 || day.LeasedCents != 80_00 || day.UsedCents != 20_00 {
		t.Errorf("the day has %+v", day)
	}
	b.refused(b.post(with, 0, 1_00), pingpost.BudgetExhausted) // what open bids are promised is not for others
	if got := b.upkeep(with, budget.Upkeep{Wants: []budget.Want{{Line: lease.Line, Cents: 10_00, Least: 1, Leads: 1}}}).Grants[0]; got.Lease != nil || got.Refused != pingpost.BudgetExhausted {
		t.Errorf("a day that is promised whole granted %+v", got)
	}
	b.upkeep(with, budget.Upkeep{Keeps: []budget.Keep{{ID: lease.ID, ReturnCents: 40_00, ReturnLeads: 2, OutstandingCents: 30_00, OutstandingLeads: 1}}})
	granted(40_00, 2, "$40 and 2 leads of it given back")
	b.accepted(b.post(with, lease.ID, 25_00))
	b.wait(lease.CloseAt.Sub(b.clock()))
	b.begin()
	b.upkeep(with, budget.Upkeep{})
	if day := b.use(with, 1); day.UsedCents != 45_00 || day.SpentCents != 45_00 {
		t.Errorf("with all leases of before closed the day has %+v", day)
	}
	b.verify()
}

func testOutbox(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	p := b.post(plan, 0, 10_00)
	b.accepted(p)
	ctx := context.Background()
	due := func(max int) []store.Delivery {
		deliveries, err := b.s.Due(ctx, b.clock(), max)
		b.must(err)
		return deliveries
	}
	all := due(10)
	if len(all) != 2 || len(due(1)) != 1 || all[0].ID == all[1].ID || all[0].LeadID != p.LeadID ||
		all[0].Target != "crm" || all[0].Campaign != "hvac" || !all[0].FirstAt.Equal(p.At) {
		t.Fatalf("%+v", all)
	}
	if strings.ContainsAny(all[0].ID, ". \n") || strings.Contains(all[0].ID, "crm") {
		t.Errorf("%q cannot be a webhook-id: it has no point in it, and nothing of a target's name", all[0].ID)
	}
	if all[0].Lead.Post.Lead.FirstName.Reveal() != "Ann" {
		t.Error("the lead came without its name")
	}
	b.must(b.s.Attempted(ctx, store.Attempt{ID: all[0].ID, At: b.clock(), Next: b.clock().Add(time.Minute), Error: "503"}))
	b.must(b.s.Attempted(ctx, store.Attempt{ID: all[1].ID, At: b.clock(), Done: true}))
	b.must(b.s.Attempted(ctx, store.Attempt{ID: all[1].ID, At: b.clock(), Dead: true})) // too late
	if now := due(10); len(now) != 0 {
		t.Errorf("%+v", now)
	}
	b.wait(time.Minute)
	if again := due(10); len(again) != 1 || again[0].Attempts != 1 || again[0].Error != "503" || again[0].ID != all[0].ID {
		t.Errorf("%+v", again)
	}
	b.must(b.s.Attempted(ctx, store.Attempt{ID: all[0].ID, At: b.clock(), Dead: true, Error: "410"}))
	counts, err := b.s.Counts(ctx)
	b.must(err)
	if counts.Owed != 0 || counts.Delivered != 1 || counts.Dead != 1 {
		t.Errorf("%+v", counts)
	}
	if err := b.s.Attempted(ctx, store.Attempt{ID: all[0].ID}); err == nil {
		t.Error("an attempt without an end was noted")
	}
}

// testClaims has two replicas want the same deliveries.
func testClaims(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	b.accepted(b.post(plan, 0, 10_00))
	one := b.run.ID
	b.begin()
	two, ctx := b.run.ID, context.Background()
	due := func() (ids []string) {
		deliveries, err := b.s.Due(ctx, b.clock(), 10)
		b.must(err)
		for _, d := range deliveries {
			ids = append(ids, d.ID)
		}
		return ids
	}
	claim := func(run uint32, id string, number int, lasts time.Duration, want bool) {
		t.Helper()
		given, err := b.s.Claim(ctx, store.Claim{Run: run, ID: id, Number: number, Lasts: lasts})
		if b.must(err); given != want {
			t.Errorf("run %d got attempt %d at %s: %v", run, number, id, given)
		}
	}
	ids := due()
	claim(one, ids[0], 1, time.Minute, true)
	claim(two, ids[0], 1, time.Minute, false)
	claim(two, ids[1], 1, time.Minute, true)
	claim(one, ids[0], 1, time.Minute, true) // again
	claim(two, "another", 1, time.Minute, false)
	if now := due(); len(now) != 0 {
		t.Errorf("claimed by somebody, and due: %v", now)
	}
	claim(two, ids[1], 1, 0, true) // given back
	claim(one, ids[1], 1, time.Minute, true)
	b.wait(time.Minute - time.Second)
	claim(two, ids[0], 1, time.Minute, false)
	b.wait(time.Second)
	if now := due(); len(now) != 2 {
		t.Errorf("their time is over, and due are %v", now)
	}
	claim(two, ids[0], 1, time.Minute, true) // taken over
	claim(one, ids[0], 1, time.Minute, false)
	b.must(b.s.Attempted(ctx, store.Attempt{ID: ids[0], Number: 1, At: b.clock(), Next: b.clock(), Error: "503"}))
	claim(one, ids[0], 1, time.Minute, false) // that attempt was made
	claim(one, ids[0], 2, time.Minute, true)  // its end freed the claim
	b.wait(-time.Hour)
	claim(two, ids[0], 2, time.Minute, true) // made by a clock that was set back since
	b.wait(time.Hour)
	b.must(b.s.Attempted(ctx, store.Attempt{ID: ids[0], Number: 2, At: b.clock(), Done: true}))
	claim(one, ids[0], 3, time.Minute, false)
	b.must(b.s.Attempted(ctx, store.Attempt{ID: ids[1], Number: 1, At: b.clock(), Dead: true}))
	claim(one, ids[1], 2, time.Minute, false)
	b.verify()
}

// testDeliveredByTwo has two replicas make the same attempts.
func testDeliveredByTwo(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	b.accepted(b.post(plan, 0, 10_00))
	ctx := context.Background()
	due, err := b.s.Due(ctx, b.clock(), 10)
	b.must(err)
	try := store.Attempt{ID: due[0].ID, Number: 1, At: b.clock(), Next: b.clock().Add(time.Minute), Error: "503"}
	b.must(b.s.Attempted(ctx, try))
	b.must(b.s.Attempted(ctx, try))
	b.wait(time.Minute)
	if due, err = b.s.Due(ctx, b.clock(), 10); err != nil || len(due) != 2 || due[0].Attempts+due[1].Attempts != 1 {
		t.Errorf("an attempt that both made: %+v, %v", due, err)
	}
	b.must(b.s.Attempted(ctx, store.Attempt{ID: try.ID, Number: 2, At: b.clock(), Dead: true}))
	b.must(b.s.Attempted(ctx, store.Attempt{ID: try.ID, Number: 2, At: b.clock(), Done: true}))
	b.must(b.s.Attempted(ctx, store.Attempt{ID: try.ID, Number: 2, At: b.clock(), Dead: true}))
	counts, err := b.s.Counts(ctx)
	b.must(err)
	if counts.Delivered != 1 || counts.Dead != 0 {
		t.Errorf("given up by one and delivered by the other: %+v", counts)
	}
	b.verify()
}

func testLeads(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	var posts []store.Post
	for range 3 {
		posts = append(posts, b.post(plan, 0, 10_00))
		b.accepted(posts[len(posts)-1])
		b.wait(time.Second)
	}
	b.credit(posts[1], pingpost.OutcomeReturned)
	list := func(filter store.LeadFilter) []store.Lead {
		leads, err := b.s.Leads(context.Background(), filter)
		b.must(err)
		return leads
	}
	all := list(store.LeadFilter{Campaign: "hvac", Exchange: "north"})
	if len(all) != 3 || all[0].ID != posts[2].LeadID || !all[1].Returned || all[0].Returned || all[0].Owed != 2 {
		t.Fatalf("%+v", all)
	}
	if diff := cmp.Diff(posts[2].Lead, all[0].Post, cmp.AllowUnexported(pingpost.Private{})); diff != "" {
		t.Error(diff)
	}
	for filter, n := range map[store.LeadFilter]int{
		{Campaign: "roofing"}: 0, {Exchange: "south"}: 0, {ID: posts[0].LeadID}: 1, {Max: 2}: 2, {Since: posts[1].At}: 2,
	} {
		if got := list(filter); len(got) != n {
			t.Errorf("%+v found %d", filter, len(got))
		}
	}
}

// testConcurrent lets 64 goroutines post at once, each bid twice, some through a lease and some
// past it, for a cap that has money for half of them.
func testConcurrent(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 320_00), leads(pingpost.Week, 1000))
	lease := b.lease(plan, 100_00, 100)
	var accepted atomic.Int64
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			p := b.post(plan, lease.ID*budget.LeaseID(i%2), 10_00)
			first, err := b.s.Post(context.Background(), p)
			second, again := b.s.Post(context.Background(), p)
			if err != nil || again != nil || !second.Repeat || first.Outcome != second.Outcome {
				t.Errorf("%+v %v, then %+v %v", first, err, second, again)
			}
			if first.Outcome == store.PostAccepted {
				accepted.Add(1)
			}
		})
	}
	group.Wait()
	use := b.use(plan, 0)
	if n := accepted.Load(); int64(use.UsedCents) != n*10_00 || n != 32 {
		t.Errorf("%d accepted, %v used", n, fmt.Sprint(use.UsedCents))
	}
	b.verify()
}
