// Package rules turns a contractor's configuration into a Ruleset: which pings to look at, when,
// and what each is worth at most.
//
// It owns the bidder's YAML (every fault at once, at its place, in the contractor's words), the
// expressions in it, the meaning of missing fields, and the index that keeps a decision flat as
// rules grow. The Agent calls Candidates, then an Evaluation's Check and Price, then a Campaign's
// Bid; check and explain call the same functions with a Trace.
//
// It never holds balances, never moves money and never knows budget or bidder: what a rule may
// ask about spending comes in as Facts. It reads no clock and does no I/O beyond the fs.FS that
// Load is given.
//
// A Ruleset and all that it points to is immutable after Load and may be shared by goroutines. An
// Evaluation is the scratch paper of one decision at a time and belongs to one goroutine.
//
// # Expressions
//
// Conditions and prices are written in the language of github.com/expr-lang/expr, of which a part
// is allowed: and, or, not, comparisons, in, startsWith, endsWith, contains, matches, arithmetic,
// ?? and c ? a : b, and the functions known, abs, ceil, floor, round, min, max, len, lower, upper
// and trim. All numbers are float64. A field that the ping lacks is neither true nor false, nor
// any number:
//
//   - every comparison with it is false, != and not in included; a yes-or-no field by itself
//     counts as a comparison, so that both homeowner and not homeowner are false where the ping
//     does not say;
//   - not (x > 5) is no comparison but the opposite of one: true where x is missing;
//   - known(x) asks whether it is there, and x ?? 50 supplies a value;
//   - a price that needs it is no price: the rule is passed over and the next one asked. A branch
//     that is not taken needs nothing.
//
// An attribute (attrs.NAME) is a text, a number or a truth as the ping writes it. Where a rule
// compares it with another kind, it counts as missing.
package rules
