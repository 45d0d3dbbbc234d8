package exchange

import (
	"fmt"

	"leadbid/pingpost"
)

// AccountKind is what an account is for.
type AccountKind uint8

// The kinds of account. Wallet and HeldFunds belong to a buyer, Payable to a seller; the others
// have no owner. What the exchange owes to a buyer, to a seller or to itself is positive. Money
// that came in from outside makes TopUps negative, so that all accounts sum to zero.
const (
	Wallet    AccountKind = iota + 1 // what a buyer may spend, holds already taken out
	HeldFunds                        // what is set aside for posts without an answer yet
	Payable                          // what a seller has earned; negative after a return of a lead paid out
	Revenue                          // the exchange's margin
	TopUps                           // clearing: minus what buyers paid in
	Refunds                          // clearing: zero whenever no refund is half way
)

// Account names one account.
type Account struct {
	Kind  AccountKind `json:"kind"`
	Owner string      `json:"owner,omitempty"`
}

// String gives "wallet:lakeview", or "revenue".
func (a Account) String() string {
	if a.Owner == "" {
		return a.Kind.String()
	}
	return a.Kind.String() + ":" + a.Owner
}

// EntryKind is why money moved.
type EntryKind uint8

// The kinds of entry.
const (
	EntryTopUp    EntryKind = iota + 1
	EntryHold               // the winner's price leaves its wallet
	EntryVoid               // and comes back: rejected, or withdrawn
	EntryCapture            // or is paid: to the seller, and the margin to the exchange
	EntryRefund             // the buyer's price is given back out of Refunds
	EntryClawback           // the seller's share and the margin go back into Refunds
)

// Entry is one booking in double entry: its postings sum to zero.
type Entry struct {
	Kind     EntryKind `json:"kind"`
	Postings []Posting `json:"postings"`
}

// Posting is one side of an entry: positive into the account, negative out of it.
type Posting struct {
	Account Account        `json:"account"`
	Amount  pingpost.Cents `json:"amount"`
}

// Sum adds up the postings; anything but zero is a broken entry. ok is false on overflow.
func (e Entry) Sum() (sum pingpost.Cents, ok bool) {
	for _, posting := range e.Postings {
		if sum, ok = sum.Add(posting.Amount); !ok {
			return 0, false
		}
	}
	return sum, true
}

// transfer is an entry of two postings.
func transfer(kind EntryKind, from, to Account, amount pingpost.Cents) Entry {
	return Entry{kind, []Posting{{from, -amount}, {to, amount}}}
}

// split divides a price into the seller's share and the exchange's margin. The margin is rounded
// down: a fraction of a cent is the seller's.
func split(price pingpost.Cents, marginBasisPoints int64) (share, margin pingpost.Cents) {
	// A price is at most MaxCents, so the product stays far below the range of int64.
	margin = price * pingpost.Cents(marginBasisPoints) / 10_000
	return price - margin, margin
}

func topUpEntries(buyer string, amount pingpost.Cents) []Entry {
	return []Entry{transfer(EntryTopUp, Account{Kind: TopUps}, Account{Wallet, buyer}, amount)}
}

func holdEntries(buyer string, price pingpost.Cents) []Entry {
	return []Entry{transfer(EntryHold, Account{Wallet, buyer}, Account{HeldFunds, buyer}, price)}
}

func voidEntries(buyer string, price pingpost.Cents) []Entry {
	return []Entry{transfer(EntryVoid, Account{HeldFunds, buyer}, Account{Wallet, buyer}, price)}
}

func captureEntries(buyer, seller string, price pingpost.Cents, marginBasisPoints int64) []Entry {
	share, margin := split(price, marginBasisPoints)
	return []Entry{{EntryCapture, []Posting{
		{Account{HeldFunds, buyer}, -price}, {Account{Payable, seller}, share}, {Account{Kind: Revenue}, margin},
	}}}
}

func returnEntries(buyer, seller string, price pingpost.Cents, marginBasisPoints int64) []Entry {
	share, margin := split(price, marginBasisPoints)
	return []Entry{
		transfer(EntryRefund, Account{Kind: Refunds}, Account{Wallet, buyer}, price),
		{EntryClawback, []Posting{
			{Account{Payable, seller}, -share}, {Account{Kind: Revenue}, -margin}, {Account{Kind: Refunds}, price},
		}},
	}
}

// book is the balance of every account, with the credit limits in force.
type book struct {
	balance map[Account]pingpost.Cents
	limit   map[string]pingpost.Cents // by buyer
}

func newBook() book {
	return book{balance: map[Account]pingpost.Cents{}, limit: map[string]pingpost.Cents{}}
}

// apply books an entry. The error names the broken invariant: an entry that does not sum to
// zero, an overflow, a wallet below its credit, or funds held below zero.
func (b *book) apply(entry Entry) error {
	if sum, ok := entry.Sum(); sum != 0 || !ok {
		return fmt.Errorf("the %v entry sums to %v", entry.Kind, sum)
	}
	for _, posting := range entry.Postings {
		balance, ok := b.balance[posting.Account].Add(posting.Amount)
		if !ok {
			return fmt.Errorf("%v overflows", posting.Account)
		}
		b.balance[posting.Account] = balance
		if err := b.sound(posting.Account); err != nil {
			return err
		}
	}
	return nil
}

// sound reports an account that is where it must never be.
func (b *book) sound(account Account) error {
	balance := b.balance[account]
	switch {
	case account.Kind == Wallet && balance+b.limit[account.Owner] < 0:
		return fmt.Errorf("%v is at %v with a credit limit of %v", account, balance, b.limit[account.Owner])
	case account.Kind == HeldFunds && balance < 0:
		return fmt.Errorf("%v is at %v", account, balance)
	}
	return nil
}
