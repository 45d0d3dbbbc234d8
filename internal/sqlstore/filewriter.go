package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// fileEngine makes transactions on the one write connection of a SQLite file.
type fileEngine struct {
	conn     *sql.Conn
	executed map[string]driver.Stmt
	queried  map[string]*sql.Stmt
	values   []driver.NamedValue // of the statement that is executed
}

func newFileEngine(ctx context.Context, pool *sql.DB) (*fileEngine, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &fileEngine{conn: conn, executed: map[string]driver.Stmt{}, queried: map[string]*sql.Stmt{}}, nil
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

// exec goes past database/sql, to the driver: what that does for a statement costs a tenth of a charge.
func (e *fileEngine) exec(query string, args []any) (hit int64, err error) {
	e.values = e.values[:0]
	for i, arg := range args {
		e.values = append(e.values, driver.NamedValue{Ordinal: i + 1, Value: plainValue(arg)})
	}
	err = e.conn.Raw(func(conn any) error {
		stmt, err := e.direct(conn.(driver.ConnPrepareContext), query)
		if err != nil {
			return err
		}
		result, err := stmt.ExecContext(context.Background(), e.values)
		if err != nil {
			return err
		}
		hit, err = result.RowsAffected()
		return err
	})
	return hit, err
}

func (e *fileEngine) direct(conn driver.ConnPrepareContext, query string) (driver.StmtExecContext, error) {
	if stmt, ok := e.executed[query]; ok {
		return stmt.(driver.StmtExecContext), nil
	}
	stmt, err := conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	e.executed[query] = stmt
	return stmt.(driver.StmtExecContext), nil
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
func (e *fileEngine) later(query string, args []any, check func(hit int64) error) (sent bool, err error) {
	hit, err := e.exec(query, args)
	if err == nil && check != nil {
		err = check(hit)
	}
	return true, err
}

func (e *fileEngine) flush() error { return nil }
func (e *fileEngine) drop() bool   { return false }

func (e *fileEngine) prepare(query string) (*sql.Stmt, error) {
	if stmt, ok := e.queried[query]; ok {
		return stmt, nil
	}
	stmt, err := e.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	e.queried[query] = stmt
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
	for _, stmt := range e.executed {
		faults = append(faults, stmt.Close())
	}
	for _, stmt := range e.queried {
		faults = append(faults, stmt.Close())
	}
	return errors.Join(append(faults, e.conn.Close())...)
}
