package bidder

import (
	"fmt"
	"math/rand"
	"testing"
	"time"
)

const quarter = 15 * time.Minute

// market is an exchange as the watchdog sees it: bids go out every so often, and of each with a
// given chance something is heard a while later.
type market struct {
	hearing
	chance *rand.Rand
	now    time.Time
	rate   float64 // the share of bids of which something is heard
	every  time.Duration
	delay  time.Duration // at most, until it is heard
	under  []time.Time   // when signs will come
	cuts   int
	sent   int
}

func newMarket(seed int64, rate float64, every, delay time.Duration) *market {
	return &market{
		chance: rand.New(rand.NewSource(seed)), now: time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC),
		rate: rate, every: every, delay: delay,
	}
}

// bid sends one bid after a random while, and lets come what is heard until then.
func (m *market) bid() {
	m.now = m.now.Add(time.Duration(m.chance.ExpFloat64() * float64(m.every)))
	var later []time.Time
	for _, at := range m.under {
		if at.After(m.now) {
			later = append(later, at)
			continue
		}
		m.hear(at, quarter)
	}
	m.under = later
	before := m.Silent.IsZero()
	if !m.send(m.now, quarter) {
		if before {
			m.cuts++
		}
		return
	}
	m.sent++
	if m.chance.Float64() < m.rate {
		m.under = append(m.under, m.now.Add(time.Duration(m.chance.Float64()*float64(m.delay))))
	}
}

// TestSteadyExchangesAreNotCutOff runs exchanges of every win rate and pace, and none of them is
// ever taken for dead: by the rule of bearable it happens once in a million signs.
func TestSteadyExchangesAreNotCutOff(t *testing.T) {
	bids, cuts := 0, 0
	for i, rate := range []float64{0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9} {
		for j, every := range []time.Duration{50 * time.Millisecond, time.Second, 20 * time.Second, 10 * time.Minute} {
			m := newMarket(int64(10*i+j), rate, every, 20*time.Second)
			for range 40_000 {
				m.bid()
				bids++
			}
			if cuts += m.cuts; m.cuts > 0 {
				t.Errorf("a win rate of %v with a bid every %v: cut off %d times", rate, every, m.cuts)
			}
		}
	}
	t.Logf("%d bids of exchanges that win 0.5%% to 90%% of them: cut off %d times", bids, cuts)
}

// TestDeadExchangesAreCutOff lets exchanges die after a history of 300 signs, and counts the bids that
// go out until they are cut off: those that the history explains, and those of the last quarter of an
// hour, of which nothing need have been heard yet.
func TestDeadExchangesAreCutOff(t *testing.T) {
	for i, rate := range []float64{0.005, 0.05, 0.3, 0.9} {
		for j, every := range []time.Duration{200 * time.Millisecond, 10 * time.Second, 5 * time.Minute} {
			m := newMarket(int64(10*i+j), rate, every, 10*time.Second)
			for range int(300 / rate) {
				m.bid()
			}
			for m.Signs < 16 {
				m.bid()
			}
			m.rate, m.under = 0, nil
			m.hear(m.now, quarter)
			began, least := m.now, m.bearable()
			m.sent = 0
			for m.Silent.IsZero() {
				m.bid()
			}
			bound := int(least) + int(2*quarter/every) + 2
			if took := m.now.Sub(began); m.sent > bound || took < quarter {
				t.Errorf("rate %v, a bid every %v: cut off after %d bids and %v, want at most %d bids and at least %v",
					rate, every, m.sent, took, bound, quarter)
			}
			if expected := float64(least) * rate; every > time.Minute && expected > 50 {
				t.Errorf("rate %v, a bid every %v: %v signs had to be missing", rate, every, expected)
			}
		}
	}
}

// TestSilentExchangeIsProbed: one bid in twenty goes out to an exchange that is cut off, and at least
// one a minute; the first sign ends it.
func TestSilentExchangeIsProbed(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, 30 * time.Second, 3 * time.Minute} {
		m := newMarket(1, 0.2, every, time.Second)
		for m.Signs < 40 {
			m.bid()
		}
		m.rate, m.under = 0, nil
		for m.Silent.IsZero() {
			m.bid()
		}
		m.sent = 0
		from := m.now
		for range 2000 {
			m.bid()
		}
		most := 2000/probeEvery + int(m.now.Sub(from)/time.Minute) + 2
		if least := 2000 / (probeEvery + 1); m.sent < least || m.sent > most {
			t.Errorf("a bid every %v: %d of 2000 went out, want %d to %d", every, m.sent, least, most)
		}
		m.hear(m.now, quarter)
		if m.sent = 0; !m.Silent.IsZero() || !m.send(m.now, quarter) || m.Withheld != 0 {
			t.Error("a sign does not end the silence")
		}
	}
}

// TestBatchesAreNoSilence: an exchange that tells of all its lost bids once an hour is as alive as one
// that tells at once, and so is one whose nights are quiet.
func TestBatchesAreNoSilence(t *testing.T) {
	var h hearing
	now := time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC)
	for hour := range 100 {
		for range 6000 {
			now = now.Add(600 * time.Millisecond)
			if !h.send(now, quarter) {
				t.Fatalf("cut off in hour %d", hour)
			}
		}
		for range 200 { // notices, with bids between them
			now = now.Add(100 * time.Millisecond)
			h.hear(now, quarter)
			h.send(now, quarter)
		}
	}
	m := newMarket(3, 0.1, time.Second, 5*time.Second)
	for range 30 {
		for range 5000 {
			m.bid()
		}
		m.now = m.now.Add(12 * time.Hour)
	}
	if m.cuts > 0 {
		t.Errorf("cut off %d times after quiet nights", m.cuts)
	}
}

// TestHistoryIsNeeded: what never spoke, or hardly ever, is not judged.
func TestHistoryIsNeeded(t *testing.T) {
	m := newMarket(1, 0, time.Second, time.Second)
	for range 100_000 {
		m.bid()
	}
	m.hear(m.now, quarter)
	m.now = m.now.Add(time.Hour)
	for range 100_000 {
		m.bid()
	}
	if m.cuts > 0 || m.sent != 200_000 {
		t.Errorf("cut off %d times, %d bids sent", m.cuts, m.sent)
	}
}

func TestForgottenBidsAreNotMissed(t *testing.T) {
	var h hearing
	now := time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC)
	for range 40 {
		now = now.Add(time.Minute)
		h.send(now, quarter)
		h.hear(now, quarter)
	}
	for range 5000 { // bids that are ready too late: never sent, so that nothing can be heard of them
		now = now.Add(time.Second)
		if !h.send(now, quarter) {
			t.Fatal("withheld")
		}
		h.unsend()
	}
	if text := fmt.Sprint(h.Fresh, h.Aging, h.Overdue, h.Waiting); text != "0 0 0 0" {
		t.Errorf("still missed: %s", text)
	}
}
