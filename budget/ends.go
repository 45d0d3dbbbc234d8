package budget

import (
	"slices"
	"time"

	"leadbid/pingpost"
)

// holdEnd is when a hold ends, in nanoseconds since 1970.
type holdEnd struct {
	at  int64
	seq uint64
}

func endOf(at time.Time, seq uint64) holdEnd { return holdEnd{at.UnixNano(), seq} }

func (e holdEnd) before(other holdEnd) bool {
	return e.at < other.at || e.at == other.at && e.seq < other.seq
}

// ends gives the ends of holds, the soonest first. Most holds end in the order in which they began,
// since exchanges wait equally long every time: those stand in a queue, to which adding and from
// which taking costs one look at memory however long it is. The others stand in a heap.
type ends struct {
	queue []holdEnd // from taken on
	taken int
	heap  endHeap
}

func (e *ends) push(entry holdEnd) {
	if last := len(e.queue) - 1; last >= e.taken && entry.before(e.queue[last]) {
		e.heap.push(entry)
		return
	}
	if e.taken > 1024 && 2*e.taken > len(e.queue) {
		e.queue = e.queue[:copy(e.queue, e.queue[e.taken:])]
		e.taken = 0
	}
	e.queue = append(e.queue, entry)
}

// first gives the soonest end; ok is false where there is none.
func (e *ends) first() (first holdEnd, ok bool) {
	if e.taken == len(e.queue) {
		if len(e.heap) == 0 {
			return holdEnd{}, false
		}
		return e.heap[0], true
	}
	if first = e.queue[e.taken]; len(e.heap) > 0 && e.heap[0].before(first) {
		first = e.heap[0]
	}
	return first, true
}

// pop takes the soonest end away.
func (e *ends) pop() {
	switch {
	case len(e.heap) > 0 && (e.taken == len(e.queue) || e.heap[0].before(e.queue[e.taken])):
		e.heap.pop()
	default:
		if e.taken++; e.taken == len(e.queue) {
			e.queue, e.taken = e.queue[:0], 0
		}
	}
}

// all lists the ends, in no order.
func (e *ends) all() []holdEnd { return slices.Concat(e.queue[e.taken:], e.heap) }

// endHeap is container/heap over one type, which saves an allocation for each hold on the way of
// every bid.
type endHeap []holdEnd

func (e *endHeap) push(entry holdEnd) {
	*e = append(*e, entry)
	heap := *e
	for child := len(heap) - 1; child > 0; {
		parent := (child - 1) / 2
		if !heap[child].before(heap[parent]) {
			break
		}
		heap[child], heap[parent] = heap[parent], heap[child]
		child = parent
	}
}

func (e *endHeap) pop() {
	heap := *e
	last := len(heap) - 1
	heap[0] = heap[last]
	heap = heap[:last]
	*e = heap
	for parent := 0; ; {
		child := 2*parent + 1
		if child >= last {
			return
		}
		if child+1 < last && heap[child+1].before(heap[child]) {
			child++
		}
		if !heap[child].before(heap[parent]) {
			return
		}
		heap[parent], heap[child] = heap[child], heap[parent]
		parent = child
	}
}

// peak remembers the most that a line needed in the last 30 to 60 seconds, in this stretch of 30
// and in the one before: what it held at once, on top of what it had bought since the stretch began.
type peak struct {
	stretch       int64 // the number of the present stretch since 1970
	cents, was    pingpost.Cents
	leads, had    int64
	bought        pingpost.Cents // in this stretch
	boughtInLeads int64
}

func (p *peak) turn(now time.Time) {
	stretch := now.Unix() / int64(memory/time.Second)
	switch {
	case stretch == p.stretch:
		return
	case stretch == p.stretch+1:
		p.was, p.had = p.cents, p.leads
	default:
		p.was, p.had = 0, 0
	}
	p.stretch, p.cents, p.leads, p.bought, p.boughtInLeads = stretch, 0, 0, 0, 0
}

// hold notes what the line holds at once.
func (p *peak) hold(now time.Time, cents pingpost.Cents, leads int64) {
	p.turn(now)
	p.cents, p.leads = max(p.cents, p.bought+cents), max(p.leads, p.boughtInLeads+leads)
}

// buy notes a lead that was paid.
func (p *peak) buy(now time.Time, price pingpost.Cents) {
	p.turn(now)
	p.bought, p.boughtInLeads = p.bought+price, p.boughtInLeads+1
}

// most gives the peak without turning it: reading changes nothing.
func (p peak) most(now time.Time) (cents pingpost.Cents, leads int64) {
	p.turn(now)
	return max(p.cents, p.was), max(p.leads, p.had)
}
