package httpguard

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// shortListener fails its accepts, one after the other, and notes when each was made.
type shortListener struct {
	net.Listener
	failures []error
	accepts  []time.Time
}

func (l *shortListener) Accept() (net.Conn, error) {
	l.accepts = append(l.accepts, time.Now())
	if len(l.failures) == 0 {
		near, _ := net.Pipe()
		return near, nil
	}
	failure := l.failures[0]
	l.failures = l.failures[1:]
	return nil, failure
}

func (l *shortListener) Close() error {
	l.failures = []error{net.ErrClosed}
	return nil
}

// short is an accept's error as the net package words it.
func short(number syscall.Errno) error {
	return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", number)}
}

func TestListenerOutlivesAShortage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := []error{short(syscall.EMFILE), short(syscall.ENFILE), short(syscall.ECONNABORTED), short(syscall.ENOBUFS),
			short(syscall.ENOMEM)}
		failures = append(failures, slices.Repeat([]error{short(syscall.EMFILE)}, 100)...)
		var told []error
		l := &shortListener{failures: slices.Clone(failures)}
		conn, err := newPatient(l, func(why error) { told = append(told, why) }).Accept()
		if err != nil || conn == nil {
			t.Fatalf("after the shortage: %v", err)
		}
		for i, rest := 0, 5*time.Millisecond; i < len(failures); i, rest = i+1, min(2*rest, time.Second) {
			if rested := l.accepts[i+1].Sub(l.accepts[i]); rested != rest {
				t.Fatalf("after failure %d it rested for %v, want %v", i+1, rested, rest)
			}
		}
		if len(told) != 2 || !errors.Is(told[0], syscall.EMFILE) {
			t.Errorf("in a minute and a half it was told %v", told)
		}
	})
}

func TestListenerEndsWhereNothingWouldHelp(t *testing.T) {
	for _, lasting := range []error{net.ErrClosed, io.EOF, short(syscall.EBADF), short(syscall.EINVAL)} {
		l := &shortListener{failures: []error{lasting}}
		if _, err := newPatient(l, nil).Accept(); !errors.Is(err, lasting) {
			t.Errorf("%v: Accept gave %v", lasting, err)
		}
	}
}

func TestRestingListenerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &shortListener{failures: slices.Repeat([]error{short(syscall.EMFILE)}, 20)}
		patient := newPatient(l, func(error) {})
		ended := make(chan error)
		go func() { _, err := patient.Accept(); ended <- err }()
		time.Sleep(5 * time.Second) // it rests for a second each time by now
		synctest.Wait()
		began := time.Now()
		if err := errors.Join(patient.Close(), patient.Close()); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) || time.Since(began) > 0 {
			t.Errorf("Accept ended with %v, %v after the listener was closed", err, time.Since(began))
		}
	})
}
