package rules

import (
	"testing"
	"time"

	"leadbid/pingpost"
)

func TestHours(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	f := func(hours, at string, want bool) {
		t.Helper()
		rs, c := one(t, "    rules: [{bid: 20}]\n    hours: "+hours+"\n")
		now, err := time.ParseInLocation("2006-01-02 15:04:05", at, chicago)
		if err != nil {
			t.Fatal(err)
		}
		e := rs.NewEvaluation()
		e.Begin(now, basePing())
		wantReason := pingpost.ReasonNone
		if !want {
			wantReason = pingpost.OutsideHours
		}
		if got := e.Check(c, nil); got != wantReason {
			t.Errorf("%s at %s: %v, want %v", hours, at, got, wantReason)
		}
	}
	week := `{mon-fri: "07:00-19:00", sat: "08:00-14:00"}`
	f(week, "2026-11-23 07:00:00", true) // Monday
	f(week, "2026-11-23 06:59:59", false)
	f(week, "2026-11-23 18:59:59", true)
	f(week, "2026-11-23 19:00:00", false)
	f(week, "2026-11-21 13:59:00", true)  // Saturday
	f(week, "2026-11-22 10:00:00", false) // Sunday is not named
	night := `{fri: "18:00-02:00"}`
	f(night, "2026-11-20 23:59:00", true)
	f(night, "2026-11-21 01:59:00", true)
	f(night, "2026-11-21 02:00:00", false)
	f(night, "2026-11-20 01:00:00", false) // the night before Friday is Thursday's
	f(`{sat: "22:00-06:00"}`, "2026-11-22 05:00:00", true)
	f(`{sat-mon: "10:00-11:00"}`, "2026-11-22 10:30:00", true)
	f(`{sat-mon: "10:00-11:00"}`, "2026-11-24 10:30:00", false)
	f(`{mon: ["07:00-12:00", "13:00-17:00"]}`, "2026-11-23 12:30:00", false)
	f(`{mon: ["07:00-12:00", "13:00-17:00"]}`, "2026-11-23 13:00:00", true)
	f(`{mon-sun: "00:00-24:00"}`, "2026-11-23 23:59:59", true)
	f(`{mon: "20:00-00:00"}`, "2026-11-23 23:30:00", true)
	f(`{mon: "20:00-00:00"}`, "2026-11-24 00:00:00", false)
	// The clock on the wall decides on the days that have 23 and 25 hours, too.
	f(`{sun: "02:00-03:30"}`, "2026-03-08 03:15:00", true)
	f(`{sun: "01:00-02:00"}`, "2026-11-01 01:30:00", true)
}

// The same minute of the wall clock comes twice when the clock is set back: both are open.
func TestHoursWhenTheClockIsSetBack(t *testing.T) {
	rs, c := one(t, "    rules: [{bid: 20}]\n    hours: {sun: \"01:00-02:00\"}\n")
	e := rs.NewEvaluation()
	for _, now := range []time.Time{
		time.Date(2026, 11, 1, 6, 30, 0, 0, time.UTC), // 01:30 CDT
		time.Date(2026, 11, 1, 7, 30, 0, 0, time.UTC), // 01:30 CST
	} {
		e.Begin(now, basePing())
		if reason := e.Check(c, nil); reason != pingpost.ReasonNone {
			t.Errorf("at %v: %v", now, reason)
		}
	}
	e.Begin(time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC), basePing())
	if reason := e.Check(c, nil); reason != pingpost.OutsideHours {
		t.Errorf("at 02:00: %v", reason)
	}
}

// One Evaluation serves all pings: what it keeps of one second must not reach into the next.
func TestHoursFollowTheClock(t *testing.T) {
	rs, c := one(t, "    rules: [{bid: local.hour, when: local.minute >= 0}]\n    hours: {mon: \"07:00-19:00\"}\n")
	e := rs.NewEvaluation()
	closing := time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC) // 19:00 in Chicago
	e.Begin(closing.Add(-time.Nanosecond), basePing())
	if reason := e.Check(c, nil); reason != pingpost.ReasonNone || e.Price(c, nil, nil).Dollars != 18 {
		t.Errorf("before closing: %v", reason)
	}
	e.Begin(closing, basePing())
	if reason := e.Check(c, nil); reason != pingpost.OutsideHours || e.Price(c, nil, nil).Dollars != 19 {
		t.Errorf("at closing: %v", reason)
	}
	e.Begin(closing.Add(-time.Hour), basePing()) // a replay may go back
	if reason := e.Check(c, nil); reason != pingpost.ReasonNone {
		t.Errorf("an hour before: %v", reason)
	}
}

