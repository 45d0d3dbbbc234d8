package pinger

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"leadbid/exchange"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's own goroutines, which outlive a server or client by seconds at most.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"))
}

func native(t testing.TB) *wire.Profile {
	t.Helper()
	profile, err := wire.Load("native")
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

// serve runs a buyer on a free port of the loopback until the test ends.
func serve(t testing.TB, handler fasthttp.RequestHandler) (baseURL string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &fasthttp.Server{Handler: handler, CloseOnShutdown: true}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		listener.Close() // where Serve has not begun, Shutdown did not reach it
		<-done
	})
	return "http://" + listener.Addr().String()
}

// serveRaw runs a buyer that answers each connection in its own way.
func serveRaw(t testing.TB, answer func(net.Conn)) (baseURL string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer conn.Close()
				answer(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		wait.Wait()
	})
	return "http://" + listener.Addr().String()
}

func newPinger(t testing.TB, options Options, urls map[string]string) *Pinger {
	t.Helper()
	for name, url := range urls {
		options.Buyers = append(options.Buyers,
			Buyer{Name: name, BaseURL: url, Exchange: "northside", Key: "key-of-" + name, Profile: native(t)})
	}
	options.Now = time.Now
	p, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func aPing() *pingpost.Ping {
	return &pingpost.Ping{ID: "p-1", Service: pingpost.HVAC, ZIP: 60614, Exclusive: true}
}

func bidding(cents int) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		fmt.Fprintf(ctx, `{"ping_id":"p-1","status":"bid","bid":%d.%02d,"currency":"USD","bid_id":"b-%d","expires_in_ms":60000}`,
			cents/100, cents%100, cents)
	}
}

func TestAskTellsWhatEachBuyerMadeOfIt(t *testing.T) {
	release := make(chan struct{})
	urls := map[string]string{
		"bids": serve(t, bidding(4250)),
		"passes": serve(t, func(ctx *fasthttp.RequestCtx) {
			ctx.WriteString(`{"ping_id":"p-1","status":"no_bid","reason":"outside_area"}`)
		}),
		"garbage": serve(t, func(ctx *fasthttp.RequestCtx) { ctx.WriteString("<html>555-0100</html>") }),
		"huge": serve(t, func(ctx *fasthttp.RequestCtx) {
			ctx.WriteString(`{"ping_id":"p-1","status":"no_bid"}` + strings.Repeat(" ", maxAnswerBody))
		}),
		"fails": serve(t, func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(500); ctx.WriteString(`{"status":"bid"}`) }),
		"moved": serve(t, func(ctx *fasthttp.RequestCtx) { ctx.Redirect("http://127.0.0.1:1/", 302) }),
		"other": serve(t, func(ctx *fasthttp.RequestCtx) {
			ctx.WriteString(`{"ping_id":"p-2","status":"bid","bid":9,"bid_id":"b"}`)
		}),
		"free": serve(t, func(ctx *fasthttp.RequestCtx) {
			ctx.WriteString(`{"ping_id":"p-1","status":"bid","bid":0,"bid_id":"b"}`)
		}),
		"minus": serve(t, func(ctx *fasthttp.RequestCtx) {
			ctx.WriteString(`{"ping_id":"p-1","status":"bid","bid":-5,"bid_id":"b"}`)
		}),
		"no-id":  serve(t, func(ctx *fasthttp.RequestCtx) { ctx.WriteString(`{"ping_id":"p-1","status":"bid","bid":5}`) }),
		"slow":   serve(t, func(*fasthttp.RequestCtx) { <-release }),
		"resets": serveRaw(t, func(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0) }),
		"hangs":  serveRaw(t, func(conn net.Conn) { <-release }),
		"trickles": serveRaw(t, func(conn net.Conn) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
			<-release
		}),
		"not-http": serveRaw(t, func(conn net.Conn) { io.WriteString(conn, "SSH-2.0-secret\r\n\r\n"); <-release }),
		"closed":   "http://127.0.0.1:1",
		"no-tls":   strings.Replace(serveRaw(t, func(conn net.Conn) { <-release }), "http://", "https://", 1),
	}
	p := newPinger(t, Options{}, urls)
	t.Cleanup(func() { close(release) })
	buyers := []string{"slow", "bids", "passes", "garbage", "huge", "fails", "moved", "other", "free", "minus", "no-id",
		"resets", "hangs", "trickles", "not-http", "closed", "unknown", "no-tls"}
	silent := []string{"slow", "hangs", "trickles", "no-tls"}
	began := time.Now()
	answers := p.Ask(began.Add(500*time.Millisecond), aPing(), buyers)
	if took := time.Since(began); took < 450*time.Millisecond || took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	for i, answer := range answers {
		if answer.Buyer != buyers[i] {
			t.Fatalf("place %d holds %s", i, answer.Buyer)
		}
		if answer.Status != exchange.AnswerTimedOut && slices.Contains(silent, answer.Buyer) {
			t.Errorf("%s: %v %q", answer.Buyer, answer.Status, answer.Detail)
		}
	}
	// The others have time, however busy this machine is.
	buyers = slices.DeleteFunc(buyers, func(buyer string) bool { return slices.Contains(silent, buyer) })
	began = time.Now()
	for i, answer := range p.Ask(began.Add(time.Minute), aPing(), buyers) {
		if answer.Buyer != buyers[i] {
			t.Fatalf("place %d holds %s", i, answer.Buyer)
		}
		want := exchange.AnswerBroken
		switch answer.Buyer {
		case "bids":
			want = exchange.AnswerBid
			if answer.Bid != 4250 || answer.BidID != "b-4250" || answer.Until.Before(began.Add(time.Minute)) || answer.Latency <= 0 {
				t.Errorf("%+v", answer)
			}
		case "passes":
			want = exchange.AnswerNoBid
			if answer.Reason != pingpost.OutsideArea {
				t.Errorf("%+v", answer)
			}
		}
		if answer.Status != want {
			t.Errorf("%s: %v %q, want %v", answer.Buyer, answer.Status, answer.Detail, want)
		}
		if want == exchange.AnswerBroken && answer.Detail == "" {
			t.Errorf("%s: no detail", answer.Buyer)
		}
		if strings.Contains(answer.Detail, "html") || strings.Contains(answer.Detail, "555-0100") || strings.Contains(answer.Detail, "secret") {
			t.Errorf("%s: the detail shows content: %q", answer.Buyer, answer.Detail)
		}
	}
}

