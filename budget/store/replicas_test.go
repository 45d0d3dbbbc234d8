package store_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/internal/pgtest"
	"leadbid/pingpost"
)

// replica is the Book of one bidder over its own connection to books that it shares.
type replica struct {
	store store.Store
	run   store.Run
	book  *budget.Book
}

// replicated are bidders on one PostgreSQL, under a clock of ours. Every bid that one of them makes is
// posted at once, and charged.
type replicated struct {
	t    *testing.T
	now  time.Time
	plan *budget.Plan
	all  []*replica
	seq  uint64
}

func newReplicated(t *testing.T, many int, plan *budget.Plan) *replicated {
	r := &replicated{t: t, now: noon, plan: plan}
	address := pgtest.Address(t)
	for range many {
		s, err := store.OpenPostgres(t.Context(), address, store.Options{Clock: func() time.Time { return r.now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		run, err := s.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.all = append(r.all, &replica{s, run, budget.NewBook(plan)})
	}
	return r
}

// pass lets time pass in which some of the replicas are asked for bids on some lines, twice a second.
func (r *replicated) pass(d time.Duration, busy []*replica, lines []budget.Line, price pingpost.Cents) {
	r.t.Helper()
	for end := r.now.Add(d); r.now.Before(end); r.now = r.now.Add(500 * time.Millisecond) {
		for _, one := range r.all {
			ask, ok := one.book.Upkeep(r.now)
			if !ok {
				continue
			}
			answer, err := one.store.Upkeep(context.Background(), one.run, r.plan, ask)
			if err != nil {
				r.t.Fatal(err)
			}
			one.book.Answer(r.now, answer)
		}
		for _, one := range busy {
			for _, line := range lines {
				r.buy(one, line, price)
			}
		}
	}
}

func (r *replicated) buy(one *replica, line budget.Line, price pingpost.Cents) {
	r.t.Helper()
	r.seq++
	ticket, reason := one.book.Hold(r.now, line, r.seq, price, 100*time.Millisecond)
	if reason != pingpost.ReasonNone {
		return
	}
	name := fmt.Sprint(r.seq)
	ref := budget.BidRef{Lease: ticket.Lease, Price: price, Expires: ticket.Expires, Run: one.run.ID, Seq: r.seq}
	charge := budget.Charge{Exchange: line.Exchange, PingID: name, BidID: name, Line: line, Price: price, BidAt: r.now, Ref: ref,
		Caps: budget.WindowsOf(r.plan.Lines[0].Caps, r.now, r.plan.Location)}
	answer, err := one.store.Post(context.Background(), store.Post{
		At: r.now, LeadID: "lead-" + name, BodyHash: sha256.Sum256([]byte(name)), Charge: charge,
	})
	if err != nil || answer.Outcome != store.PostAccepted {
		r.t.Fatal(answer, err)
	}
	one.book.Charged(r.now, budget.Charged{Line: line, Ref: ref, Accepted: true, Price: price, Lease: answer.Lease})
}

func (r *replicated) used() pingpost.Cents {
	r.t.Helper()
	uses, err := r.all[0].store.Usage(context.Background(), r.plan, r.now)
	if err != nil {
		r.t.Fatal(err)
	}
	return uses[0].UsedCents
}

// totalOf makes some lines under one cap for good.
func totalOf(lines int, limit, largest pingpost.Cents) (plan *budget.Plan, all []budget.Line) {
	plan = &budget.Plan{Location: time.UTC}
	for i := range lines {
		line := budget.Line{Campaign: fmt.Sprint("campaign-", i), Exchange: "north"}
		all = append(all, line)
		plan.Lines = append(plan.Lines, budget.LinePlan{
			Line: line, LargestBid: largest,
			Terms: budget.Terms{Refusable: true, BidTTL: 5 * time.Second, HoldFor: time.Second, Grace: time.Second},
			Caps:  []budget.Cap{{Period: pingpost.Total, Cents: budget.Limit{N: int64(limit), Set: true}}},
		})
	}
	return plan, all
}

// TestIdleReplicasGiveWay has one of three replicas buy whatever it can, after all had their leases:
// what the others keep is little of a large cap, and room for one bid each of a small one.
func TestIdleReplicasGiveWay(t *testing.T) {
	pgtest.Address(t)
	const largest = pingpost.Cents(10_00)
	for _, test := range []struct {
		lines int
		limit pingpost.Cents
		busy  int
		least pingpost.Cents // to be used in the end
	}{
		{1, 45_00, 2, 45_00 - 3*largest},
		{5, 100_00, 0, 100_00 - 3*largest},
		{5, 100_00, 2, 100_00 - 3*largest},
		{1, 1000_00, 1, 970_01},
		{5, 1000_00, 0, 970_01},
	} {
		t.Run(fmt.Sprintf("%d lines under %v, replica %d buys", test.lines, test.limit, test.busy), func(t *testing.T) {
			t.Parallel()
			plan, lines := totalOf(test.lines, test.limit, largest)
			r := newReplicated(t, 3, plan)
			r.pass(20*time.Second, nil, nil, 0)
			r.pass(90*time.Second, r.all[test.busy:test.busy+1], lines[:1], largest)
			if used := r.used(); used < test.least || used > test.limit {
				t.Errorf("%v of %v is used", used, test.limit)
			}
			report, err := r.all[0].store.Verify(t.Context())
			if err != nil || len(report.Findings) > 0 {
				t.Errorf("%+v, %v", report.Findings, err)
			}
		})
	}
}

// TestMoneyOfOthersComesBack has a replica hear that another one has everything, and that one die: what it
// had is found again after its leases' end, by a replica that was asked for bids all the time and by one
// that nobody asked.
func TestMoneyOfOthersComesBack(t *testing.T) {
	for _, asked := range []bool{true, false} {
		t.Run(fmt.Sprintf("asked=%t", asked), func(t *testing.T) {
			plan, lines := totalOf(1, 40_00, 10_00)
			r := newReplicated(t, 2, plan)
			dead := r.all[0]
			answer, err := dead.store.Upkeep(t.Context(), dead.run, plan, budget.Upkeep{
				At: r.now, Wants: []budget.Want{{Line: lines[0], Least: 40_00, Cents: 40_00, Leads: 40_00}},
			})
			if err != nil || answer.Grants[0].Lease == nil {
				t.Fatal(answer, err)
			}
			r.all = r.all[1:]
			if asked {
				r.pass(time.Minute, r.all, lines, 10_00)
			} else {
				r.pass(time.Minute, nil, nil, 0)
				r.buy(r.all[0], lines[0], 10_00)
			}
			if used := r.used(); asked && used < 40_00 || used < 10_00 {
				t.Errorf("%v of $40.00 is used", used)
			}
		})
	}
}

// TestLeasesInTheCallersTime asks by clocks that are far from the server's: a lease lasts as long by the
// caller's own, and never longer than in the store.
func TestLeasesInTheCallersTime(t *testing.T) {
	address := pgtest.Address(t)
	plan, lines := totalOf(1, 1000_00, 10_00)
	for _, skew := range []time.Duration{0, time.Hour, -time.Hour} {
		s, err := store.OpenPostgres(t.Context(), address, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		run, err := s.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		asked := time.Now().Add(skew)
		answer, err := s.Upkeep(t.Context(), run, plan, budget.Upkeep{
			At: asked, Wants: []budget.Want{{Line: lines[0], Least: 1, Cents: 10_00, Leads: 10}},
		})
		answered := time.Now().Add(skew)
		if err != nil || answer.Grants[0].Lease == nil {
			t.Fatal(answer, err)
		}
		lease := answer.Grants[0].Lease
		const length, terms = 30 * time.Second, 6 * time.Second
		if until := lease.BidUntil; until.Before(asked.Add(length-10*time.Millisecond)) || until.After(answered.Add(length)) {
			t.Errorf("skew %v: asked at %v, answered at %v, the lease ends at %v", skew, asked, answered, until)
		}
		if lease.CloseAt.Sub(lease.BidUntil) != terms {
			t.Errorf("skew %v: the last bid has %v", skew, lease.CloseAt.Sub(lease.BidUntil))
		}

		// As if the server's clock had been set back an hour since.
		server, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close(context.WithoutCancel(t.Context()))
		const later = `UPDATE lease SET bid_until_ms = bid_until_ms + 3600000, close_at_ms = close_at_ms + 3600000 WHERE id = $1`
		if _, err := server.Exec(t.Context(), later, int64(lease.ID)); err != nil {
			t.Fatal(err)
		}
		again, err := s.Upkeep(t.Context(), run, plan, budget.Upkeep{At: asked, Reads: []budget.LeaseID{lease.ID}})
		if err != nil || len(again.Leases) != 1 {
			t.Fatal(again, err)
		}
		if until := again.Leases[0].BidUntil; until.After(time.Now().Add(skew + length)) {
			t.Errorf("skew %v: the lease of an hour ago ends at %v", skew, until)
		}
	}
}

// TestLeaseSize has three replicas want everything in turn.
func TestLeaseSize(t *testing.T) {
	plan, lines := totalOf(1, 120_00, 10_00)
	r := newReplicated(t, 3, plan)
	want := []pingpost.Cents{20_00, 16_66, 13_89, 11_57, 10_00, 10_00, 10_00, 10_00, 10_00} // a sixth of the rest, or one bid
	for i, cents := range want {
		one := r.all[i%3]
		answer, err := one.store.Upkeep(t.Context(), one.run, plan, budget.Upkeep{
			At: r.now, Wants: []budget.Want{{Line: lines[0], Least: 10_00, Cents: 500_00, Leads: 500_00}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if answer.Replicas != 3 {
			t.Errorf("%d replicas", answer.Replicas)
		}
		if lease := answer.Grants[0].Lease; lease == nil || lease.Cents != cents {
			t.Errorf("lease %d is %+v, not of %v", i+1, lease, cents)
		}
	}
}

// TestReplicasAfterTheClockIsSetBack: one that ended while the server's clock was an hour ahead is not taken for
// live until it is that time again, and those that live are counted as soon as they ask.
func TestReplicasAfterTheClockIsSetBack(t *testing.T) {
	plan, _ := totalOf(1, 120_00, 10_00)
	r := newReplicated(t, 3, plan)
	counts := func(all ...*replica) (counted []int64) {
		for _, one := range all {
			answer, err := one.store.Upkeep(t.Context(), one.run, plan, budget.Upkeep{At: r.now})
			if err != nil {
				t.Fatal(err)
			}
			counted = append(counted, answer.Replicas)
		}
		return counted
	}
	r.now = noon.Add(time.Hour)
	if counted := counts(r.all...); !slices.Equal(counted, []int64{1, 2, 3}) {
		t.Errorf("an hour after they began: %v", counted)
	}
	r.now = noon
	if counted := counts(r.all[0], r.all[1], r.all[0]); !slices.Equal(counted, []int64{1, 2, 2}) {
		t.Errorf("after the clock was set back, without the third: %v", counted)
	}
}
