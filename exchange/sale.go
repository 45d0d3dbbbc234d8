package exchange

import (
	"fmt"
	"strings"
	"time"

	"leadbid/internal/planted"
	"leadbid/pingpost"
)

// closeAuction takes the answers of the pinged buyers.
func (m *Market) closeAuction(now time.Time, c CloseAuction) Applied {
	o := m.offers[c.Offer]
	switch {
	case o == nil:
		return Applied{Refused: pingpost.NotEligible}
	case o.phase != asking:
		return Applied{Repeat: true}
	}
	m.clear(now, o, c.Answers)
	return Applied{}
}

// clear ends the asking: every eligible buyer gets one answer, those of presets included, and
// the best bid is looked for.
func (m *Market) clear(now time.Time, o *offer, brought []Answer) {
	var answers []Answer
	for _, target := range o.targets {
		if target.Eligible {
			answers = append(answers, m.answerFor(o, target, brought))
		}
	}
	m.emitFor(now, o, Event{Kind: Cleared, Answers: answers})
	m.sell(now, o)
}

// answerFor settles what counts as the answer of one buyer.
func (m *Market) answerFor(o *offer, target Target, brought []Answer) Answer {
	if target.Preset > 0 {
		return Answer{Buyer: target.Buyer, Status: AnswerBid, Bid: target.Preset}
	}
	deadline := o.facts.Deadline.Sub(o.opened)
	for _, answer := range brought {
		if answer.Buyer != target.Buyer {
			continue
		}
		answer.Until = answer.Until.UTC().Truncate(time.Microsecond)
		answer.Reason, answer.Detail = known(answer.Reason), clip(answer.Detail)
		switch {
		case answer.Status > AnswerBroken:
			panic(fmt.Sprintf("exchange: %d is not a status of an answer", answer.Status))
		case answer.Latency > deadline:
			return Answer{
				Buyer: target.Buyer, Status: AnswerTimedOut, Reason: pingpost.TimedOut, Latency: answer.Latency,
			}
		case answer.Status != AnswerBid:
			answer.Bid, answer.BidID, answer.Until = 0, "", time.Time{}
		case answer.Bid <= 0, answer.Bid > pingpost.MaxCents, answer.BidID == "", clip(answer.BidID) != answer.BidID:
			return Answer{Buyer: target.Buyer, Status: AnswerBroken, Detail: "a bid without a usable amount or id",
				Latency: answer.Latency}
		}
		return answer
	}
	return Answer{Buyer: target.Buyer, Status: AnswerTimedOut, Reason: pingpost.TimedOut}
}

// known is a reason that the store can keep: one of the list.
func known(reason pingpost.Reason) pingpost.Reason {
	if _, ok := pingpost.ParseReason(reason.String()); !ok && reason != pingpost.ReasonNone {
		return pingpost.Internal
	}
	return reason
}

// clip makes a text from outside fit to be kept in an event: valid and at most 255 bytes long.
func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), 255)], "")
}

// sell looks for the best bid that can be paid, and holds its price. Where there is none, or the
// lead may not be posted to another buyer, the offer ends without a sale.
func (m *Market) sell(now time.Time, o *offer) {
	if o.facts.Test {
		m.end(now, o, Event{Kind: Unsold, Reason: pingpost.TestPing})
		return
	}
	posted := o.posted
	if o.postsLeft() == 0 {
		m.endUnsold(now, o)
		return
	}
	for {
		ranking := o.ranking()
		if len(ranking) == 0 {
			m.endUnsold(now, o)
			return
		}
		price, best := o.clearingPrice(ranking), ranking[0]
		if o.atBreakEven() {
			if share, _ := split(price, o.facts.Margin); share < o.facts.Cost {
				m.endUnsold(now, o)
				return
			}
		}
		if reason := m.cannotPay(now, o, best, price); reason != pingpost.ReasonNone {
			m.emitFor(now, o, Event{Kind: PassedOver, Buyer: best.buyer, Price: price, Reason: reason})
			continue
		}
		m.hold(now, o, best, price, len(ranking)-1, posted)
		return
	}
}

