package server_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"leadbid/bidder/backtest"
	"leadbid/rules"
)

// TestEverythingAtOnceToTheSameBid sends the same post, another body under its bid, withdrawals and
// returns all at the same time, for several bids, and again after a restart: each body has one
// answer for ever, each bid is charged and credited once at most, and the recording replays equal.
func TestEverythingAtOnceToTheSameBid(t *testing.T) {
	dir, roomy := t.TempDir(), strings.Replace(configuration, "{day: $400}", "{day: $4000}", 1)
	r := start(t, dir, roomy)
	type answer struct {
		status int
		verdict
	}
	var mu sync.Mutex
	answers := map[string]map[answer]bool{}
	take := func(r *running, b bid, person int) {
		status, got := r.take(b, person)
		mu.Lock()
		defer mu.Unlock()
		key := fmt.Sprint(b.PingID, " with person ", person)
		if answers[key] == nil {
			answers[key] = map[answer]bool{}
		}
		answers[key][answer{status, verdict{got.Status, got.LeadID, got.Reason}}] = true
	}
	notice := func(r *running, b bid, outcome string) {
		status, text := r.post("/v1/notice/north", northKey,
			`{"ping_id":"`+b.PingID+`","bid_id":"`+b.BidID+`","outcome":"`+outcome+`"}`)
		if status != http.StatusOK {
			t.Errorf("a notice got %d %s", status, text)
		}
	}
	storm := func(r *running, bids []bid) {
		var all sync.WaitGroup
		for i, b := range bids {
			for range 4 {
				all.Go(func() { take(r, b, 2*i) })
			}
			all.Go(func() { take(r, b, 2*i+1) })
			if i%2 == 0 {
				all.Go(func() { notice(r, b, "voided") })
			}
			all.Go(func() { notice(r, b, "returned") })
			all.Go(func() { notice(r, b, "lost") })
		}
		all.Wait()
	}
	var bids []bid
	asked := 0
	await(t, "seven bids", func() bool {
		asked++
		if b := r.ask(fmt.Sprint("p-", asked)); b.Status == "bid" {
			bids = append(bids, b)
		}
		return len(bids) == 7
	})
	take(r, bids[1], 2) // is bought, whatever comes first in the storm
	storm(r, bids)
	r.stop()
	again := start(t, dir, roomy)
	storm(again, bids)
	again.deliver()
	// One answer for each post; a withdrawal turns it, and nothing else, into voided.
	voided := answer{http.StatusOK, verdict{"rejected", "", "voided"}}
	for key, seen := range answers {
		if delete(seen, voided); len(seen) > 1 {
			t.Errorf("%s was answered %v", key, seen)
		}
	}
	report, err := again.server.Store().Verify(t.Context())
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("verify: %v %v", report.Findings, err)
	}
	counts, err := again.server.Store().Counts(t.Context())
	withdrawn := int64(len(bids)+1) / 2 // what of these was not delivered before is not any more
	if err != nil || counts.Leads < 1 || counts.Leads > 7 || counts.Credited > counts.Charged || counts.Owed > 0 ||
		counts.Delivered > counts.Leads || counts.Delivered < counts.Leads-withdrawn {
		t.Errorf("the books say %+v, %v", counts, err)
	}
	again.stop()
	replayEqual(t, dir, roomy)
}

type verdict struct{ status, leadID, reason string }

// replayEqual replays what was recorded in a folder and wants no difference and no gap.
func replayEqual(t *testing.T, dir, text string) {
	t.Helper()
	segments, err := backtest.Segments(filepath.Join(dir, "recordings"))
	if err != nil {
		t.Fatal(err)
	}
	rs, _ := rules.Load(configFS(t, dir, text), "bidder.yaml", func(name string) (string, bool) {
		return strings.Repeat(name, 8), true
	})
	report, err := backtest.Replay(t.Context(), rs, segments, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Identical() || report.Uncompared > 0 {
		t.Errorf("the replay says %+v", report)
	}
}
