package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// ErrNoAnswer means that PostgreSQL could not be reached, or let nobody in.
var ErrNoAnswer = errors.New("sqlstore: cannot connect to PostgreSQL")

const (
	connectTimeout = 3 * time.Second

	// idleTimeout is how long a transaction may stand still before PostgreSQL ends it: a process
	// that is paused, or cut off, in the middle of one holds up all others for no longer.
	idleTimeout = 2 * time.Second
	// lockTimeout is how long a transaction waits for the others' lock: longer than an idle one keeps it.
	lockTimeout = 3 * time.Second
	// statementTimeout bounds one statement, the wait for the lock included.
	statementTimeout = 4 * time.Second
	// roundTrip is when a silent connection is given up: later than all that PostgreSQL ends itself.
	roundTrip = 5 * time.Second
	// reconnectStep is the least time between two attempts to connect. Writes that come between
	// them are refused at once.
	reconnectStep = 250 * time.Millisecond
	// migrationWait is how long a process waits for another one that migrates.
	migrationWait = time.Minute
)

// OpenPostgres opens the database that address names, as postgres://USER:PASSWORD@HOST/DATABASE,
// and brings its schema up to date with the goose migrations in dir of the file system. Several
// processes may have it open at once. A connection that is lost is made anew by itself: writes
// answer ErrAway until then, and whether one was committed whose answer was lost is known only to
// who asks the database.
//
// The error wraps ErrNoAnswer where there is no database or it lets nobody in, ErrNewer or ErrOlder
// as with Open, and fs.ErrNotExist where opts.ReadOnly is set and there are no tables yet. The
// password is in no error.
func OpenPostgres(ctx context.Context, address string, migrations fs.FS, dir string, opts Options) (*DB, error) {
	config, err := parseAddress(address)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	db, err := openPostgres(ctx, config, migrations, dir, opts.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("sqlstore: opening %s: %w", PlainAddress(address), err)
	}
	return db, nil
}

// PlainAddress is the address of a database without its password: for logs and people.
func PlainAddress(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "postgres://..."
	}
	plain := url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}
	if parsed.User != nil {
		plain.User = url.User(parsed.User.Username())
	}
	if host := parsed.Query().Get("host"); host != "" {
		plain.RawQuery = url.Values{"host": {host}}.Encode()
	}
	return plain.String()
}

// IsPostgres tells whether an address is one of a PostgreSQL database.
func IsPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

func parseAddress(address string) (*pgx.ConnConfig, error) {
	if !IsPostgres(address) {
		return nil, errors.New("an address of PostgreSQL begins with postgres://")
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		// The error may quote the address, and a password may be what is wrong with it.
		return nil, errors.New("the address is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE; " +
			"in a password, characters such as @ : / ? # % are written %40 %3A %2F %3F %23 %25")
	}
	if config.ConnectTimeout <= 0 || config.ConnectTimeout > connectTimeout {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "leadbid"
	}
	config.RuntimeParams["client_encoding"] = "UTF8"
	return config, nil
}

// with is a copy of a configuration whose connections begin with some settings.
func with(config *pgx.ConnConfig, settings ...string) *pgx.ConnConfig {
	config = config.Copy()
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		_, err := conn.Exec(ctx, strings.Join(settings, ";")).ReadAll()
		return err
	}
	return config
}

func milliseconds(setting string, d time.Duration) string {
	return fmt.Sprintf("SET %s = %d", setting, d.Milliseconds())
}

