package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"text/tabwriter"
	"time"

	"leadbid/bidder/strategy"
	"leadbid/pingpost"
)

// The crew works 6 hours a day from Monday to Friday. A period is six weeks in which leads come; the
// four weeks after it only finish their work, so that each period begins with an empty calendar.
const (
	crewHours    = 6.0
	weeksOfLeads = 6
	weeksApart   = 10
	crewOpens    = 7
	crewCloses   = 19
	daysOfWork   = weeksApart * 7
)

// task is a kind of lead: how many of all leads it is, what becomes of it, and what it costs.
type task struct {
	share         float64
	urgencies     []pingpost.Urgency
	least, most   float64 // hours
	chance        float64 // that it becomes a job
	brings, price float64 // dollars: a job, and the rivals' median price of the lead
}

var tasks = []task{
	{share: 0.35, urgencies: []pingpost.Urgency{pingpost.UrgencyEmergency, pingpost.UrgencyEmergency, pingpost.UrgencyASAP},
		least: 1, most: 2, chance: 0.35, brings: 250, price: 40},
	{share: 0.25, urgencies: []pingpost.Urgency{pingpost.UrgencyWeek}, least: 1, most: 3, chance: 0.3, brings: 240, price: 30},
	{share: 0.2, urgencies: []pingpost.Urgency{pingpost.UrgencyTwoWeeks, pingpost.UrgencyMonth}, least: 6, most: 8,
		chance: 0.18, brings: 2500, price: 90},
	{share: 0.2, urgencies: []pingpost.Urgency{pingpost.UrgencyFlexible}, least: 1, most: 1, chance: 0.4, brings: 120, price: 15},
}

// jobLead is one lead: worth is what it brings on average, and price what the rivals would pay.
type jobLead struct {
	at             time.Time
	day, last      int // of the period: when it comes, and when its work is done at the latest
	urgency        pingpost.Urgency
	hours, chance  float64
	worth, price   float64
	mean, variance float64 // of the hours that it comes to
}

// crewPeriod draws the leads of the n-th period, so many on each working day.
func crewPeriod(n int, perDay float64) []jobLead {
	r := rand.New(rand.NewPCG(uint64(n)+1, 0x63726577))
	start := monday.AddDate(0, 0, n*daysOfWork)
	var leads []jobLead
	for day := range weeksOfLeads * 7 {
		for hour := float64(crewOpens); day%7 < 5; {
			if hour += r.ExpFloat64() * (crewCloses - crewOpens) / perDay; hour >= crewCloses {
				break
			}
			leads = append(leads, drawJob(r, start.AddDate(0, 0, day).Add(time.Duration(hour*float64(time.Hour))), day))
		}
	}
	return leads
}

func drawJob(r *rand.Rand, at time.Time, day int) jobLead {
	kind, draw := 0, r.Float64()
	for ; kind < len(tasks)-1 && draw >= tasks[kind].share; kind++ {
		draw -= tasks[kind].share
	}
	k := &tasks[kind]
	one := jobLead{at: at, day: day, chance: k.chance,
		urgency: k.urgencies[r.IntN(len(k.urgencies))],
		hours:   k.least + math.Round(2*(k.most-k.least)*r.Float64())/2,
		worth:   k.chance * k.brings * math.Exp(0.4*r.NormFloat64()),
		price:   k.price * math.Exp(0.6*r.NormFloat64())}
	one.last = day + strategy.WaitDays(one.urgency)
	one.mean, one.variance = one.chance*one.hours, one.chance*(1-one.chance)*one.hours*one.hours
	return one
}

// calendar is the work booked for a period's days, by the rule that everybody keeps: mean and one
// deviation of a day's hours stay within those of the crew.
type calendar [daysOfWork]struct{ mean, variance float64 }

// room is what a day has left beside a lead; below 0 where the lead does not fit.
func (c *calendar) room(day int, one *jobLead) float64 {
	if day%7 > 4 {
		return -1
	}
	d := &c[day]
	return crewHours - d.mean - one.mean - math.Sqrt(d.variance+one.variance)
}

func (c *calendar) book(day int, one *jobLead) {
	c[day].mean, c[day].variance = c[day].mean+one.mean, c[day].variance+one.variance
}

// work is what a buyer made of a period.
type work struct {
	profit, hours float64
	leads         int
}

func (w *work) add(one *jobLead) {
	w.profit, w.hours, w.leads = w.profit+one.worth-one.price, w.hours+one.mean, w.leads+1
}

