package rules

import (
	"cmp"
	"slices"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// Choose is which of several campaigns that would buy a ping is asked first.
type Choose uint8

// The ways to choose.
const (
	ChooseOrder    Choose = iota // the first in the file
	ChooseValue                  // the one that bids most; of equals the first in the file
	ChoosePriority               // the one of the smallest priority number; of equals the first in the file
)

var chooseWords = []string{"order", "value", "priority"}

// maxPriority bounds the numbers; a campaign without one comes after all that have one.
const maxPriority = 1000

// Pause is what the configuration itself switches off. Bids already sent stay valid.
type Pause struct {
	On    bool
	Until time.Time // zero where it ends by itself at no time
}

// At reports whether nothing is bid at an instant.
func (p Pause) At(now time.Time) bool { return p.On || now.Before(p.Until) }

// haltedAt names what the configuration pauses for all campaigns: the business, or the exchange at a
// position (-1 for one that is not known); "" where that is neither.
func (rs *Ruleset) haltedAt(now time.Time, exchange int) string {
	switch {
	case rs.settings.Business.Pause.At(now):
		return "the business"
	case exchange >= 0 && rs.exchanges[exchange].Pause.At(now):
		return "the exchange"
	}
	return ""
}

// paused notes what the configuration pauses of what a bid of the campaign needs.
func (e *Evaluation) paused(c *Campaign, tr *Trace) bool {
	what := e.halted
	if what == "" && c.Pause.At(e.now) {
		what = "the campaign"
	}
	return what != "" && !note(tr, "not paused ("+what+")", false, pingpost.Paused)
}

// loadPause reads pause: true and snooze_until: 2026-12-01T08:00. A time without a zone is the
// business's.
func (l *loader) loadPause(m yamlfile.Map) (pause Pause) {
	pause.On, _ = m.Get("pause").Bool()
	node := m.Get("snooze_until")
	const expected = "a day such as 2026-12-01, or a time such as 2026-12-01T08:00"
	text, ok := node.Text(expected)
	if !ok {
		return pause
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly, time.RFC3339} {
		if until, err := time.ParseInLocation(layout, text, l.rs.settings.Business.Location); err == nil {
			pause.Until = until
			return pause
		}
	}
	node.Fault(yamlfile.Quote(text)+" is no day and no time", expected, "")
	return pause
}

// loadChoose reads choose: of the business.
func loadChoose(node yamlfile.Node) Choose {
	word, _ := node.Word(chooseWords)
	return Choose(max(slices.Index(chooseWords, word), 0))
}

// loadPriority reads the place of a campaign among those that would buy the same ping.
func (l *loader) loadPriority(c *Campaign, node yamlfile.Node) {
	c.Priority = maxPriority + 1
	number, ok := node.Int(1, maxPriority)
	if !ok {
		return
	}
	c.Priority = int(number)
	if l.rs.settings.Business.Choose != ChoosePriority {
		node.Key().Warn("the priority has no effect: campaigns are asked in the order of the file",
			"choose: priority, under business:", "")
	}
}

// sortCampaigns brings the campaigns into the order in which they are asked.
func (l *loader) sortCampaigns() {
	if l.rs.settings.Business.Choose != ChoosePriority {
		return
	}
	slices.SortStableFunc(l.rs.campaigns, func(a, b *Campaign) int {
		return cmp.Compare(a.Priority, b.Priority)
	})
	for i, c := range l.rs.campaigns {
		c.Index = i
	}
}
