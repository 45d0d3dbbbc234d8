package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
)

// Reader reads what was committed, beside the writer and outside of it. It refuses to write.
type Reader struct {
	ctx context.Context
	on  interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
	form func(query string) string
}

// ReadWithin gives a reader that sees what a transaction on a SQLite file sees, what it has written
// itself included.
func ReadWithin(ctx context.Context, tx *sql.Tx) Reader { return Reader{ctx, tx, asWritten} }

// asWritten is the form of statements on a file: they are written in its own.
func asWritten(query string) string { return query }

// Reader gives a reader whose every query sees what was committed when it began.
func (db *DB) Reader(ctx context.Context) Reader { return Reader{ctx, db.reading, db.form} }

// Snapshot hands read a reader whose queries all see what was committed at one instant.
func (db *DB) Snapshot(ctx context.Context, read func(Reader) error) error {
	tx, err := db.reading.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: db.snapshots})
	if err != nil {
		return fmt.Errorf("beginning to read: %w", err)
	}
	defer tx.Rollback()
	return read(Reader{ctx, tx, db.form})
}

// Query runs a query.
func (r Reader) Query(query string, args ...any) (Rows, error) {
	rows, err := r.on.QueryContext(r.ctx, r.form(query), args...)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Row runs a query for at most one row and scans it; found is false where there is none.
func (r Reader) Row(query string, args []any, into ...any) (found bool, err error) {
	rows, err := r.Query(query, args...)
	if err != nil {
		return false, err
	}
	return scanOne(rows, into)
}

// Each runs a query and hands each of its rows to row.
func (r Reader) Each(query string, args []any, row func(Rows) error) error {
	rows, err := r.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scanOne(rows Rows, into []any) (found bool, err error) {
	if found = rows.Next(); found {
		err = rows.Scan(into...)
	}
	err = cmp.Or(err, rows.Err(), rows.Close())
	return found && err == nil, err
}
