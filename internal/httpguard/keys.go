package httpguard

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
)

// Keys are the bearer keys that clients must show, one for each name. A Keys never changes after
// NewKeys.
//
// Check compares the keys themselves, in the same time wherever they differ: to hash what is shown
// costs several times as much, and the configuration holds the keys in memory anyway. What its time
// may tell is how long a key is, and that is no secret. Find looks keys up by their SHA-256, so that
// the time of the lookup tells nothing about one.
type Keys struct {
	keys  map[string][]byte
	names map[[sha256.Size]byte]string
}

// The reasons for which NewKeys refuses.
var (
	ErrEmptyKey  = errors.New("httpguard: empty key")
	ErrSharedKey = errors.New("httpguard: two names share a key")
)

// NewKeys takes the key of each name. An empty key is ErrEmptyKey, one key under two names
// ErrSharedKey; both errors carry the names and never the key.
func NewKeys(keyByName map[string]string) (*Keys, error) {
	keys := &Keys{
		keys:  make(map[string][]byte, len(keyByName)),
		names: make(map[[sha256.Size]byte]string, len(keyByName)),
	}
	for _, name := range sortedNames(keyByName) {
		if keyByName[name] == "" {
			return nil, fmt.Errorf("%w: %s", ErrEmptyKey, name)
		}
		digest := sha256.Sum256([]byte(keyByName[name]))
		if other, taken := keys.names[digest]; taken {
			return nil, fmt.Errorf("%w: %s and %s", ErrSharedKey, other, name)
		}
		keys.keys[name], keys.names[digest] = []byte(keyByName[name]), name
	}
	return keys, nil
}

// Check reports whether an Authorization header shows the key of a name.
func (k *Keys) Check(name, authorization []byte) bool {
	want, known := k.keys[string(name)]
	key, isBearer := bearer(authorization)
	return subtle.ConstantTimeCompare(key, want) == 1 && known && isBearer
}

// Find tells whose key an Authorization header shows. The lookup goes by the key's digest, so its
// timing tells nothing about a key.
func (k *Keys) Find(authorization []byte) (name string, ok bool) {
	key, isBearer := bearer(authorization)
	name, ok = k.names[sha256.Sum256(key)]
	if !ok || !isBearer {
		return "", false
	}
	return name, true
}

// Len is how many names have a key.
func (k *Keys) Len() int { return len(k.keys) }

// bearer cuts the key out of "Bearer KEY"; the scheme's case does not matter.
func bearer(authorization []byte) (key []byte, ok bool) {
	const scheme = "Bearer "
	if len(authorization) <= len(scheme) {
		return nil, false
	}
	// Nearly all spell it so, and bytes.EqualFold goes rune by rune.
	if shown := authorization[:len(scheme)]; string(shown) != scheme && !bytes.EqualFold(shown, []byte(scheme)) {
		return nil, false
	}
	return bytes.TrimSpace(authorization[len(scheme):]), true
}

// minKeyBits is what a key should hold: guessing it is out of reach then.
const minKeyBits = 128

// WeakKey reports whether a key cannot hold 128 bits, judged by its length and the kinds of its
// characters: 32 hexadecimal digits or 22 characters of base64 are enough. A key of few distinct
// characters is weak at any length. It cannot tell a random key from a long sentence.
func WeakKey(key string) bool {
	distinct := map[rune]bool{}
	var alphabet float64
	for _, kind := range []struct {
		letters string
		size    float64
	}{{"0123456789", 10}, {"abcdef", 6}, {"ghijklmnopqrstuvwxyz", 20}, {"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 26}} {
		if strings.ContainsAny(key, kind.letters) {
			alphabet += kind.size
		}
	}
	for _, letter := range key {
		distinct[letter] = true
	}
	return len(distinct) < 8 || float64(len(key))*math.Log2(max(alphabet, 2)) < minKeyBits
}

// ErrOpenWithoutAuth is the refusal to listen to the network without asking for a key.
var ErrOpenWithoutAuth = errors.New("httpguard: listening beyond the loopback without keys")

// NonLoopbackWithoutAuth refuses, with ErrOpenWithoutAuth, an address (host:port) that other
// machines can reach where nothing asks them for a key. A host that is a name counts as reachable,
// "localhost" apart, and so does an empty host.
func NonLoopbackWithoutAuth(address string, hasAuth bool) error {
	if hasAuth || IsLoopback(address) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrOpenWithoutAuth, address)
}

// IsLoopback reports whether an address (host:port) can be reached from this machine only.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func sortedNames(keyByName map[string]string) []string {
	names := make([]string, 0, len(keyByName))
	for name := range keyByName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
