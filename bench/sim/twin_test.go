package main

import (
	"context"
	"errors"
	"flag"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadbid/bench/sim/books"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/internal/pgtest"
)

var questions = flag.Int("sim.questions", 3000, "how many questions to put to both stores")

// TestBooksAgreeWithSQL plays days in which every question to the modelled books is put to SQLite as
// well: both must say the same, to the last lease.
func TestBooksAgreeWithSQL(t *testing.T) {
	t.Parallel()
	agree(t, []uint64{1, 2, 3}, *questions, func(c *contractor, clock func() time.Time) *twins {
		c.books.Shared = false
		path := filepath.Join(t.TempDir(), c.name+".db")
		other, err := store.OpenSQLite(t.Context(), path, store.Options{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { other.Close() })
		return &twins{of: func(store.Run) store.Store { return other }, other: other}
	})
}

// TestSharedBooksAgreeWithSQL asks PostgreSQL the same as the books that several replicas share: it
// counts them, and gives each its part only. Every run has a connection of its own, as processes do.
func TestSharedBooksAgreeWithSQL(t *testing.T) {
	t.Parallel()
	pgtest.Address(t)
	most := int64(0)
	agree(t, []uint64{4, 5}, *questions/5, func(c *contractor, clock func() time.Time) *twins {
		if c.server == nil {
			return nil
		}
		address, of := pgtest.Address(t), map[uint32]store.Store{}
		open := func() store.Store {
			other, err := store.OpenPostgres(t.Context(), address, store.Options{Clock: clock})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { other.Close() })
			return other
		}
		return &twins{other: open(), most: &most, of: func(run store.Run) store.Store {
			if of[run.ID] == nil {
				of[run.ID] = open()
			}
			return of[run.ID]
		}}
	})
	if most < 2 {
		t.Errorf("at most %d replicas were live at a time", most)
	}
}

// agree plays the days of some seeds in which books have twins, and asks them so many questions in all.
func agree(t *testing.T, seeds []uint64, questions int, twinOf func(c *contractor, clock func() time.Time) *twins) {
	asked := 0
	for day, seed := range seeds {
		enough := (day + 1) * questions / len(seeds)
		w := newWorld(seed)
		var all []*twins
		w.twin = func(c *contractor, clock func() time.Time) store.Store {
			pair := twinOf(c, clock)
			if pair == nil {
				return nil
			}
			pair.Books, pair.w, pair.asked, pair.enough, pair.clock = c.books, w, &asked, enough, clock
			all = append(all, pair)
			return pair
		}
		w.day()
		if w.failure != nil {
			t.Fatalf("%v\n%v", w.failure, w.failure.last)
		}
		for _, pair := range all {
			report, err := pair.other.Verify(t.Context())
			if err != nil || len(report.Findings) > 0 {
				t.Errorf("seed %d: %v %v", seed, report.Findings, err)
			}
		}
	}
	if asked < questions/2 {
		t.Error(asked, "questions are too few to tell")
	}
}

// twins are two stores that are asked the same.
type twins struct {
	*books.Books
	other store.Store                     // for what no run is named with
	of    func(run store.Run) store.Store // as a run has it open
	w     *world
	asked *int
	most  *int64 // replicas that an answer told of; nil where nobody wants to know

	enough int // questions: the day ends there
	clock  func() time.Time
}

// ownTime turns the end of a lease into the time of who asked, as the modelled books do. SQL does it too, but not
// under a clock of ours; TestLeasesInTheCallersTime has it under its own.
func (s *twins) ownTime(lease *budget.LeaseState, asked time.Time) {
	if lease == nil || !s.OwnTime || lease.BidUntil.IsZero() {
		return
	}
	shift := asked.Sub(s.clock().Truncate(time.Millisecond))
	lease.BidUntil, lease.CloseAt = lease.BidUntil.Add(shift), lease.CloseAt.Add(shift)
	if most := asked.Add(leaseLength); lease.BidUntil.After(most) {
		lease.BidUntil = most
	}
}

