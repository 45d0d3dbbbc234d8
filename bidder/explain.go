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
	Arm      string          `json:"arm,omitempty"`    // of the campaign's experiment
	Price    pingpost.Cents  `json:"price,omitempty"`
	Money    pingpost.Reason `json:"money,omitempty"` // Observing: what would keep the bid back if bids were sent
	Cap      *CapStatus      `json:"cap,omitempty"`   // the cap that has not enough left, where one is why
	Path     string          `json:"path,omitempty"`  // the way of the price in one sentence
	Trace    rules.Trace     `json:"trace"`

	worth pingpost.Cents // the price before a short budget clips it
}

// Explain decides on a ping as Decide would if it had never been asked before, asks every campaign
// instead of stopping at the first that bids, and changes nothing.
func (a *Agent) Explain(now time.Time, p *pingpost.Ping) Explanation {
	a.mu.Lock()
	defer a.mu.Unlock()
	explanation := Explanation{At: later(now, a.last)}
	_, explanation.Reason = a.inForce.rules.Candidates(p, nil)
	paused := a.pausedLocked(p.Exchange)
	if paused {
		explanation.Reason = pingpost.Paused
	}
	byValue := a.inForce.rules.Settings().Business.Choose == rules.ChooseValue
	a.inForce.eval.Begin(explanation.At, p)
	worth := pingpost.Cents(0) // of the campaign that bids
	for _, campaign := range a.inForce.rules.Campaigns() {
		one := a.explainLocked(explanation.At, p, campaign)
		explanation.Campaigns = append(explanation.Campaigns, one)
		switch {
		case paused:
		case explanation.Bid && !(byValue && one.Reason == pingpost.ReasonNone && one.worth > worth):
		case one.Reason == pingpost.ReasonNone:
			explanation.Bid, explanation.Reason, worth = true, pingpost.ReasonNone, one.worth
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
	one.Rule, one.Arm, one.Price, one.worth = attempt.Rule, attempt.Arm, attempt.Price, attempt.Price
	switch {
	case one.Reason != pingpost.ReasonNone || p.Test:
	case a.inForce.rules.ModeOf(campaign, a.inForce.rules.Exchange(p.Exchange)) == rules.Observe:
		one.Reason, one.Money = pingpost.Observing, a.probeLocked(now, p, campaign, &one)
	default:
		one.Reason = a.probeLocked(now, p, campaign, &one)
	}
	money := one.Reason
	if money == pingpost.Observing {
		money = one.Money
	}
	if money == pingpost.BudgetExhausted || money == pingpost.CapacityFull {
		line := budget.Line{Campaign: campaign.Name, Exchange: p.Exchange}
		if short, ok := a.book.Short(now, line, one.Price); ok {
			status := CapStatusOf(short)
			one.Cap = &status
		}
	}
	one.Path = one.Trace.Path()
	return one
}

// probeLocked asks a copy of the Book whether the hold would succeed, and at which price.
func (a *Agent) probeLocked(now time.Time, p *pingpost.Ping, campaign *rules.Campaign,
	one *CampaignExplanation) pingpost.Reason {
	book := budget.Restore(PlanOf(a.inForce.rules), a.book.Snapshot())
	exchange := a.inForce.rules.Exchange(p.Exchange)
	_, price, reason := hold(book, Stamp{Seq: a.seq + 1, At: now}, p, campaign, exchange, one.Price)
	if reason == pingpost.ReasonNone && price < one.Price {
		one.Trace.Steps = append(one.Trace.Steps, rules.Step{Kind: rules.StepLimit,
			Name: "clipped to what the budget has left", Held: true, Priced: true, Before: one.Price, After: price})
		one.Price = price
	}
	return reason
}
