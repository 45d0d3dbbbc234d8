package zips

import (
	"math"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

func TestLookupKnowsPlaces(t *testing.T) {
	f := func(zip, city, county string, state pingpost.State, zone string, lat, lon float64) {
		t.Helper()
		parsed, err := pingpost.ParseZIP(zip)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := Lookup(parsed)
		if !ok {
			t.Errorf("%s is not in the table", zip)
			return
		}
		want := Place{
			ZIP: parsed, City: city, County: county, State: state, TimeZone: zone, Lat: got.Lat, Lon: got.Lon,
		}
		if got != want {
			t.Errorf("Lookup(%s) = %+v, want %+v", zip, got, want)
		}
		if off := Miles(got, Place{Lat: lat, Lon: lon}); off > 3 {
			t.Errorf("%s lies %.1f miles from where it should", zip, off)
		}
	}
	f("60614", "Chicago", "Cook", "IL", "America/Chicago", 41.922, -87.649)
	f("46402", "Gary", "Lake", "IN", "America/Chicago", 41.600, -87.337)
	f("46204", "Indianapolis", "Marion", "IN", "America/Indiana/Indianapolis", 39.771, -86.157)
	f("10001", "New York", "New York", "NY", "America/New_York", 40.750, -73.997)
	f("99501", "Anchorage", "Anchorage", "AK", "America/Anchorage", 61.216, -149.876)
	f("00501", "Holtsville", "Suffolk", "NY", "America/New_York", 40.815, -73.045)
	f("00901", "San Juan", "San Juan", "PR", "America/Puerto_Rico", 18.465, -66.105)
	f("96799", "Pago Pago", "", "AS", "Pacific/Pago_Pago", -14.3, -170.75)
	f("06901", "Stamford", "Fairfield", "CT", "America/New_York", 41.053, -73.539)
	f("23219", "Richmond", "Richmond City", "VA", "America/New_York", 37.541, -77.437)
	f("94103", "San Francisco", "San Francisco", "CA", "America/Los_Angeles", 37.773, -122.411)
	f("70112", "New Orleans", "Orleans", "LA", "America/Chicago", 29.957, -90.077)
	f("85001", "Phoenix", "Maricopa", "AZ", "America/Phoenix", 33.451, -112.076)
}

func TestLookupOfNoPlace(t *testing.T) {
	for _, zip := range []pingpost.ZIP{0, 1, 99999, 100000, 9001, math.MaxUint32} {
		if place, ok := Lookup(zip); ok || place != (Place{}) {
			t.Errorf("Lookup(%d) = %+v, %v; want none", zip, place, ok)
		}
		if within, ok := Within(zip, 10); ok || within != nil {
			t.Errorf("Within(%d) = %d ZIPs, %v; want none", zip, len(within), ok)
		}
	}
}

// Every row is whole: the callers need not ask whether a place has a state or a zone.
func TestEveryPlaceIsWhole(t *testing.T) {
	islands := []pingpost.State{"VI", "GU", "AS", "MP", "PW", "FM", "MH"}
	zones, former := map[string]bool{}, pingpost.ZIP(0)
	for _, zip := range All() {
		place, ok := Lookup(zip)
		if !ok || place.ZIP != zip || zip <= former {
			t.Fatalf("after %v comes %v: %+v, %v", former, zip, place, ok)
		}
		former = zip
		zones[place.TimeZone] = true
		if _, err := pingpost.ParseState(string(place.State)); err != nil || place.City == "" || place.TimeZone == "" {
			t.Errorf("%v is not whole: %+v", zip, place)
		}
		if place.County == "" && !slices.Contains(islands, place.State) {
			t.Errorf("%v has no county: %+v", zip, place)
		}
		inAmerica := place.Lat > -15 && place.Lat < 72 && (place.Lon < -64 || place.Lon > 130)
		if !inAmerica {
			t.Errorf("%v lies outside of the United States: %+v", zip, place)
		}
	}
	for zone := range zones {
		if _, err := time.LoadLocation(zone); err != nil {
			t.Errorf("time zone %q: %v", zone, err)
		}
	}
	if Count() != len(All()) || Count() < 41_000 {
		t.Errorf("Count() = %d, All() lists %d, want at least 41,000", Count(), len(All()))
	}
}

func TestEveryStateHasZIPsAndCounties(t *testing.T) {
	states := []pingpost.State{
		"AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS",
		"KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC",
		"ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "PR",
	}
	total := 0
	for _, state := range states {
		zips, counties, inCounties := InState(state), Counties(state), 0
		if len(zips) == 0 || len(counties) == 0 {
			t.Errorf("%s has %d ZIPs and %d counties", state, len(zips), len(counties))
		}
		for i, county := range counties {
			if i > 0 && counties[i-1] >= county {
				t.Errorf("%s: %q stands before %q", state, counties[i-1], county)
			}
			inCounties += len(InCounty(state, county))
		}
		if inCounties != len(zips) {
			t.Errorf("%s: the counties hold %d of %d ZIPs", state, inCounties, len(zips))
		}
		total += len(zips)
	}
	if rest := Count() - total; rest < 30 || rest > 60 {
		t.Errorf("%d ZIPs are in no state: want the 40 or so of the other territories", rest)
	}
}

func TestInCountyReadsNamesAsPeopleWriteThem(t *testing.T) {
	same := func(state pingpost.State, name string, spellings ...string) {
		t.Helper()
		want := InCounty(state, name)
		if len(want) == 0 {
			t.Errorf("%s has no county %q", state, name)
		}
		for _, spelling := range spellings {
			if got := InCounty(state, spelling); !slices.Equal(got, want) {
				t.Errorf("InCounty(%s, %q) has %d ZIPs, want the %d of %q", state, spelling, len(got), len(want), name)
			}
		}
	}
	same("IL", "Cook", "cook", "Cook County", "  COOK  county ")
	same("IL", "St. Clair", "st clair", "Saint Clair County")
	same("LA", "Caddo", "Caddo Parish")
	same("MO", "St. Louis City", "saint louis city", "City of St. Louis")
	same("VA", "Richmond City", "city of richmond")
	same("VA", "Charles City", "Charles City County")

	for _, nowhere := range []string{"", " ", "Cooke", "County"} {
		if got := InCounty("IL", nowhere); got != nil {
			t.Errorf("InCounty(IL, %q) = %v, want none", nowhere, got)
		}
	}
	if slices.Equal(InCounty("MO", "St. Louis"), InCounty("MO", "St. Louis City")) {
		t.Error("the city of St. Louis is not St. Louis County")
	}
}

func TestPrefix(t *testing.T) {
	for _, prefix := range []string{"6", "606", "00", "0050", "60614", "99999"} {
		var want []pingpost.ZIP
		for _, zip := range All() {
			if text := zip.String(); text[:len(prefix)] == prefix {
				want = append(want, zip)
			}
		}
		if got := Prefix(prefix); !slices.Equal(got, want) {
			t.Errorf("Prefix(%q) lists %d ZIPs, want %d", prefix, len(got), len(want))
		}
	}
	for _, wrong := range []string{"", "6061a", "606140", "-1", " 60"} {
		if got := Prefix(wrong); got != nil {
			t.Errorf("Prefix(%q) = %v, want none", wrong, got)
		}
	}
}

func TestClosest(t *testing.T) {
	all := All()
	rapid.Check(t, func(t *rapid.T) {
		zip := pingpost.ZIP(rapid.Uint32Range(0, 120_000).Draw(t, "zip"))
		want := slices.MinFunc(all, func(a, b pingpost.ZIP) int {
			return int(max(a, zip)-min(a, zip)) - int(max(b, zip)-min(b, zip))
		})
		if got := Closest(zip); got != want {
			t.Fatalf("Closest(%d) = %v, want %v", zip, got, want)
		}
	})
}

// The twin measures ZIP by ZIP; Within measures a band of them.
func TestWithinAgreesWithMeasuring(t *testing.T) {
	var places []Place
	for i, zip := range All() {
		if i%5 == 0 { // each fifth is enough, and quick under the race detector
			place, _ := Lookup(zip)
			places = append(places, place)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom(places).Draw(t, "center")
		miles := rapid.OneOf(rapid.Float64Range(0, 60), rapid.Float64Range(0, 13_000)).Draw(t, "miles")
		got, ok := Within(from.ZIP, miles)
		if !ok || !slices.IsSorted(got) {
			t.Fatalf("Within(%v, %v): known %v, sorted %v", from.ZIP, miles, ok, slices.IsSorted(got))
		}
		for _, to := range places {
			_, listed := slices.BinarySearch(got, to.ZIP)
			if away := Miles(from, to); listed != (away <= miles) {
				t.Fatalf("Within(%v, %v) has %v is %v, and it is %v miles away", from.ZIP, miles, to.ZIP, listed, away)
			}
		}
	})
}

func TestWithinEdges(t *testing.T) {
	for _, nothing := range []float64{-1, math.Inf(-1), math.NaN()} {
		if got, ok := Within(60614, nothing); !ok || len(got) != 0 {
			t.Errorf("Within(60614, %v) = %v, %v; want no ZIPs, and that the centre is known", nothing, got, ok)
		}
	}
	if got, _ := Within(60614, 0); !slices.Contains(got, 60614) {
		t.Errorf("Within(60614, 0) = %v, want the centre in it", got)
	}
	if got, _ := Within(60614, math.Inf(1)); len(got) != Count() {
		t.Errorf("an endless circle holds %d of %d ZIPs", len(got), Count())
	}
	// 25 miles around Lincoln Park reach Gary's county, which is why only_states exists.
	got, _ := Within(60614, 25)
	if !slices.Contains(got, 60601) || slices.Contains(got, 46402) || slices.Contains(got, 53140) {
		t.Errorf("25 miles around 60614 are %v", got)
	}
}

func TestMilesOfKnownDistances(t *testing.T) {
	f := func(a, b pingpost.ZIP, want float64) {
		t.Helper()
		from, _ := Lookup(a)
		to, _ := Lookup(b)
		if got := Miles(from, to); math.Abs(got-want) > want*0.01 {
			t.Errorf("from %v to %v are %.1f miles, want about %.1f", a, b, got, want)
		}
	}
	f(10001, 90001, 2450)
	f(60614, 46402, 27.4)
	quarter := Miles(Place{}, Place{Lon: 90})
	if want := EarthRadiusMiles * math.Pi / 2; math.Abs(quarter-want) > 1e-6 {
		t.Errorf("a quarter of the equator is %v miles, want %v", quarter, want)
	}
	if got := Miles(Place{Lat: 90}, Place{Lat: -90, Lon: 77}); math.Abs(got-EarthRadiusMiles*math.Pi) > 1e-6 {
		t.Errorf("from pole to pole are %v miles", got)
	}
}

func TestDamagedTableIsAnErrorAndNoPanic(t *testing.T) {
	for size := 0; size < len(packed); size += 49_999 {
		if _, err := decode(packed[:size]); err == nil {
			t.Errorf("a table cut off at byte %d was read", size)
		}
	}
	for at := 0; at < len(packed); at += 49_999 {
		damaged := slices.Clone(packed)
		damaged[at] ^= 0x10
		_, _ = decode(damaged) // must only not panic; gzip's checksum finds most
	}
}

func TestSlicesBelongToTheCaller(t *testing.T) {
	for _, list := range []func() []pingpost.ZIP{All, func() []pingpost.ZIP { return Prefix("606") }} {
		list()[0] = 1
		if first := list()[0]; first == 1 {
			t.Error("writing to a result changed the table")
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := decode(packed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWithin25Miles(b *testing.B) {
	loaded()
	for b.Loop() {
		Within(60614, 25)
	}
}
