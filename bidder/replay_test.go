package bidder_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/bidder"
	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

// input is one recorded call, to be made on another Agent as well.
type input func(agent *bidder.Agent) string

// TestReplayIsEqual is the promise that recordings stand on: a second Agent, restored from a
// snapshot taken anywhere, that gets the same inputs at the same instants, says the same and ends
// in the same state.
func TestReplayIsEqual(t *testing.T) {
	t.Run("plain", func(t *testing.T) { replayIsEqual(t, twoCampaigns) })
	t.Run("competing", func(t *testing.T) { replayIsEqual(t, competing) })
	t.Run("strategic", func(t *testing.T) { replayIsEqual(t, strategic) })
}

func replayIsEqual(t *testing.T, text string) {
	rs, changed := load(t, text), load(t, otherRules)
	rapid.Check(t, func(t *rapid.T) {
		agent := bidder.New(7, rs, budget.NewBook(bidder.PlanOf(rs)))
		world := &world{now: monday, rules: []*rules.Ruleset{rs, changed}, generation: 1}
		cut := rapid.IntRange(0, 60).Draw(t, "snapshot after")
		var other *bidder.Agent
		for i := range 80 {
			if i == cut {
				other = restored(t, agent)
			}
			step := world.draw(t)
			said := step(agent)
			if err := agent.Check(); err != nil {
				t.Fatal(err)
			}
			if other == nil {
				continue
			}
			if again := step(other); again != said {
				t.Fatalf("input %d: first %s, then %s", i, said, again)
			}
		}
		if a, b := state(t, agent), state(t, other); !bytes.Equal(a, b) {
			t.Fatalf("the states differ:\n%s\n%s", a, b)
		}
	})
}

