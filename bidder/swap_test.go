package bidder_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/pingpost"
)

// otherRules is twoCampaigns a reload later: campaign free is gone, hvac pays less, has less to
// spend and rejects everybody, and north's bids stand for half as long.
var otherRules = strings.NewReplacer(
	"bid: 50", "bid: 40", "{day: $200}", "{day: $90}", `lead.city == "Gary"`, "true",
	"refusable, bid_ttl: 60s", "refusable, bid_ttl: 30s",
).Replace(twoCampaigns[:strings.Index(twoCampaigns, "  free:")])

func plumbing(p *pingpost.Ping) { p.Service = pingpost.Plumbing }

func postOf(d bidder.Decision, service pingpost.Service) *pingpost.Post {
	return &pingpost.Post{
		Exchange: "north", PingID: "p", BidID: "b", Price: d.Price, Service: service, Job: pingpost.Repair,
		Exclusive: true, ZIP: 60614, Consent: pingpost.Consent{LeadID: "A1B2C3D4-0000-4000-8000-0123456789AB"},
		Lead: pingpost.Lead{Phone: pingpost.NewPrivate("312-555-0100"), City: "Chicago"},
	}
}

func TestSwapDecidesAnewAndRepeatsWhatWasSaid(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	first := agent.Decide(monday, ping("p", nil))
	if !first.Bid || first.Price != 50_00 || first.Generation != 1 {
		t.Fatalf("before: %+v", first)
	}
	agent.Swap(monday, load(t, otherRules), 2, nil)
	if d := agent.Decide(monday.Add(time.Second), ping("p", nil)); !d.Repeat || d.Ref != first.Ref || d.Generation != 1 {
		t.Errorf("the same ping again: %+v", d)
	}
	// No bid: the limit is lower, too, and the store has not heard of it.
	if d := agent.Decide(monday.Add(time.Second), ping("q", nil)); d.Bid || d.Price != 40_00 || d.Generation != 2 {
		t.Errorf("another ping: %+v", d)
	}
	if d := agent.Decide(monday.Add(time.Second), ping("r", plumbing)); d.Bid || d.Reason != pingpost.ServiceNotBought {
		t.Errorf("a campaign that is gone: %+v", d)
	}
}

// TestBidsAreSettledByTheRulesThatMadeThem posts bids after a swap that took their campaign away,
// or changed its terms; in the end nobody knows of them any more.
func TestBidsAreSettledByTheRulesThatMadeThem(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	hvac, free := agent.Decide(monday, ping("p", nil)), agent.Decide(monday, ping("q", plumbing))
	agent.Swap(monday, load(t, otherRules), 2, nil)
	soon := monday.Add(45 * time.Second) // within the 60 s of the bids, past the 30 s of bids made now

	kept := agent.Settle(soon, postOf(hvac, pingpost.HVAC), hvac.Ref, true)
	if kept.Charge.Refuse != pingpost.ReasonNone || kept.Generation != 1 || !kept.Charge.BidAt.Equal(monday) {
		t.Errorf("a campaign that changed: %+v", kept)
	}
	if got := capsIn(kept.Charge); got != "business month 900000, campaign hvac day 9000" {
		t.Errorf("it is charged to %s", got)
	}
	if kept.Campaign != agent.Rules().Campaign("hvac") {
		t.Error("the lead does not go where the campaign's leads go now")
	}
	gone := agent.Settle(soon, postOf(free, pingpost.Plumbing), free.Ref, true)
	if gone.Charge.Refuse != pingpost.ReasonNone || gone.Campaign == nil || gone.Campaign.Name != "free" {
		t.Errorf("a campaign that is gone: %+v", gone)
	}
	if got := capsIn(gone.Charge); got != "business month 900000" {
		t.Errorf("it is charged to %s", got)
	}
	fresh := agent.Decide(soon, ping("r", nil))
	if fresh.Bid {
		t.Fatalf("leases have ended by now: %+v", fresh)
	}
	late := agent.Settle(monday.Add(2*time.Minute), postOf(free, pingpost.Plumbing), free.Ref, true)
	if late.Charge.Refuse != pingpost.BidUnknown || late.Generation != 2 {
		t.Errorf("when no bid of the former rules can be open: %+v", late)
	}
}

