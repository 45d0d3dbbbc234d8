package exchange

import (
	"time"

	"leadbid/pingpost"
)

// Config is everything that a person decided about an exchange: the shape that the YAML loader
// fills. Names are unique within their list and not empty. A Market never changes it.
type Config struct {
	Name      string
	Location  *time.Location // civil days of preset budgets and of reports
	Server    Server
	Store     string // "sqlite:PATH"; PATH is relative to the configuration's folder
	Sellers   []Seller
	Buyers    []Buyer
	Campaigns []Campaign // in file order: an offer that names none takes the first that fits
}

// Server is where the exchange listens. The Market never reads it.
type Server struct {
	Listen, Admin   string
	TLSCert, TLSKey string // both or none
}

// Seller brings leads.
type Seller struct {
	Name   string
	Key    string // the bearer key that the seller must show; never printed
	Margin int64  // of each price, the exchange's part in hundredths of a percent: 2500 is 25 %
	Floor  pingpost.Cents
}

// Buyer bids for leads: either over the wire (Ping) or by criteria kept here (Preset); exactly
// one of the two is set.
type Buyer struct {
	Name        string
	Key         string // opens the buyer's own view: wallet, report, leads; "": no access; never printed
	Ping        *Endpoint
	Preset      *Preset
	CreditLimit pingpost.Cents // the wallet may go this far below zero
	Tells       Tells
}

// Endpoint is where and how a buyer is pinged. The Market never reads it.
type Endpoint struct {
	Profile  string
	URL      string
	Exchange string // our name in the buyer's configuration
	Key      string // never printed
}

// Preset is a buyer's standing order, for those without a bidder. A won lead is theirs at once:
// there is nothing to post.
type Preset struct {
	Services  []pingpost.Service
	ZIPs      map[pingpost.ZIP]struct{} // nil: everywhere
	Bid       pingpost.Cents            // above 0
	DayBudget pingpost.Cents            // per civil day; 0: no budget but the wallet
}

// Tells is how much a buyer's notices disclose.
type Tells uint8

// The levels of disclosure.
const (
	TellsNone   Tells = iota // no won or lost notice at all
	TellsResult              // the outcome and its reason
	TellsPrice               // also the clearing price and the least bid that would have won
)

// Mode is how a campaign finds its buyer.
type Mode uint8

// The modes.
const (
	ModeAuction Mode = iota
)

// Reroute is whether a lead that its winner rejected goes to the next bidder.
type Reroute uint8

// The kinds of rerouting. RerouteBreakEven goes on while the seller's share of the next price
// still covers what the lead cost the seller, or the seller's floor where that is not told.
const (
	RerouteOff Reroute = iota
	RerouteOn
	RerouteBreakEven
)

// Campaign is the seller side's distribution plan: which leads it takes and how they are sold.
type Campaign struct {
	Name     string
	Services []pingpost.Service
	Mode     Mode
	Auction  Auction
	Preview  []string      // what a ping shows beside service and ZIP: words of PreviewWords; nil: all
	Window   time.Duration // an offer that is still open this long after it came in is expired
	Fallback []string      // campaigns that are tried in turn when this one finds no buyer
}

// Auction is how bids become a price and a price a sale.
type Auction struct {
	Price        pingpost.Auction // AuctionFirst or AuctionSecond
	Deadline     time.Duration    // answers to pings that take longer are late
	Reserve      pingpost.Cents   // no sale below it; the seller's floor holds as well
	PostTimeout  time.Duration    // one attempt at a post; then it is unknown and tried again
	PostDeadline time.Duration    // a post still unknown after this is withdrawn
	Reroute      Reroute
	Hops         int // buyers that may get the lead posted after the first one
}

// The defaults of a campaign, for the loader.
const (
	DefaultDeadline     = 300 * time.Millisecond
	DefaultPostTimeout  = 2 * time.Second
	DefaultPostDeadline = 15 * time.Second
	DefaultWindow       = time.Minute
	DefaultHops         = 3
)
