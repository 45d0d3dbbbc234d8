package backtest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"leadbid/bidder"
	"leadbid/bidder/backtest"
	"leadbid/pingpost"
	"leadbid/pingpost/recording"
	"leadbid/rules"
)

const configuration = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {day: $4000}}
exchanges:
  north: {auth: {bearer: "${NORTH}"}}
campaigns:
  hvac:
    services: [hvac]
    area: {zips: [60614]}
    rules:
      - {name: emergency, when: urgency == "emergency", bid: 50}
      - {name: mail, when: source contains "@", bid: 7}
      - {name: called, when: known(attrs.caller), bid: 8}
      - {name: other, bid: 20}
`

var monday = time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)

func load(t *testing.T, text string) *rules.Ruleset {
	t.Helper()
	rs, faults := rules.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(text)}}, "bidder.yaml",
		func(string) (string, bool) { return "a-key-0123456789abcdef0123456789", true })
	if rs == nil {
		t.Fatal(faults)
	}
	return rs
}

// tape records what an Agent is told and says, as bidder/server does.
type tape struct {
	t      *testing.T
	dir    string
	agent  *bidder.Agent
	rules  *rules.Ruleset
	now    time.Time
	number int
	lines  []string // of the segment under way
	tamper bool     // pings are recorded with another decision than was made
}

func newTape(t *testing.T, rs *rules.Ruleset) *tape {
	plan := bidder.PlanOf(rs)
	r := &tape{t: t, dir: t.TempDir(), rules: rs, now: monday,
		agent: bidder.New(7, rs, bidder.FundedBook(plan, monday, bidder.UnusedCaps(plan, monday)))}
	r.snapshot()
	return r
}

func (r *tape) data(seq uint64, at time.Time, kind recording.Kind, data any) {
	r.t.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		r.t.Fatal(err)
	}
	r.lines = append(r.lines, string(recording.Append(nil, seq, at, kind, text)))
}

func (r *tape) snapshot() {
	snapshot := r.agent.Snapshot()
	r.data(snapshot.Seq, snapshot.At, recording.KindSnapshot, snapshot)
}

// ping asks the Agent and records it.
func (r *tape) ping(change func(*pingpost.Ping)) bidder.Decision {
	r.number++
	r.now = r.now.Add(250 * time.Millisecond)
	p := &pingpost.Ping{Exchange: "north", ID: fmt.Sprint("p-", r.number), Service: pingpost.HVAC, ZIP: 60614}
	if change != nil {
		change(p)
	}
	p.Digest = p.ComputeDigest()
	decision := r.agent.Decide(r.now, p)
	recorded := decision
	if r.tamper {
		recorded.Price++
	}
	r.lines = append(r.lines, string(recording.AppendPing(nil, decision.Seq, decision.At, p, r.rules.KeepsAttr,
		recorded.AppendJSON(nil))))
	return decision
}

func (r *tape) pings(n int) {
	for i := range n {
		r.ping(func(p *pingpost.Ping) { p.Urgency = pingpost.Urgency(i % 3) })
	}
}

func (r *tape) pause(pauses bidder.Pauses) {
	stamp := r.agent.Pause(r.now, pauses)
	r.data(stamp.Seq, stamp.At, recording.KindPause, pauses)
}

func (r *tape) swap(rs *rules.Ruleset) {
	r.rules = rs
	number := r.agent.Generation() + 1
	stamp := r.agent.Swap(r.now, rs, number, nil)
	r.data(stamp.Seq, stamp.At, recording.KindSwap, bidder.SwapRecord{Generation: number, Rules: rs.Hash()})
}

// end writes the segment; what change makes of its lines, where it is not nil. torn cuts it off.
func (r *tape) end(torn bool, change func(lines []string)) {
	r.t.Helper()
	if change != nil {
		change(r.lines)
	}
	path := filepath.Join(r.dir, r.now.Format("20060102T150405.000Z")+".jsonl.zst")
	file, err := os.Create(path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	w, err := recording.NewWriter(file)
	if err != nil {
		r.t.Fatal(err)
	}
	for i, line := range r.lines {
		if err := w.Write([]byte(line)); err != nil {
			r.t.Fatal(err)
		}
		if torn && i == len(r.lines)/2 {
			if err := w.Flush(); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		r.t.Fatal(err)
	}
	if r.lines = nil; torn {
		info, err := file.Stat()
		if err != nil {
			r.t.Fatal(err)
		}
		if err := file.Truncate(info.Size() - 20); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *tape) replay(rs *rules.Ruleset) (*backtest.Report, error) {
	r.t.Helper()
	segments, err := backtest.Segments(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return backtest.Replay(r.t.Context(), rs, segments, nil)
}

func (r *tape) report(rs *rules.Ruleset) *backtest.Report {
	r.t.Helper()
	report, err := r.replay(rs)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

func TestReplayIsEqual(t *testing.T) {
	rs := load(t, configuration)
	r := newTape(t, rs)
	r.pings(30)
	r.pause(bidder.Pauses{Campaigns: []string{"hvac"}})
	r.pings(3)
	r.pause(bidder.Pauses{})
	r.end(false, nil)
	r.snapshot() // the next segment goes on
	r.pings(30)
	r.end(false, nil)
	report := r.report(rs)
	if !report.Identical() || report.Segments != 2 || report.Pings != 63 || report.Compared != 63+1 ||
		report.Uncompared+report.Withheld != 0 || report.Gaps+report.Torn != 0 {
		t.Errorf("%+v", report)
	}
	if len(report.Campaigns) != 1 || report.Campaigns[0].Bids != report.Bids || report.Bids < 50 ||
		report.Campaigns[0].NoBids["paused"] != 3 {
		t.Errorf("%+v", report.Campaigns)
	}
}

func TestTamperingIsFound(t *testing.T) {
	f := func(what, old, changed string, different int64) {
		t.Helper()
		rs := load(t, configuration)
		r := newTape(t, rs)
		r.pings(20)
		r.end(false, func(lines []string) {
			if !strings.Contains(lines[7], old) {
				t.Fatalf("%s: no %s in %s", what, old, lines[7])
			}
			lines[7] = strings.Replace(lines[7], old, changed, 1)
		})
		report := r.report(rs)
		if report.DifferentCount != different || report.Identical() || report.Differences[0].Seq != 7 ||
			report.Differences[0].What != "decision" {
			t.Errorf("%s: %+v", what, report)
		}
	}
	f("a price", `"bid":20.00`, `"bid":20.01`, 1)
	f("a rule", `"rule":"other"`, `"rule":"emergency"`, 1)
	f("a lease", `"lease":1`, `"lease":2`, 1)
	f("a bid into none", `{"bid":20.00`, `{"no_bid":"paused","bid":20.00`, 1)
	f("the ping", `"zip":"60614"`, `"zip":"60615"`, 1)
}

// A segment that a crash cut off is whole up to there; the next run begins with a snapshot.
func TestTornSegment(t *testing.T) {
	rs := load(t, configuration)
	r := newTape(t, rs)
	r.pings(40)
	r.end(true, nil)
	again := newTape(t, rs)
	again.dir, again.now = r.dir, r.now.Add(time.Minute)
	again.pings(10)
	again.end(false, nil)
	report := r.report(rs)
	if report.Torn != 1 || !report.Identical() || report.Compared < 20+10 || report.Compared >= 40+10 {
		t.Errorf("%+v", report)
	}
}

func TestGapsAreNotCompared(t *testing.T) {
	rs := load(t, configuration)
	r := newTape(t, rs)
	r.pings(10)
	r.data(11, r.now, recording.KindGap, map[string]uint64{"from": 11, "to": 12})
	kept := len(r.lines)
	r.pings(2)
	r.lines = r.lines[:kept] // these were dropped
	r.pings(5)
	r.end(false, nil)
	r.snapshot()
	r.pings(10)
	r.end(false, nil)
	report := r.report(rs)
	if report.Gaps != 1 || report.Uncompared != 5 || report.Compared != 20 || !report.Identical() || report.Pings != 25 {
		t.Errorf("%+v", report)
	}
}

// What is missing without a word about it is an error: nothing after it can be believed.
func TestSilentHoles(t *testing.T) {
	f := func(want string, change func(r *tape)) {
		t.Helper()
		rs := load(t, configuration)
		r := newTape(t, rs)
		r.pings(10)
		change(r)
		r.end(false, nil)
		if report, err := r.replay(rs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v, %v; want %q", report, err, want)
		}
	}
	f("input 5 follows input 3", func(r *tape) { r.lines = append(r.lines[:4], r.lines[5:]...) })
	f("unknown kind", func(r *tape) { r.data(11, r.now, "moon", struct{}{}) })
	f("not JSON", func(r *tape) { r.lines[5] = r.lines[5][:20] + "\n" })
	f("reading the snapshot", func(r *tape) { r.data(11, r.now, recording.KindSnapshot, []int{1}) })
	f("reading a pause", func(r *tape) { r.data(11, r.now, recording.KindPause, []int{1}) })
}

// Each configuration of a run finds its own part, says how much it left to the other, and goes on
// where it is in force again.
func TestMixedGenerations(t *testing.T) {
	first := load(t, configuration)
	second := load(t, strings.Replace(configuration, "bid: 50", "bid: 55", 1))
	r := newTape(t, first)
	for i, rs := range []*rules.Ruleset{first, second, first} {
		if i > 0 {
			r.swap(rs)
			r.end(false, nil)
			r.snapshot()
		}
		r.pings(10)
	}
	r.end(false, nil)
	for i, want := range []struct {
		rules           *rules.Ruleset
		compared, other int64
	}{{first, 20, 11}, {second, 10, 22}} {
		report := r.report(want.rules)
		// An input that brings other rules is one of those before.
		if !report.Identical() || report.Compared != want.compared || report.Uncompared != 0 || report.Pings != 30 ||
			len(report.OtherRules) != 1 || report.OtherRules[0].Inputs+1 < want.other || report.OtherRules[0].Inputs > want.other {
			t.Errorf("configuration %d: %+v %+v", i, report, report.OtherRules)
		}
	}
	third := load(t, strings.Replace(configuration, "bid: 50", "bid: 60", 1))
	if report := r.report(third); report.Identical() || report.Compared != 0 || len(report.OtherRules) != 2 {
		t.Errorf("rules that never were: %+v", report)
	}
}

// A decision by personal data, which no recording keeps, is a gap that is told, and no difference.
func TestWithheldDataIsAGap(t *testing.T) {
	rs := load(t, configuration)
	f := func(what string, change func(*pingpost.Ping), withheld, uncompared int64) {
		t.Helper()
		r := newTape(t, rs)
		r.pings(5)
		r.ping(change)
		r.pings(5)
		r.end(false, nil)
		r.snapshot()
		r.pings(5)
		r.end(false, nil)
		report := r.report(rs)
		if report.DifferentCount != 0 || report.Withheld != withheld || report.Uncompared != uncompared || report.WithheldPings != 1 {
			t.Errorf("%s: %+v", what, report)
		}
	}
	f("a mail address that a rule reads", func(p *pingpost.Ping) { p.Source = "dana@example.com" }, 1, 5)
	f("a number that a rule reads", func(p *pingpost.Ping) {
		p.Attrs = []pingpost.Attr{{Name: "caller", Value: "312-555-0142"}}
	}, 1, 5)
	f("one that decides nothing", func(p *pingpost.Ping) {
		p.Source, p.Urgency = "dana@example.com", pingpost.UrgencyEmergency
	}, 0, 0)
	f("one that no rule reads", func(p *pingpost.Ping) { p.SubIDs = []string{"312-555-0142"} }, 0, 0)
}

// A difference after a ping that decided the same without what was withheld says that it may come of that,
// until a snapshot shows that it does not.
func TestDifferencesAfterWithheldDataSaySo(t *testing.T) {
	rs := load(t, configuration)
	emergency := func(p *pingpost.Ping) { p.Urgency = pingpost.UrgencyEmergency }
	r := newTape(t, rs)
	r.pings(2)
	r.ping(func(p *pingpost.Ping) { p.Source = "dana@example.com"; emergency(p) })
	r.tamper = true
	r.ping(emergency)
	r.tamper = false
	r.snapshot()
	r.tamper = true
	r.ping(emergency)
	r.end(false, nil)
	report := r.report(rs)
	if report.DifferentCount != 2 || report.AfterWithheld != 1 || report.WithheldPings != 1 || report.Withheld != 0 ||
		!report.Differences[0].AfterWithheld || report.Differences[1].AfterWithheld {
		t.Errorf("%+v", report)
	}
}

func TestSegments(t *testing.T) {
	dir := t.TempDir()
	if _, err := backtest.Segments(dir); err == nil || !strings.Contains(err.Error(), "no recording") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := backtest.Segments(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that is not there")
	}
	for _, name := range []string{"b.jsonl.zst", "a.jsonl.zst", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	segments, err := backtest.Segments(dir, filepath.Join(dir, "notes.txt"))
	if want := []string{"a.jsonl.zst", "b.jsonl.zst", "notes.txt"}; err != nil || len(segments) != 3 {
		t.Errorf("%q, %v", segments, err)
	} else {
		for i := range want {
			if filepath.Base(segments[i]) != want[i] {
				t.Errorf("%q, want %q", segments, want)
			}
		}
	}
}

// TestToldPricesAreReplayed: bids that follow from what notices tell are only equal where a replay
// tells it again.
func TestToldPricesAreReplayed(t *testing.T) {
	shaded := strings.Replace(configuration, "    rules:\n", "    strategy: {objective: profit, explore: 20%}\n    value: 90\n    rules:\n", 1)
	shaded = strings.Replace(shaded, "north: {", "north: {auction: first, tells: price, ", 1)
	rs := load(t, shaded)
	r := newTape(t, rs)
	play := func(first, n int) (bids []pingpost.Cents) {
		for i := first; i < first+n; i++ {
			d := r.ping(func(p *pingpost.Ping) { p.Urgency, p.State = pingpost.UrgencyEmergency, "IL" })
			bids = append(bids, d.Price)
			notice := bidder.NoticeRecord{Outcome: "lost", Ref: d.Ref, ClearingPrice: pingpost.Cents(3100 + 10*i), MinBidToWin: pingpost.Cents(3101 + 10*i)}
			stamp := r.agent.NotifyPrices(r.now, pingpost.OutcomeLost, d.Ref, bidder.Prices{Clearing: notice.ClearingPrice, MinBidToWin: notice.MinBidToWin})
			r.data(stamp.Seq, stamp.At, recording.KindNotice, notice)
		}
		return bids
	}
	before := play(0, 30)
	r.end(false, nil)
	r.snapshot()
	play(30, 30)
	r.end(false, nil)
	if before[29] == before[0] {
		t.Fatalf("nothing was learned: %v", before)
	}
	if report := r.report(rs); !report.Identical() || report.Compared != 60+1 {
		t.Errorf("%+v", report)
	}
}
