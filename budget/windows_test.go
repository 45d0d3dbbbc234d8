package budget

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

// TestWindowsTable states civil days around every kind of change of clocks, as the start of the
// window that holds an instant and its length.
func TestWindowsTable(t *testing.T) {
	for _, c := range []struct {
		zone   string
		period pingpost.Period
		at     string // RFC 3339
		start  string
		length time.Duration
	}{
		{"America/Chicago", pingpost.Day, "2026-03-04T12:00:00-06:00", "2026-03-04T00:00:00-06:00", 24 * time.Hour},
		{"America/Chicago", pingpost.Day, "2026-03-08T12:00:00-05:00", "2026-03-08T00:00:00-06:00", 23 * time.Hour},
		{"America/Chicago", pingpost.Day, "2026-11-01T23:59:59-06:00", "2026-11-01T00:00:00-05:00", 25 * time.Hour},
		{"America/Chicago", pingpost.Week, "2026-03-08T23:59:59-05:00", "2026-03-02T00:00:00-06:00", 167 * time.Hour},
		{"America/Chicago", pingpost.Week, "2026-03-09T00:00:00-05:00", "2026-03-09T00:00:00-05:00", 168 * time.Hour},
		{"America/Chicago", pingpost.Month, "2026-03-31T23:59:59-05:00", "2026-03-01T00:00:00-06:00", 743 * time.Hour},
		{"America/Chicago", pingpost.Month, "2024-02-29T23:00:00-06:00", "2024-02-01T00:00:00-06:00", 29 * 24 * time.Hour},
		{"America/Chicago", pingpost.Week, "2027-01-01T12:00:00-06:00", "2026-12-28T00:00:00-06:00", 168 * time.Hour},
		{"America/Chicago", pingpost.Hour, "2026-03-08T01:59:59-06:00", "2026-03-08T01:00:00-06:00", time.Hour},
		{"America/Chicago", pingpost.Hour, "2026-03-08T03:00:00-05:00", "2026-03-08T03:00:00-05:00", time.Hour},
		{"America/Chicago", pingpost.Hour, "2026-11-01T01:30:00-05:00", "2026-11-01T01:00:00-05:00", time.Hour},
		{"America/Chicago", pingpost.Hour, "2026-11-01T01:30:00-06:00", "2026-11-01T01:00:00-06:00", time.Hour},
		// Zones where clocks change at midnight: these days begin at one o'clock.
		{"America/Havana", pingpost.Day, "2026-03-08T12:00:00-04:00", "2026-03-08T01:00:00-04:00", 23 * time.Hour},
		{"Asia/Beirut", pingpost.Day, "2026-03-29T12:00:00+03:00", "2026-03-29T01:00:00+03:00", 23 * time.Hour},
		{"Africa/Cairo", pingpost.Day, "2026-04-24T12:00:00+03:00", "2026-04-24T01:00:00+03:00", 23 * time.Hour},
		{"America/Santiago", pingpost.Day, "2025-09-07T12:00:00-03:00", "2025-09-07T01:00:00-03:00", 23 * time.Hour},
		{"America/Santiago", pingpost.Day, "2026-04-04T23:30:00-04:00", "2026-04-04T00:00:00-03:00", 25 * time.Hour},
		{"America/Asuncion", pingpost.Month, "2023-10-15T12:00:00-03:00", "2023-10-01T01:00:00-03:00", 743 * time.Hour},
		// Midnight twice on one date: the first is the start.
		{"America/Havana", pingpost.Day, "2026-11-01T12:00:00-05:00", "2026-11-01T00:00:00-04:00", 25 * time.Hour},
		// Clocks went back over midnight: the date returns, the window does not.
		{"America/St_Johns", pingpost.Day, "2010-11-06T23:30:00-03:30", "2010-11-07T00:00:00-02:30", 25 * time.Hour},
		{"America/St_Johns", pingpost.Day, "2010-11-06T23:30:00-02:30", "2010-11-06T00:00:00-02:30", 24 * time.Hour},
		// Half an hour of summer time.
		{"Australia/Lord_Howe", pingpost.Day, "2026-04-05T12:00:00+10:30", "2026-04-05T00:00:00+11:00", 24*time.Hour + 30*time.Minute},
		{"Australia/Lord_Howe", pingpost.Hour, "2026-04-05T01:45:00+10:30", "2026-04-05T01:30:00+10:30", 30 * time.Minute},
		{"Asia/Kathmandu", pingpost.Hour, "2026-04-05T01:45:00+05:45", "2026-04-05T01:00:00+05:45", time.Hour},
		// The day that Samoa left out.
		{"Pacific/Apia", pingpost.Day, "2011-12-29T12:00:00-10:00", "2011-12-29T00:00:00-10:00", 24 * time.Hour},
		{"Pacific/Apia", pingpost.Day, "2011-12-31T12:00:00+14:00", "2011-12-31T00:00:00+14:00", 24 * time.Hour},
		{"Pacific/Apia", pingpost.Week, "2011-12-31T12:00:00+14:00", "2011-12-26T00:00:00-10:00", 144 * time.Hour},
	} {
		at, start := mustTime(c.at), mustTime(c.start)
		from, to := WindowOf(c.period, at, mustZone(c.zone))
		if !from.Equal(start) || to.Sub(from) != c.length {
			t.Errorf("%s %v of %s: from %v for %v", c.zone, c.period, c.at, from.In(mustZone(c.zone)), to.Sub(from))
		}
	}
	if from, to := WindowOf(pingpost.Total, noon, chicago); !from.IsZero() || !to.IsZero() {
		t.Error("total has bounds")
	}
}

