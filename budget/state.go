package budget

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"leadbid/pingpost"
)

// State is everything that a Book remembers, as plain data in a fixed order: what a recording
// begins with, so that a Book made from it behaves exactly like the one it was taken from.
type State struct {
	Asked    time.Time    `json:"asked,omitzero"`
	UnderWay bool         `json:"under_way,omitempty"`
	Away     bool         `json:"away,omitempty"`
	Swapped  bool         `json:"swapped,omitempty"`
	Unshown  bool         `json:"unshown,omitempty"`
	Doubtful bool         `json:"doubtful,omitempty"`
	Stale    bool         `json:"stale,omitempty"`
	Stopping bool         `json:"stopping,omitempty"`
	Replicas int64        `json:"replicas,omitempty"`
	Lines    []SavedLine  `json:"lines,omitempty"`
	Leases   []SavedLease `json:"leases,omitempty"`
	Holds    []SavedHold  `json:"holds,omitempty"`
	Uses     []SavedUse   `json:"uses,omitempty"`
}

// SavedLine is what a Book remembers of a line of the plan.
type SavedLine struct {
	Line        Line            `json:"line"`
	LargestSeen pingpost.Cents  `json:"largest_seen,omitempty"`
	Denied      pingpost.Cents  `json:"denied,omitempty"`
	LastAsked   time.Time       `json:"last_asked,omitzero"`
	Stretch     int64           `json:"stretch,omitempty"`
	PeakCents   pingpost.Cents  `json:"peak_cents,omitempty"`
	WasCents    pingpost.Cents  `json:"was_cents,omitempty"`
	PeakLeads   int64           `json:"peak_leads,omitempty"`
	WasLeads    int64           `json:"was_leads,omitempty"`
	BoughtCents pingpost.Cents  `json:"bought_cents,omitempty"`
	BoughtLeads int64           `json:"bought_leads,omitempty"`
	Waiting     time.Time       `json:"waiting,omitzero"`
	Turn        time.Time       `json:"turn,omitzero"`
	Yielded     time.Time       `json:"yielded,omitzero"`
	Refused     pingpost.Reason `json:"refused,omitempty"`
	Until       time.Time       `json:"until,omitzero"`
	WantedAt    time.Time       `json:"wanted_at,omitzero"`
	Lowered     bool            `json:"lowered,omitempty"`
}

// SavedLease is a lease in hand.
type SavedLease struct {
	State     LeaseState     `json:"state"`
	Retired   bool           `json:"retired,omitempty"`
	ToldCents pingpost.Cents `json:"told_cents,omitempty"`
	ToldLeads int64          `json:"told_leads,omitempty"`
	Unsettled []uint64       `json:"unsettled,omitempty"`

	LeavingCents pingpost.Cents `json:"leaving_cents,omitempty"`
	LeavingLeads int64          `json:"leaving_leads,omitempty"`
}

// SavedHold is what one bid has set aside.
type SavedHold struct {
	Seq   uint64         `json:"seq"`
	Lease LeaseID        `json:"lease"`
	Price pingpost.Cents `json:"price"`
	End   time.Time      `json:"end"`
	Ended bool           `json:"ended,omitempty"`
	Firm  bool           `json:"firm,omitempty"`
}

// SavedUse is a cap's use with what was charged directly since it was told.
type SavedUse struct {
	Use         CapUse         `json:"use"`
	DirectCents pingpost.Cents `json:"direct_cents,omitempty"`
	DirectLeads int64          `json:"direct_leads,omitempty"`
}

// Snapshot copies out everything that the Book remembers, except its plan.
func (b *Book) Snapshot() State {
	s := State{Asked: b.asked, UnderWay: b.underWay, Away: b.away, Swapped: b.swapped, Stopping: b.stopping,
		Unshown: b.unshown, Doubtful: b.doubtful, Stale: b.stale, Replicas: b.replicas}
	for _, l := range b.lines {
		s.Lines = append(s.Lines, SavedLine{
			Line: l.Line, LargestSeen: l.largestSeen, Denied: l.denied, LastAsked: l.lastAsked,
			Stretch: l.peak.stretch, PeakCents: l.peak.cents, WasCents: l.peak.was,
			PeakLeads: l.peak.leads, WasLeads: l.peak.had,
			BoughtCents: l.peak.bought, BoughtLeads: l.peak.boughtInLeads,
			Waiting: l.waiting, Turn: l.turn, Yielded: l.yielded, Refused: l.refused, Until: l.until, WantedAt: l.wantedAt,
			Lowered: l.lowered,
		})
	}
	for _, l := range b.leases {
		s.Leases = append(s.Leases, SavedLease{
			State: l.LeaseState, Retired: l.retired, ToldCents: l.toldCents, ToldLeads: l.toldLeads,
			Unsettled: slices.Clone(l.unsettled), LeavingCents: l.leavingCents, LeavingLeads: l.leavingLeads,
		})
	}
	bySeq := func(x, y *hold) int { return cmp.Compare(x.seq, y.seq) }
	for _, h := range slices.SortedFunc(b.holds.all(), bySeq) {
		s.Holds = append(s.Holds, SavedHold{
			Seq: h.seq, Lease: h.lease.ID, Price: h.price, End: h.end, Ended: h.ended, Firm: h.firm,
		})
	}
	for _, key := range slices.SortedFunc(maps.Keys(b.uses), compareKeys) {
		u := b.uses[key]
		s.Uses = append(s.Uses, SavedUse{Use: u.CapUse, DirectCents: u.directCents, DirectLeads: u.directLeads})
	}
	return s
}

