package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"leadbid/budget"
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

// BenchmarkPost compares whole charges one at a time with the same in group commit.
func BenchmarkPost(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s, err := store.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "bidder.db"), store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			if _, err := s.Begin(b.Context()); err != nil {
				b.Fatal(err)
			}
			var n atomic.Int64
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					p := post(fmt.Sprint(n.Add(1)), 0, 1)
					p.Charge.Caps[0].Cap.Leads = budget.Limit{}
					p.Charge.Caps[0].Cap.Cents.N = 1 << 40
					if answer, err := s.Post(context.Background(), p); err != nil || answer.Outcome != store.PostAccepted {
						b.Fatal(answer, err)
					}
				}
			})
		})
	}
}
