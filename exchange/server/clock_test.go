package server

import (
	"testing"
	"time"
)

func TestClockFollowsForwardOnly(t *testing.T) {
	c := newClock()
	start := c.now()
	before := c.now()
	if step := c.follow(start.Add(50 * time.Millisecond)); step != 0 {
		t.Errorf("followed %v", step)
	}
	if step := c.follow(start.Add(-time.Hour)); step != 0 || c.now().Before(before) {
		t.Errorf("went back by %v", step)
	}
	if step := c.follow(start.Add(time.Hour)); step < 59*time.Minute || c.now().Sub(before) < 59*time.Minute {
		t.Errorf("followed %v only", step)
	}
	if _, offset := c.now().Zone(); offset != 0 {
		t.Error("not in UTC")
	}
}
