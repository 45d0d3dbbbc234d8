package rules

import (
	"fmt"
	"strings"
	"testing"

	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

// hundredRules is one campaign whose rules are spread over the ZIPs of a metro area, as those of
// a contractor who prices neighbourhoods are, with a catch-all at the end.
func hundredRules(tb testing.TB) (*Ruleset, *Campaign) {
	near, _ := zips.Within(60614, 25)
	var b strings.Builder
	b.WriteString("    rules:\n")
	for i := range 99 {
		zip := near[i*len(near)/99]
		fmt.Fprintf(&b, "      - {when: 'zip in [\"%s\", \"%s\"] and urgency in [\"emergency\", \"asap\"] and lead_score >= %d and property_type != \"condo\"', bid: 20 + 0.1 * lead_score}\n",
			zip, near[(i*7)%len(near)], 10+i%50)
	}
	b.WriteString("      - bid: 18 + 0.1 * (lead_score ?? 50)\n")
	b.WriteString("    hours: {mon-sun: \"06:00-22:00\"}\n    require: {consent: promised, homeowner: true}\n")
	b.WriteString("    adjust:\n      - {when: capacity.week.pace < 0.8, multiply: 1.2}\n      - {when: 'source startsWith \"google\"', add: 3}\n")
	b.WriteString("    limits: {min_bid: $5, max_bid: $60}\n")
	return loadCampaign(tb, strings.Replace(frame, "{zips: [60614, 60043, 60045, 46402], prefixes: [606]}", "{zip: 60614, miles: 25}", 1)+b.String())
}

func decide(e *Evaluation, rs *Ruleset, p *pingpost.Ping, space []*Campaign, facts *Facts) (pingpost.Cents, pingpost.Reason) {
	candidates, reason := rs.Candidates(p, space)
	if len(candidates) == 0 {
		return 0, reason
	}
	c := candidates[0]
	e.Begin(monday, p)
	if reason := e.Check(c, nil); reason != 0 {
		return 0, reason
	}
	price := e.Price(c, facts, nil)
	if price.Reason != 0 {
		return 0, price.Reason
	}
	return c.Bid(price.Dollars, p.Floor, nil)
}

func BenchmarkBidPathHundredRules(b *testing.B) {
	rs, _ := hundredRules(b)
	e := rs.NewEvaluation()
	near, _ := zips.Within(60614, 25)
	pings := make([]*pingpost.Ping, 997)
	for i := range pings {
		pings[i] = basePing()
		pings[i].ZIP = near[(i*13)%len(near)]
		pings[i].LeadScore.Value = float64(i % 100)
		pings[i].Property = pingpost.Property(1 + i%8)
	}
	facts := &Facts{}
	facts.Capacity[pingpost.Week] = Usage{Known: true, Pace: 0.5}
	var space [8]*Campaign
	bids := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if cents, _ := decide(e, rs, pings[i%len(pings)], space[:0], facts); cents > 0 {
			bids++
		}
	}
	b.ReportMetric(float64(bids)/float64(b.N), "bids/op")
}

func BenchmarkBegin(b *testing.B) {
	rs, _ := hundredRules(b)
	e := rs.NewEvaluation()
	p := basePing()
	b.ReportAllocs()
	for b.Loop() {
		e.Begin(monday, p)
	}
}

func TestBidPathDoesNotAllocate(t *testing.T) {
	rs, _ := hundredRules(t)
	e := rs.NewEvaluation()
	p := basePing()
	var space [8]*Campaign
	facts := &Facts{}
	facts.Capacity[pingpost.Week] = Usage{Known: true, Pace: 0.5}
	if allocs := testing.AllocsPerRun(200, func() {
		if cents, reason := decide(e, rs, p, space[:0], facts); cents == 0 {
			t.Fatal(reason)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	if allocs := testing.AllocsPerRun(200, func() { rs.Candidates(p, space[:0]) }); allocs != 0 {
		t.Errorf("Candidates made %v allocations", allocs)
	}
}
