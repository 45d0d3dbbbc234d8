package budget

import (
	"time"

	"leadbid/pingpost"
)

// ScopeKind is whose cap it is.
type ScopeKind uint8

// The kinds of scope, widest first: also the fixed order in which caps are updated.
const (
	ScopeBusiness ScopeKind = iota
	ScopeExchange
	ScopeCampaign
)

// String is the kind in a word.
func (k ScopeKind) String() string { return [...]string{"business", "exchange", "campaign"}[k] }

// Scope names one owner of caps. Name is "" for the business.
type Scope struct {
	Kind ScopeKind `json:"kind"`
	Name string    `json:"name,omitempty"`
}

// Limit is a bound that may be absent.
type Limit struct {
	N   int64 `json:"n"`
	Set bool  `json:"set"`
}

// below tells whether a limit leaves less than the one it takes the place of.
func (l Limit) below(was Limit) bool { return l.Set && (!was.Set || l.N < was.N) }

// Cap bounds what a scope may spend (Cents) and buy (Leads) in each window of a period. At least
// one of the two limits is set.
type Cap struct {
	Scope  Scope           `json:"scope"`
	Period pingpost.Period `json:"period"`
	Cents  Limit           `json:"cents"`
	Leads  Limit           `json:"leads"`
}

// Line is the pair that leases are granted for: one campaign's buying on one exchange.
type Line struct {
	Campaign string `json:"campaign"`
	Exchange string `json:"exchange"`
}

// Terms are how an exchange makes a bid a debt.
type Terms struct {
	Refusable bool          `json:"refusable"` // we may reject a post without paying; else the bid binds
	BidTTL    time.Duration `json:"bid_ttl"`   // how long a bid stands
	HoldFor   time.Duration `json:"hold_for"`  // refusable: a hold ends this long after the auction's deadline
	Grace     time.Duration `json:"grace"`     // a post may be in the books this much after the bid's expiry
}

// LinePlan is one line with everything that bounds it.
type LinePlan struct {
	Line       Line           `json:"line"`
	Terms      Terms          `json:"terms"`
	Caps       []Cap          `json:"caps"`        // every cap above the line, in scope order, then period order
	LargestBid pingpost.Cents `json:"largest_bid"` // the campaign's max_bid; 0 where it has none
}

// Plan is all lines of one rule set. It is immutable.
type Plan struct {
	Location *time.Location `json:"-"` // the business's time zone, for civil windows
	Lines    []LinePlan     `json:"lines"`
}

// LeaseID names a lease in the store.
type LeaseID int64

// LeaseState is what the store says of a lease after touching or reading it. States of one lease
// are ordered by Rev; an older one never replaces a newer.
type LeaseState struct {
	ID        LeaseID        `json:"id"`
	Line      Line           `json:"line"`
	Rev       int64          `json:"rev"`
	Cents     pingpost.Cents `json:"cents"` // granted and not given back
	UsedCents pingpost.Cents `json:"used_cents"`
	Leads     int64          `json:"leads"`
	UsedLeads int64          `json:"used_leads"`
	BidUntil  time.Time      `json:"bid_until"` // backs no new bid from here on
	CloseAt   time.Time      `json:"close_at"`  // pays no post from here on
	Open      bool           `json:"open"`
}

// Want asks the store for a lease.
type Want struct {
	Line  Line           `json:"line"`
	Least pingpost.Cents `json:"least"` // less than this is of no use: one largest bid, or 1 cent where unknown
	Cents pingpost.Cents `json:"cents"`
	Leads int64          `json:"leads"`
}

// Keep asks the store to extend a lease, to take back part of it, or both.
type Keep struct {
	ID     LeaseID `json:"id"`
	Extend bool    `json:"extend"`
	// With Extend: take back, too, what the caps above it have promised past their limits. Only then no
	// bid is made from it until the answer.
	Cut         bool           `json:"cut,omitempty"`
	ReturnCents pingpost.Cents `json:"return_cents"`
	ReturnLeads int64          `json:"return_leads"`
	// What open and unsettled holds still need of it: the store takes back no more than is left.
	OutstandingCents pingpost.Cents `json:"outstanding_cents"`
	OutstandingLeads int64          `json:"outstanding_leads"`
}

// Upkeep is what a Book asks of the store, all in one transaction. At most one is under way.
type Upkeep struct {
	At    time.Time `json:"at"` // the Book's instant when it asked
	Wants []Want    `json:"wants,omitempty"`
	Keeps []Keep    `json:"keeps,omitempty"`
	Reads []LeaseID `json:"reads,omitempty"` // leases whose use must be read, to settle ended holds
}

