package rules

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// plainName is what exchanges and campaigns may be called: it stands in addresses, bid ids and
// metrics.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func checkName(key yamlfile.Node) bool {
	if plainName.MatchString(key.Raw()) {
		return true
	}
	key.Fault(yamlfile.Quote(key.Raw())+" cannot be a name", "up to 64 letters, digits, dots, - and _", "")
	return false
}

// maxExchanges is how many exchanges fit the bit sets of the index.
const maxExchanges = 64

// defaultHold is how long a hold outlives the auction's deadline on a refusable exchange.
const defaultHold = 10 * time.Second

// defaultSilence is how long an exchange may be silent while bids go out, unless said otherwise.
const defaultSilence = 15 * time.Minute

func (l *loader) loadExchanges(node yamlfile.Node) {
	entries, ok := node.Entries("a name with an exchange's settings")
	if ok && len(entries) == 0 {
		node.Fault("there is no exchange to buy on", "at least one exchange", "")
	}
	keyed := map[string]yamlfile.Node{} // by key: where it stands first
	for i, value := range entries {
		if i == maxExchanges {
			value.Key().Fault(fmt.Sprintf("there are more than %d exchanges", maxExchanges), "", "")
			return
		}
		if !checkName(value.Key()) {
			continue
		}
		exchange := l.loadExchange(value.Key().Raw(), value)
		ownKey(exchange.Bearer, value.At("auth", "bearer"), keyed)
		l.rs.exchangeIndex[exchange.Name] = len(l.rs.exchanges)
		l.rs.exchanges = append(l.rs.exchanges, exchange)
	}
}

// ownKey refuses a key that another exchange shows, too, whatever the variables of the two are called.
func ownKey(key string, node yamlfile.Node, keyed map[string]yamlfile.Node) {
	first, taken := keyed[key]
	switch {
	case key == "":
	case taken:
		node.Fault(fmt.Sprintf("this is also the key on line %d", first.Line()),
			"a key of its own for each exchange: with this one either could speak for the other", "")
	default:
		keyed[key] = node
	}
}

func (l *loader) loadExchange(name string, node yamlfile.Node) *Exchange {
	exchange := &Exchange{Name: name, Profile: "native", HoldFor: defaultHold, silentAfter: defaultSilence}
	m, ok := node.Map([]string{"profile", "auth", "commitment", "bid_ttl", "hold_for", "grace",
		"auction", "tells", "silent_after",
		"reasons", "mode", "pause", "snooze_until", "budget", "capacity", "returns", "guard"}, "signature", "hmac", "cidr", "mtls", "deadline", "currency", "fee", "vet",
		"max_pings_per_second", "format", "limits")
	if !ok {
		return exchange
	}
	if word, ok := m.Get("profile").Word(wire.Names(), "boberdoo", "leadsdelivery", "px", "pingtoken",
		"leadprosper",
		"letsmakealead", "elocal", "phonexa"); ok {
		exchange.Profile = word
	}
	applyProfile(exchange, m.Get("profile"))
	exchange.loadAuth(m)
	exchange.saysCommitment = m.Get("commitment").Exists()
	exchange.saysAuction = m.Get("auction").Exists()
	if word, ok := m.Get("commitment").Word([]string{"binding", "refusable"}); ok {
		exchange.Commitment = commitmentOf(word)
	}
	for _, length := range []struct {
		key  string
		low  time.Duration
		high time.Duration
		into *time.Duration
	}{
		{"bid_ttl", time.Second, 24 * time.Hour, &exchange.BidTTL},
		{"hold_for", time.Second, time.Hour, &exchange.HoldFor},
		{"grace", 0, 5 * time.Minute, &exchange.Grace},
	} {
		if value, ok := m.Get(length.key).Duration(length.low, length.high); ok {
			*length.into = value
		}
	}
	if length, ok := durationOrNever(m.Get("silent_after"), time.Minute, 24*time.Hour); ok {
		exchange.silentAfter = length
	}
	if word, ok := m.Get("auction").Word(pingpost.AuctionWords()); ok {
		exchange.Auction, _ = pingpost.ParseAuction(word)
	}
	if word, ok := m.Get("tells").Word(tellsWords); ok {
		exchange.Tells = tellsOf(word)
	}
	if reasons, ok := m.Get("reasons").Bool(); ok {
		exchange.Reasons = reasons
	}
	exchange.Mode = loadMode(m.Get("mode"))
	exchange.Budget, exchange.Capacity = loadBudget(m.Get("budget")), loadCapacity(m.Get("capacity"))
	exchange.ReturnsWithin = loadReturns(m.Get("returns"))
	if guard, ok := m.Get("guard").Map([]string{"accept_rate"}, "return_rate", "stop"); ok {
		exchange.AcceptRate, _ = guard.Need("accept_rate", "accept_rate: 90%, the share of its posts that the exchange wants accepted").Percent(0.99)
	}
	exchange.Pause = l.loadPause(m)
	return exchange
}

