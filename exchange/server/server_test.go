package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"

	"leadbid/exchange"
	"leadbid/exchange/server"
	"leadbid/exchange/store"
	"leadbid/pingpost"
)

func TestLeadIsSoldToTheBestBid(t *testing.T) {
	low, high, none := startBuyer(t, "low", 2000), startBuyer(t, "high", 4250), startBuyer(t, "none", 0)
	m := startMarket(t, configFor(low, high, none))
	status, view := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	if status != 200 || view["status"] != "sold" || view["payout"] != 31.88 && view["payout"] != 31.87 {
		t.Fatalf("%d %v", status, view)
	}
	m.drain()
	posts, _, _ := high.seen()
	if len(posts) != 1 || posts[0].Price != 4250 || posts[0].Lead.Phone.Reveal() != "+13125550123" || posts[0].BidID == "" {
		t.Fatalf("%+v", posts)
	}
	if posts, notices, _ := low.seen(); len(posts) != 0 || len(notices) != 1 || notices[0].Outcome != pingpost.OutcomeLost ||
		notices[0].ClearingPrice != 4250 {
		t.Fatalf("%+v %+v", posts, notices)
	}
	if balance, held := m.wallet("high"); balance != 957.50 || held != 0 {
		t.Errorf("%v %v", balance, held)
	}
	want := []string{"opened", "targeted", "cleared", "held", "post_requested", "post_accepted", "sold"}
	if diff := cmp.Diff(want, m.kinds(view["offer_id"])); diff != "" {
		t.Error(diff)
	}
	if status, own := m.public("GET", "/v1/offers/"+view["offer_id"].(string), "seller-key-of-webform", ""); status != 200 || own["status"] != "sold" {
		t.Errorf("%d %v", status, own)
	}
	if _, report := m.public("GET", "/v1/buyer/report", "view-key-of-high", ""); report["bought"] != 1.0 || report["spend"] != 42.50 {
		t.Errorf("%v", report)
	}
	if _, report := m.public("GET", "/v1/seller/report", "seller-key-of-webform", ""); report["sold"] != 1.0 {
		t.Errorf("%v", report)
	}
	m.verify()
}

func TestWithoutWaitingTheAnswerComesOnceTheLeadIsInTheBooks(t *testing.T) {
	release := make(chan struct{})
	slow := startBuyer(t, "slow", 3000)
	slow.post = func(n int, ctx *fasthttp.RequestCtx) { <-release; accept(n, ctx) }
	m := startMarket(t, configFor(slow))
	status, view := m.public("POST", "/v1/leads", "seller-key-of-webform", aLead)
	if status != 202 || view["status"] != "open" {
		t.Errorf("%d %v", status, view)
	}
	close(release)
	m.drain()
	if status, view := m.public("GET", "/v1/offers/"+view["offer_id"].(string), "seller-key-of-webform", ""); status != 200 || view["status"] != "sold" {
		t.Errorf("%d %v", status, view)
	}
}

func TestRejectedLeadGoesToTheNext(t *testing.T) {
	first, second := startBuyer(t, "first", 4000), startBuyer(t, "second", 3000)
	first.post = reject
	m := startMarket(t, configFor(first, second))
	_, view := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	m.drain()
	want := []string{"opened", "targeted", "cleared", "held", "post_requested", "post_rejected", "held", "post_requested", "post_accepted", "sold"}
	if diff := cmp.Diff(want, m.kinds(view["offer_id"])); diff != "" || view["status"] != "sold" {
		t.Errorf("%v\n%s", view, diff)
	}
	if balance, held := m.wallet("first"); balance != 1000 || held != 0 {
		t.Errorf("the one that rejected paid: %v %v", balance, held)
	}
	if balance, _ := m.wallet("second"); balance != 970 {
		t.Errorf("%v", balance)
	}
	m.verify()
}