func TestRequire(t *testing.T) {
	f := func(require string, change func(*pingpost.Ping), want pingpost.Reason) {
		t.Helper()
		rs, c := one(t, "    rules: [{bid: 20}]\n    require: "+require+"\n")
		p := basePing()
		if change != nil {
			change(p)
		}
		e := rs.NewEvaluation()
		e.Begin(monday, p)
		if got := e.Check(c, nil); got != want {
			t.Errorf("%s: %v, want %v", require, got, want)
		}
		tr := &Trace{}
		if got := e.Check(c, tr); got != want || len(tr.Steps) == 0 {
			t.Errorf("%s: traced %v, want %v", require, got, want)
		}
	}
	consent := func(c pingpost.Consent) func(*pingpost.Ping) { return func(p *pingpost.Ping) { p.Consent = c } }
	const missing, unmet = pingpost.ConsentMissing, pingpost.RequirementUnmet
	f("{consent: agreed}", nil, missing)
	f("{consent: agreed}", consent(pingpost.Consent{Agreed: pingpost.Yes}), 0)
	f("{consent: agreed}", consent(pingpost.Consent{Agreed: pingpost.No}), missing)
	f("{consent: promised}", nil, 0)
	f("{consent: promised}", consent(pingpost.Consent{}), missing)
	f("{consent: promised}", consent(pingpost.Consent{LeadID: "x"}), 0)
	f("{consent: certificate}", nil, missing)
	f("{consent: certificate}", consent(pingpost.Consent{TrustedFormURL: "https://cert.trustedform.com/0a1B-_"}), 0)
	f("{consent: certificate}", consent(pingpost.Consent{LeadID: "01234567-89ab-cdef-0123-456789abcdef"}), 0)
	for _, forged := range []string{"http://cert.trustedform.com/a", "https://cert.trustedform.com/", "https://cert.trustedform.com/a/b",
		"https://cert.trustedform.com.evil.example/a", "https://cert.trustedform.com:443/a", "https://u@cert.trustedform.com/a",
		"https://cert.trustedform.com/a?b", "https://cert.trustedform.com/a#b"} {
		f("{consent: certificate}", consent(pingpost.Consent{TrustedFormURL: forged}), missing)
	}
	f("{consent: certificate}", consent(pingpost.Consent{LeadID: "00000000-0000-0000-0000-000000000000"}), missing)
	f("{consent: certificate}", consent(pingpost.Consent{LeadID: "0123456789ab-cdef-0123-456789abcdef-"}), missing)
	f("{homeowner: true}", func(p *pingpost.Ping) { p.Homeowner = pingpost.Unknown }, unmet)
	f("{homeowner: true}", nil, 0)
	f("{homeowner: false}", nil, unmet)
	f("{exclusive: true}", nil, unmet)
	f("{exclusive: false}", nil, 0)
	f("{property_type: [condo, townhome]}", nil, unmet)
	f("{property_type: condo}", func(p *pingpost.Ping) { p.Property = pingpost.Condo }, 0)
	f("{job: [repair]}", nil, 0)
	f("{urgency: [week]}", nil, unmet)
	f("{min_lead_score: 72}", nil, 0)
	f("{min_lead_score: 73}", nil, unmet)
	f("{min_lead_score: 0}", func(p *pingpost.Ping) { p.LeadScore = pingpost.Score{} }, unmet)
}

// What a promise was good for at the ping has to be there at the post.
func TestConsentPosted(t *testing.T) {
	f := func(require string, consent pingpost.Consent, want bool) {
		t.Helper()
		_, c := one(t, "    rules: [{bid: 20}]\n    require: "+require+"\n")
		if got := c.ConsentPosted(consent); got != want {
			t.Errorf("%s with %+v: %v, want %v", require, consent, got, want)
		}
	}
	certificate := pingpost.Consent{TrustedFormURL: "https://cert.trustedform.com/abc"}
	f("{}", pingpost.Consent{}, true)
	f("{consent: promised}", pingpost.Consent{TrustedFormPromised: true}, false)
	f("{consent: promised}", pingpost.Consent{LeadID: "x"}, true)
	f("{consent: certificate}", pingpost.Consent{LeadID: "x"}, false)
	f("{consent: certificate}", certificate, true)
	f("{consent: agreed}", certificate, false)
	f("{consent: agreed}", pingpost.Consent{Agreed: pingpost.Yes}, true)
}
