// Package sqlstore is the database underneath a store of money, SQLite or PostgreSQL: it opens it
// so that a commit that was answered is on the disk, brings the schema up to date, and groups the
// writes of many callers into few synced transactions.
//
// budget/store and exchange/store call it; the SQL is theirs, written once for both databases. It
// owns the connections, the migration history, the backup before a migration, one goroutine, the
// writer, through which every write of a process goes, and the lock that keeps writers apart: a
// second process is kept off a file; on PostgreSQL each transaction first locks one row, so that
// the writes of all processes come one after another there as well. It never drops a write
// silently, and never answers one before it is durable.
//
// A DB may be used from several goroutines at once.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // the driver named "sqlite", too
	sqlite3 "modernc.org/sqlite/lib"

	"leadbid/internal/filelock"
)

var (
	// ErrAway means that a write was not done: a full queue, a closed database, a caller that
	// stopped waiting in time, or a disk that failed. See DB.Write for the one case in which
	// asking again is the only way to learn more.
	ErrAway = errors.New("sqlstore: out of reach")

	// ErrBusy means that another process, or another DB of this one, has the file open for writing.
	ErrBusy = errors.New("sqlstore: in use by another process")

	// ErrNotSQLite means that what is at the path can be no database: a folder, or another kind of file.
	ErrNotSQLite = errors.New("sqlstore: no SQLite file")

	// ErrNewer means that a newer version of the program has written the file.
	ErrNewer = errors.New("sqlstore: the schema is newer than this program")

	// ErrOlder means that a file opened for reading still has the schema of an older version.
	ErrOlder = errors.New("sqlstore: the schema is older than this program")
)

// Options tune a DB. Zero values take the defaults.
type Options struct {
	Queue   int // writes waiting for the writer at most; default 4,096
	Batch   int // writes in one transaction at most; default 256
	Readers int // connections for reading at most; default 4

	// Longest is how long a transaction takes up further writes; default 250 ms. Writes that have
	// gathered are then left to the next one, and whoever waits for the lock gets a turn.
	Longest time.Duration

	// Told, where not nil, hears in words what an operator should know: a backup that was made
	// before a migration.
	Told func(words string)

	// ReadOnly opens an existing file beside the process that writes it: for looking, reports and
	// verification. It takes no lock, changes no schema, and Write answers ErrAway.
	ReadOnly bool
}

func (o Options) withDefaults() Options {
	if o.Queue <= 0 {
		o.Queue = 4096
	}
	if o.Batch <= 0 {
		o.Batch = 256
	}
	if o.Readers <= 0 {
		o.Readers = 4
	}
	if o.Longest <= 0 {
		o.Longest = 250 * time.Millisecond
	}
	if o.Told == nil {
		o.Told = func(string) {}
	}
	return o
}

// oldestSQLite is the first version without the fault that could corrupt a database in WAL mode
// when two connections write or checkpoint.
var oldestSQLite = [3]int{3, 51, 3}

// busyTimeout is how long a statement waits for a lock of the file: a reader's checkpoint, or a
// person's sqlite3 shell.
const busyTimeout = 10 * time.Second

// DB is one open database. Make it with Open, end it with Close.
type DB struct {
	writer  *writer // nil where opened for reading
	writing *sql.DB // the one write connection's pool; nil where opened for reading
	reading readers
	lock    io.Closer // nil where opened for reading, and on PostgreSQL

	form      func(query string) string // of a statement, as the database reads it
	snapshots sql.IsolationLevel        // of a transaction that sees one instant only
	shared    bool                      // other processes may write as well
	closing   sync.Once
	closed    error
}