// A post without an answer is tried again with the same ids, then withdrawn; only when that is
// acknowledged does the lead go on. A buyer that knows no such bid is told again: it may know it later.
func TestUnknownPostIsVoidedBeforeTheLeadGoesOn(t *testing.T) {
	t.Parallel()
	first, second := startBuyer(t, "first", 4000), startBuyer(t, "second", 3000)
	first.post = busy
	first.notice = func(attempt int, ctx *fasthttp.RequestCtx) {
		if posts, _, _ := second.seen(); len(posts) > 0 {
			t.Error("the lead went on before the withdrawal was acknowledged")
		}
		if attempt < 2 {
			ctx.SetStatusCode(404)
		}
	}
	m := startMarket(t, giveUpSoon(configFor(first, second)))
	_, view := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	m.drain()
	posts, notices, _ := first.seen()
	if len(posts) < 2 {
		t.Errorf("%d attempts", len(posts))
	}
	for _, post := range posts {
		if post.PingID != posts[0].PingID || post.BidID != posts[0].BidID || post.BodyHash != posts[0].BodyHash {
			t.Errorf("an attempt differs: %+v", post)
		}
	}
	if len(notices) != 2 || notices[0].Outcome != pingpost.OutcomeVoided || notices[1] != notices[0] {
		t.Errorf("%+v", notices)
	}
	kinds := m.kinds(view["offer_id"])
	told := []int{slices.Index(kinds, "unacknowledged"), slices.Index(kinds, "voided"), slices.Index(kinds, "sold")}
	if view["status"] != "sold" || told[0] < 0 || !slices.IsSorted(told) {
		t.Errorf("%v %v", view, kinds)
	}
	if balance, held := m.wallet("first"); balance != 1000 || held != 0 {
		t.Errorf("%v %v", balance, held)
	}
	m.verify()
}

func TestNobodyBuys(t *testing.T) {
	m := startMarket(t, configFor(startBuyer(t, "none", 0), startBuyer(t, "cheap", 100)))
	status, view := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	if status != 200 || view["status"] != "unsold" || view["reason"] == "" || view["payout"] != nil {
		t.Errorf("%d %v", status, view)
	}
}

func TestTheSameLeadTwiceIsOneOffer(t *testing.T) {
	b := startBuyer(t, "b", 3000)
	m := startMarket(t, configFor(b))
	_, first := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	status, again := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	if status != 200 || again["offer_id"] != first["offer_id"] || again["status"] != "sold" {
		t.Errorf("%d %v", status, again)
	}
	if status, view := m.public("POST", "/v1/leads", "seller-key-of-webform", strings.Replace(aLead, "72", "73", 1)); status != 409 {
		t.Errorf("another lead under the same id: %d %v", status, view)
	}
	if _, other := m.public("POST", "/v1/leads?wait=1", "seller-key-of-rival", aLead); other["offer_id"] == first["offer_id"] {
		t.Error("two sellers share an offer")
	}
	if _, keyed := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead, "Idempotency-Key", "k"); keyed["offer_id"] == first["offer_id"] {
		t.Error("the header does not count")
	}
	m.drain()
	if posts, _, _ := b.seen(); len(posts) != 3 {
		t.Errorf("%d posts", len(posts))
	}
	m.verify()
}

// Concurrent repeats of one lead make one offer and one charge.
func TestConcurrentRepeats(t *testing.T) {
	b := startBuyer(t, "b", 3000)
	m := startMarket(t, configFor(b))
	offers := make([]any, 20)
	var wait sync.WaitGroup
	for i := range offers {
		wait.Go(func() {
			_, view := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
			offers[i] = view["offer_id"]
		})
	}
	wait.Wait()
	m.drain()
	for _, offer := range offers {
		if offer != offers[0] || offer == nil {
			t.Fatalf("%v", offers)
		}
	}
	if balance, _ := m.wallet("b"); balance != 970 {
		t.Errorf("%v", balance)
	}
}

