package filelock_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"leadbid/internal/filelock"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "paused.lock")
	first, err := filelock.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := filelock.Take(path); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("a lock that is held was taken: %v", err)
	}
	over, end := context.WithCancel(t.Context())
	end()
	if _, err := filelock.Wait(over, path); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("a lock that is held came after all: %v", err)
	}
	given := make(chan error)
	go func() {
		lock, err := filelock.Wait(t.Context(), path)
		if err == nil {
			err = lock.Close()
		}
		given <- err
	}()
	if err := errors.Join(first.Close(), <-given); err != nil {
		t.Error(err)
	}
}
