package rules

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"leadbid/pingpost"
)

// The index and the closures against the plain way: every rule asked in order, its whole condition
// run by the expr machine. Configurations and pings are drawn at random.
//
//	go test ./rules -run Differential -differential 10000000 -timeout 1h
var differential = flag.Int("differential", 10_000, "how many prices TestDifferential compares")

// drawer writes random configurations. It knows nothing of what they mean.
type drawer struct{ *rand.Rand }

func drawerOf(seed uint64) drawer { return drawer{rand.New(rand.NewPCG(seed, 0))} }

func (d drawer) of(words ...string) string { return words[d.IntN(len(words))] }

func (d drawer) one(in int) bool { return d.IntN(in) == 0 }

// quoted is a list of words in quotes.
func (d drawer) quoted(words []string) string {
	var list []string
	for range d.IntN(4) {
		list = append(list, strconv.Quote(d.of(words...)))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

var drawnWords = map[string][]string{
	"service":       {"hvac", "plumbing", "roofing", "other"},
	"job":           pingpost.JobWords(),
	"urgency":       pingpost.UrgencyWords(),
	"property_type": pingpost.PropertyWords(),
	"exchange":      {"north", "south", "nowhere", ""},
	"zip":           {"60614", "60615", "60043", "46402", "10001", "00501"},
	"zip3":          {"606", "600", "464", "005"},
	"state":         {"IL", "IN"},
	"source":        {"google-1", "bing", "", "x"},
	"auction":       pingpost.AuctionWords(),
	"attrs.system":  {"furnace", "boiler", ""},
	"city":          {"Chicago", "chicago"},
}

var drawnFields = []string{"service", "job", "urgency", "property_type", "exchange", "zip", "zip3", "state", "source",
	"auction", "attrs.system", "city"}

func (d drawer) truth(depth int) string {
	if depth > 0 && d.one(2) {
		a, b := d.truth(depth-1), d.truth(depth-1)
		switch d.IntN(6) {
		case 0:
			return "not (" + a + ")"
		case 1:
			return "(" + a + " or " + b + ")"
		case 2:
			return "(" + d.truth(0) + " ? " + a + " : " + b + ")"
		}
		return a + " and " + b
	}
	switch d.IntN(12) {
	case 0:
		return d.of("homeowner", "not homeowner", "!homeowner", "homeowner == false", "homeowner != true",
			"(homeowner ?? true)", "not (not homeowner)", "exclusive", "not exclusive", "test == false", "exclusive != test", "attrs.pets", "not attrs.pets")
	case 1:
		return d.of("", "not ") + "known(" + d.of("job", "homeowner", "exclusive", "lead_score", "zip", "attrs.system", "source", "exchange") + ")"
	case 2:
		return "urgency_days " + d.of("<", "<=", ">", ">=", "==", "!=") + " " + d.of("0", "1", "7", "30.5", "-1")
	case 3, 4:
		return d.scoreTruth()
	case 5:
		return d.number(1) + " " + d.of("<", "<=", ">", ">=", "==", "!=") + " " + d.number(1)
	case 6:
		return "zip " + d.of("in", "not in") + " " + d.of("rich", `["606*"]`, `["60600-60620", "46402"]`, `["600*", "606*"]`)
	case 7:
		return d.of(`"a" in sub_ids`, `"a" not in sub_ids`, `source in good_sources`, `len(sub_ids) > 1`, `lower(city) == "chicago"`,
			`source matches "^go+"`, `local.hour >= 9`, `lead_local.hour >= 10`, `local.weekday in ["mon", "tue"]`, `budget.day.pace < 1`,
			`capacity.week.left > 3`, `consent.promised`, `consent.agreed`, "true", "false")
	}
	return d.fieldTruth(d.of(drawnFields...))
}

func (d drawer) scoreTruth() string {
	number := d.of("0", "1", "50", "50.5", "72", "100", "-3", "33.3")
	switch d.IntN(4) {
	case 0:
		return number + " " + d.of("<", "<=", ">", ">=", "==", "!=") + " lead_score"
	case 1:
		return "20 <= lead_score < " + number
	case 2:
		return "lead_score in [50, 72, 33.3]"
	}
	return "lead_score " + d.of("<", "<=", ">", ">=", "==", "!=") + " " + number
}

func (d drawer) fieldTruth(field string) string {
	words := drawnWords[field]
	word := d.of(words...)
	if word == "" && field != "source" && field != "exchange" && field != "attrs.system" {
		word = words[0]
	}
	switch d.IntN(9) {
	case 0, 1:
		return field + " == " + strconv.Quote(word)
	case 2:
		return strconv.Quote(word) + d.of(" == ", " != ") + field
	case 3:
		return field + " != " + strconv.Quote(word)
	case 4, 5:
		return field + " in " + d.quoted(words)
	case 6:
		return field + " not in " + d.quoted(words)
	case 7:
		return "(" + field + " == " + strconv.Quote(word) + " or " + field + " in " + d.quoted(words) + ")"
	}
	if field == "attrs.system" || field == "zip" || field == "source" || field == "city" {
		return field + d.of(" startsWith ", " contains ", " endsWith ", " not startsWith ") + strconv.Quote(d.of("60", "g", "1", ""))
	}
	return "not (" + field + " in " + d.quoted(words) + ")"
}

func (d drawer) number(depth int) string {
	if depth > 0 && d.one(2) {
		a, b := d.number(depth-1), d.number(depth-1)
		switch d.IntN(5) {
		case 0:
			return "(" + d.truth(0) + " ? " + a + " : " + b + ")"
		case 1:
			return "(" + a + " ?? " + b + ")"
		case 2:
			return d.of("min", "max") + "(" + a + ", " + b + ")"
		case 3:
			return d.of("abs", "ceil", "floor", "round", "-") + "(" + a + ")"
		}
		return "(" + a + d.of(" + ", " - ", " * ", " / ", " ** ") + b + ")"
	}
	return d.of("lead_score", "max_sold", "sold_so_far", "floor", "urgency_days", "attrs.age", "tier[zip]", "factor[source]", "budget.day.pace",
		"0", "3", "40.5", "12", "(lead_score ?? 50)", "len(sub_ids)", "local.hour")
}

func (d drawer) configuration() string {
	var b strings.Builder
	b.WriteString(`version: 1
business: {name: Lakeview, timezone: America/Chicago, budget: {day: $500}}
exchanges:
  north: {auth: {bearer: "${NORTHSIDE_KEY}"}, auction: second}
  south: {auth: {bearer: "${KEY_OF_SOUTH}"}}
lists: {rich: ["60614", 60043], good_sources: [google-1, bing]}
tables: {tier: {values: {"60614": 30, "60043": 12.5}}, factor: {values: {google-1: 1.2}, default: 1}}
campaigns:
`)
	for c := range 1 + d.IntN(3) {
		fmt.Fprintf(&b, "  c%d:\n    exchanges: %s\n    services: %s\n    area: %s\n    mode: %s\n    rules:\n", c,
			d.of("[north]", "[south, north]", "[south]"), d.of("[hvac]", "[plumbing, hvac]", "[roofing, other]"),
			d.of("{zips: [60614, 46402]}", "{prefixes: [600], zips: [60614]}", "{lists: [rich], except: [60043]}", "{prefixes: [606, 600, 464]}"),
			d.of("first", "highest", "sum"))
		for range 1 + d.IntN(25) {
			b.WriteString("      - bid: " + yamlQuote(d.of(d.number(2), d.number(1), d.of("10", "20", "31.25", "0"))) + "\n")
			if !d.one(10) {
				b.WriteString("        when: " + yamlQuote(d.truth(1+d.IntN(3))) + "\n")
			}
		}
		if d.one(2) {
			fmt.Fprintf(&b, "    adjust: [{when: %s, multiply: %s}, {when: %s, add: %s}]\n", yamlQuote(d.truth(1)),
				yamlQuote(d.number(1)), yamlQuote(d.truth(1)), yamlQuote(d.number(1)))
		}
	}
	return b.String()
}

func (d drawer) ping() *pingpost.Ping {
	p := &pingpost.Ping{Exchange: d.of("north", "north", "south", "nowhere"),
		Service: []pingpost.Service{0, pingpost.HVAC, pingpost.HVAC, pingpost.Plumbing, pingpost.Roofing, pingpost.ServiceOther}[d.IntN(6)],
		ZIP:     []pingpost.ZIP{0, 501, 10001, 99999, 60614, 60614, 60615, 60043, 46402}[d.IntN(9)],
		Job:     pingpost.Job(d.IntN(8)), Urgency: pingpost.Urgency(d.IntN(13)), Property: pingpost.Property(d.IntN(11)),
		Homeowner: pingpost.Tri(d.IntN(3)), Source: d.of("", "google-1", "bing", "x"), City: d.of("", "Chicago", "Gary"),
		State: pingpost.State(d.of("", "IL", "IN")), MaxSold: d.IntN(4), SoldSoFar: d.IntN(3), Floor: pingpost.Cents(d.IntN(3) * 150),
		Auction: pingpost.Auction(d.IntN(5)), Exclusive: d.one(2), Test: d.one(4),
	}
	if !d.one(3) {
		p.LeadScore = pingpost.Score{Known: true, Value: []float64{float64(d.IntN(101)), 50, 72, 33.3, 50.5, 100 * d.Float64()}[d.IntN(6)]}
	}
	for _, attr := range []pingpost.Attr{{Name: "system", Value: d.of("furnace", "boiler", "")},
		{Name: "age", Value: d.of("3", "12.5"), Kind: pingpost.AttrNumber}, {Name: "pets", Value: d.of("true", "false"), Kind: pingpost.AttrBool},
		{Name: d.of("system", "age", "pets"), Value: "4", Kind: pingpost.AttrNumber}} {
		if d.one(2) {
			p.Attrs = append(p.Attrs, attr)
		}
	}
	for range d.IntN(3) {
		p.SubIDs = append(p.SubIDs, d.of("a", "b"))
	}
	p.Consent.Agreed, p.Consent.LeadIDPromised = pingpost.Tri(d.IntN(3)), d.one(2)
	return p
}

// pair is one configuration read both ways.
type pair struct {
	text            string
	indexed, plain  *Ruleset
	quick, thorough *Evaluation
}

// drawPair draws until a configuration has no faults: some prices come to 1 / 0 or to less than
// nothing whatever the ping says.
func drawPair(t *testing.T, d drawer) pair {
	for range 100 {
		text := d.configuration()
		fsys := fstest.MapFS{"b.yaml": {Data: []byte(text)}}
		indexed, faults := load(fsys, "b.yaml", testenv, options{})
		plain, plainFaults := load(fsys, "b.yaml", testenv, options{unindexed: true})
		if (indexed == nil) != (plain == nil) {
			t.Fatalf("%s\nindexed:\n%s\nplain:\n%s", text, faults, plainFaults)
		}
		if indexed != nil {
			return pair{text, indexed, plain, indexed.NewEvaluation(), plain.NewEvaluation()}
		}
	}
	t.Fatal("a hundred configurations in turn have faults")
	return pair{}
}

// compare holds all prices of one ping against each other, with their traces where that is asked
// for, and tells how many they were and how many of them are bids.
func (r *pair) compare(t *testing.T, p *pingpost.Ping, facts *Facts, traced bool) (compared, bids int) {
	r.quick.Begin(monday, p)
	r.thorough.Begin(monday, p)
	for i, c := range r.indexed.Campaigns() {
		var trace, plainTrace *Trace
		if traced {
			trace, plainTrace = &Trace{}, &Trace{}
		}
		got, want := r.quick.Price(c, facts, trace), r.thorough.Price(r.plain.Campaigns()[i], facts, plainTrace)
		if got != want {
			t.Fatalf("indexed %+v, plain %+v, for %+v in campaign %d of\n%s", got, want, p, i, r.text)
		}
		if diff := cmp.Diff(plainTrace, trace); traced && diff != "" {
			t.Fatalf("the traces of %+v differ: %s\n%s", p, diff, r.text)
		}
		compared++
		if got.Reason == pingpost.ReasonNone {
			bids++
		}
	}
	return compared, bids
}

func TestDifferential(t *testing.T) {
	compared, bids, configurations := 0, 0, 0
	for seed := uint64(1); compared < *differential; seed++ {
		d := drawerOf(seed)
		both := drawPair(t, d)
		configurations++
		for i := range 400 {
			p := d.ping()
			facts := &Facts{}
			facts.Budget[pingpost.Day] = Usage{Known: d.one(2), Pace: 2 * d.Float64()}
			facts.Capacity[pingpost.Week] = Usage{Known: d.one(2), Left: float64(d.IntN(6))}
			n, priced := both.compare(t, p, facts, i%40 == 0)
			compared, bids = compared+n, bids+priced
			compareCandidates(t, both.indexed, p)
		}
	}
	if bids < compared/10 {
		t.Errorf("only %d of %d are bids", bids, compared)
	}
	t.Logf("%d prices compared over %d configurations, %d of them bids", compared, configurations, bids)
}
