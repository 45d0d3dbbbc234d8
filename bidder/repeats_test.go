package bidder

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRepeatsAreAQueue holds the memory of answers against a plain list. The keys crowd around few
// buckets, the last one included, so that many are sent on from bucket to bucket and round the end.
func TestRepeatsAreAQueue(t *testing.T) {
	type remembered struct {
		key, consent, digest, seq uint64
		until                     time.Time
		bid, forgotten            bool
	}
	rapid.Check(t, func(t *rapid.T) {
		var r repeats
		var twin []remembered
		var seq uint64
		now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
		keys := rapid.Custom(func(t *rapid.T) uint64 {
			return rapid.Uint64Range(1, 60).Draw(t, "high")<<52 | rapid.SampledFrom([]uint64{0, 1, 5, 14, 15}).Draw(t, "low")
		})
		newest := func(of func(remembered) uint64, key uint64) (found remembered, ok bool) {
			for _, one := range twin {
				if of(one) == key && !one.forgotten {
					found, ok = one, true
				}
			}
			return found, ok && found.until.After(now)
		}
		byKey := func(one remembered) uint64 { return one.key }
		byToken := func(one remembered) uint64 {
			if !one.bid {
				return 0
			}
			return one.consent
		}
		t.Repeat(map[string]func(*rapid.T){
			"remember": func(t *rapid.T) {
				for range rapid.IntRange(1, 40).Draw(t, "times") {
					seq++
					one := remembered{
						key: keys.Draw(t, "key"), consent: keys.Draw(t, "consent"), digest: seq, seq: seq, bid: rapid.Bool().Draw(t, "bid"),
						until: now.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second),
					}
					if _, known := newest(byKey, one.key); known {
						continue // as the Agent does: what is remembered is repeated
					}
					if _, offered := newest(byToken, one.consent); offered {
						one.bid = false
					}
					d := Decision{Stamp: Stamp{Seq: seq, At: now}, Bid: one.bid}
					r.remember(one.key, one.consent, one.digest, &d, one.until)
					twin = append(twin, one)
				}
			},
			"forget": func(t *rapid.T) {
				unwanted := rapid.Uint64Range(0, seq).Draw(t, "seq")
				r.forget(unwanted)
				for i := range twin {
					twin[i].forgotten = twin[i].forgotten || twin[i].bid && twin[i].seq == unwanted
				}
			},
			"expire": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
				r.expire(now)
				for len(twin) > 0 && !twin[0].until.After(now) {
					twin = twin[1:]
				}
			},
			"restore": func(*rapid.T) {
				told := r.all(1)
				r = repeats{}
				r.restore(told)
			},
			"": func(t *rapid.T) {
				if err := r.check(); err != nil || r.length() != uint64(len(twin)) {
					t.Fatalf("%d answers, want %d; %v", r.length(), len(twin), err)
				}
				asked := []uint64{keys.Draw(t, "asked")}
				for _, one := range twin {
					asked = append(asked, one.key, one.consent)
				}
				for _, key := range asked {
					before, known := r.find(key, now)
					want, wanted := newest(byKey, key)
					if known != wanted || known && before.digest != want.digest {
						t.Fatalf("key %x: %v, want %v %+v", key, known, wanted, want)
					}
					if _, wanted := newest(byToken, key); r.offered(key, now) != wanted {
						t.Fatalf("consent %x is offered: %v, want %v", key, !wanted, wanted)
					}
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
		r.remember(i*spread, 0, i, &d, now.Add(time.Minute))
	}
	if most := int(maxRepeats/stretchLength) + 1; len(r.stretches) > most || len(r.spare) > 1 || r.length() != maxRepeats {
		t.Errorf("%d answers in %d stretches (%d spare), want %d answers in %d", r.length(), len(r.stretches), len(r.spare), maxRepeats, most)
	}
	for _, i := range []uint64{0, more - 1, more, maxRepeats + more - 1} {
		before, known := r.find(i*spread, now)
		if known != (i >= more) || known && before.digest != i {
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
	last := maxRepeats + more - 1
	if _, known := r.find(last*spread, now); known || r.length() != 0 {
		t.Errorf("%d answers are left after their time", r.length())
	}
}
