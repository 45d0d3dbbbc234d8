package strategy

import (
	"math"
	"time"
)

const (
	// The rates at which crew hours are priced, in dollars an hour: 0, and from leastRate up, each 35 %
	// above the one before.
	rates     = 32
	leastRate = 0.5
	rateStep  = 0.3

	// aheadDays is how far the prices of hours look: the most patient of those who ask within the
	// calendar wait to its end.
	aheadDays = 2*calendarDays - 1

	// demandPrior is how many pings that ask for nothing count beside those that came: the first few
	// pings of a new campaign say little about a full calendar.
	demandPrior = 20.0

	// demandMemory is how many pings count: contractors change their rules.
	demandMemory = 2000.0
)

// demand is what the latest pings of a line asked of its crew, by how long they wait and by what an
// hour spent on them brings. Its fields are its whole state.
type demand struct {
	Hours [waitClasses][rates]float64 `json:"hours"` // as takes tells them
	load
	Worth float64 `json:"worth"`
	Most  float64 `json:"most"`
	Pings float64 `json:"pings"`
}

func rateCell(perHour float64) int {
	if !(perHour > leastRate) {
		return 0
	}
	return min(int(math.Log(perHour/leastRate)/rateStep), rates-1)
}

// rateAt is the price of an hour at a place of demand's tables: 0, then the lower ends of its cells.
func rateAt(i int) float64 { return rateTable[i] }

// rateTable is made once and never changed.
var rateTable = ratesOfHours()

func ratesOfHours() (table bought) {
	for i := range rates {
		table[i+1] = leastRate * math.Exp(float64(i)*rateStep)
	}
	return table
}

// note counts a ping. surplus is what is left of the lead's worth before its hours are paid for.
func (w *demand) note(class uint8, hours, surplus float64, one load, worth, most float64) {
	if hours > 0 {
		w.Hours[class][rateCell(surplus/hours)] += hours
	}
	w.Mean, w.Variance = w.Mean+one.Mean, w.Variance+one.Variance
	w.Worth, w.Most = w.Worth+worth, w.Most+most
	if w.Pings++; w.Pings < 1.25*demandMemory {
		return
	}
	keep := demandMemory / w.Pings
	for class := range w.Hours {
		for i := range w.Hours[class] {
			w.Hours[class][i] *= keep
		}
	}
	w.Mean, w.Variance, w.Worth, w.Most, w.Pings = w.Mean*keep, w.Variance*keep, w.Worth*keep, w.Most*keep, w.Pings*keep
}

// surplus is what a line gains by a lead before its time is paid for: all that it is worth where a
// bid can be lowered by what the time costs; where it cannot, what its price leaves of that.
func (l *line) surplus(ask *Ask, worth float64) float64 {
	if l.Objective == AsWritten && ask.Worth > 0 {
		return worth - ask.Most
	}
	return worth
}

// bought are the hours that one class's average ping takes up at each price of an hour.
type bought [rates + 1]float64

// wants works out what a ping of a line takes up on average, by class and price.
func (l *line) wants() (table [waitClasses]bought) {
	w := &l.Demand
	if w.Pings == 0 {
		return table
	}
	won := l.wonByRate()
	for class := range table {
		for cell, hours := range w.Hours[class] {
			if hours == 0 {
				continue
			}
			share := hours / (w.Pings + demandPrior)
			table[class][0] += share * won[rates]
			for i := 1; i <= cell+1; i++ {
				table[class][i] += share * won[cell+1-i]
			}
		}
	}
	return table
}

