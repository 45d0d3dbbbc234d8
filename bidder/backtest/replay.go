package backtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"leadbid/bidder"
	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/pingpost/recording"
	"leadbid/rules"
)

// segmentPattern is how bidder/server names its segments; sorted by name they are in time order.
const segmentPattern = "*.jsonl.zst"

// Segments lists the recordings that the paths name: files as they are, folders by their segments
// in time order. No segment at all is an error.
func Segments(paths ...string) ([]string, error) {
	var segments []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("backtest: %w", err)
		}
		if !info.IsDir() {
			segments = append(segments, path)
			continue
		}
		inside, err := filepath.Glob(filepath.Join(path, segmentPattern))
		if err != nil {
			return nil, fmt.Errorf("backtest: listing %s: %w", path, err)
		}
		slices.Sort(inside)
		segments = append(segments, inside...)
	}
	if len(segments) == 0 {
		return nil, fmt.Errorf("backtest: no recording (%s) in %s",
			segmentPattern, strings.Join(paths, ", "))
	}
	return segments, nil
}

// Replay runs the segments in order. progress, where not nil, is told the number of records read
// so far. An error means that the replay could not go on; differences are findings of the Report.
func Replay(ctx context.Context, rs *rules.Ruleset, segments []string, progress func(records int64)) (*Report, error) {
	r := &replay{rules: rs, report: newReport(), progress: progress}
	for _, path := range segments {
		if err := r.segment(ctx, path); err != nil {
			return nil, err
		}
	}
	return r.report.finish(), nil
}

// replay is one run over some segments.
type replay struct {
	rules    *rules.Ruleset
	report   *Report
	progress func(int64)

	agent *bidder.Agent // nil until a snapshot, after a gap, and while other rules were in force
	other *OtherRules   // those, nil while ours were
	run   uint32
	next  uint64
	line  []byte

	// withheld is set from a ping on that was recorded without what it said, and decided the same: what the
	// Agent keeps of it may be something else. A snapshot that is the same shows that it is not.
	withheld bool
}