// restored takes a snapshot through its JSON form, as a recording does.
func restored(t *rapid.T, agent *bidder.Agent) *bidder.Agent {
	var snapshot bidder.Snapshot
	if err := json.Unmarshal(state(t, agent), &snapshot); err != nil {
		t.Fatal(err)
	}
	other, err := bidder.Restore(snapshot, agent.Rules())
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func state(t *rapid.T, agent *bidder.Agent) []byte {
	text, err := json.Marshal(agent.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// world is what the inputs come from: a clock, an obliging store, and the bids sent so far.
type world struct {
	now    time.Time
	leases int64
	bids   []bidder.Decision
	leased map[budget.LeaseID]budget.LeaseState

	rules      []*rules.Ruleset // take turns
	generation uint32
}

func (w *world) draw(t *rapid.T) input {
	w.now = w.now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
	now := w.now
	switch rapid.SampledFrom([]string{"ping", "ping", "ping", "upkeep", "cancel", "lost", "voided", "returned", "away", "told", "charged", "pause", "post", "swap", "outcome", "reset"}).Draw(t, "input") {
	case "upkeep":
		return w.upkeep(now, rapid.IntRange(0, 3).Draw(t, "refused") == 0)
	case "cancel":
		if seq, ok := w.pick(t); ok {
			return func(a *bidder.Agent) string { return fmt.Sprint(a.Cancel(now, seq.Ref.Seq)) }
		}
	case "lost":
		if bid, ok := w.pick(t); ok {
			return func(a *bidder.Agent) string { return fmt.Sprint(a.Notify(now, pingpost.OutcomeLost, bid.Ref)) }
		}
	case "voided":
		if bid, ok := w.pick(t); ok {
			return func(a *bidder.Agent) string { return fmt.Sprint(a.Notify(now, pingpost.OutcomeVoided, bid.Ref)) }
		}
	case "away":
		return func(a *bidder.Agent) string {
			if _, asked, _ := a.Upkeep(now); asked {
				return fmt.Sprint(a.Away(now))
			}
			return "nothing to ask"
		}
	case "told":
		// Of a bid that is open, answered, or neither, in any order.
		if bid, ok := w.pick(t); ok {
			outcome := rapid.SampledFrom([]pingpost.Outcome{pingpost.OutcomeWon, pingpost.OutcomeLost}).Draw(t, "outcome")
			prices := bidder.Prices{Clearing: bid.Price, MinBidToWin: pingpost.Cents(rapid.IntRange(0, 6000).Draw(t, "price"))}
			return func(a *bidder.Agent) string { return fmt.Sprint(a.NotifyPrices(now, outcome, bid.Ref, prices)) }
		}
	case "returned":
		if bid, ok := w.pick(t); ok {
			return func(a *bidder.Agent) string { return fmt.Sprint(a.Notify(now, pingpost.OutcomeReturned, bid.Ref)) }
		}
	case "charged":
		if bid, ok := w.pick(t); ok {
			return w.charged(now, bid)
		}
	case "post":
		if bid, ok := w.pick(t); ok {
			return post(now, bid)
		}
	case "swap":
		if rapid.IntRange(0, 3).Draw(t, "swapped") == 0 {
			w.generation++
			rs, number := w.rules[(w.generation+1)%2], w.generation
			return func(a *bidder.Agent) string { return fmt.Sprint(a.Swap(now, rs, number, nil)) }
		}
	case "outcome":
		known := []strategy.Evidence{{
			Segment: strategy.SegmentOf(pingpost.HVAC, pingpost.Repair, 60614, rapid.SampledFrom([]string{"", "google-12"}).Draw(t, "source")),
			Leads:   1, Closed: rapid.IntRange(0, 1).Draw(t, "closed"), Jobs: 1, Dollars: 333.33,
			Known: now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "known in")) * time.Second),
		}}
		return func(a *bidder.Agent) string { return fmt.Sprint(a.Outcome(now, known)) }
	case "reset":
		if rapid.IntRange(0, 3).Draw(t, "forgotten") == 0 {
			campaign := rapid.SampledFrom([]string{"", "profitable"}).Draw(t, "of")
			return func(a *bidder.Agent) string { return fmt.Sprint(a.ResetPacing(now, campaign)) }
		}
	case "pause":
		pauses := bidder.Pauses{All: rapid.IntRange(0, 9).Draw(t, "paused") == 0}
		return func(a *bidder.Agent) string { return fmt.Sprint(a.Pause(now, pauses)) }
	}
	return w.ping(t, now)
}

func (w *world) ping(t *rapid.T, now time.Time) input {
	p := ping(fmt.Sprint("p", rapid.IntRange(0, 40).Draw(t, "ping")), func(p *pingpost.Ping) {
		p.Exchange = rapid.SampledFrom([]string{"north", "south"}).Draw(t, "exchange")
		p.Service = rapid.SampledFrom([]pingpost.Service{pingpost.HVAC, pingpost.Plumbing}).Draw(t, "service")
		if consent := rapid.IntRange(0, 9).Draw(t, "consent"); consent < 3 {
			p.Consent.TrustedFormURL = fmt.Sprint("https://cert.trustedform.com/", consent)
		}
	})
	return func(a *bidder.Agent) string {
		d := a.Decide(now, p)
		if d.Bid && !d.Repeat {
			w.bids = append(w.bids, d)
		}
		return string(d.AppendJSON(nil))
	}
}

func (w *world) pick(t *rapid.T) (bidder.Decision, bool) {
	if len(w.bids) == 0 {
		return bidder.Decision{}, false
	}
	return w.bids[rapid.IntRange(0, len(w.bids)-1).Draw(t, "bid")], true
}

// post settles a bid. What rules before a swap say of it, a restored Agent cannot know.
func post(now time.Time, bid bidder.Decision) input {
	facts := bidder.PostFacts{
		Exchange: "north", PingID: "p", BidID: "b", Price: bid.Price, Terms: bid.Ref.Terms,
		Consent: pingpost.Consent{LeadID: "A1B2C3D4-0000-4000-8000-0123456789AB"}, Reachable: true,
	}
	return func(a *bidder.Agent) string {
		settlement := a.SettleRecorded(now, facts, bid.Ref, true, nil)
		if bid.Generation != a.Generation() {
			return fmt.Sprint(settlement.Stamp)
		}
		text, err := json.Marshal(bidder.RecordOf(facts, bid.Ref, true, settlement))
		if err != nil {
			panic(err)
		}
		return string(text)
	}
}

