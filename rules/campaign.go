package rules

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

const (
	day           = 24 * time.Hour
	defaultWindow = 90 * day  // of duplicates
	maxWindow     = 400 * day // of duplicates
	maxRules      = 65_535    // of one campaign: a rule's number fits 16 bits in the index
)

var (
	campaignKeys = []string{"services", "exchanges", "area", "hours", "budget", "capacity", "hours_per_job", "strategy", "value",
		"require", "mode", "priority", "pause", "snooze_until",
		"rules", "ladder", "adjust", "arms", "limits", "on_short_budget", "reject", "duplicates", "delivery"}
	plannedCampaignKeys = []string{"snooze", "experiments", "lookup",
		"tables", "on_floor", "crew_hours", "holdout", "explore", "sources", "blocklist", "goal",
		"target_cpa", "until", "from", "notify", "weight"}
)

func (l *loader) loadCampaigns(node yamlfile.Node) {
	entries, ok := node.Entries("a name with a campaign")
	if ok && len(entries) == 0 {
		node.Fault("there is no campaign", "at least one campaign", "")
	}
	for _, value := range entries {
		if !checkName(value.Key()) {
			continue
		}
		c := l.loadCampaign(value)
		c.Index = len(l.rs.campaigns)
		if other := l.rs.byTag[c.Tag]; other != nil {
			value.Key().Fault("the names "+yamlfile.Quote(other.Name)+" and "+yamlfile.Quote(c.Name)+
				" cannot be told apart in bid ids", "another name for one of them", "")
		}
		l.rs.byTag[c.Tag] = c
		l.rs.campaigns = append(l.rs.campaigns, c)
	}
}

func (l *loader) loadCampaign(node yamlfile.Node) *Campaign {
	key := node.Key()
	hash := fnv.New32a()
	hash.Write([]byte(key.Raw()))
	c := &Campaign{Name: key.Raw(), Tag: hash.Sum32(), Line: key.Line(), Duplicates: defaultWindow}
	m, ok := node.Map(campaignKeys, plannedCampaignKeys...)
	if !ok {
		return c
	}
	c.loadServices(m.Need("services", "services: [hvac]"))
	l.loadCampaignExchanges(c, m.Get("exchanges"))
	c.area = l.loadArea(m.Need("area", "where to buy: area: {zip: 60614, miles: 25}, or {states: [IL]}"))
	c.hours = l.loadHours(m.Get("hours"))
	c.Budget = loadBudget(m.Get("budget"))
	c.Capacity, c.CrewHours = loadCapacityWithCrew(m.Get("capacity"))
	c.require.load(m.Get("require"))
	c.loadLimits(m.Get("limits"))
	pacing := l.loadStrategy(c, m)
	l.loadHoursPerJob(c, m)
	c.loadModes(m.Get("mode"))
	l.loadRules(c, m)
	c.loadLadder(m.Get("ladder"))
	l.loadArms(c, m.Get("arms"))
	c.Pause = l.loadPause(m)
	l.loadPriority(c, m.Get("priority"))
	if word, ok := m.Get("on_short_budget").Word([]string{"skip", "clip"}); ok {
		c.ClipToBudget = word == "clip"
	}
	if window, ok := m.Get("duplicates").Map([]string{"window"}, "scope", "by"); ok {
		if length, ok := window.Get("window").Duration(0, maxWindow); ok {
			c.Duplicates = length
		}
	}
	c.loadDelivery(m.Get("delivery"))
	l.checkCovered(c, key)
	l.checkPaced(c, pacing)
	return c
}

func (c *Campaign) loadServices(node yamlfile.Node) {
	for _, item := range node.OneOrList() {
		word, ok := item.Word(pingpost.ServiceWords())
		if !ok {
			continue
		}
		service, _ := pingpost.ParseService(word)
		c.services |= serviceBit(service)
		c.Services = append(c.Services, service)
	}
	if node.IsList() && len(node.OneOrList()) == 0 {
		node.Fault("the list is empty: nothing would be bought", "services: [hvac]", "")
	}
}

