package exchange

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"leadbid/pingpost"
)

func (s *script) close(id OfferID, answers ...Answer) Applied {
	return s.do(CloseAuction{Offer: id, Answers: answers})
}

func accept(id OfferID, buyer string) PostAnswered {
	return PostAnswered{Offer: id, Buyer: buyer, Verdict: pingpost.Verdict{Kind: pingpost.VerdictAccepted, LeadID: "l"}}
}

// TestPrivateFieldsReachTheWinnerOnly follows a lead with unmistakable values through a sale, a
// rejection and a return: they are in the post to whom the price is held, and nowhere else.
func TestPrivateFieldsReachTheWinnerOnly(t *testing.T) {
	s := newScript(t, testConfig())
	var posts []SendPost
	show := func(applied Applied) {
		for _, action := range s.market.Actions(applied.Events) {
			post, ok := action.(SendPost)
			if ok {
				posts = append(posts, post)
				continue
			}
			if text := dump(t, action); strings.Contains(strings.ToLower(text), "canary") || strings.Contains(text, "5550123") {
				t.Errorf("%T shows the lead: %s", action, text)
			}
		}
		if text := dump(t, applied.Events); strings.Contains(strings.ToLower(text), "canary") {
			t.Errorf("an event shows the lead: %s", text)
		}
	}
	show(s.do(testLead("a", pingpost.HVAC)))
	show(s.close("a", bidOf("ann", 40_00), bidOf("bob", 30_00)))
	show(s.do(PostAnswered{Offer: "a", Buyer: "ann", Verdict: pingpost.Verdict{Kind: pingpost.VerdictRejected}}))
	// Asked again with the whole timeline, the post goes to whom the price is held now, only.
	for _, action := range s.market.Actions(s.timeline("a")) {
		if post, ok := action.(SendPost); ok && post.Buyer != "bob" {
			t.Errorf("a lead held for bob is posted to %s", post.Buyer)
		}
	}
	show(s.do(accept("a", "bob")))
	show(s.do(Return{Offer: "a"}))
	if len(posts) != 2 || posts[0].Buyer != "ann" || posts[1].Buyer != "bob" {
		t.Fatalf("posted %d times", len(posts))
	}
	for _, post := range posts {
		if post.Post.Lead.Phone.Reveal() != "+13125550123" || post.Post.BidID != "bid-"+post.Buyer || post.Post.PingID != "a" {
			t.Errorf("%s was posted %+v", post.Buyer, post.Post)
		}
	}
	// The events of the past ask for nothing any more.
	for _, action := range s.market.Actions(s.timeline("a")) {
		if post, ok := action.(SendPost); ok {
			t.Errorf("an old event posts to %s", post.Buyer)
		}
	}
}

// dump shows a value as far as reflection and formatting reach.
// TestLeadIDOfThePhoneNumberIsNotKept: some buyers name a lead by its phone number.
func TestLeadIDOfThePhoneNumberIsNotKept(t *testing.T) {
	for id, want := range map[string]string{"crm-77": "crm-77", "lead (312) 555-0199": ""} {
		s := newScript(t, testConfig())
		lead := testLead("a", pingpost.HVAC)
		lead.Lead.Phone = pingpost.NewPrivate("+13125550199")
		s.do(lead)
		s.close("a", bidOf("ann", 40_00))
		applied := s.do(PostAnswered{Offer: "a", Buyer: "ann", Verdict: pingpost.Verdict{Kind: pingpost.VerdictAccepted, LeadID: id}})
		if got := applied.Events[0]; got.Kind != PostAccepted || got.Detail != want {
			t.Errorf("%q is kept as %q", id, got.Detail)
		}
	}
}

func dump(t *testing.T, value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + fmt.Sprintf("%+v %#v", value, value)
}

