package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
	_ "time/tzdata" // every machine goes by the same rules

	"leadbid/budget"
	"leadbid/pingpost"
)

// zones are those of the United States with their territories, as the tz database's zone.tab lists
// them, and four that skip midnight. Lord Howe moves its clocks by half an hour.
var zones = []string{
	"America/Adak", "America/Anchorage", "America/Boise", "America/Chicago", "America/Denver", "America/Detroit",
	"America/Indiana/Indianapolis", "America/Indiana/Knox", "America/Indiana/Marengo", "America/Indiana/Petersburg",
	"America/Indiana/Tell_City", "America/Indiana/Vevay", "America/Indiana/Vincennes", "America/Indiana/Winamac",
	"America/Juneau", "America/Kentucky/Louisville", "America/Kentucky/Monticello", "America/Los_Angeles",
	"America/Menominee", "America/Metlakatla", "America/New_York", "America/Nome", "America/North_Dakota/Beulah",
	"America/North_Dakota/Center", "America/North_Dakota/New_Salem", "America/Phoenix", "America/Sitka", "America/Yakutat",
	"Pacific/Honolulu",
	"America/Puerto_Rico", "America/St_Thomas", "Pacific/Guam", "Pacific/Midway", "Pacific/Pago_Pago", "Pacific/Saipan", "Pacific/Wake",
	"America/Havana", "Asia/Beirut", "Africa/Cairo", "America/Santiago",
	"Australia/Lord_Howe",
}

const firstYear, lastYear = 2024, 2040

// zoneRow is what was held against the calendar in one zone.
type zoneRow struct {
	Zone    string                `json:"zone"`
	Days    int                   `json:"days"`
	Lengths map[time.Duration]int `json:"-"`
	Odd     []string              `json:"days_not_of_24_h"` // how many of which length
	Hours   int                   `json:"hours"`
	Filled  int                   `json:"caps_filled"` // days around changes of the clocks whose cap was bought up
}

func measureZones(ctx context.Context, s *settings, out io.Writer) (any, error) {
	rows := make([]zoneRow, len(zones))
	faults := make([]error, len(zones))
	var group sync.WaitGroup
	next := make(chan int)
	for range 2 {
		group.Go(func() {
			for i := range next {
				rows[i], faults[i] = s.zone(ctx, zones[i])
			}
		})
	}
	for i := range zones {
		next <- i
	}
	close(next)
	group.Wait()
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "zone\tdays\tnot of 24 h\thours\tcaps filled\t")
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t\n", row.Zone, row.Days, strings.Join(row.Odd, ", "), row.Hours, row.Filled)
	}
	return rows, w.Flush()
}

// zone holds all windows of all years against the calendar, and buys up the days around each change
// of the clocks.
func (s *settings) zone(ctx context.Context, name string) (zoneRow, error) {
	row := zoneRow{Zone: name}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return row, err
	}
	from, to := time.Date(firstYear-1, 12, 31, 12, 0, 0, 0, loc), time.Date(lastYear+1, 1, 1, 0, 0, 0, 0, loc)
	calendar := walk(from, to, loc)
	if err := calendar.agree(loc); err != nil {
		return row, fmt.Errorf("%s: %w", name, err)
	}
	row.count(calendar)
	folder, err := os.MkdirTemp(s.folder, "zone-")
	if err != nil {
		return row, err
	}
	stretches := calendar.special(pingpost.Day)
	if len(stretches) == 0 {
		stretches = calendar.quiet()
	}
	row.Filled, err = fill(ctx, folder, name, stretches)
	return row, err
}

func (r *zoneRow) count(c *calendar) {
	days := c.starts[pingpost.Day]
	r.Days, r.Hours = len(days)-1, len(c.starts[pingpost.Hour])-1
	r.Lengths = map[time.Duration]int{}
	for i := range r.Days {
		r.Lengths[days[i+1].Sub(days[i])]++
	}
	for length, n := range r.Lengths {
		if length != 24*time.Hour {
			r.Odd = append(r.Odd, fmt.Sprintf("%d of %g h", n, length.Hours()))
		}
	}
	slices.Sort(r.Odd)
}

// calendar is the naive twin of budget's windows: where each begins, found by looking at a clock on
// the wall every minute. The last start of a period ends the one before it.
type calendar struct {
	starts [pingpost.NumPeriods][]time.Time
}

