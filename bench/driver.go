package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"leadbid/pingpost/wire"
)

// driver is a closed loop: each of its connections sends the next request when the last one is
// answered. It finds out what a server can do and what a request costs it; how long requests take
// in traffic that does not wait is the open loop's to say.
//
// It writes prepared bytes and reads just enough of HTTP to find an answer's end, so that the
// generator is cheaper than what it measures.
type driver struct {
	requests []request
	won      []byte // what an answer holds that is a bid, or a sale
	lines    []*line

	number atomic.Int64 // of the next request
	stop   atomic.Bool

	// Where notices is set, every bid is lost: its notice is sent by tellLost, or at once where
	// inline is.
	notices *endpoint
	profile *wire.Profile
	inline  bool
}

// tally is what a stretch of requests came to.
type tally struct {
	Requests int64 // notices included
	Pings    int64 // pings, or leads
	Won      int64 // answered by a bid, or sold
	Notices  int64
	Reasons  map[string]int64 // of the others, where they told
	Elapsed  time.Duration
}

func (t *tally) add(other tally) {
	t.Requests += other.Requests
	t.Pings += other.Pings
	t.Won += other.Won
	t.Notices += other.Notices
	t.Elapsed += other.Elapsed
	for reason, count := range other.Reasons {
		if t.Reasons == nil {
			t.Reasons = map[string]int64{}
		}
		t.Reasons[reason] += count
	}
}

// share is how many of the pings were answered by a bid, or of the leads sold: 0 to 1.
func (t *tally) share() float64 {
	if t.Pings == 0 {
		return 0
	}
	return float64(t.Won) / float64(t.Pings)
}

// line is one connection, with what it needs to send and read without garbage.
type line struct {
	driver *driver
	addr   string
	conn   net.Conn // made for the first request: servers close one that sends none
	out    []byte
	in     []byte
	lost   []byte  // the ids of bids whose notices are to be sent, end to end
	ids    []int64 // the numbers of their pings
	ends   []int
	tally  tally
}

func newDriver(addr string, connections int, requests []request, won string) *driver {
	d := &driver{requests: requests, won: []byte(won)}
	for range connections {
		d.lines = append(d.lines, &line{driver: d, addr: addr, in: make([]byte, 16<<10)})
	}
	return d
}

// close ends the connections, which have nothing under way.
func (d *driver) close() {
	for _, l := range d.lines {
		if l.conn != nil {
			_ = l.conn.Close()
		}
	}
}

// run sends for a length of time.
func (d *driver) run(length time.Duration) (tally, error) {
	d.stop.Store(false)
	timer := time.AfterFunc(length, func() { d.stop.Store(true) })
	defer timer.Stop()
	return d.onAllLines(func(l *line) error {
		for !d.stop.Load() {
			if err := l.sell(); err != nil {
				return err
			}
		}
		return nil
	})
}

// tellLost sends the notices of all bids since the last call.
func (d *driver) tellLost() (tally, error) {
	return d.onAllLines(func(l *line) error {
		start := 0
		for i, end := range l.ends {
			if err := l.tell(l.ids[i], l.lost[start:end]); err != nil {
				return err
			}
			start = end
		}
		l.lost, l.ids, l.ends = l.lost[:0], l.ids[:0], l.ends[:0]
		return nil
	})
}

func (d *driver) onAllLines(work func(*line) error) (tally, error) {
	var sum tally
	var failed error // the first failure; the others are mostly the same
	var once sync.Once
	start := time.Now()
	var working sync.WaitGroup
	for _, l := range d.lines {
		l.tally = tally{Reasons: map[string]int64{}}
		working.Go(func() {
			if err := work(l); err != nil {
				once.Do(func() { failed = err })
				d.stop.Store(true)
			}
		})
	}
	working.Wait()
	for _, l := range d.lines {
		sum.add(l.tally)
	}
	sum.Elapsed = time.Since(start)
	return sum, failed
}

// sell sends the next ping, or lead, and looks at the answer.
func (l *line) sell() error {
	d := l.driver
	number := d.number.Add(1)
	prepared := &d.requests[number%int64(len(d.requests))]
	l.out = prepared.appendTo(l.out[:0], number)
	body, err := l.exchange()
	if err != nil {
		return err
	}
	l.tally.Pings++
	if !bytes.Contains(body, d.won) {
		if reason := field(body, `"reason":"`); len(reason) > 0 {
			l.tally.Reasons[string(reason)]++
		}
		return nil
	}
	l.tally.Won++
	if d.notices == nil {
		return nil
	}
	bidID := field(body, `"bid_id":"`)
	if d.inline {
		return l.tell(number, bidID)
	}
	l.lost, l.ids = append(l.lost, bidID...), append(l.ids, number)
	l.ends = append(l.ends, len(l.lost))
	return nil
}

func (l *line) tell(number int64, bidID []byte) error {
	l.out = l.driver.notices.appendLost(l.out[:0], l.driver.profile, number, bidID)
	l.tally.Notices++
	_, err := l.exchange()
	return err
}

// field gives the text after name in JSON that has no escapes there; nil where there is none.
func field(body []byte, name string) []byte {
	_, rest, found := bytes.Cut(body, []byte(name))
	if !found {
		return nil
	}
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	return text
}

// exchange sends what is in out and reads the answer's body, which stays good until the next one.
func (l *line) exchange() (body []byte, err error) {
	l.tally.Requests++
	if l.conn == nil {
		if l.conn, err = net.Dial("tcp", l.addr); err != nil {
			return nil, err
		}
	}
	if _, err := l.conn.Write(l.out); err != nil {
		return nil, err
	}
	filled, head, length := 0, -1, 0
	for head < 0 || filled < head+length {
		n, err := l.conn.Read(l.in[filled:])
		if err != nil {
			return nil, fmt.Errorf("reading an answer: %w", err)
		}
		filled += n
		if head >= 0 {
			continue
		}
		if end := bytes.Index(l.in[:filled], []byte("\r\n\r\n")); end >= 0 {
			head = end + 4
			if length, err = contentLength(l.in[:head]); err != nil {
				return nil, err
			}
		}
		if filled == len(l.in) || head+length > len(l.in) {
			return nil, fmt.Errorf("an answer is longer than %d bytes", len(l.in))
		}
	}
	if status := l.in[:filled]; !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return nil, fmt.Errorf("an answer is not 200: %.300s", status)
	}
	return l.in[head : head+length], nil
}

func contentLength(head []byte) (int, error) {
	_, rest, _ := bytes.Cut(head, []byte("\r\nContent-Length: "))
	digits, _, found := bytes.Cut(rest, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	if !found || err != nil {
		return 0, errors.New("an answer does not tell its length")
	}
	return length, nil
}
