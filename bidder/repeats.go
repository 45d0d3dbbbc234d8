package bidder

import (
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"leadbid/pingpost"
)

// repeats remembers recent answers, so that a ping asked again gets the same bid and no second
// hold. It is a queue in the order of asking with an index by ping id and by consent token. Keys
// are 64-bit hashes: two pings that share one by accident end in a no-bid, never in a wrong bid,
// because the digest is compared as well.
type repeats struct {
	byPing    map[uint64]*answered
	byConsent map[uint64]*answered // only open bids
	queue     []*answered          // oldest first; forgotten ones stay until their time
	bySeq     map[uint64]*answered // only bids: the ones that can be cancelled
}

// maxRepeats bounds the memory of answers to about 30 MB; the oldest are forgotten first.
const maxRepeats = 1 << 17

type answered struct {
	Ping      uint64    `json:"ping"`
	Consent   uint64    `json:"consent,omitempty"`
	Digest    uint64    `json:"digest"`
	Until     time.Time `json:"until"`
	Forgotten bool      `json:"forgotten,omitempty"`
	Repeated  bool      `json:"repeated,omitempty"` // the bid was given as an answer more than once
	Decision  Decision  `json:"decision"`
}

// keyOf names a ping: the exchange and its id.
func keyOf(p *pingpost.Ping) uint64 { return hashPair(p.Exchange, p.ID) }

// consentKeyOf names the homeowner's one request by its consent token, where the ping carries
// one; 0 where not. The same request under a new id is a probe for our prices, or a seller who
// offers it twice: either way it gets no second bid while the first one stands.
func consentKeyOf(p *pingpost.Ping) uint64 {
	switch {
	case p.Test:
		return 0
	case p.Consent.TrustedFormURL != "":
		return hashPair(p.Exchange, p.Consent.TrustedFormURL)
	case p.Consent.LeadID != "":
		return hashPair(p.Exchange, p.Consent.LeadID)
	}
	return 0
}

func hashPair(first, second string) uint64 {
	var hash xxhash.Digest
	hash.Reset()
	_, _ = hash.WriteString(first)
	_, _ = hash.Write([]byte{0})
	_, _ = hash.WriteString(second)
	return hash.Sum64()
}

// find gives the answer to the same ping id, where it is still remembered.
func (r *repeats) find(key uint64, now time.Time) (*answered, bool) {
	before, known := r.byPing[key]
	return before, known && before.Until.After(now)
}

// offered tells whether a bid on the same request stands.
func (r *repeats) offered(consent uint64, now time.Time) bool {
	before := r.byConsent[consent]
	return consent != 0 && before != nil && before.Until.After(now)
}

func (r *repeats) remember(key uint64, p *pingpost.Ping, d Decision, until time.Time) {
	if !until.After(d.At) {
		return
	}
	if len(r.queue) >= maxRepeats {
		r.drop(r.queue[0])
		r.queue = r.queue[1:]
	}
	entry := &answered{Ping: key, Digest: p.Digest, Until: until, Decision: d}
	if d.Bid {
		entry.Consent = consentKeyOf(p)
	}
	r.queue = append(r.queue, entry)
	r.index(entry)
}

func (r *repeats) index(entry *answered) {
	if r.byPing == nil {
		r.byPing, r.byConsent = map[uint64]*answered{}, map[uint64]*answered{}
		r.bySeq = map[uint64]*answered{}
	}
	if entry.Forgotten {
		return
	}
	r.byPing[entry.Ping] = entry
	if entry.Decision.Bid {
		r.bySeq[entry.Decision.Seq] = entry
	}
	if entry.Consent != 0 {
		r.byConsent[entry.Consent] = entry
	}
}

// forget removes the answer of a cancelled bid: the same ping is then decided anew. It is false
// where the bid was an answer to a repeat as well, and so may have been sent after all.
func (r *repeats) forget(seq uint64) bool {
	entry, known := r.bySeq[seq]
	if known && entry.Repeated {
		return false
	}
	if known {
		r.drop(entry)
		entry.Forgotten = true
	}
	return true
}

// expire forgets answers whose time is over. The queue is in order of asking, and times differ by
// exchange, so an entry may stay a little longer than its time behind one of another exchange;
// find and offered look at the time themselves.
func (r *repeats) expire(now time.Time) {
	for len(r.queue) > 0 && !r.queue[0].Until.After(now) {
		r.drop(r.queue[0])
		r.queue[0] = nil
		r.queue = r.queue[1:]
	}
}

func (r *repeats) drop(entry *answered) {
	if entry.Forgotten {
		return
	}
	if r.byPing[entry.Ping] == entry {
		delete(r.byPing, entry.Ping)
	}
	if entry.Consent != 0 && r.byConsent[entry.Consent] == entry {
		delete(r.byConsent, entry.Consent)
	}
	if entry.Decision.Bid {
		delete(r.bySeq, entry.Decision.Seq)
	}
}

// repeat answers the same ping again: the same bid while it stands, or why it is not the same.
func (e *answered) repeat(stamp Stamp, p *pingpost.Ping) Decision {
	if e.Digest != p.Digest {
		return Decision{Stamp: stamp, Reason: pingpost.PingChanged}
	}
	e.Repeated = true
	again := e.Decision
	again.Stamp, again.Repeat = stamp, true
	return again
}

func (r *repeats) check() error {
	live := 0
	for _, entry := range r.queue {
		if !entry.Forgotten && r.byPing[entry.Ping] == entry {
			live++
		}
	}
	if live != len(r.byPing) {
		return fmt.Errorf("bidder: %d remembered answers, %d in the index", live, len(r.byPing))
	}
	return nil
}
