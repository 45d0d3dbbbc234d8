package budget

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

// modelStore is the store as reliability demands it, kept in maps and found by walking them.
type modelStore struct {
	leases  map[LeaseID]*LeaseState
	from    map[LeaseID][]CapWindow
	charges []charged
	posts   map[uint64]bool
	voided  map[uint64]bool
}

type charged struct {
	seq   uint64
	line  Line
	at    time.Time // of the bid
	lease LeaseID   // 0 where the caps paid themselves
	price pingpost.Cents
}

func newModelStore() *modelStore {
	return &modelStore{
		leases: map[LeaseID]*LeaseState{}, from: map[LeaseID][]CapWindow{}, posts: map[uint64]bool{}, voided: map[uint64]bool{},
	}
}

func nameOf(w CapWindow) string { return fmt.Sprint(w.Cap.Scope, w.Cap.Period, w.Start.UnixMilli()) }

// promised is what a cap's window has spent, and what open leases hold that were carved from it, or may still
// buy in it without.
func (m *modelStore) promised(w CapWindow) room {
	sum := m.spent(w)
	for id, l := range m.leases {
		switch {
		case !l.Open:
		case m.carved(id, w):
			sum.cents += l.Cents
			sum.leads += l.Leads
		case over(w, l.Line) && l.BidUntil.After(w.Start):
			sum.cents += l.Cents - l.UsedCents
			sum.leads += l.Leads - l.UsedLeads
		}
	}
	return sum
}

// spent is what a cap's window has bought, but for what leases hold that are open and were carved from it.
func (m *modelStore) spent(w CapWindow) (sum room) {
	for _, c := range m.charges {
		held := c.lease != 0 && m.leases[c.lease].Open && m.carved(c.lease, w)
		if over(w, c.line) && !held && !c.at.Before(w.Start) && (w.End.IsZero() || c.at.Before(w.End)) {
			sum.cents += c.price
			sum.leads++
		}
	}
	return sum
}

func (m *modelStore) carved(id LeaseID, w CapWindow) bool {
	return slices.ContainsFunc(m.from[id], func(f CapWindow) bool { return nameOf(f) == nameOf(w) })
}

func over(w CapWindow, line Line) bool {
	scope := w.Cap.Scope
	return scope.Kind == ScopeBusiness || scope == Scope{ScopeExchange, line.Exchange} || scope == campaign(line.Campaign)
}

func (m *modelStore) left(w CapWindow) room {
	sum := m.promised(w)
	left := room{1 << 40, 1 << 40}
	if w.Cap.Cents.Set {
		left.cents = pingpost.Cents(w.Cap.Cents.N) - sum.cents
	}
	if w.Cap.Leads.Set {
		left.leads = w.Cap.Leads.N - sum.leads
	}
	return left
}

func (m *modelStore) upkeep(now time.Time, plan *Plan, ask Upkeep) UpkeepAnswer {
	answer := UpkeepAnswer{At: ask.At}
	for _, id := range slices.Sorted(maps.Keys(m.leases)) {
		l := m.leases[id]
		if l.Open && !l.CloseAt.After(now) {
			l.Open, l.Rev = false, l.Rev+1
			answer.Leases = append(answer.Leases, *l)
		}
	}
	for _, keep := range ask.Keeps {
		m.keep(now, plan, keep)
	}
	for _, want := range ask.Wants {
		answer.Grants = append(answer.Grants, m.grant(now, plan, want))
	}
	for _, id := range slices.Sorted(maps.Keys(m.leases)) {
		if m.leases[id].Open {
			answer.Leases = append(answer.Leases, *m.leases[id])
		}
	}
	answer.Caps = m.uses(now, plan)
	return answer
}

func (m *modelStore) keep(now time.Time, plan *Plan, keep Keep) {
	l := m.leases[keep.ID]
	if l == nil || !l.Open {
		return
	}
	back := room{keep.ReturnCents, keep.ReturnLeads}
	if keep.Extend {
		until := now.Add(30 * time.Second)
		for _, w := range m.from[l.ID] {
			if !w.End.IsZero() && w.End.Before(until) {
				until = w.End
			}
			for _, lp := range plan.Lines {
				for _, c := range lp.Caps {
					if keyOf(c) == keyOf(w.Cap) {
						w.Cap = c
					}
				}
			}
			over := m.left(w)
			if keep.Cut {
				back = room{max(back.cents, -over.cents), max(back.leads, -over.leads)}
			}
		}
		if until.After(l.BidUntil) && until.After(now) {
			l.BidUntil, l.CloseAt = until, until.Add(62*time.Second)
		}
	}
	l.Cents -= max(0, min(back.cents, l.Cents-l.UsedCents-keep.OutstandingCents))
	l.Leads -= max(0, min(back.leads, l.Leads-l.UsedLeads-keep.OutstandingLeads))
	l.Rev++
}

