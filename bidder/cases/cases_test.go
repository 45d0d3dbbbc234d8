package cases

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
	"leadbid/rules"
)

const configuration = `
version: 1
business: {name: Lakeview, timezone: America/Chicago, budget: {month: $8000}}
exchanges:
  north: {auth: {bearer: "${KEY}"}, commitment: refusable, auction: first, budget: {day: $300}}
  west: {auth: {bearer: "${KEY}"}, commitment: binding, auction: second}
lists: {near: [60614]}
campaigns:
  urgent:
    services: [hvac]
    exchanges: [north]
    area: {zips: [60614, 60618]}
    budget: {day: $90}
    require: {consent: promised}
    rules:
      - {name: same name, when: urgency == "emergency" and zip in near, bid: 60}
      - {name: same name, when: urgency == "emergency", bid: 50}
      - {name: not wanted, when: attrs.floors > 3, bid: 0}
  any:
    services: [hvac, plumbing]
    area: {zips: [60614, 60618]}
    capacity: {leads: {day: 2}}
    rules:
      - {name: old system, when: attrs.age == "12", bid: 25}
      - {name: other, bid: 20}
    reject:
      - {name: landlord, when: lead.notes contains "landlord", reason: renter}
      - {name: far, when: lead.zip != "60614"}
      - {name: expensive to call, when: lead.phone_type == "premium"}
      - {name: customers, customers: {file: customers.txt}, reason: known}
`

// customers is a file of one phone number and one address.
func customers() string {
	return fmt.Sprintf("%x\n%x\n", sha256.Sum256([]byte("+13125550123")), sha256.Sum256([]byte("jo@example.org")))
}

func load(t *testing.T, cases string) (*rules.Ruleset, []Case, *yamlfile.Faults) {
	t.Helper()
	files := fstest.MapFS{"bidder.yaml": {Data: []byte(strings.TrimSpace(configuration))}, "cases.yaml": {Data: []byte(cases)},
		"customers.txt": {Data: []byte(customers())}}
	rs, faults := rules.LoadOffline(files, "bidder.yaml", func(string) (string, bool) { return "", false })
	if rs == nil {
		t.Fatal(faults)
	}
	faults = &yamlfile.Faults{}
	return rs, Load(files, "cases.yaml", rs, faults), faults
}

// outcome runs one case, whose lines begin at the depth of its keys, and says what came of it.
func outcome(t *testing.T, lines string) string {
	t.Helper()
	rs, all, faults := load(t, "version: 1\nat: 2026-03-02 10:00\ncases:\n  - name: case\n"+lines+"    expect: {bid: 1}\n")
	if faults.Any() {
		t.Fatal(faults)
	}
	return Run(rs, all).Results[0].Got.String()
}

func TestOutcomes(t *testing.T) {
	f := func(want, lines string) {
		t.Helper()
		if got := outcome(t, lines); got != want {
			t.Errorf("%s\n got %s\nwant %s", lines, got, want)
		}
	}
	const promised = "consent: {trustedform_promised: true}"
	f(`bid $60.00 by urgent, rule "same name"`, "    ping: {service: hvac, urgency: emergency, zip: 60614, "+promised+"}\n")
	// Without consent the first campaign is not asked for a price, and the second takes it.
	f(`bid $20.00 by any, rule "other"`, "    ping: {service: hvac, urgency: emergency, zip: 60614}\n")
	f(`bid $20.00 by any, rule "other"`, "    exchange: west\n    ping: {service: hvac, urgency: emergency, zip: 60614, "+promised+"}\n")
	// A declined ping goes on to the next campaign.
	f(`bid $20.00 by any, rule "other"`, "    ping: {service: hvac, zip: 60618, attrs: {floors: 4}, "+promised+"}\n")
	// In quotes an attribute is a text, without them a number.
	f(`bid $25.00 by any, rule "old system"`, "    ping: {service: plumbing, zip: 60618, attrs: {age: \"12\"}}\n")
	f(`bid $20.00 by any, rule "other"`, "    ping: {service: plumbing, zip: 60618, attrs: {age: 12}}\n")
	f("no bid: service_not_bought, campaign urgent", "    ping: {service: roofing, zip: 60618}\n")
	// Money: of the campaign, of the exchange above it, of the business; and places.
	used := func(what string) string {
		return "    ping: {service: hvac, urgency: emergency, zip: 60614, " + promised + "}\n    used: {" + what + "}\n"
	}
	f(`bid $20.00 by any, rule "other"`, used("campaigns: {urgent: {budget: {day: $31}}}"))
	f(`bid $60.00 by urgent, rule "same name"`, used("campaigns: {urgent: {budget: {day: $30}}}"))
	f(`bid $20.00 by any, rule "other"`, used("exchanges: {north: {budget: {day: $250}}}"))
	f(`no bid: budget_exhausted, campaign urgent, rule "same name"`, used("exchanges: {north: {budget: {day: $300}}}"))
	f(`no bid: budget_exhausted, campaign urgent, rule "same name"`, used("business: {budget: {month: $8000}}"))
	f(`no bid: capacity_full, campaign any, rule "other"`,
		"    ping: {service: plumbing, zip: 60618}\n    used: {campaigns: {any: {capacity: {leads: {day: 2}}}}}\n")
}

