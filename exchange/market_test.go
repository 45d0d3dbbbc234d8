package exchange

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

var start = time.Date(2026, 7, 6, 14, 0, 0, 0, time.UTC)

// testConfig is a small exchange: two bidders on the wire with different disclosure, one without
// a wallet worth the name, and one preset.
func testConfig() *Config {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		panic(err)
	}
	endpoint := &Endpoint{Profile: "native", URL: "http://127.0.0.1:1"}
	return &Config{
		Name: "Northside", Location: chicago,
		Sellers: []Seller{{Name: "webform", Margin: 2500, Floor: 8_00}},
		Buyers: []Buyer{
			{Name: "ann", Ping: endpoint, Tells: TellsPrice, CreditLimit: 1000_00},
			{Name: "bob", Ping: endpoint, Tells: TellsResult, CreditLimit: 1000_00},
			{Name: "poor", Ping: endpoint, Tells: TellsPrice, CreditLimit: 12_00},
			{Name: "preset", CreditLimit: 500_00, Preset: &Preset{
				Services: []pingpost.Service{pingpost.Plumbing}, ZIPs: map[pingpost.ZIP]struct{}{60614: {}},
				Bid: 22_00, DayBudget: 50_00,
			}},
		},
		Campaigns: []Campaign{
			testCampaign("hvac", pingpost.AuctionFirst, pingpost.HVAC),
			testCampaign("plumbing", pingpost.AuctionSecond, pingpost.Plumbing),
		},
	}
}

func testCampaign(name string, price pingpost.Auction, service pingpost.Service) Campaign {
	return Campaign{
		Name: name, Services: []pingpost.Service{service}, Window: time.Minute,
		Auction: Auction{
			Price: price, Deadline: 300 * time.Millisecond, Reserve: 10_00, PostTimeout: 2 * time.Second,
			PostDeadline: 15 * time.Second, Reroute: RerouteOn, Hops: 2,
		},
	}
}

func testLead(id OfferID, service pingpost.Service) OpenOffer {
	return OpenOffer{
		ID: id, Seller: "webform", Body: sha256.Sum256([]byte(id)), Seed: 7,
		Ping: pingpost.Ping{Service: service, Job: pingpost.Repair, ZIP: 60614, State: "IL"},
		Lead: pingpost.Lead{
			FirstName: pingpost.NewPrivate("CanaryFirst"), LastName: pingpost.NewPrivate("CanaryLast"),
			Phone: pingpost.NewPrivate("+13125550123"), Email: pingpost.NewPrivate("canary@example.com"),
			Address: pingpost.NewPrivate("1 Canary Way"), ZIP: 60614, Notes: pingpost.NewPrivate("canary notes"),
		},
	}
}

func bidOf(buyer string, cents pingpost.Cents) Answer {
	return Answer{Buyer: buyer, Status: AnswerBid, Bid: cents, BidID: "bid-" + buyer, Latency: 40 * time.Millisecond}
}

// script drives a Market and keeps its whole history.
type script struct {
	t      interface{ Fatalf(string, ...any) }
	market *Market
	now    time.Time
	events []Event
	leads  map[OfferID]*Lead
	last   Applied
}

func newScript(t interface{ Fatalf(string, ...any) }, config *Config) *script {
	s := &script{t: t, market: New(config), now: start, leads: map[OfferID]*Lead{}}
	s.do(Start{})
	return s
}

// do applies a command and holds every invariant against what came of it.
func (s *script) do(command Command) Applied {
	s.last = s.market.Apply(s.now, command)
	s.events = append(s.events, s.last.Events...)
	if s.last.Lead != nil {
		s.leads[s.last.Lead.Offer] = s.last.Lead
	}
	if err := s.market.Check(); err != nil {
		s.t.Fatalf("after %T: %v", command, err)
	}
	return s.last
}

