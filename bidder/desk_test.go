package bidder_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"leadbid/bidder"
	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

// strategic is one campaign of each kind of strategy.
const strategic = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {month: $9000, week: $900}}
store: sqlite:test.db
exchanges:
  north: {profile: native, auth: {bearer: "${KEY}"}, commitment: refusable, bid_ttl: 60s, auction: first, tells: result}
  south: {profile: native, auth: {bearer: "${KEY_2}"}, commitment: refusable, bid_ttl: 30s, auction: second}
campaigns:
  written:
    services: [plumbing]
    area: {states: [IL]}
    budget: {day: $100}
    strategy: {pacing: learned}
    limits: {min_bid: $5, max_bid: $60}
    rules: [{name: score, bid: 10 + 0.5 * lead_score}]
  profitable:
    services: [hvac]
    area: {states: [IL]}
    budget: {day: $100}
    capacity: {leads: {week: 20}, crew_hours: {day: 6}}
    hours_per_job: 'job == "install" ? 7 : 2'
    strategy: {pacing: even, objective: profit}
    value: {close: 20%, job: $800, margin: 50%}
    rules: [{name: all, bid: 50}]
  large:
    services: [roofing]
    area: {states: [IL]}
    strategy: {pacing: learned, objective: volume}
    value: 2 * lead_score
    limits: {max_bid: $60}
    rules: [{name: all, bid: 30}]