func TestBadLeads(t *testing.T) {
	m := startMarket(t, configFor(startBuyer(t, "b", 3000)))
	replace := func(old, replacement string) string {
		if !strings.Contains(aLead, old) {
			t.Fatalf("%q is not in the lead", old)
		}
		return strings.Replace(aLead, old, replacement, 1)
	}
	for name, c := range map[string]struct {
		body, field string
		status      int
	}{
		"not JSON":              {"{", "", 400},
		"an array":              {"[]", "", 400},
		"null":                  {"null", "", 400},
		"not UTF-8":             {"{\"service\":\"\xff\"}", "", 400},
		"four digits":           {replace(`"zip":"60614","state"`, `"zip":"6061","state"`), "zip", 400},
		"no ZIP":                {replace(`"zip":"60614","state"`, `"state"`), "zip", 400},
		"no service":            {replace(`"service":"hvac",`, ``), "service", 400},
		"service nobody takes":  {replace(`"hvac"`, `"roofing"`), "service", 422},
		"score of 101":          {replace(`72`, `101`), "lead_score", 400},
		"unknown field":         {replace(`"job"`, `"first_name":"Jo","job"`), "first_name", 400},
		"a field of ours":       {replace(`"job"`, `"floor":1,"job"`), "floor", 400},
		"no contact":            {replace(`"phone":"+13125550123","email":"canary@example.com",`, ``), "lead.phone", 400},
		"no lead":               {`{"service":"hvac","zip":"60614"}`, "lead", 400},
		"lead of numbers":       {replace(`"Canaryfirst"`, `7`), "lead", 400},
		"typing slip in lead":   {replace(`"first_name"`, `"frist_name"`), "lead", 400},
		"another ZIP in lead":   {replace(`"state":"IL","zip":"60614","notes"`, `"state":"IL","zip":"60615","notes"`), "lead.zip", 400},
		"notes too long":        {replace(`Canarynotes`, strings.Repeat("n", 2001)), "lead.notes", 400},
		"phone in attrs":        {replace(`"furnace"`, `"(312) 555-0123"`), "attrs.system", 400},
		"e-mail in source":      {replace(`"google-12"`, `"jo@example.com"`), "source", 400},
		"id of another type":    {replace(`"w-1"`, `1`), "lead_id", 400},
		"cost with three cents": {replace(`"w-1"`, `"w-1","cost":1.234`), "cost", 400},
		"too large":             {replace(`Canarynotes`, strings.Repeat("n", 70<<10)), "", 413},
	} {
		status, view := m.public("POST", "/v1/leads", "seller-key-of-webform", c.body)
		failure, _ := view["error"].(map[string]any)
		field, _ := failure["field"].(string)
		if status != c.status || field != c.field || failure["code"] == "" || failure["message"] == "" {
			t.Errorf("%s: %d %v", name, status, view)
		}
	}
	if status, view := m.public("GET", "/v1/seller/report", "seller-key-of-webform", ""); status != 200 || view["leads"] != 0.0 {
		t.Errorf("a bad lead got in: %v", view)
	}
}

// TestRoutesAreClosed asks every route with every wrong key.
func TestRoutesAreClosed(t *testing.T) {
	m := startMarket(t, configFor(startBuyer(t, "b", 3000), startBuyer(t, "c", 0)))
	_, sold := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	m.drain()
	id := sold["offer_id"].(string)
	routes := []struct{ role, method, path, body string }{
		{"seller", "POST", "/v1/leads", "{}"},
		{"seller", "GET", "/v1/offers/" + id, ""},
		{"seller", "POST", "/v1/offers/" + id + "/withdraw", ""},
		{"seller", "GET", "/v1/seller/report", ""},
		{"buyer", "GET", "/v1/wallet", ""},
		{"buyer", "GET", "/v1/purchases", ""},
		{"buyer", "POST", "/v1/returns", fmt.Sprintf(`{"offer_id":%q,"reason":"wrong_number"}`, id)},
		{"buyer", "GET", "/v1/buyer/report", ""},
	}
	for _, r := range routes {
		for _, key := range []string{"", "wrong", "seller-key-of-webfor", "ping-key-of-b"} {
			if status, view := m.public(r.method, r.path, key, r.body); status != 401 {
				t.Errorf("%s %s with %q: %d %v", r.method, r.path, key, status, view)
			}
		}
		other := map[string]string{"seller": "view-key-of-b", "buyer": "seller-key-of-webform"}[r.role]
		if status, _ := m.public(r.method, r.path, other, r.body); status != 404 {
			t.Errorf("%s %s as the other side: %d", r.method, r.path, status)
		}
	}
	// Another tenant of the same side sees nothing of this one's.
	for _, r := range routes[1:3] {
		if status, _ := m.public(r.method, r.path, "seller-key-of-rival", r.body); status != 404 {
			t.Errorf("%s %s as another seller: %d", r.method, r.path, status)
		}
	}
	if status, _ := m.public("POST", "/v1/returns", "view-key-of-c", routes[6].body); status != 404 {
		t.Errorf("another buyer returned the lead: %d", status)
	}
	if _, view := m.public("GET", "/v1/purchases", "view-key-of-c", ""); len(view["purchases"].([]any)) != 0 {
		t.Errorf("another buyer sees the purchase: %v", view)
	}
	if status, _ := m.public("DELETE", "/v1/leads", "seller-key-of-webform", ""); status != 405 {
		t.Errorf("%d", status)
	}
	for _, path := range []string{"/", "/metrics", "/debug/pprof/", "/v1/topups", "/v1/offers/", "/v1/offers/a/b", "/v1/status"} {
		if status, _ := m.ask("GET", "http://"+m.server.Addr()+path, "seller-key-of-webform", ""); status != 404 {
			t.Errorf("%s on the public listener: %d", path, status)
		}
	}
}

