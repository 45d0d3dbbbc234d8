package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"leadbid/budget/store"
	"leadbid/exchange"
	"leadbid/exchange/simulate"
	marketstore "leadbid/exchange/store"
	"leadbid/internal/cli"
	"leadbid/internal/scripttest"
)

// TestCrashCycles kills a real bidder, a real exchange, or both, 5 to 65 ms after they answer, under
// load, as often as is asked for. Two kinds of load come to the bidder at once: callers that ping and
// post as fast as they are answered, and the exchange's auctions. Every so often, and at the end,
// `bidder verify` and `exchange verify` recompute all promises; at the end what was accepted is held
// against the bidder's books, and those against the exchange's.
//
// 25 cycles, 5 with -short. A campaign of 10,000, with new books and moments each 250 (the callers fill
// them as fast as they can, and on a million leads every new life begins with minutes of verifying):
//
//	LEADBID_CRASH_CYCLES=250 go test ./cmd/bidder -run CrashCycles -count 40 -timeout 0 -v
//
// LEADBID_CRASH_SEED repeats the moments. Kills at the n-th write and sync are TestDiskThatFails's.
func TestCrashCycles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NOT TESTED ON WINDOWS: there is no signal that asks a process to end")
	}
	t.Parallel()
	otherwise := 25
	if testing.Short() {
		otherwise = 5
	}
	cycles, seed := numberFrom(t, "LEADBID_CRASH_CYCLES", otherwise), crashSeed(t)
	crm := startCRM(t)
	bidder := newBidder(t, crm.url())
	bidder.alsoBuyFrom("southside")
	tap := startTap(t, bidder.listen)
	seller := newSeller(t, tap.url())
	bidder.start()
	seller.start()
	bidder.awaitReady()
	seller.awaitReady()

	callers := newCallers(t, "northside")
	ctx, stop := context.WithCancel(t.Context())
	load := make(chan struct{})
	go func() {
		defer close(load)
		done := seller.bringHomeowners(ctx, seed)
		callers.call(ctx, 4, bidder.url)
		<-done
	}()
	began := time.Now()
	both, alone := 0, 0
	random := rand.New(rand.NewPCG(seed, seed))
	for cycle := range cycles {
		wait(ctx, between(random, 5*time.Millisecond, 65*time.Millisecond))
		// The bidder in four of five cycles, the exchange in two of five, and so at times both.
		victims := []*process{&bidder.process}
		switch random.IntN(5) {
		case 0:
			victims = []*process{&seller.process}
			alone++
		case 1:
			victims = append(victims, &seller.process)
			both++
		}
		for _, victim := range victims {
			victim.kill()
		}
		if (cycle+1)%max(10, cycles/20) == 0 {
			bidder.verify()
			seller.verify()
			t.Logf("%d cycles after %v: %v", cycle+1, time.Since(began).Round(time.Second), callers)
		}
		for _, victim := range victims {
			victim.start()
		}
		for _, victim := range victims {
			victim.awaitReady()
		}
		if t.Failed() {
			break
		}
	}
	took := time.Since(began)
	wait(ctx, 300*time.Millisecond) // the last life works, too
	waitFor(patience, func() bool { return callers.taken() > 0 && seller.sold() > 0 })
	stop()
	<-load

	if cycles >= campaign { // a short run leaves withdrawals under way, which are waited for in seconds
		seller.drain()
	}
	bidder.awaitDelivered()
	callers.repeat(t.Context(), bidder.url, 50)
	seller.stop()
	bidder.stop()
	tap.stop()
	leads := bidder.leads()
	callers.check(leads)
	checkPromises(t, tap, leads)
	checkDeliveries(t, bidder, crm, leads)
	sold := seller.check(leads)
	bidder.verify()
	seller.verify()

	counts := bidder.counts()
	t.Logf("LEADBID_CRASH_SEED=%d: %d cycles in %v, %.1f a second: the exchange killed alone %d times, with the bidder %d times; ready after %v and %v",
		seed, cycles, took.Round(time.Millisecond), float64(cycles)/took.Seconds(), alone, both, bidder.meanStart(), seller.meanStart())
	t.Logf("callers: %v", callers)
	t.Logf("tap: %v; %d sold", tap, sold)
	t.Logf("books: %d leads, %v charged, %d given back, %v credited, %d delivered, %d refused",
		counts.Leads, counts.Charged, counts.Returned, counts.Credited, counts.Delivered, counts.Refused)
	if callers.taken() == 0 || sold == 0 {
		t.Error("too little happened for the test to mean anything")
	}
}

// campaign is how many cycles are worth a wait for the last withdrawal.
const campaign = 100