func (m *modelStore) grant(now time.Time, plan *Plan, want Want) Grant {
	lp := plan.Lines[slices.IndexFunc(plan.Lines, func(lp LinePlan) bool { return lp.Line == want.Line })]
	l := &LeaseState{ID: LeaseID(len(m.leases) + 1), Line: want.Line, Rev: 1, Cents: want.Cents, Leads: want.Leads,
		BidUntil: now.Add(30 * time.Second), Open: true}
	windows := windowsOf(lp.Caps, now, plan.Location)
	for _, w := range windows {
		left := m.left(w)
		if left.cents < want.Least {
			return Grant{Line: want.Line, Refused: pingpost.BudgetExhausted, Until: w.End}
		}
		if left.leads < 1 {
			return Grant{Line: want.Line, Refused: pingpost.CapacityFull, Until: w.End}
		}
		l.Cents, l.Leads = min(l.Cents, left.cents), min(l.Leads, left.leads)
		if !w.End.IsZero() && w.End.Before(l.BidUntil) {
			l.BidUntil = w.End
		}
	}
	l.CloseAt = l.BidUntil.Add(62 * time.Second)
	m.leases[l.ID], m.from[l.ID] = l, windows
	state := *l
	return Grant{Line: want.Line, Lease: &state}
}

func (m *modelStore) uses(now time.Time, plan *Plan) (uses []CapUse) {
	seen := map[string]bool{}
	for _, lp := range plan.Lines {
		for _, w := range windowsOf(lp.Caps, now, plan.Location) {
			if seen[nameOf(w)] {
				continue
			}
			seen[nameOf(w)] = true
			spent, all := m.spent(w), m.promised(w)
			u := CapUse{Cap: w.Cap, Start: w.Start, End: w.End, UsedCents: spent.cents, UsedLeads: spent.leads,
				SpentCents: spent.cents, SpentLeads: spent.leads, LeasedCents: all.cents - spent.cents, LeasedLeads: all.leads - spent.leads}
			for id, l := range m.leases {
				if l.Open && m.carved(id, w) {
					u.UsedCents += l.UsedCents
					u.UsedLeads += l.UsedLeads
				}
			}
			uses = append(uses, u)
		}
	}
	return uses
}

// post charges a bid: to its lease, else to its windows, else not.
func (m *modelStore) post(seq uint64, line Line, id LeaseID, price pingpost.Cents, at time.Time, windows []CapWindow) Charged {
	answer := Charged{Line: line, Ref: BidRef{Lease: id, Seq: seq, Price: price, Expires: noon}, Price: price}
	l := m.leases[id]
	switch {
	case m.voided[seq]:
		answer.Reason, answer.Repeat = pingpost.Voided, true
		return answer
	case m.posts[seq]:
		answer.Accepted, answer.Repeat = true, true
		return answer
	case l != nil && l.Open && l.UsedCents+price <= l.Cents && l.UsedLeads < l.Leads:
		l.UsedCents, l.UsedLeads, l.Rev = l.UsedCents+price, l.UsedLeads+1, l.Rev+1
		state := *l
		answer.Lease = &state
	default:
		id = 0
		for _, w := range windows {
			if left := m.left(w); left.cents < price || left.leads < 1 {
				answer.Reason = pingpost.BudgetExhausted
				return answer
			}
		}
	}
	m.charges = append(m.charges, charged{seq, line, at, id, price})
	answer.Accepted, m.posts[seq] = true, true
	return answer
}

// void takes a bid back: it is posted no more, and what it bought goes to the caps, out of its lease while that
// is open. It gives the state of that lease.
func (m *modelStore) void(seq uint64) (state *LeaseState) {
	m.voided[seq] = true
	at := slices.IndexFunc(m.charges, func(c charged) bool { return c.seq == seq })
	if at < 0 {
		return nil
	}
	c := m.charges[at]
	m.charges = slices.Delete(m.charges, at, at+1)
	l := m.leases[c.lease]
	if l == nil || !l.Open {
		return nil
	}
	l.UsedCents, l.UsedLeads, l.Rev = l.UsedCents-c.price, l.UsedLeads-1, l.Rev+1
	l.Cents, l.Leads = l.Cents-c.price, l.Leads-1
	told := *l
	return &told
}

