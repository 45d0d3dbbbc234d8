package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// rule is five conditions. A ping that does not tell its score fits none that asks for one.
type rule struct {
	service   string
	zips      []string
	urgencies []string
	score     int    // at least
	not       string // property_type
}

// ping is the part of a lead that the rules ask for.
type ping struct {
	Service, Zip, Urgency, Property string
	Score                           float64
}

var (
	services  = []string{"roofing", "hvac", "plumbing", "electrical", "windows", "siding", "gutters", "solar"}
	urgencies = []string{"emergency", "asap", "week", "two_weeks", "month"}
	houses    = []string{"single_family", "condo", "townhome", "duplex"}
)

const numZIPs = 2_000

// zip gives ZIPs that exist, or nearly: they are only compared.
func zip(i int) string { return fmt.Sprintf("%05d", 60_000+i) }

func pick(r *rand.Rand, words []string) string { return words[r.IntN(len(words))] }

func drawRules(n int) []rule {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	rules := make([]rule, n)
	for i := range rules {
		rules[i] = rule{service: pick(r, services), urgencies: []string{pick(r, urgencies), pick(r, urgencies)},
			score: r.IntN(90), not: pick(r, houses)}
		for range 10 {
			rules[i].zips = append(rules[i].zips, zip(r.IntN(numZIPs)))
		}
	}
	return rules
}

func drawPings(n int) []ping {
	r := rand.New(rand.NewPCG(2, 2))
	pings := make([]ping, n)
	for i := range pings {
		pings[i] = ping{Service: pick(r, services), Zip: zip(r.IntN(numZIPs)), Urgency: pick(r, urgencies),
			Property: pick(r, houses), Score: float64(r.IntN(101))}
	}
	return pings
}

// quoted writes words as "a", "b".
func quoted(words []string) string { return `"` + strings.Join(words, `", "`) + `"` }
