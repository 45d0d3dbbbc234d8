package strategy

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"leadbid/pingpost"
)

// trouble is a day on which something happens, after two weeks of quiet days. Instants are in hours.
type trouble struct {
	name       string
	start      time.Time // of the day; monday a week on where zero
	from, over float64   // of what happens: an hour after it is over the bids must be right again
	leads      func(hour float64) (copies int)
	prices     float64                         // what all prices are multiplied by from then on
	clock      func(hour float64) float64      // hours that the Desk's clock is ahead
	does       func(tr *trader, now time.Time) // before each ping from then on
	unread     func(hour float64) bool         // caps are not read then
}

const (
	troublePings = 900

	swingFrom = 0.25 // how far the bids must be off in one hour of one day to count for a swing
)

// offAtMost is how far the bids may be from the right ones, as a mean over the days; where bids are
// written, how far the share of leads that is bought may be: it moves twice as much for the same
// money.
var offAtMost = map[Objective]float64{Volume: 0.35, AsWritten: 0.7}

// TestNothingUpsetsPacing holds the Desk against what happens to a bidder. The measure is what the
// bids should have been, had everything to come been known: the constant multiplier that spends what
// is left on the rest of the day. An hour after each trouble is over, the mean of each hour's
// multipliers must be near that, without swinging around it, all money must be spent, and never
// more than there was.
func TestNothingUpsetsPacing(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	between := func(hour, from, to float64) bool { return hour >= from && hour < to }
	for _, one := range []trouble{
		{name: "a quiet day", from: 8, over: 8},
		{name: "the feed stops for three hours", from: 9, over: 12,
			leads: func(hour float64) int { return oneUnless(between(hour, 9, 12)) }},
		{name: "the feed stops when most would come", from: 13, over: 16,
			leads: func(hour float64) int { return oneUnless(between(hour, 13, 16)) }},
		{name: "a storm of twenty times the pings", from: 8, over: 9, leads: func(hour float64) int {
			if between(hour, 8, 9) {
				return 20
			}
			return 1
		}},
		{name: "the clock is an hour ahead for two hours", from: 9, over: 11, clock: func(hour float64) float64 {
			return 1 - float64(oneUnless(between(hour, 9, 11)))
		}},
		{name: "the clock stands for an hour after a jump back", from: 9, over: 10, clock: func(hour float64) float64 {
			if between(hour, 9, 10) {
				return 9 - hour
			}
			return 0
		}},
		{name: "the clock goes back an hour", from: 9, over: 10, clock: func(hour float64) float64 {
			if between(hour, 9, 10) {
				return -1
			}
			return 0
		}},
		{name: "a day of 23 hours", start: time.Date(2026, 3, 8, 0, 0, 0, 0, chicago), from: 2, over: 3},
		{name: "a day of 25 hours", start: time.Date(2026, 11, 1, 0, 0, 0, 0, chicago), from: 1, over: 3},
		{name: "rivals double their bids", from: 12.5, over: 13, prices: 2},
		{name: "rivals halve their bids", from: 12.5, over: 13, prices: 0.5},
		{name: "twice the budget at noon", from: 12, over: 12, does: budgetTimes(2)},
		{name: "two thirds of the budget at noon", from: 12, over: 12, does: budgetTimes(2.0 / 3)},
		{name: "a restart", from: 12, over: 12, does: restart()},
		{name: "caps are not read for three hours", from: 9, over: 12,
			unread: func(hour float64) bool { return between(hour, 9, 12) }},
		{name: "the new day's caps are read two hours late", from: 0, over: 2,
			unread: func(hour float64) bool { return hour < 2 }},
	} {
		t.Run(one.name, func(t *testing.T) {
			for _, objective := range []Objective{Volume, AsWritten} {
				one.holds(t, objective)
			}
		})
	}
}

// holds plays the day several times. What chance alone does to one day is told apart from what the
// trouble does to all of them by the mean.
func (one trouble) holds(t *testing.T, objective Objective) {
	t.Helper()
	const days = 4
	offAtMost := offAtMost[objective]
	off, swings, spent := map[int]float64{}, 0, 0.0
	for seed := range uint64(days) {
		day := one.happens(t, objective, seed)
		for hour, by := range day.off {
			off[hour] += by / days
		}
		swings += day.swings
		spent += day.spent / days
	}
	worst := 0.0
	for hour, by := range off {
		if worst = max(worst, math.Abs(by)); math.Abs(by) > offAtMost {
			t.Errorf("%v: from %d to %d o'clock the bids are %+.0f %% off", objective, hour, hour+1, 100*by)
		}
	}
	if swings > days/2 {
		t.Errorf("%v: the bids swung around the right ones %d times in %d days", objective, swings, days)
	}
	if spent < 0.97 {
		t.Errorf("%v: only %.1f %% of the money was spent", objective, 100*spent)
	}
	t.Logf("%v: the worst hour is %.0f %% off, %d swings in %d days, %.1f %% spent", objective, 100*worst, swings, days, 100*spent)
}

