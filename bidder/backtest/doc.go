// Package backtest replays recordings of a live bidder through the very Agent that bid, and holds
// every decision against the one that was recorded, byte by byte.
//
// It owns the order of segments, the replay of each kind of input, the comparison and the report.
// It has no pricing rules of its own and never guesses: where a recording has a gap, it says so
// and compares nothing until the next snapshot. It is called by `bidder backtest` and by tests; it
// reads files, writes none, and keeps no state between two calls.
package backtest
