// Package store is the durable side of the exchange, on SQLite: the events of the Market, the
// postings and balances of its accounts, where every offer stands, and, apart from all that, the
// homeowners.
//
// exchange/server calls it. Load hands out the right to write together with a restored Market;
// Commit writes what the Market decided, in one synced transaction. The Market decides, the store
// asserts: each statement of a commit says what must be true of the rows it changes, and if one
// is not, nothing of the batch is written and the answer is ErrAssertion. After any failed commit
// the Market is ahead of the rows: it must be dropped and loaded anew.
//
// It never prices, never chooses a buyer, and never shows a lead's personal data but to the
// winner's view (Leads) and to a restored Market. A Store may be used from several goroutines;
// only one of them should Commit, being the one that owns the Market.
package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"leadbid/exchange"
	"leadbid/internal/sqlstore"
)

// ErrAway means that the store cannot write: closed, overloaded, opened for reading only, or a
// disk that failed. See Err for whether it has to be opened anew.
var ErrAway = sqlstore.ErrAway

// ErrAssertion means that the rows are not what the Market took them for: another process has
// taken over, or somebody changed the database by hand. Nothing of the batch was written.
var ErrAssertion = errors.New("exchange/store: the rows contradict the market")

//go:embed migrations/*.sql
var migrations embed.FS

// Options tune a Store. The zero value is right for the exchange itself.
type Options struct {
	// ReadOnly opens an existing database beside the process that writes it, for reports,
	// timelines and Verify. Load and Commit answer ErrAway.
	ReadOnly bool
}

// Store is one open database. Make it with Open, end it with Close.
type Store struct {
	db    *sqlstore.DB
	epoch atomic.Int64
}

// Open opens or makes the database at path. Errors wrap those of sqlstore.Open: a file that
// another process writes, or one of a newer version of the program.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	db, err := sqlstore.Open(ctx, path, migrations, "migrations", sqlstore.Options{ReadOnly: opts.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("exchange/store: %w", err)
	}
	return &Store{db: db}, nil
}

// Close finishes what is being written and closes the database. It may be called more than once.
func (s *Store) Close() error { return s.db.Close() }

// Err tells why every write is refused until the database is opened anew; nil while it is not so.
func (s *Store) Err() error { return s.db.Err() }

// Load takes the right to write from whoever had it, and gives the Market as it was after the
// last commit. Its first command is exchange.Start. now decides which finished offers are recent
// enough to be recognised again.
func (s *Store) Load(ctx context.Context, config *exchange.Config, now time.Time) (*exchange.Market, error) {
	var market *exchange.Market
	err := s.db.Write(ctx, func(tx *sqlstore.Tx) error {
		if _, err := tx.Exec(`UPDATE leader SET epoch = epoch + 1`); err != nil {
			return err
		}
		var epoch int64
		if _, err := tx.Row(`SELECT epoch FROM leader`, nil, &epoch); err != nil {
			return err
		}
		snapshot, err := readSnapshot(tx, now)
		if err != nil {
			return err
		}
		if market, err = exchange.Restore(config, snapshot); err != nil {
			return err
		}
		s.epoch.Store(epoch)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("exchange/store: loading: %w", err)
	}
	return market, nil
}

// Commit makes a batch durable: when it returns nil, everything is synced to disk. An error means
// that nothing of it can be relied on, whatever the cause: drop the Market and Load again.
func (s *Store) Commit(ctx context.Context, batch exchange.Batch) error {
	if len(batch.Events) == 0 {
		return nil
	}
	epoch := s.epoch.Load()
	if err := s.db.Write(ctx, func(tx *sqlstore.Tx) error { return writeBatch(tx, epoch, batch) }); err != nil {
		return fmt.Errorf("exchange/store: committing events %d to %d: %w",
			batch.Events[0].Seq, batch.Events[len(batch.Events)-1].Seq, err)
	}
	return nil
}

func micros(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMicro()
}

func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
