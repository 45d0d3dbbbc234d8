package strategy

import "slices"

// step is a bid that earns most for leads from a worth on, up to the next step's.
type step struct {
	From   float64 `json:"v"` // dollars: v', what may be paid
	Cents  int32   `json:"c"`
	Chance float64 `json:"w"`
}

// shades are the best bids under a win curve, by what may be paid for the lead: for each v' the bid
// that makes (v' - bid) * W(bid) largest. Each possible bid earns a straight line over v', so the
// best ones are the lines' upper envelope: no equation is solved when a bid is asked for, and a curve
// with steps is as good as a smooth one.
type shades []step

// newShades goes through the curve's bids from the lowest. It writes over into.
func newShades(c *curve, into shades) shades {
	into = into[:0]
	for i, cents := range c.cents {
		bid, chance := float64(cents)/100, c.chance[i]
		if !(chance > 0) {
			continue
		}
		if len(into) > 0 && chance <= into[len(into)-1].Chance {
			continue // it costs more and wins no more often
		}
		from := bid
		for len(into) > 0 {
			last := into[len(into)-1]
			from = (chance*bid - last.Chance*float64(last.Cents)/100) / (chance - last.Chance)
			if from > last.From {
				break
			}
			into = into[:len(into)-1]
		}
		into = append(into, step{from, cents, chance})
	}
	return into
}

// best is the best bid for a lead for which v may be paid, and its chance: 0 where no bid so low is known.
func (s shades) best(v float64) (bid, chance float64) {
	low, high := 0, len(s)
	for low < high {
		if middle := (low + high) / 2; s[middle].From <= v {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == 0 {
		return v * blindRatio, 0
	}
	one := s[low-1]
	return min(float64(one.Cents)/100, v), one.Chance
}

// chanceOf is how likely a bid wins that is not the best one: as in the usual market where nothing is known.
func (s shades) chanceOf(bid, worth float64) float64 {
	if len(s) == 0 {
		return usual(bid / worth)
	}
	above, _ := slices.BinarySearchFunc(s, bid, func(one step, bid float64) int {
		if float64(one.Cents)/100 <= bid {
			return -1
		}
		return 1
	})
	if above == 0 {
		return 0
	}
	return s[above-1].Chance
}

// blindRatio is what is bid of v' where nothing is known, or v' lies below all that is: it earns most
// in the usual market.
const blindRatio = 0.57

// shadedYields works out what a ping brings where bids are shaded, on average over what the line's
// leads were worth, by the share of it that may be paid.
func (l *line) shadedYields(y *yield) {
	*y = yield{}
	best := l.Markets[0].Shades
	if l.Merit.Sum == 0 || len(best) == 0 {
		usualYields(y, l.Worth)
		return
	}
	for cell, seen := range l.Merit.Seen {
		if seen == 0 {
			continue
		}
		share, worth, at := seen/l.Merit.Sum, meritOf(cell), 0
		for i := range cells + 1 {
			v := edges[i] * worth
			for at < len(best) && best[at].From <= v {
				at++
			}
			if at > 0 {
				won := share * best[at-1].Chance
				y.Leads[i] += won
				y.Dollars[i] += won * float64(best[at-1].Cents) / 100
			}
		}
	}
}

// usualYields are those of the usual market, with bids that know nothing.
func usualYields(y *yield, worth float64) {
	for i, v := range edges {
		y.Leads[i] = usual(blindRatio * v)
		y.Dollars[i] = y.Leads[i] * blindRatio * v * worth
	}
}

// edges are the lower ends of all cells.
var edges = func() (all [cells + 1]float64) {
	for i := range all {
		all[i] = edge(i)
	}
	return all
}()