// bid is one bid in the twin's list.
type bid struct {
	seq     uint64
	line    Line
	lease   LeaseID
	price   pingpost.Cents
	at, end time.Time
	binding bool
	free    bool
	paid    bool // by its lease: it needs nothing more of it, whatever the Book knows
}

// machine drives a Book, the model store and the twin's list of bids side by side.
type machine struct {
	t       *rapid.T
	now     time.Time
	plan    *Plan
	book    *Book
	store   *modelStore
	bids    []*bid
	answer  *UpkeepAnswer // done by the store, not yet brought to the Book
	largest map[string]room
	lowered map[Line]bool // a cap above it is lower since the store was last asked
}

func (m *machine) held(id LeaseID) (sum room) {
	for _, b := range m.bids {
		if b.lease == id && !b.free {
			sum.cents += b.price
			sum.leads++
		}
	}
	return sum
}

// promised is what bids may still cost a lease.
func (m *machine) promised(id LeaseID) (sum room) {
	for _, b := range m.bids {
		if b.lease == id && !b.free && !b.paid {
			sum.cents += b.price
			sum.leads++
		}
	}
	return sum
}

func (m *machine) hold() {
	line := rapid.SampledFrom(m.plan.Lines).Draw(m.t, "line")
	price := pingpost.Cents(rapid.IntRange(5, 50).Draw(m.t, "price") * 100)
	tmax := time.Duration(rapid.IntRange(0, 2000).Draw(m.t, "tmax")) * time.Millisecond
	seq := uint64(len(m.bids) + 1)
	ticket, reason := m.book.Hold(m.now, line.Line, seq, price, tmax)
	if reason != pingpost.ReasonNone {
		if !slices.Contains([]pingpost.Reason{pingpost.OpenBids, pingpost.BudgetExhausted, pingpost.CapacityFull, pingpost.StoreAway}, reason) {
			m.t.Fatalf("refused with %v", reason)
		}
		return
	}
	if m.lowered[line.Line] {
		m.t.Fatalf("a bid of %v before the store heard of a lowered cap", price)
	}
	lease, held := m.store.leases[ticket.Lease], m.promised(ticket.Lease)
	if lease == nil || lease.Line != line.Line || !m.now.Add(tmax).Before(lease.BidUntil.Add(-skew)) {
		m.t.Fatalf("held from %+v at %v", lease, m.now)
	}
	if lease.Cents-lease.UsedCents-held.cents < price || lease.Leads-lease.UsedLeads-held.leads < 1 {
		m.t.Fatalf("a bid of %v from lease %+v, of which %+v was held", price, *lease, held)
	}
	m.bids = append(m.bids, &bid{
		seq: seq, line: line.Line, lease: ticket.Lease, price: price, at: m.now, end: ticket.Until,
		binding: !line.Terms.Refusable,
	})
	for _, w := range windowsOf(line.Caps, m.now, m.plan.Location) {
		come := m.mayCome(w)
		if w.Cap.Cents.Set && int64(come.cents) > w.Cap.Cents.N || w.Cap.Leads.Set && come.leads > w.Cap.Leads.N {
			m.t.Fatalf("a bid of %v, with which %s may come to %+v, its limits are %+v", price, nameOf(w), come, w.Cap)
		}
	}
}

func (m *machine) pick() *bid {
	if len(m.bids) == 0 {
		m.t.Skip() // this step of rapid's, not the test: it draws another one
	}
	return m.bids[rapid.IntRange(max(0, len(m.bids)-20), len(m.bids)-1).Draw(m.t, "bid")]
}

func (m *machine) lost() {
	b := m.pick()
	if b.paid {
		return
	}
	m.book.Lost(m.now, b.seq)
	b.free = b.free || !b.binding
}

func (m *machine) release() {
	b := m.pick()
	if b.paid {
		return
	}
	m.book.Release(m.now, b.seq)
	b.free = true
}