// resolved follows links, as SQLite does: the lock and the log stand beside the database itself, whatever
// name it is opened by.
func resolved(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if _, linked := os.Readlink(path); linked == nil {
		return "", fmt.Errorf("it is a link to a file that is not there: make the folder and an empty file, or name the file itself: %w", err)
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	return filepath.Join(folder, filepath.Base(path)), err
}

// Open opens or makes the database at path and brings its schema up to date with the goose
// migrations in dir of the file system. The error wraps ErrBusy, ErrNotSQLite, ErrNewer or ErrOlder in those
// cases, fs.ErrPermission where this user may not open the file, and where it is opened for reading, fs.ErrNotExist
// where it has no tables yet; a SQLite library that could corrupt the file is refused as well.
func Open(ctx context.Context, path string, migrations fs.FS, dir string, opts Options) (*DB, error) {
	db, err := open(ctx, path, migrations, dir, opts.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("sqlstore: opening %s: %w", path, inWords(err))
	}
	return db, nil
}

func open(ctx context.Context, path string, migrations fs.FS, dir string, opts Options) (_ *DB, err error) {
	db := &DB{form: asWritten}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%w: it is a folder: name a file in it", ErrNotSQLite)
	case err != nil && opts.ReadOnly:
		return nil, err
	}
	if path, err = resolved(path); err != nil {
		return nil, err
	}
	if !opts.ReadOnly {
		switch db.lock, err = filelock.Take(path + ".lock"); {
		case errors.Is(err, filelock.ErrHeld):
			return nil, ErrBusy
		case err != nil:
			return nil, err
		}
		if err = checkLog(path); err != nil {
			return nil, err
		}
		if err = createPrivate(path); err != nil {
			return nil, err
		}
		writeMode := address(path, "rwc", append(writePragmas(), "_txlock", "immediate")...)
		if db.writing, err = connect(ctx, writeMode, 1); err != nil {
			return nil, err
		}
		if err = verifyDurable(ctx, db.writing); err != nil {
			return nil, err
		}
		if err = beginLog(ctx, db.writing); err != nil {
			return nil, err
		}
	}
	readMode := address(path, "rw", "_pragma", "query_only(1)")
	if db.reading.DB, err = connect(ctx, readMode, opts.Readers); err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	if opts.ReadOnly {
		if err = db.checkBegun(ctx); err != nil {
			return nil, err
		}
		return db, db.checkSchema(ctx, files)
	}
	keep := func(version int64) (string, error) { return copyFile(ctx, db.writing, path, version) }
	if err = migrate(ctx, goose.DialectSQLite3, db.writing, files, keep, opts.Told); err != nil {
		return nil, err
	}
	engine, err := newFileEngine(ctx, db.writing)
	if err != nil {
		return nil, err
	}
	db.writer = startWriter(engine, opts)
	return db, nil
}

// beginLog has the log that a former process left moved into the database, and a new one begun: SQLite would go
// on in the old one, where the ends of two crashes look like damage (see checkLog). Where somebody reads from
// the old one just now, it stays.
func beginLog(ctx context.Context, pool *sql.DB) error {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return err
	}
	var busy, log, moved int
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved); err != nil {
		return fmt.Errorf("beginning a new log: %w", err)
	}
	_, err = conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", busyTimeout.Milliseconds()))
	return err
}

// inWords says in words what SQLite has a number for. It asks SQLite, and does not open the file to look: closing
// it again would take the locks away that this process has on it (fcntl(2)), those of another DB with them.
func inWords(err error) error {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w, or its beginning is damaged: %w", ErrNotSQLite, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%w: it takes a user who may read and write the file and its folder, also to look: %w", fs.ErrPermission, err)
	}
	return err
}

