// Command sim plays days of a whole lead market in one goroutine, under one seed and virtual time:
// the real bidder.Agents of several contractors, several replicas each, the real exchange.Markets,
// and beneath and between them a modelled store, disk and network that fail in every way we know of.
// After every step the money invariants B1 to B7 are held against the books, exactly; at the end of a
// day the books of both sides are compared, lead by lead, and what is left of the budgets is spent.
//
//	go run ./bench/sim --days 10000 --from 1     a campaign, with counts; --parallel 2 plays two days at a time
//	go run ./bench/sim --seed 17 --trace         one day again, step by step
//	go run ./bench/sim holds                     how long holds should be, in one table
//
// # What is real and what is modelled
//
// Real: bidder.Agent with rules and budget.Book, the signing of bid ids, exchange.Market, and the
// pure parts of the shell (bidder/server/verdict.go). Modelled, with a possible end of the process
// before each step:
//
//   - replica.go: bidder/server's start (server.go: Begin, a new Agent, the first look at leases), its
//     lease loop (leases.go), key loop (keys.go), reload (reload.go), the way of a ping (handle.go),
//     and bidder/delivery's loop from the outbox
//   - posting.go: the way of a post and of a notice (post.go)
//   - market.go: exchange/server's desk and sender, with exchange/pinger
//   - books: budget/store, on a modelled disk; database.go: its group commit, or the server that
//     replicas share
//
// A process sees the world through messages and its own clock only. Chance comes from the seed, time
// from the agenda: a day is the same on every machine. Nobody imports this package.
package main
