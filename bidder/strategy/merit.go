package strategy

import "math"

// The cells of a merit divide dollars, or worth per dollar, evenly by logarithm, from half a cent to
// some ten thousand: each is 12 % wide.
const (
	meritCells = 120
	leastMerit = 0.005
	meritStep  = 0.12

	// meritMemory is how many leads count: contractors change their rules.
	meritMemory = 2000.0
)

// merit remembers how good the latest leads of a line were. Where bids are written it tells a lead
// from a better one: the best share of them is bought. Leads of one cell are then bought in turn, so
// that of equals, too, a share is bought, and without chance. Its fields are its whole state.
type merit struct {
	Seen    [meritCells]float64 `json:"seen"`
	Worth   float64             `json:"worth"`   // of all that were seen
	Dollars [meritCells]float64 `json:"dollars"` // what was written for them
	Sum     float64             `json:"sum"`
	Highest float64             `json:"highest"` // worth of one lead
	Turn    float64             `json:"turn"`    // in the cell at the margin: 1 is a lead
	Written bool                `json:"written"`
}

func meritCell(value float64) int {
	if !(value > leastMerit) {
		return 0
	}
	return min(int(math.Log(value/leastMerit)/meritStep), meritCells-1)
}

// meritOf is the middle of a cell.
func meritOf(cell int) float64 { return leastMerit * math.Exp((float64(cell)+0.5)*meritStep) }

// mean is what a lead is worth on average.
func (m *merit) mean() float64 { return m.Worth / max(m.Sum, 1) }

// note counts a lead. share is what of the leads was bought when it came.
func (m *merit) note(cell int, worth, dollars, share float64) {
	if m.Written {
		m.take(cell, share)
	}
	m.Seen[cell]++
	m.Dollars[cell] += dollars
	m.Worth += worth
	m.Highest = max(m.Highest, worth)
	if m.Sum++; m.Sum < 1.25*meritMemory {
		return
	}
	keep := meritMemory / m.Sum
	for i := range m.Seen {
		m.Seen[i] *= keep
		m.Dollars[i] *= keep
	}
	m.Sum *= keep
	m.Worth *= keep
}

// room is how much of a cell belongs to the best share of all leads: all of it from 1 on, nothing
// down from 0.
func (m *merit) room(cell int, share float64) float64 {
	better := 0.0
	for i := cell + 1; i < meritCells; i++ {
		better += m.Seen[i]
	}
	// The lead that is asked about counts as one of its cell.
	return (share*(m.Sum+1) - better) / (m.Seen[cell] + 1)
}

// admits says whether a lead of that cell is among the best share of all, or its cell's turn has come.
func (m *merit) admits(cell int, share float64) bool {
	room := m.room(cell, share)
	return room >= 1 || room > 0 && m.Turn+room >= 1
}

// take moves the turn on as admits would have decided.
func (m *merit) take(cell int, share float64) {
	if room := m.room(cell, share); room > 0 && room < 1 {
		if m.Turn += room; m.Turn >= 1 {
			m.Turn--
		}
	}
}

// yields works out what the best share of leads costs and brings: won is the share of bids that win,
// paid what a dollar that was bid comes to.
func (m *merit) yields(y *yield, won, paid float64) {
	seen, dollars, best := 0.0, 0.0, meritCells-1
	for i := range cells + 1 {
		share := min(edge(i), 1)
		for best >= 0 && seen+m.Seen[best] <= share*m.Sum {
			seen, dollars = seen+m.Seen[best], dollars+m.Dollars[best]
			best--
		}
		bought := dollars
		if best >= 0 && m.Seen[best] > 0 {
			bought += (share*m.Sum - seen) / m.Seen[best] * m.Dollars[best]
		}
		y.Leads[i] = share * won
		y.Dollars[i] = bought / max(m.Sum, 1) * paid
	}
}
