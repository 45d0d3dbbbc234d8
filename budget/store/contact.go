package store

import (
	"crypto/hmac"
	"crypto/sha256"
)

// ContactHash recognises a way to reach somebody without telling it: the first half of an HMAC-SHA-256
// (RFC 2104, section 5). Every contact ever bought is in one index, which the other half would only widen.
type ContactHash [16]byte

// HashContact is the hash of a value of a kind, such as a phone number, under Run.ContactKey.
func HashContact(key []byte, kind, value string) ContactHash {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(kind + "\x00" + value))
	return ContactHash(mac.Sum(nil)[:16])
}
