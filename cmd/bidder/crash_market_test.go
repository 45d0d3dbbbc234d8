package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"leadbid/exchange"
	marketserver "leadbid/exchange/server"
	"leadbid/exchange/simulate"
	marketstore "leadbid/exchange/store"
	"leadbid/pingpost"
)

const (
	buyerName = "often-killed"
	sellerKey = "seller-0123456789abcdef0123456789"
	rivalKey  = "rivals-0123456789abcdef0123456789"
)

// marketConfig sells second-price, so that most leads cost less than was bid. Posts have little
// time, so that some are withdrawn and the end of the test is quick.
const marketConfig = `
version: 1
exchange: {name: Test Exchange, timezone: America/Chicago}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
sellers:
  webform: {key: "${SELLER_KEY}", margin: 20%, floor: $4}
buyers:
  often-killed:
    ping: {profile: native, url: "${TAP_URL}", exchange: northside, key: "${EXCHANGE_KEY}"}
    wallet: {credit_limit: $50000000}
    tells: price
  rival-01:
    ping: {url: "${RIVALS_URL}/rival-01", exchange: northside, key: "${RIVAL_KEY}"}
    key: view-key-of-the-first-rival
    wallet: {credit_limit: $50000000}
  rival-02:
    ping: {url: "${RIVALS_URL}/rival-02", exchange: northside, key: "${RIVAL_KEY}"}
    key: view-key-of-the-second-rival
    wallet: {credit_limit: $50000000}
  standing-order:
    preset: {services: [hvac, plumbing, roofing], bid: $6}
    wallet: {credit_limit: $50000000}
campaigns:
  home-services:
    services: [hvac, plumbing, roofing, electrical, windows, siding, gutters, pest, tree, garage_door, handyman]
    auction: {price: second, deadline: 1s, reserve: $4, reroute: on, hops: 3, post_timeout: 800ms, post_deadline: 1s}
    window: 30s
`

// market is an exchange with rivals and homeowners.
type market struct {
	t        *testing.T
	seed     uint64
	path     string
	store    *marketstore.Store
	server   *marketserver.Server
	dealings *dealings
	stopped  sync.Once
}

func startMarket(t *testing.T, seed uint64, tapURL string) *market {
	t.Helper()
	env := map[string]string{
		"SELLER_KEY": sellerKey, "EXCHANGE_KEY": exchangeKey, "RIVAL_KEY": rivalKey,
		"TAP_URL": tapURL, "RIVALS_URL": startRivals(t, seed),
	}
	config, faults := exchange.Load(fstest.MapFS{"exchange.yaml": {Data: []byte(marketConfig)}}, "exchange.yaml",
		func(name string) (string, bool) { value, ok := env[name]; return value, ok })
	if config == nil {
		t.Fatal(faults)
	}
	m := &market{t: t, seed: seed, path: filepath.Join(t.TempDir(), "exchange.db")}
	var err error
	if m.store, err = marketstore.Open(t.Context(), m.path, marketstore.Options{}); err != nil {
		t.Fatal(err)
	}
	m.dealings = &dealings{Store: m.store, offers: map[exchange.OfferID]*dealing{}, counts: map[exchange.EventKind]int{}}
	m.server, err = marketserver.New(marketserver.Options{
		Config: config, Store: m.dealings, Log: zerolog.Nop(), Registry: prometheus.NewRegistry(), Seed: seed,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.stop)
	if err := m.server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

// startRivals serves two rivals who are awake at all hours, and gives their address.
func startRivals(t *testing.T, seed uint64) string {
	t.Helper()
	settings := simulate.DefaultRosterSettings(seed)
	settings.Rivals = 2
	roster, err := simulate.NewRoster(settings)
	if err != nil {
		t.Fatal(err)
	}
	for i := range roster.Rivals {
		roster.Rivals[i].OfficeHours, roster.Rivals[i].DailyBudget = false, pingpost.MaxCents
	}
	rivals, err := simulate.NewRivalServer(roster, simulate.ServerOptions{Key: rivalKey})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- rivals.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := rivals.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// The homeowners of a very large market, at a speed that brings about 160 of them a second, as long
// as the machine keeps up: who finds so many under way goes elsewhere.
const (
	homeownersPerDay = 1_000_000
	virtualSpeed     = 8
	underWay         = 48
)

// drive brings homeowners to the exchange until end is called, which lets those under way come to
// their end and tells what became of all.
func (m *market) drive() (end func() simulate.Driven) {
	start := time.Date(2026, time.March, 3, 16, 0, 0, 0, time.UTC) // ten in the morning in Chicago
	settings := simulate.DefaultSettings(m.seed, start)
	settings.PerDay = homeownersPerDay
	generator, err := simulate.NewGenerator(settings)
	if err != nil {
		m.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: underWay}, Timeout: patience}
	seller := &simulate.Seller{URL: "http://" + m.server.Addr() + "/v1/leads", Key: sellerKey, Client: client}
	ctx, stop := context.WithCancel(m.t.Context())
	var driven simulate.Driven
	ended := make(chan struct{})
	m.t.Cleanup(func() { <-ended }) // at once: the test's context has ended by then
	go func() {
		defer close(ended)
		defer client.CloseIdleConnections()
		drive := simulate.Drive{Clock: simulate.NewClock(start, virtualSpeed), InFlight: underWay}
		var err error
		driven, err = drive.Run(ctx, generator, func(_ context.Context, h simulate.Homeowner) error {
			_, err := seller.Sell(m.t.Context(), &h)
			return err
		})
		if err != nil {
			m.t.Error(err)
		}
	}()
	return func() simulate.Driven {
		stop()
		<-ended
		return driven
	}
}

// drain waits until the exchange owes nothing. The bidder may have been down at each of a notice's
// first attempts; then the next one is half a minute away.
func (m *market) drain() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 3*time.Minute)
	defer cancel()
	if err := m.server.Drain(ctx); err != nil {
		m.t.Error(err)
	}
}

