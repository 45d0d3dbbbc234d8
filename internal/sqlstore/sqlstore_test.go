package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const firstMigration = `-- +goose Up
CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE line (note INTEGER NOT NULL REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED) STRICT;
`

func migrations(more ...string) fstest.MapFS {
	files := fstest.MapFS{"schema/00001_first.sql": {Data: []byte(firstMigration)}}
	for i, text := range more {
		files[fmt.Sprintf("schema/%05d_more.sql", i+2)] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func openAt(t *testing.T, path string, opts Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, migrations(), "schema", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func insert(text string) func(*Tx) error {
	return func(tx *Tx) error {
		_, err := tx.Insert(`INSERT INTO note (text) VALUES (?)`, text)
		return err
	}
}

func notes(t *testing.T, db *DB) (texts []string) {
	t.Helper()
	rows, err := db.Read().Query(`SELECT text FROM note ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

func TestEveryConnectionIsDurable(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "what? a #name%20.db"), Options{})
	if err := verifyDurable(t.Context(), db.reading.DB); err != nil {
		t.Error(err)
	}
	err := db.Write(t.Context(), func(tx *Tx) error {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000"} {
			var got string
			if _, err := tx.Row("PRAGMA "+pragma, nil, &got); err != nil || got != want {
				t.Errorf("%s is %q, not %q (%v)", pragma, got, want, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Read().Exec(`INSERT INTO note (text) VALUES ('x')`); err == nil {
		t.Error("the pool for reading wrote")
	}
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	folder := t.TempDir()
	openAt(t, filepath.Join(folder, "a.db"), Options{})
	entries, _ := os.ReadDir(folder)
	if len(entries) < 2 {
		t.Fatalf("%d files", len(entries))
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %v", entry.Name(), info.Mode())
		}
	}
}

func TestOneWriterPerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := openAt(t, path, Options{})
	if _, err := Open(t.Context(), path, migrations(), "schema", Options{}); !errors.Is(err, ErrBusy) {
		t.Fatalf("the second open answered %v", err)
	}
	if err := db.Write(t.Context(), insert("one")); err != nil {
		t.Fatal(err)
	}
	watcher := openAt(t, path, Options{ReadOnly: true})
	if got := notes(t, watcher); len(got) != 1 {
		t.Errorf("a reader beside the writer saw %v", got)
	}
	if err := watcher.Write(t.Context(), insert("two")); !errors.Is(err, ErrAway) {
		t.Errorf("a reader's write answered %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	openAt(t, path, Options{})
}

func TestReadingNeedsAnExistingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	if _, err := Open(t.Context(), path, migrations(), "schema", Options{ReadOnly: true}); err == nil {
		t.Error("a missing file was opened for reading")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("reading made a file")
	}
}

func TestSchemaVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	old, newer := migrations(), migrations("-- +goose Up\nALTER TABLE note ADD COLUMN more TEXT;\n")
	for _, step := range []struct {
		files fstest.MapFS
		opts  Options
		want  error
	}{
		{old, Options{}, nil},
		{newer, Options{ReadOnly: true}, ErrOlder},
		{newer, Options{}, nil},
		{newer, Options{}, nil},
		{old, Options{}, ErrNewer},
		{old, Options{ReadOnly: true}, ErrNewer},
		{newer, Options{ReadOnly: true}, nil},
	} {
		db, err := Open(t.Context(), path, step.files, "schema", step.opts)
		if !errors.Is(err, step.want) {
			t.Fatalf("%d migrations, %+v: %v, not %v", len(step.files), step.opts, err, step.want)
		}
		if err == nil {
			db.Close()
		}
	}
}

func TestCheckVersion(t *testing.T) {
	for version, fine := range map[string]bool{
		"3.51.2": false, "3.50.9": false, "2.99.99": false, "3.51": false, "": false, "x.y.z": false,
		"3.51.3": true, "3.52.0": true, "3.53.4": true, "4.0.0": true,
	} {
		if got := checkVersion(version) == nil; got != fine {
			t.Errorf("%q: %v", version, got)
		}
	}
}

// TestOneFailedWriteHarmsNoOther holds the writer in a first job until the others are queued, so
// that they share one transaction.
func TestOneFailedWriteHarmsNoOther(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	hold, held := make(chan struct{}), make(chan struct{})
	go db.Write(context.Background(), func(*Tx) error { close(held); <-hold; return nil })
	<-held

	wrong := errors.New("changed my mind")
	var group sync.WaitGroup
	for i := range 30 {
		group.Go(func() {
			err := db.Write(context.Background(), func(tx *Tx) error {
				if err := insert(fmt.Sprint("note ", i))(tx); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					return wrong
				case 2:
					return insert(fmt.Sprint("note ", i))(tx) // not unique
				}
				return nil
			})
			if (err == nil) != (i%3 == 0) || errors.Is(err, wrong) != (i%3 == 1) || errors.Is(err, ErrAway) {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	for len(db.writer.queue) < 30 {
		runtime.Gosched()
	}
	close(hold)
	group.Wait()
	if got := notes(t, db); len(got) != 10 {
		t.Errorf("%d notes: %v", len(got), got)
	}
}

// A job that is undone halfway goes on, alone or among others, with or without savepoints from the
// start; and what jobs remember is forgotten with what was undone.
func TestUndo(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	type lastNote struct{}
	var want []string
	for i := range 2 * carefulFor {
		text := fmt.Sprint("note ", i)
		err := db.Write(t.Context(), func(tx *Tx) error {
			if tx.Recall(lastNote{}) != nil {
				t.Error("the former transaction is remembered")
			}
			if err := insert("undone " + text)(tx); err != nil {
				return err
			}
			tx.Remember(lastNote{}, text)
			if i%carefulFor != 0 {
				return nil
			}
			if err := tx.Undo(); err != nil {
				return err
			}
			if tx.Recall(lastNote{}) != nil {
				t.Error("what was undone is remembered")
			}
			return insert(text)(tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		if i%carefulFor != 0 {
			text = "undone " + text
		}
		want = append(want, text)
	}
	if got := notes(t, db); !slices.Equal(got, want) {
		t.Errorf("notes %q", got)
	}
}

// TestUndoOfWhatWasPutOff undoes a statement that nobody waited for: a file has done it at once.
func TestUndoOfWhatWasPutOff(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	later := func(tx *Tx, text string) error {
		return tx.Later(`INSERT INTO note (text) VALUES (?)`, []any{text}, nil)
	}
	err := db.Write(t.Context(), func(tx *Tx) error {
		if err := later(tx, "undone"); err != nil {
			return err
		}
		if err := tx.Undo(); err != nil {
			return err
		}
		return later(tx, "kept")
	})
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	err = db.Write(t.Context(), func(tx *Tx) error { return cmp.Or(later(tx, "failed"), failed) })
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	if got := notes(t, db); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("notes %q", got)
	}
}

func TestFullQueueRefuses(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), Options{Queue: 1})
	hold, held := make(chan struct{}), make(chan struct{})
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		first <- db.Write(context.Background(), func(tx *Tx) error { close(held); <-hold; return nil })
	}()
	<-held
	go func() { second <- db.Write(context.Background(), insert("second")) }()
	for len(db.writer.queue) < 1 {
		runtime.Gosched()
	}
	if err := db.Write(t.Context(), insert("third")); !errors.Is(err, ErrAway) {
		t.Errorf("a full queue answered %v", err)
	}
	close(hold)
	if err := errors.Join(<-first, <-second); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(notes(t, db)); got != "[second]" {
		t.Error(got)
	}
}

func TestCancelledWhileQueued(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	hold, held := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	running, queued := make(chan error, 1), make(chan error, 1)
	go func() {
		running <- db.Write(ctx, func(tx *Tx) error { close(held); <-hold; return insert("running")(tx) })
	}()
	<-held
	go func() { queued <- db.Write(ctx, insert("queued")) }()
	for len(db.writer.queue) < 1 {
		runtime.Gosched()
	}
	cancel()
	if err := <-queued; !errors.Is(err, ErrAway) || !errors.Is(err, context.Canceled) {
		t.Errorf("the queued write answered %v", err)
	}
	close(hold)
	if err := <-running; err != nil {
		t.Errorf("the running write answered %v", err)
	}
	if got := fmt.Sprint(notes(t, db)); got != "[running]" {
		t.Error(got)
	}
	if err := db.Write(ctx, insert("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("a write that came cancelled answered %v", err)
	}
}

// TestFailedCommitStopsTheWriter makes the commit itself fail, by a constraint that SQLite checks
// only there.
func TestFailedCommitStopsTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := openAt(t, path, Options{})
	err := db.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO line (note) VALUES (99)`)
		return err
	})
	if !errors.Is(err, ErrAway) {
		t.Fatalf("the failed commit answered %v", err)
	}
	if err := db.Write(t.Context(), insert("after")); !errors.Is(err, ErrAway) || db.Err() == nil {
		t.Errorf("the next write answered %v", err)
	}
	db.Close()
	again := openAt(t, path, Options{})
	if err := again.Write(t.Context(), insert("reopened")); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(notes(t, again)); got != "[reopened]" {
		t.Error(got)
	}
}

// TestFullDiskStopsTheWriter swallows the error in the job: the writer has to notice by itself.
// TestLockedFileHarmsOnlyItsWrites: a person's shell that holds the lock must not stop the bidder or
// the exchange for good.
func TestLockedFileHarmsOnlyItsWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := openAt(t, path, Options{})
	write := func(do func(*Tx) error) error { return db.Write(t.Context(), do) }
	impatient := func(tx *Tx) error {
		_, err := tx.Exec("PRAGMA busy_timeout = 1")
		return err
	}
	if err := write(impatient); err != nil {
		t.Fatal(err)
	}
	shell, err := connect(t.Context(), address(path, "rw", "_txlock", "immediate"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	lock, err := shell.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := write(insert("locked out")); !errors.Is(err, ErrAway) {
		t.Errorf("beside a lock: %v, want ErrAway", err)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := write(insert("after it")); err != nil {
		t.Errorf("after the lock: %v", err)
	}
	if got := notes(t, db); len(got) != 1 || got[0] != "after it" {
		t.Errorf("the file has %q", got)
	}
}

func TestFullDiskStopsTheWriter(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	err := db.Write(t.Context(), func(tx *Tx) error {
		var pages int
		if _, err := tx.Row(`PRAGMA max_page_count = 8`, nil, &pages); err != nil {
			return err
		}
		_ = insert(strings.Repeat("x", 1<<20))(tx)
		return nil
	})
	if !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "full") {
		t.Fatalf("a full disk answered %v", err)
	}
	if err := db.Write(t.Context(), insert("after")); !errors.Is(err, ErrAway) {
		t.Errorf("the next write answered %v", err)
	}
	if got := notes(t, db); len(got) != 0 {
		t.Errorf("%d notes", len(got))
	}
}

func TestCloseFinishesWhatIsQueued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := openAt(t, path, Options{})
	busy, release := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := db.Write(context.Background(), func(*Tx) error { close(busy); <-release; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	<-busy
	const queued = 32
	for i := range queued {
		group.Go(func() {
			if err := db.Write(context.Background(), insert(fmt.Sprint(i))); err != nil {
				t.Errorf("queued before the end: %v", err)
			}
		})
	}
	for len(db.writer.queue) < queued {
		runtime.Gosched()
	}
	var more atomic.Int64 // of those that come while it closes
	for i := range 32 {
		group.Go(func() {
			switch err := db.Write(context.Background(), insert(fmt.Sprint("late ", i))); {
			case err == nil:
				more.Add(1)
			case !errors.Is(err, ErrAway):
				t.Error(err)
			}
		})
	}
	group.Go(func() { close(release) })
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	group.Wait()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if got := notes(t, openAt(t, path, Options{})); len(got) != queued+int(more.Load()) {
		t.Errorf("%d and %d writes were answered, %d are there", queued, more.Load(), len(got))
	}
}

func TestRowAndQuery(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	err := db.Write(t.Context(), func(tx *Tx) error {
		var text string
		if found, err := tx.Row(`SELECT text FROM note WHERE id = ?`, []any{7}, &text); found || err != nil {
			t.Errorf("an empty table: %v %v", found, err)
		}
		id, err := tx.Insert(`INSERT INTO note (text) VALUES (?)`, "a")
		if err != nil {
			return err
		}
		if found, err := tx.Row(`SELECT text FROM note WHERE id = ?`, []any{id}, &text); !found || err != nil || text != "a" {
			t.Errorf("%v %v %q", found, err, text)
		}
		hit, err := tx.Exec(`UPDATE note SET text = 'b' WHERE id = ?`, id)
		if hit != 1 || err != nil {
			t.Errorf("%d rows, %v", hit, err)
		}
		if _, err := tx.Exec(`UPDATE nothing`); err == nil {
			t.Error("a wrong statement was prepared")
		}
		rows, err := tx.Query(`SELECT text FROM note`)
		if err != nil {
			return err
		}
		defer rows.Close()
		if !rows.Next() {
			t.Error("no row")
		}
		return rows.Err()
	})
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			db, err := Open(b.Context(), filepath.Join(b.TempDir(), "a.db"), migrations(), "schema", Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := db.Write(context.Background(), insertNull); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func insertNull(tx *Tx) error {
	_, err := tx.Exec(`INSERT INTO note (text) VALUES (hex(randomblob(8)))`)
	return err
}

// What jobs put off to the transaction's end fails one of them only: all run again, each for itself.
func TestWhatIsPutOffHarmsNoOther(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), Options{})
	hold, held := make(chan struct{}), make(chan struct{})
	go db.Write(context.Background(), func(*Tx) error { close(held); <-hold; return nil })
	<-held
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			err := db.Write(context.Background(), func(tx *Tx) error {
				tx.AtEnd(func() error { return insert(fmt.Sprint("note ", max(i, 1)))(tx) }) // 0 and 1 are the same
				return nil
			})
			if i > 1 && err != nil || errors.Is(err, ErrAway) {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	for len(db.writer.queue) < 4 {
		runtime.Gosched()
	}
	close(hold)
	group.Wait()
	if got := notes(t, db); len(got) != 3 {
		t.Errorf("notes %q", got)
	}
}

// TestNothingAfterAFault: a full disk may end the transaction inside SQLite. What the job writes then belongs to
// none, and would stay.
func TestNothingAfterAFault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := openAt(t, path, Options{})
	err := db.Write(t.Context(), func(tx *Tx) error {
		if err := insert("before")(tx); err != nil {
			return err
		}
		if _, err := tx.Exec(`PRAGMA max_page_count = 8`); err != nil {
			return err
		}
		_, full := tx.Exec(`INSERT OR FAIL INTO note (text) VALUES (?)`, strings.Repeat("x", 200_000))
		return errors.Join(full, insert("after")(tx))
	})
	if err == nil {
		t.Fatal("the disk was not full")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := notes(t, openAt(t, path, Options{})); len(got) > 0 {
		t.Errorf("of a write that failed there are %q", got)
	}
}

// TestWhoMayNotOpenIsTold: SQLite has numbers for it. Who runs the tests may be allowed everything.
func TestWhoMayNotOpenIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	openAt(t, path, Options{})
	_, cannotOpen := connect(t.Context(), address(path+".away", "rw"), 1)
	reading, err := connect(t.Context(), address(path, "rw", "_pragma", "query_only(1)"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	_, readOnly := reading.Exec(`CREATE TABLE another (n INTEGER)`)
	for _, err := range []error{cannotOpen, readOnly} {
		if told := inWords(err); err == nil || !errors.Is(told, fs.ErrPermission) || !errors.Is(told, err) {
			t.Errorf("%v is told as %v", err, told)
		}
	}
}

// TestReadingWhatIsNotThere: books that nobody has begun yet are told apart from broken ones.
func TestReadingWhatIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	missing := func() {
		t.Helper()
		if _, err := Open(t.Context(), path, migrations(), "schema", Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is told as %v", err)
		}
	}
	missing()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing()
}

func TestWhatIsNoDatabase(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "leads.csv")
	if err := os.WriteFile(text, []byte("lead_id,price\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{folder: "it is a folder", text: "no SQLite file, or its beginning is damaged"} {
		_, err := Open(t.Context(), path, migrations(), "schema", Options{})
		if !errors.Is(err, ErrNotSQLite) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got, err := os.ReadFile(text); err != nil || string(got) != "lead_id,price\n" {
		t.Errorf("the file is %q now (%v)", got, err)
	}
}
