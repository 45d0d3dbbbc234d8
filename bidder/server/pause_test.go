package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"github.com/rs/zerolog"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/rules"
)

func TestReadPauses(t *testing.T) {
	f := func(text string, want bidder.Pauses, ok bool) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "paused.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadPauses(path)
		if (err == nil) != ok || !samePauses(got, want) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	f(`{}`, bidder.Pauses{}, true)
	f(`{"all": true}`+"\n", bidder.Pauses{All: true}, true)
	f(`{"campaigns": ["hvac"], "exchanges": []}`, bidder.Pauses{Campaigns: []string{"hvac"}}, true)
	f(``, bidder.Pauses{}, false)
	f(`{"all": tr`, bidder.Pauses{}, false)
	f(`{"campaign": ["hvac"]}`, bidder.Pauses{}, false)
	f(`{} {"all": true}`, bidder.Pauses{}, false)
}

// TestLastPauseWins changes both reasons to pause from several goroutines: in the end the Agent must
// have what is in force, not what one of them saw on its way.
func TestLastPauseWins(t *testing.T) {
	s := pausableServer(t)
	for round := range 10_000 {
		var changes sync.WaitGroup
		for i := range 4 {
			changes.Go(func() { s.deliveryDown(fmt.Sprint("campaign-", i), round%2 == 0) })
		}
		changes.Go(func() {
			s.pauses.set(bidder.Pauses{All: round%2 == 0})
			s.applyPauses()
		})
		changes.Wait()
		want, _ := s.pauses.effective()
		if got := s.agent.Snapshot().Pauses; !samePauses(got, want) {
			t.Fatalf("round %d: the Agent has %+v, in force is %+v", round, got, want)
		}
	}
}

// TestStopBesideFaultyPauses finds the books broken, and has a person lift that stop, while the file of
// pauses cannot be read: the Agent hears of both at the next look.
func TestStopBesideFaultyPauses(t *testing.T) {
	s := pausableServer(t)
	has := func(want bidder.Pauses) {
		t.Helper()
		s.lookAtPauses()
		if got := s.agent.Snapshot().Pauses; !samePauses(got, want) {
			t.Errorf("the Agent has %+v, in force is %+v", got, want)
		}
	}
	pauses := func(text string) {
		t.Helper()
		if err := os.WriteFile(s.pauseFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stop := func(findings ...store.Finding) {
		t.Helper()
		if err := WriteBooksStop(s.booksStopFile(), BooksStop{Findings: findings}); err != nil {
			t.Fatal(err)
		}
	}
	pauses(`{"campaigns": ["hvac"]}`)
	has(bidder.Pauses{Campaigns: []string{"hvac"}})

	pauses(`{`)
	stop(store.Finding{ID: "B1", What: "cap 1: more was granted than its limit"})
	has(bidder.Pauses{All: true, Campaigns: []string{"hvac"}})
	stop()
	has(bidder.Pauses{Campaigns: []string{"hvac"}})

	pauses(`{}`)
	has(bidder.Pauses{})
}

// TestLiftedStopStaysLifted has a person lift a stop while the bidder is about to add later findings to it.
func TestLiftedStopStaysLifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pausableServer(t)
		finding := store.Finding{ID: "B1", What: "cap 1: more was granted than its limit"}
		if err := WriteBooksStop(s.booksStopFile(), BooksStop{Findings: []store.Finding{finding}}); err != nil {
			t.Fatal(err)
		}
		s.lookAtPauses()
		s.found(s.clock.now(), store.Report{Findings: []store.Finding{finding, {ID: "B3", What: "lead 1: it cost too much"}}})
		lock, err := LockPauses(t.Context(), s.pauseFile())
		if err != nil {
			t.Fatal(err)
		}
		looked := make(chan struct{})
		go func() {
			s.lookAtPauses()
			close(looked)
		}()
		synctest.Wait()
		select {
		case <-looked:
			t.Error("the bidder does not wait for who is changing the stop")
		default:
		}
		if err := errors.Join(WriteBooksStop(s.booksStopFile(), BooksStop{}), lock.Close()); err != nil {
			t.Fatal(err)
		}
		<-looked
		s.lookAtPauses()
		if stop, err := ReadBooksStop(s.booksStopFile()); err != nil || stop.Stopped() || s.books.why() != "" {
			t.Errorf("a person lifted it, and it is %+v, %v: %s", stop, err, s.books.why())
		}
	})
}

// pausableServer is as much of a bidder as its pauses need, with a folder of its own.
func pausableServer(t *testing.T) *Server {
	t.Helper()
	rs, faults := rules.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(pausable)}}, "bidder.yaml",
		func(string) (string, bool) { return "a-key-0123456789abcdef0123456789", true })
	if rs == nil {
		t.Fatal(faults)
	}
	s := &Server{clock: newClock(), log: zerolog.Nop(), record: &recorder{}, meters: newMeters(),
		options: Options{Rules: rs, Dir: t.TempDir()}}
	s.inForce.Store(&inForce{rules: rs, generation: 1, kept: rs.KeptAttrs()})
	s.agent = bidder.New(1, rs, budget.NewBook(bidder.PlanOf(rs)))
	return s
}

const pausable = `
version: 1
business: {name: Test, timezone: America/Chicago}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: sqlite:test.db
pause_file: paused
mode: live
exchanges:
  north: {profile: native, auth: {bearer: "${KEY}"}, commitment: refusable}
campaigns:
  hvac:
    services: [hvac]
    area: {zip: 60614, miles: 10}
    budget: {day: $200}
    rules: [{name: all, bid: 20}]
    delivery: [{file: leads.jsonl}]
`