func TestPingShowsThePreviewOnly(t *testing.T) {
	config := testConfig()
	config.Campaigns[0].Preview = []string{"service", "zip", "urgency"}
	s := newScript(t, config)
	lead := testLead("a", pingpost.HVAC)
	lead.Ping.Urgency, lead.Ping.Source, lead.Ping.City = pingpost.UrgencyASAP, "google", "Chicago"
	ping := s.market.Actions(s.do(lead).Events)[0].(SendPings).Ping
	want := pingpost.Ping{ID: "a", Service: pingpost.HVAC, ZIP: 60614, Urgency: pingpost.UrgencyASAP,
		Auction: pingpost.AuctionFirst, Floor: 10_00, Exclusive: true, MaxSold: 1}
	if got := dump(t, ping); got != dump(t, want) {
		t.Errorf("the ping is\n%s\nwant\n%s", got, dump(t, want))
	}
	// The post repeats what the bid was bound to: the job that was not shown stays hidden.
	post := s.market.Actions(s.close("a", bidOf("ann", 40_00)).Events)[0].(SendPost).Post
	if post.Job != pingpost.JobNone || post.ZIP != 60614 || !post.Exclusive {
		t.Errorf("the post is bound to %v %v %v", post.Job, post.ZIP, post.Exclusive)
	}
	if words := PreviewWords(); !slices.Contains(words, "zip") || !slices.Contains(words, "homeowner") {
		t.Errorf("preview words are %v", words)
	}
}

// TestPostRepeatsItselfUnderAnotherConfiguration: a buyer answers a repeated post with 409 where a
// byte of it is another, so what it shows must not depend on what the campaign became meanwhile.
func TestPostRepeatsItselfUnderAnotherConfiguration(t *testing.T) {
	for name, shown := range map[string][]string{"everything": nil, "little": {}, "some": {"job"}} {
		config := testConfig()
		config.Campaigns[0].Preview = shown
		s := newScript(t, config)
		s.do(testLead("a", pingpost.HVAC))
		first := s.market.Actions(s.close("a", bidOf("ann", 40_00)).Events)[0].(SendPost).Post

		text, err := json.Marshal(s.timeline("a"))
		if err != nil {
			t.Fatal(err)
		}
		var events []Event
		if err := json.Unmarshal(text, &events); err != nil {
			t.Fatal(err)
		}
		for _, changed := range [][]string{nil, {}, {"urgency"}} {
			config := testConfig()
			config.Campaigns[0].Preview = changed
			m, err := Restore(config, Snapshot{Seq: int64(len(s.events)), Last: s.now, Balances: s.market.Balances(),
				Buyers: s.market.BuyerStates(), Offers: []History{{Events: events, Lead: s.leads["a"]}}})
			if err != nil {
				t.Fatal(err)
			}
			m.Apply(s.now, Start{})
			m.Apply(s.now, PostAnswered{Offer: "a", Buyer: "ann"})
			again := m.Actions(m.Apply(s.now.Add(time.Second), Tick{}).Events)[0].(SendPost).Post
			if dump(t, again) != dump(t, first) {
				t.Errorf("%s, then %q: the post is\n%s\nand was\n%s", name, changed, dump(t, again), dump(t, first))
			}
		}
	}
}

// TestLoweredCreditLendsNothingNew lowers a limit below what is owed: a buyer that pays some of it
// back cannot borrow that again.
func TestLoweredCreditLendsNothingNew(t *testing.T) {
	config := testConfig()
	config.Buyers = config.Buyers[:1]
	config.Buyers[0].CreditLimit = 40_00
	s := newScript(t, config)
	s.do(testLead("a", pingpost.HVAC))
	s.close("a", bidOf("ann", 40_00))
	s.do(accept("a", "ann"))

	lowered := *config
	lowered.Buyers = []Buyer{config.Buyers[0]}
	lowered.Buyers[0].CreditLimit = 0
	var err error
	if s.market, err = Replay(&lowered, s.events, func(id OfferID) *Lead { return s.leads[id] }); err != nil {
		t.Fatal(err)
	}
	s.do(Start{})
	for _, step := range []struct {
		lead     OfferID
		paid     pingpost.Cents
		eligible bool
	}{{"b", 30_00, false}, {"c", 19_99, false}, {"d", 1, true}} { // the floor is $10
		s.do(TopUp{ID: string(step.lead), Buyer: "ann", Amount: step.paid})
		s.do(testLead(step.lead, pingpost.HVAC))
		if got := s.timeline(step.lead)[1].Targets[0]; got.Eligible != step.eligible {
			t.Errorf("having paid %v back, %+v", step.paid, got)
		}
	}
	s.audit()
}

