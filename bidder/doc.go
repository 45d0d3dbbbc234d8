// Package bidder decides. Its Agent is the one place where a ping becomes a bid or a reasoned
// no-bid, and where a post becomes a charge or a reasoned refusal: live traffic, explain, backtest
// and simulation are four callers of the same code.
//
// # What it owns
//
// The order of the checks, the choice among campaigns, the memory of recent answers, and the
// joining of rules (what is a lead worth, and may we buy it) with budget (is there money for it).
// The Agent's state is plain data: the rule set, the Book of leases and holds, repeat answers,
// pauses and a sequence number. It is not the books: what is charged is decided by the store's
// conditions, and a restarted process makes a new Agent from an empty Book.
//
// # Inputs
//
// Everything that can change a decision enters through a method that takes the instant as its
// first argument, gets the next sequence number under the Agent's one mutex, and can be recorded
// and applied again in that order by another Agent, which then decides the same to the byte. No
// method reads a clock, waits, does I/O, logs, starts a goroutine or calls back while it holds
// the mutex. Instants that run backwards are lifted to the last one seen.
//
// # A ping's way
//
//	Decide   repeat? · paused? · Ruleset.Candidates · per campaign in file order: checks, price,
//	         limits, hold · the first that holds its full price bids; else the reason of the
//	         campaign that got furthest
//	         an exchange that fell silent gets only probes (watchdog.go)
//	Cancel   the shell found the bid too late to send: its hold is freed
//	Settle   the post against the signed bid: a Charge for the store, or a refusal
//	Charged  what the store answered
//	Notify   what became of the auction
//	Swap     other rules from here on, whole; bids sent are settled by those that made them
//	Upkeep   what the Book asks of the store now; Answered brings the reply
//
// All methods of Agent may be called from several goroutines.
package bidder
