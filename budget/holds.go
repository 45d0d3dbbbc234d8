package budget

import "iter"

// holds finds holds by their number: a map that is made for one thing. Each bid adds a hold, looks one
// up and takes one away, and a map of the language takes two fifths of all that a bid costs here for
// that. At least half of the slots are free, so that a search ends after one or two looks.
type holds struct {
	slots []*hold // as many as a power of two, or none; a hold stands in its own or the next free one
	shift int     // of a hashed number, so that a slot is left
	count int
}

const leastHolds = 64 // slots

// home is the slot that a number belongs to: multiplied by the golden ratio, numbers in a row are
// spread evenly (Knuth).
func (t *holds) home(seq uint64) int { return int(seq * 0x9e3779b97f4a7c15 >> t.shift) }

func (t *holds) after(slot int) int { return (slot + 1) & (len(t.slots) - 1) }

// find gives the slot of a number, or the one that it would take.
func (t *holds) find(seq uint64) int {
	slot := t.home(seq)
	for t.slots[slot] != nil && t.slots[slot].seq != seq {
		slot = t.after(slot)
	}
	return slot
}

// of gives the hold of a number; nil where there is none.
func (t *holds) of(seq uint64) *hold {
	if t.count == 0 {
		return nil
	}
	return t.slots[t.find(seq)]
}

func (t *holds) add(h *hold) {
	if 2*(t.count+1) > len(t.slots) {
		t.grow()
	}
	slot := t.find(h.seq)
	if t.slots[slot] == nil {
		t.count++
	}
	t.slots[slot] = h
}

// remove takes a hold away. What stands behind it moves up as far as it may, so that no search stops
// short of it.
func (t *holds) remove(seq uint64) {
	if t.of(seq) == nil {
		return
	}
	gap := t.find(seq)
	for slot := t.after(gap); t.slots[slot] != nil; slot = t.after(slot) {
		if t.distance(t.home(t.slots[slot].seq), slot) >= t.distance(gap, slot) {
			t.slots[gap], gap = t.slots[slot], slot
		}
	}
	t.slots[gap] = nil
	t.count--
}

// distance is how many slots one is behind another.
func (t *holds) distance(from, to int) int { return (to - from) & (len(t.slots) - 1) }

func (t *holds) grow() {
	before := t.slots
	t.slots, t.shift, t.count = make([]*hold, max(leastHolds, 2*len(before))), 64, 0
	for size := len(t.slots); size > 1; size /= 2 {
		t.shift--
	}
	for _, h := range before {
		if h != nil {
			t.add(h)
		}
	}
}

// all gives the holds in no order. None may be added or removed meanwhile.
func (t *holds) all() iter.Seq[*hold] {
	return func(yield func(*hold) bool) {
		for _, h := range t.slots {
			if h != nil && !yield(h) {
				return
			}
		}
	}
}
