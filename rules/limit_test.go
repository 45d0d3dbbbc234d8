package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"leadbid/pingpost"
)

// undecided is a campaign whose rules the index cannot decide, none of which holds but the last.
func undecided(name, services string, rules int, when string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s:\n    services: %s\n    area: {zips: [60614, 60043]}\n    rules:\n", name, services)
	for i := range rules {
		fmt.Fprintf(&b, "      - {bid: 20, when: '%s'}\n", strings.ReplaceAll(when, "#", fmt.Sprint(i)))
	}
	return b.String()
}

var campaignsHead = frame[:strings.Index(frame, "  c:\n")]

const nobodysSource = `source startsWith "nobody-#" or attrs.system == "nothing-#"`

func TestUndecidedRulesAreLimited(t *testing.T) {
	f := func(fine bool, what string, campaigns ...string) {
		t.Helper()
		rs, faults := loadWhole(campaignsHead + strings.Join(campaigns, ""))
		if (rs != nil) != fine || (!fine && !strings.Contains(faults.String(), "500 are the most")) {
			t.Errorf("%s: %s", what, faults)
		}
	}
	f(true, "500 rules", undecided("a", "[hvac]", 500, nobodysSource))
	f(false, "501 rules", undecided("a", "[hvac]", 501, nobodysSource))
	f(false, "251 twice", undecided("a", "[hvac]", 251, nobodysSource), undecided("b", "[hvac]", 251, nobodysSource))
	f(true, "251 twice, for services of their own", undecided("a", "[hvac]", 251, nobodysSource), undecided("b", "[roofing]", 251, nobodysSource))
	f(true, "1000 for one of two services each", undecided("a", "[hvac, roofing]", 500, `service == "hvac" and source == "#"`),
		undecided("b", "[hvac, roofing]", 500, `service == "roofing" and source == "#"`))
	f(true, "1000 for one of two ZIPs each", undecided("a", "[hvac]", 500, `zip == "60614" and source == "#"`),
		undecided("b", "[hvac]", 500, `zip == "60043" and source == "#"`))
	f(true, "5000 that the index decides", undecided("a", "[hvac]", 5000, `urgency == "week" and lead_score > 0.#`))
	f(false, "150 long ones", undecided("a", "[hvac]", 150, strings.Repeat(nobodysSource+" or ", 19)+"test"))
	f(false, "200 regular expressions", undecided("a", "[hvac]", 200, `source matches "^nobody-#$"`))
	f(false, "501 adjustments", undecided("a", "[hvac]", 1, "test")+"    adjust:\n"+strings.Repeat("      - {when: exclusive, add: 1}\n", 501))
	f(false, "the sum of 501 prices", strings.ReplaceAll(undecided("a", "[hvac]", 501, "lead_score > 50"), "bid: 20", "bid: lead_score")+"    mode: sum\n")
}

func undecidedPings() []*pingpost.Ping {
	pings := make([]*pingpost.Ping, 512)
	for i := range pings {
		pings[i] = basePing()
		pings[i].Source = fmt.Sprintf("google-%d", i)
		pings[i].LeadScore.Value = float64(i % 100)
		pings[i].Attrs = []pingpost.Attr{{Name: "system", Value: "furnace"}}
	}
	return pings
}

// BenchmarkFiveHundredUndecidedRules is the worst that a configuration may do to a ping. It tells
// the 99th percentile too: go run ./bench/rules keeps it.
func BenchmarkFiveHundredUndecidedRules(b *testing.B) {
	rs, faults := loadWhole(campaignsHead + undecided("a", "[hvac]", 500, nobodysSource))
	if rs == nil {
		b.Fatal(faults)
	}
	e, pings := rs.NewEvaluation(), undecidedPings()
	var took []time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		e.Begin(monday, pings[i%len(pings)])
		e.Price(rs.Campaigns()[0], nil, nil)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "ns/p99")
}
