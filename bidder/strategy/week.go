package strategy

import "time"

// hoursOfWeek are the cells of a Week, from Monday 0:00 of the business's own time.
const hoursOfWeek = 7 * 24

const (
	// priorWeeks is how many weeks of evidence the prior curve is held for: once that much of an hour
	// was seen, a contractor's own week counts for as much of it as the curve of their trade.
	priorWeeks = 0.5

	// priorPings and usualPings keep the first few pings of a new campaign from being taken for the
	// size of its weeks: they count as if priorPings had been seen in weeks of usualPings.
	priorPings, usualPings = 3.0, 300.0

	// weekKeeps is what an evidence is still worth a week later.
	weekKeeps = 0.85

	// evenShare of every week is expected evenly, so that no hour is expected to bring nothing.
	evenShare = 0.1
)

// Week is how many pings that a campaign may buy the hours of a week bring, in the business's own
// time: learned from those that came, and from the prior curve as long as there are few. Times are
// handed in already moved to that zone. Its fields are its whole state.
type Week struct {
	Prior [hoursOfWeek]float64 `json:"prior"`          // shares of a week; sums to 1
	Seen  [hoursOfWeek]float64 `json:"seen"`           // pings that came, older ones for less
	Hours [hoursOfWeek]float64 `json:"hours"`          // how often that hour was watched, likewise
	Until time.Time            `json:"until,omitzero"` // up to when the hours were watched
}

// NewWeek makes a Week that expects pings in the given shares, which need not sum to anything.
// Shares that sum to nothing mean an even week.
func NewWeek(shares [hoursOfWeek]float64) Week {
	var w Week
	sum := 0.0
	for _, share := range shares {
		sum += share
	}
	for i, share := range shares {
		w.Prior[i] = 1.0 / hoursOfWeek
		if sum > 0 {
			w.Prior[i] = evenShare/hoursOfWeek + (1-evenShare)*share/sum
		}
	}
	return w
}

// Watch says that pings up to now would have been seen. The first call only sets the beginning.
func (w *Week) Watch(now time.Time) {
	if w.Until.IsZero() || now.Sub(w.Until) > 7*24*time.Hour {
		w.Until = now // not watched: nothing is known of that time
		return
	}
	for w.Until.Before(now) {
		cell := hourOfWeek(w.Until)
		end := earlier(nextHour(w.Until), now)
		w.Hours[cell] += end.Sub(w.Until).Hours()
		w.Until = end
		if next := hourOfWeek(end); next < cell {
			w.fade()
		}
	}
}

// fade makes a week that is over count for less.
func (w *Week) fade() {
	for i := range w.Seen {
		w.Seen[i] *= weekKeeps
		w.Hours[i] *= weekKeeps
	}
}

// Note counts a ping.
func (w *Week) Note(now time.Time) {
	w.Watch(now)
	w.Seen[hourOfWeek(now)]++
}

// Forget sets the end of the watched time, as after a restart: what came meanwhile is not known.
func (w *Week) Forget() { w.Until = time.Time{} }

// Total is the pings that a whole week is expected to bring.
func (w *Week) Total() float64 {
	seen, weeks := priorPings, priorPings/usualPings
	for i := range w.Seen {
		seen += w.Seen[i]
		weeks += w.Prior[i] * w.Hours[i]
	}
	return seen / weeks
}

// Expect is how many pings are expected between two instants.
func (w *Week) Expect(from, to time.Time) (pings float64) {
	for _, part := range w.expectByPart(from, to, w.Total()) {
		pings += part
	}
	return pings
}

// between is Expect for the short times between two pings, where a week brings total.
func (w *Week) between(from, to time.Time, total float64) float64 {
	if cell := hourOfWeek(from); to.Sub(from) < time.Hour && hourOfWeek(to) == cell {
		return w.perHour(cell, total) * max(to.Sub(from).Hours(), 0)
	}
	return w.Expect(from, to)
}

// parts divide the day: prices and rivals differ between them.
const parts = 6

func partOf(local time.Time) int { return local.Hour() * parts / 24 }

// expectByPart is how many pings are expected between two instants, by the part of the day, where a
// week brings total.
func (w *Week) expectByPart(from, to time.Time, total float64) (pings [parts]float64) {
	eachHour(from, to, func(cell, part int, hours float64) { pings[part] += w.perHour(cell, total) * hours })
	return pings
}

// perHour is how many pings an hour of the week is expected to bring where a week brings total.
func (w *Week) perHour(cell int, total float64) float64 {
	return (priorWeeks*total*w.Prior[cell] + w.Seen[cell]) / (priorWeeks + w.Hours[cell])
}

// byPart is how many open hours lie between two instants, by the part of the day.
func (h *Hours) byPart(from, to time.Time) (open [parts]float64) {
	eachHour(from, to, func(cell, part int, hours float64) {
		if h[cell] {
			open[part] += hours
		}
	})
	return open
}

// eachHour goes through the hours of the wall between two instants; the first and the last may be
// no whole ones. A change of the clocks in between is passed over: it moves an hour's worth of plan.
func eachHour(from, to time.Time, visit func(cell, part int, hours float64)) {
	cell, left := hourOfWeek(from), to.Sub(from).Hours()
	hours := nextHour(from).Sub(from).Hours()
	for left > 0 {
		hours = min(hours, left)
		visit(cell, cell%24*parts/24, hours)
		if cell++; cell == hoursOfWeek {
			cell = 0
		}
		left -= hours
		hours = 1
	}
}

func hourOfWeek(local time.Time) int {
	return (int(local.Weekday())+6)%7*24 + local.Hour()
}

// nextHour is the next full hour on the wall. Zones that lie half an hour off have theirs too.
func nextHour(local time.Time) time.Time {
	into := time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second +
		time.Duration(local.Nanosecond())
	return local.Add(time.Hour - into)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
