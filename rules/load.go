package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a contractor's machine or container may have no time zones of its own

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// loader reads one configuration. It notes faults and goes on, so that all are found at once.
type loader struct {
	fsys   fs.FS
	folder string
	faults *yamlfile.Faults
	digest hash.Hash
	lists  map[string]*list
	// listOrder is the lists in file order, inLists how many entries they hold in all.
	listOrder  []*list
	inLists    int
	tables     map[string]*table
	tableOrder []*table
	rs         *Ruleset
	x          *expressions
	options
}

// options are the ways to read that differ from how a bidder is served.
type options struct {
	offline   bool // variables may be unset: see LoadOffline
	unindexed bool // every condition stays whole and every rule is asked: the oracle of the index's test
}

var errOutside = errors.New("the path must stay inside the configuration's folder, without .. or a leading /")

// Load reads a bidder's configuration. Lists are found relative to its folder inside fsys. getenv
// resolves ${NAME}. The faults may hold warnings only; the Ruleset is nil exactly where one of
// them keeps it from being used.
func Load(fsys fs.FS, name string, getenv func(string) (string, bool)) (*Ruleset, *yamlfile.Faults) {
	return load(fsys, name, getenv, options{})
}

// LoadOffline is Load for a machine that has no keys: a variable that is not set is a warning, and
// what needs it stays empty, also where it has a default. The Ruleset says what would be bid, and where the
// books and the pauses are; it must not serve.
func LoadOffline(fsys fs.FS, name string, getenv func(string) (string, bool)) (*Ruleset, *yamlfile.Faults) {
	return load(fsys, name, getenv, options{offline: true})
}

func load(fsys fs.FS, name string, getenv func(string) (string, bool), how options) (*Ruleset, *yamlfile.Faults) {
	l := &loader{fsys: fsys, folder: path.Dir(name), faults: &yamlfile.Faults{}, digest: sha256.New(),
		lists: map[string]*list{}, tables: map[string]*table{}, options: how,
		rs: &Ruleset{exchangeIndex: map[string]int{}, byTag: map[uint32]*Campaign{},
			keptAttrs: map[string]bool{}}}
	file := yamlfile.Read(fsys, name, getenv, l.faults)
	if file == nil {
		return nil, l.faults
	}
	if l.offline {
		file.AllowUnset()
	}
	l.hash(name, file.Text)
	l.load(file)
	if l.faults.Any() {
		return nil, l.faults
	}
	if l.finish(file.Root()); l.faults.Any() {
		return nil, l.faults
	}
	return l.rs, l.faults
}

// hash adds a file to what Ruleset.Hash covers.
func (l *loader) hash(name string, text []byte) {
	fmt.Fprintf(l.digest, "%q %d\n", path.Base(name), len(text))
	l.digest.Write(text)
}

var (
	rootKeys = []string{"version", "business", "server", "store", "mode", "exchanges", "lists", "tables", "holidays", "campaigns",
		"record", "pause_file", "verify", "tests", "outcomes"}
	plannedRootKeys = []string{"lookup", "experiments", "defaults", "crews", "calendar",
		"alerts", "users", "dashboard", "blocklist", "sources"}
)

func (l *loader) load(file *yamlfile.File) {
	root, ok := file.Root().Map(rootKeys, plannedRootKeys...)
	if !ok {
		return
	}
	root.Need("version", "version: 1, as the first line").Int(1, 1)
	l.loadBusiness(root.Need("business", "the business's name and time zone"))
	l.loadServer(root.Get("server"))
	l.loadStore(root.Get("store"))
	l.rs.settings.Mode, l.rs.settings.SaysMode = loadMode(root.Get("mode")), root.Get("mode").Exists()
	l.loadRecord(root.Get("record"))
	l.rs.settings.PauseFile = textOr(root.Get("pause_file"), "a path", defaultPauseFile)
	l.loadVerify(root.Get("verify"))
	l.loadOutcomes(root.Get("outcomes"))
	for _, item := range root.Get("tests").OneOrList() {
		if name, ok := item.Text("the path of a file with cases for bidder test"); ok {
			l.rs.settings.Tests = append(l.rs.settings.Tests, name)
		}
	}
	l.notePlaces(file.Name, root.Node)
	l.loadHolidays(root.Get("holidays"))
	l.loadLists(root.Get("lists"))
	l.loadTables(root.Get("tables"))
	l.loadExchanges(root.Need("exchanges", "the exchanges that you buy on, by name"))
	l.x = newExpressions(l.lists, l.tables, &l.rs.vocabulary, &l.rs.uses, l.rs.keptAttrs)
	l.x.plain, l.x.facets = l.unindexed, facetTable(l.rs.exchanges)
	l.loadCampaigns(root.Need("campaigns", "your campaigns, by name"))
	l.sortCampaigns()
	if !l.faults.Any() {
		l.advise(root.Node)
	}
}