// postsLeft is to how many more buyers the lead may be posted, here and in the campaigns that it falls
// back to. Who was never posted anything may have the lead whatever the rerouting.
func (o *offer) postsLeft() int {
	left := o.facts.Hops + 1 - o.posted
	if o.posted > 0 && o.facts.Reroute == RerouteOff {
		left = 0
	}
	if o.facts.MostPosts > 0 {
		left = min(left, o.facts.MostPosts-o.posted)
	}
	return max(left, 0)
}

// atBreakEven tells whether the next buyer must pay what the lead cost.
func (o *offer) atBreakEven() bool {
	return o.facts.BreakEven || o.posted > 0 && o.facts.Reroute == RerouteBreakEven
}

// cannotPay is why the best bidder cannot have the lead at the price; ReasonNone where it can.
func (m *Market) cannotPay(now time.Time, o *offer, best rival, price pingpost.Cents) pingpost.Reason {
	target, until := o.target(best.buyer), o.answers[best.answer].Until
	switch {
	case m.buyers[best.buyer] == nil || m.state(best.buyer).paused:
		return pingpost.Paused
	case !until.IsZero() && !until.After(now):
		return pingpost.BidExpired
	case m.available(best.buyer) < price:
		return pingpost.InsufficientCredits
	case target.Budget > 0 && target.Budget-m.state(best.buyer).used[o.facts.Day] < price:
		return pingpost.BudgetExhausted
	}
	return pingpost.ReasonNone
}

// hold sets the price aside and asks for the post. A preset has no one to post to: the lead is
// its buyer's at once.
func (m *Market) hold(now time.Time, o *offer, best rival, price pingpost.Cents, rivals, hopNumber int) {
	facts := &HoldFacts{Bid: best.bid, BidID: o.answers[best.answer].BidID, Rivals: rivals, Hop: hopNumber}
	held := Event{
		Kind: Held, Buyer: best.buyer, Price: price, Hold: facts, Entries: holdEntries(best.buyer, price),
	}
	if o.target(best.buyer).Preset > 0 {
		held.Day = o.facts.Day
		m.emitFor(now, o, held)
		m.endSold(now, o)
		return
	}
	facts.PostBy = now.Add(o.facts.PostDeadline)
	if o.facts.WindowEnd.Before(facts.PostBy) {
		facts.PostBy = o.facts.WindowEnd
	}
	m.emitFor(now, o, held)
	m.post(now, o, 1)
}

// post asks for one attempt at the post.
func (m *Market) post(now time.Time, o *offer, attempt int) {
	until := now.Add(o.facts.PostTimeout)
	if o.hop.postBy.Before(until) {
		until = o.hop.postBy
	}
	m.emitFor(now, o, Event{
		Kind: PostRequested, Buyer: o.hop.buyer, Price: o.hop.price, Attempt: attempt, Until: until,
	})
}

// postAnswered takes the end of one attempt at a post. The ids are the same at every attempt, and
// so is a buyer's answer: it counts whichever attempt it belongs to, until the post is withdrawn.
func (m *Market) postAnswered(now time.Time, c PostAnswered) Applied {
	o := m.offers[c.Offer]
	if o == nil {
		return Applied{Refused: pingpost.NotEligible}
	}
	if o.hop == nil || o.hop.buyer != c.Buyer {
		bought := o.sale != nil && o.sale.buyer == c.Buyer
		if answer := o.answerOf(c.Buyer); answer >= 0 && (bought || o.out[answer]) {
			return Applied{Repeat: true}
		}
		return Applied{Refused: pingpost.NotEligible}
	}
	definite := c.Verdict.Kind == pingpost.VerdictAccepted || c.Verdict.Kind == pingpost.VerdictRejected
	switch {
	case o.phase == voiding:
		if definite && !o.hop.late {
			m.emitFor(now, o, Event{Kind: AnsweredLate, Buyer: c.Buyer, Reason: known(c.Verdict.Reason),
				Detail: lateDetail(c.Verdict.Kind), Latency: c.Latency})
			return Applied{}
		}
		return Applied{Repeat: true}
	case c.Verdict.Kind == pingpost.VerdictAccepted:
		m.emitFor(now, o, Event{Kind: PostAccepted, Buyer: c.Buyer, Price: o.hop.price,
			Detail: o.leadID(c.Verdict), Latency: c.Latency})
		m.endSold(now, o)
	case c.Verdict.Kind == pingpost.VerdictRejected:
		m.rejected(now, o, c)
	case o.phase == posting:
		m.postUnknown(now, o, c.Latency)
	}
	return Applied{}
}

