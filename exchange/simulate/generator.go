package simulate

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"time"
)

// slotLength is the step in which the model's rate counts as constant. Storms move slower, and
// hours begin at whole slots in every time zone.
const slotLength = 10 * time.Minute

// Generator makes the sequence of homeowners. It is a pure function of its Settings: it reads no
// clock and starts no goroutine. It is for one goroutine at a time.
//
// Arrivals are a Poisson process whose rate changes with time and place:
//
//	rate(trade, zip, t) = base(trade) * homes(zip) * month * weekday * hour(local t) * shock(day)
//	                      * (1 + sum over storms of A * exp(-(d/R)^2) * kernel(t - start))
//
// drawn slot by slot: a Poisson count with the slot's mean, spread evenly over its ten minutes.
type Generator struct {
	settings Settings
	regions  []*region
	trades   []season

	next    time.Time    // the first slot not yet drawn
	ready   []Homeowner  // drawn and not yet handed out, in order
	later   returning    // homeowners who will come back through another source
	people  int64        // homeowners so far who were not duplicates: numbers their phones
	weather []regionsDay // per region: what its current local day is like
}

// season is a trade with its curves normalised.
type season struct {
	*Trade
	number int64
	share  float64
	hours  [24]float64
	months [12]float64
}

// regionsDay is what a region's local day is like; it is kept while the day lasts.
type regionsDay struct {
	day    int64
	known  bool
	shock  float64
	spell  float64
	storms []*storm
}

// NewGenerator checks the settings and stands at their start. Errors name every setting that is
// wrong.
func NewGenerator(settings Settings) (*Generator, error) {
	if err := settings.check(); err != nil {
		return nil, err
	}
	g := &Generator{
		settings: settings,
		next:     settings.Start.Truncate(slotLength),
		weather:  make([]regionsDay, len(settings.Metros)),
	}
	metroShares, tradeShares := 0.0, 0.0
	for _, metro := range settings.Metros {
		metroShares += metro.Share
	}
	for _, trade := range settings.Trades {
		tradeShares += trade.Share
	}
	for i, metro := range settings.Metros {
		r, err := newRegion(i, metro, metroShares)
		if err != nil {
			return nil, err
		}
		g.regions = append(g.regions, r)
	}
	for i := range settings.Trades {
		g.trades = append(g.trades, newSeason(i, &settings.Trades[i], tradeShares))
	}
	return g, nil
}

func newSeason(number int, trade *Trade, tradeShares float64) season {
	s := season{Trade: trade, number: int64(number), share: trade.Share / tradeShares}
	for hour, weight := range trade.Hours {
		s.hours[hour] = weight * 24 / sum(trade.Hours[:])
	}
	for month, weight := range trade.Months {
		s.months[month] = weight * 12 / sum(trade.Months[:])
	}
	return s
}

// Next gives the next homeowner. Times never go back and the sequence does not end.
func (g *Generator) Next() Homeowner {
	for len(g.ready) == 0 {
		g.drawSlot()
	}
	homeowner := g.ready[0]
	g.ready = g.ready[1:]
	return homeowner
}

// Take gives the next count homeowners.
func (g *Generator) Take(count int) []Homeowner {
	homeowners := make([]Homeowner, count)
	for i := range homeowners {
		homeowners[i] = g.Next()
	}
	return homeowners
}

// drawSlot draws the homeowners of the next ten minutes, those included who come back in it.
func (g *Generator) drawSlot() {
	start := g.next
	g.next = start.Add(slotLength)
	var fresh []Homeowner
	for i, r := range g.regions {
		g.turnDay(i, start)
		for t := range g.trades {
			fresh = append(fresh, g.arrivals(r, &g.weather[i], &g.trades[t], start)...)
		}
	}
	sortByTime(fresh)
	for i := range fresh {
		fresh[i].Lead = g.contact(&fresh[i], g.people)
		g.people++
		if again, ok := g.comesBack(&fresh[i]); ok {
			heap.Push(&g.later, again)
		}
	}
	g.ready = fresh
	for len(g.later) > 0 && g.later[0].At.Before(g.next) {
		g.ready = append(g.ready, heap.Pop(&g.later).(Homeowner))
	}
	sortByTime(g.ready)
}

