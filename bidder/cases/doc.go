// Package cases runs test cases that a contractor keeps beside the rules: a ping, an instant and
// how far the budgets are used; and what ought to be bid then, by which rule, or why not.
//
// It owns the form of a file of cases, the comparison, and the answer to which rules no case
// covers. `bidder test` is its caller. Every case is put to a new bidder.Agent over money of its
// own, so that cases neither depend on each other nor on the books; what the Agent says is the
// result, and this package has no pricing of its own. A contractor who only observes tests what
// would be bid.
//
// It reads files through the fs.FS that it is given and no clock: the instant of a case is written
// in it. The functions may be called from several goroutines.
package cases
