package server

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leadbid/bidder"
	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/pingpost/recording"
)

const (
	recordRoom    = 8 << 20         // bytes that may wait for the writer; what comes then is dropped and counted
	recordBatch   = 256 << 10       // bytes that are worth waking the writer for before its next tick; see recorder
	recordReorder = 1 << 13         // inputs that may overtake a missing one before it counts as dropped
	recordFlush   = time.Second     // what a crash may cost of a recording
	segmentLength = time.Hour       // of one file
	restartAfter  = 5 * time.Second // after a drop, before a new segment takes the claim up again
	retryAfter    = time.Minute     // after the disk failed, before a new segment is tried
)

// recorder writes every input of the Agent, in the Agent's order, into segments that each begin
// with a snapshot. Bids never wait for the disk: where too much waits for the writer an input is
// dropped and counted, the segment says where it has a gap, and a new segment with a snapshot
// follows.
//
// A reload may start it, stop it or lead it into another folder: a change of the rules is where one
// recording ends and the next begins.
//
// Inputs are handed over as text, in batches: waking the writer for each would cost a bid as much
// as writing it down does. A compressor works on half a megabyte of tables and text, and takes as much
// out of the processor's cache that the bids find there no more: so it is woken seldom, and for long
// enough a batch. They get their numbers under the Agent's lock and are handed over
// outside it, so they may arrive in another order; the writer holds back what came early.
type recorder struct {
	server *Server
	enough chan struct{} // a batch is worth writing
	lines  sync.Pool
	taking atomic.Bool // inputs are handed over

	mu      sync.Mutex // held for the length of a copy
	waiting batch
	wanted  string // the folder that the rules in force want to be recorded into; "" for none
	expects bool   // the next rules want to be recorded

	dropped atomic.Uint64
	lost    atomic.Uint64 // inputs that the disk did not take
	failed  atomic.Bool   // nothing is written at present

	// The rest belongs to the writer's goroutine.
	folder   string    // that is recorded into; "" where nothing is
	ended    time.Time // when it became ""
	spare    batch     // empty: to change places with the one that waits
	early    entries
	next     uint64 // the number that the segment needs next
	file     *os.File
	out      *recording.Writer
	opened   time.Time
	segments int
	gapAt    time.Time
	handled  uint64 // drops that led to a new segment
	turns    []turn // by the snapshots' Seq
}

// turn is where one segment ends and another begins, with a snapshot, once everything before it is
// written.
type turn struct {
	snapshot *bidder.Snapshot
	moves    bool   // into folder, or where that is "" the recording ends; otherwise it stays where it is
	folder   string // with moves
}

// batch is the lines of inputs one after the other.
type batch struct {
	text   []byte
	places []place
	turns  []turn // at changes of the rules
}

// place is where a batch has the line of an input.
type place struct {
	seq        uint64
	start, end int
}

func (b *batch) line(p place) []byte { return b.text[p.start:p.end] }

// sort brings the inputs into their order, in which they nearly are.
func (b *batch) sort() {
	slices.SortFunc(b.places, func(x, y place) int { return cmp.Compare(x.seq, y.seq) })
}

// run counts the inputs from the i-th on that follow each other both in number and in the text.
func (b *batch) run(i int) int {
	n := 1
	for ; i+n < len(b.places); n++ {
		last, p := b.places[i+n-1], b.places[i+n]
		if p.seq != last.seq+1 || p.start != last.end {
			break
		}
	}
	return n
}

// entry is an input that came early.
type entry struct {
	seq  uint64
	line []byte
}

type entries []entry

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].seq < e[j].seq }
func (e entries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *entries) Push(x any)        { *e = append(*e, x.(entry)) }
func (e *entries) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newRecorder(s *Server, dir string) (*recorder, error) {
	r := &recorder{server: s, enough: make(chan struct{}, 1), ended: s.clock.now()}
	r.lines.New = func() any { return new([]byte) }
	if dir == "" {
		return r, nil
	}
	folder, err := r.prepare(dir)
	if err != nil {
		return nil, err
	}
	snapshot := s.agent.Snapshot()
	snapshot.At = s.clock.now()
	r.expect(folder)
	r.folder, r.wanted = folder, folder
	return r, r.begin(&snapshot)
}