// wonByRate is the share of bids that win where the hours cost so much less than what they bring:
// by the number of cells between the two; last, where they cost nothing.
func (l *line) wonByRate() (won [rates + 1]float64) {
	reach := mostRatio
	if l.Objective == Profit && l.Demand.Worth > 0 {
		reach = l.Demand.Most / l.Demand.Worth
	}
	for i := range won {
		left := 1.0
		if i < rates {
			left = 1 - math.Exp(-(float64(i)+0.5)*rateStep)
		}
		if l.Objective == AsWritten {
			won[i] = l.won() * min(l.Lambda, 1)
			continue
		}
		bid := place(min(l.Lambda*left, reach))
		for part := range l.Yields {
			won[i] += at(&l.Yields[part].Leads, bid) / parts
		}
	}
	return won
}

// pingsByDay is how many pings a line is to count on, today's rest first.
func (l *line) pingsByDay(now time.Time) (pings [aheadDays]float64) {
	total, usual := l.Size, [7]float64{}
	for cell, open := range l.Open {
		if open {
			usual[cell/24] += l.Week.perHour(cell, total)
		}
	}
	first := (int(now.Weekday()) + 6) % 7
	for i := range pings {
		pings[i] = usual[(first+i)%7]
	}
	cell := hourOfWeek(now)
	pings[0] = nextHour(now).Sub(now).Hours() * l.Week.perHour(cell, total)
	for cell++; cell%24 != 0; cell++ {
		if l.Open[cell] {
			pings[0] += l.Week.perHour(cell, total)
		}
	}
	pings[0] *= l.Lately.factor()
	return pings
}

// hoursPaper is the scratch paper of solveCrew.
type hoursPaper struct {
	asks   [waitClasses][rates + 1][aheadDays]float64 // by how long they wait, price, and day that they come on
	supply [aheadDays]float64
	price  [aheadDays]float64

	days   [aheadDays]int                                 // those that have no price yet, in order
	gone   [waitClasses][aheadDays]bool                   // who has no day left
	until  [waitClasses][rates + 1][aheadDays + 1]float64 // what the others ask who come before a day
	summed [rates + 1]bool                                // the prices for which until is worked out
}

// solveCrews works out the prices of crew hours that are too old.
func (d *Desk) solveCrews(now time.Time) {
	for i := range d.crews {
		if c := &d.crews[i]; c.Stale || now.Sub(c.Solved) >= crewsEvery || now.Before(c.Solved) {
			d.solveCrew(now.In(d.setup.Zone), c)
		}
	}
}

// solveCrew finds the prices at which the days have just as many hours as are asked for: whoever
// waits takes the cheapest day of their window. The busiest stretch of days is priced first, by those
// who cannot wait beyond it; its days are then no choice for anybody else, and so on until no stretch
// asks for more than it has. This is how Yao, Demers and Shenker (FOCS 1995) find the least speed of a
// processor that keeps all deadlines, with a price in place of the speed.
func (d *Desk) solveCrew(now time.Time, c *crew) {
	c.Solved, c.Stale = now, false
	p := d.hours
	*p = hoursPaper{}
	c.spread(d.lines)
	for _, at := range c.lines {
		l := &d.lines[at]
		table := l.wants()
		for day, pings := range l.pingsByDay(now) {
			for class := range table {
				for i, hours := range table[class] {
					p.asks[class][i][day] += pings * hours
				}
			}
		}
	}
	left := 0
	for i := range p.supply {
		if !c.works[weekdayOf(c.First+i)] {
			continue
		}
		p.supply[i], p.days[left] = c.Hours, i
		if left++; i < calendarDays {
			p.supply[i] = max(c.Hours-c.takes(c.Days[i].load), 0)
		}
	}
	for left > 0 {
		first, last, price := p.busiest(left)
		if price == 0 {
			break
		}
		for _, day := range p.days[first : last+1] {
			p.price[day] = price
		}
		copy(p.days[first:left], p.days[last+1:left])
		left -= last + 1 - first
	}
	for i := range c.Days {
		c.Days[i].Price = p.price[i]
	}
	d.thin(c)
}

