package exchange

import (
	"fmt"
	"time"

	"leadbid/pingpost"
)

// phase is what an offer waits for.
type phase uint8

const (
	asking   phase = iota // for the answers to its pings
	clearing              // for nothing: the next event comes in the same Apply
	posting               // for the answer to an attempt at a post
	unknown               // for the next attempt
	voiding               // for the acknowledgment of a withdrawn post
	resting               // for nothing but the end of its stay in memory
)

// offer is one lead on the market. Its fields change in foldOffer only.
type offer struct {
	id, root OfferID
	seller   string
	service  string
	zip      string
	facts    OpenedFacts
	lead     *Lead // shared with the offers it falls back to
	step     int
	opened   time.Time
	touched  time.Time // the latest event
	recalled time.Time // when the store brought it back; zero where it was not gone
	phase    phase
	due      time.Time // the one appointment in the agenda; zero where there is none

	targets []Target
	answers []Answer
	out     []bool            // by answer: no longer in the auction
	passed  []pingpost.Reason // by answer: why a bid that would have won was passed over
	hop     *hop              // whose price is held
	posted  int               // buyers that the lead was posted to
	reason  pingpost.Reason   // why the latest buyer did not get it

	end   EventKind // EventNone while open
	next  OfferID   // FellBack: the offer that goes on
	endAt time.Time
	sale  *sale
	owed  *owedNotice // OutcomeReturned, until it is acknowledged
}

// hop is one winner with its price on hold.
type hop struct {
	buyer   string
	price   pingpost.Cents
	bid     pingpost.Cents
	bidID   string
	postBy  time.Time
	attempt int       // of the post, then of the voided notice
	until   time.Time // the attempt, or the wait for the next one, is over then
	late    bool      // an answer came after the withdrawal

	goneSince    time.Time // the configuration has no such buyer any more; zero where it has
	unknownSince time.Time // all that the buyer answers to the notice is that it knows no such bid
}

// sale is how an offer was sold.
type sale struct {
	buyer    string
	bidID    string
	price    pingpost.Cents
	returned bool
}

// owedNotice is a notice that must arrive.
type owedNotice struct {
	attempt      int
	until        time.Time
	goneSince    time.Time // as a hop's
	unknownSince time.Time
}

// settled reports an offer that has ended and owes nothing to anyone.
func (o *offer) settled() bool { return o.end != EventNone && o.hop == nil && o.owed == nil }

// nextDue is when something has to be done for the offer, given its state.
func (o *offer) nextDue() time.Time {
	var due time.Time
	switch {
	case o.settled():
		if o.recalled.After(o.touched) {
			return o.recalled.Add(keepFinished)
		}
		return o.touched.Add(keepFinished)
	case o.phase == asking:
		due = o.facts.Deadline.Add(answerGrace)
	case o.hop != nil:
		due = o.hop.until
	case o.owed != nil:
		due = o.owed.until
	}
	if o.end == EventNone && (due.IsZero() || o.facts.WindowEnd.Before(due)) {
		due = o.facts.WindowEnd
	}
	return due
}

// answerGrace is how long after its deadline an auction waits for the shell to bring the answers.
// It does not make late bids good: their latency tells.
const answerGrace = 2 * time.Second

// answerOf finds a buyer's answer; -1 where it has none.
func (o *offer) answerOf(buyer string) int {
	for i := range o.answers {
		if o.answers[i].Buyer == buyer {
			return i
		}
	}
	return -1
}

// target finds a buyer's eligibility.
func (o *offer) target(buyer string) *Target {
	for i := range o.targets {
		if o.targets[i].Buyer == buyer {
			return &o.targets[i]
		}
	}
	return nil
}

// emitFor emits an event of an offer.
func (m *Market) emitFor(now time.Time, o *offer, e Event) {
	e.Offer, e.Root, e.Step = o.id, o.root, o.step+1
	if e.Kind.Ends() || e.Kind == Returned {
		e.Seller, e.Service, e.ZIP = o.seller, o.service, o.zip
	}
	m.emit(now, e)
}

