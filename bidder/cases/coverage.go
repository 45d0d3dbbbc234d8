package cases

import (
	"leadbid/pingpost"
	"leadbid/rules"
)

// Uncovered is a rule that no case asks for: nobody would notice if it went wrong.
type Uncovered struct {
	Campaign string `json:"campaign"`
	Kind     string `json:"kind"` // rule, adjust or reject
	Rule     string `json:"rule"`
	Line     int    `json:"line"`
}

// coverage is what the cases went through. Lines tell rules apart: names need not.
type coverage map[ruleKey]bool

type ruleKey struct {
	campaign string
	kind     rules.StepKind
	line     int
}

// note marks what a result went through: the rule that priced or declined, the adjustments that
// changed its price, the reject rule that rejected. What the case did not end in counts as well:
// two campaigns asked about one ping are both tested by it only where both are looked at, so
// that only the campaign of the outcome counts.
func (seen coverage) note(rs *rules.Ruleset, result Result) {
	for _, one := range result.Explanation.Campaigns {
		if one.Campaign != result.Got.Campaign {
			continue
		}
		for _, step := range one.Trace.Steps {
			priced := step.Priced || step.Reason == pingpost.Declined
			if step.Held && priced {
				seen[ruleKey{one.Campaign, step.Kind, step.Line}] = true
			}
		}
	}
	campaign := rs.Campaign(result.Got.Campaign)
	if campaign == nil || result.Got.Reject == "" {
		return
	}
	for _, reject := range campaign.Rejects {
		if reject.Name == result.Got.Reject {
			seen[ruleKey{campaign.Name, rules.StepReject, reject.Line}] = true
			return
		}
	}
}

// missing lists what no case went through, in file order.
func (seen coverage) missing(rs *rules.Ruleset) []Uncovered {
	var missing []Uncovered
	for _, campaign := range rs.Campaigns() {
		for _, part := range []struct {
			kind  rules.StepKind
			rules []*rules.Rule
		}{{rules.StepRule, campaign.Rules}, {rules.StepAdjust, campaign.Adjusts}, {rules.StepReject, campaign.Rejects}} {
			for _, rule := range part.rules {
				if !seen[ruleKey{campaign.Name, part.kind, rule.Line}] {
					missing = append(missing, Uncovered{campaign.Name, string(part.kind), rule.Name, rule.Line})
				}
			}
		}
	}
	return missing
}
