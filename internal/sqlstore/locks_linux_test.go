package sqlstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOpeningTakesNoLockAway: whoever opens and closes a file takes away all locks that the process has on it,
// and SQLite's on the database are what keeps another process from removing the log. A second opening here, of any
// outcome, must leave them.
func TestOpeningTakesNoLockAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := openAt(t, path, Options{})
	if err := db.Write(t.Context(), insert("note")); err != nil {
		t.Fatal(err)
	}
	before := locksOn(t, path)
	if before == 0 {
		t.Fatal("SQLite holds no lock: there is nothing to see")
	}
	if _, err := Open(t.Context(), path, migrations(), "schema", Options{}); err == nil {
		t.Fatal("it was opened for writing twice")
	}
	if after := locksOn(t, path); after != before {
		t.Errorf("%d locks, and %d before a second writer was refused", after, before)
	}
	reader, err := Open(t.Context(), path, migrations(), "schema", Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	if after := locksOn(t, path); after != before {
		t.Errorf("%d locks, and %d before somebody read", after, before)
	}
}

// locksOn counts this process's locks on a file.
func locksOn(t *testing.T, path string) (count int) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Fatal(err)
	}
	owner, file := fmt.Sprint(" ", os.Getpid(), " "), fmt.Sprint(":", info.Sys().(*syscall.Stat_t).Ino, " ")
	for line := range strings.Lines(string(table)) {
		if strings.Contains(line, "POSIX") && strings.Contains(line, owner) && strings.Contains(line, file) {
			count++
		}
	}
	return count
}
