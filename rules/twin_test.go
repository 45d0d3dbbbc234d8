package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadbid/pingpost"
)

// The twins of this file say what a configuration means without any of our machinery: every
// expression is drawn together with a Go function that works it out from the ping by the words of
// the package comment. The Ruleset, with its parser, rewriting, virtual machine and index, has to
// agree with them, and with itself loaded without an index.

// truthTwin is a condition and what it means.
type truthTwin struct {
	text string
	is   func(*pingpost.Ping) bool
}

// numberTwin is a number and what it means; known is false where it needs a missing field.
type numberTwin struct {
	text string
	is   func(*pingpost.Ping) (value float64, known bool)
}

// textTwin is a text field and its values that are worth asking for.
type textTwin struct {
	name  string
	words []string
	is    func(*pingpost.Ping) string
}

var (
	twinZIPs  = []pingpost.ZIP{60614, 60615, 60043, 46402, 60045}
	twinTexts = []textTwin{
		{"zip", []string{"60614", "60615", "60043", "46402", "10001"}, func(p *pingpost.Ping) string { return p.ZIP.String() }},
		{"zip3", []string{"606", "600", "464"}, func(p *pingpost.Ping) string {
			if p.ZIP == 0 {
				return ""
			}
			return p.ZIP.String()[:3]
		}},
		{"job", []string{"repair", "install", "maintain"}, func(p *pingpost.Ping) string { return p.Job.String() }},
		{"urgency", []string{"emergency", "week"}, func(p *pingpost.Ping) string { return p.Urgency.String() }},
		{"source", []string{"google-1", "bing"}, func(p *pingpost.Ping) string { return p.Source }},
		{"attrs.system", []string{"furnace", "boiler"}, func(p *pingpost.Ping) string {
			attr, ok := p.Attr("system")
			if !ok || attr.Kind != pingpost.AttrText {
				return ""
			}
			return attr.Value
		}},
	}
	twinLists = map[string][]string{"rich": {"60614", "60043"}, "good_sources": {"google-1", "bing"}}
)

func drawTruth(t *rapid.T, depth int) truthTwin {
	most := 7
	if depth == 0 {
		most = 4
	}
	switch rapid.IntRange(0, most).Draw(t, "shape") {
	case 0, 1:
		return drawTextTruth(t)
	case 2:
		return drawNumberTruth(t, depth)
	case 3:
		return drawOwner(t)
	case 4:
		return drawKnown(t)
	case 5:
		inner := drawTruth(t, depth-1)
		return truthTwin{"not (" + inner.text + " or false)", func(p *pingpost.Ping) bool { return !inner.is(p) }}
	case 6:
		a, b := drawTruth(t, depth-1), drawTruth(t, depth-1)
		return truthTwin{"(" + a.text + " or " + b.text + ")", func(p *pingpost.Ping) bool { return a.is(p) || b.is(p) }}
	default:
		a, b := drawTruth(t, depth-1), drawTruth(t, depth-1)
		return truthTwin{a.text + " and " + b.text, func(p *pingpost.Ping) bool { return a.is(p) && b.is(p) }}
	}
}

func drawTextTruth(t *rapid.T) truthTwin {
	f := rapid.SampledFrom(twinTexts).Draw(t, "text")
	word := rapid.SampledFrom(f.words).Draw(t, "word")
	words := rapid.SliceOfN(rapid.SampledFrom(f.words), 1, 3).Draw(t, "words")
	quoted := make([]string, len(words))
	for i := range words {
		quoted[i] = strconv.Quote(words[i])
	}
	known := func(p *pingpost.Ping) bool { return f.is(p) != "" }
	switch rapid.IntRange(0, 6).Draw(t, "comparison") {
	case 0:
		return truthTwin{f.name + " == " + strconv.Quote(word), func(p *pingpost.Ping) bool { return f.is(p) == word }}
	case 1:
		return truthTwin{f.name + " != " + strconv.Quote(word), func(p *pingpost.Ping) bool { return known(p) && f.is(p) != word }}
	case 2:
		return truthTwin{f.name + " in [" + strings.Join(quoted, ", ") + "]", func(p *pingpost.Ping) bool { return slices.Contains(words, f.is(p)) }}
	case 3:
		return truthTwin{f.name + " not in [" + strings.Join(quoted, ", ") + "]",
			func(p *pingpost.Ping) bool { return known(p) && !slices.Contains(words, f.is(p)) }}
	case 4:
		return truthTwin{f.name + " not startsWith " + strconv.Quote(word[:2]),
			func(p *pingpost.Ping) bool { return known(p) && !strings.HasPrefix(f.is(p), word[:2]) }}
	case 5:
		return truthTwin{strconv.Quote(word) + " == " + f.name, func(p *pingpost.Ping) bool { return f.is(p) == word }}
	}
	list := map[string]string{"zip": "rich", "source": "good_sources"}[f.name]
	if list == "" {
		return truthTwin{"true", func(*pingpost.Ping) bool { return true }}
	}
	if rapid.Bool().Draw(t, "negated") {
		return truthTwin{f.name + " not in " + list, func(p *pingpost.Ping) bool { return known(p) && !slices.Contains(twinLists[list], f.is(p)) }}
	}
	return truthTwin{f.name + " in " + list, func(p *pingpost.Ping) bool { return slices.Contains(twinLists[list], f.is(p)) }}
}

