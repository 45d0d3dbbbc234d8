package rules

import (
	"slices"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// Ruleset is a checked, compiled and indexed configuration. It is immutable: any number of
// goroutines may read it.
type Ruleset struct {
	settings  Settings
	exchanges []*Exchange
	campaigns []*Campaign
	hash      string

	places        map[string]yamlfile.Fault // of the settings that only a restart changes
	exchangeIndex map[string]int
	byTag         map[uint32]*Campaign
	keptAttrs     map[string]bool

	index      campaignIndex
	scores     scoreScale
	vocabulary attributes
	zones      zoneTable
	holidays   holidays
	uses       usage
}

// Campaign is one buying plan: what to buy, where, when, and what for.
type Campaign struct {
	Name      string
	Index     int    // the position in Campaigns, from 0
	Tag       uint32 // FNV-1a of the name, by which a bid id names the campaign
	Line      int
	Services  []pingpost.Service
	Exchanges []string       // the exchanges it buys on
	Budget    Limits         // cents
	Capacity  Limits         // leads
	CrewHours float64        // a day, of the campaign's own crew; 0 where it has none
	MinBid    pingpost.Cents // 0 where there is none
	MaxBid    pingpost.Cents // 0 where there is none

	RaiseToFloor bool // a bid below the exchange's floor is raised to it, up to MaxBid
	ClipToBudget bool // where a cap has less left than the bid, that much is bid

	Duplicates time.Duration // the same contact again within this time is a duplicate; 0 never
	Delivery   []Target
	Strategy   Strategy
	Value      Value // what a lead is worth

	HoursPerJob string // the source of the crew hours that a job takes; "" where they are not counted
	hoursPerJob *number

	Mode     Mode
	Priority int // 1 is asked first; above all that can be written where there is none
	Pause    Pause
	RuleMode RuleMode
	Rules    []*Rule // first match wins, unless RuleMode says otherwise
	Adjusts  []*Rule // each that matches applies, in order
	Arms     []Arm   // of an experiment; none where there is none
	Rejects  []*Rule // asked at the post; any that matches rejects

	services  uint64 // bit set over pingpost.Service
	exchanges uint64 // bit set over the positions in Ruleset.exchanges
	area      zipSet
	hours     *hours // nil: always
	require   requirements
	ladder    ladder
	ruleIndex ruleIndex
	usesFacts bool // a rule or adjustment reads budget.* or capacity.*
}

// Rule is a condition with what follows from it: a bid, an adjustment, or a rejection.
type Rule struct {
	Name     string // as written, or "rule 3", "adjust 1", "reject 2"
	Line     int
	When     string // the condition's source; "" where it always holds
	Bid      string // Rules: the price's source
	Multiply string // Adjusts: the factor's source, "" where none
	Add      string // Adjusts: the source of the dollars to add, "" where none
	Set      string // Adjusts: the source of the dollars to take instead, "" where none
	Cap      string // Adjusts: the source of the most dollars to leave, "" where none
	Reason   string // Rejects: the word that the exchange is told

	when   condition
	chosen choice // what the index decides of the condition

	customers customers // a reject rule's list; nil where it has a condition
	bid       number
	// What an adjustment does: one of them.
	multiply, add, set, cap *number
}

// Settings gives the part that is not a campaign. It must not be changed.
func (rs *Ruleset) Settings() *Settings { return &rs.settings }

// Exchanges lists the exchanges in file order. The list must not be changed.
func (rs *Ruleset) Exchanges() []*Exchange { return rs.exchanges }

// Exchange finds an exchange by name; nil where there is none.
func (rs *Ruleset) Exchange(name string) *Exchange {
	if i, ok := rs.exchangeAt(name); ok {
		return rs.exchanges[i]
	}
	return nil
}

// exchangeAt is the position of an exchange. Few are found sooner by looking at each than by a map.
func (rs *Ruleset) exchangeAt(name string) (at int, ok bool) {
	if len(rs.exchanges) > 8 {
		at, ok = rs.exchangeIndex[name]
		return at, ok
	}
	for at, exchange := range rs.exchanges {
		if exchange.Name == name {
			return at, true
		}
	}
	return 0, false
}

// Campaigns lists the campaigns in the order in which they are asked: that of the file, or of their
// priorities. The list must not be changed.
func (rs *Ruleset) Campaigns() []*Campaign { return rs.campaigns }

// Campaign finds a campaign by name; nil where there is none.
func (rs *Ruleset) Campaign(name string) *Campaign {
	for _, c := range rs.campaigns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// CampaignByTag finds a campaign by its tag; nil where there is none.
func (rs *Ruleset) CampaignByTag(tag uint32) *Campaign {
	return rs.byTag[tag]
}

// Hash is the SHA-256, in hex, over the configuration and the lists it names. Two processes with
// the same hash hold the same rules, whatever their secrets are.
func (rs *Ruleset) Hash() string { return rs.hash }

// KeepsAttr reports whether a recording keeps an attribute: a rule names it or record: lists it.
func (rs *Ruleset) KeepsAttr(name string) bool { return rs.keptAttrs[name] }

// BuysOn reports whether the campaign buys on an exchange.
func (c *Campaign) BuysOn(exchange string) bool { return slices.Contains(c.Exchanges, exchange) }

// UsesFacts reports whether a price of the campaign depends on how far its caps are used.
func (c *Campaign) UsesFacts() bool { return c.usesFacts }
