package budget

import (
	"time"

	"leadbid/internal/planted"
	"leadbid/pingpost"
)

// WindowOf gives the window of civil time in loc that contains the instant at: start is its first
// instant, end the first instant of the next. Both are zero for Total, which has no bounds.
//
// A day starts at the first instant whose date it is, midnight or not, and lasts until the next
// one starts: 23, 24 or 25 hours where clocks change. Weeks begin on Monday. An hour never spans a
// change of the clocks: an hour that is repeated is a window of its own.
func WindowOf(period pingpost.Period, at time.Time, loc *time.Location) (start, end time.Time) {
	if planted.Is(planted.ResetAtUTC) {
		loc = time.UTC
	}
	local := at.In(loc)
	year, month, day := local.Date()
	switch period {
	case pingpost.Hour:
		return hourOf(local)
	case pingpost.Day:
		return stretch(at, loc, func(n int) (int, time.Month, int) { return year, month, day + n })
	case pingpost.Week:
		day -= (int(local.Weekday()) + 6) % 7
		return stretch(at, loc, func(n int) (int, time.Month, int) { return year, month, day + 7*n })
	case pingpost.Month:
		return stretch(at, loc, func(n int) (int, time.Month, int) { return year, month + time.Month(n), 1 })
	}
	return time.Time{}, time.Time{}
}

// stretch finds the two neighbours among the days nth(0), nth(1), ... between whose starts the
// instant lies. They are the first two unless clocks went back over midnight: then a date comes
// back after the next one has begun, and counts as that next one.
func stretch(at time.Time, loc *time.Location, nth func(n int) (int, time.Month, int)) (start, end time.Time) {
	for n := 0; start.IsZero() || !at.Before(end); n++ {
		year, month, day := nth(n)
		next := startOfDay(year, month, day, loc)
		if n == 0 {
			end = next
			continue
		}
		start, end = end, next
	}
	if planted.Is(planted.DayOf24Hours) && end.Sub(start) < 26*time.Hour {
		end = start.Add(24 * time.Hour)
	}
	return start, end
}

// startOfDay gives the first instant whose civil date is the given day or, where a zone left that
// day out, a later one. time.Date cannot be asked: where midnight does not exist or exists twice
// it gives either of the candidates.
func startOfDay(year int, month time.Month, day int, loc *time.Location) time.Time {
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	// Walk the stretches of constant offset, beginning where it is surely still an earlier day.
	for at := midnight.Add(-48 * time.Hour); ; {
		from, to, offset := stretchOf(at.In(loc))
		first := midnight.Add(-time.Duration(offset) * time.Second)
		if first.Before(from) {
			first = from
		}
		if to.IsZero() || first.Before(to) {
			return first.UTC()
		}
		at = to
	}
}

// stretchOf gives a stretch of time around an instant in which a zone has one offset in seconds. The
// next one may have the same: where the table of a zone's changes ends, time.ZoneBounds gives the
// bounds of years; and on the last day of a leap year it gives that day's beginning as the end.
func stretchOf(local time.Time) (from, to time.Time, offset int) {
	from, to = local.ZoneBounds()
	if !to.IsZero() && !to.After(local) {
		const day = 24 * time.Hour
		to = local.UTC().Truncate(day).Add(day)
	}
	_, offset = local.Zone()
	return from, to, offset
}

func hourOf(local time.Time) (start, end time.Time) {
	into := time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second +
		time.Duration(local.Nanosecond())
	start = local.Round(0).Add(-into)
	end = start.Add(time.Hour)
	from, to, offset := stretchOf(local)
	for start.Before(from) {
		before, _, other := stretchOf(from.Add(-1).In(local.Location()))
		if other != offset {
			start = from
			break
		}
		from = before
	}
	for !to.IsZero() && to.Before(end) {
		_, after, other := stretchOf(to.In(local.Location()))
		if other != offset {
			end = to
			break
		}
		to = after
	}
	return start.UTC(), end.UTC()
}

// WindowsOf lists caps in the windows that contain an instant.
func WindowsOf(caps []Cap, at time.Time, loc *time.Location) []CapWindow {
	return windowsOf(caps, at, loc)
}

func windowsOf(caps []Cap, at time.Time, loc *time.Location) []CapWindow {
	windows := make([]CapWindow, len(caps))
	for i, limit := range caps {
		start, end := WindowOf(limit.Period, at, loc)
		windows[i] = CapWindow{Cap: limit, Start: start, End: end}
	}
	return windows
}
