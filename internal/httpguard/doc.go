// Package httpguard is what every public HTTP listener of ours shares: the limits of the server,
// the guard against request smuggling, the form of an error, bearer keys, token buckets; and the
// listener for operators.
//
// It owns no route and no business rule. bidder/server and exchange/server call it when they
// start (Listen, NewServer, NewKeys, NewAdminServer) and then on each request (Keys, Limiter,
// WriteError). Everything in it may be used by several goroutines at once. It never logs and never
// starts a goroutine. Callers that limit rates pass the instant; only connections have a clock.
//
// The public side is fasthttp, for speed; the operators' side is net/http, for its tools.
package httpguard
