package budget

import (
	"reflect"
	"testing"
	"time"

	"leadbid/pingpost"
)

var (
	noon    = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	chicago = mustZone("America/Chicago")
)

func mustZone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return loc
}

func dollars(scope Scope, period pingpost.Period, cents int64) Cap {
	return Cap{Scope: scope, Period: period, Cents: Limit{N: cents, Set: true}}
}

func campaign(name string) Scope { return Scope{ScopeCampaign, name} }

var refusable = Terms{Refusable: true, BidTTL: time.Minute, HoldFor: 10 * time.Second, Grace: 2 * time.Second}

var hvac = Line{"hvac", "north"}

func onePlan(terms Terms, largest pingpost.Cents, caps ...Cap) *Plan {
	return &Plan{Location: chicago, Lines: []LinePlan{{Line: hvac, Terms: terms, Caps: caps, LargestBid: largest}}}
}

func TestSmallCapIsUsable(t *testing.T) {
	b := NewBook(onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 60_00)))
	if due, ok := b.Due(noon); !ok || !due.Equal(noon) {
		t.Fatalf("a new book is due at %v, %v", due, ok)
	}
	ask, ok := b.Upkeep(noon)
	if !ok || len(ask.Wants) != 1 {
		t.Fatalf("%+v %v", ask, ok)
	}
	if want := ask.Wants[0]; want.Cents != 60_00 || want.Least != 50_00 {
		t.Errorf("wants %v, at least %v", want.Cents, want.Least)
	}
}

// desk is a Book with the model store behind it, whose questions are answered at once.
type desk struct {
	t     *testing.T
	now   time.Time
	plan  *Plan
	book  *Book
	store *modelStore
	seq   uint64
}

func newDesk(t *testing.T, plan *Plan) *desk {
	d := &desk{t: t, now: noon, plan: plan, book: NewBook(plan), store: newModelStore()}
	d.upkeep()
	return d
}

func (d *desk) upkeep() (asked bool) {
	ask, ok := d.book.Upkeep(d.now)
	if ok {
		d.book.Answer(d.now, d.store.upkeep(d.now, d.plan, ask))
	}
	return ok
}

func (d *desk) wait(wait time.Duration) { d.now = d.now.Add(wait) }

func (d *desk) hold(price pingpost.Cents) (HoldTicket, pingpost.Reason) {
	d.seq++
	return d.book.Hold(d.now, hvac, d.seq, price, 300*time.Millisecond)
}

func (d *desk) wantHold(price pingpost.Cents, want pingpost.Reason) HoldTicket {
	d.t.Helper()
	ticket, got := d.hold(price)
	if got != want {
		d.t.Fatalf("a bid of %v: %q, not %q", price, got, want)
	}
	return ticket
}

func (d *desk) charge(seq uint64, lease LeaseID, price pingpost.Cents) Charged {
	return d.store.post(seq, hvac, lease, price, d.now, d.book.Windows(hvac, d.now))
}

// buyLeads bids for some leads, one after the other, and is charged for each.
func (d *desk) buyLeads(n int, price pingpost.Cents) {
	d.t.Helper()
	for range n {
		ticket := d.wantHold(price, pingpost.ReasonNone)
		d.book.Charged(d.now, d.charge(d.seq, ticket.Lease, price))
	}
}

