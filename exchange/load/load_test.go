package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"leadbid/exchange/load"
	"leadbid/exchange/simulate"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// A server that freezes for 300 ms in every 3 s must show as a p99 near 270 ms. The arithmetic:
// sends are spread evenly over time, so one in ten is due in a freeze, and waits for its end,
// evenly between 0 and 300 ms. The slowest 1 % of all sends are then the slowest tenth of the
// frozen ones: those that wait for more than nine tenths of 300 ms. Where the machine has the
// server freeze for longer or shorter, what is expected follows from what the server measured.
//
// Two freezes meet eight requests on four connections, one in three hundred. A generator that
// waits for answers, or counts from the actual send, would see only those, and a p99 of nothing.
func TestFreezesAreSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED with -short, as it takes six seconds: that a frozen server shows in the latencies")
	}
	// What else the machine does only ever adds: of three runs one must be undisturbed.
	var wrong error
	for range 3 {
		if wrong = seeFreezes(t); wrong == nil {
			return
		}
		t.Log(wrong)
	}
	t.Error(wrong)
}

func seeFreezes(t *testing.T) error {
	const period, freeze = 3 * time.Second, 300 * time.Millisecond
	native := nativeProfile(t)
	var frozen freezes
	start := time.Now()
	target := serve(t, func(ctx *fasthttp.RequestCtx) {
		// The freeze is in the middle of the period, so that two periods hold two whole freezes.
		at := time.Since(start)
		if into := at%period - period/2; into >= 0 && into < freeze {
			<-time.After(freeze - into)
			frozen.note(int(at/period), at, time.Since(start))
		}
		answerNoBid(ctx, native)
	})
	result, err := load.Run(t.Context(), load.Options{
		Target: target, Protocol: load.Pings(native), Population: population(t, 200),
		Rates: []int{400}, For: 2 * period, Connections: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	step, want := result.Steps[0], frozen.p99(result.Steps[0].Seconds)
	switch {
	case step.Answered != 2400 || step.Dropped != 0 || step.Errors != 0:
		return fmt.Errorf("answered %d, dropped %d, errors %d of 2,400 sends", step.Answered, step.Dropped, step.Errors)
	case want < 200:
		return fmt.Errorf("the server hardly froze: a p99 of %.1f ms would be right", want)
	case step.Latency.P99 < want-10:
		return fmt.Errorf("p99 is %.1f ms, expected near %.1f: freezes were not seen", step.Latency.P99, want)
	case step.Latency.P99 > want+40:
		return fmt.Errorf("p99 is %.1f ms, expected near %.1f", step.Latency.P99, want)
	case step.Latency.P50 > 50:
		return fmt.Errorf("p50 is %.1f ms, though nine sends in ten meet no freeze", step.Latency.P50)
	case step.Lag.P99 > 150:
		return fmt.Errorf("the freezes were charged to the generator: lag p99 is %.1f ms", step.Lag.P99)
	}
	return nil
}

// freezes is what a server measured of its two freezes: when the first request was held, and when the
// first one was let go.
type freezes struct {
	mu       sync.Mutex
	from, to [2]time.Duration
}

func (f *freezes) note(which int, from, to time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if which >= len(f.from) {
		return // the schedule is over
	}
	if f.to[which] == 0 {
		f.from[which], f.to[which] = from, to
	}
	f.from[which], f.to[which] = min(f.from[which], from), min(f.to[which], to)
}

// p99 is the wait in milliseconds that one send in a hundred exceeds, where sends are due evenly over
// so many seconds: those due in the first part of each freeze, up to that wait before its end.
func (f *freezes) p99(seconds float64) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	one, other := (f.to[0] - f.from[0]).Seconds(), (f.to[1] - f.from[1]).Seconds()
	slowest := seconds / 100
	return 1000 * max(one-slowest, other-slowest, (one+other-slowest)/2)
}

func TestEverySendHasAnEnd(t *testing.T) {
	native := nativeProfile(t)
	stuck := make(chan struct{})
	target := serve(t, func(ctx *fasthttp.RequestCtx) {
		<-stuck
		answerNoBid(ctx, native)
	})
	release := func(p load.Progress) {
		if p.Sent+p.Dropped == 100 {
			select {
			case <-stuck:
			default:
				close(stuck)
			}
		}
	}
	// Two sends are out, three wait, and no answer comes while the schedule lasts: the others drop.
	result, err := load.Run(t.Context(), load.Options{
		Target: target, Protocol: load.Pings(native), Population: population(t, 10),
		Rates: []int{1000}, For: 100 * time.Millisecond, Connections: 2, Backlog: 3, Progress: release,
	})
	if err != nil {
		t.Fatal(err)
	}
	step := result.Steps[0]
	if step.Scheduled != 100 || step.Dropped != 95 || step.Answered != 5 {
		t.Errorf("scheduled %d, dropped %d, answered %d; expected 100, 95 and 5", step.Scheduled, step.Dropped, step.Answered)
	}
}

// mixed answers each ping by its send's last digit: five bids, three no-bids, an unreadable answer
// and a status 500 in ten.
func mixed(native *wire.Profile, seen func(ping *pingpost.Ping)) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		var ping pingpost.Ping
		if err := native.DecodePing(&ping, ctx.PostBody()); err != nil {
			ctx.SetStatusCode(fasthttp.StatusBadRequest)
			return
		}
		seen(&ping)
		answer := pingpost.Answer{PingID: ping.ID}
		switch digit := ping.ID[len(ping.ID)-1]; {
		case digit < '5':
			answer.Kind, answer.Bid, answer.BidID, answer.ExpiresInMS = pingpost.AnswerBid, 42_50, "bid-of-"+ping.ID, 60_000
		case digit < '8':
			answer.Reason = pingpost.OutsideArea
		case digit == '8':
			ctx.SetBodyString("not json")
			return
		default:
			ctx.SetStatusCode(fasthttp.StatusInternalServerError)
			return
		}
		ctx.SetBody(native.AppendAnswer(nil, &answer))
	}
}