`

// TestWrittenBidsArePaced offers more leads than the day's money buys: what is bought are the better
// ones, at the price that is written.
func TestWrittenBidsArePaced(t *testing.T) {
	agent := newAgent(t, strategic)
	bought, paced := map[int]int{}, map[int]int{}
	now := monday
	for i := range 200 {
		now = now.Add(2 * time.Second)
		fillUp(agent, now, 0.5)
		score := 10 * (i % 10)
		d := agent.Decide(now, ping(fmt.Sprint("p", i), func(p *pingpost.Ping) {
			p.Service, p.LeadScore = pingpost.Plumbing, pingpost.Score{Value: float64(score), Known: true}
		}))
		switch {
		case d.Bid && d.Price != pingpost.Cents(1000+50*score):
			t.Fatalf("a score of %d is bid %v", score, d.Price)
		case d.Bid:
			bought[score]++
			agent.Notify(now, pingpost.OutcomeLost, d.Ref)
		case d.Reason != pingpost.PacedOut:
			t.Fatalf("ping %d: %s", i, d.Reason)
		default:
			paced[score]++
		}
	}
	if bought[90] < 2*bought[10] || paced[0] == 0 {
		t.Errorf("bids by score: %v, paced %v", bought, paced)
	}
}

// fillUp answers the Agent's questions with money, and tells it that a share of the day is spent.
func fillUp(agent *bidder.Agent, now time.Time, share float64) {
	ask, ok, _ := agent.Upkeep(now)
	if !ok {
		return
	}
	plan := bidder.PlanOf(agent.Rules())
	answer := budget.UpkeepAnswer{At: ask.At, Caps: bidder.UnusedCaps(plan, now)}
	for i := range answer.Caps {
		answer.Caps[i].UsedCents = pingpost.Cents(share * float64(answer.Caps[i].Cap.Cents.N))
	}
	for i, want := range ask.Wants {
		answer.Grants = append(answer.Grants, budget.Grant{Line: want.Line, Lease: &budget.LeaseState{
			ID: budget.LeaseID(now.Unix()*100 + int64(i)), Line: want.Line, Rev: 1, Cents: 2000_00, Leads: 300,
			BidUntil: now.Add(30 * time.Second), CloseAt: now.Add(92 * time.Second), Open: true,
		}})
	}
	agent.Answered(now, answer)
}

// TestStrategyExplains prints the way of a price through each strategy.
func TestStrategyExplains(t *testing.T) {
	agent := newAgent(t, strategic)
	f := func(service pingpost.Service, exchange, path string) {
		t.Helper()
		p := ping(exchange+service.String(), func(p *pingpost.Ping) {
			p.Service, p.Exchange, p.LeadScore = service, exchange, pingpost.Score{Value: 40, Known: true}
		})
		explained := agent.Explain(monday, p)
		d := agent.Decide(monday, p)
		if explained.Bid != d.Bid || explained.Price != d.Price || explained.Reason != d.Reason {
			t.Errorf("explained %v %s %s, decided %v %s %s", explained.Bid, explained.Price, explained.Reason,
				d.Bid, d.Price, d.Reason)
		}
		for _, one := range explained.Campaigns {
			if one.Campaign == explained.Campaign && one.Path != path {
				t.Errorf("%s on %s:\n got %s\nwant %s", one.Campaign, exchange, one.Path, path)
			}
		}
	}
	f(pingpost.Plumbing, "south", "your price $30.00 -> strategy as_written, learned: worth $30.00, money for every lead -> bid $30.00")
	f(pingpost.HVAC, "south", "your price $50.00 -> strategy profit, even: worth $80.00, 0.5 crew hours on a day that has them -> bid $50.00")
	f(pingpost.HVAC, "north", "your price $50.00 -> strategy profit, even: worth $80.00, 0.5 crew hours on a day that has them, shaded to a 34 % chance (a guess: nothing is known of this market yet) -> bid $45.60")
	f(pingpost.Roofing, "south", "your price $30.00 -> strategy volume, learned: worth $80.00, times 20.00 to spend the budget -> bid $60.00")
}

// TestOutcomesChangeTheWorth: a source whose leads never close is bid less for, once that is known
// and not before; and the trace says what it goes by.
func TestOutcomesChangeTheWorth(t *testing.T) {
	agent := newAgent(t, strategic)
	f := func(source, want string) (price pingpost.Cents) {
		t.Helper()
		p := ping("p", func(p *pingpost.Ping) {
			p.Service, p.Exchange, p.Source = pingpost.HVAC, "south", source
		})
		for _, one := range agent.Explain(monday, p).Campaigns {
			if one.Campaign != "profitable" {
				continue
			}
			for _, step := range one.Trace.Steps {
				if step.Kind == rules.StepValue && step.String() != want {
					t.Errorf("%s:\n got %s\nwant %s", source, step, want)
				}
			}
			price = one.Price
		}
		return price
	}
	const before = "worth $80.00 (close 20 % as configured x $800.00 x 50 %)"
	first := f("google-12", before)
	p := ping("p", nil)
	known := strategy.Evidence{Segment: strategy.SegmentOf(pingpost.HVAC, p.Job, p.ZIP, "google-12"), Leads: 90, Known: monday.Add(time.Second)}
	agent.Outcome(monday, []strategy.Evidence{known})
	if again := f("google-12", before); again != first {
		t.Errorf("bid %v, then %v by what nobody knew yet", first, again)
	}
	known.Known = monday
	agent.Outcome(monday, []strategy.Evidence{known})
	after := f("google-12", "worth $1.25 (close 0.3 % of 90 leads from google-12 x $800.00 x 50 %)")
	if other := f("google-13", "worth $5.00 (close 1.3 % of 90 leads in ZIPs 606.. x $800.00 x 50 %)"); after >= first || other <= after {
		t.Errorf("bid %v, then %v, and %v for another source", first, after, other)
	}
	if leads, closed := agent.Learned(); leads != 90 || closed != 0 {
		t.Errorf("learned from %d leads, %d closed", leads, closed)
	}
}

// TestNoStrategyNoCost keeps the strategy out of the way of who does not want one.
func TestNoStrategyNoCost(t *testing.T) {
	agent := newAgent(t, strings.ReplaceAll(competing, "choose: value", "choose: order"))
	agent.Decide(monday, ping("p", nil))
	if state := agent.Snapshot().Strategy; len(state.Lines)+len(state.Caps)+len(state.Open) > 0 {
		t.Errorf("a plain configuration has a strategy: %+v", state)
	}
}

// TestDecisionsSayHowTheyWerePriced reads them as a recording has them.
func TestDecisionsSayHowTheyWerePriced(t *testing.T) {
	agent := newAgent(t, strings.Replace(strategic, "objective: profit}", "objective: profit, explore: 20%}", 1))
	explored := false
	for i := range 40 {
		d := agent.Decide(monday, ping(fmt.Sprint("p", i), nil))
		text := string(d.AppendJSON(nil))
		if !json.Valid([]byte(text)) || !strings.Contains(text, `,"worth":80,"lambda":`) || !strings.Contains(text, `,"chance":0.`) {
			t.Fatal(text)
		}
		if strings.Contains(text, `,"tried":`) {
			explored = strings.Contains(text, `,"explore":0.2,`)
		}
	}
	if !explored {
		t.Error("no bid explores")
	}
	said := agent.Decide(monday, ping("second", func(p *pingpost.Ping) { p.Auction = pingpost.AuctionSecond }))
	if said.Quote.Shaded {
		t.Error("shaded where the ping says that the winner pays less than its bid")
	}
	plain := newAgent(t, twoCampaigns).Decide(monday, ping("p", nil))
	if text := string(plain.AppendJSON(nil)); strings.Contains(text, "worth") {
		t.Error(text)
	}
}

// TestCrewIsFull fills today with emergencies: the next one is refused, whatever money is left, and
// bought again once a lead is given back.
func TestCrewIsFull(t *testing.T) {
	agent := newAgent(t, strings.ReplaceAll(strategic, "value: {close: 20%,", "value: {close: 100%,"))
	var won []bidder.Decision
	emergency := func(id string) bidder.Decision {
		fillUp(agent, monday, 0)
		return agent.Decide(monday, ping(id, func(p *pingpost.Ping) {
			p.Service, p.Exchange, p.Urgency = pingpost.HVAC, "south", pingpost.UrgencyEmergency
		}))
	}
	for i := range 3 {
		d := emergency(fmt.Sprint("p", i))
		if !d.Bid {
			t.Fatalf("%d hours are booked, and the next lead is %s", 2*i, d.Reason)
		}
		agent.Charged(monday, budget.Charged{Line: budget.Line{Campaign: "profitable", Exchange: "south"}, Ref: d.Ref, Accepted: true, Price: d.Price})
		won = append(won, d)
	}
	if d := emergency("p3"); d.Reason != pingpost.CapacityFull {
		t.Errorf("with 6 hours booked: %v, %s", d.Bid, d.Reason)
	}
	agent.Notify(monday, pingpost.OutcomeReturned, won[1].Ref)
	if d := emergency("p4"); !d.Bid {
		t.Errorf("with a lead returned: %s", d.Reason)
	}
}
