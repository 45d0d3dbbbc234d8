package exchange

import (
	"fmt"

	"leadbid/pingpost"
)

// Check recomputes the invariants that memory shows, and names the first one that is broken. A
// Market made by its commands never has one; tests ask after each command, and Restore asks about
// what came from a disk.
func (m *Market) Check() error {
	if err := m.checkMoney(); err != nil {
		return fmt.Errorf("exchange: E3: %w", err)
	}
	unsettled := 0
	var first *offer // that is wrong
	for _, o := range m.offers {
		if m.checkOffer(o) != nil && (first == nil || o.id < first.id) {
			first = o
		}
		if !o.settled() {
			unsettled++
		}
	}
	if first != nil {
		return fmt.Errorf("exchange: offer %q: %w", first.id, m.checkOffer(first))
	}
	if unsettled != m.unsettled {
		return fmt.Errorf("exchange: %d offers are unsettled, not %d", unsettled, m.unsettled)
	}
	return nil
}

// checkMoney: all accounts sum to zero, none is where it must not be, nothing is held but for
// the offers in flight, and no refund is half way.
func (m *Market) checkMoney() error {
	held := map[string]pingpost.Cents{}
	for _, o := range m.offers {
		if o.hop != nil {
			held[o.hop.buyer] += o.hop.price
		}
	}
	var total pingpost.Cents
	for _, balance := range m.Balances() {
		account := balance.Account
		total += balance.Cents
		if err := m.books.sound(account); err != nil {
			return err
		}
		if account.Kind == HeldFunds && balance.Cents != held[account.Owner] {
			return fmt.Errorf("%v is at %v, and the offers in flight hold %v", account, balance.Cents, held[account.Owner])
		}
		if account.Kind == Refunds && balance.Cents != 0 {
			return fmt.Errorf("%v is at %v", account, balance.Cents)
		}
	}
	if total != 0 {
		return fmt.Errorf("all accounts sum to %v", total)
	}
	return nil
}

// checkOffer: an open offer has an appointment within its window, its phase fits what it holds,
// and no more buyers got the lead posted than its hops allow.
func (m *Market) checkOffer(o *offer) error {
	inFlight := o.phase == posting || o.phase == unknown || o.phase == voiding
	switch {
	case o.phase == clearing:
		return fmt.Errorf("E6: it waits for nothing")
	case inFlight != (o.hop != nil):
		return fmt.Errorf("E8: phase %d with hold %v", o.phase, o.hop != nil)
	case o.due.IsZero():
		return fmt.Errorf("E6: it has no appointment")
	case o.end == EventNone && o.due.After(o.facts.WindowEnd):
		return fmt.Errorf("E6: its appointment is after its window")
	case o.end != EventNone && o.hop != nil && o.phase != voiding:
		return fmt.Errorf("E6: it ended as %v with a post in flight", o.end)
	case o.facts.MostPosts > 0 && o.posted > o.facts.MostPosts:
		return fmt.Errorf("E8: posted to %d buyers, and former campaigns allow %d", o.posted, o.facts.MostPosts)
	case o.posted > o.facts.Hops+1:
		return fmt.Errorf("E8: posted to %d buyers with %d hops", o.posted, o.facts.Hops)
	case (o.sale != nil) != (o.end == Sold):
		return fmt.Errorf("E1: it ended as %v with sale %v", o.end, o.sale != nil)
	}
	return nil
}
