package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/internal/pgtest"
	"leadbid/pingpost"
)

// TestReplicasLookOnce has two replicas take turns at the same caps: each holds them against the leads
// once, and not each time the other was there.
func TestReplicasLookOnce(t *testing.T) {
	address, now := pgtest.Address(t), time.Now()
	plan := &budget.Plan{Location: time.UTC, Lines: []budget.LinePlan{{
		Line:  budget.Line{Campaign: "hvac", Exchange: "north"},
		Terms: budget.Terms{BidTTL: time.Minute, Grace: 2 * time.Second},
		Caps:  []budget.Cap{{Period: pingpost.Total, Cents: budget.Limit{N: 1000_00, Set: true}}},
	}}}
	open := func() (upkeep func(), replan func()) {
		s, err := store.OpenPostgres(t.Context(), address, store.Options{Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		run, err := s.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ask := func() {
			if _, err := s.Upkeep(t.Context(), run, plan, budget.Upkeep{At: now}); err != nil {
				t.Fatal(err)
			}
		}
		return ask, func() {
			if err := s.Replan(t.Context(), run); err != nil {
				t.Fatal(err)
			}
		}
	}
	one, replan := open()
	two, _ := open()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	lookedLast := func() (run int64) {
		if err := conn.QueryRow(t.Context(), `SELECT run FROM cap`).Scan(&run); err != nil {
			t.Fatal(err)
		}
		return run
	}
	var got []int64
	for _, step := range []func(){one, two, one, two, one, replan, one, two, func() { now = now.Add(6 * time.Minute) }, one, two} {
		step()
		got = append(got, lookedLast())
	}
	if want := "[1 2 1 1 1 0 1 1 1 1 2]"; fmt.Sprint(got) != want {
		t.Errorf("the run that looked last, after each step: %v, not %v", got, want)
	}
}
