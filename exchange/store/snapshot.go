package store

import (
	"encoding/json"
	"fmt"
	"time"

	"leadbid/exchange"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

// querier is what rows are read through: the writer's transaction, or a reader's.
type querier interface {
	Query(query string, args ...any) (sqlstore.Rows, error)
}

// each runs a query and hands every row to scan.
func each(q querier, scan func(rows sqlstore.Rows) error, query string, args ...any) error {
	rows, err := q.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readSnapshot reads what a Market needs to go on.
func readSnapshot(q querier, now time.Time) (exchange.Snapshot, error) {
	var s exchange.Snapshot
	err := each(q, func(rows sqlstore.Rows) error {
		var at int64
		err := rows.Scan(&s.Seq, &at)
		s.Last = instant(at)
		return err
	}, `SELECT seq, at FROM leader`)
	if err != nil {
		return s, err
	}
	if s.Balances, err = readBalances(q); err != nil {
		return s, err
	}
	if s.Buyers, err = readBuyers(q); err != nil {
		return s, err
	}
	recent := micros(now.Add(-exchange.KeepFinished))
	s.TopUps, err = readEvents(q, `SELECT event.body FROM event JOIN top_up ON top_up.seq = event.seq
		WHERE event.at >= ? ORDER BY event.seq`, recent)
	if err != nil {
		return s, err
	}
	s.Offers, err = readHistories(q, `offer.settled = 0 OR offer.touched >= ?`, recent)
	return s, err
}

func readBalances(q querier) ([]exchange.Balance, error) {
	var balances []exchange.Balance
	err := each(q, func(rows sqlstore.Rows) error {
		var b exchange.Balance
		var kind string
		if err := rows.Scan(&kind, &b.Account.Owner, &b.Cents); err != nil {
			return err
		}
		balances = append(balances, b)
		return balances[len(balances)-1].Account.Kind.UnmarshalText([]byte(kind))
	}, `SELECT kind, owner, cents FROM account ORDER BY kind, owner`)
	return balances, err
}

// readBuyers reads what changes about buyers, by name.
func readBuyers(q querier) ([]exchange.BuyerState, error) {
	var buyers []exchange.BuyerState
	index := map[string]int{}
	err := each(q, func(rows sqlstore.Rows) error {
		var b exchange.BuyerState
		if err := rows.Scan(&b.Name, &b.CreditLimit, &b.Paused); err != nil {
			return err
		}
		index[b.Name] = len(buyers)
		buyers = append(buyers, b)
		return nil
	}, `SELECT name, coalesce(max(credit_limit), 0), coalesce(max(paused), 0) FROM (
			SELECT owner AS name, credit_limit, NULL AS paused FROM account WHERE kind = 'wallet'
			UNION ALL SELECT name, NULL, paused FROM buyer
			UNION ALL SELECT buyer, NULL, NULL FROM day_use
		) GROUP BY name ORDER BY name`)
	if err != nil {
		return nil, err
	}
	err = each(q, func(rows sqlstore.Rows) error {
		var name string
		var use exchange.DayUse
		if err := rows.Scan(&name, &use.Day, &use.Cents); err != nil {
			return err
		}
		b := &buyers[index[name]]
		b.Used = append(b.Used, use)
		return nil
	}, `SELECT buyer, day, cents FROM day_use AS u
		WHERE (SELECT count(*) FROM day_use WHERE buyer = u.buyer AND day > u.day) < 2 ORDER BY buyer, day`)
	return buyers, err
}

func readEvents(q querier, query string, args ...any) ([]exchange.Event, error) {
	var events []exchange.Event
	err := eachEvent(q, func(e *exchange.Event) error {
		events = append(events, *e)
		return nil
	}, query, args...)
	return events, err
}

// eachEvent hands every event of a query for bodies to do.
func eachEvent(q querier, do func(e *exchange.Event) error, query string, args ...any) error {
	return each(q, func(rows sqlstore.Rows) error {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return err
		}
		var e exchange.Event
		if err := json.Unmarshal(body, &e); err != nil {
			return fmt.Errorf("an event that is not one: %w", err)
		}
		return do(&e)
	}, query, args...)
}

// readHistories reads the offers that meet a condition, each with its timeline and its lead.
func readHistories(q querier, where string, args ...any) ([]exchange.History, error) {
	leads := map[exchange.OfferID]*exchange.Lead{}
	err := each(q, func(rows sqlstore.Rows) error {
		var scan leadScan
		if err := rows.Scan(scan.into()...); err != nil {
			return err
		}
		lead, err := scan.decode()
		if err == nil {
			leads[lead.Offer] = lead
		}
		return err
	}, `SELECT DISTINCT `+leadColumns+` FROM offer JOIN lead ON lead.offer = offer.root WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	var histories []exchange.History
	err = eachEvent(q, func(e *exchange.Event) error {
		last := len(histories) - 1
		if last < 0 || histories[last].Events[0].Offer != e.Offer {
			histories = append(histories, exchange.History{Lead: leads[e.Root]})
			last++
		}
		histories[last].Events = append(histories[last].Events, *e)
		return nil
	}, `SELECT event.body FROM offer JOIN event ON event.offer = offer.id
		WHERE `+where+` ORDER BY offer.id, event.step`, args...)
	if err != nil {
		return nil, err
	}
	for _, history := range histories {
		if history.Lead == nil {
			return nil, fmt.Errorf("offer %q has no lead", history.Events[0].Offer)
		}
	}
	return histories, nil
}

// offerColumns are what scanOffer reads.
const offerColumns = `offer.id, offer.root, offer.seller, offer.campaign, offer.service, offer.zip, offer.body,
	offer.opened, offer.touched, offer.step, offer.ended, offer.ended_at, offer.settled, offer.next,
	offer.buyer, offer.cents, offer.share, offer.reason, offer.returned`

func scanOffer(rows sqlstore.Rows, more ...any) (o exchange.OfferState, err error) {
	var opened, touched, endAt int64
	var ended, reason string
	columns := []any{
		&o.ID, &o.Root, &o.Seller, &o.Campaign, &o.Service, &o.ZIP, &o.Body,
		&opened, &touched, &o.Step, &ended, &endAt, &o.Settled, &o.Next,
		&o.Buyer, &o.Price, &o.Share, &reason, &o.Returned,
	}
	if err := rows.Scan(append(columns, more...)...); err != nil {
		return o, err
	}
	o.Opened, o.Touched, o.EndAt = instant(opened), instant(touched), instant(endAt)
	if err := o.End.UnmarshalText([]byte(ended)); err != nil {
		return o, err
	}
	o.Reason, _ = pingpost.ParseReason(reason)
	return o, nil
}
