package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"leadbid/internal/sqlstore"
)

// longestError is how much of a delivery's error is kept.
const longestError = 300

const leadColumns = `l.id, l.exchange, l.campaign, l.ping_id, l.bid_id, l.price_cents, l.at_ms, l.credited > 0, l.body,
	(SELECT count(*) FROM outbox o WHERE o.lead = l.id),
	(SELECT count(*) FROM outbox o WHERE o.lead = l.id AND o.state = 'done'),
	(SELECT count(*) FROM outbox o WHERE o.lead = l.id AND o.state = 'dead'),
	coalesce((SELECT d.at_ms FROM dispute d WHERE d.lead = l.id), 0),
	coalesce((SELECT d.reason FROM dispute d WHERE d.lead = l.id), ''),
	coalesce((SELECT d.note FROM dispute d WHERE d.lead = l.id), ''),
	coalesce((SELECT max(e.at_ms) FROM entry e WHERE e.lead = l.id AND e.kind = 'credit'), 0)`

const dueDeliveries = `SELECT o.n, o.target, o.attempts, o.error, o.first_ms, ` + leadColumns + `
	FROM outbox o JOIN lead l ON l.id = o.lead
	WHERE o.state = 'owed' AND o.next_ms <= ?1 AND o.claimed_until_ms NOT BETWEEN ?1 + 1 AND ?1 + 60000 ORDER BY o.next_ms, o.lead, o.n LIMIT ?2`

// scanLead reads leadColumns, after what comes before them.
func scanLead(rows sqlstore.Rows, l *Lead, before ...any) error {
	var at, disputed, returned int64
	var body string
	into := append(before, &l.ID, &l.Exchange, &l.Campaign, &l.PingID, &l.BidID, centsInto(&l.Price), &at,
		&l.Returned, &body, &l.Owed, &l.Delivered, &l.Dead, &disputed, &l.Dispute.Reason, &l.Dispute.Note,
		&returned)
	if err := rows.Scan(into...); err != nil {
		return err
	}
	var err error
	if l.Post, err = decodeLead(body); err != nil {
		return fmt.Errorf("lead %s: %w", l.ID, err)
	}
	l.At, l.Dispute.At, l.ReturnedAt = instant(at), instant(disputed), instant(returned)
	if disputed != 0 {
		l.Dispute.LeadID = l.ID
	}
	l.Post.Exchange, l.Post.PingID, l.Post.BidID = l.Exchange, l.PingID, l.BidID
	return nil
}

// returnable begins at the disputes and dead letters, which are few, and not at the leads.
const returnable = `l.credited = 0 AND l.id IN (SELECT lead FROM dispute UNION
	SELECT o.lead FROM outbox o WHERE o.state = 'dead' AND NOT EXISTS (
		SELECT 1 FROM outbox other WHERE other.lead = o.lead AND other.state <> 'dead'))`

func (s *books) Leads(ctx context.Context, filter LeadFilter) (leads []Lead, err error) {
	conditions, args := []string{"l.at_ms >= ?"}, []any{milliseconds(filter.Since)}
	for _, c := range []struct{ column, value string }{
		{"l.id", filter.ID}, {"l.campaign", filter.Campaign}, {"l.exchange", filter.Exchange},
	} {
		if c.value != "" {
			conditions, args = append(conditions, c.column+" = ?"), append(args, c.value)
		}
	}
	if filter.Returnable {
		conditions = append(conditions, returnable)
	}
	limit := filter.Max
	if limit <= 0 {
		limit = 100
	}
	query := `SELECT ` + leadColumns + ` FROM lead l WHERE ` + strings.Join(conditions, " AND ") +
		` ORDER BY l.at_ms DESC, l.id DESC LIMIT ?`
	err = s.each(ctx, query, append(args, limit), func(rows sqlstore.Rows) error {
		var lead Lead
		if err := scanLead(rows, &lead); err != nil {
			return err
		}
		leads = append(leads, lead)
		return nil
	})
	if err != nil {
		return nil, unread("listing leads", err)
	}
	return leads, nil
}

// each runs a query outside of the writer.
func (s *books) each(ctx context.Context, query string, args []any, row func(sqlstore.Rows) error) error {
	return s.db.Reader(ctx).Each(query, args, row)
}