// TestPresetBudgetIsPerCivilDay spends a preset's day in the exchange's zone, returns one lead,
// and goes on the next day.
func TestPresetBudgetIsPerCivilDay(t *testing.T) {
	config := testConfig()
	config.Buyers = config.Buyers[3:]
	config.Campaigns[1].Auction.Price = pingpost.AuctionFirst
	s := newScript(t, config)
	s.now = time.Date(2026, 7, 7, 4, 0, 0, 0, time.UTC) // 23:00 in Chicago, the 6th
	end := func(id OfferID) Event {
		applied := s.do(testLead(id, pingpost.Plumbing))
		return applied.Events[len(applied.Events)-1]
	}
	for i, want := range []EventKind{Sold, Sold, Unsold} { // 22 + 22 of 50
		if got := end(OfferID(fmt.Sprint("lead-", i))); got.Kind != want {
			t.Fatalf("lead %d is %v, want %v", i, got.Kind, want)
		}
	}
	if got := s.timeline("lead-2")[1].Targets[0]; got.Reason != pingpost.BudgetExhausted || got.Used != 44_00 {
		t.Errorf("the snapshot says %+v", got)
	}
	s.do(Return{Offer: "lead-0"})
	if got := end("after-the-return").Kind; got != Sold {
		t.Errorf("after a return it is %v", got)
	}
	s.wait(time.Hour) // midnight in Chicago
	if got := end("next-day").Kind; got != Sold {
		t.Errorf("on the next day it is %v", got)
	}
	s.audit()
	s.checkRebuilt(config)
	for day := range 4 {
		s.wait(24 * time.Hour)
		end(OfferID(fmt.Sprint("day-", day)))
	}
	if kept := s.market.BuyerStates()[0].Used; len(kept) != 2 {
		t.Errorf("the days %v are kept", kept)
	}
}

func TestMemoryForgetsWhatIsSettled(t *testing.T) {
	s := newScript(t, testConfig())
	for i := range 50 {
		id := OfferID(fmt.Sprint("lead-", i))
		s.do(testLead(id, pingpost.HVAC))
		s.close(id, bidOf("ann", 12_00))
		s.do(accept(id, "ann"))
		s.do(TopUp{ID: string(id), Buyer: "ann", Amount: 12_00})
	}
	if !s.market.Knows("lead-0") {
		t.Fatal("a fresh sale is forgotten")
	}
	timeline := s.timeline("lead-0")
	s.wait(keepFinished)
	s.do(TopUp{ID: "last", Buyer: "ann", Amount: 1})
	s.wait(time.Second)
	s.do(TopUp{ID: "very last", Buyer: "ann", Amount: 1})
	if n := len(s.market.offers); n != 0 {
		t.Errorf("%d offers are kept", n)
	}
	if n := len(s.market.topUps); n > 2 {
		t.Errorf("%d top-ups are kept", n)
	}
	if n := len(s.market.due.items); n != 0 {
		t.Errorf("%d appointments are kept", n)
	}
	s.recallAndReturn(t, timeline)
}

// recallAndReturn brings a forgotten sale back, an hour of silence notwithstanding.
func (s *script) recallAndReturn(t *testing.T, timeline []Event) {
	if got := s.do(Return{Offer: "lead-0"}).Refused; got != pingpost.NotEligible {
		t.Errorf("returning a forgotten lead gave %v", got)
	}
	for name, broken := range map[string][]Event{"empty": nil, "torn": timeline[2:], "foreign": {timeline[0], timeline[0]}} {
		if err := s.market.Recall(History{Events: broken}); err == nil || s.market.Knows("lead-0") {
			t.Errorf("%s history: %v", name, err)
		}
	}
	if err := s.market.Recall(History{Events: timeline, Lead: s.leads["lead-0"]}); err != nil {
		t.Fatal(err)
	}
	if err := s.market.Recall(History{Events: timeline}); err != nil {
		t.Errorf("recalling it again: %v", err)
	}
	s.now = s.now.Add(time.Hour)
	if got := s.do(Return{Offer: "lead-0"}); len(got.Events) != 2 {
		t.Errorf("the return gave %v", got.Refused)
	}
	s.audit()
}

