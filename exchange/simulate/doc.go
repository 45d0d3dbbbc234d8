// Package simulate is a market to practise on: homeowners who ask for help, and rival buyers who
// bid for them. Everything it makes is synthetic and illustrative; its numbers are placed between
// the trade's published figures, and none of them was measured on a real exchange.
//
// It owns the arrival model (Generator), the rival model (Roster), an HTTP server on which many
// rivals answer as real buyers do, faults included (RivalServer), the pacing that turns the virtual
// time of the model into real sends (Drive), and the seller who brings a homeowner to an intake
// (Seller). The exchange's commands, the demo, the benchmarks and tests call it; the load generator
// takes its pings from here. It never decides an auction, never holds anybody's money but the
// rivals' own daily budgets, and never makes a contact that could belong to a person (see
// contact.go).
//
// Chance is data: the same Settings give the same homeowners in the same order on every machine,
// and a rival's answer depends on (seed, rival, ping id), not on the order in which pings arrive.
// The one exception is stated where it is made: a daily budget that runs out does so in the order
// in which leads were bought.
//
// Generator is for one goroutine at a time. Roster is immutable after NewRoster and may be asked
// from many. RivalServer locks for itself.
package simulate

// Label is what everything that shows figures of this market says of them.
const Label = "synthetic, illustrative"
