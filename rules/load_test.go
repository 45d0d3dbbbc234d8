package rules

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

func TestSettings(t *testing.T) {
	rs := mustLoad(t, "testdata/good", "design.yaml")
	s := rs.Settings()
	if s.Business.Name != "Lakeview Heating" || s.Business.Location.String() != "America/Chicago" ||
		s.Business.Budget[pingpost.Month] != (Limit{8000_00, true}) || s.Store != "sqlite:data/bidder.db" ||
		s.Server.Listen != "0.0.0.0:8080" || s.PauseFile != "data/paused" || s.Record.Dir != "" || s.Mode != Live {
		t.Errorf("%+v", s)
	}
	e := rs.Exchange("northside")
	if e.Commitment != Refusable || e.BidTTL != time.Minute || e.HoldFor != 10*time.Second || e.Grace == 0 ||
		e.Auction != pingpost.AuctionFirst || e.Tells != TellsResult || e.Budget[pingpost.Day].N != 300_00 || len(e.Bearer) != 32 {
		t.Errorf("%+v", e)
	}
	if rs.Exchange("x") != nil || len(rs.Exchanges()) != 1 || rs.Campaign("x") != nil {
		t.Error("found what is not there")
	}
	c := rs.Campaign("hvac-chicago")
	if c == nil || rs.CampaignByTag(c.Tag) != c || c.Capacity[pingpost.Hour].N != 3 || c.MaxBid != 60_00 ||
		c.Duplicates != 90*day || c.Delivery[0].Name != "webhook-1" || c.Rules[0].Line != 27 {
		t.Errorf("campaign %s, tag %d, rule on line %d", c.Name, c.Tag, c.Rules[0].Line)
	}
}

func TestDefaults(t *testing.T) {
	rs, c := one(t, "    rules: [{bid: 20}]\n")
	e := rs.Exchange("north")
	if e.Commitment != Binding || e.Profile != "native" || e.BidTTL != time.Minute || e.HoldFor != 10*time.Second || e.Reasons {
		t.Errorf("%+v", e)
	}
	if !slices.Equal(c.Exchanges, []string{"north"}) || c.Duplicates != 90*day {
		t.Errorf("%+v", c)
	}
	if s := rs.Settings().Server; s.Listen != "127.0.0.1:8080" || s.Admin != "127.0.0.1:8081" {
		t.Errorf("%+v", s)
	}
	rs, _ = loadWhole(strings.Replace(frame, "version: 1", "version: 1\nmode: observe", 1) + "    rules: [{bid: 20}]\n")
	if rs.Settings().Mode != Observe || rs.Settings().Record.Dir != "data/recordings" {
		t.Errorf("an observing bidder records: %+v", rs.Settings())
	}
}

func TestTheMostCarefulModeWins(t *testing.T) {
	const live, observe = "live", "observe"
	for _, test := range []struct {
		business, exchange, campaign string
		want                         Mode
		ofRules                      RuleMode
	}{
		{live, live, live, Live, FirstMatch},
		{observe, live, live, Observe, FirstMatch},
		{live, observe, "[live, highest]", Observe, Highest},
		{live, live, observe, Observe, FirstMatch},
		{live, live, "sum", Live, Sum},
		{live, live, "[sum, observe]", Observe, Sum},
	} {
		text := strings.Replace(frame, "version: 1", "version: 1\nmode: "+test.business, 1)
		text = strings.Replace(text, "north: {", "north: {mode: "+test.exchange+", ", 1)
		rs, faults := loadWhole(text + "    rules: [{bid: 20}]\n    mode: " + test.campaign + "\n")
		if rs == nil {
			t.Fatalf("%+v: %v", test, faults)
		}
		c := rs.Campaigns()[0]
		if got := rs.ModeOf(c, rs.Exchange("north")); got != test.want || c.RuleMode != test.ofRules {
			t.Errorf("%+v: mode %v, rules %v", test, got, c.RuleMode)
		}
	}
}

