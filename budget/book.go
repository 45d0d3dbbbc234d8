package budget

import (
	"cmp"
	"slices"
	"time"

	"leadbid/internal/planted"
	"leadbid/pingpost"
)

const (
	// skew is how far the clock of a process and that of the store may lie apart: a lease backs no
	// bid whose auction could end within it of the lease's own end.
	skew = 500 * time.Millisecond

	// longAuction is the longest that a lease looks ahead to the end of an auction. Leases end 20 to
	// 30 s ahead, so without it exchanges that wait longer would never get a bid; a lease that is over
	// by then still pays the post.
	longAuction = 15 * time.Second

	// memory is how long what a line held counts for the size of its leases, and how long a line
	// that was asked for a bid counts as active.
	memory = 30 * time.Second
)

// Book is the memory of one bidder's money: the leases it was granted, the holds that open bids
// have on them, and the use of every cap as the store last told it. See the package comment for
// who calls it and how.
type Book struct {
	plan   *Plan
	lines  []*line // those of the plan, in its order
	byLine map[Line]*line
	recent *line // the line of the last hold: mostly that of the next, and found without a map; or nil

	leases  []*lease // every open lease of this run, by id; also of lines that left the plan
	byLease map[LeaseID]*lease

	holds  holds   // open and unsettled
	freed  []*hold // to be used again
	ending ends    // the open holds, soonest end first; entries of removed holds go when they are due

	queued  bool // some line may be waiting for room
	changes uint64

	uses map[capKey]*use

	replicas int64 // that share the caps, as the store last told it; 0 where nobody can

	asked    time.Time // when the store was last asked; zero before the first time
	underWay bool      // and has not answered
	away     bool
	swapped  bool // the plan changed since the store was last asked

	// What no answer has shown yet may have been granted under a former plan: unshown while a question
	// is under way or its answer was lost, doubtful where the plan was swapped meanwhile, and stale where
	// that question is still under way.
	unshown, doubtful, stale bool

	stopping bool // everything is given back, nothing is wanted any more
}

type capKey struct {
	scope  Scope
	period pingpost.Period
}

func keyOf(limit Cap) capKey { return capKey{limit.Scope, limit.Period} }

// use is a cap's use as the store told it, with what was charged past all leases since.
type use struct {
	CapUse
	directCents pingpost.Cents
	directLeads int64
}

// line is one line of the plan with its leases and what sizes them.
type line struct {
	LinePlan
	covered bool // a dollar cap above 0 covers it: without one it never bids
	byLeads bool // a cap of leads is above it
	leases  []*lease

	largestSeen pingpost.Cents // the largest price asked for so far
	denied      pingpost.Cents // the smallest price that found no room since the line is waiting
	lastAsked   time.Time      // when a hold was last wanted
	peak        peak           // the most it needed lately

	waiting  time.Time // since when no room was found for a bid; zero where there is some
	turn     time.Time // when it got room after waiting for it; zero once it bid
	yielded  time.Time // when it gave up its lease for a line that was waiting
	refused  pingpost.Reason
	until    time.Time // the end of the window that refused
	wantedAt time.Time // when the store was last asked for a lease
	lowered  bool      // a cap above it was, and the store has not been asked since to cut its leases down

	overdrawn bool // a cap above it, as last told, has promised more than its limit; see Book.overdrawn

	from, to time.Time // the shortest window of its caps that contained the last instant; see turn
}

// lease is one lease in hand.
type lease struct {
	LeaseState
	line *line // nil where its line has left the plan

	heldCents pingpost.Cents // open and unsettled holds
	heldLeads int64
	unsettled []uint64 // ended holds that no reading has settled yet, in the order of their ends
	retired   bool     // backs no new bid: the caps above its line are no longer those it was carved from

	// What a question under way may take back of it: no bid is made from that before the answer.
	leavingCents pingpost.Cents
	leavingLeads int64

	toldCents pingpost.Cents // the use that the last told cap uses include
	toldLeads int64
}

