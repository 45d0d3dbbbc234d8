package exchange

import (
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a machine or container may have no time zones of its own

	"leadbid/internal/yamlfile"
)

// The addresses that hold where the configuration names none: this machine only.
const (
	DefaultListen = "127.0.0.1:9080"
	DefaultAdmin  = "127.0.0.1:9081"
	DefaultStore  = "sqlite:data/exchange.db"
)

// Load reads an exchange's configuration. Everything that is wrong with it is noted, with its
// place; the configuration is nil where something keeps it from being used. getenv resolves
// ${NAME}; nil means that no variable is set.
func Load(fsys fs.FS, name string, getenv func(string) (string, bool)) (*Config, *yamlfile.Faults) {
	faults := new(yamlfile.Faults)
	file := yamlfile.Read(fsys, name, getenv, faults)
	if file == nil {
		return nil, faults
	}
	loader := &configLoader{keys: map[string]string{}}
	config := loader.config(file.Root())
	if faults.Any() {
		return nil, faults
	}
	return config, faults
}

// configLoader carries what parts of a file have to agree on.
type configLoader struct {
	keys map[string]string // bearer key to whose it is
}

func (l *configLoader) config(root yamlfile.Node) *Config {
	top, ok := root.Map([]string{"version", "exchange", "server", "store", "sellers", "buyers", "campaigns"},
		"lists", "record", "webhooks", "claims", "tls")
	if !ok {
		return nil
	}
	if version, ok := top.Need("version", "version: 1").Int(0, 1_000_000); ok && version != 1 {
		top.Get("version").Fault("version "+strconv.FormatInt(version, 10)+" is not known to this program",
			"version: 1", "1")
	}
	config := &Config{Location: time.UTC, Store: DefaultStore}
	l.identity(config, top.Need("exchange", "exchange: {name: Northside Leads, timezone: America/Chicago}"))
	config.Server = l.server(top.Get("server"))
	if store := top.Get("store"); store.Exists() {
		config.Store = l.store(store)
	}
	config.Sellers = l.sellers(top.Need("sellers", "at least one seller: {webform: {key: \"${WEBFORM_KEY}\"}}"))
	config.Buyers = l.buyers(top.Need("buyers", "at least one buyer with a ping or a preset"))
	config.Campaigns = l.campaigns(top.Need("campaigns", "at least one campaign: {hvac: {services: [hvac]}}"))
	return config
}

func (l *configLoader) identity(config *Config, node yamlfile.Node) {
	exchange, _ := node.Map([]string{"name", "timezone"})
	config.Name, _ = exchange.Need("name", "the exchange's name").Text("the exchange's name")
	zone, ok := exchange.Need("timezone", "a time zone such as America/Chicago").Text("a time zone such as America/Chicago")
	if !ok {
		return
	}
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		exchange.Get("timezone").Fault("no time zone is called "+yamlfile.Quote(zone), "a name such as America/Chicago", "")
		return
	}
	config.Location = location
}

func (l *configLoader) server(node yamlfile.Node) Server {
	server := Server{Listen: DefaultListen, Admin: DefaultAdmin}
	settings, ok := node.Map([]string{"listen", "admin", "tls"}, "public_url")
	if !ok {
		return server
	}
	if listen, ok := address(settings.Get("listen")); ok {
		server.Listen = listen
	}
	if admin, ok := address(settings.Get("admin")); ok {
		server.Admin = admin
	}
	if tls := settings.Get("tls"); tls.Exists() {
		files, _ := tls.Map([]string{"cert", "key"})
		server.TLSCert, _ = files.Need("cert", "the path of a certificate in PEM").Text("the path of a certificate in PEM")
		server.TLSKey, _ = files.Need("key", "the path of its key in PEM").Text("the path of its key in PEM")
	}
	return server
}