func mustTime(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at
}

// TestDaysAgreeWithTheCalendar walks years of four zones in steps of a quarter of an hour: a new
// day starts exactly where a date is seen for the first time.
func TestDaysAgreeWithTheCalendar(t *testing.T) {
	for _, name := range []string{"America/Santiago", "America/St_Johns", "Africa/Cairo", "Australia/Lord_Howe"} {
		loc := mustZone(name)
		seen, start := "", time.Time{}
		for at := time.Date(2010, 1, 1, 0, 0, 0, 0, loc); at.Year() < 2012; at = at.Add(15 * time.Minute) {
			if date := at.Format(time.DateOnly); date > seen {
				seen, start = date, at
			}
			// St. John's changed its clocks a minute past midnight: no quarter shows that minute.
			from, to := WindowOf(pingpost.Day, at, loc)
			if !from.Equal(start) || !at.Before(to) {
				t.Fatalf("%s: the day of %v is from %v to %v, and began at %v", name, at, from.In(loc), to.In(loc), start)
			}
		}
	}
}

// TestZonesWithoutATable asks for windows in zones whose file says a rule instead of a table of
// changes, as the files of many systems do: they are those of the table.
func TestZonesWithoutATable(t *testing.T) {
	for name, rule := range map[string]string{
		"America/New_York": "EST5EDT,M3.2.0,M11.1.0", "Australia/Lord_Howe": "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
		"America/Havana": "CST5CDT,M3.2.0/0,M11.1.0/1", "Asia/Kolkata": "IST-5:30",
	} {
		table, slim := mustZone(name), slimZone(t, rule)
		for at := time.Date(2023, 12, 25, 0, 0, 0, 0, time.UTC); at.Year() < 2037; at = at.Add(5*time.Hour + 20*time.Minute) {
			for _, period := range []pingpost.Period{pingpost.Hour, pingpost.Day, pingpost.Week, pingpost.Month} {
				from, to := WindowOf(period, at, slim)
				if wantFrom, wantTo := WindowOf(period, at, table); !from.Equal(wantFrom) || !to.Equal(wantTo) {
					t.Fatalf("%s: the %v of %v is from %v to %v, by the table from %v to %v", name, period, at, from, to, wantFrom, wantTo)
				}
			}
		}
	}
}

// slimZone makes a zone of a rule alone, in the form of RFC 8536.
func slimZone(t *testing.T, rule string) *time.Location {
	header := "TZif2" + strings.Repeat("\x00", 15)
	counts := func(types, chars byte) string { // of no leap seconds and no changes
		return strings.Repeat("\x00", 16) + "\x00\x00\x00" + string(types) + "\x00\x00\x00" + string(chars)
	}
	body := "\x00\x00\x00\x00\x00\x00" + "LMT\x00" // one kind of local time, in force before the first change
	one := header + counts(1, 4)
	loc, err := time.LoadLocationFromTZData("slim", []byte(one+body+one+body+"\n"+rule+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// TestWindowsTile says that windows of every period follow each other without a gap, that every
// instant of a window names the same one, and that hours lie within days, days within weeks and months.
func TestWindowsTile(t *testing.T) {
	zones := []string{
		"UTC", "America/Chicago", "America/Havana", "Asia/Beirut", "Africa/Cairo", "America/Santiago", "America/St_Johns",
		"Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "Europe/Dublin", "Africa/Casablanca", "Asia/Gaza",
	}
	rapid.Check(t, func(t *rapid.T) {
		loc := mustZone(rapid.SampledFrom(zones).Draw(t, "zone"))
		at := time.Unix(rapid.Int64Range(1.2e9, 2.2e9).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano"))
		var outer [pingpost.NumPeriods][2]time.Time
		for _, period := range []pingpost.Period{pingpost.Month, pingpost.Week, pingpost.Day, pingpost.Hour} {
			from, to := WindowOf(period, at, loc)
			if at.Before(from) || !at.Before(to) {
				t.Fatalf("%v: %v is not within %v and %v", period, at, from, to)
			}
			for _, inside := range []time.Time{from, to.Add(-1), from.Add(to.Sub(from) / 3)} {
				if f, e := WindowOf(period, inside, loc); !f.Equal(from) || !e.Equal(to) {
					t.Fatalf("%v: %v is in %v to %v, not %v to %v", period, inside, f, e, from, to)
				}
			}
			if next, _ := WindowOf(period, to, loc); !next.Equal(to) {
				t.Fatalf("%v: after %v comes %v", period, to, next)
			}
			outer[period] = [2]time.Time{from, to}
		}
		within := func(inner, around pingpost.Period) {
			if outer[inner][0].Before(outer[around][0]) || outer[inner][1].After(outer[around][1]) {
				t.Fatalf("%v of %v is not within its %v", inner, at, around)
			}
		}
		within(pingpost.Hour, pingpost.Day)
		within(pingpost.Day, pingpost.Week)
		within(pingpost.Day, pingpost.Month)
	})
}

func BenchmarkWindowOf(b *testing.B) {
	for b.Loop() {
		WindowOf(pingpost.Day, noon, chicago)
	}
}
