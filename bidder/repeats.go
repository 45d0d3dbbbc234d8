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
//
// Every ping adds an answer and ends an older one, so the queue is made of stretches of values that
// are used again, and the indexes hold places in it and no pointers. It grows by a stretch at a time:
// to move a long queue while every ping waits for the Agent would cost tenths of a second.
type repeats struct {
	stretches []*stretch // from the one that holds first on
	spare     []*stretch // used before, and to be used again
	first     uint64     // the place of the oldest; places count on and on
	next      uint64     // the place after the newest

	byPing    places
	byConsent places // only open bids
}

// maxRepeats bounds the memory of answers to about 50 MB; the oldest are forgotten first.
const maxRepeats = 1 << 17

type stretch [256]answered

const stretchLength = uint64(len(stretch{}))

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

func (r *repeats) at(place uint64) *answered {
	return &r.stretches[place/stretchLength-r.first/stretchLength][place%stretchLength]
}

// find gives the answer to the same ping id, where it is still remembered. It stays good until the
// next change.
func (r *repeats) find(key uint64, now time.Time) (*answered, bool) {
	place, known := r.byPing.find(key)
	if !known {
		return nil, false
	}
	before := r.at(place)
	return before, before.Until.After(now)
}

// offered tells whether a bid on the same request stands.
func (r *repeats) offered(consent uint64, now time.Time) bool {
	if consent == 0 {
		return false
	}
	place, known := r.byConsent.find(consent)
	return known && r.at(place).Until.After(now)
}

func (r *repeats) remember(key, consent uint64, p *pingpost.Ping, d *Decision, until time.Time) {
	if !until.After(d.At) {
		return
	}
	if r.next-r.first >= maxRepeats {
		r.dropFirst()
	}
	entry := answered{Ping: key, Digest: p.Digest, Until: until, Decision: *d}
	if d.Bid {
		entry.Consent = consent
	}
	r.push(entry)
}

// push adds an answer behind all others.
func (r *repeats) push(entry answered) {
	if r.next/stretchLength-r.first/stretchLength == uint64(len(r.stretches)) {
		r.stretches = append(r.stretches, r.blank())
	}
	place := r.next
	r.next++
	*r.at(place) = entry
	if entry.Forgotten {
		return
	}
	r.byPing.set(entry.Ping, place)
	if entry.Consent != 0 {
		r.byConsent.set(entry.Consent, place)
	}
}

// blank gives a stretch to fill.
func (r *repeats) blank() *stretch {
	last := len(r.spare) - 1
	if last < 0 {
		return new(stretch)
	}
	blank := r.spare[last]
	r.spare = r.spare[:last]
	return blank
}