// createPrivate makes the file before SQLite would: it will hold people's names and numbers, and
// SQLite gives the log beside it the same permissions.
func createPrivate(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// address writes the connection string. Every connection syncs each commit and keeps foreign keys.
func address(path, mode string, extra ...string) string {
	values := url.Values{"mode": {mode}, "_pragma": {
		"busy_timeout(" + strconv.FormatInt(busyTimeout.Milliseconds(), 10) + ")",
		"journal_mode(wal)", "synchronous(full)", "foreign_keys(1)",
	}}
	for i := 0; i+1 < len(extra); i += 2 {
		values.Add(extra[i], extra[i+1])
	}
	escaped := url.URL{Path: filepath.ToSlash(path)}
	return "file:" + escaped.EscapedPath() + "?" + values.Encode()
}

// writePragmas keep what a transaction needs in memory: the pages that it changes, so that none is
// written twice, and what savepoints need to undo. A page is moved from the log into the database
// once for many commits; a log of 64 MiB is read in a moment after a crash.
func writePragmas() []string {
	return []string{
		"_pragma", "temp_store(memory)", "_pragma", "cache_size(-32768)", "_pragma", "wal_autocheckpoint(16000)",
	}
}

func connect(ctx context.Context, address string, connections int) (*sql.DB, error) {
	pool, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	var version string
	if err := pool.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		pool.Close()
		return nil, err
	}
	if err := checkVersion(version); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

func checkVersion(version string) error {
	parts := strings.Split(version, ".")
	for i, least := range oldestSQLite {
		number := -1
		if i < len(parts) {
			number, _ = strconv.Atoi(parts[i])
		}
		switch {
		case number > least:
			return nil
		case number < least:
			return fmt.Errorf("SQLite %s can corrupt a database in WAL mode; 3.51.3 or later is needed", version)
		}
	}
	return nil
}

// verifyDurable reads back what the connection string asked for: a file system that cannot do WAL
// leaves the mode unchanged without an error.
func verifyDurable(ctx context.Context, pool *sql.DB) error {
	for _, pragma := range []struct{ name, want, means string }{
		{"journal_mode", "wal", "a write-ahead log"},
		{"synchronous", "2", "a sync of every commit"},
		{"foreign_keys", "1", "foreign keys"},
	} {
		var got string
		if err := pool.QueryRowContext(ctx, "PRAGMA "+pragma.name).Scan(&got); err != nil {
			return fmt.Errorf("reading %s: %w", pragma.name, err)
		}
		if got != pragma.want {
			return fmt.Errorf("no %s on this file: %s is %s, not %s", pragma.means, pragma.name, got, pragma.want)
		}
	}
	return nil
}

// Shared tells whether other processes may write to the database at the same time.
func (db *DB) Shared() bool { return db.shared }

// Read gives the pool for reading a file, without the forms of Reader. Its connections see what was committed and refuse to write.
func (db *DB) Read() *sql.DB { return db.reading.DB }

// Write hands do to the writer and waits until what it wrote is synced to disk together with the
// writes of other callers.
//
// An error of do undoes what do wrote, harms no other write, and comes back as it is. ErrAway (to
// be found with errors.Is) means that the write was refused: the queue is full, the database is
// closed or was opened for reading, or ctx ended before the writer came to it; then nothing
// happened. It is also the answer to a disk that failed: from then on everything is refused until
// the database is opened anew, and whether the writes of that last transaction are in it is known
// only then, so a caller that repeats one must be able to tell.
//
// Once the writer has begun with it, ctx no longer counts and the outcome is told truthfully. do
// runs on the writer's goroutine: it must not call Write, wait for anything, or keep tx. It may run
// twice, the second time as if the first had not been; only what the last run left behind counts.
func (db *DB) Write(ctx context.Context, do func(tx *Tx) error) error {
	if db.writer == nil {
		return fmt.Errorf("%w: opened for reading only", ErrAway)
	}
	return db.writer.write(ctx, do)
}

// Err tells why every write is refused, or nil while writes are taken.
func (db *DB) Err() error {
	if db.writer == nil {
		return fmt.Errorf("%w: opened for reading only", ErrAway)
	}
	return db.writer.refusal()
}

// Close finishes the writes that are queued, refuses new ones, and closes the file. It may be
// called more than once.
func (db *DB) Close() error {
	db.closing.Do(func() {
		var faults []error
		if db.writer != nil {
			faults = append(faults, db.writer.close())
		}
		if db.reading.DB != nil {
			faults = append(faults, db.reading.Close())
		}
		if db.writing != nil {
			faults = append(faults, db.writing.Close())
		}
		if db.lock != nil {
			faults = append(faults, db.lock.Close())
		}
		if err := errors.Join(faults...); err != nil {
			db.closed = fmt.Errorf("sqlstore: closing: %w", err)
		}
	})
	return db.closed
}