func (l *loader) loadCampaignExchanges(c *Campaign, node yamlfile.Node) {
	var names []string
	for _, exchange := range l.rs.exchanges {
		names = append(names, exchange.Name)
	}
	if !node.Exists() {
		c.Exchanges = names
	}
	for _, item := range node.OneOrList() {
		name, ok := item.Text("the name of an exchange")
		if !ok {
			continue
		}
		if _, known := l.rs.exchangeIndex[name]; !known {
			nearest, _ := yamlfile.Nearest(name, names)
			item.Fault("there is no exchange "+yamlfile.Quote(name), yamlfile.Choice(names), nearest)
			continue
		}
		if !slices.Contains(c.Exchanges, name) {
			c.Exchanges = append(c.Exchanges, name)
		}
	}
	for _, name := range c.Exchanges {
		c.exchanges |= 1 << l.rs.exchangeIndex[name]
	}
}

// loadCapacity reads {leads: {day: 12, hour: 3}}.
func loadCapacity(node yamlfile.Node) (limits Limits) {
	m, ok := node.Map([]string{"leads"}, "jobs", "calendar", "calls")
	if !ok {
		return limits
	}
	return loadLeads(m.Need("leads", "leads: {day: 12}"))
}

func loadLeads(node yamlfile.Node) (limits Limits) {
	leads, ok := node.Map(periodWords(), "year", "quarter")
	if !ok {
		return limits
	}
	for _, period := range pingpost.Periods() {
		if n, ok := leads.Get(period.String()).Int(0, 10_000_000); ok {
			limits[period] = Limit{N: n, Set: true}
		}
	}
	return limits
}

func (c *Campaign) loadLimits(node yamlfile.Node) {
	m, ok := node.Map([]string{"min_bid", "max_bid", "on_floor"}, "max_price", "step")
	if !ok {
		return
	}
	c.MinBid, _ = m.Get("min_bid").Dollars()
	most, ok := m.Get("max_bid").Dollars()
	c.MaxBid = most
	c.loadOnFloor(m.Get("on_floor"))
	switch {
	case ok && most == 0:
		m.Get("max_bid").Fault("a max_bid of $0 would bid nothing", "an amount above $0", "")
	case ok && most < c.MinBid:
		m.Get("max_bid").Fault("max_bid "+most.String()+" is below min_bid "+c.MinBid.String()+": nothing could be bid",
			"a max_bid of at least min_bid", "")
	}
}

// loadOnFloor reads what becomes of a bid below the exchange's floor. A rule's number is the most
// that the contractor would pay; to go above it takes their word for how far: max_bid.
func (c *Campaign) loadOnFloor(node yamlfile.Node) {
	word, ok := node.Word([]string{"skip", "raise"})
	if c.RaiseToFloor = ok && word == "raise"; c.RaiseToFloor && c.MaxBid == 0 {
		node.Fault("on_floor: raise needs max_bid: a bid is raised to the exchange's floor, and never above max_bid",
			"max_bid beside it", "")
	}
}

func (l *loader) loadRules(c *Campaign, m yamlfile.Map) {
	needed := m.Need("rules", "at least one rule: - bid: 20")
	items, ok := needed.List("rules, each with a bid and, mostly, a when")
	if ok && len(items) == 0 {
		needed.Fault("there is no rule, so that nothing has a price", "at least one rule: - bid: 20", "")
	}
	if len(items) > maxRules {
		needed.Fault(fmt.Sprintf("there are more than %d rules", maxRules), "several campaigns", "")
		items = nil
	}
	for i, item := range items {
		c.Rules = append(c.Rules, l.loadRule(c, item, fmt.Sprintf("rule %d", i+1)))
	}
	items, _ = m.Get("adjust").List("adjustments, each with multiply or add")
	for i, item := range items {
		c.Adjusts = append(c.Adjusts, l.loadAdjust(c, item, fmt.Sprintf("adjust %d", i+1)))
	}
	items, _ = m.Get("reject").List("reject rules, each with a when")
	for i, item := range items {
		c.Rejects = append(c.Rejects, l.loadReject(item, fmt.Sprintf("reject %d", i+1)))
	}
}

