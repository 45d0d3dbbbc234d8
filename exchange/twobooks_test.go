package exchange

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

// TestBothBooksAgree plays the Market against buyers that keep books of their own, over a network
// that delays, reorders, repeats and loses every message, with crashes of the exchange between any
// two steps. Once everything has settled, and the last late message has arrived, what each buyer
// thinks it owes is what its wallet has paid.
func TestBothBooksAgree(t *testing.T) {
	for range 4 {
		rapid.Check(t, bothBooks)
	}
}

// contractor is a buyer's own memory of posts, by bid id: the rules of a bidder in 40 lines.
type contractor map[string]*purchase

type purchase struct {
	price    pingpost.Cents
	accepted bool
	credited bool
}

// post decides once, and answers a repeat as before.
func (c contractor) post(post *pingpost.Post, takes bool) pingpost.Verdict {
	if c[post.BidID] == nil {
		c[post.BidID] = &purchase{price: post.Price, accepted: takes}
	}
	if c[post.BidID].accepted {
		return pingpost.Verdict{Kind: pingpost.VerdictAccepted, LeadID: "l"}
	}
	return pingpost.Verdict{Kind: pingpost.VerdictRejected, Reason: pingpost.DuplicateLead}
}

// credit gives back once; a post that is withdrawn before it came will be refused.
func (c contractor) credit(notice pingpost.Notice) {
	known := c[notice.BidID]
	switch {
	case known == nil && notice.Outcome == pingpost.OutcomeVoided:
		c[notice.BidID] = &purchase{}
	case known != nil && known.accepted:
		known.credited = true
	}
}

func (c contractor) owes() (owed pingpost.Cents) {
	for _, p := range c {
		if p.accepted && !p.credited {
			owed += p.price
		}
	}
	return owed
}

// wires is the exchange with all that is on its way between it and the contractors.
type wires struct {
	r        *rapid.T
	s        *script
	config   *Config
	buyers   map[string]contractor
	underway []func()
}

func bothBooks(r *rapid.T) {
	config := testConfig()
	config.Campaigns[0].Auction.Reroute, config.Campaigns[0].Auction.Hops = RerouteOn, 2
	config.Campaigns[0].Fallback = []string{"hvac-2"}
	config.Campaigns = append(config.Campaigns, testCampaign("hvac-2", pingpost.AuctionSecond, pingpost.HVAC))
	w := &wires{r: r, config: config, buyers: map[string]contractor{"ann": {}, "bob": {}, "poor": {}}}
	w.s = newScript(r, config)
	for buyer := range w.buyers {
		w.s.do(TopUp{ID: buyer, Buyer: buyer, Amount: 1000_00})
	}
	for range rapid.IntRange(1, 120).Draw(r, "steps") {
		w.step()
	}
	w.settle()
	for buyer, own := range w.buyers {
		paid := 1000_00 - w.s.market.books.balance[Account{Wallet, buyer}]
		if held := w.s.market.books.balance[Account{HeldFunds, buyer}]; own.owes() != paid || held != 0 {
			r.Fatalf("%s owes %v by its own books, and has paid %v with %v held", buyer, own.owes(), paid, held)
		}
	}
	w.s.audit()
}

func (w *wires) step() {
	offer := rapid.SampledFrom([]OfferID{"a", "b", "c"}).Draw(w.r, "offer")
	switch rapid.IntRange(0, 15).Draw(w.r, "step") {
	case 0, 1:
		if w.s.now.Sub(start) < keepFinished-time.Minute { // an id must not come again once it is forgotten
			w.do(testLead(offer, pingpost.HVAC))
		}
	case 2, 3, 4:
		w.pass(time.Duration(rapid.IntRange(1, 8_000).Draw(w.r, "milliseconds")) * time.Millisecond)
	case 5:
		w.do(Withdraw{Offer: offer})
	case 6:
		w.do(Return{Offer: rapid.SampledFrom([]OfferID{offer, offer + ".2"}).Draw(w.r, "returned")})
	case 7:
		w.restart()
	default:
		w.message()
	}
}

