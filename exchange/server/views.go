package server

import (
	"maps"
	"slices"
	"time"

	"leadbid/exchange"
	"leadbid/exchange/store"
	"leadbid/pingpost"
)

// The answers of the public API. Each lists what may be shown to that side, by name; nothing is
// marshalled whole out of the Market or the store.

// offerView is what a seller sees of its lead. It names no buyer and no bid.
type offerView struct {
	OfferID  exchange.OfferID `json:"offer_id"`
	Status   string           `json:"status"` // open, sold, unsold, expired, withdrawn or returned
	Reason   string           `json:"reason,omitempty"`
	Campaign string           `json:"campaign,omitempty"`
	Service  string           `json:"service,omitempty"`
	ZIP      string           `json:"zip,omitempty"`
	Opened   *time.Time       `json:"opened,omitempty"`
	Ended    *time.Time       `json:"ended,omitempty"`
	Payout   *pingpost.Cents  `json:"payout,omitempty"` // of a sold lead: the seller's share
}

// sellerView shows where a lead stands: last is the state of the offer that it went on as.
func sellerView(root exchange.OfferID, last exchange.OfferState) offerView {
	view := offerView{
		OfferID: root, Status: statusOf(last), Campaign: last.Campaign, Service: last.Service, ZIP: last.ZIP,
		Opened: &last.Opened,
	}
	switch {
	case last.End == exchange.Sold:
		view.Payout = &last.Share
	case last.End.Ends():
		view.Reason = sellerReason(last.Reason)
	}
	if last.End.Ends() {
		view.Ended = &last.EndAt
	}
	return view
}

// sellerReason is why a lead was not sold, as far as it is the seller's business: that a buyer
// was out of money is not.
func sellerReason(reason pingpost.Reason) string {
	switch reason {
	case pingpost.InsufficientCredits, pingpost.BudgetExhausted, pingpost.Paused:
		return pingpost.NotEligible.String()
	}
	return reason.String()
}

// statusOf is where an offer stands in the seller's words.
func statusOf(state exchange.OfferState) string {
	switch {
	case state.Returned:
		return "returned"
	case state.End.Ends() && state.End != exchange.FellBack:
		return state.End.String()
	}
	return "open"
}

// walletView is what a buyer sees of its money.
type walletView struct {
	Buyer       string         `json:"buyer"`
	Balance     pingpost.Cents `json:"balance"` // holds already taken out
	Held        pingpost.Cents `json:"held"`
	CreditLimit pingpost.Cents `json:"credit_limit"`
	Available   pingpost.Cents `json:"available"` // balance and credit, as far as it may be spent
	Paused      bool           `json:"paused"`
}

func (s *Server) walletOf(w store.Wallet) walletView {
	limit := w.CreditLimit
	for i := range s.config.Buyers {
		if configured := &s.config.Buyers[i]; configured.Name == w.Buyer {
			limit = min(limit, configured.CreditLimit) // see exchange.Market: debt is not credit
		}
	}
	return walletView{
		Buyer: w.Buyer, Balance: w.Balance, Held: w.Held, CreditLimit: w.CreditLimit,
		Available: max(w.Balance+limit, 0), Paused: w.Paused,
	}
}

// purchaseView is a lead that a buyer bought, contact included: the buyer paid for it. A returned
// lead has none.
type purchaseView struct {
	OfferID  exchange.OfferID `json:"offer_id"` // the ping id that the buyer's bidder saw
	Price    pingpost.Cents   `json:"price"`
	Service  string           `json:"service"`
	Job      string           `json:"job,omitempty"`
	ZIP      string           `json:"zip"`
	At       time.Time        `json:"at"`
	Returned bool             `json:"returned"`
	Lead     *leadBody        `json:"lead,omitempty"`
	Consent  *consentView     `json:"consent,omitempty"`
}

type consentView struct {
	TrustedFormURL string `json:"trustedform_url,omitempty"`
	LeadID         string `json:"leadid,omitempty"`
}

func purchaseOf(bought store.BoughtLead) purchaseView {
	view := purchaseView{
		OfferID: bought.Offer, Price: bought.Price, Service: bought.Ping.Service.String(), Job: bought.Ping.Job.String(),
		ZIP: bought.Ping.ZIP.String(), At: bought.At, Returned: bought.Returned,
	}
	if !bought.Returned {
		contact := reveal(bought.Lead)
		view.Lead = &contact
		view.Consent = &consentView{TrustedFormURL: bought.Consent.TrustedFormURL, LeadID: bought.Consent.LeadID}
	}
	return view
}

// reveal is the one place of this package that takes personal data out of its wrapping: for the
// buyer that the lead was sold to.
func reveal(lead pingpost.Lead) leadBody {
	return leadBody{
		FirstName: lead.FirstName.Reveal(), LastName: lead.LastName.Reveal(), Phone: lead.Phone.Reveal(),
		Email: lead.Email.Reveal(), Address: lead.Address.Reveal(), Notes: lead.Notes.Reveal(),
		City: lead.City, State: string(lead.State), ZIP: lead.ZIP.String(),
	}
}

// buyerLine is a buyer's own line of the report.
type buyerLine struct {
	Buyer      string                `json:"buyer"`
	Eligible   int64                 `json:"eligible"`
	Bids       int64                 `json:"bids"`
	NoBids     int64                 `json:"no_bids"`
	TimedOut   int64                 `json:"timed_out"`
	Broken     int64                 `json:"broken"`
	Holds      int64                 `json:"auctions_won"`
	Won        int64                 `json:"bought"`
	Rejected   int64                 `json:"rejected"`
	Voided     int64                 `json:"voided"`
	Returned   int64                 `json:"returned"`
	Spend      pingpost.Cents        `json:"spend"`
	AcceptRate float64               `json:"accept_rate"`
	Latency50  float64               `json:"latency_p50_ms"`
	Latency95  float64               `json:"latency_p95_ms"`
	NotAsked   []exchange.ReasonLine `json:"not_asked,omitempty"`
}

func buyerLineOf(b exchange.BuyerLine) buyerLine {
	return buyerLine{
		Buyer: b.Buyer, Eligible: b.Eligible, Bids: b.Bids, NoBids: b.NoBids, TimedOut: b.TimedOut, Broken: b.Broken,
		Holds: b.Holds, Won: b.Won, Rejected: b.Rejected, Voided: b.Voided, Returned: b.Returned, Spend: b.Spend,
		AcceptRate: b.AcceptRate(), Latency50: milliseconds(b.Latency50), Latency95: milliseconds(b.Latency95),
		NotAsked: b.NotAsked,
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// sellerLine is a seller's own line of the report. What buyers paid is theirs and the exchange's.
type sellerLine struct {
	Seller   string                `json:"seller"`
	Leads    int64                 `json:"leads"`
	Sold     int64                 `json:"sold"`
	Returned int64                 `json:"returned"`
	Payout   pingpost.Cents        `json:"payout"`
	Unsold   []exchange.ReasonLine `json:"unsold,omitempty"`
}

func sellerLineOf(l exchange.SellerLine) sellerLine {
	line := sellerLine{Seller: l.Seller, Leads: l.Leads, Sold: l.Sold, Returned: l.Returned, Payout: l.Payout}
	counts := map[string]int64{}
	for _, unsold := range l.Unsold {
		reason, _ := pingpost.ParseReason(unsold.Reason)
		counts[sellerReason(reason)] += unsold.Count
	}
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		line.Unsold = append(line.Unsold, exchange.ReasonLine{Reason: reason, Count: counts[reason]})
	}
	return line
}