// leadID is the buyer's own id of the lead. One that is made of the homeowner's number or address
// does not enter the timeline, which is free of personal data.
func (o *offer) leadID(verdict pingpost.Verdict) string {
	id := clip(verdict.LeadID)
	if o.lead != nil && o.lead.Lead.ShownIn(id) {
		return ""
	}
	return id
}

func lateDetail(kind pingpost.VerdictKind) string {
	if kind == pingpost.VerdictAccepted {
		return "accepted"
	}
	return "rejected"
}

// rejected voids the hold, so that the buyer pays nothing, and clears again among the rest.
func (m *Market) rejected(now time.Time, o *offer, c PostAnswered) {
	reason := known(c.Verdict.Reason)
	if reason == pingpost.ReasonNone {
		reason = pingpost.RejectedByRule
	}
	m.emitFor(now, o, Event{Kind: PostRejected, Buyer: c.Buyer, Price: o.hop.price, Reason: reason,
		Latency: c.Latency, Entries: voidEntries(c.Buyer, o.hop.price)})
	m.sell(now, o)
}

// postUnknown waits for the next attempt; where there is no time for one, it still waits for an
// answer until the post deadline, and then withdraws the post.
func (m *Market) postUnknown(now time.Time, o *offer, latency time.Duration) {
	if !now.Before(o.hop.postBy) {
		if planted.Is(planted.RerouteUnknown) {
			m.rejected(now, o, PostAnswered{Buyer: o.hop.buyer})
			return
		}
		m.void(now, o, 1)
		return
	}
	next := now.Add(postRetryDelay(o.hop.attempt))
	if next.After(o.hop.postBy) {
		next = o.hop.postBy
	}
	m.emitFor(now, o, Event{
		Kind: PostUnknown, Buyer: o.hop.buyer, Attempt: o.hop.attempt, Until: next, Latency: latency,
	})
}

// postRetryDelay is the wait after the n-th attempt at a post: a quarter of a second, doubling up
// to four seconds.
func postRetryDelay(attempt int) time.Duration {
	return 250 * time.Millisecond << min(attempt-1, 4)
}

// void asks for the notice that withdraws a post, for the n-th time.
func (m *Market) void(now time.Time, o *offer, attempt int) {
	m.emitFor(now, o, Event{Kind: VoidRequested, Buyer: o.hop.buyer, Price: o.hop.price, Attempt: attempt,
		Until: now.Add(noticeRetryDelay(attempt)), GoneSince: m.goneSince(now, o.hop.buyer, o.hop.goneSince)})
}

// noticeRetryDelay is the wait after the n-th attempt at a notice that must arrive. There is no
// last attempt while there is somebody to bring it to: money hangs on it.
func noticeRetryDelay(attempt int) time.Duration {
	delays := [...]time.Duration{
		time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second,
		2 * time.Minute, 10 * time.Minute, time.Hour,
	}
	return delays[min(attempt, len(delays))-1]
}

const (
	// awaitGone is how long a buyer that the configuration no longer has is waited for: one who was left out by
	// mistake can be put back and be told. So long is one waited for that knows no such bid: it may have gone
	// back to older books, or somebody else may answer at its address.
	awaitGone = 24 * time.Hour

	// awaitReturn is how long a buyer that knows no such bid is told of a returned lead. Its money is back
	// already, and what the notice gives back is in its own books: it costs little to go on.
	awaitReturn = 90 * 24 * time.Hour
)

// goneSince tells since when a notice has had nobody to arrive at: the configuration has no such buyer, or no
// address of it. before is what was found at the last attempt.
func (m *Market) goneSince(now time.Time, buyer string, before time.Time) time.Time {
	switch b := m.buyers[buyer]; {
	case b != nil && b.Ping != nil:
		return time.Time{}
	case before.IsZero():
		return now
	}
	return before
}

