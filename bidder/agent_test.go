package bidder_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

const twoCampaigns = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {month: $9000}}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: sqlite:test.db
mode: live
exchanges:
  north: {profile: native, auth: {bearer: "${KEY}"}, commitment: refusable, bid_ttl: 60s}
  south: {profile: native, auth: {bearer: "${KEY_2}"}, commitment: binding, bid_ttl: 30s}
campaigns:
  hvac:
    services: [hvac]
    area: {zip: 60614, miles: 10, only_states: [IL]}
    hours: {mon-fri: "07:00-19:00"}
    budget: {day: $200}
    capacity: {leads: {day: 3}}
    require: {consent: promised, homeowner: true}
    rules:
      - {name: emergency, when: urgency == "emergency", bid: 50}
      - {name: decline, when: job == "inspect", bid: 0}
      - {name: scored, when: job == "repair", bid: 10 + 0.1 * lead_score}
      - {name: broken, when: job == "maintain", bid: 1 / (max_sold - max_sold)}
      - {name: cheap, when: job == "install", bid: 4}
    limits: {min_bid: $5, max_bid: $60}
    reject:
      - {name: not our town, when: 'lead.city == "Gary"', reason: outside_area}
    delivery: [{file: leads.jsonl}]
  free:
    services: [plumbing]
    area: {states: [IL]}
    rules: [{name: all, bid: 20}]
    delivery: [{file: leads.jsonl}]