// prepare makes the folder of a recording; "" of "".
func (r *recorder) prepare(dir string) (folder string, err error) {
	if dir == "" {
		return "", nil
	}
	folder = r.server.path(dir)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("server: making the folder of recordings: %w", err)
	}
	return folder, nil
}

// expect comes before rules that want to be recorded into a folder: inputs are handed over from before
// the first that belongs to the recording.
func (r *recorder) expect(folder string) {
	if folder == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expects = true
	r.taking.Store(true)
}

// into is the folder that is recorded into by now; "" where nothing is.
func (r *recorder) into() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wanted
}

func (r *recorder) on() bool { return r.taking.Load() }

// ping records a decision in its canonical form.
func (r *recorder) ping(scratch *request, d *bidder.Decision) {
	if !r.on() {
		return
	}
	scratch.decision = d.AppendJSON(scratch.decision[:0])
	line := r.lines.Get().(*[]byte)
	inForce := r.server.inForce.Load()
	keeps := func(attr string) bool { return inForce.keeps(d.Generation, attr) }
	*line = recording.AppendWrittenPing((*line)[:0], d.Seq, d.At, &scratch.ping, scratch.written, keeps, scratch.decision)
	r.hand(d.Seq, line)
}

func (r *recorder) cancel(stamp bidder.Stamp, seq uint64) {
	r.input(stamp, recording.KindCancel, bidder.CancelRecord{Seq: seq})
}

func (r *recorder) post(stamp bidder.Stamp, record bidder.PostRecord) {
	r.input(stamp, recording.KindPost, record)
}

func (r *recorder) charged(stamp bidder.Stamp, answer budget.Charged) {
	r.input(stamp, recording.KindCharged, answer)
}

func (r *recorder) notice(stamp bidder.Stamp, n *pingpost.Notice, ref budget.BidRef) {
	if !r.on() {
		return
	}
	record := bidder.NoticeRecord{
		Outcome: n.Outcome.String(), Ref: ref, ClearingPrice: n.ClearingPrice, MinBidToWin: n.MinBidToWin,
	}
	var room [512]byte // for more than any notice needs
	r.line(stamp, recording.KindNotice, record.AppendJSON(room[:0]))
}

func (r *recorder) upkeep(stamp bidder.Stamp, record bidder.UpkeepRecord) {
	r.input(stamp, recording.KindUpkeep, record)
}

func (r *recorder) answered(stamp bidder.Stamp, answer budget.UpkeepAnswer) {
	r.input(stamp, recording.KindGranted, answer)
}

func (r *recorder) away(stamp bidder.Stamp) { r.input(stamp, recording.KindAway, struct{}{}) }

func (r *recorder) pause(stamp bidder.Stamp, pauses bidder.Pauses) {
	r.input(stamp, recording.KindPause, pauses)
}

func (r *recorder) outcome(stamp bidder.Stamp, known []strategy.Evidence) {
	r.input(stamp, recording.KindOutcome, known)
}

func (r *recorder) reset(stamp bidder.Stamp, campaign string) {
	r.input(stamp, recording.KindReset, bidder.ResetRecord{Campaign: campaign})
}

// swap records a change of the rules. A segment begins with the state after it, in the folder that
// the new rules want.
func (r *recorder) swap(stamp bidder.Stamp, record bidder.SwapRecord, after *bidder.Snapshot, folder string) {
	if !r.on() {
		return
	}
	r.mu.Lock()
	r.waiting.turns = append(r.waiting.turns, turn{snapshot: after, moves: r.wanted != folder, folder: folder})
	r.wanted, r.expects = folder, false
	r.mu.Unlock()
	r.input(stamp, recording.KindSwap, record)
}

func (r *recorder) input(stamp bidder.Stamp, kind recording.Kind, data any) {
	if !r.on() {
		return
	}
	text, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("server: a record of plain data does not marshal: %v", err))
	}
	r.line(stamp, kind, text)
}

func (r *recorder) line(stamp bidder.Stamp, kind recording.Kind, data []byte) {
	line := r.lines.Get().(*[]byte)
	*line = recording.Append((*line)[:0], stamp.Seq, stamp.At, kind, data)
	r.hand(stamp.Seq, line)
}

// hand gives the line of an input to the writer, and its memory back.
func (r *recorder) hand(seq uint64, line *[]byte) {
	if !r.wait(seq, *line) {
		r.dropped.Add(1)
	}
	r.lines.Put(line)
}