// textOr reads a text that has a default. One that needs a variable that is not set is empty, and not the
// default: nobody is to look at other books, or stop another bidder, than the file means (LoadOffline).
func textOr(node yamlfile.Node, expected, byDefault string) string {
	if !node.Exists() {
		return byDefault
	}
	text, ok := node.Text(expected)
	if !ok {
		return ""
	}
	return text
}

const defaultPauseFile = "data/paused"

// PauseFile is where the pauses of a bidder stand, as far as a configuration that may be faulty tells. It
// is "" where that takes a variable that is not set, or is no path.
func PauseFile(fsys fs.FS, name string, getenv func(string) (string, bool)) string {
	file := yamlfile.Read(fsys, name, getenv, &yamlfile.Faults{})
	if file == nil {
		return defaultPauseFile
	}
	return textOr(file.Root().At("pause_file"), "a path", defaultPauseFile)
}

// MayShareBooks tells whether other bidders may be on the same books, as far as a configuration that may be
// faulty, or whose variables are not set, tells: on all but a SQLite file.
func MayShareBooks(fsys fs.FS, name string, getenv func(string) (string, bool)) bool {
	file := yamlfile.Read(fsys, name, getenv, &yamlfile.Faults{})
	if file == nil {
		return true
	}
	node := file.Root().At("store")
	text, ok := node.Text("a store")
	if !ok {
		text, ok = node.Literal("a store")
	}
	return ok && !strings.HasPrefix(text, "sqlite:")
}

func (l *loader) loadBusiness(node yamlfile.Node) {
	business := &l.rs.settings.Business
	business.Location = time.UTC
	m, ok := node.Map([]string{"name", "timezone", "budget", "capacity", "choose", "pause", "snooze_until"},
		"address", "phone", "email")
	if !ok {
		return
	}
	business.Name, _ = m.Need("name", "the business's name").Text("the business's name")
	zone := m.Need("timezone", "a time zone, such as America/Chicago")
	if name, ok := zone.Text("a time zone, such as America/Chicago"); ok {
		location, err := time.LoadLocation(name)
		if err != nil || name == "" || name == "Local" {
			nearest, _ := yamlfile.Nearest(name, zoneNames)
			if full, ok := zoneHabits[strings.ToUpper(name)]; ok {
				nearest = full
			}
			zone.Fault(yamlfile.Quote(name)+" is no time zone", "a time zone, such as America/Chicago", nearest)
		} else {
			business.Location = location
		}
	}
	business.Budget = loadBudget(m.Get("budget"))
	business.Capacity, business.CrewHours = loadCapacityWithCrew(m.Get("capacity"))
	business.Choose, business.Pause = loadChoose(m.Get("choose")), l.loadPause(m)
}

// The zones of the United States, for "did you mean".
var zoneNames = []string{"America/New_York", "America/Chicago", "America/Denver", "America/Phoenix",
	"America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu", "America/Detroit", "America/Puerto_Rico", "UTC"}

var zoneHabits = map[string]string{"EST": "America/New_York", "EDT": "America/New_York",
	"EASTERN": "America/New_York",
	"CST":     "America/Chicago", "CDT": "America/Chicago", "CENTRAL": "America/Chicago", "MST": "America/Denver",
	"MDT": "America/Denver", "MOUNTAIN": "America/Denver", "PST": "America/Los_Angeles", "PDT": "America/Los_Angeles",
	"PACIFIC": "America/Los_Angeles"}

func (l *loader) loadServer(node yamlfile.Node) {
	server := &l.rs.settings.Server
	server.Listen, server.Admin = "127.0.0.1:8080", "127.0.0.1:8081"
	server.RotateKeys = 30 * 24 * time.Hour
	m, ok := node.Map([]string{"listen", "admin", "public_url", "tls", "rotate_keys"}, "cidr", "mtls",
		"trusted_proxies", "rate_limit", "cors")
	if !ok {
		return
	}
	loadAddress(m.Get("listen"), &server.Listen)
	loadAddress(m.Get("admin"), &server.Admin)
	if server.Listen == server.Admin && server.Listen != "" && !strings.HasSuffix(server.Listen, ":0") {
		later := m.Get("admin")
		if !later.Exists() {
			later = m.Get("listen") // at the address that admin has by default
		}
		later.Fault("listen and admin are both "+server.Listen, "a port of its own for each", "")
	}
	if text, ok := m.Get("public_url").Text("the address under which exchanges reach you"); ok {
		if _, ok := parseWebAddress(text); !ok {
			m.Get("public_url").Fault(yamlfile.Quote(text)+" is no address", "https://...", "")
		}
		server.PublicURL = text
	}
	if age, ok := m.Get("rotate_keys").Duration(time.Hour, 365*24*time.Hour); ok {
		server.RotateKeys = age
	}
	if tls, ok := m.Get("tls").Map([]string{"cert", "key"}, "acme", "client_ca"); ok {
		server.TLSCert, _ = tls.Need("cert", "the path of the certificate").Text("a path")
		server.TLSKey, _ = tls.Need("key", "the path of its key").Text("a path")
	}
}