// Grant answers one Want: a lease, or why there is none and until when asking again is pointless.
type Grant struct {
	Line    Line            `json:"line"`
	Lease   *LeaseState     `json:"lease,omitempty"`
	Refused pingpost.Reason `json:"refused,omitempty"` // BudgetExhausted or CapacityFull
	Until   time.Time       `json:"until,omitzero"`    // the end of the window that refused; zero for Total
}

// CapUse is what a cap's present window has come to, for pace and for people. Leased includes
// what open leases have used already, and what such as the cap set nothing aside for may still buy;
// Used counts only what was really bought.
type CapUse struct {
	Cap         Cap            `json:"cap"`
	Start       time.Time      `json:"start,omitzero"` // zero for Total
	End         time.Time      `json:"end,omitzero"`   // zero for Total
	UsedCents   pingpost.Cents `json:"used_cents"`
	UsedLeads   int64          `json:"used_leads"`
	SpentCents  pingpost.Cents `json:"spent_cents"`
	LeasedCents pingpost.Cents `json:"leased_cents"`
	SpentLeads  int64          `json:"spent_leads"`
	LeasedLeads int64          `json:"leased_leads"`
}

// UpkeepAnswer is the store's answer to an Upkeep. Leases holds the state of every lease that
// was kept or read, and of those that the transaction found due and closed.
type UpkeepAnswer struct {
	At     time.Time    `json:"at"` // echoes Upkeep.At: readings settle holds that ended before it
	Grants []Grant      `json:"grants,omitempty"`
	Leases []LeaseState `json:"leases,omitempty"`
	Caps   []CapUse     `json:"caps,omitempty"` // every cap of the plan, as it stands now

	Replicas int64 `json:"replicas,omitempty"` // that share the caps, this one included; 0 where nobody can
}

// BidRef is what a bid id says once its signature was found right.
type BidRef struct {
	Lease    LeaseID        `json:"lease"`
	Campaign uint32         `json:"campaign"` // CampaignTag of the campaign's name
	Price    pingpost.Cents `json:"price"`
	Expires  time.Time      `json:"expires"` // whole milliseconds
	Stands   time.Duration  `json:"stands"`  // from the bid until Expires: below 6 days, whole milliseconds
	Run      uint32         `json:"run"`     // the run of the process that bid
	Seq      uint64         `json:"seq"`     // with Run, never used twice
	Terms    uint64         `json:"terms"`   // TermsHash of zip, service, job and exclusive
}

// BidAt is when the bid was made. Whoever settles its post may have another bid_ttl in force than whoever made it,
// and would find it in the windows of another hour or day.
func (r *BidRef) BidAt() time.Time { return r.Expires.Add(-r.Stands) }

// CapWindow is one cap in the window that contained the bid.
type CapWindow struct {
	Cap   Cap       `json:"cap"`
	Start time.Time `json:"start,omitzero"` // zero for Total
	End   time.Time `json:"end,omitzero"`
}

// Charge is what an Agent decided about a post: to be made durable by the store in one
// transaction, whose answer is the reply. Refuse and Detail are set where the Agent refuses; then
// the store only keeps that answer for repeats.
type Charge struct {
	Exchange string          `json:"exchange"`
	PingID   string          `json:"ping_id"`
	BidID    string          `json:"bid_id"`
	Ref      BidRef          `json:"ref"`
	Line     Line            `json:"line"`
	Price    pingpost.Cents  `json:"price"`  // as posted: at most Ref.Price
	BidAt    time.Time       `json:"bid_at"` // when the bid was made: whose windows it belongs to
	Caps     []CapWindow     `json:"caps,omitempty"`
	Refuse   pingpost.Reason `json:"refuse,omitempty"`
	Detail   string          `json:"detail,omitempty"`
}

// Charged is the store's answer to a Charge, as the Agent needs it.
type Charged struct {
	Line     Line            `json:"line"`
	Ref      BidRef          `json:"ref"`
	Accepted bool            `json:"accepted"`
	Repeat   bool            `json:"repeat"` // a stored answer: nothing moved
	Price    pingpost.Cents  `json:"price"`
	Reason   pingpost.Reason `json:"reason,omitempty"`
	Lease    *LeaseState     `json:"lease,omitempty"` // the lease that paid, after it did; nil on a direct charge
}
