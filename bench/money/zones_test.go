package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"leadbid/pingpost"
)

// TestSpecialDays holds the windows of a fortnight around every kind of change of clocks against the
// calendar, and has a bidder buy up the days around it. All zones and all years are walked by
// go run ./bench/money zones.
func TestSpecialDays(t *testing.T) {
	days := map[string][]string{
		"America/New_York":             {"2024-03-10", "2024-11-03", "2026-03-08", "2026-11-01", "2040-03-11", "2040-11-04"},
		"America/Chicago":              {"2024-02-29", "2024-12-31", "2026-03-08", "2026-11-01", "2031-03-09"},
		"America/Denver":               {"2026-03-08", "2026-11-01"},
		"America/Phoenix":              {"2026-03-08", "2028-02-29"},
		"America/Los_Angeles":          {"2026-03-08", "2026-11-01"},
		"America/Adak":                 {"2026-03-08", "2026-11-01"},
		"America/Indiana/Tell_City":    {"2026-03-08", "2026-11-01"},
		"America/Indiana/Knox":         {"2026-03-08"},
		"America/North_Dakota/Beulah":  {"2026-11-01"},
		"America/Metlakatla":           {"2026-03-08"},
		"Pacific/Honolulu":             {"2026-03-08"},
		"Pacific/Guam":                 {"2027-12-31"},
		"America/Havana":               {"2024-03-10", "2024-11-03", "2026-03-08", "2026-11-01"},
		"Asia/Beirut":                  {"2024-03-31", "2024-10-27", "2026-03-29", "2026-10-25"},
		"Africa/Cairo":                 {"2024-04-26", "2024-11-01", "2026-04-24", "2026-10-30"},
		"America/Santiago":             {"2024-04-07", "2024-09-08", "2026-04-05", "2026-09-06"},
		"Australia/Lord_Howe":          {"2026-04-05", "2026-10-04"},
		"America/Indiana/Indianapolis": {"2032-02-29"},
	}
	count := 0
	for zone, dates := range days {
		count += len(dates)
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			var stretches [][]time.Time
			for _, date := range slices.Sorted(slices.Values(dates)) {
				noon, err := time.ParseInLocation(time.DateTime, date+" 12:00:00", loc)
				if err != nil {
					t.Fatal(err)
				}
				calendar := walk(noon.AddDate(0, 0, -8), noon.AddDate(0, 0, 8), loc)
				if err := calendar.agree(loc); err != nil {
					t.Error(err)
				}
				if got := calendar.special(pingpost.Day); len(got) > 0 {
					stretches = append(stretches, got...)
				} else {
					stretches = append(stretches, calendar.starts[pingpost.Day][6:10])
				}
			}
			filled, err := fill(t.Context(), t.TempDir(), zone, stretches)
			if err != nil || filled != 3*len(dates) {
				t.Errorf("%d caps filled: %v", filled, err)
			}
		})
	}
	if count < 40 {
		t.Errorf("only %d special days", count)
	}
}

// TestZonesAreAll compares the list with the machine's own tz database, where it has one.
func TestZonesAreAll(t *testing.T) {
	file, err := os.Open("/usr/share/zoneinfo/zone.tab")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("NOT COMPARED WITH THE TZ DATABASE: install tzdata, which has zone.tab")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 3 || !slices.Contains([]string{"US", "PR", "VI", "GU", "MP", "AS", "UM"}, fields[0]) {
			continue
		}
		if !slices.Contains(zones, fields[2]) {
			t.Errorf("%s of %s is missing", fields[2], fields[0])
		}
	}
}
