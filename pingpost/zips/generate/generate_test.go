package main

import (
	"bytes"
	"strings"
	"testing"

	"leadbid/pingpost/zips"
)

func TestPlainCounty(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := plainCounty(name); got != want {
			t.Errorf("plainCounty(%q) = %q, want %q", name, got, want)
		}
	}
	f("Cook", "Cook")
	f("Fairfield County", "Fairfield")
	f("Caddo Parish", "Caddo")
	f("Baltimore (city)", "Baltimore City")
	f("Colonial Heights (city", "Colonial Heights City")
	f("Carson City (city)", "Carson City")
	f("City of Richmond", "Richmond City")
	f("City and County of San Francisco", "San Francisco")
	f("Juneau City and Borough", "Juneau")
	f("City and Borough of Wrangell", "Wrangell")
	f("Aleutians West Census Area", "Aleutians West")
	f("San Juan Municipio", "San Juan")
	f("James City", "James City")
	f("", "")
}

func TestGapsAreFilledFromTheNearestPlaceOfTheState(t *testing.T) {
	places := []zips.Place{
		{ZIP: 1, State: "IL", Lat: 40, Lon: -88, TimeZone: "far"},
		{ZIP: 2, State: "IL", Lat: 41, Lon: -88},
		{ZIP: 3, State: "IL", Lat: 41.5, Lon: -88, TimeZone: "near"},
		{ZIP: 4, State: "IN", Lat: 41, Lon: -88, TimeZone: "another state"},
		{ZIP: 5, State: "GU"},
	}
	fillFromNeighbours(places, func(p *zips.Place) *string { return &p.TimeZone })
	if places[1].TimeZone != "near" || places[4].TimeZone != "" {
		t.Errorf("filled %+v", places)
	}
}

// The order of the input's maps does not show: packing is a function of the places.
func TestPackIsDeterministic(t *testing.T) {
	places := []zips.Place{
		{ZIP: 501, State: "NY", City: "Holtsville", County: "Suffolk", TimeZone: "America/New_York", Lat: 40.8154, Lon: -73.0451},
		{ZIP: 60614, State: "IL", City: "Chicago", County: "Cook", TimeZone: "America/Chicago", Lat: 41.9229, Lon: -87.6483},
	}
	first, err := pack(places)
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := pack(places); !bytes.Equal(first, second) {
		t.Error("the same places gave two tables")
	}
}

func TestRunSaysWhatIsMissing(t *testing.T) {
	var stderr bytes.Buffer
	if code := run(nil, &stderr); code != 2 || !strings.Contains(stderr.String(), "-from is missing") {
		t.Errorf("exit %d, %q", code, &stderr)
	}
	if code := run([]string{"-from", t.TempDir()}, &stderr); code != 1 || !strings.Contains(stderr.String(), "US.txt") {
		t.Errorf("exit %d, %q", code, &stderr)
	}
}
