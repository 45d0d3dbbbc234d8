package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"leadbid/exchange"
)

// gate is a store that keeps nothing. Each commit shows its batch, then waits to be let through.
type gate struct {
	Store
	begun chan exchange.Batch
	done  chan struct{}
}

func (g *gate) Load(_ context.Context, config *exchange.Config, _ time.Time) (*exchange.Market, error) {
	return exchange.New(config), nil
}

func (g *gate) Commit(_ context.Context, batch exchange.Batch) error {
	g.begun <- batch
	<-g.done
	return nil
}

// open lets every commit from now on pass.
func (g *gate) open() {
	close(g.done)
	go func() {
		for range g.begun {
		}
	}()
}

// runDesk starts a desk whose first commit, that of Start, is through.
func runDesk(t *testing.T) (d *desk, g *gate, stop func()) {
	t.Helper()
	g = &gate{begun: make(chan exchange.Batch), done: make(chan struct{})}
	config := &exchange.Config{Location: time.UTC, Buyers: []exchange.Buyer{{Name: "b", Preset: &exchange.Preset{Bid: 1}}}}
	d = newDesk(Options{Config: config, Store: g, Log: zerolog.Nop()}, newClock(),
		newMeters(prometheus.NewRegistry()), func([]exchange.Action) {})
	go func() {
		<-g.begun
		g.done <- struct{}{}
	}()
	if err := d.open(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go d.run(ctx)
	stop = func() {
		cancel()
		<-d.ended
	}
	t.Cleanup(func() {
		stop()
		close(g.begun)
	})
	return d, g, stop
}

func topUp(id string) exchange.Command { return exchange.TopUp{ID: id, Buyer: "b", Amount: 100} }

// queue puts calls on the desk and gives the channel that their answers come to.
func queue(d *desk, count int) <-chan answer {
	answers := make(chan answer, count)
	for i := range count {
		d.calls <- call{command: topUp(time.Duration(i).String()), done: answers}
	}
	return answers
}

// What comes while a commit is being synced is committed together, and nobody is answered before.
func TestDeskGathersWhileItCommits(t *testing.T) {
	d, g, _ := runDesk(t)
	first := queue(d, 1)
	<-g.begun
	rest := queue(d, 20)
	if len(first) != 0 {
		t.Error("answered before the commit was through")
	}
	g.done <- struct{}{}
	if batch := <-g.begun; len(batch.Events) != 19 { // one of them repeats the first
		t.Errorf("%d events in the second commit", len(batch.Events))
	}
	if a := <-first; a.err != nil || len(rest) != 0 {
		t.Errorf("%+v, %d answers too early", a, len(rest))
	}
	g.open()
	for i := range 20 {
		if a := <-rest; a.err != nil || a.applied.Repeat != (i == 0) {
			t.Errorf("answer %d: %+v", i, a)
		}
	}
}

func TestDeskRefusesWhenTooManyWait(t *testing.T) {
	d, g, _ := runDesk(t)
	first := queue(d, 1)
	<-g.begun
	waiting := queue(d, deskQueue)
	if a := d.ask(call{command: topUp("too many")}); !errors.Is(a.err, errBusy) {
		t.Errorf("%+v", a)
	}
	g.open()
	for range deskQueue {
		if a := <-waiting; a.err != nil {
			t.Fatalf("%+v", a)
		}
	}
	if a := <-first; a.err != nil {
		t.Errorf("%+v", a)
	}
}

func TestDeskAnswersEverybodyWhenItEnds(t *testing.T) {
	d, g, stop := runDesk(t)
	g.open()
	answers := make(chan answer)
	for i := range 50 {
		go func() { answers <- d.bring(topUp(time.Duration(i).String())) }()
	}
	go stop()
	for range 50 {
		if a := <-answers; a.err != nil && !errors.Is(a.err, errAway) {
			t.Errorf("%+v", a)
		}
	}
	<-d.ended
	if a := d.bring(topUp("late")); !errors.Is(a.err, errAway) {
		t.Errorf("%+v", a)
	}
	if a := d.ask(call{command: topUp("late")}); !errors.Is(a.err, errAway) {
		t.Errorf("%+v", a)
	}
}
