package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

// What the index takes out of a condition, and what it leaves to be run.
func TestTheIndexTakes(t *testing.T) {
	f := func(all bool, when string) {
		t.Helper()
		_, c := one(t, "    rules:\n      - {bid: 7, when: "+yamlQuote(when)+"}\n")
		if always := c.Rules[0].when.always(); always != all {
			t.Errorf("%s: all of it: %v", when, always)
		}
	}
	f(true, `service == "hvac" and zip in ["60614", "606*"] and zip3 == "606" and zip in rich`)
	f(true, `urgency in ["emergency", "asap"] and job != "install" and property_type not in ["condo"] and urgency_days <= 7`)
	f(true, `homeowner and not exclusive and test == false and exchange == "north" and not (not homeowner)`)
	f(true, `lead_score > 50 and 20 <= lead_score < 90.5 and 7 < lead_score`)
	f(true, `(job == "repair" or job == "replace" or not known(job)) and (zip == "60614" or zip in rich)`)
	f(true, `not (urgency == "later" or urgency in ["planning", "flexible"])`)
	f(false, `service == "hvac" and source == "google"`)
	f(false, `lead_score != 50`)
	f(false, `zip != "60614"`)
	f(false, `zip == "60614" or job == "repair"`)
	f(false, `exchange == "nowhere"`)
	f(false, `homeowner ?? true`)
}

// Every part of the language becomes a closure: the machine is for what comes later.
func TestEverythingBecomesAClosure(t *testing.T) {
	configurations, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(configurations) == 0 {
		t.Fatal(err)
	}
	var loaded []*Ruleset
	for _, file := range configurations {
		if rs, _ := Load(os.DirFS(filepath.Dir(file)), filepath.Base(file), testenv); rs != nil {
			loaded = append(loaded, rs)
		}
	}
	for seed := range uint64(20) {
		loaded = append(loaded, drawPair(t, drawerOf(seed)).indexed)
	}
	for _, rs := range loaded {
		for _, c := range rs.Campaigns() {
			for _, rule := range slices.Concat(c.Rules, c.Adjusts, c.Rejects) {
				if rule.when.program != nil || rule.bid.program != nil {
					t.Errorf("%s: %q and %q are programs", rule.Name, rule.When, rule.Bid)
				}
			}
		}
	}
}

// The bits of the facets neither overlap nor leave a word out.
func TestFacetsFitTheirBits(t *testing.T) {
	table := facetTable([]*Exchange{{Name: "a"}, {Name: "b"}})
	var used uint64
	for name, f := range table {
		if name == "service" {
			if f.size != numServices || f.size > 64 {
				t.Errorf("%d services", f.size)
			}
			continue
		}
		bits := ones(f.size) << f.shift
		if used&bits != 0 {
			t.Errorf("%s has bits of another", name)
		}
		used |= bits
	}
	all := 0
	for _, width := range facetWidths {
		all += width
	}
	if all != 64 || table["urgency"].size != facetWidths[0] || table["job"].size != facetWidths[1] || table["property_type"].size != facetWidths[2] {
		t.Error("the widths are not those of the words")
	}
}

func TestPartitionIsTheSets(t *testing.T) {
	p := newPartition()
	rapid.Check(t, func(t *rapid.T) {
		p.reset()
		sets := rapid.SliceOfN(rapid.SliceOf(rapid.Map(rapid.IntRange(0, 12), func(i int) pingpost.ZIP { return pingpost.ZIP(i * 9_173) })), 0, 6).Draw(t, "sets")
		for i, set := range sets {
			p.add(i, set)
		}
		live, renumbered := p.number()
		table := p.table(renumbered)
		for zip := pingpost.ZIP(0); zip < zipLimit+200; zip += 9_173 {
			var want []int
			for i, set := range sets {
				if zip != 0 && zip < zipLimit && slices.Contains(set, zip) {
					want = append(want, i)
				}
			}
			var got []int
			if class := table.at(zip); class != 0 {
				got = p.sets(live[class-1].number)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%v is in %v, want %v", zip, got, want)
			}
		}
	})
}

