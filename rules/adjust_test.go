package rules

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"leadbid/pingpost"
)

// pathOf prices the ping and gives the way of the price in one line, or the reason.
func pathOf(t *testing.T, campaign string, p *pingpost.Ping) string {
	t.Helper()
	rs, c := one(t, campaign)
	e := rs.NewEvaluation()
	e.Begin(monday, p)
	tr := &Trace{}
	price := e.Price(c, nil, tr)
	if plain := e.Price(c, nil, nil); plain != price {
		t.Errorf("traced %+v, untraced %+v", price, plain)
	}
	if price.Reason != pingpost.ReasonNone {
		return price.Reason.String()
	}
	cents, reason := c.Bid(price.Dollars, p.Floor, tr)
	if reason != pingpost.ReasonNone {
		return reason.String()
	}
	path := tr.Path()
	if !strings.HasSuffix(path, "-> bid "+cents.String()) {
		t.Errorf("%s does not end in %s", path, cents)
	}
	return path
}

func TestRuleModes(t *testing.T) {
	f := func(mode, rules, want string) {
		t.Helper()
		if got := pathOf(t, "    mode: "+mode+"\n    rules: "+rules+"\n", basePing()); got != want {
			t.Errorf("%s of %s\ngot  %s\nwant %s", mode, rules, got, want)
		}
	}
	const three = `[{name: a, when: job == "repair", bid: 20}, {name: b, when: lead_score > 70, bid: 30.005}, {name: c, bid: 25}]`
	f("first", three, `your price $20.00 -> bid $20.00`)
	f("highest", three, `your price $30.00 (the highest of 3 rules, "b") -> bid $30.00`)
	f("sum", three, `your price $75.00 (the sum of 3 rules) -> bid $75.00`)
	const one = `[{name: a, when: job == "install", bid: 20}, {name: b, bid: 30}]`
	f("highest", one, `your price $30.00 (the highest of 1 rule, "b") -> bid $30.00`)
	f("sum", one, `your price $30.00 (the sum of 1 rule) -> bid $30.00`)
	// Nothing matches, a field is missing: as in any mode.
	f("sum", `[{when: job == "install", bid: 20}]`, "no_rule")
	f("highest", `[{bid: max_sold}]`, "missing_field")
	f("sum", `[{bid: max_sold}, {bid: 4}]`, `your price $4.00 (the sum of 1 rule) -> bid $4.00`)
	// One rule that declines or fails settles it for all.
	f("highest", `[{bid: 20}, {when: homeowner, bid: 0}]`, "declined")
	f("sum", `[{bid: 20}, {when: homeowner, bid: 0}]`, "declined")
	f("highest", `[{bid: 20}, {bid: 1 / sold_so_far}]`, "rule_error")
	f("sum", `[{bid: 900000}, {bid: 900000}]`, "rule_error")
	f("highest", `[{name: a, bid: 7}, {name: b, bid: 7}]`, `your price $7.00 (the highest of 2 rules, "a") -> bid $7.00`)
}

func TestAdjustmentsInOrder(t *testing.T) {
	f := func(adjust, want string) {
		t.Helper()
		if got := pathOf(t, "    rules: [{bid: 20}]\n    adjust: "+adjust+"\n", basePing()); got != "your price $20.00"+want {
			t.Errorf("%s\ngot  %s\nwant your price $20.00%s", adjust, got, want)
		}
	}
	f("[{multiply: 1.2}, {add: 3}]", " -> adjust 1 x1.2 -> adjust 2 +3 -> bid $27.00")
	f("[{add: 3}, {multiply: 1.2}]", " -> adjust 1 +3 -> adjust 2 x1.2 -> bid $27.60")
	f("[{set: 12.5}, {add: -2}]", " -> adjust 1 set 12.5 -> adjust 2 -2 -> bid $10.50")
	f("[{cap: 15}]", " -> adjust 1 cap 15 -> bid $15.00")
	f("[{cap: 25}, {add: 10}, {cap: lead_score / 3}]", " -> adjust 1 cap 25 -> adjust 2 +10 -> adjust 3 cap 24 -> bid $24.00")
	// What cannot be worked out never lets a price through as it is.
	fails := func(adjust string) {
		t.Helper()
		if got := pathOf(t, "    rules: [{bid: 20}]\n    adjust: "+adjust+"\n", basePing()); got != "rule_error" {
			t.Errorf("%s: %s", adjust, got)
		}
	}
	fails("[{cap: 40 / sold_so_far}]")
	fails("[{cap: 0 / sold_so_far}]")
	fails("[{set: 0 / sold_so_far}]")
	fails("[{add: 1 / sold_so_far}]")
	fails("[{add: -1 / sold_so_far}]")
	fails("[{set: 0}, {multiply: 1 / sold_so_far}]")
	f("[{set: max_sold, name: x}, {cap: max_sold}, {when: job == \"install\", set: 1}]", " -> bid $20.00")
}