func openPostgres(ctx context.Context, config *pgx.ConnConfig, migrations fs.FS, dir string, opts Options) (_ *DB, err error) {
	known := &forms{}
	db := &DB{form: known.of, snapshots: sql.LevelRepeatableRead, shared: true}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	db.reading.most = opts.Readers
	if !opts.ReadOnly && config.ValidateConnect == nil {
		// Of several servers the one that may be written to: a standby would answer with what was true before.
		config = config.Copy()
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	db.reading.DB = stdlib.OpenDB(*with(config, "SET default_transaction_read_only = on",
		milliseconds("idle_in_transaction_session_timeout", time.Minute)))
	db.reading.SetMaxOpenConns(opts.Readers)
	db.reading.SetMaxIdleConns(opts.Readers)
	if err := db.reading.PingContext(ctx); err != nil {
		return nil, noAnswer(err, config)
	}
	if opts.ReadOnly {
		err := db.checkSchema(ctx, files)
		if codeOf(err) == undefinedTable {
			return nil, fmt.Errorf("%w: no tables of leadbid in it", fs.ErrNotExist)
		}
		return db, err
	}
	version, err := newest(files)
	if err != nil {
		return nil, err
	}
	if err = migratePostgres(ctx, config, files, version, opts.Told); err != nil {
		return nil, err
	}
	engine := &serverEngine{config: writing(config), form: db.form, version: version}
	if err = engine.connect(ctx); err != nil {
		return nil, err
	}
	db.writer = startWriter(engine, opts)
	return db, nil
}

// shortestSecret is from how many characters on a password is taken out of what is told. pgx shows none
// itself, and one that is shorter, no secret anyway, is part of every other word.
const shortestSecret = 6

// noAnswer says why a connection could not be made, in one line, without what pgx knows of the
// configuration.
func noAnswer(err error, config *pgx.ConnConfig) error {
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && config.Password == "" && strings.HasPrefix(refused.Code, "28"):
		return fmt.Errorf("%w: it asks for a password, and the address has none", ErrNoAnswer)
	case errors.As(err, &refused):
		return fmt.Errorf("%w: %s (SQLSTATE %s)", ErrNoAnswer, refused.Message, refused.Code)
	}
	words := strings.Join(strings.Fields(err.Error()), " ")
	if len(config.Password) >= shortestSecret {
		words = strings.ReplaceAll(words, config.Password, "[redacted]")
	}
	return fmt.Errorf("%w: %s", ErrNoAnswer, words)
}

const (
	undefinedTable       = "42P01"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	readOnlyTransaction  = "25006"
	adminShutdown        = "57P01"
	crashShutdown        = "57P02"
)

// codeOf is the SQLSTATE of an error, "" where PostgreSQL itself has not said anything.
func codeOf(err error) string {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		return failure.Code
	}
	return ""
}

// theLock is the row that every transaction that writes locks first, so that they come one after
// another whatever process they are of. It says by which version of the schema they must go.
const theLock = `CREATE TABLE IF NOT EXISTS writer_lock (
	id INTEGER PRIMARY KEY CHECK (id = 1), schema_version BIGINT NOT NULL);
	INSERT INTO writer_lock (id, schema_version) VALUES (1, 0) ON CONFLICT DO NOTHING`

// migratePostgres holds the lock while it migrates: no other process migrates or writes meanwhile,
// and if this one ends in the middle, the lock is free again.
func migratePostgres(ctx context.Context, config *pgx.ConnConfig, files fs.FS, version int64, told func(string)) error {
	conn, err := pgx.ConnectConfig(ctx, with(config, milliseconds("lock_timeout", migrationWait)))
	if err != nil {
		return noAnswer(err, config)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := makeLock(ctx, conn); err != nil {
		return fmt.Errorf("making the writers' lock: %w", err)
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return fmt.Errorf("taking the writers' lock: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	var former int64
	if err := tx.QueryRow(ctx, `SELECT schema_version FROM writer_lock FOR UPDATE`).Scan(&former); err != nil {
		return fmt.Errorf("taking the writers' lock: %w", err)
	}
	pool := stdlib.OpenDB(*config)
	defer pool.Close()
	keep := func(version int64) (string, error) { return copyTables(ctx, pool, files, version) }
	if err := migrate(ctx, goose.DialectPostgres, pool, files, keep, told); err != nil {
		return err
	}
	if former == version {
		return nil
	}
	if _, err := tx.Exec(ctx, `UPDATE writer_lock SET schema_version = $1`, version); err != nil {
		return fmt.Errorf("noting the schema's version: %w", err)
	}
	return tx.Commit(ctx)
}

// isLost tells whether an error says that a connection which stood has ended. A server that cannot be
// reached, and one that is silent, are other errors.
func isLost(err error) bool {
	switch codeOf(err) {
	case adminShutdown, crashShutdown:
		return true
	case "":
		return slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET},
			func(ended error) bool { return errors.Is(err, ended) })
	}
	return false
}

// readers is the pool for reading. It learns that a connection was lost only by asking on it, so it asks
// again on another one: once for each that it may hold, and then on a new one.
type readers struct {
	*sql.DB
	most int
}

func (r readers) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return askAgain(ctx, r.most, func() (*sql.Rows, error) { return r.DB.QueryContext(ctx, query, args...) })
}

