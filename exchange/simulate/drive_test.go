package simulate_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leadbid/exchange/simulate"
)

// Virtual time is paced inside a bubble, whose clock moves only when all wait.
func TestDriveKeepsVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const speed = 600
		clock, began := simulate.NewClock(monday, speed), time.Now()
		var mutex sync.Mutex
		worst := time.Duration(0)
		driven, err := simulate.Drive{Clock: clock, For: time.Minute, InFlight: 100}.Run(t.Context(),
			newGenerator(t, simulate.DefaultSettings(1, monday)),
			func(_ context.Context, homeowner simulate.Homeowner) error {
				mutex.Lock()
				defer mutex.Unlock()
				worst = max(worst, clock.Now().Sub(homeowner.At).Abs())
				return nil
			})
		if err != nil || driven.Sent < 300 || driven.Sent != driven.Offered || driven.Dropped != 0 {
			t.Errorf("%+v, %v", driven, err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("a drive of a minute takes %v", took)
		}
		if worst > time.Millisecond {
			t.Errorf("homeowners are off their virtual time by up to %v", worst)
		}
		if end := monday.Add(speed * time.Minute); driven.Last.After(end) || driven.Last.Before(end.Add(-time.Hour)) {
			t.Errorf("the last homeowner comes at %v", driven.Last)
		}
	})
}

// Who finds all sends taken is dropped, and the schedule goes on.
func TestDriveNeverWaitsForTheIntake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last simulate.Driven
		driven, err := simulate.Drive{
			Clock: simulate.NewClock(monday, 3600), Count: 500, InFlight: 2,
			Progress: func(d simulate.Driven) { last = d },
		}.Run(t.Context(), newGenerator(t, simulate.DefaultSettings(1, monday)),
			func(ctx context.Context, _ simulate.Homeowner) error {
				<-time.After(time.Second)
				return errors.New("slow and broken")
			})
		if err != nil || driven.Offered != 500 || driven.Dropped == 0 || driven.Failed == 0 ||
			driven.Sent != 0 || driven.Failed+driven.Dropped != driven.Offered {
			t.Errorf("%+v, %v", driven, err)
		}
		if last != driven {
			t.Errorf("the last progress is %+v, the end %+v", last, driven)
		}
	})
}

func TestDriveWithoutAClockWaitsForRoom(t *testing.T) {
	driven, err := simulate.Drive{Count: 300, InFlight: 3}.Run(t.Context(),
		newGenerator(t, simulate.DefaultSettings(1, monday)),
		func(context.Context, simulate.Homeowner) error { return nil })
	if err != nil || driven.Sent != 300 || driven.Dropped != 0 {
		t.Errorf("%+v, %v", driven, err)
	}
}

func TestDriveEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	driven, err := simulate.Drive{InFlight: 1}.Run(ctx, newGenerator(t, simulate.DefaultSettings(1, monday)),
		func(ctx context.Context, _ simulate.Homeowner) error { cancel(); <-ctx.Done(); return nil })
	if err != nil || driven.Offered != 1 || driven.Sent != 1 {
		t.Errorf("%+v, %v", driven, err)
	}
	for _, wrong := range []simulate.Drive{{}, {InFlight: 1}, {InFlight: 1, Clock: simulate.NewClock(monday, 0)}} {
		if _, err := wrong.Run(context.Background(), nil, nil); err == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}
