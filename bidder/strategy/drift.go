package strategy

import (
	"math"

	"leadbid/pingpost"
)

const (
	// A market is taken to have changed where the latest bids won so much more or less often than
	// expected as hardly ever happens by chance.
	surprise = 4.5

	// Prices of real markets come in bursts: what is a surprise in one line is nothing special in another.
	// burstMemory is how many times a few bids the size of its bursts is learned from, and largestBurst how
	// large one counts at most: a market that changed is no burst.
	burstMemory, largestBurst = 30.0, 25.0

	// leastDoubt and mostDoubt are the variances of the wins that are looked at: those of some twenty
	// bids and of some hundred and fifty.
	leastDoubt, mostDoubt = 4.0, 30.0

	// remembered is how many answers of a market count once it changed.
	remembered = 40.0
)

// chance is how likely a bid of these dollars is taken to win.
func (l *line) chance(q Quote, dollars float64) float64 {
	if l.Objective != AsWritten && l.Auction == pingpost.AuctionSecond {
		return at(&l.Yields[partOf(l.Marked)].Leads, place(dollars/q.Worth))
	}
	return l.won()
}

// weigh holds an answer against what was expected. Where rivals changed their bids, most of what was
// learned is about a market that is no more: it is forgotten at once, and not over thousands of bids.
// The markets of first-price auctions have ledgers of their own, which age by themselves.
func (l *line) weigh(chance float64, won bool) {
	if l.isShaded() {
		return
	}
	l.Hoped += chance
	l.Doubt += chance * (1 - chance)
	if won {
		l.Took++
	}
	l.burst(chance, won)
	off := math.Abs(l.Took - l.Hoped)
	switch {
	case l.Doubt >= leastDoubt && off > surprise*math.Sqrt(l.Doubt*max(l.Bursts, 1)):
		l.forget()
		l.Hoped, l.Took, l.Doubt = 0, 0, 0
	case l.Doubt > mostDoubt:
		l.Hoped, l.Took, l.Doubt = l.Hoped/2, l.Took/2, l.Doubt/2
	}
}

// doubt is by how much fewer of some bids won than was expected, and the variance of that.
type doubt struct {
	Off      float64 `json:"off"`
	Variance float64 `json:"variance"`
}

// burst learns how far the wins of a few bids usually are off.
func (l *line) burst(chance float64, won bool) {
	few := &l.Few
	few.Off, few.Variance = few.Off+chance, few.Variance+chance*(1-chance)
	if won {
		few.Off--
	}
	if few.Variance >= leastDoubt {
		l.Bursts += (min(few.Off*few.Off/few.Variance, largestBurst) - l.Bursts) / burstMemory
		*few = doubt{}
	}
}

// forget lets little of what was learned of prices count any more.
func (l *line) forget() {
	if l.Bids > remembered {
		keep := remembered / l.Bids
		l.Bids, l.Wins, l.Asked, l.Spent = l.Bids*keep, l.Wins*keep, l.Asked*keep, l.Spent*keep
	}
	if l.Response.Sum > remembered {
		keep := remembered / l.Response.Sum
		l.Response.fade(keep)
		for i := range l.Parts {
			l.Parts[i].fade(keep)
		}
	}
	l.Learned = false
}
