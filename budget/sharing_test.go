package budget

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"leadbid/pingpost"
)

// market drives a Book against the model store in steps of 100 ms. Every line of prices is asked
// for a bid of its price in each step; bids are lost a second later.
type market struct {
	t      *testing.T
	now    time.Time
	plan   *Plan
	book   *Book
	store  *modelStore
	seq    uint64
	lost   map[time.Time][]uint64
	bids   map[Line]int
	last   map[Line]time.Time // the last bid
	gap    map[Line]time.Duration
	asked  int
	reason map[Line]pingpost.Reason // the last refusal
}

func newMarket(t *testing.T, plan *Plan) *market {
	return &market{
		t: t, now: noon, plan: plan, book: NewBook(plan), store: newModelStore(), lost: map[time.Time][]uint64{},
		bids: map[Line]int{}, last: map[Line]time.Time{}, gap: map[Line]time.Duration{}, reason: map[Line]pingpost.Reason{},
	}
}

func (m *market) run(d time.Duration, prices map[Line]pingpost.Cents) {
	m.t.Helper()
	began := m.now
	for end := m.now.Add(d); m.now.Before(end); m.now = m.now.Add(100 * time.Millisecond) {
		if ask, ok := m.book.Upkeep(m.now); ok {
			m.asked++
			m.book.Answer(m.now, m.store.upkeep(m.now, m.plan, ask))
		}
		for _, seq := range m.lost[m.now] {
			m.book.Lost(m.now, seq)
		}
		delete(m.lost, m.now)
		for _, lp := range m.plan.Lines {
			if price := prices[lp.Line]; price > 0 {
				m.bid(began, lp.Line, price)
			}
		}
		if err := m.book.Check(); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *market) bid(began time.Time, line Line, price pingpost.Cents) {
	m.seq++
	_, reason := m.book.Hold(m.now, line, m.seq, price, 300*time.Millisecond)
	since := latest(began, m.last[line])
	m.gap[line] = max(m.gap[line], m.now.Sub(since))
	if reason != pingpost.ReasonNone {
		m.reason[line] = reason
		return
	}
	m.bids[line]++
	m.last[line] = m.now
	m.lost[m.now.Add(time.Second)] = append(m.lost[m.now.Add(time.Second)], m.seq)
}

// sharing makes n lines under one cap of a day.
func sharing(n int, limit int64, largest pingpost.Cents) *Plan {
	plan := &Plan{Location: chicago}
	for i := range n {
		plan.Lines = append(plan.Lines, LinePlan{
			Line: Line{fmt.Sprint("c", i), "north"}, Terms: refusable, LargestBid: largest,
			Caps: []Cap{dollars(Scope{}, pingpost.Day, limit)},
		})
	}
	return plan
}

func c(n int) Line { return Line{fmt.Sprint("c", n), "north"} }

func TestIdleLinesGiveWay(t *testing.T) {
	m := newMarket(t, sharing(10, 400_00, 60_00))
	m.run(time.Minute, nil)
	m.run(2*time.Minute, map[Line]pingpost.Cents{c(9): 45_00})
	// Ten bids a second, each held for one: $450 are wanted at once, $400 are there.
	if m.bids[c(9)] < 800 || m.gap[c(9)] > 3*time.Second {
		t.Errorf("%d bids, the longest wait %v, last refusal %v", m.bids[c(9)], m.gap[c(9)], m.reason[c(9)])
	}
	// A line that was idle gets its turn soon, although another uses everything.
	m.run(2*time.Minute, map[Line]pingpost.Cents{c(9): 45_00, c(0): 45_00})
	if m.bids[c(0)] < 200 || m.gap[c(0)] > 10*time.Second {
		t.Errorf("%d bids, the longest wait %v, last refusal %v", m.bids[c(0)], m.gap[c(0)], m.reason[c(0)])
	}
	if m.asked > 5*60*2 {
		t.Errorf("%d questions to the store in five minutes", m.asked)
	}
}

// TestTakingTurns has two lines in a cap that has room for one bid of one of them.
func TestTakingTurns(t *testing.T) {
	m := newMarket(t, sharing(2, 60_00, 50_00))
	m.run(5*time.Minute, map[Line]pingpost.Cents{c(0): 40_00, c(1): 50_00})
	for _, line := range []Line{c(0), c(1)} {
		if m.bids[line] < 60 || m.gap[line] > 15*time.Second || m.reason[line] != pingpost.OpenBids {
			t.Errorf("%v: %d bids, the longest wait %v, last refusal %v", line, m.bids[line], m.gap[line], m.reason[line])
		}
	}
	if m.asked > 5*60*2 || len(m.store.leases) > 5*60 {
		t.Errorf("%d questions and %d leases in five minutes", m.asked, len(m.store.leases))
	}
}

// TestTurnsWherePricesDiffer: what a line gets in its turn is of use for whatever bid comes next, and not only for
// one as cheap as the bid that it could not make.
func TestTurnsWherePricesDiffer(t *testing.T) {
	m := newMarket(t, sharing(2, 60_20, 51_00))
	prices := rand.New(rand.NewPCG(1, 2))
	const rounds = 60
	for range rounds {
		for n := range 2 {
			m.bid(m.now, c(n), pingpost.Cents(31_00+prices.Int64N(20_00)))
		}
		m.run(8*time.Second, nil)
	}
	if bids := m.bids[c(0)] + m.bids[c(1)]; bids < rounds/2 {
		t.Errorf("%d bids in %d rounds, and the cap had room for one in each", bids, rounds)
	}
}

// TestSmallBidsGoOnBesideAHopelessOne has a line whose bids no longer fit into what is left.
func TestSmallBidsGoOnBesideAHopelessOne(t *testing.T) {
	m := newMarket(t, sharing(2, 30_00, 0))
	m.run(2*time.Minute, map[Line]pingpost.Cents{c(0): 40_00, c(1): 5_00})
	if m.bids[c(0)] != 0 || m.reason[c(0)] != pingpost.BudgetExhausted {
		t.Errorf("%d bids of $40 in a cap of $30, %v", m.bids[c(0)], m.reason[c(0)])
	}
	if m.bids[c(1)] < 400 || m.gap[c(1)] > 2*time.Second {
		t.Errorf("%d bids of $5, the longest wait %v", m.bids[c(1)], m.gap[c(1)])
	}
}

// TestAnIdleBookIsQuiet counts the questions of an hour in which nothing happens.
func TestAnIdleBookIsQuiet(t *testing.T) {
	m := newMarket(t, sharing(3, 1000_00, 50_00))
	m.run(time.Hour, nil)
	if m.asked > 3600/9 {
		t.Errorf("%d questions in an hour", m.asked)
	}
	if len(m.store.leases) != 3 || len(m.book.leases) != 3 {
		t.Errorf("%d leases for three lines", len(m.store.leases))
	}
	m.run(100*time.Millisecond, map[Line]pingpost.Cents{c(2): 50_00})
	if m.bids[c(2)] != 1 {
		t.Errorf("the first ping after a quiet hour: %v", m.reason[c(2)])
	}
}

// TestLargeBidsBesideSmallOnes has a line keep a share that is enough for its small bids only, beside lines
// that use nothing of theirs: once a large one was refused, it gets its room.
func TestLargeBidsBesideSmallOnes(t *testing.T) {
	m := newMarket(t, sharing(4, 120_00, 60_00))
	m.run(time.Second, nil)
	m.run(10*time.Second, map[Line]pingpost.Cents{c(0): 10_00, c(1): 10_00, c(2): 10_00, c(3): 10_00})
	m.run(3*time.Second, nil) // all bids are lost, and each line has its share
	line := m.book.byLine[c(0)]
	line.waiting, line.denied = m.now, 10_00 // a small bid that came a moment too early
	m.run(15*time.Second, map[Line]pingpost.Cents{c(0): 55_00})
	if m.gap[c(0)] > 10*time.Second { // the others were asked for bids a moment ago, and give way to patience only
		t.Errorf("the longest wait %v, last refusal %v", m.gap[c(0)], m.reason[c(0)])
	}
}

func TestNewWindowNewLease(t *testing.T) {
	plan := onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Hour, 200_00))
	m := newMarket(t, plan)
	m.run(59*time.Minute, nil)
	m.run(2*time.Minute, map[Line]pingpost.Cents{hvac: 10_00})
	if m.gap[hvac] > 1500*time.Millisecond {
		t.Errorf("over the hour it waited %v", m.gap[hvac])
	}
}

