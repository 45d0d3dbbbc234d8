package rules

import (
	"slices"

	"leadbid/internal/yamlfile"
)

// ModeOf is how the campaign buys on an exchange: the most careful of the modes that the business,
// the exchange and the campaign are in.
func (rs *Ruleset) ModeOf(c *Campaign, x *Exchange) Mode {
	return max(rs.settings.Mode, x.Mode, c.Mode)
}

var modeWords = []string{"live", "observe"} // by Mode

// loadMode reads one word; without it the mode is Live, which leaves it to the others.
func loadMode(node yamlfile.Node) Mode {
	word, _ := node.Word(modeWords)
	return Mode(max(slices.Index(modeWords, word), 0))
}

// loadModes reads what a campaign does: how its rules make a price, whether it bids, or both in a
// list.
func (c *Campaign) loadModes(node yamlfile.Node) {
	seen := map[bool]bool{}
	for _, item := range node.OneOrList() {
		word, ok := item.Word(slices.Concat(ruleModeWords, modeWords))
		if !ok {
			continue
		}
		ofRules := slices.Contains(ruleModeWords, word)
		switch {
		case seen[ofRules]:
			item.Fault("two modes of one kind", "one of "+yamlfile.OneOf(ruleModeWords)+
				", and one of "+yamlfile.OneOf(modeWords), "mode: [highest, observe]")
		case ofRules:
			c.RuleMode = RuleMode(slices.Index(ruleModeWords, word))
		default:
			c.Mode = Mode(slices.Index(modeWords, word))
		}
		seen[ofRules] = true
	}
}

// KeptAttrs is the set that KeepsAttr asks. It must not be changed.
func (rs *Ruleset) KeptAttrs() map[string]bool { return rs.keptAttrs }
