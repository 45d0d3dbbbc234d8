package server

import (
	"fmt"
	"maps"
	"os"
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/internal/httpguard"
	"leadbid/pingpost/wire"
	"leadbid/rules"
)

// inForce is everything of the server that depends on the rules. It is immutable, and replaced
// whole by a reload: a request takes it once, at its start.
type inForce struct {
	rules      *rules.Ruleset
	generation uint32
	since      time.Time
	plan       *budget.Plan
	exchanges  map[string]*exchange // those that a reload took away included, for a while
	keyed      bool                 // every exchange shows a key

	// Where leads go whose campaign a reload took away: what was accepted is delivered.
	gone map[string][]rules.Target

	// Attributes that the rules in force read, and those that any before read. A request may be under
	// way while the rules change, more than once, and what decided its ping must be in the recording.
	kept, keptBefore map[string]bool
}

// exchange is one exchange as the handlers need it.
type exchange struct {
	*rules.Exchange
	profile *wire.Profile
	key     *httpguard.Keys // its one; nil where it shows none, which is allowed on the loopback only
	meters  *pingMeters

	// Of one that a reload took away: when its last bid can no longer be posted, and when the last lead
	// of it can no longer come back.
	until, returnsUntil time.Time
}

// admits tells whether a request comes from the exchange. One that a reload took away may send notices for
// longer than all else: they bring money back.
func (x *exchange) admits(c *clock, notice bool, authorization []byte) bool {
	until := x.until
	if notice {
		until = x.returnsUntil
	}
	if !until.IsZero() && c.now().After(until) {
		return false
	}
	return x.key == nil || x.key.Check([]byte(x.Name), authorization)
}

// adopt makes what the next generation needs. Errors name what is wrong with the rules.
func (s *Server) adopt(rs *rules.Ruleset) (*inForce, error) {
	next := &inForce{
		rules: rs, generation: 1, since: s.clock.now(), plan: bidder.PlanOf(rs),
		exchanges: map[string]*exchange{}, gone: map[string][]rules.Target{}, kept: rs.KeptAttrs(),
	}
	bearers := map[string]string{}
	for _, configured := range rs.Exchanges() {
		x, err := s.openExchange(configured)
		if err != nil {
			return nil, err
		}
		next.exchanges[configured.Name] = x
		if configured.Bearer != "" {
			bearers[configured.Name] = configured.Bearer
		}
	}
	keys, err := httpguard.NewKeys(bearers)
	if err != nil {
		return nil, err
	}
	next.keyed = keys.Len() == len(next.exchanges)
	if err := s.takesLeads(rs); err != nil {
		return nil, err
	}
	listen := rs.Settings().Server.Listen
	if err := httpguard.NonLoopbackWithoutAuth(listen, next.keyed); err != nil {
		return nil, fmt.Errorf("server: server.listen %s: %w: give each exchange an auth.bearer", listen, err)
	}
	if before := s.inForce.Load(); before != nil {
		next.follow(before)
	}
	return next, nil
}

func (s *Server) openExchange(configured *rules.Exchange) (*exchange, error) {
	profile, err := wire.Load(configured.Profile)
	if err != nil {
		return nil, fmt.Errorf("server: exchange %s: %w", configured.Name, err)
	}
	x := &exchange{Exchange: configured, profile: profile, meters: s.meters.of(configured.Name)}
	if configured.Bearer != "" {
		x.key, err = httpguard.NewKeys(map[string]string{configured.Name: configured.Bearer})
	}
	return x, err
}

// takesLeads refuses a delivery into a pipe or a device, which never takes a lead: after a crash it could
// not be read back which ones it has.
func (s *Server) takesLeads(rs *rules.Ruleset) error {
	for _, campaign := range rs.Campaigns() {
		for _, target := range campaign.Delivery {
			if target.File == "" {
				continue
			}
			if info, err := os.Stat(s.path(target.File)); err == nil && !info.Mode().IsRegular() {
				return fmt.Errorf("server: campaign %s: leads cannot be written to %s: "+
					"it has to be a file that can be read back, such as leads.jsonl", campaign.Name, target.File)
			}
		}
	}
	return nil
}

// follow takes over from the generation before what outlives it: exchanges whose bids may still be
// posted or whose leads may come back, and where the leads of campaigns go that are gone.
func (f *inForce) follow(before *inForce) {
	f.generation, f.keptBefore = before.generation+1, map[string]bool{}
	maps.Copy(f.keptBefore, before.kept)
	maps.Copy(f.keptBefore, before.keptBefore)
	for name, x := range before.exchanges {
		if f.exchanges[name] != nil || !x.returnsUntil.IsZero() && f.since.After(x.returnsUntil) {
			continue
		}
		leaving := *x
		if leaving.until.IsZero() {
			leaving.until = f.since.Add(x.BidTTL + x.Grace)
			leaving.returnsUntil = leaving.until.Add(returnsWindow(x.Exchange))
		}
		f.exchanges[name] = &leaving
	}
	for _, campaign := range before.rules.Campaigns() {
		f.gone[campaign.Name] = campaign.Delivery
	}
	for name, targets := range before.gone {
		if f.gone[name] == nil {
			f.gone[name] = targets
		}
	}
}

// keeps tells whether a recording keeps an attribute of a ping that a generation decided.
func (f *inForce) keeps(generation uint32, attr string) bool {
	if generation == f.generation || f.keptBefore == nil {
		return f.kept[attr]
	}
	return f.keptBefore[attr]
}

// targets is where the leads of a campaign go.
func (f *inForce) targets(campaign string) []rules.Target {
	if c := f.rules.Campaign(campaign); c != nil {
		return c.Delivery
	}
	return f.gone[campaign]
}