func TestAnswersAreJudgedAndLossesTold(t *testing.T) {
	native := nativeProfile(t)
	ids, zips := newSet(), newSet()
	target := serve(t, mixed(native, func(ping *pingpost.Ping) {
		ids.add(ping.ID)
		zips.add(ping.ZIP.String())
	}))
	var wrong atomic.Int64
	told := newSet()
	notices := serve(t, func(ctx *fasthttp.RequestCtx) {
		var notice pingpost.Notice
		err := native.DecodeNotice(&notice, ctx.PostBody())
		if err != nil || notice.Outcome != pingpost.OutcomeLost || notice.BidID != "bid-of-"+notice.PingID ||
			string(ctx.Request.Header.Peek("Authorization")) != "Bearer secret" {
			wrong.Add(1)
		}
		told.add(notice.BidID)
		ctx.SetBody(native.AppendAcknowledgement(nil, &notice))
	})
	result, err := load.Run(t.Context(), load.Options{
		Target: target, Key: "secret", Protocol: load.Pings(native), Population: population(t, 50), Run: "a1",
		Rates: []int{500, 1000}, For: 200 * time.Millisecond, NoticeTarget: notices, NoticeProfile: native,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, sends := range []int64{100, 200} {
		step := result.Steps[i]
		got := []int64{step.Answered, step.Bids, step.NoBids, step.Errors, step.Dropped}
		if want := fmt.Sprint([]int64{sends / 10 * 8, sends / 2, sends / 10 * 3, sends / 5, 0}); fmt.Sprint(got) != want {
			t.Errorf("at %d/s: answered, bids, no-bids, errors, dropped are %v, expected %s", step.Rate, got, want)
		}
		want := fmt.Sprint([]load.Count{{"outside_area", sends / 10 * 3}}, []load.Count{{"status 500", sends / 10}, {"unreadable answer", sends / 10}})
		if got := fmt.Sprint(step.Reasons, step.ErrorKinds); got != want {
			t.Errorf("at %d/s: %s, expected %s", step.Rate, got, want)
		}
	}
	if ids.len() != 300 || !ids.has("load-a1-0000000299") {
		t.Errorf("%d different ping ids came, expected 300 up to number 299", ids.len())
	}
	if zips.len() < 10 {
		t.Errorf("pings name %d different ZIPs: the population is not varied", zips.len())
	}
	if result.Notices != (load.NoticeResult{Sent: 150}) || told.len() != 150 || wrong.Load() != 0 {
		t.Errorf("notices %+v, %d different, %d wrong; expected 150, all right", result.Notices, told.len(), wrong.Load())
	}
	checkOutputs(t, result)
}

func checkOutputs(t *testing.T, result *load.Result) {
	t.Helper()
	var text, object bytes.Buffer
	if err := errors.Join(result.WriteText(&text), result.WriteJSON(&object)); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{"rate/s", "62.5 %", "lag", "500/s no-bids: outside_area 30", "loss notices: 150 sent"} {
		if !strings.Contains(text.String(), wanted) {
			t.Errorf("the table lacks %q:\n%s", wanted, text.String())
		}
	}
	var decoded struct {
		Steps []struct {
			BidShare float64            `json:"bid_share"`
			Latency  map[string]float64 `json:"latency_ms"`
		}
	}
	if err := json.Unmarshal(object.Bytes(), &decoded); err != nil || len(decoded.Steps) != 2 ||
		decoded.Steps[1].BidShare != .625 || decoded.Steps[1].Latency["p99.9"] <= 0 {
		t.Errorf("the JSON lacks its figures (%v):\n%s", err, object.String())
	}
}

func TestASimulatedRivalAnswersTheLoad(t *testing.T) {
	native := nativeProfile(t)
	roster, err := simulate.NewRoster(simulate.DefaultRosterSettings(1))
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 6, 1, 17, 0, 0, 0, time.UTC)
	server, err := simulate.NewRivalServer(roster, simulate.ServerOptions{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	base := "http://" + listener.Addr().String() + "/rival-02/v1/"
	result, err := load.Run(t.Context(), load.Options{
		Target: base + "ping/northside", Protocol: load.Pings(native), Population: population(t, 300),
		Rates: []int{1000}, For: 300 * time.Millisecond, Run: "rival",
		NoticeTarget: base + "notice/northside", NoticeProfile: native,
	})
	if err != nil {
		t.Fatal(err)
	}
	step := result.Steps[0]
	if step.Answered != 300 || step.Bids == 0 || step.NoBids == 0 || result.Notices.Sent != step.Bids {
		t.Errorf("%+v, notices %+v", step, result.Notices)
	}
	if account := server.Accounts()[1]; account.Pings != 300 || account.Bids != step.Bids {
		t.Errorf("the rival counts %+v, the load %d bids", account, step.Bids)
	}
	if err := errors.Join(server.Close(context.Background()), <-served); err != nil {
		t.Error(err)
	}
}

func TestTimeoutsAreErrors(t *testing.T) {
	native := nativeProfile(t)
	hold := make(chan struct{})
	target := serve(t, func(*fasthttp.RequestCtx) { <-hold })
	defer close(hold)
	result, err := load.Run(t.Context(), load.Options{
		Target: target, Protocol: load.Pings(native), Population: population(t, 1),
		Rates: []int{50}, For: 100 * time.Millisecond, Timeout: 150 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	step := result.Steps[0]
	if got := fmt.Sprint(step.Errors, step.ErrorKinds); got != "5 [{timeout 5}]" {
		t.Errorf("errors are %s, expected five timeouts", got)
	}
	if step.Latency.P50 < 140 {
		t.Errorf("p50 is %.0f ms: an error must count as long as it took", step.Latency.P50)
	}
}

func TestStopsWithItsContext(t *testing.T) {
	native := nativeProfile(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	target := serve(t, func(ctx *fasthttp.RequestCtx) { cancel(); answerNoBid(ctx, native) })
	result, err := load.Run(ctx, load.Options{
		Target: target, Protocol: load.Pings(native), Population: population(t, 1),
		Rates: []int{100, 100}, For: time.Hour,
	})
	if !errors.Is(err, context.Canceled) || len(result.Steps) != 1 || result.Steps[0].Answered == 0 {
		t.Fatalf("after a stop: %v, %+v; expected context.Canceled and what was measured", err, result)
	}
	if step := result.Steps[0]; step.Scheduled != step.Answered+step.Errors+step.Dropped {
		t.Errorf("after a stop, sends without an end: %+v", step)
	}
}

func TestRefusesWhatItMustNotDo(t *testing.T) {
	f := func(target, allowed string, ok bool) {
		t.Helper()
		if err := load.CheckTarget(target, allowed); (err == nil) != ok {
			t.Errorf("%s with %q allowed: %v", target, allowed, err)
		}
	}
	f("http://127.0.0.1:8080/v1/ping/x", "", true)
	f("http://localhost/v1/ping/x", "", true)
	f("http://[::1]:8080/v1/ping/x", "", true)
	f("http://[::1]/v1/ping/x", "", true)
	f("https://bids.example:8443/x", "bids.example:8443", true)
	f("https://bids.example:8443/x", "", false)
	f("https://bids.example:8443/x", "bids.example", false)
	f("http://127.0.0.1.bids.example/x", "", false)
	f("http://0.0.0.0:8080/x", "", false)
	f("http://127.0.0.1@bids.example/x", "", false)
	f("127.0.0.1:8080", "", false)
	f("ftp://127.0.0.1/x", "", false)

	_, err := load.Run(t.Context(), load.Options{Target: "http://bids.example/x", Rates: []int{0}, Run: "a b"})
	for _, wanted := range []string{"--allow-host bids.example", "no protocol", "the rate 0", "lasts 0s", "population is empty", `label "a b"`} {
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("the faults lack %q: %v", wanted, err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String() + "/"
	_ = listener.Close()
	native := nativeProfile(t)
	_, err = load.Run(t.Context(), load.Options{
		Target: closed, Protocol: load.Pings(native), Population: population(t, 1), Rates: []int{1}, For: time.Second,
	})
	if !errors.Is(err, load.ErrUnreachable) {
		t.Errorf("nobody listens: %v, expected ErrUnreachable", err)
	}
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp keeps these for the life of the process, or for seconds after a server's end.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"))
}
