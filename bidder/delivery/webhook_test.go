package delivery

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"leadbid/internal/webhook"
	"leadbid/rules"
)

func TestWebhookGetsTheLeadSigned(t *testing.T) {
	o, crm := newOutbox(), newReceiver(t)
	id := o.add("hvac-chicago", "crm")
	drain(t, newTest(o, only(hook(crm.URL)), nil))

	if got := o.row(id); !got.done || got.Attempts != 1 {
		t.Errorf("after the delivery the outbox has %+v", got.ended)
	}
	messages := crm.messages()
	if len(messages) != 1 {
		t.Fatalf("the receiver got %d messages, want 1", len(messages))
	}
	want := `{"type":"lead.accepted","delivery_id":"dlv_1","lead_id":"lead-1","campaign":"hvac-chicago",` +
		`"exchange":"northside","ping_id":"p-1","price":41.00,"received_at":"2026-03-02T15:04:05.123Z",` +
		`"test":false,"service":"hvac","job":"repair","exclusive":true,` +
		`"lead":{"first_name":"Quentin","last_name":"O'Canary","phone":"+13125550142",` +
		`"email":"canary@example.com","address":"1 Secret <Way>","city":"Chicago","state":"IL","zip":"60614",` +
		`"notes":"the canary sings"},` +
		`"consent":{"agreed":true,"trustedform_url":"https://cert.trustedform.com/abc"},` +
		`"attrs":{"age":12,"system":"furnace"}}`
	if diff := cmp.Diff(want, string(messages[0].body)); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
	key, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := webhook.Verify(messages[0].header, o.clock(), messages[0].body, key); err != nil {
		t.Errorf("the receiver cannot verify it: %v", err)
	}
	if got := messages[0].header.Get("Webhook-Id"); got != id {
		t.Errorf("webhook-id %q, want the delivery's %q", got, id)
	}
}

// The bidder's own clock stays ahead where the machine's was set back; receivers go by the right time.
func TestWebhooksAreSignedByTheMachinesClock(t *testing.T) {
	o, crm := newOutbox(), newReceiver(t)
	setBack := start.Add(-10 * time.Minute)
	o.add("hvac", "crm")
	drain(t, newTest(o, only(hook(crm.URL)), func(options *Options) {
		options.Wall = func() time.Time { return setBack }
	}))
	key, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	message := crm.messages()[0]
	if err := webhook.Verify(message.header, setBack, message.body, key); err != nil {
		t.Errorf("a receiver says: %v", err)
	}
}

func TestWebhookFollowsTheScheduleToADeadLetter(t *testing.T) {
	o, crm := newOutbox(), newReceiver(t)
	crm.answers(http.StatusInternalServerError)
	id := o.add("hvac", "crm")
	d := newTest(o, only(hook(crm.URL)), nil)
	for o.nextDue() {
		drain(t, d)
	}
	got := o.row(id)
	if !got.dead || got.done || len(got.ended) != 12 {
		t.Fatalf("dead %v, done %v after %d attempts; want a dead letter after 12", got.dead, got.done, len(got.ended))
	}
	delays := webhook.Delays()
	for i, attempt := range got.ended[:11] {
		wait, least := attempt.Next.Sub(attempt.At), delays[i+1]
		if wait < least || wait > least+least/10 {
			t.Errorf("after attempt %d it waits %v, want %v and up to a tenth more", i+1, wait, least)
		}
		if attempt.Error != "the receiver answered 500" {
			t.Errorf("attempt %d ended with %q", i+1, attempt.Error)
		}
	}
	ids := map[string]bool{}
	for _, message := range crm.messages() {
		ids[message.header.Get("Webhook-Id")] = true
	}
	if len(ids) != 1 || !ids[id] {
		t.Errorf("the attempts had the ids %v, want only %q", ids, id)
	}
}

func TestOnlyAnswersOf2xxAreSuccess(t *testing.T) {
	f := func(status int, want string) {
		t.Helper()
		o, crm := newOutbox(), newReceiver(t)
		crm.answers(status)
		id := o.add("hvac", "crm")
		drain(t, newTest(o, only(hook(crm.URL)), nil))
		got := o.row(id)
		if got.done != (want == "") || len(got.ended) != 1 || got.ended[0].Error != want {
			t.Errorf("an answer of %d: %+v, want %q", status, got.ended, want)
		}
		if count := len(crm.messages()); count != 1 {
			t.Errorf("an answer of %d was asked for %d times", status, count)
		}
	}
	f(200, "")
	f(202, "")
	f(299, "")
	f(301, "the receiver answered 301: redirects are not followed")
	f(307, "the receiver answered 307: redirects are not followed")
	f(404, "the receiver answered 404")
	f(429, "the receiver answered 429")
	f(503, "the receiver answered 503")
}