var plannedRuleKeys = []string{"value", "mode", "on_floor", "arms", "holdout", "ladder", "lookup",
	"table", "until",
	"from", "note", "percent", "max", "min", "priority", "stop", "set"}

func (l *loader) loadRule(c *Campaign, node yamlfile.Node, name string) *Rule {
	rule := &Rule{Name: name, Line: node.Line(), chosen: anything()}
	m, ok := node.Map([]string{"name", "when", "bid"}, plannedRuleKeys...)
	if !ok {
		return rule
	}
	rule.loadName(m)
	l.loadWhen(c, rule, m.Get("when"), atPing, true)
	bid := m.Need("bid", "bid: 20, the dollars to pay at most")
	if price := l.loadNumber(c, bid,
		"the dollars to pay at most, such as 20 or 18 + 0.1 * (lead_score ?? 50)"); price != nil {
		rule.Bid, rule.bid = bid.Raw(), *price
		if price.isConstant() && price.constant < 0 {
			bid.Fault("a bid cannot be negative", "0 to decline, or the dollars to pay at most", "")
		}
	}
	return rule
}

func (r *Rule) loadName(m yamlfile.Map) {
	if text, ok := m.Get("name").Text("a name"); ok && strings.TrimSpace(text) != "" {
		r.Name = text
	}
}

// loadWhen reads a condition; without one the rule always holds. Where split is asked for, the
// index takes what it can decide.
func (l *loader) loadWhen(c *Campaign, rule *Rule, node yamlfile.Node, where place, split bool) {
	text, ok := expressionText(node, `a condition, such as urgency == "emergency"`)
	if !ok {
		return
	}
	made, _ := l.x.condition(source{text, where, node}, split)
	rule.When, rule.when, rule.chosen = text, made.when, made.chosen
	if c != nil {
		c.usesFacts = c.usesFacts || made.facts
	}
}

func (l *loader) loadNumber(c *Campaign, node yamlfile.Node, expected string) *number {
	text, ok := expressionText(node, expected)
	if !ok {
		return nil
	}
	made, facts, ok := l.x.number(source{text, atPing, node})
	if !ok {
		return nil
	}
	c.usesFacts = c.usesFacts || facts
	return &made
}

// expressionText gives an expression as written: nothing expands in it. A variable in a rule
// would change what is bought from outside the file that was checked.
func expressionText(node yamlfile.Node, expected string) (string, bool) {
	text, ok := node.Literal(expected)
	if ok && strings.TrimSpace(text) == "" {
		node.Fault("the expression is empty", expected, "")
		return "", false
	}
	return text, ok
}

var reasonWord = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func (l *loader) loadReject(node yamlfile.Node, name string) *Rule {
	rule := &Rule{Name: name, Line: node.Line(), Reason: pingpost.RejectedByRule.String()}
	m, ok := node.Map([]string{"name", "when", "customers", "reason"}, "note", "until", "from")
	if !ok {
		return rule
	}
	rule.loadName(m)
	switch when, listed := m.Get("when"), m.Get("customers"); {
	case when.Exists() == listed.Exists():
		node.Fault("a reject rule has either a condition or a list of customers",
			`when: 'lead.city == "Gary"', or customers: {file: customers.sha256}`, "")
	case listed.Exists():
		rule.customers = l.loadCustomers(listed)
	default:
		l.loadWhen(nil, rule, when, atPost, false)
	}
	if text, ok := m.Get("reason").Text("a word"); ok {
		if !reasonWord.MatchString(text) {
			m.Get("reason").Fault(yamlfile.Quote(text)+" cannot be a reason",
				"a word in small letters, such as outside_area", "")
		}
		rule.Reason = text
	}
	return rule
}