func (l *lease) freeCents() pingpost.Cents {
	return l.Cents - l.UsedCents - l.heldCents - l.leavingCents
}
func (l *lease) freeLeads() int64 { return l.Leads - l.UsedLeads - l.heldLeads - l.leavingLeads }

// hold is what one bid has set aside.
type hold struct {
	seq   uint64
	lease *lease
	price pingpost.Cents
	end   time.Time
	ended bool // no longer open: free again after a reading taken after its end
	firm  bool // on a binding exchange: nothing but its end or a charge frees it
}

// HoldTicket is what a bid may promise.
type HoldTicket struct {
	Lease   LeaseID
	Until   time.Time // when the hold ends
	Expires time.Time // when the bid does; whole milliseconds
}

// NewBook makes an empty book: nothing can be held before the store has granted a lease.
func NewBook(plan *Plan) *Book {
	b := &Book{byLease: map[LeaseID]*lease{}, uses: map[capKey]*use{}}
	b.adopt(plan)
	return b
}

// Hold takes a bid's full price and one lead out of a lease of the line, until the auction's
// deadline (tmax from now) and the exchange's terms end it. seq is the bid's sequence number, never
// used twice. Where there is no room, the reason is NoBudget (no dollar cap above the line, or one
// of $0), BudgetExhausted or CapacityFull (a cap has nothing left to buy with), OpenBids (there is
// enough, but other open bids or lines have it), or StoreAway (no lease is in hand yet, or the
// store is out of reach).
func (b *Book) Hold(now time.Time, key Line, seq uint64, price pingpost.Cents, tmax time.Duration) (HoldTicket, pingpost.Reason) {
	b.expire(now)
	line := b.line(key)
	if line == nil || !line.covered {
		return HoldTicket{}, pingpost.NoBudget
	}
	if !line.active(now) {
		line.waiting = time.Time{}
	}
	line.lastAsked = now
	line.largestSeen = max(line.largestSeen, price)
	if (line.lowered || b.overdrawn(now, line)) && !planted.Is(planted.BidPastLowered) {
		return HoldTicket{}, b.refusal(now, line, price, tmax)
	}
	stands := b.standsBack(now, line)
	for _, lease := range line.leases {
		if !stands && lease.backs(now, price, tmax) {
			line.waiting = time.Time{}
			return b.take(now, line, lease, seq, price, tmax), pingpost.ReasonNone
		}
	}
	if line.waiting.IsZero() || !stands && !line.starved(now) { // a wait for less is over, once there is room for that
		line.waiting, line.denied, b.queued = now, price, true
	}
	line.denied = min(line.denied, price)
	if reason := b.refusal(now, line, price, tmax); reason != pingpost.StoreAway || !stands {
		return HoldTicket{}, reason
	}
	return HoldTicket{}, pingpost.OpenBids
}

func (b *Book) line(key Line) *line {
	if b.recent == nil || b.recent.Line != key {
		b.recent = b.byLine[key]
	}
	return b.recent
}

func (l *lease) backs(now time.Time, price pingpost.Cents, tmax time.Duration) bool {
	return price <= l.freeCents() && l.freeLeads() >= 1 && l.lasts(now, tmax)
}

// lasts tells whether a bid made now is decided before the lease ends, in an auction of usual length.
func (l *lease) lasts(now time.Time, tmax time.Duration) bool {
	if planted.Is(planted.BidPastLease) {
		return !l.retired
	}
	return !l.retired && l.BidUntil.Sub(now) > min(tmax, longAuction)+skew
}

func (b *Book) take(now time.Time, line *line, lease *lease, seq uint64, price pingpost.Cents, tmax time.Duration) HoldTicket {
	expires := time.UnixMilli(now.Add(line.Terms.BidTTL).UnixMilli()).UTC()
	end := expires.Add(line.Terms.Grace)
	if line.Terms.Refusable {
		end = now.Add(tmax + line.Terms.HoldFor)
	}
	if planted.Is(planted.HoldHalf) {
		price /= 2
	}
	h := b.blank()
	*h = hold{seq: seq, lease: lease, price: price, end: end, firm: !line.Terms.Refusable}
	line.turn = time.Time{}
	b.holds.add(h)
	b.ending.push(endOf(end, seq))
	lease.heldCents += price
	lease.heldLeads++
	cents, leads := line.held()
	line.peak.hold(now, cents, leads)
	return HoldTicket{Lease: lease.ID, Until: end, Expires: expires}
}