func TestHugeAnswerIsNotRead(t *testing.T) {
	written := make(chan int, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk, total := bytes.Repeat([]byte("x"), 64<<10), 0
		for total < 64<<20 {
			n, err := w.Write(chunk)
			if total += n; err != nil {
				break
			}
		}
		written <- total
	}))
	defer server.Close()
	o := newOutbox()
	id := o.add("hvac", "crm")
	drain(t, newTest(o, only(hook(server.URL)), nil))
	if !o.row(id).done {
		t.Errorf("an answer of 200 with a huge body: %+v, want success", o.row(id).ended)
	}
	if total := <-written; total >= 64<<20 {
		t.Errorf("all %d bytes of the answer were taken", total)
	}
}

func TestAddressesThatGetNothing(t *testing.T) {
	f := func(target rules.Target, allowPrivate bool, want string) {
		t.Helper()
		o := newOutbox()
		id := o.add("hvac", "crm")
		drain(t, newTest(o, only(target), func(options *Options) { options.AllowPrivate = allowPrivate }))
		got := o.row(id)
		if len(got.ended) != 1 || !strings.Contains(got.ended[0].Error, want) {
			t.Errorf("%s: %+v, want %q", target.Webhook, got.ended, want)
		}
		if len(got.ended) == 1 && strings.Contains(got.ended[0].Error, "hunter2") {
			t.Errorf("the error shows the address's key: %q", got.ended[0].Error)
		}
	}
	crm := newReceiver(t)
	f(hook("http://crm.example/leads?key=hunter2"), false, "needs an https address")
	f(hook(crm.URL+"?key=hunter2"), false, "not a public address")
	f(hook("https://10.0.0.1/leads?key=hunter2"), false, "not a public address")
	f(hook("https://crm.example:25/?key=hunter2"), false, "not a public address")
	f(hook("https://%zz?key=hunter2"), false, "cannot be read")
	f(hook("ftp://127.0.0.1/?key=hunter2"), true, "unsupported protocol")
	f(rules.Target{Name: "crm", Webhook: crm.URL, Secret: "hunter2"}, true, "whsec_")
	f(rules.Target{Name: "crm", Webhook: crm.URL}, true, "whsec_")
	f(rules.Target{Name: "another", Webhook: crm.URL}, true, "no such target")
	closed := newReceiver(t)
	closed.Close()
	f(hook(closed.URL+"?key=hunter2"), true, "connection refused")
	if got := crm.messages(); len(got) != 0 {
		t.Errorf("%d messages came through", len(got))
	}
}

// A receiver that never answers holds up its own deliveries and nobody else's.
func TestASlowEndpointDoesNotHoldUpAnother(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 100)
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer slow.Close()
	defer close(release)
	quick := newReceiver(t)
	o := newOutbox()
	var stuck []string
	for range 600 { // more than one look-up takes
		stuck = append(stuck, o.add("hvac", "slow"))
	}
	d := newTest(o, only(
		rules.Target{Name: "slow", Webhook: slow.URL, Secret: secret},
		rules.Target{Name: "quick", Webhook: quick.URL, Secret: secret},
	), nil)
	stop := running(t, d)
	for range webhookWorkers {
		<-asked
	}
	id := o.add("plumbing", "quick")
	d.Notify()
	waitFor(t, "the quick endpoint's delivery", func() bool { return o.row(id).done })
	stop()
	select {
	case <-asked:
		t.Errorf("the slow endpoint was asked more than %d times at once", webhookWorkers)
	default:
	}
	for _, id := range stuck {
		if got := o.row(id); len(got.ended) != 0 {
			t.Fatalf("an attempt that our own end cut short was written down: %+v", got.ended)
		}
	}
}

// What was delivered is not sent again because the outbox could not be written for a while.
func TestTheEndOfAnAttemptIsWrittenUntilItIs(t *testing.T) {
	o, crm := newOutbox(), newReceiver(t)
	o.fails = 1
	id := o.add("hvac", "crm")
	drain(t, newTest(o, only(hook(crm.URL)), nil))
	if got := o.row(id); !got.done || len(crm.messages()) != 1 {
		t.Errorf("done %v after %d messages, want one message", got.done, len(crm.messages()))
	}
}

