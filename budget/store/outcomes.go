package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

func (s *books) Outcomes(ctx context.Context, outcomes []Outcome) (answers []OutcomeAnswer, err error) {
	for i := range outcomes {
		if err := outcomes[i].check(); err != nil {
			return nil, fmt.Errorf("store: noting an outcome: %w", err)
		}
	}
	err = s.write(ctx, "noting outcomes", func(tx *sqlstore.Tx) error {
		answers = answers[:0]
		for i := range outcomes {
			answer, err := noteOutcome(tx, &outcomes[i])
			if err != nil {
				return err
			}
			answers = append(answers, answer)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

func (o *Outcome) check() error {
	switch {
	case !slices.Contains(OutcomeKinds, o.Kind):
		return fmt.Errorf("%q is no kind", o.Kind)
	case o.Amount < 0:
		return fmt.Errorf("an amount of %v", o.Amount)
	case o.Known.IsZero() && o.Told.IsZero():
		return fmt.Errorf("nobody said when it was known or told")
	}
	return nil
}

// KnownAt is since when an outcome is known of a lead that was bought at an instant.
func (o *Outcome) KnownAt(bought time.Time) time.Time {
	if !o.Known.IsZero() {
		return o.Known
	}
	if !o.At.IsZero() {
		bought = o.At
	}
	if known := bought.Add(o.KnownAfter); known.Before(o.Told) {
		return known
	}
	return o.Told
}

func noteOutcome(tx *sqlstore.Tx, o *Outcome) (answer OutcomeAnswer, err error) {
	var at int64
	for _, id := range []string{o.LeadID, o.BidID, o.PingID, o.Exchange} {
		if strings.ContainsRune(id, 0) || !utf8.ValidString(id) {
			return answer, nil // no lead has such an id, and PostgreSQL would not even look for it
		}
	}
	found := false
	for _, by := range []struct {
		where string
		args  []any
	}{
		{`id = ?`, []any{o.LeadID}},
		{`id = (SELECT lead FROM post WHERE bid_id = ?)`, []any{o.BidID}},
		{`id = (SELECT lead FROM post WHERE exchange = ? AND ping_id = ?)`, []any{o.Exchange, o.PingID}},
	} {
		if by.args[len(by.args)-1] == "" {
			continue
		}
		found, err = tx.Row(`SELECT id, at_ms FROM lead WHERE `+by.where, by.args, &answer.LeadID, &at)
		if err != nil || !found {
			return OutcomeAnswer{}, err
		}
		break
	}
	if !found {
		return OutcomeAnswer{}, nil
	}
	hit, err := tx.Exec(`INSERT INTO outcome (lead, kind, cents, at_ms, known_ms) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (lead, kind) DO UPDATE SET cents = ?3, at_ms = ?4, known_ms = ?5
		WHERE outcome.cents <> ?3 OR outcome.at_ms <> ?4`,
		answer.LeadID, o.Kind, int64(o.Amount), milliseconds(o.At), o.KnownAt(instant(at)).UnixMilli())
	answer.Repeat = hit == 0
	return answer, err
}

func (s *books) Ended(ctx context.Context, known time.Time, max int) (ended []Ended, err error) {
	by := known.UnixMilli()
	of := map[string]int{} // the place of a lead in ended
	err = s.each(ctx, `SELECT id, at_ms, body FROM lead WHERE credited = 0
		AND at_ms >= (SELECT min(at_ms) FROM lead WHERE id IN (SELECT lead FROM outcome WHERE known_ms <= ?))
		AND at_ms <= (SELECT max(at_ms) FROM lead WHERE id IN (SELECT lead FROM outcome WHERE known_ms <= ?))
		ORDER BY at_ms DESC, id DESC LIMIT ?`, []any{by, by, max}, func(rows sqlstore.Rows) error {
		var e Ended
		var at int64
		var body string
		if err := rows.Scan(&e.LeadID, &at, &body); err != nil {
			return err
		}
		var r record
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			return fmt.Errorf("lead %s: the row of a lead is not readable", e.LeadID)
		}
		e.At, e.ZIP, e.Source = instant(at), r.ZIP, r.Source
		e.Service, _ = pingpost.ParseService(r.Service)
		e.Job, _ = pingpost.ParseJob(r.Job)
		of[e.LeadID] = len(ended)
		ended = append(ended, e)
		return nil
	})
	if err == nil && len(ended) > 0 {
		err = s.each(ctx, `SELECT o.lead, o.kind, o.cents, o.at_ms, o.known_ms FROM outcome o WHERE o.known_ms <= ?`,
			[]any{by}, func(rows sqlstore.Rows) error {
				var o Outcome
				var at, known int64
				if err := rows.Scan(&o.LeadID, &o.Kind, centsInto(&o.Amount), &at, &known); err != nil {
					return err
				}
				o.At, o.Known = instant(at), instant(known)
				if place, listed := of[o.LeadID]; listed {
					ended[place].Outcomes = append(ended[place].Outcomes, o)
				}
				return nil
			})
	}
	if err != nil {
		return nil, unread("listing ended leads", err)
	}
	for i := range ended {
		slices.SortFunc(ended[i].Outcomes, func(a, b Outcome) int { return cmp.Compare(a.rank(), b.rank()) })
	}
	return ended, nil
}

func (o *Outcome) rank() int { return slices.Index(OutcomeKinds, o.Kind) }

// posted reads the accepted posts from the leads, whose instants have an index.
const posted = `SELECT exchange, '', count(*) FROM lead WHERE at_ms >= ?1 GROUP BY exchange
	UNION ALL SELECT exchange, reason, count(*) FROM post
	WHERE accepted = 0 AND body_hash IS NOT NULL AND at_ms >= ?1 GROUP BY exchange, reason`

func (s *books) Posted(ctx context.Context, since time.Time) (list []Posted, err error) {
	err = s.each(ctx, posted, []any{since.UnixMilli()}, func(rows sqlstore.Rows) error {
		var p Posted
		var reason string
		if err := rows.Scan(&p.Exchange, &reason, &p.Posts); err != nil {
			return err
		}
		if reason != "" {
			if err := p.Reason.UnmarshalText([]byte(reason)); err != nil {
				return err
			}
		}
		list = append(list, p)
		return nil
	})
	if err != nil {
		return nil, unread("counting posts", err)
	}
	slices.SortFunc(list, comparePosted)
	return list, nil
}

func comparePosted(a, b Posted) int {
	return cmp.Or(cmp.Compare(a.Exchange, b.Exchange), cmp.Compare(a.Reason, b.Reason))
}