// message has one message arrive, whichever; it may arrive again later, or never.
func (w *wires) message() {
	if len(w.underway) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.underway)-1).Draw(w.r, "message")
	arrive := w.underway[i]
	switch rapid.IntRange(0, 5).Draw(w.r, "fate") {
	case 0:
		w.underway = slices.Delete(w.underway, i, i+1)
	case 1:
		arrive()
	default:
		w.underway = slices.Delete(w.underway, i, i+1)
		arrive()
	}
}

// do applies a command. Now and then the process ends before the commit, or after it and before
// anything was sent.
func (w *wires) do(command Command) {
	fate := rapid.IntRange(0, 19).Draw(w.r, "commit")
	if fate == 0 {
		w.s.market.Apply(w.s.now, command) // and lost
		w.restart()
		return
	}
	applied := w.s.do(command)
	if fate == 1 {
		w.restart()
		return
	}
	w.send(w.s.market.Actions(applied.Events))
}

// restart makes the Market anew from what was committed. What is on its way stays so.
func (w *wires) restart() {
	market, err := Replay(w.config, w.s.events, func(root OfferID) *Lead { return w.s.leads[root] })
	if err != nil {
		w.r.Fatalf("%v", err)
	}
	w.s.market = market
	w.send(market.Actions(w.s.do(Start{}).Events))
}

func (w *wires) pass(d time.Duration) {
	until := w.s.now.Add(d)
	for {
		due, ok := w.s.market.Due()
		if !ok || due.After(until) {
			break
		}
		if due.After(w.s.now) {
			w.s.now = due
		}
		w.do(Tick{})
	}
	w.s.now = until
}

func (w *wires) send(actions []Action) {
	for _, action := range actions {
		switch a := action.(type) {
		case SendPings:
			w.underway = append(w.underway, func() { w.do(w.bids(a)) })
		case SendPost:
			w.underway = append(w.underway, func() { w.posted(a) })
		case SendNotice:
			if a.MustArrive {
				w.underway = append(w.underway, func() { w.noticed(a) })
			}
		}
	}
}

func (w *wires) bids(a SendPings) CloseAuction {
	command := CloseAuction{Offer: a.Offer}
	for _, buyer := range a.Buyers {
		bid := bidOf(buyer, pingpost.Cents(rapid.IntRange(5, 30).Draw(w.r, "bid"))*1_00)
		bid.BidID = "bid-" + string(a.Offer) + "-" + buyer
		command.Answers = append(command.Answers, bid)
	}
	return command
}

// posted has the lead arrive at its buyer; the answer goes its own way.
func (w *wires) posted(a SendPost) {
	verdict := w.buyers[a.Buyer].post(&a.Post, rapid.IntRange(0, 3).Draw(w.r, "takes") > 0)
	w.underway = append(w.underway, func() { w.do(PostAnswered{Offer: a.Offer, Buyer: a.Buyer, Verdict: verdict}) })
}

func (w *wires) noticed(a SendNotice) {
	w.buyers[a.Buyer].credit(a.Notice)
	w.underway = append(w.underway, func() {
		w.do(NoticeAcked{Offer: a.Offer, Buyer: a.Buyer, Outcome: a.Notice.Outcome})
	})
}

// settle lets everything arrive, and whatever that leads to, until nothing is owed or under way.
func (w *wires) settle() {
	for round := 0; w.s.market.Unsettled() > 0 || len(w.underway) > 0; round++ {
		if round > 500 {
			w.r.Fatalf("%d offers do not settle", w.s.market.Unsettled())
		}
		arriving := w.underway
		w.underway = nil
		for _, arrive := range arriving {
			arrive()
		}
		w.pass(time.Minute)
	}
}
