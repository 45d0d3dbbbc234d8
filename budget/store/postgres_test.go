package store_test

import (
	"flag"
	"testing"
	"time"

	"leadbid/budget/store"
	"leadbid/budget/store/storetest"
	"leadbid/internal/pgtest"
)

func TestPostgres(t *testing.T) {
	pgtest.Address(t) // skips all of it at once
	fewer(t)
	storetest.Run(t, func(t *testing.T, clock func() time.Time) store.Store {
		s, err := store.OpenPostgres(t.Context(), pgtest.Address(t), store.Options{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// fewer has the random test run less often: SQLite's runs it in full, and here each write is a
// server's sync.
func fewer(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	if checks == nil || checks.Value.String() != checks.DefValue {
		return
	}
	if err := checks.Value.Set("15"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Value.Set(checks.DefValue) })
}