func compareKeys(a, b capKey) int {
	return cmp.Or(cmp.Compare(a.scope.Kind, b.scope.Kind), cmp.Compare(a.scope.Name, b.scope.Name),
		cmp.Compare(a.period, b.period))
}

// Restore makes the Book that a State was taken from. The plan must be the one that was in force.
func Restore(plan *Plan, s State) *Book {
	b := NewBook(plan)
	b.asked, b.underWay, b.away, b.swapped, b.stopping = s.Asked, s.UnderWay, s.Away, s.Swapped, s.Stopping
	b.unshown, b.doubtful, b.stale, b.replicas = s.Unshown, s.Doubtful, s.Stale, s.Replicas
	for _, saved := range s.Lines {
		l := b.byLine[saved.Line]
		if l == nil {
			continue
		}
		l.largestSeen, l.denied, l.lastAsked = saved.LargestSeen, saved.Denied, saved.LastAsked
		l.peak = peak{
			saved.Stretch, saved.PeakCents, saved.WasCents, saved.PeakLeads, saved.WasLeads,
			saved.BoughtCents, saved.BoughtLeads,
		}
		l.waiting, l.turn, l.yielded, l.wantedAt = saved.Waiting, saved.Turn, saved.Yielded, saved.WantedAt
		l.refused, l.until, l.lowered = saved.Refused, saved.Until, saved.Lowered
		b.queued = b.queued || !l.waiting.IsZero()
	}
	for _, saved := range s.Leases {
		l := b.add(saved.State)
		l.retired = saved.Retired
		l.toldCents, l.toldLeads = saved.ToldCents, saved.ToldLeads
		l.unsettled = slices.Clone(saved.Unsettled)
		l.leavingCents, l.leavingLeads = saved.LeavingCents, saved.LeavingLeads
	}
	for _, saved := range s.Holds {
		l := b.byLease[saved.Lease]
		if l == nil {
			continue
		}
		b.holds.add(&hold{saved.Seq, l, saved.Price, saved.End, saved.Ended, saved.Firm})
		l.heldCents += saved.Price
		l.heldLeads++
		if !saved.Ended {
			b.ending.push(endOf(saved.End, saved.Seq))
		}
	}
	for _, saved := range s.Uses {
		b.uses[keyOf(saved.Use.Cap)] = &use{saved.Use, saved.DirectCents, saved.DirectLeads}
	}
	b.noteOverdrawn()
	return b
}

// Check recomputes what must always hold of a Book: sums of holds, the order of leases, and that
// every hold is either going to end or waiting for a reading. An error is a fault of this package.
func (b *Book) Check() error {
	type sums struct {
		cents           pingpost.Cents
		leads, waitings int64
	}
	held := map[*lease]sums{}
	ending := map[uint64]bool{}
	for _, entry := range b.ending.all() {
		if h := b.holds.of(entry.seq); h != nil && h.end.UnixNano() == entry.at {
			ending[entry.seq] = true
		}
	}
	for h := range b.holds.all() {
		seq := h.seq
		if b.byLease[h.lease.ID] != h.lease || b.holds.of(seq) != h || h.price <= 0 {
			return fmt.Errorf("budget: hold %d is on lease %d for %v", seq, h.lease.ID, h.price)
		}
		if !h.ended && !ending[seq] {
			return fmt.Errorf("budget: hold %d would never end", seq)
		}
		sum := held[h.lease]
		sum.cents += h.price
		sum.leads++
		if h.ended {
			sum.waitings++
		}
		held[h.lease] = sum
	}
	for i, l := range b.leases {
		sum := held[l]
		if i > 0 && b.leases[i-1].ID >= l.ID || b.byLease[l.ID] != l {
			return fmt.Errorf("budget: lease %d is out of order", l.ID)
		}
		if sum.cents != l.heldCents || sum.leads != l.heldLeads || sum.waitings != int64(len(l.unsettled)) {
			return fmt.Errorf("budget: lease %d holds %v for %d bids, %d unsettled; its holds say %v, %d, %d",
				l.ID, l.heldCents, l.heldLeads, len(l.unsettled), sum.cents, sum.leads, sum.waitings)
		}
		if l.UsedCents < 0 || l.UsedCents > l.Cents || l.UsedLeads < 0 || l.UsedLeads > l.Leads {
			return fmt.Errorf("budget: lease %d has used %v of %v and %d of %d leads",
				l.ID, l.UsedCents, l.Cents, l.UsedLeads, l.Leads)
		}
	}
	if len(b.byLease) != len(b.leases) {
		return fmt.Errorf("budget: %d leases by id, %d in order", len(b.byLease), len(b.leases))
	}
	return nil
}
