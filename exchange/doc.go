// Package exchange is the market of leads: a homeowner's request comes in, every buyer's
// eligibility is settled and written down, the eligible ones are asked for a bid, one of them
// gets the lead at a price that its wallet covers, and every cent of it is booked twice.
//
// The Market is the core of the exchange program and decides all of that alone. It is
// deterministic: the instant and the command go in, events come out, and the same inputs give the
// same events everywhere. It reads no clock, does no I/O, starts no goroutine, logs nothing and
// holds no global state. Not safe for concurrent use: one goroutine owns it.
//
// # The loop of the shell
//
// exchange/server owns the goroutine, exchange/store the database. Their contract:
//
//  1. At start: store.Load gives a restored Market. Apply(Start) is its first command; its events
//     are committed and acted on like all others, and only then is the exchange ready.
//  2. Take a batch of commands (up to 64, or what comes within a millisecond); `now` is the wall
//     clock carried forward by the monotonic one, never going back. Apply each.
//  3. store.Commit(Market.Batch(all Applied)): one synced transaction. Nothing is sent, shown or
//     answered before it returns.
//  4. For each Action in Market.Actions(events): send pings, posts and notices from goroutines of
//     the shell's own, and bring their ends back as CloseAuction, PostAnswered, NoticeAcked,
//     NoticeAnswered. Nothing has to be remembered about them: what gets lost is asked for again by the Market.
//  5. Answer the callers. A seller waits for the end of its lead: the first event of that Root
//     whose Kind.Ends() and is not FellBack (a fallen-back lead goes on as offer Next).
//  6. Set one timer to Market.Due and apply Tick then.
//
// If the commit fails for any reason, the Market is ahead of its store: drop it, Load and Start
// again, and answer the batch 503 with Retry-After.
//
// A finished offer leaves the Market's memory two minutes after its last obligation. To answer a
// repeated lead, look it up in the store before sending OpenOffer; before Return, give its history
// back with Market.Recall where Market.Knows says that it is gone.
//
// # Privacy
//
// A lead's personal data is pingpost.Private, stays in the offer, and leaves through one door:
// SendPost, to the buyer whose price is held at that moment. Events, targets, answers and notices
// have no field for it.
package exchange