func TestReasons(t *testing.T) {
	capacity := Cap{Scope: campaign("hvac"), Period: pingpost.Day, Leads: Limit{N: 5, Set: true}}
	for name, caps := range map[string][]Cap{
		"no cap": nil, "leads only": {capacity}, "a limit of $0": {dollars(Scope{}, pingpost.Day, 0)},
		"one of two limits is $0": {dollars(Scope{}, pingpost.Day, 100_00), dollars(campaign("hvac"), pingpost.Day, 0)},
	} {
		d := newDesk(t, onePlan(refusable, 50_00, caps...))
		if _, reason := d.hold(10_00); reason != pingpost.NoBudget {
			t.Errorf("%s: %v", name, reason)
		}
		if _, due := d.book.Due(d.now); due {
			t.Errorf("%s: something is due", name)
		}
	}
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 60_00)))
	if _, reason := d.book.Hold(d.now, Line{"hvac", "west"}, 99, 1, 0); reason != pingpost.NoBudget {
		t.Errorf("a line that is not planned: %v", reason)
	}
	fresh := NewBook(d.plan)
	if _, reason := fresh.Hold(noon, hvac, 1, 10_00, 0); reason != pingpost.StoreAway {
		t.Errorf("before the first lease: %v", reason)
	}
	d.wantHold(61_00, pingpost.BudgetExhausted)
	d.wantHold(40_00, pingpost.ReasonNone)
	d.wantHold(40_00, pingpost.OpenBids)
	charged := d.charge(2, 1, 40_00)
	charged.Ref.Seq = d.seq - 1
	d.book.Charged(d.now, charged)
	d.wantHold(40_00, pingpost.BudgetExhausted)
	d.wantHold(20_00, pingpost.ReasonNone)

	capacity.Cents = Limit{N: 1000_00, Set: true}
	capacity.Leads.N = 1
	d = newDesk(t, onePlan(refusable, 50_00, capacity))
	d.wantHold(10_00, pingpost.ReasonNone)
	d.wantHold(10_00, pingpost.OpenBids)
	d.book.Charged(d.now, d.charge(1, 1, 10_00))
	d.wantHold(10_00, pingpost.CapacityFull)
}

func TestStoreAway(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 1000_00)))
	d.wait(15 * time.Second)
	if _, ok := d.book.Upkeep(d.now); !ok {
		t.Fatal("the lease was not to be extended")
	}
	if _, ok := d.book.Upkeep(d.now.Add(time.Hour)); ok {
		t.Error("two questions at once")
	}
	d.book.StoreAway(d.now, true)
	d.wantHold(10_00, pingpost.ReasonNone) // what is in hand is spent
	if due, ok := d.book.Due(d.now); !ok || !due.Equal(d.now.Add(time.Second)) {
		t.Errorf("due again at %v, %v", due, ok)
	}
	d.wait(14200 * time.Millisecond) // 0.8 s before the end: 0.3 s of auction and 0.5 s of skew are too much
	d.wantHold(10_00, pingpost.StoreAway)
	d.wait(time.Second)
	if !d.upkeep() {
		t.Fatal("nothing was asked")
	}
	d.wantHold(10_00, pingpost.ReasonNone)
}

func TestEndedHoldsWaitForAReading(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 60_00)))
	ticket := d.wantHold(60_00, pingpost.ReasonNone)
	if !ticket.Until.Equal(noon.Add(10300*time.Millisecond)) || !ticket.Expires.Equal(noon.Add(time.Minute)) {
		t.Errorf("%+v", ticket)
	}
	d.wait(10299 * time.Millisecond)
	stale := d.store.upkeep(d.now, d.plan, Upkeep{At: d.now})
	d.wait(time.Millisecond)
	d.book.Answer(d.now, stale)
	d.wantHold(1, pingpost.OpenBids) // the reading is older than the hold's end
	d.book.Answer(d.now, d.store.upkeep(d.now, d.plan, Upkeep{At: d.now}))
	d.wantHold(60_00, pingpost.ReasonNone)
}

func TestBindingHoldsStayUntilTheirEnd(t *testing.T) {
	binding := refusable
	binding.Refusable = false
	d := newDesk(t, onePlan(binding, 50_00, dollars(campaign("hvac"), pingpost.Day, 60_00)))
	ticket := d.wantHold(60_00, pingpost.ReasonNone)
	if !ticket.Until.Equal(noon.Add(62 * time.Second)) {
		t.Errorf("%+v", ticket)
	}
	d.book.Lost(d.now, 1)
	d.wantHold(1, pingpost.OpenBids)
	d.book.Charged(d.now, Charged{Line: hvac, Ref: BidRef{Lease: ticket.Lease, Seq: 1, Price: 60_00}, Reason: pingpost.DuplicateLead})
	d.wantHold(1, pingpost.OpenBids)
	d.book.Release(d.now, 1) // never sent
	d.wantHold(60_00, pingpost.ReasonNone)
}

func TestChargedOfAnotherRunFreesNothing(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 60_00)))
	d.wantHold(60_00, pingpost.ReasonNone)
	d.book.Charged(d.now, Charged{Line: hvac, Ref: BidRef{Lease: 77, Seq: 1, Price: 60_00}, Accepted: true, Price: 60_00})
	d.wantHold(1, pingpost.OpenBids)
	d.book.Charged(d.now, Charged{Line: hvac, Ref: BidRef{Lease: 1, Seq: 1, Price: 60_00}}) // a conflict: nothing was decided
	d.wantHold(1, pingpost.OpenBids)
}

