package store

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"leadbid/budget"
	"leadbid/internal/sqlstore"
)

// schema holds the same tables twice, in the words of each database.
//
//go:embed schema/sqlite/*.sql schema/postgres/*.sql
var schema embed.FS

// Options tune a store. Zero values take the defaults.
type Options struct {
	// Clock is the store's time, by which leases begin and end. Where nil it is the machine's for a
	// file, and the server's own for PostgreSQL, which all replicas share.
	Clock func() time.Time

	// VerifyRest has Verify look at a file's pages alone, not at its indexes, and rest this many times as long as each of its steps took, so that it is in
	// nobody's way for long. VerifyRecent never rests.
	VerifyRest int

	// ReadOnly opens the books beside the process that writes them: for looking and for Verify.
	// Everything that would write answers ErrAway.
	ReadOnly bool

	// Told, where not nil, hears in words what an operator should know of the books' migration.
	Told func(words string)
}

// books is the Store on a database: every write goes through one goroutine that commits what has
// gathered with one sync (internal/sqlstore).
type books struct {
	db    *sqlstore.DB
	clock func() time.Time // nil: the database's own
	rest  int              // Options.VerifyRest
	over  sync.Map         // runs that Begin started here before
	run   atomic.Uint32    // the run that Begin started here: whose chain the entries continue

	claims *claims // where one process has the books; nil where replicas share them
}

// OpenSQLite opens or makes the books in the SQLite file at path. The error wraps
// sqlstore.ErrBusy where another process has them open, and sqlstore.ErrNewer or ErrOlder where
// the file was written by another version of the program.
func OpenSQLite(ctx context.Context, path string, opts Options) (Store, error) {
	db, err := sqlstore.Open(ctx, path, schema, "schema/sqlite", below(opts))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	clock := opts.Clock
	if clock == nil {
		clock = time.Now
	}
	return &books{db: db, clock: clock, rest: opts.VerifyRest, claims: newClaims()}, nil
}

// OpenPostgres opens the books in the PostgreSQL database that the address names, or makes them
// there. Any number of replicas may have them open. The error wraps sqlstore.ErrNoAnswer where it
// cannot be reached, and sqlstore.ErrNewer or ErrOlder as with a file; it never holds the password.
func OpenPostgres(ctx context.Context, address string, opts Options) (Store, error) {
	db, err := sqlstore.OpenPostgres(ctx, address, schema, "schema/postgres", below(opts))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return &books{db: db, clock: opts.Clock, rest: opts.VerifyRest}, nil
}

func below(opts Options) sqlstore.Options {
	return sqlstore.Options{ReadOnly: opts.ReadOnly, Told: opts.Told}
}

// now is the store's time within a transaction, in whole milliseconds.
func (s *books) now(tx *sqlstore.Tx) time.Time {
	now, read := tx.Clock()
	if s.clock != nil {
		now = s.clock()
	} else {
		now = now.Add(time.Since(read))
	}
	return now.Truncate(time.Millisecond).UTC()
}

// callers turns the instants of a lease from the store's time into the caller's, who asked at an
// instant of its own clock. Whatever the two clocks show, and however long the question travelled,
// a lease never lasts longer for the caller than in the store.
func (s *books) callers(tx *sqlstore.Tx, asked, entered time.Time) func(lease *budget.LeaseState) {
	clock, after := tx.Clock()
	if s.clock != nil || asked.IsZero() {
		return func(*budget.LeaseState) {}
	}
	ahead := asked.Add(after.Sub(entered)).Sub(clock)
	return func(lease *budget.LeaseState) {
		if lease != nil && !lease.BidUntil.IsZero() {
			lease.BidUntil, lease.CloseAt = lease.BidUntil.Add(ahead), lease.CloseAt.Add(ahead)
			// A clock that was set back since the lease was granted may be set right without a word.
			if most := asked.Add(time.Since(entered) + leaseLength); lease.BidUntil.After(most) {
				lease.BidUntil = most
			}
		}
	}
}

func (s *books) Err() error {
	if err := s.db.Err(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (s *books) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// write runs one grouped, synced write that sees all that charges of the same transaction did.
func (s *books) write(ctx context.Context, doing string, do func(tx *sqlstore.Tx) error) error {
	return s.writeAmongCharges(ctx, doing, func(tx *sqlstore.Tx) error {
		if err := tx.Settle(); err != nil {
			return err
		}
		return do(tx)
	})
}

// writeAmongCharges is write for a charge: what its lease used may not be in the row yet (tab). Whatever
// goes wrong is undone and is ErrAway to the caller, unless the caller asked for something that must not be.
func (s *books) writeAmongCharges(ctx context.Context, doing string, do func(tx *sqlstore.Tx) error) error {
	err := s.db.Write(ctx, do)
	var misuse misuseError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &misuse):
		return fmt.Errorf("store: %s: %w", doing, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrAway, doing, err)
}

// unread is an error of reading. Of a file that is damaged it does not say that it is out of reach: asking again
// would not help.
func unread(doing string, err error) error {
	if sqlstore.Damaged(err) {
		return fmt.Errorf("store: %s: %w", doing, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrAway, doing, err)
}

// misuseError is a request that no correct caller makes. Trying again cannot help.
type misuseError string

func (e misuseError) Error() string { return string(e) }

// errGuard is a guarded statement that hit another number of rows than it must: an invariant is
// broken, and the write is undone.
var errGuard = errors.New("a guarded statement did not hit its row")

func mustHit(hit int64, err error) error {
	if err == nil && hit != 1 {
		return fmt.Errorf("%w: %d rows", errGuard, hit)
	}
	return err
}

func (s *books) Begin(ctx context.Context) (run Run, err error) {
	err = s.write(ctx, "beginning a run", func(tx *sqlstore.Tx) error {
		run, err = begin(tx, s.now(tx))
		return err
	})
	if err != nil {
		return Run{}, err
	}
	if former := s.run.Swap(run.ID); former != 0 {
		s.over.Store(former, true)
	}
	return run, nil
}

func begin(tx *sqlstore.Tx, now time.Time) (run Run, err error) {
	id, err := tx.Insert(`INSERT INTO run (at_ms, seen_ms) VALUES (?, ?)`, now.UnixMilli(), now.UnixMilli())
	if err != nil {
		return Run{}, err
	}
	if id > math.MaxUint32 {
		return Run{}, misuseError("the store has seen more runs than a bid id can tell apart")
	}
	run = Run{ID: uint32(id), Owner: fmt.Sprintf("run-%d", id)}
	if run.Keys, err = firstKey(tx, now); err != nil {
		return Run{}, err
	}
	run.ContactKey, err = contactKey(tx)
	return run, err
}

func contactKey(tx *sqlstore.Tx) (key []byte, err error) {
	_, err = tx.Exec(`INSERT INTO contact_key (id, secret) VALUES (1, ?) ON CONFLICT DO NOTHING`, secret())
	if err != nil {
		return nil, err
	}
	_, err = tx.Row(`SELECT secret FROM contact_key`, nil, &key)
	return key, err
}

func secret() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return key
}

// kept is what is kept of a text that people or far ends wrote: PostgreSQL takes neither broken UTF-8 nor NUL.
func kept(text string, longest int) string {
	text = strings.ToValidUTF8(text[:min(len(text), longest)], "")
	return strings.ReplaceAll(text, "\x00", "")
}

// instant reads milliseconds back; 0 is the zero time.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// milliseconds writes an instant; the zero time is 0.
func milliseconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}
