package exchange

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"leadbid/pingpost"
)

// open takes a lead in: terms, eligibility, and pings or an auction among presets alone.
func (m *Market) open(now time.Time, c OpenOffer) Applied {
	if known := m.offers[c.ID]; known != nil {
		if known.facts.Body != hex.EncodeToString(c.Body[:]) || known.seller != c.Seller {
			return Applied{Refused: pingpost.PingChanged}
		}
		return Applied{Repeat: true}
	}
	seller := m.sellers[c.Seller]
	if reason := m.refuseOpen(c, seller); reason != pingpost.ReasonNone {
		return Applied{Refused: reason}
	}
	campaign := m.campaignFor(c.Campaign, c.Ping.Service)
	if campaign == nil {
		return Applied{Refused: pingpost.ServiceNotBought}
	}
	lead := &Lead{
		Offer: c.ID, Seller: c.Seller, Body: c.Body, Ping: *c.Ping.Clone(), Lead: c.Lead, Consent: c.Consent,
	}
	m.openAs(now, campaign, seller, lead, OpenedFacts{
		Body: hex.EncodeToString(c.Body[:]), Seed: c.Seed, Cost: c.Cost, Fallback: campaign.Fallback,
	}, c.ID)
	return Applied{Lead: lead}
}

func (m *Market) refuseOpen(c OpenOffer, seller *Seller) pingpost.Reason {
	switch {
	case !m.started:
		return pingpost.StoreAway
	case seller == nil:
		return pingpost.NotEligible
	case !validOfferID(c.ID), c.Ping.ZIP == 0, c.Cost < 0, c.Cost > pingpost.MaxCents,
		c.Lead.ZIP != 0 && c.Lead.ZIP != c.Ping.ZIP:
		return pingpost.InvalidField
	}
	return pingpost.ReasonNone
}

func validOfferID(id OfferID) bool {
	for _, char := range []byte(id) {
		letter := char|0x20 >= 'a' && char|0x20 <= 'z'
		if !letter && (char < '0' || char > '9') && char != '-' && char != '_' {
			return false
		}
	}
	return len(id) >= 1 && len(id) <= 64
}

// campaignFor finds the campaign by name, or the first that takes the service.
func (m *Market) campaignFor(name string, service pingpost.Service) *Campaign {
	for i := range m.config.Campaigns {
		campaign := &m.config.Campaigns[i]
		if (name == "" || name == campaign.Name) && slices.Contains(campaign.Services, service) {
			return campaign
		}
	}
	return nil
}

// openAs opens an offer of a lead under a campaign. The facts hold what is the lead's own; the
// campaign's terms are added here, and stay for the life of the offer.
func (m *Market) openAs(now time.Time, c *Campaign, seller *Seller, lead *Lead, facts OpenedFacts, id OfferID) {
	facts.Campaign, facts.Job, facts.Test = c.Name, lead.Ping.Job.String(), lead.Ping.Test
	facts.Day = now.In(m.config.Location).Format(time.DateOnly)
	facts.Floor, facts.Margin = max(c.Auction.Reserve, seller.Floor, 1), seller.Margin
	facts.Price = c.Auction.Price.String()
	facts.Deadline, facts.WindowEnd = now.Add(c.Auction.Deadline), now.Add(c.Window)
	facts.PostTimeout, facts.PostDeadline = c.Auction.PostTimeout, c.Auction.PostDeadline
	facts.Preview, facts.Reroute, facts.Hops = c.Preview, c.Auction.Reroute, c.Auction.Hops
	if facts.Cost == 0 {
		facts.Cost = seller.Floor
	}
	m.emit(now, Event{Kind: Opened, Offer: id, Root: lead.Offer, Step: 1, Seller: seller.Name,
		Service: lead.Ping.Service.String(), ZIP: lead.Ping.ZIP.String(), Opened: &facts})
	o := m.offers[id]
	o.lead = lead
	m.emitFor(now, o, Event{Kind: Targeted, Targets: m.eligibility(o)})
	if len(o.pinged(m)) == 0 {
		m.clear(now, o, nil)
	}
}

