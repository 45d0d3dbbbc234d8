package exchange

import (
	"fmt"
	"maps"
	"slices"

	"leadbid/pingpost"
)

// Finding is one broken invariant, by its number in ARCHITECTURE.md, in words.
type Finding struct {
	ID   string `json:"id"`
	What string `json:"what"`
}

// AuditMoney holds the invariants of money (E3) against every event there ever was, in order of
// Seq. It is a second opinion: it shares the arithmetic of an entry with the Market, and nothing
// else. The zero value is ready to use.
type AuditMoney struct {
	Findings []Finding
	Entries  int64 // how many were checked
	seq      int64
	books    *book
}

// Add checks the next event.
func (a *AuditMoney) Add(e *Event) {
	if a.books == nil {
		books := newBook()
		a.books = &books
	}
	if e.Seq != a.seq+1 {
		a.find("E7", "event %d follows event %d", e.Seq, a.seq)
	}
	a.seq = e.Seq
	if e.Kind == CreditLimitSet {
		a.books.limit[e.Buyer] = e.Price
		if err := a.books.sound(Account{Wallet, e.Buyer}); err != nil {
			a.find("E3", "event %d: %v", e.Seq, err)
		}
	}
	for _, entry := range e.Entries {
		a.Entries++
		if err := a.books.apply(entry); err != nil {
			a.find("E3", "event %d: %v", e.Seq, err)
		}
	}
	if refunds := a.books.balance[Account{Kind: Refunds}]; refunds != 0 {
		a.find("E3", "event %d leaves %v half way in refunds", e.Seq, refunds)
	}
}

// Balance is what the events so far come to for an account.
func (a *AuditMoney) Balance(account Account) pingpost.Cents {
	if a.books == nil {
		return 0
	}
	return a.books.balance[account]
}

// Touched reports whether any entry so far has moved the account.
func (a *AuditMoney) Touched(account Account) bool {
	if a.books == nil {
		return false
	}
	_, touched := a.books.balance[account]
	return touched
}

// Accounts is how many accounts the events so far have touched.
func (a *AuditMoney) Accounts() int {
	if a.books == nil {
		return 0
	}
	return len(a.books.balance)
}

func (a *AuditMoney) find(id, format string, args ...any) {
	a.Findings = append(a.Findings, Finding{id, fmt.Sprintf(format, args...)})
}

// AuditOffer holds the invariants of one offer's life (E1, E2, E6 to E9) against its timeline,
// complete or so far. It judges the events alone, by rules written down a second time.
func AuditOffer(events []Event) []Finding {
	a := offerAudit{}
	for i := range events {
		a.add(i, &events[i])
	}
	if a.opened == nil {
		a.find("E7", "it was never opened")
	}
	return a.findings
}

// offerAudit follows one timeline.
type offerAudit struct {
	findings []Finding
	offer    OfferID
	former   *Event
	opened   *OpenedFacts
	begun    *Event
	eligible map[string]bool
	bids     map[string]pingpost.Cents // of the answers that count
	gone     map[string]bool           // buyers that had their turn
	held     *Event                    // the open hold
	voiding  bool
	unknown  *Event // the buyer says since then that it knows no such bid
	hops     int
	end      EventKind
	sold     *Event
	returned bool
}

func (a *offerAudit) find(id, format string, args ...any) {
	a.findings = append(a.findings, Finding{id, fmt.Sprintf("offer %q: ", a.offer) + fmt.Sprintf(format, args...)})
}

func (a *offerAudit) add(index int, e *Event) {
	a.order(index, e)
	switch e.Kind {
	case Opened:
		if a.opened, a.begun = e.Opened, e; e.Opened == nil {
			a.find("E7", "it was opened without its terms")
			a.opened = &OpenedFacts{}
		}
		a.bids, a.gone = map[string]pingpost.Cents{}, map[string]bool{}
	case Targeted:
		a.eligible = map[string]bool{}
		for _, target := range e.Targets {
			a.eligible[target.Buyer] = target.Eligible
		}
	case Cleared:
		a.cleared(e)
	case PassedOver:
		a.reasoned(e)
		a.gone[e.Buyer] = true
	case Held:
		a.hold(e)
	case PostRequested, PostUnknown, PostAccepted, VoidRequested, AnsweredLate:
		a.inFlight(e)
	case Unacknowledged:
		a.unacknowledged(e)
	case PostRejected, Voided:
		a.release(e)
	case Returned:
		a.returnLead(e)
	}
	if e.Kind.Ends() {
		a.ends(e)
	}
	a.former = e
}

