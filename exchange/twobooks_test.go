package exchange

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"leadbid/pingpost"
)

// TestBothBooksAgree plays the Market against buyers that keep books of their own, over a network
// that delays, reorders, repeats and loses every message, with crashes of the exchange between any
// two steps. Once everything has settled, and the last late message has arrived, what each buyer
// thinks it owes is what its wallet has paid.
func TestBothBooksAgree(t *testing.T) {
	sold, voided, returned := 0, 0, 0
	for seed := range uint64(400) {
		w := bothBooks(t, seed)
		for i := range w.s.events {
			switch w.s.events[i].Kind {
			case Sold:
				sold++
			case Voided:
				voided++
			case Returned:
				returned++
			}
		}
	}
	if min(sold, voided, returned) < 100 {
		t.Errorf("%d leads sold, %d posts withdrawn and %d leads returned are not enough to tell", sold, voided, returned)
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
	t        *testing.T
	seed     uint64
	random   *rand.Rand
	s        *script
	config   *Config
	buyers   map[string]contractor
	underway []func()
}

func bothBooks(t *testing.T, seed uint64) *wires {
	config := testConfig()
	config.Campaigns[0].Auction.Reroute, config.Campaigns[0].Auction.Hops = RerouteOn, 2
	config.Campaigns[0].Fallback = []string{"hvac-2"}
	config.Campaigns = append(config.Campaigns, testCampaign("hvac-2", pingpost.AuctionSecond, pingpost.HVAC))
	w := &wires{t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 9)), config: config, buyers: map[string]contractor{"ann": {}, "bob": {}, "poor": {}}}
	w.s = newScript(t, config)
	for buyer := range w.buyers {
		w.s.do(TopUp{ID: buyer, Buyer: buyer, Amount: 1000_00})
	}
	for range 20 + w.random.IntN(150) {
		w.step()
	}
	w.settle()
	for buyer, own := range w.buyers {
		paid := 1000_00 - w.s.market.books.balance[Account{Wallet, buyer}]
		if held := w.s.market.books.balance[Account{HeldFunds, buyer}]; own.owes() != paid || held != 0 {
			t.Fatalf("seed %d: %s owes %v by its own books, and has paid %v with %v held", seed, buyer, own.owes(), paid, held)
		}
	}
	w.s.audit()
	w.reportAddsUp()
	return w
}

// reportAddsUp holds what sellers and buyers are told against the accounts.
func (w *wires) reportAddsUp() {
	var tally Tally
	for i := range w.s.events {
		tally.Add(&w.s.events[i])
	}
	report, books := tally.Report(), w.s.market.books.balance
	var spent, revenue, places pingpost.Cents
	for _, line := range report.Buyers {
		spent += line.Spend
		if own := w.buyers[line.Buyer]; own != nil && line.Spend != own.owes() {
			w.t.Fatalf("seed %d: %s is told to have spent %v of %v", w.seed, line.Buyer, line.Spend, own.owes())
		}
	}
	for _, line := range report.Sellers {
		revenue += line.Revenue
		if earned := books[Account{Payable, line.Seller}]; line.Payout != earned {
			w.t.Fatalf("seed %d: %s is told to have earned %v of %v", w.seed, line.Seller, line.Payout, earned)
		}
	}
	for _, line := range report.Services {
		places += line.Revenue
	}
	if total := books[Account{Payable, "webform"}] + books[Account{Kind: Revenue}]; spent != total || revenue != total || places != total {
		w.t.Fatalf("seed %d: buyers spent %v, sellers brought %v, places %v, the accounts hold %v", w.seed, spent, revenue, places, total)
	}
}

func (w *wires) step() {
	offer := []OfferID{"a", "b", "c"}[w.random.IntN(3)]
	switch w.random.IntN(16) {
	case 0, 1:
		if w.s.now.Sub(start) < keepFinished-10*time.Second { // an id must not come again once it is forgotten
			w.do(testLead(offer, pingpost.HVAC))
		}
	case 2, 3, 4:
		w.pass(time.Duration(1+w.random.IntN(8_000)) * time.Millisecond)
	case 5:
		w.do(Withdraw{Offer: offer})
	case 6:
		w.do(Return{Offer: []OfferID{offer, offer + ".2"}[w.random.IntN(2)]})
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
	i := w.random.IntN(len(w.underway))
	arrive := w.underway[i]
	switch w.random.IntN(6) {
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
	fate := w.random.IntN(40)
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
		w.t.Fatalf("seed %d: %v", w.seed, err)
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
		bid := bidOf(buyer, pingpost.Cents(5+w.random.IntN(25))*1_00)
		bid.BidID = "bid-" + string(a.Offer) + "-" + buyer
		command.Answers = append(command.Answers, bid)
	}
	return command
}

// posted has the lead arrive at its buyer; the answer goes its own way.
func (w *wires) posted(a SendPost) {
	verdict := w.buyers[a.Buyer].post(&a.Post, w.random.IntN(4) > 0)
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
			w.t.Fatalf("seed %d: %d offers do not settle", w.seed, w.s.market.Unsettled())
		}
		arriving := w.underway
		w.underway = nil
		for _, arrive := range arriving {
			arrive()
		}
		w.pass(time.Minute)
	}
}
