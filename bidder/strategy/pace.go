package strategy

import (
	"math"
	"time"

	"leadbid/pingpost"
)

const (
	// solveEvery and solveAfter bound how old the prices of money and places may be: in pings of one
	// line, and in time.
	solveEvery = 20
	solveAfter = time.Minute

	// solveMoved is how much of what a cap has left may go before they are worked out anew.
	solveMoved = 1.0 / 200

	// patience is how many expected pings may fail to come before a line is counted on less.
	patience = 30.0

	// halvings of the range of a price until it is known to a thousandth.
	halvings = 13
)

// flow is one part of the day in one line's part of what a cap is spent on.
type flow struct {
	pings float64 // expected until the cap's window ends
	yield *yield
	merit *merit
	most  float64 // the place of the largest lambda that the line's other caps, and its objective, leave it
	nu    float64 // the least that its other caps leave it
}

// bring is what a flow is expected to buy at given prices of money, told by lambda's place, and of
// places.
func (f *flow) bring(lambda, nu float64) (leads, dollars float64) {
	lambda, nu = min(lambda, f.most), max(nu, f.nu)
	if nu == 0 {
		return f.pings * at(&f.yield.Leads, lambda), f.pings * at(&f.yield.Dollars, lambda)
	}
	mean := f.merit.mean()
	for cell, seen := range f.merit.Seen {
		worth := meritOf(cell)
		if seen == 0 || worth <= nu {
			continue
		}
		share, bid := seen/f.merit.Sum, lambda+math.Log(1-nu/worth)/logStep
		leads += share * at(&f.yield.Leads, bid)
		dollars += share * worth / mean * at(&f.yield.Dollars, bid)
	}
	return f.pings * leads, f.pings * dollars
}

// money is what the flows are expected to spend at a place of lambda.
func money(flows []flow, lambda float64) (sum float64) {
	for i := range flows {
		_, dollars := flows[i].bring(lambda, 0)
		sum += dollars
	}
	return sum
}

// leads is how many the flows are expected to buy.
func leads(flows []flow, lambda, nu float64) (sum float64) {
	for i := range flows {
		leads, _ := flows[i].bring(lambda, nu)
		sum += leads
	}
	return sum
}

// largest is the largest value of [low, high] at which what grows with it is at most what is left.
func largest(left, low, high float64, grows func(value float64) float64) float64 {
	if grows(high) <= left {
		return high
	}
	for range halvings {
		if middle := (low + high) / 2; grows(middle) > left {
			high = middle
		} else {
			low = middle
		}
	}
	return (low + high) / 2
}

// due says whether the prices are too old to be bid by.
func (d *Desk) due(now time.Time) bool {
	return d.stale || d.since >= solveEvery*len(d.lines) || now.Sub(d.solved) >= solveAfter || now.Before(d.solved)
}

// solve works out the prices of money and of places, one cap after the other, each with what the
// others came to last.
func (d *Desk) solve(now time.Time) {
	d.solved, d.since, d.stale = now, 0, false
	for i := range d.lines {
		l := &d.lines[i]
		l.learn(&d.paper)
		l.Week.Watch(now.In(d.setup.Zone)) // that no ping comes is news, too
		l.Size = l.Week.Total()
	}
	for i := range d.caps {
		d.solveCap(now.In(d.setup.Zone), i)
	}
	d.reprice()
}

// reprice brings the prices that the caps came to, to the lines.
func (d *Desk) reprice() {
	for i := range d.lines {
		d.lines[i].Lambda, d.lines[i].Nu = d.bounds(&d.lines[i], -1)
	}
}

// bounds are the prices that the caps of a line come to, one of them left out.
func (d *Desk) bounds(l *line, without int) (lambda, nu float64) {
	lambda = l.top()
	if l.Pacing == Asap {
		return lambda, 0
	}
	for _, at := range l.Caps {
		if at != without {
			lambda, nu = min(lambda, d.caps[at].Lambda), max(nu, d.caps[at].Nu)
		}
	}
	return lambda, nu
}

// top is the lambda of money that is not short.
func (l *line) top() float64 {
	if l.Objective == Volume {
		return mostRatio
	}
	return 1
}