// loadReturns reads {within: 72h}: until when the exchange credits a lead that turns out bad.
func loadReturns(node yamlfile.Node) (within time.Duration) {
	m, ok := node.Map([]string{"within"}, "reasons", "send", "max", "url")
	if !ok {
		return 0
	}
	within, _ = m.Need("within", "within: 72h, how long after its post a lead can be returned").
		Duration(time.Hour, 365*24*time.Hour)
	return within
}

// applyProfile takes what the profile says of its exchange wherever the configuration is silent.
func applyProfile(exchange *Exchange, at yamlfile.Node) {
	profile, err := wire.Load(exchange.Profile)
	if err != nil {
		at.Fault(err.Error(), yamlfile.OneOf(wire.Names()), "")
		return
	}
	defaults := profile.Defaults()
	exchange.Commitment = commitmentOf(defaults.Commitment)
	exchange.BidTTL, exchange.Grace = defaults.BidTTL, defaults.Grace
	exchange.Deadline = defaults.Deadline
	exchange.Auction, exchange.Tells = defaults.Auction, tellsOf(defaults.Tells)
}

// commitmentOf reads the word; binding, the careful one, for anything else.
func commitmentOf(word string) Commitment {
	if word == "refusable" {
		return Refusable
	}
	return Binding
}

var tellsWords = []string{"none", "result", "price"}

func tellsOf(word string) Tells {
	for i, known := range tellsWords {
		if known == word {
			return Tells(i)
		}
	}
	return TellsNone
}

// minKey is the least length of a bearer key: 16 characters of hex or base64 are the least that
// nobody guesses.
const minKey = 16

func (e *Exchange) loadAuth(m yamlfile.Map) {
	const expected = `auth: {bearer: "${NAME}"}, the key that the exchange sends with every ping`
	auth, ok := m.Need("auth", expected).Map([]string{"bearer"}, "hmac", "basic", "signature", "mtls")
	if !ok {
		return
	}
	e.Bearer = loadKey(auth.Need("bearer", expected), variableName(e.Name)+"_KEY")
}

// loadKey reads a key that others must show.
func loadKey(node yamlfile.Node, suggestedName string) string {
	key, ok := node.Secret("a key", suggestedName)
	switch {
	case ok && strings.ContainsAny(key, " \t\r\n"):
		node.Fault("the key has spaces in it", "letters, digits and signs", "")
	case ok && len(key) < minKey:
		node.Warn(fmt.Sprintf("the key has fewer than %d characters: it can be guessed", minKey),
			"a long random key", "")
	}
	return key
}

// variableName makes an environment variable's name out of a name: NORTHSIDE for northside.
func variableName(name string) string {
	if name[0] >= '0' && name[0] <= '9' { // which no variable begins with
		name = "exchange_" + name
	}
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' {
			return '_'
		}
		return r
	}, strings.ToUpper(name))
}

// parseWebAddress accepts https, and http to this machine only, where nothing can listen in.
func parseWebAddress(text string) (*url.URL, bool) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Hostname() == "" || parsed.User != nil {
		return nil, false
	}
	switch host := parsed.Hostname(); {
	case parsed.Scheme == "https":
		return parsed, true
	case parsed.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1"):
		return parsed, true
	}
	return nil, false
}
