package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"leadbid/pingpost"
	"leadbid/rules"
)

const (
	seed       = 20_261_122
	population = 4_096 // pings, so that neither caches nor branches know them by heart
	passes     = 5     // over the population in one round
)

// at is a Monday at noon in Chicago.
var at = time.Date(2026, time.November, 23, 18, 0, 0, 0, time.UTC)

// heap is what is reachable now, in megabytes.
func heap() float64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc) / 1e6
}

func (m market) measure(folder string, s shape, rounds int) (rulesRow, error) {
	text := m.configuration(s, seed)
	row := rulesRow{Shape: s, KiB: len(text) >> 10}
	var rs *rules.Ruleset
	for range 3 { // the least of three, like all times here
		rs = nil
		before, began := heap(), time.Now()
		var err error
		if rs, err = load(folder, text); err != nil {
			return row, err
		}
		if took := time.Since(began).Seconds(); row.Load == 0 || took < row.Load {
			row.Load = took
		}
		row.Heap = heap() - before
	}
	pings := m.pings(population, seed+1)
	e := rs.NewEvaluation()
	space := make([]*rules.Campaign, 0, s.Campaigns)
	campaigns, asked, bids := 0, 0, 0
	row.Find = least(rounds, func() {
		for _, p := range pings {
			space, _ = rs.Candidates(p, space[:0])
			e.Begin(at, p)
			for _, c := range space {
				asked += e.Asked(c)
			}
			campaigns += len(space)
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	row.Path = least(rounds, func() {
		for _, p := range pings {
			if decide(rs, e, p, &space) > 0 {
				bids++
			}
		}
	})
	runtime.ReadMemStats(&after)
	all := float64(rounds * passes * population)
	row.Allocs = float64(after.Mallocs-before.Mallocs) / all
	row.Campaigns, row.Asked, row.Bids = float64(campaigns)/all, float64(asked)/all, float64(bids)/all
	runtime.KeepAlive(rs)
	return row, nil
}

// least is the quickest round, in nanoseconds per ping.
func least(rounds int, pass func()) float64 {
	best := time.Duration(0)
	for range rounds {
		began := time.Now()
		for range passes {
			pass()
		}
		if took := time.Since(began); best == 0 || took < best {
			best = took
		}
	}
	return float64(best.Nanoseconds()) / (passes * population)
}

// decide is the part of a decision that is the rules': the first campaign that bids.
func decide(rs *rules.Ruleset, e *rules.Evaluation, p *pingpost.Ping, space *[]*rules.Campaign) pingpost.Cents {
	*space, _ = rs.Candidates(p, (*space)[:0])
	e.Begin(at, p)
	for _, c := range *space {
		if e.Check(c, nil) != pingpost.ReasonNone {
			continue
		}
		price := e.Price(c, nil, nil)
		if price.Reason != pingpost.ReasonNone {
			continue
		}
		if cents, reason := c.Bid(price.Dollars, p.Floor, nil); reason == pingpost.ReasonNone {
			return cents
		}
	}
	return 0
}

// worst is a campaign of rules that the index cannot decide, as many as the loader accepts, and
// none of which holds for the pings: all are asked.
type worst struct {
	name  string
	rules int
	when  string // # stands for the rule's number
}

var worsts = []worst{
	{"a source and an attribute", 500, `source startsWith "nobody-x#" and attrs.system == "furnace" or attrs.system == "nothing-#"`},
	{"arithmetic", 500, `max((lead_score ?? 50) * 0.#, 3) + sold_so_far > 1000 and known(lead_score)`},
	{"regular expressions", 125, `source matches "^nobody-[0-9]+-#$"`},
}

func (w worst) configuration() string {
	var b strings.Builder
	b.WriteString(head + "  c:\n    services: [hvac]\n    area: {zips: [60614]}\n    rules:\n")
	for i := range w.rules {
		fmt.Fprintf(&b, "      - bid: 20\n        when: '%s'\n", strings.ReplaceAll(w.when, "#", fmt.Sprint(i)))
	}
	return b.String()
}

func (w worst) measure(folder string, rounds int) (worstRow, error) {
	row := worstRow{Name: w.name, Rules: w.rules}
	rs, err := load(folder, w.configuration())
	if err != nil {
		return row, err
	}
	pings := make([]*pingpost.Ping, population)
	for i := range pings {
		pings[i] = &pingpost.Ping{Exchange: "north", Service: pingpost.HVAC, ZIP: 60614, Source: fmt.Sprint("nobody-", i%997),
			LeadScore: pingpost.Score{Known: true, Value: float64(i % 101)},
			Attrs:     []pingpost.Attr{{Name: "system", Value: "furnace"}}}
	}
	e := rs.NewEvaluation()
	var space []*rules.Campaign
	took, least := make([]time.Duration, population), make([]time.Duration, population)
	for range rounds {
		for i, p := range pings {
			began := time.Now()
			cents := decide(rs, e, p, &space)
			if took[i] = time.Since(began); least[i] == 0 || took[i] < least[i] {
				least[i] = took[i]
			}
			if cents != 0 {
				return row, fmt.Errorf("%s: a rule holds that must not", w.name)
			}
		}
		slices.Sort(took)
		// What else runs on the machine shows in the tail first: the quietest round counts.
		if p99 := micros(took[len(took)*99/100]); row.P99 == 0 || p99 < row.P99 {
			row.P50, row.P99 = micros(took[len(took)/2]), p99
		}
	}
	slices.Sort(least)
	row.Own = micros(least[len(least)*99/100])
	return row, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
