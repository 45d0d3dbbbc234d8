package main

import (
	"math"
	"slices"
	"time"

	"leadbid/bidder/strategy"
)

// row is one strategy in one market. Shares are of the bound, as a mean over the periods.
type row struct {
	Strategy string  `json:"strategy"`
	Share    float64 `json:"share"` // of the most that could have been bought
	Error    float64 `json:"error"` // one standard error of it
	Spent    float64 `json:"spent"` // of the budget
	Out      float64 `json:"out"`   // after which part of the period less than a median price was left
	Bought   float64 `json:"bought"`
	Clicks   float64 `json:"clicks,omitempty"`
	Least    float64 `json:"earliest_out,omitempty"`
}

// table is one market.
type table struct {
	Market   string  `json:"market"`
	What     string  `json:"what"`
	Periods  int     `json:"periods"`
	Budget   float64 `json:"budget"`
	Bound    string  `json:"bound"`
	Possible float64 `json:"possible"` // leads that the bound buys in a period
	Rows     []row   `json:"rows"`
}

// hindsights are how many constant multipliers there are to choose from with hindsight: 20, 26 %
// apart, are what a buyer might try; of 200 the best is the best there is.
const hindsights, manyHindsights = 20, 200

// compare plays a market: warm periods first, then those that count.
func compare(m market, periods int) table {
	length := time.Duration(m.days) * 24 * time.Hour
	warm := max(7/m.days, 1) // one week of history
	var all [][]lead
	for n := range warm + periods {
		all = append(all, m.period(n))
	}
	t := table{Market: m.name, What: m.what, Periods: periods, Budget: m.budget, Bound: "linear program"}
	most, prices := make([]float64, len(all)), []float64{}
	for n, leads := range all {
		worth, bought := bound(leads, m.budget)
		if m.whole {
			worth, t.Bound = optimum(leads, m.budget), "integer optimum"
		}
		most[n] = worth
		if n >= warm {
			t.Possible += float64(bought) / float64(periods)
		}
		for _, one := range leads {
			prices = append(prices, one.price)
		}
	}
	median := medianOf(prices)
	run := func(name string, b buyer) row {
		results := make([]result, len(all))
		for n, leads := range all {
			results[n] = play(b, n, leads, m.budget, median, length)
		}
		return summary(name, results[warm:], most[warm:], m.budget)
	}
	history := slices.Concat(all[:warm]...)
	t.Rows = append(t.Rows,
		run("volume, learned", newDesk(strategy.Volume, strategy.Learned, length, m.budget)),
		run("volume, even", newDesk(strategy.Volume, strategy.Even, length, m.budget)),
		run("profit, learned", newDesk(strategy.Profit, strategy.Learned, length, m.budget)),
		run("as written, learned", newDesk(strategy.AsWritten, strategy.Learned, length, m.budget)),
		bestOf("best of 20 constants, by hindsight", factors(hindsights), func(f float64) row { return run("", constant{f}) }),
		bestOf("best of 200 constants, by hindsight", factors(manyHindsights), func(f float64) row { return run("", constant{f}) }),
		run("linear, tuned on history", constant{tunedFactor(history, float64(warm)*m.budget)}),
		run("ortb, tuned on history", tunedORTB(history, float64(warm)*m.budget)),
		run("throttled", &throttled{constant: constant{1}, length: length}),
		run("unpaced, full worth", constant{1}),
	)
	if m.seen {
		t.Rows = append(t.Rows, run("knows the rates, not the draws", newSeer(&m)))
	}
	return t
}

// factors are multipliers from a twentieth of the worth to four times, evenly by logarithm.
func factors(count int) []float64 {
	list := make([]float64, count)
	for i := range list {
		list[i] = 0.05 * math.Pow(80, float64(i)/float64(count-1))
	}
	return list
}

func bestOf(name string, factors []float64, run func(float64) row) (best row) {
	for _, factor := range factors {
		if r := run(factor); r.Share > best.Share {
			best = r
		}
	}
	best.Strategy = name
	return best
}

func summary(name string, results []result, most []float64, budget float64) row {
	r := row{Strategy: name, Least: 1}
	n := float64(len(results))
	worth, possible := 0.0, 0.0
	for i, one := range results {
		worth, possible = worth+one.worth, possible+most[i]
		r.Spent += one.spent / budget / n
		r.Out += one.out / n
		r.Least = min(r.Least, one.out)
		r.Bought += float64(one.bought) / n
		r.Clicks += one.clicks
	}
	r.Share = worth / possible
	sum := 0.0
	for i, one := range results {
		d := one.worth - r.Share*most[i]
		sum += d * d
	}
	if n > 1 {
		r.Error = math.Sqrt(sum/(n-1)/n) / (possible / n)
	}
	return r
}

func medianOf(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// tunedFactor is the constant that would have spent the budget best on history.
func tunedFactor(history []lead, budget float64) (best float64) {
	most := 0.0
	for i := range 200 {
		factor := 0.05 * math.Pow(1.03, float64(i))
		if worth := boughtBy(history, budget, constant{factor}); worth > most {
			most, best = worth, factor
		}
	}
	return best
}

func tunedORTB(history []lead, budget float64) *ortb {
	var best *ortb
	most := 0.0
	for _, l := range []float64{10, 20, 40, 80, 160} {
		for i := range 60 {
			one := &ortb{l: l, lambda: 0.02 * math.Pow(1.12, float64(i))}
			if worth := boughtBy(history, budget, one); worth > most {
				most, best = worth, one
			}
		}
	}
	return best
}

func boughtBy(history []lead, budget float64, b buyer) float64 {
	return play(b, 0, history, budget, 0, time.Hour).worth
}
