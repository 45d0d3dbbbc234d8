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
// A key that a lookup table lacks (tier[zip]) is missing in the same way, unless the table has a
// default; and so is what the live facts (budget.*, capacity.*, win_rate) do not know.
//
// An attribute (attrs.NAME) is a text, a number or a truth as the ping writes it. Where a rule
// compares it with another kind, it counts as missing.
//
// The whole language is docs/language.md, an example a line, each of which a test runs.
//
// # Prices
//
// A rule's number is the most that the contractor would pay. Of the rules that hold and can be worked
// out, the first makes the price, or the highest, or their sum; a bid of 0 among those that count
// declines the campaign in every mode. Then the ladder (by the number of buyers), the adjustments in
// order, the ping's arm of an experiment, max_bid and min_bid. Only on_floor: raise goes above that
// number, to the exchange's floor, and never above max_bid, which it therefore requires.
package rules
