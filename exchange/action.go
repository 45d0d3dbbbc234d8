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
