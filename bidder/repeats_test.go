package bidder

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

// TestPlacesAreAMap holds the map of places against Go's own. The hashes crowd around few homes,
// the last one included, so that runs of slots are long and go round the end.
func TestPlacesAreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m places
		twin := map[uint64]uint64{}
		hashes := rapid.Custom(func(t *rapid.T) uint64 {
			return rapid.Uint64Range(0, 7).Draw(t, "high")<<32 | rapid.SampledFrom([]uint64{0, 1, 5, 126, 127}).Draw(t, "low")
		})
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				hash, place := hashes.Draw(t, "hash"), rapid.Uint64Range(0, 9).Draw(t, "place")
				m.set(hash, place)
				twin[hash] = place
			},
			"remove": func(t *rapid.T) {
				hash, place := hashes.Draw(t, "hash"), rapid.Uint64Range(0, 9).Draw(t, "place")
				m.remove(hash, place)
				if known, ok := twin[hash]; ok && known == place {
					delete(twin, hash)
				}
			},
			"": func(t *rapid.T) {
				if m.len() != len(twin) {
					t.Fatalf("%d entries, want %d", m.len(), len(twin))
				}
				for hash, want := range twin {
					if place, ok := m.find(hash); !ok || place != want {
						t.Fatalf("%x is at %d (%v), want %d", hash, place, ok, want)
					}
				}
				asked := hashes.Draw(t, "asked")
				_, ok := m.find(asked)
				if _, want := twin[asked]; ok != want {
					t.Fatalf("%x is there: %v, want %v", asked, ok, want)
				}
			},
		})
	})
}

// TestRepeatsRememberSoMany fills the memory beyond its bound: the oldest go, the others stay.
func TestRepeatsRememberSoMany(t *testing.T) {
	var r repeats
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	const more, spread = uint64(1000), uint64(0x9e3779b97f4a7c15) // spread makes hashes of numbers
	for i := range maxRepeats + more {
		d := Decision{Stamp: Stamp{Seq: 2 * i, At: now}, Bid: i%2 == 0}
		r.remember(i*spread, 0, &pingpost.Ping{Digest: i}, &d, now.Add(time.Minute))
	}
	if most := int(maxRepeats/stretchLength) + 1; len(r.stretches) > most || len(r.spare) > 1 || len(r.all()) != maxRepeats {
		t.Errorf("%d answers in %d stretches (%d spare), want %d answers in %d", len(r.all()), len(r.stretches), len(r.spare), maxRepeats, most)
	}
	for _, i := range []uint64{0, more - 1, more, maxRepeats + more - 1} {
		before, known := r.find(i*spread, now)
		if known != (i >= more) || known && before.Digest != i {
			t.Errorf("answer %d: %v %+v", i, known, before)
		}
	}
	first := more // the oldest that is left
	if !r.forget(2 * first) {
		t.Error("a bid that was not repeated cannot be forgotten")
	}
	if _, known := r.find(first*spread, now); known {
		t.Error("a forgotten bid is still found")
	}
	if err := r.check(); err != nil {
		t.Error(err)
	}
	r.expire(now.Add(time.Minute))
	if r.byPing.len() != 0 || len(r.all()) != 0 {
		t.Errorf("%d answers are left after their time", r.byPing.len())
	}
}
