package rules

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"
)

// TestNeverAskedIsTrue draws rules and pings: a rule that a warning calls never asked must never
// price one.
func TestNeverAskedIsTrue(t *testing.T) {
	warned, priced := 0, 0
	enough := func() bool { return warned >= 20 && priced >= 200 }
	checkUntil(t, enough, func(t *rapid.T) {
		text := `version: 1
business: {name: Lakeview, timezone: America/Chicago, budget: {day: $500}}
exchanges:
  north: {auth: {bearer: "${NORTHSIDE_KEY}"}}
lists:
  rich: ["60614", 60043]
  good_sources: [google-1, bing]
campaigns:
  c:
    services: [hvac]
    area: {prefixes: [600, 606, 464]}
    rules:
`
		var conditions []string
		for i := range rapid.IntRange(2, 8).Draw(t, "rules") {
			condition := drawTruth(t, 2).text
			if i > 0 && rapid.Bool().Draw(t, "narrower") {
				condition = "(" + rapid.SampledFrom(conditions).Draw(t, "than") + ") and (" + condition + ")"
			}
			conditions = append(conditions, condition)
			text += fmt.Sprintf("      - {when: %s, bid: %d}\n", yamlQuote(condition), i+1)
		}
		rs, faults := Load(fstest.MapFS{"b.yaml": {Data: []byte(text)}}, "b.yaml", testenv)
		if rs == nil {
			t.Fatalf("%s\n%s", text, faults)
		}
		never := map[int]string{} // by line
		for _, fault := range faults.List() {
			if strings.Contains(fault.Message, "never asked") {
				never[fault.Line] = fault.Message
			}
		}
		warned += len(never)
		e, campaign := rs.NewEvaluation(), rs.Campaigns()[0]
		for range 40 {
			ping := drawPing(t)
			e.Begin(monday, ping)
			price := e.Price(campaign, nil, nil)
			if price.Rule < 0 {
				continue
			}
			priced++
			if message, ok := never[campaign.Rules[price.Rule].Line]; ok {
				t.Fatalf("rule %d priced %+v, though %s in\n%s", price.Rule+1, ping, message, text)
			}
		}
	})
	if !enough() {
		t.Errorf("only %d warnings and %d prices were compared", warned, priced)
	}
}

// checkUntil draws cases of a property until they showed enough, in 20 rounds at most: with -short a
// round has few.
func checkUntil(t *testing.T, enough func() bool, property func(*rapid.T)) {
	t.Helper()
	rapid.Check(t, property)
	for rounds := 1; rounds < 20 && !enough() && !t.Failed(); rounds++ {
		rapid.Check(t, property)
	}
}
