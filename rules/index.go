package rules

import (
	"slices"
	"time"

	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

// numServices is how many values pingpost.Service has, the one for a ping that names none included.
var numServices = len(pingpost.ServiceWords()) + 1

// columns puts services into columns, so that the services of one column mean the same to all the
// members of an index. An index has one cell for each column of each class of ZIPs.
type columns struct {
	of    []uint8 // by service
	count int
}

// columnsOf reads the sets of services that the members name.
func columnsOf(members []uint64) columns {
	c := columns{of: make([]uint8, numServices)}
	seen := map[string]uint8{}
	signature := make([]byte, (len(members)+7)/8)
	for service := range numServices {
		clear(signature)
		for i, services := range members {
			if services&(1<<service) != 0 {
				signature[i/8] |= 1 << (i % 8)
			}
		}
		column, ok := seen[string(signature)]
		if !ok {
			column = uint8(c.count)
			seen[string(signature)] = column
			c.count++
		}
		c.of[service] = column
	}
	return c
}

// campaignIndex finds the campaigns that buy a service in a ZIP: one list for each, ready made.
type campaignIndex struct {
	classes   zipTable
	columns   columns
	bounds    []uint32 // by class and column: where its list begins in campaigns; one more for the end
	campaigns []uint32 // positions in Ruleset.campaigns, ascending in each list
	buysOn    []uint64 // by campaign: bit set over the exchanges
	services  []uint64 // by exchange: what is bought there at all
	bought    []bool   // by exchange: whether any campaign buys there
}

func buildCampaignIndex(exchanges int, campaigns []*Campaign, p *partition) campaignIndex {
	index := campaignIndex{services: make([]uint64, exchanges), bought: make([]bool, exchanges)}
	var services []uint64
	p.reset()
	for i, c := range campaigns {
		for exchange := range exchanges {
			if c.exchanges&(1<<exchange) != 0 {
				index.services[exchange] |= c.services
				index.bought[exchange] = true
			}
		}
		index.buysOn = append(index.buysOn, c.exchanges)
		services = append(services, c.services)
		p.add(i, c.area.list())
	}
	live, renumbered := p.number()
	index.classes, index.columns = p.table(renumbered), columnsOf(services)
	index.bounds = make([]uint32, index.columns.count, (len(live)+1)*index.columns.count+1)
	for _, class := range live {
		covering := p.sets(class)
		for column := range index.columns.count {
			index.bounds = append(index.bounds, uint32(len(index.campaigns)))
			service := slices.Index(index.columns.of, uint8(column))
			for _, i := range covering {
				if services[i]&(1<<service) != 0 {
					index.campaigns = append(index.campaigns, uint32(i))
				}
			}
		}
	}
	index.bounds = append(index.bounds, uint32(len(index.campaigns)))
	return index
}

// at lists the campaigns that buy a service in a ZIP.
func (i *campaignIndex) at(service pingpost.Service, zip pingpost.ZIP) []uint32 {
	cell := int(i.classes.at(zip))*i.columns.count + int(i.columns.of[service])
	return i.campaigns[i.bounds[cell]:i.bounds[cell+1]]
}

// Candidates appends the campaigns that buy such a ping, in file order: those that buy on the
// exchange, the service, and in the ZIP. Where there is none, the reason is that of the campaign
// that got furthest: ExchangeNotBought, ServiceNotBought or OutsideArea. It does not allocate
// where dst has room.
func (rs *Ruleset) Candidates(p *pingpost.Ping, dst []*Campaign) ([]*Campaign, pingpost.Reason) {
	at, ok := rs.exchangeIndex[p.Exchange]
	if !ok || !rs.index.bought[at] {
		return dst, pingpost.ExchangeNotBought
	}
	if rs.index.services[at]&serviceBit(p.Service) == 0 {
		return dst, pingpost.ServiceNotBought
	}
	before := len(dst)
	for _, i := range rs.index.at(p.Service, p.ZIP) {
		if rs.index.buysOn[i]&(1<<at) != 0 {
			dst = append(dst, rs.campaigns[i])
		}
	}
	if len(dst) == before {
		return dst, pingpost.OutsideArea
	}
	return dst, pingpost.ReasonNone
}

// Covers makes the same three checks for this campaign alone: ReasonNone, ExchangeNotBought,
// ServiceNotBought or OutsideArea. It is what explain shows and what the index must agree with.
func (c *Campaign) Covers(p *pingpost.Ping) pingpost.Reason {
	switch {
	case !c.BuysOn(p.Exchange):
		return pingpost.ExchangeNotBought
	case c.services&serviceBit(p.Service) == 0:
		return pingpost.ServiceNotBought
	case !c.area.has(p.ZIP):
		return pingpost.OutsideArea
	}
	return pingpost.ReasonNone
}

// serviceBit is 0 where the ping names no service.
func serviceBit(service pingpost.Service) uint64 {
	if service == pingpost.ServiceNone {
		return 0
	}
	return 1 << service
}

// posting is a rule in the index: what a ping must be like for its condition to hold, but for
// what only running it can tell. Four of them fill a cache line.
type posting struct {
	facets      uint64 // see facet
	least, most uint16 // ranks of lead_score, see scoreScale
	rule        uint16 // position in Campaign.Rules
}

// ruleIndex finds the rules of a campaign that may hold for a ping. Each cell lists those that pick
// the ZIP; class 0 lists those that pick none, which are asked everywhere.
type ruleIndex struct {
	classes  zipTable
	columns  columns
	bounds   []uint32 // by class and column: where its list begins in postings; one more for the end
	postings []posting
}

func buildRuleIndex(rules []*Rule, scale *scoreScale, p *partition) ruleIndex {
	index := ruleIndex{}
	var everywhere []uint16
	var services []uint64
	var picks []*zipPick
	picking := map[*zipPick][]uint16{} // in ascending order
	for i, rule := range rules {
		services = append(services, rule.chosen.services)
		picked := rule.chosen.zips
		switch {
		case picked == nil:
			everywhere = append(everywhere, uint16(i))
		case picking[picked] == nil:
			picks = append(picks, picked)
			fallthrough
		default:
			picking[picked] = append(picking[picked], uint16(i))
		}
	}
	p.reset()
	for i, picked := range picks {
		p.add(i, picked.zips)
	}
	live, renumbered := p.number()
	index.classes, index.columns = p.table(renumbered), columnsOf(services)
	index.addClass(rules, everywhere, scale)
	for _, class := range live {
		var asked []uint16
		for _, set := range p.sets(class) {
			asked = append(asked, picking[picks[set]]...)
		}
		slices.Sort(asked)
		index.addClass(rules, asked, scale)
	}
	index.bounds = append(index.bounds, uint32(len(index.postings)))
	index.postings = slices.Clip(index.postings)
	return index
}

func (i *ruleIndex) addClass(rules []*Rule, asked []uint16, scale *scoreScale) {
	for column := range i.columns.count {
		i.bounds = append(i.bounds, uint32(len(i.postings)))
		service := slices.Index(i.columns.of, uint8(column))
		for _, at := range asked {
			chosen := &rules[at].chosen
			if chosen.services&(1<<service) == 0 {
				continue
			}
			least, most := scale.ranks(chosen.score)
			i.postings = append(i.postings, posting{facets: chosen.facets, least: least, most: most, rule: at})
		}
	}
}

func (i *ruleIndex) cell(class, column int) []posting {
	at := class*i.columns.count + column
	return i.postings[i.bounds[at]:i.bounds[at+1]]
}

// asking walks the rules of a campaign that may hold for a ping, in file order.
type asking struct {
	here, everywhere []posting
	facets           uint64
	rank             uint16
}

// ask begins such a walk for the ping of Begin.
func (e *Evaluation) ask(c *Campaign) asking {
	index := &c.ruleIndex
	column := int(index.columns.of[e.service])
	walk := asking{everywhere: index.cell(0, column), facets: e.facets, rank: e.rank}
	if class := int(index.classes.at(e.zip)); class != 0 {
		walk.here = index.cell(class, column)
	}
	return walk
}

// next gives the position of the next rule; -1 after the last.
func (a *asking) next() int {
	a.here, a.everywhere = a.skip(a.here), a.skip(a.everywhere)
	list := &a.here
	if len(a.here) == 0 || (len(a.everywhere) > 0 && a.everywhere[0].rule < a.here[0].rule) {
		list = &a.everywhere
	}
	if len(*list) == 0 {
		return -1
	}
	rule := (*list)[0].rule
	*list = (*list)[1:]
	return int(rule)
}

// skip leaves out the rules before the first that may hold.
func (a *asking) skip(list []posting) []posting {
	for i := range list {
		if p := &list[i]; a.facets&^p.facets == 0 && p.least <= a.rank && a.rank <= p.most {
			return list[i:]
		}
	}
	return nil
}

// Asked counts the rules of a campaign that the index leaves for the ping of Begin. All others
// cannot hold and cost nothing.
func (e *Evaluation) Asked(c *Campaign) (rules int) {
	walk := e.ask(c)
	for walk.next() >= 0 {
		rules++
	}
	return rules
}

// zoneTable tells the time zone of every ZIP that some campaign covers, so that no ping has to
// ask for it. It is empty where no rule reads lead_local.
type zoneTable struct {
	of    []uint8 // by ZIP; 0 where it is not known
	zones []*time.Location
}

func buildZoneTable(campaigns []*Campaign) zoneTable {
	table := zoneTable{of: make([]uint8, zipLimit), zones: []*time.Location{nil}}
	byName := map[string]uint8{}
	for _, c := range campaigns {
		for _, zip := range c.area.list() {
			place, ok := zips.Lookup(zip)
			if !ok || table.of[zip] != 0 {
				continue
			}
			at, seen := byName[place.TimeZone]
			if !seen {
				if zone, err := time.LoadLocation(place.TimeZone); err == nil && len(table.zones) < 256 {
					at = uint8(len(table.zones))
					table.zones = append(table.zones, zone)
				}
				byName[place.TimeZone] = at
			}
			table.of[zip] = at
		}
	}
	return table
}

// zone gives the time zone of a ZIP; nil where it is not known.
func (z *zoneTable) zone(zip pingpost.ZIP) *time.Location {
	if int(zip) >= len(z.of) {
		return nil
	}
	return z.zones[z.of[zip]]
}