// blank gives a hold to fill, one that was freed where there is one.
func (b *Book) blank() *hold {
	last := len(b.freed) - 1
	if last < 0 {
		return new(hold)
	}
	blank := b.freed[last]
	b.freed = b.freed[:last]
	return blank
}

func (l *line) held() (cents pingpost.Cents, leads int64) {
	for _, lease := range l.leases {
		cents += lease.heldCents
		leads += lease.heldLeads
	}
	return cents, leads
}

// refusal says why no lease had room. What was really bought speaks first: only that is gone for
// good. Everything else is money that other bids, other lines or leases not yet granted have.
func (b *Book) refusal(now time.Time, line *line, price pingpost.Cents, tmax time.Duration) pingpost.Reason {
	if reason, known := b.spent(now, line, price); reason != pingpost.ReasonNone {
		return reason
	} else if !known && line.refused != pingpost.ReasonNone && (line.until.IsZero() || now.Before(line.until)) {
		return line.refused
	}
	for _, lease := range line.leases {
		if lease.lasts(now, tmax) && lease.heldLeads > 0 && price <= lease.freeCents()+lease.heldCents {
			return pingpost.OpenBids
		}
	}
	if !b.away && line.refused != pingpost.ReasonNone {
		return pingpost.OpenBids
	}
	return pingpost.StoreAway
}

// spent tells whether a cap above the line has less left than a bid of that price needs, counting
// only what was bought. known is false where the store has not told the use of some cap.
func (b *Book) spent(now time.Time, line *line, price pingpost.Cents) (reason pingpost.Reason, known bool) {
	known = true
	for _, limit := range line.Caps {
		told := b.uses[keyOf(limit)]
		known = known && told != nil
		cents, leads := b.bought(now, limit)
		if reason = limit.reason(cents, leads, price); reason != pingpost.ReasonNone {
			return reason, known
		}
	}
	return pingpost.ReasonNone, known
}

// Rest is the most that a bid of the line could be held for now, where a cap above it has less than
// price left to buy with. It is 0 where no cap is that short: then the money is only elsewhere, and
// comes back.
func (b *Book) Rest(now time.Time, key Line, price pingpost.Cents, tmax time.Duration) (cents pingpost.Cents) {
	b.expire(now)
	line := b.byLine[key]
	if line == nil {
		return 0
	}
	if reason, _ := b.spent(now, line, price); reason != pingpost.BudgetExhausted {
		return 0
	}
	for _, lease := range line.leases {
		if lease.lasts(now, tmax) && lease.freeLeads() >= 1 {
			cents = max(cents, lease.freeCents())
		}
	}
	return cents
}

// Release frees the hold of a bid that was never sent. held is false where there is none.
func (b *Book) Release(now time.Time, seq uint64) (line Line, held bool) {
	b.expire(now)
	h := b.holds.of(seq)
	if h == nil {
		return Line{}, false
	}
	line = h.lease.Line
	b.free(h)
	return line, true
}

// Withdrawn ends the hold of a bid that was sent and is, durably, to be posted no more. Its money waits for a
// reading: the post may have been paid and given back meanwhile, of which this Book need not have heard, and
// what a lead gives back is the lease's no longer.
func (b *Book) Withdrawn(now time.Time, seq uint64) {
	b.expire(now)
	if h := b.holds.of(seq); h != nil {
		if b.end(h, now); planted.Is(planted.FreeWithdrawn) {
			b.free(h)
		}
	}
}

// LineOf tells whose lease it is, while it is open in this run.
func (b *Book) LineOf(id LeaseID) (line Line, open bool) {
	l := b.byLease[id]
	if l == nil {
		return Line{}, false
	}
	return l.Line, true
}