func (r *replay) segment(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("backtest: %w", err)
	}
	defer file.Close()
	reader, err := recording.NewReader(file)
	if err != nil {
		return fmt.Errorf("backtest: %s: %w", path, err)
	}
	defer reader.Close()
	r.report.Segments++
	for {
		record, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return ctx.Err()
		case errors.Is(err, recording.ErrTruncated):
			r.report.Torn++ // a crash: what was flushed is whole, and the next run begins with a snapshot
			r.agent = nil
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("backtest: %s: %w", path, err)
		}
		if err := r.apply(record); err != nil {
			return fmt.Errorf("backtest: %s: record %d: %w", path, record.Seq, err)
		}
		if r.report.Records++; r.report.Records%4096 == 0 {
			if r.progress != nil {
				r.progress(r.report.Records)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}

func (r *replay) apply(record *recording.Record) error {
	switch record.Kind {
	case recording.KindSnapshot:
		return r.snapshot(record)
	case recording.KindGap:
		r.report.Gaps++
		r.agent = nil
		return nil
	}
	r.report.count(record)
	switch {
	case r.other != nil:
		r.other.Inputs++
		return nil
	case r.agent == nil:
		r.report.Uncompared++
		return nil
	}
	if record.Seq != r.next {
		return fmt.Errorf("input %d follows input %d: the recording is not whole", record.Seq, r.next-1)
	}
	r.next++
	if record.Kind == recording.KindPing {
		r.ping(record)
		return nil
	}
	return r.input(record)
}

// snapshot begins a run, takes the claim up again after a gap, or is one more thing to agree on.
func (r *replay) snapshot(record *recording.Record) error {
	var recorded bidder.Snapshot
	if err := json.Unmarshal(record.Data, &recorded); err != nil {
		return fmt.Errorf("reading the snapshot: %w", err)
	}
	if r.other = nil; recorded.Rules != r.rules.Hash() {
		// Its decisions are right by rules that are not at hand.
		r.agent, r.other = nil, r.report.otherRules(recorded.Rules)
		return nil
	}
	if r.agent != nil && recorded.Run == r.run && recorded.Seq == r.next-1 {
		mine, err := json.Marshal(r.agent.Snapshot())
		if err != nil {
			return fmt.Errorf("writing a snapshot: %w", err)
		}
		if r.report.compare(record.Seq, "snapshot", record.Data, mine, r.withheld) {
			r.withheld = false
		}
		return nil
	}
	agent, err := bidder.Restore(recorded, r.rules)
	if err != nil {
		return err
	}
	r.agent, r.run, r.next, r.withheld = agent, recorded.Run, recorded.Seq+1, false
	return nil
}

func (r *replay) ping(record *recording.Record) {
	decision := r.agent.Decide(record.At, record.Ping)
	r.line = decision.AppendJSON(r.line[:0])
	if record.Withheld && !equal(record.Decision, r.line) {
		// It was decided by personal data that no recording keeps. What follows from it is not known
		// until the next snapshot.
		r.report.Withheld++
		r.agent = nil
		return
	}
	r.report.compare(record.Seq, "decision", record.Decision, r.line, r.withheld)
	r.withheld = r.withheld || record.Withheld
}

func (r *replay) input(record *recording.Record) error {
	switch record.Kind {
	case recording.KindCancel:
		return with(record, func(c bidder.CancelRecord) { r.agent.Cancel(record.At, c.Seq) })
	case recording.KindPost:
		return with(record, func(p bidder.PostRecord) { r.post(record, p) })
	case recording.KindCharged:
		return with(record, func(c budget.Charged) { r.agent.Charged(record.At, c) })
	case recording.KindNotice:
		return with(record, func(n bidder.NoticeRecord) {
			outcome, _ := pingpost.ParseOutcome(n.Outcome)
			r.agent.NotifyPrices(record.At, outcome, n.Ref, bidder.Prices{Clearing: n.ClearingPrice, MinBidToWin: n.MinBidToWin})
		})
	case recording.KindUpkeep:
		return with(record, func(u bidder.UpkeepRecord) { r.upkeep(record, u) })
	case recording.KindGranted:
		return with(record, func(a budget.UpkeepAnswer) { r.agent.Answered(record.At, a) })
	case recording.KindAway:
		r.agent.Away(record.At)
		return nil
	case recording.KindPause:
		return with(record, func(p bidder.Pauses) { r.agent.Pause(record.At, p) })
	case recording.KindOutcome:
		return with(record, func(known []strategy.Evidence) { r.agent.Outcome(record.At, known) })
	case recording.KindReset:
		return with(record, func(of bidder.ResetRecord) { r.agent.ResetPacing(record.At, of.Campaign) })
	case recording.KindSwap:
		r.agent = nil // the next snapshot goes on from here, where it is of our rules again
		return nil
	}
	return fmt.Errorf("unknown kind %q: recorded by a newer version?", record.Kind)
}

func (r *replay) post(record *recording.Record, p bidder.PostRecord) {
	settlement := r.agent.SettleRecorded(record.At, p.Facts, p.Ref, p.Authentic, p.Rejection)
	if p.Generation != r.agent.Generation() {
		// Rules made this bid that are not at hand. A settlement changes nothing that follows.
		r.report.Former++
		return
	}
	r.compareData(record, "settlement", bidder.RecordOf(p.Facts, p.Ref, p.Authentic, settlement))
}

func (r *replay) upkeep(record *recording.Record, u bidder.UpkeepRecord) {
	look := r.agent.Upkeep
	if u.Surrender {
		look = r.agent.Surrender
	}
	mine := bidder.UpkeepRecord{Surrender: u.Surrender}
	if ask, ok, _ := look(record.At); ok {
		mine.Ask = &ask
	}
	r.compareData(record, "upkeep", mine)
}

func (r *replay) compareData(record *recording.Record, what string, mine any) {
	text, err := json.Marshal(mine)
	if err != nil {
		panic(fmt.Sprintf("backtest: plain data does not marshal: %v", err))
	}
	r.report.compare(record.Seq, what, record.Data, text, r.withheld)
}

// with reads a record's data and hands it on.
func with[T any](record *recording.Record, apply func(T)) error {
	var data T
	if err := json.Unmarshal(record.Data, &data); err != nil {
		return fmt.Errorf("reading a %s: %w", record.Kind, err)
	}
	apply(data)
	return nil
}

func equal(a, b []byte) bool { return bytes.Equal(bytes.TrimSpace(a), bytes.TrimSpace(b)) }