func TestRepeatWaitsForAReading(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 60_00)))
	d.wantHold(20_00, pingpost.ReasonNone)
	charged := d.charge(1, 1, 20_00) // this answer is lost
	charged.Repeat, charged.Lease = true, nil
	d.book.Charged(d.now, charged)
	d.wantHold(41_00, pingpost.OpenBids)
	d.wait(time.Second)
	d.upkeep()
	d.wantHold(41_00, pingpost.BudgetExhausted)
	d.wantHold(40_00, pingpost.ReasonNone)
}

// TestMoneyWithoutLeadsFindsSome: a lease whose leads are used up holds what no other lease can be carved from.
func TestMoneyWithoutLeadsFindsSome(t *testing.T) {
	day := dollars(campaign("hvac"), pingpost.Day, 100_00)
	day.Leads = Limit{N: 10, Set: true}
	d := newDesk(t, onePlan(refusable, 25_00, day))
	d.buyLeads(4, 5_00)
	if have := d.book.byLine[hvac].room(d.now); have.cents != 80_00 || have.leads != 0 {
		t.Fatalf("%+v in hand", have)
	}
	d.wantHold(5_00, pingpost.StoreAway)
	d.wait(time.Second)
	d.upkeep()
	d.wantHold(5_00, pingpost.ReasonNone)
}

// TestMoneyWithoutLeadsGoesBack: also where nobody asks for a bid.
func TestMoneyWithoutLeadsGoesBack(t *testing.T) {
	day := dollars(campaign("hvac"), pingpost.Day, 100_00)
	day.Leads = Limit{N: 4, Set: true}
	d := newDesk(t, onePlan(refusable, 25_00, day))
	d.buyLeads(4, 5_00)
	d.wait(time.Second)
	d.upkeep()
	if lease := d.store.leases[1]; lease.Cents != lease.UsedCents {
		t.Errorf("%+v keeps money that no bid can be made with", *lease)
	}
}

// TestMadeBinding: a lease whose refusable bids may still be posted, after their holds, backs no binding bid.
func TestMadeBinding(t *testing.T) {
	for _, binding := range []bool{false, true} {
		terms := refusable
		d := newDesk(t, onePlan(terms, 50_00, dollars(campaign("hvac"), pingpost.Day, 60_00)))
		first := d.wantHold(50_00, pingpost.ReasonNone)
		d.wait(terms.HoldFor + time.Second)
		d.upkeep()
		terms.Refusable, terms.Grace = !binding, terms.Grace-time.Millisecond
		d.plan = onePlan(terms, 50_00, dollars(campaign("hvac"), pingpost.Day, 60_00))
		d.book.SetPlan(d.now, d.plan)
		d.wait(time.Second)
		d.upkeep()
		if second, _ := d.hold(50_00); (second.Lease == first.Lease) == binding {
			t.Errorf("binding: %v, first %+v, then %+v", binding, first, second)
		}
	}
}

func TestWithdrawnWaitsForAReading(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 60_00, dollars(campaign("hvac"), pingpost.Day, 60_00)))
	ticket := d.wantHold(60_00, pingpost.ReasonNone)
	d.charge(1, ticket.Lease, 60_00) // the answer is lost
	d.store.void(1)                  // through another replica: what the lease held is the caps' again
	d.book.Withdrawn(d.now, 1)
	d.wantHold(60_00, pingpost.OpenBids)
	d.wait(time.Second)
	d.upkeep()
	if ticket := d.wantHold(60_00, pingpost.ReasonNone); ticket.Lease == 1 {
		t.Error("a bid is made from a lease that has nothing left")
	}
}

