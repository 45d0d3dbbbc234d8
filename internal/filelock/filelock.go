// Package filelock lets one process at a time do what two must not do at once, such as writing to a
// database or changing a file that was read before.
//
// It owns locks that the system gives back when their process ends, however it ends. It never removes
// a lock's file: two processes could then lock two files of one name. What a lock protects it does not
// know. All of it may be called from several goroutines, and two of one process keep each other out, too.
package filelock

import (
	"context"
	"errors"
	"io"
	"time"
)

// ErrHeld means that another process, or another caller in this one, has the lock.
var ErrHeld = errors.New("filelock: held by another process")

// lookEvery is how often a lock that is held is tried again.
const lookEvery = 10 * time.Millisecond

// Wait is Take that tries until the context ends; the error is then ErrHeld.
func Wait(ctx context.Context, path string) (io.Closer, error) {
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		lock, err := Take(path)
		if !errors.Is(err, ErrHeld) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-again.C:
		}
	}
}