// withdraw takes a bid back, as this replica hears it or as another one does, which tells of no lease here.
func (m *machine) withdraw() {
	b := m.pick()
	state := m.store.void(b.seq)
	if state != nil && rapid.Bool().Draw(m.t, "heard here first") {
		m.book.Answer(m.now, UpkeepAnswer{Leases: []LeaseState{*state}})
	}
	m.book.Withdrawn(m.now, b.seq)
	if b.end.After(m.now) {
		b.end = m.now
	}
}

func (m *machine) post() {
	b := m.pick()
	if m.now.After(b.at.Add(62 * time.Second)) {
		return
	}
	windows := m.book.Windows(b.line, b.at)
	charged := m.store.post(b.seq, b.line, b.lease, b.price, b.at, windows)
	b.paid = b.paid || charged.Lease != nil
	if !b.free && rapid.IntRange(0, 4).Draw(m.t, "answer lost") == 0 {
		return // the hold stays until a reading
	}
	m.book.Charged(m.now, charged)
	switch {
	case charged.Repeat && (charged.Accepted || !b.binding):
		if b.end.After(m.now) {
			b.end = m.now
		}
	case charged.Accepted || !b.binding:
		b.free = true
	}
}

// ask has the store do what the Book asks; the answer may stay under way, or get lost.
func (m *machine) ask() {
	due, ok := m.book.Due(m.now)
	if ok && due.Before(m.now) {
		m.t.Fatalf("due at %v, before %v", due, m.now)
	}
	ask, asked := m.book.Upkeep(m.now)
	if asked != (ok && due.Equal(m.now)) {
		m.t.Fatalf("due at %v (%v), asked at %v: %v", due, ok, m.now, asked)
	}
	if !asked {
		return
	}
	clear(m.lowered)
	answer := m.store.upkeep(m.now, m.plan, ask)
	m.answer = &answer
	switch rapid.IntRange(0, 9).Draw(m.t, "fate") {
	case 0:
		m.answer = nil
		m.book.StoreAway(m.now, true)
	case 1, 2: // under way for a while
	default:
		m.bring()
	}
}

func (m *machine) bring() {
	if m.answer == nil {
		return
	}
	m.book.Answer(m.now, *m.answer)
	shown := map[LeaseID]LeaseState{}
	for _, l := range m.answer.Leases {
		shown[l.ID] = l
	}
	for _, b := range m.bids {
		if l, ok := shown[b.lease]; ok && (!l.Open || !b.end.After(m.answer.At)) {
			b.free = true
		}
	}
	m.answer = nil
}

func (m *machine) wait() {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 12_000).Draw(m.t, "milliseconds")) * time.Millisecond)
}

func (m *machine) restore() {
	text, err := json.Marshal(m.book.Snapshot())
	if err != nil {
		m.t.Fatal(err)
	}
	var state State
	if err := json.Unmarshal(text, &state); err != nil {
		m.t.Fatal(err)
	}
	m.book = Restore(m.plan, state)
	if again, _ := json.Marshal(m.book.Snapshot()); string(again) != string(text) {
		m.t.Fatalf("a restored book differs:\n%s\n%s", text, again)
	}
}

// lower moves every limit somewhere at or below, or back to what it was.
func (m *machine) lower() {
	next := *m.plan
	next.Lines = slices.Clone(m.plan.Lines)
	percent := rapid.Int64Range(50, 100).Draw(m.t, "percent")
	for i, lp := range next.Lines {
		lp.Caps = slices.Clone(lp.Caps)
		for j := range lp.Caps {
			before := lp.Caps[j].Cents
			lp.Caps[j].Cents.N = max(before.N*percent/100, 10_00)
			m.lowered[lp.Line] = m.lowered[lp.Line] || lp.Caps[j].Cents.below(before)
		}
		next.Lines[i] = lp
	}
	m.plan = &next
	m.book.SetPlan(m.now, m.plan)
}

// newCaps puts further limits beside those there are, or takes them away again.
func (m *machine) newCaps() {
	extra := map[Line][]Cap{
		hvac:              {dollars(campaign("hvac"), pingpost.Week, 90_00)},
		{"hvac", "south"}: {dollars(campaign("hvac"), pingpost.Week, 90_00)},
		{"roof", "north"}: {{Scope: campaign("roof"), Period: pingpost.Hour, Leads: Limit{N: 2, Set: true}}},
	}
	next := *modelPlan()
	if rapid.Bool().Draw(m.t, "more caps") {
		for i := range next.Lines {
			next.Lines[i].Caps = append(next.Lines[i].Caps, extra[next.Lines[i].Line]...)
		}
	}
	m.plan = &next
	m.book.SetPlan(m.now, m.plan)
}

