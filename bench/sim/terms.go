package main

import (
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

// terms are one contractor's configuration, as a person would change it.
type terms struct {
	zone      string
	business  caps
	exchanges []exchangeTerms
	campaigns []campaignTerms
}

// caps are limits in dollars, or leads, by period; 0 where there is none.
type caps [pingpost.NumPeriods]int64

type exchangeTerms struct {
	name    string
	binding bool
	ttl     time.Duration
	holdFor time.Duration
	tells   string
	dollars caps
}

type campaignTerms struct {
	name    string
	service pingpost.Service
	base    int64 // dollars
	paced   bool
	clip    bool
	flat    bool // every bid is the base
	dedupe  string
	dollars caps
	leads   caps
}

// configuration is what a process makes of terms.
type configuration struct {
	rules *rules.Ruleset
	plan  *budget.Plan
}

func (c caps) yaml() string {
	var parts []string
	for _, period := range pingpost.Periods() {
		if c[period] > 0 {
			parts = append(parts, fmt.Sprintf("%v: %d", period, c[period]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (c caps) none() bool { return c == caps{} }

// yaml writes the configuration as a file.
func (t *terms) yaml() string {
	var text strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&text, format, args...) }
	say("version: 1\nbusiness: {name: Simulated, timezone: %s", t.zone)
	if !t.business.none() {
		say(", budget: %s", t.business.yaml())
	}
	say("}\nserver: {listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}\nstore: sqlite:sim.db\nmode: live\nexchanges:\n")
	for _, x := range t.exchanges {
		commitment := "refusable"
		if x.binding {
			commitment = "binding"
		}
		say("  %s: {profile: native, auth: {bearer: \"${KEY_%s}\"}, commitment: %s, bid_ttl: %s, hold_for: %s, tells: %s, reasons: true",
			x.name, strings.ToUpper(x.name), commitment, x.ttl, x.holdFor, x.tells)
		if !x.dollars.none() {
			say(", budget: %s", x.dollars.yaml())
		}
		say("}\n")
	}
	say("campaigns:\n")
	for _, c := range t.campaigns {
		say("  %s:\n    services: [%s]\n    area: {zips: [60614, 60657]}\n", c.name, c.service)
		if !c.dollars.none() {
			say("    budget: %s\n", c.dollars.yaml())
		}
		if !c.leads.none() {
			say("    capacity: {leads: %s}\n", c.leads.yaml())
		}
		if c.clip {
			say("    on_short_budget: clip\n")
		}
		say("    duplicates: {window: %s}\n", c.dedupe)
		say("    rules:\n      - {name: renters, when: homeowner == false, bid: 0}\n      - {name: all, bid: '%s'}\n", c.formula())
		if c.paced && c.dollars[pingpost.Day] > 0 {
			say("    adjust:\n      - {name: slow day, when: budget.day.pace < 0.5, multiply: 1.2}\n")
		}
		say("    limits: {min_bid: 5, max_bid: %d}\n", c.largest())
		say("    reject:\n      - {name: not our town, when: 'lead.city == \"Gary\"', reason: outside_area}\n")
		say("    delivery: [{file: leads.jsonl}]\n")
	}
	return text.String()
}

func (c *campaignTerms) formula() string {
	if c.flat {
		return fmt.Sprint(c.base)
	}
	return fmt.Sprint(c.base, " + 0.2 * (lead_score ?? 50)")
}

// largest is the campaign's largest bid in dollars.
func (c *campaignTerms) largest() int64 { return c.base + 24 }

// load makes of the terms what a process makes of its file.
func (w *world) load(t *terms) *configuration {
	text := t.yaml()
	rs, faults := rules.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(text)}}, "bidder.yaml",
		func(name string) (string, bool) { return strings.Repeat(name, 8), true })
	if rs == nil {
		panic(fmt.Sprintf("seed %d: %v\n%s", w.seed, faults, text))
	}
	return &configuration{rs, bidder.PlanOf(rs)}
}

func (t terms) clone() terms {
	c := t
	c.exchanges = append([]exchangeTerms(nil), t.exchanges...)
	c.campaigns = append([]campaignTerms(nil), t.campaigns...)
	return c
}

// drawTerms makes a contractor up.
func (w *world) drawTerms(zone string, exchanges []*market) terms {
	t := terms{zone: zone}
	if w.chance(0.6) {
		t.business[pick(w, []pingpost.Period{pingpost.Day, pingpost.Week, pingpost.Month, pingpost.Total})] = w.dollars(4, 60)
	}
	for _, x := range exchanges {
		terms := exchangeTerms{
			name: x.name, binding: w.chance(0.4), ttl: pick(w, []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute}),
			holdFor: pick(w, []time.Duration{2 * time.Second, 10 * time.Second, 10 * time.Second, time.Minute}),
			tells:   pick(w, []string{"none", "result", "price"}),
		}
		if w.chance(0.4) {
			terms.dollars[pick(w, []pingpost.Period{pingpost.Hour, pingpost.Day, pingpost.Week})] = w.dollars(2, 30)
		}
		t.exchanges = append(t.exchanges, terms)
	}
	for i, service := range services[:1+w.random.IntN(len(services))] {
		c := campaignTerms{
			name: fmt.Sprintf("%v-%d", service, i+1), service: service, base: 10 + w.random.Int64N(40),
			paced: w.chance(0.2), clip: w.chance(0.3), dedupe: pick(w, []string{"1h", "90d"}),
		}
		c.dollars[pick(w, []pingpost.Period{pingpost.Day, pingpost.Day, pingpost.Hour, pingpost.Total})] = w.dollars(1, 20)
		if w.chance(0.4) {
			c.dollars[pick(w, pingpost.Periods())] = w.dollars(1, 30)
		}
		if w.chance(0.5) {
			c.leads[pick(w, pingpost.Periods())] = 1 + w.random.Int64N(20)
		}
		t.campaigns = append(t.campaigns, c)
	}
	return t
}