func TestWhatIsReturnedIsNotBid(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 10_00, dollars(campaign("hvac"), pingpost.Day, 1000_00)))
	for range 4 {
		d.wantHold(10_00, pingpost.ReasonNone)
	}
	d.wait(time.Second)
	d.upkeep() // the lease grows: eight at once are now in sight
	for range 4 {
		d.wantHold(10_00, pingpost.ReasonNone)
	}
	d.wait(time.Second)
	d.upkeep()
	for seq := range d.seq {
		d.book.Lost(d.now, seq+1)
	}
	before := d.book.byLine[hvac].room(d.now)
	for range 100 { // until what it held at once is forgotten
		d.wait(time.Second)
		ask, ok := d.book.Upkeep(d.now)
		if !ok {
			continue
		}
		for _, keep := range ask.Keeps {
			if keep.ReturnCents > 0 {
				after := d.book.byLine[hvac].room(d.now)
				if after.cents > before.cents-keep.ReturnCents || after.cents < 40_00 {
					t.Errorf("while %v is on its way back, %v of %v may be bid", keep.ReturnCents, after.cents, before.cents)
				}
				return
			}
		}
		d.book.Answer(d.now, d.store.upkeep(d.now, d.plan, ask))
	}
	t.Error("nothing was given back")
}

func TestUseCountsChargesSince(t *testing.T) {
	limit := dollars(campaign("hvac"), pingpost.Day, 100_00)
	d := newDesk(t, onePlan(refusable, 50_00, limit))
	used := func() pingpost.Cents {
		use, ok := d.book.Use(limit.Scope, limit.Period)
		if !ok {
			t.Fatal("no use is known")
		}
		return use.UsedCents
	}
	if used() != 0 {
		t.Error(used())
	}
	d.wantHold(30_00, pingpost.ReasonNone)
	d.book.Charged(d.now, d.charge(1, 1, 30_00))
	if used() != 30_00 {
		t.Error(used())
	}
	d.book.Charged(d.now, Charged{
		Line: hvac, Ref: BidRef{Lease: 55, Expires: d.now.Add(time.Minute)}, Accepted: true, Price: 5_00,
	}) // past the leases
	if used() != 35_00 {
		t.Error(used())
	}
	if _, ok := d.book.Use(Scope{}, pingpost.Day); ok {
		t.Error("a cap that is not planned is known")
	}
	d.wait(time.Second)
	d.book.Answer(d.now, d.store.upkeep(d.now, d.plan, Upkeep{At: d.now}))
	if used() != 30_00 { // the model store has seen the one charge only
		t.Error(used())
	}
}

func TestSwapToOtherCapsRetiresLeases(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 100_00)))
	d.wantHold(30_00, pingpost.ReasonNone)
	d.plan = onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 100_00), dollars(campaign("hvac"), pingpost.Hour, 50_00))
	d.book.SetPlan(d.now, d.plan)
	d.wantHold(10_00, pingpost.StoreAway)
	d.wait(time.Second)
	d.upkeep() // gives back what the old lease can spare
	d.wait(100 * time.Millisecond)
	d.upkeep()
	d.wantHold(20_00, pingpost.ReasonNone) // the open bid of $30 counts against the new hour, too
	d.wantHold(10_00, pingpost.OpenBids)

	d.plan = &Plan{Location: chicago}
	d.book.SetPlan(d.now, d.plan)
	d.wantHold(1, pingpost.NoBudget)
	d.wait(time.Second)
	if ask, ok := d.book.Upkeep(d.now); !ok || len(ask.Wants) != 0 || len(ask.Keeps) == 0 {
		t.Errorf("a line that left the plan: %+v", ask)
	}
}

// TestOpenBidsCountInACapThatIsNew: they were made from a lease that the new cap has set nothing aside for.
func TestOpenBidsCountInACapThatIsNew(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 400_00)))
	d.wantHold(30_00, pingpost.ReasonNone)
	d.plan = onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 400_00), dollars(campaign("hvac"), pingpost.Hour, 50_00))
	d.book.SetPlan(d.now, d.plan)
	d.wantHold(30_00, pingpost.StoreAway)
	for range 8 {
		d.wait(time.Second)
		d.upkeep()
		if _, reason := d.hold(30_00); reason == pingpost.ReasonNone {
			t.Fatal("two open bids of $30 under a cap of $50")
		}
	}
}

// TestSwapOfPricesOnlyKeepsTheLeases: a reload that leaves caps and terms as they were costs no bid,
// not even while the store is asked next.
func TestSwapOfPricesOnlyKeepsTheLeases(t *testing.T) {
	for _, swap := range []struct {
		plan *Plan
		want pingpost.Reason
	}{
		{onePlan(refusable, 40_00, dollars(campaign("hvac"), pingpost.Day, 100_00)), pingpost.ReasonNone},
		{onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 90_00)), pingpost.StoreAway},
	} {
		d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 100_00)))
		d.book.SetPlan(d.now, swap.plan)
		d.wait(15 * time.Second) // the lease is to be extended, and the answer is on its way
		if _, asked := d.book.Upkeep(d.now); !asked {
			t.Fatal("nothing was asked")
		}
		d.wantHold(30_00, swap.want)
	}
}

