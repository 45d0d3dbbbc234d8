package server

import (
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rs/zerolog"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/rules"
)

// TestLaterFindingsBelongIntoTheStop: what is found while a stop stands is written into its file, unless a person
// has lifted it since.
func TestLaterFindingsBelongIntoTheStop(t *testing.T) {
	rs, faults := rules.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(pausable)}}, "bidder.yaml",
		func(string) (string, bool) { return "a-key-0123456789abcdef0123456789", true })
	if rs == nil {
		t.Fatal(faults)
	}
	s := &Server{clock: newClock(), log: zerolog.Nop(), record: &recorder{}, meters: newMeters(),
		options: Options{Rules: rs, Dir: t.TempDir()}}
	s.inForce.Store(&inForce{rules: rs, generation: 1, kept: rs.KeptAttrs()})
	s.agent = bidder.New(1, rs, budget.NewBook(bidder.PlanOf(rs)))
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