func (m *machine) check(*rapid.T) {
	if err := m.book.Check(); err != nil {
		m.t.Fatal(err)
	}
	for _, l := range m.book.leases {
		if held := m.held(l.ID); held.cents != l.heldCents || held.leads != l.heldLeads {
			m.t.Fatalf("lease %d holds %v for %d bids, the list says %+v", l.ID, l.heldCents, l.heldLeads, held)
		}
	}
	now := map[string]room{} // of the caps in force: one that is taken out may be passed while it is away
	for _, lp := range m.plan.Lines {
		for _, w := range windowsOf(lp.Caps, m.now, m.plan.Location) {
			sum := m.store.promised(w)
			most, seen := m.largest[nameOf(w)]
			if w.Cap.Cents.Set && sum.cents > max(most.cents, pingpost.Cents(w.Cap.Cents.N)) && seen ||
				w.Cap.Leads.Set && sum.leads > max(most.leads, w.Cap.Leads.N) && seen {
				m.t.Fatalf("%s promised %+v, its limits are %+v", nameOf(w), sum, w.Cap)
			}
			now[nameOf(w)] = sum
			if open := m.mayCome(w); open.cents > sum.cents || open.leads > sum.leads {
				m.t.Fatalf("%s promised %+v, and its bids may come to %+v", nameOf(w), sum, open)
			}
		}
	}
	m.largest = now
}

// mayCome is what was bought in a window, and what bids that are open there can still buy from their leases.
func (m *machine) mayCome(w CapWindow) (sum room) {
	for _, c := range m.store.charges {
		if over(w, c.line) && !c.at.Before(w.Start) && (w.End.IsZero() || c.at.Before(w.End)) {
			sum.cents += c.price
			sum.leads++
		}
	}
	for id, l := range m.store.leases {
		if !l.Open || !over(w, l.Line) {
			continue
		}
		var open room
		for _, b := range m.bids {
			if b.lease == id && !b.free && !b.paid && !b.at.Before(w.Start) {
				open.cents += b.price
				open.leads++
			}
		}
		sum.cents += min(open.cents, l.Cents-l.UsedCents)
		sum.leads += min(open.leads, l.Leads-l.UsedLeads)
	}
	return sum
}

// modelPlan has three lines that share caps: two campaigns on a refusable exchange, one of them also
// on a binding one.
func modelPlan() *Plan {
	whole := dollars(Scope{}, pingpost.Day, 300_00)
	north := dollars(Scope{ScopeExchange, "north"}, pingpost.Total, 5000_00)
	own := dollars(campaign("hvac"), pingpost.Hour, 120_00)
	own.Leads = Limit{N: 6, Set: true}
	binding := refusable
	binding.Refusable = false
	return &Plan{Location: chicago, Lines: []LinePlan{
		{Line: hvac, Terms: refusable, Caps: []Cap{whole, north, own}, LargestBid: 50_00},
		{Line: Line{"roof", "north"}, Terms: refusable, Caps: []Cap{whole, north}},
		{Line: Line{"hvac", "south"}, Terms: binding, Caps: []Cap{whole, own}, LargestBid: 50_00},
	}}
}

// TestBookAgainstLists runs random traffic against the Book, a store of maps and a list of bids. No
// hold may exceed what its lease truly has, and no hold may be free before the list says so.
func TestBookAgainstLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{
			t: t, now: noon.Add(50 * time.Minute), plan: modelPlan(), store: newModelStore(), largest: map[string]room{},
			lowered: map[Line]bool{},
		}
		m.book = NewBook(m.plan)
		do := func(f func()) func(*rapid.T) { return func(*rapid.T) { f() } }
		t.Repeat(map[string]func(*rapid.T){
			"hold": do(m.hold), "hold again": do(m.hold), "lost": do(m.lost), "release": do(m.release), "withdraw": do(m.withdraw), "post": do(m.post),
			"ask": do(m.ask), "ask again": do(m.ask), "bring": do(m.bring), "wait": do(m.wait), "restore": do(m.restore),
			"lower": do(m.lower), "new caps": do(m.newCaps), "": m.check,
		})
	})
}
