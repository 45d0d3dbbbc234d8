// Package storetest is what every store of the bidder's money must do: one suite of tests that
// each implementation of store.Store passes. Only tests import it.
package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

// Open makes an empty store whose time is clock's. The suite closes it.
type Open func(t *testing.T, clock func() time.Time) store.Store

// Run runs the whole suite.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, *bench){
		"grants at most what every cap has left":      testGrants,
		"returns come before grants":                  testReturnThenGrant,
		"leases end with their window":                testWindowEnd,
		"a lowered limit cuts leases":                 testLoweredLimit,
		"what open bids need is not taken back":       testOutstanding,
		"another run's lease is left alone":           testForeignLease,
		"a post is answered once":                     testPostOnce,
		"the caps pay where the lease cannot":         testCapsPay,
		"capacity binds like money":                   testCapacity,
		"a contact is bought once":                    testDuplicates,
		"a returned lead gives back what it took":     testReturned,
		"a voided bid is never bought":                testVoided,
		"a voided lead is owed to nobody":             testVoidedLead,
		"a cap that comes late counts what was spent": testLateCap,
		"a cap that was away catches up":              testCapAway,
		"what other replicas buy past a cap counts":   testCapOfOneReplica,
		"older leases count in newer caps":            testOlderLease,
		"open bids count in newer caps":               testOpenBidsUnderNewCap,
		"what is given back is granted at once":       testGivenBackAtOnce,
		"a returned lead counts in no newer cap":      testReturnToNewerCap,
		"what came back passes no newer cap":          testReturnBesideNewCap,
		"a bid is of its lease's time":                testBidOfItsLease,
		"the hour before pays its late posts":         testFormerHour,
		"a zone's month is a cap of its own":          testZoneOfTheSameStart,
		"what is owed is delivered or given up":       testOutbox,
		"replicas may deliver at the same time":       testDeliveredByTwo,
		"one replica at a time has a delivery":        testClaims,
		"leads come back whole, newest first":         testLeads,
		"many at once never pass the cap":             testConcurrent,
		"keys stay, runs count up":                    testRuns,
		"one key is made, and signs a minute later":   testRotation,
		"a revoked key is told as such":               testRevocation,
		"disputes last until the lead is credited":    testDisputes,
		"outcomes are kept once and read when known":  testOutcomes,
		"posts are counted by exchange and reason":    testPosted,
		"what is kept is the newest":                  testKept,
		"a closed store is away":                      testClosed,
		"random operations agree with a naive ledger": testRandom,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, newBench(t, open))
		})
	}
}

// bench is one store with a clock that the test turns.
type bench struct {
	t     rapid.TB
	s     store.Store
	run   store.Run
	mu    sync.Mutex
	now   time.Time
	posts int
}

var (
	zone  = time.FixedZone("UTC-6", -6*3600)
	start = time.Date(2026, 3, 4, 12, 20, 0, 0, zone)
	line  = budget.Line{Campaign: "hvac", Exchange: "north"}
	terms = budget.Terms{Refusable: true, BidTTL: time.Minute, HoldFor: 10 * time.Second, Grace: 2 * time.Second}
)

