package exchange

import (
	"time"

	"leadbid/pingpost"
)

// EventKind is what happened.
type EventKind uint8

// The kinds of event. Those of an offer form its timeline, in this order of life; the last group
// belongs to the market as a whole and carries no offer.
const (
	EventNone          EventKind = iota
	Opened                       // a lead came in
	Targeted                     // the eligibility of every buyer, and why
	Cleared                      // every buyer's answer: the auction is over
	PassedOver                   // a bidder that would have won cannot pay
	Held                         // the winner's price was set aside
	PostRequested                // the lead is to be posted to the winner
	PostUnknown                  // no answer to that attempt, or none that says yes or no
	PostAccepted                 // the winner took the lead
	PostRejected                 // the winner refused it: the hold is void
	VoidRequested                // the winner is to be told that the post is withdrawn
	AnsweredLate                 // an answer to a post that is being withdrawn: without effect
	Voided                       // the winner acknowledged, is gone (not_eligible) or knows no such bid (bid_unknown): the hold is void
	Sold                         // end: captured, the lead is the winner's
	FellBack                     // end: no buyer here; the lead went on as another offer
	Unsold                       // end: no buyer, within the window
	Expired                      // end: the window closed first
	Withdrawn                    // end: the seller took it back
	Returned                     // after Sold: the price was given back
	ReturnRequested              // after Returned: the buyer is to be told
	ReturnAcknowledged           // after Returned: the buyer knows; or is told no more, with the reasons of Voided
	Unacknowledged               // the buyer says to a notice that must arrive that it knows no such bid (bid_unknown), or no longer that
	ToppedUp
	CreditLimitSet
	BuyerPaused
	BuyerResumed
	eventKindEnd
)

// Event is one thing that happened, complete enough to rebuild the Market's state from events
// alone, and free of personal data. Fields that a kind does not use are zero.
type Event struct {
	Seq     int64           `json:"seq"` // gap-free over the market, from 1
	At      time.Time       `json:"at"`
	Kind    EventKind       `json:"kind"`
	Offer   OfferID         `json:"offer,omitempty"`
	Root    OfferID         `json:"root,omitempty"` // the offer that the lead first came in as
	Step    int             `json:"step,omitempty"` // gap-free over the offer, from 1
	Buyer   string          `json:"buyer,omitempty"`
	Seller  string          `json:"seller,omitempty"`  // Opened, the ends, Returned
	Service string          `json:"service,omitempty"` // the word, on the same kinds
	ZIP     string          `json:"zip,omitempty"`     // five digits, on the same kinds
	Price   pingpost.Cents  `json:"price,omitempty"`   // charged, to be charged, topped up; a credit limit
	Reason  pingpost.Reason `json:"reason,omitempty"`  // why a buyer was passed over, rejected or an offer ended
	Detail  string          `json:"detail,omitempty"`  // a buyer's word, a lead id, a top-up's id
	// Attempt counts posts and notices that are tried again, from 1. Until is when this attempt
	// is over: then the next one is due.
	Attempt int       `json:"attempt,omitempty"`
	Until   time.Time `json:"until,omitzero"`
	// GoneSince is since when the configuration has had nobody to bring a notice to that must arrive.
	GoneSince time.Time     `json:"gone_since,omitzero"`
	Latency   time.Duration `json:"latency,omitempty"`

	Opened  *OpenedFacts  `json:"opened,omitempty"`
	Targets []Target      `json:"targets,omitempty"`
	Answers []Answer      `json:"answers,omitempty"`
	Hold    *HoldFacts    `json:"hold,omitempty"`
	Notices []BuyerNotice `json:"notices,omitempty"` // of the ends: sent once, best effort
	Next    OfferID       `json:"next,omitempty"`    // FellBack: the offer that goes on
	Day     string        `json:"day,omitempty"`     // Held, Returned of a preset: whose budget for the day is meant
	Entries []Entry       `json:"entries,omitempty"` // the money that moved
}

// OpenedFacts is what an offer is, with the terms that hold for its whole life even where the
// configuration changes meanwhile.
type OpenedFacts struct {
	Campaign     string         `json:"campaign"`
	Job          string         `json:"job,omitempty"` // the word
	Test         bool           `json:"test,omitempty"`
	Body         string         `json:"body"` // hex of the body's SHA-256
	Seed         uint64         `json:"seed,string"`
	Day          string         `json:"day"`   // the civil day it came in on, 2006-01-02
	Floor        pingpost.Cents `json:"floor"` // the larger of reserve and seller's floor
	Cost         pingpost.Cents `json:"cost"`  // what break_even compares with
	Margin       int64          `json:"margin"`
	Price        string         `json:"price"` // first or second
	Deadline     time.Time      `json:"deadline"`
	WindowEnd    time.Time      `json:"window_end"`
	PostTimeout  time.Duration  `json:"post_timeout"`
	PostDeadline time.Duration  `json:"post_deadline"`
	Preview      []string       `json:"preview"` // what pings show; null: all
	Reroute      Reroute        `json:"reroute"`
	Hops         int            `json:"hops"`
	Fallback     []string       `json:"fallback,omitempty"`
	From         OfferID        `json:"from,omitempty"` // the offer that fell back to this one

	// What the campaigns before allow of a lead that was posted there already: to how many buyers it may
	// still be posted, 0 for as many as Hops say; and whether at break-even only.
	MostPosts int  `json:"most_posts,omitempty"`
	BreakEven bool `json:"break_even,omitempty"`
}

// Target is the eligibility of one buyer at the moment the offer came in, with what it was
// decided on.
type Target struct {
	Buyer     string          `json:"buyer"`
	Eligible  bool            `json:"eligible"`
	Reason    pingpost.Reason `json:"reason,omitempty"`   // why not
	Available pingpost.Cents  `json:"available"`          // wallet and credit
	Preset    pingpost.Cents  `json:"preset,omitempty"`   // the bid of a preset buyer
	Used      pingpost.Cents  `json:"day_used,omitempty"` // of a preset's budget for the day
	Budget    pingpost.Cents  `json:"day_budget,omitempty"`
}

// HoldFacts tells how the price came about.
type HoldFacts struct {
	Bid    pingpost.Cents `json:"bid"`
	BidID  string         `json:"bid_id,omitempty"`
	Rivals int            `json:"rivals"`           // bids at or above the floor that were still in it
	Hop    int            `json:"hop"`              // 0 for the first winner
	PostBy time.Time      `json:"post_by,omitzero"` // an unanswered post is withdrawn then; zero for a preset
}

// BuyerNotice is the won or lost notice to one bidder, as much as it is to be told.
type BuyerNotice struct {
	Buyer         string          `json:"buyer"`
	BidID         string          `json:"bid_id"`
	Won           bool            `json:"won"`
	Reason        pingpost.Reason `json:"reason,omitempty"`
	ClearingPrice pingpost.Cents  `json:"clearing_price,omitempty"`
	MinBidToWin   pingpost.Cents  `json:"min_bid_to_win,omitempty"`
}

// Ends reports whether the event is the one that ends an offer.
func (k EventKind) Ends() bool { return k >= Sold && k <= Withdrawn }
