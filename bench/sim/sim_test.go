package main

import (
	"bytes"
	"flag"
	"testing"
	"time"
)

// length is how long days are simulated in the normal tests.
var length = flag.Duration("sim.for", 40*time.Second, "how long to simulate days; a third of a second with -short")

// regressions are days that showed a fault of the product or of the simulation once. A change of what a
// day draws makes them days like any other.
var regressions = []uint64{
	36,     // an answer to a post that was on its way when the post was withdrawn
	2519,   // money in leases whose leads were used up, while few were left
	2619,   // two lines that took turns with room for less than the next bid
	4520,   // and all of it, in one
	5041,   // a large bid waited for as long as there was room for a small one
	9034,   // a delivery claimed by a clock that was set back
	871,    // a bid withdrawn whose post was paid without the owner of the lease hearing of it
	200120, // a question to the books' server that was heard twice

	1795414986336279352, // a bid whose hold a clock ended was posted to another replica, and its lease's owner bid on
}

// fewestDays is how many days a test that means anything has.
const fewestDays = 10

// TestDays plays days under faults for a while: those of the regressions, and then others at each run. A
// failing seed prints how to play it again.
func TestDays(t *testing.T) {
	t.Parallel()
	bound := *length
	if testing.Short() {
		bound = min(bound, time.Second/3)
	}
	var c *campaign
	began := time.Now()
	// However slow the machine is, the days are as many as the counts below need; but a test binary that
	// is about to be ended tells what it has.
	late := func() bool {
		deadline, bounded := t.Deadline()
		return bounded && time.Until(deadline) < 10*time.Second ||
			time.Since(began) > bound && (testing.Short() || c.total.Days >= fewestDays)
	}
	var faults bytes.Buffer
	c = newCampaign(uint64(began.UnixNano()), 1<<40, 5, late)
	c.again, c.faults = regressions, &faults
	total, failures := c.run(1)
	if len(failures) > 0 {
		t.Error(faults.String())
	}
	var printed bytes.Buffer
	total.print(&printed, time.Since(began))
	t.Log(printed.String())
	if !testing.Short() && (total.Days < fewestDays || total.Crashes == 0 || total.Accepted == 0 || total.Credits == 0 || total.WritesLost == 0) {
		t.Error("too little happened for the test to mean anything")
	}
}

// TestSameSeedSameDay: a seed is all that it takes to see a day again.
func TestSameSeedSameDay(t *testing.T) {
	hashes := map[uint64]bool{}
	for seed := uint64(1); seed <= 3; seed++ {
		first, again := play(seed, nil), play(seed, nil)
		if first.trace.hash != again.trace.hash || first.count.Steps != again.count.Steps {
			t.Errorf("seed %d: two days of %d and %d steps", seed, first.count.Steps, again.count.Steps)
		}
		hashes[first.trace.hash] = true
	}
	if len(hashes) != 3 {
		t.Error("different seeds give the same day")
	}
}
