package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leadbid/budget/store"
	"leadbid/pingpost"
)

// callers play an exchange that asks a bidder for bids and posts a lead for each of them at once, as
// fast as they are answered. They remember what was accepted: that has to be in the books whatever
// becomes of the bidder.
type callers struct {
	t      *testing.T
	name   string // of the exchange
	client *http.Client
	next   atomic.Int64

	pause    atomic.Int64              // of each caller between two leads, in nanoseconds
	patience time.Duration             // for one answer
	auction  time.Duration             // how long the exchange says it waits for bids
	tries    int                       // for one post, each at any address
	service  func(number int64) string // that a lead is about

	mu         sync.Mutex
	accepted   map[string]taken // by ping id
	pings      int
	bids       int
	posts      int
	rejected   map[string]int // by reason
	busy       int            // posts that were put off
	unanswered int            // posts without an answer
	noBids     map[string]int // by reason
}

// taken is a lead that a bidder has accepted.
type taken struct {
	lead, bid string
	service   string
	price     pingpost.Cents
	body      []byte // of the post
}

func newCallers(t *testing.T, name string) *callers {
	c := &callers{t: t, name: name, accepted: map[string]taken{}, rejected: map[string]int{}, noBids: map[string]int{},
		patience: patience, auction: 5 * time.Second, tries: 1, service: func(int64) string { return "hvac" }}
	c.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: patience}
	t.Cleanup(c.client.CloseIdleConnections)
	return c
}

// call sends leads, many at once, until ctx ends. base gives the address for each ping and post.
func (c *callers) call(ctx context.Context, many int, base func() string) {
	var group sync.WaitGroup
	for range many {
		group.Go(func() {
			for ctx.Err() == nil {
				if pause := c.pause.Load(); pause > 0 {
					wait(ctx, time.Duration(pause))
				}
				if !c.bring(ctx, base) {
					wait(ctx, 2*time.Millisecond) // nobody is there, or nobody bids
				}
			}
		})
	}
	group.Wait()
}

func wait(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// bring asks for a bid for one lead, and posts it. It tells whether there was a bid.
func (c *callers) bring(ctx context.Context, base func() string) (bid bool) {
	number := c.next.Add(1)
	ping := fmt.Sprintf("%s-%d", c.name, number)
	var offer struct {
		Status string         `json:"status"`
		Bid    pingpost.Cents `json:"bid"`
		ID     string         `json:"bid_id"`
		Reason string         `json:"reason"`
	}
	c.count(&c.pings)
	service := c.service(number)
	status, answer, err := c.send(ctx, base()+"/v1/ping/"+c.name, fmt.Appendf(nil, `{"ping_id":%q,"tmax_ms":%d,`+
		`"service":%q,"job":"repair","zip":"60614","state":"IL","exclusive":true,"lead_score":%d}`,
		ping, c.auction.Milliseconds(), service, number%100))
	if err != nil {
		return false
	}
	if err := json.Unmarshal(answer, &offer); err != nil || status != http.StatusOK {
		c.t.Errorf("ping %s was answered %d: %s", ping, status, answer)
	}
	if offer.Status != "bid" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.noBids[service+" "+offer.Reason]++
		return false
	}
	c.count(&c.bids)
	price := offer.Bid - pingpost.Cents(number%500)
	c.post(ctx, base, ping, taken{bid: offer.ID, service: service, price: price, body: fmt.Appendf(nil,
		`{"ping_id":%q,"bid_id":%q,"price":%s,"service":%q,"job":"repair","exclusive":true,`+
			`"lead":{"first_name":"Jo","last_name":"Doe","email":"%s@example.com","state":"IL","zip":"60614"}}`,
		ping, offer.ID, strings.TrimPrefix(price.String(), "$"), service, ping)})
	return true
}

// post posts a lead until there is an answer, and puts down how it ended.
func (c *callers) post(ctx context.Context, base func() string, ping string, lead taken) {
	var status int
	var answer []byte
	var err error
	for range c.tries {
		c.count(&c.posts)
		if status, answer, err = c.send(ctx, base()+"/v1/post/"+c.name, lead.body); err == nil && status != http.StatusServiceUnavailable {
			break
		}
	}
	var verdict struct {
		Status string `json:"status"`
		Lead   string `json:"lead_id"`
		Reason string `json:"reason"`
	}
	if err == nil && status == http.StatusOK {
		if err := json.Unmarshal(answer, &verdict); err != nil {
			c.t.Errorf("post %s was answered %s", ping, answer)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	former, repeated := c.accepted[ping]
	switch {
	case err != nil:
		c.unanswered++
	case status == http.StatusServiceUnavailable:
		c.busy++
	case verdict.Status == "accepted" && (!repeated || former.lead == verdict.Lead):
		lead.lead = verdict.Lead
		c.accepted[ping] = lead
	case verdict.Status == "rejected" && !repeated:
		c.rejected[verdict.Reason]++
	default:
		c.t.Errorf("post %s was answered %d %s, and before as lead %q", ping, status, answer, former.lead)
	}
}

func (c *callers) send(ctx context.Context, url string, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+exchangeKey)
	response, err := c.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

func (c *callers) count(what *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*what++
}

// check holds what was accepted against the books, and gives what it came to. There may be more in
// the books: posts that were booked and whose answer was lost.
func (c *callers) check(leads map[string]store.Lead) (charged pingpost.Cents) {
	c.t.Helper()
	faults := newFaults(c.t)
	for ping, said := range c.accepted {
		lead, booked := leads[ping]
		switch {
		case !booked:
			faults.add("%s was accepted as lead %s, and is not in the books", ping, said.lead)
		case lead.ID != said.lead || lead.BidID != said.bid || lead.Price != said.price:
			faults.add("%s was accepted as lead %s at %v, and booked as %s at %v", ping, said.lead, said.price, lead.ID, lead.Price)
		}
	}
	faults.report("promises")
	unheard := 0
	for _, lead := range leads {
		if lead.Exchange != c.name {
			continue
		}
		charged += lead.Price
		if _, heard := c.accepted[lead.PingID]; !heard {
			unheard++
		}
	}
	if most := c.unanswered + c.busy; unheard > most {
		c.t.Errorf("%d leads were booked that nobody was told of, and %d posts were not answered", unheard, most)
	}
	return charged
}

// repeat posts some of what was accepted again: the answer is the same.
func (c *callers) repeat(ctx context.Context, base func() string, most int) {
	for ping, lead := range c.accepted {
		if most--; most < 0 {
			return
		}
		c.post(ctx, base, ping, lead)
	}
}

func (c *callers) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%d pings, %d bids, no bids %v; %d posts: %d accepted, rejected %v, %d put off, %d unanswered",
		c.pings, c.bids, c.noBids, c.posts, len(c.accepted), c.rejected, c.busy, c.unanswered)
}

// taken counts what was accepted.
func (c *callers) taken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.accepted)
}

// numberFrom reads how much a test is to do from the environment.
func numberFrom(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		t.Fatalf("%s=%q: say a whole number from 1", name, text)
	}
	return number
}
