package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"leadbid/exchange"
	"leadbid/exchange/server"
	"leadbid/exchange/store"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's own goroutines, which outlive a server or client by seconds at most.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// buyer is a stub bidder: what it does with each message is a function that the test sets.
type buyer struct {
	name string
	url  string

	mu       sync.Mutex
	received []string // all bodies, in order of arrival
	posts    []pingpost.Post
	notices  []pingpost.Notice

	bid    pingpost.Cents
	post   func(attempt int, ctx *fasthttp.RequestCtx) // nil accepts
	notice func(attempt int, ctx *fasthttp.RequestCtx) // nil acknowledges
}

func startBuyer(t testing.TB, name string, bid pingpost.Cents) *buyer {
	t.Helper()
	b := &buyer{name: name, bid: bid}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := wire.Load("native")
	if err != nil {
		t.Fatal(err)
	}
	httpServer := &fasthttp.Server{CloseOnShutdown: true, Handler: func(ctx *fasthttp.RequestCtx) { b.handle(profile, ctx) }}
	done := make(chan error, 1)
	go func() { done <- httpServer.Serve(listener) }()
	t.Cleanup(func() {
		if err := httpServer.Shutdown(); err != nil {
			t.Error(err)
		}
		listener.Close() // where Serve has not begun, Shutdown did not reach it
		<-done
	})
	b.url = "http://" + listener.Addr().String()
	return b
}

func (b *buyer) handle(profile *wire.Profile, ctx *fasthttp.RequestCtx) {
	body := bytes.Clone(ctx.PostBody())
	b.mu.Lock()
	b.received = append(b.received, string(body))
	b.mu.Unlock()
	if string(ctx.Request.Header.Peek("Authorization")) != "Bearer ping-key-of-"+b.name {
		ctx.SetStatusCode(401)
		return
	}
	switch kind, _, _ := strings.Cut(strings.TrimPrefix(string(ctx.Path()), "/v1/"), "/"); kind {
	case "ping":
		b.answerPing(profile, body, ctx)
	case "post":
		var post pingpost.Post
		if err := profile.DecodePost(&post, body); err != nil {
			ctx.SetStatusCode(400)
			return
		}
		b.mu.Lock()
		b.posts = append(b.posts, post)
		attempt, decide := len(b.posts), b.post
		b.mu.Unlock()
		if decide == nil {
			decide = accept
		}
		decide(attempt, ctx)
	case "notice":
		var notice pingpost.Notice
		if err := profile.DecodeNotice(&notice, body); err != nil {
			ctx.SetStatusCode(400)
			return
		}
		b.mu.Lock()
		b.notices = append(b.notices, notice)
		attempt, decide := len(b.notices), b.notice
		b.mu.Unlock()
		if decide != nil {
			decide(attempt, ctx)
		}
		if len(ctx.Response.Body()) == 0 && ctx.Response.StatusCode() == profile.AcknowledgementStatus() {
			ctx.SetBody(profile.AppendAcknowledgement(nil, &notice))
		}
	}
}

func (b *buyer) answerPing(profile *wire.Profile, body []byte, ctx *fasthttp.RequestCtx) {
	var ping pingpost.Ping
	if err := profile.DecodePing(&ping, body); err != nil {
		ctx.SetStatusCode(400)
		return
	}
	answer := pingpost.Answer{Kind: pingpost.AnswerNoBid, PingID: ping.ID}
	if b.bid > 0 {
		answer = pingpost.Answer{Kind: pingpost.AnswerBid, PingID: ping.ID, Bid: b.bid, BidID: "bid-" + ping.ID, ExpiresInMS: 60_000}
	}
	ctx.SetBody(profile.AppendAnswer(nil, &answer))
}

func accept(_ int, ctx *fasthttp.RequestCtx) {
	ctx.WriteString(`{"status":"accepted","lead_id":"l-1"}`)
}

func reject(_ int, ctx *fasthttp.RequestCtx) {
	ctx.WriteString(`{"status":"rejected","reason":"duplicate_lead"}`)
}

func busy(_ int, ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(503) }

// seen gives a copy of what the buyer was told.
func (b *buyer) seen() (posts []pingpost.Post, notices []pingpost.Notice, bodies string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.posts), slices.Clone(b.notices), strings.Join(b.received, "\n")
}

// market is a running exchange with its stub buyers.
type market struct {
	t      testing.TB
	server *server.Server
	store  *store.Store
	config *exchange.Config
	path   string
	log    *syncBuffer
	client *http.Client
	said   *syncBuffer // every answer of the exchange that was read

	crashed map[*server.Server]bool
}

