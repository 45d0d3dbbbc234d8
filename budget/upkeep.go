package budget

import (
	"cmp"
	"slices"
	"time"

	"leadbid/internal/planted"
	"leadbid/pingpost"
)

const (
	// tick is the least time between two questions to the store, hurry where a line that is asked
	// for bids has nothing to bid with and the store has not been asked for it yet.
	tick  = time.Second
	hurry = 100 * time.Millisecond

	// extendWithin is how near its end a lease is extended. The store extends it to 30 s ahead, so
	// this is a question every 10 s while nothing else happens.
	extendWithin = 20 * time.Second

	// idleRetry is how often a line that nobody asks for bids tries for the one lease it keeps in
	// hand, after it was refused.
	idleRetry = 10 * time.Second

	// patience is how long a line waits for room beside lines that use theirs, before they have to
	// give up everything that no bid holds. Lines that cannot all have room take turns this way.
	patience = 5 * time.Second

	// longestTurn is how long a line that waited for room keeps it for a bid.
	longestTurn = 2 * patience

	// unknownBid sizes the first lease of a line whose bids nothing bounds.
	unknownBid pingpost.Cents = 100_00

	// bidsInHand is how many of its largest bids a line wants to be able to make at once.
	bidsInHand = 4
)

// Upkeep gives what to ask of the store now. ok is false where there is nothing to ask, where it is
// too early, or where an earlier question is under way. After true, Answer or StoreAway must
// follow.
func (b *Book) Upkeep(now time.Time) (ask Upkeep, ok bool) {
	b.expire(now)
	if b.underWay {
		return Upkeep{}, false
	}
	ask, urgent := b.ask(now)
	if ask.empty() || now.Before(b.gate(urgent)) {
		return Upkeep{}, false
	}
	for _, line := range b.lines {
		line.lowered = false
	}
	for _, want := range ask.Wants {
		b.byLine[want.Line].wantedAt = now
	}
	for _, keep := range ask.Keeps {
		lease := b.byLease[keep.ID]
		if b.gaveWay(now, lease, keep) {
			lease.line.yielded = now
		}
		b.setAside(now, lease, keep)
	}
	b.asked, b.underWay, b.swapped = now, true, false
	b.unshown, b.stale = true, false
	return ask, true
}

// gaveWay tells whether an idle line gives up a lease that it could have kept.
func (b *Book) gaveWay(now time.Time, lease *lease, keep Keep) bool {
	return !lease.retired && b.current(now, lease) && !lease.line.active(now) &&
		keep.ReturnCents > 0 && keep.ReturnCents == lease.freeCents()
}

// setAside keeps bids off what the store may take back: what is returned, and where it is to cut the
// lease down to lower limits, whatever no bid holds yet. It lasts until an answer shows the lease, since a question
// that was not answered may still have been done.
func (b *Book) setAside(now time.Time, lease *lease, keep Keep) {
	if planted.Is(planted.BidBeforeAnswer) {
		return
	}
	cents, leads := keep.ReturnCents, keep.ReturnLeads
	if keep.Cut {
		cents, leads = max(lease.freeCents(), 0), max(lease.freeLeads(), 0)
	}
	lease.leavingCents += cents
	lease.leavingLeads += leads
}

// overdrawn tells whether a cap above the line has promised more than its limit, which was lowered since: what
// its leases have free is to go back, and backs no bid until then.
func (b *Book) overdrawn(now time.Time, line *line) bool {
	return line.overdrawn && slices.ContainsFunc(line.Caps, func(limit Cap) bool {
		told := b.uses[keyOf(limit)]
		return told != nil && told.covers(now) && told.passes(limit)
	})
}

// Due tells when Upkeep next has something to ask; ok is false while a question is under way and
// where nothing is ahead. It looks through all leases: ask it after an input or at its own instant,
// not on the way of every bid.
//
// It is no input and changes nothing that a later input could tell: a replay knows nothing of it.
func (b *Book) Due(now time.Time) (due time.Time, ok bool) {
	if b.underWay {
		return time.Time{}, false
	}
	ended := b.firstEnd()
	if ask, urgent := b.ask(now); !ask.empty() || !ended.IsZero() && !ended.After(now) {
		return latest(now, b.gate(urgent)), true
	}
	b.instants(now, func(at time.Time) {
		if at.After(now) && (!ok || at.Before(due)) {
			due, ok = at, true
		}
	})
	return due, ok
}

// Surrender gives the last question of a process that stops: to take back whatever no bid holds.
// No bid is made from this Book afterwards.
func (b *Book) Surrender(now time.Time) (ask Upkeep, ok bool) {
	b.changes++
	b.expire(now)
	b.stopping = true
	for _, lease := range b.leases {
		lease.retired = true
	}
	ask, _ = b.ask(now)
	b.asked, b.underWay = now, !ask.empty()
	return ask, b.underWay
}