// Lost takes the notice that another bid won. It frees the hold at once where a post could still be
// refused; a binding bid stays a promise until its end, whatever the notice says.
func (b *Book) Lost(now time.Time, seq uint64) {
	b.expire(now)
	if h := b.holds.of(seq); h != nil && (!h.firm || planted.Is(planted.LossFreesBinding)) {
		b.free(h)
	}
}

// Charged takes the store's answer to a post. What was charged, and what was refused for good where
// refusing is free, needs its hold no longer. A repeat is no news of the lease: its hold ends and
// waits for a reading. Posts of former runs only bring the state of their lease.
func (b *Book) Charged(now time.Time, c Charged) {
	b.changes++
	b.expire(now)
	if c.Lease != nil {
		b.apply(*c.Lease)
	} else if c.Accepted && !c.Repeat {
		b.chargedDirectly(now, c)
	}
	h := b.holds.of(c.Ref.Seq)
	if h == nil || h.lease.ID != c.Ref.Lease || h.price != c.Ref.Price {
		return
	}
	refused := c.Reason != pingpost.ReasonNone && !h.firm
	switch {
	case c.Repeat && (c.Accepted || refused):
		b.end(h, now)
	case c.Accepted:
		if line := h.lease.line; line != nil {
			line.peak.buy(now, c.Price)
		}
		b.free(h)
	case refused:
		b.free(h)
	}
}

func (b *Book) chargedDirectly(now time.Time, c Charged) {
	line := b.byLine[c.Line]
	if line == nil {
		return
	}
	bidAt := c.Ref.BidAt()
	for _, limit := range line.Caps {
		told := b.uses[keyOf(limit)]
		if told != nil && told.covers(now) && told.covers(bidAt) {
			told.directCents += c.Price
			told.directLeads++
		}
	}
}

// SetPlan puts another plan in force. Bids that were made stay promised. Leases carved from other
// caps than a line has now back no new bids. Limits that only became lower cut them at the store, and
// until the next Upkeep has asked for that they back none either. Where the plan promises what the one
// before did, as after a change of prices, the leases in hand back bids on as if nothing had happened.
func (b *Book) SetPlan(now time.Time, plan *Plan) {
	b.changes++
	b.expire(now)
	same := b.plan.promisesLike(plan)
	b.adopt(plan)
	if same {
		return
	}
	b.swapped = true
	b.doubtful, b.stale = b.doubtful || b.unshown, b.underWay
}

// promisesLike tells whether two plans bind the same lines by the same caps and terms.
func (p *Plan) promisesLike(q *Plan) bool {
	return p.Location.String() == q.Location.String() &&
		slices.EqualFunc(p.Lines, q.Lines, func(x, y LinePlan) bool {
			return x.Line == y.Line && x.Terms == y.Terms && slices.Equal(x.Caps, y.Caps)
		})
}

func (b *Book) adopt(plan *Plan) {
	former, formerZone := b.byLine, b.plan
	b.plan, b.lines, b.byLine, b.recent = plan, nil, map[Line]*line{}, nil
	known := map[capKey]bool{}
	for _, lp := range plan.Lines {
		l := &line{LinePlan: lp}
		for _, limit := range lp.Caps {
			known[keyOf(limit)] = true
			l.covered = l.covered || limit.Cents.Set
			l.byLeads = l.byLeads || limit.Leads.Set
		}
		for _, limit := range lp.Caps {
			l.covered = l.covered && !(limit.Cents.Set && limit.Cents.N <= 0)
		}
		if old := former[lp.Line]; old != nil {
			same := formerZone.Location.String() == plan.Location.String() && sameWindows(old.Caps, lp.Caps)
			l.inherit(old, same && lp.Terms.goodFor(old.Terms))
			l.lowered = old.lowered || lower(old.Caps, lp.Caps)
		}
		b.lines = append(b.lines, l)
		b.byLine[lp.Line] = l
	}
	for _, lease := range b.leases {
		lease.line = b.byLine[lease.Line]
		lease.retired = lease.retired || lease.line == nil
		if lease.line != nil { // also where the line was away under the plan before
			lease.line.leases = append(lease.line.leases, lease)
		}
	}
	for key := range b.uses {
		if !known[key] {
			delete(b.uses, key)
		}
	}
	b.noteOverdrawn()
}

