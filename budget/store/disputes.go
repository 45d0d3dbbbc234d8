package store

import (
	"context"
	"fmt"

	"leadbid/internal/sqlstore"
)

// longestNote is how much of a dispute's note is kept.
const longestNote = 500

func (s *books) Dispute(ctx context.Context, dispute Dispute) (lead Lead, found bool, err error) {
	if dispute.Reason == "" || dispute.At.IsZero() {
		return Lead{}, false, fmt.Errorf("store: disputing: neither the reason nor the instant may be missing")
	}
	dispute.Note = kept(dispute.Note, longestNote)
	err = s.write(ctx, "disputing", func(tx *sqlstore.Tx) error {
		lead, found, err = noteDispute(tx, dispute)
		return err
	})
	if err != nil {
		return Lead{}, false, err
	}
	return lead, found, nil
}

func noteDispute(tx *sqlstore.Tx, dispute Dispute) (lead Lead, found bool, err error) {
	_, err = tx.Exec(`INSERT INTO dispute (lead, at_ms, reason, note)
		SELECT id, ?, ?, ? FROM lead WHERE id = ? AND credited = 0
		ON CONFLICT (lead) DO UPDATE SET reason = excluded.reason, note = excluded.note`,
		dispute.At.UnixMilli(), dispute.Reason, dispute.Note, dispute.LeadID)
	if err != nil {
		return lead, false, err
	}
	rows, err := tx.Query(`SELECT `+leadColumns+` FROM lead l WHERE l.id = ?`, dispute.LeadID)
	if err != nil {
		return lead, false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return lead, false, rows.Err()
	}
	return lead, true, scanLead(rows, &lead)
}
