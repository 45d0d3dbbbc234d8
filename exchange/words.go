package exchange

import "fmt"

// Enumerations are stored and shown by their words, so that rows outlive a reordering.

var eventWords = [...]string{
	"", "opened", "targeted", "cleared", "passed_over", "held", "post_requested", "post_unknown",
	"post_accepted", "post_rejected", "void_requested", "answered_late", "voided", "sold", "fell_back",
	"unsold", "expired", "withdrawn", "returned", "return_requested", "return_acknowledged",
	"unacknowledged",
	"topped_up", "credit_limit_set", "buyer_paused", "buyer_resumed",
}

var answerWords = [...]string{"timed_out", "no_bid", "bid", "broken"}

var accountWords = [...]string{"", "wallet", "held", "payable", "revenue", "top_ups", "refunds"}

var entryWords = [...]string{"", "top_up", "hold", "void", "capture", "refund", "clawback"}

var rerouteWords = [...]string{"off", "on", "break_even"}

var tellsWords = [...]string{"none", "result", "price"}

// RerouteWords lists the words in configurations, in the order of their values.
func RerouteWords() []string { return append([]string(nil), rerouteWords[:]...) }

// TellsWords lists the words in configurations, in the order of their values.
func TellsWords() []string { return append([]string(nil), tellsWords[:]...) }

// String gives the word.
func (k EventKind) String() string { return eventWords[k] }

// String gives the word.
func (s AnswerStatus) String() string { return answerWords[s] }

// String gives the word.
func (k AccountKind) String() string { return accountWords[k] }

// String gives the word.
func (k EntryKind) String() string { return entryWords[k] }

// String gives the word.
func (r Reroute) String() string { return rerouteWords[r] }

// String gives the word.
func (t Tells) String() string { return tellsWords[t] }

// MarshalText writes the word.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// MarshalText writes the word.
func (s AnswerStatus) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalText writes the word.
func (k AccountKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// MarshalText writes the word.
func (k EntryKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// MarshalText writes the word.
func (r Reroute) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the word.
func (k *EventKind) UnmarshalText(text []byte) error { return readWord(k, eventWords[:], text) }

// UnmarshalText reads the word.
func (s *AnswerStatus) UnmarshalText(text []byte) error { return readWord(s, answerWords[:], text) }

// UnmarshalText reads the word.
func (k *AccountKind) UnmarshalText(text []byte) error { return readWord(k, accountWords[:], text) }

// UnmarshalText reads the word.
func (k *EntryKind) UnmarshalText(text []byte) error { return readWord(k, entryWords[:], text) }

// UnmarshalText reads the word.
func (r *Reroute) UnmarshalText(text []byte) error { return readWord(r, rerouteWords[:], text) }

func readWord[W ~uint8](into *W, words []string, text []byte) error {
	for i, word := range words {
		if word == string(text) {
			*into = W(i)
			return nil
		}
	}
	return fmt.Errorf("exchange: %q is not one of %q", text, words)
}
