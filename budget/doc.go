// Package budget is the arithmetic of not overspending: caps over windows of civil time, leases
// carved from them by the store, holds that bids take from leases, and the signed bid ids that
// alone can be charged.
//
// The Agent owns one Book and calls it under its own mutex; the store (budget/store) shares the
// types of types.go. A Book answers from memory whether a bid may be made, and says what to ask
// of the store so that the next answer can be given as well. It trusts nothing in memory with a
// cap: every cent it hands out was set aside before by a conditional update in the store, and every
// charge is another one there.
//
// The package knows no rules and no prices' reasons, does no I/O, reads no clock and locks
// nothing: the instant is the first argument of everything, must not run backwards, and each
// method first expires what is due by it. A Book is for one goroutine at a time; Keyring, Plan and
// the functions may be shared.
package budget