// TestSwapOfPricesAfterALowerLimit: what a lower limit sets aside, a swap of prices alone does not bring
// back before the store was asked; nor does it take a grant of before both for one of now.
func TestSwapOfPricesAfterALowerLimit(t *testing.T) {
	higher, lower := dollars(campaign("hvac"), pingpost.Day, 100_00), dollars(campaign("hvac"), pingpost.Day, 90_00)
	d := newDesk(t, onePlan(refusable, 50_00, higher))
	d.book.SetPlan(d.now, onePlan(refusable, 50_00, lower))
	d.book.SetPlan(d.now, onePlan(refusable, 40_00, lower))
	d.wait(time.Second)
	if ask, asked := d.book.Upkeep(d.now); !asked || !ask.Keeps[0].Cut {
		t.Errorf("nothing is cut: %+v", ask)
	}
	d.wantHold(30_00, pingpost.StoreAway)

	d = &desk{t: t, now: noon, plan: onePlan(refusable, 50_00, higher)}
	d.book, d.store = NewBook(d.plan), newModelStore()
	ask, _ := d.book.Upkeep(d.now)
	answer := d.store.upkeep(d.now, d.plan, ask)
	hour := onePlan(refusable, 50_00, higher, dollars(campaign("hvac"), pingpost.Hour, 60_00))
	d.book.SetPlan(d.now, hour)
	d.book.SetPlan(d.now, onePlan(refusable, 40_00, hour.Lines[0].Caps...))
	d.book.Answer(d.now, answer)
	if _, reason := d.hold(30_00); reason == pingpost.ReasonNone {
		t.Error("a bid from a lease that the new cap of an hour knows nothing of")
	}
}

// TestOthersPromisesCutNoBidOnTheWay has another replica, which does not know the limit yet that is in force
// here, promise more than that: the next extension takes nothing back that this Book may bid with until the
// answer, and the one after it, which does, meets no bid.
func TestOthersPromisesCutNoBidOnTheWay(t *testing.T) {
	binding := refusable
	binding.Refusable = false
	d := newDesk(t, onePlan(binding, 20_00, dollars(campaign("hvac"), pingpost.Day, 100_00)))
	other := onePlan(binding, 20_00, dollars(campaign("hvac"), pingpost.Day, 300_00))
	d.wait(15 * time.Second)
	ask, ok := d.book.Upkeep(d.now)
	if !ok || !ask.Keeps[0].Extend {
		t.Fatal("no lease is to be extended")
	}
	d.store.grant(d.now, other, Want{Line: hvac, Least: 1, Cents: 250_00, Leads: 1000})
	d.wantHold(20_00, pingpost.ReasonNone)
	d.book.Answer(d.now, d.store.upkeep(d.now, d.plan, ask))
	lease := d.book.leases[0]
	if lease.Cents-lease.UsedCents < lease.heldCents {
		t.Errorf("of a lease of %v, bids that bind hold %v", lease.Cents, lease.heldCents)
	}
	d.wait(15 * time.Second)
	if !d.upkeep() || d.store.leases[1].Cents != 20_00 {
		t.Errorf("the lease is of %v then", d.store.leases[1].Cents)
	}
}

// TestGrantOfAFormerPlanBacksNoBid: a question may be under way while the plan is swapped, or its answer
// lost before. What it was granted was carved from the former caps, so that the new one would not know
// of a bid from it.
func TestGrantOfAFormerPlanBacksNoBid(t *testing.T) {
	for _, lost := range []bool{false, true} {
		d := &desk{t: t, now: noon, store: newModelStore()}
		d.plan = onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 400_00))
		d.book = NewBook(d.plan)
		ask, _ := d.book.Upkeep(d.now)
		granted := d.store.upkeep(d.now, d.plan, ask)
		if lost {
			d.book.StoreAway(d.now, true)
		}
		d.plan = onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 400_00), dollars(campaign("hvac"), pingpost.Hour, 50_00))
		d.book.SetPlan(d.now, d.plan)
		if lost {
			d.wait(time.Second)
			d.upkeep()
		} else {
			d.book.Answer(d.now, granted)
			d.wantHold(10_00, pingpost.StoreAway)
		}
		for range 12 { // what was granted is given back, and nobody asks for bids: it is asked again after ten seconds
			d.wait(time.Second)
			d.upkeep()
		}
		d.wantHold(30_00, pingpost.ReasonNone)
		for range 5 {
			d.wait(time.Second)
			d.upkeep()
		}
		if _, reason := d.hold(30_00); reason == pingpost.ReasonNone {
			t.Errorf("lost=%v: two bids of $30 under a cap of $50", lost)
		}
	}
}

