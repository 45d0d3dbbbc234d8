package simulate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Clock is virtual time that began at an instant and runs at a speed. It is immutable and safe
// for concurrent use.
type Clock struct {
	virtual, real time.Time
	speed         float64
}

// NewClock starts virtual time now, speed virtual seconds to a real one.
func NewClock(start time.Time, speed float64) *Clock {
	return &Clock{virtual: start, real: time.Now(), speed: speed}
}

// Now is the virtual instant.
func (c *Clock) Now() time.Time {
	return c.virtual.Add(time.Duration(float64(time.Since(c.real)) * c.speed))
}

// until is how long it takes in real time until a virtual instant comes.
func (c *Clock) until(virtual time.Time) time.Duration {
	due := time.Duration(float64(virtual.Sub(c.virtual)) / c.speed)
	return due - time.Since(c.real)
}

// Drive says how homeowners are brought to an intake.
type Drive struct {
	Clock    *Clock        // whose virtual time paces them; nil sends each as soon as there is room
	Count    int           // homeowners at most; 0 means no bound of number
	For      time.Duration // real time at most; 0 means no bound of time
	InFlight int           // sends at once at most, 1 to 10,000

	// Progress, where it is not nil, hears after each end of a send. It is called by one goroutine
	// at a time and must be quick.
	Progress func(Driven)
}

// Driven is what became of a drive.
type Driven struct {
	Offered int // homeowners whose time came
	Sent    int // sends that ended without an error
	Failed  int // sends that ended with one
	Dropped int // homeowners who found all sends taken: they do not wait

	Last time.Time // the virtual instant of the last homeowner offered
}

// Run calls send for one homeowner after another at their virtual times, until a bound of the
// drive is met or ctx ends, and returns when the last send has returned; ending by ctx is no
// error. Each send runs on a goroutine of its own with a context that ends with ctx.
//
// The schedule never waits for an intake: who comes while all sends are taken is dropped and
// counted. Only without a Clock, where there is no schedule, each homeowner waits for room.
func (d Drive) Run(
	ctx context.Context, generator *Generator, send func(context.Context, Homeowner) error,
) (Driven, error) {
	switch {
	case d.InFlight < 1 || d.InFlight > 10_000:
		return Driven{}, fmt.Errorf("simulate: %d sends at once are asked for, and 1 to 10,000 are possible", d.InFlight)
	case d.Clock != nil && !(d.Clock.speed > 0):
		return Driven{}, errors.New("simulate: the speed must be above 0")
	case d.Clock == nil && d.Count == 0 && d.For == 0 && ctx.Done() == nil:
		return Driven{}, errors.New("simulate: a drive without a clock needs a bound")
	}
	pacing := ctx
	if d.For > 0 {
		bounded, cancel := context.WithTimeout(ctx, d.For)
		defer cancel()
		pacing = bounded
	}
	tally := tally{progress: d.Progress}
	room := make(chan struct{}, d.InFlight)
	var sends sync.WaitGroup
	for sent := 0; d.Count == 0 || sent < d.Count; sent++ {
		homeowner := generator.Next()
		if d.Clock != nil && !sleep(pacing, d.Clock.until(homeowner.At)) {
			break
		}
		if !d.enter(pacing, room) {
			if pacing.Err() != nil {
				break
			}
			tally.add(homeowner.At, Driven{Offered: 1, Dropped: 1})
			continue
		}
		tally.add(homeowner.At, Driven{Offered: 1})
		sends.Go(func() {
			defer func() { <-room }()
			if err := send(ctx, homeowner); err != nil {
				tally.add(time.Time{}, Driven{Failed: 1})
				return
			}
			tally.add(time.Time{}, Driven{Sent: 1})
		})
	}
	sends.Wait()
	return tally.driven, nil
}

// enter takes a place for a send: at once or not at all on a schedule, else as soon as there is
// one.
func (d Drive) enter(ctx context.Context, room chan struct{}) bool {
	if ctx.Err() != nil {
		return false
	}
	if d.Clock != nil {
		select {
		case room <- struct{}{}:
			return true
		default:
			return false
		}
	}
	select {
	case room <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// sleep passes real time; it returns false where ctx ends first.
func sleep(ctx context.Context, length time.Duration) bool {
	if length <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tally counts from many goroutines.
type tally struct {
	mutex    sync.Mutex
	driven   Driven
	progress func(Driven)
}

func (t *tally) add(at time.Time, more Driven) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.driven.Offered += more.Offered
	t.driven.Sent += more.Sent
	t.driven.Failed += more.Failed
	t.driven.Dropped += more.Dropped
	if at.After(t.driven.Last) {
		t.driven.Last = at
	}
	if t.progress != nil {
		t.progress(t.driven)
	}
}