// TestStartResolvesWhatWasLost restores a Market in the middle of everything.
func TestStartResolvesWhatWasLost(t *testing.T) {
	config := testConfig()
	s := newScript(t, config)
	s.do(testLead("asked", pingpost.HVAC))
	s.do(testLead("posted", pingpost.HVAC))
	s.close("posted", bidOf("ann", 40_00))
	snapshot := Snapshot{Seq: int64(len(s.events)), Last: s.now, Balances: s.market.Balances(), Buyers: s.market.BuyerStates()}
	for _, id := range []OfferID{"asked", "posted"} {
		snapshot.Offers = append(snapshot.Offers, History{Events: s.timeline(id), Lead: s.leads[id]})
	}
	config.Buyers[0].CreditLimit = 5_00 // below the 40 that are owed already
	restored, err := Restore(config, snapshot)
	if err != nil {
		t.Fatal(err)
	}
	s.market, s.now = restored, s.now.Add(5*time.Second)
	if got := s.market.Apply(s.now, testLead("early", pingpost.HVAC)); got.Refused != pingpost.StoreAway {
		t.Errorf("an offer before Start gave %v", got.Refused)
	} else {
		s.events = append(s.events, got.Events...)
	}
	s.do(Start{})
	if !s.do(Start{}).Repeat || !s.market.Ready() {
		t.Error("a second Start is not a repeat")
	}
	if got := s.kinds("asked"); got[len(got)-1] != Unsold {
		t.Errorf("the auction whose answers are lost: %v", got)
	}
	if got := s.kinds("posted"); got[len(got)-1] != PostUnknown {
		t.Errorf("the post in flight: %v", got)
	}
	if limit := s.market.books.limit["ann"]; limit != 40_00 {
		t.Errorf("ann's limit is %v", limit)
	}
	s.wait(250 * time.Millisecond)
	s.do(accept("posted", "ann"))
	s.audit()
}

// TestBrokenInvariantPanics damages the state by hand: the next command that meets it must not
// go on as if nothing were wrong.
func TestBrokenInvariantPanics(t *testing.T) {
	for name, broken := range map[string]struct {
		damage func(m *Market)
		then   Command
	}{
		"held funds gone": {func(m *Market) { m.books.balance[Account{HeldFunds, "ann"}] = 0 }, accept("a", "ann")},
		"wallet too low": {func(m *Market) { m.books.balance[Account{Wallet, "bob"}] = -2000_00 },
			TopUp{ID: "t", Buyer: "bob", Amount: 1}},
		"ended already":        {func(m *Market) { m.offers["a"].end = Expired }, accept("a", "ann")},
		"revenue at its limit": {func(m *Market) { m.books.balance[Account{Kind: Revenue}] = 1<<63 - 1 }, accept("a", "ann")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, testConfig())
			s.do(testLead("a", pingpost.HVAC))
			s.close("a", bidOf("ann", 40_00))
			broken.damage(s.market)
			if s.market.Check() == nil {
				t.Error("Check sees nothing")
			}
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			s.market.Apply(s.now, broken.then)
		})
	}
}

func TestUnbalancedEntryIsNotBooked(t *testing.T) {
	books := newBook()
	entry := Entry{EntryTopUp, []Posting{{Account{Kind: TopUps}, -1}, {Account{Wallet, "ann"}, 2}}}
	if err := books.apply(entry); err == nil {
		t.Fatal("an unbalanced entry was booked")
	}
	huge := pingpost.Cents(1<<63 - 1)
	if _, ok := (Entry{Postings: []Posting{{Amount: huge}, {Amount: 1}}}).Sum(); ok {
		t.Error("a sum that wraps is a sum")
	}
}

// TestMarginRoundsDown: a fraction of a cent is the seller's, and nothing is lost.
func TestMarginRoundsDown(t *testing.T) {
	for price := range pingpost.Cents(1000) {
		share, margin := split(price, 3333)
		if share+margin != price || margin*10000 > price*3333 || (margin+1)*10000 <= price*3333 {
			t.Fatalf("%v splits into %v and %v", price, share, margin)
		}
	}
}