// TestLongerBidsNeedLongerLeases: a lease pays posts until its bids cannot come any more. Where bids
// stand longer by a new plan, a lease of before would be closed while they can.
func TestLongerBidsNeedLongerLeases(t *testing.T) {
	for _, longer := range []Terms{
		{BidTTL: 10 * time.Minute, Grace: 2 * time.Second}, {BidTTL: time.Minute, Grace: time.Minute},
	} {
		d := newDesk(t, onePlan(Terms{BidTTL: time.Minute, Grace: 2 * time.Second}, 50_00, dollars(campaign("hvac"), pingpost.Day, 100_00)))
		d.wantHold(30_00, pingpost.ReasonNone)
		d.plan = onePlan(longer, 50_00, dollars(campaign("hvac"), pingpost.Day, 100_00))
		d.book.SetPlan(d.now, d.plan)
		d.wantHold(30_00, pingpost.StoreAway)
		for range 3 {
			d.wait(time.Second)
			d.upkeep()
		}
		d.wantHold(30_00, pingpost.ReasonNone)
		d.plan = onePlan(Terms{BidTTL: time.Second}, 50_00, dollars(campaign("hvac"), pingpost.Day, 100_00))
		d.book.SetPlan(d.now, d.plan)
		d.wantHold(30_00, pingpost.ReasonNone)
	}
}

func TestSurrender(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 100_00)))
	d.wantHold(30_00, pingpost.ReasonNone)
	ask, ok := d.book.Surrender(d.now)
	if !ok || len(ask.Keeps) != 1 || ask.Keeps[0].ReturnCents != 70_00 || ask.Keeps[0].OutstandingCents != 30_00 || len(ask.Wants) != 0 {
		t.Fatalf("%+v", ask)
	}
	d.book.Answer(d.now, d.store.upkeep(d.now, d.plan, ask))
	if left := d.store.leases[1]; left.Cents != 30_00 {
		t.Errorf("%v stays leased", left.Cents)
	}
	if _, reason := d.hold(1); reason == pingpost.ReasonNone {
		t.Error("a bid after the end")
	}
}

// TestSurrenderWhileAnotherQuestionIsUnderWay: what that one is granted comes too late to be bid from.
func TestSurrenderWhileAnotherQuestionIsUnderWay(t *testing.T) {
	d := &desk{t: t, now: noon, store: newModelStore()}
	d.plan = onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 100_00))
	d.book = NewBook(d.plan)
	ask, _ := d.book.Upkeep(d.now)
	d.book.Surrender(d.now)
	d.book.Answer(d.now, d.store.upkeep(d.now, d.plan, ask))
	if _, reason := d.hold(1); reason == pingpost.ReasonNone {
		t.Error("a bid after the end")
	}
}

func TestLeaseWhoseGrantWasLostIsAdopted(t *testing.T) {
	d := &desk{t: t, now: noon, store: newModelStore()}
	d.plan = onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 100_00))
	d.book = NewBook(d.plan)
	ask, _ := d.book.Upkeep(d.now)
	d.store.upkeep(d.now, d.plan, ask)
	d.book.StoreAway(d.now, true)
	d.wait(time.Second)
	d.upkeep()
	d.wantHold(100_00, pingpost.ReasonNone)
}

// TestCreditOfAFormerRunBringsNoLease: a returned lead may have been paid by a lease of a former run
// that is still open. Its open bids are unknown here, so nothing may be bid from it.
func TestCreditOfAFormerRunBringsNoLease(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 400_00)))
	former := LeaseState{ID: 99, Line: hvac, Rev: 7, Cents: 300_00, Leads: 300, Open: true,
		BidUntil: d.now.Add(20 * time.Second), CloseAt: d.now.Add(time.Minute)}
	before := d.book.Snapshot()
	d.book.Answer(d.now, UpkeepAnswer{Leases: []LeaseState{former}})
	if after := d.book.Snapshot(); len(after.Leases) != len(before.Leases) {
		t.Errorf("the Book has leases %+v", after.Leases)
	}
}

