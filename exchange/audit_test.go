package exchange

import (
	"encoding/json"
	"testing"
	"time"

	"leadbid/pingpost"
)

// soldTimeline is a sound timeline with a rejection, a reroute and a sale:
// opened, targeted, cleared, held ann, post_requested, post_rejected, held bob, post_requested,
// post_accepted, sold.
func soldTimeline(t *testing.T) []Event {
	s := newScript(t, testConfig())
	s.do(testLead("a", pingpost.HVAC))
	s.close("a", bidOf("ann", 40_00), bidOf("bob", 30_00))
	s.do(PostAnswered{Offer: "a", Buyer: "ann", Verdict: pingpost.Verdict{Kind: pingpost.VerdictRejected}})
	s.do(accept("a", "bob"))
	return s.timeline("a")
}

// TestAuditFindsEachFault breaks a sound timeline in one way at a time.
func TestAuditFindsEachFault(t *testing.T) {
	sound := soldTimeline(t)
	text, err := json.Marshal(sound)
	if err != nil {
		t.Fatal(err)
	}
	if findings := AuditOffer(sound); len(findings) > 0 {
		t.Fatalf("the sound timeline: %v", findings)
	}
	f := func(name, id string, damage func(events []Event) []Event) {
		t.Helper()
		var events []Event
		if err := json.Unmarshal(text, &events); err != nil {
			t.Fatal(err)
		}
		for _, finding := range AuditOffer(damage(events)) {
			if finding.ID == id {
				return
			}
		}
		t.Errorf("%s: no finding of %s", name, id)
	}
	at := func(i int, change func(e *Event)) func([]Event) []Event {
		return func(events []Event) []Event {
			change(&events[i])
			return events
		}
	}
	without := func(i int) func([]Event) []Event {
		return func(events []Event) []Event {
			rest := append(events[:i:i], events[i+1:]...)
			for j := range rest {
				rest[j].Step = j + 1
			}
			return rest
		}
	}
	f("nothing", "E7", func([]Event) []Event { return nil })
	f("a gap", "E7", at(4, func(e *Event) { e.Step++ }))
	f("time going back", "E7", at(4, func(e *Event) { e.At = e.At.Add(-time.Hour) }))
	f("no eligibility", "E7", without(1))
	f("no terms", "E7", at(0, func(e *Event) { e.Opened = nil }))
	f("a late bid", "E9", at(2, func(e *Event) { e.Answers[0].Latency = time.Second }))
	f("a price above the bid", "E9", at(3, func(e *Event) { e.Price++ }))
	f("a price below the floor", "E9", at(3, func(e *Event) { e.Price = 1 }))
	f("a price below a first-price bid", "E9", at(3, func(e *Event) { e.Price-- }))
	f("a winner that did not bid", "E9", at(3, func(e *Event) { e.Buyer = "poor" }))
	f("a higher bid ignored", "E9", at(2, func(e *Event) { e.Answers[1].Bid = 50_00 }))
	f("a bid of one that was not asked", "E9", at(1, func(e *Event) { e.Targets[0].Eligible = false }))
	f("a tie for the one with the worse lot", "E9", func(events []Event) []Event {
		bids := events[2].Answers
		bids[0].Bid, bids[1].Bid = 40_00, 40_00
		for seed := uint64(0); tie(seed, "a", "ann") < tie(seed, "a", "bob"); seed++ {
			events[0].Opened.Seed = seed + 1
		}
		return events
	})
	f("a second price that nobody bid", "E9", at(0, func(e *Event) { e.Opened.Price = "second" }))
	f("held from another's wallet", "E2", at(3, func(e *Event) { e.Entries = holdEntries("bob", e.Price) }))
	f("paid to another seller", "E2", at(9, func(e *Event) { e.Entries = captureEntries("bob", "other", e.Price, 2500) }))
	f("paid with another margin", "E2", at(9, func(e *Event) { e.Entries = captureEntries("bob", "webform", e.Price, 2400) }))
	f("rerouted without a rejection", "E8", without(5))
	f("rerouted against the terms", "E8", at(0, func(e *Event) { e.Opened.Reroute = RerouteOff }))
	f("one hop too many", "E8", at(0, func(e *Event) { e.Opened.Hops = 0 }))
	f("one post more than former campaigns allow", "E8", at(0, func(e *Event) { e.Opened.MostPosts = 1 }))
	f("fell back against the terms", "E8", func(events []Event) []Event {
		events[0].Opened.Reroute = RerouteOff
		events[6] = Event{Kind: FellBack, Offer: "a", Seq: events[6].Seq, Step: 7, At: events[6].At, Next: "a.2"}
		return events[:7]
	})
	f("rerouted without an acknowledgement", "E8", func(events []Event) []Event {
		events[5].Kind, events[5].Reason = VoidRequested, pingpost.ReasonNone
		gone := Event{Kind: Voided, Offer: "a", Buyer: "ann", Price: 40_00, Reason: pingpost.NotEligible, At: events[5].At,
			Seq: events[5].Seq + 1, Step: 7, Entries: voidEntries("ann", 40_00)}
		return append(events[:6], gone)
	})
	f("given up too soon", "E8", func(events []Event) []Event {
		events[5].Kind, events[5].Reason = VoidRequested, pingpost.ReasonNone
		for i, next := range []Event{
			{Kind: Withdrawn, Reason: pingpost.Withdrawn}, {Kind: Unacknowledged, Reason: pingpost.BidUnknown},
			{Kind: Voided, Price: 40_00, Reason: pingpost.BidUnknown, Entries: voidEntries("ann", 40_00)},
		} {
			next.Offer, next.Buyer, next.Seq, next.Step, next.At = "a", "ann", events[6+i].Seq, 7+i, events[5].At
			events[6+i] = next
		}
		events[8].At = events[8].At.Add(awaitGone - time.Second)
		return events[:9]
	})
	f("answered by one who is not asked", "E8", at(8, func(e *Event) { e.Kind = Unacknowledged }))
	f("posted to another", "E8", at(7, func(e *Event) { e.Buyer = "ann" }))
	f("rejected by another", "E8", at(5, func(e *Event) { e.Buyer = "bob" }))
	f("voided without a withdrawal", "E8", at(5, func(e *Event) { e.Kind = Voided }))
	f("sold to another", "E2", at(9, func(e *Event) { e.Buyer = "ann" }))
	f("sold without money", "E2", at(9, func(e *Event) { e.Entries = nil }))
	f("sold for other money", "E2", at(9, func(e *Event) { e.Entries[0].Postings[0].Amount++ }))
	f("ended with a post in flight", "E6", at(9, func(e *Event) { e.Kind = Expired }))
	again := func(i int) func([]Event) []Event {
		return func(events []Event) []Event {
			once := events[i]
			once.Step, once.Seq = i+2, once.Seq+1
			return append(events[:i+1:i+1], once)
		}
	}
	f("sold twice", "E1", again(9))
	f("two winners at once", "E1", again(3))
	f("sold after its end", "E6", again(9))
	f("rejected without a reason", "E1", at(5, func(e *Event) { e.Reason = pingpost.ReasonNone }))
	f("returned twice", "E2", func(events []Event) []Event {
		for i := range 2 {
			events = append(events, Event{Kind: Returned, Offer: "a", Step: 11 + i, Seq: int64(1000 + i), At: events[9].At,
				Buyer: "bob", Price: 30_00, Entries: returnEntries("bob", "webform", 30_00, 2500)})
		}
		return events
	})
}

