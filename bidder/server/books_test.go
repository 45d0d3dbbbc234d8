package server

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"leadbid/budget/store"
)

// silentStore takes questions and never answers.
type silentStore struct{ store.Store }

func (silentStore) Verify(ctx context.Context) (store.Report, error) {
	<-ctx.Done()
	return store.Report{}, ctx.Err()
}

// A store that says nothing any more ends a verification, and that is told.
func TestAVerificationWithoutAnAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{clock: newClock(), store: silentStore{}}
		s.verify(t.Context(), true)
		if status := s.books.status(time.UTC); status.Error == "" {
			t.Errorf("the status is %+v", status)
		}
	})
}

// TestLaterFindingsBelongIntoTheStop: what is found while a stop stands is written into its file, unless a person
// has lifted it since.
func TestLaterFindingsBelongIntoTheStop(t *testing.T) {
	s := pausableServer(t)
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	one, two := store.Finding{ID: "B7", What: "cap 1"}, store.Finding{ID: "B3", What: "lead 1"}
	find := func(findings ...store.Finding) {
		s.found(at, store.Report{Findings: findings})
		s.followStop()
	}
	written := func(want ...store.Finding) {
		t.Helper()
		stop, err := ReadBooksStop(s.booksStopFile())
		if err != nil || !slices.Equal(stop.Findings, want) {
			t.Fatalf("the stop has %v (%v), not %v", stop.Findings, err, want)
		}
	}
	find(one)
	written(one)
	find(one, two)
	written(one, two)
	find()
	written(one, two) // it is for a person to lift
	if err := WriteBooksStop(s.booksStopFile(), BooksStop{Accepted: []string{one.Key(), two.Key()}}); err != nil {
		t.Fatal(err)
	}
	find(one, two)
	written()
	if s.books.stop.Stopped() {
		t.Error("it is stopped by what a person accepted")
	}
}
