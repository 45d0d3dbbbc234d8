package main

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"leadbid/budget/store"
)

// world is one simulated day: every process, everything that is on its way between them, and the one
// source of chance. Nothing in it happens but by an event of its agenda, in the order of time and then
// of making, so that a seed tells all.
type world struct {
	seed    uint64
	random  *rand.Rand
	began   time.Time
	now     time.Time // the true time, which no process sees
	agenda  agenda
	made    uint64 // events so far: the order of those at one instant
	trace   trace
	count   counts
	failure *failure

	processes   []*process
	links       []link // from a process to a process
	contractors []*contractor
	markets     []*market
	settings    settings
	calm        bool // the faults have ended
	keen        bool // whoever comes, money alone decides
	people      int  // homeowners so far

	// twin, where not nil, gives books that do and say the same beside the modelled ones; nil for none.
	twin func(c *contractor, clock func() time.Time) store.Store
}

// settings are how hard a day is: drawn once for each.
type settings struct {
	drop, repeat float64       // of each message
	tail         float64       // of the messages that take long
	crash        float64       // before each step of a process
	slip         float64       // an answer to a ping that is ready too late
	chaos        time.Duration // between two larger faults
	faults       []fault       // of which kinds
	rate         time.Duration // between two homeowners
}

// failure is a broken promise, with what led to it.
type failure struct {
	seed uint64
	at   time.Time
	id   string // the invariant
	what string
	last []string // the latest steps
}

func (f *failure) Error() string {
	return fmt.Sprintf("seed %d: %s: %s, at %s", f.seed, f.id, f.what, f.at.Format(time.RFC3339Nano))
}

// stopped is what a failure unwinds the day with.
type stopped struct{}

// fail notes a broken invariant and ends the day.
func (w *world) fail(id, format string, args ...any) {
	if w.failure == nil {
		w.failure = &failure{seed: w.seed, at: w.now, id: id, what: fmt.Sprintf(format, args...), last: w.trace.latest()}
	}
	panic(stopped{})
}

// event is something that is going to happen.
type event struct {
	at    int64
	order uint64
	do    func()
}

// agenda is a heap of events, the next one first.
type agenda []event

func (e event) before(other event) bool {
	return e.at < other.at || e.at == other.at && e.order < other.order
}

func (a *agenda) push(e event) {
	*a = append(*a, e)
	heap := *a
	for child := len(heap) - 1; child > 0; {
		parent := (child - 1) / 2
		if !heap[child].before(heap[parent]) {
			return
		}
		heap[child], heap[parent] = heap[parent], heap[child]
		child = parent
	}
}

func (a *agenda) pop() event {
	heap := *a
	top, last := heap[0], len(heap)-1
	heap[0] = heap[last]
	heap[last] = event{}
	heap = heap[:last]
	*a = heap
	for parent := 0; ; {
		child := 2*parent + 1
		if child >= last {
			return top
		}
		if child+1 < last && heap[child+1].before(heap[child]) {
			child++
		}
		if !heap[child].before(heap[parent]) {
			return top
		}
		heap[parent], heap[child] = heap[child], heap[parent]
		parent = child
	}
}

// in has something happen after a while.
func (w *world) in(d time.Duration, do func()) {
	w.made++
	w.agenda.push(event{w.now.Add(max(d, 0)).UnixNano(), w.made, do})
}

// until lets everything happen that is due before an instant.
func (w *world) until(end time.Time) {
	limit := end.UnixNano()
	for len(w.agenda) > 0 && w.agenda[0].at <= limit {
		next := w.agenda.pop()
		w.now = time.Unix(0, next.at).UTC()
		next.do()
	}
	w.now = end
}

// chance is true once in a while.
func (w *world) chance(p float64) bool { return p > 0 && w.random.Float64() < p }

// fault is chance while there are faults at all.
func (w *world) fault(p float64) bool { return !w.calm && w.chance(p) }

// between draws a length of time.
func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.random.Int64N(int64(high-low)+1))
}

// pick draws one of a list.
func pick[T any](w *world, list []T) T { return list[w.random.IntN(len(list))] }

// step is one line of the trace.
type step struct {
	at        int64
	who, what string
	id        string
	n         int64
}

// trace sums up everything that happens in a hash, and keeps the latest steps.
type trace struct {
	hash  uint64
	steps []step
	next  int
	print func(step)
}

const tracedSteps = 60

const fnvPrime = 1099511628211

func newTrace() trace { return trace{hash: fnv.New64a().Sum64(), steps: make([]step, 0, tracedSteps)} }

func (t *trace) add(s step) {
	h := t.hash
	for _, text := range [...]string{s.who, s.what, s.id} {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * fnvPrime
		}
		h = (h ^ 0xff) * fnvPrime
	}
	h = (h ^ uint64(s.at)) * fnvPrime
	t.hash = (h ^ uint64(s.n)) * fnvPrime
	if len(t.steps) < tracedSteps {
		t.steps = append(t.steps, s)
	} else {
		t.steps[t.next] = s
		t.next = (t.next + 1) % tracedSteps
	}
	if t.print != nil {
		t.print(s)
	}
}

func (t *trace) latest() (lines []string) {
	for i := range t.steps {
		lines = append(lines, t.steps[(t.next+i)%len(t.steps)].String())
	}
	return lines
}

func (s step) String() string {
	text := fmt.Sprintf("%s  %-14s %s", time.Unix(0, s.at).UTC().Format("01-02 15:04:05.000000"), s.who, s.what)
	if s.id != "" {
		text += " " + s.id
	}
	if s.n != 0 {
		text += fmt.Sprint(" ", s.n)
	}
	return text
}

// note adds a line to the trace.
func (w *world) note(who, what, id string, n int64) {
	w.trace.add(step{w.now.UnixNano(), who, what, id, n})
}

// look holds every invariant of the books against what has changed.
func (w *world) look() {
	for _, c := range w.contractors {
		for _, finding := range c.books.Look() {
			w.fail(finding.ID, "%s: %s", c.name, finding.What)
		}
	}
}
