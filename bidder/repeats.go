package bidder

import (
	"fmt"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"leadbid/budget"
	"leadbid/pingpost"
)

// repeats remembers recent answers, so that a ping asked again gets the same bid and no second
// hold. It is a queue in the order of asking with an index by ping id and by consent token. Keys
// are 64-bit hashes: two pings that share one by accident end in a no-bid, never in a wrong bid,
// because the digest is compared as well.
//
// Every ping adds an answer and ends an older one, and no two of them come near each other in
// memory: what a bid costs here is how often it has to wait for memory. So an answer is 104 bytes
// without pointers, the queue is made of stretches of them that are used again, and an index needs
// one look at memory for each question, and none to forget. The queue grows by a stretch at a time:
// to move a long one while every ping waits for the Agent would cost tenths of a second.
type repeats struct {
	stretches []*stretch // from the one that holds first on
	spare     []*stretch // used before, and to be used again
	first     uint64     // the place of the oldest; places count on and on
	next      uint64     // the place after the newest

	indexes [numKeys]places
	names   names
	sources names // of the pings that were bid on: at most maxSources
}

// maxSources bounds the sources that are told apart. Pings name them, so nobody else bounds them.
const maxSources = 1 << 12

// maxRepeats bounds the memory of answers to about 16 MB; the oldest are forgotten first.
const maxRepeats = 1 << 17

type stretch [256]kept

const stretchLength = uint64(len(stretch{}))

// The keys that an answer is found by.
const (
	byPing    = iota
	byConsent // only open bids
	numKeys
)

// kept is an answer as it is remembered.
type kept struct {
	keys   [numKeys]uint64 // a consent of 0 is none
	digest uint64
	until  int64 // nanoseconds since 1970; of a bid this is its expiry

	seq               uint64
	at                int64 // nanoseconds since 1970
	price, wouldPrice pingpost.Cents
	lease             budget.LeaseID // of a bid, as are the terms
	terms             uint64

	campaign, rule, arm, would uint32 // in names
	source                     uint32 // of a bid, in sources; no decision depends on it, and no snapshot tells it
	generation                 uint32

	reason    pingpost.Reason
	bid, test bool
	forgotten bool
	repeated  bool // the bid was given as an answer more than once
}

// answered is an answer as a snapshot tells of it.
type answered struct {
	Ping      uint64    `json:"ping"`
	Consent   uint64    `json:"consent,omitempty"`
	Digest    uint64    `json:"digest"`
	Until     time.Time `json:"until"`
	Forgotten bool      `json:"forgotten,omitempty"`
	Repeated  bool      `json:"repeated,omitempty"`
	Decision  Decision  `json:"decision"`
}

// names numbers the names of campaigns, rules and arms, so that an answer needs no pointers. It keeps
// copies, and all that there were since the start: they are as few as the contractor's rules.
type names struct {
	numbers map[string]uint32
	list    []string // by number; the empty name is 0
}

func (n *names) number(name string) uint32 {
	if name == "" {
		return 0
	}
	if number, known := n.numbers[name]; known {
		return number
	}
	if n.numbers == nil {
		n.numbers, n.list = map[string]uint32{}, []string{""}
	}
	number := uint32(len(n.list))
	name = strings.Clone(name) // or it would keep the text of former rules alive
	n.numbers[name], n.list = number, append(n.list, name)
	return number
}

