// Package pinger carries the exchange's messages to buyers: pings to many in parallel under one
// deadline, posts and notices to one.
//
// It owns the connections to every buyer, a bound on how much any buyer may hold up, and each
// buyer's health: one that keeps failing is left alone for a while, so that it does not cost every
// auction its full deadline. exchange/server calls it with the actions of the Market and hands
// the answers back as commands.
//
// It never chooses a winner, never moves money and never retries a post by itself: it says
// truthfully what came back, and the Market decides. What it says of a broken answer never holds
// the answer's content.
//
// Where buyers are stands in the operator's configuration and nowhere else, so every address may be
// called, private ones too; no answer can send us elsewhere, because redirects are not followed.
//
// A Pinger may be used by several goroutines at once. It keeps up to Options.Workers goroutines,
// started as they are needed; Close ends them.
package pinger
