package rules

import (
	"strings"
	"testing"
	"time"

	"leadbid/pingpost"
)

func withHolidays(text string) string {
	return strings.Replace(frame, "lists:\n", "holidays: ["+text+"]\nlists:\n", 1)
}

func TestHolidays(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	f := func(holidays, date string, want bool) {
		t.Helper()
		rs, c := loadCampaign(t, withHolidays(holidays)+"    rules: [{bid: 7, when: local.holiday}, {bid: 8, when: lead_local.holiday}]\n")
		day, err := time.ParseInLocation("2006-01-02 15:04", date, chicago)
		if err != nil {
			t.Fatal(err)
		}
		e := rs.NewEvaluation()
		e.Begin(day, basePing())
		if got := e.Price(c, nil, nil).Dollars == 7; got != want {
			t.Errorf("%s: %s is a holiday: %v", holidays, date, got)
		}
		// The last minute of the day is still the day.
		e.Begin(day.Add(24*time.Hour-time.Minute), basePing())
		if got := e.Price(c, nil, nil).Dollars == 7; got != want {
			t.Errorf("%s: the end of %s is a holiday: %v", holidays, date, got)
		}
	}
	const federal = "us-federal"
	for _, date := range []string{"2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-07-04", "2026-09-07",
		"2026-10-12", "2026-11-11", "2026-11-26", "2026-12-25"} {
		f(federal, date+" 00:00", true)
	}
	f(federal, "2026-07-03 00:00", true) // kept on Friday, since the Fourth is a Saturday
	f(federal, "2027-12-31 00:00", true) // kept in the year before
	f(federal, "2026-11-27 00:00", false)
	f(federal, "2026-12-24 00:00", false)
	f(federal, "2020-06-19 00:00", false) // a holiday since 2021
	f("us-federal, 2026-11-27", "2026-11-27 00:00", true)
	f("2026-11-27", "2027-11-27 00:00", false)
	f("12-24", "2031-12-24 00:00", true)
	f("02-29", "2028-02-29 00:00", true)
	f("02-29", "2027-03-01 00:00", false)
}

// The lead's day counts where the lead is.
func TestHolidayOfTheLead(t *testing.T) {
	rs, c := loadCampaign(t, strings.Replace(withHolidays("12-25"), "America/Chicago", "Pacific/Honolulu", 1)+
		"    rules: [{bid: 7, when: lead_local.holiday and not local.holiday}]\n")
	e := rs.NewEvaluation()
	e.Begin(time.Date(2026, 12, 25, 8, 0, 0, 0, time.UTC), basePing())
	if price := e.Price(c, nil, nil); price.Dollars != 7 {
		t.Errorf("%+v", price)
	}
}

func TestHoursOfHolidays(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	f := func(hours, at string, want bool) {
		t.Helper()
		rs, c := loadCampaign(t, withHolidays("us-federal")+"    rules: [{bid: 20}]\n    hours: "+hours+"\n")
		now, err := time.ParseInLocation("2006-01-02 15:04", at, chicago)
		if err != nil {
			t.Fatal(err)
		}
		e := rs.NewEvaluation()
		e.Begin(now, basePing())
		if got := e.Check(c, nil) == pingpost.ReasonNone; got != want {
			t.Errorf("%s at %s: %v", hours, at, got)
		}
	}
	const thanksgiving = "2026-11-26 " // a Thursday
	f(`{mon-fri: "07:00-19:00"}`, thanksgiving+"10:00", true)
	f(`{mon-fri: "07:00-19:00", holiday: closed}`, thanksgiving+"10:00", false)
	f(`{mon-fri: "07:00-19:00", holiday: closed}`, "2026-11-27 10:00", true)
	f(`{mon-fri: "07:00-19:00", holiday: "10:00-14:00"}`, thanksgiving+"09:00", false)
	f(`{mon-fri: "07:00-19:00", holiday: "10:00-14:00"}`, thanksgiving+"13:59", true)
	// What began the evening before runs on, and what begins on the holiday runs on after it.
	f(`{wed: "18:00-02:00", holiday: closed}`, thanksgiving+"01:00", true)
	f(`{thu: "18:00-02:00", holiday: closed}`, "2026-11-27 01:00", false)
	f(`{holiday: "18:00-02:00"}`, "2026-11-27 01:00", true)
	f(`{mon-sat: "00:00-24:00", sun: closed}`, "2026-11-22 10:00", false)
	_, c := loadCampaign(t, withHolidays("us-federal")+"    rules: [{bid: 20}]\n    hours: {mon-fri: \"18:00-02:00\", sat: closed, holiday: closed}\n")
	if got, want := c.describeHours(), "mon-fri 18:00-02:00, holidays closed"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