// inherit takes over what the line was before. Its leases back no new bids unless they are good for
// those of now: carved from the same caps, and open as long as a post can come.
func (l *line) inherit(old *line, good bool) {
	l.largestSeen, l.lastAsked, l.peak = old.largestSeen, old.lastAsked, old.peak
	for _, lease := range old.leases {
		lease.retired = lease.retired || !good
	}
}

// goodFor tells whether leases that back bids under former terms may back those under these: posts come no
// later, and where these bids bind, no post of a bid whose hold was over before takes their money.
func (t Terms) goodFor(former Terms) bool {
	return t.longest() <= former.longest() && (t.Refusable || !former.Refusable || planted.Is(planted.KeepRefusable))
}

// longest is how long after a bid its post may come.
func (t Terms) longest() time.Duration { return t.BidTTL + t.Grace }

// lower tells whether a limit of a cap is below what it was.
func lower(before, now []Cap) bool {
	return slices.ContainsFunc(now, func(limit Cap) bool {
		return slices.ContainsFunc(before, func(was Cap) bool {
			return keyOf(was) == keyOf(limit) && (limit.Cents.below(was.Cents) || limit.Leads.below(was.Leads))
		})
	})
}

// sameWindows tells whether two lists bound the same scopes over the same periods.
func sameWindows(a, b []Cap) bool {
	return slices.EqualFunc(a, b, func(x, y Cap) bool { return keyOf(x) == keyOf(y) })
}

// expire ends the holds that are due. Their money stays set aside until a reading settles them.
func (b *Book) expire(now time.Time) {
	at := now.UnixNano()
	for {
		due, ok := b.ending.first()
		if !ok || due.at > at {
			return
		}
		b.ending.pop()
		if h := b.holds.of(due.seq); h != nil && !h.ended {
			if b.end(h, h.end); planted.Is(planted.FreeUnsettledHold) {
				b.free(h)
			}
		}
	}
}

// firstEnd is when the next open hold ends; zero where none is open.
func (b *Book) firstEnd() time.Time {
	for {
		first, ok := b.ending.first()
		if !ok {
			return time.Time{}
		}
		if h := b.holds.of(first.seq); h != nil && !h.ended {
			return h.end
		}
		b.ending.pop()
	}
}

func (b *Book) end(h *hold, at time.Time) {
	if !h.ended {
		h.ended, h.end = true, at
		h.lease.unsettled = append(h.lease.unsettled, h.seq)
	}
}

// free gives a hold's money and lead back to its lease.
func (b *Book) free(h *hold) {
	if h.ended {
		h.lease.unsettled = slices.DeleteFunc(h.lease.unsettled, func(seq uint64) bool { return seq == h.seq })
	}
	b.giveBack(h)
}

func (b *Book) giveBack(h *hold) {
	h.lease.heldCents -= h.price
	h.lease.heldLeads--
	if planted.Is(planted.ReleaseHoldTwice) {
		h.lease.heldCents -= h.price
	}
	b.forget(h)
}

// forget drops a hold.
func (b *Book) forget(h *hold) {
	b.holds.remove(h.seq)
	b.freed = append(b.freed, h)
}

// apply takes what the store says of a lease, unless something newer is known.
func (b *Book) apply(state LeaseState) *lease {
	known := b.byLease[state.ID]
	switch {
	case known == nil:
		return nil
	case state.Rev >= known.Rev:
		known.LeaseState = state
	}
	if !known.Open {
		b.drop(known)
		return nil
	}
	return known
}

