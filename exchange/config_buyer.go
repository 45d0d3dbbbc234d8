package exchange

import (
	"net/url"
	"slices"
	"strings"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

func (l *configLoader) buyers(node yamlfile.Node) []Buyer {
	entries, _ := node.Entries("buyers by name")
	if node.Exists() && len(entries) == 0 {
		node.Fault("there is no buyer: no lead could be sold", "at least one", "")
	}
	var buyers []Buyer
	for _, entry := range entries {
		buyers = append(buyers, l.buyer(entry))
	}
	return buyers
}

func (l *configLoader) buyer(entry yamlfile.Node) Buyer {
	buyer := Buyer{Name: name(entry.Key()), Tells: TellsResult}
	settings, ok := entry.Map([]string{"ping", "preset", "wallet", "tells", "key"}, "live", "push", "email", "caps", "filters")
	if !ok {
		return buyer
	}
	ping, preset := settings.Get("ping"), settings.Get("preset")
	switch {
	case ping.Exists() && preset.Exists():
		preset.Key().Fault("a buyer has either a ping or a preset", "one of the two", "")
	case ping.Exists():
		buyer.Ping = l.endpoint(ping, buyer.Name)
		buyer.Key = buyer.Ping.Key
	case preset.Exists():
		buyer.Preset = l.preset(preset)
	case !hasKey(entry, "live"): // that one is planned, which is fault enough
		entry.Key().Fault("buyer "+yamlfile.Quote(buyer.Name)+" has no way to bid",
			"ping: (its bidder is asked) or preset: (its criteria are kept here)", "")
	}
	if key := settings.Get("key"); key.Exists() {
		buyer.Key, _ = key.Secret("the bearer key of the buyer's own view", variableName(buyer.Name))
		l.claimKey(key, buyer.Key, "buyer "+buyer.Name)
	} else {
		l.claimKey(ping, buyer.Key, "buyer "+buyer.Name)
	}
	if word, ok := settings.Get("tells").Word(tellsWords[:]); ok {
		buyer.Tells = Tells(slices.Index(tellsWords[:], word))
	}
	wallet, _ := settings.Get("wallet").Map([]string{"credit_limit"}, "auto_top_up", "alert_below")
	buyer.CreditLimit, _ = wallet.Get("credit_limit").Dollars()
	return buyer
}

func hasKey(node yamlfile.Node, key string) bool {
	entries, _ := node.Entries("")
	return slices.ContainsFunc(entries, func(entry yamlfile.Node) bool { return entry.Key().Raw() == key })
}

func (l *configLoader) endpoint(node yamlfile.Node, buyer string) *Endpoint {
	endpoint := &Endpoint{Profile: "native"}
	settings, _ := node.Map([]string{"profile", "url", "exchange", "key"}, "auth", "signature", "timeout", "max_rps")
	if profile, ok := settings.Get("profile").Text("the name of a profile, such as native"); ok {
		endpoint.Profile = profile
	}
	const expectedURL = "where the buyer's bidder listens, such as https://bids.lakeview.example"
	if address, ok := settings.Need("url", expectedURL).Text(expectedURL); ok {
		if !isBaseURL(address) {
			settings.Get("url").Fault(yamlfile.Quote(address)+" is not an address to call", expectedURL, "")
		} else if inTheClear(address) {
			settings.Get("url").Warn("the key and every lead that is sold to this buyer go over the network unencrypted",
				"an https address for a buyer on another machine", "https"+strings.TrimPrefix(address, "http"))
		}
		endpoint.URL = strings.TrimRight(address, "/")
	}
	const expectedName = "the name of this exchange in the buyer's configuration"
	if exchange, ok := settings.Need("exchange", expectedName).Text(expectedName); ok {
		if !isName(exchange) {
			settings.Get("exchange").Fault(yamlfile.Quote(exchange)+" cannot be a name", "1 to 64 letters, digits, -, _ and .", "")
		}
		endpoint.Exchange = exchange
	}
	const expectedKey = "the bearer key that this exchange shows to the buyer"
	endpoint.Key, _ = settings.Need("key", expectedKey).Secret(expectedKey, variableName(buyer))
	return endpoint
}

// isBaseURL reports whether a text is an http or https address with a host, and without user
// information, query or fragment: keys do not belong into addresses.
func isBaseURL(text string) bool {
	address, err := url.Parse(text)
	return err == nil && (address.Scheme == "http" || address.Scheme == "https") && address.Host != "" &&
		address.User == nil && address.RawQuery == "" && !address.ForceQuery && address.Fragment == ""
}

// inTheClear reports whether what is sent to a base address can be read on the way.
func inTheClear(text string) bool {
	address, err := url.Parse(text)
	if err != nil || address.Scheme != "http" {
		return false
	}
	host := address.Hostname()
	loopback := strings.HasPrefix(host, "127.") && strings.Trim(host, "0123456789.") == ""
	return host != "localhost" && host != "::1" && !loopback
}

func (l *configLoader) preset(node yamlfile.Node) *Preset {
	preset := new(Preset)
	settings, _ := node.Map([]string{"services", "area", "bid", "budget"}, "hours", "rules", "filters", "jobs", "capacity")
	preset.Services = l.services(settings.Need("services", "the services that the buyer wants"))
	preset.ZIPs = l.area(settings.Get("area"))
	const expectedBid = "what the buyer pays for a lead, such as $22"
	if bid, ok := settings.Need("bid", expectedBid).Dollars(); ok {
		if bid == 0 {
			settings.Get("bid").Fault("a preset must bid more than nothing", expectedBid, "")
		}
		preset.Bid = bid
	}
	if budget := settings.Get("budget"); budget.Exists() {
		limits, _ := budget.Map([]string{"day"}, "hour", "week", "month", "total")
		if day, ok := limits.Need("day", "budget: {day: $200}").Dollars(); ok {
			if day < preset.Bid {
				limits.Get("day").Fault("this budget does not pay for a single bid of "+preset.Bid.String(),
					"at least the bid", preset.Bid.String())
			}
			preset.DayBudget = day
		}
	}
	return preset
}

func (l *configLoader) services(node yamlfile.Node) []pingpost.Service {
	var services []pingpost.Service
	for _, item := range node.OneOrList() {
		word, ok := item.Word(pingpost.ServiceWords())
		service, known := pingpost.ParseService(word)
		switch {
		case !ok || !known:
		case slices.Contains(services, service):
			item.Fault(yamlfile.Quote(word)+" stands here twice", "each service once", "")
		default:
			services = append(services, service)
		}
	}
	if node.Exists() && len(node.OneOrList()) == 0 {
		node.Fault("the list of services is empty", "at least one", "")
	}
	return services
}

// area gives the ZIPs of a circle and of a list together, cut to states and without exceptions;
// nil, for an absent one, means everywhere.
func (l *configLoader) area(node yamlfile.Node) map[pingpost.ZIP]struct{} {
	if !node.Exists() {
		return nil
	}
	planned := []string{"prefixes", "lists", "counties", "states"}
	settings, ok := node.Map([]string{"zip", "miles", "zips", "only_states", "except"}, planned...)
	if !ok {
		return nil
	}
	covered, understood := circle(settings)
	for _, key := range planned {
		understood = understood && !hasKey(node, key)
	}
	for _, item := range settings.Get("zips").OneOrList() {
		zip, ok := knownZIP(item)
		understood = understood && ok
		if ok {
			covered[zip] = struct{}{}
		}
	}
	if states := settings.Get("only_states"); states.Exists() {
		understood = cutToStates(states, covered) && understood
	}
	for _, item := range settings.Get("except").OneOrList() {
		zip, ok := knownZIP(item)
		delete(covered, zip)
		understood = understood && ok
	}
	if len(covered) == 0 && understood {
		node.Fault("this area covers no ZIP", "area: {zip: 60614, miles: 10} or area: {zips: [60614, 60657]}", "")
	}
	return covered
}

// circle gives the ZIPs around a centre, none where the area has no circle; ok is false after a
// fault.
func circle(area yamlfile.Map) (covered map[pingpost.ZIP]struct{}, ok bool) {
	covered = map[pingpost.ZIP]struct{}{}
	center, miles := area.Get("zip"), area.Get("miles")
	if !center.Exists() && !miles.Exists() {
		return covered, true
	}
	area.Need("zip", "the centre of the circle")
	area.Need("miles", "the radius of the circle in miles")
	zip, okZIP := knownZIP(center)
	radius, okMiles := miles.Number(0, 500)
	if !okZIP || !okMiles {
		return covered, false
	}
	within, _ := zips.Within(zip, radius)
	for _, zip := range within {
		covered[zip] = struct{}{}
	}
	return covered, true
}

// cutToStates takes away what lies outside the states; ok is false after a fault.
func cutToStates(node yamlfile.Node, covered map[pingpost.ZIP]struct{}) (ok bool) {
	kept := map[pingpost.State]bool{}
	ok = true
	for _, item := range node.OneOrList() {
		const expected = "a two-letter state code, such as IL"
		text, isText := item.Text(expected)
		state, err := pingpost.ParseState(text)
		if isText && err != nil {
			item.Fault(err.Error(), expected, "")
		}
		kept[state], ok = true, ok && err == nil
	}
	for zip := range covered {
		if place, known := zips.Lookup(zip); !known || !kept[place.State] {
			delete(covered, zip)
		}
	}
	return ok
}

// knownZIP reads a ZIP that exists.
func knownZIP(node yamlfile.Node) (pingpost.ZIP, bool) {
	zip, ok := node.ZIP()
	if !ok {
		return 0, false
	}
	if _, ok := zips.Lookup(zip); !ok {
		node.Fault("there is no ZIP code "+zip.String(), "a ZIP code in use", zips.Closest(zip).String())
		return 0, false
	}
	return zip, true
}