`

func load(t testing.TB, text string) *rules.Ruleset {
	t.Helper()
	files := fstest.MapFS{"bidder.yaml": {Data: []byte(text)}}
	rs, faults := rules.Load(files, "bidder.yaml", func(name string) (string, bool) {
		return strings.Repeat(name, 8), true
	})
	if rs == nil {
		t.Fatalf("loading the rules: %v", faults)
	}
	return rs
}

// monday is inside the hours of the test's campaigns: 10:00 in Chicago.
var monday = time.Date(2026, time.March, 2, 16, 0, 0, 0, time.UTC)

// newAgent makes an Agent whose lines all have what they asked for.
func newAgent(t testing.TB, text string) *bidder.Agent {
	t.Helper()
	rs := load(t, text)
	agent := bidder.New(7, rs, budget.NewBook(bidder.PlanOf(rs)))
	fund(t, agent, monday)
	return agent
}

// fund answers the Agent's first question with a lease of 200 dollars and 3 leads for each want.
func fund(t testing.TB, agent *bidder.Agent, now time.Time) {
	t.Helper()
	ask, ok, _ := agent.Upkeep(now)
	if !ok {
		t.Fatal("a new Agent asks for no lease")
	}
	answer := budget.UpkeepAnswer{At: ask.At}
	for i, want := range ask.Wants {
		answer.Grants = append(answer.Grants, budget.Grant{Line: want.Line, Lease: &budget.LeaseState{
			ID: budget.LeaseID(i + 1), Line: want.Line, Rev: 1, Cents: 200_00, Leads: 3,
			BidUntil: now.Add(30 * time.Second), CloseAt: now.Add(92 * time.Second), Open: true,
		}})
	}
	agent.Answered(now, answer)
}

// ping is one that campaign hvac bids 50 dollars on; change makes it another.
func ping(id string, change func(*pingpost.Ping)) *pingpost.Ping {
	p := &pingpost.Ping{
		Exchange: "north", ID: id, TmaxMS: 300, Service: pingpost.HVAC, Job: pingpost.Repair,
		ZIP: 60614, State: "IL", Urgency: pingpost.UrgencyEmergency, Homeowner: pingpost.Yes,
		Exclusive: true, Consent: pingpost.Consent{TrustedFormPromised: true},
	}
	if change != nil {
		change(p)
	}
	p.Digest = p.ComputeDigest()
	return p
}

func TestDecideReasons(t *testing.T) {
	f := func(want pingpost.Reason, campaign string, change func(*pingpost.Ping)) {
		t.Helper()
		d := newAgent(t, twoCampaigns).Decide(monday, ping("p", change))
		if d.Bid || d.Reason != want || d.Campaign != campaign {
			t.Errorf("got bid=%v reason %s campaign %q, want no bid, %s, %q", d.Bid, d.Reason, d.Campaign, want, campaign)
		}
	}
	later := func(d time.Duration, change func(*pingpost.Ping)) (time.Time, *pingpost.Ping) {
		return monday.Add(d), ping("p", change)
	}
	f(pingpost.ExchangeNotBought, "", func(p *pingpost.Ping) { p.Exchange = "east" })
	f(pingpost.ServiceNotBought, "", func(p *pingpost.Ping) { p.Service = pingpost.Roofing })
	f(pingpost.OutsideArea, "", func(p *pingpost.Ping) { p.ZIP = 10001 })
	f(pingpost.ConsentMissing, "hvac", func(p *pingpost.Ping) { p.Consent = pingpost.Consent{} })
	f(pingpost.RequirementUnmet, "hvac", func(p *pingpost.Ping) { p.Homeowner = pingpost.Unknown })
	f(pingpost.NoRule, "hvac", func(p *pingpost.Ping) { p.Urgency, p.Job = pingpost.UrgencyWeek, pingpost.Replace })
	f(pingpost.MissingField, "hvac", func(p *pingpost.Ping) { p.Urgency = pingpost.UrgencyWeek })
	f(pingpost.Declined, "hvac", func(p *pingpost.Ping) { p.Urgency, p.Job = pingpost.UrgencyWeek, pingpost.Inspect })
	f(pingpost.RuleError, "hvac", func(p *pingpost.Ping) {
		p.Urgency, p.Job, p.MaxSold = pingpost.UrgencyWeek, pingpost.Maintain, 1
	})
	f(pingpost.BelowMinBid, "hvac", func(p *pingpost.Ping) { p.Urgency, p.Job = pingpost.UrgencyWeek, pingpost.Install })
	f(pingpost.BelowFloor, "hvac", func(p *pingpost.Ping) { p.Floor = 50_01 })

	agent := newAgent(t, twoCampaigns)
	now, p := later(10*time.Hour, nil)
	if d := agent.Decide(now, p); d.Reason != pingpost.OutsideHours {
		t.Errorf("at 20:00: %s, want outside_hours", d.Reason)
	}
}

func TestDecideBidsTheRulesNumber(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	d := agent.Decide(monday, ping("p", nil))
	if !d.Bid || d.Price != 50_00 || d.Campaign != "hvac" || d.Rule != "emergency" {
		t.Fatalf("got %+v, want a bid of $50 by rule emergency", d)
	}
	if d.ExpiresIn() != time.Minute {
		t.Errorf("the bid stands for %s, want 1m", d.ExpiresIn())
	}
	if d.Ref.Run != 7 || d.Ref.Seq != d.Seq || d.Ref.Price != d.Price || d.Ref.Campaign != budget.CampaignTag("hvac") {
		t.Errorf("the reference %+v does not name the bid", d.Ref)
	}
}

func TestDecideMoney(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	for i := range 3 {
		if d := agent.Decide(monday, ping(fmt.Sprint("p", i), nil)); !d.Bid {
			t.Fatalf("bid %d: %s", i, d.Reason)
		}
	}
	if d := agent.Decide(monday, ping("p3", nil)); d.Reason != pingpost.OpenBids {
		t.Errorf("with all leads of the lease open: %s, want open_bids", d.Reason)
	}
	uncapped := strings.Replace(twoCampaigns, ", budget: {month: $9000}", "", 1)
	free := ping("p", func(p *pingpost.Ping) { p.Service = pingpost.Plumbing })
	if d := newAgent(t, uncapped).Decide(monday, free); d.Reason != pingpost.NoBudget {
		t.Errorf("without a dollar cap: %q, want no_budget", d.Reason)
	}
	rs := load(t, twoCampaigns)
	if d := bidder.New(7, rs, budget.NewBook(bidder.PlanOf(rs))).Decide(monday, ping("p", nil)); d.Reason != pingpost.StoreAway {
		t.Errorf("without a lease in hand: %q, want store_away", d.Reason)
	}
}

func TestRepeatedPing(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	first := agent.Decide(monday, ping("p", nil))
	again := agent.Decide(monday.Add(2*time.Second), ping("p", func(p *pingpost.Ping) { p.TmaxMS = 100 }))
	if !again.Bid || !again.Repeat || again.Ref != first.Ref {
		t.Fatalf("the repeat got %+v, want the first bid %+v", again, first)
	}
	if again.ExpiresIn() != 58*time.Second {
		t.Errorf("the repeat stands for %s, want 58s", again.ExpiresIn())
	}
	changed := agent.Decide(monday, ping("p", func(p *pingpost.Ping) { p.ZIP = 60657 }))
	if changed.Reason != pingpost.PingChanged {
		t.Errorf("the same id with another ZIP: %s, want ping_changed", changed.Reason)
	}
	// One hold: two more bids fit into a lease of three leads.
	for i := range 2 {
		if d := agent.Decide(monday, ping(fmt.Sprint("q", i), nil)); !d.Bid {
			t.Errorf("bid %d after the repeat: %s", i, d.Reason)
		}
	}
	after := agent.Decide(monday.Add(61*time.Second), ping("p", nil))
	if after.Repeat {
		t.Error("after its time the ping is still a repeat")
	}
}

func TestSameRequestUnderANewID(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	certified := func(p *pingpost.Ping) { p.Consent.TrustedFormURL = "https://cert.trustedform.com/abc" }
	if d := agent.Decide(monday, ping("p", certified)); !d.Bid {
		t.Fatal(d.Reason)
	}
	if d := agent.Decide(monday, ping("q", certified)); d.Reason != pingpost.DuplicatePing {
		t.Errorf("got %s, want duplicate_ping", d.Reason)
	}
	elsewhere := func(p *pingpost.Ping) { certified(p); p.Exchange = "south" }
	if d := agent.Decide(monday, ping("q", elsewhere)); !d.Bid {
		t.Errorf("on another exchange: %s, want a bid", d.Reason)
	}
}

func TestCancelFreesTheHold(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	for i := range 10 {
		d := agent.Decide(monday, ping(fmt.Sprint("p", i), nil))
		if !d.Bid {
			t.Fatalf("bid %d: %s", i, d.Reason)
		}
		agent.Cancel(monday, d.Seq)
	}
	if again := agent.Decide(monday, ping("p0", nil)); !again.Bid || again.Repeat {
		t.Errorf("a cancelled bid's ping got %+v, want a new bid", again)
	}
	if err := agent.Check(); err != nil {
		t.Error(err)
	}
}

// TestCancelKeepsWhatARepeatPromised: the first answer to a ping came too late, but the exchange had
// asked again meanwhile and has the same bid in its hands.
func TestCancelKeepsWhatARepeatPromised(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	late := agent.Decide(monday, ping("p", nil))
	sent := agent.Decide(monday, ping("p", nil))
	agent.Cancel(monday, late.Seq)
	if again := agent.Decide(monday, ping("p", nil)); again.Ref != sent.Ref {
		t.Errorf("the ping got another bid: %+v, then %+v", sent, again)
	}
	for i := range 3 {
		if d := agent.Decide(monday, ping(fmt.Sprint("q", i), nil)); d.Bid != (i < 2) {
			t.Errorf("bid %d of a lease of three leads, one of them promised: %v %s", i+2, d.Bid, d.Reason)
		}
	}
	if err := agent.Check(); err != nil {
		t.Error(err)
	}
}

func TestPauses(t *testing.T) {
	f := func(pauses bidder.Pauses, want pingpost.Reason) {
		t.Helper()
		agent := newAgent(t, twoCampaigns)
		agent.Pause(monday, pauses)
		if d := agent.Decide(monday, ping("p", nil)); d.Reason != want {
			t.Errorf("%+v: %q, want %q", pauses, d.Reason, want)
		}
	}
	f(bidder.Pauses{All: true}, pingpost.Paused)
	f(bidder.Pauses{Campaigns: []string{"hvac"}}, pingpost.Paused)
	f(bidder.Pauses{Exchanges: []string{"north"}}, pingpost.Paused)
	f(bidder.Pauses{Campaigns: []string{"free"}, Exchanges: []string{"south"}}, pingpost.ReasonNone)
}

func TestTestPingHoldsNothing(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	for i := range 20 {
		d := agent.Decide(monday, ping(fmt.Sprint("p", i), func(p *pingpost.Ping) { p.Test = true }))
		if !d.Bid || !d.Test || d.Ref.Lease != 0 {
			t.Fatalf("test ping %d: %+v, want a bid of lease 0", i, d)
		}
	}
}

func TestObserveBidsNothing(t *testing.T) {
	agent := newAgent(t, strings.Replace(twoCampaigns, "mode: live", "mode: observe", 1))
	d := agent.Decide(monday, ping("p", nil))
	if d.Bid || d.Reason != pingpost.Observing || d.Price != 50_00 {
		t.Errorf("got %+v, want no bid, observing, $50", d)
	}
}

func TestSettle(t *testing.T) {
	f := func(name string, want pingpost.Reason, authentic bool, after time.Duration, change func(*pingpost.Post)) {
		t.Helper()
		agent := newAgent(t, twoCampaigns)
		d := agent.Decide(monday, ping("p", nil))
		post := &pingpost.Post{
			Exchange: "north", PingID: "p", BidID: "bid", Price: d.Price,
			Service: pingpost.HVAC, Job: pingpost.Repair, ZIP: 60614, Exclusive: true,
			Lead:    pingpost.Lead{Phone: pingpost.NewPrivate("312-555-0100"), City: "Chicago"},
			Consent: pingpost.Consent{LeadID: "A1B2C3D4-0000-4000-8000-0123456789AB"},
		}
		change(post)
		s := agent.Settle(monday.Add(after), post, d.Ref, authentic)
		got := s.Charge.Refuse
		if s.Refuse != 0 {
			got = s.Refuse
		}
		if got != want {
			t.Errorf("%s: refused %q, want %q", name, got, want)
		}
		if want == pingpost.ReasonNone && (len(s.Charge.Caps) == 0 || s.Charge.Line.Campaign != "hvac") {
			t.Errorf("%s: the charge %+v names no caps or the wrong campaign", name, s.Charge)
		}
	}
	keep := func(*pingpost.Post) {}
	f("as bid", pingpost.ReasonNone, true, time.Second, keep)
	f("cheaper", pingpost.ReasonNone, true, time.Second, func(p *pingpost.Post) { p.Price-- })
	f("within the grace", pingpost.ReasonNone, true, 61*time.Second, keep)
	f("forged", pingpost.BidUnknown, false, time.Second, keep)
	f("late", pingpost.BidExpired, true, time.Hour, keep)
	f("dearer", pingpost.PriceMismatch, true, time.Second, func(p *pingpost.Post) { p.Price++ })
	f("free of charge", pingpost.PriceMismatch, true, time.Second, func(p *pingpost.Post) { p.Price = 0 })
	f("another ZIP", pingpost.PingMismatch, true, time.Second, func(p *pingpost.Post) { p.ZIP = 60657 })
	f("another job", pingpost.PingMismatch, true, time.Second, func(p *pingpost.Post) { p.Job = pingpost.Replace })
	f("shared after all", pingpost.PingMismatch, true, time.Second, func(p *pingpost.Post) { p.Exclusive = false })
	f("no consent", pingpost.ConsentMissing, true, time.Second, func(p *pingpost.Post) { p.Consent = pingpost.Consent{} })
	f("unreachable", pingpost.InvalidField, true, time.Second, func(p *pingpost.Post) { p.Lead.Phone = pingpost.Private{} })
	f("flagged as test", pingpost.TestPing, true, time.Second, func(p *pingpost.Post) { p.Test = true })
	f("our own rule", pingpost.RejectedByRule, true, time.Second, func(p *pingpost.Post) { p.Lead.City = "Gary" })
}

// TestSettleOfACampaignThatIsGone: the refusal of a bid that we signed is for the books, so that it
// stays the answer when the campaign comes back.
func TestSettleOfACampaignThatIsGone(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	ref := agent.Decide(monday, ping("p", nil)).Ref
	ref.Campaign++
	post := &pingpost.Post{Exchange: "north", PingID: "p", BidID: "bid", Price: ref.Price}
	if s := agent.Settle(monday, post, ref, true); s.Charge.BidID != "bid" || s.Charge.Refuse != pingpost.BidUnknown {
		t.Errorf("got %+v, want a refusal to store", s)
	}
	if s := agent.Settle(monday, post, ref, false); s.Charge.BidID != "" || s.Refuse != pingpost.BidUnknown {
		t.Errorf("a forged one got %+v, want nothing to store", s)
	}
	ref.Lease = 0
	if s := agent.Settle(monday, post, ref, true); s.Charge.BidID != "" || s.Refuse != pingpost.BidUnknown {
		t.Errorf("a test bid got %+v, want nothing to store", s)
	}
}

// TestVoidedPingGetsNoDeadBid: what was withdrawn can never be posted, so that its ping, asked again,
// gets no bid; the same request under another id does.
func TestVoidedPingGetsNoDeadBid(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	token := func(p *pingpost.Ping) { p.Consent.LeadID = "A1B2C3D4-0000-4000-8000-0123456789AB" }
	d := agent.Decide(monday, ping("p", token))
	if again := agent.Decide(monday, ping("p", token)); !again.Bid || again.Ref != d.Ref {
		t.Fatalf("the same ping again got %+v", again)
	}
	agent.Notify(monday, pingpost.OutcomeVoided, d.Ref)
	agent.Notify(monday, pingpost.OutcomeVoided, d.Ref)
	if again := agent.Decide(monday, ping("p", token)); again.Bid || again.Reason != pingpost.Voided || !again.Repeat {
		t.Errorf("the ping of a withdrawn bid got %+v", again)
	}
	if other := agent.Decide(monday, ping("q", token)); !other.Bid {
		t.Errorf("the same request under another id got %v", other.Reason)
	}
	if err := agent.Check(); err != nil {
		t.Error(err)
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	agent := newAgent(t, twoCampaigns)
	first := agent.Decide(monday.Add(time.Second), ping("p", nil))
	second := agent.Decide(monday, ping("q", nil))
	if second.At.Before(first.At) {
		t.Errorf("input %d is at %s, before input %d at %s", second.Seq, second.At, first.Seq, first.At)
	}
}
