package bidder

import (
	"time"

	"leadbid/budget"
	"leadbid/internal/planted"
	"leadbid/pingpost"
	"leadbid/rules"
)

// PostFacts is what a settlement depends on besides the contractor's reject rules: a post without
// its personal data, so that it can be recorded and settled again.
type PostFacts struct {
	Exchange  string           `json:"exchange"`
	PingID    string           `json:"ping_id"`
	BidID     string           `json:"bid_id"`
	Price     pingpost.Cents   `json:"price"`
	Terms     uint64           `json:"terms"` // budget.TermsHash of what was posted
	Consent   pingpost.Consent `json:"consent"`
	Reachable bool             `json:"reachable"` // the lead has a phone number or an e-mail address
	Test      bool             `json:"test,omitempty"`
}

// FactsOf projects a post.
func FactsOf(post *pingpost.Post) PostFacts {
	return PostFacts{
		Exchange:  post.Exchange,
		PingID:    post.PingID,
		BidID:     post.BidID,
		Price:     post.Price,
		Terms:     budget.TermsHash(post.ZIP, post.Service, post.Job, post.Exclusive),
		Consent:   post.Consent,
		Reachable: post.Lead.Phone.Known() || post.Lead.Email.Known(),
		Test:      post.Test,
	}
}

// Rejection is the contractor's own rule against a lead. Word is what the exchange is told.
type Rejection struct {
	Rule string `json:"rule"`
	Word string `json:"word"`
}

// Settlement is what the Agent decided about a post.
type Settlement struct {
	Stamp
	// Refuse is set where the bid id is not ours, so that there is nothing to charge and nothing
	// to store; and for the post of a test bid, which is accepted without being booked.
	Refuse pingpost.Reason
	Test   bool

	Charge    budget.Charge   // otherwise: for the store, refusals of authentic bids included
	Rejection *Rejection      // the contractor's rule that refused, if one did
	Campaign  *rules.Campaign // whose lead it is, as it is now; nil where nothing is known of it
	Source    string          // where the ping came from; "" where that is not remembered, as after a restart

	Generation uint32 // of the rules that settled: those that made the bid, as long as they are kept
}

// Settle checks a post against the bid that its id signs. ref is what the signature says, and
// authentic whether it is ours: the shell holds the keys. It needs no hold, so that any process on
// the same store can settle any bid.
func (a *Agent) Settle(now time.Time, post *pingpost.Post, ref budget.BidRef, authentic bool) Settlement {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settleLocked(now, FactsOf(post), ref, authentic, func(by *generation, c *rules.Campaign) *Rejection {
		rule, word, rejected := by.eval.Reject(c, post, a.last, nil)
		if !rejected {
			return nil
		}
		return &Rejection{Rule: rule, Word: word}
	})
}

// SettleRecorded settles a recorded post again: the reject rules need fields that no recording
// keeps, so their answer is part of the record. A bid of a generation that this Agent was never in
// is settled by the rules in force, which may say otherwise than was recorded.
func (a *Agent) SettleRecorded(now time.Time, facts PostFacts, ref budget.BidRef, authentic bool,
	rejection *Rejection) Settlement {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settleLocked(now, facts, ref, authentic, func(*generation, *rules.Campaign) *Rejection {
		return rejection
	})
}

func (a *Agent) settleLocked(now time.Time, facts PostFacts, ref budget.BidRef, authentic bool,
	reject func(*generation, *rules.Campaign) *Rejection) Settlement {
	settlement := Settlement{Stamp: a.stampLocked(now)}
	by := a.madeByLocked(ref)
	settlement.Generation = by.number
	if authentic && ref.Lease != 0 {
		a.heardLocked(settlement.At, facts.Exchange)
	}
	exchange, campaign := by.rules.Exchange(facts.Exchange), by.rules.CampaignByTag(ref.Campaign)
	switch {
	case !authentic || exchange == nil || campaign == nil && ref.Lease == 0:
		settlement.Refuse = pingpost.BidUnknown
		return settlement
	case campaign == nil:
		// Stored like every refusal of our own bid: should the campaign come back, the answer stays.
		settlement.Charge = budget.Charge{
			Exchange: facts.Exchange, PingID: facts.PingID, BidID: facts.BidID,
			Ref: ref, Price: facts.Price, Refuse: pingpost.BidUnknown,
		}
		return settlement
	}
	settlement.Campaign = a.presentLocked(campaign)
	if ref.Lease == 0 {
		settlement.Test = true
		settlement.Refuse, _ = checkTerms(settlement.At, facts, ref, exchange, campaign)
		return settlement
	}
	if ref.Run == a.run {
		settlement.Source = a.repeats.sourceOf(ref.Seq)
	}
	line := budget.Line{Campaign: campaign.Name, Exchange: facts.Exchange}
	bidAt := ref.BidAt()
	if planted.Is(planted.SettlersTTL) {
		bidAt = ref.Expires.Add(-exchange.BidTTL)
	}
	settlement.Charge = budget.Charge{
		Exchange: facts.Exchange, PingID: facts.PingID, BidID: facts.BidID,
		Ref: ref, Line: line, Price: facts.Price, BidAt: bidAt, Caps: a.windowsLocked(line, bidAt, settlement.Campaign, exchange),
	}
	charge := &settlement.Charge
	if planted.Is(planted.ChargeBid) {
		charge.Price = ref.Price
	}
	if charge.Refuse, charge.Detail = checkTerms(settlement.At, facts, ref, exchange, campaign); charge.Refuse != 0 {
		return settlement
	}
	if settlement.Rejection = reject(by, campaign); settlement.Rejection != nil {
		charge.Refuse, charge.Detail = pingpost.RejectedByRule, settlement.Rejection.Word
	}
	return settlement
}

// checkTerms holds a post against its bid, in the order of the reasons. detail names a missing
// part of the lead.
func checkTerms(now time.Time, facts PostFacts, ref budget.BidRef, exchange *rules.Exchange,
	campaign *rules.Campaign) (refuse pingpost.Reason, detail string) {
	switch {
	case !facts.Reachable:
		return pingpost.InvalidField, "lead.phone"
	case facts.Test && ref.Lease != 0:
		return pingpost.TestPing, ""
	case !campaign.ConsentPosted(facts.Consent):
		return pingpost.ConsentMissing, ""
	case now.After(ref.Expires.Add(exchange.Grace)) && !planted.Is(planted.AnyTime):
		return pingpost.BidExpired, ""
	case (facts.Price > ref.Price || facts.Price <= 0) && !planted.Is(planted.AnyPrice):
		return pingpost.PriceMismatch, ""
	case facts.Terms != ref.Terms && !planted.Is(planted.AnyTerms):
		return pingpost.PingMismatch, ""
	}
	return pingpost.ReasonNone, ""
}
