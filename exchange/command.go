package exchange

import (
	"time"

	"leadbid/pingpost"
)

// OfferID names an offer. It is made by the shell, 1 to 64 characters of [A-Za-z0-9_-], and is the
// ping id that buyers see; an offer that a fallback opens is called ID.2, ID.3 and so on. Where a
// seller sends its own id of a lead, the shell derives the offer id from (seller, that id), so that
// the same lead sent twice is the same offer.
type OfferID string

// BodyHash is the SHA-256 of a request body: the same id with another body is a conflict.
type BodyHash = [32]byte

// Command is one input of the Market. The list is closed: only the types below are commands.
// Each is idempotent: applied again, it changes nothing and says so.
type Command interface{ command() }

// Start is the first command after New or Restore. It puts the credit limits of the
// configuration in force, closes the auctions whose answers were lost with the former process,
// and resolves posts in flight as far as their time has come. Until then no offer is opened.
type Start struct{}

// Tick applies what has come due, as every other command does first; see Market.Due.
type Tick struct{}

// OpenOffer brings a lead to the market.
type OpenOffer struct {
	ID       OfferID
	Seller   string
	Campaign string // "": the first campaign that takes the ping's service
	Body     BodyHash
	Cost     pingpost.Cents // what the lead cost the seller; 0 where not told
	Seed     uint64         // decides ties, together with the offer's id
	// Ping is what buyers are shown. Exchange, ID, TmaxMS, Auction, Floor and Digest are set by
	// the Market; the rest is the seller's.
	Ping pingpost.Ping
	// Lead and Consent go to the winner by post, and nowhere else.
	Lead    pingpost.Lead
	Consent pingpost.Consent
}

// CloseAuction brings the answers of the pinged buyers. One that is missing counts as TimedOut,
// and so does a bid whose Latency is beyond the campaign's deadline: no late bid wins.
type CloseAuction struct {
	Offer   OfferID
	Answers []Answer
}

// AnswerStatus is what became of one ping.
type AnswerStatus uint8

// The ways in which a ping may end.
const (
	AnswerTimedOut AnswerStatus = iota // no answer within the deadline
	AnswerNoBid
	AnswerBid
	AnswerBroken // an answer that could not be understood, or no connection
)

// Answer is what one buyer made of a ping. Of a preset the Market writes it itself.
type Answer struct {
	Buyer   string          `json:"buyer"`
	Status  AnswerStatus    `json:"status"`
	Bid     pingpost.Cents  `json:"bid,omitempty"`
	BidID   string          `json:"bid_id,omitempty"`
	Until   time.Time       `json:"until,omitzero"` // the bid's expiry; zero where not told
	Reason  pingpost.Reason `json:"reason,omitempty"`
	Detail  string          `json:"detail,omitempty"` // AnswerBroken: what was wrong, without content
	Latency time.Duration   `json:"latency,omitempty"`
}

// PostAnswered brings what became of one attempt at a post. VerdictUnknown, VerdictBusy,
// VerdictConflict and VerdictError leave it unknown: it is tried again with the same ids.
type PostAnswered struct {
	Offer   OfferID
	Buyer   string
	Verdict pingpost.Verdict
	Latency time.Duration
}

// NoticeAcked tells that a buyer acknowledged a notice that must arrive: OutcomeVoided or
// OutcomeReturned.
type NoticeAcked struct {
	Offer   OfferID
	Buyer   string
	Outcome pingpost.Outcome
}

// NoticeAnswered tells that a buyer answered a notice that must arrive, and did not acknowledge it. Unknown is
// set where it says that it knows no such bid. Where no answer came, there is nothing to tell.
type NoticeAnswered struct {
	Offer   OfferID
	Buyer   string
	Outcome pingpost.Outcome
	Unknown bool
}

// TopUp puts money into a buyer's wallet. ID makes it happen once.
type TopUp struct {
	ID     string
	Buyer  string
	Amount pingpost.Cents // above 0, at most pingpost.MaxCents
}

// Return takes a sold lead back and gives the buyer the price again, once. An offer that left the
// Market's memory is brought back with Market.Recall first.
type Return struct {
	Offer  OfferID
	Reason string // the buyer's word, without personal data
}

// Withdraw ends an offer that has not found its buyer yet, at the seller's wish. A post in
// flight is withdrawn too: what its buyer answers from now on has no effect.
type Withdraw struct {
	Offer OfferID
}

// Pause stops or resumes the pinging of a buyer.
type Pause struct {
	Buyer  string
	Paused bool
}

func (Start) command()          {}
func (Tick) command()           {}
func (OpenOffer) command()      {}
func (CloseAuction) command()   {}
func (PostAnswered) command()   {}
func (NoticeAcked) command()    {}
func (NoticeAnswered) command() {}
func (TopUp) command()          {}
func (Return) command()         {}
func (Withdraw) command()       {}
func (Pause) command()          {}

// Applied is what became of a command.
type Applied struct {
	// Events is what happened, in order; also what had come due before the command. All of it is
	// to be stored before anything is sent or answered.
	Events []Event
	// Refused is why the command did nothing: NotEligible (no such seller, buyer or offer, or not
	// in a state for it), ServiceNotBought (no campaign takes it), PingChanged (the id was used
	// with another content), InvalidField, StoreAway (before Start). ReasonNone where it was taken.
	Refused pingpost.Reason
	// Repeat tells that the command was applied before, with the same content.
	Repeat bool
	// Lead is set where an offer was opened: what the store keeps apart from the events.
	Lead *Lead
}

// Lead is the private part of an offer. It never enters an event.
type Lead struct {
	Offer   OfferID
	Seller  string
	Body    BodyHash
	Ping    pingpost.Ping
	Lead    pingpost.Lead
	Consent pingpost.Consent
}
