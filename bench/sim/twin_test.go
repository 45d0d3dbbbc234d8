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
)

var questions = flag.Int("sim.questions", 3000, "how many questions to put to both stores")

// TestBooksAgreeWithSQL plays days in which every question to the modelled books is put to SQLite as
// well: both must say the same, to the last lease.
func TestBooksAgreeWithSQL(t *testing.T) {
	const days = 3
	asked := 0
	for seed := uint64(1); seed <= days; seed++ {
		enough := int(seed) * *questions / days
		w := newWorld(seed)
		w.twin = func(c *contractor, clock func() time.Time) store.Store {
			path := filepath.Join(t.TempDir(), c.name+".db")
			other, err := store.OpenSQLite(t.Context(), path, store.Options{Clock: clock})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { other.Close() })
			return &twins{Books: c.books, other: other, w: w, asked: &asked, enough: enough}
		}
		w.day()
		if w.failure != nil {
			t.Fatalf("%v\n%v", w.failure, w.failure.last)
		}
		for _, c := range w.contractors {
			report, err := c.replicas[0].db.store.(*twins).other.Verify(t.Context())
			if err != nil || len(report.Findings) > 0 {
				t.Errorf("seed %d: %v %v", seed, report.Findings, err)
			}
		}
	}
	if asked < *questions/2 {
		t.Error(asked, "questions are too few to tell")
	}
}

// twins are two stores that are asked the same.
type twins struct {
	*books.Books
	other store.Store
	w     *world
	asked *int

	enough int // questions: the day ends there
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
	other, otherErr := s.other.Begin(ctx)
	s.same("Begin", one.ID, other.ID, oneErr, otherErr)
	return one, oneErr
}

func (s *twins) Upkeep(ctx context.Context, run store.Run, plan *budget.Plan, ask budget.Upkeep) (budget.UpkeepAnswer, error) {
	one, oneErr := s.Books.Upkeep(ctx, run, plan, ask)
	other, otherErr := s.other.Upkeep(ctx, run, plan, ask)
	s.same("Upkeep", one, other, oneErr, otherErr)
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
	s.same("Post", one, other, oneErr, otherErr)
	return one, oneErr
}

func (s *twins) Credit(ctx context.Context, credit store.Credit) (store.CreditAnswer, error) {
	one, oneErr := s.Books.Credit(ctx, credit)
	other, otherErr := s.other.Credit(ctx, credit)
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
