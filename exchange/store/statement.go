package store

import (
	"context"
	"fmt"
	"time"

	"leadbid/exchange"
	"leadbid/pingpost"
)

// StatementLine is one charge to a buyer, or its return.
type StatementLine struct {
	PingID string         `json:"ping_id"`
	Date   time.Time      `json:"date"`
	Price  pingpost.Cents `json:"price"`
	Status string         `json:"status"` // sold or returned
}

// Statement lists what a buyer was charged and given back from since to until, in order; zero instants
// leave that side open.
func (s *Store) Statement(ctx context.Context, buyer string, since, until time.Time) (lines []StatementLine, err error) {
	end := micros(until)
	if until.IsZero() {
		end = 1 << 62
	}
	err = eachEvent(s.read(ctx), func(e *exchange.Event) error {
		if e.Buyer == buyer && (e.Kind == exchange.Sold || e.Kind == exchange.Returned) {
			lines = append(lines, StatementLine{string(e.Offer), e.At, e.Price, e.Kind.String()})
		}
		return nil
	}, `SELECT body FROM event WHERE at >= ? AND at < ? ORDER BY seq`, micros(since), end)
	if err != nil {
		return nil, fmt.Errorf("exchange/store: the statement of %q: %w", buyer, err)
	}
	return lines, nil
}