// address reads host:port. The core has no network package, and needs none to see a missing port.
func address(node yamlfile.Node) (text string, ok bool) {
	const expected = `an address such as "127.0.0.1:9080"; port 0 takes a free one`
	if text, ok = node.Text(expected); !ok {
		return "", false
	}
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		typed := text + ":9080"
		if _, err := strconv.ParseUint(text, 10, 16); err == nil {
			typed = "127.0.0.1:" + text
		}
		node.Fault(yamlfile.Quote(text)+" has no port", expected, typed)
		return "", false
	}
	if port, err := strconv.ParseUint(text[colon+1:], 10, 16); err != nil || port > 65535 {
		node.Fault(yamlfile.Quote(text[colon+1:])+" is not a port", expected, "")
		return "", false
	}
	return text, true
}

func (l *configLoader) store(node yamlfile.Node) string {
	const expected = "sqlite:PATH, such as sqlite:data/exchange.db"
	store, ok := node.Text(expected)
	path, isSQLite := strings.CutPrefix(store, "sqlite:")
	switch {
	case !ok:
	case strings.HasPrefix(store, "postgres:") || strings.HasPrefix(store, "postgresql:"):
		node.Fault(yamlfile.Planned("postgres"), expected, "")
	case !isSQLite || path == "":
		node.Fault(yamlfile.Quote(store)+" names no store", expected, "")
	}
	return store
}

func (l *configLoader) sellers(node yamlfile.Node) []Seller {
	entries, _ := node.Entries("sellers by name")
	if node.Exists() && len(entries) == 0 {
		node.Fault("there is no seller: nobody could bring a lead", "at least one", "")
	}
	var sellers []Seller
	for _, entry := range entries {
		seller := Seller{Name: name(entry.Key())}
		settings, _ := entry.Map([]string{"key", "margin", "floor"}, "share", "campaigns", "webhook", "caps")
		const expected = "the bearer key that this seller shows"
		seller.Key, _ = settings.Need("key", expected).Secret(expected, variableName(seller.Name))
		l.claimKey(settings.Get("key"), seller.Key, "seller "+seller.Name)
		if share, ok := settings.Get("margin").Percent(1); ok {
			seller.Margin = basisPoints(settings.Get("margin"), share)
		}
		seller.Floor, _ = settings.Get("floor").Dollars()
		sellers = append(sellers, seller)
	}
	return sellers
}

// basisPoints turns a share into hundredths of a percent, which is as fine as a margin can be.
func basisPoints(node yamlfile.Node, share float64) int64 {
	points := math.Round(share * 10_000)
	if math.Abs(points-share*10_000) > 1e-6 {
		node.Fault("a margin has at most two decimals", "a percentage such as 25% or 12.5%", "")
	}
	return int64(points)
}

// claimKey notes whose a bearer key is: a key tells who is asking, so no two may share one.
func (l *configLoader) claimKey(node yamlfile.Node, key, owner string) {
	if key == "" {
		return
	}
	if other, taken := l.keys[key]; taken {
		node.Fault("this key is already that of "+other, "a key of its own for everyone", "")
		return
	}
	l.keys[key] = owner
}

// name checks a name that the writer chose: it stands in addresses, metrics and reports.
func name(key yamlfile.Node) string {
	text := key.Raw()
	if !isName(text) {
		key.Fault(yamlfile.Quote(text)+" cannot be a name", "1 to 64 letters, digits, -, _ and .", "")
	}
	return text
}

func isName(text string) bool {
	for _, letter := range []byte(text) {
		switch {
		case letter >= 'a' && letter <= 'z', letter >= 'A' && letter <= 'Z', letter >= '0' && letter <= '9':
		case letter == '-', letter == '_', letter == '.':
		default:
			return false
		}
	}
	return len(text) > 0 && len(text) <= 64
}

// variableName suggests the variable that holds somebody's key: WEBFORM_KEY.
func variableName(owner string) string {
	upper := strings.Map(func(letter rune) rune {
		if letter == '-' || letter == '.' {
			return '_'
		}
		return letter
	}, strings.ToUpper(owner))
	return upper + "_KEY"
}
