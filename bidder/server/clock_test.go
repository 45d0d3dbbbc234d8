package server

import (
	"testing"
	"time"
)

func TestClockFollowsOnlyAhead(t *testing.T) {
	c := newClock()
	started := time.Now()
	f := func(what string, wall time.Duration, told bool, step, ahead time.Duration) {
		t.Helper()
		before := c.now()
		got, say := c.follow(time.Now().Add(wall))
		if say != told || (got-step).Abs() > clockTolerance {
			t.Errorf("%s: step %v, told %v; want %v, %v", what, got, say, step, told)
		}
		if now := c.now(); now.Before(before) || (now.Sub(started)-time.Since(started)-ahead).Abs() > clockTolerance {
			t.Errorf("%s: now %v after the start", what, now.Sub(started))
		}
	}
	f("as it was", 0, false, 0, 0)
	f("the machine slept", 3*time.Hour, true, 3*time.Hour, 3*time.Hour)
	f("awake", 3*time.Hour, false, 0, 3*time.Hour)
	f("set back", time.Hour, true, -2*time.Hour, 3*time.Hour)
	f("still back", time.Hour, false, -2*time.Hour, 3*time.Hour)
	f("further back", 0, true, -3*time.Hour, 3*time.Hour)
	f("right again", 3*time.Hour, false, 0, 3*time.Hour)
}