func TestLadder(t *testing.T) {
	shared := func(maxSold, soldSoFar int) *pingpost.Ping {
		p := basePing()
		p.MaxSold, p.SoldSoFar = maxSold, soldSoFar
		return p
	}
	exclusive := basePing()
	exclusive.Exclusive, exclusive.MaxSold = true, 4
	f := func(ladder string, p *pingpost.Ping, want string) {
		t.Helper()
		if got := pathOf(t, "    rules: [{bid: 40}]\n    ladder: "+ladder+"\n    adjust: [{add: 1}]\n", p); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", ladder, got, want)
		}
	}
	const two = "{3: 0.45, 2: 60%}"
	const plain = "your price $40.00 -> adjust 1 +1 -> bid $41.00"
	f(two, shared(2, 0), "your price $40.00 -> ladder for 2 buyers x0.6 -> adjust 1 +1 -> bid $25.00")
	f(two, shared(3, 0), "your price $40.00 -> ladder for 3 buyers x0.45 -> adjust 1 +1 -> bid $19.00")
	f(two, shared(9, 0), "your price $40.00 -> ladder for 9 buyers x0.45 -> adjust 1 +1 -> bid $19.00")
	f(two, shared(0, 2), "your price $40.00 -> ladder for 3 buyers x0.45 -> adjust 1 +1 -> bid $19.00")
	f(two, shared(2, 2), "your price $40.00 -> ladder for 3 buyers x0.45 -> adjust 1 +1 -> bid $19.00")
	f(two, shared(1, 0), plain)
	f(two, exclusive, plain)
	f(two, shared(0, 0), plain)
	f("{2: $12.50, unknown: $9}", shared(2, 0), "your price $40.00 -> ladder for 2 buyers set 12.5 -> adjust 1 +1 -> bid $13.50")
	f("{2: $12.50, unknown: $9}", shared(0, 0), "your price $40.00 -> ladder for an unknown number of buyers set 9 -> adjust 1 +1 -> bid $10.00")
	// A rung of nothing declines, whatever the adjustments would add.
	f("{3: 0}", shared(4, 0), "declined")
	f("{3: $0}", shared(4, 0), "declined")
	f("{3: 0%}", shared(2, 0), plain)
	f("{1: 50%}", exclusive, "your price $40.00 -> ladder for 1 buyer x0.5 -> adjust 1 +1 -> bid $21.00")
}

func TestOnFloor(t *testing.T) {
	f := func(limits string, bid, floor float64, want string) {
		t.Helper()
		p := basePing()
		p.Floor = pingpost.Cents(math.Round(floor * 100))
		got := pathOf(t, fmt.Sprintf("    rules: [{bid: %v}]\n    limits: %s\n", bid, limits), p)
		if _, last, ok := strings.Cut(got, "-> bid "); ok {
			got = last
		}
		if got != want {
			t.Errorf("%s, bid %v, floor %v: %s, want %s", limits, bid, floor, got, want)
		}
	}
	const raise = "{min_bid: $5, max_bid: $60, on_floor: raise}"
	f("{max_bid: $60, on_floor: skip}", 20, 25, "below_floor")
	f(raise, 20, 25, "$25.00")
	f(raise, 20, 60, "$60.00")
	f(raise, 20, 60.01, "below_floor") // never above max_bid
	f(raise, 70, 61, "below_floor")
	f(raise, 30, 25, "$30.00")
	f(raise, 4, 25, "below_min_bid") // what is not worth bidding is not raised
	f(raise, 0.001, 25, "declined")
	f(raise, 20, 0, "$20.00")
}

func TestArms(t *testing.T) {
	const campaign = "    rules: [{bid: 20}]\n    adjust: [{add: 1}]\n    arms: [{name: control, share: 50%}, {name: higher, share: 30%, multiply: 1.1}, {name: flat, share: 20%, set: 15}]\n"
	rs, c := one(t, campaign)
	e := rs.NewEvaluation()
	counts := map[string]int{}
	for i := range 5000 {
		p := basePing()
		p.ID = fmt.Sprint("ping-", i)
		e.Begin(monday, p)
		price := e.Price(c, nil, nil)
		counts[price.Arm]++
		want := map[string]float64{"control": 21, "higher": 21 * 1.1, "flat": 15}[price.Arm]
		if price.Dollars != want || c.armOf(p.ID).Name != price.Arm {
			t.Fatalf("%+v, want %v", price, want)
		}
	}
	for name, want := range map[string]int{"control": 2500, "higher": 1500, "flat": 1000} {
		if got := counts[name]; got < want-150 || got > want+150 {
			t.Errorf("%s got %d of 5000 pings, want about %d", name, got, want)
		}
	}
	// These never change: an experiment that runs must not be shuffled by a new version.
	for id, want := range map[string]string{"ping-0": "control", "ping-5": "control", "ping-6": "higher"} {
		if got := c.armOf(id).Name; got != want {
			t.Errorf("%s is in arm %s, want %s", id, got, want)
		}
	}
	p := basePing()
	seen := map[string]bool{}
	for i := range 50 {
		p.ID = fmt.Sprint("ping-", i)
		seen[pathOf(t, campaign, p)] = true
	}
	for _, want := range []string{`your price $20.00 -> adjust 1 +1 -> arm "control" -> bid $21.00`,
		`your price $20.00 -> adjust 1 +1 -> arm "higher" x1.1 -> bid $23.10`,
		`your price $20.00 -> adjust 1 +1 -> arm "flat" set 15 -> bid $15.00`} {
		if !seen[want] {
			t.Errorf("no ping went %s, but\n%v", want, seen)
		}
	}
}

func TestSummaryOfPrices(t *testing.T) {
	_, c := one(t, "    mode: highest\n    rules: [{bid: 20}, {bid: 21}]\n    ladder: {2: 60%}\n    adjust: [{add: 1}]\n"+
		"    arms: [{name: a, share: 12.5%}, {name: b, share: 87.5%, cap: 30}]\n    limits: {max_bid: $60, on_floor: raise}\n"+
		"    on_short_budget: clip\n    snooze_until: 2026-12-01T08:00\n")
	_, got, _ := strings.Cut(c.describe(), "at all hours; ")
	want := "the highest of 2 rules; a price by the number of buyers; 1 adjustment; an experiment: a 12.5%, b 87.5%; " +
		"raised to the exchange's floor up to $60.00; a short budget is bid to its end; at most $60.00 a lead; " +
		"nothing is bid before 2026-12-01 08:00"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
