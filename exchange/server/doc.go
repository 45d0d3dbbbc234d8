// Package server is the exchange's shell: it turns HTTP requests, answers of buyers and the
// passing of time into commands of the Market, makes what the Market decided durable, and only
// then sends and answers.
//
// # What it owns
//
// Two listeners: the public one (fasthttp) for sellers and buyers, and the operator's (net/http,
// loopback only). The one goroutine that owns the Market, called the desk. The clock. The pinger
// and everything that is on its way to buyers. The store is opened and closed by whoever makes
// the Server.
//
// # What it never does
//
// It never decides who gets a lead or what it costs: that is exchange.Market's. It never answers
// or sends before the store has synced what the Market decided. It never gives a byte of a lead's
// personal data to anyone but the buyer that won it: every answer is built from a list of fields
// that may be shown.
//
// # Goroutines
//
// Requests are handled in parallel by fasthttp and hand their commands to the desk over a bounded
// channel; where that is full they are refused at once. Each auction, post and notice under way
// has a goroutine, which brings its end back to the desk. Shutdown ends all of them and waits.
package server