var address = regexp.MustCompile(`^([A-Za-z0-9._-]*|\[[0-9a-fA-F:]+\]):([0-9]{1,5})$`)

// loadAddress reads a host and port to listen on. Port 0 lets the system choose, for tests.
func loadAddress(node yamlfile.Node, into *string) {
	const expected = `a host and a port, such as "127.0.0.1:8080"`
	text, ok := node.Text(expected)
	if !ok {
		if node.Exists() {
			*into = "" // as in textOr
		}
		return
	}
	parts := address.FindStringSubmatch(text)
	if parts == nil || len(parts[2]) > 5 || (len(parts[2]) == 5 && parts[2] > "65535") {
		typed := ""
		if strings.Trim(text, "0123456789") == "" {
			typed = `"127.0.0.1:` + text + `"`
		}
		node.Fault(yamlfile.Quote(text)+" is no address to listen on", expected, typed)
		return
	}
	*into = text
}

func (l *loader) loadStore(node yamlfile.Node) {
	l.rs.settings.Store = "sqlite:data/bidder.db"
	const expected = "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE"
	if !node.Exists() {
		return
	}
	l.rs.settings.Store = "" // as in textOr
	text, ok := node.Text(expected)
	if !ok {
		return
	}
	file, isSQLite := strings.CutPrefix(text, "sqlite:")
	switch {
	case strings.HasPrefix(text, "postgres:") || strings.HasPrefix(text, "postgresql:"):
		l.loadPostgres(node, text)
	case !isSQLite || file == "":
		node.Fault(yamlfile.Quote(text)+" is no store", expected, "sqlite:data/bidder.db")
	default:
		l.rs.settings.Store = text
	}
}

// loadPostgres reads the address of a database. No fault quotes it: it may hold a password.
func (l *loader) loadPostgres(node yamlfile.Node, text string) {
	const expected, typed = "postgres://USER:PASSWORD@HOST/DATABASE", `"postgres://bidder:${PGPASSWORD}@db.example/leadbid"`
	address, err := url.Parse(text)
	if _, ok := node.Secret(expected, "STORE"); !ok {
		return
	}
	switch {
	case err != nil:
		node.Fault("this is no address of PostgreSQL: in a password, characters such as @ : / ? # % are written "+
			"%40 %3A %2F %3F %23 %25", expected, typed)
	case !strings.Contains(text, "://") || address.Host == "" && !address.Query().Has("host"):
		node.Fault("the address of PostgreSQL names no host", expected, typed)
	case strings.Trim(address.Path, "/") == "":
		node.Fault("the address of PostgreSQL names no database", expected, typed)
	default:
		l.rs.settings.Store = text
	}
}

// loadRecord reads what is recorded. Without the key an observing bidder records, since that is
// what it observes for, and a live one does not.
func (l *loader) loadRecord(node yamlfile.Node) {
	record := &l.rs.settings.Record
	if l.rs.settings.Mode == Observe {
		record.Dir = "data/recordings"
	}
	m, ok := node.Map([]string{"dir", "attrs"}, "format", "keep", "parquet", "sample", "rotate")
	if !ok {
		return
	}
	record.Dir = textOr(m.Get("dir"), "the path of a folder", "data/recordings")
	for _, item := range m.Get("attrs").OneOrList() {
		if name, ok := item.Text("the name of an attribute"); ok {
			record.Attrs = append(record.Attrs, name)
			l.rs.keptAttrs[name] = true
		}
	}
}

// notePlaces keeps where the settings stand that only a restart changes, and where the exchanges do, so that
// a reload can point at them.
func (l *loader) notePlaces(file string, root yamlfile.Node) {
	l.rs.places = map[string]yamlfile.Fault{}
	for _, key := range []string{"server.listen", "server.admin", "server.tls.cert", "server.tls.key", "store",
		"pause_file", "business.timezone", "exchanges"} {
		place := yamlfile.Fault{File: file} // where the default holds
		path := strings.Split(key, ".")
		for n := len(path); n > 0; n-- {
			if node := root.At(path[:n]...); node.Exists() {
				if place = node.Place(); n < len(path) || node.IsMap() {
					place = node.Key().Place()
				}
				break
			}
		}
		l.rs.places[key] = place
	}
}

