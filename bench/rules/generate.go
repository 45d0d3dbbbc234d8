package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"leadbid/pingpost"
	"leadbid/pingpost/zips"
	"leadbid/rules"
)

// draws are numbers that look like chance and are the same in every run, by the xorshift of
// George Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (14), 2003.
type draws uint64

func (d *draws) below(n int) int {
	x := uint64(*d)
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*d = draws(x)
	return int(x % uint64(n))
}

// The market that rules and pings are drawn from.
const (
	marketZIPs     = 2_000
	marketServices = 8
	zipsPerRule    = 10
)

type market struct {
	zips     []pingpost.ZIP
	services []string
}

// newMarket takes the ZIPs around Chicago, as far out as it takes to have enough.
func newMarket() market {
	m := market{services: pingpost.ServiceWords()[:marketServices]}
	for miles := 50.0; len(m.zips) < marketZIPs; miles += 25 {
		m.zips, _ = zips.Within(60614, miles)
	}
	m.zips = m.zips[:marketZIPs]
	return m
}

// shape is how rules are spread over campaigns.
type shape struct {
	Campaigns int `json:"campaigns"`
	Rules     int `json:"rules_each"`
}

func (s shape) String() string { return fmt.Sprintf("%d x %d", s.Campaigns, s.Rules) }

const head = `version: 1
business: {name: Lakeview Heating, timezone: America/Chicago, budget: {day: $5000}}
exchanges:
  north: {profile: native, auth: {bearer: "${NORTH_KEY}"}, commitment: refusable, auction: first}
campaigns:
`

// configuration writes a bidder's configuration. The rules are of five conditions each: a service,
// ten ZIPs, two urgencies, a least score and a property_type that is not wanted. A campaign of its
// own service and territory among many holds rules for both; a single one covers the market.
func (m market) configuration(s shape, seed draws) string {
	var b strings.Builder
	b.WriteString(head)
	for c := range s.Campaigns {
		territory, services := m.zips, m.services
		if s.Campaigns > 1 {
			from := seed.below(len(m.zips) - 35)
			territory = m.zips[from : from+35]
			services = []string{m.services[seed.below(len(m.services))]}
		}
		fmt.Fprintf(&b, "  c%d:\n    services: [%s]\n    area: {zips: %s}\n    rules:\n", c, strings.Join(services, ", "), list(territory, ""))
		for range s.Rules {
			from := seed.below(len(territory) - zipsPerRule)
			fmt.Fprintf(&b, "      - bid: %d + 0.1 * (lead_score ?? 50)\n        when: 'service == \"%s\" and zip in %s and urgency in [\"%s\", \"%s\"] and lead_score >= %d and property_type != \"condo\"'\n",
				10+seed.below(40), services[seed.below(len(services))], list(territory[from:from+zipsPerRule], `"`),
				urgencies[seed.below(len(urgencies))], urgencies[seed.below(len(urgencies))], seed.below(90))
		}
	}
	return b.String()
}

var urgencies = pingpost.UrgencyWords()[:5]

func list(zips []pingpost.ZIP, quote string) string {
	texts := make([]string, len(zips))
	for i, zip := range zips {
		texts[i] = quote + zip.String() + quote
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// pings draws pings of the market that differ in everything that rules ask for.
func (m market) pings(n int, seed draws) []*pingpost.Ping {
	pings := make([]*pingpost.Ping, n)
	for i := range pings {
		service, _ := pingpost.ParseService(m.services[seed.below(len(m.services))])
		pings[i] = &pingpost.Ping{Exchange: "north", ID: fmt.Sprint("p-", i), Service: service,
			ZIP: m.zips[seed.below(len(m.zips))], Job: pingpost.Repair, State: "IL",
			Urgency: pingpost.Urgency(1 + seed.below(5)), Property: pingpost.Property(1 + seed.below(9)),
			Homeowner: pingpost.Yes, Source: fmt.Sprint("google-", seed.below(50)),
			Exclusive: true, MaxSold: 1}
		if seed.below(10) > 0 {
			pings[i].LeadScore = pingpost.Score{Value: float64(seed.below(101)), Known: true}
		}
	}
	return pings
}

// load reads a configuration from a folder, as a bidder does.
func load(folder, text string) (*rules.Ruleset, error) {
	const name = "bidder.yaml"
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		return nil, err
	}
	rs, faults := rules.Load(os.DirFS(folder), name, func(string) (string, bool) {
		return "0123456789abcdef0123456789abcdef", true
	})
	if rs == nil {
		return nil, fmt.Errorf("the configuration has faults:\n%s", faults)
	}
	return rs, nil
}
