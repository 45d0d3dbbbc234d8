package pinger

import (
	"sync"
	"time"

	"leadbid/exchange"
)

// A buyer rests after so many pings in a row without a proper answer. The first rest is short
// (a restart), each further one twice as long.
const (
	failuresToRest = 5
	firstRest      = time.Second
	longestRest    = 30 * time.Second
)

// health is what is remembered of a buyer's last pings. The zero value is a healthy buyer.
type health struct {
	mu       sync.Mutex
	failures int
	rests    int64
	rest     time.Duration // the length of the rest under way, or of the last
	until    time.Time     // asked again after this
	probing  bool          // one ping is out to see whether the buyer is back
	last     string
}

// mayTry reports whether the buyer is to be asked. After a rest one ping goes out as a probe, and
// the others wait for what becomes of it.
func (h *health) mayTry(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.failures < failuresToRest:
		return true
	case h.probing || now.Before(h.until):
		return false
	}
	h.probing = true
	return true
}

// release takes a try back that was not made.
func (h *health) release() {
	h.mu.Lock()
	h.probing = false
	h.mu.Unlock()
}

// note remembers how a ping ended.
func (h *health) note(now time.Time, status exchange.AnswerStatus, detail string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.probing = false
	if status == exchange.AnswerBid || status == exchange.AnswerNoBid {
		h.failures, h.rest = 0, 0
		return
	}
	h.last = detail
	if status == exchange.AnswerTimedOut {
		h.last = "no answer in time"
	}
	// Pings that were out already when the rest began do not lengthen it.
	if h.failures++; h.failures < failuresToRest || now.Before(h.until) {
		return
	}
	h.rest = min(max(h.rest*2, firstRest), longestRest)
	h.until = now.Add(h.rest)
	h.rests++
}

func (h *health) read(now time.Time, buyer string, inFlight int) Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	health := Health{Buyer: buyer, Failures: h.failures, InFlight: inFlight, Last: h.last, Rests: h.rests}
	if h.failures >= failuresToRest {
		health.Resting = max(h.until.Sub(now), 0)
	}
	return health
}
