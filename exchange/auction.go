package exchange

import (
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"leadbid/pingpost"
)

// rival is one bid that is still in an auction.
type rival struct {
	answer int // its index among the answers
	bid    pingpost.Cents
	tie    uint64
	buyer  string
}

// beats is the order of an auction: the higher bid, and between equal ones the smaller hash of
// seed, offer and buyer, so that chance is even and can be repeated.
func (r rival) beats(other rival) bool {
	switch {
	case r.bid != other.bid:
		return r.bid > other.bid
	case r.tie != other.tie:
		return r.tie < other.tie
	}
	return r.buyer < other.buyer
}

// tie draws the lot of a buyer in an offer.
func tie(seed uint64, root OfferID, buyer string) uint64 {
	text := strconv.AppendUint(make([]byte, 0, 128), seed, 16)
	text = append(append(append(append(text, '|'), root...), '|'), buyer...)
	return xxhash.Sum64(text)
}

// ranking lists the bids that are still in, at or above the floor, best first.
func (o *offer) ranking() []rival {
	var rivals []rival
	for i, answer := range o.answers {
		if answer.Status == AnswerBid && !o.out[i] && answer.Bid >= o.facts.Floor {
			rivals = append(rivals, o.rival(i))
		}
	}
	slices.SortFunc(rivals, func(a, b rival) int {
		if a.beats(b) {
			return -1
		}
		return 1
	})
	return rivals
}

func (o *offer) rival(answer int) rival {
	a := &o.answers[answer]
	return rival{answer: answer, bid: a.Bid, tie: tie(o.facts.Seed, o.id, a.Buyer), buyer: a.Buyer}
}

// clearingPrice is what the best of the ranking pays: its bid, or in a second-price auction the
// next best bid, and the floor where it has no rival.
func (o *offer) clearingPrice(ranking []rival) pingpost.Cents {
	switch {
	case o.facts.Price != pingpost.AuctionSecond.String():
		return ranking[0].bid
	case len(ranking) > 1:
		return ranking[1].bid
	}
	return o.facts.Floor
}

// leastToBeat is the least bid of a buyer that beats a rival, ties included.
func (o *offer) leastToBeat(buyer string, other rival) pingpost.Cents {
	challenger := rival{bid: other.bid, tie: tie(o.facts.Seed, o.id, buyer), buyer: buyer}
	if challenger.beats(other) {
		return other.bid
	}
	return other.bid + 1
}
