package server

import (
	"bytes"
	"errors"
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
	segments, err := backtest.Segments(r.dir)
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