func (c *Campaign) loadDelivery(node yamlfile.Node) {
	for i, item := range node.OneOrList() {
		m, ok := item.Map([]string{"name", "webhook", "file"}, "email", "sms", "format", "crm",
			"headers", "slack", "template")
		if !ok {
			continue
		}
		var target Target
		switch webhook, file := m.Get("webhook"), m.Get("file"); {
		case webhook.Exists() == file.Exists():
			item.Fault("a delivery goes to either a webhook or a file",
				`{webhook: {url: "https://..."}} or {file: leads.jsonl}`, "")
			continue
		case file.Exists():
			target.Name = fmt.Sprintf("file-%d", i+1)
			target.File, _ = file.Text("a path")
		default:
			target.Name = fmt.Sprintf("webhook-%d", i+1)
			target.loadWebhook(webhook, c.Name)
		}
		if text, ok := m.Get("name").Text("a name"); ok {
			target.Name = text
		}
		for _, other := range c.Delivery {
			if other.Name == target.Name {
				item.Fault("two deliveries are called "+yamlfile.Quote(target.Name),
					"a name of its own for each", "")
			}
		}
		c.Delivery = append(c.Delivery, target)
	}
}

func (t *Target) loadWebhook(node yamlfile.Node, campaign string) {
	m, ok := node.Map([]string{"url", "secret"}, "headers", "format", "method", "retry", "template")
	if !ok {
		return
	}
	address := m.Need("url", "the https address that takes leads")
	if text, ok := address.Text("an https address"); ok {
		if _, ok := parseWebAddress(text); !ok {
			typed := ""
			if rest, isHTTP := strings.CutPrefix(text, "http://"); isHTTP {
				typed = "https://" + rest
			}
			address.Fault(yamlfile.Quote(text)+" is no address for leads",
				"an https address: a lead is personal data", typed)
		}
		t.Webhook = text
	}
	const expected = `"${NAME}": whsec_ and 24 to 64 random bytes in base64`
	secret := m.Need("secret", expected)
	text, ok := secret.Secret(expected, variableName(campaign)+"_SECRET")
	if ok && !isWebhookSecret(text) {
		secret.Fault("this is no webhook secret", expected, "")
	}
	t.Secret = text
}

// isWebhookSecret checks the form that Standard Webhooks gives: whsec_ and 24 to 64 bytes.
func isWebhookSecret(text string) bool {
	encoded, ok := strings.CutPrefix(text, "whsec_")
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	return ok && err == nil && len(key) >= 24 && len(key) <= 64
}

// checkCovered warns of a campaign that no dollar cap covers: it never bids, since nothing says
// what it may spend.
func (l *loader) checkCovered(c *Campaign, key yamlfile.Node) {
	if c.Budget.limited() || l.rs.settings.Business.Budget.limited() || l.faults.Any() {
		return // what is faulty may be the budget
	}
	for _, name := range c.Exchanges {
		if exchange := l.rs.Exchange(name); !exchange.Budget.limited() {
			key.Warn(fmt.Sprintf("the campaign will never bid on %s: no budget in dollars covers it", name),
				"a budget for the campaign, the exchange or the business", "budget: {day: $100}")
			return
		}
	}
}

// checkPaced warns of a campaign that asks for a pace and has no cap to spread: an hour is too short,
// and a total has no end. A crew's days are paced by their hours.
func (l *loader) checkPaced(c *Campaign, pacing yamlfile.Node) {
	business := &l.rs.settings.Business
	if c.Strategy.Pacing == Asap || c.hoursPerJob != nil || l.faults.Any() || c.Budget.spread() || c.Capacity.spread() ||
		business.Budget.spread() || business.Capacity.spread() {
		return
	}
	for _, name := range c.Exchanges {
		if exchange := l.rs.Exchange(name); !exchange.Budget.spread() && !exchange.Capacity.spread() {
			pacing.Warn(fmt.Sprintf("there is nothing to spread on %s: no budget or capacity of a day, a week or a month covers it, so leads are bought as they come", name),
				"a budget for longer than an hour", "budget: {day: $100}")
			return
		}
	}
}

// spread reports whether some period has a limit that can be spread over it.
func (l Limits) spread() bool {
	return l[pingpost.Day].Set || l[pingpost.Week].Set || l[pingpost.Month].Set
}

// limited reports whether some period has a limit.
func (l Limits) limited() bool {
	for _, limit := range l {
		if limit.Set {
			return true
		}
	}
	return false
}
