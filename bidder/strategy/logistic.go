package strategy

import "math"

const (
	// The slope of a win curve over the logarithm of the bid lies around 2 before anything is known:
	// prices of one kind of lead spread over a factor of two or three.
	slopeMean, slopeDeviation = 2.0, 0.7

	fitSteps = 12
)

// logistic is a log-logistic win curve, W(b) = 1 / (1 + exp(-(a + k ln b))).
type logistic struct {
	A float64 `json:"a"`
	K float64 `json:"k"`
}

// point is bids at one logarithm of price.
type point struct{ x, won, lost float64 }

// fitLogistic is the most probable curve after the points: Newton's steps on the logarithm of the
// posterior. Before any point half of all bids at exp(centre) are expected to win, with the weight
// of so many bids; the slope has a normal prior, cut off at a tenth of its mean.
func fitLogistic(points []point, centre, weight float64) logistic {
	// In u = a + k*centre, the height at the centre, the two parameters hardly depend on each other.
	u, k := 0.0, slopeMean
	for range fitSteps {
		// The prior of the height is that of weight bids, half of them won: p(1-p) to the weight/2.
		p := 1 / (1 + math.Exp(-u))
		gradU, gradK := weight*(0.5-p), (slopeMean-k)/(slopeDeviation*slopeDeviation)
		uu, kk, uk := weight*p*(1-p), 1/(slopeDeviation*slopeDeviation), 0.0
		for _, pt := range points {
			d := pt.x - centre
			p := 1 / (1 + math.Exp(-(u + k*d)))
			n := pt.won + pt.lost
			gradU += pt.won - n*p
			gradK += d * (pt.won - n*p)
			w := n * p * (1 - p)
			uu, kk, uk = uu+w, kk+w*d*d, uk+w*d
		}
		det := uu*kk - uk*uk
		if !(det > 1e-12) {
			break
		}
		du, dk := (kk*gradU-uk*gradK)/det, (uu*gradK-uk*gradU)/det
		du, dk = clip(du, 2), clip(dk, 1)
		u, k = u+du, max(k+dk, slopeMean/10)
		if math.Abs(du)+math.Abs(dk) < 1e-6 {
			break
		}
	}
	return logistic{A: u - k*centre, K: k}
}

func clip(x, most float64) float64 { return min(max(x, -most), most) }

// chance is how likely a bid wins.
func (c logistic) chance(bid float64) float64 { return logLogistic(bid, c.A, c.K) }

// best is the bid below worth that earns most, (worth - bid) * chance(bid), exactly.
func (c logistic) best(worth float64) float64 {
	low, high := 0.0, worth
	for range 50 {
		if bid := (low + high) / 2; c.bestFor(bid) > worth {
			high = bid
		} else {
			low = bid
		}
	}
	return (low + high) / 2
}

// bestFor is the worth that a bid is the best one for: where the derivative of what is earned is
// zero, worth = bid + bid / (k * (1 - chance)). It grows with the bid.
func (c logistic) bestFor(bid float64) float64 { return bid + bid/(c.K*(1-c.chance(bid))) }

// shades are the best bids for a worth of edge(i), as ratios: the bids are gone through, and not the
// worths, so that no equation has to be solved.
func (c logistic) shades() (best [cells + 1]float64) {
	bid, worth := edge(-cells/4), 0.0
	i := 0
	for at := -cells / 4; i <= cells; at++ {
		next := edge(at + 1)
		nextWorth := c.bestFor(next)
		for ; i <= cells && edge(i) <= nextWorth; i++ {
			part := (edge(i) - worth) / (nextWorth - worth)
			best[i] = min(bid+part*(next-bid), edge(i))
		}
		bid, worth = next, nextWorth
	}
	return best
}