func TestAreas(t *testing.T) {
	f := func(area string, has, hasNot []pingpost.ZIP) {
		t.Helper()
		_, c := loadCampaign(t, strings.Replace(frame, "{zips: [60614, 60043, 60045, 46402], prefixes: [606]}", area, 1)+"    rules: [{bid: 1}]\n")
		for _, zip := range has {
			if !c.area.has(zip) {
				t.Errorf("%s lacks %v", area, zip)
			}
		}
		for _, zip := range hasNot {
			if c.area.has(zip) {
				t.Errorf("%s has %v", area, zip)
			}
		}
		if listed := c.area.list(); len(listed) != c.area.count || !slices.IsSorted(listed) {
			t.Errorf("%s: %d listed, %d counted", area, len(listed), c.area.count)
		}
	}
	f("{zip: 60614}", []pingpost.ZIP{60614}, []pingpost.ZIP{60615})
	f("{zip: 60614, miles: 25, only_states: [IL], except: [60827]}", []pingpost.ZIP{60614, 60615}, []pingpost.ZIP{46320, 60827})
	f("{zip: 60614, miles: 25}", []pingpost.ZIP{60614, 46320}, []pingpost.ZIP{53202})
	f("{states: [IL, WI]}", []pingpost.ZIP{60614, 53202}, []pingpost.ZIP{46320})
	f("{states: de}", []pingpost.ZIP{19801}, []pingpost.ZIP{60614})
	f("{prefixes: ['060', 606]}", []pingpost.ZIP{6001, 60614}, []pingpost.ZIP{60043})
	f("{lists: rich, except: [60614]}", []pingpost.ZIP{60043}, []pingpost.ZIP{60614})
	f("{counties: ['Cook, IL', 'Lake County, in']}", []pingpost.ZIP{60614, 46402}, []pingpost.ZIP{60045})
	f("{circles: [{zip: 60614, miles: 5}, {zip: 53202, miles: 5}]}", []pingpost.ZIP{60614, 53202}, []pingpost.ZIP{60043})
	f("{prefixes: [606], except: [rich]}", []pingpost.ZIP{60615}, []pingpost.ZIP{60614})
}

func TestWarnings(t *testing.T) {
	f := func(change func(string) string, campaign, want string) {
		t.Helper()
		rs, faults := loadWhole(change(frame) + campaign)
		if rs == nil || !strings.Contains(faults.String(), want) {
			t.Errorf("want %q, got\n%s", want, faults)
		}
	}
	same := func(s string) string { return s }
	rules := "    rules: [{bid: 20}]\n"
	f(func(s string) string {
		return strings.Replace(s, "{zips: [60614, 60043, 60045, 46402], prefixes: [606]}", "{zip: 60614, miles: 25}", 1)
	},
		rules, "warning: the circle crosses a state line: it holds 238 ZIPs in IL, 5 in IN")
	f(func(s string) string { return strings.Replace(s, ", budget: {day: $500}", "", 1) }, rules,
		"warning: the campaign will never bid on north: no budget in dollars covers it")
	f(same, "    rules: [{bid: 20}, {bid: 30, when: exclusive}]\n", `warning: this rule is never asked: "rule 1" above it always holds`)
	f(func(s string) string { return strings.Replace(s, `"${NORTHSIDE_KEY}"`, "a-key-in-the-open-file", 1) }, rules, "warning: a secret is written out")
	f(func(s string) string { return strings.Replace(s, "60043, ", "60043, 60600, ", 1) }, rules, "is not in the table")
}

func TestListsFromSpreadsheets(t *testing.T) {
	f := func(content string, want []string) {
		t.Helper()
		fsys := fstest.MapFS{"conf/bidder.yaml": {Data: []byte(frame + "    rules: [{bid: 1, when: source in extra}]\n")},
			"conf/rich.txt": {Data: []byte("60614\n")}, "conf/lists/extra.csv": {Data: []byte(content)}}
		fsys["conf/bidder.yaml"].Data = []byte(strings.Replace(string(fsys["conf/bidder.yaml"].Data), "lists:\n", "lists:\n  extra: {file: lists/extra.csv}\n", 1))
		rs, faults := Load(fsys, "conf/bidder.yaml", testenv)
		if rs == nil {
			t.Fatal(faults)
		}
		e := rs.NewEvaluation()
		for _, source := range append(want, "zip", "#", "x y z") {
			p := basePing()
			p.Source = source
			e.Begin(monday, p)
			if price := e.Price(rs.Campaigns()[0], nil, nil); (price.Reason == 0) != slices.Contains(want, source) {
				t.Errorf("%q: %s is found: %v", content, source, price.Reason == 0)
			}
		}
	}
	f("a\nb\n", []string{"a", "b"})
	f("\xef\xbb\xbfZIP Code\r\n60614-1234\r\n\"00501\"\r\n", []string{"60614", "00501"})
	f("# mine\n\n  a , 1\nb;2\nc\t3 # why\n'd'\n", []string{"a", "b", "c", "d"})
	f("source\nzip-like\n", []string{"zip-like"})
}

