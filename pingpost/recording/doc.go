// Package recording is the form in which a bidder's inputs are kept, so that another Agent can
// decide the same again: JSON lines inside zstd. Any tool that reads both can read a recording.
//
// It owns the records and their codec over io.Reader and io.Writer, and what of a ping may be kept:
// canonical fields, and the attributes that somebody asked for unless they look like personal
// data. The bidder's shell writes recordings and its backtest reads them; this package never opens
// files, reads a clock or starts goroutines.
//
// A line is an object of
//
//	seq       the input's place in the order of all inputs, from the Agent
//	at        the instant that it counted as, RFC 3339 in UTC with up to nine decimals
//	kind      one of the Kinds
//	exchange  pings only: the exchange's name in the bidder's configuration
//	digest    pings only: Ping.Digest as 16 hexadecimal digits, of the ping before anything was dropped
//	ping      pings only: the ping as the native profile spells it
//	decision  pings only: what was decided, as the Agent writes it
//	data      all others: what the input was, as its writer defines it
//
// The functions are safe for concurrent use; a Writer and a Reader each belong to one goroutine.
package recording