func drawNumberTruth(t *rapid.T, depth int) truthTwin {
	n, m := drawNumber(t, depth), drawNumber(t, 0)
	operator := rapid.SampledFrom([]string{"<", ">=", "==", "!="}).Draw(t, "operator")
	return truthTwin{n.text + " " + operator + " " + m.text, func(p *pingpost.Ping) bool {
		x, known := n.is(p)
		y, alsoKnown := m.is(p)
		if !known || !alsoKnown {
			return false
		}
		return map[string]bool{"<": x < y, ">=": x >= y, "==": x == y, "!=": x != y}[operator]
	}}
}

func drawOwner(t *rapid.T) truthTwin {
	yes := func(p *pingpost.Ping) bool { return p.Homeowner == pingpost.Yes }
	no := func(p *pingpost.Ping) bool { return p.Homeowner == pingpost.No }
	return rapid.SampledFrom([]truthTwin{
		{"homeowner", yes}, {"not homeowner", no}, {"!homeowner", no}, {"homeowner == false", no}, {"homeowner != false", yes},
		{"not (not homeowner)", func(p *pingpost.Ping) bool { return !no(p) }},
		{"(homeowner ?? true)", func(p *pingpost.Ping) bool { return !no(p) }},
		{"exclusive", func(p *pingpost.Ping) bool { return p.Exclusive }},
	}).Draw(t, "owner")
}

func drawKnown(t *rapid.T) truthTwin {
	return rapid.SampledFrom([]truthTwin{
		{"known(lead_score)", func(p *pingpost.Ping) bool { return p.LeadScore.Known }},
		{"known(job)", func(p *pingpost.Ping) bool { return p.Job != pingpost.JobNone }},
		{"not known(max_sold)", func(p *pingpost.Ping) bool { return p.MaxSold == 0 }},
		{"known(attrs.system)", func(p *pingpost.Ping) bool { _, ok := p.Attr("system"); return ok }},
	}).Draw(t, "known")
}

func drawNumber(t *rapid.T, depth int) numberTwin {
	leaves := []numberTwin{
		{"lead_score", func(p *pingpost.Ping) (float64, bool) { return p.LeadScore.Value, p.LeadScore.Known }},
		{"max_sold", func(p *pingpost.Ping) (float64, bool) { return float64(p.MaxSold), p.MaxSold > 0 }},
		{"sold_so_far", func(p *pingpost.Ping) (float64, bool) { return float64(p.SoldSoFar), true }},
		{"floor", func(p *pingpost.Ping) (float64, bool) { return float64(p.Floor) / 100, true }},
		{"3", func(*pingpost.Ping) (float64, bool) { return 3, true }},
		{"40.5", func(*pingpost.Ping) (float64, bool) { return 40.5, true }},
	}
	shape := 0
	if depth > 0 {
		shape = rapid.IntRange(0, 4).Draw(t, "number")
	}
	switch shape {
	case 1:
		a, b := drawNumber(t, depth-1), drawNumber(t, depth-1)
		return numberTwin{"(" + a.text + " + " + b.text + ")", func(p *pingpost.Ping) (float64, bool) {
			x, known := a.is(p)
			y, alsoKnown := b.is(p)
			return x + y, known && alsoKnown
		}}
	case 2:
		a, b := drawNumber(t, depth-1), drawNumber(t, depth-1)
		return numberTwin{"(" + a.text + " ?? " + b.text + ")", func(p *pingpost.Ping) (float64, bool) {
			if x, known := a.is(p); known {
				return x, true
			}
			return b.is(p)
		}}
	case 3:
		c, a, b := drawTruth(t, depth-1), drawNumber(t, depth-1), drawNumber(t, depth-1)
		return numberTwin{"(" + c.text + " ? " + a.text + " : " + b.text + ")", func(p *pingpost.Ping) (float64, bool) {
			if c.is(p) {
				return a.is(p)
			}
			return b.is(p)
		}}
	case 4:
		a := drawNumber(t, depth-1)
		return numberTwin{"max(2, " + a.text + ")", func(p *pingpost.Ping) (float64, bool) {
			x, known := a.is(p)
			return max(2, x), known
		}}
	}
	return rapid.SampledFrom(leaves).Draw(t, "leaf")
}