// StoreAway notes that an Upkeep was not answered, or that the store works again.
func (b *Book) StoreAway(now time.Time, away bool) {
	b.expire(now)
	b.away = away
	if away {
		b.underWay = false
	}
}

// Answer takes the store's answer to an Upkeep: grants, states of leases, uses of caps. Each lease
// that it shows settles the holds that had ended when the question was asked. States that came
// another way, without an At, settle nothing and bring no lease: a credit may tell of one that a
// former run holds, whose open bids this Book knows nothing of.
func (b *Book) Answer(now time.Time, a UpkeepAnswer) {
	b.changes++
	b.expire(now)
	answered := b.underWay && a.At.Equal(b.asked)
	if answered {
		b.underWay, b.away = false, false
	}
	// Grants first: among the leases they stand again, where what is not known yet is one of before.
	for _, grant := range a.Grants {
		b.granted(now, grant)
	}
	for _, state := range a.Leases {
		b.read(state, a.At)
	}
	if answered {
		b.unshown, b.doubtful, b.stale = false, false, false
	}
	if len(a.Caps) > 0 {
		b.told(a)
	}
}

func (b *Book) read(state LeaseState, at time.Time) {
	if b.byLease[state.ID] == nil {
		if state.Open && !at.IsZero() && b.byLine[state.Line] != nil {
			lost := b.add(state) // a grant whose answer was lost
			lost.retired = lost.retired || b.doubtful
		}
		return
	}
	lease := b.apply(state)
	if lease == nil {
		return
	}
	if at.Equal(b.asked) {
		lease.leavingCents, lease.leavingLeads = 0, 0
	}
	settled := 0
	for ; settled < len(lease.unsettled); settled++ {
		h := b.holds.of(lease.unsettled[settled])
		if h.end.After(at) {
			break
		}
		b.giveBack(h)
	}
	lease.unsettled = slices.Delete(lease.unsettled, 0, settled)
}

func (b *Book) granted(now time.Time, grant Grant) {
	line := b.byLine[grant.Line]
	if line != nil {
		line.refused, line.until = grant.Refused, grant.Until
	}
	if grant.Lease == nil {
		return
	}
	if b.byLease[grant.Lease.ID] == nil {
		fresh := b.add(*grant.Lease)
		fresh.retired = fresh.retired || b.stale
	} else {
		b.apply(*grant.Lease)
	}
	if line != nil && grant.Lease.Cents >= line.denied {
		if !line.waiting.IsZero() {
			line.turn = now
		}
		line.waiting, line.yielded = time.Time{}, time.Time{}
	}
}

// told replaces what is known of the caps. What leases had paid by then is part of it; only what
// they pay later comes on top.
func (b *Book) told(a UpkeepAnswer) {
	clear(b.uses)
	b.replicas = a.Replicas
	for _, capUse := range a.Caps {
		b.uses[keyOf(capUse.Cap)] = &use{CapUse: capUse}
	}
	b.noteOverdrawn()
	tell := func(state LeaseState) {
		if lease := b.byLease[state.ID]; lease != nil {
			lease.toldCents, lease.toldLeads = state.UsedCents, state.UsedLeads
		}
	}
	for _, state := range a.Leases {
		tell(state)
	}
	for _, grant := range a.Grants {
		if grant.Lease != nil {
			tell(*grant.Lease)
		}
	}
}

// noteOverdrawn looks which lines overdrawn must look closer at: the caps of most have room.
func (b *Book) noteOverdrawn() {
	for _, line := range b.lines {
		line.overdrawn = slices.ContainsFunc(line.Caps, func(limit Cap) bool {
			told := b.uses[keyOf(limit)]
			return told != nil && told.passes(limit)
		})
	}
}

func (u *Upkeep) empty() bool { return len(u.Wants) == 0 && len(u.Keeps) == 0 && len(u.Reads) == 0 }

func (b *Book) gate(urgent bool) time.Time {
	switch {
	case b.asked.IsZero():
		return time.Time{}
	case urgent && !b.away:
		return b.asked.Add(hurry)
	}
	return b.asked.Add(tick)
}

