package rules

import (
	"fmt"
	"math"
	"slices"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// Pacing is how a campaign's money and leads are spread over the days, weeks and months of its caps.
type Pacing uint8

// The pacings.
const (
	Asap    Pacing = iota // as the pings come
	Even                  // over the hours in which the campaign buys
	Learned               // over the pings that the hours of the week bring
)

// Objective is what a campaign's bids are for.
type Objective uint8

// The objectives.
const (
	AsWritten Objective = iota // the rule's number is bid, or nothing
	Profit                     // what the lead is worth counts; never above the rule's number
	Volume                     // the money is to be spent; never above max_bid
)

var (
	pacingWords    = []string{"asap", "even", "learned"}
	objectiveWords = []string{"as_written", "profit", "volume"}
)

// String gives the word of the configuration.
func (p Pacing) String() string { return pacingWords[p] }

// String gives the word of the configuration.
func (o Objective) String() string { return objectiveWords[o] }

// Strategy is how to bid what the rules say. The zero value bids it as it is, as pings come.
type Strategy struct {
	Pacing    Pacing
	Objective Objective
	Explore   float64 // the share of shaded bids that try a little more or less, to learn
}

// usualExplore is the share of bids that try something where the contractor writes nothing.
const usualExplore = 0.05

// Value is what a lead of a campaign is worth, before its price. At most one of the two is set.
type Value struct {
	Expression string // the source of the dollars; "" where there is none
	dollars    number

	// Or made of what becomes of leads: the share that closes, learned from outcomes where there are
	// any, times what a job brings. Job is 0 where nothing is said.
	Close, Job, Margin float64
}

// Known reports whether the campaign says what its leads are worth.
func (v *Value) Known() bool { return v.Expression != "" || v.Job > 0 }

// IsPlain reports whether bids are what the rules say, whenever they say it.
func (s Strategy) IsPlain() bool { return s.Pacing == Asap && s.Objective == AsWritten }

// IsPlain reports whether the campaign's bids are what the rules say, whatever was bought before.
func (c *Campaign) IsPlain() bool { return c.Strategy.IsPlain() && c.hoursPerJob == nil }

// loadStrategy reads value and strategy, and gives the place of strategy.pacing.
func (l *loader) loadStrategy(c *Campaign, m yamlfile.Map) (pacing yamlfile.Node) {
	l.loadValue(c, m.Get("value"))
	node := m.Get("strategy")
	keys, ok := node.Map([]string{"pacing", "objective", "explore"}, "shading", "target", "shape", "reserve")
	if !ok {
		return node
	}
	pacing = keys.Get("pacing")
	if word, ok := pacing.Word(pacingWords, "smooth", "front", "shaped"); ok {
		c.Strategy.Pacing = Pacing(slices.Index(pacingWords, word))
	}
	objective := keys.Get("objective")
	if word, ok := objective.Word(objectiveWords); ok {
		c.Strategy.Objective = Objective(slices.Index(objectiveWords, word))
	}
	if c.Strategy.Objective == Volume && c.MaxBid == 0 {
		objective.Fault("objective: volume may bid above a rule's number, and nothing says how far",
			"limits: {max_bid: $60}", "")
	}
	explore := keys.Get("explore")
	if c.Strategy.Objective != AsWritten {
		c.Strategy.Explore = usualExplore
	}
	if share, ok := explore.Percent(0.2); ok {
		c.Strategy.Explore = share
		if share > 0 && c.Strategy.Objective == AsWritten {
			explore.Fault("objective: as_written never moves a bid, so nothing can be explored",
				"objective: profit, or no explore", "")
		}
	}
	if c.Strategy.Objective == Profit && !c.Value.Known() {
		objective.Warn("without value: what a rule bids is taken for what the lead is worth to you, so nothing is left to earn at that price",
			"value: {close: 12%, job: $9000, margin: 30%}, or an expression in dollars", "")
	}
	return pacing
}

// loadValue reads value: 0.12 * 2700, or value: {close: 12%, job: $9000, margin: 30%}.
func (l *loader) loadValue(c *Campaign, node yamlfile.Node) {
	if !node.Exists() {
		return
	}
	if !node.IsMap() {
		const expected = "what a lead is worth, in dollars: 0.12 * 2700, or {close: 12%, job: $9000, margin: 30%}"
		if dollars := l.loadNumber(c, node, expected); dollars != nil {
			c.Value.Expression, c.Value.dollars = node.Raw(), *dollars
		}
		return
	}
	m, ok := node.Map([]string{"close", "job", "margin"}, "contact", "repeat", "handling")
	if !ok {
		return
	}
	c.Value.Close, _ = m.Need("close", "the share of leads that become jobs: close: 12%").Percent(1)
	job, _ := m.Need("job", "what a job brings on average: job: $9000").Dollars()
	c.Value.Job, c.Value.Margin = float64(job)/100, 1
	if share, ok := m.Get("margin").Percent(1); ok {
		c.Value.Margin = share
	}
}

// Expected is what is expected of leads like the one at hand, by the outcomes of others.
type Expected struct {
	Close float64 // the share that closes
	Job   float64 // dollars that a job brings
	Of    string  // "of 31 leads from google-12"; "" where nothing was learned, or nobody asks
}

// Worth is what the campaign's value comes to for the ping of Begin; 0 where it names none, or where
// the ping lacks what it needs. expected stands for Value.Close and Value.Job where Value.Job is set.
func (e *Evaluation) Worth(c *Campaign, expected Expected, tr *Trace) (dollars float64, reason pingpost.Reason) {
	switch {
	case c.Value.Job > 0:
		dollars = float64(expected.Close*expected.Job) * c.Value.Margin
		if tr != nil {
			tr.add(Step{Kind: StepValue, Name: expected.factors(dollars, c.Value.Margin), Held: true})
		}
		return dollars, pingpost.ReasonNone
	case c.Value.Expression == "":
		return 0, pingpost.ReasonNone
	}
	dollars, missing, err := e.value(&c.Value.dollars)
	step := Step{Kind: StepValue, Name: "value"}
	switch {
	case err != nil:
		step.Error = plainError(err)
	case missing != "":
		step.Missing = missing
		tr.add(step)
		return 0, pingpost.ReasonNone
	}
	if _, bad := pingpost.FloorPrice(dollars); err == nil && bad != nil {
		step.Error = "the value came to " + showNumber(dollars) + ": " + bad.Error()
	}
	if step.Error != "" {
		step.Reason = pingpost.RuleError
		tr.add(step)
		return 0, pingpost.RuleError
	}
	return dollars, pingpost.ReasonNone
}

// factors shows how a worth came about.
func (x *Expected) factors(dollars, margin float64) string {
	of := x.Of
	if of == "" {
		of = "as configured"
	}
	return fmt.Sprintf("worth %s (close %s %% %s x %s x %s %%)", shown(dollars), showNumber(math.Round(1000*x.Close)/10),
		of, shown(x.Job), showNumber(math.Round(1000*margin)/10))
}

// OpenHours tells in which hours of a usual week the campaign buys, from Monday 0:00.
func (c *Campaign) OpenHours() (open [7 * 24]bool) {
	for i := range open {
		weekday := dayKind((i/24 + 1) % 7)
		day := localDay{today: weekday, yesterday: (weekday + 6) % 7}
		day.kind, day.kindBefore = day.today, day.yesterday
		for minute := range 60 {
			day.minute = i%24*60 + minute
			open[i] = open[i] || c.hours == nil || c.hours.open(&day)
		}
	}
	return open
}
