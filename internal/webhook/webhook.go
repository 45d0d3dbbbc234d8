// Package webhook signs and verifies messages by the Standard Webhooks specification
// (https://www.standardwebhooks.com), and holds the schedule by which a message is sent again.
//
// It owns the three headers, the form of a secret and the order of delays. Delivery signs what it
// sends to a contractor's systems; whoever receives signed requests verifies them here. It never
// sends anything, never reads a clock and draws no random numbers: time and chance are arguments.
// All values are immutable once made and may be used from several goroutines.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed message. Their case does not matter on the wire.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Tolerance is how far a message's timestamp may lie from now, in either direction: the
// specification leaves the number open, and five minutes is what its own libraries use.
const Tolerance = 5 * time.Minute

const (
	secretPrefix    = "whsec_"
	minSecretBytes  = 24
	maxSecretBytes  = 64
	signatureScheme = "v1," // HMAC-SHA256
)

// The ways in which a message can fail verification. ErrSecret is about a secret as it is
// written; its message never contains the secret.
var (
	ErrSecret    = errors.New(`webhook: a secret is "whsec_" and 24 to 64 bytes in base64`)
	ErrHeaders   = errors.New("webhook: the id, timestamp or signature header is missing or malformed")
	ErrTimestamp = errors.New("webhook: the timestamp is too far from now")
	ErrSignature = errors.New("webhook: no signature matches")
)

// Secret is a key shared by sender and receiver. It prints as [redacted].
type Secret struct{ key []byte }

// ParseSecret reads a secret as it is exchanged: "whsec_" and base64 of 24 to 64 bytes, with or
// without padding. The error is ErrSecret.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return Secret{}, ErrSecret
	}
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil || len(key) < minSecretBytes || len(key) > maxSecretBytes {
		return Secret{}, ErrSecret
	}
	return Secret{key}, nil
}

// String keeps a secret out of logs.
func (s Secret) String() string { return "[redacted]" }

// GoString keeps a secret out of %#v.
func (s Secret) GoString() string { return "webhook.Secret([redacted])" }

// Format keeps a secret out of every other verb.
func (s Secret) Format(state fmt.State, _ rune) { fmt.Fprint(state, s.String()) }

// sign gives the signature of one message: base64 of HMAC-SHA256 over "id.timestamp.body".
func (s Secret) sign(id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return signatureScheme + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Sign sets the three headers for a message that is sent now. With several secrets the message
// carries one signature for each, so that a receiver may move from the old secret to the new one
// when it likes. The id must stay the same at every attempt at the same message, and have no
// point in it, as the specification asks; the timestamp is that of the attempt.
func Sign(header http.Header, id string, now time.Time, body []byte, secrets ...Secret) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		signatures[i] = secret.sign(id, timestamp, body)
	}
	header.Set(HeaderID, id)
	header.Set(HeaderTimestamp, timestamp)
	header.Set(HeaderSignature, strings.Join(signatures, " "))
}

// Verify checks that a message was signed with one of the secrets and is at most Tolerance old or
// early. The error is ErrHeaders, ErrTimestamp or ErrSignature. Signatures are compared in
// constant time; those of other schemes are passed over. Verify does not remember ids: who must
// not do the same thing twice keeps them.
func Verify(header http.Header, now time.Time, body []byte, secrets ...Secret) error {
	id, timestamp, given := header.Get(HeaderID), header.Get(HeaderTimestamp), header.Get(HeaderSignature)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || given == "" {
		return ErrHeaders
	}
	if age := now.Unix() - seconds; seconds < 0 || age > toleranceSeconds || age < -toleranceSeconds {
		return ErrTimestamp
	}
	matches := false
	for _, secret := range secrets {
		expected := []byte(secret.sign(id, timestamp, body))
		for signature := range strings.FieldsSeq(given) {
			if hmac.Equal([]byte(signature), expected) {
				matches = true
			}
		}
	}
	if !matches {
		return ErrSignature
	}
	return nil
}

const toleranceSeconds = int64(Tolerance / time.Second)
