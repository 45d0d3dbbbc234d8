package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rs/zerolog"

	"leadbid/budget/store"
	"leadbid/pingpost"
	"leadbid/rules"
)

func TestReturnOf(t *testing.T) {
	bought := time.Date(2092, time.March, 6, 12, 0, 0, 0, time.UTC)
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

// TestReturnsOfAnExchangeThatWasTakenOut reloads without an exchange that leads were bought on. Its pings and
// posts end with its last bid; what it takes back is credited until its returns are over.
func TestReturnsOfAnExchangeThatWasTakenOut(t *testing.T) {
	servers, books, wait := quietServers(t, returnsConfiguration, 1)
	var log bytes.Buffer
	s := servers[0]
	s.log = zerolog.New(&log)
	b := &buyer{t: t, s: s, books: books, wait: wait}
	for range 3 {
		if reason, _ := b.buy("north", pingpost.HVAC); reason != pingpost.ReasonNone {
			t.Fatal(reason)
		}
		wait(time.Second)
	}
	leads, err := books.Leads(t.Context(), store.LeadFilter{})
	if err != nil {
		t.Fatal(err)
	}
	reload := func(old, new string) {
		t.Helper()
		text := strings.Replace(returnsConfiguration, old, new, 1)
		rs, faults := rules.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(text)}}, "bidder.yaml", nil)
		if rs == nil {
			t.Fatal(faults)
		}
		next, err := s.adopt(rs)
		if err != nil {
			t.Fatal(err)
		}
		s.swap(next, "")
	}
	warns := func(what string, want int) {
		t.Helper()
		log.Reset()
		if done := s.tellUnnamed(t.Context()); !done || strings.Count(log.String(), "north is not named here") != want {
			t.Errorf("%s the log says %q, %v", what, log.String(), done)
		}
	}
	warns("with north", 0)
	const north = `  north: {auth: {bearer: "a-key-of-at-least-sixteen"}, commitment: refusable, returns: {within: 72h}}
`
	f := func(what string, lead store.Lead, status int, credited pingpost.Cents) {
		t.Helper()
		body := fmt.Sprintf(`{"ping_id":%q,"bid_id":%q,"outcome":"returned"}`, lead.PingID, lead.BidID)
		if got, answer, _ := s.call(t, "notice", body); got != status {
			t.Errorf("%s: a return got %d %s", what, got, answer)
		}
		if counts, err := books.Counts(t.Context()); err != nil || counts.Credited != credited {
			t.Errorf("%s: %v are credited, %v", what, counts.Credited, err)
		}
	}
	reload(north, "")
	warns("without north", 1)
	wait(63 * time.Second)
	for _, route := range []string{"ping", "post"} {
		if status, answer, _ := s.call(t, route, "{}"); status != http.StatusUnauthorized {
			t.Errorf("a %s got %d %s", route, status, answer)
		}
	}
	f("after its last bid", leads[0], http.StatusOK, 20_00)
	f("again", leads[0], http.StatusOK, 20_00)
	wait(9 * 24 * time.Hour)
	reload(north, "\n") // other rules, and still without it
	f("while the exchange may still decide", leads[1], http.StatusOK, 40_00)
	wait(24 * time.Hour)
	f("after that", leads[2], http.StatusUnauthorized, 40_00)
	reload(north, strings.Replace(north, "returns: {within: 72h}", "pause: true", 1))
	f("put back, and paused", leads[2], http.StatusOK, 60_00)
	if status, answer, _ := s.call(t, "ping", `{"ping_id":"late","service":"hvac","zip":"60614"}`); status != http.StatusOK ||
		!strings.Contains(answer, `"no_bid"`) {
		t.Errorf("a ping of it got %d %s", status, answer)
	}
	warns("with it paused", 0)
	reload(north, "")
	wait(81 * 24 * time.Hour)
	warns("when all is forgotten", 0)
	if report, err := books.Verify(t.Context()); err != nil || len(report.Findings) > 0 {
		t.Errorf("verify: %v %v", report.Findings, err)
	}
}