func TestRefusedFields(t *testing.T) {
	s := newScript(t, testConfig())
	f := func(change func(c *OpenOffer), want pingpost.Reason) {
		t.Helper()
		lead := testLead("a", pingpost.HVAC)
		change(&lead)
		if got := s.do(lead); got.Refused != want || len(got.Events) > 0 {
			t.Errorf("got %v, want %v", got.Refused, want)
		}
	}
	f(func(c *OpenOffer) { c.ID = "" }, pingpost.InvalidField)
	f(func(c *OpenOffer) { c.ID = "a.2" }, pingpost.InvalidField)
	f(func(c *OpenOffer) { c.ID = OfferID(strings.Repeat("a", 65)) }, pingpost.InvalidField)
	f(func(c *OpenOffer) { c.Ping.ZIP = 0 }, pingpost.InvalidField)
	f(func(c *OpenOffer) { c.Lead.ZIP = 501 }, pingpost.InvalidField)
	f(func(c *OpenOffer) { c.Cost = -1 }, pingpost.InvalidField)
	f(func(c *OpenOffer) { c.Seller = "nobody" }, pingpost.NotEligible)
	f(func(c *OpenOffer) { c.Ping.Service = pingpost.Solar }, pingpost.ServiceNotBought)
	f(func(c *OpenOffer) { c.Campaign = "plumbing" }, pingpost.ServiceNotBought)
	for _, topUp := range []TopUp{{ID: "", Buyer: "ann", Amount: 1}, {ID: "x", Buyer: "ann"}, {ID: "x", Buyer: "ann", Amount: -1},
		{ID: "x", Buyer: "ann", Amount: pingpost.MaxCents + 1}, {ID: strings.Repeat("x", 256), Buyer: "ann", Amount: 1}} {
		if got := s.do(topUp).Refused; got != pingpost.InvalidField {
			t.Errorf("%+v gave %v", topUp, got)
		}
	}
	if got := s.do(Withdraw{Offer: "nobody's"}).Refused; got != pingpost.NotEligible {
		t.Errorf("withdrawing a stranger gave %v", got)
	}
}

// TestAnswersFromOutside takes what no buyer should send.
func TestAnswersFromOutside(t *testing.T) {
	s := newScript(t, testConfig())
	s.do(testLead("a", pingpost.HVAC))
	long := bidOf("ann", 40_00)
	long.BidID = strings.Repeat("x", 256)
	expired := bidOf("bob", 30_00)
	expired.Until = s.now
	strange := Answer{Buyer: "poor", Status: AnswerNoBid, Reason: 9999, Detail: "\xff" + strings.Repeat("y", 300)}
	s.close("a", long, expired, strange, bidOf("stranger", 90_00), bidOf("ann", 50_00))
	cleared := s.timeline("a")[2]
	if got := cleared.Answers; len(got) != 3 || got[0].Status != AnswerBroken || got[2].Reason != pingpost.Internal || len(got[2].Detail) > 255 {
		t.Errorf("the answers are %+v", got)
	}
	wantKinds(t, s.kinds("a"), Opened, Targeted, Cleared, PassedOver, Unsold)
	if got := s.timeline("a")[3].Reason; got != pingpost.BidExpired {
		t.Errorf("an expired bid was passed over for %v", got)
	}
}

// TestPresetEligibility: the first check that keeps a preset from an offer is its reason.
func TestPresetEligibility(t *testing.T) {
	f := func(want pingpost.Reason, change func(b *Buyer, c *OpenOffer)) {
		t.Helper()
		config := testConfig()
		lead := testLead("a", pingpost.Plumbing)
		change(&config.Buyers[3], &lead)
		s := newScript(t, config)
		s.do(lead)
		if got := s.timeline("a")[1].Targets[3]; got.Reason != want || got.Eligible != (want == pingpost.ReasonNone) {
			t.Errorf("got %+v, want %v", got, want)
		}
	}
	f(pingpost.ReasonNone, func(b *Buyer, c *OpenOffer) {})
	f(pingpost.ReasonNone, func(b *Buyer, c *OpenOffer) { b.Preset.ZIPs, c.Ping.ZIP, c.Lead.ZIP = nil, 501, 501 })
	f(pingpost.ServiceNotBought, func(b *Buyer, c *OpenOffer) { b.Preset.Services = nil })
	f(pingpost.OutsideArea, func(b *Buyer, c *OpenOffer) { c.Ping.ZIP, c.Lead.ZIP = 501, 501 })
	f(pingpost.BelowFloor, func(b *Buyer, c *OpenOffer) { b.Preset.Bid = 9_99 })
	f(pingpost.BudgetExhausted, func(b *Buyer, c *OpenOffer) { b.Preset.DayBudget = 9_99 })
	f(pingpost.InsufficientCredits, func(b *Buyer, c *OpenOffer) { b.CreditLimit = 9_99 })
}