func TestPresetBuyerFetchesAndReturns(t *testing.T) {
	config := configFor()
	config.Buyers = append(config.Buyers, exchange.Buyer{
		Name: "plumber", Key: "view-key-of-plumber", CreditLimit: 5000,
		Preset: &exchange.Preset{Services: []pingpost.Service{pingpost.HVAC}, Bid: 2200},
	})
	m := startMarket(t, config)
	_, sold := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	if sold["status"] != "sold" {
		t.Fatalf("%v", sold)
	}
	_, view := m.public("GET", "/v1/purchases", "view-key-of-plumber", "")
	if view["more"] != false {
		t.Errorf("one purchase, and more: %v", view["more"])
	}
	purchase := view["purchases"].([]any)[0].(map[string]any)
	if contact := purchase["lead"].(map[string]any); contact["phone"] != "+13125550123" || contact["notes"] != "Canarynotes" || purchase["price"] != 22.0 {
		t.Errorf("%v", purchase)
	}
	request := fmt.Sprintf(`{"offer_id":%q,"reason":"wrong_number"}`, sold["offer_id"])
	for range 2 {
		if status, view := m.public("POST", "/v1/returns", "view-key-of-plumber", request); status != 200 || view["status"] != "returned" {
			t.Errorf("%d %v", status, view)
		}
	}
	for _, bad := range []string{`{`, `{"offer_id":"x","reason":"wrong_number"}`, fmt.Sprintf(`{"offer_id":%q,"reason":"call 555"}`, sold["offer_id"])} {
		if status, _ := m.public("POST", "/v1/returns", "view-key-of-plumber", bad); status != 400 && status != 404 {
			t.Errorf("%s: %d", bad, status)
		}
	}
	if balance, _ := m.wallet("plumber"); balance != 1000 {
		t.Errorf("%v", balance)
	}
	if _, view := m.public("GET", "/v1/offers/"+sold["offer_id"].(string), "seller-key-of-webform", ""); view["status"] != "returned" {
		t.Errorf("%v", view)
	}
	m.drain()
	m.verify()
}

