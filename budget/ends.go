package budget

import (
	"time"

	"leadbid/pingpost"
)

// holdEnd is when a hold ends.
type holdEnd struct {
	at  time.Time
	seq uint64
}

func (e holdEnd) before(other holdEnd) bool {
	if !e.at.Equal(other.at) {
		return e.at.Before(other.at)
	}
	return e.seq < other.seq
}

// ends is a binary heap of hold ends, the soonest first. It is container/heap over one type, which
// saves an allocation for each hold on the way of every bid.
type ends []holdEnd

func (e *ends) push(entry holdEnd) {
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

func (e *ends) pop() holdEnd {
	heap := *e
	top, last := heap[0], len(heap)-1
	heap[0] = heap[last]
	heap = heap[:last]
	*e = heap
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
