package store

import (
	"context"
	"time"

	"leadbid/internal/sqlstore"
)

func (s *books) Keep(ctx context.Context, name string, at time.Time, body []byte) error {
	return s.write(ctx, "keeping "+name, func(tx *sqlstore.Tx) error {
		_, err := tx.Exec(`INSERT INTO kept (name, at_ms, body) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms, body = excluded.body WHERE excluded.at_ms >= kept.at_ms`,
			name, at.UnixMilli(), body)
		return err
	})
}

func (s *books) Kept(ctx context.Context, name string) (body []byte, at time.Time, err error) {
	err = s.each(ctx, `SELECT body, at_ms FROM kept WHERE name = ?`, []any{name}, func(rows sqlstore.Rows) error {
		var ms int64
		err := rows.Scan(&body, &ms)
		at = instant(ms)
		return err
	})
	if err != nil {
		return nil, time.Time{}, unread("reading "+name, err)
	}
	return body, at, nil
}
