package main

import (
	"math"
	"math/rand/v2"
)

// seer knows what the market is drawn from and not what is drawn: how many pings each hour brings on
// average, and how worths and prices spread. Of a storm it knows all from the moment on at which it
// begins, and nothing before. It bids as the budget that is left then allows; what it misses of the
// bound is what one misses who cannot see into the future.
type seer struct {
	market *market
	period int
	surge  float64 // of the day
	rates  [minutes + 1]float64
	cost   [ratios]float64 // of a ping, by the multiplier
}

const (
	minutes = 24 * 60
	ratios  = 400 // multipliers, 1.2 % apart, from leastMultiplier up
	apart   = 0.012
)

const leastMultiplier = 0.05

func newSeer(m *market) *seer {
	s := &seer{market: m}
	mean := 0.0
	for i := range minutes {
		mean += m.hour(24*float64(i)/minutes) / minutes
	}
	for i := minutes - 1; i >= 0; i-- {
		s.rates[i] = s.rates[i+1] + m.perDay/minutes*m.hour(24*float64(i)/minutes)/mean
	}
	r := rand.New(rand.NewPCG(1, 0x73656572))
	const draws = 200_000
	for range draws {
		one := m.draw(r, 0)
		at := math.Log(one.price/one.worth/leastMultiplier) / apart
		s.cost[min(max(int(at)+1, 0), ratios-1)] += one.price / draws
	}
	for i := 1; i < ratios; i++ {
		s.cost[i] += s.cost[i-1]
	}
	return s
}

// begin draws what the period's draws begin with: its storm.
func (s *seer) begin(n int, _ float64) {
	s.period, s.surge = n, 1
	if s.market.surge != nil {
		s.surge = s.market.surge(s.market.chance(n))
	}
}

func (s *seer) bid(one *lead, left float64) float64 {
	day := int(one.at.Hours() / 24)
	at := int(one.at.Minutes()) - day*minutes
	pings := float64(s.market.days-1-day)*s.rates[0] + s.rates[at]
	if at >= minutes/2 {
		pings += (s.surge - 1) * s.rates[at]
	}
	return min(left, s.multiplier(left/(pings+1))*one.worth)
}

// multiplier is the one that spends so much on an average ping.
func (s *seer) multiplier(perPing float64) float64 {
	for i := 1; i < ratios; i++ {
		if s.cost[i] > perPing {
			part := (perPing - s.cost[i-1]) / (s.cost[i] - s.cost[i-1])
			return leastMultiplier * math.Exp(apart*(float64(i-1)+max(part, 0)))
		}
	}
	return leastMultiplier * math.Exp(apart*ratios)
}

func (*seer) won(*lead, float64) {}
func (*seer) lost(*lead)         {}