// TestCheckSeesDamage damages an open offer by hand, in one way at a time.
func TestCheckSeesDamage(t *testing.T) {
	f := func(name string, damage func(o *offer)) {
		t.Helper()
		s := newScript(t, testConfig())
		s.do(testLead("a", pingpost.HVAC))
		s.close("a", bidOf("ann", 40_00))
		damage(s.market.offers["a"])
		if s.market.Check() == nil {
			t.Errorf("%s: Check sees nothing", name)
		}
	}
	f("waiting for nothing", func(o *offer) { o.phase = clearing })
	f("hold without a post", func(o *offer) { o.phase = resting })
	f("no appointment", func(o *offer) { o.due = time.Time{} })
	f("appointment after the window", func(o *offer) { o.due = o.facts.WindowEnd.Add(1) })
	f("ended in flight", func(o *offer) { o.end = Expired })
	f("too many posts", func(o *offer) { o.posted = 9 })
	f("sold and open", func(o *offer) { o.sale = &sale{} })
	f("another price", func(o *offer) { o.hop.price++ })
}

// TestTimeDoesNotGoBack: an earlier instant counts as the latest one.
func TestTimeDoesNotGoBack(t *testing.T) {
	s := newScript(t, testConfig())
	s.do(testLead("a", pingpost.HVAC))
	s.now = s.now.Add(-time.Hour)
	s.do(testLead("b", pingpost.HVAC))
	if got := s.timeline("b")[0].At; !got.Equal(start) {
		t.Errorf("opened at %v", got)
	}
}

// TestEventsSurviveTheirJSON: what the store reads back is what happened.
func TestEventsSurviveTheirJSON(t *testing.T) {
	s := newScript(t, testConfig())
	s.do(testLead("a", pingpost.HVAC))
	s.close("a", bidOf("ann", 40_00), bidOf("bob", 30_00))
	s.do(accept("a", "ann"))
	s.do(Return{Offer: "a"})
	text, err := json.Marshal(s.events)
	if err != nil {
		t.Fatal(err)
	}
	var back []Event
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(back); string(again) != string(text) {
		t.Errorf("got\n%s\nwant\n%s", again, text)
	}
	s.events = back
	s.audit()
	s.checkRebuilt(testConfig())
}

func TestWords(t *testing.T) {
	for kind := EventNone; kind < eventKindEnd; kind++ {
		var back EventKind
		if err := back.UnmarshalText([]byte(kind.String())); err != nil || back != kind {
			t.Errorf("%d is %q and back %d, %v", kind, kind, back, err)
		}
	}
	var account AccountKind
	if err := account.UnmarshalText([]byte("purse")); err == nil {
		t.Error("an unknown word was read")
	}
	if got := RerouteWords()[RerouteBreakEven] + " " + TellsWords()[TellsPrice]; got != "break_even price" {
		t.Errorf("words are %q", got)
	}
}

