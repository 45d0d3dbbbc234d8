package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"leadbid/internal/planted"
)

// writer is the one goroutine that writes. Callers queue jobs; it takes what has gathered while
// the last commit was under way, runs it in one transaction, commits once, and answers all.
//
// A savepoint for each job would cost a third of a small one. So a transaction begins without; when
// a job of it has to be undone, all of it is, and is run again with savepoints, as are the next ones.
type writer struct {
	conn    *sql.Conn
	tx      Tx
	batch   []*job
	limit   int
	careful int // transactions to run with savepoints from the start

	mu     sync.RWMutex // guards closed, and queue against sending after it was closed
	closed bool
	queue  chan *job
	broken atomic.Pointer[error] // why nothing more is written, once the disk has failed
	done   chan struct{}
	err    error // of closing the connection; read after done
}

// job is one write. claimed decides between the writer that begins with it and the caller that
// stops waiting: whoever sets it first.
type job struct {
	do      func(*Tx) error
	claimed atomic.Bool
	err     error
	answer  chan error
}

func startWriter(ctx context.Context, pool *sql.DB, opts Options) (*writer, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		conn: conn, limit: opts.Batch, queue: make(chan *job, opts.Queue), done: make(chan struct{}),
		tx: Tx{conn: conn, prepared: map[string]*sql.Stmt{}, known: map[any]any{}},
	}
	go w.run()
	return w, nil
}

func (w *writer) refusal() error {
	if err := w.broken.Load(); err != nil {
		return fmt.Errorf("%w: an earlier write failed: %w", ErrAway, *err)
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return fmt.Errorf("%w: closed", ErrAway)
	}
	return nil
}

func (w *writer) write(ctx context.Context, do func(*Tx) error) error {
	j := &job{do: do, answer: make(chan error, 1)}
	if err := w.enqueue(ctx, j); err != nil {
		return err
	}
	select {
	case err := <-j.answer:
		return err
	case <-ctx.Done():
		if j.claimed.CompareAndSwap(false, true) {
			return fmt.Errorf("%w: waiting for the writer: %w", ErrAway, ctx.Err())
		}
		return <-j.answer
	}
}

func (w *writer) enqueue(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	if err := w.broken.Load(); err != nil {
		return fmt.Errorf("%w: an earlier write failed: %w", ErrAway, *err)
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return fmt.Errorf("%w: closed", ErrAway)
	}
	select {
	case w.queue <- j:
		return nil
	default:
		return fmt.Errorf("%w: %d writes are waiting already", ErrAway, cap(w.queue))
	}
}

func (w *writer) close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.done
	return w.err
}

func (w *writer) run() {
	defer close(w.done)
	for first := range w.queue {
		w.gather(first)
		w.answer(w.transact())
	}
	w.err = errors.Join(w.tx.close(), w.conn.Close())
}

// gather claims the first job and whatever else is queued, up to the limit.
func (w *writer) gather(first *job) {
	w.batch = w.batch[:0]
	w.claim(first)
	for len(w.batch) < w.limit {
		select {
		case next, ok := <-w.queue:
			if !ok {
				return
			}
			w.claim(next)
		default:
			return
		}
	}
}

func (w *writer) claim(j *job) {
	if j.claimed.CompareAndSwap(false, true) {
		w.batch = append(w.batch, j)
	}
}

// transact runs the batch in one transaction. An error means that the whole batch failed, and
// with it the writer.
func (w *writer) transact() error {
	if len(w.batch) == 0 {
		return nil
	}
	if err := w.broken.Load(); err != nil {
		return *err
	}
	begun, err := w.commit()
	// Somebody else who holds the file's lock for too long, with a shell or a backup, harms these
	// writes only: nothing of them has begun.
	if err != nil && (begun || w.tx.fault != nil) {
		w.broken.Store(&err)
		// The outcome of a failed commit is the disk's secret; rolling back only gives the file free.
		_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK")
	}
	return err
}

// carefulFor is how many transactions keep savepoints after one that needed them: what is refused
// once is refused again soon, and a transaction that runs twice costs more than its savepoints.
const carefulFor = 16

// errPlain stops a transaction without savepoints in which a job has to be undone.
var errPlain = errors.New("sqlstore: the job runs again within a savepoint")

func (w *writer) commit() (begun bool, err error) {
	w.tx.savepoints = w.careful > 0
	w.careful = max(w.careful-1, 0)
	begun, err = w.attempt()
	if !errors.Is(err, errPlain) {
		return begun, err
	}
	if _, err := w.tx.Exec("ROLLBACK"); err != nil {
		return true, fmt.Errorf("undoing a transaction: %w", err)
	}
	w.tx.savepoints, w.careful = true, carefulFor
	return w.attempt()
}

