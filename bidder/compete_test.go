package bidder_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/pingpost"
)

// competing is campaigns that all buy the same pings, with everything that makes a price of its own:
// an experiment, a clipped budget, a price that follows the win rate.
const competing = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {month: $9000}, choose: value}
store: sqlite:test.db
exchanges:
  north: {profile: native, auth: {bearer: "${KEY}"}, commitment: refusable, bid_ttl: 60s, tells: result}
  south: {profile: native, auth: {bearer: "${KEY_2}"}, commitment: binding, bid_ttl: 30s, tells: none}
campaigns:
  steady:
    priority: 2
    services: [hvac, plumbing]
    area: {states: [IL]}
    mode: sum
    rules: [{name: base, bid: 20}, {name: urgent, when: urgency == "emergency", bid: 10}]
    arms: [{name: control, share: 50%}, {name: higher, share: 50%, multiply: 1.5}]
  short:
    priority: 1
    services: [hvac]
    area: {states: [IL]}
    budget: {day: $100}
    on_short_budget: clip
    limits: {min_bid: $5, max_bid: $60}
    rules: [{name: rate, when: win_rate >= 0, bid: 30 + 10 * win_rate}, {name: all, bid: 38}]
`

func TestChoose(t *testing.T) {
	f := func(choose string, want ...string) {
		t.Helper()
		agent := newAgent(t, strings.Replace(competing, "choose: value", "choose: "+choose, 1))
		seen := map[string]bool{}
		for i := range 8 {
			p := ping(fmt.Sprint("p", i), nil)
			explained := agent.Explain(monday, p)
			d := agent.Decide(monday, p)
			if !d.Bid {
				t.Fatal(d.Reason)
			}
			if explained.Campaign != d.Campaign || explained.Price != d.Price || explained.Rule != d.Rule {
				t.Errorf("%s: explained %s %s %s, decided %s %s %s", choose, explained.Campaign, explained.Rule, explained.Price,
					d.Campaign, d.Rule, d.Price)
			}
			agent.Cancel(monday, d.Seq)
			seen[fmt.Sprint(d.Campaign, " ", d.Arm, " ", d.Price)] = true
		}
		for _, one := range want {
			if !seen[one] {
				t.Errorf("%s: no bid %q among %v", choose, one, seen)
			}
		}
		if len(seen) != len(want) {
			t.Errorf("%s: bids %v", choose, seen)
		}
	}
	f("order", "steady control $30.00", "steady higher $45.00")
	f("priority", "short  $38.00")
	f("value", "short  $38.00", "steady higher $45.00") // each the larger of the two
}

// clipped is an agent whose campaign short has so much of its day left.
func clipped(t *testing.T, left pingpost.Cents, leased pingpost.Cents) *bidder.Agent {
	t.Helper()
	rs := load(t, strings.Replace(competing, "choose: value", "choose: priority", 1))
	agent := bidder.New(7, rs, budget.NewBook(bidder.PlanOf(rs)))
	ask, ok, _ := agent.Upkeep(monday)
	if !ok {
		t.Fatal("a new Agent asks for no lease")
	}
	answer := budget.UpkeepAnswer{At: ask.At}
	for i, want := range ask.Wants {
		if want.Line.Campaign == "short" && want.Line.Exchange == "north" {
			answer.Grants = append(answer.Grants, budget.Grant{Line: want.Line, Lease: &budget.LeaseState{ID: budget.LeaseID(i + 1), Line: want.Line,
				Rev: 1, Cents: leased, Leads: 9, BidUntil: monday.Add(30 * time.Second), CloseAt: monday.Add(92 * time.Second), Open: true}})
		}
	}
	for _, line := range bidder.PlanOf(rs).Lines {
		for _, limit := range line.Caps {
			use := budget.CapUse{Cap: limit}
			use.Start, use.End = budget.WindowOf(limit.Period, monday, bidder.PlanOf(rs).Location)
			if limit.Scope.Name == "short" {
				use.SpentCents = pingpost.Cents(limit.Cents.N) - left
				use.UsedCents = use.SpentCents
			}
			answer.Caps = append(answer.Caps, use)
		}
	}
	agent.Answered(monday, answer)
	return agent
}

func TestShortBudgetIsClipped(t *testing.T) {
	f := func(left, leased, floor, want pingpost.Cents, reason pingpost.Reason) {
		t.Helper()
		agent := clipped(t, left, leased)
		agent.Pause(monday, bidder.Pauses{Campaigns: []string{"steady"}})
		p := ping("p", func(p *pingpost.Ping) { p.Floor = floor })
		explained := agent.Explain(monday, p)
		d := agent.Decide(monday, p)
		if d.Bid != (want > 0) || d.Reason != reason || (d.Bid && (d.Price != want || d.Ref.Price != want)) {
			t.Errorf("%s left, %s leased: bid %v %s %s, want %s %s", left, leased, d.Bid, d.Price, d.Reason, want, reason)
		}
		if explained.Bid != d.Bid || (d.Bid && explained.Price != d.Price) {
			t.Errorf("%s left: explained %v %s, decided %v %s", left, explained.Bid, explained.Price, d.Bid, d.Price)
		}
		if err := agent.Check(); err != nil {
			t.Error(err)
		}
	}
	f(100_00, 100_00, 0, 38_00, 0)
	f(20_00, 20_00, 0, 20_00, 0)
	f(20_00, 12_00, 0, 12_00, 0) // what is in hand of it
	f(5_00, 5_00, 0, 5_00, 0)
	f(4_99, 4_99, 0, 0, pingpost.BudgetExhausted)       // below min_bid
	f(20_00, 20_00, 20_01, 0, pingpost.BudgetExhausted) // below the floor
	f(20_00, 20_00, 19_99, 20_00, 0)
	// The day has enough, only the lease has not: nothing is given away, the next lease is waited for.
	f(100_00, 20_00, 0, 0, pingpost.StoreAway)
}

func TestWinRate(t *testing.T) {
	agent := newAgent(t, strings.Replace(competing, "choose: value", "choose: priority", 1))
	price := func(id string) pingpost.Cents {
		t.Helper()
		d := agent.Decide(monday, ping(id, nil))
		if !d.Bid {
			t.Fatal(d.Reason)
		}
		agent.Cancel(monday, d.Seq)
		return d.Price
	}
	tag := agent.Rules().Campaign("short").Tag
	ref := func(seq uint64) budget.BidRef { return budget.BidRef{Lease: 1, Campaign: tag, Run: 7, Seq: seq} }
	line := budget.Line{Campaign: "short", Exchange: "north"}
	for seq := range uint64(19) {
		agent.Notify(monday, pingpost.OutcomeLost, ref(1000+seq))
		agent.Notify(monday, pingpost.OutcomeLost, ref(1000+seq)) // told twice, counted once
	}
	if got := price("a"); got != 38_00 {
		t.Errorf("with 19 outcomes the rate is not known yet: %s", got)
	}
	// Of an exchange that tells of no loss, of another run, of a test: none of them counts.
	agent.Charged(monday, budget.Charged{Line: budget.Line{Campaign: "short", Exchange: "south"}, Ref: ref(1), Accepted: true})
	agent.Notify(monday, pingpost.OutcomeLost, budget.BidRef{Lease: 1, Campaign: tag, Run: 6, Seq: 2})
	agent.Notify(monday, pingpost.OutcomeLost, budget.BidRef{Campaign: tag, Run: 7, Seq: 3})
	if got := price("b"); got != 38_00 {
		t.Errorf("what does not count counted: %s", got)
	}
	for seq := range uint64(19) {
		agent.Charged(monday, budget.Charged{Line: line, Ref: ref(2000 + seq), Accepted: true})
	}
	if got := price("c"); got != 35_00 {
		t.Errorf("half of the bids were won: %s, want $35.00", got)
	}
	for seq := range uint64(50) {
		agent.Notify(monday, pingpost.OutcomeLost, ref(3000+seq))
	}
	if got := price("d"); got != 30_00 {
		t.Errorf("none of the latest fifty was won: %s, want $30.00", got)
	}
}
