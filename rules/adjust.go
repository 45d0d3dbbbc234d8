package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// RuleMode is which of a campaign's rules make the price.
type RuleMode uint8

// The rule modes.
const (
	FirstMatch RuleMode = iota // the first that matches
	Highest                    // the one that matches with the largest bid; of equals the first
	Sum                        // all that match, added up
)

var ruleModeWords = []string{"first", "highest", "sum"}

// String gives the word of the configuration.
func (m RuleMode) String() string { return ruleModeWords[m] }

// Arm is one branch of an experiment: a share of the pings, and what it does to their price.
type Arm struct {
	Name  string
	Share float64 // of all pings, from 0 to 1
	upTo  uint64  // the shares up to here, in ten-thousandths
	does  *Rule   // an adjustment that always holds; nil for one that leaves the price alone
}

// tally is what the rules that matched so far come to, in a mode that asks them all.
type tally struct {
	count   int
	rule    int
	dollars float64
}

// weigh takes one more rule that matched. over is true where the campaign's price is settled by
// it: a rule that declines or fails does so for all.
func (t *tally) weigh(c *Campaign, at int, dollars float64, tr *Trace) (price Price, over bool) {
	rule := c.Rules[at]
	if price, over = checkRuleBid(rule, at, dollars, tr); over {
		return price, true
	}
	switch {
	case t.count == 0 || (c.RuleMode == Highest && dollars > t.dollars):
		t.rule, t.dollars = at, dollars
	case c.RuleMode == Sum:
		t.dollars += dollars
	}
	t.count++
	return Price{}, false
}

// checkRuleBid traces a rule that matched. over is true where it declines or its bid is no price.
func checkRuleBid(rule *Rule, at int, dollars float64, tr *Trace) (price Price, over bool) {
	if _, err := pingpost.FloorPrice(dollars); err != nil {
		return failed(tr, StepRule, rule, at, "its bid came to "+showNumber(dollars)+": "+err.Error()), true
	}
	step := Step{Kind: StepRule, Name: rule.Name, Line: rule.Line, Held: true, Priced: true}
	if dollars == 0 {
		step.Reason = pingpost.Declined
		tr.add(step)
		return Price{Reason: pingpost.Declined, Rule: at}, true
	}
	if tr != nil {
		step.After = shown(dollars)
		tr.add(step)
	}
	return Price{}, false
}

// priced goes from a rule's own number to the adjusted one.
func (e *Evaluation) priced(c *Campaign, rule *Rule, at int, dollars float64, tr *Trace) Price {
	if price, over := checkRuleBid(rule, at, dollars, tr); over {
		return price
	}
	return e.shaped(c, at, dollars, tr)
}

// total goes from all rules that matched to the adjusted price.
func (e *Evaluation) total(c *Campaign, t *tally, tr *Trace) Price {
	if _, err := pingpost.FloorPrice(t.dollars); err != nil {
		return failed(tr, StepRule, c.Rules[t.rule], t.rule,
			"the sum came to "+showNumber(t.dollars)+": "+err.Error())
	}
	if tr != nil {
		name := "the sum of " + count(t.count, "rule")
		if c.RuleMode == Highest {
			name = "the highest of " + count(t.count, "rule") + ", " + strconv.Quote(c.Rules[t.rule].Name)
		}
		tr.add(Step{Kind: StepMode, Name: name, Held: true, Priced: true, After: shown(t.dollars)})
	}
	return e.shaped(c, t.rule, t.dollars, tr)
}

// shaped applies what follows the rules, in this order: the ladder, the adjustments from top to
// bottom, the arm of the experiment.
func (e *Evaluation) shaped(c *Campaign, at int, dollars float64, tr *Trace) Price {
	price := Price{Rule: at, Dollars: dollars, RuleDollars: dollars}
	if price.Dollars = c.ladder.apply(e.ping, dollars, tr); price.Dollars == 0 {
		return Price{Reason: pingpost.Declined, Rule: at}
	}
	for _, adjust := range c.Adjusts {
		next, problem := e.adjusted(StepAdjust, adjust, price.Dollars, tr)
		if problem != "" {
			return failed(tr, StepAdjust, adjust, at, problem)
		}
		price.Dollars = next
	}
	if len(c.Arms) == 0 {
		return price
	}
	arm := c.armOf(e.ping.ID)
	price.Arm = arm.Name
	if arm.does == nil {
		tr.add(Step{Kind: StepArm, Name: arm.Name, Held: true})
		return price
	}
	next, problem := e.adjusted(StepArm, arm.does, price.Dollars, tr)
	if problem != "" {
		return failed(tr, StepArm, arm.does, at, problem)
	}
	price.Dollars = next
	return price
}

// armOf finds the arm of a ping. It depends on the campaign's name and the ping's id alone, so that
// the same ping is in the same arm on every machine and in every replay.
func (c *Campaign) armOf(pingID string) *Arm {
	var hash xxhash.Digest
	hash.Reset()
	_, _ = hash.WriteString(c.Name)
	_, _ = hash.Write([]byte{0})
	_, _ = hash.WriteString(pingID)
	ticket := hash.Sum64() % wholeShare
	at := slices.IndexFunc(c.Arms, func(arm Arm) bool { return ticket < arm.upTo })
	return &c.Arms[at]
}

