package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"leadbid/exchange"
	"leadbid/internal/sqlstore"
)

// writeBatch writes a batch, or finds that the rows contradict it.
func writeBatch(tx *sqlstore.Tx, epoch int64, batch exchange.Batch) error {
	first, last := &batch.Events[0], &batch.Events[len(batch.Events)-1]
	err := must(tx, "the leader's epoch and sequence",
		`UPDATE leader SET seq = ?, at = ? WHERE epoch = ? AND seq = ?`,
		last.Seq, micros(last.At), epoch, first.Seq-1)
	if err != nil {
		return err
	}
	for _, lead := range batch.Leads {
		if err := writeLead(tx, lead); err != nil {
			return err
		}
	}
	steps := map[exchange.OfferID]int{} // before the batch
	for i := range batch.Events {
		e := &batch.Events[i]
		if _, seen := steps[e.Offer]; !seen {
			steps[e.Offer] = e.Step - 1
		}
		if err := writeEvent(tx, e); err != nil {
			return err
		}
	}
	for _, offer := range batch.Offers {
		if err := writeOffer(tx, offer, steps[offer.ID]); err != nil {
			return err
		}
	}
	return nil
}

// must runs a statement that has to hit exactly one row, within the constraints of the schema.
func must(tx *sqlstore.Tx, what, query string, args ...any) error {
	hit, err := tx.Exec(query, args...)
	if err = asAssertion(err, what); err != nil {
		return err
	}
	if hit != 1 {
		return fmt.Errorf("%w: %s: %d rows instead of one", ErrAssertion, what, hit)
	}
	return nil
}

// asAssertion tells a broken constraint from a failing database.
func asAssertion(err error, what string) error {
	var failure *sqlite.Error
	if errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_CONSTRAINT {
		return fmt.Errorf("%w: %s: %w", ErrAssertion, what, err)
	}
	return err
}

// writeEvent writes an event, the money it moved and the switch it turned.
func writeEvent(tx *sqlstore.Tx, e *exchange.Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("event %d: %w", e.Seq, err)
	}
	var offer, step any
	if e.Offer != "" {
		offer, step = string(e.Offer), e.Step
	}
	what := fmt.Sprintf("event %d", e.Seq)
	err = must(tx, what, `INSERT INTO event (seq, at, kind, offer, step, buyer, body)
		VALUES (?, ?, ?, ?, ?, ?, ?)`,
		e.Seq, micros(e.At), e.Kind.String(), offer, step, e.Buyer, string(body))
	if err != nil {
		return err
	}
	for place, entry := range e.Entries {
		for side, posting := range entry.Postings {
			err := must(tx, what, `INSERT INTO posting (seq, entry, side, offer, kind, account, owner, cents)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, e.Seq, place, side, offer, entry.Kind.String(),
				posting.Account.Kind.String(), posting.Account.Owner, int64(posting.Amount))
			if err != nil {
				return err
			}
			if err := move(tx, what, posting); err != nil {
				return err
			}
		}
	}
	return writeSwitch(tx, what, e)
}

// move changes a balance, under the condition that a wallet stays within its credit and nothing
// held goes below zero.
func move(tx *sqlstore.Tx, what string, posting exchange.Posting) error {
	kind, owner, cents := posting.Account.Kind.String(), posting.Account.Owner, int64(posting.Amount)
	hit, err := tx.Exec(`UPDATE account SET cents = cents + ? WHERE kind = ? AND owner = ?
		AND (kind NOT IN ('wallet', 'held') OR cents + ? + credit_limit >= 0)`, cents, kind, owner, cents)
	if err != nil || hit == 1 {
		return err
	}
	// A new account, or a condition that failed: then this insert meets the row, or its check.
	return must(tx, fmt.Sprintf("%s: %v by %v", what, posting.Account, posting.Amount),
		`INSERT INTO account (kind, owner, cents) VALUES (?, ?, ?)`, kind, owner, cents)
}

// writeSwitch writes what an event changes about a buyer.
func writeSwitch(tx *sqlstore.Tx, what string, e *exchange.Event) error {
	switch e.Kind {
	case exchange.ToppedUp:
		return must(tx, what, `INSERT INTO top_up (id, buyer, cents, seq) VALUES (?, ?, ?, ?)`,
			e.Detail, e.Buyer, int64(e.Price), e.Seq)
	case exchange.CreditLimitSet:
		return must(tx, what, `INSERT INTO account (kind, owner, cents, credit_limit) VALUES ('wallet', ?, 0, ?)
			ON CONFLICT (kind, owner) DO UPDATE SET credit_limit = excluded.credit_limit`, e.Buyer, int64(e.Price))
	case exchange.BuyerPaused, exchange.BuyerResumed:
		return must(tx, what, `INSERT INTO buyer (name, paused) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET paused = excluded.paused`, e.Buyer, e.Kind == exchange.BuyerPaused)
	case exchange.Held, exchange.Returned:
		if e.Day == "" {
			return nil
		}
		cents := int64(e.Price)
		if e.Kind == exchange.Returned {
			cents = -cents
		}
		return must(tx, what, `INSERT INTO day_use (buyer, day, cents) VALUES (?, ?, ?)
			ON CONFLICT (buyer, day) DO UPDATE SET cents = cents + excluded.cents`, e.Buyer, e.Day, cents)
	}
	return nil
}

// writeOffer moves an offer's row from the step before the batch to the one after it. An offer
// that has ended stays what it ended as.
func writeOffer(tx *sqlstore.Tx, o exchange.OfferState, before int) error {
	what := fmt.Sprintf("offer %q", o.ID)
	state := []any{
		micros(o.Touched), o.Step, o.End.String(), micros(o.EndAt), o.Settled, string(o.Next),
		o.Buyer, int64(o.Price), int64(o.Share), o.Reason.String(), o.Returned,
	}
	if before == 0 {
		return must(tx, what, `INSERT INTO offer (touched, step, ended, ended_at, settled, next,
			buyer, cents, share, reason, returned, id, root, seller, campaign, service, zip, body, opened)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			append(state, string(o.ID), string(o.Root), o.Seller, o.Campaign, o.Service, o.ZIP, o.Body, micros(o.Opened))...)
	}
	return must(tx, what, `UPDATE offer SET touched = ?, step = ?, ended = ?, ended_at = ?, settled = ?, next = ?,
		buyer = ?, cents = ?, share = ?, reason = ?, returned = ?
		WHERE id = ? AND step = ? AND (ended = '' OR ended = ?)`,
		append(state, string(o.ID), before, o.End.String())...)
}
