package budget

import (
	"slices"
	"time"

	"leadbid/internal/planted"
	"leadbid/pingpost"
)

// This file is how large leases should be, and who gives way where lines share a cap that is too
// small for all of them.
//
// A line wants to have, held and free together, four of its largest bids or twice the most that it
// needed lately (what it held at once and bought), whichever is more. Alone under its caps it may take
// all that is left; lines that share a cap aim at equal shares of what is neither bought nor held, with a
// reserve for lines that are idle. A line that found no room for a bid waits in a queue, longest first.
// For it, idle lines give back everything, and busy ones what exceeds their share and room for one bid.
// If that is not enough for patience's length, the busy ones bid no more, give back everything as it
// comes free, and want nothing until the waiting line is served: so lines that cannot all have room take
// turns, each until it has bid, or for the length of the longest turn. Who gave way while idle does not
// ask again before someone asks it for a bid, or a while has passed.

// room is money and leads that no bid holds.
type room struct {
	cents pingpost.Cents
	leads int64
}

// room sums up what the line could bid with now.
func (l *line) room(now time.Time) (sum room) {
	for _, lease := range l.leases {
		if !lease.retired && lease.BidUntil.After(now.Add(2*skew)) {
			sum.cents += max(lease.freeCents(), 0)
			sum.leads += max(lease.freeLeads(), 0)
		}
	}
	return sum
}

func (l *line) active(now time.Time) bool {
	return !l.lastAsked.IsZero() && now.Sub(l.lastAsked) <= memory
}

// starved tells whether the line is asked for bids and has no room for the one it could not make.
func (l *line) starved(now time.Time) bool {
	if l.waiting.IsZero() || !l.active(now) {
		return false
	}
	return !slices.ContainsFunc(l.leases, func(lease *lease) bool { return lease.backs(now, l.denied, skew) })
}

// usual is what one bid of the line may come to.
func (l *line) usual() pingpost.Cents {
	switch {
	case l.largestSeen > 0:
		return l.largestSeen
	case l.LargestBid > 0:
		return l.LargestBid
	}
	return unknownBid
}

// least is the smallest lease of use to the line: room for the bid that found none, else for one
// as large as they come, as far as any cap allows one.
func (l *line) least() pingpost.Cents {
	if !l.waiting.IsZero() {
		return l.denied
	}
	if l.largestSeen == 0 && l.LargestBid == 0 {
		return 1
	}
	least := l.usual()
	for _, limit := range l.Caps {
		if limit.Cents.Set {
			least = min(least, pingpost.Cents(limit.Cents.N))
		}
	}
	return least
}

// target is what the line wants to have, held and free together.
func (l *line) target(now time.Time) room {
	largest := max(l.LargestBid, l.largestSeen)
	if largest == 0 {
		largest = unknownBid
	}
	cents, leads := l.peak.most(now)
	wanted := room{max(bidsInHand*largest, 2*cents), max(bidsInHand, 2*leads)}
	if !l.byLeads {
		wanted.leads = int64(wanted.cents) // no cap counts leads, and no bid is below a cent
	}
	return wanted
}

// queue lists the lines that wait for room and could be served if others gave way, longest waiting
// first.
func (b *Book) queue(now time.Time) (waiting []*line) {
	for _, line := range b.lines {
		if line.covered && line.starved(now) && b.possible(now, line) {
			waiting = append(waiting, line)
		}
	}
	slices.SortStableFunc(waiting, func(x, y *line) int { return x.waiting.Compare(y.waiting) })
	return waiting
}

// place is where a line stands in the queue; behind all others where it does not wait.
func place(queue []*line, line *line) int {
	if at := slices.Index(queue, line); at >= 0 {
		return at
	}
	return len(queue)
}

// possible tells whether the line's least lease could be granted once every lease of this Book had
// given back what was not bought with it.
func (b *Book) possible(now time.Time, line *line) bool {
	for _, limit := range line.Caps {
		left := room{pingpost.Cents(limit.Cents.N), limit.Leads.N}
		if told := b.uses[keyOf(limit)]; told != nil && told.covers(now) {
			left.cents -= told.SpentCents + told.LeasedCents + told.directCents
			left.leads -= told.SpentLeads + told.LeasedLeads + told.directLeads
			for _, lease := range b.leases {
				if lease.countsIn(told) {
					left.cents += lease.Cents - lease.UsedCents
					left.leads += lease.Leads - lease.UsedLeads
				}
			}
		}
		if limit.Cents.Set && left.cents < line.least() || limit.Leads.Set && left.leads < 1 {
			return false
		}
	}
	return true
}

// worthAsking tells whether the caps above the line have enough left that is not bought. Where others
// have it, replicas or runs that ended, this Book hears that it came back only by asking; and so it does,
// now and then, where a lead came back whose lease is closed.
func (b *Book) worthAsking(now time.Time, line *line) bool {
	if line.active(now) && now.Sub(b.asked) >= memory {
		return true
	}
	return b.possible(now, line) || !slices.ContainsFunc(line.Caps, func(limit Cap) bool {
		cents, leads := b.bought(now, limit)
		return limit.reason(cents, leads, line.least()) != pingpost.ReasonNone
	})
}