// walk looks at the clock every minute. Only what begins after from is listed. A day begins when a date is seen that was
// never seen before: a date that comes back, because clocks went back over midnight, is no new day.
// Weeks and months begin with a day, hours whenever the clock shows another hour or was changed.
func walk(from, to time.Time, loc *time.Location) *calendar {
	c := &calendar{}
	var seen time.Time // the latest date, as midnight in UTC
	hour, offset := -1, 0
	begin := func(p pingpost.Period, at time.Time) { c.starts[p] = append(c.starts[p], at.UTC()) }
	for at := from; !at.After(to); at = at.Add(time.Minute) {
		local := at.In(loc)
		year, month, day := local.Date()
		_, shift := local.Zone()
		if local.Hour() != hour || shift != offset {
			begin(pingpost.Hour, at)
			hour, offset = local.Hour(), shift
		}
		date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
		if !date.After(seen) {
			continue
		}
		begin(pingpost.Day, at)
		if seen.IsZero() || isoWeek(date) != isoWeek(seen) {
			begin(pingpost.Week, at)
		}
		if date.Month() != seen.Month() || date.Year() != seen.Year() {
			begin(pingpost.Month, at)
		}
		seen = date
	}
	for period, starts := range c.starts {
		if len(starts) > 0 {
			c.starts[period] = starts[1:] // it began before the walk
		}
	}
	return c
}

func isoWeek(date time.Time) [2]int {
	year, week := date.ISOWeek()
	return [2]int{year, week}
}

// agree holds budget's windows against the calendar: at the first instant, in the middle and at the
// last instant of each.
func (c *calendar) agree(loc *time.Location) error {
	for _, period := range []pingpost.Period{pingpost.Hour, pingpost.Day, pingpost.Week, pingpost.Month} {
		starts := c.starts[period]
		for i := range len(starts) - 1 {
			from, to := starts[i], starts[i+1]
			for _, at := range []time.Time{from, from.Add(to.Sub(from) / 2), to.Add(-1)} {
				if start, end := budget.WindowOf(period, at, loc); !start.Equal(from) || !end.Equal(to) {
					return fmt.Errorf("%w: the %v of %v is from %v to %v, and the calendar says %v to %v", errBound, period,
						at.In(loc), start.In(loc), end.In(loc), from.In(loc), to.In(loc))
				}
			}
		}
	}
	return nil
}

// special lists the days that are not 24 hours long with the day before and the day after.
func (c *calendar) special(period pingpost.Period) (stretches [][]time.Time) {
	starts := c.starts[period]
	for i := 1; i+3 < len(starts); i++ {
		if starts[i+1].Sub(starts[i]) != 24*time.Hour {
			stretches = append(stretches, starts[i-1:i+3])
		}
	}
	return stretches
}

// quiet lists some days of every year where none is special.
func (c *calendar) quiet() (stretches [][]time.Time) {
	for i := 58; i+3 < len(c.starts[pingpost.Day]); i += 365 {
		stretches = append(stretches, c.starts[pingpost.Day][i:i+4])
	}
	return stretches
}

const (
	dayCap   = 60_00
	dayPrice = 20_00
)

// fillConfiguration has one cap: $60 a day, three leads of $20.
const fillConfiguration = `version: 1
business: {name: Every Day, timezone: %s, budget: {day: $60}}
store: sqlite:bidder.db
exchanges:
  north: {profile: native, auth: {bearer: "${KEY}"}, commitment: refusable, auction: first}
campaigns:
  all: {services: [hvac], area: {states: [IL]}, rules: [{name: all, bid: 20}], limits: {max_bid: $20}}
`

// fill runs a bidder through stretches of days, asking it again and again, above all around
// midnights, and winning whatever it bids. Each civil day must have bought its cap exactly.
func fill(ctx context.Context, folder, zone string, stretches [][]time.Time) (filled int, err error) {
	d, err := openDesk(ctx, folder, fmt.Sprintf(fillConfiguration, zone), stretches[0][0])
	if err != nil {
		return 0, err
	}
	defer d.store.Close()
	for _, days := range stretches {
		for i := range len(days) - 1 {
			if d.now.After(days[i]) {
				continue // two changes within three days: this one was part of the last stretch
			}
			if err := d.buy(ctx, days[i], days[i+1]); err != nil {
				return filled, fmt.Errorf("%s: %w", zone, err)
			}
			filled++
		}
	}
	report, err := d.store.Verify(ctx)
	if err == nil && len(report.Findings) > 0 {
		err = fmt.Errorf("%w: %s: %v", errBound, zone, report.Findings)
	}
	return filled, err
}

// buy asks for bids through one day: at its first instant, a second and a minute later, at every
// half hour and in its last second.
func (d *desk) buy(ctx context.Context, from, to time.Time) error {
	instants := []time.Time{from, from.Add(time.Second), from.Add(time.Minute), to.Add(-time.Minute), to.Add(-time.Second), to.Add(-1)}
	for at := from.Add(30 * time.Minute); at.Before(to); at = at.Add(30 * time.Minute) {
		instants = append(instants, at)
	}
	slices.SortFunc(instants, time.Time.Compare)
	before := d.charged
	for _, d.now = range instants {
		for range dayCap/dayPrice + 1 {
			if err := d.tend(ctx); err != nil {
				return err
			}
			bid := d.ping()
			if !bid.Bid {
				break
			}
			if err := d.win(ctx, d.seq, bid); err != nil {
				return err
			}
		}
	}
	if bought := d.charged - before; bought != dayCap {
		return fmt.Errorf("%w: the day from %v to %v bought %v, not %v", errBound, from, to, bought, pingpost.Cents(dayCap))
	}
	return nil
}
