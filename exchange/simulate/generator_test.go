package simulate_test

import (
	"fmt"
	"iter"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/nyaruka/phonenumbers"

	"leadbid/exchange/simulate"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
	"leadbid/pingpost/zips"
)

// monday is 5 am on a Monday in Chicago.
var monday = time.Date(2026, time.June, 1, 10, 0, 0, 0, time.UTC)

func newGenerator(t *testing.T, settings simulate.Settings) *simulate.Generator {
	t.Helper()
	generator, err := simulate.NewGenerator(settings)
	if err != nil {
		t.Fatal(err)
	}
	return generator
}

// until gives the homeowners before an instant.
func until(generator *simulate.Generator, end time.Time) iter.Seq[simulate.Homeowner] {
	return func(yield func(simulate.Homeowner) bool) {
		for homeowner := generator.Next(); homeowner.At.Before(end) && yield(homeowner); {
			homeowner = generator.Next()
		}
	}
}

// calm is a market without weather, day shocks (nearly) and duplicates, over one week.
func calm(seed uint64, perDay float64) simulate.Settings {
	settings := simulate.DefaultSettings(seed, monday)
	settings.PerDay = perDay
	settings.DayShape, settings.StormsPerYear, settings.SpellsPerYear, settings.DuplicateShare = 1e9, 0, 0, 0
	return settings
}

func TestTheSameSeedGivesTheSameHomeowners(t *testing.T) {
	one := newGenerator(t, simulate.DefaultSettings(7, monday)).Take(3000)
	two := newGenerator(t, simulate.DefaultSettings(7, monday)).Take(3000)
	other := newGenerator(t, simulate.DefaultSettings(8, monday)).Take(3000)
	if !reflect.DeepEqual(one, two) {
		t.Error("two runs with one seed differ")
	}
	if reflect.DeepEqual(one, other) {
		t.Error("two seeds give the same run")
	}
	for i := 1; i < len(one); i++ {
		if one[i].At.Before(one[i-1].At) {
			t.Fatalf("homeowner %d comes before the one before", i)
		}
	}
	if one[0].At.Before(monday) {
		t.Error("a homeowner comes before the start")
	}
}

// A later start drops the homeowners before it and changes nothing about the others but their
// phones, which are handed out in order, and who comes back from before the start.
func TestALaterStartMeetsTheSameHomeowners(t *testing.T) {
	early, late := simulate.DefaultSettings(7, monday), simulate.DefaultSettings(7, monday.Add(5*time.Hour+3*time.Minute))
	early.DuplicateShare, late.DuplicateShare = 0, 0
	end := monday.Add(12 * time.Hour)
	var expected []string
	for homeowner := range until(newGenerator(t, early), end) {
		if !homeowner.At.Before(late.Start) {
			expected = append(expected, fmt.Sprintf("%v %+v", homeowner.At, homeowner.Ping))
		}
	}
	met := 0
	for homeowner := range until(newGenerator(t, late), end) {
		if got := fmt.Sprintf("%v %+v", homeowner.At, homeowner.Ping); met >= len(expected) || got != expected[met] {
			t.Fatalf("homeowner %d of the later start is another one: %s", met, got)
		}
		met++
	}
	if met != len(expected) || met == 0 {
		t.Errorf("the later start meets %d homeowners of %d", met, len(expected))
	}
}

func TestArrivalsFollowTheirCurves(t *testing.T) {
	const perDay = 10_000
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	settings := calm(3, perDay)
	settings.Start = time.Date(2026, time.June, 1, 0, 0, 0, 0, chicago)
	for i := range settings.Trades {
		settings.Trades[i].Months = [12]float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	}
	all := 0.0
	weekday, trade, plumbingNights, plumbing, roofingNights, roofing := map[time.Weekday]float64{}, map[string]float64{}, 0.0, 0.0, 0.0, 0.0
	for homeowner := range until(newGenerator(t, settings), settings.Start.AddDate(0, 0, 7)) {
		all++
		local := homeowner.At.In(chicago)
		weekday[local.Weekday()]++
		trade[homeowner.Facts.Trade]++
		night := local.Hour() < 6
		switch homeowner.Ping.Service {
		case pingpost.Plumbing:
			plumbing++
			if night {
				plumbingNights++
			}
		case pingpost.Roofing:
			roofing++
			if night {
				roofingNights++
			}
		}
	}
	near(t, "homeowners in a week", all, 7*perDay, .01)
	near(t, "Monday against Sunday", weekday[time.Monday]/weekday[time.Sunday], 1.15/.75, .04)
	near(t, "share of plumbing", trade["plumbing"]/all, .22, .03)
	near(t, "share of roofs to replace", trade["roofing replace"]/all, .12, .03)
	near(t, "plumbing between midnight and 6", plumbingNights/plumbing, .082, .06)
	near(t, "roofing between midnight and 6", roofingNights/roofing, .017, .15)
}