// isGone tells whether a notice has had nobody to arrive at for long enough.
func (m *Market) isGone(now time.Time, buyer string, since time.Time) bool {
	return lasts(now, since, awaitGone) && !m.goneSince(now, buyer, since).IsZero()
}

// lasts tells whether something that began at an instant, if it did, has gone on for so long.
func lasts(now, since time.Time, long time.Duration) bool {
	return !since.IsZero() && now.Sub(since) >= long
}

// releaseGone frees the hold of a buyer that will never acknowledge the withdrawal. Its offer is over, and
// the lead goes to nobody else: the buyer may have taken it, and pays nothing.
func (m *Market) releaseGone(now time.Time, o *offer, reason pingpost.Reason) {
	m.emitFor(now, o, Event{Kind: Voided, Buyer: o.hop.buyer, Price: o.hop.price, Reason: reason,
		Entries: voidEntries(o.hop.buyer, o.hop.price)})
}

// noticeAcked ends the retrying of a notice. A voided post frees the hold only now, and only now
// may the lead go to another buyer.
func (m *Market) noticeAcked(now time.Time, c NoticeAcked) Applied {
	o := m.offers[c.Offer]
	switch {
	case o == nil:
		return Applied{Refused: pingpost.NotEligible}
	case c.Outcome == pingpost.OutcomeVoided && o.phase == voiding && o.hop.buyer == c.Buyer:
		m.emitFor(now, o, Event{Kind: Voided, Buyer: c.Buyer, Price: o.hop.price, Reason: pingpost.Voided,
			Entries: voidEntries(c.Buyer, o.hop.price)})
		if o.end == EventNone {
			m.sell(now, o)
		}
		return Applied{}
	case c.Outcome == pingpost.OutcomeReturned && o.owed != nil && o.sale.buyer == c.Buyer:
		m.emitFor(now, o, Event{Kind: ReturnAcknowledged, Buyer: c.Buyer})
		return Applied{}
	}
	return Applied{Repeat: true}
}

// noticeAnswered takes an answer that acknowledges nothing. A buyer that says nothing but that it knows no
// such bid is given up after some time, upon one more such answer: one that was out of reach meanwhile is
// asked again first.
func (m *Market) noticeAnswered(now time.Time, c NoticeAnswered) Applied {
	o := m.offers[c.Offer]
	switch {
	case o == nil:
		return Applied{Refused: pingpost.NotEligible}
	case c.Outcome == pingpost.OutcomeVoided && o.phase == voiding && o.hop.buyer == c.Buyer:
		m.noteUnknown(now, o, c, o.hop.unknownSince)
		if o.end != EventNone && lasts(now, o.hop.unknownSince, awaitGone) {
			m.releaseGone(now, o, pingpost.BidUnknown)
		}
		return Applied{}
	case c.Outcome == pingpost.OutcomeReturned && o.owed != nil && o.sale.buyer == c.Buyer:
		m.noteUnknown(now, o, c, o.owed.unknownSince)
		if lasts(now, o.owed.unknownSince, awaitReturn) {
			m.emitFor(now, o, Event{Kind: ReturnAcknowledged, Buyer: c.Buyer, Reason: pingpost.BidUnknown})
		}
		return Applied{}
	}
	return Applied{Repeat: true}
}

// noteUnknown writes down where a buyer begins to know no such bid, or ends to. since is since when it has.
func (m *Market) noteUnknown(now time.Time, o *offer, c NoticeAnswered, since time.Time) {
	switch {
	case c.Unknown && since.IsZero():
		m.emitFor(now, o, Event{Kind: Unacknowledged, Buyer: c.Buyer, Reason: pingpost.BidUnknown})
	case !c.Unknown && !since.IsZero():
		m.emitFor(now, o, Event{Kind: Unacknowledged, Buyer: c.Buyer})
	}
}

