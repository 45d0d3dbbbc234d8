package store_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"leadbid/exchange"
	"leadbid/exchange/store"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	ctx   = context.Background()
	start = time.Date(2026, 7, 6, 14, 0, 0, 0, time.UTC)
)

func testConfig() *exchange.Config {
	endpoint := &exchange.Endpoint{Profile: "native", URL: "http://127.0.0.1:1"}
	return &exchange.Config{
		Name: "Northside", Location: time.UTC,
		Sellers: []exchange.Seller{{Name: "webform", Margin: 2500, Floor: 8_00}},
		Buyers: []exchange.Buyer{
			{Name: "ann", Ping: endpoint, Tells: exchange.TellsPrice, CreditLimit: 5000_00},
			{Name: "bob", Ping: endpoint, Tells: exchange.TellsResult, CreditLimit: 60_00},
			{Name: "preset", CreditLimit: 500_00, Preset: &exchange.Preset{
				Services: []pingpost.Service{pingpost.HVAC}, Bid: 22_00, DayBudget: 200_00,
			}},
		},
		Campaigns: []exchange.Campaign{{
			Name: "hvac", Services: []pingpost.Service{pingpost.HVAC}, Window: time.Minute,
			Auction: exchange.Auction{
				Price: pingpost.AuctionFirst, Deadline: 300 * time.Millisecond, Reserve: 10_00,
				PostTimeout: 2 * time.Second, PostDeadline: 15 * time.Second, Reroute: exchange.RerouteOn, Hops: 2,
			},
		}},
	}
}

func testLead(id exchange.OfferID) exchange.OpenOffer {
	return exchange.OpenOffer{
		ID: id, Seller: "webform", Body: sha256.Sum256([]byte(id)), Seed: 7,
		Ping: pingpost.Ping{
			Service: pingpost.HVAC, Job: pingpost.Repair, ZIP: 501, State: "NY", Urgency: pingpost.UrgencyASAP,
			Property: pingpost.Condo, Homeowner: pingpost.Yes, LeadScore: pingpost.Score{Value: 71.5, Known: true},
			Source: "google", SubIDs: []string{"a", "b"}, Task: "no heat", City: "Holtsville",
			Consent: pingpost.Consent{TrustedFormURL: "https://cert.trustedform.com/abc", Agreed: pingpost.No},
			Attrs:   []pingpost.Attr{{Name: "system", Value: "furnace"}},
		},
		Lead: pingpost.Lead{
			FirstName: pingpost.NewPrivate("CanaryFirst"), LastName: pingpost.NewPrivate("CanaryLast"),
			Phone: pingpost.NewPrivate("+13125550123"), Email: pingpost.NewPrivate("canary@example.com"),
			Address: pingpost.NewPrivate("1 Canary Way"), City: "Holtsville", State: "NY", ZIP: 501,
			Notes: pingpost.NewPrivate("canary notes"),
		},
		Consent: pingpost.Consent{LeadID: "token", Agreed: pingpost.Yes},
	}
}

// house is a Market on a store, driven by hand.
type house struct {
	t      *testing.T
	path   string
	config *exchange.Config
	store  *store.Store
	market *exchange.Market
	now    time.Time
}

func newHouse(t *testing.T) *house {
	h := &house{t: t, path: filepath.Join(t.TempDir(), "exchange.db"), config: testConfig(), now: start}
	h.open()
	t.Cleanup(func() { h.store.Close() })
	return h
}

func (h *house) open() {
	h.t.Helper()
	var err error
	if h.store, err = store.Open(ctx, h.path, store.Options{}); err != nil {
		h.t.Fatal(err)
	}
	h.load()
	h.do(exchange.Start{})
}

func (h *house) load() {
	h.t.Helper()
	var err error
	if h.market, err = h.store.Load(ctx, h.config, h.now); err != nil {
		h.t.Fatal(err)
	}
}

// apply applies commands as one batch, without committing it.
func (h *house) apply(commands ...exchange.Command) exchange.Batch {
	var applied []exchange.Applied
	for _, command := range commands {
		applied = append(applied, h.market.Apply(h.now, command))
	}
	return h.market.Batch(applied)
}

