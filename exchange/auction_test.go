package exchange

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

// naiveAuction is the auction as a person would hold it: look at every bid in turn, and for the
// second price look again without the winner.
func naiveAuction(o *offer) (winner string, price pingpost.Cents) {
	best := func(without string) (name string, bid pingpost.Cents) {
		for i, answer := range o.answers {
			if answer.Status != AnswerBid || o.out[i] || answer.Buyer == without || answer.Bid < o.facts.Floor {
				continue
			}
			luckier := tie(o.facts.Seed, o.id, answer.Buyer) < tie(o.facts.Seed, o.id, name)
			if name == "" || answer.Bid > bid || (answer.Bid == bid && luckier) {
				name, bid = answer.Buyer, answer.Bid
			}
		}
		return name, bid
	}
	winner, price = best("")
	if o.facts.Price == "second" && winner != "" {
		_, second := best(winner)
		price = max(second, o.facts.Floor)
	}
	return winner, price
}

func drawOffer(r *rapid.T) *offer {
	o := &offer{id: OfferID(rapid.StringMatching(`[a-z]{1,6}`).Draw(r, "id"))}
	o.facts.Seed = rapid.Uint64().Draw(r, "seed")
	o.facts.Floor = pingpost.Cents(rapid.IntRange(1, 6).Draw(r, "floor"))
	o.facts.Price = rapid.SampledFrom([]string{"first", "second"}).Draw(r, "price")
	for i := range rapid.IntRange(0, 6).Draw(r, "buyers") {
		answer := bidOf(fmt.Sprint("buyer-", i), pingpost.Cents(rapid.IntRange(1, 8).Draw(r, "bid")))
		if rapid.IntRange(0, 4).Draw(r, "no bid") == 0 {
			answer.Status = AnswerNoBid
		}
		o.answers = append(o.answers, answer)
		o.out = append(o.out, rapid.IntRange(0, 5).Draw(r, "out") == 0)
		o.passed = append(o.passed, pingpost.ReasonNone)
	}
	return o
}

func TestAuctionIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := drawOffer(r)
		wantWinner, wantPrice := naiveAuction(o)
		ranking := o.ranking()
		if len(ranking) == 0 {
			if wantWinner != "" {
				r.Fatalf("nobody wins, want %s", wantWinner)
			}
			return
		}
		if got := o.clearingPrice(ranking); ranking[0].buyer != wantWinner || got != wantPrice {
			r.Fatalf("%s wins at %v, want %s at %v", ranking[0].buyer, got, wantWinner, wantPrice)
		}
	})
}

// TestMinBidToWinIsTheLeast changes each bid to what its notice says would have won, and to a
// cent less.
func TestMinBidToWinIsTheLeast(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := drawOffer(r)
		for i := range o.out {
			o.out[i] = false
		}
		winner, price := naiveAuction(o)
		if winner == "" {
			return
		}
		sold := Event{Kind: Sold, Buyer: winner, Price: price}
		for i, answer := range o.answers {
			if answer.Status != AnswerBid {
				continue
			}
			least := o.endNotice(i, TellsPrice, sold).MinBidToWin
			for bid, wins := range map[pingpost.Cents]bool{least: true, least - 1: false} {
				other := *o
				other.answers = slices.Clone(o.answers)
				other.answers[i].Bid = bid
				if name, _ := naiveAuction(&other); (name == answer.Buyer) != wins {
					r.Fatalf("%s was told %v; with %v the winner is %q", answer.Buyer, least, bid, name)
				}
			}
		}
	})
}

// TestTiesAreEven holds many auctions between equal bids: the lot must not favour a name.
func TestTiesAreEven(t *testing.T) {
	wins := map[string]int{}
	for i := range 3000 {
		o := &offer{id: OfferID(fmt.Sprint("lead-", i)), facts: OpenedFacts{Floor: 1, Price: "first", Seed: 3}}
		for _, buyer := range []string{"ann", "bob", "cid"} {
			o.answers, o.out = append(o.answers, bidOf(buyer, 20_00)), append(o.out, false)
		}
		wins[o.ranking()[0].buyer]++
	}
	for _, buyer := range []string{"ann", "bob", "cid"} {
		if wins[buyer] < 900 || wins[buyer] > 1100 {
			t.Errorf("%s wins %d of 3000 ties", buyer, wins[buyer])
		}
	}
}