// TestHoldOfABuyerThatIsGone takes a buyer out of the configuration while a post of its is unanswered, and
// another whose returned lead it was not told of. The lead goes to nobody else; after about a day the hold
// is free, and nothing is left to do.
func TestHoldOfABuyerThatIsGone(t *testing.T) {
	config := testConfig()
	s := newScript(t, config)
	s.do(testLead("b", pingpost.HVAC))
	s.close("b", bidOf("ann", 20_00))
	s.do(accept("b", "ann"))
	s.do(Return{Offer: "b"})
	s.do(testLead("a", pingpost.HVAC))
	s.close("a", bidOf("ann", 40_00), bidOf("bob", 30_00))
	held := Account{HeldFunds, "ann"}
	if s.market.books.balance[held] != 40_00 {
		t.Fatalf("%v are held", s.market.books.balance[held])
	}
	s.wait(40 * time.Hour) // it was away before, and there: that is not counted
	s.checkRebuilt(config)
	without := testConfig()
	without.Buyers = without.Buyers[1:]
	market, err := Replay(without, s.events, func(root OfferID) *Lead { return s.leads[root] })
	if err != nil {
		t.Fatal(err)
	}
	s.market = market
	s.do(Start{})
	s.wait(20 * time.Hour)
	if s.market.books.balance[held] != 40_00 || s.market.Unsettled() != 2 {
		t.Errorf("within a day %v are held, %d unsettled: the buyer may be back", s.market.books.balance[held], s.market.Unsettled())
	}
	s.wait(10 * time.Hour)
	if s.market.books.balance[held] != 0 || s.market.books.balance[Account{Wallet, "ann"}] != 0 || s.market.Unsettled() != 0 {
		t.Errorf("after that %v are held, %d unsettled", s.market.books.balance[held], s.market.Unsettled())
	}
	for _, e := range s.timeline("a") {
		if e.Kind == Held && e.Buyer != "ann" || e.Kind == FellBack || e.Kind == Sold {
			t.Errorf("the lead went on: %+v", e)
		}
	}
	s.audit()
	s.checkRebuilt(without)
}

// TestHoldOfABuyerThatCameBack puts the buyer back within the day: it is told, and the hold is free at once.
func TestHoldOfABuyerThatCameBack(t *testing.T) {
	s := newScript(t, testConfig())
	s.do(testLead("a", pingpost.HVAC))
	s.close("a", bidOf("ann", 40_00))
	again := func(config *Config) {
		t.Helper()
		market, err := Replay(config, s.events, func(root OfferID) *Lead { return s.leads[root] })
		if err != nil {
			t.Fatal(err)
		}
		s.market = market
		s.do(Start{})
	}
	without := testConfig()
	without.Buyers = without.Buyers[1:]
	again(without)
	s.wait(20 * time.Hour)
	again(testConfig())
	s.wait(20 * time.Hour)
	s.do(NoticeAcked{Offer: "a", Buyer: "ann", Outcome: pingpost.OutcomeVoided})
	if s.market.books.balance[Account{HeldFunds, "ann"}] != 0 || s.market.Unsettled() != 0 {
		t.Errorf("unsettled: %v", s.kinds("a"))
	}
	s.audit()
}

// waitAnswering lets time pass while the buyers answer each notice that must arrive, and acknowledge none.
func (s *script) waitAnswering(d time.Duration, unknown bool) (notices int) {
	for until := s.now.Add(d); ; {
		due, ok := s.market.Due()
		if !ok || due.After(until) {
			s.now = until
			return notices
		}
		s.now = due
		for _, action := range s.market.Actions(s.do(Tick{}).Events) {
			if notice, ok := action.(SendNotice); ok && notice.MustArrive {
				notices++
				s.do(NoticeAnswered{Offer: notice.Offer, Buyer: notice.Buyer, Outcome: notice.Notice.Outcome, Unknown: unknown})
			}
		}
	}
}

