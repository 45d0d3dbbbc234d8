package strategy

import "time"

// hoursOfWeek are the cells of a Week, from Monday 0:00 of the business's own time.
const hoursOfWeek = 7 * 24

const (
	// priorWeeks is how many weeks of evidence the prior curve is held for: once that much of an hour
	// was seen, a contractor's own week counts for as much of it as the curve of their trade.
	priorWeeks = 0.5

	// priorDays is the same for a day of the week: what usual weeks know of it is that much evidence.
	priorDays = 2.0

	// cellPings is how many pings of one hour it takes to tell more of it than all days together do, and
	// curvePings how many of an hour of the day, or a day, to tell more than the prior.
	cellPings, curvePings = 10.0, 2.0

	// priorPings and usualPings keep the first few pings of a new campaign from being taken for the
	// size of its weeks: they count as if priorPings had been seen in weeks of usualPings.
	priorPings, usualPings = 3.0, 300.0

	// weekKeeps is what an evidence is still worth a week later.
	weekKeeps = 0.85

	// evenShare of every week is expected evenly, so that no hour is expected to bring nothing.
	evenShare = 0.1

	// An hour that brings more than stormHour times what is expected of it is a storm and counts for that
	// much, no more: a week is what hours usually bring. A few pings are no storm, and nothing is one
	// before knownHours were watched.
	stormHour, fewPings, knownHours = 3.0, 10.0, 72.0

	// newUsual is the share of a week that storms make up where they are none: that is what the hours
	// bring by now, and all of it counts.
	newUsual = 0.5
)

// Week is how many pings that a campaign may buy the hours of a week bring, in the business's own
// time: learned from those that came, and from the prior curve as long as there are few. Times are
// handed in already moved to that zone. Its fields are its whole state.
type Week struct {
	Prior [hoursOfWeek]float64 `json:"prior"`          // shares of a week; sums to 1
	Usual [hoursOfWeek]float64 `json:"usual"`          // likewise, by what hours of the day and days of the week brought
	Seen  [hoursOfWeek]float64 `json:"seen"`           // pings that came, older ones for less
	Hours [hoursOfWeek]float64 `json:"hours"`          // how often that hour was watched, likewise
	Until time.Time            `json:"until,omitzero"` // up to when the hours were watched

	Watched float64 `json:"watched"` // hours in all, up to knownHours
	Size    float64 `json:"size"`    // Total, as of the hour of Until
	Came    float64 `json:"came"`    // pings in that hour
	Most    float64 `json:"most"`    // of them that are no storm; 0 where nothing is known yet
	Storms  float64 `json:"storms"`  // the share of the last week, by the pings that it was expected to bring
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
	w.Usual, w.Size = w.Prior, usualPings
	return w
}

// Watch says that pings up to now would have been seen. The first call only sets the beginning.
func (w *Week) Watch(now time.Time) {
	if w.Until.IsZero() || now.Sub(w.Until) > 7*24*time.Hour {
		w.Until, w.Came, w.Most = now, 0, 0 // not watched: nothing is known of that time
		return
	}
	first := hourOfWeek(w.Until)
	cell := first
	for w.Until.Before(now) {
		end := earlier(nextHour(w.Until), now)
		hours := end.Sub(w.Until).Hours()
		w.Hours[cell] += hours
		w.Watched = min(w.Watched+hours, knownHours)
		w.Until = end
		next := hourOfWeek(end)
		if next != cell {
			w.turn(cell)
		}
		if next < cell {
			w.fade()
		}
		cell = next
	}
	if cell != first {
		w.look()
	}
}

// turn ends an hour.
func (w *Week) turn(cell int) {
	storm := 0.0
	if w.Most > 0 && w.Came > w.Most {
		storm = 1
	}
	w.Storms += (storm - w.Storms) * min(w.perHour(cell, w.Size)/w.Size, 1)
	w.Came = 0
}

// look brings what is expected up to date at the beginning of an hour.
func (w *Week) look() {
	w.Size = w.Total()
	w.shape()
	cell := hourOfWeek(w.Until)
	if w.Most = 0; w.Watched >= knownHours {
		w.Most = stormHour*max(w.perHour(cell, w.Size), w.atHour(cell%24)) + fewPings
	}
}

// atHour is how many pings an hour of the day brought on average, whatever the weekday.
func (w *Week) atHour(hour int) float64 {
	seen, hours := 0.0, 0.0
	for cell := hour; cell < hoursOfWeek; cell += 24 {
		seen, hours = seen+w.Seen[cell], hours+w.Hours[cell]
	}
	return seen / max(hours, 1)
}

// shape works out Usual: an hour brings its hour of the day's part of what its day of the week brings.
// Both are learned over the prior's, each from more pings than one hour of the week sees.
func (w *Week) shape() {
	var hours [24]float64
	var days [7]float64
	day := 0.0
	for hour := range hours {
		prior, seen, watched := 0.0, 0.0, 0.0
		for cell := hour; cell < hoursOfWeek; cell += 24 {
			prior, seen, watched = prior+w.Prior[cell], seen+w.Seen[cell], watched+w.Hours[cell]
		}
		hours[hour] = towards(w.Size*prior/7, 7*priorWeeks, curvePings, seen, watched)
		day += hours[hour]
	}
	for weekday := range days {
		prior, seen, watched := 0.0, 0.0, 0.0
		for hour := range hours {
			cell := 24*weekday + hour
			prior, seen, watched = prior+w.Prior[cell], seen+w.Seen[cell], watched+w.Hours[cell]*hours[hour]/day
		}
		days[weekday] = towards(w.Size*prior, priorDays, curvePings, seen, watched)
	}
	sum := 0.0
	for cell := range w.Usual {
		w.Usual[cell] = days[cell/24] * hours[cell%24]
		sum += w.Usual[cell]
	}
	for cell := range w.Usual {
		w.Usual[cell] /= sum
	}
}

// towards is a rate of pings by what was seen, drawn towards the one that was expected with the weight of
// so many times of watching and so many pings.
func towards(expected, times, pings, seen, watched float64) float64 {
	weight := times + pings/max(expected, 1e-6)
	return (weight*expected + seen) / (weight + watched)
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
	if w.Came++; w.Most == 0 || w.Came <= w.Most || w.Storms > newUsual {
		w.Seen[hourOfWeek(now)]++
	}
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
	return towards(total*w.Usual[cell], priorWeeks, cellPings, w.Seen[cell], w.Hours[cell])
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

// hourOfWeek is the cell of an instant. It looks the zone up once, where Weekday and Hour do each.
func hourOfWeek(local time.Time) int {
	const sinceYearOne = 62_135_596_800 // seconds to 1970, from a Monday
	_, offset := local.Zone()
	return int((local.Unix() + sinceYearOne + int64(offset)) / 3600 % hoursOfWeek)
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
