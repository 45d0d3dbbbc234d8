package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"leadbid/budget/store"
	"leadbid/pingpost"
	"leadbid/rules"
)

func TestReturnOf(t *testing.T) {
	bought := time.Date(2036, time.March, 6, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		within, after time.Duration
		state         string
	}{
		{72 * time.Hour, 0, ReturnOpen},
		{72 * time.Hour, 48*time.Hour - 1, ReturnOpen},
		{72 * time.Hour, 48 * time.Hour, ReturnSoon}, // a day before
		{72 * time.Hour, 72*time.Hour - 1, ReturnSoon},
		{72 * time.Hour, 72 * time.Hour, ReturnOver},
		{2 * time.Hour, time.Hour - 1, ReturnOpen},
		{2 * time.Hour, time.Hour, ReturnSoon}, // of a short time its half
		{2 * time.Hour, 2 * time.Hour, ReturnOver},
		{0, 1000 * time.Hour, ReturnOpen}, // nothing is said of a deadline
	} {
		got := ReturnOf(store.Lead{At: bought}, &rules.Exchange{ReturnsWithin: c.within}, bought.Add(c.after))
		want := bought.Add(c.within)
		if c.within == 0 {
			want = time.Time{}
		}
		if got.State != c.state || got.Why != "undelivered" || !got.Until.Equal(want) {
			t.Errorf("%v of %v: %+v", c.after, c.within, got)
		}
	}
	if got := ReturnOf(store.Lead{Dispute: store.Dispute{At: bought, Reason: "bad_phone"}}, nil, bought); got.State != ReturnOpen ||
		got.Why != "disputed" || got.Reason != "bad_phone" {
		t.Errorf("of an exchange that is gone: %+v", got)
	}
}

const returnsConfiguration = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {total: $1000}}
exchanges:
  north: {auth: {bearer: "a-key-of-at-least-sixteen"}, commitment: refusable, returns: {within: 72h}}
  south: {auth: {bearer: "another-key-of-sixteen"}, commitment: refusable}
campaigns:
  hvac: {services: [hvac], area: {states: [IL]}, rules: [{bid: 20}], delivery: [{file: a}]}
`

// TestReturnsAreWarnedOf takes a disputed lead, an undeliverable one and one of an exchange without a
// deadline through the days: what the status lists, and what the log says, once each.
func TestReturnsAreWarnedOf(t *testing.T) {
	servers, books, wait := quietServers(t, returnsConfiguration, 1)
	var log bytes.Buffer
	s := servers[0]
	s.log = zerolog.New(&log)
	b := &buyer{t: t, s: s, books: books, wait: wait}
	buy := func(exchange string) store.Lead {
		t.Helper()
		if reason, _ := b.buy(exchange, pingpost.HVAC); reason != pingpost.ReasonNone {
			t.Fatal(reason)
		}
		leads, err := books.Leads(t.Context(), store.LeadFilter{Max: 1})
		if err != nil {
			t.Fatal(err)
		}
		wait(time.Second)
		return leads[0]
	}
	disputed, dead, elsewhere, fine := buy("north"), buy("north"), buy("south"), buy("north")
	dispute := func(lead, reason string) (int, DisputeAnswer) {
		t.Helper()
		body, _ := json.Marshal(DisputeRequest{Lead: lead, Reason: reason})
		recorder := httptest.NewRecorder()
		s.serveDispute(recorder, httptest.NewRequest("POST", "/-/dispute", bytes.NewReader(body)))
		var answer DisputeAnswer
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		return recorder.Code, answer
	}
	for lead, want := range map[string]int{"": http.StatusBadRequest, "nobody": http.StatusNotFound, disputed.ID: http.StatusOK,
		elsewhere.ID: http.StatusOK} {
		if code, answer := dispute(lead, "bad_phone"); code != want || (answer.Error == "") != (code == http.StatusOK) {
			t.Errorf("%q: %d, %+v", lead, code, answer)
		}
	}
	if code, _ := dispute(disputed.ID, "Bad phone!"); code != http.StatusBadRequest {
		t.Errorf("a reason of two words got %d", code)
	}
	if err := books.Attempted(t.Context(), store.Attempt{ID: dead.ID + "-1", At: s.clock.now(), Dead: true}); err != nil {
		t.Fatal(err)
	}
	var told map[string]string
	look := func(states string, logged int) {
		t.Helper()
		list, err := s.returns(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, one := range list {
			got += fmt.Sprintf("%s %s %s\n", one.Lead, one.Why, one.State)
		}
		log.Reset()
		told = s.tellReturns(list, told)
		if got != states || strings.Count(log.String(), "\n") != logged {
			t.Errorf("to return:\n%sbut not\n%slogged: %s", got, states, log.String())
		}
	}
	say := func(lead store.Lead, what string) string { return lead.ID + " " + what + "\n" }
	open := say(elsewhere, "disputed open")
	look(open+say(disputed, "disputed open")+say(dead, "undelivered open"), 0)
	wait(49 * time.Hour)
	look(say(disputed, "disputed soon")+say(dead, "undelivered soon")+open, 2)
	look(say(disputed, "disputed soon")+say(dead, "undelivered soon")+open, 0)
	e := seller{t, s, wait, "north"}
	e.notice(&pingpost.Post{Exchange: "north", PingID: dead.PingID, BidID: dead.BidID}, pingpost.OutcomeReturned)
	look(say(disputed, "disputed soon")+open, 0)
	if code, answer := dispute(dead.ID, "bad_phone"); code != http.StatusConflict || answer.Error == "" {
		t.Errorf("a credited lead: %d %+v", code, answer)
	}
	wait(24 * time.Hour)
	look(open+say(disputed, "disputed over"), 1)
	if code, answer := dispute(fine.ID, "wrong_person"); code != http.StatusOK || answer.State != ReturnOver {
		t.Errorf("a dispute that comes too late: %d %+v", code, answer)
	}
	look(open+say(disputed, "disputed over")+say(fine, "disputed over"), 1)
	wait(8 * 24 * time.Hour)
	look(open, 0)
	wait(90 * 24 * time.Hour)
	look("", 0)
}