// Place is where a setting that only a restart changes stands, or what it would stand under, or where the
// "exchanges" do: a fault that says nothing yet.
func (rs *Ruleset) Place(key string) yamlfile.Fault { return rs.places[key] }

// defaultVerify is how often the books are verified.
const defaultVerify = 5 * time.Minute

// loadVerify reads verify: {every: 5m}, or never.
func (l *loader) loadVerify(node yamlfile.Node) {
	l.rs.settings.VerifyEvery = defaultVerify
	m, ok := node.Map([]string{"every"})
	if !ok {
		return
	}
	if length, ok := durationOrNever(m.Get("every"), time.Second, 24*time.Hour); ok {
		l.rs.settings.VerifyEvery = length
	}
}

// defaultKnownAfter and defaultClosesWithin hold where a configuration says nothing: most jobs are
// booked, or lost, within weeks of the lead.
const (
	defaultKnownAfter   = 30 * 24 * time.Hour
	defaultClosesWithin = 60 * 24 * time.Hour
)

// loadOutcomes reads {file: outcomes.csv, known_after: 30d, closes_within: 60d, key: "${OUTCOMES_KEY}"}.
func (l *loader) loadOutcomes(node yamlfile.Node) {
	outcomes := &l.rs.settings.Outcomes
	outcomes.KnownAfter, outcomes.ClosesWithin = defaultKnownAfter, defaultClosesWithin
	m, ok := node.Map([]string{"file", "key", "known_after", "closes_within"}, "columns", "crm", "url")
	if !ok {
		return
	}
	outcomes.File, _ = m.Get("file").Text("the path of a CSV file with outcomes")
	if key := m.Get("key"); key.Exists() {
		outcomes.Key = loadKey(key, "OUTCOMES_KEY")
	}
	for _, length := range []struct {
		key  string
		into *time.Duration
	}{{"known_after", &outcomes.KnownAfter}, {"closes_within", &outcomes.ClosesWithin}} {
		if value, ok := m.Get(length.key).Duration(time.Hour, 365*24*time.Hour); ok {
			*length.into = value
		}
	}
}

// durationOrNever reads a length of time; never is 0.
func durationOrNever(node yamlfile.Node, low, high time.Duration) (length time.Duration, ok bool) {
	word, ok := node.Literal("a length of time such as 15m, or never")
	switch {
	case !ok:
		return 0, false
	case word == "never":
		return 0, true
	}
	return node.Duration(low, high)
}

// loadBudget reads {day: $400, month: $8000} into cents.
func loadBudget(node yamlfile.Node) (limits Limits) {
	m, ok := node.Map(periodWords(), "year", "quarter", "rollover", "short")
	if !ok {
		return limits
	}
	for _, period := range pingpost.Periods() {
		if amount, ok := m.Get(period.String()).Dollars(); ok {
			limits[period] = Limit{N: int64(amount), Set: true}
		}
	}
	return limits
}

func periodWords() []string {
	var words []string
	for _, period := range pingpost.Periods() {
		words = append(words, period.String())
	}
	return words
}

// finish builds what is derived from a configuration without faults.
func (l *loader) finish(root yamlfile.Node) {
	rs := l.rs
	for _, named := range l.tableOrder {
		if !named.used {
			named.key.Warn("no rule reads the table "+yamlfile.Quote(named.name), "", "")
		}
	}
	for _, named := range l.listOrder {
		if !named.used {
			named.key.Warn("no rule and no area uses the list "+yamlfile.Quote(named.name), "", "")
		}
	}
	rs.scores = *l.x.scores
	rs.scores.finish()
	areas, picks := newPartition(), newPartition()
	for _, c := range rs.campaigns {
		c.ruleIndex = buildRuleIndex(c.Rules, &rs.scores, picks)
	}
	rs.index = buildCampaignIndex(len(rs.exchanges), rs.campaigns, areas)
	if !l.unindexed {
		l.checkUndecided(areas, root)
	}
	if rs.uses.leadLocal {
		rs.zones = buildZoneTable(rs.campaigns)
	}
	rs.hash = hex.EncodeToString(l.digest.Sum(nil))
}

func (l *loader) listNames() []string { return slices.Sorted(maps.Keys(l.lists)) }
