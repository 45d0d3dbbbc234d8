package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leadbid/internal/planted"
)

// engine is the one connection that a writer's transactions are made on, one after another.
type engine interface {
	// begin begins a transaction that no other writer's can overtake.
	begin() (began, error)
	commit() error
	// abandon leaves no transaction open, whatever went wrong.
	abandon()

	exec(query string, args []any) (hit int64, err error)
	query(query string, args []any) (Rows, error)
	// later runs a statement with the next one that is waited for, in the same round trip where
	// there are any; check hears how many rows it hit.
	later(query string, args []any, check func(hit int64) error) (sent bool, err error)
	// flush waits for what later has put off; drop forgets it, and is false where nothing is ever put off.
	flush() error
	drop() bool

	// fatal tells whether an error says that the connection can no longer be trusted with a commit.
	fatal(err error) bool
	// again tells whether an error means that the same transaction may well succeed now.
	again(err error) bool
	// lasting tells whether a transaction that failed is a reason to refuse all others.
	lasting() bool
	close() error
}

// began is what is known of a transaction's beginning: the database's clock, where it has one of
// its own, and an instant before which that was read.
type began struct {
	clock time.Time
	after time.Time
}

// Rows are the rows of a query, one at a time. They must be closed.
type Rows interface {
	Next() bool
	Scan(into ...any) error
	Err() error
	Close() error
}

// writer is the one goroutine that writes. Callers queue jobs; it takes what has gathered while
// the last commit was under way, runs it in one transaction, commits once, and answers all.
//
// A savepoint for each job would cost a third of a small one. So a transaction begins without; when
// a job of it has to be undone, all of it is, and is run again with savepoints, as are the next ones.
type writer struct {
	engine  engine
	tx      Tx
	batch   []*job
	put     []*job // off to the next batch, since this one took too long
	limit   int
	longest time.Duration
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
	taken   bool // the writer has claimed it; for the writer's goroutine
	err     error
	answer  chan error
}

// claim is the writer's: from now on the caller waits for the outcome. false means that it has left.
func (j *job) claim() bool {
	j.taken = j.taken || j.claimed.CompareAndSwap(false, true)
	return j.taken
}

func startWriter(e engine, opts Options) *writer {
	w := &writer{
		engine: e, limit: opts.Batch, longest: opts.Longest,
		queue: make(chan *job, opts.Queue), done: make(chan struct{}),
	}
	w.tx.engine, w.tx.known = e, map[any]any{}
	go w.run()
	return w
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
	for w.gather() {
		w.answer(w.transact())
	}
	w.err = w.engine.close()
}

// gather waits for a job and takes whatever else is queued, up to the limit. false means that no
// more will come.
func (w *writer) gather() bool {
	w.batch, w.put = append(w.batch[:0], w.put...), w.put[:0]
	if len(w.batch) == 0 {
		first, ok := <-w.queue
		if !ok {
			return false
		}
		w.batch = append(w.batch, first)
	}
	for len(w.batch) < w.limit {
		select {
		case next, ok := <-w.queue:
			if !ok {
				return true
			}
			w.batch = append(w.batch, next)
		default:
			return true
		}
	}
	return true
}

// tries is how often a transaction is begun that the database asks to repeat.
const tries = 4