// alsoBuyFrom adds an exchange to the configuration.
func (c *contractor) alsoBuyFrom(name string) {
	c.t.Helper()
	more := "  " + name + `: {profile: native, auth: {bearer: "${OTHER_KEY}"}, commitment: refusable, bid_ttl: 5s, hold_for: 1s,
    grace: 1s, auction: second, tells: price, reasons: true, budget: {day: $50000000}}
campaigns:
`
	c.env["OTHER_KEY"] = otherKey
	text := strings.Replace(contractorConfig, "campaigns:\n", more, 1)
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

const otherKey = "other-0123456789abcdef0123456789"

// sellerConfig is an exchange whose one bidder is asked through a tap, and which another buyer's
// standing order gives prices.
const sellerConfig = `
version: 1
exchange: {name: Often Killed Too, timezone: America/Chicago}
server: {listen: "${LISTEN}", admin: "${ADMIN}"}
store: sqlite:data/exchange.db
sellers:
  webform: {key: "${SELLER_KEY}", margin: 20%, floor: $4}
buyers:
  often-killed:
    ping: {profile: native, url: "${TAP_URL}", exchange: southside, key: "${OTHER_KEY}"}
    wallet: {credit_limit: $50000000}
    tells: price
  standing-order:
    preset: {services: [hvac, plumbing, roofing], bid: $6}
    wallet: {credit_limit: $50000000}
campaigns:
  home-services:
    services: [hvac, plumbing, roofing, electrical, windows, siding, gutters, pest, tree, garage_door, handyman]
    auction: {price: second, deadline: 1s, reserve: $4, reroute: on, hops: 3, post_timeout: 800ms, post_deadline: 1s}
    window: 30s
`

// seller is an exchange's folder and the process that runs on it.
type seller struct {
	process
	program string
	config  string
	books   string
}

// newSeller builds the exchange's program, as it cannot be imported.
func newSeller(t *testing.T, tapURL string) *seller {
	t.Helper()
	dir := t.TempDir()
	s := &seller{
		program: filepath.Join(dir, "exchange"), config: filepath.Join(dir, "exchange.yaml"),
		books: filepath.Join(dir, "data", "exchange.db"),
	}
	if text, err := exec.Command("go", "build", "-o", s.program, "leadbid/cmd/exchange").CombinedOutput(); err != nil {
		t.Fatalf("building the exchange: %v\n%s", err, text)
	}
	if err := os.WriteFile(s.config, []byte(sellerConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	s.process = process{
		t: t, words: []string{s.program, "serve", "--config", s.config, "--log-level", "error"},
		announces: "taking leads at",
		env: map[string]string{
			"LISTEN": scripttest.FixedAddress(t), "ADMIN": scripttest.FixedAddress(t), "SELLER_KEY": sellerKey,
			"OTHER_KEY": otherKey, "TAP_URL": tapURL,
		},
	}
	t.Cleanup(s.killIfAlive)
	return s
}

// bringHomeowners brings one homeowner after another until ctx ends, whether or not anybody is there.
func (s *seller) bringHomeowners(ctx context.Context, seed uint64) (done <-chan struct{}) {
	s.t.Helper()
	generator, err := simulate.NewGenerator(simulate.DefaultSettings(seed, time.Date(2026, time.March, 3, 16, 0, 0, 0, time.UTC)))
	if err != nil {
		s.t.Fatal(err)
	}
	client := &http.Client{Timeout: patience}
	intake := &simulate.Seller{URL: "http://" + s.env["LISTEN"] + "/v1/leads", Key: sellerKey, Client: client}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer client.CloseIdleConnections()
		_, err := simulate.Drive{InFlight: 2}.Run(ctx, generator, func(ctx context.Context, h simulate.Homeowner) error {
			_, err := intake.Sell(ctx, &h)
			if err != nil {
				wait(ctx, 2*time.Millisecond) // nobody is there
			}
			return err
		})
		if err != nil {
			s.t.Error(err)
		}
	}()
	return ended
}

// verify is `exchange verify`, beside the exchange or after its end.
func (s *seller) verify() {
	s.t.Helper()
	command := exec.Command(s.program, "verify", "--store", s.books, "--output", "json")
	command.Env = scripttest.Environment()
	text, err := command.CombinedOutput()
	var report struct {
		OK bool `json:"ok"`
	}
	if code := command.ProcessState.ExitCode(); err != nil || code != int(cli.CodeOK) || json.Unmarshal(text, &report) != nil || !report.OK {
		s.t.Errorf("exchange verify exits %d (%v):\n%s", code, err, text)
	}
}

// offers reads the exchange's books.
func (s *seller) offers(filter marketstore.OfferFilter) []exchange.OfferState {
	s.t.Helper()
	books, err := marketstore.Open(s.t.Context(), s.books, marketstore.Options{ReadOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer books.Close()
	filter.Max = 1 << 30
	offers, err := books.Offers(s.t.Context(), filter)
	if err != nil {
		s.t.Fatal(err)
	}
	return offers
}

// drain waits until the exchange owes nobody anything. A withdrawal that found no bidder at its first
// three attempts has its next one half a minute later, which is waited for; later ones, minutes apart,
// are not: they are for an offer that has ended, and whose money stays held until then. The bidder is up all
// the while, so that whatever is withdrawn now it has to acknowledge.
func (s *seller) drain() {
	s.t.Helper()
	began := time.Now()
	open, withdrawing := 0, 0
	var offers []exchange.OfferState
	waitFor(45*time.Second, func() bool {
		open, withdrawing, offers = 0, 0, s.offers(marketstore.OfferFilter{})
		for _, offer := range offers {
			switch {
			case offer.Settled:
			case offer.End == exchange.EventNone:
				open++
			default:
				withdrawing++
			}
		}
		return open+withdrawing == 0
	})
	if open > 0 {
		s.t.Errorf("%d offers have not ended", open)
	}
	for _, offer := range unacknowledged(offers, began, time.Now()) {
		s.t.Errorf("offer %s was withdrawn at %v, while the bidder was up, and that did not acknowledge it", offer.ID, offer.Touched)
	}
	s.t.Logf("%d withdrawals wait for their next attempt", withdrawing)
}

// acknowledgeWithin is far more than a bidder that is up takes to acknowledge a withdrawal.
const acknowledgeWithin = 5 * time.Second

// unacknowledged are the offers that have ended, and whose last attempt to withdraw them came after an instant
// and long enough ago.
func unacknowledged(offers []exchange.OfferState, since, now time.Time) (list []exchange.OfferState) {
	for _, offer := range offers {
		isOwed := offer.End != exchange.EventNone && !offer.Settled
		if isOwed && offer.Touched.After(since) && now.Sub(offer.Touched) > acknowledgeWithin {
			list = append(list, offer)
		}
	}
	return list
}

func TestUnacknowledgedWithdrawalsAreFound(t *testing.T) {
	since := time.Date(2026, time.March, 3, 16, 0, 0, 0, time.UTC)
	now := since.Add(45 * time.Second)
	f := func(offer exchange.OfferState, after time.Duration, want bool) {
		t.Helper()
		offer.Touched = since.Add(after)
		if got := len(unacknowledged([]exchange.OfferState{offer}, since, now)) == 1; got != want {
			t.Errorf("%+v is one: %v", offer, got)
		}
	}
	withdrawing := exchange.OfferState{End: exchange.Expired}
	f(withdrawing, time.Second, true)
	f(withdrawing, 39*time.Second, true)
	f(withdrawing, 41*time.Second, false) // its answer may be on its way
	f(withdrawing, -time.Second, false)   // the bidder may have been dead, and the next attempt is minutes away
	f(exchange.OfferState{End: exchange.Expired, Settled: true}, time.Second, false)
	f(exchange.OfferState{}, time.Second, false)
}

// sold is how many leads the exchange has sold to the bidder.
func (s *seller) sold() int {
	s.t.Helper()
	return len(s.offers(marketstore.OfferFilter{Buyer: buyerName, End: exchange.Sold}))
}

// check holds what the exchange sold to the bidder against what that booked and did not give back.
func (s *seller) check(leads map[string]store.Lead) (sold int) {
	s.t.Helper()
	faults := newFaults(s.t)
	offers := map[string]exchange.OfferState{}
	for _, offer := range s.offers(marketstore.OfferFilter{}) {
		offers[string(offer.ID)] = offer
		if offer.End != exchange.Sold || offer.Buyer != buyerName {
			continue
		}
		sold++
		if lead, booked := leads[string(offer.ID)]; !booked || lead.Returned || lead.Price != offer.Price {
			faults.add("%s was sold for %v, and the bidder has lead %q for %v, given back: %v", offer.ID, offer.Price, lead.ID, lead.Price, lead.Returned)
		}
	}
	for ping, lead := range leads {
		if lead.Exchange != "southside" || lead.Returned {
			continue
		}
		// What is not settled yet is still to be found sold, or to be withdrawn.
		offer, known := offers[ping]
		if !known || offer.Settled && (offer.End != exchange.Sold || offer.Buyer != buyerName) {
			faults.add("%s was booked for %v, and the exchange did not sell it", ping, lead.Price)
		}
	}
	faults.report("sales")
	return sold
}