// ask puts together what is wanted of the store at this instant. It changes nothing.
func (b *Book) ask(now time.Time) (ask Upkeep, urgent bool) {
	ask.At = now
	queue := b.queue(now)
	spare := map[*line]room{}
	for _, line := range b.lines {
		spare[line] = b.spare(now, line, queue)
	}
	// The newest leases give first: the oldest are nearest to their end and to being used up.
	for _, lease := range slices.Backward(b.leases) {
		if keep, ok := b.keep(now, lease, spare); ok {
			ask.Keeps = append(ask.Keeps, keep)
		}
		if len(lease.unsettled) > 0 || !now.Before(lease.CloseAt) {
			ask.Reads = append(ask.Reads, lease.ID)
		}
	}
	slices.Reverse(ask.Keeps)
	slices.Reverse(ask.Reads)
	if at := b.newsDue(); !at.IsZero() && !now.Before(at) && len(ask.Reads) == 0 {
		ask.Reads = append(ask.Reads, b.leases[0].ID)
	}
	for _, line := range b.lines {
		if want, ok := b.want(now, line, queue); ok {
			ask.Wants = append(ask.Wants, want)
			have := line.room(now)
			empty := have.cents == 0 || have.leads < 1 || line.starved(now)
			urgent = urgent || line.refused == pingpost.ReasonNone && empty
		}
	}
	// Who waits longest is served first.
	slices.SortStableFunc(ask.Wants, func(x, y Want) int {
		return cmp.Compare(place(queue, b.byLine[x.Line]), place(queue, b.byLine[y.Line]))
	})
	return ask, urgent || b.swapped
}

// newsDue tells when caps that others share must be heard of anew, since what is held may have become too
// much: mostly an extension asks long before, but not where a lease was granted while the store's clock was
// ahead. Zero where nothing is held or nobody shares.
func (b *Book) newsDue() time.Time {
	if b.replicas < 2 || len(b.leases) == 0 {
		return time.Time{}
	}
	return b.asked.Add(memory)
}

// keep is what to do about one lease: extend it while its line needs it, give back what is spare.
func (b *Book) keep(now time.Time, lease *lease, spare map[*line]room) (keep Keep, ok bool) {
	if !now.Before(lease.CloseAt) {
		return Keep{}, false
	}
	keep = Keep{ID: lease.ID, OutstandingCents: lease.heldCents, OutstandingLeads: lease.heldLeads}
	free := room{max(lease.freeCents(), 0), max(lease.freeLeads(), 0)}
	back := free
	if !lease.retired && b.current(now, lease) {
		rest := spare[lease.line]
		back = room{min(free.cents, rest.cents), min(free.leads, rest.leads)}
		if lease.line.byLeads && back.leads == free.leads && (free.leads > 0 || lease.heldLeads == 0) {
			back.cents = free.cents // no lead is left to bid with them
		}
		spare[lease.line] = room{max(rest.cents-back.cents, 0), rest.leads - back.leads}
		left := free.cents > back.cents && free.leads > back.leads
		cut := b.swapped || b.overdrawn(now, lease.line)
		keep.Extend = left && (cut || b.extendable(now, lease))
		keep.Cut = keep.Extend && cut
	}
	keep.ReturnCents, keep.ReturnLeads = back.cents, back.leads
	if planted.Is(planted.ReturnHeld) {
		keep.ReturnCents, keep.OutstandingCents = keep.ReturnCents+lease.heldCents, 0
	}
	// A few leads that no money goes with are no reason to ask.
	return keep, keep.Extend || keep.ReturnCents > 0 || keep.ReturnLeads > 0 && free.cents == 0
}

// current tells whether a lease was carved from the windows that contain now.
func (b *Book) current(now time.Time, lease *lease) bool {
	from, _ := b.turn(now, lease.line)
	return from.IsZero() || lease.BidUntil.After(from)
}

func (b *Book) extendable(now time.Time, lease *lease) bool {
	_, to := b.turn(now, lease.line)
	return lease.BidUntil.Before(now.Add(extendWithin)) && (to.IsZero() || lease.BidUntil.Before(to))
}

// turn gives the shortest window that contains now: where the caps above the line all stay the
// same. It is kept until it ends.
func (b *Book) turn(now time.Time, line *line) (from, to time.Time) {
	if line.from.IsZero() && line.to.IsZero() || now.Before(line.from) || !now.Before(line.to) {
		line.from, line.to = time.Time{}, time.Time{}
		for _, limit := range line.Caps {
			start, end := WindowOf(limit.Period, now, b.plan.Location)
			line.from = latest(line.from, start)
			if line.to.IsZero() || !end.IsZero() && end.Before(line.to) {
				line.to = end
			}
		}
	}
	return line.from, line.to
}

// instants lists when something may come up that is not up now.
func (b *Book) instants(now time.Time, at func(time.Time)) {
	for _, lease := range b.leases {
		at(lease.BidUntil.Add(-extendWithin + time.Nanosecond))
		at(lease.BidUntil.Add(-2 * skew))
		at(lease.BidUntil)
		at(lease.CloseAt)
	}
	at(b.firstEnd())
	at(b.newsDue())
	for _, line := range b.lines {
		if !line.covered || b.stopping {
			continue
		}
		_, to := b.turn(now, line)
		at(to)
		at(b.asked.Add(memory))
		at(line.wantedAt.Add(tick))
		at(line.wantedAt.Add(idleRetry))
		at(line.yielded.Add(memory))
		at(line.turn.Add(longestTurn))
		at(line.waiting.Add(patience))
		at(line.lastAsked.Add(memory + time.Nanosecond))
	}
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
