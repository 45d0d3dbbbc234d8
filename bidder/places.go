package bidder

// places is a map from the keys of remembered answers to their places in the queue. A key is as good
// as random: its low digits say which bucket it belongs to, and a bucket is what the machine loads
// from memory at one time.
//
// Nothing is ever removed. A slot whose place has left the queue is free, and so is that of an answer
// which was forgotten once its place has left. Where a bucket is full a key goes to the next one that
// has room, and every bucket that it was sent on from notes its place: as long as that place is in
// the queue, a search goes on as well.
type places struct {
	buckets []bucket
}

type bucket struct {
	slots  [14]uint32 // the low digits of a place, and above them some of its key's
	passed uint64     // above the latest place that was sent on; 0 where none was
}

const (
	placeDigits = 20 // of a slot: more than a queue is long, so that an old place is told from a new one
	placeMask   = 1<<placeDigits - 1

	// bucketLoad is how many keys there are for a bucket at most, on average: of random keys about one in
	// a hundred is then sent on.
	bucketLoad = 8
	minBuckets = 16
	maxBuckets = maxRepeats / bucketLoad
)

// tag is what a slot shows of a key. It is never 0, so that a slot of 0 was never used.
func tag(key uint64) uint32 { return uint32(key>>(32+placeDigits))<<placeDigits | 1<<placeDigits }

// placeOf gives the place in the queue that a slot means; ok is false where it has left.
func (r *repeats) placeOf(slot uint32) (place uint64, ok bool) {
	back := (r.next - uint64(slot)) & placeMask
	return r.next - back, back-1 < r.length()
}

// leads tells whether an answer that is in the queue was sent on from the bucket.
func (b *bucket) leads(r *repeats) bool { return b.passed > r.first }

// search finds the slot of a key, so many buckets on from its own.
func (m *places) search(r *repeats, kind int, key uint64) (slot *uint32, on uint64) {
	mask, shown := uint64(len(m.buckets)-1), tag(key)
	for on := range uint64(len(m.buckets)) {
		bucket := &m.buckets[(key+on)&mask]
		for i, slot := range bucket.slots {
			if slot&^placeMask != shown {
				continue
			}
			if place, ok := r.placeOf(slot); ok {
				if entry := r.at(place); entry.keys[kind] == key && !entry.forgotten {
					return &bucket.slots[i], on
				}
			}
		}
		if !bucket.leads(r) {
			break
		}
	}
	return nil, 0
}

func (m *places) find(r *repeats, kind int, key uint64) (place uint64, known bool) {
	slot, _ := m.search(r, kind, key)
	if slot == nil {
		return 0, false
	}
	return r.placeOf(*slot)
}

// set makes place, which is the newest, the one of the key, in the stead of a former one.
func (m *places) set(r *repeats, kind int, key, place uint64) {
	slot, on := m.search(r, kind, key)
	if slot == nil {
		slot, on = m.room(r, key)
	}
	*slot = tag(key) | uint32(place&placeMask)
	for i := range on {
		m.buckets[(key+i)&uint64(len(m.buckets)-1)].passed = place + 1
	}
}

// room finds a free slot for a key, so many buckets on from its own.
func (m *places) room(r *repeats, key uint64) (free *uint32, on uint64) {
	for ; ; on++ {
		bucket := &m.buckets[(key+on)&uint64(len(m.buckets)-1)]
		for i, slot := range bucket.slots {
			if _, taken := r.placeOf(slot); slot == 0 || !taken {
				return &bucket.slots[i], on
			}
		}
	}
}

// tight tells whether there are too many answers for the buckets.
func (m *places) tight(r *repeats) bool {
	return r.length() > bucketLoad*uint64(len(m.buckets)) && len(m.buckets) < maxBuckets
}

// grow makes more buckets. Past a few thousand answers it makes all that there can be: to sort a long
// queue in again takes long, and memory that is not used yet costs nothing.
func (m *places) grow(r *repeats, kind int) {
	size := max(2*len(m.buckets), minBuckets)
	if size > 512 {
		size = maxBuckets
	}
	m.buckets = make([]bucket, size)
	for place := r.first; place < r.next; place++ {
		entry := r.at(place)
		if !entry.forgotten && (kind == byPing || entry.keys[kind] != 0) {
			m.set(r, kind, entry.keys[kind], place)
		}
	}
}
