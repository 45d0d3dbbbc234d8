package server_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"leadbid/bidder/backtest"
	"leadbid/bidder/server"
	"leadbid/internal/yamlfile"
	"leadbid/rules"
)

// file is a configuration that a test changes while a bidder runs on it.
type file struct {
	t    *testing.T
	dir  string
	text atomic.Pointer[string]
}

func (f *file) set(text string) { f.text.Store(&text) }

func (f *file) load() (*rules.Ruleset, *yamlfile.Faults) {
	return rules.Load(configFS(f.t, f.dir, *f.text.Load()), "bidder.yaml", func(name string) (string, bool) {
		key, ok := map[string]string{"NORTH": northKey, "SOUTH": southKey, "EAST": "east-" + northKey}[name]
		return key, ok
	})
}

// reloadable starts a bidder whose configuration can change.
func reloadable(t *testing.T, text string) (*running, *file) {
	f := &file{t: t, dir: t.TempDir()}
	f.set(text)
	return startWith(t, f.dir, text, f.load), f
}

func (r *running) reload(want string) server.Reloaded {
	r.t.Helper()
	done := r.server.Reload()
	if done.Result != want {
		r.t.Fatalf("the reload ended %q, want %q: %s", done.Result, want, done.Text)
	}
	return done
}

func TestReloadIsAllOrNothing(t *testing.T) {
	r, f := reloadable(t, configuration)
	r.reload(server.ReloadUnchanged)
	f.set(strings.Replace(configuration, "bid: 50", "bid: 40", 1))
	if done := r.reload(server.ReloadDone); done.Generation != 2 || done.Text != "" {
		t.Errorf("%+v", done)
	}
	if b := r.ask("p-1"); b.Bid != "40.00" {
		t.Errorf("after the reload: %+v", b)
	}
	for name, faulty := range map[string]string{
		"unknown word":      strings.Replace(configuration, "services: [hvac]", "services: [hvacs]", 1),
		"server.listen":     strings.Replace(configuration, `listen: "127.0.0.1:0"`, `listen: "127.0.0.1:1"`, 1),
		"store":             strings.Replace(configuration, "bidder.db", "other.db", 1),
		"business.timezone": strings.Replace(configuration, "Chicago", "Denver", 1),
		"pause_file":        configuration + "pause_file: elsewhere\n",
	} {
		f.set(faulty)
		done := r.reload(server.ReloadRefused)
		if done.Generation != 2 || done.Text == "" || name != "unknown word" &&
			!(strings.Contains(done.Text, name) && strings.Contains(done.Text, "restart")) {
			t.Errorf("%s: %+v", name, done)
		}
		if done.Faults[0].Line == 0 || done.Faults[0].Source == "" || done.Faults[0].Type == "" {
			t.Errorf("%s: where is it, and what is to be typed? %+v", name, done.Faults)
		}
		status, err := r.server.Status(t.Context())
		if err != nil || status.LastReload == nil || status.LastReload.Text != done.Text || status.Generation != 2 {
			t.Errorf("%s: the status says %+v, %v", name, status.LastReload, err)
		}
	}
	_, metrics := r.admin("/metrics")
	if !strings.Contains(metrics, "bidder_reload_failed 1\n") || !strings.Contains(metrics, "bidder_rules_generation 2\n") {
		t.Error("the metrics do not tell")
	}
	if !strings.Contains(r.log.String(), `"level":"error","fault":"bidder.yaml:`) {
		t.Errorf("the log does not tell: %s", r.log)
	}
	if b := r.ask("p-2"); b.Bid != "40.00" {
		t.Errorf("the rules before go on: %+v", b)
	}
	f.set(configuration)
	r.reload(server.ReloadDone)
	if _, metrics = r.admin("/metrics"); !strings.Contains(metrics, "bidder_reload_failed 0\n") {
		t.Error("a reload that went well ends the alarm")
	}
}

// TestBidsOutliveTheirCampaignAndExchange posts bids after a reload that took campaign and exchange
// away, and delivers the leads where the campaign had them go.
func TestBidsOutliveTheirCampaignAndExchange(t *testing.T) {
	r, f := reloadable(t, configuration)
	first, second := r.ask("p-1"), r.ask("p-2")
	if first.Status != "bid" || second.Status != "bid" {
		t.Fatalf("%+v %+v", first, second)
	}
	f.set(strings.NewReplacer("  hvac:\n", "  other:\n", "leads.jsonl", "others.jsonl").Replace(configuration))
	r.reload(server.ReloadDone)
	if status, got := r.take(first, 1); status != http.StatusOK || got.Status != "accepted" {
		t.Errorf("a bid of a campaign that is gone: %d %+v", status, got)
	}
	gone := strings.Replace(configuration, `  north: {profile: native, auth: {bearer: "${NORTH}"}, commitment: refusable, reasons: true}`,
		`  east: {profile: native, auth: {bearer: "${EAST}"}}`, 1)
	f.set(gone)
	r.reload(server.ReloadDone)
	if status, got := r.take(second, 2); status != http.StatusOK || got.Status != "accepted" {
		t.Errorf("a bid of an exchange that is gone: %d %+v", status, got)
	}
	if b := r.ask("p-3"); b.Status != "no_bid" || b.Reason != "exchange_not_bought" {
		t.Errorf("a ping of an exchange that is gone: %+v", b)
	}
	if lines := r.deliver(); len(lines) != 2 {
		t.Errorf("delivered: %q", lines)
	}
	if status, _ := r.post("/v1/ping/east", "east-"+northKey, pingBody("e-1")); status != http.StatusOK {
		t.Errorf("a new exchange got %d", status)
	}
	report, err := r.server.Store().Verify(t.Context())
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("verify: %v %v", report.Findings, err)
	}
}

