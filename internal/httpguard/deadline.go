package httpguard

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// LazyDeadlines gives a listener whose connections move their timers only when they must. A server
// sets three deadlines for every request on a kept-alive connection, each a little later than the
// one before, and none of them ever passes: moving the runtime's timers for that costs as much as
// reading the request's header. Here a deadline that is later than the one in force is only
// remembered; when the one in force passes, the remembered one takes its place and the call goes
// on. A deadline that is earlier is set at once. What callers see is the same.
func LazyDeadlines(listener net.Listener) net.Listener { return lazyListener{listener} }

type lazyListener struct{ net.Listener }

func (l lazyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lazyConn{Conn: conn}, nil
}

// lazyConn is safe for one reader, one writer and any number of callers that set deadlines, as
// net.Conn is.
type lazyConn struct {
	net.Conn
	read, write lazyDeadline
}

// lazyDeadline is in nanoseconds since 1970; 0 is none.
type lazyDeadline struct{ wanted, inForce atomic.Int64 }

func (c *lazyConn) Read(into []byte) (int, error) {
	for {
		n, err := c.Conn.Read(into)
		if n > 0 || !c.read.passedEarly(err, c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

func (c *lazyConn) Write(from []byte) (written int, err error) {
	for {
		n, err := c.Conn.Write(from[written:])
		written += n
		if !c.write.passedEarly(err, c.Conn.SetWriteDeadline) {
			return written, err
		}
	}
}

func (c *lazyConn) SetReadDeadline(at time.Time) error { return c.read.set(at, c.Conn.SetReadDeadline) }
func (c *lazyConn) SetWriteDeadline(at time.Time) error {
	return c.write.set(at, c.Conn.SetWriteDeadline)
}

func (c *lazyConn) SetDeadline(at time.Time) error {
	return errors.Join(c.SetReadDeadline(at), c.SetWriteDeadline(at))
}

func (d *lazyDeadline) set(at time.Time, arm func(time.Time) error) error {
	var wanted int64
	if !at.IsZero() {
		wanted = at.UnixNano()
	}
	d.wanted.Store(wanted)
	if inForce := d.inForce.Load(); wanted != 0 && inForce != 0 && inForce <= wanted {
		return nil
	}
	d.inForce.Store(wanted)
	return arm(at)
}

// passedEarly tells whether a call ended at a deadline that a later one has replaced, and puts
// that one in force: the call is to be made again.
func (d *lazyDeadline) passedEarly(err error, arm func(time.Time) error) bool {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	wanted := d.wanted.Load()
	if wanted == d.inForce.Load() {
		return false
	}
	d.inForce.Store(wanted)
	at := time.Time{}
	if wanted != 0 {
		at = time.Unix(0, wanted)
	}
	return arm(at) == nil
}