// spread works out the deviation of a full day's hours: with r the variance that an expected hour
// comes with, the mean m of a full day leaves just its deviation free, m + sqrt(r*m) = hours.
func (c *crew) spread(lines []line) {
	var all load
	for _, at := range c.lines {
		all.Mean, all.Variance = all.Mean+lines[at].Demand.Mean, all.Variance+lines[at].Demand.Variance
	}
	c.Spread = c.Hours
	if all.Mean > 0 && all.Variance > 0 {
		r := all.Variance / all.Mean
		c.Spread = (math.Sqrt(r*r+4*r*c.Hours) - r) / 2
	}
}

// busiest finds the stretch of the days left, in their order, whose hours are worth most.
func (p *hoursPaper) busiest(left int) (first, last int, price float64) {
	p.leave(left)
	low := 0 // the place of the price so far
	for from := range left {
		for to := from; to < left; to++ {
			dear := p.dearer(left, from, to, low)
			if dear <= price {
				continue
			}
			first, last, price = from, to, dear
			for low < rates && rateAt(low+1) <= price {
				low++
			}
		}
	}
	return first, last, price
}

// leave finds who has no day left to wait for.
func (p *hoursPaper) leave(left int) {
	p.summed = [rates + 1]bool{}
	for class, wait := range waits {
		next := 0 // of the days left: the first that is not before the one at hand
		for day := range aheadDays {
			for next < left && p.days[next] < day {
				next++
			}
			p.gone[class][day] = next == left || p.days[next] > day+wait
		}
	}
}

// sum adds up what the others ask for at one price.
func (p *hoursPaper) sum(price int) {
	p.summed[price] = true
	for class := range waits {
		asks, until, gone := &p.asks[class][price], &p.until[class][price], &p.gone[class]
		for day, hours := range asks {
			if gone[day] {
				hours = 0
			}
			until[day+1] = until[day] + hours
		}
	}
}

// dearer is the price of a stretch of the days left, and 0 where it is no dearer than the place low
// of the prices.
func (p *hoursPaper) dearer(left, from, to, low int) float64 {
	since, before := 0, aheadDays // whoever comes since then and can wait until before that day at most
	if from > 0 {
		since = p.days[from-1] + 1
	}
	if to+1 < left {
		before = p.days[to+1]
	}
	supply := 0.0
	for _, day := range p.days[from : to+1] {
		supply += p.supply[day]
	}
	if p.asked(since, before, low) <= supply {
		return 0
	}
	high := rates
	for high-low > 1 {
		if middle := (low + high) / 2; p.asked(since, before, middle) > supply {
			low = middle
		} else {
			high = middle
		}
	}
	above, below := p.asked(since, before, low), p.asked(since, before, high)
	if below >= above {
		return rateAt(high)
	}
	return min(rateAt(low)+(rateAt(high)-rateAt(low))*(above-supply)/(above-below), rateAt(high))
}

// asked are the hours of those who come since a day and cannot wait until another, at one price.
func (p *hoursPaper) asked(since, before, price int) (hours float64) {
	if !p.summed[price] {
		p.sum(price)
	}
	for class, wait := range waits {
		if end := before - wait; end > since {
			hours += p.until[class][price][end] - p.until[class][price][since]
		}
	}
	return hours
}

// thin works out which part of the leads that a crew's lines would win is left by the prices of its
// hours: so much less is spent on them.
func (d *Desk) thin(c *crew) {
	var place [waitClasses]int
	for class, wait := range waits {
		least, found := 0.0, false
		for i := range wait + 1 {
			if c.works[weekdayOf(c.First+i)] && (!found || c.Days[i].Price < least) {
				least, found = c.Days[i].Price, true
			}
		}
		for place[class] < rates && rateAt(place[class]+1) <= least {
			place[class]++
		}
	}
	for _, at := range c.lines {
		l := &d.lines[at]
		free, priced := 0.0, 0.0
		table := l.wants()
		for class := range table {
			free, priced = free+table[class][0], priced+table[class][place[class]]
		}
		if l.Part = 1; free > 0 {
			l.Part = priced / free
		}
	}
}