func newBench(t *testing.T, open Open) *bench {
	b := &bench{t: t, now: start}
	b.s = open(t, b.clock)
	t.Cleanup(func() {
		if err := b.s.Close(); err != nil {
			t.Error(err)
		}
	})
	b.begin()
	return b
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) wait(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *bench) begin() {
	b.t.Helper()
	run, err := b.s.Begin(context.Background())
	b.must(err)
	b.run = run
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// cents bounds dollars, leads bounds leads, of the line's campaign.
func cents(period pingpost.Period, n int64) budget.Cap {
	return budget.Cap{Scope: budget.Scope{Kind: budget.ScopeCampaign, Name: "hvac"}, Period: period,
		Cents: budget.Limit{N: n, Set: true}}
}

func leads(period pingpost.Period, n int64) budget.Cap {
	return budget.Cap{Scope: budget.Scope{Kind: budget.ScopeCampaign, Name: "hvac"}, Period: period,
		Leads: budget.Limit{N: n, Set: true}}
}

func business(period pingpost.Period, n int64) budget.Cap {
	return budget.Cap{Period: period, Cents: budget.Limit{N: n, Set: true}}
}

func planOf(caps ...budget.Cap) *budget.Plan {
	return &budget.Plan{Location: zone, Lines: []budget.LinePlan{{Line: line, Terms: terms, Caps: caps}}}
}

func (b *bench) upkeep(plan *budget.Plan, ask budget.Upkeep) budget.UpkeepAnswer {
	b.t.Helper()
	ask.At = b.clock()
	answer, err := b.s.Upkeep(context.Background(), b.run, plan, ask)
	b.must(err)
	if !answer.At.Equal(ask.At) {
		b.t.Fatalf("the answer is to %v, the question was of %v", answer.At, ask.At)
	}
	return answer
}

func want(amount pingpost.Cents, n int64) budget.Upkeep {
	return budget.Upkeep{Wants: []budget.Want{{Line: line, Least: 1, Cents: amount, Leads: n}}}
}

// lease asks for a lease that must be granted.
func (b *bench) lease(plan *budget.Plan, amount pingpost.Cents, n int64) budget.LeaseState {
	b.t.Helper()
	grant := b.upkeep(plan, want(amount, n)).Grants[0]
	if grant.Lease == nil {
		b.t.Fatalf("no lease: %v until %v", grant.Refused, grant.Until)
	}
	return *grant.Lease
}

// post makes a post of a bid made now from a lease (0: from none).
func (b *bench) post(plan *budget.Plan, lease budget.LeaseID, price pingpost.Cents) store.Post {
	b.mu.Lock()
	b.posts++
	n, now := b.posts, b.now
	b.mu.Unlock()
	p := store.Post{
		At: now, LeadID: fmt.Sprintf("lead-%05d", n), DedupeFor: 90 * 24 * time.Hour,
		BodyHash: sha256.Sum256(fmt.Append(nil, "body ", n)),
		Contacts: []store.ContactHash{phoneHash(fmt.Sprint("of post ", n))}, Deliveries: []string{"crm", "file"},
		Charge: budget.Charge{
			Exchange: line.Exchange, PingID: fmt.Sprint("ping-", n), BidID: fmt.Sprint("bid-", n), Line: line,
			Ref: budget.BidRef{
				Lease: lease, Price: price, Expires: now.Add(terms.BidTTL), Stands: terms.BidTTL, Run: b.run.ID, Seq: uint64(n),
			},
			Price: price, BidAt: now,
		},
	}
	p.Lead = pingpost.Post{
		Exchange: p.Charge.Exchange, PingID: p.Charge.PingID, BidID: p.Charge.BidID, Price: price,
		Service: pingpost.HVAC, Job: pingpost.Repair, ZIP: 60614, Exclusive: true, BodyHash: p.BodyHash,
		Lead: pingpost.Lead{
			FirstName: pingpost.NewPrivate("Ann"), Phone: pingpost.NewPrivate(fmt.Sprintf("312555%04d", n)),
			City: "Chicago", State: "IL", ZIP: 60614, Notes: pingpost.NewPrivate("the \"attic\"\n"),
		},
		Consent: pingpost.Consent{Agreed: pingpost.Yes, LeadIDPromised: true},
		Attrs:   []pingpost.Attr{{Name: "system", Value: "furnace", Kind: pingpost.AttrText}},
	}
	for _, c := range plan.Lines[0].Caps {
		from, to := budget.WindowOf(c.Period, now, zone)
		p.Charge.Caps = append(p.Charge.Caps, budget.CapWindow{Cap: c, Start: from, End: to})
	}
	return p
}

func phoneHash(number string) store.ContactHash { return store.HashContact(nil, "phone", number) }

func (b *bench) send(p store.Post) store.PostAnswer {
	b.t.Helper()
	answer, err := b.s.Post(context.Background(), p)
	b.must(err)
	return answer
}

func (b *bench) accepted(p store.Post) store.PostAnswer {
	b.t.Helper()
	answer := b.send(p)
	if answer.Outcome != store.PostAccepted || answer.Repeat || answer.LeadID != p.LeadID || answer.Price != p.Charge.Price {
		b.t.Fatalf("the post was answered %+v", answer)
	}
	return answer
}

func (b *bench) refused(p store.Post, reason pingpost.Reason) {
	b.t.Helper()
	if answer := b.send(p); answer.Outcome != store.PostRefused || answer.Reason != reason {
		b.t.Fatalf("the post was answered %+v, not %v", answer, reason)
	}
}

func (b *bench) credit(p store.Post, outcome pingpost.Outcome) store.CreditAnswer {
	b.t.Helper()
	answer, err := b.s.Credit(context.Background(), store.Credit{
		Exchange: p.Charge.Exchange, PingID: p.Charge.PingID, BidID: p.Charge.BidID, Outcome: outcome, At: b.clock(),
	})
	b.must(err)
	return answer
}

// use reads one cap of the plan now.
func (b *bench) use(plan *budget.Plan, nth int) budget.CapUse {
	b.t.Helper()
	uses, err := b.s.Usage(context.Background(), plan, b.clock())
	b.must(err)
	return uses[nth]
}

func (b *bench) verify() {
	b.t.Helper()
	report, err := b.s.Verify(context.Background())
	b.must(err)
	for _, finding := range report.Findings {
		b.t.Errorf("%s: %s", finding.ID, finding.What)
	}
	if len(report.Checked) < 7 {
		b.t.Errorf("only %d checks", len(report.Checked))
	}
}

func (b *bench) spentLeased(plan *budget.Plan, spent, leased pingpost.Cents) {
	b.t.Helper()
	if u := b.use(plan, 0); u.SpentCents != spent || u.LeasedCents != leased {
		b.t.Errorf("spent %v and leased %v, not %v and %v", u.SpentCents, u.LeasedCents, spent, leased)
	}
}

func testClosed(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	p := b.post(plan, 0, 10_00)
	b.must(b.s.Close())
	ctx := context.Background()
	_, post := b.s.Post(ctx, p)
	_, upkeep := b.s.Upkeep(ctx, b.run, plan, want(1, 1))
	_, begin := b.s.Begin(ctx)
	_, _, answer := b.s.Answer(ctx, store.PostKey{BidID: "x"})
	_, verify := b.s.Verify(ctx)
	_, leads := b.s.Leads(ctx, store.LeadFilter{})
	_, keys := b.s.Keys(ctx)
	_, rotate := b.s.Rotate(ctx, store.Rotation{})
	_, _, dispute := b.s.Dispute(ctx, store.Dispute{LeadID: "x", At: start, Reason: "bad_phone"})
	_, outcomes := b.s.Outcomes(ctx, []store.Outcome{{LeadID: "x", Kind: store.Booked, Known: start}})
	_, ended := b.s.Ended(ctx, start, 1)
	_, posted := b.s.Posted(ctx, start)
	keep := b.s.Keep(ctx, "x", start, []byte("x"))
	_, _, kept := b.s.Kept(ctx, "x")
	for i, err := range []error{keep, kept, post, upkeep, begin, answer, verify, leads, keys, rotate, dispute, outcomes, ended, posted} {
		if !errors.Is(err, store.ErrAway) {
			t.Errorf("%d: a closed store answered %v", i, err)
		}
	}
}

func testRuns(t *testing.T, b *bench) {
	first := b.run
	b.begin()
	if b.run.ID <= first.ID || b.run.Owner == first.Owner {
		t.Errorf("runs %+v and %+v", first, b.run)
	}
	if b.run.Keys.Signer() != first.Keys.Signer() || len(b.run.Keys.Keys()) != 1 ||
		string(b.run.ContactKey) != string(first.ContactKey) || len(first.ContactKey) < 32 {
		t.Error("a new run has other keys")
	}
}
