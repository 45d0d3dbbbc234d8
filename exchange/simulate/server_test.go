package simulate_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"leadbid/exchange/simulate"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// market is one plumber on a server, who wants everything, and a client of his.
type market struct {
	t      *testing.T
	native *wire.Profile
	client *fasthttp.Client
	server *simulate.RivalServer
	base   string
	now    time.Time
	waits  time.Duration // for an answer
}

func newMarket(t *testing.T, change func(*simulate.Rival)) *market {
	t.Helper()
	roster := newRoster(t, func(settings *simulate.RosterSettings) {
		settings.Rivals, settings.Trades = 1, settings.Trades[:1]
	})
	roster.Rivals[0].OfficeHours, roster.Rivals[0].RejectShare, roster.Rivals[0].DailyBudget = false, 0, 500_00
	if change != nil {
		change(&roster.Rivals[0])
	}
	m := &market{t: t, client: &fasthttp.Client{}, now: monday, waits: time.Minute}
	server, err := simulate.NewRivalServer(roster, simulate.ServerOptions{Key: "secret", Now: func() time.Time { return m.now }})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if m.native, err = wire.Load("native"); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	m.server, m.base = server, "http://"+listener.Addr().String()
	t.Cleanup(func() {
		m.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := errors.Join(server.Close(ctx), server.Close(ctx), <-served); err != nil {
			t.Error(err)
		}
	})
	return m
}

// call sends one body and gives status and reply; a failed connection is status 0.
func (m *market) call(path, key string, body []byte) (int, []byte) {
	m.t.Helper()
	var request fasthttp.Request
	var response fasthttp.Response
	request.SetRequestURI(m.base + path)
	request.Header.SetMethod(fasthttp.MethodPost)
	request.Header.Set("Authorization", "Bearer "+key)
	request.SetBody(body)
	if err := m.client.DoTimeout(&request, &response, m.waits); err != nil {
		return 0, nil
	}
	return response.StatusCode(), append([]byte(nil), response.Body()...)
}

func (m *market) ping(id string) (pingpost.Answer, error) {
	m.t.Helper()
	ping := pingpost.Ping{ID: id, Service: pingpost.Plumbing, Job: pingpost.Repair, ZIP: 60614, State: "IL", Exclusive: true}
	status, body := m.call("/rival-01/v1/ping/northside", "secret", m.native.AppendPing(nil, &ping))
	return m.native.DecodeAnswer(body, status)
}

func (m *market) post(id, bidID string, price pingpost.Cents, notes string) pingpost.Verdict {
	m.t.Helper()
	post := pingpost.Post{
		PingID: id, BidID: bidID, Price: price, Service: pingpost.Plumbing, Job: pingpost.Repair, ZIP: 60614, Exclusive: true,
		Lead: pingpost.Lead{
			FirstName: pingpost.NewPrivate("Mia"), LastName: pingpost.NewPrivate("Cole"),
			Phone: pingpost.NewPrivate("+13125550123"), Email: pingpost.NewPrivate("mia@example.com"),
			City: "Chicago", State: "IL", ZIP: 60614, Notes: pingpost.NewPrivate(notes),
		},
	}
	status, body := m.call("/rival-01/v1/post/northside", "secret", m.native.AppendPost(nil, &post))
	if status == 0 {
		return pingpost.Verdict{}
	}
	verdict, err := m.native.DecodeVerdict(body, status)
	if err != nil {
		m.t.Errorf("the verdict %s (status %d): %v", body, status, err)
	}
	return verdict
}

func (m *market) notify(id, bidID string, outcome pingpost.Outcome) {
	m.t.Helper()
	notice := pingpost.Notice{PingID: id, BidID: bidID, Outcome: outcome}
	if status, body := m.call("/rival-01/v1/notice/northside", "secret", m.native.AppendNotice(nil, &notice)); status != 200 {
		m.t.Errorf("a notice gets status %d: %s", status, body)
	}
}

func (m *market) mustBid(id string) pingpost.Answer {
	m.t.Helper()
	answer, err := m.ping(id)
	if err != nil || answer.Kind != pingpost.AnswerBid {
		m.t.Fatalf("ping %s: %+v, %v; expected a bid", id, answer, err)
	}
	return answer
}

