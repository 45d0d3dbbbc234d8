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

// fitLogistic is the most probable curve after the points. Before any point half of all bids at
// exp(centre) are expected to win, with the weight of so many bids, and the slope is the usual one.
func fitLogistic(points []point, centre, weight float64) logistic {
	return fitCurve(points, 0, logistic{A: -slopeMean * centre, K: slopeMean}, weight)
}

// fitCurve is the most probable curve after the points, where before them another one was expected,
// its height with the weight of so many bids: Newton's steps on the logarithm of the posterior. The
// slope has a normal prior, cut off at a tenth of its usual mean. A price that is known, and not only
// that a bid wins or loses against it, counts as a won and a lost bid at that price, and in prices.
func fitCurve(points []point, prices float64, before logistic, weight float64) logistic {
	// In u = a + k*centre, the height at the centre, the two parameters hardly depend on each other.
	centre := before.middle()
	u, k := 0.0, before.K
	for range fitSteps {
		// The prior of the height is that of weight bids, half of them won: p(1-p) to the weight/2.
		p := 1 / (1 + math.Exp(-u))
		gradU, gradK := weight*(0.5-p), (before.K-k)/(slopeDeviation*slopeDeviation)+prices/k
		uu, kk, uk := weight*p*(1-p), 1/(slopeDeviation*slopeDeviation)+prices/(k*k), 0.0
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

// middle is the logarithm of the bid that wins every second time.
func (c logistic) middle() float64 { return -c.A / c.K }