func TestPosts(t *testing.T) {
	f := func(want, lines string) {
		t.Helper()
		got := outcome(t, "    ping: {service: plumbing, job: repair, zip: 60614}\n    post: {"+lines+"}\n")
		if got, _ = strings.CutPrefix(got, `bid $20.00 by any, rule "other"; `); got != want {
			t.Errorf("%s\n got %s\nwant %s", lines, got, want)
		}
	}
	f("post accepted", "")
	f("post accepted", "lead: {first_name: Jo, email: jo@example.com, notes: call me}")
	f(`post rejected: renter by "landlord"`, "lead: {notes: my landlord pays}")
	f(`post rejected: rejected_by_rule by "expensive to call"`, "lead: {phone: 900-234-5678}")
	f(`post rejected: known by "customers"`, "lead: {phone: (312) 555-0123}")
	f(`post rejected: known by "customers"`, "lead: {phone: 312-555-0199, email: Jo@Example.org}")
	f("post rejected: ping_mismatch", "lead: {zip: 60618}")
	f("post rejected: ping_mismatch", "job: install")
	f("post rejected: price_mismatch", "price: $20.01")
	f("post accepted", "price: $19")
}

func TestCoverage(t *testing.T) {
	rs, all, faults := load(t, `version: 1
at: 2026-03-02T10:00:00Z
cases:
  - name: the first of two rules of one name
    ping: {service: hvac, urgency: emergency, zip: 60614, consent: {leadid_promised: true}}
    expect: {bid: $60, campaign: urgent, rule: same name}
  - name: a renter
    ping: {service: plumbing, zip: 60614}
    post: {lead: {notes: landlord}}
    expect: {bid: 20, post: renter, reject: landlord}
  - name: wrong
    ping: {service: plumbing, zip: 60614}
    expect: {no_bid: declined}
`)
	if faults.Any() {
		t.Fatal(faults)
	}
	report := Run(rs, all)
	want := []Uncovered{{"urgent", "rule", "same name", 16}, {"urgent", "rule", "not wanted", 17},
		{"any", "rule", "old system", 23}, {"any", "reject", "far", 27},
		{"any", "reject", "expensive to call", 28}, {"any", "reject", "customers", 29}}
	if diff := cmp.Diff(want, report.Uncovered); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if report.Passed != 2 || report.Failed != 1 || report.Results[2].OK {
		t.Errorf("%+v", report)
	}
	wanted, got := report.Results[2].Differs()
	if wanted != "no bid: declined" || got != "bid $20.00" {
		t.Errorf("expected %s, got %s", wanted, got)
	}
}

