package rules

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/file"

	"leadbid/pingpost"
)

// Check asks whether the campaign is open for the ping of Begin: whether the configuration pauses
// it, its hours, then what it requires. ReasonNone, Paused, OutsideHours, ConsentMissing,
// ConsentStale or RequirementUnmet.
func (e *Evaluation) Check(c *Campaign, tr *Trace) pingpost.Reason {
	if e.paused(c, tr) {
		return pingpost.Paused
	}
	if c.hours != nil && !note(tr, "hours", c.hours.open(&e.day), pingpost.OutsideHours) {
		return pingpost.OutsideHours
	}
	return c.require.check(e.now, e.ping, tr)
}

// Price asks the campaign's rules about the ping of Begin: the first whose condition holds and
// whose bid can be worked out prices it (or the highest of all such, or their sum), and then the
// ladder, every adjustment that matches, in order, and the ping's arm apply. A rule that fails (a
// division by zero, a negative price) ends in RuleError for this campaign: a wrong price is never
// guessed. facts may be nil where nothing is known.
func (e *Evaluation) Price(c *Campaign, facts *Facts, tr *Trace) Price {
	if c.usesFacts {
		e.setFacts(facts)
	}
	price := Price{Reason: pingpost.NoRule, Rule: -1}
	asked := e.ask(c)
	next := 0 // the first rule that is not traced yet
	var matched tally
	for at := asked.next(); at >= 0; at = asked.next() {
		rule := c.Rules[at]
		next = traceSkipped(tr, c, next, at)
		held, err := e.holds(&rule.when)
		if err != nil {
			return failed(tr, StepRule, rule, at, plainError(err))
		}
		if !held {
			tr.add(Step{Kind: StepRule, Name: rule.Name, Line: rule.Line})
			continue
		}
		dollars, missing, err := e.value(&rule.bid)
		switch {
		case err != nil:
			return failed(tr, StepRule, rule, at, plainError(err))
		case missing != "":
			if price.Reason == pingpost.NoRule {
				price = Price{Reason: pingpost.MissingField, Rule: -1, Missing: missing}
			}
			tr.add(Step{Kind: StepRule, Name: rule.Name, Line: rule.Line, Held: true, Missing: missing})
			continue
		}
		if c.RuleMode == FirstMatch {
			return e.priced(c, rule, at, dollars, tr)
		}
		if settled, over := matched.weigh(c, at, dollars, tr); over {
			return settled
		}
	}
	traceSkipped(tr, c, next, len(c.Rules))
	if matched.count > 0 {
		return e.total(c, &matched, tr)
	}
	return price
}

// traceSkipped notes the rules that the index left out, as what they are: conditions that do not
// hold. It answers with the rule after upTo.
func traceSkipped(tr *Trace, c *Campaign, from, upTo int) int {
	if tr != nil {
		for _, rule := range c.Rules[from:upTo] {
			tr.add(Step{Kind: StepRule, Name: rule.Name, Line: rule.Line})
		}
	}
	return upTo + 1
}

func failed(tr *Trace, kind StepKind, rule *Rule, at int, problem string) Price {
	tr.add(Step{Kind: kind, Name: rule.Name, Line: rule.Line, Held: true, Reason: pingpost.RuleError,
		Error: problem})
	return Price{Reason: pingpost.RuleError, Rule: at}
}

