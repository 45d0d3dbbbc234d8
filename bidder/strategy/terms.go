package strategy

import (
	"time"

	"leadbid/pingpost"
)

// Objective is what the bids of a campaign are for.
type Objective uint8

// The objectives. AsWritten never moves a bid.
const (
	AsWritten Objective = iota // bid the rule's number, or not at all
	Profit                     // the most worth for the money, never above the rule's number
	Volume                     // spend all of the money as well as can be, never above max_bid
)

// Pacing is how a campaign's money is spread over the windows of its caps.
type Pacing uint8

// The pacings.
const (
	Asap    Pacing = iota // as the leads come, until it is spent
	Even                  // evenly over the hours in which the campaign buys
	Learned               // over the pings that the hours are expected to bring
)

// Setup is what a Desk works for: lines of business and the caps above them. It is immutable.
type Setup struct {
	Zone  *time.Location // the business's own time
	Run   uint32         // of the process, whose bids are told apart by it from former ones
	Lines []Line
	Caps  []Cap
	Crews []Crew
}

// Line is one campaign's buying on one exchange. Its state is kept by the two names.
type Line struct {
	Campaign, Exchange string

	Objective Objective
	Pacing    Pacing
	Auction   pingpost.Auction // shaded is only where it is AuctionFirst
	MaxBid    float64          // dollars; Volume needs it
	Caps      []int            // those in Setup.Caps that bound it
	Explore   float64          // the share of shaded bids that try a little more or less
	Trade     pingpost.Service // whose week is expected as long as little was seen
	Open      Hours            // when the campaign buys
	Tells     bool             // the exchange tells of each bid whether it won
	Crew      string           // in Setup.Crews, who does the work; "" where its hours are not counted
}

// Hours are hours of the week, from Monday 0:00. The zero value is closed.
type Hours [hoursOfWeek]bool

// Cap is one cap whose windows are paced: of a day, a week or a month. An hour is too short to
// spread anything over, a total has no end. A limit of 0 is none.
type Cap struct {
	Name    string // as the caller knows it; its state is kept by it
	Dollars float64
	Leads   float64
}

// Reading is how far a cap's present window is used.
type Reading struct {
	Cap        int // in Setup.Caps
	Start, End time.Time
	Dollars    float64
	Leads      float64
	Replicas   int // that spend from the cap, this one included; 0 and 1 mean nobody else
}

// Ask is one ping that a line's rules have priced.
type Ask struct {
	Line  int     // in Setup.Lines
	Most  float64 // dollars: the rule's number after adjustments, above 0
	Worth float64 // dollars: what the lead is worth; 0 where the campaign does not say
	Least float64 // dollars: what a bid must come to, for the exchange or the contractor; 0 where nothing
	Draw  uint64  // the ping's own chance, evenly spread: what is explored follows from it

	Territory Territory // whose win curve its bid is shaded by
	Unshaded  bool      // the ping itself says that its winner does not pay its bid

	// Where the line has a crew:
	At      time.Time        // when it is asked
	Urgency pingpost.Urgency // how long the work can wait
	Hours   float64          // of work, if it becomes a job
	Chance  float64          // that it does
}

// Quote is what to bid, and why.
type Quote struct {
	Dollars float64         // 0 with a Reason
	Reason  pingpost.Reason // ReasonNone, PacedOut or CapacityFull

	Worth  float64 // v: what the lead was taken to be worth
	Lambda float64 // 1/(1+mu): how much of a dollar's worth a dollar may cost; AsWritten: the share of leads that is bought
	Nu     float64 // dollars: the price of one lead's place

	Hours     float64 // that the lead takes of its crew's day; 0 where the line has none
	HourPrice float64 // dollars: of one of them, on the cheapest day that has room

	Shaded bool    // the winner pays its bid, so less than the lead is worth was bid
	Chance float64 // Shaded: how likely the bid wins
	Tried  float64 // the factor of a bid that explores; 0 where it does not

	Explore float64 // Tried: the share of bids that do, its propensity

	cell int8 // of the line's merits
	day  int  // when the work would be done: a civil day
}
