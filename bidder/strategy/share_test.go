package strategy

import (
	"math"
	"testing"
	"time"
)

// TestShares lets replicas spend what their plans with their shares come to, each with its part of the
// pings, and asks for the parts that they end with.
func TestShares(t *testing.T) {
	f := func(name string, pings []float64, least, most float64) {
		t.Helper()
		shares, now := make([]share, len(pings)), monday
		for range 3 { // days
			left := 1000.0
			for hour := range 24 {
				rest := float64(24 - hour)
				spent := 0.0
				for i := range shares {
					s := &shares[i]
					if hour == 0 {
						s.Left = 0
					}
					s.count(now, len(pings))
					s.weigh(1000, left, 100*rest)
					if pings[i] > 0 {
						spent += min(s.part()*left/rest, left)
					}
				}
				left, now = max(left-spent, 0), now.Add(time.Hour)
			}
		}
		sum := 0.0
		for i, s := range shares {
			if math.IsNaN(s.Part) || s.Part <= 0 || s.Part > 1 {
				t.Fatalf("%s: a part of %v", name, s.Part)
			}
			if pings[i] > 0 {
				sum += s.Part
			}
		}
		if sum < least || sum > most {
			t.Errorf("%s: together they plan with %.2f of what is left", name, sum)
		}
	}
	f("two alike", []float64{1, 1}, 0.95, 1.05)
	f("three alike", []float64{1, 1, 1}, 0.95, 1.05)
	f("one gets all", []float64{1, 0}, 0.65, 1)
	f("one alone", []float64{1}, 1, 1)
}

// TestReplicasThatFallSilent: one that asks nothing for some minutes is still there.
func TestReplicasThatFallSilent(t *testing.T) {
	var s share
	s.count(monday, 2)
	s.Part = 0.6
	if s.count(monday.Add(5*time.Minute), 1); s.part() != 0.6 {
		t.Errorf("a part of %v after five minutes", s.part())
	}
	if s.count(monday.Add(20*time.Minute), 1); s.part() != 1 {
		t.Errorf("a part of %v after twenty minutes", s.part())
	}
	if s.count(monday.Add(21*time.Minute), 3); s.part() != 1.0/3 {
		t.Errorf("a part of %v of three", s.part())
	}
}