// plainError is the first line of a machine's error: the rest is a drawing of a source that is
// not what the contractor wrote.
func plainError(err error) string {
	if fault, ok := err.(*file.Error); ok {
		return fault.Message
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// shown is a price for people, rounded down like the bid itself.
func shown(dollars float64) pingpost.Cents {
	cents, _ := pingpost.FloorPrice(dollars)
	return cents
}

func showNumber(value float64) string {
	switch {
	case math.IsInf(value, 1):
		return "infinity"
	case math.IsInf(value, -1):
		return "minus infinity"
	case math.IsNaN(value):
		return "no number"
	}
	return strconv.FormatFloat(value, 'g', 6, 64)
}

// parseNumber reads an attribute that was written as a JSON number.
func parseNumber(text string) (float64, bool) {
	value, err := strconv.ParseFloat(text, 64)
	return value, err == nil && !math.IsInf(value, 0)
}

func (e *Evaluation) setFacts(facts *Facts) {
	if facts == nil {
		e.factsKnown = [numScopes]bool{}
		return
	}
	for period := range pingpost.NumPeriods {
		e.setUsage(int(period), &facts.Budget[period])
		e.setUsage(int(pingpost.NumPeriods+period), &facts.Capacity[period])
	}
	e.factsKnown[numScopes-1], e.facts[winRate] = facts.WinRate.Known, facts.WinRate.Value
}

func (e *Evaluation) setUsage(scope int, usage *Usage) {
	e.factsKnown[scope] = usage.Known
	at := e.facts[scope*factsPerPeriod:]
	at[0], at[1], at[2] = usage.SpentShare, usage.Pace, usage.Left
}

// Bid turns the dollars that rules and strategy came to into the cents to bid: max_bid clips, the
// rest is rounded down, and min_bid and the exchange's floor decide whether it is worth bidding.
// Where the contractor wrote on_floor: raise, a bid below the floor is raised to it, if that is at
// most max_bid.
// ReasonNone, RuleError, Declined (less than a cent), BelowMinBid or BelowFloor; the cents are 0
// with any reason.
func (c *Campaign) Bid(dollars float64, floor pingpost.Cents, tr *Trace) (pingpost.Cents, pingpost.Reason) {
	cents, err := pingpost.FloorPrice(dollars)
	if err != nil {
		tr.add(Step{Kind: StepLimit, Name: "price", Reason: pingpost.RuleError,
			Error: "the price came to " + showNumber(dollars)})
		return 0, pingpost.RuleError
	}
	if c.MaxBid > 0 && cents > c.MaxBid {
		tr.add(Step{Kind: StepLimit, Name: "max_bid", Held: true, Priced: true, Before: cents, After: c.MaxBid})
		cents = c.MaxBid
	}
	reason, limit := pingpost.ReasonNone, ""
	switch {
	case c.RaiseToFloor && cents > 0 && cents >= c.MinBid && cents < floor && floor <= c.MaxBid:
		tr.add(Step{Kind: StepLimit, Name: "raised to the exchange's floor", Held: true, Priced: true, Before: cents, After: floor})
		return floor, pingpost.ReasonNone
	case cents == 0:
		reason, limit = pingpost.Declined, "less than a cent"
	case cents < c.MinBid:
		reason, limit = pingpost.BelowMinBid, "min_bid "+c.MinBid.String()
	case cents < floor:
		reason, limit = pingpost.BelowFloor, "the exchange's floor "+floor.String()
	}
	if reason == pingpost.ReasonNone {
		return cents, reason
	}
	tr.add(Step{Kind: StepLimit, Name: limit, Held: true, Priced: true, Before: cents, Reason: reason})
	return 0, reason
}

// Reject asks the campaign's reject rules about the full lead. rejected names the first that
// holds and the word to tell the exchange. A reject rule that fails rejects too: it was written
// to keep something out, and a lead that may be it is not paid for. Nothing of the lead's fields
// reaches the trace.
func (e *Evaluation) Reject(c *Campaign, post *pingpost.Post, now time.Time, tr *Trace) (rule, reason string, rejected bool) {
	if len(c.Rejects) == 0 {
		return "", "", false
	}
	e.beginPost(now, post)
	defer e.forgetLead()
	for _, reject := range c.Rejects {
		held, err := e.holds(&reject.when)
		held = held && (reject.customers == nil || reject.customers.hold(&post.Contact))
		step := Step{Kind: StepReject, Name: reject.Name, Line: reject.Line, Held: held}
		if err != nil {
			// The error's text may quote what it failed on: the lead.
			step.Held, step.Error = true, "the rule failed, and a rule that fails rejects"
		}
		tr.add(step)
		if step.Held {
			return reject.Name, reject.Reason, true
		}
	}
	return "", "", false
}

// forgetLead drops the lead's fields and with them everything that may hold on to the post.
func (e *Evaluation) forgetLead() {
	e.lead, e.boxed = [len(leadFields)]string{}, nil
	e.env = environment{}
	e.second = math.MinInt64
}
