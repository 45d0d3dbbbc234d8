package rules

import (
	"regexp"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/us"

	"leadbid/internal/yamlfile"
)

// holidays are the days on which the business keeps other hours, as civil dates. The zero value
// has none. Which of its days are holidays follows from the date alone, never from a clock.
type holidays struct {
	dates  map[civilDate]bool
	yearly map[civilDate]bool // with year 0
}

// civilDate is year * 10000 + month * 100 + day.
type civilDate int32

func dateOf(year int, month time.Month, day int) civilDate {
	return civilDate(year*10000 + int(month)*100 + day)
}

func (h *holidays) none() bool { return len(h.dates) == 0 && len(h.yearly) == 0 }

// on reports whether the civil day of an instant, in the zone that it is in, is a holiday.
func (h *holidays) on(local time.Time) bool {
	if h.none() {
		return false
	}
	year, month, day := local.Date()
	return h.dates[dateOf(year, month, day)] || h.yearly[dateOf(0, month, day)]
}

// The years that a preset is worked out for when the configuration is loaded.
const firstHolidayYear, lastHolidayYear = 2000, 2099

// federalHolidays are the eleven of 5 U.S.C. 6103. Where one falls on a weekend, both its own day
// and the weekday on which it is kept count.
func federalHolidays() []*cal.Holiday {
	return []*cal.Holiday{us.NewYear, us.MlkDay, us.PresidentsDay, us.MemorialDay, us.Juneteenth,
		us.IndependenceDay, us.LaborDay, us.ColumbusDay, us.VeteransDay, us.ThanksgivingDay, us.ChristmasDay}
}

const (
	federalPreset    = "us-federal"
	holidaysExpected = "us-federal, a date such as 2026-12-24, or a day of every year such as 12-24"
)

var yearlyDate = regexp.MustCompile(`^([0-9]{2})-([0-9]{2})$`)

// loadHolidays reads holidays: [us-federal, 2026-11-27, 12-24].
func (l *loader) loadHolidays(node yamlfile.Node) {
	made := &l.rs.holidays
	made.dates, made.yearly = map[civilDate]bool{}, map[civilDate]bool{}
	for _, item := range node.OneOrList() {
		text, ok := item.Text(holidaysExpected)
		if !ok {
			continue
		}
		if text == federalPreset {
			made.addFederal()
			continue
		}
		if date, err := time.Parse(time.DateOnly, text); err == nil {
			made.dates[dateOf(date.Date())] = true
			continue
		}
		// 2024 was a leap year: 02-29 is a day of the years that have it.
		if parts := yearlyDate.FindStringSubmatch(text); parts != nil {
			if date, err := time.Parse(time.DateOnly, "2024-"+text); err == nil {
				_, month, day := date.Date()
				made.yearly[dateOf(0, month, day)] = true
				continue
			}
		}
		nearest, _ := yamlfile.Nearest(text, []string{federalPreset})
		item.Fault(yamlfile.Quote(text)+" is no day", holidaysExpected, nearest)
	}
}

func (h *holidays) addFederal() {
	for _, holiday := range federalHolidays() {
		for year := firstHolidayYear; year <= lastHolidayYear; year++ {
			actual, observed := holiday.Calc(year)
			for _, day := range [2]time.Time{actual, observed} {
				if !day.IsZero() {
					h.dates[dateOf(day.Date())] = true
				}
			}
		}
	}
}
