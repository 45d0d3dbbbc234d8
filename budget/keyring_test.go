package budget

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var monday = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func key(id uint32, signsFrom time.Time, revoked bool) SigningKey {
	return SigningKey{ID: id, Secret: sha256.Sum256([]byte{byte(id), byte(id >> 8)}), MadeAt: signsFrom, SignsFrom: signsFrom, Revoked: revoked}
}

func TestWhoSigns(t *testing.T) {
	later := monday.Add(time.Minute)
	for _, c := range []struct {
		name string
		keys []SigningKey
		now  time.Time
		want uint32
	}{
		{"the only one", []SigningKey{key(1, monday, false)}, monday, 1},
		{"the only one, though the clock is behind", []SigningKey{key(1, monday, false)}, monday.Add(-time.Hour), 1},
		{"the former, until the newer's time", []SigningKey{key(2, later, false), key(1, monday, false)}, later.Add(-1), 1},
		{"the newer from its time on", []SigningKey{key(1, monday, false), key(2, later, false)}, later, 2},
		{"never a revoked one", []SigningKey{key(1, monday, true), key(2, later, false)}, monday, 2},
		{"the newest whose time has come", []SigningKey{key(1, monday, false), key(2, monday, false), key(300, later, false)}, monday, 2},
	} {
		if got := NewKeyring(c.keys, c.now).Signer().ID; got != c.want {
			t.Errorf("%s: key %d signs", c.name, got)
		}
	}
	if text := fmt.Sprintf("%v %+v", key(1, monday, false), key(1, monday, false)); strings.Contains(text, "[75") || !strings.Contains(text, "redacted") {
		t.Errorf("a key prints as %s", text)
	}
}

// TestFormerKeys says what a key is worth that signs no longer: all that it signed in its time, and
// nothing that whoever finds it later signs with it.
func TestFormerKeys(t *testing.T) {
	turned := monday.Add(time.Hour)
	before := NewKeyring([]SigningKey{key(1, monday, false)}, monday)
	after := []SigningKey{key(1, monday, false), key(2, turned, false)}
	seal := func(expires time.Time, keys []SigningKey) Seal {
		id := before.AppendBidID(nil, BidRef{Lease: 1, Expires: expires}, "north", "p")
		_, seal := NewKeyring(keys, turned.Add(90*24*time.Hour)).OpenBidID(string(id), "north", "p")
		return seal
	}
	for _, c := range []struct {
		name    string
		expires time.Time
		keys    []SigningKey
		want    Seal
	}{
		{"a bid of the last second, of the longest bid_ttl", turned.Add(24 * time.Hour), after, SealGood},
		{"a bid of a replica that did not know better for a day", turned.Add(48 * time.Hour), after, SealGood},
		{"a bid that was never made by us", turned.Add(48*time.Hour + 1e6), after, SealFormer},
		{"a bid of a revoked key", monday.Add(time.Minute), []SigningKey{key(1, monday, true), key(2, turned, false)}, SealFormer},
		{"a key that was replaced by one that is revoked by now", turned.Add(time.Minute),
			[]SigningKey{key(1, monday, false), key(2, monday, true), key(3, turned, false)}, SealGood},
	} {
		if got := seal(c.expires, c.keys); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestRotationRefusesNoHonestBid plays replicas that read the store when they will, are cut off from
// it, and whose clocks are wrong by hours, while keys are made again and again. Whatever any of them
// signed and can still be posted opens at every other once that has read the store.
func TestRotationRefusesNoHonestBid(t *testing.T) {
	type replica struct {
		ring *Keyring
		off  time.Duration
	}
	type sent struct {
		id      string
		ref     BidRef
		expires time.Time // by the store's clock
	}
	rapid.Check(t, func(t *rapid.T) {
		now, keys := monday, []SigningKey{key(1, monday, false)}
		replicas := make([]*replica, 3)
		for i := range replicas {
			off := time.Duration(rapid.IntRange(-10, 10).Draw(t, "clock off by hours")) * time.Hour
			replicas[i] = &replica{NewKeyring(keys, now), off}
		}
		var bids []sent
		for seq := range rapid.IntRange(1, 60).Draw(t, "steps") {
			r := rapid.SampledFrom(replicas).Draw(t, "replica")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				now = now.Add(time.Duration(rapid.IntRange(0, 6*3600).Draw(t, "wait")) * time.Second)
				// A replica that is cut off has no leases after a minute, so that it bids no more.
				for _, other := range replicas {
					if rapid.Bool().Draw(t, "reads") {
						other.ring = NewKeyring(keys, now)
					}
				}
			case 1:
				keys = append(slices.Clone(keys), key(uint32(len(keys)+1), now.Add(time.Minute), false))
			case 2:
				r.ring = NewKeyring(keys, now)
			case 3:
				ttl := time.Duration(rapid.IntRange(1, 24*3600).Draw(t, "ttl")) * time.Second
				if newest := r.ring.Newest(); len(keys) > int(newest.ID) && now.Sub(keys[newest.ID].SignsFrom) > 13*time.Hour {
					r.ring = NewKeyring(keys, now) // nobody is cut off for so long and bids
				}
				ref := BidRef{Lease: 1, Seq: uint64(seq), Expires: now.Add(r.off + ttl).Truncate(time.Millisecond)}
				bids = append(bids, sent{string(r.ring.AppendBidID(nil, ref, "north", "p")), ref, now.Add(ttl)})
			default:
				for _, bid := range bids {
					ref, seal := r.ring.OpenBidID(bid.id, "north", "p")
					if seal == SealNewer {
						r.ring = NewKeyring(keys, now)
						ref, seal = r.ring.OpenBidID(bid.id, "north", "p")
					}
					if seal != SealGood || ref != bid.ref {
						t.Fatalf("a bid that expires at %v is %v at %v", bid.expires, seal, now)
					}
				}
			}
		}
	})
}
