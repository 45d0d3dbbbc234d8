package filelock_test

import (
	"context"
	"errors"
	"os"
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

func TestOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leads.jsonl")
	over, end := context.WithCancel(t.Context())
	end()
	open := func() *os.File {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	first, second := open(), open()
	defer second.Close()
	if err := filelock.Own(t.Context(), first); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("NOT TESTED: no locks on open files here")
	} else if err != nil {
		t.Fatal(err)
	}
	if err := filelock.Own(over, second); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("a file that another has was locked: %v", err)
	}
	if err := errors.Join(first.Close(), filelock.Own(over, second)); err != nil {
		t.Errorf("once it is closed: %v", err)
	}
}
