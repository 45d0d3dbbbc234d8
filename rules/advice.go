package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// advise warns of what can be read and is most likely not meant. root is the whole document.
func (l *loader) advise(root yamlfile.Node) {
	l.adviseServer(root.At("server"))
	adviseNoLeads(root.At("business"), l.rs.settings.Business.Capacity)
	for _, exchange := range l.rs.exchanges {
		adviseNoLeads(root.At("exchanges", exchange.Name), exchange.Capacity)
	}
	for _, c := range l.rs.campaigns {
		at := root.At("campaigns", c.Name)
		l.adviseCovered(c, at.At("rules").OneOrList())
		adviseMaxBid(c, at.At("rules").OneOrList())
		adviseMixed(c, at.At("adjust").OneOrList())
		l.adviseCaps(c, root)
	}
	l.adviseOutcomes(root.At("outcomes"))
}

// adviseOutcomes warns of outcomes that move no bid.
func (l *loader) adviseOutcomes(node yamlfile.Node) {
	if !node.Exists() || slices.ContainsFunc(l.rs.campaigns, func(c *Campaign) bool { return c.Value.Job > 0 }) {
		return
	}
	node.Key().Warn("no campaign has a value made of a close rate and a job, so outcomes are kept and move no bid",
		"value: {close: 12%, job: $9000, margin: 30%} in a campaign", "")
}

func (l *loader) adviseServer(node yamlfile.Node) {
	server := &l.rs.settings.Server
	adviseListen(node, server)
	adviseAdmin(node, server)
}

// adviseListen warns of pings and leads that would cross a network unencrypted. With an https
// public_url something in front of the bidder takes care of that.
func adviseListen(node yamlfile.Node, server *Server) {
	if server.TLSCert != "" || isLoopback(server.Listen) || strings.HasPrefix(server.PublicURL, "https://") {
		return
	}
	node.At("listen").Warn("other machines reach "+server.Listen+", and without TLS keys and leads travel in plain text",
		"tls: {cert: ..., key: ...}; or a proxy with TLS in front, named by public_url: https://...", "")
}

// adviseAdmin warns of an operator's listener that others reach: it asks nobody for a key.
func adviseAdmin(node yamlfile.Node, server *Server) {
	if isLoopback(server.Admin) {
		return
	}
	node.At("admin").Warn("other machines reach "+server.Admin+
		", and need no key there to reload rules, dispute leads or revoke keys",
		`an address of this machine, such as "127.0.0.1:8081"; or a network that only the operator is in`, "")
}

// isLoopback reports whether an address to listen on is this machine's own.
func isLoopback(address string) bool {
	host := strings.Trim(address[:max(strings.LastIndexByte(address, ':'), 0)], "[]")
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// adviseMaxBid tells of prices that max_bid always cuts.
func adviseMaxBid(c *Campaign, items []yamlfile.Node) {
	for i, rule := range c.Rules {
		cents, isConstant := constantBid(rule)
		if isConstant && c.MaxBid > 0 && cents > c.MaxBid {
			items[i].At("bid").Warn(fmt.Sprintf("a bid of %s is above max_bid %s, which cuts it", cents, c.MaxBid),
				"a bid of at most max_bid, or a larger max_bid", "")
		}
	}
}

// constantBid gives a bid that is a plain number.
func constantBid(rule *Rule) (cents pingpost.Cents, ok bool) {
	if !rule.bid.isConstant() {
		return 0, false
	}
	cents, err := pingpost.FloorPrice(rule.bid.constant)
	return cents, err == nil
}

// adviseMixed tells of factors below sums: they multiply what was added as well, and the same two
// lines the other way round come to another price.
func adviseMixed(c *Campaign, items []yamlfile.Node) {
	var adds *Rule
	for i, adjust := range c.Adjusts {
		switch {
		case adjust.set != nil: // What was added before is forgotten.
			adds = nil
		case adjust.add != nil && adds == nil:
			adds = adjust
		case adjust.multiply != nil && adds != nil:
			items[i].At("multiply").Warn(fmt.Sprintf("this also multiplies what %q above it adds", adds.Name),
				"factors above sums, unless that is meant", "")
			return
		}
	}
}

// adviseCaps tells of caps that are smaller than the least that the campaign bids: it would never
// bid under them.
func (l *loader) adviseCaps(c *Campaign, root yamlfile.Node) {
	least := leastBid(c)
	tooSmall := func(node yamlfile.Node, limits Limits) {
		for _, period := range pingpost.Periods() {
			limit := limits[period]
			if limit.Set && pingpost.Cents(limit.N) < least {
				node.At(period.String()).Warn(fmt.Sprintf("no bid of campaign %s fits into %s: the least it bids is %s",
					c.Name, describePeriod(pingpost.Cents(limit.N).String(), period), least),
					"a larger budget", "")
			}
		}
	}
	tooSmall(root.At("business", "budget"), l.rs.settings.Business.Budget)
	for _, name := range c.Exchanges {
		tooSmall(root.At("exchanges", name, "budget"), l.rs.Exchange(name).Budget)
	}
	own := root.At("campaigns", c.Name)
	tooSmall(own.At("budget"), c.Budget)
	adviseNoLeads(own, c.Capacity)
}

// adviseNoLeads tells of capacities that no lead fits into.
func adviseNoLeads(owner yamlfile.Node, capacity Limits) {
	for _, period := range pingpost.Periods() {
		if limit := capacity[period]; limit.Set && limit.N == 0 {
			owner.At("capacity", "leads", period.String()).Warn("no lead fits into "+describePeriod("0 leads", period),
				"a larger number; or `bidder pause`, to stop buying for a while", "")
		}
	}
}

// leastBid is the smallest bid that the campaign can make: min_bid, or the smallest of its prices
// where all are plain numbers and nothing adjusts them.
func leastBid(c *Campaign) pingpost.Cents {
	least := max(c.MinBid, 1)
	smallest := pingpost.MaxCents
	for _, rule := range c.Rules {
		cents, isConstant := constantBid(rule)
		if !isConstant || len(c.Adjusts)+len(c.Arms) > 0 || !c.ladder.none() || c.ClipToBudget {
			return least
		}
		if c.MaxBid > 0 {
			cents = min(cents, c.MaxBid)
		}
		if cents > 0 { // 0 declines
			smallest = min(smallest, cents)
		}
	}
	if smallest == pingpost.MaxCents {
		return least
	}
	return max(least, smallest)
}
