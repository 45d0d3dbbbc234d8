package rules

import (
	"fmt"
	"strconv"
	"strings"

	"leadbid/pingpost"
)

// StepKind is what a step of a decision was.
type StepKind string

// The kinds of step.
const (
	StepCheck  StepKind = "check"  // exchange, service, area, hours, a requirement
	StepRule   StepKind = "rule"   // a rule was asked
	StepMode   StepKind = "mode"   // what the rules that matched came to, where not the first decides
	StepLadder StepKind = "ladder" // the price by the number of buyers
	StepAdjust StepKind = "adjust" // an adjustment was asked
	StepArm    StepKind = "arm"    // the ping's arm of an experiment
	StepValue  StepKind = "value"  // what the lead is worth
	StepPlan   StepKind = "plan"   // what the strategy makes of the price
	StepLimit  StepKind = "limit"  // max_bid, min_bid, floor, the rounding to cents
	StepReject StepKind = "reject" // a reject rule was asked, at the post
)

// Step is one step on the way to a price, for explain. Lead fields never appear in it.
type Step struct {
	Kind    StepKind        `json:"kind"`
	Name    string          `json:"name"`
	Line    int             `json:"line,omitempty"` // of the rule, in the configuration
	Held    bool            `json:"held"`           // the check passed, the condition held, the limit applied
	Priced  bool            `json:"priced,omitempty"`
	Before  pingpost.Cents  `json:"before,omitempty"` // rounded down for showing; set where Priced
	After   pingpost.Cents  `json:"after,omitempty"`
	Change  string          `json:"change,omitempty"`  // "x1.2", "+3", "max_bid"
	Missing string          `json:"missing,omitempty"` // the field that was not there
	Reason  pingpost.Reason `json:"reason,omitempty"`  // why it ended here
	Error   string          `json:"error,omitempty"`   // what went wrong in a rule
}

// Trace collects the steps of one decision. A nil Trace costs nothing.
type Trace struct {
	Steps []Step `json:"steps"`
}

func (t *Trace) add(step Step) {
	if t != nil {
		t.Steps = append(t.Steps, step)
	}
}

// Plan notes what a strategy made of a price, in its own words.
func (t *Trace) Plan(words string, before, after float64, reason pingpost.Reason) {
	t.add(Step{Kind: StepPlan, Name: words, Held: true, Priced: reason == pingpost.ReasonNone,
		Before: shown(before), After: shown(after), Reason: reason})
}

// String is the step as a sentence.
func (s Step) String() string {
	var b strings.Builder
	switch s.Kind {
	case StepCheck, StepLimit, StepMode, StepPlan, StepValue:
		b.WriteString(s.Name)
	default:
		b.WriteString(s.title())
	}
	switch {
	case s.Error != "":
		b.WriteString(": " + s.Error)
	case s.Missing != "":
		b.WriteString(": the ping does not say " + s.Missing)
	case s.Kind == StepCheck && s.Held:
		b.WriteString(": yes")
	case s.Kind == StepCheck:
		b.WriteString(": no")
	case !s.Held:
		b.WriteString(": does not apply")
	case s.Kind == StepReject:
		b.WriteString(": rejects")
	case s.Kind == StepArm && !s.Priced:
		b.WriteString(": the price stays")
	case (s.Kind == StepRule || s.Kind == StepMode) && s.Priced:
		b.WriteString(": " + s.After.String())
	case s.Priced && s.Reason != pingpost.ReasonNone:
		b.WriteString(": " + s.Before.String())
	case s.Priced:
		fmt.Fprintf(&b, ": %s -> %s", s.Before, s.After)
	}
	if s.Reason != pingpost.ReasonNone {
		b.WriteString(" (" + s.Reason.String() + ")")
	}
	return b.String()
}

// title names a rule as people do: rule 1 "emergency", and an adjustment with its change.
func (s Step) title() string {
	title := s.Name
	if title != string(s.Kind) && !strings.HasPrefix(title, string(s.Kind)+" ") {
		title = string(s.Kind) + " " + strconv.Quote(title)
	}
	if s.Change != "" {
		title += " " + s.Change
	}
	return title
}

// Path is the way of the price in one sentence, from the rule's own number to the bid: "your price
// $50.00 -> slow week x1.2 -> max_bid -> bid $60.00". It is "" where no rule priced.
func (t *Trace) Path() string {
	var parts []string
	var last pingpost.Cents
	for _, step := range t.Steps {
		priced := step.Held && step.Priced
		switch {
		case step.Kind == StepRule && priced:
			parts, last = []string{"your price " + step.After.String()}, step.After
		case step.Kind == StepMode:
			parts, last = []string{"your price " + step.After.String() + " (" + step.Name + ")"}, step.After
		case step.Kind == StepPlan && len(parts) > 0:
			parts, last = append(parts, step.Name), step.After
		case len(parts) == 0 || step.Reason != pingpost.ReasonNone:
		case step.Kind == StepArm && !step.Priced:
			parts = append(parts, step.title())
		case step.Kind == StepArm:
			parts, last = append(parts, step.title()), step.After
		case (step.Kind == StepAdjust || step.Kind == StepLadder) && priced:
			parts, last = append(parts, step.Name+" "+step.Change), step.After
		case step.Kind == StepLimit && priced:
			parts, last = append(parts, step.Name), step.After
		}
		if len(parts) > 0 && step.Reason != pingpost.ReasonNone {
			return strings.Join(append(parts, "no bid ("+step.Reason.String()+")"), " -> ")
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(append(parts, "bid "+last.String()), " -> ")
}
