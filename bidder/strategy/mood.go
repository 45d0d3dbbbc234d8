package strategy

import (
	"math"
	"time"
)

const (
	// moodMemory is how many pings, or expected ones, the latest hours are judged by.
	moodMemory = 150.0

	// usualDay is the weight in pings of a day like any other, and usualShape how far days differ that are
	// like any other: by a gamma distribution of that shape, besides chance.
	usualDay, usualShape = 40.0, 10.0

	// unusual is from how many standard deviations on a day that is like no other is hardly drawn towards
	// those that are.
	unusual = 3.0

	// glance is how many pings, or expected ones, tell whether a storm has begun or is over.
	glance = 25.0

	// wildest is how many times as many pings as usual are counted on at most, and as few.
	wildest = 20.0

	// moodLasts is for how long as many more or fewer pings are counted on.
	moodLasts = 24 * time.Hour
)

// mood is whether the latest hours bring more or fewer pings than the week lets expect. Its fields are
// its whole state.
type mood struct {
	Expected float64 `json:"expected"` // pings, as the week lets expect
	Came     float64 `json:"came"`     // and as they came

	Glanced float64 `json:"glanced"` // the same of the very latest, which are not in the former yet:
	Sighted float64 `json:"sighted"` // expected, and as they came
}

// note counts a ping, before which so many were expected since the last one.
func (m *mood) note(expected float64) {
	m.Glanced, m.Sighted = m.Glanced+expected, m.Sighted+1
	told := m.factor() * m.Glanced
	if most := max(m.Sighted, told); most < glance {
		return
	} else if math.Abs(m.Sighted-told) > surprise*math.Sqrt(most) {
		m.Expected, m.Came = 0, 0 // a storm began, or is over: what was before tells nothing
	}
	m.Expected, m.Came = m.Expected+m.Glanced, m.Came+m.Sighted
	m.Glanced, m.Sighted = 0, 0
	if most := max(m.Came, m.Expected); most > moodMemory {
		m.Came, m.Expected = m.Came*moodMemory/most, m.Expected*moodMemory/most
	}
}

// factor is how many pings come lately for each that was expected, drawn towards a day like any other:
// less the further off it is, because storms are no such days. However many a storm brings, it will be
// over.
func (m *mood) factor() float64 {
	off := m.Came - m.Expected
	deviations := off * off / (max(m.Expected, 1) + m.Expected*m.Expected/usualShape)
	weight := usualDay / (1 + deviations/(unusual*unusual))
	return min(max((m.Came+weight)/(m.Expected+weight), 1/wildest), wildest)
}
