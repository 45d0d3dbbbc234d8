package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	bidderserver "leadbid/bidder/server"
	"leadbid/pingpost"
	"leadbid/pingpost/zips"
	"leadbid/rules"
)

// benchKey is what the exchange shows to the bidder, and sellers to the exchange.
const benchKey = "bench-0123456789abcdef0123456789abcdef"

const (
	pingPath   = "/v1/ping/bench"
	noticePath = "/v1/notice/bench"
)

// bareSpec asks for fasthttp with a fixed answer: what a bid path is held against.
type bareSpec struct{ Body string }

// fixedAnswer is as long as a bid of ours.
var fixedAnswer = `{"ping_id":"` + idOf(0) + `","status":"bid","bid":42.50,"currency":"USD","bid_id":"` +
	strings.Repeat("A", 88) + `","expires_in_ms":60000}`

func startBare(s bareSpec) (server, error) {
	listener, err := listen()
	if err != nil {
		return server{}, err
	}
	body := []byte(s.Body)
	bare := &fasthttp.Server{CloseOnShutdown: true, Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("application/json")
		ctx.SetBody(body)
	}}
	served := make(chan error, 1)
	go func() { served <- bare.Serve(listener) }()
	return server{addr: listener.Addr().String(), stop: func(ctx context.Context) (final, error) {
		return final{}, errors.Join(bare.ShutdownWithContext(ctx), <-served)
	}}, nil
}

// bidderSpec asks for a whole bidder: bidder/server as `bidder serve` runs it.
type bidderSpec struct {
	Rules  int  // of its one campaign, at least 2
	Record bool // keep a recording, as configurations do
}

func startBidder(s bidderSpec, dir string) (server, error) {
	if err := os.WriteFile(filepath.Join(dir, "bidder.yaml"), []byte(s.configuration()), 0o600); err != nil {
		return server{}, err
	}
	rs, faults := rules.Load(os.DirFS(dir), "bidder.yaml", func(string) (string, bool) { return benchKey, true })
	if rs == nil {
		return server{}, faults.Err()
	}
	ctx := context.Background()
	running, err := bidderserver.New(ctx, bidderserver.Options{Rules: rs, Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		return server{}, err
	}
	if err := running.Start(ctx); err != nil {
		return server{}, errors.Join(err, running.Close(ctx))
	}
	return server{addr: running.Addr(), stop: func(ctx context.Context) (final, error) {
		return stopBidder(ctx, running, rs.Settings().Store, dir)
	}}, nil
}

// stopBidder stops as `bidder serve` does and then holds the books against themselves, as `bidder
// verify` does.
func stopBidder(ctx context.Context, running *bidderserver.Server, books, dir string) (last final, err error) {
	status, err := running.Status(ctx)
	if err := errors.Join(err, running.Close(ctx)); err != nil {
		return last, err
	}
	last.NoBids = status.Answers.NoBids
	if status.Recording != nil {
		last.Recorded, last.Dropped = true, status.Recording.Dropped
	}
	store, err := bidderserver.ReadStore(ctx, books, dir)
	if err != nil {
		return last, err
	}
	defer store.Close()
	report, err := store.Verify(ctx)
	if err != nil {
		return last, err
	}
	last.Checked = len(report.Checked)
	for _, finding := range report.Findings {
		last.Broken = append(last.Broken, finding.ID+": "+finding.What)
	}
	return last, nil
}

// configuration is a contractor's of one trade who prices neighbourhoods: all rules but the last
// pick four ZIPs, the last one is for everybody else whose score is fair. Its limits are far above
// what a run comes to: it measures bids, not refusals.
func (s bidderSpec) configuration() string {
	var text strings.Builder
	fmt.Fprintf(&text, `version: 1
business: {name: Bench, timezone: America/Chicago, budget: {month: $50000000}}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: sqlite:bidder.db
mode: live
exchanges:
  bench: {profile: native, auth: {bearer: "${BENCH_KEY}"}, commitment: refusable, auction: first, tells: result, reasons: true}
campaigns:
  metro:
    services: [%s]
    area: {zip: %v, miles: %d, only_states: [IL]}
    budget: {day: $50000000}
    capacity: {leads: {week: 1000000}}
    require: {consent: promised}
    limits: {min_bid: $5, max_bid: $60}
    adjust:
      - {name: slow week, when: capacity.week.pace < 0.8, multiply: 1.2}
      - {name: paid search, when: 'source startsWith "google"', add: 3}
    rules:
`, trade, metro, metroMiles)
	area := s.area()
	for i := range s.Rules - 1 {
		var picked [4]string
		for j := range picked {
			picked[j] = `"` + area[(i*len(area)/(s.Rules-1)+j*61)%len(area)].String() + `"`
		}
		fmt.Fprintf(&text, "      - {when: 'zip in [%s] and urgency in [\"emergency\", \"asap\"] and lead_score >= %d "+
			"and property_type != \"condo\"', bid: 20 + 0.1 * lead_score}\n", strings.Join(picked[:], ", "), 10+i%50)
	}
	text.WriteString("      - {name: everywhere else, when: lead_score >= 35, bid: 18 + 0.1 * lead_score}\n")
	if s.Record {
		text.WriteString("record: {dir: recordings}\n")
	}
	return text.String()
}

// The metro area of the pings: that of the simulator.
const (
	metro      = pingpost.ZIP(60614)
	metroMiles = 25
)

// area is the ZIPs that the rules pick among: the metro's, and wider circles where the rules are
// so many that each of its ZIPs would be picked by dozens.
func (s bidderSpec) area() []pingpost.ZIP {
	for miles := float64(metroMiles); ; miles += 25 {
		if near, _ := zips.Within(metro, miles); len(near) >= s.Rules || miles > 1000 {
			return near
		}
	}
}
