package storetest

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

// ledger is the naive twin: every purchase in a list, with the cents it cost. What a window has
// bought is found by walking the list.
type ledger struct {
	bought []purchase
	leases map[budget.LeaseID]budget.LeaseState
}

type purchase struct {
	post     store.Post
	returned bool
}

func (l *ledger) used(from, to time.Time) (sum pingpost.Cents, n int64) {
	for _, p := range l.bought {
		at := p.post.Charge.BidAt
		if !p.returned && !at.Before(from) && (to.IsZero() || at.Before(to)) {
			sum += p.post.Charge.Price
			n++
		}
	}
	return sum, n
}

// testRandom does random things to one store for a while of virtual hours, and after each checks
// every cap of the plan against the list.
func testRandom(t *testing.T, b *bench) {
	plan := planOf(
		business(pingpost.Day, 400_00), cents(pingpost.Hour, 120_00),
		budget.Cap{Scope: budget.Scope{Kind: budget.ScopeCampaign, Name: "hvac"}, Period: pingpost.Week,
			Cents: budget.Limit{N: 900_00, Set: true}, Leads: budget.Limit{N: 60, Set: true}},
	)
	book := &ledger{leases: map[budget.LeaseID]budget.LeaseState{}}
	rapid.Check(t, func(r *rapid.T) {
		b.t = r
		for range rapid.IntRange(5, 20).Draw(r, "steps") {
			book.step(r, b, plan)
			for i, w := range plan.Lines[0].Caps {
				from, to := budget.WindowOf(w.Period, b.clock(), zone)
				sum, n := book.used(from, to)
				u := b.use(plan, i)
				if u.UsedCents != sum || u.UsedLeads != n {
					r.Fatalf("cap %d has used %v and %d, the list says %v and %d", i, u.UsedCents, u.UsedLeads, sum, n)
				}
				if u.SpentCents+u.LeasedCents > pingpost.Cents(w.Cents.N) && w.Cents.Set {
					r.Fatalf("cap %d has promised %v of %d", i, u.SpentCents+u.LeasedCents, w.Cents.N)
				}
			}
		}
		if rapid.IntRange(0, 4).Draw(r, "verify") == 0 {
			b.verify()
		}
	})
	b.t = t
	b.verify()
}

func (l *ledger) step(r *rapid.T, b *bench, plan *budget.Plan) {
	ids := []budget.LeaseID{0}
	for id := budget.LeaseID(1); len(ids) <= len(l.leases); id++ {
		if _, ok := l.leases[id]; ok {
			ids = append(ids, id)
		}
	}
	lease := rapid.SampledFrom(ids).Draw(r, "lease")
	price := pingpost.Cents(rapid.IntRange(1_00, 45_00).Draw(r, "price"))
	switch rapid.IntRange(0, 6).Draw(r, "action") {
	case 0, 1, 2:
		p := b.post(plan, lease, price)
		if held, ok := l.leases[lease]; ok && !p.At.Before(held.BidUntil) {
			return // no Book would bid from it
		}
		p.Charge.Price -= pingpost.Cents(rapid.IntRange(0, 99).Draw(r, "rebate"))
		if b.send(p).Outcome == store.PostAccepted {
			l.bought = append(l.bought, purchase{post: p})
		}
	case 3:
		ask := want(price*4, int64(rapid.IntRange(1, 8).Draw(r, "leads")))
		if lease != 0 {
			ask.Keeps = []budget.Keep{{
				ID: lease, Extend: rapid.Bool().Draw(r, "extend"), ReturnCents: price, ReturnLeads: 1, OutstandingCents: 5_00,
			}}
		}
		l.learn(b.upkeep(plan, ask))
	case 4:
		if len(l.bought) > 0 {
			p := &l.bought[rapid.IntRange(0, len(l.bought)-1).Draw(r, "lead")]
			answer, err := b.s.Credit(context.Background(), store.Credit{
				Exchange: p.post.Charge.Exchange, PingID: p.post.Charge.PingID, BidID: p.post.Charge.BidID,
				Outcome: pingpost.OutcomeReturned, At: b.clock(),
			})
			b.must(err)
			if (answer.Credited == p.post.Charge.Price) == p.returned {
				r.Fatalf("credited %v of %v, returned before: %v", answer.Credited, p.post.Charge.Price, p.returned)
			}
			p.returned = true
		}
	case 5:
		b.wait(time.Duration(rapid.IntRange(1, 60).Draw(r, "seconds")) * time.Second)
		l.learn(b.upkeep(plan, budget.Upkeep{}))
	case 6:
		b.wait(time.Duration(rapid.IntRange(1, 40).Draw(r, "minutes")) * time.Minute)
		l.learn(b.upkeep(plan, budget.Upkeep{}))
	}
}

func (l *ledger) learn(answer budget.UpkeepAnswer) {
	for _, state := range answer.Leases {
		if l.leases[state.ID] = state; !state.Open {
			delete(l.leases, state.ID)
		}
	}
}