// eligibility settles for every buyer, in the configuration's order, whether it may bid, and
// writes down what that was decided on.
func (m *Market) eligibility(o *offer) []Target {
	var targets []Target
	for i := range m.config.Buyers {
		b := m.buyers[m.config.Buyers[i].Name]
		target := Target{Buyer: b.Name, Available: m.available(b.Name)}
		if b.Preset != nil {
			target.Preset, target.Budget = b.Preset.Bid, b.Preset.DayBudget
			target.Used = m.state(b.Name).used[o.facts.Day]
		}
		target.Reason = m.refuseBuyer(b, o, target)
		target.Eligible = target.Reason == pingpost.ReasonNone
		targets = append(targets, target)
	}
	return targets
}

// refuseBuyer is the first check that keeps a buyer from bidding for an offer.
func (m *Market) refuseBuyer(b *Buyer, o *offer, snapshot Target) pingpost.Reason {
	if m.state(b.Name).paused {
		return pingpost.Paused
	}
	if b.Preset != nil {
		service, zip := o.lead.Ping.Service, o.lead.Ping.ZIP
		_, inside := b.Preset.ZIPs[zip]
		switch {
		case !slices.Contains(b.Preset.Services, service):
			return pingpost.ServiceNotBought
		case b.Preset.ZIPs != nil && !inside:
			return pingpost.OutsideArea
		case b.Preset.Bid < o.facts.Floor:
			return pingpost.BelowFloor
		case snapshot.Budget > 0 && snapshot.Budget-snapshot.Used < o.facts.Floor:
			return pingpost.BudgetExhausted
		}
	}
	if snapshot.Available < o.facts.Floor {
		return pingpost.InsufficientCredits
	}
	return pingpost.ReasonNone
}

// pinged lists the eligible buyers that have to be asked over the wire.
func (o *offer) pinged(m *Market) []string {
	var names []string
	for i := range o.targets {
		if b := m.buyers[o.targets[i].Buyer]; o.targets[i].Eligible && b != nil && b.Ping != nil {
			names = append(names, b.Name)
		}
	}
	return names
}

// fallBack ends an offer that found no buyer by opening the next one; done is false where no
// campaign is left that takes the lead, or where it was posted to as many buyers as it may be. What this
// campaign allows of a lead that it posted goes with it.
func (m *Market) fallBack(now time.Time, o *offer, reason pingpost.Reason) (done bool) {
	seller := m.sellers[o.seller]
	if seller == nil || o.facts.Test || o.postsLeft() == 0 {
		return false
	}
	most := o.facts.MostPosts
	if o.posted > 0 {
		most = o.postsLeft()
	}
	for i, name := range o.facts.Fallback {
		campaign := m.campaignFor(name, o.lead.Ping.Service)
		if campaign == nil {
			continue
		}
		next := o.nextID()
		m.end(now, o, Event{Kind: FellBack, Reason: reason, Next: next})
		m.openAs(now, campaign, seller, o.lead, OpenedFacts{
			Body: o.facts.Body, Seed: o.facts.Seed, Cost: o.facts.Cost,
			Fallback: o.facts.Fallback[i+1:], From: o.id, MostPosts: most, BreakEven: o.atBreakEven(),
		}, next)
		return true
	}
	return false
}

// nextID names the offer that follows: root.2, root.3 and so on.
func (o *offer) nextID() OfferID {
	number := 2
	if _, suffix, ok := strings.Cut(string(o.id), "."); ok {
		if _, err := fmt.Sscan(suffix, &number); err != nil {
			panic(fmt.Sprintf("exchange: offer %q has no number: %v", o.id, err))
		}
		number++
	}
	return OfferID(fmt.Sprintf("%s.%d", o.root, number))
}
