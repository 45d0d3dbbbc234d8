package httpguard

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// lazyPair is a real connection over the loopback, one end of it lazy.
func lazyPair(t *testing.T) (lazy, plain net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if plain, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if lazy, err = LazyDeadlines(listener).Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lazy.Close(); plain.Close() })
	return lazy, plain
}

func TestLazyDeadlinePasses(t *testing.T) {
	f := func(name string, deadlines ...time.Duration) {
		t.Helper()
		lazy, _ := lazyPair(t)
		began := time.Now()
		for _, after := range deadlines {
			if err := lazy.SetReadDeadline(began.Add(after)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := lazy.Read(make([]byte, 1))
		if last := deadlines[len(deadlines)-1]; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) < last {
			t.Errorf("%s: %v after %v, want a passed deadline after %v", name, err, time.Since(began), last)
		}
	}
	f("one", 20*time.Millisecond)
	f("moved ahead", 20*time.Millisecond, 80*time.Millisecond)
	f("moved ahead twice", 10*time.Millisecond, 40*time.Millisecond, 60*time.Millisecond)
	f("moved back", time.Hour, 20*time.Millisecond)
	f("ahead and back", 20*time.Millisecond, time.Hour, 50*time.Millisecond)
	f("in the past", -time.Second)
}

func TestLazyDeadlineIsTakenAway(t *testing.T) {
	lazy, plain := lazyPair(t)
	if err := errors.Join(lazy.SetReadDeadline(time.Now().Add(10*time.Millisecond)), lazy.SetReadDeadline(time.Time{})); err != nil {
		t.Fatal(err)
	}
	go func() {
		// What comes long after the first deadline is still read.
		timer := time.NewTimer(50 * time.Millisecond)
		<-timer.C
		_, _ = plain.Write([]byte("x"))
	}()
	if n, err := lazy.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestLazyWriteGoesOnWhereItStood(t *testing.T) {
	lazy, plain := lazyPair(t)
	sent := make([]byte, 16<<20) // more than the kernel takes while nobody reads
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	began := time.Now()
	if err := errors.Join(lazy.SetWriteDeadline(began.Add(20*time.Millisecond)), lazy.SetWriteDeadline(began.Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	read := make(chan []byte)
	go func() {
		timer := time.NewTimer(60 * time.Millisecond) // the first deadline passes in the middle of the write
		<-timer.C
		all, _ := io.ReadAll(plain)
		read <- all
	}()
	if n, err := lazy.Write(sent); n != len(sent) || err != nil {
		t.Fatalf("wrote %d bytes, %v", n, err)
	}
	lazy.Close()
	if all := <-read; string(all) != string(sent) {
		t.Errorf("read %d bytes, or other ones, of %d", len(all), len(sent))
	}
}
