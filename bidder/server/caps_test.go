package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

// buyer buys for one server of a test, as an exchange that takes every bid.
type buyer struct {
	t     *testing.T
	s     *Server
	books store.Store
	wait  func(time.Duration)
	pings int
}

// buy asks for one bid and posts it where there is one; else it gives the reason.
func (b *buyer) buy(exchange string, service pingpost.Service) (pingpost.Reason, *pingpost.Ping) {
	b.t.Helper()
	for range 100 {
		b.pings++
		ping := &pingpost.Ping{Exchange: exchange, ID: fmt.Sprintf("p-%d", b.pings), TmaxMS: 300,
			Service: service, ZIP: 60614, State: "IL"}
		ping.Digest = ping.ComputeDigest()
		b.s.tendLeases(b.t.Context())
		decision := b.s.agent.Decide(b.s.clock.now(), ping)
		if !decision.Bid {
			if decision.Reason == pingpost.OpenBids || decision.Reason == pingpost.StoreAway {
				b.wait(time.Second) // the lease comes, or a hold ends
				continue
			}
			return decision.Reason, ping
		}
		post := &pingpost.Post{Exchange: exchange, PingID: ping.ID, Price: decision.Price, ZIP: ping.ZIP, Service: service,
			BidID: string(b.s.keys.Load().AppendBidID(nil, decision.Ref, exchange, ping.ID)),
			Lead:  pingpost.Lead{Email: pingpost.NewPrivate(ping.ID + "@example.com")}}
		post.BodyHash = [32]byte([]byte(fmt.Sprintf("%032d", b.pings)))
		if got := b.s.settle(b.s.clock.now(), b.s.inForce.Load().exchanges[exchange], post); got.Kind != pingpost.VerdictAccepted {
			b.t.Fatalf("a bid that was made is refused as %v", got.Reason)
		}
		return pingpost.ReasonNone, ping
	}
	b.t.Fatal("there is neither a bid nor a reason for good")
	return 0, nil
}

const capConfiguration = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {total: $100000%s}%s}
exchanges:
  north: {auth: {bearer: "a-key-of-at-least-sixteen"}, commitment: refusable, hold_for: 1s%s}
  south: {auth: {bearer: "another-key-of-sixteen"}, commitment: refusable, hold_for: 1s}
campaigns:
  hvac: {services: [hvac], area: {states: [IL]}, budget: {total: $90000%s}, rules: [{bid: 20}], delivery: [{file: a}]%s}
  roof: {services: [roofing], area: {states: [IL]}, rules: [{bid: 20}], delivery: [{file: a}]}
`

// TestEveryCap buys under each of the thirty caps that there are until it says no: the cap is reached
// exactly and not passed, the reason, the explanation and the status name it, what is not under it goes
// on, and its next window buys again.
func TestEveryCap(t *testing.T) {
	for kind := budget.ScopeBusiness; kind <= budget.ScopeCampaign; kind++ {
		for _, period := range pingpost.Periods() {
			for _, leads := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/leads=%t", kind, period, leads), func(t *testing.T) {
					t.Parallel()
					testCap(t, kind, period, leads)
				})
			}
		}
	}
}

func testCap(t *testing.T, kind budget.ScopeKind, period pingpost.Period, leads bool) {
	// The places for: dollars of the business, its leads, the exchange, the campaign's dollars and leads.
	var places [5]any
	for i := range places {
		places[i] = ""
	}
	reason, amount := pingpost.BudgetExhausted, fmt.Sprintf("%s: $100", period)
	if leads {
		reason, amount = pingpost.CapacityFull, fmt.Sprintf("capacity: {leads: {%s: 5}}", period)
	}
	total := period == pingpost.Total && !leads
	switch {
	case kind == budget.ScopeExchange && leads:
		places[2] = ", " + amount
	case kind == budget.ScopeExchange:
		places[2] = ", budget: {" + amount + "}"
	case kind == budget.ScopeBusiness && leads:
		places[1] = ", " + amount
	case kind == budget.ScopeBusiness && !total:
		places[0] = ", " + amount
	case leads:
		places[4] = ", " + amount
	case !total:
		places[3] = ", " + amount
	}
	text := fmt.Sprintf(capConfiguration, places[:]...)
	if total && kind == budget.ScopeBusiness {
		text = strings.Replace(text, "$100000", "$100", 1)
	} else if total && kind == budget.ScopeCampaign {
		text = strings.Replace(text, "$90000", "$100", 1)
	}
	servers, books, wait := quietServers(t, text, 1)
	b := &buyer{t: t, s: servers[0], books: books, wait: wait}
	for n := range 5 {
		if got, _ := b.buy("north", pingpost.HVAC); got != pingpost.ReasonNone {
			t.Fatalf("lead %d: %v", n+1, got)
		}
	}
	got, ping := b.buy("north", pingpost.HVAC)
	if got != reason {
		t.Fatalf("lead 6: %v, not %v", got, reason)
	}
	b.explained(ping, kind, period, reason)
	b.shown(kind, period, leads)
	elsewhere, service := "south", pingpost.HVAC
	if kind == budget.ScopeCampaign {
		elsewhere, service = "north", pingpost.Roofing
	}
	want := pingpost.ReasonNone
	if kind == budget.ScopeBusiness {
		want = reason
	}
	if got, _ := b.buy(elsewhere, service); got != want {
		t.Errorf("what is not under the cap got %v, not %v", got, want)
	}
	if _, end := budget.WindowOf(period, b.s.clock.now(), b.s.inForce.Load().plan.Location); !end.IsZero() {
		wait(end.Sub(b.s.clock.now()) + time.Second)
		want = pingpost.ReasonNone
	} else {
		wait(400 * 24 * time.Hour)
		want = reason
	}
	if got, _ := b.buy("north", pingpost.HVAC); got != want {
		t.Errorf("after the window it got %v, not %v", got, want)
	}
	if report, err := books.Verify(t.Context()); err != nil || len(report.Findings) > 0 {
		t.Error(report.Findings, err)
	}
}

func (b *buyer) explained(ping *pingpost.Ping, kind budget.ScopeKind, period pingpost.Period, reason pingpost.Reason) {
	b.t.Helper()
	for _, one := range b.s.agent.Explain(b.s.clock.now(), ping).Campaigns {
		if one.Campaign != "hvac" {
			continue
		}
		if one.Reason != reason || one.Cap == nil || one.Cap.Scope != kind.String() || one.Cap.Period != period.String() {
			b.t.Errorf("explained as %v by %+v", one.Reason, one.Cap)
		}
	}
}

func (b *buyer) shown(kind budget.ScopeKind, period pingpost.Period, leads bool) {
	b.t.Helper()
	status, err := b.s.Status(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range status.Caps {
		if c.Scope != kind.String() || c.Period != period.String() {
			continue
		}
		if leads && (c.LimitLeads == nil || *c.LimitLeads != 5 || c.UsedLeads != 5) ||
			!leads && (c.Limit == nil || *c.Limit != 100_00 || c.Used != 100_00) {
			b.t.Errorf("the status shows %+v", c)
		}
		return
	}
	b.t.Error("the status does not show the cap")
}