// firstCome buys at a factor of the worth whatever some day has room for, and does it as soon as it can.
func firstCome(leads []jobLead, factor float64) (w work) {
	var days calendar
	for i := range leads {
		one := &leads[i]
		if factor*one.worth < one.price {
			continue
		}
		for day := one.day; day <= one.last; day++ {
			if days.room(day, one) >= 0 {
				days.book(day, one)
				w.add(one)
				break
			}
		}
	}
	return w
}

// planned is what one can do who knows all leads and prices: the best for their hours first, each on
// the day that it fits best. There may be better plans; crewBound is above all of them.
func planned(leads []jobLead) (w work) {
	var days calendar
	for _, one := range byDensity(leads) {
		best, least := -1, math.Inf(1)
		for day := one.day; day <= one.last; day++ {
			if room := days.room(day, &one); room >= 0 && room < least {
				best, least = day, room
			}
		}
		if best >= 0 {
			days.book(best, &one)
			w.add(&one)
		}
	}
	return w
}

// largestDeviation bounds the deviation s of a day that keeps the rule: its mean m is at least s*s/r,
// r being the largest variance that an hour of some lead comes with, and m + s is at most the hours.
func largestDeviation() float64 {
	r := 0.0
	for _, k := range tasks {
		r = max(r, (1-k.chance)*k.most)
	}
	return (math.Sqrt(r*r+4*r*crewHours) - r) / 2
}

// takes is how much of a day a lead uses up at least: on every day that keeps the rule the sum of
// mean + variance/largestDeviation is at most the hours, as variance/largestDeviation is at most the
// deviation.
func (one *jobLead) takes() float64 { return one.mean + one.variance/largestDeviation() }

func byDensity(leads []jobLead) []jobLead {
	sorted := slices.DeleteFunc(slices.Clone(leads), func(one jobLead) bool { return one.worth <= one.price })
	slices.SortStableFunc(sorted, func(a, b jobLead) int {
		return cmp.Compare((b.worth-b.price)/b.takes(), (a.worth-a.price)/a.takes())
	})
	return sorted
}

// crewBound is the linear program: the most profit of one who knows all leads and prices, may buy
// parts of leads, and only has to keep what follows from the rule, the sum of takes within the hours
// of every day. The sets of work that fit into days by windows are a polymatroid, so taking the best
// for their hours first, each as far as it fits, solves it. By Hall's theorem a lead fits as far as
// every stretch of days around its window has hours left by the leads whose windows lie within it.
func crewBound(leads []jobLead) (profit float64) {
	var left [daysOfWork][daysOfWork]float64 // by first and last day of a stretch
	for first := range daysOfWork {
		hours := 0.0
		for last := first; last < daysOfWork; last++ {
			if last%7 < 5 {
				hours += crewHours
			}
			left[first][last] = hours
		}
	}
	for _, one := range byDensity(leads) {
		takes := one.takes()
		fits := takes
		for first := range one.day + 1 {
			for last := one.last; last < daysOfWork; last++ {
				fits = min(fits, left[first][last])
			}
		}
		if fits <= 0 {
			continue
		}
		for first := range one.day + 1 {
			for last := one.last; last < daysOfWork; last++ {
				left[first][last] -= fits
			}
		}
		profit += (one.worth - one.price) * fits / takes
	}
	return profit
}

// crewDesk is the product's strategy in an auction of the second price.
type crewDesk struct {
	*strategy.Desk
	factor float64 // what of its worth is written for a lead
	seq    uint64
}

func newCrewDesk(objective strategy.Objective, pacing strategy.Pacing, factor float64) *crewDesk {
	line := strategy.Line{Campaign: "c", Exchange: "x", Objective: objective, Pacing: pacing,
		Auction: pingpost.AuctionSecond, MaxBid: 1e6, Crew: "crew"}
	for hour := range line.Open {
		line.Open[hour] = hour/24 < 5 && hour%24 >= crewOpens && hour%24 < crewCloses
	}
	return &crewDesk{factor: factor, Desk: strategy.NewDesk(strategy.Setup{Zone: time.UTC, Run: 1, Lines: []strategy.Line{line},
		Crews: []strategy.Crew{{Name: "crew", Hours: crewHours}}})}
}

func (d *crewDesk) play(leads []jobLead) (w work) {
	for i := range leads {
		one := &leads[i]
		d.Expire(one.at)
		ask := strategy.Ask{Most: d.factor * one.worth, Worth: one.worth, At: one.at, Urgency: one.urgency, Hours: one.hours, Chance: one.chance}
		quote := d.Quote(ask)
		d.Note(one.at, ask, quote)
		if quote.Dollars == 0 {
			continue
		}
		d.seq++
		d.Placed(d.seq, ask, quote, quote.Dollars, one.at.Add(time.Minute))
		if quote.Dollars < one.price {
			d.Lost(one.at, d.seq)
			continue
		}
		d.Won(one.at, d.seq, one.price)
		w.add(one)
	}
	return w
}

