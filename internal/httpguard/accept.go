package httpguard

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

// A listener rests after an accept that failed, at first for so long and after each further failure
// for twice as long.
const (
	shortestRest = 5 * time.Millisecond
	longestRest  = time.Second
)

// tellEvery is how often a listener that cannot accept says so at most.
const tellEvery = time.Minute

// Listen listens on a TCP address, for a program that is to outlive a shortage: where a connection
// cannot be accepted because files or memory are short, or its caller is gone already, the listener
// rests and accepts again, as net/http does and fasthttp does not. told hears why, once a minute at
// most and possibly from several goroutines.
func Listen(address string, told func(why error)) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return newPatient(listener, told), nil
}

type patientListener struct {
	net.Listener
	told    func(error)
	telling rate.Sometimes
	closing sync.Once
	closed  chan struct{}
}

func newPatient(listener net.Listener, told func(error)) *patientListener {
	return &patientListener{
		Listener: listener, told: told, telling: rate.Sometimes{Interval: tellEvery}, closed: make(chan struct{}),
	}
}

func (l *patientListener) Accept() (net.Conn, error) {
	for rest := shortestRest; ; rest = min(2*rest, longestRest) {
		conn, err := l.Listener.Accept()
		if err == nil || !passes(err) {
			return conn, err
		}
		l.telling.Do(func() { l.told(fmt.Errorf("httpguard: accepting a connection: %w", err)) })
		select {
		case <-time.After(rest):
		case <-l.closed: // what Accept says of that is said in the next round
		}
	}
}

// passes tells whether a later accept may go well: the connection that failed is not the next one,
// and what is short now is given back.
func passes(err error) bool {
	var failure interface{ Temporary() bool }
	if errors.As(err, &failure) && failure.Temporary() {
		return true
	}
	return errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ECONNABORTED)
}

// Close may be called more than once.
func (l *patientListener) Close() (err error) {
	l.closing.Do(func() {
		err = l.Listener.Close()
		close(l.closed)
	})
	return err
}
