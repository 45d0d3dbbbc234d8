package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"leadbid/budget/store"
	"leadbid/budget/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T, clock func() time.Time) store.Store {
		s, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "bidder.db"), store.Options{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
