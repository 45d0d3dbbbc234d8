package server

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/internal/faultproxy"
	"leadbid/internal/pgtest"
)

const awayConfiguration = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {month: $5000}}
exchanges:
  north: {auth: {bearer: "a-key-of-at-least-sixteen"}, commitment: refusable, bid_ttl: 5m, hold_for: 1s, reasons: true}
campaigns:
  hvac: {services: [hvac], area: {states: [IL]}, budget: {day: $400}, rules: [{bid: 20}], delivery: [{file: leads.jsonl}]}
`

// cutStore is a store that fails whatever the money needs of it while it is away.
type cutStore struct {
	store.Store
	away atomic.Bool
}

func (s *cutStore) gone() error {
	if s.away.Load() {
		return fmt.Errorf("%w: cut off by the test", store.ErrAway)
	}
	return nil
}

func (s *cutStore) Upkeep(ctx context.Context, run store.Run, plan *budget.Plan, ask budget.Upkeep) (budget.UpkeepAnswer, error) {
	if err := s.gone(); err != nil {
		return budget.UpkeepAnswer{}, err
	}
	return s.Store.Upkeep(ctx, run, plan, ask)
}

func (s *cutStore) Answer(ctx context.Context, key store.PostKey) (store.PostAnswer, bool, error) {
	if err := s.gone(); err != nil {
		return store.PostAnswer{}, false, err
	}
	return s.Store.Answer(ctx, key)
}

func (s *cutStore) Post(ctx context.Context, post store.Post) (store.PostAnswer, error) {
	if err := s.gone(); err != nil {
		return store.PostAnswer{}, err
	}
	return s.Store.Post(ctx, post)
}

func (s *cutStore) Credit(ctx context.Context, credit store.Credit) (store.CreditAnswer, error) {
	if err := s.gone(); err != nil {
		return store.CreditAnswer{}, err
	}
	return s.Store.Credit(ctx, credit)
}

func TestReplicaCutOffFromItsStore(t *testing.T) {
	var cut *cutStore
	cutOff(t, func(clock func() time.Time) store.Store {
		books, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "books.db"), store.Options{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		cut = &cutStore{Store: books}
		return cut
	}, func(away bool) { cut.away.Store(away) })
}

// hungStore begins with what it is asked and comes to no end, whatever its caller's patience, until it is let go.
type hungStore struct {
	store.Store
	hung chan struct{}
}

func (s *hungStore) Upkeep(ctx context.Context, run store.Run, plan *budget.Plan, ask budget.Upkeep) (budget.UpkeepAnswer, error) {
	<-s.hung
	return s.Store.Upkeep(context.WithoutCancel(ctx), run, plan, ask)
}

func (s *hungStore) Close() error {
	<-s.hung
	return s.Store.Close()
}

// TestStoreThatHangs lets the disk hang in the middle of a question: that is told, and the answer is taken
// however late it comes.
func TestStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, hung := serverThatHangs(t)
		answered := make(chan struct{})
		go func() {
			s.tendLeases(t.Context())
			close(answered)
		}()
		time.Sleep(leaseTimeout)
		synctest.Wait()
		if err := s.ready(); err != nil {
			t.Errorf("while the question has its time: %v", err)
		}
		time.Sleep(hangsAfter - leaseTimeout)
		synctest.Wait()
		if err := s.ready(); err == nil || !strings.Contains(err.Error(), "does its disk hang?") {
			t.Errorf("with a disk that hangs it is ready: %v", err)
		}
		close(hung)
		<-answered
		if err := s.ready(); err != nil {
			t.Errorf("after the answer: %v", err)
		}
		if _, body, _ := s.call(t, "ping", `{"ping_id":"p-1","tmax_ms":2000,"service":"hvac","zip":"60614","state":"IL","exclusive":true}`); !strings.Contains(body, `"bid_id"`) {
			t.Errorf("with the lease that came late: %s", body)
		}
	})
}

func TestHungStoreIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, hung := serverThatHangs(t)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		if err := s.Close(ctx); err == nil || time.Since(began) != 10*time.Second+lastWait {
			t.Errorf("closing a store that hangs took %v: %v", time.Since(began), err)
		}
		close(hung)
	})
}

// serverThatHangs has a store that hangs until the channel is closed.
func serverThatHangs(t *testing.T) (*Server, chan struct{}) {
	t.Helper()
	hung := make(chan struct{})
	servers, _, _ := quietServersOn(t, awayConfiguration, 1, func(clock func() time.Time) store.Store {
		books, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "books.db"), store.Options{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return &hungStore{books, hung}
	})
	return servers[0], hung
}

func TestReplicaCutOffFromPostgres(t *testing.T) {
	address, proxy := pgtest.Through(t, pgtest.Address(t))
	cutOff(t, func(func() time.Time) store.Store {
		books, err := store.OpenPostgres(t.Context(), address, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return books
	}, func(away bool) {
		proxy.Set(faultproxy.Weather{Closed: away})
		if away {
			proxy.Reset()
		}
	})
}

// cutOff takes the books away from a bidder with open bids: it bids from the leases in hand and then no
// more, posts and withdrawals are to be sent again, and everything is as before once the books are back.
func cutOff(t *testing.T, open func(clock func() time.Time) store.Store, cut func(away bool)) {
	servers, books, wait := quietServersOn(t, awayConfiguration, 1, open)
	s := servers[0]
	pings := 0
	ask := func() (answered map[string]any) {
		t.Helper()
		pings++
		status, body, _ := s.call(t, "ping", fmt.Sprintf(`{"ping_id":"p-%d","tmax_ms":2000,"service":"hvac","zip":"60614","state":"IL","exclusive":true}`, pings))
		if err := json.Unmarshal([]byte(body), &answered); err != nil || status != fasthttp.StatusOK {
			t.Fatalf("a ping got %d %s", status, body)
		}
		return answered
	}
	post := func(bid map[string]any) (status int, body, retry string) {
		t.Helper()
		return s.call(t, "post", fmt.Sprintf(`{"ping_id":%q,"bid_id":%q,"price":20,"service":"hvac","exclusive":true,
			"lead":{"phone":"312-555-0100","zip":"60614"}}`, bid["ping_id"], bid["bid_id"]))
	}
	step := func() { wait(max(s.tendLeases(t.Context()), leaseStepMin)) } // as the loop does it

	step()
	bid := ask()
	if bid["status"] != "bid" {
		t.Fatalf("with the books there: %v", bid)
	}
	cut(true)
	if status, body, retry := post(bid); status != fasthttp.StatusServiceUnavailable || retry == "" || !strings.Contains(body, "store_away") {
		t.Errorf("a post without books got %d, Retry-After %q: %s", status, retry, body)
	}
	withdrawal := fmt.Sprintf(`{"ping_id":"p-0","bid_id":%q,"outcome":"voided"}`,
		s.keys.Load().AppendBidID(nil, budget.BidRef{Lease: 1, Price: 20_00, Expires: s.clock.now().Add(time.Minute), Run: s.run.ID, Seq: 1 << 40}, "north", "p-0"))
	if status, _, retry := s.call(t, "notice", withdrawal); status != fasthttp.StatusServiceUnavailable || retry == "" {
		t.Errorf("a withdrawal without books got %d, Retry-After %q", status, retry)
	}
	bids, reason := 0, ""
	for began := s.clock.now(); reason != "store_away"; step() {
		answer := ask()
		switch reason, _ = answer["reason"].(string); {
		case answer["status"] == "bid":
			bids++
		case reason != "open_bids" && reason != "store_away":
			t.Fatalf("without books: %v", answer)
		}
		if s.clock.now().Sub(began) > 35*time.Second {
			t.Fatalf("%v after the books went away it says %v", s.clock.now().Sub(began), answer)
		}
	}
	if bids == 0 || bids > 20 {
		t.Errorf("%d bids from the leases in hand", bids)
	}
	if err := s.ready(); err == nil || !strings.Contains(err.Error(), "the store is away") {
		t.Errorf("it is ready: %v", err)
	}
	if status, _, _ := post(bid); status != fasthttp.StatusServiceUnavailable {
		t.Errorf("the post again got %d", status)
	}

	cut(false)
	awaitBooks(t, func() error { return books.Keep(t.Context(), "probe", s.clock.now(), []byte("x")) })
	for began := s.clock.now(); ask()["status"] != "bid"; step() {
		if s.clock.now().Sub(began) > 5*time.Second {
			t.Fatalf("5 s after the books came back: %v", ask())
		}
	}
	if why := s.storeErr.Load(); why != nil {
		t.Errorf("it still says that the store is away: %s", *why)
	}
	if status, body, _ := post(bid); status != fasthttp.StatusOK || !strings.Contains(body, `"accepted"`) {
		t.Errorf("the post once more got %d %s", status, body)
	}
	if status, body, _ := s.call(t, "notice", withdrawal); status != fasthttp.StatusOK {
		t.Errorf("the withdrawal again got %d %s", status, body)
	}
	if report, err := books.Verify(t.Context()); err != nil || len(report.Findings) > 0 {
		t.Errorf("verify: %+v, %v", report.Findings, err)
	}
}

// awaitBooks asks until the books answer: PostgreSQL is tried four times a second.
func awaitBooks(t *testing.T, ask func() error) {
	t.Helper()
	const patience = time.Minute
	tick, end := time.NewTicker(20*time.Millisecond), time.NewTimer(patience)
	defer tick.Stop()
	defer end.Stop()
	for err := ask(); err != nil; err = ask() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("the books did not come back within %v: %v", patience, err)
		}
	}
}

// call sends a body of the exchange north, without a network.
func (s *Server) call(t *testing.T, route, body string) (status int, answer, retryAfter string) {
	t.Helper()
	var request fasthttp.Request
	request.Header.SetMethod(fasthttp.MethodPost)
	request.SetRequestURI("/v1/" + route + "/north")
	request.Header.Set("Authorization", "Bearer a-key-of-at-least-sixteen")
	request.SetBodyString(body)
	var ctx fasthttp.RequestCtx
	ctx.Init(&request, nil, nil)
	s.handle(&ctx)
	return ctx.Response.StatusCode(), string(ctx.Response.Body()), string(ctx.Response.Header.Peek(fasthttp.HeaderRetryAfter))
}
