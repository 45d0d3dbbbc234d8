package rules

import (
	"net/url"
	"strings"
	"time"

	"leadbid/pingpost"
)

// Mode is whether bids are sent.
type Mode uint8

// The modes.
const (
	Live    Mode = iota // bids are sent
	Observe             // pings are priced, explained and recorded; every answer is a no-bid
)

// Settings is the part of a configuration that is not a campaign: plain values, checked.
type Settings struct {
	Business  Business
	Server    Server
	Store     string // "sqlite:PATH", relative to the configuration's folder, or "postgres://...", which may hold a password
	Mode      Mode
	SaysMode  bool // the configuration itself does; otherwise Mode is the default
	Record    Record
	PauseFile string

	Outcomes Outcomes

	VerifyEvery time.Duration // how often a serving bidder verifies its books; 0: never by itself

	Tests []string // files of cases beside the configuration; none where the default holds
}

// Outcomes is where the contractor's own system tells what became of leads.
type Outcomes struct {
	File string // CSV, relative to the configuration's folder; "" for none
	Key  string // that POST /v1/outcomes must show; "" where nothing is taken that way; never printed

	KnownAfter   time.Duration // how long after it happened an outcome is known that does not say since when
	ClosesWithin time.Duration // a lead of which nothing was heard for so long has not closed
}

// Business is whose money it is.
type Business struct {
	Name     string
	Location *time.Location
	Budget   Limits // cents
	Capacity Limits // leads
	Choose   Choose // of several campaigns that would buy a ping
	Pause    Pause

	CrewHours float64 // a day, of all campaigns without a crew of their own; 0 where they are not counted
}

// Server is where the bidder listens.
type Server struct {
	Listen, Admin, PublicURL string
	TLSCert, TLSKey          string // both or none

	RotateKeys time.Duration // how old a signing key gets before the next is made
}

// Record is what is recorded.
type Record struct {
	Dir   string   // "" where nothing is recorded
	Attrs []string // attributes kept in addition to those that rules name
}

// Limits holds one optional limit per period: cents for budgets, leads for capacities.
type Limits [pingpost.NumPeriods]Limit

// Limit is a bound that may be absent.
type Limit struct {
	N   int64
	Set bool
}

// Commitment is when a bid becomes a debt.
type Commitment uint8

// The commitments. Binding is the careful default.
const (
	Binding   Commitment = iota // charged at the win: the bid itself is the promise
	Refusable                   // the post may be rejected without paying
)

// Tells is what an exchange's notices disclose.
type Tells uint8

// The levels of disclosure.
const (
	TellsNone Tells = iota
	TellsResult
	TellsPrice
)

// PostTakes is how long a post that comes in time may take until it is in the books: it is given up then. So
// long a binding bid keeps its money, and a lease stays open, after the last moment for its post.
const PostTakes = 5 * time.Second

// Exchange is one exchange that the contractor buys on.
type Exchange struct {
	Name       string
	Profile    string
	Bearer     string // the key that the exchange must show; never printed
	Commitment Commitment
	BidTTL     time.Duration
	HoldFor    time.Duration
	Grace      time.Duration
	Deadline   time.Duration // how long the exchange waits where a ping does not say

	Auction  pingpost.Auction
	Tells    Tells
	Mode     Mode
	Pause    Pause
	Reasons  bool   // no-bids and rejections carry their reason
	Budget   Limits // cents
	Capacity Limits // leads

	// ReturnsWithin is how long after its post a bad lead can be returned; 0 where nothing is said.
	ReturnsWithin time.Duration

	// AcceptRate is the share of its posts that the exchange wants accepted; 0 where nothing is said.
	AcceptRate float64

	silentAfter time.Duration // as written; 0: may be silent for ever

	saysCommitment, saysAuction bool // the configuration itself does, and not only its profile
}

// SilentAfter is how long nothing may be heard while bids go out before they are withheld. It is never less
// than twice the time in which a bid may be posted, and 0 where the exchange may be silent for ever.
func (e *Exchange) SilentAfter() time.Duration {
	if e.silentAfter == 0 {
		return 0
	}
	return max(e.silentAfter, 2*(e.BidTTL+e.Grace))
}

// Target is one place that an accepted lead goes to.
type Target struct {
	Name    string // unique within the campaign: "webhook-1", "file-1" or as written
	Webhook string // https address; "" for a file
	Secret  string // whsec_...; never printed
	File    string // JSON lines; "" for a webhook
}

// StoreName is Store without the password: for logs and people.
func (s *Settings) StoreName() string {
	if strings.HasPrefix(s.Store, "sqlite:") {
		return s.Store
	}
	address, err := url.Parse(s.Store)
	if err != nil {
		return "postgres://..."
	}
	plain := url.URL{Scheme: address.Scheme, Host: address.Host, Path: address.Path}
	if address.User != nil {
		plain.User = url.User(address.User.Username())
	}
	return plain.String()
}
