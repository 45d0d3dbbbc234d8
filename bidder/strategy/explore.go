package strategy

import "math"

// tryWidth is how far a bid that explores lies from the best one at most, up or down.
const tryWidth = 0.1

// explore gives the factor of a bid that explores, log-uniform around 1, and 0 for most draws: bids
// that are all alike would never show where the prices lie. What is tried follows from the draw
// alone; its propensity is Line.Explore.
func (l *line) explore(draw uint64) float64 {
	const half = 1 << 32
	if float64(draw%half) >= l.Explore*half {
		return 0
	}
	return math.Exp((2*float64(draw/half)/half - 1) * math.Log1p(tryWidth))
}
