package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"leadbid/internal/webhook"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// tap stands between exchange and bidder, passes everything on, and remembers what the bidder
// promised: an answer that came as far as here was given, whether or not the exchange heard it.
type tap struct {
	t      *testing.T
	bidder string
	native *wire.Profile
	client *http.Client
	server *httptest.Server
	posted chan struct{} // a post is on its way to the bidder

	mu      sync.Mutex
	trap    *trap                // for the next accepted answer
	asked   map[string]int       // how often posts were sent, by ping id
	latest  map[string]time.Time // when they were sent last
	said    map[string]promise   // what was answered to them
	voided  map[string]bool      // pings whose post the exchange began to withdraw
	absent  int                  // pings that found no bidder
	cut     int                  // posts without an answer
	lost    int                  // accepted answers that were not passed on
	busy    int                  // posts that were put off
	notices int                  // withdrawals acknowledged
}

// trap waits for an accepted answer, which may be lost on its way to the exchange.
type trap struct {
	sprung chan struct{}
	lose   bool
}

// promise is a definite answer to a post.
type promise struct {
	accepted  bool
	lead, bid string
	price     pingpost.Cents
	asked     time.Time // when the attempt that was first answered was sent
}

// same tells whether two answers to a post say the same.
func (p promise) same(other promise) bool {
	other.asked = p.asked
	return p == other
}

func startTap(t *testing.T, bidder string) *tap {
	t.Helper()
	native, err := wire.Load("native")
	if err != nil {
		t.Fatal(err)
	}
	tap := &tap{
		t: t, bidder: "http://" + bidder, native: native, posted: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 20 * time.Second},
		asked:  map[string]int{}, latest: map[string]time.Time{}, said: map[string]promise{}, voided: map[string]bool{},
	}
	tap.server = httptest.NewServer(tap)
	t.Cleanup(tap.stop)
	return tap
}

// stop waits for every answer that is under way. It may be called more than once.
func (tap *tap) stop() {
	tap.server.Close()
	tap.client.CloseIdleConnections()
}

func (tap *tap) url() string { return tap.server.URL }

// ServeHTTP passes a request on. A ping that finds no bidder is a no-bid, as at a contractor whose
// proxy stays up while the bidder restarts: an exchange rests buyers that fail again and again,
// and the traffic is to go on. A post or notice that gets no answer gives none.
func (tap *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	heard := tap.listen(kind, body)
	status, answer, err := tap.forward(r, body)
	lost := heard(status, answer, err)
	switch {
	case err == nil && !lost:
		w.WriteHeader(status)
		_, _ = w.Write(answer)
	case kind == "ping":
		_, _ = io.WriteString(w, `{"status":"no_bid"}`)
	default:
		panic(http.ErrAbortHandler)
	}
}

// forward asks the bidder. It waits for an answer even where the exchange no longer does.
func (tap *tap) forward(r *http.Request, body []byte) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method,
		tap.bidder+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header = r.Header.Clone()
	response, err := tap.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// ending hears how a request ended, and tells whether the answer is to be lost.
type ending func(status int, answer []byte, err error) (lost bool)

// listen notes a request that goes out, and gives what is to hear its end.
func (tap *tap) listen(kind string, body []byte) ending {
	switch kind {
	case "post":
		var post pingpost.Post
		if err := tap.native.DecodePost(&post, body); err != nil {
			tap.t.Errorf("the exchange sent a post that cannot be read: %v", err)
		}
		tap.mu.Lock()
		tap.asked[post.PingID]++
		tap.latest[post.PingID] = time.Now()
		tap.mu.Unlock()
		select {
		case tap.posted <- struct{}{}:
		default:
		}
		return func(status int, answer []byte, err error) bool {
			return tap.heardVerdict(&post, status, answer, err)
		}
	case "notice":
		var notice pingpost.Notice
		if err := tap.native.DecodeNotice(&notice, body); err != nil {
			tap.t.Errorf("the exchange sent a notice that cannot be read: %v", err)
		}
		return tap.listenNotice(&notice)
	}
	return func(status int, answer []byte, err error) bool {
		tap.mu.Lock()
		defer tap.mu.Unlock()
		if err != nil {
			tap.absent++
		} else if status != http.StatusOK {
			tap.t.Errorf("a ping was answered %d: %s", status, answer)
		}
		return false
	}
}

func (tap *tap) listenNotice(notice *pingpost.Notice) ending {
	withdrawn := notice.Outcome == pingpost.OutcomeVoided
	tap.mu.Lock()
	defer tap.mu.Unlock()
	if withdrawn {
		tap.voided[notice.PingID] = true
	}
	return func(status int, answer []byte, err error) bool {
		tap.mu.Lock()
		defer tap.mu.Unlock()
		switch {
		case err != nil:
		case status != http.StatusOK && status != http.StatusServiceUnavailable:
			tap.t.Errorf("a notice was answered %d: %s", status, answer)
		case status == http.StatusOK && withdrawn:
			tap.notices++
		}
		return false
	}
}

