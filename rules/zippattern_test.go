package rules

import (
	"fmt"
	"strings"
	"testing"

	"leadbid/pingpost"
)

func TestZIPPatterns(t *testing.T) {
	f := func(text string, first, last pingpost.ZIP) {
		t.Helper()
		span, message, _ := parseZIPs(text)
		if message != "" || span != (zipSpan{first, last}) {
			t.Errorf("%q: %v, %q", text, span, message)
		}
	}
	f("60614", 60614, 60614)
	f("00501", 501, 501)
	f("60614-1234", 60614, 60614)
	f("60601-60661", 60601, 60661)
	f("60601 - 60661", 60601, 60661)
	f("606*", 60600, 60699)
	f("6*", 60000, 69999)
	f("0*", 1, 9999)
	f("0050*", 500, 509)
	for text, want := range map[string]string{
		"": "not a ZIP code", "606": "drop the zero", "*": "does not stand for ZIP codes", "60614*": "does not stand for ZIP codes",
		"60661-60601": "ends before it begins", "10000-30000": "spans more than 10000", "60601-606": "in the range",
		"6x*": "does not stand for ZIP codes",
	} {
		if _, message, _ := parseZIPs(text); !strings.Contains(message, want) {
			t.Errorf("%q: %q, want %q", text, message, want)
		}
	}
}

// A range is written the same way in an area, in a list and in a rule, and means the same.
func TestRangesMeanTheSameEverywhere(t *testing.T) {
	const area = "{zips: [60614, 60043, 60045, 46402], prefixes: [606]}"
	lists := strings.Replace(frame, "lists:\n", "lists:\n  wide: [60601-60615, 600*, list rich, \"10001\"]\n", 1)
	f := func(text string, has func(pingpost.ZIP) bool) {
		t.Helper()
		for _, zip := range []pingpost.ZIP{0, 501, 10001, 46402, 60043, 60045, 60600, 60601, 60608, 60614, 60615, 60616, 60700} {
			want := zip == 10001 || (zip >= 60601 && zip <= 60615) || (zip >= 60000 && zip <= 60099) || zip == 60043
			if got := has(zip); got != want {
				t.Errorf("%s: %v in it: %v", text, zip, got)
			}
		}
	}
	inRule := func(when string) func(pingpost.ZIP) bool {
		rs, c := loadCampaign(t, lists+"    rules:\n      - {bid: 7, when: '"+when+"'}\n")
		e := rs.NewEvaluation()
		return func(zip pingpost.ZIP) bool {
			p := basePing()
			p.ZIP = zip
			e.Begin(monday, p)
			return e.Price(c, nil, nil).Dollars == 7
		}
	}
	for _, when := range []string{"zip in wide", `zip in ["60601-60615", "600*", "10001"]`, `zip in ["60601-60615"] or (zip in wide and true)`} {
		f(when, inRule(when))
	}
	without := inRule(`known(zip) and zip not in ["60601-60615", "600*", "10001"]`)
	f("not in", func(zip pingpost.ZIP) bool { return zip != 0 && !without(zip) })
	_, c := loadCampaign(t, strings.Replace(lists, area, "{zips: [60601-60615, 600*], lists: [wide]}", 1)+"    rules: [{bid: 1}]\n")
	for _, zip := range []pingpost.ZIP{60601, 60608, 60043, 10001} {
		if !c.area.has(zip) {
			t.Errorf("the area lacks %v", zip)
		}
	}
	if c.area.has(60616) || c.area.has(60000) { // 60000 is in the range, and no post office knows it
		t.Error("the area holds too much")
	}
	_, c = loadCampaign(t, strings.Replace(lists, area, "{prefixes: [606], except: [60601-60615, 6064*]}", 1)+"    rules: [{bid: 1}]\n")
	if c.area.has(60614) || c.area.has(60645) || !c.area.has(60616) {
		t.Error("the ranges were not cut")
	}
}

func TestListsOfLists(t *testing.T) {
	rs, faults := loadWhole(strings.Replace(frame, "lists:\n", "lists:\n  all: [list some, x]\n  some: [list good_sources, y]\n", 1) +
		"    rules: [{bid: 1, when: source in all}]\n")
	if rs == nil {
		t.Fatal(faults)
	}
	if !strings.Contains(faults.String(), `no rule and no area uses the list "rich"`) || strings.Contains(faults.String(), `"some"`) {
		t.Errorf("faults:\n%s", faults)
	}
	e := rs.NewEvaluation()
	for _, source := range []string{"google-1", "bing", "x", "y", "list some", "z"} {
		p := basePing()
		p.Source = source
		e.Begin(monday, p)
		want := pingpost.ReasonNone
		if source == "list some" || source == "z" {
			want = pingpost.NoRule
		}
		if price := e.Price(rs.Campaigns()[0], nil, nil); price.Reason != want {
			t.Errorf("%s: %v", source, price.Reason)
		}
	}
}

// Lists that include each other forty deep, each twice, must not take forever.
func TestListsOfListsStaySmall(t *testing.T) {
	var b strings.Builder
	b.WriteString("  l0: [x]\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&b, "  l%d: [list l%d, list l%d]\n", i, i-1, i-1)
	}
	rs, faults := loadWhole(strings.Replace(frame, "lists:\n", "lists:\n"+b.String(), 1) + "    rules: [{bid: 1, when: source in l39}]\n")
	if rs == nil {
		t.Fatal(faults)
	}
}