func TestAskReturnsWhenAllHaveAnswered(t *testing.T) {
	p := newPinger(t, Options{}, map[string]string{"a": serve(t, bidding(100)), "b": serve(t, bidding(200))})
	began := time.Now()
	answers := p.Ask(began.Add(time.Minute), aPing(), []string{"b", "a"})
	if took := time.Since(began); took > 30*time.Second {
		t.Fatalf("waited %v for the deadline", took)
	}
	if answers[0].Bid != 200 || answers[1].Bid != 100 {
		t.Fatalf("%+v", answers)
	}
}

func TestAskWithoutTimeOrBuyers(t *testing.T) {
	p := newPinger(t, Options{}, map[string]string{"a": serve(t, bidding(100))})
	if answers := p.Ask(time.Now().Add(time.Minute), aPing(), nil); len(answers) != 0 {
		t.Fatal(answers)
	}
	answers := p.Ask(time.Now().Add(-time.Second), aPing(), []string{"a"})
	if answers[0].Status != exchange.AnswerTimedOut || answers[0].Reason != pingpost.TimedOut {
		t.Fatalf("%+v", answers)
	}
}

func TestWhatABuyerIsSent(t *testing.T) {
	type request struct{ path, key, body string }
	requests := make(chan request, 8)
	url := serve(t, func(ctx *fasthttp.RequestCtx) {
		requests <- request{string(ctx.Path()), string(ctx.Request.Header.Peek("Authorization")), string(ctx.PostBody())}
		if strings.HasPrefix(string(ctx.Path()), "/base/v1/post/") {
			ctx.WriteString(`{"ping_id":"p-1","status":"accepted","lead_id":"l-1"}`)
		}
		if strings.HasPrefix(string(ctx.Path()), "/base/v1/notice/") {
			ctx.WriteString(`{"ping_id":"p-1","outcome":"lost","status":"ok"}`)
		}
	})
	p := newPinger(t, Options{}, map[string]string{"a": url + "/base/"})
	deadline := time.Now().Add(time.Minute)
	p.Ask(deadline, aPing(), []string{"a"})
	ping := <-requests
	least := int(time.Until(deadline).Milliseconds()) - 10 // what is kept back for the way
	var decoded pingpost.Ping
	if err := native(t).DecodePing(&decoded, []byte(ping.body)); err != nil {
		t.Fatal(err)
	}
	if decoded.TmaxMS < least || decoded.TmaxMS > 59_990 || ping.path != "/base/v1/ping/northside" || ping.key != "Bearer key-of-a" {
		t.Errorf("%+v in %+v", decoded, ping)
	}
	decoded.TmaxMS = 0
	if diff := cmp.Diff(aPing(), &decoded, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(pingpost.Ping{}, "Digest")); diff != "" {
		t.Error(diff)
	}

	post := &pingpost.Post{PingID: "p-1", BidID: "b-1", Price: 4100, Service: pingpost.HVAC, ZIP: 60614,
		Lead: pingpost.Lead{FirstName: pingpost.NewPrivate("Jo"), Phone: pingpost.NewPrivate("+13125550100"), ZIP: 60614}}
	verdict, latency := p.Post(time.Now().Add(time.Minute), "a", post)
	if verdict.Kind != pingpost.VerdictAccepted || verdict.LeadID != "l-1" || latency <= 0 {
		t.Errorf("%+v", verdict)
	}
	if sent := <-requests; sent.path != "/base/v1/post/northside" || !strings.Contains(sent.body, "+13125550100") {
		t.Errorf("%+v", sent)
	}
	if err := p.Notify(time.Now().Add(time.Minute), "a", &pingpost.Notice{PingID: "p-1", BidID: "b-1", Outcome: pingpost.OutcomeLost}); err != nil {
		t.Error(err)
	}
	if sent := <-requests; sent.path != "/base/v1/notice/northside" || !strings.Contains(sent.body, `"lost"`) {
		t.Errorf("%+v", sent)
	}
}