func (n *names) name(number uint32) string {
	if number == 0 {
		return ""
	}
	return n.list[number]
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

// hashPair adds two hashes, one of them spread: each is as good as random.
func hashPair(first, second string) uint64 {
	const spread = 0x9e3779b97f4a7c15
	return xxhash.Sum64String(first)*spread + xxhash.Sum64String(second)
}

func (r *repeats) at(place uint64) *kept {
	return &r.stretches[place/stretchLength-r.first/stretchLength][place%stretchLength]
}

func (r *repeats) length() uint64 { return r.next - r.first }

// find gives the answer to the same ping id, where it is still remembered. It stays good until the
// next change.
func (r *repeats) find(key uint64, now time.Time) (*kept, bool) {
	place, known := r.indexes[byPing].find(r, byPing, key)
	if !known {
		return nil, false
	}
	before := r.at(place)
	return before, before.until > now.UnixNano()
}

// offered tells whether a bid on the same request stands.
func (r *repeats) offered(consent uint64, now time.Time) bool {
	if consent == 0 {
		return false
	}
	place, known := r.indexes[byConsent].find(r, byConsent, consent)
	return known && r.at(place).bid && r.at(place).until > now.UnixNano()
}

// remember keeps an answer until an instant, which of a bid is its expiry.
func (r *repeats) remember(key, consent, digest uint64, d *Decision, until time.Time) {
	if !until.After(d.At) {
		return
	}
	if r.length() >= maxRepeats {
		r.dropFirst()
	}
	entry := r.push()
	r.fill(entry, digest, d, until)
	entry.keys[byPing] = key
	if d.Bid {
		entry.keys[byConsent] = consent
	}
	r.index(r.next - 1)
}

// push makes room for an answer behind all others; it is blank.
func (r *repeats) push() *kept {
	if r.next/stretchLength-r.first/stretchLength == uint64(len(r.stretches)) {
		r.stretches = append(r.stretches, r.blank())
	}
	r.next++
	entry := r.at(r.next - 1)
	*entry = kept{}
	return entry
}

func (r *repeats) fill(entry *kept, digest uint64, d *Decision, until time.Time) {
	entry.digest, entry.until = digest, until.UnixNano()
	entry.seq, entry.at = d.Seq, d.At.UnixNano()
	entry.price, entry.wouldPrice = d.Price, d.Would.Price
	entry.lease, entry.terms = d.Ref.Lease, d.Ref.Terms
	entry.campaign, entry.rule = r.names.number(d.Campaign), r.names.number(d.Rule)
	entry.arm, entry.would = r.names.number(d.Arm), r.names.number(d.Would.Campaign)
	entry.generation = d.Generation
	entry.reason, entry.bid, entry.test = d.Reason, d.Bid, d.Test
}

// decision is the answer as it was given.
func (r *repeats) decision(e *kept, run uint32) Decision {
	d := Decision{
		Stamp: Stamp{e.seq, time.Unix(0, e.at).UTC()}, Bid: e.bid, Reason: e.reason,
		Campaign: r.names.name(e.campaign), Rule: r.names.name(e.rule), Arm: r.names.name(e.arm),
		Price: e.price, Test: e.test, Generation: e.generation,
		Would: Would{r.names.name(e.would), e.wouldPrice},
	}
	if e.bid {
		expires := time.Unix(0, e.until).UTC()
		d.Ref = budget.BidRef{
			Lease: e.lease, Campaign: budget.CampaignTag(d.Campaign), Price: e.price,
			Expires: expires, Stands: expires.Sub(wholeMillisecond(d.At)), Run: run, Seq: e.seq, Terms: e.terms,
		}
	}
	return d
}

// index makes an answer the one that its keys find.
func (r *repeats) index(place uint64) {
	entry := r.at(place)
	if entry.forgotten {
		return
	}
	for kind, key := range entry.keys {
		switch index := &r.indexes[kind]; {
		case index.tight(r):
			index.grow(r, kind)
		case kind == byPing || key != 0:
			index.set(r, kind, key, place)
		}
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
	entry := r.bidOf(seq)
	switch {
	case entry == nil:
		return true
	case entry.repeated:
		return false
	}
	entry.forgotten = true
	return true
}

// withdraw makes the answer to a ping whose bid was withdrawn a refusal: no post of that ping is taken
// any more, so that the same bid again would promise what is over. The homeowner's request is free
// for another ping.
func (r *repeats) withdraw(seq uint64) {
	if entry := r.bidOf(seq); entry != nil {
		entry.bid, entry.reason = false, pingpost.Voided
	}
}

// noteSource keeps where the newest answer's ping came from: its lead is learned from by that.
func (r *repeats) noteSource(source string) {
	if _, known := r.sources.numbers[source]; known || len(r.sources.list) < maxSources {
		r.at(r.next - 1).source = r.sources.number(source)
	}
}

// sourceOf is where the ping of a bid came from, as long as its answer is remembered.
func (r *repeats) sourceOf(seq uint64) string {
	if entry := r.bidOf(seq); entry != nil {
		return r.sources.name(entry.source)
	}
	return ""
}

// bidOf finds the remembered bid of an input; nil where there is none.
func (r *repeats) bidOf(seq uint64) *kept {
	low, high := r.first, r.next
	for low < high {
		middle := low + (high-low)/2
		if r.at(middle).seq < seq {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == r.next || r.at(low).seq != seq || !r.at(low).bid {
		return nil
	}
	return r.at(low)
}

// expire forgets answers whose time is over. The queue is in order of asking, and times differ by
// exchange, so an entry may stay a little longer than its time behind one of another exchange;
// find and offered look at the time themselves.
func (r *repeats) expire(now time.Time) {
	for at := now.UnixNano(); r.first < r.next && r.at(r.first).until <= at; {
		r.dropFirst()
	}
}

func (r *repeats) dropFirst() {
	r.first++
	if r.first%stretchLength == 0 {
		r.spare = append(r.spare, r.stretches[0])
		r.stretches = append(r.stretches[:0], r.stretches[1:]...)
	}
}

// all tells of the answers, oldest first.
func (r *repeats) all(run uint32) []answered {
	var entries []answered
	for place := r.first; place < r.next; place++ {
		e := r.at(place)
		entries = append(entries, answered{
			Ping: e.keys[byPing], Consent: e.keys[byConsent], Digest: e.digest,
			Until: time.Unix(0, e.until).UTC(), Forgotten: e.forgotten, Repeated: e.repeated, Decision: r.decision(e, run),
		})
	}
	return entries
}

// restore takes over what all told.
func (r *repeats) restore(entries []answered) {
	for i := range entries {
		told := &entries[i]
		entry := r.push()
		r.fill(entry, told.Digest, &told.Decision, told.Until)
		entry.keys = [numKeys]uint64{told.Ping, told.Consent}
		entry.forgotten, entry.repeated = told.Forgotten, told.Repeated
		r.index(r.next - 1)
	}
}

// repeat answers the same ping again: the same bid while it stands, or why it is not the same.
func (r *repeats) repeat(e *kept, stamp Stamp, digest uint64, run, generation uint32) Decision {
	if e.digest != digest {
		return Decision{Stamp: stamp, Reason: pingpost.PingChanged, Generation: generation}
	}
	e.repeated = true
	again := r.decision(e, run)
	again.Stamp, again.Repeat = stamp, true
	return again
}

// check makes sure that the newest answer of every key can be found.
func (r *repeats) check() error {
	var seen [numKeys]map[uint64]bool
	for kind := range seen {
		seen[kind] = map[uint64]bool{}
	}
	for place := r.next; place > r.first; place-- {
		entry := r.at(place - 1)
		for kind, key := range entry.keys {
			if seen[kind][key] || kind != byPing && key == 0 {
				continue
			}
			seen[kind][key] = true
			if found, ok := r.indexes[kind].find(r, kind, key); !entry.forgotten && (!ok || found != place-1) {
				return fmt.Errorf("bidder: the answer of input %d is remembered and cannot be found", entry.seq)
			}
		}
	}
	return nil
}