// forget removes the answer of a cancelled bid: the same ping is then decided anew. It is false
// where the bid was an answer to a repeat as well, and so may have been sent after all. Answers
// stand in the order of their numbers.
func (r *repeats) forget(seq uint64) bool {
	low, high := r.first, r.next
	for low < high {
		middle := low + (high-low)/2
		if r.at(middle).Decision.Seq < seq {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == r.next || r.at(low).Decision.Seq != seq || !r.at(low).Decision.Bid {
		return true
	}
	if r.at(low).Repeated {
		return false
	}
	r.unindex(low)
	r.at(low).Forgotten = true
	return true
}

// expire forgets answers whose time is over. The queue is in order of asking, and times differ by
// exchange, so an entry may stay a little longer than its time behind one of another exchange;
// find and offered look at the time themselves.
func (r *repeats) expire(now time.Time) {
	for r.first < r.next && !r.at(r.first).Until.After(now) {
		r.dropFirst()
	}
}

func (r *repeats) dropFirst() {
	r.unindex(r.first)
	r.at(r.first).Decision = Decision{} // its names must not keep a former rule set alive
	r.first++
	if r.first%stretchLength == 0 {
		r.spare = append(r.spare, r.stretches[0])
		r.stretches = append(r.stretches[:0], r.stretches[1:]...)
	}
}

func (r *repeats) unindex(place uint64) {
	entry := r.at(place)
	if entry.Forgotten {
		return
	}
	r.byPing.remove(entry.Ping, place)
	if entry.Consent != 0 {
		r.byConsent.remove(entry.Consent, place)
	}
}

// all copies the answers, oldest first.
func (r *repeats) all() []answered {
	var entries []answered
	for place := r.first; place < r.next; place++ {
		entries = append(entries, *r.at(place))
	}
	return entries
}

// repeat answers the same ping again: the same bid while it stands, or why it is not the same.
func (e *answered) repeat(stamp Stamp, p *pingpost.Ping, generation uint32) Decision {
	if e.Digest != p.Digest {
		return Decision{Stamp: stamp, Reason: pingpost.PingChanged, Generation: generation}
	}
	e.Repeated = true
	again := e.Decision
	again.Stamp, again.Repeat = stamp, true
	return again
}

func (r *repeats) check() error {
	live := 0
	for place := r.first; place < r.next; place++ {
		entry := r.at(place)
		if known, ok := r.byPing.find(entry.Ping); ok && known == place && !entry.Forgotten {
			live++
		}
	}
	if live != r.byPing.len() {
		return fmt.Errorf("bidder: %d remembered answers, %d in the index", live, r.byPing.len())
	}
	return nil
}

// places is a map from hashes to places in the queue. A hash is as good as random, so that its low
// digits say where it belongs: the next free slot from there (linear probing), half of the slots at
// most being taken. Slots lie side by side, so that a question mostly costs one look at memory.
type places struct {
	slots []slot
	used  int
}

// slot is taken where place is above 0; it holds the place plus one.
type slot struct{ hash, place uint64 }

func (m *places) len() int { return m.used }

func (m *places) home(hash uint64) uint64 { return hash & uint64(len(m.slots)-1) }

// seek gives the slot of a hash, or the free one where it would go.
func (m *places) seek(hash uint64) uint64 {
	i := m.home(hash)
	for m.slots[i].place != 0 && m.slots[i].hash != hash {
		i = (i + 1) & uint64(len(m.slots)-1)
	}
	return i
}

func (m *places) find(hash uint64) (place uint64, known bool) {
	if len(m.slots) == 0 {
		return 0, false
	}
	found := m.slots[m.seek(hash)]
	return found.place - 1, found.place != 0
}

// larger is the next size of a table. Past a few thousand it is the last one at once: moving a large
// table takes long, and one without pointers that is not used yet costs nothing.
func larger(size int) int {
	if size >= 4096 && size < 2*maxRepeats {
		return 2 * maxRepeats
	}
	return max(2*size, 128)
}

// set makes place the one of the hash, in the stead of a former one.
func (m *places) set(hash, place uint64) {
	if 2*(m.used+1) > len(m.slots) {
		former := m.slots
		m.slots = make([]slot, larger(len(former)))
		for _, s := range former {
			if s.place != 0 {
				m.slots[m.seek(s.hash)] = s
			}
		}
	}
	i := m.seek(hash)
	if m.slots[i].place == 0 {
		m.used++
	}
	m.slots[i] = slot{hash, place + 1}
}

// remove forgets the hash where it still has that place. The slots behind it move up, so that none
// is cut off from its home.
func (m *places) remove(hash, place uint64) {
	if len(m.slots) == 0 {
		return
	}
	gap := m.seek(hash)
	if m.slots[gap].place != place+1 {
		return
	}
	m.used--
	mask := uint64(len(m.slots) - 1)
	for i := (gap + 1) & mask; m.slots[i].place != 0; i = (i + 1) & mask {
		// An entry may move up where its home is not behind the gap on the way to it.
		if (i-m.home(m.slots[i].hash))&mask >= (i-gap)&mask {
			m.slots[gap], gap = m.slots[i], i
		}
	}
	m.slots[gap] = slot{}
}