func TestOperators(t *testing.T) {
	b := startBuyer(t, "b", 3000)
	m := startMarket(t, configFor(b))
	if view := m.admin("POST", "/v1/topups", `{"id":"start-b","buyer":"b","amount":1000.00}`, 200); view["repeat"] != true {
		t.Errorf("%v", view)
	}
	m.admin("POST", "/v1/topups", `{"id":"start-b","buyer":"b","amount":999.00}`, 400)
	m.admin("POST", "/v1/topups", `{"id":"other","buyer":"nobody","amount":1}`, 400)
	m.admin("POST", "/v1/topups", `{"id":"other","buyer":"b","amount":-1}`, 400)
	m.admin("POST", "/v1/topups", `x`, 400)
	if balance, _ := m.wallet("b"); balance != 1000 {
		t.Errorf("%v", balance)
	}
	m.admin("POST", "/v1/buyers/b/pause", "", 200)
	if _, view := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead); view["status"] != "unsold" {
		t.Errorf("a paused buyer bought: %v", view)
	}
	m.admin("POST", "/v1/buyers/b/resume", "", 200)
	m.admin("POST", "/v1/buyers/nobody/pause", "", 400)
	_, sold := m.public("POST", "/v1/leads?wait=1", "seller-key-of-rival", aLead)
	m.drain()
	id := sold["offer_id"].(string)
	if view := m.admin("GET", "/v1/offers/"+id+"/timeline", "", 200); len(view["events"].([]any)) != 7 {
		t.Errorf("%v", view)
	}
	m.admin("GET", "/v1/offers/nothing/timeline", "", 404)
	m.admin("POST", "/v1/offers/"+id+"/return?reason=bad_number", "", 200)
	m.admin("POST", "/v1/offers/nothing/return?reason=bad_number", "", 404)
	m.drain()
	if _, notices, _ := b.seen(); notices[len(notices)-1].Outcome != pingpost.OutcomeReturned {
		t.Errorf("%v", notices)
	}
	if view := m.admin("GET", "/v1/status", "", 200); view["ready"] != true || view["unsettled"] != 0.0 {
		t.Errorf("%v", view)
	}
	m.admin("GET", "/v1/report?since=2020-01-01", "", 200)
	m.admin("GET", "/v1/report?since=yesterday", "", 400)
	if view := m.admin("GET", "/v1/verify", "", 200); view["findings"] != nil && len(view["findings"].([]any)) > 0 {
		t.Errorf("%v", view)
	}
	if view := m.admin("GET", "/v1/buyers", "", 200); len(view["buyers"].([]any)) != 1 {
		t.Errorf("%v", view)
	}
}

// A crash with a post in the air: the next process resolves it with the same ids.
func TestRestartInTheMiddleOfAPost(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	b := startBuyer(t, "b", 3000)
	b.post = func(attempt int, ctx *fasthttp.RequestCtx) {
		if attempt == 1 {
			close(entered)
			<-release
		}
		accept(attempt, ctx)
	}
	config := giveUpSoon(configFor(b))
	config.Campaigns[0].Auction.PostDeadline = time.Minute
	m := startMarket(t, config)
	_, view := m.public("POST", "/v1/leads", "seller-key-of-webform", aLead)
	<-entered
	m.crash()
	close(release)
	m.start(func(s *store.Store) server.Store { return s })
	m.drain()
	status, again := m.public("POST", "/v1/leads", "seller-key-of-webform", aLead)
	if status != 200 || again["offer_id"] != view["offer_id"] || again["status"] != "sold" {
		t.Errorf("%d %v", status, again)
	}
	posts, _, _ := b.seen()
	if len(posts) < 2 || posts[0].BodyHash != posts[len(posts)-1].BodyHash {
		t.Errorf("%+v", posts)
	}
	if balance, held := m.wallet("b"); balance != 970 || held != 0 {
		t.Errorf("%v %v", balance, held)
	}
	m.verify()
}

// TestClockSetBackBetweenRuns starts on books that end an hour ahead of the wall clock: auctions
// and posts keep their deadlines, and do not wait for the hour to pass.
func TestClockSetBackBetweenRuns(t *testing.T) {
	t.Parallel()
	b, deaf := startBuyer(t, "b", 3000), startBuyer(t, "deaf", 4000)
	release := make(chan struct{})
	defer close(release)
	deaf.post = func(int, *fasthttp.RequestCtx) { <-release }
	m := startMarket(t, giveUpSoon(configFor(b, deaf)))
	m.crash()
	books, err := store.Open(context.Background(), m.path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ahead := time.Now().Add(time.Hour)
	market, err := books.Load(context.Background(), m.config, ahead)
	if err != nil {
		t.Fatal(err)
	}
	applied := []exchange.Applied{market.Apply(ahead, exchange.Start{}), market.Apply(ahead, exchange.Pause{Buyer: "b", Paused: true}),
		market.Apply(ahead, exchange.Pause{Buyer: "b"})}
	if err := errors.Join(books.Commit(context.Background(), market.Batch(applied)), books.Close()); err != nil {
		t.Fatal(err)
	}
	m.start(func(s *store.Store) server.Store { return s })
	status, view := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	if status != 200 || view["status"] != "sold" {
		t.Errorf("%d %v", status, view)
	}
	if balance, held := m.wallet("deaf"); balance != 1000 || held != 0 {
		t.Errorf("%v %v", balance, held)
	}
	m.verify()
}

// TestOnlySoManyWait: who comes when too many sellers wait already is not made to wait, and the
// lead is sold all the same.
func TestOnlySoManyWait(t *testing.T) {
	b := startBuyer(t, "b", 3000)
	m := startMarket(t, configFor(b))
	free := m.server.EverybodyWaits()
	if status, view := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead); status != 202 {
		t.Errorf("%d %v", status, view)
	}
	free()
	m.drain()
	status, view := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", strings.Replace(aLead, "w-1", "w-2", 1))
	if status != 200 || view["status"] != "sold" {
		t.Errorf("%d %v", status, view)
	}
	if balance, _ := m.wallet("b"); balance != 940 {
		t.Errorf("%v", balance)
	}
}

