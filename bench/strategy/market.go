package main

import (
	"math"
	"math/rand/v2"
	"time"
)

// lead is one ping of a market: when it comes, what it is worth to the bidder, and the price that
// the rivals make. Prices and worths are in dollars.
type lead struct {
	at     time.Duration // from the beginning of the period
	worth  float64
	price  float64
	clicks float64 // iPinYou: what the worth predicts
}

// market draws the periods that a budget is for.
type market struct {
	name   string
	what   string
	days   int                        // in a period
	perDay float64                    // pings
	budget float64                    // dollars for a period
	hour   func(hour float64) float64 // how many pings come, of any unit
	prices func(hour float64) float64 // a factor on the rivals' prices
	surge  func(r *rand.Rand) float64 // a factor on the pings of one day's storm; nil for none
	whole  bool                       // prices are whole dollars
	seen   bool                       // prices are the same all day, so that a seer can be made for it
	first  int                        // the number of the first period: others are other draws
}

func evenly(float64) float64 { return 1 }

// peaked is a trade with a morning and an evening.
func peaked(hour float64) float64 {
	return 0.15 + math.Exp(-(hour-9)*(hour-9)/4) + 1.2*math.Exp(-(hour-18)*(hour-18)/6)
}

// runDry is rivals whose budgets are spent by the evening.
func runDry(hour float64) float64 {
	if hour < 17 {
		return 1
	}
	return 0.5
}

var markets = []market{
	{name: "even", what: "pings spread evenly over the day", days: 1, perDay: 3000, budget: 3000, hour: evenly, prices: evenly, seen: true},
	{name: "peaked", what: "a morning and an evening", days: 1, perDay: 3000, budget: 12000, hour: peaked, prices: evenly, seen: true},
	{name: "storm", what: "on one day in seven, 3 to 20 times the pings from noon on", days: 1, perDay: 1000, budget: 4500,
		hour: peaked, prices: evenly, surge: storm, seen: true},
	{name: "dry", what: "rivals run dry at 17:00: prices halve", days: 1, perDay: 1000, budget: 6000, hour: peaked, prices: runDry},
	{name: "thin", what: "8 leads a day on a weekly budget", days: 7, perDay: 20, budget: 1540, hour: peaked, prices: evenly, whole: true, seen: true},
}

// storm is the factor on the pings of a day from noon on.
func storm(r *rand.Rand) float64 {
	if r.IntN(7) > 0 {
		return 1
	}
	return math.Exp(math.Log(3) + r.Float64()*math.Log(20.0/3))
}

// chance is what the n-th period is drawn by.
func (m *market) chance(n int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(m.first+n)+1, 0x6c656164))
}

// period draws the n-th period.
func (m *market) period(n int) []lead {
	r := m.chance(n)
	var leads []lead
	for day := range m.days {
		leads = append(leads, m.day(r, day)...)
	}
	return leads
}

func (m *market) day(r *rand.Rand, day int) []lead {
	surge := 1.0
	if m.surge != nil {
		surge = m.surge(r)
	}
	highest, mean := 0.0, 0.0
	const steps = 240
	for i := range steps {
		rate := m.hour(24 * float64(i) / steps)
		highest, mean = max(highest, rate), mean+rate/steps
	}
	var leads []lead
	for hour := 0.0; ; {
		hour += r.ExpFloat64() * 24 * mean / (m.perDay * highest * surge)
		if hour >= 24 {
			return leads
		}
		rate := m.hour(hour)
		if hour < 12 {
			rate /= surge
		}
		if r.Float64()*highest > rate {
			continue
		}
		one := m.draw(r, hour)
		one.at = time.Duration((float64(day)*24 + hour) * float64(time.Hour))
		leads = append(leads, one)
	}
}

// draw draws a lead's worth and price at an hour of the day.
func (m *market) draw(r *rand.Rand, hour float64) (one lead) {
	one.worth = 60 * math.Exp(0.5*r.NormFloat64())
	one.price = 40 * math.Exp(0.6*r.NormFloat64()) * m.prices(hour)
	if m.whole {
		one.price = max(math.Round(one.price), 1)
	}
	return one
}
