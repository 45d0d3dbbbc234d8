package exchange

import "leadbid/pingpost"

// AccountKind is what an account is for.
type AccountKind uint8

// The kinds of account. Wallet and Held belong to a buyer, Payable to a seller; the others have
// no owner. Liabilities are positive: what the exchange owes a buyer, a seller or itself. Money
// that came in from outside makes TopUps negative, so that all accounts sum to zero.
const (
	Wallet AccountKind = iota + 1 // what a buyer may spend, holds already taken out
	HeldFunds
	Payable
	Revenue
	TopUps
	Refunds // clearing: zero whenever no refund is half way
)

// Account names one account.
type Account struct {
	Kind  AccountKind `json:"kind"`
	Owner string      `json:"owner,omitempty"`
}

// EntryKind is why money moved.
type EntryKind uint8

// The kinds of entry.
const (
	EntryTopUp EntryKind = iota + 1
	EntryHold
	EntryVoid
	EntryCapture
	EntryRefund   // the buyer's price is given back out of Refunds
	EntryClawback // the seller's share and the margin go back into Refunds
)

// Entry is one booking in double entry: its postings sum to zero.
type Entry struct {
	Kind     EntryKind `json:"kind"`
	Postings []Posting `json:"postings"`
}

// Posting is one side of an entry.
type Posting struct {
	Account Account        `json:"account"`
	Amount  pingpost.Cents `json:"amount"`
}
