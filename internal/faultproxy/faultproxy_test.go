package faultproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers every connection with what it sends, and counts the bytes that arrive.
func echo(t *testing.T) (address string, arrived chan int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	arrived = make(chan int, 1<<10)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 64<<10)
				for {
					n, err := conn.Read(buffer)
					if err != nil {
						return
					}
					arrived <- n
					if _, err := conn.Write(buffer[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-ended })
	return listener.Addr().String(), arrived
}

func proxied(t *testing.T) (p *Proxy, conn net.Conn, arrived chan int) {
	t.Helper()
	address, arrived := echo(t)
	p, err := Start(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, dial(t, p), arrived
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// hears reads an answer, or finds that none comes within a moment.
func hears(t *testing.T, conn net.Conn, want string, within time.Duration) bool {
	t.Helper()
	got := make([]byte, len(want))
	_ = conn.SetReadDeadline(time.Now().Add(within))
	_, err := io.ReadFull(conn, got)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false
	case err != nil || string(got) != want:
		t.Fatalf("heard %q, %v", got, err)
	}
	return true
}

// heard waits until something has arrived at the server.
func heard(t *testing.T, arrived <-chan int) {
	t.Helper()
	select {
	case <-arrived:
	case <-time.After(time.Minute):
		t.Fatal("the server heard nothing")
	}
}

const moment = 50 * time.Millisecond

func TestGoodWeatherPassesEverything(t *testing.T) {
	_, conn, _ := proxied(t)
	sent := bytes.Repeat([]byte("0123456789"), 100_000)
	go func() {
		_, _ = conn.Write(sent)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes came back: %v", len(got), len(sent), err)
	}
}

func TestLatencyAndJitter(t *testing.T) {
	p, conn, _ := proxied(t)
	p.Set(Weather{Latency: 30 * time.Millisecond, Jitter: 5 * time.Millisecond})
	began := time.Now()
	send(t, conn, "hello")
	if !hears(t, conn, "hello", time.Minute) || time.Since(began) < 60*time.Millisecond {
		t.Errorf("there and back took %v", time.Since(began))
	}
}

func TestRate(t *testing.T) {
	p, conn, _ := proxied(t)
	p.Set(Weather{Rate: 10_000})
	began := time.Now()
	for range 2 { // what follows waits for what went before
		send(t, conn, string(make([]byte, 500)))
		if !hears(t, conn, string(make([]byte, 500)), time.Minute) {
			t.Fatal("nothing came")
		}
	}
	if took := time.Since(began); took < moment {
		t.Errorf("the second 500 bytes of 10,000 a second came after %v", took)
	}
}

// TestCuts: with the way up cut the server hears nothing, with the way down it hears and its answer
// is not heard. Either way the connection stands, and what was held arrives afterwards.
func TestCuts(t *testing.T) {
	for name, weather := range map[string]Weather{"up": {UpCut: true}, "down": {DownCut: true}, "both": {UpCut: true, DownCut: true}} {
		t.Run(name, func(t *testing.T) {
			p, conn, arrived := proxied(t)
			send(t, conn, "before")
			if !hears(t, conn, "before", time.Minute) {
				t.Fatal("nothing came before the cut")
			}
			heard(t, arrived)
			p.Set(weather)
			send(t, conn, "held")
			if !weather.UpCut {
				heard(t, arrived)
			}
			if hears(t, conn, "held", moment) {
				t.Error("an answer came through the cut")
			}
			if weather.UpCut && len(arrived) > 0 {
				t.Error("the server heard it through the cut")
			}
			p.Set(Weather{})
			if !hears(t, conn, "held", time.Minute) {
				t.Error("what was held did not come after the cut")
			}
		})
	}
}

func TestResetAndClosed(t *testing.T) {
	p, conn, _ := proxied(t)
	send(t, conn, "hello")
	if !hears(t, conn, "hello", time.Minute) || p.Links() != 1 {
		t.Fatalf("%d links", p.Links())
	}
	p.Set(Weather{Closed: true, UpCut: true})
	send(t, conn, "never arrives")
	p.Reset()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection stands after a reset")
	}
	refused(t, p)
	p.Set(Weather{})
	again := dial(t, p)
	send(t, again, "again")
	if !hears(t, again, "again", time.Minute) {
		t.Error("nothing passes after the reset")
	}
}

func TestServerThatIsAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	p, err := Start(address)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	refused(t, p)
}

// refused tries a new connection, which is reset while it is made or just after.
func refused(t *testing.T, p *Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("an answer from nobody")
	}
}
