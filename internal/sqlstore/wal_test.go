package sqlstore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// leftBehind copies the files of a database that is being written, as a crash would leave them.
func leftBehind(t *testing.T, writes int) (path string) {
	t.Helper()
	running := filepath.Join(t.TempDir(), "a.db")
	db := openAt(t, running, Options{})
	for i := range writes {
		if err := db.Write(t.Context(), insert(fmt.Sprint("note ", i))); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(t.TempDir(), "a.db")
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(running + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+suffix, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestDamagedLog flips one byte of a log after another. A database that opens has every note, or all
// but the last ones: what a crash could have cut short.
func TestDamagedLog(t *testing.T) {
	const writes = 20
	path := leftBehind(t, writes)
	whole, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if state, err := readLog(bufio.NewReader(bytes.NewReader(whole))); err != nil || state.good != len(whole) || state.behind != 0 {
		t.Fatalf("of a whole log of %d bytes %d are good, and %d commits behind", len(whole), state.good, state.behind)
	}
	books, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	tally := map[string]int{}
	for i := range 90 {
		at := random.IntN(len(whole))
		if i < walHeader+frameHeader {
			at = i
		}
		damaged := append([]byte(nil), whole...)
		damaged[at] ^= byte(1 + random.IntN(255))
		copied := filepath.Join(t.TempDir(), "a.db")
		for suffix, text := range map[string][]byte{"": books, "-wal": damaged} {
			if err := os.WriteFile(copied+suffix, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		db, err := Open(t.Context(), copied, migrations(), "schema", Options{})
		if errors.Is(err, ErrDamaged) {
			tally["refused"]++
			continue
		}
		if err != nil {
			t.Errorf("byte %d: %v", at, err)
			continue
		}
		switch got := len(notes(t, db)); {
		case got == writes:
			tally["harmless"]++
		case got >= writes-2:
			tally["the last notes missing"]++
		default:
			t.Errorf("byte %d of %d: %d of %d notes are there, and nothing is said", at, len(whole), got, writes)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Log(tally)
	if tally["refused"] < 70 {
		t.Errorf("%d of 90 damaged logs were refused", tally["refused"])
	}
}

// TestOpenedByALink: what stands beside the database is looked for there, and not beside a link to it.
func TestOpenedByALink(t *testing.T) {
	path := leftBehind(t, 20)
	folder := t.TempDir()
	for name, target := range map[string]string{"books": filepath.Dir(path), "books.db": path, "away.db": path + "-away"} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Skipf("NOT TESTED THROUGH LINKS: none can be made here: %v", err)
		}
	}
	link := filepath.Join(folder, "books.db")
	whole, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	whole[len(whole)/2]++
	if err := os.WriteFile(path+"-wal", whole, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{link, filepath.Join(folder, "books", filepath.Base(path))} {
		if _, err := Open(t.Context(), name, migrations(), "schema", Options{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s with a damaged log: %v", name, err)
		}
	}
	if err := os.Remove(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	db := openAt(t, link, Options{})
	if _, err := Open(t.Context(), path, migrations(), "schema", Options{}); !errors.Is(err, ErrBusy) {
		t.Errorf("beside a writer who came by a link: %v", err)
	}
	db.Close()
	if _, err := Open(t.Context(), filepath.Join(folder, "away.db"), migrations(), "schema", Options{}); err == nil || !strings.Contains(err.Error(), "a link to a file that is not there") {
		t.Errorf("a link to nothing: %v", err)
	}
}

// TestLogCutShort cuts a log at every kind of place, as a crash does: that is no damage.
func TestLogCutShort(t *testing.T) {
	path := leftBehind(t, 10)
	whole, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	for length := 0; length <= len(whole); length += 1021 {
		if err := os.WriteFile(path+"-wal", whole[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkLog(path); err != nil {
			t.Errorf("cut to %d bytes: %v", length, err)
		}
	}
	// Its last write may be there in part, in any order of pages.
	torn := append([]byte(nil), whole...)
	clear(torn[len(torn)-4096 : len(torn)-2048])
	if err := os.WriteFile(path+"-wal", torn, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkLog(path); err != nil {
		t.Errorf("torn in its last write: %v", err)
	}
	torn[len(torn)/2]++
	if err := os.WriteFile(path+"-wal", torn, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkLog(path); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "commits behind it") {
		t.Errorf("damaged in the middle: %v", err)
	}
}

// TestALogBeginsAnew: what a crash left in the log is in the database once that was opened again.
func TestALogBeginsAnew(t *testing.T) {
	path := leftBehind(t, 20)
	db := openAt(t, path, Options{})
	if log, err := os.ReadFile(path + "-wal"); err != nil || len(log) > 0 {
		t.Errorf("the log still has %d bytes (%v)", len(log), err)
	}
	if got := len(notes(t, db)); got != 20 {
		t.Errorf("there are %d notes", got)
	}
}