func TestPostWithoutAnAnswerIsUnknown(t *testing.T) {
	release := make(chan struct{})
	status := func(code int, body string) string {
		return serve(t, func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(code); ctx.WriteString(body) })
	}
	p := newPinger(t, Options{}, map[string]string{
		"hangs":    serve(t, func(*fasthttp.RequestCtx) { <-release }),
		"resets":   serveRaw(t, func(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0) }),
		"closed":   "http://127.0.0.1:1",
		"busy":     status(503, `{"error":{"code":"store_away"}}`),
		"conflict": status(409, `{"ping_id":"p-1","error":{"code":"conflict"}}`),
		"garbage":  status(200, `<html>`),
		"rejects":  status(200, `{"ping_id":"p-1","status":"rejected","reason":"duplicate_lead"}`),
		"other":    status(200, `{"ping_id":"p-9","status":"accepted","lead_id":"l"}`),
		"unknown":  status(404, `{"error":{"code":"bid_unknown"}}`),
	})
	t.Cleanup(func() { close(release) })
	post := &pingpost.Post{PingID: "p-1", BidID: "b-1", Price: 100, Service: pingpost.HVAC, ZIP: 60614}
	for buyer, want := range map[string]pingpost.VerdictKind{
		"hangs": pingpost.VerdictUnknown, "resets": pingpost.VerdictUnknown, "closed": pingpost.VerdictUnknown,
		"busy": pingpost.VerdictBusy, "conflict": pingpost.VerdictConflict, "garbage": pingpost.VerdictError,
		"rejects": pingpost.VerdictRejected, "other": pingpost.VerdictError, "nobody": pingpost.VerdictUnknown,
		"unknown": pingpost.VerdictError,
	} {
		allowed := time.Minute
		if buyer == "hangs" {
			allowed = 300 * time.Millisecond
		}
		verdict, _ := p.Post(time.Now().Add(allowed), buyer, post)
		if verdict.Kind != want || verdict.PingID != "p-1" {
			t.Errorf("%s: %+v", buyer, verdict)
		}
		// What is no acknowledgement of this notice in the profile's way is none, whatever its status.
		err := p.Notify(time.Now().Add(allowed), buyer, &pingpost.Notice{PingID: "p-1", BidID: "b", Outcome: pingpost.OutcomeVoided})
		if err == nil {
			t.Errorf("a withdrawal counts as acknowledged by %s", buyer)
		}
		answered := want != pingpost.VerdictUnknown
		if errors.Is(err, ErrAnswered) != answered || errors.Is(err, wire.ErrUnknownBid) != (buyer == "unknown") {
			t.Errorf("%s: %v", buyer, err)
		}
	}
}