type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// configFor is an exchange of two sellers, one auction campaign and the given buyers. It waits long
// for their answers, so that a slow machine is no silent buyer; who tests silence says giveUpSoon.
func configFor(buyers ...*buyer) *exchange.Config {
	config := &exchange.Config{
		Name: "Test Exchange", Location: time.UTC,
		Server: exchange.Server{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"},
		Sellers: []exchange.Seller{
			{Name: "webform", Key: "seller-key-of-webform", Margin: 2500},
			{Name: "rival", Key: "seller-key-of-rival"},
		},
		Campaigns: []exchange.Campaign{{
			Name: "hvac", Services: []pingpost.Service{pingpost.HVAC}, Window: time.Minute,
			Auction: exchange.Auction{Price: pingpost.AuctionFirst, Deadline: 30 * time.Second, Reserve: 500,
				PostTimeout: 30 * time.Second, PostDeadline: time.Minute, Reroute: exchange.RerouteOn, Hops: 3},
		}},
	}
	for _, b := range buyers {
		config.Buyers = append(config.Buyers, exchange.Buyer{
			Name: b.name, Key: "view-key-of-" + b.name, Tells: exchange.TellsPrice,
			Ping: &exchange.Endpoint{Profile: "native", URL: b.url, Exchange: "test", Key: "ping-key-of-" + b.name},
		})
	}
	return config
}

// giveUpSoon has an exchange wait only a moment for the answer to a post, and for some seconds try it again.
func giveUpSoon(config *exchange.Config) *exchange.Config {
	auction := &config.Campaigns[0].Auction
	auction.PostTimeout, auction.PostDeadline = 300*time.Millisecond, 3*time.Second
	return config
}

// startMarket starts an exchange; its buyers get $1,000 each.
func startMarket(t testing.TB, config *exchange.Config) *market {
	t.Helper()
	m := &market{
		t: t, config: config, path: filepath.Join(t.TempDir(), "exchange.db"), log: &syncBuffer{}, said: &syncBuffer{},
		client: &http.Client{Timeout: time.Minute}, crashed: map[*server.Server]bool{},
	}
	t.Cleanup(m.client.CloseIdleConnections)
	m.start(func(s *store.Store) server.Store { return s })
	for _, b := range config.Buyers {
		m.admin("POST", "/v1/topups", fmt.Sprintf(`{"id":"start-%s","buyer":%q,"amount":1000.00}`, b.Name, b.Name), 200)
	}
	return m
}

func (m *market) start(wrap func(*store.Store) server.Store) {
	m.t.Helper()
	ctx := context.Background()
	opened, err := store.Open(ctx, m.path, store.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	m.store = opened
	m.server, err = server.New(server.Options{
		Config: m.config, Store: wrap(opened), Log: zerolog.New(m.log).Level(zerolog.DebugLevel),
		Registry: prometheus.NewRegistry(), Seed: 7,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.server.Start(ctx); err != nil {
		m.t.Fatal(err)
	}
	running := m.server
	m.t.Cleanup(func() {
		if m.crashed[running] {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := running.Shutdown(ctx); err != nil {
			m.t.Error(err)
		}
		if err := opened.Close(); err != nil {
			m.t.Error(err)
		}
	})
}

// crash ends the exchange without letting it finish anything.
func (m *market) crash() {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = m.server.Shutdown(ctx) // its error is that of the cancelled context
	m.crashed[m.server] = true
	if err := m.store.Close(); err != nil {
		m.t.Fatal(err)
	}
}

// drain waits until everything is settled.
func (m *market) drain() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.server.Drain(ctx); err != nil {
		m.t.Fatal(err)
	}
}

// insist sends a request again where the connection was reset or broken: a server that refuses a body
// before it has read it closes the connection, and that may overtake its answer.
func insist(client *http.Client, request *http.Request) (*http.Response, error) {
	response, err := client.Do(request)
	for tries := 0; tries < 20 && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)); tries++ {
		if request.Body, err = request.GetBody(); err != nil {
			return nil, err
		}
		response, err = client.Do(request)
	}
	return response, err
}

// ask sends a request and gives status and JSON of the answer.
func (m *market) ask(method, address, key, body string, header ...string) (int, map[string]any) {
	m.t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := insist(m.client, request)
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	fmt.Fprintf(m.said, "%s %s: %s\n", method, address, text)
	view := map[string]any{}
	if err := json.Unmarshal(text, &view); err != nil && strings.Contains(address, "/v1/") {
		m.t.Fatalf("%s %s: %d %q", method, address, answer.StatusCode, text)
	}
	return answer.StatusCode, view
}

func (m *market) public(method, path, key, body string, header ...string) (int, map[string]any) {
	m.t.Helper()
	return m.ask(method, "http://"+m.server.Addr()+path, key, body, header...)
}

func (m *market) admin(method, path, body string, want int) map[string]any {
	m.t.Helper()
	status, view := m.ask(method, "http://"+m.server.AdminAddr()+path, "", body)
	if status != want {
		m.t.Fatalf("%s %s: %d %v", method, path, status, view)
	}
	return view
}

// verify fails where the books do not agree.
func (m *market) verify() {
	m.t.Helper()
	report, err := m.store.Verify(context.Background())
	if err != nil || len(report.Findings) > 0 {
		m.t.Errorf("%v %v", report.Findings, err)
	}
}

// kinds are the events of a lead, in order.
func (m *market) kinds(offer any) []string {
	m.t.Helper()
	events, err := m.store.Timeline(context.Background(), exchange.OfferID(offer.(string)))
	if err != nil {
		m.t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind.String())
	}
	return kinds
}

// wallet is a buyer's balance and held money in dollars.
func (m *market) wallet(name string) (balance, held float64) {
	m.t.Helper()
	status, view := m.public("GET", "/v1/wallet", "view-key-of-"+name, "")
	if status != 200 {
		m.t.Fatalf("wallet of %s: %d %v", name, status, view)
	}
	return view["balance"].(float64), view["held"].(float64)
}

// Canaries stand in every private field of a lead, and nowhere else.
const aLead = `{"lead_id":"w-1","service":"hvac","job":"repair","zip":"60614","state":"IL","urgency":"emergency",
	"homeowner":true,"lead_score":72,"source":"google-12","attrs":{"system":"furnace"},
	"consent":{"trustedform_url":"https://cert.trustedform.com/0123456789abcdef0123456789abcdef01234567"},
	"lead":{"first_name":"Canaryfirst","last_name":"Canarylast","phone":"+13125550123","email":"canary@example.com",
	"address":"1 Canary Street","city":"Chicago","state":"IL","zip":"60614","notes":"Canarynotes"}}`

var canaries = []string{"Canaryfirst", "Canarylast", "3125550123", "canary@example.com", "Canary Street", "Canarynotes"}
