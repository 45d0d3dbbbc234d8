package bidder

import (
	"math"
	"slices"

	"leadbid/budget"
	"leadbid/rules"
)

const (
	// maxOutcomes is how many decided bids of a campaign count for its win_rate: the latest.
	maxOutcomes = 50

	// minOutcomes is how few say nothing yet.
	minOutcomes = 20
)

// outcomes remembers which of the latest bids of each campaign were won, by the campaign's tag: what
// rules read as win_rate. Won is what was charged, lost what a notice says; a bid of which nothing is
// heard does not count. A map of campaigns is marshaled in the order of its keys.
type outcomes map[uint32][]outcome

type outcome struct {
	Seq uint64 `json:"seq"`
	Won bool   `json:"won,omitempty"`
}

// note adds the outcome of a bid. One that was told before is mended, not counted twice.
func (o *outcomes) note(ref budget.BidRef, won bool) {
	if ref.Lease == 0 {
		return // a test bid
	}
	if *o == nil {
		*o = outcomes{}
	}
	latest := (*o)[ref.Campaign]
	if i := slices.IndexFunc(latest, func(known outcome) bool { return known.Seq == ref.Seq }); i >= 0 {
		latest[i].Won = latest[i].Won || won
		return
	}
	if len(latest) == maxOutcomes {
		latest = slices.Delete(latest, 0, 1)
	}
	(*o)[ref.Campaign] = append(latest, outcome{Seq: ref.Seq, Won: won})
}

// rate is the share of a campaign's latest decided bids that were won.
func (o outcomes) rate(campaign uint32) rules.Rate {
	latest := o[campaign]
	if len(latest) < minOutcomes {
		return rules.Rate{}
	}
	won := 0
	for _, one := range latest {
		if one.Won {
			won++
		}
	}
	return rules.Rate{Value: float64(won) / float64(len(latest)), Known: true}
}

// LatestBids is how many decided bids of a campaign win_rate is about, at most.
const LatestBids = maxOutcomes

// Recall gives a new Agent a past: of the latest LatestBids bids of a campaign so many were won. It
// serves cases and other looks at what would be; an Agent that bids learns from what happens.
func (a *Agent) Recall(campaign string, won int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range LatestBids {
		// Sequence numbers that no bid will get.
		ref := budget.BidRef{Lease: 1, Campaign: budget.CampaignTag(campaign), Seq: math.MaxUint64 - uint64(i)}
		a.outcomes.note(ref, i < won)
	}
}

func (o outcomes) clone() outcomes {
	if len(o) == 0 {
		return nil
	}
	copied := make(outcomes, len(o))
	for campaign, latest := range o {
		copied[campaign] = slices.Clone(latest)
	}
	return copied
}