func TestShocksSpreadTheDays(t *testing.T) {
	settings := calm(5, 300)
	settings.DayShape = 10
	for i := range settings.Trades {
		settings.Trades[i].Months = [12]float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	}
	days := make([]float64, 182)
	for homeowner := range until(newGenerator(t, settings), settings.Start.AddDate(0, 0, len(days))) {
		days[int(homeowner.At.Sub(settings.Start)/(24*time.Hour))]++
	}
	// The week's course gives cv .12, a shock of shape 10 gives .32, counting 300 gives .06.
	mean, cv := moments(days)
	near(t, "homeowners a day", mean, 300, .06)
	near(t, "spread of the days", cv, .33, .2)
}

func TestStormsBringRoofs(t *testing.T) {
	roofs := func(storms float64) float64 {
		settings := calm(11, 400)
		settings.StormsPerYear = storms
		count := 0.0
		for homeowner := range until(newGenerator(t, settings), monday.AddDate(0, 0, 40)) {
			if homeowner.Ping.Service == pingpost.Roofing {
				count++
				if storms > 0 && homeowner.Facts.Storm < 1 {
					t.Fatalf("a storm takes homeowners away: factor %g", homeowner.Facts.Storm)
				}
			}
		}
		return count
	}
	if with, without := roofs(12), roofs(0); with < 1.3*without {
		t.Errorf("%.0f roofs with a dozen storms a year, %.0f without", with, without)
	}
}

func TestUrgencyFollowsTheClock(t *testing.T) {
	chicago, _ := time.LoadLocation("America/Chicago")
	urgent, all := map[bool]float64{}, map[bool]float64{}
	for homeowner := range until(newGenerator(t, calm(2, 10_000)), monday.AddDate(0, 0, 5)) {
		if homeowner.Ping.Service != pingpost.Plumbing {
			continue
		}
		local := homeowner.At.In(chicago)
		inHours := local.Weekday() != time.Saturday && local.Weekday() != time.Sunday && local.Hour() >= 9 && local.Hour() < 17
		all[inHours]++
		if homeowner.Ping.Urgency == pingpost.UrgencyEmergency || homeowner.Ping.Urgency == pingpost.UrgencyASAP {
			urgent[inHours]++
		}
	}
	near(t, "urgent in hours", urgent[true]/all[true], .34, .05)
	near(t, "urgent after hours", urgent[false]/all[false], .68, .05)
}

func TestDuplicatesAreTheSamePersonElsewhere(t *testing.T) {
	settings := simulate.DefaultSettings(4, monday)
	homeowners := newGenerator(t, settings).Take(20_000)
	byID, duplicates := map[string]simulate.Homeowner{}, 0.0
	for _, again := range homeowners {
		if _, seen := byID[again.Ping.ID]; seen {
			t.Fatalf("ping id %s comes twice", again.Ping.ID)
		}
		byID[again.Ping.ID] = again
		if again.Facts.DuplicateOf == "" {
			continue
		}
		duplicates++
		first, known := byID[again.Facts.DuplicateOf]
		if !known || !first.Lead.Email.Equal(again.Lead.Email) || !first.Lead.Phone.Equal(again.Lead.Phone) || first.Ping.ZIP != again.Ping.ZIP ||
			first.Ping.Service != again.Ping.Service || first.Ping.Source == again.Ping.Source {
			t.Fatalf("%s is no duplicate of %s", again.Ping.ID, again.Facts.DuplicateOf)
		}
		if after := again.At.Sub(first.At); after < 2*time.Minute || after > 72*time.Hour {
			t.Fatalf("a duplicate comes after %v", after)
		}
	}
	near(t, "share of duplicates", duplicates/float64(len(homeowners)), settings.DuplicateShare, .15)
}