// TestLongAuctionsGetBids: a deadline may be longer than any lease lasts.
func TestLongAuctionsGetBids(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 400_00)))
	if _, reason := d.book.Hold(d.now, hvac, 1, 40_00, time.Minute); reason != pingpost.ReasonNone {
		t.Errorf("a bid in an auction of a minute: %v", reason)
	}
}

// TestDueChangesNothing: it is no input, so a replay, which never calls it, must not come apart.
func TestDueChangesNothing(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 400_00)))
	ticket := d.wantHold(40_00, pingpost.ReasonNone)
	before := d.book.Snapshot()
	if due, ok := d.book.Due(ticket.Until.Add(time.Second)); !ok || !due.Equal(ticket.Until.Add(time.Second)) {
		t.Errorf("an ended hold is due at %v, %v", due, ok)
	}
	if after := d.book.Snapshot(); !reflect.DeepEqual(before, after) {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
}

// BenchmarkHold is what a bid pays for its money, under six caps at 1,000 bids per second: with the
// loss notice that frees it a moment later, and with none, where it ends by itself and is settled by
// the next reading.
func BenchmarkHold(b *testing.B) {
	six := []Cap{
		dollars(Scope{Kind: ScopeBusiness}, pingpost.Month, 1000_000_00), dollars(Scope{ScopeExchange, "north"}, pingpost.Day, 1000_000_00),
		dollars(campaign("hvac"), pingpost.Hour, 1000_000_00), dollars(campaign("hvac"), pingpost.Day, 1000_000_00),
		dollars(campaign("hvac"), pingpost.Week, 1000_000_00), dollars(campaign("hvac"), pingpost.Month, 1000_000_00),
	}
	wide := LeaseState{
		ID: 1, Line: hvac, Rev: 1, Cents: pingpost.MaxCents, Leads: 1 << 40, Open: true,
		BidUntil: noon.AddDate(1, 0, 0), CloseAt: noon.AddDate(1, 0, 1),
	}
	const lag = 300 // bids between a bid and its notice
	run := func(notices bool) func(*testing.B) {
		return func(b *testing.B) {
			book := NewBook(onePlan(refusable, 50_00, six...))
			book.Answer(noon, UpkeepAnswer{At: noon, Leases: []LeaseState{wide}})
			seq, now := uint64(0), noon
			step := func() {
				seq++
				now = now.Add(time.Millisecond)
				if _, reason := book.Hold(now, hvac, seq, 40_00, 300*time.Millisecond); reason != pingpost.ReasonNone {
					b.Fatal(reason)
				}
				switch {
				case notices && seq > lag:
					book.Lost(now, seq-lag)
				case !notices && seq%1000 == 0:
					book.Answer(now, UpkeepAnswer{At: now, Leases: []LeaseState{wide}})
				}
			}
			for range 20_000 {
				step()
			}
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		}
	}
	b.Run("lost", run(true))
	b.Run("silent", run(false))
}

// TestReturnedMoneyIsBidAgain has a lead come back whose lease is closed: nobody tells the Book, which held the
// cap for bought out. It asks again while pings come, and rarely.
func TestReturnedMoneyIsBidAgain(t *testing.T) {
	d := newDesk(t, onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Total, 100_00)))
	asked := 0
	tend := func(length time.Duration) {
		for end := d.now.Add(length); d.now.Before(end); d.wait(time.Second) {
			if d.upkeep() {
				asked++
			}
			if d.now.Second()%10 == 0 && len(d.store.charges) == 2 {
				d.wantHold(50_00, pingpost.BudgetExhausted)
			}
		}
	}
	for range 2 {
		ticket := d.wantHold(50_00, pingpost.ReasonNone)
		d.book.Charged(d.now, d.charge(d.seq, ticket.Lease, 50_00))
	}
	tend(time.Hour)
	if asked > 130 {
		t.Errorf("a cap that is bought out is asked for %d times an hour", asked)
	}
	d.store.charges = d.store.charges[:1] // as a returned lead leaves the books
	d.wantHold(50_00, pingpost.BudgetExhausted)
	tend(memory + 2*time.Second)
	d.wantHold(50_00, pingpost.ReasonNone)
}
