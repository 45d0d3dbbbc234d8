package books_test

import (
	"testing"
	"time"

	"leadbid/bench/sim/books"
	"leadbid/budget/store"
	"leadbid/budget/store/storetest"
)

func TestBooks(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, clock func() time.Time) store.Store {
		b := books.New(clock, "test")
		b.SyncEach = true
		return b
	})
}
