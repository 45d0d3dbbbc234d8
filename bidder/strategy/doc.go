// Package strategy turns the most that a contractor would pay for a lead into what to bid for it,
// so that a day's money buys the best leads that the day brings and not the first ones.
//
// Every bid follows from one formula, v' = (v - nu*c) / (1 + mu): v is what the lead is worth, c the
// crew time that it is expected to need and nu the price of that time, mu the price of the budget's
// money. v' is bid as it is where the exchange charges the second price, and shaded along the
// learned win curve where it charges the bid. Where the contractor wants their prices bid as written
// the same mu decides which leads are worth their price instead.
//
// The prices of money (Pace) are solved for, not searched for by steps: what the rest of the budget
// may be spent on is the rest of the pings, as the week so far lets expect them (Week), and how much
// a bid buys is learned from every answer (Response). Solving anew before each ping is the feedback:
// what was spent too fast leaves less for more pings, and the next bid is lower.
//
// What wins where the winner pays its bid is learned for each territory, a job in a state, with the
// job, its service and then the whole line as what is expected of it: from results alone, or from prices
// where the exchange tells them (ledger, curve, market). The best bids are worked out ahead (shades).
//
// The Agent calls it with what it saw and asks it for quotes; backtests and simulations do the same.
// It is pure: time is an argument, chance comes from the ping, nothing here holds money. Its values
// belong to one goroutine. It never bids above the rule's number but under Volume, and then never
// above max_bid.
package strategy
