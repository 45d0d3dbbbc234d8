package bidder

import (
	"math"
	"time"

	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

// The dead-man's switch: where bids go out and nothing comes back, no post and no notice, something
// between the exchange and this bidder is broken, and on a binding exchange each bid may still cost
// money. How long a silence may be is not guessed. It follows from the exchange's own history: how
// many bids it took, so far, until something was heard again.
const (
	// historySigns bounds the history: signs and bids are halved when it is reached, so that the
	// latest count most.
	historySigns = 64

	// leastSigns is how many say so little that no silence is judged by them.
	leastSigns = 8

	// silenceChance is how improbable a silence must be by the history, as a power of ten.
	silenceChance = 6

	// signsPerSilence is how many signs at most are counted within rules.Exchange.SilentAfter: a
	// batch of notices is one sign, and not a hundred.
	signsPerSilence = 15

	// probeEvery is how many bids are withheld from a silent exchange before one is sent, and
	// probesPerSilence how many are sent at least within SilentAfter where there is something to bid.
	probeEvery       = 20
	probesPerSilence = 15
)

// hearing is what was heard of one exchange, and what was not.
type hearing struct {
	Heard time.Time `json:"heard,omitzero"` // the last sign: an authentic post or notice

	// The history: signs that were counted, and the bids that it took to get them.
	Signs   int64     `json:"signs,omitempty"`
	Bids    int64     `json:"bids,omitempty"`
	Counted time.Time `json:"counted,omitzero"`  // the last counted sign
	Waiting int64     `json:"waiting,omitempty"` // bids since then

	// Bids since the last sign, by age. Only those of which something should have been heard by now
	// are judged: that is Overdue.
	Fresh   int64     `json:"fresh,omitempty"`
	Aging   int64     `json:"aging,omitempty"`
	Overdue int64     `json:"overdue,omitempty"`
	Turned  time.Time `json:"turned,omitzero"` // when the fresh ones began

	Silent   time.Time `json:"silent,omitzero"` // since when bids are withheld; zero while they are not
	Withheld int64     `json:"withheld,omitempty"`
	Probed   time.Time `json:"probed,omitzero"` // when a bid was sent all the same
	Skipped  int64     `json:"skipped,omitempty"`
}

// hearings are by exchange. A map is marshaled in the order of its keys.
type hearings map[string]*hearing

// Hearing is what was heard of an exchange in this run.
type Hearing struct {
	Exchange   string
	Heard      time.Time // the last authentic post or notice; zero where there was none
	Unanswered int64     // bids sent since then
	Silent     time.Time // since when bids are withheld because nothing is heard; zero while they are not
	Withheld   int64     // so many bids since then
}

// Hearings lists the exchanges of the rules in force, in their order. It is not an input.
func (a *Agent) Hearings() []Hearing {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []Hearing
	for _, exchange := range a.inForce.rules.Exchanges() {
		told := Hearing{Exchange: exchange.Name}
		if h := a.hearings[exchange.Name]; h != nil {
			told.Heard, told.Silent, told.Withheld = h.Heard, h.Silent, h.Withheld
			told.Unanswered = h.Fresh + h.Aging + h.Overdue
		}
		list = append(list, told)
	}
	return list
}

// sendLocked counts a bid that is about to go out. Of those to a silent exchange most are withheld:
// their money is free again, and the answer is paused.
func (a *Agent) sendLocked(d *Decision, exchange string) {
	h := a.hearings[exchange]
	if h == nil {
		h = &hearing{}
		a.hearings[exchange] = h
	}
	if h.send(d.At, silentAfter(a.inForce.rules.Exchange(exchange))) {
		return
	}
	a.book.Release(d.At, d.Seq)
	d.Bid, d.Reason, d.Ref = false, pingpost.Paused, budget.BidRef{}
}

// heardLocked takes an authentic post or notice of an exchange.
func (a *Agent) heardLocked(now time.Time, exchange string) {
	if h := a.hearings[exchange]; h != nil {
		h.hear(now, silentAfter(a.inForce.rules.Exchange(exchange)))
	}
}

// silentAfter is how long nothing may be heard of an exchange; 0, for ever, of one that the rules do not name.
func silentAfter(exchange *rules.Exchange) time.Duration {
	if exchange == nil {
		return 0
	}
	return exchange.SilentAfter()
}

// send counts a bid, or withholds it.
func (h *hearing) send(now time.Time, after time.Duration) bool {
	if after == 0 {
		h.Silent, h.Withheld = time.Time{}, 0
		return true
	}
	h.age(now, after/2)
	if h.Silent.IsZero() && h.Overdue > 0 && h.Overdue >= h.bearable() {
		h.Silent, h.Withheld, h.Probed, h.Skipped = now, 0, now, 0
	}
	if !h.Silent.IsZero() {
		if h.Skipped < probeEvery && now.Sub(h.Probed) < after/probesPerSilence {
			h.Withheld++
			h.Skipped++
			return false
		}
		h.Probed, h.Skipped = now, 0
	}
	h.Fresh++
	h.Waiting++
	return true
}

// unsend takes back a bid that was counted and then not sent.
func (h *hearing) unsend() {
	if h.Fresh > 0 {
		h.Fresh--
	}
	if h.Waiting > 0 {
		h.Waiting--
	}
}

// age moves the bids on: after one turn those that were fresh are aging, after another overdue. So
// each overdue bid is at least one turn old, and each that is two turns old is overdue.
func (h *hearing) age(now time.Time, turn time.Duration) {
	for h.Fresh+h.Aging > 0 && now.Sub(h.Turned) >= turn {
		h.Overdue += h.Aging
		h.Aging, h.Fresh = h.Fresh, 0
		h.Turned = h.Turned.Add(turn)
	}
	if h.Fresh+h.Aging == 0 {
		h.Turned = now
	}
}

// bearable is how many overdue bids the history explains. If signs come by chance, one in Bids/Signs
// bids, and nothing is known of that share but this history, then k bids in a row stay without a sign
// with probability (Bids / (Bids + k)) ^ Signs; this is the k that makes it one in a million.
func (h *hearing) bearable() int64 {
	if h.Signs < leastSigns {
		return math.MaxInt64
	}
	factor := math.Pow(10, silenceChance/float64(h.Signs)) - 1
	return int64(math.Ceil(float64(h.Bids) * factor))
}

// hear takes a sign: whatever was overdue is no cause for worry any more.
func (h *hearing) hear(now time.Time, after time.Duration) {
	h.Heard = now
	h.Fresh, h.Aging, h.Overdue = 0, 0, 0
	h.Silent, h.Withheld, h.Skipped = time.Time{}, 0, 0
	if h.Waiting == 0 || now.Sub(h.Counted) < after/signsPerSilence {
		return
	}
	h.Signs++
	h.Bids += h.Waiting
	h.Waiting, h.Counted = 0, now
	if h.Signs == historySigns {
		h.Signs, h.Bids = h.Signs/2, h.Bids/2
	}
}

// doubt lets the history count for little: other rules win another share of their bids.
func (h *hearing) doubt() {
	if h.Signs > leastSigns {
		h.Bids = h.Bids * leastSigns / h.Signs
		h.Signs = leastSigns
	}
}

// followRulesLocked drops what is known of exchanges that a change of the rules took away.
func (a *Agent) followRulesLocked() {
	for name, h := range a.hearings {
		if a.inForce.rules.Exchange(name) == nil {
			delete(a.hearings, name)
			continue
		}
		h.doubt()
	}
}

func (h hearings) clone() hearings {
	if len(h) == 0 {
		return nil
	}
	copied := make(hearings, len(h))
	for name, one := range h {
		same := *one
		copied[name] = &same
	}
	return copied
}
