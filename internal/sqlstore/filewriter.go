package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// fileEngine makes transactions on the one write connection of a SQLite file.
type fileEngine struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

func newFileEngine(ctx context.Context, pool *sql.DB) (*fileEngine, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &fileEngine{conn: conn, prepared: map[string]*sql.Stmt{}}, nil
}

func (e *fileEngine) begin() (began, error) {
	_, err := e.exec("BEGIN IMMEDIATE", nil)
	return began{}, err
}

func (e *fileEngine) commit() error {
	_, err := e.exec("COMMIT", nil)
	return err
}

// abandon gives the file free. The outcome of a failed commit is the disk's secret.
func (e *fileEngine) abandon() { _, _ = e.conn.ExecContext(context.Background(), "ROLLBACK") }

func (e *fileEngine) exec(query string, args []any) (hit int64, err error) {
	stmt, err := e.prepare(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (e *fileEngine) query(query string, args []any) (Rows, error) {
	stmt, err := e.prepare(query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.Query(args...)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// later has nothing to wait for: the file is at hand.
func (e *fileEngine) later(query string, args []any, check func(hit int64) error) error {
	hit, err := e.exec(query, args)
	if err == nil && check != nil {
		err = check(hit)
	}
	return err
}

func (e *fileEngine) flush() error { return nil }
func (e *fileEngine) drop() bool   { return false }

func (e *fileEngine) prepare(query string) (*sql.Stmt, error) {
	if stmt, ok := e.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := e.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	e.prepared[query] = stmt
	return stmt, nil
}

func (e *fileEngine) fatal(err error) bool {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return false
	}
	switch failure.Code() & 0xff {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}

func (e *fileEngine) again(error) bool { return false }
func (e *fileEngine) lasting() bool    { return true }

func (e *fileEngine) close() error {
	var faults []error
	for _, stmt := range e.prepared {
		faults = append(faults, stmt.Close())
	}
	return errors.Join(append(faults, e.conn.Close())...)
}
