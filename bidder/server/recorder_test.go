package server

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rs/zerolog"

	"leadbid/bidder"
	"leadbid/bidder/backtest"
	"leadbid/budget"
	"leadbid/rules"
)

// recordingOf makes a recorder that nobody runs, beside an Agent.
func recordingOf(t *testing.T, log *bytes.Buffer) (*recorder, *Server) {
	t.Helper()
	rs, faults := rules.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(pausable)}}, "bidder.yaml",
		func(string) (string, bool) { return "a-key-0123456789abcdef0123456789", true })
	if rs == nil {
		t.Fatal(faults)
	}
	s := &Server{clock: newClock(), log: zerolog.New(log)}
	s.inForce.Store(&inForce{rules: rs, generation: 1, kept: rs.KeptAttrs()})
	s.agent = bidder.New(1, rs, budget.NewBook(bidder.PlanOf(rs)))
	r, err := newRecorder(s, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.record = r
	return r, s
}

func replayed(t *testing.T, r *recorder) *backtest.Report {
	t.Helper()
	segments, err := backtest.Segments(r.into())
	if err != nil {
		t.Fatal(err)
	}
	report, err := backtest.Replay(t.Context(), r.server.inForce.Load().rules, segments, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestRecordingComesBackAfterTheDiskFailed: what was not written is counted, and a new segment with
// a snapshot takes the claim up again.
func TestRecordingComesBackAfterTheDiskFailed(t *testing.T) {
	var log bytes.Buffer
	r, s := recordingOf(t, &log)
	s.applyPauses()
	r.take()
	r.tick()
	r.fail(errors.New("no space left"))
	s.applyPauses()
	s.applyPauses()
	r.take()
	if !r.failed.Load() || r.missed() != 2 {
		t.Errorf("failed %v, missed %d; want 2 missed", r.failed.Load(), r.missed())
	}
	r.tick()
	if r.out != nil {
		t.Error("a disk that has just failed was tried again")
	}
	r.opened = r.opened.Add(-retryAfter)
	r.tick()
	s.applyPauses()
	if err := r.close(); err != nil || r.failed.Load() || r.missed() != 2 {
		t.Errorf("closing: %v; failed %v, missed %d", err, r.failed.Load(), r.missed())
	}
	if report := replayed(t, r); report.Segments != 2 || report.Torn != 1 || report.DifferentCount != 0 {
		t.Errorf("the replay says %+v", report)
	}
	if text := log.String(); !bytes.Contains(log.Bytes(), []byte("stopped")) || !bytes.Contains(log.Bytes(), []byte("goes on")) {
		t.Errorf("the log says %s", text)
	}
}

// TestDroppedInputsAreGaps drops inputs in the middle and at the end of a segment.
func TestDroppedInputsAreGaps(t *testing.T) {
	var log bytes.Buffer
	r, s := recordingOf(t, &log)
	dropped := func() { s.agent.Pause(s.clock.now(), bidder.Pauses{}); r.dropped.Add(1) }
	s.applyPauses()
	dropped()
	s.applyPauses()
	r.take()
	r.tick()
	r.gapAt = r.gapAt.Add(-restartAfter)
	r.tick()
	s.applyPauses()
	dropped()
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	if report := replayed(t, r); report.Segments != 2 || report.Gaps != 2 || report.DifferentCount != 0 {
		t.Errorf("the replay says %+v, want two gaps in two segments", report)
	}
}

// swapTo reloads the same rules under another number; between comes after the Agent has them and before
// the recorder hears of it.
func swapTo(s *Server, folder string, between func()) {
	before := s.inForce.Load()
	next := &inForce{rules: before.rules, generation: before.generation + 1, kept: before.kept}
	s.record.expect(folder)
	s.inForce.Store(next)
	after := new(bidder.Snapshot)
	stamp := s.agent.Swap(s.clock.now(), next.rules, next.generation, after)
	between()
	s.record.swap(stamp, bidder.SwapRecord{Generation: next.generation, Rules: next.rules.Hash()}, after, folder)
}

// TestInputsOvertakeTheBeginning ends a recording and begins another, whose first inputs come before
// the recorder has heard of it, and whose last come after it has heard of the end.
func TestInputsOvertakeTheBeginning(t *testing.T) {
	var log bytes.Buffer
	r, s := recordingOf(t, &log)
	first, second := r.into(), t.TempDir()
	late := s.agent.Pause(s.clock.now(), bidder.Pauses{})
	swapTo(s, "", func() {})
	r.take()
	r.pause(late, bidder.Pauses{}) // numbered before the end
	s.applyPauses()                // and after it
	r.take()
	r.tick()
	if r.folder != "" || r.into() != "" || !r.on() {
		t.Errorf("folder %q, into %q, on %v", r.folder, r.into(), r.on())
	}
	r.ended = r.ended.Add(-restartAfter)
	swapTo(s, second, func() {
		r.tick() // does not rest: a recording is about to begin
		s.applyPauses()
		r.take()
		s.applyPauses()
	})
	s.applyPauses()
	if err := r.close(); err != nil || r.missed() != 0 {
		t.Errorf("%v, %d missed", err, r.missed())
	}
	for folder, want := range map[string]int64{first: 2, second: 3} {
		segments, err := backtest.Segments(folder)
		if err != nil {
			t.Fatal(err)
		}
		report, err := backtest.Replay(t.Context(), s.inForce.Load().rules, segments, nil)
		// A snapshot, then the inputs; the change of the rules is the last of them.
		if err != nil || report.Gaps+report.Torn != 0 || report.Records != 1+want || report.DifferentCount != 0 {
			t.Errorf("%s: %+v, %v", folder, report, err)
		}
	}
}

// TestRecorderRests: nothing is handed over where nothing is recorded, but for a while after the end.
func TestRecorderRests(t *testing.T) {
	r, s := recordingOf(t, new(bytes.Buffer))
	swapTo(s, "", func() {})
	r.tick()
	if !r.on() {
		t.Error("an input that was numbered before the end may come yet")
	}
	r.ended = r.ended.Add(-restartAfter)
	if r.tick(); r.on() {
		t.Error("it goes on")
	}
	s.applyPauses()
	if len(r.waiting.places) != 0 {
		t.Error("it was handed over")
	}
}

// TestAttributesOutliveReloads lets two reloads overtake a request: what decided its ping is recorded.
func TestAttributesOutliveReloads(t *testing.T) {
	generation := func(before *inForce, rule string) *inForce {
		t.Helper()
		text := strings.Replace(awayConfiguration, "{bid: 20}", rule, 1)
		rs, faults := rules.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(text)}}, "bidder.yaml", nil)
		if rs == nil {
			t.Fatal(faults)
		}
		next := &inForce{rules: rs, generation: 1, kept: rs.KeptAttrs(), gone: map[string][]rules.Target{}}
		if before != nil {
			next.follow(before)
		}
		return next
	}
	first := generation(nil, `{when: attrs.system == "furnace", bid: 20}`)
	third := generation(generation(first, "{bid: 20}"), `{when: attrs.stories == "2", bid: 20}`)
	f := func(generation uint32, attr string, want bool) {
		t.Helper()
		if got := third.keeps(generation, attr); got != want {
			t.Errorf("of a ping that generation %d decided %s is kept: %v", generation, attr, got)
		}
	}
	f(3, "stories", true)
	f(3, "system", false)
	f(1, "system", true)
	f(1, "roof", false)
}