// TestManySwapsForgetTheOldest bounds what a script that reloads all the time can keep in memory.
func TestManySwapsForgetTheOldest(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	bid := agent.Decide(monday, ping("q", plumbing))
	before, after := load(t, twoCampaigns), load(t, otherRules)
	for number := uint32(2); number < 9; number++ {
		agent.Swap(monday, before, number, nil)
	}
	agent.Swap(monday, after, 9, nil)
	if s := agent.Settle(monday, postOf(bid, pingpost.Plumbing), bid.Ref, true); s.Generation != 1 || s.Charge.Refuse != 0 {
		t.Errorf("after eight swaps: %+v", s)
	}
	agent.Swap(monday, after, 10, nil)
	if s := agent.Settle(monday, postOf(bid, pingpost.Plumbing), bid.Ref, true); s.Generation != 2 || s.Charge.Refuse != 0 {
		t.Errorf("after nine, the oldest that is kept says it: %+v", s)
	}
}

// TestSwapLowersLimits holds nothing more than a lowered cap allows: nothing at all until the store was asked.
func TestSwapLowersLimits(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	agent.Decide(monday, ping("p", nil))
	var after bidder.Snapshot
	stamp := agent.Swap(monday, load(t, otherRules), 2, &after)
	if after.Stamp != stamp || after.Generation != 2 || after.Rules != agent.Rules().Hash() {
		t.Errorf("the state after the swap: %+v", after.Stamp)
	}
	if d := agent.Decide(monday, ping("r", nil)); d.Bid {
		t.Errorf("a bid before the store heard of the lowered cap: %+v", d)
	}
	ask, ok, _ := agent.Upkeep(monday.Add(2 * time.Second))
	if !ok || len(ask.Keeps) == 0 {
		t.Fatalf("the store is asked %+v, %v", ask, ok)
	}
	if d := agent.Decide(monday.Add(3*time.Second), ping("q", nil)); d.Bid {
		t.Errorf("a bid on money that the lowered cap may take away: %+v", d)
	}
	if err := agent.Check(); err != nil {
		t.Error(err)
	}
}

func TestObservingCampaignsStandAside(t *testing.T) {
	observing := strings.Replace(twoCampaigns, "  hvac:\n", "  watch:\n    services: [hvac]\n    mode: observe\n"+
		"    area: {states: [IL]}\n    rules: [{bid: 44}]\n  hvac:\n", 1)
	agent := newAgent(t, observing)
	d := agent.Decide(monday, ping("p", nil))
	if !d.Bid || d.Campaign != "hvac" || d.Would != (bidder.Would{Campaign: "watch", Price: 44_00}) {
		t.Errorf("an observing campaign before a live one: %+v", d)
	}
	const recorded = `,"observed":"watch","would_bid":44.00,"generation":1}`
	if text := string(d.AppendJSON(nil)); !strings.HasSuffix(text, recorded) {
		t.Errorf("recorded as %s", text)
	}
	agent = newAgent(t, strings.Replace(twoCampaigns, "north: {", "north: {mode: observe, ", 1))
	if d := agent.Decide(monday, ping("p", nil)); d.Reason != pingpost.Observing || d.Price != 50_00 {
		t.Errorf("on an exchange that is observed: %+v", d)
	}
	if d := agent.Decide(monday, ping("p", func(p *pingpost.Ping) { p.Exchange = "south" })); !d.Bid {
		t.Errorf("on the other: %+v", d)
	}
}

func capsIn(charge budget.Charge) string {
	var parts []string
	for _, w := range charge.Caps {
		kind := map[budget.ScopeKind]string{budget.ScopeBusiness: "business", budget.ScopeExchange: "exchange",
			budget.ScopeCampaign: "campaign"}[w.Cap.Scope.Kind]
		parts = append(parts, strings.Join(strings.Fields(kind+" "+w.Cap.Scope.Name+" "+w.Cap.Period.String()+" "+
			strconv.FormatInt(w.Cap.Cents.N, 10)), " "))
	}
	return strings.Join(parts, ", ")
}