func (d *Desk) solveCap(now time.Time, at int) {
	c := &d.caps[at]
	c.roll(now)
	c.SolvedLeft = c.Left
	if !now.Before(c.End) {
		return // nothing was read yet: until then the first prices hold
	}
	c.Lambda, c.Nu = mostRatio, 0
	part := c.Share.part()
	left, most, dearest, written := room{part * c.Left.Dollars, part * c.Left.Leads}, 0.0, 0.0, false
	d.flows = d.flows[:0]
	for i := range d.lines {
		l := &d.lines[i]
		if l.Pacing == Asap || !l.under(at) {
			continue
		}
		lambda, nu := d.bounds(l, at)
		most, dearest = max(most, place(l.top())), max(dearest, l.Merit.Highest)
		written = written || l.Merit.Written
		left.Dollars -= l.Pending * l.paid()
		left.Leads -= l.PendingLeads * l.won()
		for part, pings := range l.rest(now, c.End.In(d.setup.Zone)) {
			if pings > 0 {
				d.flows = append(d.flows, flow{pings * l.Part, &l.Yields[part], &l.Merit, place(lambda), nu})
			}
		}
	}
	if len(d.flows) == 0 {
		return
	}
	if c.Dollars > 0 {
		c.Lambda = ratioAt(largest(left.Dollars, 0, most, func(place float64) float64 { return money(d.flows, place) }))
	}
	switch {
	case c.Leads == 0:
	case written:
		// Bids that are written cannot be moved by a price: the share of leads that fits is bought.
		share := ratioAt(largest(left.Leads, 0, place(1), func(place float64) float64 { return leads(d.flows, place, 0) }))
		if share < 1 {
			c.Lambda = min(c.Lambda, share)
		}
	default:
		c.Nu = dearest - largest(left.Leads, 0, dearest, func(below float64) float64 {
			return leads(d.flows, cells, dearest-below)
		})
	}
}

// roll goes on to the window that now lies in, where the caps were not read since the last one ended:
// it is taken to be as long, and unspent. The next reading tells what it is.
func (c *capState) roll(now time.Time) {
	length := c.End.Sub(c.Start)
	if length <= 0 || now.Before(c.End) {
		return
	}
	c.Start = c.End.Add(now.Sub(c.End) / length * length)
	c.End = c.Start.Add(length)
	c.Left = room{c.Dollars, c.Leads}
}

// rest is how many pings a line is to count on before a window ends, the one that is being asked
// about included, by the part of the day.
func (l *line) rest(now, end time.Time) (pings [parts]float64) {
	day, tomorrow := l.Lately.factor()*l.alive(now), earlier(now.Add(moodLasts), end)
	if l.Pacing == Even {
		perHour := l.Week.perHour(hourOfWeek(now), l.Size)
		soon, later := l.Open.byPart(now, tomorrow), l.Open.byPart(tomorrow, end)
		for part := range pings {
			pings[part] = (day*soon[part] + later[part]) * perHour
		}
	} else {
		soon, later := l.Week.expectByPart(now, tomorrow, l.Size), l.Week.expectByPart(tomorrow, end, l.Size)
		for part := range pings {
			pings[part] = day*soon[part] + later[part]
		}
	}
	pings[partOf(now)]++
	return pings
}

// alive is how much a line is counted on: less the longer nothing came of it, as from an exchange that
// is dead. The next ping makes it whole again.
func (l *line) alive(now time.Time) float64 {
	if l.Marked.IsZero() {
		return 1
	}
	return min(patience/max(l.Week.between(l.Marked, now, l.Size), patience), 1)
}

// learn brings a line's yields up to date, once enough answers have come.
func (l *line) learn(p *paper) {
	if first := &l.Markets[0]; l.isShaded() && l.Worth > 0 && first.Prices.sum() < leastMarket {
		l.study(first, p) // what its leads are worth tells more than its few answers
	}
	if l.Learned && l.Answers > 0 && float64(l.Answers) < max(learnEvery, learnShare*l.Response.Sum) && l.Response.Sum > 5*learnEvery {
		return
	}
	if l.Answers == 0 && l.Learned && l.Objective != AsWritten {
		return
	}
	l.Answers, l.Learned = 0, true
	switch {
	case l.Objective == AsWritten:
		l.Merit.yields(&l.Yields[0], l.won(), l.paid())
		l.sameAllDay()
	case l.Auction == pingpost.AuctionSecond:
		usual, whole := expected(l.Worth), yield{}
		l.Response.secondPrice(&whole, &usual, responsePrior)
		for i := range l.Parts {
			l.Parts[i].secondPrice(&l.Yields[i], &whole, partPrior)
		}
	case l.isShaded():
		l.shadedYields(&l.Yields[0])
		l.sameAllDay()
	default:
		l.Response.fit().yields(&l.Yields[0], l.Worth)
		l.sameAllDay()
	}
}

func (l *line) sameAllDay() {
	for i := range l.Yields[1:] {
		l.Yields[i+1] = l.Yields[0]
	}
}
