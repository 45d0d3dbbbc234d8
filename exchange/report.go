package exchange

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"leadbid/pingpost"
)

// Report sums up a stretch of the market for sellers and buyers. Amounts are net of returns that
// fell into the stretch.
type Report struct {
	Sellers  []SellerLine `json:"sellers"`  // by name
	Services []PlaceLine  `json:"services"` // by service and the first three digits of the ZIP
	Buyers   []BuyerLine  `json:"buyers"`   // by name
}

// SellerLine is one seller's business.
type SellerLine struct {
	Seller   string         `json:"seller"`
	Leads    int64          `json:"leads"` // came in
	Sold     int64          `json:"sold"`
	Returned int64          `json:"returned"`
	Revenue  pingpost.Cents `json:"revenue"` // what buyers paid
	Payout   pingpost.Cents `json:"payout"`  // the seller's part of it
	Unsold   []ReasonLine   `json:"unsold,omitempty"`
}

// PlaceLine is the business in one service and area.
type PlaceLine struct {
	Service string         `json:"service"`
	ZIP3    string         `json:"zip3"`
	Leads   int64          `json:"leads"`
	Sold    int64          `json:"sold"`
	Revenue pingpost.Cents `json:"revenue"`
}

// ReasonLine counts outcomes by reason.
type ReasonLine struct {
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// BuyerLine is one buyer's business. Latency is that of answers to pings which came in time.
type BuyerLine struct {
	Buyer     string         `json:"buyer"`
	Eligible  int64          `json:"eligible"` // offers it was asked about, or its preset stood for
	Bids      int64          `json:"bids"`
	NoBids    int64          `json:"no_bids"`
	TimedOut  int64          `json:"timed_out"`
	Broken    int64          `json:"broken"`
	Holds     int64          `json:"holds"` // auctions won
	Won       int64          `json:"won"`   // leads bought
	Rejected  int64          `json:"rejected"`
	Voided    int64          `json:"voided"`
	Returned  int64          `json:"returned"`
	Spend     pingpost.Cents `json:"spend"`
	Latency50 time.Duration  `json:"latency_p50_ns"`
	Latency95 time.Duration  `json:"latency_p95_ns"`
	NotAsked  []ReasonLine   `json:"not_asked,omitempty"` // why not eligible
}

// AcceptRate is the part of its won auctions that the buyer took the lead of; 0 without any.
func (b BuyerLine) AcceptRate() float64 {
	if b.Holds == 0 {
		return 0
	}
	return float64(b.Won) / float64(b.Holds)
}

// Tally makes a Report of events, added one by one in any order. Memory does not grow with their
// number. The zero value is ready to use.
type Tally struct {
	sellers map[string]*sellerTally
	places  map[[2]string]*PlaceLine
	buyers  map[string]*buyerTally
}

type sellerTally struct {
	SellerLine
	unsold map[string]int64
}

type buyerTally struct {
	BuyerLine
	notAsked map[string]int64
	latency  [len(latencyEdges) + 1]int64
}

// latencyEdges are the upper bounds of the buckets in which latencies are counted. A quantile is
// the bound of its bucket: at most a quarter above the true value.
var latencyEdges = [...]time.Duration{
	1 * time.Millisecond, 1250 * time.Microsecond, 1600 * time.Microsecond, 2 * time.Millisecond,
	2500 * time.Microsecond, 3200 * time.Microsecond, 4 * time.Millisecond, 5 * time.Millisecond,
	6300 * time.Microsecond, 8 * time.Millisecond, 10 * time.Millisecond, 12500 * time.Microsecond,
	16 * time.Millisecond, 20 * time.Millisecond, 25 * time.Millisecond, 32 * time.Millisecond,
	40 * time.Millisecond, 50 * time.Millisecond, 63 * time.Millisecond, 80 * time.Millisecond,
	100 * time.Millisecond, 125 * time.Millisecond, 160 * time.Millisecond, 200 * time.Millisecond,
	250 * time.Millisecond, 320 * time.Millisecond, 400 * time.Millisecond, 500 * time.Millisecond,
	630 * time.Millisecond, 800 * time.Millisecond, time.Second,
}

// Add counts one event.
func (t *Tally) Add(e *Event) {
	switch e.Kind {
	case Opened:
		if e.Opened.From == "" {
			t.seller(e.Seller).Leads++
			t.place(e).Leads++
		}
	case Targeted:
		t.targeted(e)
	case Cleared:
		t.cleared(e)
	case Held:
		t.buyer(e.Buyer).Holds++
	case PostRejected:
		t.buyer(e.Buyer).Rejected++
	case Voided:
		t.buyer(e.Buyer).Voided++
	case Sold:
		t.sold(e, 1)
	case Returned:
		t.sold(e, -1)
	case Unsold, Expired, Withdrawn:
		t.seller(e.Seller).unsold[e.Reason.String()]++
	}
}

func (t *Tally) targeted(e *Event) {
	for _, target := range e.Targets {
		b := t.buyer(target.Buyer)
		if target.Eligible {
			b.Eligible++
		} else {
			b.notAsked[target.Reason.String()]++
		}
	}
}

func (t *Tally) cleared(e *Event) {
	for _, answer := range e.Answers {
		b := t.buyer(answer.Buyer)
		switch answer.Status {
		case AnswerBid:
			b.Bids++
		case AnswerNoBid:
			b.NoBids++
		case AnswerTimedOut:
			b.TimedOut++
		case AnswerBroken:
			b.Broken++
		}
		if answer.Latency > 0 && answer.Status != AnswerTimedOut {
			bucket, _ := slices.BinarySearch(latencyEdges[:], answer.Latency)
			b.latency[bucket]++
		}
	}
}

// sold counts a sale, or with sign -1 its return.
func (t *Tally) sold(e *Event, sign int64) {
	seller, place, b := t.seller(e.Seller), t.place(e), t.buyer(e.Buyer)
	if sign > 0 {
		seller.Sold++
		place.Sold++
		b.Won++
	} else {
		seller.Returned++
		b.Returned++
	}
	amount := e.Price * pingpost.Cents(sign)
	seller.Revenue += amount
	place.Revenue += amount
	b.Spend += amount
	for _, entry := range e.Entries {
		for _, posting := range entry.Postings {
			if posting.Account.Kind == Payable {
				seller.Payout += posting.Amount
			}
		}
	}
}

func (t *Tally) seller(name string) *sellerTally {
	if t.sellers == nil {
		t.sellers = map[string]*sellerTally{}
	}
	line := t.sellers[name]
	if line == nil {
		line = &sellerTally{SellerLine: SellerLine{Seller: name}, unsold: map[string]int64{}}
		t.sellers[name] = line
	}
	return line
}

func (t *Tally) place(e *Event) *PlaceLine {
	if t.places == nil {
		t.places = map[[2]string]*PlaceLine{}
	}
	key := [2]string{e.Service, e.ZIP[:min(3, len(e.ZIP))]}
	line := t.places[key]
	if line == nil {
		line = &PlaceLine{Service: key[0], ZIP3: key[1]}
		t.places[key] = line
	}
	return line
}

func (t *Tally) buyer(name string) *buyerTally {
	if t.buyers == nil {
		t.buyers = map[string]*buyerTally{}
	}
	line := t.buyers[name]
	if line == nil {
		line = &buyerTally{BuyerLine: BuyerLine{Buyer: name}, notAsked: map[string]int64{}}
		t.buyers[name] = line
	}
	return line
}

// Report is what the events so far come to, in a fixed order.
func (t *Tally) Report() Report {
	var report Report
	for _, name := range slices.Sorted(maps.Keys(t.sellers)) {
		line := t.sellers[name].SellerLine
		line.Unsold = reasonLines(t.sellers[name].unsold)
		report.Sellers = append(report.Sellers, line)
	}
	for _, name := range slices.Sorted(maps.Keys(t.buyers)) {
		b := t.buyers[name]
		line := b.BuyerLine
		line.NotAsked = reasonLines(b.notAsked)
		line.Latency50, line.Latency95 = quantile(b.latency[:], 50), quantile(b.latency[:], 95)
		report.Buyers = append(report.Buyers, line)
	}
	for _, line := range t.places {
		report.Services = append(report.Services, *line)
	}
	slices.SortFunc(report.Services, func(a, b PlaceLine) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.ZIP3, b.ZIP3))
	})
	return report
}

// reasonLines puts the commonest reason first.
func reasonLines(counts map[string]int64) []ReasonLine {
	var lines []ReasonLine
	for reason, count := range counts {
		lines = append(lines, ReasonLine{reason, count})
	}
	slices.SortFunc(lines, func(a, b ReasonLine) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return lines
}

// quantile is the upper bound of the bucket that holds it; beyond the last edge that edge.
func quantile(buckets []int64, percent int64) time.Duration {
	var total, sum int64
	for _, count := range buckets {
		total += count
	}
	for i, count := range buckets {
		if sum += count; count > 0 && sum*100 >= total*percent {
			return latencyEdges[min(i, len(latencyEdges)-1)]
		}
	}
	return 0
}