// crewRow is one buyer over all periods of a market.
type crewRow struct {
	Buyer  string  `json:"buyer"`
	Profit float64 `json:"profit"` // dollars a week of leads
	Error  float64 `json:"error"`  // one standard error of it
	Share  float64 `json:"share"`  // of the bound
	Leads  float64 `json:"leads"`  // a week
	Hours  float64 `json:"hours"`  // expected, a week
}

type crewTable struct {
	Market  string    `json:"market"`
	Periods int       `json:"periods"`
	Rows    []crewRow `json:"rows"`
}

// crewMarkets are the leads that come on a working day.
var crewMarkets = []struct {
	name   string
	perDay float64
}{{"slack", 4}, {"busy", 10}, {"crowded", 24}}

func runCrew(out io.Writer, folder string, periods int, only string) error {
	var tables []crewTable
	for _, m := range crewMarkets {
		if only != "" && only != m.name {
			continue
		}
		t := compareCrews(m.name, m.perDay, periods)
		tables = append(tables, t)
		fmt.Fprintf(out, "\n%s: %.0f leads a working day for %.0f crew hours; mean of %d periods of %d weeks\n",
			m.name, m.perDay, crewHours, periods, weeksOfLeads)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "buyer\tprofit a week\t± 1 se\tof the bound\tleads\thours\t")
		for _, r := range t.Rows {
			fmt.Fprintf(w, "%s\t$%.0f\t%.1f\t%.3f\t%.1f\t%.1f\t\n", r.Buyer, r.Profit, r.Error, r.Share, r.Leads, r.Hours)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if folder == "" {
		return nil
	}
	return keep(folder, "crew", struct {
		Date   string      `json:"date"`
		Tables []crewTable `json:"tables"`
	}{today(), tables})
}

// compareCrews plays a market: one period to learn from, then those that count.
func compareCrews(name string, perDay float64, periods int) crewTable {
	var all [][]jobLead
	bound := 0.0
	for n := range 1 + periods {
		all = append(all, crewPeriod(n, perDay))
		if n > 0 {
			bound += crewBound(all[n])
		}
	}
	run := func(name string, play func([]jobLead) work) crewRow {
		results := make([]work, len(all))
		for n, leads := range all {
			results[n] = play(leads)
		}
		return crewSummary(name, results[1:], bound)
	}
	t := crewTable{Market: name, Periods: periods}
	written := newCrewDesk(strategy.AsWritten, strategy.Asap, 1)
	t.Rows = append(t.Rows,
		run("profit, learned", newCrewDesk(strategy.Profit, strategy.Learned, 1).play),
		run("profit, even", newCrewDesk(strategy.Profit, strategy.Even, 1).play),
		run("as written at 60 % of the worth, learned", newCrewDesk(strategy.AsWritten, strategy.Learned, 0.6).play),
		run("as written, asap", written.play),
		run("first come, first served", func(leads []jobLead) work { return firstCome(leads, 1) }),
		bestCrew(run),
		run("a plan made in hindsight", planned),
		crewRow{Buyer: "bound (linear program)", Profit: bound / float64(periods*weeksOfLeads), Share: 1},
	)
	return t
}

// bestCrew is the factor of the worth that would have been best for who serves first who comes first.
func bestCrew(run func(string, func([]jobLead) work) crewRow) (best crewRow) {
	for i := range 20 {
		row := run("first come, best of 20 factors by hindsight", func(leads []jobLead) work {
			return firstCome(leads, 0.05*float64(i+1))
		})
		if row.Profit > best.Profit {
			best = row
		}
	}
	return best
}

func crewSummary(name string, results []work, bound float64) crewRow {
	r, n := crewRow{Buyer: name}, float64(len(results))
	sum, squares := 0.0, 0.0
	for _, one := range results {
		sum, squares = sum+one.profit, squares+one.profit*one.profit
		r.Leads, r.Hours = r.Leads+float64(one.leads)/n/weeksOfLeads, r.Hours+one.hours/n/weeksOfLeads
	}
	r.Profit, r.Share = sum/n/weeksOfLeads, sum/bound
	if n > 1 {
		r.Error = math.Sqrt(max(squares-sum*sum/n, 0)/(n-1)/n) / weeksOfLeads
	}
	return r
}
