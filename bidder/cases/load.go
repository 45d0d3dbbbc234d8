package cases

import (
	"fmt"
	"io/fs"
	"math"
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
	"leadbid/rules"
)

// loader reads one file. It notes faults and goes on.
type loader struct {
	rs     *rules.Ruleset
	file   string
	at     time.Time // of cases that do not say; zero where the file does not either
	faults *yamlfile.Faults
	names  map[string]bool
}

// Load reads a file of cases about these rules. What is wrong with it, names of exchanges,
// campaigns and rules that there are not included, goes into faults.
func Load(fsys fs.FS, name string, rs *rules.Ruleset, faults *yamlfile.Faults) []Case {
	file := yamlfile.Read(fsys, name, nil, faults)
	if file == nil {
		return nil
	}
	root, ok := file.Root().Map([]string{"version", "at", "cases"})
	if !ok {
		return nil
	}
	l := &loader{rs: rs, file: name, faults: faults, names: map[string]bool{}}
	root.Need("version", "version: 1, as the first line").Int(1, 1)
	l.at, _ = l.instant(root.Get("at"))
	items, ok := root.Need("cases", "the cases: - name: ...").List("cases, each with a ping and an expect")
	if ok && len(items) == 0 {
		root.Get("cases").Fault("there is no case", "at least one case", "")
	}
	var all []Case
	for _, item := range items {
		if one, ok := l.load(item); ok {
			all = append(all, one)
		}
	}
	return all
}

func (l *loader) load(node yamlfile.Node) (one Case, ok bool) {
	m, ok := node.Map([]string{"name", "at", "exchange", "ping", "used", "win_rate", "post", "expect"})
	if !ok {
		return one, false
	}
	one = Case{File: l.file, Line: node.Line(), At: l.at, used: map[capKey]usedUp{}, won: map[string]int{}}
	if name, ok := m.Need("name", "what the case is about").Text("what the case is about"); ok {
		if l.names[name] {
			m.Get("name").Fault("two cases are called "+yamlfile.Quote(name), "a name of its own for each", "")
		}
		one.Name, l.names[name] = name, true
	}
	if at, said := l.instant(m.Get("at")); said {
		one.At = at
	} else if one.At.IsZero() && !m.Get("at").Exists() {
		m.Need("at", "the instant of the ping, here or for all cases at the top of the file: at: 2026-03-02 10:00")
	}
	exchange := l.exchange(m.Get("exchange"))
	one.Ping = l.ping(m.Need("ping", "the ping: {service: hvac, zip: 60614, ...}"))
	one.Ping.Exchange = exchange
	one.Ping.Digest = one.Ping.ComputeDigest()
	l.used(&one, m.Get("used"))
	l.winRate(&one, m.Get("win_rate"))
	if m.Get("post").Exists() {
		one.Post = l.post(m.Get("post"), &one.Ping)
	}
	one.Want = l.expect(m.Need("expect", "what should come of it: {bid: 20}, or {no_bid: outside_area}"))
	if (one.Want.Post != "" || one.Want.Reject != "") && one.Post == nil {
		node.Fault("a post is expected of a case without one", "post: {lead: {city: Gary}}", "")
	}
	return one, true
}

// instant reads a time: in the business's zone where it does not name an offset.
func (l *loader) instant(node yamlfile.Node) (at time.Time, ok bool) {
	const expected = "an instant such as 2026-03-02 10:00, in the business's time zone"
	text, ok := node.Text(expected)
	if !ok {
		return at, false
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, true
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, l.rs.Settings().Business.Location); err == nil {
			return at, true
		}
	}
	node.Fault(yamlfile.Quote(text)+" is no instant", expected, "")
	return at, false
}

func (l *loader) exchange(node yamlfile.Node) string {
	var names []string
	for _, exchange := range l.rs.Exchanges() {
		names = append(names, exchange.Name)
	}
	if name, ok := node.Word(names); ok {
		return name
	}
	return names[0]
}

// used reads how far caps are used, in the shape in which the configuration sets them.
func (l *loader) used(one *Case, node yamlfile.Node) {
	m, ok := node.Map([]string{"business", "exchanges", "campaigns"})
	if !ok {
		return
	}
	business := l.rs.Settings().Business
	l.scope(one, m.Get("business"), budget.Scope{Kind: budget.ScopeBusiness}, business.Budget, rules.Limits{})
	entries, _ := m.Get("exchanges").Entries("exchanges with what is used")
	for _, entry := range entries {
		var names []string
		for _, exchange := range l.rs.Exchanges() {
			names = append(names, exchange.Name)
		}
		if name, ok := entry.Key().Word(names); ok {
			scope := budget.Scope{Kind: budget.ScopeExchange, Name: name}
			l.scope(one, entry, scope, l.rs.Exchange(name).Budget, rules.Limits{})
		}
	}
	entries, _ = m.Get("campaigns").Entries("campaigns with what is used")
	for _, entry := range entries {
		if name, ok := entry.Key().Word(l.campaigns()); ok {
			scope := budget.Scope{Kind: budget.ScopeCampaign, Name: name}
			campaign := l.rs.Campaign(name)
			l.scope(one, entry, scope, campaign.Budget, campaign.Capacity)
		}
	}
}