// wait puts an input among those that wait for the writer; false where they are too many.
func (r *recorder) wait(seq uint64, line []byte) bool {
	r.mu.Lock()
	start := len(r.waiting.text)
	if start > recordRoom {
		r.mu.Unlock()
		return false
	}
	end := start + len(line)
	r.waiting.text = append(r.waiting.text, line...)
	r.waiting.places = append(r.waiting.places, place{seq, start, end})
	r.mu.Unlock()
	if start < recordBatch && end >= recordBatch {
		select {
		case r.enough <- struct{}{}:
		default:
		}
	}
	return true
}

// loop writes until ctx ends; close writes what is left.
func (r *recorder) loop(ctx context.Context) {
	tick := time.NewTicker(recordFlush)
	defer tick.Stop()
	for {
		select {
		case <-r.enough:
			r.take()
		case <-tick.C:
			r.tick()
		case <-ctx.Done():
			return
		}
	}
}

// take writes the inputs that wait, as far as they are the next ones.
func (r *recorder) take() {
	r.mu.Lock()
	full, expects := r.waiting, r.expects
	r.waiting = r.spare
	r.mu.Unlock()
	r.turnAfter(full.turns...)
	r.turnSegment() // where nothing was recorded, a recording begins at once
	r.writeReady()
	full.sort()
	for i := 0; i < len(full.places); {
		first := full.places[i]
		if r.folder == "" && !expects {
			break // from after the end of the recording
		}
		if first.seq != r.next || r.folder == "" { // the recording that it belongs to has not begun
			r.holdBack(first.seq, full.line(first))
			i++
			continue
		}
		n := 1
		if len(r.turns) == 0 {
			n = full.run(i)
		}
		r.writeNext(full.text[first.start:full.places[i+n-1].end], n)
		r.writeReady()
		i += n
	}
	r.spare = batch{text: full.text[:0], places: full.places[:0]}
}

// holdBack keeps an input for later, unless it comes after it was given up.
func (r *recorder) holdBack(seq uint64, line []byte) {
	if seq < r.next {
		return
	}
	heap.Push(&r.early, entry{seq, bytes.Clone(line)})
	if r.folder != "" && len(r.early) > recordReorder {
		r.skipTo(r.early[0].seq)
		r.writeReady()
	}
}

func (r *recorder) writeReady() {
	for r.folder != "" && len(r.early) > 0 && r.early[0].seq == r.next {
		r.writeNext(heap.Pop(&r.early).(entry).line, 1)
	}
}

// writeNext writes the lines of the next n inputs.
func (r *recorder) writeNext(lines []byte, n int) {
	r.write(lines, n)
	r.next += uint64(n)
	r.turnSegment()
}

// skipTo gives up on inputs that were dropped, and says so in the segment.
func (r *recorder) skipTo(seq uint64) {
	gap, _ := json.Marshal(map[string]uint64{"from": r.next, "to": seq - 1})
	r.write(recording.Append(nil, r.next, r.server.clock.now(), recording.KindGap, gap), 0)
	r.next = seq
	if r.gapAt.IsZero() {
		r.gapAt = r.server.clock.now()
	}
	if r.turnSegment(); r.next < seq {
		r.skipTo(seq) // of what was dropped, the rest would belong to the new segment
	}
}

// tick writes and flushes, and starts a new segment when its time has come or a gap ended the
// claim of the old one.
func (r *recorder) tick() {
	now := r.server.clock.now()
	dropped := r.dropped.Load() // before: what was handed over until then is early after take
	r.take()
	if dropped != r.handled && len(r.early) > 0 {
		r.handled = dropped
		r.skipTo(r.early[0].seq)
		r.writeReady()
	}
	if r.folder == "" {
		r.rest(now)
		return
	}
	if r.out != nil {
		r.fail(r.out.Flush())
	}
	open := now.Sub(r.opened)
	due := open >= segmentLength || r.failed.Load() && open >= retryAfter ||
		!r.gapAt.IsZero() && now.Sub(r.gapAt) >= restartAfter
	if due && len(r.turns) == 0 {
		snapshot := r.server.agent.Snapshot()
		r.turnAfter(turn{snapshot: &snapshot})
		r.turnSegment()
	}
}