func oneUnless(not bool) int {
	if not {
		return 0
	}
	return 1
}

// once does something to each trader one time.
func once(do func(tr *trader)) func(*trader, time.Time) {
	done := map[*trader]bool{}
	return func(tr *trader, now time.Time) {
		if !done[tr] {
			done[tr] = true
			do(tr)
			tr.read(now)
		}
	}
}

func budgetTimes(factor float64) func(*trader, time.Time) {
	return once(func(tr *trader) {
		setup := tr.setup
		tr.budget *= factor
		setup.Caps = []Cap{{Name: "day", Dollars: tr.budget}}
		tr.Desk = tr.Adopt(setup)
	})
}

// restart begins anew from what was kept.
func restart() func(*trader, time.Time) {
	return once(func(tr *trader) { tr.Desk = Restore(tr.setup, tr.Checkpoint()) })
}

// outcome is what came of a day.
type outcome struct {
	off    map[int]float64 // by the hour: the logarithm of the mean multiplier over the right one
	swings int             // how often the bids went from far above the right ones to far below, or back
	spent  float64         // of the budget
}

// moment is one ping of a day.
type moment struct {
	hour   float64
	lead   lead
	lambda float64
	left   float64 // dollars, before it
}

func (one trouble) happens(t *testing.T, objective Objective, seed uint64) outcome {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 77))
	start := one.start
	if start.IsZero() {
		start = monday.AddDate(0, 0, 7)
	}
	budget := 1500.0 // of leads whose prices come to $40,000
	if objective == AsWritten {
		budget = 9000 // at the prices that are written, of $20,000
	}
	setup := oneLine(objective, Learned, pingpost.AuctionSecond, budget)
	setup.Zone = start.Location()
	tr := &trader{Desk: NewDesk(setup), budget: budget}
	for day := -14; day < 0; day++ {
		first := start.AddDate(0, 0, day)
		tr.day(first, dayOf(r, first, troublePings))
	}
	tr.start, tr.spent, tr.quiet = start, 0, one.unread != nil && one.unread(0)
	tr.read(start)
	var day []moment
	for _, usual := range dayOf(r, start, troublePings) {
		hour := usual.at.Sub(start).Hours()
		copies := 1
		if one.leads != nil {
			copies = one.leads(hour)
		}
		for range copies {
			day = append(day, one.ping(t, tr, usual, hour, r))
		}
	}
	result := outcome{off: map[int]float64{}, spent: tr.spent / tr.budget}
	length := start.AddDate(0, 0, 1).Sub(start).Hours()
	side := 0.0
	for hour := int(math.Ceil(one.over + 1)); hour < int(length)-3; hour++ {
		by := offIn(day, hour, objective)
		result.off[hour] = by
		if math.Abs(by) > swingFrom {
			if side*by < 0 {
				result.swings++
			}
			side = by
		}
	}
	return result
}

// ping plays one ping of the day, with whatever happens then.
func (one trouble) ping(t *testing.T, tr *trader, usual lead, hour float64, r *rand.Rand) moment {
	t.Helper()
	l := lead{usual.at, usual.worth * math.Exp(0.1*r.NormFloat64()), usual.price * math.Exp(0.1*r.NormFloat64())}
	if one.prices > 0 && hour >= one.from {
		l.price *= one.prices
	}
	if one.clock != nil {
		l.at = l.at.Add(time.Duration(one.clock(hour) * float64(time.Hour)))
	}
	if one.does != nil && hour >= one.from {
		one.does(tr, l.at)
	}
	tr.quiet = one.unread != nil && one.unread(hour)
	before := tr.spent
	tr.ping(l)
	if tr.spent > tr.budget+1e-6 && tr.spent > before {
		t.Fatalf("$%.2f of $%.2f are spent", tr.spent, tr.budget)
	}
	return moment{hour, l, tr.bids[len(tr.bids)-1].Lambda, tr.budget - before}
}

// offIn compares an hour's multipliers with the one that would have spent what was left at its
// begin on all that was still to come.
func offIn(day []moment, hour int, objective Objective) float64 {
	sum, n := 0.0, 0.0
	var rest []moment
	for _, m := range day {
		if m.hour < float64(hour) {
			continue
		}
		rest = append(rest, m)
		if m.hour < float64(hour+1) {
			sum, n = sum+math.Log(m.lambda), n+1
		}
	}
	left := rest[0].left
	slices.SortFunc(rest, func(a, b moment) int { return cmp.Compare(b.lead.worth, a.lead.worth) })
	most := math.Log(mostRatio)
	if objective == AsWritten {
		most = 0
	}
	right := largest(left, math.Log(leastRatio), most, func(place float64) (cost float64) {
		lambda := math.Exp(place)
		for i, m := range rest {
			bid := lambda * m.lead.worth
			if objective == AsWritten {
				bid = m.lead.worth
				if float64(i) > lambda*float64(len(rest)) {
					break
				}
			}
			if bid >= m.lead.price {
				cost += m.lead.price
			}
		}
		return cost
	})
	return sum/max(n, 1) - right
}