// adjusted applies one adjustment where its condition holds and nothing that it needs is
// missing.
func (e *Evaluation) adjusted(kind StepKind, adjust *Rule, dollars float64,
	tr *Trace) (next float64, problem string) {
	step := Step{Kind: kind, Name: adjust.Name, Line: adjust.Line}
	held, err := e.holds(&adjust.when)
	if err != nil {
		return 0, plainError(err)
	}
	if !held {
		tr.add(step)
		return dollars, ""
	}
	amount, missing, err := e.value(adjust.change())
	if err != nil {
		return 0, plainError(err)
	}
	if missing != "" {
		step.Held, step.Missing = true, missing
		tr.add(step)
		return dollars, ""
	}
	if math.IsNaN(amount) || math.IsInf(amount, 0) {
		// A cap of infinity, or of what is no number, would let any price through.
		return 0, "its number came to " + showNumber(amount)
	}
	next, sign := adjust.applied(dollars, amount)
	if _, err := pingpost.FloorPrice(next); err != nil {
		return 0, "the price came to " + showNumber(next) + ": " + err.Error()
	}
	if tr != nil {
		step.Held, step.Priced, step.Change = true, true, sign+showNumber(amount)
		step.Before, step.After = shown(dollars), shown(next)
		tr.add(step)
	}
	return next, ""
}

// change is the number that an adjustment works with.
func (r *Rule) change() *number {
	for _, n := range []*number{r.multiply, r.add, r.set} {
		if n != nil {
			return n
		}
	}
	return r.cap
}

// applied is the price after an adjustment by an amount, and how explain writes that.
func (r *Rule) applied(dollars, amount float64) (next float64, sign string) {
	switch {
	case r.multiply != nil:
		// The conversion keeps the compiler from fusing the product into a later sum: a replay on
		// another machine must come to the same cents.
		return float64(dollars * amount), "x"
	case r.set != nil:
		return amount, "set "
	case r.cap != nil && amount < dollars:
		return amount, "cap "
	case r.cap != nil:
		return dollars, "cap "
	case amount >= 0:
		return dollars + amount, "+"
	}
	return dollars + amount, ""
}

var changeKeys = []string{"multiply", "add", "set", "cap"}

func (l *loader) loadAdjust(c *Campaign, node yamlfile.Node, name string) *Rule {
	rule := &Rule{Name: name, Line: node.Line()}
	m, ok := node.Map(append([]string{"name", "when"}, changeKeys...), "max", "min", "floor", "value",
		"mode", "holdout", "lookup", "table", "until", "from", "note", "percent", "priority", "stop")
	if !ok {
		return rule
	}
	rule.loadName(m)
	l.loadWhen(c, rule, m.Get("when"), atPing, false)
	if l.loadChange(c, rule, m) == 0 {
		node.Fault("the adjustment changes nothing", "multiply: 1.2, add: 3, set: 25 or cap: 40", "")
	}
	return rule
}

// loadChange reads what an adjustment or an arm does, and tells how many of the keys are there.
func (l *loader) loadChange(c *Campaign, rule *Rule, m yamlfile.Map) (found int) {
	for _, key := range changeKeys {
		node := m.Get(key)
		if !node.Exists() {
			continue
		}
		if found++; found > 1 {
			node.Key().Fault("an adjustment either multiplies, adds, sets or caps",
				"two adjustments, in the order in which they apply", "")
			return found
		}
		expected := "dollars, such as 25"
		switch key {
		case "multiply":
			expected = "a factor, such as 1.2"
		case "add":
			expected = "dollars to add, such as 3 or -2.50"
		}
		n := l.loadNumber(c, node, expected)
		if n != nil && n.isConstant() && n.constant < 0 && key != "add" {
			node.Fault("a negative number would make a price negative", "a number of at least 0", "")
		}
		rule.take(key, node.Raw(), n)
	}
	return found
}

func (r *Rule) take(key, source string, n *number) {
	switch key {
	case "multiply":
		r.Multiply, r.multiply = source, n
	case "add":
		r.Add, r.add = source, n
	case "set":
		r.Set, r.set = source, n
	case "cap":
		r.Cap, r.cap = source, n
	}
}

// wholeShare is all pings, in the ten-thousandths that shares are counted in.
const wholeShare = 10_000

// loadArms reads arms: [{name: control, share: 50%}, {name: higher, share: 50%, multiply: 1.1}].
func (l *loader) loadArms(c *Campaign, node yamlfile.Node) {
	const expected = "at least two arms, such as {name: control, share: 50%} and " +
		"{name: higher, share: 50%, multiply: 1.1}"
	items, ok := node.List(expected)
	if !ok {
		return
	}
	if len(items) < 2 || len(items) > 20 {
		node.Fault("an experiment has two to twenty arms", expected, "")
		return
	}
	sum := uint64(0)
	for _, item := range items {
		m, ok := item.Map(append([]string{"name", "share"}, changeKeys...), "when", "bid", "rules")
		if !ok {
			continue
		}
		arm := Arm{}
		arm.Name, _ = m.Need("name", "a name, such as control").Text("a name")
		if slices.ContainsFunc(c.Arms, func(other Arm) bool { return other.Name == arm.Name }) {
			m.Get("name").Fault("two arms are called "+yamlfile.Quote(arm.Name), "a name of its own for each", "")
		}
		arm.Share, _ = m.Need("share", "a share of the pings, such as 50%").Percent(1)
		sum += uint64(arm.Share*wholeShare + 0.5)
		arm.upTo = sum
		does := &Rule{Name: arm.Name, Line: item.Line()}
		if l.loadChange(c, does, m) > 0 {
			arm.does = does
		}
		c.Arms = append(c.Arms, arm)
	}
	if sum != wholeShare && !l.faults.Any() {
		node.Fault(fmt.Sprintf("the shares come to %v%%", float64(sum)/100), "shares that come to 100%", "")
	}
}
