package store

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestHotStatementsReadFewRows asks SQLite how it runs what every question of a Book, every post,
// every start and every look at the outbox runs: none of it may walk a table that grows for ever.
// What counts the books may walk an index that holds all it needs.
func TestHotStatementsReadFewRows(t *testing.T) {
	s, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "bidder.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, query := range []string{
		dueLeases, openLeases, backedBy, capUse, storedPost, boughtPast, capsThatEndAfter, dueDeliveries,
		lastEntry, newestTrail, `SELECT max(n) FROM entry WHERE run = ?`, counts,
	} {
		args := make([]any, strings.Count(query, "?"))
		rows, err := s.(*books).db.Read().QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+query, args...)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			walks := strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "lease_open") && step != "SCAN past" &&
				step != "SCAN dispute" && // they are few
				!strings.Contains(step, "CONSTANT ROW")
			if walks && query == counts {
				walks = !strings.Contains(step, "USING COVERING INDEX") && step != "SCAN outbox" // an index itself
			}
			if walks || strings.Contains(step, "lease_cap_cap (cap=?)") {
				t.Errorf("%s\nwalks a table: %s", query, step)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
}