// winRate reads which share of the latest bids of each campaign was won.
func (l *loader) winRate(one *Case, node yamlfile.Node) {
	entries, _ := node.Entries("campaigns with the share of their latest bids that was won: {hvac-chicago: 24%}")
	for _, entry := range entries {
		name, ok := entry.Key().Word(l.campaigns())
		share, isShare := entry.Percent(1)
		if !ok || !isShare {
			continue
		}
		won := share * bidder.LatestBids
		if one.won[name] = int(math.Round(won)); math.Abs(won-math.Round(won)) > 1e-9 {
			entry.Fault(fmt.Sprintf("win_rate is about the latest %d bids, of which that would be %.4g", bidder.LatestBids, won),
				"a share of 2% or several times that", fmt.Sprintf("%d%%", int(math.Round(won))*100/bidder.LatestBids))
		}
	}
}

func (l *loader) campaigns() []string {
	var names []string
	for _, campaign := range l.rs.Campaigns() {
		names = append(names, campaign.Name)
	}
	return names
}

func (l *loader) scope(one *Case, node yamlfile.Node, scope budget.Scope, cents, leads rules.Limits) {
	m, ok := node.Map([]string{"budget", "capacity"})
	if !ok {
		return
	}
	var words []string
	for _, period := range pingpost.Periods() {
		words = append(words, period.String())
	}
	spent, _ := m.Get("budget").Map(words)
	var taken yamlfile.Map
	if capacity, ok := m.Get("capacity").Map([]string{"leads"}); ok {
		taken, _ = capacity.Need("leads", "leads: {day: 3}").Map(words)
	}
	for _, period := range pingpost.Periods() {
		key := capKey{scope, period}
		use := one.used[key]
		if node := spent.At(period.String()); node.Exists() {
			use.cents, _ = node.Dollars()
			needCap(node, cents[period])
		}
		if node := taken.At(period.String()); node.Exists() {
			use.leads, _ = node.Int(0, 10_000_000)
			needCap(node, leads[period])
		}
		one.used[key] = use
	}
}

func needCap(node yamlfile.Node, limit rules.Limit) {
	if !limit.Set {
		node.Key().Fault("the configuration sets no such cap: nothing can be used of it",
			"a cap that is set there", "")
	}
}

// expect reads what should come of a case.
func (l *loader) expect(node yamlfile.Node) (want Outcome) {
	m, ok := node.Map([]string{"bid", "no_bid", "campaign", "rule", "post", "reject"})
	if !ok {
		return want
	}
	bid, noBid := m.Get("bid"), m.Get("no_bid")
	if bid.Exists() == noBid.Exists() {
		node.Fault("a case expects either a bid or none", "bid: 20, or no_bid: outside_area", "")
	}
	if amount, ok := bid.Dollars(); ok {
		if want.Bid = amount; amount == 0 {
			bid.Fault("a bid of $0 is none", "no_bid: declined", "")
		}
	}
	if word, ok := noBid.Word(noBidWords()); ok {
		want.NoBid, _ = pingpost.ParseReason(word)
	}
	want.Campaign, _ = m.Get("campaign").Word(l.campaigns())
	want.Rule, _ = m.Get("rule").Word(l.rules(func(c *rules.Campaign) []*rules.Rule { return c.Rules }))
	want.Post, _ = m.Get("post").Text("accepted, or the word that the exchange is told")
	want.Reject, _ = m.Get("reject").Word(l.rules(func(c *rules.Campaign) []*rules.Rule { return c.Rejects }))
	return want
}

// noBidWords are the reasons that a campaign can give: those of the checks, the price and money.
func noBidWords() []string {
	var words []string
	for _, reason := range pingpost.Reasons() {
		if reason >= pingpost.ExchangeNotBought && reason < pingpost.StoreAway || reason == pingpost.Paused {
			words = append(words, reason.String())
		}
	}
	return words
}

// rules lists the names of all campaigns' rules of one kind, each once.
func (l *loader) rules(of func(*rules.Campaign) []*rules.Rule) []string {
	var names []string
	seen := map[string]bool{}
	for _, campaign := range l.rs.Campaigns() {
		for _, rule := range of(campaign) {
			if !seen[rule.Name] {
				names, seen[rule.Name] = append(names, rule.Name), true
			}
		}
	}
	return names
}