func TestARivalBuysOnce(t *testing.T) {
	m := newMarket(t, nil)
	bid := m.mustBid("p1")
	if again := m.mustBid("p1"); again != bid {
		t.Errorf("the same ping: %+v, then %+v", bid, again)
	}
	first := m.post("p1", bid.BidID, bid.Bid-1, "")
	if first.Kind != pingpost.VerdictAccepted || first.LeadID == "" {
		t.Fatalf("the post: %+v, expected accepted", first)
	}
	if again := m.post("p1", bid.BidID, bid.Bid-1, ""); again != first {
		t.Errorf("the same post: %+v, then %+v", first, again)
	}
	if other := m.post("p1", bid.BidID, bid.Bid-1, "changed"); other.Kind != pingpost.VerdictConflict {
		t.Errorf("the same bid with another body: %+v, expected a conflict", other)
	}
	refused := func(want pingpost.Reason, verdict pingpost.Verdict) {
		t.Helper()
		if verdict.Kind != pingpost.VerdictRejected || verdict.Reason != want {
			t.Errorf("%+v, expected rejected: %v", verdict, want)
		}
	}
	second := m.mustBid("p2")
	refused(pingpost.PriceMismatch, m.post("p2", second.BidID, second.Bid+1, ""))
	refused(pingpost.BidUnknown, m.post("p3", second.BidID+"0", second.Bid, ""))
	account := m.server.Accounts()[0]
	if account != (simulate.Account{Name: "rival-01", Pings: 3, Bids: 3, Accepted: 1, Rejected: 2, Charged: bid.Bid - 1}) {
		t.Errorf("the account is %+v", account)
	}
}

func TestReturnsAndWithdrawals(t *testing.T) {
	m := newMarket(t, nil)
	charged := func(want pingpost.Cents) {
		t.Helper()
		if got := m.server.Accounts()[0].Charged; got != want {
			t.Errorf("charged %v, expected %v", got, want)
		}
	}
	returned, voided, never := m.mustBid("p1"), m.mustBid("p2"), m.mustBid("p3")
	m.post("p1", returned.BidID, returned.Bid, "")
	m.post("p2", voided.BidID, voided.Bid, "")
	charged(returned.Bid + voided.Bid)
	m.notify("p1", returned.BidID, pingpost.OutcomeLost)
	charged(returned.Bid + voided.Bid)
	m.notify("p1", returned.BidID, pingpost.OutcomeReturned)
	m.notify("p1", returned.BidID, pingpost.OutcomeReturned)
	charged(voided.Bid)
	m.notify("p2", voided.BidID, pingpost.OutcomeVoided)
	m.notify("p3", never.BidID, pingpost.OutcomeVoided)
	charged(0)
	for id, bid := range map[string]pingpost.Answer{"p2": voided, "p3": never} {
		if verdict := m.post(id, bid.BidID, bid.Bid, ""); verdict.Reason != pingpost.Voided {
			t.Errorf("%s after its withdrawal: %+v, expected voided", id, verdict)
		}
	}
	charged(0)
}

func TestABudgetDriesUpAndComesBack(t *testing.T) {
	m := newMarket(t, func(rival *simulate.Rival) { rival.DailyBudget = 200_00 })
	spent, bought := pingpost.Cents(0), 0
	for i := range 100 {
		id := fmt.Sprintf("p%d", i)
		answer, err := m.ping(id)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Kind == pingpost.AnswerBid && m.post(id, answer.BidID, answer.Bid, "").Kind == pingpost.VerdictAccepted {
			spent += answer.Bid
			bought++
		}
	}
	if spent > 200_00 || spent < 100_00 || bought > 50 {
		t.Errorf("%d leads for %v of a budget of $200", bought, spent)
	}
	m.now = m.now.Add(24 * time.Hour)
	bids := 0
	for i := range 20 {
		if answer, _ := m.ping(fmt.Sprintf("q%d", i)); answer.Kind == pingpost.AnswerBid {
			bids++
		}
	}
	if bids < 18 {
		t.Errorf("%d bids for 20 pings on the next day", bids)
	}
}

