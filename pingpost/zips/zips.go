// Package zips knows where a United States ZIP code is: its centroid, city, county, state and
// time zone, and which ZIPs lie within a radius, a county or a prefix.
//
// It owns one embedded table and the distance formula. Configuration is its caller: the rules
// turn an area into a set of ZIPs once, when they are loaded; the simulator draws homeowners
// from it. It is never asked while a ping waits, never does I/O and never reads a clock.
//
// The table is decoded at the first question, once, and is immutable from then on: all functions
// may be called from several goroutines, and every slice they return belongs to the caller.
//
// What is in the table: every ZIP of the fifty states, the District of Columbia, Puerto Rico and
// the Pacific and Caribbean territories that the sources in generate list. Military post offices
// (AA, AE, AP) are not in it: nobody repairs a roof there. A ZIP is a set of mail routes, not an
// area: its centroid is a point that the postal service or the Census gives for it, and a ZIP of
// post boxes sits at its town. Of the territories only Puerto Rico has counties here (its
// municipios). Time zones were given by ZIP, not by centroid; along the borders of zones a ZIP may
// reach into both. NOTICE names the sources.
package zips

import (
	"math"
	"slices"
	"strings"

	"leadbid/pingpost"
)

// Place is where a ZIP is.
type Place struct {
	ZIP      pingpost.ZIP
	Lat, Lon float64 // degrees, north and east positive, to four decimals (36 feet)
	State    pingpost.State
	County   string // without "County": "Cook"; "" in the territories except Puerto Rico
	City     string
	TimeZone string // a name that time.LoadLocation reads: "America/Chicago"
}

// EarthRadiusMiles is the mean radius of the Earth (IUGG: 6,371.0088 km) in statute miles.
const EarthRadiusMiles = 3958.7613

// Lookup says where a ZIP is; ok is false where the table does not have it.
func Lookup(zip pingpost.ZIP) (place Place, ok bool) {
	t := loaded()
	row, ok := slices.BinarySearch(t.zips, zip)
	if !ok {
		return Place{}, false
	}
	return t.place(row), true
}

// Within lists, in ascending order, the ZIPs whose centroid is at most so many miles from the
// centroid of center, which is one of them. ok is false where the table does not have center.
// A distance that is negative or not a number covers nothing.
func Within(center pingpost.ZIP, miles float64) (zips []pingpost.ZIP, ok bool) {
	t := loaded()
	row, ok := slices.BinarySearch(t.zips, center)
	if !ok {
		return nil, false
	}
	from := t.point(row)
	// No two points are closer than their difference in latitude, so that only a band of the
	// table has to be measured. A ten-thousandth of a degree covers the rounding.
	band := degrees(miles/EarthRadiusMiles) + 1e-4
	first, _ := slices.BinarySearchFunc(t.byLatitude, from.lat-band, t.compareLatitude)
	for _, other := range t.byLatitude[first:] {
		to := t.point(int(other))
		if to.lat > from.lat+band {
			break
		}
		if distance(from, to) <= miles {
			zips = append(zips, t.zips[other])
		}
	}
	slices.Sort(zips)
	return zips, true
}

// Miles is the great-circle distance of two places by the haversine formula on a sphere of
// EarthRadiusMiles:
//
//	h = sin²(Δlat/2) + cos(lat₁) cos(lat₂) sin²(Δlon/2)
//	d = 2 R asin(√h)
//
// The Earth's flattening makes it wrong by up to 0.5 %, far less than a centroid stands for.
func Miles(a, b Place) float64 {
	return distance(point{a.Lat, a.Lon}, point{b.Lat, b.Lon})
}

// InState lists the ZIPs of a state in ascending order.
func InState(state pingpost.State) []pingpost.ZIP {
	return loaded().list(func(its county) bool { return its.state == state })
}

