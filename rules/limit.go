package rules

import (
	"fmt"
	"slices"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// A ping asks at most this many rules whose conditions the index does not decide, over all
// campaigns that may buy it: that many take well below 50 µs. A longer condition or price counts
// as several, see workOf.
const (
	maxUndecided = 500
	partsPerRule = 50
)

// workOf is what asking a rule costs beyond the index, in ordinary undecided rules: 0 where
// nothing of it runs, or only once for the rule that makes the price.
func workOf(rule *Rule, mode RuleMode) int {
	parts := rule.when.parts
	// A price that may be missing passes the ping on, and where not the first rule decides all
	// prices are worked out.
	if rule.bid.needs != nil || mode != FirstMatch {
		parts += rule.bid.parts
	}
	return ruleCount(parts)
}

func ruleCount(parts int) int { return (parts + partsPerRule - 1) / partsPerRule }

// campaignWork is the work of one campaign's rules, by what the ping's ZIP and service are.
type campaignWork struct {
	always int   // adjustments, which every price passes
	cells  []int // by class and column, as in the campaign's index
	most   []int // by service: the most that any ZIP asks
}

func newCampaignWork(c *Campaign) campaignWork {
	work := campaignWork{most: make([]int, numServices)}
	for _, adjust := range c.Adjusts {
		work.always += ruleCount(adjust.when.parts + adjust.change().parts)
	}
	costs := make([]int, len(c.Rules))
	for i, rule := range c.Rules {
		costs[i] = workOf(rule, c.RuleMode)
	}
	index := &c.ruleIndex
	for cell := range len(index.bounds) - 1 {
		sum := 0
		for _, p := range index.postings[index.bounds[cell]:index.bounds[cell+1]] {
			sum += costs[p.rule]
		}
		work.cells = append(work.cells, sum)
	}
	for service := range numServices {
		column := int(index.columns.of[service])
		for class := 1; class < len(work.cells)/index.columns.count; class++ {
			work.most[service] = max(work.most[service], work.cells[class*index.columns.count+column])
		}
		work.most[service] += work.cells[column] + work.always
	}
	return work
}

// at is the work of a ping.
func (w *campaignWork) at(c *Campaign, service pingpost.Service, zip pingpost.ZIP) int {
	column := int(c.ruleIndex.columns.of[service])
	sum := w.always + w.cells[column]
	if class := int(c.ruleIndex.classes.at(zip)); class != 0 {
		sum += w.cells[class*c.ruleIndex.columns.count+column]
	}
	return sum
}

// checkUndecided refuses a configuration in which some ping would ask too many rules. It names the
// first such ZIP and service, at the campaign with the most of them. The partition is the one that
// the index of campaigns was built with.
func (l *loader) checkUndecided(zips *partition, root yamlfile.Node) {
	works := make([]campaignWork, len(l.rs.campaigns))
	for i, c := range l.rs.campaigns {
		works[i] = newCampaignWork(c)
	}
	slices.Sort(zips.touched)
	fine := make([]bool, len(zips.classes)*numServices) // no ZIP of the class can have too many
	for _, zip := range zips.touched {
		for service := range numServices {
			cell := int(zips.classOf[zip])*numServices + service
			if fine[cell] {
				continue
			}
			most := 0
			among := l.rs.index.at(pingpost.Service(service), zip)
			for _, entry := range among {
				most += works[entry.campaign].most[service]
			}
			if most <= maxUndecided {
				fine[cell] = true
				continue
			}
			if l.checkZIP(works, among, pingpost.Service(service), zip, root) {
				return
			}
		}
	}
}

// checkZIP sums up for one ZIP and service, exchange by exchange, and reports whether it found a
// fault.
func (l *loader) checkZIP(works []campaignWork, among []entryOfCampaign, service pingpost.Service, zip pingpost.ZIP,
	root yamlfile.Node) (fault bool) {
	for exchange, named := range l.rs.exchanges {
		sum, worst, at := 0, 0, uint32(0)
		for _, entry := range among {
			i := entry.campaign
			c := l.rs.campaigns[i]
			if c.exchanges&(1<<exchange) == 0 {
				continue
			}
			work := works[i].at(c, service, zip)
			if sum += work; work > worst {
				worst, at = work, i
			}
		}
		if sum <= maxUndecided {
			continue
		}
		root.At("campaigns", l.rs.campaigns[at].Name).Key().Fault(fmt.Sprintf(
			"a ping for %s in %s from %s would have to run %d rules one after the other, %d of them in this campaign, and %d are the most",
			service, zip, named.Name, sum, worst, maxUndecided),
			"conditions on service, zip, urgency, job, property_type or lead_score in more of the rules: those are looked up and not run", "")
		return true
	}
	return false
}
