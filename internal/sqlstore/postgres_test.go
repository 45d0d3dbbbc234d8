package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"leadbid/internal/faultproxy"
	"leadbid/internal/pgtest"
)

const firstOnServer = `-- +goose Up
CREATE TABLE note (id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, text TEXT NOT NULL UNIQUE);
`

const secondMigration = "-- +goose Up\nALTER TABLE note ADD COLUMN more TEXT;\n"

func onServer(more ...string) fstest.MapFS {
	files := migrations(more...)
	files["schema/00001_first.sql"] = &fstest.MapFile{Data: []byte(firstOnServer)}
	return files
}

// TestNoAnswerKeepsThePassword takes a password out of what is told, and not each letter of a short one.
func TestNoAnswerKeepsThePassword(t *testing.T) {
	f := func(password, want string) {
		t.Helper()
		config, err := pgx.ParseConfig("postgres://bidder:" + password + "@127.0.0.1/books")
		if err != nil {
			t.Fatal(err)
		}
		got := noAnswer(errors.New("dial tcp: lookup hunter2: no such host"), config).Error()
		if got != ErrNoAnswer.Error()+": "+want {
			t.Errorf("%s: %s", password, got)
		}
	}
	f("p", "dial tcp: lookup hunter2: no such host")
	f("hunter2", "dial tcp: lookup [redacted]: no such host")
}

func openServer(t *testing.T, address string, files fstest.MapFS, told func(string)) *DB {
	t.Helper()
	db, err := OpenPostgres(t.Context(), address, files, "schema", Options{Told: told})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestPausedTransactionFreesTheLock has a job stand still in the middle of its transaction, as in a process
// that is stopped, until another writer has got past it: the server ended the first one's transaction.
func TestPausedTransactionFreesTheLock(t *testing.T) {
	address := pgtest.Address(t)
	paused, other := openServer(t, address, onServer(), nil), openServer(t, address, onServer(), nil)
	began, woken, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	started := time.Now()
	go func() {
		ended <- paused.Write(context.Background(), func(tx *Tx) error {
			err := insert("paused")(tx)
			close(began)
			<-woken
			return err
		})
	}()
	<-began
	if err := other.Write(t.Context(), insert("other")); err != nil { // lock_timeout's, where it waits too long
		t.Errorf("behind a paused transaction: %v", err)
	}
	if waited := time.Since(started); waited < idleTimeout {
		t.Errorf("it waited %v", waited)
	}
	close(woken)
	if err := <-ended; !errors.Is(err, ErrAway) {
		t.Errorf("the paused transaction's commit answered %v", err)
	}
	if err := paused.Write(t.Context(), insert("again")); err != nil {
		t.Errorf("the next write of the paused one: %v", err)
	}
	if got := strings.Join(notes(t, other), " "); got != "other again" {
		t.Errorf("the database has %q", got)
	}
}

// TestCutConnectionComesBack resets a writer's connection and refuses new ones for a while.
func TestCutConnectionComesBack(t *testing.T) {
	address, proxy := pgtest.Through(t, pgtest.Address(t))
	db := openServer(t, address, onServer(), nil)
	if err := db.Write(t.Context(), insert("before")); err != nil {
		t.Fatal(err)
	}
	proxy.Set(faultproxy.Weather{Closed: true})
	proxy.Reset()
	if err := db.Write(t.Context(), insert("cut off")); !errors.Is(err, ErrAway) {
		t.Errorf("cut off: %v, want ErrAway", err)
	}
	if err := db.Err(); err != nil {
		t.Errorf("a cut is no reason to end: %v", err)
	}
	proxy.Set(faultproxy.Weather{})
	err := errors.New("not tried")
	for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); {
		err = db.Write(t.Context(), insert("after"))
	}
	if err != nil {
		t.Errorf("after the cut: %v", err)
	}
	if got := strings.Join(notes(t, db), " "); got != "before after" {
		t.Errorf("the database has %q", got)
	}
}

// TestTwoMigrateAtOnce has two programs make the tables at once, and later change them at once: it is done
// once, after one backup, which has the rows as they were.
func TestTwoMigrateAtOnce(t *testing.T) {
	address := pgtest.Address(t)
	var mu sync.Mutex
	var told []string
	both := func(files fstest.MapFS) {
		t.Helper()
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				db, err := OpenPostgres(t.Context(), address, files, "schema", Options{Told: func(words string) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, words)
				}})
				if err != nil {
					t.Error(err)
					return
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	both(onServer())
	former := openServer(t, address, onServer(), nil)
	if err := former.Write(t.Context(), insert("kept")); err != nil {
		t.Fatal(err)
	}
	both(onServer(secondMigration))
	if len(told) != 1 {
		t.Fatalf("told: %q", told)
	}
	_, where, _ := strings.Cut(told[0], "the schema ")
	var text string
	if err := former.Read().QueryRow(`SELECT text FROM ` + where + `.note`).Scan(&text); err != nil || text != "kept" {
		t.Errorf("the backup has %q, %v", text, err)
	}
	if err := former.Write(t.Context(), insert("late")); !errors.Is(err, ErrNewer) {
		t.Errorf("a program of before writes: %v, want ErrNewer", err)
	}
}

func TestBackupOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	former := openAt(t, path, Options{})
	if err := former.Write(t.Context(), insert("kept")); err != nil {
		t.Fatal(err)
	}
	if err := former.Close(); err != nil {
		t.Fatal(err)
	}
	var told []string
	db, err := Open(t.Context(), path, migrations(secondMigration), "schema", Options{Told: func(words string) { told = append(told, words) }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if len(told) != 1 {
		t.Fatalf("told: %q", told)
	}
	_, where, _ := strings.Cut(told[0], "kept in ")
	if got := notes(t, openAt(t, where, Options{ReadOnly: true})); len(got) != 1 || got[0] != "kept" {
		t.Errorf("the backup has %q", got)
	}
}

// TestLostConnectionsAreMadeAnew ends every connection between a read, a snapshot and a write: each finds
// one that ended, and is done all the same, at its first attempt.
func TestLostConnectionsAreMadeAnew(t *testing.T) {
	address := pgtest.Address(t)
	db := openServer(t, address, onServer(), nil)
	if err := db.Write(t.Context(), insert("before")); err != nil {
		t.Fatal(err)
	}
	snapshot := func() error {
		return db.Snapshot(t.Context(), func(r Reader) error {
			_, err := r.Row(`SELECT count(*) FROM note`, nil, new(int))
			return err
		})
	}
	for round, use := range []func() error{
		func() error { return db.Write(t.Context(), insert("after")) },
		func() error {
			_, err := db.Reader(t.Context()).Row(`SELECT count(*) FROM note`, nil, new(int))
			return err
		},
		snapshot,
	} {
		var busy sync.WaitGroup
		for range 4 { // so that the pool has several
			busy.Go(func() {
				if err := snapshot(); err != nil {
					t.Error(err)
				}
			})
		}
		busy.Wait()
		_, err := db.Reader(t.Context()).Row(`SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity
			WHERE application_name = 'leadbid' AND pid <> pg_backend_pid()`, nil, new(int))
		if err != nil {
			t.Fatal(err)
		}
		if err := use(); err != nil {
			t.Errorf("%d: on a connection that has ended: %v", round, err)
		}
	}
	if got := strings.Join(notes(t, db), " "); got != "before after" {
		t.Errorf("the database has %q", got)
	}
}

// TestManyPutOff: a job that puts off more statements than are sent at once, and then fails, leaves none.
func TestManyPutOff(t *testing.T) {
	db := openServer(t, pgtest.Address(t), onServer(), nil)
	err := db.Write(t.Context(), func(tx *Tx) error {
		for i := range mostPending + 10 {
			if err := tx.Later(`INSERT INTO note (text) VALUES (?)`, []any{fmt.Sprint(i)}, nil); err != nil {
				return err
			}
		}
		return errors.New("refused")
	})
	if got := notes(t, db); err == nil || len(got) > 0 {
		t.Errorf("a job that failed with %v left %d rows", err, len(got))
	}
}

// TestCommitWaitsForItsStandby has commits wait for a synchronous standby that is away. A write that was given up is
// not done meanwhile, for nobody: done without the standby, it would be lost with the server.
func TestCommitWaitsForItsStandby(t *testing.T) {
	address := pgtest.Address(t)
	db := openServer(t, address, onServer(), nil)
	if os.Getenv(pgtest.Variable) != "" && os.Getenv(pgtest.Variable) != "require" {
		t.Skip("NOT TESTED WITH A STANDBY: the server that was named is left as it is")
	}
	admin, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	standby := func(change string) {
		for _, statement := range []string{"ALTER SYSTEM " + change, "SELECT pg_reload_conf()"} {
			if _, err := admin.Exec(context.Background(), statement); err != nil {
				t.Error(err)
			}
		}
	}
	standby("SET synchronous_standby_names = 'nowhere'")
	defer standby("RESET synchronous_standby_names")
	var confirmed []string
	for { // the server reads its settings in its own time
		text := fmt.Sprint("note ", len(confirmed))
		if err = db.Write(t.Context(), insert(text)); err != nil {
			break
		}
		confirmed = append(confirmed, text)
	}
	if !errors.Is(err, ErrAway) {
		t.Errorf("a commit that nobody confirms answered %v", err)
	}
	if err := db.Write(t.Context(), insert("later")); !errors.Is(err, ErrAway) {
		t.Errorf("the write behind it answered %v", err)
	}
	if got := notes(t, db); !slices.Equal(got, confirmed) {
		t.Errorf("%q are read, and standbys have %q", got, confirmed)
	}
	standby("RESET synchronous_standby_names")
	for err = ErrAway; errors.Is(err, ErrAway); {
		err = db.Write(t.Context(), insert("after"))
	}
	if got := notes(t, db); err != nil || len(got) != len(confirmed)+2 || got[len(got)-1] != "after" {
		t.Errorf("%v; in the end the database has %q", err, got)
	}
}
