package webhook

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"
)

// delays are the waits before each attempt. Leads go stale, so a fast part precedes the slow one,
// which is that of other senders of webhooks.
var delays = []time.Duration{
	0, time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute,
	30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
}

// Delays lists the waits before each attempt: 0, 1, 3, 10, 30 s, 2, 10, 30 min, 2, 5, 10, 10 h.
func Delays() []time.Duration { return slices.Clone(delays) }

// NextDelay is the wait after so many failed attempts; ok is false where none follows and the
// message is a dead letter. Spread, from 0 to 1, lengthens the wait by up to a tenth, so that
// what failed together does not come back together; it is clipped to that range.
func NextDelay(failed int, spread float64) (wait time.Duration, ok bool) {
	if failed < 0 || failed >= len(delays) {
		return 0, false
	}
	wait = delays[failed]
	if spread > 0 {
		wait += time.Duration(float64(wait) / 10 * min(spread, 1))
	}
	return wait, true
}

// Spread turns a message's id and the number of its attempt into a number from 0 up to 1 that
// looks random and is always the same: chance without a generator.
func Spread(id string, attempt int) float64 {
	hash := fnv.New64a()
	hash.Write([]byte(id))
	hash.Write(binary.LittleEndian.AppendUint64(nil, uint64(attempt)))
	// FNV leaves the upper bits of short texts alike; a multiplication by an odd number with many
	// ones and a fold of the halves spreads the differences over all bits.
	mixed := hash.Sum64()
	mixed = (mixed ^ mixed>>32) * 0x9e3779b97f4a7c15
	mixed = (mixed ^ mixed>>29) * 0xbf58476d1ce4e5b9
	return float64(mixed>>11) / (1 << 53)
}