// TestEveryPingFieldArrives holds that each word of a case's ping reaches the ping.
func TestEveryPingFieldArrives(t *testing.T) {
	rs, all, faults := load(t, `version: 1
cases:
  - name: all
    at: 2026-03-02 10:00:30
    ping: {ping_id: p, auction: second, service: hvac, task: furnace, job: repair, zip: 02108, state: MA,
      city: Boston, urgency: asap, property_type: condo, homeowner: false, lead_score: 71.5, source: s,
      sub_ids: [a, b], exclusive: true, max_sold: 3, sold_so_far: 1, floor: $12.50, test: true,
      consent: {agreed: true, trustedform_url: "https://cert.trustedform.com/x", leadid: l, leadid_promised: true,
        given_at: 2026-03-02 09:50},
      attrs: {text: "5", number: 5, truth: true, word: five}}
    expect: {no_bid: outside_area}
`)
	if faults.Any() {
		t.Fatal(faults)
	}
	got := all[0].Ping
	want := pingpost.Ping{Exchange: rs.Exchanges()[0].Name, ID: "p", TmaxMS: 1000, Auction: got.Auction,
		Service: pingpost.HVAC, Task: "furnace", Job: pingpost.Repair, ZIP: 2108, State: "MA", City: "Boston",
		Urgency: pingpost.UrgencyASAP, Property: pingpost.Condo, Homeowner: pingpost.No,
		LeadScore: pingpost.Score{Value: 71.5, Known: true}, Source: "s", SubIDs: []string{"a", "b"}, Exclusive: true,
		MaxSold: 3, SoldSoFar: 1, Floor: 1250, Test: true,
		Consent: pingpost.Consent{Agreed: pingpost.Yes, TrustedFormURL: "https://cert.trustedform.com/x", LeadID: "l",
			LeadIDPromised: true, GivenAt: all[0].At.Truncate(time.Minute).Add(-10 * time.Minute).UnixMilli()},
		Attrs: []pingpost.Attr{{Name: "text", Value: "5"}, {Name: "number", Value: "5", Kind: pingpost.AttrNumber},
			{Name: "truth", Value: "true", Kind: pingpost.AttrBool}, {Name: "word", Value: "five"}},
	}
	want.Digest = want.ComputeDigest()
	if diff := cmp.Diff(want, got); diff != "" || got.Auction.String() != "second" {
		t.Errorf("-want +got\n%s", diff)
	}
	if at := all[0].At.UTC().Format("15:04:05"); at != "16:00:30" {
		t.Errorf("at %s", at)
	}
}

// TestLiveStateCanBeSet asks for every live fact that rules may read, through what a case says of it.
func TestLiveStateCanBeSet(t *testing.T) {
	f := func(want, when, state string) {
		t.Helper()
		text := strings.NewReplacer("    capacity: {leads: {day: 2}}", "    budget: {day: $240}\n    capacity: {leads: {day: 12, week: 40}}",
			"      - {name: customers, customers: {file: customers.txt}, reason: known}\n", "", `{name: other, bid: 20}`, `{name: state, when: '`+when+`', bid: 30}`).Replace(configuration)
		files := fstest.MapFS{"bidder.yaml": {Data: []byte(strings.TrimSpace(text))}, "cases.yaml": {Data: []byte(
			"version: 1\nat: 2026-03-02 12:00\ncases:\n  - name: case\n    ping: {service: plumbing, zip: 60618}\n" + state +
				"    expect: {bid: 1}\n")}}
		rs, faults := rules.LoadOffline(files, "bidder.yaml", func(string) (string, bool) { return "", false })
		if rs == nil {
			t.Fatal(faults)
		}
		faults = &yamlfile.Faults{}
		all := Load(files, "cases.yaml", rs, faults)
		got := faults.String()
		if !faults.Any() {
			got = Run(rs, all).Results[0].Got.String()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s with %s: %s, want %s", when, state, got, want)
		}
	}
	const bids, none = `bid $30.00 by any, rule "state"`, "no bid: no_rule"
	spent := func(what string) string { return "    used: {campaigns: {any: {" + what + "}}}\n" }
	f(bids, "budget.day.spent_share == 0.25", spent("budget: {day: $60}"))
	f(bids, "budget.day.left == 180", spent("budget: {day: $60}"))
	f(bids, "budget.day.pace == 0.5", spent("budget: {day: $60}")) // half of the day is over
	f(bids, "budget.day.spent_share == 0", "")
	f(bids, "capacity.day.left == 9 and capacity.week.left == 37", spent("capacity: {leads: {day: 3, week: 3}}"))
	f(bids, "capacity.day.pace == 0.5 and capacity.day.spent_share == 0.25", spent("capacity: {leads: {day: 3}}"))
	f(bids, "win_rate == 0.24", "    win_rate: {any: 24%}\n")
	f(none, "win_rate == 0.24", "    win_rate: {urgent: 24%}\n")
	f(bids, "win_rate == 0", "    win_rate: {any: 0%}\n")
	f(bids, "win_rate == 1", "    win_rate: {any: 100%}\n")
	f(none, "known(win_rate)", "")
	f("of which that would be 12.5", "win_rate == 0.25", "    win_rate: {any: 25%}\n")
	f("type: 24%", "win_rate == 0.24", "    win_rate: {any: 0.24}\n")
	f("type: 26%", "win_rate == 0.25", "    win_rate: {any: 25%}\n")
	f("type: any", "win_rate == 0.24", "    win_rate: {ani: 24%}\n")
}