// overdue does what an offer's time has come for.
func (m *Market) overdue(now time.Time, o *offer) {
	closed := o.end == EventNone && !now.Before(o.facts.WindowEnd)
	switch {
	case o.phase == asking:
		// The shell did not bring the answers: they are lost, and presets bid on. An offer whose
		// window is over as well has nobody left to sell to.
		if closed {
			m.expireAsked(now, o)
			return
		}
		m.clear(now, o, nil)
		return
	case o.phase == posting && !closed:
		m.postUnknown(now, o, 0)
	case o.phase == unknown && !closed && now.Before(o.hop.postBy):
		m.post(now, o, o.hop.attempt+1)
	case o.phase == posting || o.phase == unknown:
		m.void(now, o, 1)
	case o.phase == voiding && !o.hop.until.After(now):
		if o.end != EventNone && m.isGone(now, o.hop.buyer, o.hop.goneSince) {
			m.releaseGone(now, o, pingpost.NotEligible)
			break
		}
		m.void(now, o, o.hop.attempt+1)
	case o.owed != nil:
		if m.isGone(now, o.sale.buyer, o.owed.goneSince) {
			m.emitFor(now, o, Event{Kind: ReturnAcknowledged, Buyer: o.sale.buyer, Reason: pingpost.NotEligible})
			break
		}
		m.requestReturn(now, o, o.owed.attempt+1)
	}
	if closed {
		m.end(now, o, Event{Kind: Expired, Reason: pingpost.Expired})
	}
}

// expireAsked ends an offer whose window closed while its buyers were asked.
func (m *Market) expireAsked(now time.Time, o *offer) {
	var answers []Answer
	for _, target := range o.targets {
		if target.Eligible {
			answers = append(answers, Answer{Buyer: target.Buyer, Status: AnswerTimedOut, Reason: pingpost.TimedOut})
		}
	}
	m.emitFor(now, o, Event{Kind: Cleared, Answers: answers})
	m.end(now, o, Event{Kind: Expired, Reason: pingpost.Expired})
}

// withdraw takes an open offer back.
func (m *Market) withdraw(now time.Time, c Withdraw) Applied {
	o := m.offers[c.Offer]
	switch {
	case o == nil:
		return Applied{Refused: pingpost.NotEligible}
	case o.end == Withdrawn:
		return Applied{Repeat: true}
	case o.end != EventNone:
		return Applied{Refused: pingpost.NotEligible}
	case o.phase == posting || o.phase == unknown:
		m.void(now, o, 1)
	}
	m.end(now, o, Event{Kind: Withdrawn, Reason: pingpost.Withdrawn})
	return Applied{}
}

// returnLead gives the price of a sold lead back.
func (m *Market) returnLead(now time.Time, c Return) Applied {
	o := m.offers[c.Offer]
	switch {
	case o == nil || o.end != Sold:
		return Applied{Refused: pingpost.NotEligible}
	case o.sale.returned:
		return Applied{Repeat: true}
	case clip(c.Reason) != c.Reason:
		return Applied{Refused: pingpost.InvalidField}
	}
	buyer, preset := o.sale.buyer, o.target(o.sale.buyer).Preset > 0
	returned := Event{Kind: Returned, Buyer: buyer, Price: o.sale.price, Detail: c.Reason,
		Entries: returnEntries(buyer, o.seller, o.sale.price, o.facts.Margin)}
	if preset {
		returned.Day = o.facts.Day
	}
	m.emitFor(now, o, returned)
	if !preset {
		m.requestReturn(now, o, 1)
	}
	return Applied{}
}

// requestReturn asks for the notice that a lead was taken back, for the n-th time: once a day of a buyer that
// has known no such bid for a day.
func (m *Market) requestReturn(now time.Time, o *offer, attempt int) {
	before, delay := owedNotice{}, noticeRetryDelay(attempt)
	if o.owed != nil {
		before = *o.owed
	}
	if lasts(now, before.unknownSince, awaitGone) {
		delay = awaitGone
	}
	m.emitFor(now, o, Event{Kind: ReturnRequested, Buyer: o.sale.buyer, Price: o.sale.price, Attempt: attempt,
		Until: now.Add(delay), GoneSince: m.goneSince(now, o.sale.buyer, before.goneSince)})
}
