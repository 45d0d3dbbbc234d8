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
	"os"
	"time"
)

// ErrHeld means that another process, or another caller in this one, has the lock.
var ErrHeld = errors.New("filelock: held by another process")

// lookEvery is how often a lock that is held is tried again.
const lookEvery = 10 * time.Millisecond

// Wait is Take that tries until the context ends; the error is then ErrHeld.
func Wait(ctx context.Context, path string) (lock io.Closer, err error) {
	err = retry(ctx, func() (err error) {
		lock, err = Take(path)
		return err
	})
	return lock, err
}

// Own locks an open file itself until it is closed or the process ends, and tries until the context ends; the
// error is then ErrHeld. Any other says that the system or the file's place has no such locks: Windows has none
// beside which others could open it.
func Own(ctx context.Context, file *os.File) error {
	return retry(ctx, func() error { return lock(file) })
}

func retry(ctx context.Context, try func() error) error {
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		err := try()
		if !errors.Is(err, ErrHeld) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}