// pressed tells how far a line must give way: not at all, down to its share, or with everything.
type pressed uint8

const (
	unpressed pressed = iota
	toShare
	toNothing
)

// pressure is what the queue asks of a line: only lines before it in the queue do.
func (b *Book) pressure(now time.Time, line *line, queue []*line) (most pressed) {
	for _, other := range queue[:min(place(queue, line), len(queue))] {
		switch {
		case !sharesCap(line, other):
		case line.hasTurn(now):
			most = toShare
		case !line.active(now) || now.Sub(other.waiting) >= patience:
			return toNothing
		default:
			most = toShare
		}
	}
	return most
}

// hasTurn tells whether a line that waited has its turn: others who wait take nothing of what it got before
// it has bid or let some time go by. Otherwise, where pings come at the same moment for more lines than
// there is room for, the money would go round between them and be bid by none.
func (l *line) hasTurn(now time.Time) bool {
	return !l.turn.IsZero() && now.Sub(l.turn) < longestTurn
}

// standsBack tells whether a line must not even bid with what it has: another one before it in the
// queue has lost its patience, and would never be served if what comes free here were taken at once.
func (b *Book) standsBack(now time.Time, line *line) bool {
	if !b.queued || line.hasTurn(now) {
		return false
	}
	b.queued = false // unless one of those below is
	passed, back := false, false
	for _, other := range b.lines {
		b.queued = b.queued || !other.waiting.IsZero()
		passed = passed || other == line
		switch {
		case other == line || other.waiting.IsZero() || now.Sub(other.waiting) < patience:
		case !line.waiting.IsZero() && line.waiting.Before(other.waiting):
		case line.waiting.Equal(other.waiting) && passed: // the plan's order decides
		case sharesCap(line, other) && other.starved(now) && b.possible(now, other):
			back = true
		}
	}
	return back
}

func sharesCap(a, b *line) bool {
	return slices.ContainsFunc(a.Caps, func(limit Cap) bool { return b.under(keyOf(limit)) })
}

// spare is how much of its room the line should give back.
func (b *Book) spare(now time.Time, line *line, queue []*line) room {
	have, wanted := line.room(now), line.target(now)
	heldCents, heldLeads := line.held()
	fair := b.share(now, line)
	keep := have
	switch pressure := b.pressure(now, line, queue); {
	case pressure == toNothing || b.regroups(now, line, have):
		keep = room{}
	case pressure == toShare:
		keep = room{max(fair.cents, line.usual()), max(fair.leads, 1)}
	case b.replicas > 1 && !line.active(now):
		keep = b.inHand(now, line)
		if over := have.cents - keep.cents; keep.cents > line.usual() && over < line.usual() && !line.byLeads {
			keep = have // not worth a question
		}
	case have.cents+heldCents > 2*wanted.cents || line.byLeads && have.leads+heldLeads > 2*wanted.leads:
		keep = room{max(wanted.cents-heldCents, line.usual()), max(wanted.leads-heldLeads, 1)}
	}
	return room{max(have.cents-keep.cents, 0), max(have.leads-keep.leads, 0)}
}

// inHand is what an idle line keeps where several replicas share its caps. They do not hear of each
// other's needs; so of each cap the idle lines of a replica together keep a part of what is not bought,
// or room for one bid, whichever is more. Where it is too little for all, those asked last have it.
func (b *Book) inHand(now time.Time, line *line) room {
	keep := line.target(now)
	if planted.Is(planted.KeepIdle) {
		return keep
	}
	for _, limit := range line.Caps {
		cents, leads := b.bought(now, limit)
		part := room{
			max(pingpost.Cents(limit.Cents.N)-cents, 0) / pingpost.Cents(2*b.replicas),
			max(limit.Leads.N-leads, 0) / (2 * b.replicas),
		}
		idle, before := int64(1), room{}
		for _, other := range b.lines {
			if other == line || other.active(now) || !other.under(keyOf(limit)) {
				continue
			}
			if idle++; b.ahead(other, line) {
				before.cents += other.usual()
				before.leads++
			}
		}
		if limit.Cents.Set {
			keep.cents = min(keep.cents, atLeastOne(part.cents, pingpost.Cents(idle), before.cents, line.usual()))
		}
		if limit.Leads.Set {
			keep.leads = min(keep.leads, atLeastOne(part.leads, idle, before.leads, 1))
		}
	}
	if keep.cents == 0 || keep.leads == 0 {
		return room{}
	}
	return keep
}

// ahead tells which of two idle lines is the likelier to be asked for a bid: the one asked last, else the
// one that comes first in the plan.
func (b *Book) ahead(line, other *line) bool {
	if !line.lastAsked.Equal(other.lastAsked) {
		return line.lastAsked.After(other.lastAsked)
	}
	return slices.Index(b.lines, line) < slices.Index(b.lines, other)
}