func TestHashCoversEverythingThatDecides(t *testing.T) {
	base := fstest.MapFS{"b.yaml": {Data: []byte(frame + "    rules: [{bid: 1, when: zip in rich}]\n")}, "rich.txt": {Data: []byte("60614\n")}}
	hash := func(fsys fstest.MapFS, getenv func(string) (string, bool)) string {
		rs, faults := Load(fsys, "b.yaml", getenv)
		if rs == nil {
			t.Fatal(faults)
		}
		return rs.Hash()
	}
	first := hash(base, testenv)
	if len(first) != 64 || hash(base, testenv) != first {
		t.Error("the hash is not stable")
	}
	if hash(base, func(string) (string, bool) { return "another-secret-of-enough-length", true }) != first {
		t.Error("a secret changes the hash")
	}
	if hash(fstest.MapFS{"b.yaml": base["b.yaml"], "rich.txt": {Data: []byte("60615\n")}}, testenv) == first {
		t.Error("a list does not change the hash")
	}
	if hash(fstest.MapFS{"b.yaml": {Data: append([]byte("# x\n"), base["b.yaml"].Data...)}, "rich.txt": base["rich.txt"]}, testenv) == first {
		t.Error("the configuration does not change the hash")
	}
}

func TestKeepsAttr(t *testing.T) {
	rs, faults := loadWhole(strings.Replace(frame, "version: 1", "version: 1\nrecord: {attrs: [listed]}", 1) +
		"    rules: [{bid: attrs.priced, when: known(attrs.asked)}]\n    reject: [{when: attrs.posted == 1}]\n    adjust: [{add: 'attrs.added ?? 1'}]\n")
	if rs == nil {
		t.Fatal(faults)
	}
	for name, want := range map[string]bool{"listed": true, "priced": true, "asked": true, "posted": true, "added": true, "other": false} {
		if rs.KeepsAttr(name) != want {
			t.Errorf("KeepsAttr(%s) = %v", name, !want)
		}
	}
}

// What somebody who may write the file could try: it must end in faults, and fast.
func TestHostileConfigurations(t *testing.T) {
	f := func(what, campaign string) {
		t.Helper()
		rs, faults := loadText(campaign)
		if rs != nil || !faults.Any() {
			t.Errorf("%s was accepted", what)
		}
		if text := faults.String(); len(text) > 1<<20 {
			t.Errorf("%s: %d bytes of faults", what, len(text))
		}
	}
	rule := func(when string) string { return "    rules:\n      - bid: 1\n        when: '" + when + "'\n" }
	const million = 900_000
	f("a megabyte of (", rule(strings.Repeat("(", million)))
	f("a megabyte of [", rule(strings.Repeat("[", million)))
	f("a megabyte of -", rule(strings.Repeat("-", million)))
	f("a megabyte of !", rule(strings.Repeat("!", million)))
	f("a megabyte of not", rule(strings.Repeat("not ", million/4)))
	f("7 KiB of (", rule(strings.Repeat("(", 7000)))
	f("7 KiB of -", rule(strings.Repeat("-", 7000)+"1 > 0"))
	f("7 KiB of - and +, spaced", rule(strings.Repeat("- + ", 1700)+"1 > 0"))
	f("7 KiB of not", rule(strings.Repeat("not ", 1700)+"test"))
	f("7 KiB of !", rule(strings.Repeat("! ", 3000)+"test"))
	f("7 KiB of **", rule(strings.Repeat("2 ** ", 1400)+"2 > 1"))
	f("7 KiB of ? :", rule(strings.Repeat("test ? 1 : ", 600)+"2 > 1"))
	f("conditions inside conditions", rule(strings.Repeat("((", 30)+"lead_score > 1"+strings.Repeat(" ? lead_score : max_sold) > 1)", 30)))
	f("a range", rule("1 in 1..900000000"))
	f("a loop", rule("reduce(1..900000, # + #acc) > 1"))
	f("a variable", rule("let x = 1; x > 0"))
	f("a sequence", rule("1 > 0; 2 > 1"))
	f("an if", rule("if test { true } else { false }"))
	f("the environment", rule(`$env["?facts"] == 1`))
	f("a hidden name", rule(`attrs.x == ?facts`))
	f("a slice", rule("sub_ids[0:1] == 1"))
	f("a map", rule("{a: 1}.a == 1"))
	f("an index", rule(`sub_ids[0] == "a"`))
	f("optional chaining", rule(`attrs?.x == "a"`))
	f("a method", rule(`zip.String() == "a"`))
	f("nil", rule("lead_score == nil"))
	f("control characters", "    rules:\n      - bid: \"\x01\x02\"\n")
	f("an empty expression", rule(" "))
	f("a hundred thousand rules", "    rules: ["+strings.Repeat("{bid: 1},", 100_000)+"]\n")
}