// More exchanges than have a bit: rules that name one are run.
func TestManyExchanges(t *testing.T) {
	text := "version: 1\nbusiness: {name: L, timezone: UTC, budget: {day: $5}}\nexchanges:\n"
	for i := range maxExchangeBit + 2 {
		text += fmt.Sprintf("  x%d: {auth: {bearer: \"${KEY_OF_%d}\"}}\n", i, i)
	}
	text += "campaigns:\n  c: {services: [hvac], area: {zips: [60614]}, rules: [{bid: 1, when: 'exchange == \"x25\"'}, {bid: 2, when: 'exchange != \"x0\"'}, {bid: 3}]}\n"
	rs, faults := load(fstest.MapFS{"b.yaml": {Data: []byte(text)}}, "b.yaml", testenv, options{})
	if rs == nil {
		t.Fatal(faults)
	}
	e := rs.NewEvaluation()
	for exchange, want := range map[string]float64{"x25": 1, "x24": 2, "x3": 2, "x0": 3} {
		e.Begin(monday, &pingpost.Ping{Exchange: exchange, Service: pingpost.HVAC, ZIP: 60614})
		if price := e.Price(rs.Campaigns()[0], nil, nil); price.Dollars != want {
			t.Errorf("%s: %v, want %v", exchange, price.Dollars, want)
		}
	}
}

// Configurations made to take for ever, or to come to a wrong price: each is refused, and soon.
func TestHostileRules(t *testing.T) {
	f := func(what, expected, text string) {
		t.Helper()
		began := time.Now()
		rs, faults := loadWhole(text)
		if rs != nil || !strings.Contains(faults.String(), expected) {
			t.Errorf("%s: %.300s", what, faults)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %v", what, took)
		}
	}
	when := func(text string) string { return frame + "    rules:\n      - bid: 1\n        when: '" + text + "'\n" }
	bid := func(text string) string { return frame + "    rules: [{bid: '" + text + "'}]\n" }
	f("a megabyte of parentheses", "longer than 8192", when(strings.Repeat("(", 1_000_000)))
	f("a loop over a million", "reduce", when("reduce(1..1000000, # + #acc) > 1"))
	f("a range of a million", "..", when("1 in 1..1000000"))
	f("one by zero", "infinity", bid("1 / 0"))
	f("a huge power", "infinity", bid("9 ** 9 ** 9"))
	f("a regular expression bomb", "not a regular expression", when(`source matches "((a{1000}){1000}){1000}"`))
	f("one within the parser's bounds", "at most 500 steps", when(`source matches "(.*){800}x"`))
	f("a long one", "longer than 500", when(`source matches "`+strings.Repeat("(a?){1000}", 700)+`"`))
	f("aliases that explode", "alias", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n")
	f("cents into a count", "19.99", frame+"    capacity: {leads: {day: 19.99}}\n    rules: [{bid: 1}]\n")
	f("a ZIP as a number", `"60614"`, when("zip == 60614"))
	f("a ZIP without its zero", `"00501"`, when("zip == 501"))
}

// What cannot be known at load is bounded when it runs: a failed rule bids nothing.
func TestHostilePrices(t *testing.T) {
	for _, bid := range []string{"1 / (lead_score - 72)", "lead_score ** 300", "-lead_score", "0 / (lead_score - 72)", "1e300 * lead_score"} {
		rs, c := one(t, "    rules: [{bid: "+yamlQuote(bid)+"}]\n")
		e := rs.NewEvaluation()
		e.Begin(monday, basePing())
		if price := e.Price(c, nil, nil); price.Reason != pingpost.RuleError || price.Dollars != 0 {
			t.Errorf("%s: %+v", bid, price)
		}
	}
	// A pattern that takes other engines an age takes this one a pass over the text.
	rs, c := one(t, "    rules: [{bid: 7, when: 'source matches \"^(a+)+$\"'}]\n")
	e, p := rs.NewEvaluation(), basePing()
	p.Source = strings.Repeat("a", 30_000) + "!"
	e.Begin(monday, p)
	if price := e.Price(c, nil, nil); price.Reason != pingpost.NoRule {
		t.Errorf("%+v", price)
	}
}

// Looking for covered rules stops where it would take too long.
func TestLookingForCoveredRulesEnds(t *testing.T) {
	var ands, ors []string
	for i := range 40 {
		ands = append(ands, fmt.Sprintf(`source != "%d"`, i))
		ors = append(ors, fmt.Sprintf(`city == "%d"`, i))
	}
	if rs, faults := loadText("    rules:\n      - {bid: 1, when: " + yamlQuote(strings.Join(ors, " or ")) + "}\n      - {bid: 2, when: " +
		yamlQuote(strings.Join(ands, " and ")) + "}\n"); rs == nil {
		t.Error(faults)
	}
}
