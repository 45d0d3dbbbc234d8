package rules

import (
	"maps"
	"slices"
	"time"

	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

// zipIndex finds the campaigns that cover a ZIP. ZIPs that the same campaigns cover share a row,
// so that a table of a hundred thousand numbers is all that grows with the map.
type zipIndex struct {
	rowOf    []uint32      // by ZIP; row 0 is empty
	rows     [][]*Campaign // in file order
	services []uint64      // by exchange: what is bought there at all
	bought   []bool        // by exchange: whether any campaign buys there
}

func buildZIPIndex(exchanges int, campaigns []*Campaign) zipIndex {
	index := zipIndex{rowOf: make([]uint32, zipLimit), rows: [][]*Campaign{nil},
		services: make([]uint64, exchanges), bought: make([]bool, exchanges)}
	for _, c := range campaigns {
		for i := range exchanges {
			if c.exchanges&(1<<i) != 0 {
				index.services[i] |= c.services
				index.bought[i] = true
			}
		}
		// All ZIPs of one row that this campaign covers move to one new row together.
		next := map[uint32]uint32{}
		for _, zip := range c.area.list() {
			row := index.rowOf[zip]
			moved, ok := next[row]
			if !ok {
				moved = uint32(len(index.rows))
				next[row] = moved
				index.rows = append(index.rows, append(append([]*Campaign(nil), index.rows[row]...), c))
			}
			index.rowOf[zip] = moved
		}
	}
	return index
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
	service := serviceBit(p.Service)
	if rs.index.services[at]&service == 0 {
		return dst, pingpost.ServiceNotBought
	}
	before := len(dst)
	if p.ZIP < zipLimit {
		for _, c := range rs.index.rows[rs.index.rowOf[p.ZIP]] {
			if c.services&service != 0 && c.exchanges&(1<<at) != 0 {
				dst = append(dst, c)
			}
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

// ruleIndex lists, for each ZIP that some rule of a campaign picks, the rules to ask there, in
// file order: those that pick it, and those that pick none. ZIPs with the same rules share a list.
type ruleIndex struct {
	everywhere []uint16 // for all other ZIPs
	listOf     map[pingpost.ZIP]uint32
	lists      [][]uint16
}

// buildRuleIndex takes the ZIPs that each rule picks, nil for a rule that is asked everywhere.
func buildRuleIndex(picked [][]pingpost.ZIP) ruleIndex {
	index := ruleIndex{}
	picking := map[pingpost.ZIP][]uint16{}
	for i, zips := range picked {
		if zips == nil {
			index.everywhere = append(index.everywhere, uint16(i))
		}
		for _, zip := range zips {
			if rules := picking[zip]; len(rules) == 0 || rules[len(rules)-1] != uint16(i) {
				picking[zip] = append(rules, uint16(i))
			}
		}
	}
	if len(picking) == 0 {
		return index
	}
	index.listOf = make(map[pingpost.ZIP]uint32, len(picking))
	shared := map[string]uint32{}
	for _, zip := range slices.Sorted(maps.Keys(picking)) {
		rules := picking[zip]
		key := make([]byte, 0, 2*len(rules))
		for _, rule := range rules {
			key = append(key, byte(rule), byte(rule>>8))
		}
		at, ok := shared[string(key)]
		if !ok {
			at = uint32(len(index.lists))
			shared[string(key)] = at
			asked := slices.Concat(index.everywhere, rules)
			slices.Sort(asked)
			index.lists = append(index.lists, asked)
		}
		index.listOf[zip] = at
	}
	return index
}

// at lists the rules to ask for a ZIP.
func (i *ruleIndex) at(zip pingpost.ZIP) []uint16 {
	if i.listOf != nil {
		if list, ok := i.listOf[zip]; ok {
			return i.lists[list]
		}
	}
	return i.everywhere
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
