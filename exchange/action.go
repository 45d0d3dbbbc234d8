package exchange

import (
	"time"

	"leadbid/pingpost"
)

// Action is something to send once the events that ask for it are stored. It is exactly one of
// SendPings, SendPost and SendNotice.
type Action interface{ action() }

// SendPings asks buyers for their bids. CloseAuction answers it, with one Answer per buyer, when
// all have answered or at the deadline.
type SendPings struct {
	Offer    OfferID
	Ping     pingpost.Ping // Exchange and TmaxMS are left to the shell
	Buyers   []string      // in the configuration's order
	Deadline time.Time
}

// SendPost hands the full lead to the buyer whose price is held. PostAnswered answers it, also
// where no answer came within the timeout.
type SendPost struct {
	Offer   OfferID
	Buyer   string
	Attempt int
	Post    pingpost.Post // Exchange is left to the shell
	Until   time.Time     // the attempt is over then
}

// SendNotice tells a buyer what became of its bid. Where MustArrive is set, the Market asks again
// until NoticeAcked; otherwise one attempt is enough.
type SendNotice struct {
	Offer      OfferID
	Buyer      string
	Notice     pingpost.Notice // Exchange is left to the shell
	MustArrive bool
	Until      time.Time // MustArrive: the attempt is over then
}

func (SendPings) action()  {}
func (SendPost) action()   {}
func (SendNotice) action() {}

// Actions lists what is to be sent because of events that are stored, in their order. The events
// are those of the latest batch: a post is handed out only while its buyer's price is held.
func (m *Market) Actions(events []Event) []Action {
	var actions []Action
	for i := range events {
		e, o := &events[i], m.offers[events[i].Offer]
		if o == nil {
			continue
		}
		switch e.Kind {
		case Targeted:
			if buyers := o.pinged(m); len(buyers) > 0 && o.phase == asking {
				actions = append(actions, SendPings{
					Offer: o.id, Ping: m.ping(o), Buyers: buyers, Deadline: o.facts.Deadline,
				})
			}
		case PostRequested:
			if o.phase == posting && o.hop.buyer == e.Buyer && o.hop.attempt == e.Attempt {
				actions = append(actions, SendPost{
					Offer: o.id, Buyer: e.Buyer, Attempt: e.Attempt, Post: m.fullLead(o), Until: e.Until,
				})
			}
		case VoidRequested:
			actions = append(actions, o.mustArrive(e, pingpost.OutcomeVoided))
		case ReturnRequested:
			actions = append(actions, o.mustArrive(e, pingpost.OutcomeReturned))
		}
		for _, notice := range e.Notices {
			actions = append(actions, SendNotice{Offer: o.id, Buyer: notice.Buyer, Notice: notice.wire(o.id)})
		}
	}
	return actions
}

// mustArrive is a notice that is asked for until it is acknowledged.
func (o *offer) mustArrive(e *Event, outcome pingpost.Outcome) SendNotice {
	bid := o.answers[o.answerOf(e.Buyer)]
	return SendNotice{
		Offer: o.id, Buyer: e.Buyer, MustArrive: true, Until: e.Until,
		Notice: pingpost.Notice{PingID: string(o.id), BidID: bid.BidID, Outcome: outcome},
	}
}

// wire is the notice as a profile spells it.
func (n BuyerNotice) wire(id OfferID) pingpost.Notice {
	outcome := pingpost.OutcomeLost
	if n.Won {
		outcome = pingpost.OutcomeWon
	}
	return pingpost.Notice{
		PingID: string(id), BidID: n.BidID, Outcome: outcome,
		ClearingPrice: n.ClearingPrice, MinBidToWin: n.MinBidToWin, Reason: n.Reason,
	}
}

// fullLead is the post for the buyer whose price is held. What the ping hid stays hidden here
// too: a bid is bound to service, ZIP, job and exclusivity as they were shown.
func (m *Market) fullLead(o *offer) pingpost.Post {
	ping := m.ping(o)
	return pingpost.Post{
		PingID: string(o.id), BidID: o.hop.bidID, Price: o.hop.price,
		Service: ping.Service, Job: ping.Job, ZIP: ping.ZIP, Exclusive: true,
		Lead: o.lead.Lead, Consent: o.lead.Consent, Test: ping.Test, Attrs: ping.Attrs,
	}
}

// ping is what buyers are shown of an offer: the campaign's preview, and the terms of the auction.
func (m *Market) ping(o *offer) pingpost.Ping {
	ping := *o.lead.Ping.Clone()
	if o.facts.Preview != nil {
		ping = preview(ping, o.facts.Preview)
	}
	ping.ID, ping.Floor = string(o.id), o.facts.Floor
	ping.Auction, _ = pingpost.ParseAuction(o.facts.Price)
	ping.Exchange, ping.TmaxMS, ping.Digest = "", 0, 0
	ping.Exclusive, ping.MaxSold, ping.SoldSoFar = true, 1, 0
	return ping
}
