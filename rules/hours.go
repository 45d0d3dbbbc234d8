package rules

import (
	"fmt"
	"strings"
	"time"

	"leadbid/internal/yamlfile"
)

// hours is when a campaign buys, in the business's civil time: spans of minutes by the kind of day
// on which they begin.
type hours struct {
	spans [8][]span // by dayKind, in order
	spill [8][]span // what of them lies on the next day, whatever kind of day that is

	keepsNoHolidays bool // a holiday is a day like any other
}

// dayKind is a time.Weekday, or holiday.
type dayKind uint8

const holiday dayKind = 7

// span is [from, to) in minutes of the day.
type span struct{ from, to int16 }

const minutesPerDay = 24 * 60

// open reports whether a minute of a day is within the hours. The hours of the day before may run
// into it.
func (h *hours) open(t *localDay) bool {
	today, yesterday := t.today, t.yesterday
	if !h.keepsNoHolidays {
		today, yesterday = t.kind, t.kindBefore
	}
	return within(h.spans[today], t.minute) || within(h.spill[yesterday], t.minute)
}

// localDay is an instant in the business's civil time, as far as hours ask.
type localDay struct {
	today, yesterday dayKind // by weekday
	kind, kindBefore dayKind // the same, or holiday
	minute           int     // of the day
}

func (h *holidays) dayOf(local time.Time) localDay {
	hour, minute, _ := local.Clock()
	today := dayKind(local.Weekday())
	day := localDay{today: today, yesterday: (today + 6) % 7, minute: hour*60 + minute}
	day.kind, day.kindBefore = day.today, day.yesterday
	if h.on(local) {
		day.kind = holiday
	}
	// Noon, so that a clock set forward or back by an hour leads to no other date.
	year, month, date := local.Date()
	if h.on(time.Date(year, month, date-1, 12, 0, 0, 0, local.Location())) {
		day.kindBefore = holiday
	}
	return day
}

func within(spans []span, minute int) bool {
	for _, s := range spans {
		if minute >= int(s.from) && minute < int(s.to) {
			return true
		}
	}
	return false
}

func weekdayNames() []string { return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} }

var weekdayWords = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // by time.Weekday

// loadHours reads {mon-fri: "07:00-19:00", sat: ["08:00-12:00", "13:00-15:00"], holiday: closed}. A
// day that is not named is closed; an end before the start runs past midnight into the next day.
// Where holiday is not named, a holiday is a day like any other.
func (l *loader) loadHours(node yamlfile.Node) *hours {
	entries, ok := node.Entries(`days with hours, such as mon-fri: "07:00-19:00"`)
	if !ok {
		return nil
	}
	made := &hours{}
	named := map[dayKind]bool{}
	for _, value := range entries {
		if value.Key().Raw() == "holiday" {
			l.loadHolidayHours(made, value)
			named[holiday] = true
			continue
		}
		days, ok := parseDays(value.Key())
		if !ok {
			continue
		}
		spans := loadSpans(value)
		for _, day := range days {
			if named[day] {
				value.Key().Fault(weekdayWords[day]+" is named twice",
					"each day once; several spans as a list", "")
			}
			named[day] = true
			for _, s := range spans {
				made.add(day, s)
			}
		}
	}
	if !named[holiday] {
		made.keepsNoHolidays = true
	}
	if len(entries) == 0 {
		node.Fault("no day is named, so that every hour is closed",
			`days with hours, such as mon-fri: "07:00-19:00"`, "")
	}
	return made
}

// loadHolidayHours reads holiday: closed, or holiday: "10:00-14:00".
func (l *loader) loadHolidayHours(made *hours, value yamlfile.Node) {
	if l.rs.holidays.none() {
		value.Key().Fault("no day is a holiday, as long as no holidays are named",
			"holidays: ["+federalPreset+"] beside business:", "")
	}
	for _, s := range loadSpans(value) {
		made.add(holiday, s)
	}
}

func (h *hours) add(day dayKind, s span) {
	if s.from < s.to {
		h.spans[day] = append(h.spans[day], s)
		return
	}
	h.spans[day] = append(h.spans[day], span{s.from, minutesPerDay})
	if s.to > 0 {
		h.spill[day] = append(h.spill[day], span{0, s.to})
	}
}

// parseDays reads mon, mon-fri or fri-mon (which goes round the end of the week).
func parseDays(key yamlfile.Node) (days []dayKind, ok bool) {
	first, last, isRange := strings.Cut(key.Raw(), "-")
	if !isRange {
		last = first
	}
	from, to := -1, -1
	for i, word := range weekdayWords {
		if word == first {
			from = i
		}
		if word == last {
			to = i
		}
	}
	if from < 0 || to < 0 {
		typed := ""
		for _, word := range weekdayWords {
			if lower := strings.ToLower(key.Raw()); strings.HasPrefix(lower, word) && !isRange {
				typed = word
			}
		}
		if strings.HasPrefix(key.Raw(), "holiday") {
			typed = "holiday"
		}
		if key.Raw() == "daily" || key.Raw() == "weekdays" || key.Raw() == "weekend" {
			typed = map[string]string{"daily": "mon-sun", "weekdays": "mon-fri",
				"weekend": "sat-sun"}[key.Raw()]
		}
		key.Fault(yamlfile.Quote(key.Raw())+" is no day",
			"mon, tue, wed, thu, fri, sat, sun, a range such as mon-fri, or holiday", typed)
		return nil, false
	}
	for day := from; ; day = (day + 1) % 7 {
		days = append(days, dayKind(day))
		if day == to {
			return days, true
		}
	}
}

func loadSpans(value yamlfile.Node) []span {
	var spans []span
	for _, item := range value.OneOrList() {
		text, ok := item.Text(`hours, such as "07:00-19:00"`)
		if !ok || text == "closed" {
			continue
		}
		s, err := parseSpan(text)
		if err != nil {
			item.Fault(err.Error(), `hours of the day, such as "07:00-19:00"`, "")
			continue
		}
		spans = append(spans, s)
	}
	return spans
}

func parseSpan(text string) (span, error) {
	first, last, ok := strings.Cut(strings.ReplaceAll(text, " ", ""), "-")
	from, okFrom := parseClock(first)
	to, okTo := parseClock(last)
	switch {
	case !ok || !okFrom || !okTo || from == minutesPerDay:
		return span{}, fmt.Errorf("%s is no span of hours", yamlfile.Quote(text))
	case from == to:
		return span{}, fmt.Errorf("%s begins and ends at the same minute: a whole day is 00:00-24:00",
			yamlfile.Quote(text))
	}
	return span{from, to}, nil
}

// parseClock reads HH:MM up to 24:00, as minutes.
func parseClock(text string) (minute int16, ok bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	digits := text[:2] + text[3:]
	for i := range digits {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	hour, rest := int16(digits[0]-'0')*10+int16(digits[1]-'0'), int16(digits[2]-'0')*10+int16(digits[3]-'0')
	minute = hour*60 + rest
	return minute, rest < 60 && minute <= minutesPerDay
}
