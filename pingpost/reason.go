package pingpost

import "fmt"

// Reason is why a normal outcome came about. The list is closed, numbered and in check order: of
// two campaigns that both decline a ping, the one with the larger Reason got further, and its
// Reason is the answer. The numbers are part of recordings; new reasons take free numbers within
// their group. The same words label metrics, timelines, reports and explanations.
type Reason uint16

// The reasons, by group. ReasonNone is the zero value: nothing stood in the way.
const (
	ReasonNone Reason = 0

	// Decided by the shell, before the Agent is asked.
	Unauthorized Reason = 10
	Overload     Reason = 11
	Late         Reason = 12

	// Bad input.
	Malformed    Reason = 20
	InvalidField Reason = 21

	// Switched off.
	Paused Reason = 30

	// The ping.
	PingChanged   Reason = 40
	DuplicatePing Reason = 41
	TestPing      Reason = 42

	// The campaign.
	ExchangeNotBought Reason = 50
	ServiceNotBought  Reason = 51
	OutsideArea       Reason = 52
	OutsideHours      Reason = 53
	ConsentMissing    Reason = 54
	ConsentStale      Reason = 55
	RequirementUnmet  Reason = 56

	// The price.
	NoRule       Reason = 60
	MissingField Reason = 61
	Declined     Reason = 62
	RuleError    Reason = 63
	BelowMinBid  Reason = 64
	BelowFloor   Reason = 65

	// Money.
	NoBudget        Reason = 70
	PacedOut        Reason = 71
	OpenBids        Reason = 72
	BudgetExhausted Reason = 73
	CapacityFull    Reason = 74
	StoreAway       Reason = 75

	// Priced but not sent.
	Observing Reason = 80

	// The post.
	BidUnknown     Reason = 90
	BidExpired     Reason = 91
	PriceMismatch  Reason = 92
	PingMismatch   Reason = 93
	RejectedByRule Reason = 94
	DuplicateLead  Reason = 95

	// The exchange.
	Lost                Reason = 100
	Outbid              Reason = 101
	TimedOut            Reason = 102
	NotEligible         Reason = 103
	InsufficientCredits Reason = 104
	WindowClosed        Reason = 105
	Expired             Reason = 106
	Withdrawn           Reason = 107
	Voided              Reason = 108

	// Last.
	Internal Reason = 120
)

var reasonWords = map[Reason]string{
	Unauthorized: "unauthorized", Overload: "overload", Late: "late",
	Malformed: "malformed", InvalidField: "invalid_field",
	Paused:      "paused",
	PingChanged: "ping_changed", DuplicatePing: "duplicate_ping", TestPing: "test",
	ExchangeNotBought: "exchange_not_bought", ServiceNotBought: "service_not_bought",
	OutsideArea: "outside_area", OutsideHours: "outside_hours", ConsentMissing: "consent_missing",
	ConsentStale: "consent_stale", RequirementUnmet: "requirement_unmet",
	NoRule: "no_rule", MissingField: "missing_field", Declined: "declined", RuleError: "rule_error",
	BelowMinBid: "below_min_bid", BelowFloor: "below_floor",
	NoBudget: "no_budget", PacedOut: "paced", OpenBids: "open_bids", BudgetExhausted: "budget_exhausted",
	CapacityFull: "capacity_full", StoreAway: "store_away",
	Observing:  "observing",
	BidUnknown: "bid_unknown", BidExpired: "bid_expired", PriceMismatch: "price_mismatch",
	PingMismatch: "ping_mismatch", RejectedByRule: "rejected_by_rule", DuplicateLead: "duplicate_lead",
	Lost: "lost", Outbid: "outbid", TimedOut: "timed_out", NotEligible: "not_eligible",
	InsufficientCredits: "insufficient_credits", WindowClosed: "window_closed", Expired: "expired",
	Withdrawn: "withdrawn", Voided: "voided",
	Internal: "internal",
}

// reasonsInOrder and reasonByWord are derived once from the one list above; both are read-only.
var reasonsInOrder, reasonByWord = indexReasons()

func indexReasons() ([]Reason, map[string]Reason) {
	ordered, byWord := []Reason{}, map[string]Reason{}
	for reason := Reason(1); reason <= Internal; reason++ {
		if word, ok := reasonWords[reason]; ok {
			ordered, byWord[word] = append(ordered, reason), reason
		}
	}
	return ordered, byWord
}

// Reasons lists all reasons in check order.
func Reasons() []Reason { return append([]Reason(nil), reasonsInOrder...) }

// String gives the reason's word, "" for ReasonNone.
func (r Reason) String() string {
	if word, ok := reasonWords[r]; ok || r == ReasonNone {
		return word
	}
	return fmt.Sprintf("reason(%d)", uint16(r))
}

// ParseReason reads a reason's word exactly; ok is false for any other.
func ParseReason[T string | []byte](word T) (Reason, bool) {
	reason, ok := reasonByWord[string(word)]
	return reason, ok
}

// MarshalText writes the word.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the word; an unknown one is an error, "" is ReasonNone.
func (r *Reason) UnmarshalText(text []byte) error {
	reason, ok := ParseReason(text)
	if !ok && len(text) > 0 {
		return fmt.Errorf("pingpost: %q is not a reason", text)
	}
	*r = reason
	return nil
}