// stale is a store whose answer to a seller's question is as old as the test wants it.
type stale struct {
	*store.Store
	offer atomic.Pointer[exchange.OfferState]
}

func (s *stale) Latest(ctx context.Context, root exchange.OfferID) (exchange.OfferState, bool, error) {
	if old := s.offer.Load(); old != nil {
		return *old, true, nil
	}
	return s.Store.Latest(ctx, root)
}

// TestWithdrawFollowsALeadThatFallsBack withdraws a lead that goes on as another offer while its
// seller asks: what ends is the offer that has the post in flight, and the buyer pays nothing.
func TestWithdrawFollowsALeadThatFallsBack(t *testing.T) {
	entered, release := make(chan struct{}, 9), make(chan struct{})
	b := startBuyer(t, "b", 3000)
	b.post = func(n int, ctx *fasthttp.RequestCtx) { entered <- struct{}{}; <-release; accept(n, ctx) }
	config := configFor(b)
	second := config.Campaigns[0]
	second.Name, config.Campaigns[0].Fallback = "hvac-2", []string{"hvac-2"}
	config.Campaigns[0].Auction.Reserve = 5000
	config.Campaigns = append(config.Campaigns, second)
	m := startMarket(t, config)
	m.crash()
	books := &stale{}
	m.start(func(s *store.Store) server.Store { books.Store = s; return books })
	_, view := m.public("POST", "/v1/leads", "seller-key-of-webform", aLead)
	<-entered
	id := view["offer_id"].(string)
	first, _, err := m.store.Offer(context.Background(), exchange.OfferID(id))
	if err != nil || first.End != exchange.FellBack {
		t.Fatalf("%+v %v", first, err)
	}
	first.End = exchange.EventNone
	books.offer.Store(&first)
	for range 2 {
		status, view := m.public("POST", "/v1/offers/"+id+"/withdraw", "seller-key-of-webform", "")
		if status != 200 || view["status"] != "withdrawn" || view["offer_id"] != id {
			t.Errorf("%d %v", status, view)
		}
		books.offer.Store(nil)
	}
	close(release)
	m.drain()
	if balance, held := m.wallet("b"); balance != 1000 || held != 0 {
		t.Errorf("%v %v", balance, held)
	}
	if _, notices, _ := b.seen(); len(notices) == 0 || notices[len(notices)-1].Outcome != pingpost.OutcomeVoided {
		t.Errorf("%+v", notices)
	}
	m.verify()
}

// failing is a store whose commits fail while it is told so.
type failing struct {
	*store.Store
	fail atomic.Bool
}

func (f *failing) Commit(ctx context.Context, batch exchange.Batch) error {
	if f.fail.Load() {
		return errors.New("the disk is gone")
	}
	return f.Store.Commit(ctx, batch)
}