func (h *house) do(commands ...exchange.Command) exchange.Batch {
	h.t.Helper()
	batch := h.apply(commands...)
	if err := h.store.Commit(ctx, batch); err != nil {
		h.t.Fatal(err)
	}
	return batch
}

func (h *house) verify() {
	h.t.Helper()
	report, err := h.store.Verify(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(report.Findings) > 0 {
		h.t.Fatalf("verify found %v", report.Findings)
	}
	if len(report.Checked) < 10 {
		h.t.Fatalf("verify checked only %v", report.Checked)
	}
}

func bid(buyer string, cents pingpost.Cents) exchange.Answer {
	return exchange.Answer{Buyer: buyer, Status: exchange.AnswerBid, Bid: cents, BidID: "bid-" + buyer, Latency: time.Millisecond}
}

func accepted(id exchange.OfferID, buyer string) exchange.PostAnswered {
	return exchange.PostAnswered{Offer: id, Buyer: buyer, Verdict: pingpost.Verdict{Kind: pingpost.VerdictAccepted, LeadID: "l"}}
}

// sell brings a lead to its sale.
func (h *house) sell(id exchange.OfferID) {
	h.t.Helper()
	h.do(testLead(id))
	h.do(exchange.CloseAuction{Offer: id, Answers: []exchange.Answer{bid("ann", 40_00), bid("bob", 30_00)}})
	h.do(accepted(id, "ann"))
}

func TestLeadIsSoldAndSeenByItsWinnerOnly(t *testing.T) {
	h := newHouse(t)
	h.do(exchange.TopUp{ID: "t-1", Buyer: "ann", Amount: 100_00})
	h.sell("lead-1")
	h.verify()

	leads, err := h.store.Leads(ctx, "ann", store.LeadFilter{})
	if err != nil || len(leads) != 1 {
		t.Fatalf("ann sees %d leads, %v", len(leads), err)
	}
	sent, got := testLead("lead-1"), leads[0]
	if !cmp.Equal(got.Lead, sent.Lead) || got.Consent != sent.Consent || got.Price != 40_00 {
		t.Errorf("ann sees %+v, %+v at %v", got.Lead, got.Consent, got.Price)
	}
	if diff := cmp.Diff(sent.Ping, got.Ping); diff != "" {
		t.Errorf("the ping came back changed:\n%s", diff)
	}
	if leads, _ := h.store.Leads(ctx, "bob", store.LeadFilter{}); len(leads) != 0 {
		t.Errorf("bob sees a lead that he did not buy")
	}
	wallets, err := h.store.Wallets(ctx, "ann")
	if err != nil || len(wallets) != 1 || wallets[0].Balance != 60_00 || wallets[0].Held != 0 {
		t.Errorf("ann's wallet is %+v, %v", wallets, err)
	}
	if state, found, err := h.store.Latest(ctx, "lead-1"); err != nil || !found || state.End != exchange.Sold || state.Share != 30_00 {
		t.Errorf("the seller sees %+v, %v, %v", state, found, err)
	}
	if topUp, found, _ := h.store.TopUp(ctx, "t-1"); !found || topUp.Amount != 100_00 {
		t.Errorf("the top-up is %+v", topUp)
	}
	report, err := h.store.Report(ctx, time.Time{}, time.Time{})
	if err != nil || report.Sellers[0].Sold != 1 || report.Sellers[0].Payout != 30_00 {
		t.Errorf("the report is %+v, %v", report, err)
	}
	if offers, err := h.store.Offers(ctx, store.OfferFilter{Seller: "webform", End: exchange.Sold}); err != nil || len(offers) != 1 {
		t.Errorf("offers are %v, %v", offers, err)
	}
}

// TestLeadsArePaged reaches every purchase through pages of two, sold at the same instants or not.
func TestLeadsArePaged(t *testing.T) {
	h := newHouse(t)
	for i := range 7 {
		h.sell(exchange.OfferID(fmt.Sprintf("lead-%d", i)))
		if i%2 == 1 {
			h.now = h.now.Add(time.Minute)
		}
	}
	seen := map[exchange.OfferID]bool{}
	var until time.Time
	for range 7 {
		leads, err := h.store.Leads(ctx, "ann", store.LeadFilter{Until: until, Max: 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, lead := range leads {
			seen[lead.Offer], until = true, lead.At
		}
	}
	if len(seen) != 7 {
		t.Errorf("%d of 7 purchases were reached", len(seen))
	}
}

// TestReturnAfterTheMarketForgot recalls a lead that left the Market's memory long ago.
func TestReturnAfterTheMarketForgot(t *testing.T) {
	h := newHouse(t)
	h.sell("lead-1")
	h.now = h.now.Add(48 * time.Hour)
	h.do(exchange.Tick{})
	if h.market.Knows("lead-1") {
		t.Fatal("the lead is still in memory")
	}
	history, found, err := h.store.History(ctx, "lead-1")
	if err != nil || !found {
		t.Fatalf("no history: %v", err)
	}
	if err := h.market.Recall(history); err != nil {
		t.Fatal(err)
	}
	batch := h.do(exchange.Return{Offer: "lead-1", Reason: "wrong number"})
	if kinds := []exchange.EventKind{batch.Events[0].Kind, batch.Events[1].Kind}; kinds[0] != exchange.Returned || kinds[1] != exchange.ReturnRequested {
		t.Fatalf("the return gave %v", kinds)
	}
	h.load() // the notice is owed across a restart
	h.do(exchange.Start{}, exchange.NoticeAcked{Offer: "lead-1", Buyer: "ann", Outcome: pingpost.OutcomeReturned})
	h.verify()
	if leads, _ := h.store.Leads(ctx, "ann", store.LeadFilter{}); len(leads) != 1 || !leads[0].Returned || leads[0].Lead.Phone.Known() {
		t.Errorf("ann sees %+v of a returned lead", leads)
	}
}

// TestRestartGoesOn kills the exchange at every stage of a sale: the Market loaded from the rows
// is the one that was lost, and ends the offer.
func TestRestartGoesOn(t *testing.T) {
	steps := []exchange.Command{
		exchange.TopUp{ID: "t", Buyer: "bob", Amount: 5_00}, exchange.Pause{Buyer: "preset", Paused: true}, testLead("lead-1"),
		exchange.CloseAuction{Offer: "lead-1", Answers: []exchange.Answer{bid("ann", 40_00), bid("bob", 30_00)}},
		exchange.PostAnswered{Offer: "lead-1", Buyer: "ann", Verdict: pingpost.Verdict{Kind: pingpost.VerdictRejected, Reason: pingpost.DuplicateLead}},
		exchange.PostAnswered{Offer: "lead-1", Buyer: "bob"},
	}
	for stop := range len(steps) + 1 {
		h := newHouse(t)
		for _, step := range steps[:stop] {
			h.do(step)
		}
		want := h.market.StateHash()
		h.store.Close()
		var err error
		if h.store, err = store.Open(ctx, h.path, store.Options{}); err != nil {
			t.Fatal(err)
		}
		h.load()
		if h.market.StateHash() != want {
			t.Fatalf("after %d steps the loaded market is another one", stop)
		}
		h.do(exchange.Start{})
		for range 20 { // time passes, and nobody answers but to the withdrawal
			h.now = h.now.Add(10 * time.Second)
			h.do(exchange.Tick{}, exchange.NoticeAcked{Offer: "lead-1", Buyer: "ann", Outcome: pingpost.OutcomeVoided},
				exchange.NoticeAcked{Offer: "lead-1", Buyer: "bob", Outcome: pingpost.OutcomeVoided})
		}
		h.verify()
		if state, found, _ := h.store.Offer(ctx, "lead-1"); stop >= 3 && (!found || !state.Settled) {
			t.Fatalf("after %d steps and a restart the offer is %+v", stop, state)
		}
	}
}

// TestRandomTraffic batches random commands, reloads now and then, and verifies.
func TestRandomTraffic(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	h := newHouse(t)
	for round := range 120 {
		var commands []exchange.Command
		for range 1 + random.IntN(8) {
			commands = append(commands, randomCommand(random, round))
		}
		h.now = h.now.Add(time.Duration(random.IntN(3000)) * time.Millisecond)
		if round%40 == 39 { // a night between them, so that presets begin a new day
			h.now = h.now.Add(24 * time.Hour)
		}
		h.do(commands...)
		if random.IntN(15) == 0 {
			want := h.market.StateHash()
			h.load()
			if h.market.StateHash() != want {
				t.Fatalf("round %d: the loaded market is another one", round)
			}
			h.do(exchange.Start{})
		}
	}
	h.verify()
	want := h.market.StateHash()
	if h.load(); h.market.StateHash() != want {
		t.Fatal("the market loaded in the end is another one")
	}
}

func randomCommand(random *rand.Rand, round int) exchange.Command {
	id := exchange.OfferID(fmt.Sprintf("lead-%d", max(0, round-random.IntN(4))))
	buyer := []string{"ann", "bob", "preset"}[random.IntN(3)]
	switch random.IntN(10) {
	case 0, 1, 2:
		return testLead(id)
	case 3, 4:
		return exchange.CloseAuction{Offer: id, Answers: []exchange.Answer{
			bid("ann", pingpost.Cents(random.IntN(50_00))), bid("bob", pingpost.Cents(random.IntN(50_00))),
		}}
	case 5, 6:
		return exchange.PostAnswered{Offer: id, Buyer: buyer, Verdict: pingpost.Verdict{Kind: pingpost.VerdictKind(random.IntN(4))}}
	case 7:
		return exchange.NoticeAcked{Offer: id, Buyer: buyer, Outcome: pingpost.OutcomeVoided}
	case 8:
		return exchange.Return{Offer: id, Reason: "no answer"}
	}
	return exchange.TopUp{ID: fmt.Sprint(round), Buyer: buyer, Amount: 20_00}
}

func TestFormerLeaderWritesNothing(t *testing.T) {
	h := newHouse(t)
	former := h.apply(exchange.TopUp{ID: "t-1", Buyer: "ann", Amount: 1_00})
	h.load() // somebody takes over: within one process the epoch alone tells them apart
	h.do(exchange.Start{}, exchange.TopUp{ID: "t-2", Buyer: "ann", Amount: 2_00})
	if err := h.store.Commit(ctx, former); !errors.Is(err, store.ErrAssertion) {
		t.Fatalf("the former leader's commit gave %v", err)
	}
	h.verify()
}

// TestAssertionUndoesTheBatch changes rows behind the Market's back: the batch that meets them is
// undone as a whole, and a loaded Market goes on from what is there.
func TestAssertionUndoesTheBatch(t *testing.T) {
	for name, damage := range map[string]string{
		"wallet spent by hand":  `UPDATE account SET cents = -4990_00 WHERE kind = 'wallet' AND owner = 'ann'`,
		"offer moved by hand":   `UPDATE offer SET step = step + 1`,
		"offer closed by hand":  `UPDATE offer SET ended = 'withdrawn'`,
		"leader moved by hand":  `UPDATE leader SET seq = seq + 1`,
		"top-up taken by hand":  `INSERT INTO top_up VALUES ('t-1', 'ann', 1, 1)`,
		"another took the lead": `UPDATE leader SET epoch = epoch + 1`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.do(testLead("lead-1"))
			before, _ := h.store.Timeline(ctx, "lead-1")
			damageRows(t, h.path, damage)
			batch := h.apply(exchange.TopUp{ID: "t-1", Buyer: "bob", Amount: 1_00},
				exchange.CloseAuction{Offer: "lead-1", Answers: []exchange.Answer{bid("ann", 40_00)}})
			if err := h.store.Commit(ctx, batch); !errors.Is(err, store.ErrAssertion) {
				t.Fatalf("the commit gave %v", err)
			}
			after, _ := h.store.Timeline(ctx, "lead-1")
			if len(after) != len(before) {
				t.Fatalf("%d events were written", len(after)-len(before))
			}
			if h.store.Err() != nil {
				t.Fatalf("an assertion closed the store: %v", h.store.Err())
			}
		})
	}
}

// TestVerifyFindsEachBrokenRow breaks rows by hand, each in one way.
func TestVerifyFindsEachBrokenRow(t *testing.T) {
	for name, broken := range map[string]struct{ id, damage string }{
		"wallet changed":         {"E3", `UPDATE account SET cents = cents + 1 WHERE kind = 'wallet' AND owner = 'ann'`},
		"money moved":            {"E3", `UPDATE account SET cents = cents + iif(kind = 'revenue', 5, -5) WHERE kind IN ('revenue', 'payable')`},
		"account lost":           {"E3", `DELETE FROM account WHERE kind = 'revenue'`},
		"account made":           {"E3", `INSERT INTO account VALUES ('payable', 'nobody', 7, 0)`},
		"posting changed":        {"E3", `UPDATE posting SET cents = cents + 1 WHERE account = 'revenue'`},
		"posting lost":           {"E3", `DELETE FROM posting WHERE account = 'top_ups'`},
		"posting moved":          {"E3", `UPDATE posting SET kind = 'void' WHERE kind = 'hold'`},
		"postings evened out":    {"E3", `UPDATE posting SET cents = cents + iif(kind = 'hold', 1, -1) WHERE account = 'held'`},
		"posting of its own":     {"E3", `INSERT INTO posting VALUES (1, 7, 0, NULL, 'void', 'wallet', 'ann', 0)`},
		"top-up forgotten":       {"E3", `DELETE FROM top_up`},
		"top-up of its own":      {"E3", `INSERT INTO top_up VALUES ('t-9', 'ann', 1, 1)`},
		"top-up renamed":         {"E3", `UPDATE top_up SET id = 't-2'`},
		"event's time moved":     {"E7", `UPDATE event SET at = at - 86400000000 WHERE kind = 'sold'`},
		"event's offer changed":  {"E7", `UPDATE event SET offer = 'preset-1', step = 90 WHERE kind = 'sold' AND offer = 'lead-1'`},
		"terms lost":             {"E7", `UPDATE event SET body = json_remove(body, '$.opened') WHERE kind = 'opened'`},
		"leader's time moved":    {"E6", `UPDATE leader SET at = at + 3600000000`},
		"another's lead":         {"E2", `UPDATE lead SET body = hex(zeroblob(32)) WHERE offer = 'lead-1'`},
		"open lead lost":         {"E7", `DELETE FROM lead WHERE offer = 'open-1'`},
		"open lead unreadable":   {"E7", `UPDATE lead SET lead = '{' WHERE offer = 'open-1'`},
		"margin changed":         {"E2", `UPDATE event SET body = json_set(body, '$.opened.margin', 2499) WHERE kind = 'opened'`},
		"event lost":             {"E7", `DELETE FROM event WHERE kind = 'post_accepted'`},
		"last event lost":        {"E7", `DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)`},
		"entry unbalanced":       {"E3", `UPDATE event SET body = json_set(body, '$.entries[0].postings[0].amount', json('-39.99')) WHERE kind = 'sold'`},
		"price changed":          {"E9", `UPDATE event SET body = json_set(body, '$.price', json('41.00')) WHERE kind = 'held'`},
		"winner changed":         {"E2", `UPDATE event SET body = json_set(body, '$.buyer', 'bob') WHERE kind = 'sold'`},
		"bid made late":          {"E9", `UPDATE event SET body = json_set(body, '$.answers[0].latency', 900000000) WHERE kind = 'cleared'`},
		"loser's bid raised":     {"E9", `UPDATE event SET body = json_set(body, '$.answers[1].bid', json('90.00')) WHERE kind = 'cleared'`},
		"offer's end changed":    {"E7", `UPDATE offer SET ended = 'unsold'`},
		"offer's buyer changed":  {"E7", `UPDATE offer SET buyer = 'bob'`},
		"offer's row lost":       {"E7", `DELETE FROM offer`},
		"credit limit changed":   {"E7", `UPDATE account SET credit_limit = credit_limit - 1 WHERE owner = 'bob'`},
		"pause changed":          {"E7", `UPDATE buyer SET paused = 0`},
		"day's use changed":      {"E7", `UPDATE day_use SET cents = cents + 1`},
		"leader's row moved":     {"E7", `UPDATE leader SET seq = 3`},
		"lead shown in an event": {"E4", `UPDATE event SET body = json_set(body, '$.detail', '+13125550123') WHERE kind = 'post_accepted'`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.do(exchange.TopUp{ID: "t-1", Buyer: "ann", Amount: 100_00})
			h.sell("lead-1")
			h.do(testLead("preset-1"), exchange.CloseAuction{Offer: "preset-1"})
			h.do(exchange.Pause{Buyer: "preset", Paused: true})
			h.do(testLead("open-1"))
			h.verify()
			damageRows(t, h.path, broken.damage)
			report, err := h.store.Verify(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, finding := range report.Findings {
				if finding.ID == broken.id {
					return
				}
			}
			t.Fatalf("no finding of %s among %v", broken.id, report.Findings)
		})
	}
}

// TestFindingsBelongToTheirPromise: promises share an id, and one that holds is not called broken for another's
// sake.
func TestFindingsBelongToTheirPromise(t *testing.T) {
	broken := func(damage string, want ...string) {
		t.Helper()
		h := newHouse(t)
		h.do(exchange.TopUp{ID: "t-1", Buyer: "ann", Amount: 100_00})
		h.sell("lead-1")
		damageRows(t, h.path, damage)
		report, err := h.store.Verify(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, check := range report.Checked {
			if check.Broken > 0 {
				got = append(got, fmt.Sprintf("%s %s: %d", check.ID, check.What, check.Broken))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, not %q, of %v", damage, got, want, report.Findings)
		}
	}
	broken(`UPDATE account SET cents = cents + 1 WHERE owner = 'ann' AND kind = 'wallet'`,
		"E3 every account is the sum of its entries, and all accounts sum to zero: 2",
		"E7 the unsettled offers make a sound market: 1")
	broken(`UPDATE posting SET owner = 'bob' WHERE account = 'top_ups'`, "E3 the postings are, row by row, those of the events: 1")
	broken(`UPDATE lead SET body = hex(zeroblob(32))`, "E2 the lead kept for an offer is the one that came in with it: 1")
	broken(`DELETE FROM top_up`, "E3 every top-up is known by its id: 2")
	broken(`UPDATE event SET body = json_set(body, '$.price', json('41.00')) WHERE kind = 'held'`,
		"E2 sold means one hold, one capture and one buyer: 2",
		"E7 each timeline is gap-free and monotonic, and its offer's row is what it comes to: 1",
		"E9 prices between floor and bid; the best bid wins; no late bid: 1")
}

func TestEventsAndPostingsCannotBeChanged(t *testing.T) {
	h := newHouse(t)
	h.sell("lead-1")
	db := openRaw(t, h.path)
	for _, statement := range []string{
		`UPDATE event SET at = 0`, `DELETE FROM event`, `UPDATE posting SET cents = 0`, `DELETE FROM posting`,
	} {
		if _, err := db.Exec(statement); err == nil {
			t.Errorf("%s was done", statement)
		}
	}
}

func TestClosedStoreIsAway(t *testing.T) {
	h := newHouse(t)
	batch := h.apply(testLead("lead-1"))
	h.store.Close()
	if err := h.store.Commit(ctx, batch); !errors.Is(err, store.ErrAway) || h.store.Err() == nil {
		t.Errorf("a closed store answered %v, and says %v", err, h.store.Err())
	}
	if err := h.store.Commit(ctx, exchange.Batch{}); err != nil {
		t.Errorf("a batch of nothing: %v", err)
	}
	h.open() // what was not committed did not happen
	if _, found, err := h.store.Offer(ctx, "lead-1"); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestReadOnlyBesideTheWriter opens a second store for looking.
func TestReadOnlyBesideTheWriter(t *testing.T) {
	h := newHouse(t)
	h.sell("lead-1")
	if _, err := store.Open(ctx, h.path, store.Options{}); !errors.Is(err, sqlstore.ErrBusy) {
		t.Errorf("a second writer got %v", err)
	}
	other, err := store.Open(ctx, h.path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if events, err := other.Timeline(ctx, "lead-1"); err != nil || len(events) != 7 {
		t.Errorf("the timeline has %d events, %v", len(events), err)
	}
	if _, err := other.Load(ctx, h.config, h.now); !errors.Is(err, store.ErrAway) {
		t.Errorf("a reader's Load gave %v", err)
	}
}

func openRaw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// damageRows changes the database by hand, past the triggers and constraints that protect it.
func damageRows(t *testing.T, path, statement string) {
	t.Helper()
	db := openRaw(t, path)
	for _, step := range []string{
		`DROP TRIGGER event_kept`, `DROP TRIGGER event_stays`, `DROP TRIGGER posting_kept`, `DROP TRIGGER posting_stays`,
		statement,
	} {
		if _, err := db.Exec(step); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
}