// heardVerdict holds an answer against those that the same post got before: until it is withdrawn,
// they are all the same, in this life and the next.
func (tap *tap) heardVerdict(post *pingpost.Post, status int, answer []byte, err error) (lost bool) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	if err != nil {
		tap.cut++
		return false
	}
	verdict, err := tap.native.DecodeVerdict(answer, status)
	if err == nil && verdict.Kind == pingpost.VerdictBusy {
		tap.busy++
		return false
	}
	if err != nil || verdict.Kind != pingpost.VerdictAccepted && verdict.Kind != pingpost.VerdictRejected {
		tap.t.Errorf("a post was answered %d: %s", status, answer)
		return false
	}
	heard := promise{verdict.Kind == pingpost.VerdictAccepted, verdict.LeadID, post.BidID, post.Price, tap.latest[post.PingID]}
	former, repeated := tap.said[post.PingID]
	switch {
	case !repeated:
		tap.said[post.PingID] = heard
	case !former.same(heard) && !tap.voided[post.PingID]:
		tap.t.Errorf("post %s was answered %+v, and then %+v", post.PingID, former, heard)
	}
	return heard.accepted && tap.spring()
}

// spring lets go of who waits for an accepted answer, and tells whether it is to be lost.
func (tap *tap) spring() (lost bool) {
	trap := tap.trap
	if trap == nil {
		return false
	}
	tap.trap = nil
	close(trap.sprung)
	if trap.lose {
		tap.lost++
	}
	return trap.lose
}

// awaitAnswer waits until the bidder accepts a post, and reports false where it does not in time.
// That answer may be lost: then the exchange does not hear it.
func (tap *tap) awaitAnswer(bound time.Duration, lose bool) bool {
	set := &trap{make(chan struct{}), lose}
	tap.mu.Lock()
	tap.trap = set
	tap.mu.Unlock()
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-set.sprung:
		return true
	case <-timer.C:
	}
	tap.mu.Lock()
	defer tap.mu.Unlock()
	tap.trap = nil
	return false
}

// awaitPost waits until a post is sent, and reports false where none is in time.
func (tap *tap) awaitPost(bound time.Duration) bool {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-tap.posted:
		return true
	case <-timer.C:
		return false
	}
}

// promises are the accepted posts, by ping id.
func (tap *tap) promises() map[string]promise {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	promises := maps.Clone(tap.said)
	maps.DeleteFunc(promises, func(_ string, said promise) bool { return !said.accepted })
	return promises
}

// cutShort is how many posts were left without an answer.
func (tap *tap) cutShort() int {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	return tap.cut
}

func (tap *tap) String() string {
	promised := len(tap.promises())
	tap.mu.Lock()
	defer tap.mu.Unlock()
	sent := 0
	for _, times := range tap.asked {
		sent += times
	}
	return fmt.Sprintf("%d posts sent %d times: %d accepted, %d rejected, %d times no answer, "+
		"%d times busy, %d answers lost; %d withdrawn; %d pings found no bidder",
		len(tap.asked), sent, promised, len(tap.said)-promised, tap.cut, tap.busy, tap.lost, tap.notices, tap.absent)
}

// crm is the contractor's own system behind the webhook. It refuses some messages at the first
// attempt.
type crm struct {
	t      *testing.T
	secret webhook.Secret
	server *httptest.Server

	mu      sync.Mutex
	bodies  map[string][]byte // by webhook-id
	first   int               // first attempts
	refused map[string]bool
	repeats int // messages that had been taken before
}

func startCRM(t *testing.T) *crm {
	t.Helper()
	secret, err := webhook.ParseSecret(crmSecret)
	if err != nil {
		t.Fatal(err)
	}
	c := &crm{t: t, secret: secret, bodies: map[string][]byte{}, refused: map[string]bool{}}
	c.server = httptest.NewServer(c)
	t.Cleanup(c.server.Close)
	return c
}

func (c *crm) url() string { return c.server.URL + "/leads" }

// ServeHTTP takes a message, or refuses it: every twentieth at its first attempt.
func (c *crm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the bidder was killed while it sent
	}
	if err := webhook.Verify(r.Header, time.Now(), body, c.secret); err != nil {
		c.t.Errorf("the webhook got a message that is not the bidder's: %v", err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	id := r.Header.Get(webhook.HeaderID)
	c.mu.Lock()
	defer c.mu.Unlock()
	former, taken := c.bodies[id]
	switch {
	case taken && !bytes.Equal(former, body):
		c.t.Errorf("message %s came again with another body", id)
	case taken:
		c.repeats++
	case c.refused[id] || !c.refuses():
		c.bodies[id] = body
	default:
		c.refused[id] = true
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (c *crm) refuses() bool {
	c.first++
	return c.first%20 == 0
}

// received tells under how many ids each lead came, by its id.
func (c *crm) received() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	received := map[string]int{}
	for id, body := range c.bodies {
		received[leadOf(c.t, id, body)]++
	}
	return received
}

func (c *crm) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%d messages, %d of them again, %d refused at first", len(c.bodies), c.repeats, len(c.refused))
}

// leadOf is the lead that a message is about. Its own id must be the one that it came under, where
// that is given.
func leadOf(t *testing.T, id string, body []byte) string {
	t.Helper()
	var message struct {
		DeliveryID string `json:"delivery_id"`
		LeadID     string `json:"lead_id"`
	}
	if err := json.Unmarshal(body, &message); err != nil || message.LeadID == "" || id != "" && message.DeliveryID != id {
		t.Errorf("message %q is no lead: %v", id, err)
	}
	return message.LeadID
}