func (r readers) BeginTx(ctx context.Context, options *sql.TxOptions) (*sql.Tx, error) {
	return askAgain(ctx, r.most, func() (*sql.Tx, error) { return r.DB.BeginTx(ctx, options) })
}

func askAgain[T any](ctx context.Context, times int, ask func() (T, error)) (answer T, err error) {
	for ; ; times-- {
		if answer, err = ask(); times <= 0 || ctx.Err() != nil || !isLost(err) {
			return answer, err
		}
	}
}

// makeLock makes the lock's row where there is none. Two processes that make it at once may get in
// each other's way: PostgreSQL's own catalogue is what they meet on.
func makeLock(ctx context.Context, conn *pgx.Conn) (err error) {
	for range 10 {
		if _, err = conn.PgConn().Exec(ctx, theLock).ReadAll(); err == nil {
			return nil
		}
		if ctx.Err() != nil || conn.IsClosed() {
			return err
		}
	}
	return err
}

var createdTable = regexp.MustCompile(`(?i)CREATE TABLE (\w+)`)

// copyTables copies every table that a migration has made into a schema of its own.
func copyTables(ctx context.Context, pool *sql.DB, files fs.FS, version int64) (where string, err error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return "", err
	}
	where = "leadbid_" + backupName(version)
	statements := []string{"CREATE SCHEMA " + where}
	for _, name := range names {
		if number, err := goose.NumericComponent(name); err != nil || number > version {
			continue
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return "", err
		}
		for _, made := range createdTable.FindAllStringSubmatch(string(text), -1) {
			statement := fmt.Sprintf("CREATE TABLE %s.%s AS TABLE %s", where, made[1], made[1])
			if !slices.Contains(statements, statement) {
				statements = append(statements, statement)
			}
		}
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return "", fmt.Errorf("%s: %w", statement, err)
		}
	}
	return "the schema " + where, tx.Commit()
}

// writing is the configuration of the connection that writes. pgx would have PostgreSQL cancel what a connection
// that is given up was about; but a COMMIT that waits for a synchronous standby is then done without it, and the
// next to ask is told of a lead that no standby has. So nothing is cancelled: the server ends all else by itself.
func writing(config *pgx.ConnConfig) *pgx.ConnConfig {
	config = with(config,
		`SELECT set_config('synchronous_commit', 'on', false)
			WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')`,
		milliseconds("idle_in_transaction_session_timeout", idleTimeout),
		milliseconds("lock_timeout", lockTimeout), milliseconds("statement_timeout", statementTimeout))
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if ctx.Value(connecting{}) == nil {
			return nil, errNoCancel
		}
		return dial(ctx, network, address)
	}
	return config
}

// connecting marks the context in which a connection is made to write on it.
type connecting struct{}

var errNoCancel = errors.New("a commit is never cancelled")

// serverEngine makes transactions on one connection to PostgreSQL, and makes that connection anew.
type serverEngine struct {
	config  *pgx.ConnConfig
	form    func(query string) string
	version int64 // of the schema

	conn    *pgx.Conn // nil while there is none
	tried   time.Time // when a connection was tried last, and
	refused error     // why there was none
	pending []pending
}

// pending is a statement that waits for the next one.
type pending struct {
	query string
	args  []any
	check func(hit int64) error
}

