package store

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"leadbid/internal/sqlstore"
)

//go:embed schema/*.sql
var schema embed.FS

// Options tune a store. Zero values take the defaults.
type Options struct {
	// Clock is the store's time, by which leases begin and end; time.Now where nil.
	Clock func() time.Time

	// VerifyRest lets Verify rest this many times as long as each of its steps took, so that it is in
	// nobody's way for long. VerifyRecent never rests.
	VerifyRest int

	// ReadOnly opens the books beside the process that writes them: for looking and for Verify.
	// Everything that would write answers ErrAway.
	ReadOnly bool
}

// sqlite is the Store of one machine: every write goes through one goroutine that commits what
// has gathered with one sync (internal/sqlstore).
type sqlite struct {
	db    *sqlstore.DB
	clock func() time.Time
	rest  int           // Options.VerifyRest
	run   atomic.Uint32 // the run that Begin started here: whose chain the entries continue
}

// OpenSQLite opens or makes the books in the SQLite file at path. The error wraps
// sqlstore.ErrBusy where another process has them open, and sqlstore.ErrNewer or ErrOlder where
// the file was written by another version of the program.
func OpenSQLite(ctx context.Context, path string, opts Options) (Store, error) {
	db, err := sqlstore.Open(ctx, path, schema, "schema", sqlstore.Options{ReadOnly: opts.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	clock := opts.Clock
	if clock == nil {
		clock = time.Now
	}
	return &sqlite{db: db, clock: clock, rest: opts.VerifyRest}, nil
}

func (s *sqlite) Err() error {
	if err := s.db.Err(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (s *sqlite) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// write runs one grouped, synced write. Whatever goes wrong in it is undone and is ErrAway to the
// caller, unless the caller asked for something that must not be.
func (s *sqlite) write(ctx context.Context, doing string, do func(tx *sqlstore.Tx) error) error {
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

func (s *sqlite) Begin(ctx context.Context) (run Run, err error) {
	err = s.write(ctx, "beginning a run", func(tx *sqlstore.Tx) error {
		run, err = begin(tx, s.clock())
		return err
	})
	if err != nil {
		return Run{}, err
	}
	s.run.Store(run.ID)
	return run, nil
}

func begin(tx *sqlstore.Tx, now time.Time) (run Run, err error) {
	id, err := tx.Insert(`INSERT INTO run (at_ms) VALUES (?)`, now.UnixMilli())
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
