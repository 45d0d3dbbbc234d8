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
	err := watchBooks(context.Background(), refusal, time.Millisecond)
	if !errors.Is(err, errBooksFailed) || !errors.Is(err, broken) || looked != 3 {
		t.Errorf("after %d looks: %v", looked, err)
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if err := watchBooks(stopped, refusal, time.Hour); err != nil {
		t.Errorf("told to stop: %v", err)
	}
}
