package server

import (
	"sync/atomic"
	"time"
)

// clock gives the instants that the Agent sees: the wall clock as it was when the clock was
// anchored, plus elapsed monotonic time. A step of the wall clock so reaches the Agent only when
// the clock is anchored anew, and never in the middle of a decision.
type clock struct{ anchor atomic.Pointer[time.Time] }

// clockTolerance is how far wall clock and anchored clock may drift apart before anchor is moved.
// It is far below the store's lease margins and far above what time servers slew in a minute.
const clockTolerance = 100 * time.Millisecond

func newClock() *clock {
	c := &clock{}
	now := time.Now()
	c.anchor.Store(&now)
	return c
}

// now is the anchored instant, without a monotonic reading and in UTC, so that it prints, records
// and compares the same everywhere.
func (c *clock) now() time.Time {
	anchor := c.anchor.Load()
	return anchor.Add(time.Since(*anchor)).Round(0).UTC()
}

// reanchor follows the wall clock where that has stepped away, and tells by how much.
func (c *clock) reanchor() (step time.Duration, moved bool) {
	now := time.Now()
	step = now.Round(0).Sub(c.now())
	if step.Abs() < clockTolerance {
		return 0, false
	}
	c.anchor.Store(&now)
	return step, true
}
