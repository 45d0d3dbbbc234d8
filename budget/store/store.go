// Package store is the durable side of the contractor's money: caps, leases, charges, stored
// answers, hashes of contacts, bought leads and the outbox that they are delivered from.
//
// It owns the conditions: no cent leaves a cap or a lease but by a conditional update, and what a
// post needs to be called accepted is one synced transaction. bidder/server calls it with what the
// Agent decided, bidder/delivery takes what is owed from it, and the commands read it. It never
// prices a lead and never chooses between campaigns; a condition that does not hold is an answer
// with a Reason, not an error. The only personal data in the clear is that of bought leads.
//
// Store is the contract, OpenSQLite its implementation, storetest the suite that every
// implementation passes. Stores may be used from several goroutines.
package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"leadbid/budget"
	"leadbid/pingpost"
)

// ErrAway means that the store could not do what was asked: a full queue, a closed store, a caller
// that stopped waiting, a failed commit. Nothing of it happened or will, with one exception: whether
// a commit that the disk failed is in the books is known only once they are opened anew, and until
// then everything is refused. A post that meets it must be answered "busy, try again", never
// accepted or rejected: the repeat finds the stored answer, if there is one.
var ErrAway = errors.New("store: out of reach")

// Store is the durable side of the money. All methods may be called from several goroutines; all
// writes are synced to disk before they return.
type Store interface {
	// Begin starts a run of a process: a new run number, the signing keys (made at the first run).
	// Leases of former runs stay open until their time and are never resumed.
	Begin(ctx context.Context) (Run, error)

	// Keys reads the signing keys, with the one that signs by the store's time. Replicas call it every
	// few seconds, so that each knows a key before any signs with it.
	Keys(ctx context.Context) (*budget.Keyring, error)

	// Rotate makes the next signing key, which signs a minute later. made is false where the newest is
	// too young: however many replicas rotate at a time, one key is made.
	Rotate(ctx context.Context, how Rotation) (made bool, err error)

	// Upkeep closes every lease that is due, then does what a Book asks, in one transaction. The
	// limits in force are those of the plan.
	Upkeep(ctx context.Context, run Run, plan *budget.Plan, ask budget.Upkeep) (budget.UpkeepAnswer, error)

	// Answer looks up what was answered to a post before. found is false where it is new.
	Answer(ctx context.Context, key PostKey) (answer PostAnswer, found bool, err error)

	// Post makes a decided post durable: charge, unique bid, unique contact, lead, outbox rows and
	// the stored answer in one transaction. Its answer is the reply.
	Post(ctx context.Context, post Post) (PostAnswer, error)

	// Credit gives a returned lead back to the windows of its bid, or withdraws a bid: a voided
	// bid that was not posted is refused from now on. Repeats change nothing.
	Credit(ctx context.Context, credit Credit) (CreditAnswer, error)

	// Dispute notes that a bought lead is bad, so that its return is not forgotten; again, it replaces
	// the reason and the note. It moves no money: the exchange's returned notice does. lead is as it is
	// then; of one that was credited already nothing is noted. found is false where none has that id.
	Dispute(ctx context.Context, dispute Dispute) (lead Lead, found bool, err error)

	// Outcomes notes what became of leads, once for each lead and kind: told again, it changes nothing,
	// and told otherwise it replaces what was said. The answers stand in the order of the outcomes. It
	// moves no money.
	Outcomes(ctx context.Context, outcomes []Outcome) ([]OutcomeAnswer, error)
	// Ended lists leads to learn from, newest first, at most max: those that an outcome known by then is
	// of, and all others that were bought between the first and the last of them and not returned.
	Ended(ctx context.Context, known time.Time, max int) ([]Ended, error)
	// Posted counts the posts since an instant that were answered, by exchange and reason.
	Posted(ctx context.Context, since time.Time) ([]Posted, error)

	// Keep keeps something under a name, beyond the process, for all replicas: the newest stays. No money
	// hangs on it.
	Keep(ctx context.Context, name string, at time.Time, body []byte) error
	// Kept gives it back, with its instant; nil where nothing is.
	Kept(ctx context.Context, name string) (body []byte, at time.Time, err error)

	// Due lists deliveries whose time has come and that nobody has a claim to then, oldest first, at most max.
	Due(ctx context.Context, now time.Time, max int) ([]Delivery, error)
	// Claim gives a run a delivery for an attempt: by the store's time no other run gets it for so long, or
	// until the attempt's end is noted. It is not given where another run has it, where it is not owed any
	// more, and where an attempt with that number was noted. A run that has it gets it again, for any time:
	// for none, it gives it back.
	Claim(ctx context.Context, claim Claim) (given bool, err error)
	// Attempted notes the end of one attempt at a delivery.
	Attempted(ctx context.Context, result Attempt) error

	// Leads lists accepted leads, newest first.
	Leads(ctx context.Context, filter LeadFilter) ([]Lead, error)
	// Usage lists every cap of the plan in the windows that contain now.
	Usage(ctx context.Context, plan *budget.Plan, now time.Time) ([]budget.CapUse, error)
	// Counts sums up the books, for status, reports and metrics.
	Counts(ctx context.Context) (Counts, error)

	// Verify recomputes every invariant from the rows; see Report.
	Verify(ctx context.Context) (Report, error)
	// VerifyRecent is Verify in a time that does not grow with history, for a start: small books whole,
	// of larger ones what belongs to open leases, and the newest entries of the audit trail.
	VerifyRecent(ctx context.Context) (Report, error)

	// Err tells why nothing can be written any more until the store is opened anew: a disk that
	// failed a commit leaves open what is on it. It is nil while writes are taken or may be again.
	Err() error

	// Close finishes what is queued and closes the store. It may be called more than once.
	Close() error
}