// order: gap-free, monotonic, beginning with opened and targeted, nothing sold after the end.
func (a *offerAudit) order(index int, e *Event) {
	a.offer = e.Offer
	if e.Step != index+1 {
		a.find("E7", "step %d is at place %d", e.Step, index+1)
	}
	if (e.Kind == Opened) != (index == 0) || (e.Kind == Targeted) != (index == 1) {
		a.find("E7", "%v is at place %d", e.Kind, index+1)
	}
	if a.former != nil && (e.At.Before(a.former.At) || e.Seq <= a.former.Seq) {
		a.find("E7", "step %d is before its predecessor", e.Step)
	}
	if a.end != EventNone && (e.Kind < VoidRequested || e.Kind.Ends()) {
		a.find("E6", "%v comes after its end, %v", e.Kind, a.end)
	}
}

// cleared: no late bid counts, and none of a buyer that was not asked.
func (a *offerAudit) cleared(e *Event) {
	for _, answer := range e.Answers {
		if !a.eligible[answer.Buyer] {
			a.find("E9", "%s answers and was not eligible", answer.Buyer)
		}
		if answer.Status != AnswerBid || a.begun == nil {
			continue
		}
		a.bids[answer.Buyer] = answer.Bid
		if answer.Latency > a.opened.Deadline.Sub(a.begun.At) {
			a.find("E9", "the bid of %s came late and counts", answer.Buyer)
		}
	}
}

// hold: one at a time, for a buyer that bid and had no turn yet, at a price between floor and
// bid, with as many posts as the hops allow.
func (a *offerAudit) hold(e *Event) {
	bid, ok := a.bids[e.Buyer]
	switch {
	case a.held != nil:
		a.find("E1", "%s wins while %s still does", e.Buyer, a.held.Buyer)
		a.find("E8", "%s is held while %s still is", e.Buyer, a.held.Buyer)
	case !ok || a.gone[e.Buyer]:
		a.find("E9", "%s wins without a bid", e.Buyer)
	case a.opened == nil || e.Hold == nil:
		a.find("E7", "a hold without its facts")
	case e.Price < a.opened.Floor || e.Price > bid:
		a.find("E9", "%s pays %v for a bid of %v and a floor of %v", e.Buyer, e.Price, bid, a.opened.Floor)
	case a.opened.Price == "first" && e.Price != bid:
		a.find("E9", "%s pays %v for a bid of %v in a first-price auction", e.Buyer, e.Price, bid)
	case a.opened.Price == "second" && e.Price != a.secondPrice(e.Buyer):
		a.find("E9", "%s pays %v in a second-price auction whose second price is %v", e.Buyer, e.Price, a.secondPrice(e.Buyer))
	case a.postedOut():
		a.find("E8", "posted to buyer number %d with %d hops, and %d buyers allowed by former campaigns",
			a.hops+1, a.opened.Hops, a.opened.MostPosts)
	}
	a.strongest(e)
	a.money(e, EntryHold)
	a.held, a.voiding = e, false
	a.hops++
}

// reasoned: an attempt that does not win says why.
func (a *offerAudit) reasoned(e *Event) {
	if e.Reason == pingpost.ReasonNone {
		a.find("E1", "%v of %s without a reason", e.Kind, e.Buyer)
	}
}

// postedOut tells whether the lead was held for as many buyers as its terms allow.
func (a *offerAudit) postedOut() bool {
	return a.hops > 0 && a.opened.Reroute == RerouteOff || a.hops > a.opened.Hops ||
		a.opened.MostPosts > 0 && a.hops >= a.opened.MostPosts
}

// strongest: nobody who was still in it had bid more, or as much with the better lot.
func (a *offerAudit) strongest(e *Event) {
	if a.opened == nil {
		return
	}
	lot := func(buyer string) uint64 { return tie(a.opened.Seed, a.offer, buyer) }
	for _, buyer := range slices.Sorted(maps.Keys(a.bids)) {
		bid, won := a.bids[buyer], a.bids[e.Buyer]
		if !a.gone[buyer] && (bid > won || bid == won && lot(buyer) < lot(e.Buyer)) {
			a.find("E9", "%s wins with %v against %s with %v", e.Buyer, won, buyer, bid)
			return
		}
	}
}

// secondPrice is the best bid of the others who were still in it, and the floor where none
// reached it.
func (a *offerAudit) secondPrice(winner string) pingpost.Cents {
	price := a.opened.Floor
	for buyer, bid := range a.bids {
		if buyer != winner && !a.gone[buyer] {
			price = max(price, bid)
		}
	}
	return price
}

func (a *offerAudit) inFlight(e *Event) {
	if a.held == nil || a.held.Buyer != e.Buyer {
		a.find("E8", "%v of %s, whose price is not held", e.Kind, e.Buyer)
	}
	if e.Kind == VoidRequested {
		a.voiding = true
	} else if a.voiding && e.Kind != AnsweredLate {
		a.find("E8", "%v after the post was withdrawn", e.Kind)
	}
}