func TestRunDeliversWhatIsNotified(t *testing.T) {
	o, crm := newOutbox(), newReceiver(t)
	d := newTest(o, only(hook(crm.URL)), nil)
	running(t, d)
	for range 50 {
		id := o.add("hvac", "crm")
		d.Notify()
		waitFor(t, id, func() bool { return o.row(id).done })
	}
	if got := len(crm.messages()); got != 50 {
		t.Errorf("50 leads came as %d messages", got)
	}
}

// Two drains and a run at once still make each delivery once.
func TestDrainBesideRun(t *testing.T) {
	o, crm := newOutbox(), newReceiver(t)
	d := newTest(o, only(hook(crm.URL)), nil)
	for range 300 {
		o.add("hvac", "crm")
	}
	running(t, d)
	both := make(chan struct{})
	go func() {
		defer close(both)
		drain(t, d)
	}()
	drain(t, d)
	<-both
	if got := len(crm.messages()); got != 300 {
		t.Errorf("300 leads came as %d messages", got)
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	o := newOutbox()
	id := o.add("hvac", "crm")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := newTest(o, only(hook(slow.URL)), nil).Drain(ctx); err != context.DeadlineExceeded {
		t.Errorf("Drain of a slow endpoint: %v, want %v", err, context.DeadlineExceeded)
	}
	if got := o.row(id); got.claimed.After(o.clock()) || got.Attempts != 0 {
		t.Errorf("an attempt that was cut short keeps its claim: %+v", got)
	}
}

func TestContactDataIsNeverLogged(t *testing.T) {
	var log bytes.Buffer
	o, crm := newOutbox(), newReceiver(t)
	d := newTest(o, only(hook(crm.URL), rules.Target{Name: "file", File: "/dev/null/leads"}), func(options *Options) {
		options.Log = zerolog.New(zerolog.SyncWriter(&log))
	})
	for _, status := range []int{200, 302, 410, 500} {
		crm.answers(status)
		id := o.add("hvac", "crm")
		o.add("hvac", "file")
		o.add("hvac", "unknown")
		drain(t, d)
		for _, attempt := range o.row(id).ended {
			fmt.Fprintln(&log, attempt.Error)
		}
	}
	if !strings.Contains(log.String(), `"lead":"lead-1"`) {
		t.Errorf("the log does not name the lead by its id:\n%s", &log)
	}
	for _, secret := range private {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q:\n%s", secret, &log)
		}
	}
}

// waitFor polls for something that another goroutine brings about.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	often := time.NewTicker(time.Millisecond)
	defer often.Stop()
	for !holds() {
		select {
		case <-often.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Two replicas look at the same outbox all the time, and each delivery is made once.
func TestTwoReplicasMakeEachDeliveryOnce(t *testing.T) {
	o, crm := newOutbox(), newReceiver(t)
	const many = 60
	for range many {
		o.add("hvac", "crm")
	}
	var both sync.WaitGroup
	for run := range uint32(2) {
		d := newTest(o, only(hook(crm.URL)), func(options *Options) { options.Run = run + 1 })
		both.Go(func() { drain(t, d) })
	}
	both.Wait()
	got := map[string]int{}
	for _, m := range crm.messages() {
		got[m.header.Get("Webhook-Id")]++
	}
	if len(got) != many || len(crm.messages()) != many {
		t.Errorf("%d deliveries came in %d messages, want %d in as many", len(got), len(crm.messages()), many)
	}
}

// What a replica had that is gone is taken over once its claim is over, under the same id.
func TestADeliveryIsTakenOverWhenItsClaimEnds(t *testing.T) {
	o, crm := newOutbox(), newReceiver(t)
	id := o.add("hvac", "crm")
	gone := newTest(o, only(hook(crm.URL)), func(options *Options) { options.Run = 1 })
	if !gone.claim(t.Context(), job{Delivery: o.row(id).Delivery}, claimLasts) {
		t.Fatal("it was not given")
	}
	heir := newTest(o, only(hook(crm.URL)), func(options *Options) { options.Run = 2 })
	o.advance(claimLasts - time.Millisecond)
	if drain(t, heir); len(crm.messages()) != 0 {
		t.Fatal("it was delivered while another replica had it")
	}
	o.advance(time.Millisecond)
	if drain(t, heir); len(crm.messages()) != 1 || crm.messages()[0].header.Get("Webhook-Id") != id {
		t.Errorf("%d messages after the claim", len(crm.messages()))
	}
}