// TestWithdrawalOfABidThatNobodyKnows withdraws a post from a buyer that knows no such bid. After a day of
// nothing else, and upon one more such answer, the hold is free; the lead goes to nobody else.
func TestWithdrawalOfABidThatNobodyKnows(t *testing.T) {
	config := testConfig()
	s := newScript(t, config)
	s.do(testLead("a", pingpost.HVAC))
	s.close("a", bidOf("ann", 40_00), bidOf("bob", 30_00))
	f := func(what string, held pingpost.Cents, unsettled int) {
		t.Helper()
		if got := s.market.books.balance[Account{HeldFunds, "ann"}]; got != held || s.market.Unsettled() != unsettled {
			t.Errorf("%s: %v are held, %d unsettled", what, got, s.market.Unsettled())
		}
		s.audit()
		s.checkRebuilt(config)
	}
	s.wait(48 * time.Hour)
	f("no answer at all", 40_00, 1)
	s.waitAnswering(48*time.Hour, false)
	f("other answers", 40_00, 1)
	s.waitAnswering(23*time.Hour, true)
	f("within a day", 40_00, 1)
	s.waitAnswering(2*time.Hour, false)
	s.waitAnswering(23*time.Hour, true)
	f("within a day of the other answer", 40_00, 1)
	s.wait(48 * time.Hour)
	f("out of reach since", 40_00, 1)
	s.waitAnswering(90*time.Minute, true)
	f("the same answer after it", 0, 0)
	if wallet := s.market.books.balance[Account{Wallet, "ann"}]; wallet != 0 {
		t.Errorf("ann's wallet is %v", wallet)
	}
	var told []string
	for _, e := range s.timeline("a") {
		if e.Kind == Unacknowledged || e.Kind == Voided || e.Kind == Held {
			told = append(told, e.Kind.String()+" "+e.Buyer+" "+e.Reason.String())
		}
	}
	want := []string{"held ann ", "unacknowledged ann bid_unknown", "unacknowledged ann ", "unacknowledged ann bid_unknown",
		"voided ann bid_unknown"}
	if !slices.Equal(told, want) {
		t.Errorf("the timeline tells %q", told)
	}
}

// TestWithdrawalOfAnOpenOffer: as long as the lead could go to somebody else, nothing but an acknowledgement
// lets it go.
func TestWithdrawalOfAnOpenOffer(t *testing.T) {
	config := testConfig()
	config.Campaigns[0].Window = 48 * time.Hour
	s := newScript(t, config)
	s.do(testLead("a", pingpost.HVAC))
	s.close("a", bidOf("ann", 40_00), bidOf("bob", 30_00))
	s.wait(20 * time.Second)
	s.waitAnswering(47*time.Hour, true)
	if s.market.books.balance[Account{HeldFunds, "ann"}] != 40_00 {
		t.Errorf("the hold of an open offer is free: %v", s.kinds("a"))
	}
	s.waitAnswering(2*time.Hour, true)
	if s.market.Unsettled() != 0 || s.market.books.balance[Account{HeldFunds, "bob"}] != 0 {
		t.Errorf("after its end: %v", s.kinds("a"))
	}
	s.audit()
	s.checkRebuilt(config)
}

// TestReturnOfABidThatNobodyKnows tells a buyer of a returned lead that knows no such bid: for 90 days, from
// the second on once a day.
func TestReturnOfABidThatNobodyKnows(t *testing.T) {
	config := testConfig()
	s := newScript(t, config)
	s.do(testLead("a", pingpost.HVAC))
	s.close("a", bidOf("ann", 40_00))
	s.do(accept("a", "ann"))
	s.do(Return{Offer: "a"})
	notices := s.waitAnswering(89*24*time.Hour, true)
	if s.market.Unsettled() != 1 || notices < 100 || notices > 130 {
		t.Errorf("after 89 days %d are unsettled, told %d times", s.market.Unsettled(), notices)
	}
	s.checkRebuilt(config)
	s.waitAnswering(3*24*time.Hour, true)
	events := s.timeline("a")
	if last := events[len(events)-1]; last.Kind != ReturnAcknowledged || last.Reason != pingpost.BidUnknown || s.market.Unsettled() != 0 {
		t.Errorf("after 92 days %d are unsettled: %+v", s.market.Unsettled(), last)
	}
	for _, account := range []Account{{Wallet, "ann"}, {HeldFunds, "ann"}, {Payable, "webform"}, {Kind: Revenue}} {
		if balance := s.market.books.balance[account]; balance != 0 {
			t.Errorf("%v is %v", account, balance)
		}
	}
	s.audit()
	s.checkRebuilt(config)
	if applied := s.do(NoticeAcked{Offer: "a", Buyer: "ann", Outcome: pingpost.OutcomeReturned}); len(applied.Events) > 0 {
		t.Errorf("an acknowledgement after it: %+v", applied.Events)
	}
}
