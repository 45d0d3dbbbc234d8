package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/budget/store/storetest"
	"leadbid/pingpost"
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

// BenchmarkPost is one whole charge, paid by a lease under six caps, with two contacts and one
// delivery: from callers that wait for each other, and from as many as share commits.
func BenchmarkPost(b *testing.B) {
	for _, callers := range []int{1, 256} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s, err := store.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "bidder.db"), store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			lease, caps := leaseOfSixCaps(b, s)
			posts := make(chan store.Post, callers)
			var group sync.WaitGroup
			for range callers {
				group.Go(func() {
					for p := range posts {
						if answer, err := s.Post(context.Background(), p); err != nil || answer.Lease == nil {
							b.Error(answer, err)
						}
					}
				})
			}
			for n := range b.N {
				p := post(fmt.Sprint(n), lease, 1)
				p.Charge.Caps = caps
				p.Contacts = append(p.Contacts, store.HashContact(nil, "email", fmt.Sprint(n)))
				posts <- p
			}
			close(posts)
			group.Wait()
		})
	}
}

// leaseOfSixCaps grants a lease that a benchmark does not use up.
func leaseOfSixCaps(b *testing.B, s store.Store) (budget.LeaseID, []budget.CapWindow) {
	run, err := s.Begin(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	wide := &budget.Plan{Location: time.UTC, Lines: []budget.LinePlan{{Line: line, Terms: plan.Lines[0].Terms}}}
	for _, scope := range []budget.Scope{{}, {Kind: budget.ScopeCampaign, Name: line.Campaign}} {
		for _, period := range []pingpost.Period{pingpost.Day, pingpost.Week, pingpost.Month} {
			wide.Lines[0].Caps = append(wide.Lines[0].Caps,
				budget.Cap{Scope: scope, Period: period, Cents: budget.Limit{N: 1 << 40, Set: true}})
		}
	}
	want := budget.Want{Line: line, Least: 1, Cents: 1 << 30, Leads: 1 << 30}
	answer, err := s.Upkeep(b.Context(), run, wide, budget.Upkeep{Wants: []budget.Want{want}})
	if err != nil || answer.Grants[0].Lease == nil {
		b.Fatal(answer, err)
	}
	return answer.Grants[0].Lease.ID, budget.WindowsOf(wide.Lines[0].Caps, time.Now(), time.UTC)
}
