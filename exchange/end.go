package exchange

import (
	"time"

	"leadbid/pingpost"
)

// endSold captures the hold: the lead is the winner's.
func (m *Market) endSold(now time.Time, o *offer) {
	m.end(now, o, Event{Kind: Sold, Buyer: o.hop.buyer, Price: o.hop.price,
		Entries: captureEntries(o.hop.buyer, o.seller, o.hop.price, o.facts.Margin)})
}

// endUnsold ends an offer that found no buyer here: another campaign may still take it.
func (m *Market) endUnsold(now time.Time, o *offer) {
	reason := o.whyUnsold()
	if !m.fallBack(now, o, reason) {
		m.end(now, o, Event{Kind: Unsold, Reason: reason})
	}
}

// end emits the one event that ends an offer, with the notices to its bidders.
func (m *Market) end(now time.Time, o *offer, e Event) {
	e.Notices = m.endNotices(o, e)
	m.emitFor(now, o, e)
}

// whyUnsold is the reason of the bid that got furthest: posted or passed over, else too low, else
// why there was none.
func (o *offer) whyUnsold() pingpost.Reason {
	if o.reason != pingpost.ReasonNone {
		return o.reason
	}
	if len(o.answers) == 0 {
		return pingpost.NotEligible
	}
	reason := pingpost.TimedOut
	for _, answer := range o.answers {
		switch answer.Status {
		case AnswerBid:
			return pingpost.BelowFloor
		case AnswerNoBid:
			reason = pingpost.Declined
		}
	}
	return reason
}

// endNotices tells the bidders how it ended, each as much as its configuration says. A buyer that
// rejected the post knows; one whose post is being withdrawn is told by the voided notice.
func (m *Market) endNotices(o *offer, e Event) []BuyerNotice {
	if o.facts.Test {
		return nil
	}
	var notices []BuyerNotice
	for i, answer := range o.answers {
		b := m.buyers[answer.Buyer]
		told := o.out[i] && o.passed[i] == pingpost.ReasonNone // it had the post, and knows
		inFlight := e.Kind != Sold && o.hop != nil && o.hop.buyer == answer.Buyer
		if answer.Status != AnswerBid || b == nil || b.Ping == nil || b.Tells == TellsNone || told || inFlight {
			continue
		}
		notices = append(notices, o.endNotice(i, b.Tells, e))
	}
	return notices
}

// endNotice is the won or lost notice of one bidder.
func (o *offer) endNotice(answer int, tells Tells, e Event) BuyerNotice {
	a := &o.answers[answer]
	notice := BuyerNotice{Buyer: a.Buyer, BidID: a.BidID, Won: e.Kind == Sold && e.Buyer == a.Buyer}
	if !notice.Won {
		notice.Reason = o.lostBecause(answer, e)
	}
	if tells < TellsPrice {
		return notice
	}
	notice.MinBidToWin = o.facts.Floor
	if e.Kind == Sold {
		notice.ClearingPrice = e.Price
		if rival, ok := o.strongestOther(a.Buyer, e.Buyer); ok {
			notice.MinBidToWin = max(o.facts.Floor, o.leastToBeat(a.Buyer, rival))
		}
	}
	return notice
}

// lostBecause is why a bid did not win. What other buyers did with the lead is not told.
func (o *offer) lostBecause(answer int, e Event) pingpost.Reason {
	switch {
	case o.passed[answer] != pingpost.ReasonNone:
		return o.passed[answer]
	case o.answers[answer].Bid < o.facts.Floor:
		return pingpost.BelowFloor
	case e.Kind == Sold:
		return pingpost.Outbid
	case e.Kind == Expired || e.Kind == Withdrawn:
		return e.Reason
	}
	return pingpost.Lost
}

// strongestOther is the bid that a buyer had to beat: the winner's, or for the winner itself the
// best of those that were still in; ok is false where there was none.
func (o *offer) strongestOther(buyer, winner string) (strongest rival, ok bool) {
	if buyer != winner {
		return o.rival(o.answerOf(winner)), true
	}
	for _, candidate := range o.ranking() {
		if candidate.buyer != buyer {
			return candidate, true
		}
	}
	return rival{}, false
}