func TestAuditMoneyFindsEachFault(t *testing.T) {
	f := func(name string, want int, events ...Event) {
		t.Helper()
		audit := &AuditMoney{}
		for i := range events {
			audit.Add(&events[i])
		}
		if len(audit.Findings) != want {
			t.Errorf("%s: %v", name, audit.Findings)
		}
	}
	topUp := Event{Seq: 1, Kind: ToppedUp, Buyer: "ann", Price: 5, Entries: topUpEntries("ann", 5)}
	f("sound", 0, topUp, Event{Seq: 2, Kind: CreditLimitSet, Buyer: "ann"})
	f("a gap", 1, topUp, Event{Seq: 3})
	f("overdrawn", 1, topUp, Event{Seq: 2, Entries: holdEntries("ann", 6)})
	f("refund half way", 1, topUp, Event{Seq: 2, Entries: returnEntries("ann", "webform", 5, 0)[:1]})
	f("limit below the debt", 1, Event{Seq: 1, Kind: CreditLimitSet, Buyer: "ann", Price: 9},
		Event{Seq: 2, Entries: holdEntries("ann", 6)}, Event{Seq: 3, Kind: CreditLimitSet, Buyer: "ann", Price: 5})
	var none AuditMoney
	if none.Balance(Account{Kind: Revenue}) != 0 || none.Accounts() != 0 || none.Touched(Account{Kind: Revenue}) {
		t.Error("an empty audit has balances")
	}
}