func (s *books) Due(ctx context.Context, now time.Time, max int) (due []Delivery, err error) {
	reach := max + s.claims.count() // past those that are claimed
	err = s.each(ctx, dueDeliveries, []any{now.UnixMilli(), reach}, func(rows sqlstore.Rows) error {
		var d Delivery
		var n, first int64
		if err := scanLead(rows, &d.Lead, &n, &d.Target, &d.Attempts, &d.Error, &first); err != nil {
			return err
		}
		d.ID = deliveryID(d.Lead.ID, n)
		d.LeadID, d.Campaign, d.FirstAt = d.Lead.ID, d.Lead.Campaign, instant(first)
		if len(due) < max && !s.claims.has(d.ID, now) {
			due = append(due, d)
		}
		return nil
	})
	if err != nil {
		return nil, unread("listing deliveries", err)
	}
	return due, nil
}

// deliveryID is what the receiver of a webhook sees as the webhook-id: it has no point in it, which the
// signature's format forbids, and nothing of the target's name, which is free text and might not even
// fit into a header.
func deliveryID(lead string, n int64) string { return lead + "-" + strconv.FormatInt(n, 10) }

// deliveryOf reads it back. Of what is none, it gives a lead that none has.
func deliveryOf(id string) (lead string, n int64) {
	at := max(strings.LastIndexByte(id, '-'), 0)
	n, err := strconv.ParseInt(strings.TrimPrefix(id[at:], "-"), 10, 64)
	if err != nil || deliveryID(id[:at], n) != id {
		return "", 0
	}
	return id[:at], n
}

func (s *books) Attempted(ctx context.Context, result Attempt) error {
	state := "owed"
	switch {
	case result.Done:
		state = "done"
	case result.Dead:
		state = "dead"
	case result.Next.IsZero():
		return fmt.Errorf("store: noting an attempt: neither done nor dead, and no next one")
	}
	done := number(result.Done)
	fault := kept(result.Error, longestError)
	lead, n := deliveryOf(result.ID)
	err := s.write(ctx, "noting an attempt", func(tx *sqlstore.Tx) error {
		_, err := tx.Exec(`UPDATE outbox SET state = ?1, attempts = attempts + 1, error = ?2, next_ms = ?3, claimed_until_ms = 0
			WHERE lead = ?4 AND n = ?5 AND state <> 'done' AND (CAST(?6 AS BIGINT) = 1
				OR state = 'owed' AND (CAST(?7 AS BIGINT) = 0 OR attempts < CAST(?7 AS BIGINT)))`,
			state, fault, milliseconds(result.Next), lead, n, done, result.Number)
		return err
	})
	if err == nil {
		s.claims.end(result.ID)
	}
	return err
}

// counts reads no row of a large table, but only indexes made for it.
const counts = `SELECT
	(SELECT count(*) FROM lead), (SELECT count(*) FROM lead WHERE credited > 0),
	(SELECT count(*) FROM post WHERE accepted = 0),
	(SELECT CAST(coalesce(sum(price_cents), 0) AS BIGINT) FROM lead),
	(SELECT CAST(coalesce(sum(price_cents), 0) AS BIGINT) FROM lead WHERE credited > 0),
	(SELECT count(*) FROM dispute WHERE (SELECT credited FROM lead WHERE id = dispute.lead) = 0),
	(SELECT count(*) FROM outbox WHERE state = 'owed'),
	(SELECT count(*) FROM outbox) - (SELECT count(*) FROM outbox WHERE state = 'owed')
		- (SELECT count(*) FROM outbox WHERE state = 'dead'),
	(SELECT count(*) FROM outbox WHERE state = 'dead'), (SELECT count(*) FROM lease WHERE state = 'open')`

func (s *books) Counts(ctx context.Context) (c Counts, err error) {
	_, err = s.db.Reader(ctx).Row(counts, nil, &c.Leads, &c.Returned, &c.Refused, centsInto(&c.Charged),
		centsInto(&c.Credited), &c.Disputed, &c.Owed, &c.Delivered, &c.Dead, &c.OpenLeases)
	if err != nil {
		return Counts{}, unread("counting", err)
	}
	return c, nil
}
