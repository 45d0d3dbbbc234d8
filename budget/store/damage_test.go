package store

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestDamagedFile flips one byte of a file of books after another, and cuts it short: opening it or
// verifying it finds the damage, or no row that money depends on is another. Nothing panics. The log
// beside a file has a test of its own in internal/sqlstore.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bidder.db")
	keepAll(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var offsets []int // where something is written: the rest of a page is never read
	for at, b := range whole {
		if b != 0 {
			offsets = append(offsets, at)
		}
	}
	sound := allRows(t, path)
	random := rand.New(rand.NewPCG(1, 1))
	damaged, tally := filepath.Join(t.TempDir(), "bidder.db"), map[string]int{}
	try := func(what string, text []byte) {
		t.Helper()
		if err := os.WriteFile(damaged, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if found := lookAt(t, damaged); found != "" {
			tally[found]++
			return
		}
		if !readable(t, damaged, sound) { // a table that no promise reads: whoever reads it is told
			tally["told when it is read"]++
			return
		}
		tally["harmless"]++
		for _, difference := range differences(sound, allRows(t, damaged)) {
			table, _, _ := strings.Cut(difference, ".")
			if harmless[difference] == "" && harmless[table+".*"] == "" {
				t.Errorf("%s: %s is another, and nothing is said", what, difference)
			}
		}
	}
	for range 500 {
		at := offsets[random.IntN(len(offsets))]
		text := append([]byte(nil), whole...)
		text[at] ^= byte(1 + random.IntN(255))
		try(fmt.Sprintf("byte %d", at), text)
	}
	for range 100 {
		length := random.IntN(len(whole))
		try(fmt.Sprintf("cut to %d bytes", length), whole[:length])
	}
	t.Log(tally)
}

// lookAt tells how the damage is found, "" where it is not.
func lookAt(t *testing.T, path string) (found string) {
	t.Helper()
	books, err := OpenSQLite(t.Context(), path, Options{ReadOnly: true})
	if err != nil {
		return "not opened"
	}
	defer books.Close()
	report, err := books.Verify(t.Context())
	switch {
	case err != nil:
		return "not read"
	case len(report.Findings) > 0:
		return "found by " + report.Findings[0].ID
	}
	return ""
}

// readable tells whether every table can be read to its end.
func readable(t *testing.T, path string, tables map[string][][]any) bool {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for table := range tables {
		rows, err := db.Query(`SELECT * FROM ` + table)
		if err != nil {
			return false
		}
		for rows.Next() {
		}
		err = rows.Err()
		if _ = rows.Close(); err != nil {
			return false
		}
	}
	return true
}

// allRows are the rows of every table, by "table", with their columns' names in front.
func allRows(t *testing.T, path string) map[string][][]any {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := map[string][][]any{}
	for _, table := range column(t, db, `SELECT name FROM sqlite_schema WHERE type = 'table'`) {
		columns := column(t, db, `SELECT name FROM pragma_table_info(?)`, table)
		names := make([]any, len(columns))
		for i, name := range columns {
			names[i] = name
		}
		all[table] = append([][]any{names}, rowsOf(t, db, table, columns)...)
	}
	return all
}

// differences name the columns that are not the same, and the tables with rows too few or too many.
func differences(one, other map[string][][]any) (names []string) {
	for table, rows := range one {
		if len(rows) != len(other[table]) {
			names = append(names, table+".-")
			continue
		}
		for i, row := range rows {
			if len(row) != len(other[table][i]) { // the schema itself is damaged
				names = append(names, table+".-")
				break
			}
			for j := range row {
				if !reflect.DeepEqual(row[j], other[table][i][j]) {
					names = append(names, fmt.Sprintf("%s.%v", table, rows[0][j]))
				}
			}
		}
	}
	return names
}