// TestAnIdleReplicaKeepsRoomForOneBid of a small cap that others share, where alone it keeps more.
func TestAnIdleReplicaKeepsRoomForOneBid(t *testing.T) {
	for replicas, want := range map[int64]pingpost.Cents{0: 40_00, 3: 10_00} {
		m := newMarket(t, sharing(1, 45_00, 10_00))
		for range 120 {
			if ask, ok := m.book.Upkeep(m.now); ok {
				answer := m.store.upkeep(m.now, m.plan, ask)
				answer.Replicas = replicas
				m.book.Answer(m.now, answer)
			}
			m.now = m.now.Add(time.Second)
		}
		if room := m.book.byLine[c(0)].room(m.now); room.cents != want {
			t.Errorf("of $45 that %d replicas share, one that nobody asks for bids keeps %v, not %v", replicas, room.cents, want)
		}
	}
}

// TestManyTakeTurns has six lines in a cap that has room for one bid: all at once, every few seconds, or
// each all the time.
func TestManyTakeTurns(t *testing.T) {
	plan := sharing(6, 60_00, 50_00)
	for every, least := range map[time.Duration]int{100 * time.Millisecond: 20, 8 * time.Second: 2} {
		m := newMarket(t, plan)
		prices := map[Line]pingpost.Cents{}
		for i, lp := range plan.Lines {
			prices[lp.Line] = pingpost.Cents(40_00 + i*2_00)
		}
		for range 5 * time.Minute / every {
			m.run(100*time.Millisecond, prices)
			m.run(every-100*time.Millisecond, nil)
		}
		for line := range prices {
			if m.bids[line] < least {
				t.Errorf("%v, asked every %v: %d bids, last refusal %v", line, every, m.bids[line], m.reason[line])
			}
		}
	}
}

