package budget

import (
	"slices"
	"time"
)

// SigningKey is one key that bid ids are signed with, as the store keeps it.
type SigningKey struct {
	ID        uint32 // from 1, never used twice
	Secret    [32]byte
	MadeAt    time.Time
	SignsFrom time.Time // not before every replica had time to learn of it
	Revoked   bool      // it leaked: what it signed is no longer paid
}

// String leaves the secret out.
func (k SigningKey) String() string { return "signing key [redacted]" }

// keyOutlives is how long after its successor began to sign a key is still honoured: the longest
// bid_ttl, and a day for clocks that disagree and replicas that had not heard of the successor. A
// bid that it signs to expire later than that was not made while it signed.
const keyOutlives = 48 * time.Hour

// Keyring is every key of the store, and which one of them signs. It is immutable and safe to share.
type Keyring struct {
	keys    []SigningKey // by ID
	macs    []cmac       // of each key: what makes its signatures
	signer  int          // its place in keys
	honours []time.Time  // of each key: its bids expire before this; zero: no end is known
}

// NewKeyring makes the ring of the store's keys as they are to be used at an instant of the store's
// time. There must be a key that is not revoked.
func NewKeyring(keys []SigningKey, now time.Time) *Keyring {
	ring := &Keyring{keys: slices.Clone(keys), signer: -1, honours: make([]time.Time, len(keys))}
	slices.SortFunc(ring.keys, func(a, b SigningKey) int { return int(int64(a.ID) - int64(b.ID)) })
	for i := range ring.keys {
		ring.macs = append(ring.macs, newCMAC(&ring.keys[i].Secret))
	}
	var successor time.Time // when the next key that counts begins to sign
	for i, key := range slices.Backward(ring.keys) {
		if !successor.IsZero() {
			ring.honours[i] = successor.Add(keyOutlives)
		}
		if key.Revoked {
			continue
		}
		successor = key.SignsFrom
		// The newest whose time has come; before that of any, the first that there is.
		if ring.signer < 0 || ring.keys[ring.signer].SignsFrom.After(now) {
			ring.signer = i
		}
	}
	return ring
}

// Signer is the key that signs.
func (k *Keyring) Signer() SigningKey { return k.keys[k.signer] }

// Newest is the key that was made last. It may not sign yet.
func (k *Keyring) Newest() SigningKey { return k.keys[len(k.keys)-1] }

// Keys lists all keys, oldest first.
func (k *Keyring) Keys() []SigningKey { return slices.Clone(k.keys) }

// HonouredUntil is when the last bid that the key at that place of Keys may have signed expires;
// zero where no other key follows it.
func (k *Keyring) HonouredUntil(place int) time.Time { return k.honours[place] }

// find gives the place of a key. Few keys are newer than the one that is looked for.
func (k *Keyring) find(id uint32) (place int, known bool) {
	for place = len(k.keys) - 1; place >= 0; place-- {
		if k.keys[place].ID == id {
			return place, true
		}
	}
	return 0, false
}

// Seal is what the signature of a bid id says.
type Seal uint8

const (
	// SealBroken is an id that no key of the ring has signed for this exchange and ping.
	SealBroken Seal = iota

	// SealNewer names a key that is newer than the ring: the store may know it.
	SealNewer

	// SealFormer was signed by one of our keys, which no longer honours it: the key was revoked, or
	// the bid is of a time when it did not sign. Such a bid is not paid; what the books know of it
	// already stays true.
	SealFormer

	// SealGood is our own signature.
	SealGood
)
