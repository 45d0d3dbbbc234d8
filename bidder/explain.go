package bidder

import (
	"time"

	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

// Explanation tells what every campaign makes of one ping.
type Explanation struct {
	At        time.Time             `json:"at"`
	Bid       bool                  `json:"bid"`
	Price     pingpost.Cents        `json:"price,omitempty"`
	Reason    pingpost.Reason       `json:"reason,omitempty"`
	Campaign  string                `json:"campaign,omitempty"` // that bids, or that got furthest
	Rule      string                `json:"rule,omitempty"`
	Campaigns []CampaignExplanation `json:"campaigns"`
}

// CampaignExplanation is one campaign's way through the checks, asked by itself.
type CampaignExplanation struct {
	Campaign string          `json:"campaign"`
	Reason   pingpost.Reason `json:"reason,omitempty"` // the first check that failed; none where it would bid
	Rule     string          `json:"rule,omitempty"`   // the rule that priced
	Price    pingpost.Cents  `json:"price,omitempty"`
	Money    pingpost.Reason `json:"money,omitempty"` // Observing: what would keep the bid back if bids were sent
	Path     string          `json:"path,omitempty"`  // the way of the price in one sentence
	Trace    rules.Trace     `json:"trace"`
}

// Explain decides on a ping as Decide would if it had never been asked before, asks every campaign
// instead of stopping at the first that bids, and changes nothing.
func (a *Agent) Explain(now time.Time, p *pingpost.Ping) Explanation {
	a.mu.Lock()
	defer a.mu.Unlock()
	explanation := Explanation{At: later(now, a.last)}
	_, explanation.Reason = a.inForce.rules.Candidates(p, nil)
	if a.pausedLocked(p.Exchange) {
		explanation.Reason = pingpost.Paused
	}
	a.inForce.eval.Begin(explanation.At, p)
	for _, campaign := range a.inForce.rules.Campaigns() {
		one := a.explainLocked(explanation.At, p, campaign)
		explanation.Campaigns = append(explanation.Campaigns, one)
		switch {
		case explanation.Bid || explanation.Reason == pingpost.Paused:
		case one.Reason == pingpost.ReasonNone:
			explanation.Bid, explanation.Reason = true, pingpost.ReasonNone
			explanation.Campaign, explanation.Rule, explanation.Price = one.Campaign, one.Rule, one.Price
		case one.Reason > explanation.Reason, one.Reason == explanation.Reason && explanation.Campaign == "":
			explanation.Reason = one.Reason
			explanation.Campaign, explanation.Rule, explanation.Price = one.Campaign, one.Rule, one.Price
		}
	}
	return explanation
}

func (a *Agent) explainLocked(now time.Time, p *pingpost.Ping, campaign *rules.Campaign) CampaignExplanation {
	one := CampaignExplanation{Campaign: campaign.Name}
	if one.Reason = campaign.Covers(p); one.Reason != pingpost.ReasonNone {
		return one
	}
	var attempt Decision
	one.Reason = a.priceLocked(now, p, campaign, &attempt, &one.Trace)
	one.Rule, one.Price, one.Path = attempt.Rule, attempt.Price, one.Trace.Path()
	switch {
	case one.Reason != pingpost.ReasonNone || p.Test:
	case a.inForce.rules.ModeOf(campaign, a.inForce.rules.Exchange(p.Exchange)) == rules.Observe:
		one.Reason, one.Money = pingpost.Observing, a.probeLocked(now, p, campaign, one.Price)
	default:
		one.Reason = a.probeLocked(now, p, campaign, one.Price)
	}
	return one
}

// probeLocked asks a copy of the Book whether the hold would succeed.
func (a *Agent) probeLocked(now time.Time, p *pingpost.Ping, campaign *rules.Campaign,
	price pingpost.Cents) pingpost.Reason {
	book := budget.Restore(PlanOf(a.inForce.rules), a.book.Snapshot())
	line := budget.Line{Campaign: campaign.Name, Exchange: p.Exchange}
	_, reason := book.Hold(now, line, a.seq+1, price, timeLeft(p, a.inForce.rules.Exchange(p.Exchange)))
	return reason
}
