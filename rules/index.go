package rules

import (
	"cmp"
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
	of    [64]uint8 // by service
	count int
}

// columnsOf reads the sets of services that the members name.
func columnsOf(members []uint64) columns {
	c := columns{}
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

// service gives one of the services of a column.
func (c *columns) service(column int) pingpost.Service {
	return pingpost.Service(slices.Index(c.of[:], uint8(column)))
}

// campaignIndex finds the campaigns that buy a service in a ZIP, and where in their own indexes
// the rules for such pings stand: one list for each, ready made.
type campaignIndex struct {
	classes  zipTable
	columns  columns
	bounds   []uint32 // by class and column: where its list begins in entries; one more for the end
	entries  []entryOfCampaign
	postings []posting // of all campaigns, one after the other
	buysOn   []uint64  // by campaign: bit set over the exchanges
	services []uint64  // by exchange: what is bought there at all
	bought   []bool    // by exchange: whether any campaign buys there
}

// entryOfCampaign is a campaign in a list, with the places of its postings among those of all
// campaigns. The lists are in file order.
type entryOfCampaign struct {
	campaign         uint32
	here, everywhere postingSpan
}

// postingSpan is a part of the postings of all campaigns.
type postingSpan struct{ from, to uint32 }

// buildCampaignIndex needs the indexes of the campaigns' rules. The ZIPs that rules pick split the
// classes of areas further; partition is left with all of them.
func buildCampaignIndex(exchanges int, campaigns []*Campaign, p *partition) campaignIndex {
	index := campaignIndex{services: make([]uint64, exchanges), bought: make([]bool, exchanges)}
	var services []uint64
	p.reset()
	index.postings = gatherPostings(campaigns)
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
	seen, sets := map[*zipPick]bool{}, len(campaigns)
	for _, c := range campaigns {
		for _, rule := range c.Rules {
			services = append(services, rule.chosen.services)
			if picked := rule.chosen.zips; picked != nil && !seen[picked] {
				seen[picked] = true
				p.add(sets, picked.zips)
				sets++
			}
		}
	}
	index.columns = columnsOf(services)
	live, renumbered := p.number()
	index.classes = p.table(renumbered)
	index.bounds = make([]uint32, index.columns.count, (len(live)+1)*index.columns.count+1)
	for _, class := range live {
		covering := p.sets(class.number)
		for column := range index.columns.count {
			index.bounds = append(index.bounds, uint32(len(index.entries)))
			service := index.columns.service(column)
			for _, i := range covering {
				if i < len(campaigns) && services[i]&(1<<service) != 0 {
					index.entries = append(index.entries, campaigns[i].ruleIndex.entry(uint32(i), service, class.example))
				}
			}
		}
	}
	index.bounds = append(index.bounds, uint32(len(index.entries)))
	index.entries = slices.Clip(index.entries)
	return index
}

// gatherPostings puts the postings of all campaigns into one list, so that a ping finds them without
// asking each campaign where its own are.
func gatherPostings(campaigns []*Campaign) []posting {
	count := 0
	for _, c := range campaigns {
		count += len(c.ruleIndex.postings)
	}
	all := make([]posting, 0, count)
	for _, c := range campaigns {
		index := &c.ruleIndex
		index.first = uint32(len(all))
		all = append(all, index.postings...)
		index.postings = all[index.first:len(all):len(all)]
	}
	return all
}

// at lists the campaigns that buy a service in a ZIP.
func (i *campaignIndex) at(service pingpost.Service, zip pingpost.ZIP) []entryOfCampaign {
	cell := int(i.classes.at(zip))*i.columns.count + int(i.columns.of[service&63])
	return i.entries[i.bounds[cell]:i.bounds[cell+1]]
}

// Candidates appends the campaigns that buy such a ping, in file order: those that buy on the
// exchange, the service, and in the ZIP. Where there is none, the reason is that of the campaign
// that got furthest: ExchangeNotBought, ServiceNotBought or OutsideArea. It does not allocate
// where dst has room.
func (rs *Ruleset) Candidates(p *pingpost.Ping, dst []*Campaign) ([]*Campaign, pingpost.Reason) {
	at, ok := rs.exchangeAt(p.Exchange)
	if !ok || !rs.index.bought[at] {
		return dst, pingpost.ExchangeNotBought
	}
	if rs.index.services[at]&serviceBit(p.Service) == 0 {
		return dst, pingpost.ServiceNotBought
	}
	before := len(dst)
	cell := rs.index.at(p.Service, p.ZIP)
	for i := range cell {
		if campaign := cell[i].campaign; rs.index.buysOn[campaign]&(1<<at) != 0 {
			dst = append(dst, rs.campaigns[campaign])
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
	first    uint32 // where postings begin among those of all campaigns
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
		for _, set := range p.sets(class.number) {
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
		service := i.columns.service(column)
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

// entry finds the postings for a service and a ZIP.
func (i *ruleIndex) entry(campaign uint32, service pingpost.Service, zip pingpost.ZIP) entryOfCampaign {
	column := int(i.columns.of[service&63])
	found := entryOfCampaign{campaign: campaign, everywhere: i.cell(column)}
	if class := int(i.classes.at(zip)); class != 0 {
		found.here = i.cell(class*i.columns.count + column)
	}
	return found
}

func (i *ruleIndex) cell(at int) postingSpan {
	return postingSpan{i.first + i.bounds[at], i.first + i.bounds[at+1]}
}

// asking walks the rules of a campaign that may hold for a ping, in file order.
type asking struct {
	here, everywhere []posting
	facets           uint64
	rank             uint16
}

// ask begins such a walk for the ping of Begin.
func (e *Evaluation) ask(c *Campaign) asking {
	found, postings := e.entryOf(c), e.rs.index.postings
	return asking{here: postings[found.here.from:found.here.to],
		everywhere: postings[found.everywhere.from:found.everywhere.to], facets: e.facets, rank: e.rank}
}

// entryOf finds a campaign in the cell of the ping. The Agent asks for one after the other, so
// that the next is mostly the one after the last. A campaign that does not buy such a ping is not
// in the cell: explain prices it all the same.
func (e *Evaluation) entryOf(c *Campaign) entryOfCampaign {
	if e.next < len(e.cell) && e.cell[e.next].campaign == uint32(c.Index) {
		e.next++
		return e.cell[e.next-1]
	}
	at, found := slices.BinarySearchFunc(e.cell, uint32(c.Index), func(entry entryOfCampaign, campaign uint32) int {
		return cmp.Compare(entry.campaign, campaign)
	})
	if !found {
		return c.ruleIndex.entry(uint32(c.Index), e.service, e.zip)
	}
	e.next = at + 1
	return e.cell[at]
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