// rest ends the handing over of inputs, a while after the last that was recorded: one that was
// numbered before that may have come later.
func (r *recorder) rest(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wanted == "" && !r.expects && now.Sub(r.ended) >= restartAfter {
		r.taking.Store(false)
	}
}

// turnAfter notes where segments are to begin. Where that was already passed, because inputs were
// given up, another snapshot is due as after every gap.
func (r *recorder) turnAfter(turns ...turn) {
	for _, next := range turns {
		if passed := r.folder != "" && next.snapshot.Seq+1 < r.next; passed && !next.moves {
			r.gapAt = r.server.clock.now()
			continue
		} else if passed {
			now := r.server.agent.Snapshot()
			next.snapshot = &now
		}
		r.turns = append(r.turns, next)
	}
	slices.SortFunc(r.turns, func(a, b turn) int { return cmp.Compare(a.snapshot.Seq, b.snapshot.Seq) })
}

// turnSegment begins the next segment once everything before its snapshot is in the old one.
func (r *recorder) turnSegment() {
	for len(r.turns) > 0 && (r.folder == "" || r.next > r.turns[0].snapshot.Seq) {
		next := r.turns[0]
		r.turns, r.gapAt = slices.Delete(r.turns, 0, 1), time.Time{}
		if r.folder == "" && !next.moves {
			continue
		}
		r.fail(r.finish())
		if next.moves {
			r.folder = next.folder
		}
		if r.folder == "" {
			r.ended = r.server.clock.now()
			r.early = nil
			r.failed.Store(false)
			continue
		}
		r.fail(r.begin(next.snapshot))
		for len(r.early) > 0 && r.early[0].seq < r.next {
			heap.Pop(&r.early) // from before the recording
		}
	}
}

// begin opens a segment with a snapshot. Its name sorts by time, run and number.
func (r *recorder) begin(snapshot *bidder.Snapshot) error {
	r.segments++
	r.opened = r.server.clock.now()
	name := fmt.Sprintf("%s-run%d-%04d.jsonl.zst", r.opened.Format("20060102T150405Z"), snapshot.Run, r.segments)
	file, err := os.OpenFile(filepath.Join(r.folder, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("server: opening a recording: %w", err)
	}
	out, err := recording.NewWriter(file)
	if err != nil {
		return errors.Join(fmt.Errorf("server: opening a recording: %w", err), file.Close())
	}
	r.file, r.out, r.next = file, out, snapshot.Seq+1
	if r.failed.Swap(false) {
		r.server.log.Info().Msg("the recording goes on")
	}
	text, err := json.Marshal(snapshot)
	if err != nil {
		return fmt.Errorf("server: a snapshot does not marshal: %w", err)
	}
	r.write(recording.Append(nil, snapshot.Seq, snapshot.At, recording.KindSnapshot, text), 0)
	return nil
}

// write writes lines of so many inputs.
func (r *recorder) write(lines []byte, inputs int) {
	if r.out == nil {
		r.lost.Add(uint64(inputs))
		return
	}
	r.fail(r.out.Write(lines))
}

// missed counts the inputs that are in no segment.
func (r *recorder) missed() uint64 { return r.dropped.Load() + r.lost.Load() }

func (r *recorder) finish() error {
	if r.out == nil {
		return nil
	}
	err := errors.Join(r.out.Close(), r.file.Close())
	r.out, r.file = nil, nil
	return err
}

// fail tells once that a recording cannot be written, and goes on without: a full disk must not
// stop the buying. What is not written is counted, and the next segment tries again.
func (r *recorder) fail(err error) {
	if err == nil {
		return
	}
	if !r.failed.Swap(true) {
		r.server.log.Error().Err(err).Msg("the recording has stopped; bids go on")
	}
	if r.file != nil {
		_ = r.file.Close() // already failing: the first error is the one that matters
	}
	r.file, r.out = nil, nil
}

// close writes what waits and ends the segment. The loop must have ended.
func (r *recorder) close() error {
	r.take()
	for len(r.early) > 0 {
		r.skipTo(r.early[0].seq)
		r.writeReady()
	}
	if last := r.server.agent.Inputs(); r.folder != "" && r.next <= last {
		r.skipTo(last + 1) // the last inputs were dropped
	}
	return r.finish()
}
