package bidder

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/internal/planted"
	"leadbid/pingpost"
	"leadbid/rules"
)

// Stamp is the place of an input in the order of all inputs, and the instant that it counted as.
type Stamp struct {
	Seq uint64    `json:"seq"`
	At  time.Time `json:"at"`
}

// Pauses is what is switched off: by a person, or because a campaign's leads cannot be delivered.
// Bids already sent stay valid: their posts are taken.
type Pauses struct {
	All       bool     `json:"all,omitempty"`
	Campaigns []string `json:"campaigns,omitempty"`
	Exchanges []string `json:"exchanges,omitempty"`
}

// Agent decides. See the package comment for its contract.
type Agent struct {
	mu   sync.Mutex
	run  uint32
	seq  uint64
	last time.Time

	inForce generation
	former  []generation // whose bids may still be posted, oldest first
	book    *budget.Book
	repeats repeats
	pauses  Pauses
	scratch []*rules.Campaign
	facts   rules.Facts

	desk   *strategy.Desk
	quoted quoted // what it said of the campaign that was priced last

	values   []value // the scratch paper of sortByValueLocked
	outcomes outcomes
	hearings hearings
}

// New makes an Agent for one run of a process. run is the number that the store gave the run: it
// becomes part of every bid id, so that no two runs ever sign the same one.
func New(run uint32, rs *rules.Ruleset, book *budget.Book) *Agent {
	if planted.Is(planted.SameRun) {
		run = 1
	}
	first := newGeneration(run, 1, rs)
	return &Agent{run: run, inForce: first, book: book, desk: strategy.NewDesk(first.plans.setup), hearings: hearings{}}
}

// Rules gives the rule set in force.
func (a *Agent) Rules() *rules.Ruleset {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inForce.rules
}

// Inputs is how many there were: the number of the latest.
func (a *Agent) Inputs() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seq
}

// Cancel frees the hold of a bid that was never sent, and forgets its answer. Where the same ping
// was asked again meanwhile and got the same bid, that one stands, and keeps its hold.
func (a *Agent) Cancel(now time.Time, seq uint64) Stamp {
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp := a.stampLocked(now)
	if !a.repeats.forget(seq) {
		return stamp
	}
	a.desk.Dropped(seq)
	if line, held := a.book.Release(stamp.At, seq); held && a.hearings[line.Exchange] != nil {
		a.hearings[line.Exchange].unsend()
	}
	return stamp
}

// Charged applies the store's answer to a Charge that Settle asked for.
func (a *Agent) Charged(now time.Time, answer budget.Charged) Stamp {
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp := a.stampLocked(now)
	a.book.Charged(stamp.At, answer)
	if answer.Accepted && answer.Ref.Run == a.run {
		a.desk.Won(stamp.At, answer.Ref.Seq, dollarsOf(answer.Price))
	}
	a.readCapsLocked(stamp.At)
	// Where the exchange tells of no lost bid, the won ones alone would make a rate of 100 %.
	exchange := a.inForce.rules.Exchange(answer.Line.Exchange)
	if answer.Accepted && answer.Ref.Run == a.run && exchange != nil && exchange.Tells != rules.TellsNone {
		a.outcomes.note(answer.Ref, true)
	}
	return stamp
}

// Notify applies an authentic notice that tells no prices.
func (a *Agent) Notify(now time.Time, outcome pingpost.Outcome, ref budget.BidRef) Stamp {
	return a.NotifyPrices(now, outcome, ref, Prices{})
}

// NotifyPrices applies an authentic notice. ref is the bid that it names, as its signature says. A
// lost bid's hold is freed where the exchange's posts can be refused. A voided bid's hold ends
// everywhere, and its ping gets no bid any more: the shell calls it for that only once its refusal is
// durable. The prices are what the win curves of the strategy learn from; no money follows from them.
func (a *Agent) NotifyPrices(now time.Time, outcome pingpost.Outcome, ref budget.BidRef, prices Prices) Stamp {
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp := a.stampLocked(now)
	if line, known := a.book.LineOf(ref.Lease); known && ref.Run == a.run {
		a.heardLocked(stamp.At, line.Exchange)
	}
	if outcome == pingpost.OutcomeReturned || outcome == pingpost.OutcomeVoided {
		a.desk.Returned(stamp.At, ref.Run, ref.Seq)
	}
	if ref.Run != a.run {
		return stamp
	}
	if least := prices.leastToWin(outcome); least > 0 && (outcome == pingpost.OutcomeWon || outcome == pingpost.OutcomeLost) {
		a.desk.Told(ref.Seq, dollarsOf(least))
	}
	switch outcome {
	case pingpost.OutcomeLost:
		a.book.Lost(stamp.At, ref.Seq)
		a.desk.Lost(stamp.At, ref.Seq)
		a.outcomes.note(ref, false)
	case pingpost.OutcomeVoided:
		a.book.Withdrawn(stamp.At, ref.Seq)
		a.repeats.withdraw(ref.Seq)
		a.desk.Dropped(ref.Seq)
	}
	return stamp
}

