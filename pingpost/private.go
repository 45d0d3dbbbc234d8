package pingpost

import (
	"errors"
	"fmt"
)

// Private is a piece of personal data: a name, a phone number, an e-mail or street address. It
// prints, formats, logs and marshals as [redacted], so that forgetting about it is safe. Only
// Reveal gives it away, and only delivery, the exchange's post to the winner, the hashing of
// contacts and an authorised view may call that: a test over our source lists the callers.
//
// The value is behind a pointer because fmt does not ask the methods of unexported fields: it
// prints what they hold, and here that is an address. Two values are compared with Equal; == is an
// error of compilation.
type Private struct {
	_     [0]func() // cannot be compared, and takes no room
	value *string
}

const redacted = "[redacted]"

// ErrRedacted is the answer to reading a redacted value back: what was hidden is gone.
var ErrRedacted = errors.New("personal data cannot be read back from its redacted form")

// NewPrivate wraps a value. "" means that the field is not known.
func NewPrivate(value string) Private {
	if value == "" {
		return Private{}
	}
	return Private{value: &value}
}

// Known reports whether there is a value.
func (p Private) Known() bool { return p.value != nil }

// Equal reports whether both hold the same value.
func (p Private) Equal(other Private) bool {
	if p.value == nil || other.value == nil {
		return p.value == other.value
	}
	return *p.value == *other.value
}

// Reveal gives the value away. See the type's comment for who may call it.
func (p Private) Reveal() string {
	if p.value == nil {
		return ""
	}
	return *p.value
}

// String gives [redacted], or "" where nothing is known.
func (p Private) String() string {
	if p.value == nil {
		return ""
	}
	return redacted
}

// GoString keeps %#v from showing the value.
func (p Private) GoString() string { return "pingpost.Private(" + p.String() + ")" }

// Format keeps every other verb from showing the value, %d and %x included.
func (p Private) Format(state fmt.State, verb rune) {
	if verb == 'v' && state.Flag('#') {
		fmt.Fprint(state, p.GoString())
		return
	}
	fmt.Fprint(state, p.String())
}

// MarshalText serves JSON, YAML, XML and log encoders alike.
func (p Private) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText refuses with ErrRedacted: personal data comes in through pingpost/wire only.
func (p *Private) UnmarshalText([]byte) error { return ErrRedacted }