func TestRivalsRejectTheirShare(t *testing.T) {
	m := newMarket(t, func(rival *simulate.Rival) { rival.RejectShare, rival.DailyBudget = .3, pingpost.MaxCents })
	for i := range 200 {
		id := fmt.Sprintf("p%d", i)
		bid := m.mustBid(id)
		m.post(id, bid.BidID, bid.Bid, "")
	}
	if account := m.server.Accounts()[0]; account.Rejected < 40 || account.Rejected > 80 || account.Accepted+account.Rejected != 200 {
		t.Errorf("of 200 posts %d are rejected and %d accepted, expected near 60", account.Rejected, account.Accepted)
	}
}

func TestFaults(t *testing.T) {
	f := func(what string, faults simulate.Faults, wantError bool) {
		t.Run(what, func(t *testing.T) {
			m := newMarket(t, func(rival *simulate.Rival) { rival.Faults = faults })
			if faults.HangPings > 0 {
				m.waits = 300 * time.Millisecond // no answer comes
			}
			began := time.Now()
			answer, err := m.ping("p1")
			if (err != nil) != wantError {
				t.Errorf("%+v, %v", answer, err)
			}
			if faults.SlowPings > 0 && time.Since(began) < faults.SlowBy {
				t.Errorf("a slow answer came after %v", time.Since(began))
			}
		})
	}
	f("slow", simulate.Faults{SlowPings: 1, SlowBy: 50 * time.Millisecond}, false)
	f("hang", simulate.Faults{HangPings: 1}, true)
	f("broken JSON", simulate.Faults{BrokenJSON: 1}, true)
	f("reset", simulate.Faults{ResetPings: 1}, true)

	m := newMarket(t, func(rival *simulate.Rival) { rival.Faults.LostVerdicts = 1 })
	bid := m.mustBid("p1")
	if verdict := m.post("p1", bid.BidID, bid.Bid, ""); verdict.Kind != pingpost.VerdictUnknown {
		t.Errorf("the verdict that gets lost is %+v", verdict)
	}
	if verdict := m.post("p1", bid.BidID, bid.Bid, ""); verdict.Kind != pingpost.VerdictAccepted {
		t.Errorf("the repeated post gets %+v", verdict)
	}
	m = newMarket(t, func(rival *simulate.Rival) { rival.Faults.DeafPosts = 1 })
	bid = m.mustBid("p1")
	for range 3 {
		if verdict := m.post("p1", bid.BidID, bid.Bid, ""); verdict.Kind != pingpost.VerdictUnknown {
			t.Errorf("a deaf rival says %+v", verdict)
		}
	}
	if charged := m.server.Accounts()[0].Charged; charged != bid.Bid {
		t.Errorf("a deaf rival's books show %v, expected one charge of %v", charged, bid.Bid)
	}
	for range 2 { // a notice that is told twice withdraws once
		m.notify("p1", bid.BidID, pingpost.OutcomeVoided)
	}
	if account := m.server.Accounts()[0]; account.Charged != 0 || account.Accepted != 1 || account.Voided != 1 {
		t.Errorf("after the withdrawal the account is %+v", account)
	}
}

func TestRivalServerRefusesBadInput(t *testing.T) {
	m := newMarket(t, nil)
	f := func(path, key, body string, want int) {
		t.Helper()
		if status, reply := m.call(path, key, []byte(body)); status != want {
			t.Errorf("%s: status %d, expected %d: %s", path, status, want, reply)
		}
	}
	f("/rival-01/v1/ping/northside", "wrong", "{}", 401)
	f("/rival-01/v1/ping/northside", "secret", "{", 400)
	f("/rival-01/v1/post/northside", "secret", "{}", 400)
	f("/rival-01/v1/notice/northside", "secret", `{"outcome":"eaten"}`, 400)
	f("/rival-99/v1/ping/northside", "secret", "{}", 404)
	f("/rival-01/v1/guess/northside", "secret", "{}", 404)
	f("/", "secret", "{}", 404)
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp keeps these for the life of the process, or for seconds after a server's end.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*Client).mCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*TCPDialer).tcpAddrsClean"))
}
