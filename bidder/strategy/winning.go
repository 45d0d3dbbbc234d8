package strategy

import (
	"math"
	"slices"
)

const (
	// priceWeight is how many told prices' worth of evidence the log-logistic curve is held for, and
	// resultWeight how many answers' where they tell no price: the curve is hard to better by those.
	priceWeight, resultWeight = 20.0, 100.0

	// poolWeight is how many answers' worth of evidence a market's pool is held for: all of a service
	// for one state's part of it, all of the line for a service.
	poolWeight = 25.0

	// spreadTimes is how often won bids without a price are spread anew among bids that tell one.
	spreadTimes = 4
)

// curve is how likely bids win, W(b): by dollars, and between two of its bids as the lower one.
type curve struct {
	cents  []int32
	chance []float64
}

// at is the place of the first bid that is at least so high.
func (c *curve) at(cents int32) int {
	i, _ := slices.BinarySearch(c.cents, cents)
	return i
}

// ladder are the bids that are worth trying where no price was told: some two per cent apart, and of
// those nearby the cent above a whole dollar, because rivals bid round numbers.
var ladder = func() (rungs []int32) {
	for bid := 5.0; bid < 10_000_00; bid *= 1.02 {
		rung := int32(math.Ceil(bid))
		if near := (rung+50)/100*100 + 1; near > 100 && math.Abs(float64(near-rung)) < 0.01*bid {
			rung = near
		}
		if len(rungs) == 0 || rung > rungs[len(rungs)-1] {
			rungs = append(rungs, rung)
		}
	}
	return rungs
}()

// The ladder is climbed from a part of the bid that wins every second time to a multiple of it.
const lowestRung, highestRung = 1.0 / 12, 25.0

// candidates are the ladder's bids around the middle and the prices that were told.
func candidates(l *ledger, middle float64, into []int32) []int32 {
	into = into[:0]
	low, _ := slices.BinarySearch(ladder, centsOf(lowestRung*middle))
	high, _ := slices.BinarySearch(ladder, centsOf(highestRung*middle))
	low = min(low, len(ladder)-1) // however much a lead is worth, some bid is worth trying
	rungs := ladder[low:max(high, low+1)]
	for i := range l.Spots {
		s := &l.Spots[i]
		for len(rungs) > 0 && rungs[0] <= s.Top {
			if rungs[0] < s.Top {
				into = append(into, rungs[0])
			}
			rungs = rungs[1:]
		}
		if s.Told > 0 {
			into = append(into, s.Top)
		}
	}
	return append(into, rungs...)
}

// The shares of rivals whose bids are taken to be round, before prices tell: to the dollar, to five
// and to ten. A bid of theirs is the nearest round number, and the cent above beats it.
var roundings = [...]struct {
	cents int32
	share float64
}{{100, 0.2}, {500, 0.15}, {1000, 0.15}}

// smooth is the curve before prices were told: a logistic with steps at round numbers.
func (c logistic) smooth(into *curve) {
	var last [len(roundings)]int32
	var steps [len(roundings)]float64
	into.chance = into.chance[:0]
	highest := 0.0
	for _, cents := range into.cents {
		sum, left := 0.0, 1.0
		for i, r := range roundings {
			beaten := (cents - 1) / r.cents
			if edge := beaten*r.cents + r.cents/2; beaten == 0 {
				continue // below the first round number rivals are not taken to round
			} else if edge != last[i] {
				last[i], steps[i] = edge, c.chance(float64(edge)/100)
			}
			sum, left = sum+r.share*steps[i], left-r.share
		}
		highest = max(highest, sum+left*c.chance(float64(cents)/100))
		into.chance = append(into.chance, highest)
	}
}

// learn turns what is expected into what the ledger tells: the product-limit estimate of
// Kaplan and Meier (JASA 1958), with as many prices as weight says drawn from what is expected
// (Susarla and Van Ryzin, JASA 1976). Where the price of every bid is told it is the plain
// distribution of prices. Won bids whose price is not told are spread over what lies below them, as
// the curve itself says (Efron's self-consistency, 1967; Turnbull, JRSS B 1976).
func (c *curve) learn(l *ledger, weight float64, p *paper) {
	p.fit(len(c.cents))
	p.atRisk = l.sum() + weight
	for i := range l.Spots {
		s := &l.Spots[i]
		if s.Told > 0 {
			p.told[min(c.at(s.Top), len(c.cents)-1)] += s.Told
		}
		// A bid between two of the curve's is as good as the lower one.
		if at := c.at(s.Cell+1) - 1; at >= 0 {
			p.won[at] += s.Won
			p.lost[at] += s.Lost
		} else {
			p.won[0] += s.Won
			p.atRisk -= s.Lost
		}
	}
	copy(p.prior, c.chance)
	times := 1
	if l.Won > 0 {
		times = spreadTimes
	}
	for range times {
		c.productLimit(weight, p)
	}
}

func (c *curve) productLimit(weight float64, p *paper) {
	spread := 0.0 // won bids at or above, each over the share of prices not above it
	for i := len(c.chance) - 1; i >= 0; i-- {
		if c.chance[i] > 0 {
			spread += p.won[i] / c.chance[i]
		}
		below := 0.0
		if i > 0 {
			below = c.chance[i-1]
		}
		p.spread[i] = spread * (c.chance[i] - below)
	}
	atRisk, above, before := p.atRisk, 1.0, 0.0
	for i, expected := range p.prior {
		prices := p.told[i] + p.spread[i] + weight*(expected-before)
		before = expected
		if atRisk > 0 {
			above *= 1 - min(prices/atRisk, 1)
		}
		atRisk -= prices + p.lost[i]
		c.chance[i] = 1 - above
	}
}

// paper is the scratch paper of the curves.
type paper struct {
	curve  curve
	points []point
	shades shades

	told, won, lost []float64 // by the bids of the curve
	prior, spread   []float64
	atRisk          float64
}

func (p *paper) fit(n int) {
	for _, list := range []*[]float64{&p.told, &p.won, &p.lost, &p.prior, &p.spread} {
		*list = slices.Grow((*list)[:0], n)[:n]
		clear(*list)
	}
}

// fit is the most probable log-logistic curve after the ledger, where before it another one was
// expected with the weight of so many answers.
func (l *ledger) fit(before logistic, weight float64, p *paper) logistic {
	points := p.points[:0]
	prices := 0.0
	add := func(cents int32, won, lost float64) {
		x := math.Log(float64(cents) / 100)
		if n := len(points); n > 0 && x-points[n-1].x < pointWidth {
			points[n-1].won += won
			points[n-1].lost += lost
			return
		}
		points = append(points, point{x, won, lost})
	}
	for i := range l.Spots {
		s := &l.Spots[i]
		if s.Told > 0 {
			add(s.Top, s.Told, s.Told)
			prices += s.Told
		}
		if s.Won+s.Lost > 0 {
			add(s.Cell, s.Won, s.Lost)
		}
	}
	p.points = points
	return fitCurve(points, prices, before, weight)
}

// pointWidth is how far, in logarithms, bids may lie apart that are one point of a fit.
const pointWidth = 0.06
