package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"leadbid/exchange"
	exchangeserver "leadbid/exchange/server"
	"leadbid/exchange/store"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

const (
	leadsPath = "/v1/leads?wait=1"
	buyerKey  = "buyer-%02d-0123456789abcdef0123456789abcdef"
)

// buyersSpec asks for buyers over HTTP behind one listener, each at "/NUMBER": every one of them
// bids on every ping, at a price of its own for each, and takes every post. They are as cheap as
// they can be, because they share their CPU with the generator.
type buyersSpec struct{}

func startBuyers(buyersSpec) (server, error) {
	profile, err := wire.Load("native")
	if err != nil {
		return server{}, err
	}
	listener, err := listen()
	if err != nil {
		return server{}, err
	}
	buyers := &fasthttp.Server{CloseOnShutdown: true, Handler: func(ctx *fasthttp.RequestCtx) { serveBuyer(ctx, profile) }}
	served := make(chan error, 1)
	go func() { served <- buyers.Serve(listener) }()
	return server{addr: listener.Addr().String(), stop: func(ctx context.Context) (final, error) {
		return final{}, errors.Join(buyers.ShutdownWithContext(ctx), <-served)
	}}, nil
}

func serveBuyer(ctx *fasthttp.RequestCtx, profile *wire.Profile) {
	name, call, _ := strings.Cut(strings.TrimPrefix(string(ctx.Path()), "/"), "/v1/")
	ctx.SetContentType("application/json")
	switch kind, _, _ := strings.Cut(call, "/"); kind {
	case "ping":
		var ping pingpost.Ping
		if err := profile.DecodePing(&ping, ctx.PostBody()); err != nil {
			ctx.SetStatusCode(fasthttp.StatusBadRequest)
			return
		}
		bid := 10_00 + pingpost.Cents(xxhash.Sum64String(name+ping.ID)%30_00)
		ctx.SetBody(profile.AppendAnswer(nil, &pingpost.Answer{
			Kind: pingpost.AnswerBid, PingID: ping.ID, Bid: bid, BidID: "bid-" + name + "-" + ping.ID, ExpiresInMS: 60_000,
		}))
	case "post":
		var post pingpost.Post
		if err := profile.DecodePost(&post, ctx.PostBody()); err != nil {
			ctx.SetStatusCode(fasthttp.StatusBadRequest)
			return
		}
		ctx.SetBody(profile.AppendVerdict(nil, &pingpost.Verdict{
			Kind: pingpost.VerdictAccepted, PingID: post.PingID, LeadID: "lead-" + post.PingID,
		}))
	default:
		var notice pingpost.Notice
		if err := profile.DecodeNotice(&notice, ctx.PostBody()); err != nil {
			ctx.SetStatusCode(fasthttp.StatusBadRequest)
			return
		}
		ctx.SetBody(profile.AppendAcknowledgement(nil, &notice))
	}
}

// exchangeSpec asks for a whole exchange: exchange/server on its SQLite store, as `exchange serve`
// runs it, with so many buyers that it asks over HTTP.
type exchangeSpec struct {
	Buyers int
	At     string        // the buyers' address
	Waits  time.Duration // for bids
}

func startExchange(s exchangeSpec, dir string) (server, error) {
	if err := os.WriteFile(filepath.Join(dir, "exchange.yaml"), []byte(s.configuration()), 0o600); err != nil {
		return server{}, err
	}
	config, faults := exchange.Load(os.DirFS(dir), "exchange.yaml", func(name string) (string, bool) {
		var buyer int
		if _, err := fmt.Sscanf(name, "BUYER_%d", &buyer); err == nil {
			return fmt.Sprintf(buyerKey, buyer), true
		}
		return benchKey, true
	})
	if config == nil {
		return server{}, faults.Err()
	}
	ctx := context.Background()
	books, err := store.Open(ctx, filepath.Join(dir, "exchange.db"), store.Options{})
	if err != nil {
		return server{}, err
	}
	running, err := exchangeserver.New(exchangeserver.Options{
		Config: config, Store: books, Log: zerolog.Nop(), Dir: dir, Registry: prometheus.NewRegistry(), Seed: 1,
	})
	if err == nil {
		err = running.Start(ctx)
	}
	if err != nil {
		return server{}, errors.Join(err, books.Close())
	}
	return server{addr: running.Addr(), stop: func(ctx context.Context) (final, error) {
		return stopExchange(ctx, running, books)
	}}, nil
}

// stopExchange waits until nothing is under way, stops, and holds the books against themselves.
func stopExchange(ctx context.Context, running *exchangeserver.Server, books *store.Store) (last final, err error) {
	err = errors.Join(running.Drain(ctx), running.Shutdown(ctx))
	if err != nil {
		return last, errors.Join(err, books.Close())
	}
	report, err := books.Verify(ctx)
	if err := errors.Join(err, books.Close()); err != nil {
		return last, err
	}
	last.Checked = len(report.Checked)
	for _, finding := range report.Findings {
		last.Broken = append(last.Broken, finding.ID+": "+finding.What)
	}
	return last, nil
}

// configuration is an exchange that sells one trade's leads in sealed-bid auctions.
func (s exchangeSpec) configuration() string {
	var text strings.Builder
	fmt.Fprintf(&text, `version: 1
exchange: {name: Bench, timezone: America/Chicago}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: sqlite:exchange.db
sellers:
  webform: {key: "${SELLER_KEY}", margin: 25%%, floor: $4}
campaigns:
  metro:
    services: [%s]
    auction: {price: first, deadline: %v, reserve: $4}
buyers:
`, trade, s.Waits)
	for i := range s.Buyers {
		fmt.Fprintf(&text, "  buyer-%02d: {ping: {profile: native, url: \"http://%s/%02d\", exchange: bench, key: \"${BUYER_%02d}\"}, "+
			"wallet: {credit_limit: $50000000}, tells: result}\n", i, s.At, i, i)
	}
	return text.String()
}