func TestEveryZIPOfTheTableCanBeBought(t *testing.T) {
	_, c := loadCampaign(t, strings.Replace(frame, "{zips: [60614, 60043, 60045, 46402], prefixes: [606]}",
		"{prefixes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}", 1)+"    rules: [{bid: 1}]\n")
	if c.area.count != zips.Count() {
		t.Errorf("%d of %d", c.area.count, zips.Count())
	}
}

func TestMayShareBooks(t *testing.T) {
	f := func(store string, want bool) {
		t.Helper()
		files := fstest.MapFS{"bidder.yaml": {Data: []byte("version: 7\n" + store + "\n")}}
		if got := MayShareBooks(files, "bidder.yaml", testenv); got != want {
			t.Errorf("%s: %v", store, got)
		}
	}
	f("", false)
	f("store:", false)
	f("store: sqlite:data/bidder.db", false)
	f(`store: "sqlite:${NOT_SET}/bidder.db"`, false)
	f("store: postgres://bidder@db.example/leadbid", true)
	f(`store: "postgres://bidder:${NOT_SET}@db.example/leadbid"`, true)
	f(`store: "${NOT_SET}"`, true)
	f("store: {a: ]", true) // no YAML
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"    rules: [{bid: 20}]\n", "    rules: [{bid: 1 / 0, when: zip in rich}]\n    hours: {mon: \"1\"}\n",
		"    area: {zip: 60614, miles: 1}\n    limits: {min_bid: $5,000}\n", "    reject: [{when: lead.city == \"x\"}]\n", "x",
		"    mode: sum\n    rules: [{bid: 20}]\n    ladder: {2: 60%, 3: $12, unknown: 0.5}\n    arms: [{name: a, share: 50%}, {name: b, share: 50%, cap: 9}]\n",
		"    rules: [{bid: 20, when: 'zip in [\"606*\", \"60601-60661\"]'}]\n    limits: {max_bid: $9, on_floor: raise}\n    snooze_until: 2026-12-01\n",
		"    rules: [{bid: 20}]\n    reject: [{customers: {file: rich.txt}}]\n    adjust: [{set: 9}, {cap: -1}]\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, campaign string) {
		rs, faults := loadText(campaign)
		if (rs == nil) != faults.Any() {
			t.Fatal("a Ruleset is nil exactly where there is a fault")
		}
		_ = faults.String()
		if rs != nil {
			rs.Summary()
		}
	})
}

func FuzzExpression(f *testing.F) {
	for _, seed := range []string{`zip == "60614" and not (lead_score > 5)`, `18 + 0.1 * (lead_score ?? 50)`, `known(attrs.x) ? 1 : 2`,
		`"a" in sub_ids`, `source not matches "^g"`, `-lead_score ** 2 / 0`, `homeowner ?? !exclusive`, `budget.day.pace < 1`, `attrs.a == attrs.b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, key := range []string{"when", "bid"} {
			rule := "    rules: [{bid: " + yamlQuote(text) + "}]\n"
			if key == "when" {
				rule = "    rules: [{bid: 1, when: " + yamlQuote(text) + "}]\n"
			}
			rs, faults := loadText(rule)
			if (rs == nil) != faults.Any() {
				t.Fatal("a Ruleset is nil exactly where there is a fault")
			}
			if rs == nil {
				continue
			}
			e := rs.NewEvaluation()
			for _, p := range []*pingpost.Ping{basePing(), {Exchange: "north", Service: pingpost.HVAC, ZIP: 60614}} {
				e.Begin(monday, p)
				price := e.Price(rs.Campaigns()[0], nil, nil)
				if key == "when" && price.Reason == pingpost.RuleError {
					t.Fatalf("the condition %q fails at run time", text)
				}
				if cents, reason := rs.Campaigns()[0].Bid(price.Dollars, 0, nil); reason == 0 && (cents <= 0 || cents > 1_000_000_00) {
					t.Fatalf("%q bids %v", text, cents)
				}
			}
		}
	})
}
