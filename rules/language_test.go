package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// languagePage is docs/language.md as its test reads it: blocks by the word behind their ```.
type languagePage struct {
	t    *testing.T
	ping *pingpost.Ping
	top  string
}

var (
	fencedBlock   = regexp.MustCompile("(?ms)^```([a-z ]+)\n(.*?)^```$")
	languageLine  = regexp.MustCompile(`^(.*?)\s+# (.*)$`)
	languageFacts = &Facts{WinRate: Rate{Value: 0.25, Known: true}}
)

// TestLanguagePage runs every example of the page and holds it against the result that it states.
func TestLanguagePage(t *testing.T) {
	text, err := os.ReadFile("../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	languageFacts.Budget[pingpost.Day] = Usage{Known: true, SpentShare: 0.25, Pace: 0.5, Left: 300}
	languageFacts.Capacity[pingpost.Day] = Usage{Known: true, SpentShare: 0.25, Pace: 0.5, Left: 9}
	page := &languagePage{t: t}
	run := map[string]func(example string) string{
		"condition": page.condition, "price": page.price, "campaign": page.campaign, "area": page.area,
		"business": page.business, "reject": page.reject,
	}
	examples := 0
	for _, block := range fencedBlock.FindAllStringSubmatch(string(text), -1) {
		kind, body := block[1], block[2]
		switch kind {
		case "json ping":
			page.ping = decodePing(t, body)
			continue
		case "yaml top":
			page.top = body
			continue
		}
		ask := run[kind]
		if ask == nil {
			t.Errorf("a block of %q is not tested", kind)
			continue
		}
		for _, line := range strings.Split(strings.TrimSpace(body), "\n") {
			parts := languageLine.FindStringSubmatch(line)
			if parts == nil {
				t.Errorf("no result is stated: %s", line)
				continue
			}
			examples++
			stated, _, _ := strings.Cut(strings.ReplaceAll(parts[2], "; ", ": "), ": ")
			if reason, ok := strings.CutPrefix(parts[2], "no bid: "); ok {
				stated = "no bid: " + strings.FieldsFunc(reason, func(r rune) bool { return r == ':' || r == ';' })[0]
			}
			got := ask(parts[1])
			if words, ok := strings.CutPrefix(parts[2], "fault: "); ok && strings.Contains(got, words) {
				continue
			}
			if got != stated {
				t.Errorf("%s\ngot   %s\npage  %s", parts[1], got, stated)
			}
		}
	}
	if examples < 80 {
		t.Errorf("only %d examples were found", examples)
	}
}

func decodePing(t *testing.T, body string) *pingpost.Ping {
	t.Helper()
	native, err := wire.Load("native")
	if err != nil {
		t.Fatal(err)
	}
	ping := &pingpost.Ping{}
	if err := native.DecodePing(ping, []byte(body)); err != nil {
		t.Fatal(err)
	}
	ping.Exchange = "north"
	return ping
}

// load loads a configuration of the page's top, these business settings and this one campaign.
func (p *languagePage) load(business, campaign string) (*Ruleset, *yamlfile.Faults) {
	phone := sha256.Sum256([]byte("+13125550123"))
	return Load(fstest.MapFS{
		"tiers.csv":        {Data: []byte("zip,price\n60614,35\n60601,20\n")},
		"customers.sha256": {Data: []byte(hex.EncodeToString(phone[:]) + "\n")},
		"bidder.yaml": {Data: []byte("version: 1\nbusiness: {name: Lakeview, timezone: America/Chicago, budget: {day: $500}" + business + "}\n" +
			"exchanges: {north: {auth: {bearer: \"${NORTHSIDE_KEY}\"}, auction: first}}\n" + p.top +
			"campaigns: {c: {services: [hvac], " + campaign + "}}\n")},
	}, "bidder.yaml", testenv)
}

// bid is what the campaign makes of the page's ping, or why nothing.
func (p *languagePage) bid(campaign string) (price Price, words string) {
	rs, faults := p.load("", campaign)
	if rs == nil {
		return Price{}, "fault: " + faults.String()
	}
	c, e := rs.Campaigns()[0], rs.NewEvaluation()
	e.Begin(monday, p.ping)
	if reason := c.Covers(p.ping); reason != pingpost.ReasonNone {
		return Price{}, "no bid: " + reason.String()
	}
	if reason := e.Check(c, nil); reason != pingpost.ReasonNone {
		return Price{}, "no bid: " + reason.String()
	}
	price = e.Price(c, languageFacts, nil)
	if price.Reason != pingpost.ReasonNone {
		return price, "no bid: " + price.Reason.String()
	}
	cents, reason := c.Bid(price.Dollars, p.ping.Floor, nil)
	if reason != pingpost.ReasonNone {
		return price, "no bid: " + reason.String()
	}
	return price, "bid " + cents.String()
}

func (p *languagePage) condition(example string) string {
	switch price, words := p.bid("area: {states: [IL]}, rules: [{bid: 50, when: " + yamlQuote(example) + "}]"); {
	case words == "bid $50.00":
		return "holds"
	case price.Reason == pingpost.NoRule:
		return "does not hold"
	default:
		return words
	}
}

func (p *languagePage) price(example string) string {
	price, words := p.bid("area: {states: [IL]}, rules: [{bid: " + yamlQuote(example) + "}]")
	switch price.Reason {
	case pingpost.MissingField:
		return "missing " + price.Missing
	case pingpost.Declined:
		return "declined"
	}
	if strings.HasPrefix(words, "fault") {
		return words
	}
	return shown(price.Dollars).String()
}

func (p *languagePage) campaign(example string) string {
	_, words := p.bid("area: {states: [IL]}, " + example)
	return words
}

func (p *languagePage) area(example string) string {
	rs, faults := p.load("", "rules: [{bid: 20}], area: "+example)
	if rs == nil {
		return faults.String()
	}
	return describeZIPs(&rs.Campaigns()[0].area)
}

func (p *languagePage) business(example string) string {
	if rs, faults := p.load(", "+example, "area: {states: [IL]}, rules: [{bid: 20}]"); rs == nil {
		return faults.String()
	}
	return "loads"
}

func (p *languagePage) reject(example string) string {
	rs, faults := p.load("", "area: {states: [IL]}, rules: [{bid: 20}], reject: ["+example+"]")
	if rs == nil {
		return faults.String()
	}
	post := &pingpost.Post{Exchange: "north", ZIP: 46402, Service: pingpost.HVAC, Lead: pingpost.Lead{
		Phone: pingpost.NewPrivate("(312) 555-0123"), Email: pingpost.NewPrivate("jo@example.com"), City: "Gary", State: "IN", ZIP: 46402,
		Notes: pingpost.NewPrivate("Tenant, call after 5")}}
	post.Contact = pingpost.Contact{PhoneType: pingpost.PhoneLandlineOrMobile, Digests: [2][32]byte{sha256.Sum256([]byte("+13125550123"))}}
	if _, _, rejected := rs.NewEvaluation().Reject(rs.Campaigns()[0], post, monday, nil); rejected {
		return "rejects"
	}
	return "does not reject"
}
