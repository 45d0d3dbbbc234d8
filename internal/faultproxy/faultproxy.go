// Package faultproxy is a TCP proxy on the loopback that behaves as badly as a network: latency,
// jitter, little bandwidth, resets, and cuts in which bytes are lost to one side or both while the
// connection seems to stand.
//
// Tests put it between a replica and its database, or between an exchange and a bidder, and change
// its Weather while traffic flows. It knows no protocol. All its goroutines end with Close.
//
// A Proxy may be used from several goroutines.
package faultproxy

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
)

// Weather is how the network behaves. The zero value is a good network.
type Weather struct {
	Latency time.Duration // added to whatever passes, in each direction
	Jitter  time.Duration // up to so much more, drawn for each piece
	Rate    int           // bytes a second and direction at most; 0: as fast as it goes

	// Up and Down say that what goes to the server, or comes from it, is held back, with the
	// connections standing: a cut in one direction, or in both. When the cut ends it arrives, as TCP
	// sends again what was not acknowledged.
	UpCut, DownCut bool

	// Closed refuses new connections, by a reset.
	Closed bool
}

// Proxy passes connections on. Make it with Start.
type Proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu      sync.Mutex
	weather Weather
	changed chan struct{} // closed at the next change of weather
	links   map[*link]bool
	closed  bool
}

// link is one connection and the one behind it.
type link struct {
	near, far net.Conn
	ended     chan struct{}
	end       sync.Once
}

// Start listens on the loopback and passes on to target: a host and port, or the path of a socket.
func Start(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("faultproxy: %w", err)
	}
	p := &Proxy{listener: listener, target: target, changed: make(chan struct{}), links: map[*link]bool{}}
	p.running.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set changes the weather for what passes from now on.
func (p *Proxy) Set(weather Weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = weather
	close(p.changed)
	p.changed = make(chan struct{})
}

// Reset ends every connection at once, with a reset to both sides.
func (p *Proxy) Reset() {
	for _, l := range p.all() {
		l.reset()
	}
}

// Links tells how many connections stand.
func (p *Proxy) Links() int { return len(p.all()) }

// Close ends the proxy and every connection, and returns when nothing of it runs any more.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Reset()
	p.running.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("faultproxy: closing: %w", err)
	}
	return nil
}

func (p *Proxy) all() (links []*link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		links = append(links, l)
	}
	return links
}

// now gives the weather, and what tells that it has changed.
func (p *Proxy) now() (Weather, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather, p.changed
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.connect(near) })
	}
}

func (p *Proxy) connect(near net.Conn) {
	l := &link{near: near, ended: make(chan struct{})}
	if weather, _ := p.now(); weather.Closed {
		l.reset()
		return
	}
	network := "tcp"
	if strings.HasPrefix(p.target, "/") {
		network = "unix"
	}
	far, err := net.Dial(network, p.target)
	if err != nil {
		l.reset()
		return
	}
	l.far = far
	if !p.add(l) {
		l.reset()
		return
	}
	var directions sync.WaitGroup
	directions.Go(func() { p.pass(l, l.far, l.near, func(w Weather) bool { return w.UpCut }) })
	directions.Go(func() { p.pass(l, l.near, l.far, func(w Weather) bool { return w.DownCut }) })
	directions.Wait()
	l.finish(false)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.links[l] = true
	return true
}

// piece is what was read at one time, and when it may arrive.
type piece struct {
	bytes []byte
	due   time.Time
}

// inFlight bounds the pieces of one direction that are on their way; then the sender waits, as at a
// full window.
const inFlight = 64

// pass carries bytes in one direction until that ends. An end of the stream goes through; a failure
// resets both sides.
func (p *Proxy) pass(l *link, to, from net.Conn, cut func(Weather) bool) {
	pieces := make(chan piece, inFlight)
	go p.read(l, from, pieces)
	for next := range pieces {
		if !p.hold(l, next.due, cut) {
			break
		}
		if _, err := to.Write(next.bytes); err != nil {
			l.reset()
			break
		}
		if weather, _ := p.now(); weather.Rate > 0 {
			l.wait(time.Duration(len(next.bytes)) * time.Second / time.Duration(weather.Rate))
		}
	}
	for range pieces { // the reader ends, too
	}
	if closer, ok := to.(interface{ CloseWrite() error }); ok {
		_ = closer.CloseWrite() // after a reset there is nothing to close
	}
}

func (p *Proxy) read(l *link, from net.Conn, pieces chan<- piece) {
	defer close(pieces)
	for {
		buffer := make([]byte, 16<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			weather, _ := p.now()
			due := time.Now().Add(weather.Latency)
			if weather.Jitter > 0 {
				due = due.Add(rand.N(weather.Jitter))
			}
			pieces <- piece{buffer[:n], due}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				l.reset()
			}
			return
		}
	}
}

// hold waits until a piece may arrive: its time has come, and nothing is cut. It reports false where
// the link has ended.
func (p *Proxy) hold(l *link, due time.Time, cut func(Weather) bool) bool {
	if !l.wait(time.Until(due)) {
		return false
	}
	for {
		weather, changed := p.now()
		if !cut(weather) {
			return true
		}
		select {
		case <-changed:
		case <-l.ended:
			return false
		}
	}
}

// wait lets time pass, and reports false where the link has ended.
func (l *link) wait(length time.Duration) bool {
	if length <= 0 {
		select {
		case <-l.ended:
			return false
		default:
			return true
		}
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ended:
		return false
	}
}

// reset ends both sides at once.
func (l *link) reset() { l.finish(true) }

// finish ends both sides. The first call counts.
func (l *link) finish(abruptly bool) {
	l.end.Do(func() {
		close(l.ended)
		for _, side := range []net.Conn{l.near, l.far} {
			if side == nil {
				continue // the target was not reached
			}
			if tcp, ok := side.(*net.TCPConn); ok && abruptly {
				_ = tcp.SetLinger(0) // closing then sends a reset
			}
			_ = side.Close()
		}
	})
}