// wait lets time pass, with a Tick at every instant that is due.
func (s *script) wait(d time.Duration) {
	until := s.now.Add(d)
	for {
		due, ok := s.market.Due()
		if !ok || due.After(until) {
			break
		}
		if due.After(s.now) {
			s.now = due
		}
		s.do(Tick{})
	}
	s.now = until
	s.do(Tick{})
}

func (s *script) timeline(id OfferID) []Event {
	var events []Event
	for _, e := range s.events {
		if e.Offer == id {
			events = append(events, e)
		}
	}
	return events
}

func (s *script) kinds(id OfferID) []EventKind {
	var kinds []EventKind
	for _, e := range s.timeline(id) {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// audit holds the second opinion against everything that happened so far.
func (s *script) audit() {
	money := &AuditMoney{}
	timelines := map[OfferID][]Event{}
	for i := range s.events {
		money.Add(&s.events[i])
		timelines[s.events[i].Offer] = append(timelines[s.events[i].Offer], s.events[i])
	}
	findings := money.Findings
	delete(timelines, "")
	for _, events := range timelines {
		findings = append(findings, AuditOffer(events)...)
	}
	if len(findings) > 0 {
		s.t.Fatalf("audit: %v", findings)
	}
	for _, balance := range s.market.Balances() {
		if money.Balance(balance.Account) != balance.Cents {
			s.t.Fatalf("audit: %v is %v, its entries come to %v", balance.Account, balance.Cents,
				money.Balance(balance.Account))
		}
	}
}

// TestRandomMarkets drives random commands in random order and time, duplicates, strangers and
// nonsense among them, and after each holds every invariant; in the end the rebuilt Market is the
// same one.
func TestRandomMarkets(t *testing.T) {
	for range 5 {
		rapid.Check(t, randomMarket)
	}
}

func randomMarket(r *rapid.T) {
	config := testConfig()
	for i := range config.Campaigns {
		a := &config.Campaigns[i].Auction
		a.Reroute = rapid.SampledFrom([]Reroute{RerouteOff, RerouteOn, RerouteBreakEven}).Draw(r, "reroute")
		a.Hops = rapid.IntRange(0, 3).Draw(r, "hops")
	}
	if rapid.Bool().Draw(r, "fallback") {
		config.Campaigns[0].Fallback = []string{"hvac-2"}
		second := testCampaign("hvac-2", pingpost.AuctionSecond, pingpost.HVAC)
		second.Auction.Reserve = 1_00
		config.Campaigns = append(config.Campaigns, second)
	}
	s := newScript(r, config)
	for range rapid.IntRange(1, 150).Draw(r, "commands") {
		// Within the time that finished offers are kept: an id must not be used again after it.
		if s.now.Sub(start) < keepFinished-30*time.Second && rapid.IntRange(0, 2).Draw(r, "pass time") == 0 {
			s.now = s.now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(r, "ahead")))
		}
		s.do(randomCommand(r))
	}
	s.audit()
	s.checkRebuilt(config)
	s.wait(2 * time.Hour)
	s.audit()
	for _, o := range s.market.offersInOrder() {
		if o.end == EventNone {
			r.Fatalf("offer %s is open two hours later", o.id)
		}
	}
}

