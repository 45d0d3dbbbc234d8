package strategy

import (
	"cmp"
	"slices"
	"time"
)

// openBid is a bid of which nothing was heard yet. A map keeps up to 128 bytes in place; what is larger
// costs each bid an allocation.
type openBid struct {
	Seq     uint64    `json:"seq"`
	Line    int       `json:"line"`
	Worth   float64   `json:"worth"`
	Dollars float64   `json:"dollars"`
	Until   time.Time `json:"until"`
	Chance  float32   `json:"chance"`          // how likely it was taken to win
	Price   int32     `json:"price,omitempty"` // cents: what would have won, where that was told already

	Territory Territory `json:"territory,omitzero"`

	Crew string `json:"crew,omitempty"` // whose time is kept for it
	Day  int    `json:"day,omitempty"`
	load
}

// openBids finds bids by number, and those whose time is over. Within a line bids end in the order
// that they were made, but where the exchange's terms were shortened: those end a little late.
type openBids struct {
	bySeq  map[uint64]openBid
	byLine []endings
}

type endings struct {
	ends []ending
	next int // those before it are over
}

type ending struct {
	until time.Time
	seq   uint64
}

func (o *openBids) add(bid openBid) {
	if o.bySeq == nil {
		o.bySeq = map[uint64]openBid{}
	}
	o.bySeq[bid.Seq] = bid
	for len(o.byLine) <= bid.Line {
		o.byLine = append(o.byLine, endings{})
	}
	o.byLine[bid.Line].add(ending{bid.Until, bid.Seq})
}

func (e *endings) add(end ending) {
	if e.next > 64 && e.next > len(e.ends)/2 {
		e.ends, e.next = slices.Delete(e.ends, 0, e.next), 0
	}
	e.ends = append(e.ends, end)
}

func (o *openBids) take(seq uint64) (openBid, bool) {
	bid, found := o.bySeq[seq]
	delete(o.bySeq, seq)
	return bid, found
}

// tell keeps the price that is told of an open bid until its outcome is known.
func (o *openBids) tell(seq uint64, price int32) bool {
	bid, found := o.bySeq[seq]
	if found {
		bid.Price = price
		o.bySeq[seq] = bid
	}
	return found
}

// due gives a bid whose time is over.
func (o *openBids) due(now time.Time) (seq uint64, due bool) {
	for i := range o.byLine {
		for e := &o.byLine[i]; e.next < len(e.ends) && !now.Before(e.ends[e.next].until); {
			e.next++
			if _, open := o.bySeq[e.ends[e.next-1].seq]; open {
				return e.ends[e.next-1].seq, true
			}
		}
	}
	return 0, false
}

// all lists the open bids by number.
func (o *openBids) all() []openBid {
	var all []openBid
	for _, bid := range o.bySeq {
		all = append(all, bid)
	}
	slices.SortFunc(all, func(a, b openBid) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}
