// Package lifecycle starts and stops the parts of a daemon in order.
//
// It owns the order: parts start one after another, each only when the one before is ready, and
// stop in reverse, so that what others depend on is there first and goes last. Commands and the
// end-to-end tests call it; the parts know nothing of it. It never catches signals (a cancelled
// context is the signal), never logs, and never decides what an error means: it hands back the
// first one.
//
// A Group is used once, by one goroutine that calls Run, or Start and later Stop. Once Start has
// returned, Stop may be called by any goroutine and more than once; Run then returns too.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Part is one piece of a daemon: a store, a listener, a writer of files. A function that is nil
// is skipped.
type Part struct {
	Name string // for errors: "store", "pings"

	// Start makes the part ready and returns. ctx ends when the daemon is told to stop while it
	// is still starting.
	Start func(ctx context.Context) error

	// Serve does the part's work until ctx ends, which happens after Stop was called. Returning
	// earlier, with an error or without, stops the whole group.
	Serve func(ctx context.Context) error

	// Stop ends the part gracefully: no new work, finish what is under way. ctx ends when the
	// part's share of the shutdown is over. It is called once, and only if Start succeeded.
	Stop func(ctx context.Context) error
}

// Group is the parts of one daemon. The zero value is not usable: see New.
type Group struct {
	stopWithin time.Duration
	parts      []Part

	running  []*runningPart // in the order of their start
	failed   chan error     // holds the first failure of a serving part
	stopping chan struct{}  // closed when Stop is called

	stopOnce sync.Once
	stopErr  error
}

// runningPart is a part that was started.
type runningPart struct {
	Part
	cancel context.CancelFunc
	served chan struct{} // closed when Serve has returned
	err    error         // of Serve; read after served is closed
}

// New makes a group whose shutdown as a whole takes at most stopWithin: parts that are not done
// by then are left behind and named in the error.
func New(stopWithin time.Duration, parts ...Part) *Group {
	return &Group{
		stopWithin: stopWithin,
		parts:      parts,
		failed:     make(chan error, 1),
		stopping:   make(chan struct{}),
	}
}

// Run starts the parts, waits until ctx ends or a part fails, and stops them. It returns the
// first error of all, and nil where ctx ended and everything stopped cleanly.
func (g *Group) Run(ctx context.Context) error {
	if err := g.Start(ctx); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil // Told to stop before everything was up: that is not a failure.
		}
		return err
	}
	var first error
	select {
	case <-ctx.Done():
	case <-g.stopping:
	case first = <-g.failed:
	}
	if err := g.Stop(); first == nil {
		first = err
	}
	return first
}

// Start starts the parts in order. Where one fails, or ctx ends between two, those before it are
// stopped again and the cause is returned.
func (g *Group) Start(ctx context.Context) error {
	for _, part := range g.parts {
		err := ctx.Err()
		if err == nil && part.Start != nil {
			err = part.Start(ctx)
		}
		if err != nil {
			err = fmt.Errorf("lifecycle: starting %s: %w", part.Name, err)
			_ = g.Stop() // The failed start is the first error, and the one that explains the rest.
			return err
		}
		g.serve(ctx, part)
	}
	return nil
}

// Failed delivers the first failure of a serving part, for callers of Start that do not use Run.
func (g *Group) Failed() <-chan error { return g.failed }

// serve notes that a part is up and runs its Serve, if it has one, apart from ctx: the part is
// told to end when its turn comes, not when the signal arrives.
func (g *Group) serve(ctx context.Context, part Part) {
	partCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	running := &runningPart{Part: part, cancel: cancel, served: make(chan struct{})}
	g.running = append(g.running, running)
	if part.Serve == nil {
		close(running.served)
		return
	}
	go func() {
		defer close(running.served)
		running.err = part.Serve(partCtx)
		if partCtx.Err() != nil {
			return
		}
		failure := fmt.Errorf("lifecycle: %s ended by itself", part.Name)
		if running.err != nil {
			failure = fmt.Errorf("lifecycle: %s failed: %w", part.Name, running.err)
		}
		select {
		case g.failed <- failure:
		default: // Not the first failure.
		}
	}()
}

// Stop stops the started parts in reverse order and returns the first error. Further calls wait
// for the first one and return the same.
func (g *Group) Stop() error {
	g.stopOnce.Do(func() {
		close(g.stopping)
		deadline := time.Now().Add(g.stopWithin)
		// A part that hangs must not take the time of those below it: the store's, to close.
		reserve := g.stopWithin / time.Duration(2*len(g.running)+2)
		for i := len(g.running) - 1; i >= 0; i-- {
			until := deadline.Add(-reserve * time.Duration(i))
			ctx, cancel := context.WithDeadline(context.Background(), until)
			if err := g.running[i].stop(ctx); err != nil && g.stopErr == nil {
				g.stopErr = err
			}
			cancel()
		}
	})
	return g.stopErr
}

// stop ends one part: its Stop first, then the context of its Serve, then the wait for it.
func (p *runningPart) stop(ctx context.Context) error {
	var err error
	if p.Stop != nil {
		err = p.boundedStop(ctx)
	}
	p.cancel()
	select {
	case <-p.served:
		if err == nil && p.err != nil && !errors.Is(p.err, context.Canceled) {
			err = p.err
		}
	case <-ctx.Done():
		if err == nil {
			err = ctx.Err()
		}
	}
	if err != nil {
		return fmt.Errorf("lifecycle: stopping %s: %w", p.Name, err)
	}
	return nil
}

// boundedStop gives up on a Stop that ignores its context.
func (p *runningPart) boundedStop(ctx context.Context) error {
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop(ctx) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-stopped: // It was done at the same moment: its own answer says more.
		return err
	default:
		return ctx.Err()
	}
}