// Upkeep expires what is due and gives what the Book asks of the store now. ok is false where it
// asks nothing, or where an earlier question is still under way. Each question must be followed by
// one Answered or Away.
func (a *Agent) Upkeep(now time.Time) (ask budget.Upkeep, ok bool, stamp Stamp) {
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp = a.stampLocked(now)
	ask, ok = a.book.Upkeep(stamp.At)
	return ask, ok, stamp
}

// Answered applies the store's answer to an Upkeep, or lease states that a credit left.
func (a *Agent) Answered(now time.Time, answer budget.UpkeepAnswer) Stamp {
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp := a.stampLocked(now)
	a.book.Answer(stamp.At, answer)
	a.readCapsLocked(stamp.At)
	return stamp
}

// Away tells that the store did not answer an Upkeep.
func (a *Agent) Away(now time.Time) Stamp {
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp := a.stampLocked(now)
	a.book.StoreAway(stamp.At, true)
	return stamp
}

// Pause replaces what is switched off.
func (a *Agent) Pause(now time.Time, pauses Pauses) Stamp {
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp := a.stampLocked(now)
	a.pauses = pauses
	return stamp
}

// Outcome takes what became of leads bought: what is worth how much follows from it. What is known
// only later changes nothing.
func (a *Agent) Outcome(now time.Time, known []strategy.Evidence) Stamp {
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp := a.stampLocked(now)
	for _, one := range known {
		a.desk.Learn(stamp.At, one)
	}
	return stamp
}

// ResetPacing forgets what a campaign's lines learned of weeks and prices, or all lines where it is "".
// lines is how many began anew.
func (a *Agent) ResetPacing(now time.Time, campaign string) (lines int, stamp Stamp) {
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp = a.stampLocked(now)
	return a.desk.Reset(stamp.At, campaign), stamp
}

// Pacing tells why the bids are where they are. It is not an input.
func (a *Agent) Pacing(now time.Time) strategy.Standing {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.desk.Show(later(now, a.last))
}

// Checkpoint copies what is worth keeping of the strategy beyond the process. It is not an input.
func (a *Agent) Checkpoint() strategy.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.desk.Checkpoint()
}

// Resume takes over what a former process kept of its strategy. It comes before every input, and
// before the first snapshot.
func (a *Agent) Resume(kept strategy.State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.desk = strategy.Restore(a.inForce.plans.setup, kept)
}

// Learned is how many leads, and jobs among them, Outcome told of.
func (a *Agent) Learned() (leads, closed int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.desk.Learned()
}

// Due is when Upkeep next has something to ask; ok is false where nothing is ahead.
func (a *Agent) Due(now time.Time) (due time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.book.Due(later(now, a.last))
}

// Check recomputes the Agent's own invariants: what its leases, holds and memory must agree on.
func (a *Agent) Check() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.book.Check(); err != nil {
		return fmt.Errorf("bidder: checking the book: %w", err)
	}
	return a.repeats.check()
}

// stampLocked gives an input its place, and moves the Agent's time to it.
func (a *Agent) stampLocked(now time.Time) Stamp {
	a.last = later(now, a.last)
	a.seq++
	a.repeats.expire(a.last)
	a.desk.Expire(a.last)
	a.forgetFormerLocked()
	return Stamp{Seq: a.seq, At: a.last}
}

func (a *Agent) pausedLocked(exchange string) bool {
	return a.pauses.All || slices.Contains(a.pauses.Exchanges, exchange)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// Surrender gives what a stopping process asks of the store: to take back of every lease what no
// open or unsettled bid needs. Nothing is bid from those leases afterwards.
func (a *Agent) Surrender(now time.Time) (ask budget.Upkeep, ok bool, stamp Stamp) {
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp = a.stampLocked(now)
	ask, ok = a.book.Surrender(stamp.At)
	return ask, ok, stamp
}
