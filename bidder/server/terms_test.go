package server

import (
	"fmt"
	"testing"
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

const termsConfiguration = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {day: $20}}
exchanges:
  quick: {auth: {bearer: "a-key-of-at-least-sixteen"}, commitment: refusable, bid_ttl: 10s, hold_for: 3s, grace: 0s}
  patient: {auth: {bearer: "another-key-of-sixteen"}, commitment: refusable, bid_ttl: 5m, hold_for: 45s, grace: 20s}
  strict: {auth: {bearer: "and-one-more-of-sixteen"}, commitment: binding, bid_ttl: 40s, grace: 5s}
campaigns:
  hvac:
    services: [hvac]
    exchanges: [%s]
    area: {states: [IL]}
    rules: [{bid: 20}]
    reject: [{name: not our town, when: 'lead.city == "Gary"', reason: outside_area}]
    delivery: [{file: a}]
`

// seller is an exchange of a test, with one bid in hand.
type seller struct {
	t    *testing.T
	s    *Server
	wait func(time.Duration)
	x    string
}

const auctionTime = 300 * time.Millisecond

func (e *seller) ask(id string) bidder.Decision {
	ping := &pingpost.Ping{Exchange: e.x, ID: id, TmaxMS: int(auctionTime.Milliseconds()), Service: pingpost.HVAC, Job: pingpost.Repair,
		ZIP: 60614, State: "IL", Exclusive: true}
	ping.Digest = ping.ComputeDigest()
	e.s.tendLeases(e.t.Context())
	return e.s.agent.Decide(e.s.clock.now(), ping)
}

func (e *seller) bid(id string) bidder.Decision {
	e.t.Helper()
	decision := e.ask(id)
	if !decision.Bid {
		e.t.Fatalf("no bid: %v", decision.Reason)
	}
	return decision
}

// postOf is the full lead of a bid.
func (e *seller) postOf(d bidder.Decision, id string) *pingpost.Post {
	return &pingpost.Post{Exchange: e.x, PingID: id, Price: d.Price, ZIP: 60614, Service: pingpost.HVAC, Job: pingpost.Repair,
		Exclusive: true, BodyHash: [32]byte{1}, Lead: pingpost.Lead{Email: pingpost.NewPrivate(id + "@example.com"), City: "Chicago"},
		BidID: string(e.s.keys.Load().AppendBidID(nil, d.Ref, e.x, id))}
}

func (e *seller) post(post *pingpost.Post) pingpost.Verdict {
	return e.s.settle(e.s.clock.now(), e.s.inForce.Load().exchanges[post.Exchange], post)
}

func (e *seller) notice(post *pingpost.Post, outcome pingpost.Outcome) {
	e.t.Helper()
	notice := &pingpost.Notice{PingID: post.PingID, BidID: post.BidID, Outcome: outcome}
	x := e.s.inForce.Load().exchanges[post.Exchange]
	ref, seal, err := e.s.openNotice(x, notice)
	if err != nil || seal != budget.SealGood {
		e.t.Fatal(seal, err)
	}
	if err := e.s.notify(x, notice, ref); err != nil {
		e.t.Fatal(err)
	}
}

func newSeller(t *testing.T, exchange string) (*seller, store.Store) {
	t.Helper()
	servers, books, wait := quietServers(t, fmt.Sprintf(termsConfiguration, exchange), 1)
	return &seller{t, servers[0], wait, exchange}, books
}

// TestTermsOfEachExchange holds each exchange's own times: when a post comes too late, and when the
// only money that there is can be bid again, with and without the notice that the bid lost.
func TestTermsOfEachExchange(t *testing.T) {
	for exchange, want := range map[string]struct{ lastPost, held, heldAfterLoss time.Duration }{
		"quick":   {10 * time.Second, auctionTime + 3*time.Second, 0},
		"patient": {5*time.Minute + 20*time.Second, auctionTime + 45*time.Second, 0},
		"strict":  {45 * time.Second, 50 * time.Second, 50 * time.Second},
	} {
		t.Run(exchange, func(t *testing.T) {
			for late, reason := range map[time.Duration]pingpost.Reason{
				-200 * time.Millisecond: pingpost.ReasonNone, 200 * time.Millisecond: pingpost.BidExpired,
			} {
				e, _ := newSeller(t, exchange)
				d := e.bid("p-1")
				if stands := d.ExpiresIn(); stands > want.lastPost || stands < want.lastPost-21*time.Second {
					t.Errorf("the bid stands %v", stands)
				}
				e.wait(0) // the clock ran on while the bid was made
				e.wait(d.At.Add(want.lastPost + late).Sub(e.s.clock.now()))
				if got := e.post(e.postOf(d, "p-1")); got.Reason != reason {
					t.Errorf("a post %v after its last moment got %q, not %q", late, got.Reason, reason)
				}
			}
			for _, lost := range []bool{false, true} {
				e, _ := newSeller(t, exchange)
				post, held := e.postOf(e.bid("p-1"), "p-1"), want.held
				if lost {
					e.notice(post, pingpost.OutcomeLost)
					held = want.heldAfterLoss
				}
				var waited time.Duration
				for n := 2; ; n++ {
					d := e.ask(fmt.Sprintf("p-%d", n))
					if d.Bid {
						break
					}
					if waited > time.Hour || d.Reason != pingpost.OpenBids && d.Reason != pingpost.StoreAway {
						t.Fatalf("after %v: %v", waited, d.Reason)
					}
					e.wait(250 * time.Millisecond)
					waited += 250 * time.Millisecond
				}
				// It is free with the next reading of the books, a question or two after the hold's end.
				if waited < held-250*time.Millisecond || waited > held+3*time.Second {
					t.Errorf("lost=%v: the money was held for %v, not %v", lost, waited, held)
				}
			}
		})
	}
}

// TestEveryPostHasItsReason posts one bid in every wrong way, each with its own answer, and none of
// them charged.
func TestEveryPostHasItsReason(t *testing.T) {
	for _, c := range []struct {
		name   string
		kind   pingpost.VerdictKind
		reason pingpost.Reason
		change func(*seller, *pingpost.Post)
	}{
		{"as bid", pingpost.VerdictAccepted, 0, func(*seller, *pingpost.Post) {}},
		{"cheaper", pingpost.VerdictAccepted, 0, func(_ *seller, p *pingpost.Post) { p.Price-- }},
		{"dearer", pingpost.VerdictRejected, pingpost.PriceMismatch, func(_ *seller, p *pingpost.Post) { p.Price++ }},
		{"for nothing", pingpost.VerdictRejected, pingpost.PriceMismatch, func(_ *seller, p *pingpost.Post) { p.Price = 0 }},
		{"a negative price", pingpost.VerdictRejected, pingpost.PriceMismatch, func(_ *seller, p *pingpost.Post) { p.Price = -20_00 }},
		{"another ZIP", pingpost.VerdictRejected, pingpost.PingMismatch, func(_ *seller, p *pingpost.Post) { p.ZIP++ }},
		{"another service", pingpost.VerdictRejected, pingpost.PingMismatch, func(_ *seller, p *pingpost.Post) { p.Service = pingpost.Roofing }},
		{"another job", pingpost.VerdictRejected, pingpost.PingMismatch, func(_ *seller, p *pingpost.Post) { p.Job = pingpost.Replace }},
		{"shared after all", pingpost.VerdictRejected, pingpost.PingMismatch, func(_ *seller, p *pingpost.Post) { p.Exclusive = false }},
		{"of another ping", pingpost.VerdictRejected, pingpost.BidUnknown, func(_ *seller, p *pingpost.Post) { p.PingID = "p-2" }},
		{"at another exchange", pingpost.VerdictRejected, pingpost.BidUnknown, func(_ *seller, p *pingpost.Post) { p.Exchange = "patient" }},
		{"a changed bid id", pingpost.VerdictRejected, pingpost.BidUnknown, func(_ *seller, p *pingpost.Post) {
			p.BidID = p.BidID[:30] + string(p.BidID[30]^1) + p.BidID[31:]
		}},
		{"no bid id", pingpost.VerdictRejected, pingpost.BidUnknown, func(_ *seller, p *pingpost.Post) { p.BidID = "" }},
		{"late", pingpost.VerdictRejected, pingpost.BidExpired, func(e *seller, _ *pingpost.Post) { e.wait(11 * time.Second) }},
		{"nobody to reach", pingpost.VerdictRejected, pingpost.InvalidField, func(_ *seller, p *pingpost.Post) { p.Lead.Email = pingpost.Private{} }},
		{"flagged as a test", pingpost.VerdictRejected, pingpost.TestPing, func(_ *seller, p *pingpost.Post) { p.Test = true }},
		{"our own rule", pingpost.VerdictRejected, pingpost.RejectedByRule, func(_ *seller, p *pingpost.Post) { p.Lead.City = "Gary" }},
		{"withdrawn", pingpost.VerdictRejected, pingpost.Voided, func(e *seller, p *pingpost.Post) { e.notice(p, pingpost.OutcomeVoided) }},
		{"posted before with another body", pingpost.VerdictConflict, 0, func(e *seller, p *pingpost.Post) {
			other := *p
			other.BodyHash, other.Lead.City = [32]byte{9}, "Gary"
			e.post(&other)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, books := newSeller(t, "quick")
			post := e.postOf(e.bid("p-1"), "p-1")
			c.change(e, post)
			first := e.post(post)
			if first.Kind != c.kind || first.Reason != c.reason {
				t.Errorf("%v %q", first.Kind, first.Reason)
			}
			for range 3 {
				if again := e.post(post); again != first {
					t.Errorf("again it got %+v, first %+v", again, first)
				}
			}
			counts, err := books.Counts(t.Context())
			charged := pingpost.Cents(0)
			if c.kind == pingpost.VerdictAccepted {
				charged = post.Price
			}
			if err != nil || counts.Charged != charged {
				t.Errorf("charged %v, %v", counts.Charged, err)
			}
		})
	}
}

// TestTestPingsNeverTouchMoney takes test bids through posts and every notice, also at a second
// server and after a restart: nothing is leased for them beyond what is, nothing booked, nothing used.
func TestTestPingsNeverTouchMoney(t *testing.T) {
	servers, books, wait := quietServers(t, fmt.Sprintf(termsConfiguration, "quick"), 2)
	e := &seller{t, servers[0], wait, "quick"}
	e.bid("p-real") // all the money there is
	before := e.state(books)
	for i, outcome := range []pingpost.Outcome{pingpost.OutcomeNone, pingpost.OutcomeWon, pingpost.OutcomeLost,
		pingpost.OutcomeReturned, pingpost.OutcomeVoided} {
		ping := &pingpost.Ping{Exchange: e.x, ID: fmt.Sprintf("test-%d", i), TmaxMS: 300, Service: pingpost.HVAC,
			Job: pingpost.Repair, ZIP: 60614, State: "IL", Exclusive: true, Test: true}
		ping.Digest = ping.ComputeDigest()
		d := e.s.agent.Decide(e.s.clock.now(), ping)
		if !d.Bid || !d.Test {
			t.Fatalf("a test ping got %+v", d)
		}
		post := e.postOf(d, ping.ID)
		post.Test = i%2 == 0 // an exchange may say so again, or not
		for _, s := range servers {
			at := &seller{t, s, wait, e.x}
			if outcome != pingpost.OutcomeNone {
				at.notice(post, outcome)
			}
			if got := at.post(post); got.Kind != pingpost.VerdictAccepted || got.LeadID != "test-"+ping.ID {
				t.Errorf("%v: a test post got %+v", outcome, got)
			}
			if outcome != pingpost.OutcomeNone {
				at.notice(post, outcome)
			}
		}
	}
	if after := e.state(books); after != before {
		t.Errorf("test bids changed the books:\n%s\n%s", before, after)
	}
}

// state is everything that money could show in.
func (e *seller) state(books store.Store) string {
	e.t.Helper()
	counts, err := books.Counts(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	uses, err := books.Usage(e.t.Context(), e.s.inForce.Load().plan, e.s.clock.now())
	if err != nil {
		e.t.Fatal(err)
	}
	report, err := books.Verify(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	return fmt.Sprintf("%+v %+v %+v", counts, uses, report)
}