// drop forgets a lease that the store has closed, and the holds on it: its money is back in the
// caps, and a post of those bids is the caps' affair.
func (b *Book) drop(gone *lease) {
	var over []*hold
	for h := range b.holds.all() {
		if h.lease == gone {
			over = append(over, h)
		}
	}
	for _, h := range over {
		b.forget(h)
	}
	delete(b.byLease, gone.ID)
	is := func(l *lease) bool { return l == gone }
	b.leases = slices.DeleteFunc(b.leases, is)
	if gone.line != nil {
		gone.line.leases = slices.DeleteFunc(gone.line.leases, is)
	}
}

// add takes a lease that the store granted to this run.
func (b *Book) add(state LeaseState) *lease {
	l := &lease{LeaseState: state, line: b.byLine[state.Line]}
	l.retired = l.line == nil || b.stopping
	byID := func(a, b *lease) int { return cmp.Compare(a.ID, b.ID) }
	b.byLease[l.ID] = l
	b.leases = append(b.leases, l)
	slices.SortFunc(b.leases, byID)
	if l.line != nil {
		l.line.leases = append(l.line.leases, l)
		slices.SortFunc(l.line.leases, byID)
	}
	return l
}

// Windows lists every cap above the line in the window that contained the bid.
func (b *Book) Windows(key Line, bidAt time.Time) []CapWindow {
	if line := b.byLine[key]; line != nil {
		return windowsOf(line.Caps, bidAt, b.plan.Location)
	}
	return nil
}

// Use gives a cap's use in its present window: as the store last told it, with what this book saw
// charged since. ok is false where the plan has no such cap or the store has not told it yet. It is
// for pace and for people; no bid is decided on it.
func (b *Book) Use(scope Scope, period pingpost.Period) (u CapUse, ok bool) {
	told := b.uses[capKey{scope, period}]
	if told == nil {
		return CapUse{}, false
	}
	u = told.CapUse
	cents, leads := b.since(told)
	u.UsedCents += cents
	u.UsedLeads += leads
	return u, true
}

// Replicas is how many bidders share the caps, this one included, as the store last told it; 0 where
// nobody can.
func (b *Book) Replicas() int { return int(b.replicas) }

// Changes counts the inputs that may have changed what Use tells: while it stays the same, so does
// every answer of Use. Bids are none of them.
func (b *Book) Changes() uint64 { return b.changes }

// since sums up what was charged to a cap after the store told its use.
func (b *Book) since(told *use) (cents pingpost.Cents, leads int64) {
	cents, leads = told.directCents, told.directLeads
	for _, lease := range b.leases {
		used, bought := lease.UsedCents-lease.toldCents, lease.UsedLeads-lease.toldLeads
		if (used != 0 || bought != 0) && lease.countsIn(told) {
			cents, leads = cents+used, leads+bought
		}
	}
	return cents, leads
}

// countsIn tells whether what the lease used and holds counts in that cap's window: it was carved from it, or
// the store counts it nevertheless.
func (l *lease) countsIn(told *use) bool {
	return l.line != nil && l.line.under(keyOf(told.Cap)) && (told.Start.IsZero() || l.BidUntil.After(told.Start))
}

func (l *line) under(key capKey) bool {
	return slices.ContainsFunc(l.Caps, func(limit Cap) bool { return keyOf(limit) == key })
}

// bought is what a cap's present window has come to; nothing where it has just begun.
func (b *Book) bought(now time.Time, limit Cap) (cents pingpost.Cents, leads int64) {
	told := b.uses[keyOf(limit)]
	if told == nil || !told.covers(now) {
		return 0, 0
	}
	cents, leads = b.since(told)
	return told.UsedCents + cents, told.UsedLeads + leads
}

// passes tells whether a cap has spent and leased more than a limit.
func (u *use) passes(limit Cap) bool {
	return limit.Cents.Set && int64(u.SpentCents+u.LeasedCents) > limit.Cents.N ||
		limit.Leads.Set && u.SpentLeads+u.LeasedLeads > limit.Leads.N
}

func (u *use) covers(at time.Time) bool {
	return u.Cap.Period == pingpost.Total || !at.Before(u.Start) && at.Before(u.End)
}