func TestFailedCommitStartsAgainFromTheBooks(t *testing.T) {
	b := startBuyer(t, "b", 3000)
	m := startMarket(t, configFor(b))
	m.crash()
	var books *failing
	m.start(func(s *store.Store) server.Store { books = &failing{Store: s}; return books })
	books.fail.Store(true)
	status, view := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	if status != 503 {
		t.Errorf("%d %v", status, view)
	}
	if posts, _, bodies := b.seen(); len(posts) != 0 || strings.Contains(bodies, "ping_id") {
		t.Errorf("something was sent that is not in the books: %s", bodies)
	}
	books.fail.Store(false)
	for status = 503; status == 503; {
		status, view = m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	}
	m.drain()
	if status != 200 || view["status"] != "sold" {
		t.Errorf("%d %v", status, view)
	}
	m.verify()
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	b := startBuyer(t, "b", 3000)
	b.post = func(n int, ctx *fasthttp.RequestCtx) { entered <- struct{}{}; <-release; accept(n, ctx) }
	m := startMarket(t, configFor(b))
	_, view := m.public("POST", "/v1/leads", "seller-key-of-webform", aLead)
	<-entered
	done := make(chan error)
	go func() { done <- m.server.Shutdown(context.Background()) }()
	for {
		if status, _ := m.ask("GET", "http://"+m.server.AdminAddr()+"/readyz", "", ""); status == 503 {
			break
		}
	}
	if status, _ := m.public("POST", "/v1/leads", "seller-key-of-rival", aLead); status != 503 {
		t.Errorf("a lead was taken while stopping: %d", status)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if kinds := m.kinds(view["offer_id"]); kinds[len(kinds)-1] != "sold" {
		t.Errorf("%v", kinds)
	}
}

func TestLostListenerIsToldOf(t *testing.T) {
	m := startMarket(t, configFor(startBuyer(t, "b", 3000)))
	if err := m.server.CutListener(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-m.server.Lost():
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("it is lost by %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody was told that no lead can come in any more")
	}
	if status, why := m.ask("GET", "http://"+m.server.AdminAddr()+"/readyz", "", ""); status != 503 {
		t.Errorf("without a listener for leads it is ready with %d %s", status, why)
	}
	if !strings.Contains(m.log.text(), "leads ended by itself") {
		t.Errorf("the log says nothing of it: %s", m.log.text())
	}
}

// TestCanaries sends leads through every end and looks for their private fields in everything that
// anyone but the winner gets to see.
func TestCanaries(t *testing.T) {
	winner, loser, rejects, silent := startBuyer(t, "winner", 3000), startBuyer(t, "loser", 2000), startBuyer(t, "none", 0), startBuyer(t, "silent", 0)
	m := startMarket(t, configFor(winner, loser, rejects, silent))
	_, sold := m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", aLead)
	m.public("POST", "/v1/leads?wait=1", "seller-key-of-webform", strings.Replace(aLead, `"w-1"`, `"w-2","test":true`, 1))
	m.public("POST", "/v1/leads", "seller-key-of-webform", strings.Replace(aLead, `"zip":"60614","state"`, `"zip":"6061","state"`, 1))
	m.public("POST", "/v1/leads", "seller-key-of-webform", aLead+"x")
	m.public("POST", "/v1/leads", "seller-key-of-webform", strings.Replace(aLead, `"lead":`, `"laed":`, 1))
	m.drain()
	id := sold["offer_id"].(string)
	m.public("GET", "/v1/offers/"+id, "seller-key-of-webform", "")
	m.public("GET", "/v1/seller/report", "seller-key-of-webform", "")
	for _, name := range []string{"loser", "none", "silent"} {
		for _, path := range []string{"/v1/wallet", "/v1/purchases", "/v1/buyer/report"} {
			m.public("GET", path, "view-key-of-"+name, "")
		}
	}
	for _, path := range []string{"/v1/offers/" + id + "/timeline", "/v1/status", "/v1/buyers", "/v1/report", "/v1/verify"} {
		m.admin("GET", path, "", 200)
	}
	m.ask("GET", "http://"+m.server.AdminAddr()+"/metrics", "", "")
	outputs := map[string]string{"answers": m.said.text(), "log": m.log.text()}
	for _, b := range []*buyer{loser, rejects, silent} {
		_, _, outputs["requests to "+b.name] = b.seen()
	}
	for where, text := range outputs {
		if text == "" {
			t.Errorf("%s: nothing to look at", where)
		}
		for _, canary := range canaries {
			if at := strings.Index(text, canary); at >= 0 {
				t.Errorf("%s: %q in ...%s", where, canary, text[max(0, at-200):at])
			}
		}
	}
	if _, _, bodies := winner.seen(); !strings.Contains(bodies, "Canarylast") {
		t.Error("the winner did not get the lead")
	}
}