// Run is one life of a process on the store.
type Run struct {
	ID    uint32
	Owner string // the owner of the leases granted in this run
	Keys  *budget.Keyring
	// ContactKey keys the hashes of phone numbers and e-mail addresses.
	ContactKey []byte
}

// Rotation is how a signing key is replaced.
type Rotation struct {
	OlderThan time.Duration // only a key of at least this age

	// Revoke is for a key that leaked: no older key is honoured any more, and the new one signs at
	// once. Bids that were sent and not yet posted are lost with it.
	Revoke bool
}

// PostKey is what makes a post the same post.
type PostKey struct {
	Exchange string
	PingID   string
	BidID    string
	BodyHash [32]byte
}

// Post is a decided post with everything that has to be durable before its answer.
type Post struct {
	Charge     budget.Charge
	BodyHash   [32]byte
	At         time.Time     // when it came in, in the shell's time
	LeadID     string        // made by the shell, so that the core needs no chance
	Lead       pingpost.Post // the full lead, for delivery
	Contacts   []ContactHash // any of them seen within DedupeFor is a duplicate
	DedupeFor  time.Duration // 0: duplicates are bought
	Deliveries []string      // names of the campaign's delivery targets
	Source     string        // where the ping came from; "" where that is not known
}

// PostOutcome is how a post ended.
type PostOutcome uint8

// The outcomes of a post.
const (
	PostAccepted PostOutcome = iota + 1
	PostRefused
	PostConflict // the same bid, or the same ping, was posted with another body
)

// PostAnswer is what a post is answered with, now and at every repeat, until a voided notice
// withdraws it: from then on it is refused as voided, whatever was said before.
type PostAnswer struct {
	Outcome PostOutcome
	LeadID  string
	Reason  pingpost.Reason
	Detail  string
	Repeat  bool               // it was stored before: nothing moved this time
	Price   pingpost.Cents     // PostAccepted: what was charged
	Lease   *budget.LeaseState // PostAccepted, not Repeat: the lease that paid; nil where the caps did directly
}

// Credit is a returned or voided bid.
type Credit struct {
	Exchange string
	PingID   string
	BidID    string
	Outcome  pingpost.Outcome // OutcomeReturned or OutcomeVoided
	At       time.Time
}

// CreditAnswer tells what a credit did.
type CreditAnswer struct {
	Credited pingpost.Cents // what went back; 0 where nothing had been charged
	Repeat   bool
	Found    bool // the bid had been posted
	Lease    *budget.LeaseState
}

// Delivery is one row of the outbox: a lead owed to a target.
type Delivery struct {
	ID       string // the webhook-id: the same at every attempt
	LeadID   string
	Campaign string
	Target   string
	Attempts int
	Error    string // of the last attempt; "" before the first
	FirstAt  time.Time
	Lead     Lead
}

// Claim asks for a delivery, for one attempt at it and for a minute at most.
type Claim struct {
	Run    uint32
	ID     string
	Number int // of the attempt, from 1
	Lasts  time.Duration
}

// Attempt is the result of one attempt at a delivery; it ends the claim to it. A replica whose claim ran
// out may make the same one as another: a delivery stays delivered whatever else is told of it, and of
// failures with the same number one counts.
type Attempt struct {
	ID     string
	Number int // from 1; 0 counts in any case
	At     time.Time
	Done   bool      // delivered
	Dead   bool      // given up: a dead letter
	Next   time.Time // neither: when to try again
	Error  string    // without personal data
}