// turnDay brings a region's day up to date: the shock that all its trades share, and its weather.
func (g *Generator) turnDay(number int, at time.Time) {
	r, today := g.regions[number], &g.weather[number]
	day := r.civilDay(at)
	if today.known && today.day == day {
		return
	}
	*today = regionsDay{
		day: day, known: true,
		shock:  gamma(chance(g.settings.Seed, "day", r.number, day), g.settings.DayShape),
		spell:  g.spell(r, day),
		storms: g.stormsOf(r, day),
	}
}

// arrivals draws the homeowners of one trade, region and slot, in no order.
func (g *Generator) arrivals(r *region, today *regionsDay, trade *season, start time.Time) []Homeowner {
	middle := start.Add(slotLength / 2)
	random := chance(g.settings.Seed, "arrivals", r.number, trade.number, start.Unix())
	var fresh []Homeowner
	for i := range poisson(random, g.mean(r, today, trade, middle)) {
		at := start.Add(time.Duration(random.Float64() * float64(slotLength)))
		place, storms := r.drawPlace(random, today.storms, trade.Storm, middle)
		if at.Before(g.settings.Start) {
			continue
		}
		key := keyed(g.settings.Seed, "homeowner", "", r.number, trade.number, start.Unix(), int64(i))
		id := fmt.Sprintf("sim-%016x", key)
		fresh = append(fresh, g.homeowner(id, at, r, trade, place, storms))
	}
	return fresh
}

// mean is how many homeowners of a trade a region expects in the slot around an instant.
func (g *Generator) mean(r *region, today *regionsDay, trade *season, middle time.Time) float64 {
	local := middle.In(r.zone)
	slots := float64(24*time.Hour) / float64(slotLength)
	mean := g.settings.PerDay / slots * r.share * trade.share * today.shock
	mean *= trade.months[local.Month()-1] * weekdays[local.Weekday()] * 7 / sum(weekdays[:]) * trade.hours[local.Hour()]
	if trade.Heat {
		mean *= today.spell
	}
	if len(today.storms) == 0 || trade.Storm == 0 {
		return mean
	}
	factor := 0.0
	for i, weight := range r.weight {
		factor += weight * stormFactor(today.storms, i, trade.Storm, middle)
	}
	return mean * factor
}

// comesBack decides whether a homeowner asks again through another source, minutes to days
// later, and makes that second request: the same person, home and need under another id.
func (g *Generator) comesBack(first *Homeowner) (Homeowner, bool) {
	random := chanceFor(g.settings.Seed, "duplicate", first.Ping.ID)
	// The share is of all pings, and each first one decides for itself.
	if random.Float64() >= g.settings.DuplicateShare/(1-g.settings.DuplicateShare) {
		return Homeowner{}, false
	}
	again := *first
	again.At = first.At.Add(time.Duration(logBetween(random, float64(2*time.Minute), float64(72*time.Hour))))
	again.Ping.ID = fmt.Sprintf("sim-%016x", keyed(g.settings.Seed, "again", first.Ping.ID))
	again.Facts.DuplicateOf = first.Ping.ID
	other := sourceOtherThan(random, first.Ping.Source)
	g.sellThrough(random, &again, other)
	return again, true
}

func sortByTime(homeowners []Homeowner) {
	slices.SortFunc(homeowners, func(a, b Homeowner) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Ping.ID, b.Ping.ID))
	})
}

// returning is a heap of homeowners by the time at which they come back.
type returning []Homeowner

func (h returning) Len() int { return len(h) }
func (h returning) Less(i, j int) bool {
	return cmp.Or(h[i].At.Compare(h[j].At), cmp.Compare(h[i].Ping.ID, h[j].Ping.ID)) < 0
}
func (h returning) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push and Pop serve container/heap only.
func (h *returning) Push(homeowner any) { *h = append(*h, homeowner.(Homeowner)) }

func (h *returning) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