// unacknowledged: only a withdrawal or a return waits for an acknowledgment.
func (a *offerAudit) unacknowledged(e *Event) {
	if !a.voiding && !a.returned {
		a.find("E8", "%v by %s, of whom nothing is awaited", e.Kind, e.Buyer)
	}
	a.unknown = nil
	if e.Reason == pingpost.BidUnknown {
		a.unknown = e
	}
}

// release: the buyer pays nothing, and an unanswered post is released by an acknowledgment only.
func (a *offerAudit) release(e *Event) {
	a.reasoned(e)
	switch {
	case a.held == nil || a.held.Buyer != e.Buyer:
		a.find("E8", "%v of %s, whose price is not held", e.Kind, e.Buyer)
	case e.Kind == Voided && e.Reason != pingpost.Voided && a.end == EventNone:
		a.find("E8", "a withdrawal that %s has not acknowledged frees the lead", e.Buyer)
	case e.Kind == Voided && e.Reason == pingpost.BidUnknown && (a.unknown == nil || e.At.Sub(a.unknown.At) < awaitGone):
		a.find("E8", "%s is given up before it has known no such bid for %v", e.Buyer, awaitGone)
	case (e.Kind == Voided) != a.voiding:
		a.find("E8", "%v with the post withdrawn: %v", e.Kind, a.voiding)
	}
	a.money(e, EntryVoid)
	a.held, a.voiding, a.unknown = nil, false, nil
	a.gone[e.Buyer] = true
}

func (a *offerAudit) ends(e *Event) {
	a.end = e.Kind
	if e.Kind == Sold {
		if a.sold != nil {
			a.find("E1", "sold to %s, and %s had won it", e.Buyer, a.sold.Buyer)
		}
		a.sold = e
		if a.held == nil || a.held.Buyer != e.Buyer || a.held.Price != e.Price || a.voiding {
			a.find("E2", "sold to %s at %v without that hold", e.Buyer, e.Price)
		}
		a.money(e, EntryCapture)
		a.held = nil
		return
	}
	if e.Kind == FellBack && a.opened != nil && a.postedOut() {
		a.find("E8", "it fell back after %d buyers had it", a.hops)
	}
	if a.held != nil && !a.voiding {
		a.find("E6", "it ended as %v with a post in flight that nobody withdraws", e.Kind)
	}
}

func (a *offerAudit) returnLead(e *Event) {
	if a.end != Sold || a.returned {
		a.find("E2", "returned without a sale, or twice")
	}
	a.returned = true
	a.money(e, EntryRefund, EntryClawback)
}

// money: the event carries exactly these entries, and what they move together is its price, out of
// and into the accounts that it is about.
func (a *offerAudit) money(e *Event, kinds ...EntryKind) {
	if len(e.Entries) != len(kinds) {
		a.find("E2", "%v carries %d entries", e.Kind, len(e.Entries))
		return
	}
	moved := map[Account]pingpost.Cents{}
	for i, kind := range kinds {
		if e.Entries[i].Kind != kind {
			a.find("E2", "%v carries a %v entry", e.Kind, e.Entries[i].Kind)
		}
		for _, posting := range e.Entries[i].Postings {
			moved[posting.Account] += posting.Amount
		}
	}
	maps.DeleteFunc(moved, func(_ Account, amount pingpost.Cents) bool { return amount == 0 })
	if want := a.flows(e, kinds[0]); !maps.Equal(moved, want) {
		a.find("E2", "%v at %v moves %v, not %v", e.Kind, e.Price, moved, want)
	}
}

// flows is what an event with an entry of this kind moves, account by account: those that come
// out at zero apart.
func (a *offerAudit) flows(e *Event, kind EntryKind) map[Account]pingpost.Cents {
	wallet, held := Account{Wallet, e.Buyer}, Account{HeldFunds, e.Buyer}
	flows := map[Account]pingpost.Cents{}
	switch kind {
	case EntryHold:
		flows[wallet], flows[held] = -e.Price, e.Price
	case EntryVoid:
		flows[wallet], flows[held] = e.Price, -e.Price
	case EntryCapture:
		flows[held] = -e.Price
		a.earned(flows, e.Price)
	case EntryRefund:
		flows[wallet] = e.Price
		a.earned(flows, -e.Price)
	}
	maps.DeleteFunc(flows, func(_ Account, amount pingpost.Cents) bool { return amount == 0 })
	return flows
}

// earned shares a price out: the exchange's margin to the cent below, the rest to the seller.
func (a *offerAudit) earned(flows map[Account]pingpost.Cents, price pingpost.Cents) {
	if a.begun == nil {
		return
	}
	margin := price * pingpost.Cents(a.opened.Margin) / 10_000 // towards zero, both ways
	flows[Account{Kind: Revenue}] = margin
	flows[Account{Payable, a.begun.Seller}] = price - margin
}
