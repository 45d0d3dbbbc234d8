package store

import (
	"context"
	"fmt"
	"time"

	"leadbid/budget"
	"leadbid/internal/planted"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

// How a lead's price was given back; the values of lead.credited.
const (
	notCredited = iota
	creditedLease
	creditedCaps
)

func (s *books) Credit(ctx context.Context, credit Credit) (answer CreditAnswer, err error) {
	if credit.Outcome != pingpost.OutcomeReturned && credit.Outcome != pingpost.OutcomeVoided {
		return CreditAnswer{}, fmt.Errorf("store: crediting: the outcome %q gives nothing back", credit.Outcome)
	}
	entered := time.Now()
	err = s.write(ctx, "crediting", func(tx *sqlstore.Tx) error {
		answer, err = giveCredit(tx, credit, s.run.Load(), s.now(tx))
		s.callers(tx, credit.At, entered)(answer.Lease)
		return err
	})
	if err != nil {
		return CreditAnswer{}, err
	}
	return answer, nil
}

func giveCredit(tx *sqlstore.Tx, credit Credit, run uint32, now time.Time) (answer CreditAnswer, err error) {
	key := PostKey{Exchange: credit.Exchange, PingID: credit.PingID, BidID: credit.BidID}
	post, found, err := findPost(tx, key)
	if err != nil {
		return answer, err
	}
	same := post.key.BidID == key.BidID && post.key.Exchange == key.Exchange && post.key.PingID == key.PingID
	switch {
	case !found && credit.Outcome == pingpost.OutcomeVoided:
		fresh, err := insertPost(tx, key, nil, credit.At, "", pingpost.Voided, "")
		if err == nil && !fresh {
			err = errGuard
		}
		return answer, err
	case !found || !same:
		return answer, nil
	case post.withdraw:
		return CreditAnswer{Repeat: true}, nil
	case !post.accepted:
		return CreditAnswer{Found: true}, nil
	}
	if credit.Outcome == pingpost.OutcomeVoided {
		if err := withdraw(tx, post); err != nil {
			return answer, err
		}
	}
	var lead bought
	_, err = tx.Row(`SELECT id, price_cents, coalesce(lease, 0), credited FROM lead WHERE id = ?`,
		[]any{post.leadID}, &lead.id, &lead.price, &lead.lease, &lead.credited)
	if err != nil {
		return answer, err
	}
	if lead.credited != notCredited && !planted.Is(planted.CreditTwice) {
		return CreditAnswer{Found: true, Repeat: true}, nil
	}
	answer = CreditAnswer{Found: true, Credited: pingpost.Cents(lead.price)}
	if answer.Lease, err = lead.giveBack(tx); err != nil {
		return CreditAnswer{}, err
	}
	err = note(tx, entry{
		run: int64(run), at: now, kind: "credit", lease: lead.lease, lead: lead.id, cents: -lead.price, leads: -1,
	})
	if err != nil || answer.Lease == nil || planted.Is(planted.CreditLease) {
		return answer, err
	}
	return answer, note(tx, entry{run: int64(run), at: now, kind: "return", lease: lead.lease, cents: lead.price, leads: 1})
}

// withdraw takes an accepted post back: the lead was never the contractor's, and who may have it now is not to
// be called by them as well. What was delivered is; what is owed yet is not delivered.
func withdraw(tx *sqlstore.Tx, post stored) error {
	if err := mustHit(tx.Exec(`UPDATE post SET voided = 1 WHERE bid_id = ?`, post.key.BidID)); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM outbox WHERE lead = ? AND state = 'owed'`, post.leadID)
	return err
}

// bought is what a credit needs to know of a lead.
type bought struct {
	id       string
	price    int64
	lease    int64 // 0: the caps paid directly
	credited int
}

// giveBack undoes a charge in the caps that it was taken from, and in those that paid or counted the lead
// itself, or began with it: the windows of the bid. While the lease that paid is open, it gives them back what
// the lead took and may buy no more than before: a cap that is newer than it, and counts what it may still
// buy, would otherwise be passed by a lead of an hour before.
func (l *bought) giveBack(tx *sqlstore.Tx) (*budget.LeaseState, error) {
	if planted.Is(planted.ForgetUsed) {
		return nil, l.mark(tx, creditedLease)
	}
	lease, open, err := l.shrink(tx)
	if err != nil {
		return nil, err
	}
	closed := l.lease
	if open {
		closed = 0
	}
	_, err = tx.Exec(`UPDATE cap SET spent_cents = spent_cents - ?1, spent_leads = spent_leads - 1
		WHERE id IN (SELECT cap FROM lease_cap WHERE lease = ?2 UNION SELECT cap FROM lead_cap WHERE lead = ?3)`,
		l.price, closed, l.id)
	if err == nil {
		err = l.giveBackOpening(tx)
	}
	switch {
	case err != nil:
		return nil, err
	case open:
		return &lease, l.mark(tx, creditedLease)
	}
	return nil, l.mark(tx, creditedCaps)
}

// shrink takes a lead out of the lease that paid it, if that is open: out of what it used and what it holds.
func (l *bought) shrink(tx *sqlstore.Tx) (lease budget.LeaseState, open bool, err error) {
	back := room{l.price, 1}
	if planted.Is(planted.CreditLease) {
		back = room{}
	}
	lease, open, err = leaseRow(tx, `UPDATE lease SET used_cents = used_cents - ?1, used_leads = used_leads - 1,
		cents = cents - ?2, leads = leads - ?3, returned_cents = returned_cents + ?2, returned_leads = returned_leads + ?3,
		rev = rev + 1 WHERE id = ?4 AND state = 'open' RETURNING `+leaseColumns, l.price, back.cents, back.leads, l.lease)
	if err != nil || !open {
		return lease, open, err
	}
	_, err = tx.Exec(`UPDATE cap SET leased_cents = leased_cents - ?, leased_leads = leased_leads - ?
		WHERE id IN (SELECT cap FROM lease_cap WHERE lease = ?)`, back.cents, back.leads, l.lease)
	return lease, open, err
}

// giveBackOpening gives a lead back to the caps that are newer than it is: they began with it.
func (l *bought) giveBackOpening(tx *sqlstore.Tx) error {
	var line budget.Line
	var bidAt int64
	if _, err := tx.Row(`SELECT campaign, exchange, bid_at_ms FROM lead WHERE id = ?`, []any{l.id},
		&line.Campaign, &line.Exchange, &bidAt); err != nil {
		return err
	}
	rows, err := capsOver(tx, bidAt)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if window := row.window(); !window.holds(line, bidAt) {
			continue
		}
		_, err := tx.Exec(`UPDATE cap SET opening_cents = opening_cents - ?1, opening_leads = opening_leads - 1,
			spent_cents = spent_cents - ?1, spent_leads = spent_leads - 1
			WHERE id = ?2 AND NOT EXISTS (SELECT 1 FROM lease_cap WHERE lease = ?3 AND cap = ?2)
			AND NOT EXISTS (SELECT 1 FROM lead_cap WHERE lead = ?4 AND cap = ?2)`, l.price, row.id, l.lease, l.id)
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *bought) mark(tx *sqlstore.Tx, how int) error {
	if planted.Is(planted.CreditTwice) {
		_, err := tx.Exec(`UPDATE lead SET credited = ? WHERE id = ?`, how, l.id)
		return err
	}
	return mustHit(tx.Exec(`UPDATE lead SET credited = ? WHERE id = ? AND credited = 0`, how, l.id))
}