// A connection that the buyer closed while it was idle is no fault of the buyer's.
func TestClosedIdleConnectionIsRetried(t *testing.T) {
	var connections atomic.Int32
	url := serveRaw(t, func(conn net.Conn) {
		connections.Add(1)
		buffer := make([]byte, 4096)
		if _, err := conn.Read(buffer); err != nil {
			return
		}
		body := `{"ping_id":"p-1","status":"no_bid"}`
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	p := newPinger(t, Options{}, map[string]string{"a": url})
	for range 5 {
		if answers := p.Ask(time.Now().Add(time.Minute), aPing(), []string{"a"}); answers[0].Status != exchange.AnswerNoBid {
			t.Fatalf("%+v", answers)
		}
	}
	if connections.Load() != 5 {
		t.Errorf("%d connections", connections.Load())
	}
}

func TestFailingBuyerIsLeftAlone(t *testing.T) {
	var asked atomic.Int32
	p := newPinger(t, Options{}, map[string]string{"a": serve(t, func(ctx *fasthttp.RequestCtx) { asked.Add(1); ctx.SetStatusCode(500) })})
	for range failuresToRest + 5 {
		p.Ask(time.Now().Add(time.Minute), aPing(), []string{"a"})
	}
	if asked.Load() != failuresToRest {
		t.Errorf("asked %d times", asked.Load())
	}
	health := p.Health()[0]
	if health.Buyer != "a" || health.Failures != failuresToRest || health.Resting <= 0 || health.Rests != 1 || health.Last == "" {
		t.Errorf("%+v", health)
	}
}

func TestHealth(t *testing.T) {
	at := func(seconds float64) time.Time {
		return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
	}
	var h health
	for range failuresToRest {
		if !h.mayTry(at(0)) {
			t.Fatal("left alone too early")
		}
		h.note(at(0), exchange.AnswerTimedOut, "")
	}
	h.note(at(0.5), exchange.AnswerBroken, "one that was out already")
	steps := []struct {
		second float64
		try    bool
		end    exchange.AnswerStatus
	}{
		{0.9, false, 0},
		{1, true, exchange.AnswerBroken}, // the probe fails: two seconds
		{2.9, false, 0},
		{3, true, exchange.AnswerTimedOut}, // four
		{6.9, false, 0},
		{7, true, exchange.AnswerNoBid}, // back
		{7, true, exchange.AnswerBid},
	}
	for _, step := range steps {
		if h.mayTry(at(step.second)) != step.try {
			t.Fatalf("second %v: %+v", step.second, step)
		}
		if step.try {
			if h.failures >= failuresToRest && h.mayTry(at(step.second)) {
				t.Fatalf("second %v: two probes at one time", step.second)
			}
			h.note(at(step.second), step.end, "detail")
		}
	}
	for range 20 {
		h.note(at(10_000), exchange.AnswerBroken, "down")
	}
	if h.until.After(at(10_001)) {
		t.Errorf("pings that were out together lengthened the rest to %v", h.rest)
	}
	for second := 10_001.0; second < 10_200; second++ {
		if h.mayTry(at(second)) {
			h.note(at(second), exchange.AnswerBroken, "down")
		}
	}
	if h.rest != longestRest {
		t.Errorf("rest %v", h.rest)
	}
}

func TestSlowBuyerHoldsUpOnlyItself(t *testing.T) {
	release := make(chan struct{})
	p := newPinger(t, Options{ConnsPerBuyer: 1, Workers: 3}, map[string]string{
		"slow": serve(t, func(*fasthttp.RequestCtx) { <-release }),
		"good": serve(t, bidding(100)),
	})
	t.Cleanup(func() { close(release) })
	deadline := time.Now().Add(2 * time.Second)
	first := make(chan []exchange.Answer)
	go func() { first <- p.Ask(deadline, aPing(), []string{"slow"}) }()
	for p.Health()[1].InFlight == 0 {
	}
	answers := p.Ask(deadline, aPing(), []string{"slow", "good"})
	if answers[0].Status != exchange.AnswerBroken || answers[1].Status != exchange.AnswerBid {
		t.Errorf("%+v", answers)
	}
	if answers := <-first; answers[0].Status != exchange.AnswerTimedOut {
		t.Errorf("%+v", answers)
	}
}

func TestWorkersAreBoundedAndKept(t *testing.T) {
	w := newWorkers(2)
	release, done := make(chan struct{}), make(chan struct{})
	for range 2 {
		if !w.do(func() { <-release; done <- struct{}{} }) {
			t.Fatal("refused")
		}
	}
	if w.do(func() {}) {
		t.Error("a third job was taken")
	}
	close(release)
	<-done
	<-done
	for !w.do(func() { done <- struct{}{} }) { // until a goroutine is back
	}
	<-done
	w.close()
	if len(w.room) > 2 {
		t.Errorf("%d goroutines", len(w.room))
	}
}

func TestNewRefusesAddresses(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:80", "ftp://a", "http://", "http://a b"} {
		if _, err := New(Options{Buyers: []Buyer{{Name: "a", BaseURL: url}}}); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
}

func BenchmarkAsk(b *testing.B) {
	for _, count := range []int{1, 4, 16} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			urls, names := map[string]string{}, []string{}
			for i := range count {
				name := fmt.Sprintf("buyer-%02d", i)
				urls[name], names = serve(b, bidding(100+i)), append(names, name)
			}
			p := newPinger(b, Options{}, urls)
			b.ReportAllocs()
			for b.Loop() {
				if answers := p.Ask(time.Now().Add(time.Minute), aPing(), names); answers[0].Bid != 100 {
					b.Fatalf("%+v", answers)
				}
			}
		})
	}
}
