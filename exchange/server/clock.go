package server

import "time"

// clock carries the wall clock forward by the monotonic one, so that a step of the machine's time
// moves no deadline of an auction. Long-lived processes stay true by the slewing that time servers
// do, which the monotonic clock follows.
type clock struct{ anchor time.Time }

func newClock() clock { return clock{time.Now()} }

// now is without a monotonic reading and in UTC, so that it stores and compares alike everywhere.
func (c clock) now() time.Time { return c.anchor.Add(time.Since(c.anchor)).Round(0).UTC() }