// ruleTwin is a rule and what it means.
type ruleTwin struct {
	when truthTwin
	bid  numberTwin
}

// priceTwin is the price by the words of DESIGN: the first rule that holds and has its fields, or the
// highest or the sum of all such.
func priceTwin(mode string, rules []ruleTwin, p *pingpost.Ping) Price {
	price := Price{Reason: pingpost.NoRule, Rule: -1}
	for i, rule := range rules {
		if !rule.when.is(p) {
			continue
		}
		dollars, known := rule.bid.is(p)
		sum := price.Dollars + dollars
		switch {
		case !known && price.Dollars == 0:
			price.Reason = pingpost.MissingField
		case !known:
		case dollars == 0:
			return Price{Reason: pingpost.Declined, Rule: i}
		case mode == "first":
			return Price{Rule: i, Dollars: dollars, RuleDollars: dollars}
		case price.Dollars == 0 || (mode == "highest" && dollars > price.Dollars):
			price = Price{Rule: i, Dollars: dollars, RuleDollars: dollars}
		case mode == "sum":
			price = Price{Rule: price.Rule, Dollars: sum, RuleDollars: sum}
		}
	}
	return price
}

func drawPing(t *rapid.T) *pingpost.Ping {
	p := &pingpost.Ping{
		Exchange:  rapid.SampledFrom([]string{"north", "south", "nowhere"}).Draw(t, "exchange"),
		Service:   rapid.SampledFrom([]pingpost.Service{pingpost.ServiceNone, pingpost.HVAC, pingpost.Plumbing, pingpost.Roofing}).Draw(t, "service"),
		ZIP:       rapid.SampledFrom(append([]pingpost.ZIP{0, 10001, 99999}, twinZIPs...)).Draw(t, "zip"),
		Job:       rapid.SampledFrom([]pingpost.Job{pingpost.JobNone, pingpost.Repair, pingpost.Install, pingpost.JobUnknown}).Draw(t, "job"),
		Urgency:   rapid.SampledFrom([]pingpost.Urgency{pingpost.UrgencyNone, pingpost.UrgencyEmergency, pingpost.UrgencyWeek}).Draw(t, "urgency"),
		Homeowner: rapid.SampledFrom([]pingpost.Tri{pingpost.Unknown, pingpost.Yes, pingpost.No}).Draw(t, "homeowner"),
		Source:    rapid.SampledFrom([]string{"", "google-1", "bing", "x"}).Draw(t, "source"),
		MaxSold:   rapid.IntRange(0, 3).Draw(t, "max_sold"),
		SoldSoFar: rapid.IntRange(0, 2).Draw(t, "sold"),
		Floor:     pingpost.Cents(rapid.IntRange(0, 2).Draw(t, "floor") * 150),
		Exclusive: rapid.Bool().Draw(t, "exclusive"),
	}
	if rapid.Bool().Draw(t, "scored") {
		p.LeadScore = pingpost.Score{Value: float64(rapid.IntRange(0, 100).Draw(t, "score")), Known: true}
	}
	switch rapid.IntRange(0, 2).Draw(t, "attr") {
	case 1:
		p.Attrs = []pingpost.Attr{{Name: "system", Value: "furnace"}}
	case 2:
		p.Attrs = []pingpost.Attr{{Name: "system", Value: "4", Kind: pingpost.AttrNumber}}
	}
	return p
}