// foldOffer is the part of an event that moves an offer along its life.
func (m *Market) foldOffer(e *Event) {
	if e.Offer == "" {
		return
	}
	o := m.offers[e.Offer]
	if e.Kind == Opened {
		o = m.foldOpened(e)
		m.unsettled++
	}
	if o == nil || e.Step != o.step+1 {
		panic(fmt.Sprintf("exchange: event %d is step %d of offer %q, which is not the next one",
			e.Seq, e.Step, e.Offer))
	}
	before := o.settled()
	o.step, o.touched = e.Step, e.At
	if e.Kind.Ends() {
		m.foldEnd(o, e)
	} else {
		o.fold(e)
	}
	switch after := o.settled(); {
	case after && !before:
		m.unsettled--
	case before && !after:
		m.unsettled++
	}
	m.schedule(o)
}

// schedule puts an offer's next time on the agenda.
func (m *Market) schedule(o *offer) {
	if due := o.nextDue(); !due.Equal(o.due) {
		o.due = due
		m.due.push(due, o.id)
	}
}

func (m *Market) foldOpened(e *Event) *offer {
	if m.offers[e.Offer] != nil {
		panic(fmt.Sprintf("exchange: offer %q was opened twice", e.Offer))
	}
	o := &offer{
		id: e.Offer, root: e.Root, seller: e.Seller, service: e.Service, zip: e.ZIP,
		facts: *e.Opened, opened: e.At, phase: asking,
	}
	m.offers[o.id] = o
	return o
}

func (o *offer) fold(e *Event) {
	switch e.Kind {
	case Targeted:
		o.targets = e.Targets
	case Cleared:
		o.answers, o.phase = e.Answers, clearing
		o.out, o.passed = make([]bool, len(e.Answers)), make([]pingpost.Reason, len(e.Answers))
	case PassedOver:
		o.passed[o.drop(e.Buyer, e.Reason)] = e.Reason
	case Held:
		o.hop = &hop{buyer: e.Buyer, price: e.Price, bid: e.Hold.Bid, bidID: e.Hold.BidID, postBy: e.Hold.PostBy}
	case PostRequested:
		if e.Attempt == 1 {
			o.posted++
		}
		o.phase, o.hop.attempt, o.hop.until = posting, e.Attempt, e.Until
	case PostUnknown:
		o.phase, o.hop.until = unknown, e.Until
	case VoidRequested:
		o.phase, o.hop.attempt, o.hop.until, o.hop.goneSince = voiding, e.Attempt, e.Until, e.GoneSince
	case AnsweredLate:
		o.hop.late = true
	case PostRejected, Voided:
		o.drop(e.Buyer, e.Reason)
		o.hop, o.phase = nil, clearing
		if o.end != EventNone {
			o.phase = resting
		}
	case Returned:
		o.sale.returned = true
	case ReturnRequested:
		owed := &owedNotice{attempt: e.Attempt, until: e.Until, goneSince: e.GoneSince}
		if o.owed != nil {
			owed.unknownSince = o.owed.unknownSince
		}
		o.owed = owed
	case ReturnAcknowledged:
		o.owed = nil
	case Unacknowledged:
		o.noteUnknown(e)
	}
}

// noteUnknown keeps since when the buyer has known no such bid.
func (o *offer) noteUnknown(e *Event) {
	var since time.Time
	if e.Reason == pingpost.BidUnknown {
		since = e.At
	}
	if o.hop != nil {
		o.hop.unknownSince = since
		return
	}
	o.owed.unknownSince = since
}

// drop takes a buyer out of the auction and keeps why. It gives the index of its answer.
func (o *offer) drop(buyer string, reason pingpost.Reason) (answer int) {
	answer = o.answerOf(buyer)
	o.out[answer] = true
	if o.end == EventNone {
		o.reason = reason
	}
	return answer
}

func (m *Market) foldEnd(o *offer, e *Event) {
	if o.end != EventNone {
		panic(fmt.Sprintf("exchange: offer %q ended twice, %v and %v", o.id, o.end, e.Kind))
	}
	o.end, o.endAt, o.next, o.reason = e.Kind, e.At, e.Next, e.Reason
	if e.Kind == Sold {
		o.sale = &sale{buyer: o.hop.buyer, bidID: o.hop.bidID, price: o.hop.price}
		o.hop = nil
	}
	if o.hop == nil {
		o.phase = resting
	}
}
