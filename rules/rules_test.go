package rules

import (
	"encoding/json"
	"strings"

	"github.com/google/go-cmp/cmp"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

func testenv(name string) (string, bool) {
	if strings.HasPrefix(name, "KEY_OF_") { // where a test needs many
		return "0123456789abcdef-" + name, true
	}
	value, ok := map[string]string{
		"NORTHSIDE_KEY": "0123456789abcdef0123456789abcdef",
		"NORTH_PIN":     "1234",
		"CRM_SECRET":    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	}[name]
	return value, ok
}

func mustLoad(t testing.TB, folder, name string) *Ruleset {
	t.Helper()
	rs, faults := Load(os.DirFS(folder), name, testenv)
	if rs == nil || len(faults.List()) > 0 {
		t.Fatalf("faults:\n%s", faults)
	}
	return rs
}

// loadText loads a configuration with one campaign c: the usual rest, and these lines in it.
func loadText(campaign string) (*Ruleset, *yamlfile.Faults) { return loadWhole(frame + campaign) }

func loadWhole(text string) (*Ruleset, *yamlfile.Faults) {
	return load(fstest.MapFS{"bidder.yaml": {Data: []byte(text)},
		"rich.txt": {Data: []byte("zip\n60614\n60043\n")}}, "bidder.yaml", testenv, options{})
}

const frame = `version: 1
business: {name: Lakeview, timezone: America/Chicago, budget: {day: $500}}
exchanges:
  north: {auth: {bearer: "${NORTHSIDE_KEY}"}, auction: second}
lists:
  rich: {file: rich.txt}
  good_sources: [google-1, bing]
campaigns:
  c:
    services: [hvac, plumbing]
    area: {zips: [60614, 60043, 60045, 46402], prefixes: [606]}
`

func one(t testing.TB, campaign string) (*Ruleset, *Campaign) {
	t.Helper()
	return loadCampaign(t, frame+campaign)
}

func loadCampaign(t testing.TB, text string) (*Ruleset, *Campaign) {
	t.Helper()
	rs, faults := loadWhole(text)
	if rs == nil {
		t.Fatalf("faults:\n%s", faults)
	}
	return rs, rs.Campaigns()[0]
}

var monday = time.Date(2026, 11, 23, 16, 30, 0, 0, time.UTC) // 10:30 in Chicago

func basePing() *pingpost.Ping {
	return &pingpost.Ping{Exchange: "north", ID: "p-1", Service: pingpost.HVAC, Job: pingpost.Repair, ZIP: 60614,
		State: "IL", Urgency: pingpost.UrgencyEmergency, Homeowner: pingpost.Yes,
		LeadScore: pingpost.Score{Value: 72, Known: true}, Source: "google-1",
		Consent: pingpost.Consent{TrustedFormPromised: true}}
}

func TestDesignExample(t *testing.T) {
	rs := mustLoad(t, "testdata/good", "design.yaml")
	p := basePing()
	p.Exchange = "northside"
	campaigns, reason := rs.Candidates(p, nil)
	if len(campaigns) != 1 || reason != 0 {
		t.Fatal(campaigns, reason)
	}
	c := campaigns[0]
	e := rs.NewEvaluation()
	e.Begin(monday, p)
	tr := &Trace{}
	if reason := e.Check(c, tr); reason != 0 {
		t.Fatal(reason)
	}
	facts := &Facts{}
	facts.Capacity[pingpost.Week] = Usage{Known: true, Pace: 0.5}
	price := e.Price(c, facts, tr)
	cents, reason := c.Bid(price.Dollars, 0, tr)
	if cents != 6000 || reason != 0 {
		t.Errorf("bid %v, %v; %+v", cents, reason, price)
	}
	want := "your price $50.00 -> slow week x1.2 -> paid search +3 -> max_bid -> bid $60.00"
	if got := tr.Path(); got != want {
		t.Errorf("path %s", got)
	}
	var steps []string
	for _, step := range tr.Steps {
		steps = append(steps, step.String())
	}
	if diff := cmp.Diff([]string{
		"hours: yes",
		"require consent: yes",
		"require homeowner: yes",
		`rule "emergency in a high-income ZIP": $50.00`,
		`adjust "slow week" x1.2: $50.00 -> $60.00`,
		`adjust "paid search" +3: $60.00 -> $63.00`,
		"max_bid: $63.00 -> $60.00",
	}, steps); diff != "" {
		t.Errorf("steps: -want +got\n%s", diff)
	}
}

func TestTraceNamesWhatStoodInTheWay(t *testing.T) {
	f := func(campaign string, want ...string) {
		t.Helper()
		rs, c := one(t, campaign)
		p := basePing()
		p.LeadScore = pingpost.Score{}
		e := rs.NewEvaluation()
		e.Begin(monday, p)
		tr := &Trace{}
		if e.Check(c, tr) == 0 {
			if price := e.Price(c, nil, tr); price.Reason == 0 {
				c.Bid(price.Dollars, 3000, tr)
			}
		}
		var steps []string
		for _, step := range tr.Steps {
			steps = append(steps, step.String())
		}
		if diff := cmp.Diff(want, steps); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if encoded, err := json.Marshal(tr); err != nil || !strings.Contains(string(encoded), `"steps":[{"kind":`) {
			t.Errorf("%s, %v", encoded, err)
		}
	}
	f("    rules: [{bid: 1}]\n    hours: {sun: \"10:00-11:00\"}\n", "hours: no (outside_hours)")
	f("    rules:\n      - {name: far, when: 'zip == \"46402\"', bid: 1}\n      - bid: lead_score\n      - {name: free, bid: 0}\n",
		`rule "far": does not apply`, "rule 2: the ping does not say lead_score", `rule "free": $0.00 (declined)`)
	f("    rules: [{bid: 1 / sold_so_far}]\n",
		"rule 1: its bid came to infinity: not a price: NaN, infinite, negative or above $1,000,000 (rule_error)")
	f("    rules: [{bid: 20}]\n    adjust: [{name: good, multiply: lead_score}, {add: -25}]\n", "rule 1: $20.00",
		`adjust "good": the ping does not say lead_score`,
		"adjust 2: the price came to -5: not a price: NaN, infinite, negative or above $1,000,000 (rule_error)")
	f("    rules: [{bid: 20}]\n    adjust: [{when: test, multiply: 2}]\n    limits: {min_bid: $30}\n", "rule 1: $20.00",
		"adjust 1: does not apply", "min_bid $30.00: $20.00 (below_min_bid)")
	f("    rules: [{bid: 20}]\n", "rule 1: $20.00", "the exchange's floor $30.00: $20.00 (below_floor)")
}

func TestSummary(t *testing.T) {
	want := []string{
		"Lakeview Heating, America/Chicago, live: bids are sent",
		"nothing is recorded, so that nothing can be replayed: record: {dir: data/recordings} would",
		"the business spends at most $8,000.00 a month",
		"exchange northside: profile native, a post may be refused, a bid stands 1m0s, at most $300.00 a day",
		"campaign hvac-chicago buys hvac on northside; 237 ZIPs in IL; mon-fri 07:00-19:00, sat 08:00-14:00; 3 rules; " +
			"2 adjustments; 1 reject rule; at most $60.00 a lead; at most $400.00 a day; at most 3 leads an hour, 12 leads a day",
		"campaign hvac-chicago on northside: 3 leads an hour with bids open 10.4 s: at most 3 bids open at a time; " +
			"$300.00 a day: room for 5 bids of $60.00 at a time",
	}
	if diff := cmp.Diff(want, mustLoad(t, "testdata/good", "design.yaml").Summary()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestSummaryOfSilence: what is said of how long an exchange may be silent is what the Agent goes by.
func TestSummaryOfSilence(t *testing.T) {
	says := func(keys, want string, length time.Duration) {
		t.Helper()
		rs, faults := loadWhole(strings.Replace(frame, "auction: second", "commitment: binding, "+keys, 1) + "    rules: [{bid: 20}]\n")
		if rs == nil {
			t.Fatal(faults)
		}
		north := rs.Exchange("north")
		_, got, _ := strings.Cut(north.describe(), "a bid stands "+north.BidTTL.String())
		if got != want || north.SilentAfter() != length {
			t.Errorf("%s: %q, %v", keys, got, north.SilentAfter())
		}
	}
	says("bid_ttl: 60s", "", 15*time.Minute)
	says("bid_ttl: 60s, silent_after: 15m", "", 15*time.Minute)
	says("bid_ttl: 60s, silent_after: never", ", and may be silent for ever", 0)
	says("bid_ttl: 60s, silent_after: 20m", ", nothing is bid after 20m0s without a word from it", 20*time.Minute)
	says("bid_ttl: 60s, grace: 5s, silent_after: 60s", ", nothing is bid after 2m10s without a word from it", 130*time.Second)
	says("bid_ttl: 24h, grace: 0s", ", nothing is bid after 48h0m0s without a word from it", 48*time.Hour)
}

// TestConsentAge: how old a consent may be, where that is said; and what is yet to come is not known.
func TestConsentAge(t *testing.T) {
	rs, c := one(t, "    require: {consent_age: 30m}\n    rules: [{when: consent.age_minutes <= 10, bid: 30}, {bid: 20}]\n")
	e := rs.NewEvaluation()
	f := func(givenAt time.Time, reason pingpost.Reason, dollars float64) {
		t.Helper()
		p := basePing()
		if !givenAt.IsZero() {
			p.Consent.GivenAt = givenAt.UnixMilli()
		}
		e.Begin(monday, p)
		if got := e.Check(c, nil); got != reason {
			t.Errorf("given %v: %v, want %v", givenAt, got, reason)
		}
		if price := e.Price(c, nil, nil); price.Dollars != dollars {
			t.Errorf("given %v: %v, want %v", givenAt, price.Dollars, dollars)
		}
	}
	f(monday.Add(-10*time.Minute), pingpost.ReasonNone, 30)
	f(monday.Add(-10*time.Minute-time.Millisecond), pingpost.ReasonNone, 20)
	f(monday.Add(-30*time.Minute), pingpost.ReasonNone, 20)
	f(monday.Add(-30*time.Minute-time.Millisecond), pingpost.ConsentStale, 20)
	f(monday.Add(5*time.Minute), pingpost.ReasonNone, 30) // a clock that is ahead
	f(monday.Add(6*time.Minute), pingpost.ConsentStale, 20)
	f(time.Time{}, pingpost.ConsentStale, 20)
}
