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
// generator is cheaper than what it measures. Where it polls, one goroutine asks all connections in
// turn and never sleeps: a server that is slower than the generator would otherwise pay for waking
// it up after every answer, and a faster one would not, which on a virtual machine is as much as
// half a request.
type driver struct {
	requests []request
	won      []byte // what an answer holds that is a bid, or a sale
	lines    []*line
	polls    bool

	number atomic.Int64 // of the last request
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
	read   func(into []byte) (int, error)

	out     []byte // the request under way
	in      []byte
	filled  int
	waiting bool
	ping    int64 // the number of the ping under way; 0 for a notice

	lost  bids // whose notices are to be sent
	tally tally
}

// bids are ids of bids with the numbers of their pings, packed.
type bids struct {
	text    []byte
	ends    []int
	numbers []int64
	told    int // how many were taken
}

func (b *bids) add(number int64, id []byte) {
	b.text, b.numbers = append(b.text, id...), append(b.numbers, number)
	b.ends = append(b.ends, len(b.text))
}

// take gives the next one; ok is false, and the list empty, after the last.
func (b *bids) take() (number int64, id []byte, ok bool) {
	if b.told == len(b.ends) {
		b.text, b.ends, b.numbers, b.told = b.text[:0], b.ends[:0], b.numbers[:0], 0
		return 0, nil, false
	}
	start := 0
	if b.told > 0 {
		start = b.ends[b.told-1]
	}
	number, id = b.numbers[b.told], b.text[start:b.ends[b.told]]
	b.told++
	return number, id, true
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
	return d.drive(func(l *line) bool {
		if d.inline && l.nextNotice() {
			return true
		}
		if d.stop.Load() {
			return false
		}
		l.nextPing()
		return true
	})
}

// tellLost sends the notices of all bids since the last call.
func (d *driver) tellLost() (tally, error) {
	d.stop.Store(false)
	return d.drive((*line).nextNotice)
}

// drive sends on every connection what next fills in, until it says that there is nothing more.
func (d *driver) drive(next func(*line) bool) (tally, error) {
	for _, l := range d.lines {
		l.tally = tally{Reasons: map[string]int64{}}
	}
	start := time.Now()
	err := d.loops(next)
	var sum tally
	for _, l := range d.lines {
		sum.add(l.tally)
	}
	sum.Elapsed = time.Since(start)
	return sum, err
}

func (d *driver) loops(next func(*line) bool) error {
	if d.polls {
		return loop(d.lines, next)
	}
	var failed error // the first failure: the others are mostly the same
	var once sync.Once
	var working sync.WaitGroup
	for i := range d.lines {
		working.Go(func() {
			if err := loop(d.lines[i:i+1], next); err != nil {
				once.Do(func() { failed = err })
				d.stop.Store(true)
			}
		})
	}
	working.Wait()
	return failed
}

// loop keeps some connections going in turn. One connection may block in its reads, several poll.
func loop(lines []*line, next func(*line) bool) error {
	for open := len(lines); open > 0; {
		open = 0
		for _, l := range lines {
			if l.waiting {
				open++
				if err := l.receive(); err != nil {
					return err
				}
				continue
			}
			if !next(l) {
				continue
			}
			open++
			if err := l.send(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *line) nextPing() {
	d := l.driver
	l.ping = d.number.Add(1)
	prepared := &d.requests[l.ping%int64(len(d.requests))]
	l.out = prepared.appendTo(l.out[:0], l.ping)
}

func (l *line) nextNotice() bool {
	number, id, ok := l.lost.take()
	if ok {
		l.ping = 0
		l.out = l.driver.notices.appendLost(l.out[:0], l.driver.profile, number, id)
	}
	return ok
}

func (l *line) send() (err error) {
	if l.conn == nil {
		if l.conn, err = net.Dial("tcp", l.addr); err != nil {
			return err
		}
		if l.read = l.conn.Read; l.driver.polls {
			if l.read, err = pollingRead(l.conn); err != nil {
				return err
			}
		}
	}
	l.waiting, l.filled = true, 0
	_, err = l.conn.Write(l.out)
	return err
}

// receive reads what is there of the answer, and counts it where it is whole.
func (l *line) receive() error {
	n, err := l.read(l.in[l.filled:])
	if err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	if n == 0 {
		return nil
	}
	l.filled += n
	body, whole, err := readAnswer(l.in[:l.filled])
	switch {
	case err != nil:
		return err
	case whole:
		l.waiting = false
		l.count(body)
	case l.filled == len(l.in):
		return fmt.Errorf("an answer is longer than %d bytes", len(l.in))
	}
	return nil
}

// count looks at an answer.
func (l *line) count(body []byte) {
	l.tally.Requests++
	if l.ping == 0 {
		l.tally.Notices++
		return
	}
	l.tally.Pings++
	if bytes.Contains(body, l.driver.won) {
		l.tally.Won++
		if l.driver.notices != nil {
			l.lost.add(l.ping, field(body, `"bid_id":"`))
		}
	} else if reason := field(body, `"reason":"`); len(reason) > 0 {
		l.tally.Reasons[string(reason)]++
	}
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

// readAnswer finds the body of an answer in what has been read of it so far.
func readAnswer(read []byte) (body []byte, whole bool, err error) {
	head := bytes.Index(read, []byte("\r\n\r\n")) + 4
	if head < 4 {
		return nil, false, nil
	}
	if !bytes.HasPrefix(read, []byte("HTTP/1.1 200 ")) {
		return nil, false, fmt.Errorf("an answer is not 200: %.300s", read)
	}
	_, rest, _ := bytes.Cut(read[:head], []byte("\r\nContent-Length: "))
	digits, _, found := bytes.Cut(rest, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	if !found || err != nil {
		return nil, false, errors.New("an answer does not tell its length")
	}
	if len(read) < head+length {
		return nil, false, nil
	}
	return read[head : head+length], true, nil
}