var services = []pingpost.Service{pingpost.HVAC, pingpost.Plumbing, pingpost.Roofing}

// dollars draws a limit in the size of so many bids; some are smaller than a bid.
func (w *world) dollars(low, high int64) int64 {
	if w.chance(0.05) {
		return 5 + w.random.Int64N(30)
	}
	return (low + w.random.Int64N(high-low+1)) * (20 + w.random.Int64N(40))
}

// change makes the terms of tomorrow: limits lowered or raised, caps taken out and put back, another
// bid_ttl, other prices.
func (w *world) change(c *contractor) {
	next := c.terms.clone()
	limits := []*caps{&next.business}
	for i := range next.exchanges {
		limits = append(limits, &next.exchanges[i].dollars)
	}
	for i := range next.campaigns {
		limits = append(limits, &next.campaigns[i].dollars, &next.campaigns[i].leads)
	}
	one := pick(w, limits)
	period := pick(w, pingpost.Periods())
	switch w.random.IntN(8) {
	case 0: // lower
		for p := range one {
			one[p] = (one[p] + 1) / 2
		}
	case 1: // raise
		for p := range one {
			one[p] *= 2
		}
	case 2: // take out
		*one = caps{}
	case 3: // a new one
		one[period] = w.dollars(2, 20)
	case 4: // what was
		if len(c.former) > 0 {
			next = pick(w, c.former).clone()
		}
	case 5:
		x := pick(w, []int{0, len(next.exchanges) - 1})
		next.exchanges[x].ttl = pick(w, []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute})
	case 6: // another promise
		x := &next.exchanges[w.random.IntN(len(next.exchanges))]
		x.binding = !x.binding
	case 7: // other prices, and the same promises
		next.campaigns[w.random.IntN(len(next.campaigns))].base = 10 + w.random.Int64N(40)
	}
	c.former = append(c.former, c.terms)
	c.terms, c.inForce = next, w.load(&next)
	w.note(c.name, "changes its configuration", c.inForce.rules.Hash()[:8], 0)
}