// transact runs the batch in one transaction. An error means that the whole batch failed, and
// with it, on a file, the writer.
func (w *writer) transact() (err error) {
	if err := w.broken.Load(); err != nil {
		return *err
	}
	var begun bool
	for try := 1; ; try++ {
		w.tx.fault = nil
		if begun, err = w.commit(); err == nil {
			return nil
		}
		w.engine.abandon()
		if try == tries || !w.engine.again(err) {
			break
		}
	}
	// Somebody else who holds the file's lock for too long, with a shell or a backup, harms these
	// writes only: nothing of them has begun.
	if w.engine.lasting() && (begun || w.tx.fault != nil) {
		w.broken.Store(&err)
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
	w.engine.abandon()
	w.tx.savepoints, w.careful = true, carefulFor
	return w.attempt()
}

// finish does what jobs have put off to the transaction's end.
func (w *writer) finish() error {
	err := w.tx.Settle()
	if err == nil {
		err = w.tx.note(w.engine.flush())
	}
	switch {
	case w.tx.fault != nil:
		return w.tx.fault
	case err == nil && !w.tx.sour:
		return nil
	case err != nil && w.engine.again(err):
		return err
	case !w.tx.savepoints:
		return errPlain
	}
	return fmt.Errorf("ending a transaction: %w", err)
}

func (w *writer) attempt() (begun bool, err error) {
	clear(w.tx.known)
	w.tx.ends, w.tx.sour = nil, false
	if w.tx.began, err = w.engine.begin(); err != nil {
		w.tx.note(err)
		return false, fmt.Errorf("beginning a transaction: %w", err)
	}
	started := time.Now()
	for i, j := range w.batch {
		// Those that wait longest must not wait for all that came after them, however far the
		// database is away.
		if i > 0 && time.Since(started) > w.longest {
			w.put = slices.Insert(w.put, 0, w.batch[i:]...)
			w.batch = w.batch[:i]
			break
		}
		if !j.claim() {
			continue
		}
		if err := w.do(j); err != nil {
			return true, err
		}
	}
	if err := w.finish(); err != nil {
		return true, err
	}
	if planted.Is(planted.ReplyBeforeSync) {
		w.answer(nil)
	}
	if err := w.engine.commit(); err != nil {
		return true, fmt.Errorf("committing: %w", err)
	}
	return true, nil
}

// do runs one job of the transaction. An error means that the transaction cannot go on; the job's
// own is kept with it.
func (w *writer) do(j *job) error {
	w.tx.waited = false
	if w.tx.savepoints {
		if err := w.tx.Later("SAVEPOINT job", nil, nil); err != nil {
			return fmt.Errorf("setting a savepoint: %w", err)
		}
	}
	if j.err = j.do(&w.tx); j.err == nil && w.tx.fault == nil {
		j.err = w.tx.end()
	}
	switch {
	case w.tx.fault != nil:
		return w.tx.fault
	case w.tx.sour && !w.tx.savepoints:
		return errPlain
	case j.err == nil:
		return nil
	case w.engine.again(j.err):
		return j.err
	}
	if err := w.tx.Undo(); err != nil {
		return fmt.Errorf("undoing a write: %w", err)
	}
	if _, err := w.tx.Exec("RELEASE job"); err != nil {
		return fmt.Errorf("releasing a savepoint: %w", err)
	}
	return nil
}

func (w *writer) answer(failed error) {
	for i, j := range w.batch {
		if failed != nil {
			j.err = fmt.Errorf("%w: %w", ErrAway, failed)
		}
		if j.claim() {
			j.answer <- j.err
		}
		w.batch[i] = nil
	}
	w.batch = w.batch[:0]
}

// Tx is the writer's transaction as one job sees it. Statements are prepared once and kept for the
// life of the connection, so their text must come from a small fixed set. A Tx is valid only during
// the call that it was handed to.
//
// An argument that may be nil, or that is only compared with such a one, is written
// CAST(? AS BIGINT) or CAST(? AS TEXT): PostgreSQL must be able to tell its type.
type Tx struct {
	engine engine
	began  began

	savepoints bool        // one at the beginning of each job
	waited     bool        // the job has waited for an answer: its savepoint is set
	known      map[any]any // of Remember
	ends       []func() error
	sour       bool  // a statement that was put off did not do what its job took for granted
	fault      error // a failure of the disk or the connection, whatever the job made of it
}

// Undo undoes everything that the job wrote so far. The job goes on where err is nil, and must
// return err where it is not: it may be run again from its beginning.
func (tx *Tx) Undo() error {
	if !tx.savepoints {
		return errPlain
	}
	clear(tx.known)
	tx.ends, tx.sour = nil, false
	if tx.engine.drop() && !tx.waited { // not even the savepoint was sent
		return tx.Later("SAVEPOINT job", nil, nil)
	}
	_, err := tx.Exec("ROLLBACK TO job")
	return err
}

// Remember keeps what the job knows of rows that nobody else writes, for jobs after it in the same
// transaction. It is forgotten when the transaction ends and when any job is undone. The key is of
// a type of the caller's own.
func (tx *Tx) Remember(key, value any) { tx.known[key] = value }

// Recall gives what was remembered, or nil.
func (tx *Tx) Recall(key any) any { return tx.known[key] }

// AtEnd has do run before the commit: a job that has remembered what it changed may write it down there,
// once for all jobs of the transaction that change it further. Jobs that read it call Settle first. In a
// transaction in which jobs are undone singly it runs at the job's end.
func (tx *Tx) AtEnd(do func() error) { tx.ends = append(tx.ends, do) }

// Settle runs what AtEnd has put off.
func (tx *Tx) Settle() error {
	ends := tx.ends
	tx.ends = nil
	for _, do := range ends {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// Clock is what the database's clock showed at an instant not before after; zero where the database
// has no clock of its own.
func (tx *Tx) Clock() (clock, after time.Time) { return tx.began.clock, tx.began.after }

// Exec runs a statement that returns no rows and tells how many rows it hit. After a fault of the database no
// statement is run: it may have ended the transaction, and what came then would be written by itself.
func (tx *Tx) Exec(query string, args ...any) (hit int64, err error) {
	if tx.fault != nil {
		return 0, tx.fault
	}
	tx.waited = true
	hit, err = tx.engine.exec(query, args)
	return hit, tx.note(err)
}

// Later runs a statement whose outcome need not be known yet: at once on a file, together with the
// next statement that is waited for over a network, at the latest before the commit. check may be nil. Its
// error, like one of the statement, is that of the statement waited for; where that is another job's, all
// jobs run again, each for itself, so that none pays for another.
func (tx *Tx) Later(query string, args []any, check func(hit int64) error) error {
	if check != nil {
		plain := check
		check = func(hit int64) error {
			err := plain(hit)
			tx.sour = tx.sour || err != nil
			return err
		}
	}
	if tx.fault != nil {
		return tx.fault
	}
	sent, err := tx.engine.later(query, args, check)
	tx.waited = tx.waited || sent
	return tx.note(err)
}

// Singly tells whether each job may be undone without the others. Where it is false, a job may take for
// granted what hardly ever is otherwise, and have it checked by Later or AtEnd: if it was wrong, all jobs of
// the transaction run again, singly, and then it must ask.
func (tx *Tx) Singly() bool { return tx.savepoints }

// Insert runs an INSERT with RETURNING id, and tells the id.
func (tx *Tx) Insert(query string, args ...any) (id int64, err error) {
	found, err := tx.Row(query+" RETURNING id", args, &id)
	if err == nil && !found {
		err = errors.New("no row was inserted")
	}
	return id, err
}

// Row runs a query for at most one row and scans it; found is false where there is none.
func (tx *Tx) Row(query string, args []any, into ...any) (found bool, err error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return false, err
	}
	found, err = scanOne(rows, into)
	return found, tx.note(err)
}

// Query runs a query. The rows must be closed before the next statement of the job runs.
func (tx *Tx) Query(query string, args ...any) (Rows, error) {
	if tx.fault != nil {
		return nil, tx.fault
	}
	tx.waited = true
	rows, err := tx.engine.query(query, args)
	return rows, tx.note(err)
}

// end ends the job. Where it may be undone singly, everything that it has put off is done.
func (tx *Tx) end() error {
	if !tx.savepoints {
		return nil
	}
	if err := tx.Settle(); err != nil {
		return err
	}
	if err := tx.Later("RELEASE job", nil, nil); err != nil {
		return err
	}
	tx.waited = true
	return tx.note(tx.engine.flush())
}

// note remembers an error that says that nothing can be trusted with a commit any more.
func (tx *Tx) note(err error) error {
	if err != nil && tx.fault == nil && tx.engine.fatal(err) {
		tx.fault = err
	}
	return err
}