func randomCommand(r *rapid.T) Command {
	buyers := []string{"ann", "bob", "poor", "preset", "stranger"}
	offers := []OfferID{"a", "b", "c", "a.2"}
	offer := rapid.SampledFrom(offers).Draw(r, "offer")
	buyer := rapid.SampledFrom(buyers).Draw(r, "buyer")
	switch rapid.IntRange(0, 11).Draw(r, "command") {
	case 0, 1:
		lead := testLead(offer, rapid.SampledFrom([]pingpost.Service{pingpost.HVAC, pingpost.Plumbing}).Draw(r, "service"))
		lead.Cost = pingpost.Cents(rapid.IntRange(0, 20_00).Draw(r, "cost"))
		return lead
	case 2, 3, 4:
		var answers []Answer
		for _, name := range buyers[:3] {
			answer := bidOf(name, pingpost.Cents(rapid.IntRange(-1, 15).Draw(r, "bid"))*3_00)
			answer.Latency = time.Duration(rapid.IntRange(0, 320).Draw(r, "latency")) * time.Millisecond
			answer.Status = rapid.SampledFrom([]AnswerStatus{AnswerBid, AnswerBid, AnswerBid, AnswerNoBid, AnswerBroken}).Draw(r, "status")
			answers = append(answers, answer)
		}
		return CloseAuction{Offer: offer, Answers: answers}
	case 5, 6, 7:
		kind := pingpost.VerdictKind(rapid.IntRange(0, int(pingpost.VerdictError)).Draw(r, "verdict"))
		return PostAnswered{Offer: offer, Buyer: buyer, Verdict: pingpost.Verdict{Kind: kind, LeadID: "l"}}
	case 8:
		outcome := rapid.SampledFrom([]pingpost.Outcome{pingpost.OutcomeVoided, pingpost.OutcomeReturned}).Draw(r, "outcome")
		if rapid.Bool().Draw(r, "acknowledged") {
			return NoticeAcked{Offer: offer, Buyer: buyer, Outcome: outcome}
		}
		return NoticeAnswered{Offer: offer, Buyer: buyer, Outcome: outcome, Unknown: rapid.Bool().Draw(r, "unknown")}
	case 9:
		return rapid.SampledFrom([]Command{
			TopUp{ID: fmt.Sprint(rapid.IntRange(1, 3).Draw(r, "top-up")), Buyer: buyer, Amount: 5_00},
			Pause{Buyer: buyer, Paused: rapid.Bool().Draw(r, "paused")}, Tick{}, Start{},
		}).Draw(r, "other")
	case 10:
		return Return{Offer: offer, Reason: "wrong number"}
	}
	return Withdraw{Offer: offer}
}

// checkRebuilt makes the Market anew, from its events and from a snapshot, and compares.
func (s *script) checkRebuilt(config *Config) {
	want := s.market.StateHash()
	replayed, err := Replay(config, s.events, func(root OfferID) *Lead { return s.leads[root] })
	if err != nil {
		s.t.Fatalf("replay: %v", err)
	}
	if replayed.StateHash() != want {
		s.t.Fatalf("the replayed market is another one")
	}
	snapshot := Snapshot{Seq: int64(len(s.events)), Last: s.now, Balances: s.market.Balances(), Buyers: s.market.BuyerStates()}
	for _, o := range s.market.offersInOrder() {
		snapshot.Offers = append(snapshot.Offers, History{Events: s.timeline(o.id), Lead: s.leads[o.root]})
	}
	restored, err := Restore(config, snapshot)
	if err != nil {
		s.t.Fatalf("restore: %v", err)
	}
	if restored.StateHash() != want {
		s.t.Fatalf("the restored market is another one")
	}
}

// TestSameInputsSameEvents replays commands, not events.
func TestSameInputsSameEvents(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		one, two := newScript(r, testConfig()), newScript(r, testConfig())
		for range rapid.IntRange(1, 40).Draw(r, "commands") {
			command := randomCommand(r)
			ahead := time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(r, "ahead"))
			for _, s := range []*script{one, two} {
				s.now = s.now.Add(ahead)
				s.do(command)
			}
		}
		if a, b := fmt.Sprintf("%+v", values(one.events)), fmt.Sprintf("%+v", values(two.events)); a != b {
			r.Fatalf("the same commands gave\n%s\nand\n%s", a, b)
		}
	})
}

// values follows the pointers of events, so that printing them compares what they hold.
func values(events []Event) []string {
	var lines []string
	for _, e := range events {
		line := fmt.Sprintf("%d %v %v %v %v %v", e.Seq, e.At, e.Kind, e.Offer, e.Answers, e.Notices)
		if e.Hold != nil {
			line += fmt.Sprint(*e.Hold)
		}
		lines = append(lines, line)
	}
	return lines
}

func wantKinds(t *testing.T, got []EventKind, want ...EventKind) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("timeline:\n got %v\nwant %v", got, want)
	}
}