// TestAReplicaHearsOfOthers: a lease that was granted while the store's clock was hours ahead needs no
// extension for as long. What the others buy meanwhile is heard of all the same, and what is too much given back.
func TestAReplicaHearsOfOthers(t *testing.T) {
	m := newMarket(t, sharing(1, 400_00, 10_00))
	bought := pingpost.Cents(0)
	tick := func(seconds int) {
		for range seconds {
			if ask, ok := m.book.Upkeep(m.now); ok {
				answer := m.store.upkeep(m.now, m.plan, ask)
				answer.Replicas = 3
				for i := range answer.Leases {
					answer.Leases[i].BidUntil, answer.Leases[i].CloseAt = noon.Add(8*time.Hour), noon.Add(9*time.Hour)
				}
				for i := range answer.Caps {
					answer.Caps[i].UsedCents, answer.Caps[i].SpentCents = answer.Caps[i].UsedCents+bought, answer.Caps[i].SpentCents+bought
				}
				m.book.Answer(m.now, answer)
			}
			m.now = m.now.Add(time.Second)
		}
	}
	tick(60)
	bought = 350_00 // by the others
	tick(60)
	if room := m.book.byLine[c(0)].room(m.now); room.cents != 10_00 {
		t.Errorf("beside others who bought for $350 of $400 one that nobody asks for bids keeps %v", room.cents)
	}
}