func (s *twins) same(what string, one, other any, oneErr, otherErr error) {
	if *s.asked++; *s.asked > s.enough {
		panic(stopped{})
	}
	if (oneErr == nil) != (otherErr == nil) || errors.Is(oneErr, store.ErrAway) != errors.Is(otherErr, store.ErrAway) {
		s.w.fail("twin", "%s: %v here, %v in SQL", what, oneErr, otherErr)
	}
	private := cmp.Exporter(func(reflect.Type) bool { return true })
	if diff := cmp.Diff(one, other, private); diff != "" {
		s.w.fail("twin", "%s differs (- here, + in SQL):\n%s", what, diff)
	}
}

func (s *twins) Begin(ctx context.Context) (store.Run, error) {
	one, oneErr := s.Books.Begin(ctx)
	other, otherErr := s.of(one).Begin(ctx)
	s.same("Begin", one.ID, other.ID, oneErr, otherErr)
	return one, oneErr
}

func (s *twins) Upkeep(ctx context.Context, run store.Run, plan *budget.Plan, ask budget.Upkeep) (budget.UpkeepAnswer, error) {
	one, oneErr := s.Books.Upkeep(ctx, run, plan, ask)
	other, otherErr := s.of(run).Upkeep(ctx, run, plan, ask)
	for i := range other.Leases {
		s.ownTime(&other.Leases[i], ask.At)
	}
	for _, grant := range other.Grants {
		s.ownTime(grant.Lease, ask.At)
	}
	s.same("Upkeep", one, other, oneErr, otherErr)
	if s.most != nil {
		*s.most = max(*s.most, one.Replicas)
	}
	return one, oneErr
}

func (s *twins) Answer(ctx context.Context, key store.PostKey) (store.PostAnswer, bool, error) {
	one, oneFound, oneErr := s.Books.Answer(ctx, key)
	other, otherFound, otherErr := s.other.Answer(ctx, key)
	s.same("Answer", one, other, oneErr, otherErr)
	s.same("Answer", oneFound, otherFound, nil, nil)
	return one, oneFound, oneErr
}

func (s *twins) Post(ctx context.Context, post store.Post) (store.PostAnswer, error) {
	one, oneErr := s.Books.Post(ctx, post)
	other, otherErr := s.other.Post(ctx, post)
	s.ownTime(other.Lease, post.At)
	s.same("Post", one, other, oneErr, otherErr)
	return one, oneErr
}

func (s *twins) Credit(ctx context.Context, credit store.Credit) (store.CreditAnswer, error) {
	one, oneErr := s.Books.Credit(ctx, credit)
	other, otherErr := s.other.Credit(ctx, credit)
	s.ownTime(other.Lease, credit.At)
	s.same("Credit", one, other, oneErr, otherErr)
	return one, oneErr
}

func (s *twins) Due(ctx context.Context, now time.Time, most int) ([]store.Delivery, error) {
	one, oneErr := s.Books.Due(ctx, now, most)
	other, otherErr := s.other.Due(ctx, now, most)
	s.same("Due", ids(one), ids(other), oneErr, otherErr)
	return one, oneErr
}

func ids(due []store.Delivery) (ids []string) {
	for _, d := range due {
		ids = append(ids, d.ID)
	}
	return ids
}

func (s *twins) Claim(ctx context.Context, claim store.Claim) (bool, error) {
	one, oneErr := s.Books.Claim(ctx, claim)
	other, otherErr := s.other.Claim(ctx, claim)
	s.same("Claim", one, other, oneErr, otherErr)
	return one, oneErr
}

func (s *twins) Attempted(ctx context.Context, result store.Attempt) error {
	oneErr, otherErr := s.Books.Attempted(ctx, result), s.other.Attempted(ctx, result)
	s.same("Attempted", nil, nil, oneErr, otherErr)
	return oneErr
}

func (s *twins) Rotate(ctx context.Context, how store.Rotation) (bool, error) {
	one, oneErr := s.Books.Rotate(ctx, how)
	other, otherErr := s.other.Rotate(ctx, how)
	s.same("Rotate", one, other, oneErr, otherErr)
	return one, oneErr
}