func (m *market) stop() {
	m.stopped.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := m.server.Shutdown(ctx); err != nil {
			m.t.Error(err)
		}
		if err := m.store.Close(); err != nil {
			m.t.Error(err)
		}
	})
}

// read opens the exchange's books after its end.
func (m *market) read() *marketstore.Store {
	m.t.Helper()
	books, err := marketstore.Open(m.t.Context(), m.path, marketstore.Options{ReadOnly: true})
	if err != nil {
		m.t.Fatal(err)
	}
	return books
}

// verify is what `exchange verify` does.
func (m *market) verify() {
	m.t.Helper()
	books := m.read()
	defer books.Close()
	report, err := books.Verify(m.t.Context())
	if err != nil || len(report.Findings) > 0 {
		m.t.Errorf("exchange verify: %v %v", report.Findings, err)
	}
}

// sale is a lead that the exchange sold to the bidder.
type sale struct {
	price     pingpost.Cents
	bid, lead string
}

// sales are all of them, by offer, which is the ping's id: prices as the books have them.
func (m *market) sales() map[string]sale {
	m.t.Helper()
	books := m.read()
	defer books.Close()
	offers, err := books.Offers(m.t.Context(),
		marketstore.OfferFilter{Buyer: buyerName, End: exchange.Sold, Max: 1 << 30})
	if err != nil {
		m.t.Fatal(err)
	}
	sales := map[string]sale{}
	for _, offer := range offers {
		d := m.dealings.of(offer.ID)
		if offer.Returned || d.price != offer.Price {
			m.t.Errorf("offer %s was sold for %v (returned: %v), and its price held was %v",
				offer.ID, offer.Price, offer.Returned, d.price)
		}
		sales[string(offer.ID)] = sale{offer.Price, d.bid, d.lead}
	}
	return sales
}

func (m *market) wallet() (balance, held pingpost.Cents) {
	m.t.Helper()
	books := m.read()
	defer books.Close()
	wallets, err := books.Wallets(m.t.Context(), buyerName)
	if err != nil || len(wallets) != 1 {
		m.t.Fatalf("%d wallets: %v", len(wallets), err)
	}
	return wallets[0].Balance, wallets[0].Held
}

// spendOf is what the exchange's report says that a buyer spent.
func (m *market) spendOf(buyer string) pingpost.Cents {
	m.t.Helper()
	books := m.read()
	defer books.Close()
	report, err := books.Report(m.t.Context(), time.Time{}, time.Time{})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, line := range report.Buyers {
		if line.Buyer == buyer {
			return line.Spend
		}
	}
	return 0
}

// dealings is the exchange's store, and remembers what it committed about one buyer.
type dealings struct {
	marketserver.Store

	mu     sync.Mutex
	offers map[exchange.OfferID]*dealing
	counts map[exchange.EventKind]int
}

// dealing is how one offer went with the buyer.
type dealing struct {
	price     pingpost.Cents // held
	bid, lead string
	voided    bool
}

// Commit remembers what the store has taken.
func (d *dealings) Commit(ctx context.Context, batch exchange.Batch) error {
	if err := d.Store.Commit(ctx, batch); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range batch.Events {
		if batch.Events[i].Buyer == buyerName {
			d.note(&batch.Events[i])
		}
	}
	return nil
}

func (d *dealings) note(e *exchange.Event) {
	d.counts[e.Kind]++
	switch e.Kind {
	case exchange.Held:
		d.offers[e.Offer] = &dealing{price: e.Price, bid: e.Hold.BidID}
	case exchange.PostAccepted:
		d.offers[e.Offer].lead = e.Detail
	case exchange.Voided:
		d.offers[e.Offer].voided = true
	}
}

// counted is how often an event about the buyer was committed.
func (d *dealings) counted(kind exchange.EventKind) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts[kind]
}

// of is how an offer went; the zero value where the buyer had nothing to do with it.
func (d *dealings) of(id exchange.OfferID) dealing {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.offers[id]; known != nil {
		return *known
	}
	return dealing{}
}

func (d *dealings) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprintf("%d prices held, %d posts requested, %d unknown, %d rejected, %d sold; %d withdrawals in %d notices, %d answered late",
		d.counts[exchange.Held], d.counts[exchange.PostRequested], d.counts[exchange.PostUnknown],
		d.counts[exchange.PostRejected], d.counts[exchange.Sold], d.counts[exchange.Voided],
		d.counts[exchange.VoidRequested], d.counts[exchange.AnsweredLate])
}
