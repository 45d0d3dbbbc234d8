package main

import (
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

// firstPrice is a market in which the winner pays its bid: draw gives the least bid that wins a lead,
// in dollars, around 40 on average.
type firstPrice struct {
	name, what string
	draw       func(r *rand.Rand) float64
	apart      bool // not counted in the mean and the worst: see its row
}

// The prices of one market, and the values of its leads: log-normal, on average 1.5 times the price.
const (
	valueOfPrice, valueSpread = 1.5, 0.5

	// While it learns, a bidder bids from leastBid of the value up to all of it.
	leastBid = 0.35
)

var firstPrices = []firstPrice{
	{name: "log-normal", what: "cv 0.8, smooth", draw: func(r *rand.Rand) float64 { return logNormal(r, 40, 0.8) }},
	{name: "narrow", what: "log-normal, cv 0.35", draw: func(r *rand.Rand) float64 { return logNormal(r, 40, 0.35) }},
	{name: "wide", what: "log-normal, cv 1.2", draw: func(r *rand.Rand) float64 { return logNormal(r, 40, 1.2) }},
	{name: "fives", what: "every rival bids a multiple of $5", draw: func(r *rand.Rand) float64 { return above(logNormal(r, 40, 0.7), 5) }},
	{name: "tens", what: "every second one bids a multiple of $10, others whole dollars", draw: func(r *rand.Rand) float64 {
		if price := logNormal(r, 40, 0.8); r.IntN(2) == 0 {
			return above(price, 10)
		} else {
			return above(price, 1)
		}
	}},
	{name: "one rival", what: "who bids $30.00 on every fifth lead, others log-normal", draw: func(r *rand.Rand) float64 {
		if r.IntN(5) == 0 {
			return 30.01
		}
		return logNormal(r, 42, 0.8)
	}},
	{name: "four rivals", what: "who always bid the same, each present in turn", draw: func(r *rand.Rand) float64 {
		return [...]float64{17.51, 28.01, 43.76, 70.01}[r.IntN(4)]
	}, apart: true},
	{name: "mixed", what: "a cheap half around $20 and a dear one around $60", draw: func(r *rand.Rand) float64 {
		if r.IntN(2) == 0 {
			return logNormal(r, 20, 0.4)
		}
		return logNormal(r, 60, 0.4)
	}},
	{name: "mixed ticks", what: "the same in multiples of $5, with a floor of $15", draw: func(r *rand.Rand) float64 {
		if r.IntN(2) == 0 {
			return max(above(logNormal(r, 20, 0.4), 5), 15)
		}
		return max(above(logNormal(r, 60, 0.4), 5), 15)
	}},
}

// logNormal draws around a mean, with a coefficient of variation, to the cent.
func logNormal(r *rand.Rand, mean, cv float64) float64 {
	s := math.Sqrt(math.Log1p(cv * cv))
	return math.Ceil(100*mean*math.Exp(s*r.NormFloat64()-s*s/2)) / 100
}

// above is the cent that beats a rival who bids the nearest multiple of a tick.
func above(price, tick float64) float64 { return max(math.Round(price/tick), 1)*tick + 0.01 }

// truth is a market as one knows it who has seen everything.
type truth struct {
	prices []float64 // sorted
	values []float64 // an even sample
	most   float64   // the best possible surplus over the values
}

const truthPrices, truthValues = 50_000, 200

func newTruth(m firstPrice) *truth {
	r := rand.New(rand.NewPCG(1, 0x7472757468))
	t := &truth{}
	sum := 0.0
	for range truthPrices {
		price := m.draw(r)
		t.prices, sum = append(t.prices, price), sum+price
	}
	slices.Sort(t.prices)
	for range truthValues {
		t.values = append(t.values, logNormal(r, valueOfPrice*sum/truthPrices, valueSpread))
	}
	for _, value := range t.values {
		best := 0.0
		for i, price := range t.prices {
			if price >= value {
				break
			}
			best = max(best, (value-price)*float64(i+1)/truthPrices)
		}
		t.most += best
	}
	return t
}

// chance is how often a bid wins.
func (t *truth) chance(bid float64) float64 {
	at, _ := slices.BinarySearch(t.prices, bid+0.0001)
	return float64(at) / float64(len(t.prices))
}

// share is what bids earn of the best possible.
func (t *truth) share(bid func(value float64) float64) float64 {
	sum := 0.0
	for _, value := range t.values {
		b := bid(value)
		sum += (value - b) * t.chance(b)
	}
	return sum / t.most
}

// telling is what an exchange tells of a bid.
type telling struct {
	name      string
	won, lost bool // the price to win
}

var tellings = []telling{{"won or lost", false, false}, {"price on wins", true, false}, {"price always", true, true}}

// constants learn nothing.
var constants = []struct {
	name   string
	factor float64
}{{"constant 0.5", 0.5}, {"constant 0.7", 0.7}, {"truthful", 1}}

var checkpoints = []int{30, 100, 300, 1000}

// shadingRow is one way to bid in one market: shares of the best possible surplus.
type shadingRow struct {
	Market string    `json:"market"`
	Told   string    `json:"told"`   // or the factor of the value that is bid
	Shares []float64 `json:"shares"` // after the outcomes of the report, as a mean over the seeds
	Errors []float64 `json:"errors,omitempty"`
	Apart  bool      `json:"apart,omitempty"` // no curve fits prices that are so few: without told ones they are not found
}

// shadingReport is what is kept of all markets.
type shadingReport struct {
	Date     string       `json:"date"`
	Seeds    int          `json:"seeds"`
	Outcomes []int        `json:"outcomes"`
	Rows     []shadingRow `json:"rows"`
}

// learner is a Desk that shades, and shows what it learned by its quotes.
type learner struct {
	*strategy.Desk
	seq uint64
	now time.Time
}

func newLearner() *learner {
	return &learner{now: monday, Desk: strategy.NewDesk(strategy.Setup{Zone: time.UTC, Lines: []strategy.Line{{
		Campaign: "c", Exchange: "x", Objective: strategy.Profit, Auction: pingpost.AuctionFirst,
	}}})}
}

func (l *learner) quote(value float64) float64 {
	bid, _ := pingpost.FloorPrice(l.Quote(askFor(value)).Dollars)
	return float64(bid) / 100
}

func askFor(value float64) strategy.Ask {
	return strategy.Ask{Most: value, Territory: strategy.Territory{Service: pingpost.HVAC, State: "IL"}}
}

// see shows it one outcome.
func (l *learner) see(value, bid, price float64, tells telling) {
	l.now, l.seq = l.now.Add(time.Minute), l.seq+1
	ask := askFor(value)
	q := l.Quote(ask)
	l.Note(l.now, ask, q)
	l.Placed(l.seq, ask, q, bid, l.now.Add(time.Minute))
	won := bid >= price
	if won && tells.won || !won && tells.lost {
		l.Told(l.seq, price)
	}
	if won {
		l.Won(l.now, l.seq, bid)
	} else {
		l.Lost(l.now, l.seq)
	}
}

// learn plays one seed: the share after each checkpoint.
func learn(m firstPrice, t *truth, tells telling, seed int) []float64 {
	r := rand.New(rand.NewPCG(uint64(seed)+1, 0x7368616465))
	l := newLearner()
	mean := 0.0
	for _, value := range t.values {
		mean += value / float64(len(t.values))
	}
	var shares []float64
	for n := 1; len(shares) < len(checkpoints); n++ {
		value := logNormal(r, mean, valueSpread)
		bid := math.Floor(100*value*(leastBid+(1-leastBid)*r.Float64())) / 100
		l.see(value, bid, m.draw(r), tells)
		if n == checkpoints[len(shares)] {
			shares = append(shares, t.share(l.quote))
		}
	}
	return shares
}

// compareShading plays all markets.
func compareShading(seeds int, only string) shadingReport {
	report := shadingReport{Seeds: seeds, Outcomes: checkpoints}
	for _, m := range firstPrices {
		if only != "" && only != m.name {
			continue
		}
		t, first := newTruth(m), len(report.Rows)
		for _, tells := range tellings {
			report.Rows = append(report.Rows, meanOf(m.name, tells.name, seeds, func(seed int) []float64 {
				return learn(m, t, tells, seed)
			}))
		}
		for _, c := range constants {
			share := t.share(func(value float64) float64 { return c.factor * value })
			report.Rows = append(report.Rows, shadingRow{Market: m.name, Told: c.name,
				Shares: slices.Repeat([]float64{share}, len(checkpoints))})
		}
		for i := range report.Rows[first:] {
			report.Rows[first+i].Apart = m.apart
		}
	}
	return report
}

func meanOf(market, told string, seeds int, play func(seed int) []float64) shadingRow {
	row := shadingRow{Market: market, Told: told, Shares: make([]float64, len(checkpoints)), Errors: make([]float64, len(checkpoints))}
	squares := make([]float64, len(checkpoints))
	n := float64(seeds)
	for seed := range seeds {
		for i, share := range play(seed) {
			row.Shares[i] += share / n
			squares[i] += share * share / n
		}
	}
	for i, mean := range row.Shares {
		row.Errors[i] = math.Sqrt(max(squares[i]-mean*mean, 0) / max(n-1, 1))
	}
	return row
}

// print shows each market, and then the mean and the worst of those that are not apart.
func (report *shadingReport) print(out io.Writer) error {
	fmt.Fprintf(out, "share of the best possible surplus, mean of %d seeds, after so many outcomes\n", report.Seeds)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "market\ttold\t")
	for _, n := range report.Outcomes {
		fmt.Fprintf(w, "%d\t", n)
	}
	fmt.Fprintln(w)
	for _, row := range append(slices.Clone(report.Rows), report.summary()...) {
		fmt.Fprintf(w, "%s\t%s\t", row.Market, row.Told)
		for _, share := range row.Shares {
			fmt.Fprintf(w, "%.3f\t", share)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

func (report *shadingReport) summary() (rows []shadingRow) {
	for _, row := range report.Rows {
		if row.Apart {
			continue
		}
		at := slices.IndexFunc(rows, func(one shadingRow) bool { return one.Told == row.Told && one.Market == "mean" })
		if at < 0 {
			at = len(rows)
			rows = append(rows, shadingRow{Market: "mean", Told: row.Told, Shares: make([]float64, len(report.Outcomes))},
				shadingRow{Market: "worst", Told: row.Told, Shares: slices.Repeat([]float64{1}, len(report.Outcomes))})
		}
		of := 0.0
		for _, other := range report.Rows {
			if other.Told == row.Told && !other.Apart {
				of++
			}
		}
		for i, share := range row.Shares {
			rows[at].Shares[i] += share / of
			rows[at+1].Shares[i] = min(rows[at+1].Shares[i], share)
		}
	}
	return rows
}