func TestIndexAndMachineAgreeWithTheirTwins(t *testing.T) {
	compared := 0
	enough := func() bool { return compared >= 10_000 }
	checkUntil(t, enough, func(t *rapid.T) {
		text := `version: 1
business: {name: Lakeview, timezone: America/Chicago, budget: {day: $500}}
exchanges:
  north: {auth: {bearer: "${NORTHSIDE_KEY}"}}
  south: {auth: {bearer: "${KEY_OF_SOUTH}"}}
lists:
  rich: ["60614", 60043]
  good_sources: [google-1, bing]
campaigns:
`
		twins := make([][]ruleTwin, rapid.IntRange(1, 3).Draw(t, "campaigns"))
		modes := make([]string, len(twins))
		for i := range twins {
			modes[i] = rapid.SampledFrom([]string{"first", "first", "highest", "sum"}).Draw(t, "mode")
			exchanges := rapid.SampledFrom([]string{"[north]", "[south, north]", "[south]"}).Draw(t, "on")
			services := rapid.SampledFrom([]string{"[hvac]", "[plumbing, hvac]"}).Draw(t, "services")
			area := rapid.SampledFrom([]string{"{zips: [60614, 46402]}", "{prefixes: [600], zips: [60614]}", "{lists: [rich], except: [60043]}"}).Draw(t, "area")
			text += fmt.Sprintf("  c%d:\n    exchanges: %s\n    services: %s\n    area: %s\n    mode: %s\n    rules:\n", i, exchanges, services, area, modes[i])
			for range rapid.IntRange(1, 6).Draw(t, "rules") {
				rule := ruleTwin{drawTruth(t, 3), drawNumber(t, 2)}
				twins[i] = append(twins[i], rule)
				text += fmt.Sprintf("      - when: %s\n        bid: %s\n", yamlQuote(rule.when.text), yamlQuote(rule.bid.text))
			}
		}
		fsys := fstest.MapFS{"b.yaml": {Data: []byte(text)}}
		indexed, faults := load(fsys, "b.yaml", testenv, options{})
		linear, _ := load(fsys, "b.yaml", testenv, options{unindexed: true})
		if indexed == nil || linear == nil {
			t.Fatalf("%s\n%s", text, faults)
		}
		e, plain := indexed.NewEvaluation(), linear.NewEvaluation()
		for range 80 {
			p := drawPing(t)
			compareCandidates(t, indexed, p)
			e.Begin(monday, p)
			plain.Begin(monday, p)
			for i, c := range indexed.Campaigns() {
				compared++
				traced, plainTrace := &Trace{}, &Trace{}
				got, oracle := e.Price(c, nil, traced), plain.Price(linear.Campaigns()[i], nil, plainTrace)
				if got != oracle || e.Price(c, nil, nil) != got {
					t.Fatalf("index %+v, linear %+v, for %+v in\n%s", got, oracle, p, text)
				}
				if diff := cmp.Diff(plainTrace, traced); diff != "" {
					t.Fatalf("the traces differ: %s\n%s", diff, text)
				}
				want := priceTwin(modes[i], twins[i], p)
				want.Missing = got.Missing
				if got != want || (got.Missing != "") != (got.Reason == pingpost.MissingField) {
					t.Fatalf("got %+v, want %+v, for %+v in campaign %d of\n%s", got, want, p, i, text)
				}
			}
		}
	})
	if !enough() {
		t.Errorf("only %d comparisons", compared)
	}
}

// compareCandidates holds the index against the checks made one campaign at a time.
func compareCandidates(t interface{ Fatalf(string, ...any) }, rs *Ruleset, p *pingpost.Ping) {
	var want []*Campaign
	furthest := pingpost.ExchangeNotBought
	for _, c := range rs.Campaigns() {
		if reason := c.Covers(p); reason == pingpost.ReasonNone {
			want = append(want, c)
		} else {
			furthest = max(furthest, reason)
		}
	}
	if len(want) > 0 {
		furthest = pingpost.ReasonNone
	}
	got, reason := rs.Candidates(p, nil)
	if !slices.Equal(got, want) || reason != furthest {
		t.Fatalf("index: %d campaigns, %v; linear: %d, %v; for %+v", len(got), reason, len(want), furthest, p)
	}
}

func yamlQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
