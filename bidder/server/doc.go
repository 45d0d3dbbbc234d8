// Package server is the bidder's shell: it turns HTTP requests into inputs of the Agent, makes
// what the Agent decided durable before anything is promised, and keeps what happened on record.
//
// # What it owns
//
// Two listeners: the public one (fasthttp) for pings, posts and notices, and the operator's
// (net/http, loopback by default) for health, metrics and status. The process's clock, its run on
// the store, the keys that bid ids are signed with, the upkeep of leases, the recording, the file
// of pauses, and the deliverer of the outbox.
//
// # What it never does
//
// It never decides: which campaign bids what, and why not, is bidder.Agent's; whether a charge
// fits is the store's. It never answers "accepted" before the store has synced it.
//
// # Reloading
//
// What follows from the rules is one immutable value behind a pointer, which a request takes once,
// at its start. Reload makes the next one, or leaves everything as it is.
//
// # Goroutines
//
// Requests are handled in parallel by fasthttp. Beside them run one goroutine for the leases, one
// for the recording, one that reads the pause file, one that verifies the books, and those of the deliverer; Close ends all of
// them and waits.
package server