func (w *writer) attempt() (begun bool, err error) {
	clear(w.tx.known)
	if _, err := w.tx.Exec("BEGIN IMMEDIATE"); err != nil {
		return false, fmt.Errorf("beginning a transaction: %w", err)
	}
	for _, j := range w.batch {
		if err := w.do(j); err != nil {
			return true, err
		}
	}
	if planted.Is(planted.ReplyBeforeSync) {
		w.answer(nil)
	}
	if _, err := w.tx.Exec("COMMIT"); err != nil {
		return true, fmt.Errorf("committing: %w", err)
	}
	return true, nil
}

// do runs one job of the transaction. An error means that the transaction cannot go on.
func (w *writer) do(j *job) error {
	if w.tx.savepoints {
		if _, err := w.tx.Exec("SAVEPOINT job"); err != nil {
			return fmt.Errorf("setting a savepoint: %w", err)
		}
	}
	if j.err = j.do(&w.tx); w.tx.fault != nil {
		return w.tx.fault
	}
	if j.err != nil {
		if err := w.tx.Undo(); err != nil {
			return fmt.Errorf("undoing a write: %w", err)
		}
	}
	if w.tx.savepoints {
		if _, err := w.tx.Exec("RELEASE job"); err != nil {
			return fmt.Errorf("releasing a savepoint: %w", err)
		}
	}
	return nil
}

func (w *writer) answer(failed error) {
	for i, j := range w.batch {
		if failed != nil {
			j.err = fmt.Errorf("%w: %w", ErrAway, failed)
		}
		j.answer <- j.err
		w.batch[i] = nil
	}
}

// Tx is the writer's transaction as one job sees it. Statements are prepared once and kept for the
// life of the DB, so their text must come from a small fixed set. A Tx is valid only during the
// call that it was handed to.
type Tx struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt

	savepoints bool        // one at the beginning of each job
	known      map[any]any // of Remember
	fault      error       // a failure of the disk, whatever the job made of it
}

// Undo undoes everything that the job wrote so far. The job goes on where err is nil, and must
// return err where it is not: it may be run again from its beginning.
func (tx *Tx) Undo() error {
	if !tx.savepoints {
		return errPlain
	}
	clear(tx.known)
	_, err := tx.Exec("ROLLBACK TO job")
	return err
}

// Remember keeps what the job knows of rows that nobody else writes, for jobs after it in the same
// transaction. It is forgotten when the transaction ends and when any job is undone. The key is of
// a type of the caller's own.
func (tx *Tx) Remember(key, value any) { tx.known[key] = value }

// Recall gives what was remembered, or nil.
func (tx *Tx) Recall(key any) any { return tx.known[key] }

// Exec runs a statement that returns no rows and tells how many rows it hit.
func (tx *Tx) Exec(query string, args ...any) (hit int64, err error) {
	stmt, err := tx.prepare(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.Exec(args...)
	if err != nil {
		return 0, tx.note(err)
	}
	return result.RowsAffected()
}

// Insert runs an INSERT and tells the rowid of the new row.
func (tx *Tx) Insert(query string, args ...any) (id int64, err error) {
	stmt, err := tx.prepare(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.Exec(args...)
	if err != nil {
		return 0, tx.note(err)
	}
	return result.LastInsertId()
}

// Row runs a query for at most one row and scans it; found is false where there is none.
func (tx *Tx) Row(query string, args []any, into ...any) (found bool, err error) {
	stmt, err := tx.prepare(query)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRow(args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, tx.note(err)
}

// Query runs a query. The rows must be closed before the next statement of the job runs.
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	stmt, err := tx.prepare(query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.Query(args...)
	return rows, tx.note(err)
}

func (tx *Tx) prepare(query string) (*sql.Stmt, error) {
	if stmt, ok := tx.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := tx.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, tx.note(err)
	}
	tx.prepared[query] = stmt
	return stmt, nil
}

// note remembers an error that says that the file can no longer be trusted with a commit.
func (tx *Tx) note(err error) error {
	var failure *sqlite.Error
	if err == nil || tx.fault != nil || !errors.As(err, &failure) {
		return err
	}
	switch failure.Code() & 0xff {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
		tx.fault = err
	}
	return err
}

func (tx *Tx) close() error {
	var faults []error
	for _, stmt := range tx.prepared {
		faults = append(faults, stmt.Close())
	}
	return errors.Join(faults...)
}
