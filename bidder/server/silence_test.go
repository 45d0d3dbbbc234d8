package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rs/zerolog"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

// TestSilenceIsTold takes an exchange through silence and back, with the instants handed in, and looks
// at what the log, the metrics and the status say.
func TestSilenceIsTold(t *testing.T) {
	rs, faults := rules.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(`
version: 1
business: {name: Test, timezone: America/Chicago}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: sqlite:test.db
exchanges: {north: {auth: {bearer: "${KEY}"}, bid_ttl: 10s, silent_after: 1m}}
campaigns:
  hvac: {services: [hvac], area: {states: [IL]}, budget: {day: $20000}, rules: [{bid: 20}], delivery: [{file: leads.jsonl}]}
`)}}, "bidder.yaml", func(string) (string, bool) { return "a-long-random-key-0123456789", true })
	if rs == nil {
		t.Fatal(faults)
	}
	var log bytes.Buffer
	s := &Server{
		agent: bidder.New(1, rs, budget.NewBook(bidder.PlanOf(rs))), meters: newMeters(),
		log: zerolog.New(&log), silent: map[string]bool{},
	}
	now := time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC)
	ask, _, _ := s.agent.Upkeep(now)
	s.agent.Answered(now, budget.UpkeepAnswer{At: ask.At, Grants: []budget.Grant{{Line: ask.Wants[0].Line, Lease: &budget.LeaseState{
		ID: 1, Line: ask.Wants[0].Line, Rev: 1, Cents: 20000_00, Leads: 1 << 30, Open: true,
		BidUntil: now.Add(time.Hour), CloseAt: now.Add(2 * time.Hour),
	}}}})
	asked := 0
	bid := func() bidder.Decision {
		now, asked = now.Add(3*time.Second), asked+1
		p := &pingpost.Ping{Exchange: "north", ID: fmt.Sprint(asked), Service: pingpost.HVAC, ZIP: 60614, State: "IL"}
		p.Digest = p.ComputeDigest()
		return s.agent.Decide(now, p)
	}
	says := func(metric float64, silent bool, logged string) {
		t.Helper()
		s.tellSilence()
		s.tellSilence() // told once
		if got := gauge(t, s.meters, "bidder_exchange_silent"); got != metric {
			t.Errorf("the metric is %v", got)
		}
		if status := s.hearings(time.UTC); len(status) != 1 || status[0].Silent.IsZero() == silent {
			t.Errorf("the status is %+v", status)
		}
		if strings.Count(log.String(), "\n") != strings.Count(logged, ";") || !strings.Contains(log.String(), strings.Trim(logged, ";")) {
			t.Errorf("it logged %s", log.String())
		}
		log.Reset()
	}
	var last bidder.Decision
	for range 40 {
		last = bid()
		s.agent.Notify(now, pingpost.OutcomeLost, last.Ref)
	}
	says(0, false, "")
	for last.Bid {
		last = bid()
	}
	says(1, true, "no post and no notice comes while bids go out;")
	for !last.Bid {
		last = bid()
	}
	s.agent.Notify(now, pingpost.OutcomeLost, last.Ref)
	says(0, false, "the exchange is heard again;")
}

// gauge reads the first of the gauges of a name.
func gauge(t *testing.T, m *meters, name string) float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
