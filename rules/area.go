package rules

import (
	"fmt"
	"slices"
	"strings"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

// loadArea reads where a campaign buys. Places add up; only_states and except then cut.
func (l *loader) loadArea(node yamlfile.Node) zipSet {
	var area zipSet
	m, ok := node.Map([]string{"zip", "miles", "zips", "prefixes", "lists", "counties", "circles", "states",
		"only_states", "except"}, "near_jobs", "exclude_jobs", "drive_time", "polygon")
	if !ok {
		return area
	}
	states := loadStates(m.Get("states"))
	for _, other := range []string{"zip", "zips", "prefixes", "lists", "counties", "circles", "only_states"} {
		if m.Get("states").Exists() && m.Get(other).Exists() {
			m.Get("states").Key().Fault("states stands alone: beside "+other+" it would be unclear whether it adds or cuts",
				"only_states, to cut the area at a state's line", "only_states")
			break
		}
	}
	for _, state := range states {
		for _, zip := range zips.InState(state) {
			area.add(zip)
		}
	}
	crossing := l.loadCircles(m, &area)
	l.loadPlaces(m, &area)
	only := loadStates(m.Get("only_states"))
	if m.Get("only_states").Exists() {
		for _, zip := range area.list() {
			if place, ok := zips.Lookup(zip); !ok || !slices.Contains(only, place.State) {
				area.remove(zip)
			}
		}
	} else if crossing.Exists() {
		crossing.Warn("the circle crosses a state line: it holds "+describeZIPs(&area),
			"only_states, unless you work in all of them", "only_states: ["+homeState(crossing)+"]")
	}
	l.loadExcept(m.Get("except"), &area)
	if area.count == 0 && !l.faults.Any() {
		node.Fault("the area holds no ZIP at all",
			"a ZIP with miles, zips, prefixes, lists, counties, circles or states", "")
	}
	return area
}

func loadStates(node yamlfile.Node) []pingpost.State {
	var states []pingpost.State
	for _, item := range node.OneOrList() {
		text, ok := item.Text("a two-letter state code")
		if !ok {
			continue
		}
		state, err := pingpost.ParseState(text)
		if err != nil {
			item.Fault(yamlfile.Quote(text)+" is no state", "a two-letter state code, such as IL", "")
			continue
		}
		states = append(states, state)
	}
	return states
}

// loadCircles adds the circles, and answers with the first that crosses a state line.
func (l *loader) loadCircles(m yamlfile.Map, area *zipSet) (crossing yamlfile.Node) {
	if m.Get("miles").Exists() && !m.Get("zip").Exists() {
		m.Get("miles").Key().Fault("miles around what?", "zip: the center, beside miles", "")
	}
	circle := func(center, miles yamlfile.Node) {
		zip, ok := center.ZIP()
		if !ok {
			return
		}
		radius := 0.0
		if miles.Exists() {
			if radius, ok = miles.Number(0, 500); !ok {
				return
			}
		}
		within, known := zips.Within(zip, radius)
		if !known {
			center.Fault("the ZIP code "+zip.String()+" is not in the table", "a ZIP code in use",
				zips.Closest(zip).String())
			return
		}
		state := zips.Place{}.State
		for i, z := range within {
			area.add(z)
			place, _ := zips.Lookup(z)
			if i > 0 && place.State != state && !crossing.Exists() {
				crossing = center
			}
			state = place.State
		}
		area.add(zip)
	}
	if m.Get("zip").Exists() {
		circle(m.Get("zip"), m.Get("miles"))
	}
	items, _ := m.Get("circles").List("circles, such as {zip: 60614, miles: 25}")
	for _, item := range items {
		if c, ok := item.Map([]string{"zip", "miles"}); ok {
			circle(c.Need("zip", "the ZIP code at the center"), c.Need("miles", "the radius in miles"))
		}
	}
	return crossing
}

func homeState(center yamlfile.Node) string {
	zip, _ := pingpost.ParseZIP(center.Raw())
	place, _ := zips.Lookup(zip)
	return string(place.State)
}

// loadPlaces adds ZIPs, prefixes, lists and counties.
func (l *loader) loadPlaces(m yamlfile.Map, area *zipSet) {
	for _, item := range m.Get("zips").OneOrList() {
		span, ok := zipsOfNode(item)
		if !ok {
			continue
		}
		if area.addSpan(span) == 0 {
			item.Fault("no ZIP code in use lies in "+yamlfile.Quote(item.Raw()), zipExpected, "")
		}
		if _, known := zips.Lookup(span.first); span.size() == 1 && !known {
			item.Warn("the ZIP code "+span.first.String()+" is not in the table", "a ZIP code in use",
				zips.Closest(span.first).String())
		}
	}
	for _, item := range m.Get("prefixes").OneOrList() {
		text, ok := item.Text("the first digits of ZIP codes")
		if !ok {
			continue
		}
		found := zips.Prefix(text)
		if len(found) == 0 {
			item.Fault("no ZIP code begins with "+yamlfile.Quote(text),
				"the first two to five digits, such as 606", "")
		}
		for _, zip := range found {
			area.add(zip)
		}
	}
	for _, item := range m.Get("lists").OneOrList() {
		if named := l.namedList(item); named != nil {
			for _, span := range named.zips() {
				area.addSpan(span)
			}
		}
	}
	for _, item := range m.Get("counties").OneOrList() {
		l.loadCounty(item, area)
	}
}

func (l *loader) loadCounty(item yamlfile.Node, area *zipSet) {
	const expected = `a county and its state, such as "Cook, IL"`
	text, ok := item.Text(expected)
	if !ok {
		return
	}
	name, code, _ := strings.Cut(text, ",")
	state, err := pingpost.ParseState(strings.TrimSpace(code))
	if err != nil {
		item.Fault(yamlfile.Quote(text)+" does not name a state", expected, "")
		return
	}
	found := zips.InCounty(state, strings.TrimSpace(name))
	if len(found) == 0 {
		nearest, near := yamlfile.Nearest(strings.TrimSpace(name), zips.Counties(state))
		if near {
			nearest = `"` + nearest + ", " + string(state) + `"`
		}
		item.Fault("there is no county "+yamlfile.Quote(strings.TrimSpace(name))+" in "+string(state),
			expected, nearest)
	}
	for _, zip := range found {
		area.add(zip)
	}
}

func (l *loader) namedList(item yamlfile.Node) *list {
	name, ok := item.Text("the name of a list")
	if !ok {
		return nil
	}
	if named, ok := l.lists[name]; ok {
		return named
	}
	nearest, _ := yamlfile.Nearest(name, l.listNames())
	item.Fault("there is no list "+yamlfile.Quote(name), "the name of a list under lists:", nearest)
	return nil
}

// loadExcept cuts ZIPs and lists of ZIPs.
func (l *loader) loadExcept(node yamlfile.Node, area *zipSet) {
	for _, item := range node.OneOrList() {
		if text := item.Raw(); text != "" && !strings.ContainsAny(text[:1], "0123456789") {
			if named := l.namedList(item); named != nil {
				for _, span := range named.zips() {
					area.removeSpan(span)
				}
			}
			continue
		}
		span, ok := zipsOfNode(item)
		if !ok {
			continue
		}
		what := "the ZIP code " + span.first.String() + " is"
		if span.size() > 1 {
			what = "the ZIP codes " + item.Raw() + " are"
		}
		if area.removeSpan(span) == 0 {
			item.Warn(what+" not in the area anyway", "", "")
		}
	}
}

// zipsOfNode reads a ZIP code, a range or a prefix where an area wants one.
func zipsOfNode(item yamlfile.Node) (zipSpan, bool) {
	if !isZIPPattern(item.Raw()) {
		zip, ok := item.ZIP()
		return zipSpan{zip, zip}, ok
	}
	span, message, typed := parseZIPs(item.Raw())
	if message != "" {
		item.Fault(message, zipExpected, typed)
	}
	return span, message == ""
}

// describeZIPs says an area in words: "312 ZIPs in IL, 41 in IN", the largest part first.
func describeZIPs(area *zipSet) string {
	counts := map[string]int{}
	for _, zip := range area.list() {
		place, ok := zips.Lookup(zip)
		if !ok {
			counts["places unknown"]++
			continue
		}
		counts[string(place.State)]++
	}
	states := make([]string, 0, len(counts))
	for state := range counts {
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, len(states))
	for i, state := range states {
		unit := ""
		if i == 0 {
			unit = "ZIPs "
			if counts[state] == 1 {
				unit = "ZIP "
			}
		}
		parts[i] = fmt.Sprintf("%d %sin %s", counts[state], unit, state)
	}
	if len(parts) == 0 {
		return "no ZIPs"
	}
	return strings.Join(parts, ", ")
}