// upkeep asks the first Agent's question and gives both Agents the same answer.
func (w *world) upkeep(now time.Time, refused bool) input {
	var answer *budget.UpkeepAnswer
	return func(a *bidder.Agent) string {
		ask, ok, _ := a.Upkeep(now)
		text, err := json.Marshal(ask)
		if err != nil {
			panic(err)
		}
		if !ok {
			return "nothing to ask"
		}
		if answer == nil {
			answer = w.answer(now, ask, refused)
		}
		a.Answered(now, *answer)
		return string(text)
	}
}

func (w *world) answer(now time.Time, ask budget.Upkeep, refused bool) *budget.UpkeepAnswer {
	answer := &budget.UpkeepAnswer{At: ask.At, Caps: w.uses(now)}
	if w.leased == nil {
		w.leased = map[budget.LeaseID]budget.LeaseState{}
	}
	for _, want := range ask.Wants {
		if refused {
			answer.Grants = append(answer.Grants, budget.Grant{Line: want.Line, Refused: pingpost.BudgetExhausted, Until: now.Add(time.Minute)})
			continue
		}
		w.leases++
		lease := budget.LeaseState{
			ID: budget.LeaseID(w.leases), Line: want.Line, Rev: 1, Cents: want.Cents, Leads: want.Leads,
			BidUntil: now.Add(30 * time.Second), CloseAt: now.Add(95 * time.Second), Open: true,
		}
		w.leased[lease.ID] = lease
		answer.Grants = append(answer.Grants, budget.Grant{Line: want.Line, Lease: &lease})
	}
	for _, keep := range ask.Keeps {
		lease := w.leased[keep.ID]
		lease.Rev++
		lease.Cents -= keep.ReturnCents
		lease.Leads -= keep.ReturnLeads
		if keep.Extend {
			lease.BidUntil = now.Add(30 * time.Second)
			lease.CloseAt = now.Add(95 * time.Second)
		}
		w.leased[keep.ID] = lease
		answer.Leases = append(answer.Leases, lease)
	}
	for _, id := range ask.Reads {
		answer.Leases = append(answer.Leases, w.leased[id])
	}
	return answer
}

// uses tells of the caps of the rules in force as if nothing came to them but what leases have used.
func (w *world) uses(now time.Time) []budget.CapUse {
	uses := bidder.UnusedCaps(bidder.PlanOf(w.rules[(w.generation+1)%2]), now)
	for i := range uses {
		for _, lease := range w.leased {
			uses[i].UsedCents, uses[i].UsedLeads = uses[i].UsedCents+lease.UsedCents, uses[i].UsedLeads+lease.UsedLeads
			uses[i].LeasedCents, uses[i].LeasedLeads = uses[i].LeasedCents+lease.Cents, uses[i].LeasedLeads+lease.Leads
		}
	}
	return uses
}

func (w *world) charged(now time.Time, bid bidder.Decision) input {
	lease, leased := w.leased[bid.Ref.Lease]
	told := budget.Charged{
		Line: budget.Line{Campaign: bid.Campaign, Exchange: "north"}, Ref: bid.Ref,
		Accepted: true, Price: bid.Price,
	}
	if leased && lease.Line.Campaign == bid.Campaign && lease.UsedCents+bid.Price <= lease.Cents && lease.UsedLeads < lease.Leads {
		lease.Rev++
		lease.UsedCents += bid.Price
		lease.UsedLeads++
		w.leased[lease.ID] = lease
		told.Line, told.Lease = lease.Line, &lease
	}
	return func(a *bidder.Agent) string { return fmt.Sprint(a.Charged(now, told)) }
}
