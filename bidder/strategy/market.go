package strategy

import (
	"cmp"
	"math"
	"slices"

	"leadbid/pingpost"
)

// Territory is a part of a line's leads that rivals price alike: a replacement sells for several times
// what a repair does. Without a state it is all leads of the job, without a job all of the service,
// without a service all of the line.
type Territory struct {
	Service pingpost.Service `json:"service,omitempty"`
	Job     pingpost.Job     `json:"job,omitempty"`
	State   pingpost.State   `json:"state,omitempty"`
}

func (s Territory) compare(other Territory) int {
	return cmp.Or(cmp.Compare(s.Service, other.Service), cmp.Compare(s.Job, other.Job), cmp.Compare(s.State, other.State))
}

// pool is the territory that this one is a part of.
func (s Territory) pool() Territory {
	switch {
	case s.State != "":
		s.State = ""
		return s
	case s.Job != 0:
		s.Job = 0
		return s
	}
	return Territory{}
}

const (
	// A market is told apart from its pool once it has leastMarket answers, if the rest of the pool
	// has as many.
	leastMarket = 20

	// The best bids of a market are worked out anew after so many answers as are a share of those that
	// it has: of manyAnswers a larger one.
	marketNews, manyNews = 1.0 / 8, 1.0 / 2
	manyAnswers          = 200

	// mostMarkets bounds what is kept of a line: later territories count for their pool only.
	mostMarkets = 200
)

// market is what is known of the prices of one territory of a line, where the winner pays its bid.
type market struct {
	Territory
	Prices ledger   `json:"prices"`
	Curve  logistic `json:"curve"`
	Shades shades   `json:"shades,omitempty"` // none where the pool's hold
	News   int      `json:"news,omitempty"`   // answers since they were worked out
}

// marketOf is the place of a territory among a line's markets; where it has none, of the next pool
// above it. The line's own is the first.
func (l *line) marketOf(s Territory) int {
	for len(l.Markets) > 1 {
		at, found := slices.BinarySearchFunc(l.Markets, s, func(m market, s Territory) int { return m.compare(s) })
		if found {
			return at
		}
		s = s.pool()
	}
	return 0
}

// marketFor is the market that leads of a territory are bid for in: its own where that is told apart,
// else the next above it that is.
func (l *line) marketFor(t Territory) *market {
	for {
		if at := l.marketOf(t); len(l.Markets[at].Shades) > 0 || at == 0 {
			return &l.Markets[at]
		}
		t = t.pool()
	}
}

// openMarket makes sure that a territory and the pools above it have a market.
func (l *line) openMarket(s Territory) {
	for ; s != (Territory{}) && len(l.Markets) < mostMarkets; s = s.pool() {
		at, found := slices.BinarySearchFunc(l.Markets, s, func(m market, s Territory) int { return m.compare(s) })
		if found {
			return
		}
		l.Markets = slices.Insert(l.Markets, at, market{Territory: s})
	}
}

// hear takes an answer over into the market of its territory and into the pools above it. told says
// that the same answer was heard before, without its price.
func (l *line) hear(s Territory, a answer, told bool, p *paper) {
	l.openMarket(s)
	for pool := s; ; pool = pool.pool() {
		m := &l.Markets[l.marketOf(pool)]
		if m.Territory == pool {
			if told {
				m.Prices.amend(a)
			} else {
				m.Prices.note(a)
			}
			m.News++
		}
		if pool == (Territory{}) {
			break
		}
	}
	for pool := s; ; pool = pool.pool() {
		if m := &l.Markets[l.marketOf(pool)]; m.Territory == pool && m.due() {
			l.study(m, p)
		}
		if pool == (Territory{}) {
			return
		}
	}
}

// due says whether a market has news enough to be worked out anew.
func (m *market) due() bool {
	share, sum := marketNews, m.Prices.sum()
	if sum >= manyAnswers {
		share = manyNews
	}
	return float64(m.News) >= share*sum
}

// study works the best bids of a market out anew.
func (l *line) study(m *market, p *paper) {
	m.News, m.Shades = 0, m.Shades[:0]
	if l.apart(m.Territory) {
		m.Curve = l.draw(m.Territory, p)
		p.shades = newShades(&p.curve, p.shades)
		m.Shades = append(m.Shades, p.shades...)
	}
}

// apart says whether a territory has a market of its own. The line's is never a part of another.
func (l *line) apart(s Territory) bool {
	m := &l.Markets[l.marketOf(s)]
	if s == (Territory{}) || m.Territory != s {
		return m.Territory == s
	}
	own, all := m.Prices.sum(), l.Markets[l.marketOf(s.pool())].Prices.sum()
	return own >= leastMarket && all-own >= leastMarket
}

// draw draws the win curve of a territory, each pool's curve being what is expected of its parts.
func (l *line) draw(s Territory, p *paper) logistic {
	whole := &l.Markets[0]
	fit := whole.Prices.fit(l.expectedCurve(), responsePrior, p)
	p.curve.cents = candidates(&whole.Prices, math.Exp(fit.middle()), p.curve.cents)
	fit.smooth(&p.curve)
	if whole.Prices.tells() {
		p.curve.learn(&whole.Prices, priceWeight, p)
	} else {
		p.curve.learn(&whole.Prices, resultWeight, p)
	}
	before := Territory{}
	for _, part := range [...]Territory{{Service: s.Service}, {Service: s.Service, Job: s.Job}, s} {
		if part == before || !l.apart(part) {
			continue
		}
		before = part
		prices := &l.Markets[l.marketOf(part)].Prices
		if fit = prices.fit(fit, poolWeight, p); prices.tells() {
			p.curve.learn(prices, poolWeight, p)
		} else {
			fit.smooth(&p.curve)
			p.curve.learn(prices, resultWeight, p)
		}
	}
	return fit
}

// expectedCurve is the line's before anything was answered: half of its average leads sell at
// usualRatio of what they are worth.
func (l *line) expectedCurve() logistic {
	return logistic{A: -usualSlope * math.Log(usualRatio*max(l.Worth, 0.01)), K: usualSlope}
}

// isShaded says whether the line's bids are: only where the winner surely pays its bid.
func (l *line) isShaded() bool { return l.Objective != AsWritten && l.Auction == pingpost.AuctionFirst }
