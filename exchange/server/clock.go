package server

import (
	"sync/atomic"
	"time"
)

// clock gives the instants of the Market: the wall clock as it was when the clock was anchored,
// carried forward by the monotonic one. A step of the machine's time so never falls into the middle
// of an auction, and time never goes back.
type clock struct{ at atomic.Pointer[anchor] }

// anchor is what the wall clock showed when the monotonic one was read.
type anchor struct{ wall, read time.Time }

// clockTolerance is how far the wall clock may run ahead before the clock follows it.
const clockTolerance = 100 * time.Millisecond

func newClock() *clock {
	c := new(clock)
	c.set(time.Now())
	return c
}

func (c *clock) set(wall time.Time) { c.at.Store(&anchor{wall: wall.Round(0).UTC(), read: time.Now()}) }

// now is without a monotonic reading and in UTC, so that it stores and compares alike everywhere.
func (c *clock) now() time.Time {
	at := c.at.Load()
	return at.wall.Add(time.Since(at.read))
}

// follow catches up with a wall clock that has run ahead: it was set right, or the machine slept,
// which the monotonic clock does not count. A wall clock that was set back is not followed: the
// Market would stand still until it is where it was.
func (c *clock) follow(wall time.Time) (step time.Duration) {
	step = wall.Round(0).Sub(c.now())
	if step < clockTolerance {
		return 0
	}
	c.set(wall)
	return step
}

// catchUp goes on from an instant that the books have already seen, where the wall clock was set
// back while no process ran: for a Market restored from them time would stand still until then.
func (c *clock) catchUp(last time.Time) (step time.Duration) {
	if step = last.Sub(c.now()); step <= 0 {
		return 0
	}
	c.set(last)
	return step
}
