package server

import (
	"sync/atomic"
	"time"
)

// clock gives the instants that the Agent and the store see: the wall clock as it was when the
// clock was anchored, plus elapsed monotonic time. A step of the wall clock so reaches the Agent
// only when the clock is anchored anew, and never in the middle of a decision.
type clock struct {
	anchored atomic.Pointer[anchor]
	ahead    time.Duration // of the wall clock when follow looked last; for its one caller
}

// anchor is what the wall clock showed when the monotonic one was read.
type anchor struct{ wall, read time.Time }

// clockTolerance is how far wall clock and anchored clock may drift apart before anchor is moved.
// It is far below the store's lease margins and far above what time servers slew in a minute.
const clockTolerance = 100 * time.Millisecond

func newClock() *clock {
	c := &clock{}
	c.set(time.Now())
	return c
}

func (c *clock) set(wall time.Time) {
	c.anchored.Store(&anchor{wall: wall.Round(0).UTC(), read: time.Now()})
}

// now is the anchored instant, without a monotonic reading and in UTC, so that it prints, records
// and compares the same everywhere.
func (c *clock) now() time.Time {
	at := c.anchored.Load()
	return at.wall.Add(time.Since(at.read))
}

// follow catches up with a wall clock that runs ahead: it was set right, or the machine slept, which
// the monotonic clock does not count. A wall clock that was set back is not followed: the Agent's
// time never runs backwards, so it would stand still, its leases would end, and nothing would be
// bid until that clock is where it was. told is false where the step was the same at the last call.
// follow is for one goroutine at a time.
func (c *clock) follow(wall time.Time) (step time.Duration, told bool) {
	switch step = wall.Round(0).Sub(c.now()); {
	case step >= clockTolerance:
		c.set(wall)
		c.ahead = 0
		return step, true
	case step > -clockTolerance:
		c.ahead = 0
		return 0, false
	case -step-c.ahead < clockTolerance:
		return step, false
	}
	c.ahead = -step
	return step, true
}
