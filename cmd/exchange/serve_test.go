package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestBooksThatFailEndTheExchange(t *testing.T) {
	looked, broken := 0, errors.New("the disk is full")
	refusal := func() error {
		if looked++; looked < 3 {
			return nil
		}
		return broken
	}
	err := watch(context.Background(), refusal, time.Millisecond, nil)
	if !errors.Is(err, errBooksFailed) || !errors.Is(err, broken) || looked != 3 {
		t.Errorf("after %d looks: %v", looked, err)
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if err := watch(stopped, refusal, time.Hour, nil); err != nil {
		t.Errorf("told to stop: %v", err)
	}
}

func TestLostListenerEndsTheExchange(t *testing.T) {
	lost, gone := make(chan error, 1), errors.New("the listener is gone")
	lost <- gone
	if err := watch(context.Background(), func() error { return nil }, time.Hour, lost); !errors.Is(err, gone) {
		t.Errorf("it ended with %v", err)
	}
}
