package lifecycle_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leadbid/internal/lifecycle"
)

// diary notes what happened, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("happened: %q\n    want: %q", d.lines, want)
	}
}

// part notes its start, its stop, and the end of its work.
func (d *diary) part(name string) lifecycle.Part {
	return lifecycle.Part{
		Name:  name,
		Start: func(context.Context) error { d.note("start " + name); return nil },
		Serve: func(ctx context.Context) error { <-ctx.Done(); d.note("end " + name); return ctx.Err() },
		Stop:  func(context.Context) error { d.note("stop " + name); return nil },
	}
}

func TestPartsStopInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		began := time.Now()
		if err := lifecycle.New(time.Minute, d.part("store"), d.part("server")).Run(ctx); err != nil {
			t.Errorf("a clean end: %v", err)
		}
		if ran := time.Since(began); ran != time.Hour {
			t.Errorf("ran for %s, want until the signal", ran)
		}
		d.expect(t, "start store", "start server", "stop server", "end server", "stop store", "end store")
	})
}

func TestFailedStartStopsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		taken := errors.New("address in use")
		group := lifecycle.New(time.Minute, d.part("store"),
			lifecycle.Part{Name: "server", Start: func(context.Context) error { return taken }},
			d.part("delivery"))
		err := group.Run(t.Context())
		if !errors.Is(err, taken) || err.Error() != "lifecycle: starting server: address in use" {
			t.Errorf("got %v", err)
		}
		d.expect(t, "start store", "stop store", "end store")
	})
}

func TestSignalDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		group := lifecycle.New(time.Minute, d.part("store"), lifecycle.Part{
			Name: "recovery", Start: func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() },
		}, d.part("server"))
		if err := group.Run(ctx); err != nil {
			t.Errorf("being told to stop is not a failure: %v", err)
		}
		d.expect(t, "start store", "stop store", "end store")
	})
}

func TestPartThatFailsStopsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		broken := errors.New("disk full")
		failing := lifecycle.Part{Name: "writer", Serve: func(context.Context) error {
			time.Sleep(time.Second)
			return broken
		}}
		err := lifecycle.New(time.Minute, d.part("store"), failing, d.part("server")).Run(t.Context())
		if !errors.Is(err, broken) || err.Error() != "lifecycle: writer failed: disk full" {
			t.Errorf("got %v", err)
		}
		d.expect(t, "start store", "start server", "stop server", "end server", "stop store", "end store")
	})
}

func TestPartThatEndsByItselfStopsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := lifecycle.New(time.Minute, lifecycle.Part{
			Name: "poller", Serve: func(context.Context) error { return nil },
		}).Run(t.Context())
		if err == nil || err.Error() != "lifecycle: poller ended by itself" {
			t.Errorf("got %v", err)
		}
	})
}

func TestShutdownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		release := make(chan struct{})
		stuck := lifecycle.Part{
			Name: "server",
			Stop: func(context.Context) error { <-release; return nil }, // Ignores its context.
		}
		group := lifecycle.New(10*time.Second, d.part("store"), stuck)
		if err := group.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err := group.Stop()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stopping server") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took < 5*time.Second || took >= 10*time.Second {
			t.Errorf("took %s, want most of the time, and some left for the store", took)
		}
		d.expect(t, "start store", "stop store", "end store")
		close(release)
	})
}

func TestFirstErrorWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := errors.New("first"), errors.New("second")
		group := lifecycle.New(time.Minute,
			lifecycle.Part{Name: "store", Stop: func(context.Context) error { return second }},
			lifecycle.Part{Name: "server", Stop: func(context.Context) error { return first }})
		if err := group.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := group.Stop(); !errors.Is(err, first) {
			t.Errorf("got %v, want the first in time", err)
		}
	})
}

func TestStopIsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		group := lifecycle.New(time.Minute, d.part("store"))
		done := make(chan error)
		go func() { done <- group.Run(t.Context()) }()
		synctest.Wait()
		var callers sync.WaitGroup
		for range 5 {
			callers.Go(func() {
				if err := group.Stop(); err != nil {
					t.Errorf("Stop: %v", err)
				}
			})
		}
		callers.Wait()
		if err := <-done; err != nil {
			t.Errorf("Run, after Stop by another: %v", err)
		}
		d.expect(t, "start store", "stop store", "end store")
	})
}

func TestFailedTellsCallersOfStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		group := lifecycle.New(time.Minute, lifecycle.Part{
			Name: "writer", Serve: func(context.Context) error { return broken },
		})
		if err := group.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-group.Failed(); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		if err := group.Stop(); !errors.Is(err, broken) {
			t.Errorf("Stop must not hide it: %v", err)
		}
	})
}
