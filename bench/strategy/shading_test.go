package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestShadingEarns holds the win curves to what they are for, with few seeds: the table of 200 is
// kept under bench/results.
func TestShadingEarns(t *testing.T) {
	report := compareShading(2, "")
	least := map[string]struct {
		from        int // the checkpoint
		mean, worst float64
	}{
		"won or lost":   {0, 0.93, 0.85},
		"price on wins": {1, 0.97, 0.90},
		"price always":  {1, 0.97, 0.90},
	}
	for _, row := range report.summary() {
		goal, known := least[row.Told]
		for i, share := range row.Shares {
			if known && i >= goal.from && (row.Market == "mean" && share < goal.mean || row.Market == "worst" && share < goal.worst) {
				t.Errorf("%s, %s: %.3f after %d outcomes", row.Market, row.Told, share, checkpoints[i])
			}
			if share > 1 {
				t.Errorf("%s, %s: %.3f of the best possible", row.Market, row.Told, share)
			}
		}
	}
}

// TestTruthKnowsBest compares the best possible surplus with bids of any ratio.
func TestTruthKnowsBest(t *testing.T) {
	m := firstPrice{draw: func(r *rand.Rand) float64 { return math.Ceil(1+4000*r.Float64()) / 100 }}
	truth := newTruth(m)
	// Prices spread evenly from 0: the best bid is half of the value, below the highest price.
	half := truth.share(func(value float64) float64 { return min(value/2, 40.01) })
	if half < 0.995 || half > 1 {
		t.Errorf("half of the value earns %.4f of the most", half)
	}
	if third := truth.share(func(value float64) float64 { return value / 3 }); third > half {
		t.Errorf("a third of the value earns more: %.4f", third)
	}
}