// InCounty lists the ZIPs of a county in ascending order; none where the state has no county of
// that name. Capitals, points and a final "County", "Parish", "Borough" or "Census Area" make no
// difference: "St. Clair", "st clair" and "Saint Clair County" are one. An independent city is
// "Richmond City" or "City of Richmond", which is not Richmond County. A ZIP that reaches into
// several counties belongs to the one that the table gives it.
func InCounty(state pingpost.State, name string) []pingpost.ZIP {
	wanted := countyKey(name)
	if wanted == "" {
		return nil
	}
	return loaded().list(func(its county) bool { return its.state == state && its.key == wanted })
}

// Counties lists the names of a state's counties in alphabetical order, as Place has them.
func Counties(state pingpost.State) []string {
	var names []string
	for _, county := range loaded().counties {
		if county.state == state && county.name != "" {
			names = append(names, county.name)
		}
	}
	slices.Sort(names)
	return names
}

// Prefix lists the ZIPs that begin with one to five digits, in ascending order; none for
// anything else.
func Prefix(digits string) []pingpost.ZIP {
	if len(digits) < 1 || len(digits) > 5 {
		return nil
	}
	low, high := pingpost.ZIP(0), pingpost.ZIP(0)
	for i := range 5 {
		low, high = low*10, high*10+9
		if i < len(digits) {
			if digits[i] < '0' || digits[i] > '9' {
				return nil
			}
			low, high = low+pingpost.ZIP(digits[i]-'0'), high-9+pingpost.ZIP(digits[i]-'0')
		}
	}
	t := loaded()
	first, _ := slices.BinarySearch(t.zips, low)
	end, _ := slices.BinarySearch(t.zips, high+1)
	return slices.Clone(t.zips[first:end])
}

// Closest is the ZIP of the table whose number is nearest, the lower one of two: what a message
// suggests for a ZIP that does not exist. Neighbours by number are usually neighbours on the map.
func Closest(zip pingpost.ZIP) pingpost.ZIP {
	zips := loaded().zips
	at, found := slices.BinarySearch(zips, zip)
	switch {
	case found, at == 0:
		return zips[at]
	case at == len(zips), zip-zips[at-1] <= zips[at]-zip:
		return zips[at-1]
	}
	return zips[at]
}

// All lists every ZIP of the table in ascending order.
func All() []pingpost.ZIP { return slices.Clone(loaded().zips) }

// Count is the number of ZIPs in the table.
func Count() int { return len(loaded().zips) }

// point is a place on the sphere, in degrees.
type point struct{ lat, lon float64 }

// distance is the formula of Miles. The conversions to float64 keep the compiler from fusing a
// product into a sum, so that every machine puts the same ZIPs into a circle.
func distance(a, b point) float64 {
	north := math.Sin(radians(b.lat-a.lat) / 2)
	east := math.Sin(radians(b.lon-a.lon) / 2)
	across := float64(math.Cos(radians(a.lat)) * math.Cos(radians(b.lat)))
	h := float64(north*north) + float64(across*float64(east*east))
	return 2 * EarthRadiusMiles * math.Asin(math.Sqrt(min(h, 1)))
}

func radians(degrees float64) float64 { return degrees * (math.Pi / 180) }
func degrees(radians float64) float64 { return radians * (180 / math.Pi) }

// countyKey makes the different ways of writing a county's name one.
func countyKey(name string) string {
	key := " " + strings.Join(strings.Fields(strings.ToLower(strings.ReplaceAll(name, ".", ""))), " ")
	for _, kind := range [...]string{" county", " parish", " borough", " census area", " municipality"} {
		key = strings.TrimSuffix(key, kind)
	}
	if city, ok := strings.CutPrefix(key, " city of "); ok {
		key = city + " city"
	}
	words := strings.Fields(key)
	for i, word := range words {
		switch word {
		case "saint":
			words[i] = "st"
		case "sainte":
			words[i] = "ste"
		}
	}
	return strings.Join(words, " ")
}
