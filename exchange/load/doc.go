// Package load sends pings to a bidder, or leads to an intake, at given rates, and reports how
// long the answers took.
//
// It is an open loop: the schedule is fixed before the first send and never waits for an answer,
// because homeowners do not either. Latency counts from the scheduled instant of a send, so that
// a target that freezes is charged with everything that was due meanwhile. What the generator
// itself delays is told apart as its lag, and what it could not send at all as dropped: both are
// part of every result, and neither is ever charged to the target.
//
// It owns the schedule, the connections, the measuring and the thresholds. Commands and
// benchmarks call it. It shares no code with the hot path of what it measures beyond the wire
// format, decides nothing, and sends to a host off the loopback only where that host is named.
// Run uses goroutines and one locked thread of its own and leaves none behind; a Result is plain
// data.
package load
