package bidder_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/pingpost"
)

const oneExchange = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {month: $90000}}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: sqlite:test.db
mode: live
exchanges:
  north: {profile: native, auth: {bearer: "${KEY}"}, commitment: binding, bid_ttl: 10s, silent_after: 1m}
campaigns:
  hvac:
    services: [hvac]
    area: {states: [IL]}
    budget: {day: $20000}
    rules: [{name: all, bid: 20}]
    limits: {max_bid: $20}
    delivery: [{file: leads.jsonl}]
`

// TestSilentExchange lets an exchange fall silent, in an Agent and in one that is restored from its
// snapshots on the way: the bids stop but for probes, their money is free, a notice brings them back,
// and the second Agent says the same throughout.
func TestSilentExchange(t *testing.T) {
	rs := load(t, oneExchange)
	agent := bidder.New(7, rs, budget.NewBook(bidder.PlanOf(rs)))
	var other *bidder.Agent
	now, asked := monday, 0
	both := func(what string, do func(*bidder.Agent) string) {
		t.Helper()
		said := do(agent)
		if other != nil {
			if again := do(other); again != said {
				t.Fatalf("%s: first %s, then %s", what, said, again)
			}
		}
		a, _ := json.Marshal(agent.Snapshot())
		var snapshot bidder.Snapshot
		if err := json.Unmarshal(a, &snapshot); err != nil {
			t.Fatal(err)
		}
		restored, err := bidder.Restore(snapshot, rs)
		if err != nil {
			t.Fatal(err)
		}
		if other != nil {
			if b, _ := json.Marshal(other.Snapshot()); !bytes.Equal(a, b) {
				t.Fatalf("%s: the states differ:\n%s\n%s", what, a, b)
			}
		}
		other = restored
	}
	lease := budget.LeaseState{
		ID: 1, Line: budget.Line{Campaign: "hvac", Exchange: "north"}, Rev: 1, Cents: 20000_00, Leads: 1 << 40,
		BidUntil: now.Add(12 * time.Hour), CloseAt: now.Add(13 * time.Hour), Open: true,
	}
	both("granting", func(a *bidder.Agent) string {
		ask, _, _ := a.Upkeep(now)
		a.Answered(now, budget.UpkeepAnswer{At: ask.At, Grants: []budget.Grant{{Line: lease.Line, Lease: &lease}}})
		return fmt.Sprint(ask)
	})
	bid := func() (decided bidder.Decision) {
		now, asked = now.Add(3*time.Second), asked+1
		p := ping(fmt.Sprint("p-", asked), func(p *pingpost.Ping) { p.Consent = pingpost.Consent{} })
		both("a ping", func(a *bidder.Agent) string {
			decided = a.Decide(now, p)
			return string(decided.AppendJSON(nil))
		})
		return decided
	}
	lost := func(ref budget.BidRef) {
		both("a notice", func(a *bidder.Agent) string { return fmt.Sprint(a.Notify(now, pingpost.OutcomeLost, ref)) })
	}
	var last bidder.Decision
	for range 40 {
		if last = bid(); !last.Bid {
			t.Fatalf("no bid: %s", last.Reason)
		}
		lost(last.Ref)
	}
	sent := 0
	for last = bid(); last.Bid; last = bid() {
		if sent++; sent > 100 {
			t.Fatal("bids go on for ever")
		}
	}
	if last.Reason != pingpost.Paused || last.Price != 20_00 || last.Campaign != "hvac" {
		t.Errorf("withheld: %+v", last)
	}
	if h := agent.Hearings()[0]; h.Exchange != "north" || h.Silent.IsZero() || h.Withheld != 1 || h.Unanswered != int64(sent) {
		t.Errorf("it hears %+v after %d bids", h, sent)
	}
	lost(budget.BidRef{Lease: 99, Run: 7}) // of no lease that is known
	if bid().Bid {
		t.Error("a notice of nobody's bid ended the silence")
	}
	probe := bid()
	if !probe.Bid {
		t.Error("no probe after a while")
	}
	lost(probe.Ref)
	if !bid().Bid || !agent.Hearings()[0].Silent.IsZero() {
		t.Error("a notice did not end the silence")
	}
	if err := agent.Check(); err != nil {
		t.Error(err)
	}
}