// atLeastOne is an equal share of part, at least room for one where those before leave it, or are none.
func atLeastOne[T ~int64](part, shares, before, one T) T {
	if before == 0 || before+one <= part {
		return max(part/shares, one)
	}
	return 0
}

// regroups tells whether a waiting line gives its own scattered rests back, to get them again in
// one lease that is large enough, and has a lead to go with it, together with what the caps have left.
func (b *Book) regroups(now time.Time, line *line, have room) bool {
	if b.stopping || have.cents == 0 || !line.starved(now) {
		return false
	}
	left := room{pingpost.MaxCents, int64(pingpost.MaxCents)}
	for _, limit := range line.Caps {
		told := b.uses[keyOf(limit)]
		if told == nil || !told.covers(now) {
			continue
		}
		if limit.Cents.Set {
			left.cents = min(left.cents, pingpost.Cents(limit.Cents.N)-told.SpentCents-told.LeasedCents)
		}
		if limit.Leads.Set {
			left.leads = min(left.leads, limit.Leads.N-told.SpentLeads-told.LeasedLeads)
		}
	}
	return have.cents+max(left.cents, 0) >= line.denied && have.leads+max(left.leads, 0) >= 1
}

// share is the line's fair part of what its caps have neither bought nor held.
func (b *Book) share(now time.Time, line *line) room {
	fair := room{pingpost.MaxCents, int64(pingpost.MaxCents)}
	for _, limit := range line.Caps {
		key := keyOf(limit)
		cents, leads := b.bought(now, limit)
		openCents, openLeads := pingpost.Cents(limit.Cents.N)-cents, limit.Leads.N-leads
		var all, busy int64
		for _, other := range b.lines {
			if !other.under(key) {
				continue
			}
			all++
			if other.active(now) || other == line {
				busy++
			}
			heldCents, heldLeads := other.held()
			openCents, openLeads = openCents-heldCents, openLeads-heldLeads
		}
		parts := busy
		switch {
		case !line.active(now) && all > 1:
			parts = 2 * all
		case all > busy:
			parts = 2 * busy
		}
		if limit.Cents.Set {
			fair.cents = min(fair.cents, max(openCents, 0)/pingpost.Cents(parts))
		}
		if limit.Leads.Set {
			fair.leads = min(fair.leads, max(openLeads, 0)/parts)
		}
	}
	return fair
}

// want is the lease that the line asks for now.
func (b *Book) want(now time.Time, line *line, queue []*line) (want Want, ok bool) {
	if b.stopping || !line.covered || !b.worthAsking(now, line) || b.holdsBack(now, line, queue) {
		return Want{}, false
	}
	if _, to := b.turn(now, line); !to.IsZero() && to.Sub(now) < 4*skew {
		return Want{}, false // the lease would end at once
	}
	have, wanted, fair := line.room(now), line.target(now), b.share(now, line)
	if b.regroups(now, line, have) {
		have = room{}
	}
	heldCents, heldLeads := line.held()
	aim := room{min(wanted.cents-heldCents, fair.cents), min(wanted.leads-heldLeads, fair.leads)}
	if b.replicas > 1 && !line.active(now) {
		most := b.inHand(now, line)
		if most.cents == 0 {
			return Want{}, false
		}
		aim = room{min(aim.cents, most.cents), min(aim.leads, most.leads)}
	}
	low := have.cents < min(line.least(), max(aim.cents, 1)) || have.leads < 1 ||
		have.cents < aim.cents/4 || line.byLeads && have.leads < aim.leads/4
	if !low && !line.starved(now) {
		return Want{}, false
	}
	want = Want{Line: line.Line, Least: line.least()}
	want.Cents = max(aim.cents-have.cents, want.Least)
	if !line.turn.IsZero() && line.starved(now) { // its turn was for a cheaper bid than it was then asked for
		want.Cents = max(want.Cents, line.usual())
	}
	want.Leads = max(aim.leads-have.leads, 1)
	return want, true
}

// holdsBack tells whether the line may not ask now: others wait for the same money, it gave way a
// moment ago, or the store has just refused it.
func (b *Book) holdsBack(now time.Time, line *line, queue []*line) bool {
	active, first := line.active(now), place(queue, line)
	for _, other := range queue[:min(first, len(queue))] {
		if sharesCap(line, other) && (first == len(queue) || now.Sub(other.waiting) >= patience) {
			return true
		}
	}
	switch {
	case !active && !line.yielded.IsZero() && now.Sub(line.yielded) < memory:
		return true
	case line.refused == pingpost.ReasonNone || !line.until.IsZero() && !now.Before(line.until):
		return false
	case active:
		return now.Sub(line.wantedAt) < tick
	}
	return now.Sub(line.wantedAt) < idleRetry
}
