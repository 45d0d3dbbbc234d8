package main

import (
	"math"
	"time"

	"leadbid/bidder/strategy"
	"leadbid/pingpost"
)

// buyer is a strategy: it is asked for each lead's bid and told what became of it. left is what the
// period's budget has left.
type buyer interface {
	// begin starts a period.
	begin(n int, budget float64)
	bid(one *lead, left float64) float64
	won(one *lead, left float64)
	lost(one *lead)
}

// result is what a buyer bought in a period.
type result struct {
	worth, clicks, spent float64
	bought               int
	out                  float64 // the share of the period after which less than a median price was left
}

// play lets a buyer go through a period. The rules are those of the product's books: no bid is above
// what is left, and the price is the rivals'.
func play(b buyer, n int, leads []lead, budget, median float64, length time.Duration) result {
	r := result{out: 1}
	left := budget
	b.begin(n, budget)
	for i := range leads {
		one := &leads[i]
		bid := b.bid(one, left)
		held := min(bid, left) == bid
		switch {
		case bid > 0 && held && bid >= one.price:
			left -= one.price
			r.worth, r.clicks, r.spent, r.bought = r.worth+one.worth, r.clicks+one.clicks, r.spent+one.price, r.bought+1
			b.won(one, left)
		case bid > 0 && held:
			b.lost(one)
		}
		if left < median && r.out == 1 {
			r.out = float64(one.at) / float64(length)
		}
	}
	return r
}

// desk is the product's strategy. With the money that is left it bids no more than that: what
// on_short_budget: clip does.
type desk struct {
	*strategy.Desk
	length time.Duration
	budget float64
	start  time.Time
	ask    strategy.Ask
	quote  strategy.Quote
	seq    uint64
}

func newDesk(objective strategy.Objective, pacing strategy.Pacing, length time.Duration, budget float64) *desk {
	line := strategy.Line{Campaign: "c", Exchange: "x", Objective: objective, Pacing: pacing,
		Auction: pingpost.AuctionSecond, MaxBid: 1e6, Caps: []int{0}}
	for i := range line.Open {
		line.Open[i] = true
	}
	return &desk{length: length, Desk: strategy.NewDesk(strategy.Setup{
		Zone: time.UTC, Lines: []strategy.Line{line}, Caps: []strategy.Cap{{Name: "cap", Dollars: budget}},
	})}
}

// monday is when the first period begins.
var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func (d *desk) begin(n int, budget float64) {
	d.start, d.budget = monday.Add(time.Duration(n)*d.length), budget
	d.read(d.start, budget)
}

func (d *desk) read(now time.Time, left float64) {
	d.Read(now, strategy.Reading{Start: d.start, End: d.start.Add(d.length), Dollars: d.budget - left})
}

func (d *desk) bid(one *lead, left float64) float64 {
	d.ask = strategy.Ask{Most: one.worth}
	d.quote = d.Quote(d.ask)
	d.Note(d.start.Add(one.at), d.ask, d.quote)
	if d.quote.Dollars == 0 {
		return 0
	}
	bid := min(d.quote.Dollars, left)
	d.seq++
	d.Placed(d.seq, d.ask, d.quote, bid, d.start.Add(one.at+time.Minute))
	return bid
}

func (d *desk) won(one *lead, left float64) {
	now := d.start.Add(one.at)
	d.Won(now, d.seq, max(one.price, 0.01))
	d.read(now, left)
}

func (d *desk) lost(one *lead) { d.Lost(d.start.Add(one.at), d.seq) }

// constant bids a fixed multiple of the worth, as far as the money goes.
type constant struct{ factor float64 }

func (constant) begin(int, float64)                    {}
func (c constant) bid(one *lead, left float64) float64 { return min(c.factor*one.worth, left) }
func (constant) won(*lead, float64)                    {}
func (constant) lost(*lead)                            {}

// throttled bids the full worth on as many pings as the budget's even share allows, and skips the
// others by a coin that its own run made.
type throttled struct {
	constant
	length time.Duration
	budget float64
	coin   uint64
}

func (t *throttled) begin(_ int, budget float64) { t.budget = budget }

func (t *throttled) bid(one *lead, left float64) float64 {
	t.coin = t.coin*6364136223846793005 + 1442695040888963407
	ahead := t.budget - left - t.budget*float64(one.at)/float64(t.length)
	// The further ahead of the even line, the fewer pings it takes part in.
	if part := 0.5 - 10*ahead/t.budget; float64(t.coin>>11)/(1<<53) > part {
		return 0
	}
	return t.constant.bid(one, left)
}

// ortb bids less than linearly for the better leads (Zhang, Yuan and Wang, KDD 2014): the win curve
// b/(b+l) and the multiplier lambda are tuned on history.
type ortb struct {
	constant
	l, lambda float64
}

func (o *ortb) bid(one *lead, left float64) float64 {
	return min(math.Sqrt(o.l*one.worth/o.lambda+o.l*o.l)-o.l, left)
}
