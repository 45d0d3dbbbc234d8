package rules

import (
	"os"
	"testing"
	"testing/fstest"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

func testenv(name string) (string, bool) {
	value, ok := map[string]string{
		"NORTHSIDE_KEY": "0123456789abcdef0123456789abcdef",
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
		"rich.txt": {Data: []byte("zip\n60614\n60043\n")}}, "bidder.yaml", testenv, false)
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
	want := `rule "emergency in a high-income ZIP" $50.00 -> slow week x1.2 = $60.00 -> paid search +3 = $63.00 -> max_bid = $60.00`
	if got := tr.Path(); got != want {
		t.Errorf("path %s", got)
	}
	for _, s := range tr.Steps {
		t.Log(s.String())
	}
	for _, s := range rs.Summary() {
		t.Log(s)
	}
}