// connect makes the connection where there is none, and asks whether a commit on it is durable.
func (e *serverEngine) connect(ctx context.Context) error {
	if e.conn != nil && !e.conn.IsClosed() {
		return nil
	}
	if e.refused != nil && time.Since(e.tried) < reconnectStep {
		return e.refused
	}
	e.conn = nil
	bounded, cancel := context.WithTimeout(context.WithValue(ctx, connecting{}, true), connectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(bounded, e.config)
	if err != nil {
		err = noAnswer(err, e.config)
	} else if err = checkDurable(bounded, conn); err != nil {
		conn.Close(bounded)
	} else {
		e.conn = conn
	}
	e.tried, e.refused = time.Now(), err
	return err
}

// checkDurable reads back what the connection asked for, and what only the server decides.
func checkDurable(ctx context.Context, conn *pgx.Conn) error {
	var commit, sync, encoding string
	err := conn.QueryRow(ctx, `SELECT current_setting('synchronous_commit'), coalesce(current_setting('fsync', true), 'on'),
		current_setting('server_encoding')`).Scan(&commit, &sync, &encoding)
	switch {
	case err != nil:
		return fmt.Errorf("asking whether commits are durable: %w", err)
	case commit != "on" && commit != "remote_apply":
		return fmt.Errorf("no sync of every commit: synchronous_commit is %s", commit)
	case sync != "on":
		return fmt.Errorf("no sync of every commit: the server runs with fsync %s", sync)
	case encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s, not UTF8", encoding)
	}
	return nil
}

// bound gives the connection time for one round trip.
func (e *serverEngine) bound() { _ = e.conn.PgConn().Conn().SetDeadline(time.Now().Add(roundTrip)) }

const (
	beginWriting = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT schema_version FROM writer_lock FOR UPDATE; ` + readClock
	readClock    = `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`
)

// promptly is within what time the lock must have come for the clock to be read with it.
const promptly = 20 * time.Millisecond

// begin begins anew on another connection where the one in hand turns out to be lost: nothing that
// could have been committed was sent on it.
func (e *serverEngine) begin() (at began, err error) {
	inHand := e.conn != nil && !e.conn.IsClosed()
	at, err = e.beginOnce()
	if inHand && isLost(err) {
		at, err = e.beginOnce()
	}
	return at, err
}

func (e *serverEngine) beginOnce() (at began, err error) {
	if err := e.connect(context.Background()); err != nil {
		return at, err
	}
	at.after = time.Now()
	values, err := e.plain(beginWriting)
	if err != nil {
		return at, err
	}
	switch {
	case len(values) != 2:
		return at, errors.New("the row of the writers' lock is missing")
	case values[0] > e.version:
		return at, fmt.Errorf("%w: it has version %d, the program knows %d", ErrNewer, values[0], e.version)
	case values[0] < e.version:
		return at, fmt.Errorf("%w: it has version %d, the program needs %d", ErrOlder, values[0], e.version)
	}
	if time.Since(at.after) > promptly { // it waited for the lock
		at.after = time.Now()
		clock, err := e.plain(readClock)
		if err != nil || len(clock) != 1 {
			return at, fmt.Errorf("reading the clock: %w", err)
		}
		values[1] = clock[0]
	}
	at.clock = time.UnixMicro(values[1]).UTC()
	return at, nil
}

// plain runs statements without arguments in one round trip, and gives the numbers that they return.
func (e *serverEngine) plain(statements string) (values []int64, err error) {
	e.bound()
	results, err := e.conn.PgConn().Exec(context.Background(), statements).ReadAll()
	if err != nil {
		return nil, err
	}
	for _, result := range results {
		for _, row := range result.Rows {
			value, err := strconv.ParseInt(string(row[0]), 10, 64)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
	}
	return values, nil
}

// commit checks that it was one: PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK.
func (e *serverEngine) commit() error {
	e.bound()
	results, err := e.conn.PgConn().Exec(context.Background(), "COMMIT").ReadAll()
	if err == nil && (len(results) != 1 || results[0].CommandTag.String() != "COMMIT") {
		err = errors.New("the transaction was rolled back")
	}
	return err
}

func (e *serverEngine) abandon() {
	e.drop()
	if e.conn == nil || !e.conn.IsClosed() && e.conn.PgConn().TxStatus() == 'I' {
		return
	}
	if !e.conn.IsClosed() {
		if _, err := e.plain("ROLLBACK"); err == nil {
			return
		}
	}
	e.disconnect()
}

func (e *serverEngine) disconnect() error {
	if e.conn == nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := e.conn.Close(bounded)
	e.conn = nil
	return err
}

func (e *serverEngine) later(query string, args []any, check func(hit int64) error) (sent bool, err error) {
	e.pending = append(e.pending, pending{query, args, check})
	if len(e.pending) < mostPending {
		return false, nil
	}
	return true, e.flush()
}

// mostPending is how many statements are sent at once: a few kilobytes of each wait in memory meanwhile.
const mostPending = 512

func (e *serverEngine) drop() bool {
	clear(e.pending)
	e.pending = e.pending[:0]
	return true
}

func (e *serverEngine) flush() error {
	if len(e.pending) == 0 {
		return nil
	}
	results, err := e.send("", nil)
	if err != nil {
		return err
	}
	return results.Close()
}

func (e *serverEngine) exec(query string, args []any) (hit int64, err error) {
	if len(e.pending) == 0 {
		e.bound()
		tag, err := e.conn.Exec(context.Background(), e.form(query), e.values(args)...)
		return tag.RowsAffected(), err
	}
	results, err := e.send(query, args)
	if err != nil {
		return 0, err
	}
	tag, err := results.Exec()
	return tag.RowsAffected(), cmp.Or(err, results.Close())
}

func (e *serverEngine) query(query string, args []any) (Rows, error) {
	if len(e.pending) == 0 {
		e.bound()
		rows, err := e.conn.Query(context.Background(), e.form(query), e.values(args)...)
		return serverRows{rows, nil}, err
	}
	results, err := e.send(query, args)
	if err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		return nil, cmp.Or(err, results.Close())
	}
	return serverRows{rows, results}, nil
}

// send sends what is pending and, if it is not "", a query after it. The results that it gives are
// the query's.
func (e *serverEngine) send(query string, args []any) (pgx.BatchResults, error) {
	var batch pgx.Batch
	for _, p := range e.pending {
		batch.Queue(e.form(p.query), e.values(p.args)...)
	}
	if query != "" {
		batch.Queue(e.form(query), e.values(args)...)
	}
	e.bound()
	results := e.conn.SendBatch(context.Background(), &batch)
	defer e.drop()
	for _, p := range e.pending {
		tag, err := results.Exec()
		if err == nil && p.check != nil {
			err = p.check(tag.RowsAffected())
		}
		if err != nil {
			return nil, cmp.Or(err, results.Close())
		}
	}
	return results, nil
}

// values brings arguments to the few types that PostgreSQL's columns here have.
func (e *serverEngine) values(args []any) []any {
	values := make([]any, len(args))
	for i, arg := range args {
		values[i] = plainValue(arg)
	}
	return values
}

// fatal also holds for whatever closed the connection.
func (e *serverEngine) fatal(err error) bool {
	if e.conn == nil || e.conn.IsClosed() || errors.Is(err, ErrNewer) || errors.Is(err, ErrOlder) {
		return true
	}
	code := codeOf(err)
	for _, class := range []string{"08", "53", "57P", "58", "F0", "XX"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return code == readOnlyTransaction
}

func (e *serverEngine) again(err error) bool {
	code := codeOf(err)
	return code == serializationFailure || code == deadlockDetected
}

func (e *serverEngine) lasting() bool { return false }
func (e *serverEngine) close() error  { return e.disconnect() }

// serverRows are rows of a query that may have others before it.
type serverRows struct {
	pgx.Rows
	results pgx.BatchResults // nil where the query was sent alone
}

func (r serverRows) Close() error {
	r.Rows.Close()
	err := r.Err()
	if r.results != nil {
		err = cmp.Or(err, r.results.Close())
	}
	return err
}
