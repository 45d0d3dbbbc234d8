package strategy

import "slices"

// mostAnswered is how many answered bids wait for their price to be told.
const mostAnswered = 2000

// answeredBid is a bid whose outcome is known and whose price may still be told: a charge may come
// before the notice does.
type answeredBid struct {
	Seq       uint64    `json:"seq"`
	Line      int       `json:"line"`
	Territory Territory `json:"territory,omitzero"`
	Cents     int32     `json:"cents"`
	Won       bool      `json:"won,omitempty"`
	Told      bool      `json:"told,omitempty"`
}

// answeredBids are the latest of them.
type answeredBids struct {
	list []answeredBid
	next int // once the list is full: the oldest
}

func (a *answeredBids) add(bid answeredBid) {
	if len(a.list) < mostAnswered {
		a.list = append(a.list, bid)
		return
	}
	a.list[a.next] = bid
	a.next = (a.next + 1) % mostAnswered
}

// tell gives the bid that a price is told of, once.
func (a *answeredBids) tell(seq uint64) (answeredBid, bool) {
	// Prices are told soon: the latest bids are looked at first.
	for i := range a.list {
		bid := &a.list[(a.next+2*len(a.list)-1-i)%len(a.list)]
		if bid.Seq == seq && !bid.Told {
			bid.Told = true
			return *bid, true
		}
	}
	return answeredBid{}, false
}

// all lists them, the oldest first.
func (a *answeredBids) all() []answeredBid {
	return slices.Concat(a.list[a.next:], a.list[:a.next])
}

// Told says what the least bid would have been that had won in a bid's place, whether it won or not.
// It may be told before the outcome or after it. A price above a bid that won is not believed.
func (d *Desk) Told(seq uint64, dollars float64) {
	price := centsOf(dollars)
	if price <= 0 {
		return
	}
	if d.open.tell(seq, price) {
		return
	}
	bid, found := d.answered.tell(seq)
	if !found || bid.Won && price > bid.Cents {
		return
	}
	d.lines[bid.Line].hear(bid.Territory, answer{bid: bid.Cents, price: price, won: bid.Won}, true, &d.paper)
}

// answerTo takes over what became of a bid into the win curves.
func (d *Desk) answerTo(bid openBid, won bool) {
	l := &d.lines[bid.Line]
	if !l.isShaded() {
		return
	}
	a := answer{bid: centsOf(bid.Dollars), price: bid.Price, won: won}
	if won && a.price > a.bid {
		a.price = 0
	}
	if a.price == 0 {
		d.answered.add(answeredBid{Seq: bid.Seq, Line: bid.Line, Territory: bid.Territory, Cents: a.bid, Won: won})
	}
	l.hear(bid.Territory, a, false, &d.paper)
}