var (
	reservedPhone = regexp.MustCompile(`^\+1[2-9][0-9]{2}55501[0-9]{2}$`)
	certificate   = regexp.MustCompile(`^https://cert\.trustedform\.com/[0-9a-f]{40}$`)
	leadID        = regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-8[0-9A-F]{3}-[0-9A-F]{12}$`)
)

// More homeowners than there are reserved numbers: every contact is its own, none can be real.
func TestNoContactIsRealOrShared(t *testing.T) {
	settings := calm(6, 100_000)
	phones, emails, without := map[string]bool{}, map[string]bool{}, 0
	for i, homeowner := range newGenerator(t, settings).Take(simulate.Phones + 500) {
		phone, email := homeowner.Lead.Phone.Reveal(), homeowner.Lead.Email.Reveal()
		switch {
		case phone == "":
			without++
		case !reservedPhone.MatchString(phone) || phones[phone]:
			t.Fatalf("homeowner %d has the phone %s, which is not reserved or not its own", i, phone)
		}
		if !strings.HasSuffix(email, "@example.com") || emails[email] {
			t.Fatalf("homeowner %d has the e-mail address %s, which is not reserved or not its own", i, email)
		}
		phones[phone], emails[email] = true, true
	}
	if without != 500 {
		t.Errorf("%d homeowners have no phone, expected only the 500 beyond the reserved numbers", without)
	}
	for phone := range phones {
		// One number of each area code is enough: the reading is slow.
		if !strings.HasSuffix(phone, "00") {
			continue
		}
		if number, err := phonenumbers.Parse(phone, "US"); err != nil || !phonenumbers.IsValidNumber(number) {
			t.Fatalf("%s is not valid: %v", phone, err)
		}
	}
}

func TestPingsAreWellFormedAndVaried(t *testing.T) {
	native, err := wire.Load("native")
	if err != nil {
		t.Fatal(err)
	}
	settings := simulate.DefaultSettings(9, monday)
	settings.Auction, settings.Floor, settings.TmaxMS = pingpost.AuctionFirst, 8_00, 300
	center, _ := zips.Lookup(60614)
	found := map[string]int{}
	for _, homeowner := range newGenerator(t, settings).Take(2000) {
		ping := homeowner.Ping
		var read pingpost.Ping
		if err := native.DecodePing(&read, native.AppendPing(nil, &ping)); err != nil {
			t.Fatalf("%+v: %v", ping, err)
		}
		if read.ComputeDigest() != ping.ComputeDigest() {
			t.Fatalf("the ping changes on the wire:\n%+v\n%+v", ping, read)
		}
		place, known := zips.Lookup(ping.ZIP)
		if !known || zips.Miles(center, place) > 25 || place.State != ping.State || homeowner.Lead.ZIP != ping.ZIP {
			t.Fatalf("ZIP %v in %s is outside the metro", ping.ZIP, ping.State)
		}
		checkConsent(t, &homeowner)
		if ping.Test || ping.ID == "" || ping.Service == pingpost.ServiceNone || ping.Job == pingpost.JobNone ||
			ping.Urgency == pingpost.UrgencyNone || ping.Source == "" || len(ping.SubIDs) == 0 {
			t.Fatalf("incomplete: %+v", ping)
		}
		for _, word := range []string{ping.ZIP.String(), ping.Service.String(), ping.Job.String(), ping.Urgency.String(),
			ping.Source, fmt.Sprint("score ", ping.LeadScore.Known), fmt.Sprint("owner ", ping.Homeowner), fmt.Sprint("exclusive ", ping.Exclusive)} {
			found[word]++
		}
	}
	if len(found) < 150 {
		t.Errorf("2,000 pings hold %d different words: not varied", len(found))
	}
	for _, wanted := range []string{"hvac", "roofing", "emergency", "google-12", "score false", "owner 0", "exclusive true", "exclusive false"} {
		if found[wanted] == 0 {
			t.Errorf("no ping of 2,000 has %q", wanted)
		}
	}
}

func checkConsent(t *testing.T, homeowner *simulate.Homeowner) {
	t.Helper()
	atPing, atPost := homeowner.Ping.Consent, homeowner.Consent
	wrong := ""
	switch {
	case atPing.TrustedFormURL != "" && !certificate.MatchString(atPing.TrustedFormURL):
		wrong = "the certificate's format"
	case atPing.LeadID != "" && !leadID.MatchString(atPing.LeadID):
		wrong = "the token's format"
	case atPing.TrustedFormPromised && !certificate.MatchString(atPost.TrustedFormURL),
		atPing.LeadIDPromised && !leadID.MatchString(atPost.LeadID):
		wrong = "a promise that the post does not keep"
	case atPing.TrustedFormURL != "" && atPing.TrustedFormURL != atPost.TrustedFormURL:
		wrong = "another certificate at the post"
	case atPost.Agreed != pingpost.Yes:
		wrong = "no agreement"
	}
	if wrong != "" {
		t.Fatalf("%s: %+v, then %+v", wrong, atPing, atPost)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	_, err := simulate.NewGenerator(simulate.Settings{
		PerDay: math.NaN(), DuplicateShare: .9, Exclusive: .5,
		Metros: []simulate.Metro{{Center: 1, Miles: -1, Share: 0}}, Trades: []simulate.Trade{{Name: "nothing"}},
	})
	for _, wanted := range []string{"per day is NaN", "duplicate share", "day shape", "0 buyers", "ZIP 00001", "reaches -1 miles",
		"has share 0", `"nothing" has no service`, "never happens", "no anchor"} {
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("the faults lack %q: %v", wanted, err)
		}
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*want) {
		t.Errorf("%s: %.4g, expected %.4g within %.0f %%", what, got, want, 100*tolerance)
	}
}

func moments(values []float64) (mean, cv float64) {
	for _, value := range values {
		mean += value / float64(len(values))
	}
	variance := 0.0
	for _, value := range values {
		variance += (value - mean) * (value - mean) / float64(len(values))
	}
	return mean, math.Sqrt(variance) / mean
}