// TestReloadUnderTraffic reloads fifty times while eight connections ping and post: every answer is
// that of one of the two configurations, generations only rise, and what is recorded replays equal.
func TestReloadUnderTraffic(t *testing.T) {
	roomy := strings.NewReplacer("{day: $400}", "{day: $4000}", "leads: {day: 50}", "leads: {day: 5000}").Replace(configuration)
	dearer := strings.NewReplacer("bid: 50", "bid: 55", "urgency ==", `attrs.system == "furnace" and urgency ==`).Replace(roomy)
	r, f := reloadable(t, roomy)
	done := make(chan struct{})
	var traffic sync.WaitGroup
	var bids atomic.Int64
	for connection := range 8 {
		traffic.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				b := r.ask(fmt.Sprint("p-", connection, "-", i))
				switch {
				case b.Status == "bid" && b.Bid != "50.00" && b.Bid != "55.00":
					t.Errorf("a bid of neither configuration: %+v", b)
				case b.Status == "no_bid" && b.Reason != "open_bids" && b.Reason != "budget_exhausted" && b.Reason != "store_away" && b.Reason != "capacity_full":
					t.Errorf("a no-bid of neither: %+v", b)
				case b.Status == "bid":
					bids.Add(1)
					if status, got := r.take(b, 1000*connection+i); i%4 == 0 && (status != http.StatusOK || got.Status != "accepted") {
						t.Errorf("the post of %+v: %d %+v", b, status, got)
					}
				}
			}
		})
	}
	for number := uint32(2); number <= 51; number++ {
		f.set([]string{roomy, dearer}[(number+1)%2])
		if got := r.reload(server.ReloadDone); got.Generation != number {
			t.Errorf("reload %d gave generation %d", number, got.Generation)
		}
	}
	close(done)
	traffic.Wait()
	report, err := r.server.Store().Verify(t.Context())
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("verify: %v %v", report.Findings, err)
	}
	r.stop()
	if bids.Load() == 0 {
		t.Fatal("nothing was bid")
	}
	for i, text := range []string{roomy, dearer} {
		f.set(text)
		rs, _ := f.load()
		segments, err := backtest.Segments(filepath.Join(f.dir, "recordings"))
		if err != nil {
			t.Fatal(err)
		}
		report, err := backtest.Replay(t.Context(), rs, segments, nil)
		if err != nil || !report.Identical() || report.Uncompared > 0 || len(report.OtherRules) != 1 || report.OtherRules[0].Inputs == 0 {
			t.Errorf("configuration %d replayed: %+v, %v", i, report, err)
		}
	}
}

// TestReloadMovesTheRecording leads the recording to another folder, ends it and begins it again, fifty
// times under traffic: each part is whole and replays equal by the rules that it was recorded with.
func TestReloadMovesTheRecording(t *testing.T) {
	roomy := strings.NewReplacer("{day: $400}", "{day: $4000}", "leads: {day: 50}", "leads: {day: 5000}").Replace(configuration)
	texts := []string{
		roomy,
		strings.NewReplacer("record: {dir: recordings}\n", "", "bid: 50", "bid: 51").Replace(roomy),
		strings.NewReplacer("recordings", "elsewhere", "bid: 50", "bid: 52").Replace(roomy),
		strings.NewReplacer("record: {dir: recordings}\n", "", "bid: 50", "bid: 53").Replace(roomy),
		strings.NewReplacer("mode: live\nrecord: {dir: recordings}\n", "mode: observe\n").Replace(roomy),
	}
	folders := []string{"recordings", "", "elsewhere", "", "data/recordings"}
	r, f := reloadable(t, texts[0])
	done := make(chan struct{})
	var traffic sync.WaitGroup
	for connection := range 4 {
		traffic.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if b := r.ask(fmt.Sprint("p-", connection, "-", i)); b.Status == "bid" && i%4 == 0 {
					r.take(b, 1000*connection+i)
				}
			}
		})
	}
	for number := 1; number <= 50; number++ {
		at := number % len(texts)
		f.set(texts[at])
		got := r.reload(server.ReloadDone)
		want := filepath.Join(f.dir, folders[at])
		if folders[at] == "" {
			want = server.NoRecording
		}
		if got.Recording != want {
			t.Errorf("reload %d says %q of the recording, want %q", number, got.Recording, want)
		}
		status, err := r.server.Status(t.Context())
		if err != nil || (status.Recording != nil) != (folders[at] != "") {
			t.Errorf("reload %d: the status says %+v, %v", number, status.Recording, err)
		}
	}
	close(done)
	traffic.Wait()
	if _, metrics := r.admin("/metrics"); !strings.Contains(metrics, "bidder_recording_dropped_total 0\n") {
		t.Error("inputs are missing in the recording")
	}
	r.stop()
	for i, text := range texts {
		if folders[i] == "" {
			continue
		}
		f.set(text)
		rs, _ := f.load()
		segments, err := backtest.Segments(filepath.Join(f.dir, folders[i]))
		if err != nil {
			t.Fatal(err)
		}
		report, err := backtest.Replay(t.Context(), rs, segments, nil)
		if err != nil || !report.Identical() || report.Uncompared > 0 || report.Gaps > 0 || len(report.OtherRules) != 0 || report.Pings == 0 {
			t.Errorf("%s replayed: %+v, %v", folders[i], report, err)
		}
	}
}