// LeadFilter narrows Leads. Zero values mean all; Max 0 means 100.
type LeadFilter struct {
	ID       string
	Campaign string
	Exchange string
	Since    time.Time
	Max      int

	// Returnable is for leads to be returned: disputed, or bought and given up by every target of theirs;
	// and not credited yet.
	Returnable bool
}

// Dispute is what the contractor says against a bought lead.
type Dispute struct {
	LeadID string
	At     time.Time
	Reason string // a word, such as bad_phone
	Note   string // for people
}

// Lead is an accepted lead in the books.
type Lead struct {
	ID        string
	Exchange  string
	Campaign  string
	PingID    string
	BidID     string
	Price     pingpost.Cents
	At        time.Time
	Returned  bool
	Delivered int // targets done
	Owed      int // targets in all
	Dead      int // targets given up
	Post      pingpost.Post
	Dispute   Dispute // its At is zero where there is none

	ReturnedAt time.Time // by the store's clock; zero unless Returned
}

// OutcomeKinds are what can become of a lead: the contractor reached the homeowner, quoted, got the
// job or lost it.
var OutcomeKinds = []string{"contacted", "quoted", "booked", "lost"}

// The outcomes that end a lead.
const (
	Booked = "booked"
	Lost   = "lost"
)

// Outcome is what became of a bought lead. The lead is named by its own id or its bid's; or by its
// ping's, with the exchange.
type Outcome struct {
	LeadID   string
	BidID    string
	PingID   string
	Exchange string

	Kind   string         // one of OutcomeKinds
	Amount pingpost.Cents // of the job; 0 where nobody said
	At     time.Time      // when it happened; zero where nobody said
	Known  time.Time      // since when the contractor knows

	// KnownAfter stands in where Known is zero: so long after At, or after the post where that is zero,
	// too, and never later than Told.
	KnownAfter time.Duration
	Told       time.Time // when the books hear of it
}

// OutcomeAnswer tells what the books made of an Outcome.
type OutcomeAnswer struct {
	LeadID string // "" where no such lead was bought
	Repeat bool   // it was told before: nothing changed
}

// Ended is a lead to learn from, without anything of the homeowner but the ZIP.
type Ended struct {
	LeadID   string
	At       time.Time
	Service  pingpost.Service
	Job      pingpost.Job
	ZIP      pingpost.ZIP
	Source   string
	Outcomes []Outcome // those known, in the order of OutcomeKinds
}

// Posted is how many posts of an exchange were answered with a reason; accepted ones have none.
type Posted struct {
	Exchange string
	Reason   pingpost.Reason
	Posts    int64
}

// Counts sums up the books.
type Counts struct {
	Leads      int64          `json:"leads"` // accepted, returned ones included
	Returned   int64          `json:"returned"`
	Refused    int64          `json:"refused"`
	Charged    pingpost.Cents `json:"charged"` // of accepted leads, returned ones included
	Credited   pingpost.Cents `json:"credited"`
	Disputed   int64          `json:"disputed"` // and not credited yet
	Owed       int64          `json:"owed"`     // deliveries not yet done nor dead
	Delivered  int64          `json:"delivered"`
	Dead       int64          `json:"dead"`
	OpenLeases int64          `json:"open_leases"`
}

// Report is what Verify found. Findings is empty where every invariant holds.
type Report struct {
	Checked  []Check   `json:"checked"`
	Findings []Finding `json:"findings"`
}

// Check is one invariant, how many rows it was held against, and how many findings there are of it.
type Check struct {
	ID     string `json:"id"` // B1 .. B7, as ARCHITECTURE.md lists them; audit; file
	What   string `json:"what"`
	Rows   int64  `json:"rows"`
	Broken int64  `json:"broken"`
	More   bool   `json:"more,omitempty"` // there are more than that, which is one more finding: no more were looked for
}

// Finding is one broken invariant.
type Finding struct {
	ID string `json:"id"`

	// What begins with the row that shows it and how far it is off. What else moves on with the money, or
	// is only of use to a person, stands behind a colon.
	What string `json:"what"`
}

// Key names the fault, as in "B7 cap 3 has spent 500 cents and 0 leads more than its leases and charges say":
// it stays the same while amounts move on, and is another one where the fault grows.
func (f Finding) Key() string {
	what, _, _ := strings.Cut(f.What, ": ")
	if f.ID == "file" { // in the words of SQLite, which are no row's
		what = f.What
	}
	return f.ID + " " + what
}
