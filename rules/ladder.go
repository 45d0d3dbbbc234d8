package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// ladder is what a lead that several buyers get is worth: less, the more of them there are. The
// zero value changes nothing. A rung of nothing declines the campaign, as a rule's bid of 0 does.
type ladder struct {
	rungs   []rung // by number of buyers, ascending
	unknown *rung  // for a ping that does not tell
	line    int
}

// rung is the price from a number of buyers on: a factor on the rules' price, or dollars in its
// place.
type rung struct {
	buyers   int
	factor   float64
	dollars  float64
	isAmount bool
}

const (
	ladderExpected = "numbers of buyers with factors or dollars, such as {2: 60%, 3: 45%} or {2: $20, 3: $12}"
	rungExpected   = "a factor from 0 to 1, a share such as 60%, or dollars such as $20"

	// maxBuyers is more than any exchange sells one lead to.
	maxBuyers = 100
)

// loadLadder reads ladder: {2: 60%, 3: $12, unknown: 45%}.
func (c *Campaign) loadLadder(node yamlfile.Node) {
	entries, ok := node.Entries(ladderExpected)
	if !ok {
		return
	}
	if len(entries) == 0 {
		node.Fault("the ladder has no rung", ladderExpected, "")
	}
	c.ladder.line = node.Line()
	for _, value := range entries {
		one, ok := loadRung(value)
		key := value.Key()
		if key.Raw() == "unknown" {
			c.ladder.unknown = &one
			continue
		}
		buyers, err := strconv.Atoi(key.Raw())
		if err != nil || buyers < 1 || buyers > maxBuyers {
			key.Fault(yamlfile.Quote(key.Raw())+" is no number of buyers",
				fmt.Sprintf("how many buyers get the lead, you included: 1 to %d; or unknown", maxBuyers), "")
			continue
		}
		if one.buyers = buyers; ok {
			c.ladder.rungs = append(c.ladder.rungs, one)
		}
	}
	slices.SortFunc(c.ladder.rungs, func(a, b rung) int { return a.buyers - b.buyers })
}

func loadRung(value yamlfile.Node) (one rung, ok bool) {
	text := value.Raw()
	switch {
	case strings.HasPrefix(text, "$"):
		amount, ok := value.Dollars()
		return rung{dollars: float64(amount) / 100, isAmount: true}, ok
	case strings.HasSuffix(text, "%"):
		share, ok := value.Percent(1)
		return rung{factor: share}, ok
	}
	if number, ok := parseNumber(text); ok && number > 1 {
		value.Fault(yamlfile.Quote(text)+" could be a factor or dollars", rungExpected, "$"+text)
		return rung{}, false
	}
	if number, ok := parseNumber(text); !ok || number < 0 {
		value.Fault(yamlfile.Quote(text)+" is neither a factor nor dollars", rungExpected, "")
		return rung{}, false
	}
	factor, ok := value.Number(0, 1)
	return rung{factor: factor}, ok
}

// buyersOf is how many buyers may come to have the lead, we included. known is false where the ping
// tells neither that the lead is exclusive nor how often it is sold.
func buyersOf(p *pingpost.Ping) (buyers int, known bool) {
	switch {
	case p.Exclusive:
		return 1, true
	case p.MaxSold > 0:
		return max(p.MaxSold, p.SoldSoFar+1), true
	case p.SoldSoFar > 0:
		return p.SoldSoFar + 1, true
	}
	return 0, false
}

func (l *ladder) none() bool { return len(l.rungs) == 0 && l.unknown == nil }

// apply takes the rung of the ping: that of the largest number of buyers which is not above its own.
// Below the first rung the price stays what it is.
func (l *ladder) apply(p *pingpost.Ping, dollars float64, tr *Trace) float64 {
	if l.none() {
		return dollars
	}
	step := Step{Kind: StepLadder, Line: l.line, Name: "ladder"}
	var taken *rung
	buyers, known := buyersOf(p)
	if known {
		for i := range l.rungs {
			if l.rungs[i].buyers <= buyers {
				taken = &l.rungs[i]
			}
		}
	} else {
		taken = l.unknown
	}
	if taken == nil {
		if !known {
			step.Held, step.Missing = true, "max_sold"
		}
		tr.add(step)
		return dollars
	}
	next := taken.dollars
	if !taken.isAmount {
		next = float64(dollars * taken.factor)
	}
	if tr != nil {
		step.Name = "ladder for an unknown number of buyers"
		if known {
			step.Name = "ladder for " + count(buyers, "buyer")
		}
		step.Held, step.Priced, step.Change = true, true, "set "+showNumber(taken.dollars)
		if !taken.isAmount {
			step.Change = "x" + showNumber(taken.factor)
		}
		step.Before, step.After = shown(dollars), shown(next)
		if next == 0 {
			step.Reason = pingpost.Declined
		}
		tr.add(step)
	}
	return next
}
