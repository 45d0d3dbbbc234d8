package pinger

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"leadbid/exchange"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// Buyer is one buyer that is reached over HTTP.
type Buyer struct {
	Name     string
	BaseURL  string // http or https, without the path
	Exchange string // our name at the buyer's
	Key      string // the bearer key that we show
	Profile  *wire.Profile
}

// Options are what a Pinger is made of.
type Options struct {
	Buyers []Buyer

	// Now is the clock that deadlines are given in. Only differences to it count, so the machine's
	// clock may step meanwhile.
	Now func() time.Time

	// ConnsPerBuyer bounds how many requests one buyer is sent at one time, 64 where 0. What is
	// beyond fails at once: a slow buyer costs itself leads, and nobody else.
	ConnsPerBuyer int

	// Workers bounds the goroutines for all buyers together, 1,024 where 0.
	Workers int
}

// answerMargin is kept from the time that a buyer is told it has (tmax_ms), for the way back.
const answerMargin = 10 * time.Millisecond

// Pinger is the client of all buyers.
type Pinger struct {
	now     func() time.Time
	buyers  map[string]*client
	workers *workers
}

// New makes a Pinger. It connects to nobody until there is something to send. The error names a
// buyer whose address cannot be used.
func New(options Options) (*Pinger, error) {
	if options.ConnsPerBuyer == 0 {
		options.ConnsPerBuyer = 64
	}
	if options.Workers == 0 {
		options.Workers = 1024
	}
	p := &Pinger{now: options.Now, buyers: map[string]*client{}, workers: newWorkers(options.Workers)}
	for _, buyer := range options.Buyers {
		client, err := newClient(buyer, options.ConnsPerBuyer)
		if err != nil {
			return nil, fmt.Errorf("pinger: buyer %s: %w", buyer.Name, err)
		}
		p.buyers[buyer.Name] = client
	}
	return p, nil
}

// Close ends the goroutines and idle connections. What is under way ends at its own deadline, and
// nothing may be asked afterwards.
func (p *Pinger) Close() {
	p.workers.close()
	for _, client := range p.buyers {
		client.http.CloseIdleConnections()
	}
}

// Ask pings buyers in parallel and returns when all have answered, at the deadline at the latest.
// There is one answer for each buyer, in their order; one that did not come is TimedOut, one that
// could not be understood (or a buyer that could not be reached) is Broken. The ping is the same
// for all but for its Exchange; it must not change until Ask has returned.
func (p *Pinger) Ask(deadline time.Time, ping *pingpost.Ping, buyers []string) []exchange.Answer {
	left := deadline.Sub(p.now())
	answers := make([]exchange.Answer, len(buyers))
	for i, buyer := range buyers {
		answers[i] = exchange.Answer{Buyer: buyer, Status: exchange.AnswerTimedOut, Reason: pingpost.TimedOut, Latency: max(left, 0)}
	}
	if left <= 0 || len(buyers) == 0 {
		return answers
	}
	p.gather(answers, p.scatter(ping, buyers, left), left)
	return answers
}

// numbered is one buyer's answer, with the buyer's place in the list.
type numbered struct {
	place  int
	answer exchange.Answer
}

// scatter starts all pings. The channel has room for every answer, so that one that comes too
// late ends there.
func (p *Pinger) scatter(ping *pingpost.Ping, buyers []string, left time.Duration) <-chan numbered {
	asked := time.Now()
	answered := make(chan numbered, len(buyers))
	bodies := bodies{ping: *ping}
	bodies.ping.TmaxMS = int(max(left-min(answerMargin, left/4), time.Millisecond).Milliseconds())
	for place, name := range buyers {
		client := p.buyers[name]
		if client == nil {
			answered <- numbered{place, broken(name, "no such buyer", 0)}
			continue
		}
		if !client.health.mayTry(asked) {
			answered <- numbered{place, broken(name, "left alone after failing repeatedly", 0)}
			continue
		}
		body := bodies.of(client.Profile)
		started := p.workers.do(func() {
			answered <- numbered{place, client.ask(asked, asked.Add(left), bodies.ping.ID, body, p.now)}
		})
		if !started {
			client.health.release()
			answered <- numbered{place, broken(name, "too many requests are under way", 0)}
		}
	}
	return answered
}

// gather waits for every answer, or for the time to be over.
func (p *Pinger) gather(answers []exchange.Answer, answered <-chan numbered, left time.Duration) {
	timer := time.NewTimer(left)
	defer timer.Stop()
	for range answers {
		select {
		case one := <-answered:
			answers[one.place] = one.answer
		case <-timer.C:
			return
		}
	}
}

// bodies spells the ping once for each profile in use.
type bodies struct {
	ping    pingpost.Ping
	spelled []spelled
}

type spelled struct {
	profile *wire.Profile
	body    []byte
}

func (b *bodies) of(profile *wire.Profile) []byte {
	for _, s := range b.spelled {
		if s.profile == profile {
			return s.body
		}
	}
	body := profile.AppendPing(nil, &b.ping)
	b.spelled = append(b.spelled, spelled{profile, body})
	return body
}

// Post hands a lead to a buyer and waits for the verdict until an instant. VerdictUnknown stands
// for no answer: the buyer may have taken the lead all the same. Post tries once; the same post
// may be sent again.
func (p *Pinger) Post(until time.Time, buyer string, post *pingpost.Post) (pingpost.Verdict, time.Duration) {
	client, left := p.buyers[buyer], until.Sub(p.now())
	if client == nil || left <= 0 {
		return pingpost.Verdict{Kind: pingpost.VerdictUnknown, PingID: post.PingID, Detail: "not sent"}, 0
	}
	return client.post(time.Now().Add(left), post)
}

// ErrAnswered is in the error of a notice that the buyer answered without acknowledging it. Where it says that
// it knows no such bid, wire.ErrUnknownBid is, too.
var ErrAnswered = errors.New("answered, but not acknowledged")

// Notify tells a buyer what became of its bid and reports, by an error without content, where it
// did not acknowledge that by an instant. Notify tries once.
func (p *Pinger) Notify(until time.Time, buyer string, notice *pingpost.Notice) error {
	client, left := p.buyers[buyer], until.Sub(p.now())
	switch {
	case client == nil:
		return fmt.Errorf("pinger: buyer %s: no such buyer", buyer)
	case left <= 0:
		return fmt.Errorf("pinger: buyer %s: no time left", buyer)
	}
	if err := client.notify(time.Now().Add(left), notice); err != nil {
		return fmt.Errorf("pinger: buyer %s: %w", buyer, err)
	}
	return nil
}

// Health is how a buyer does.
type Health struct {
	Buyer    string        `json:"buyer"`
	Failures int           `json:"failures"`       // pings in a row without a proper answer
	Resting  time.Duration `json:"-"`              // until it is tried again; 0 where it is asked
	InFlight int           `json:"in_flight"`      // requests under way
	Last     string        `json:"last,omitempty"` // what went wrong last, without content
	Rests    int64         `json:"rests"`          // how often it was left alone
}

// Health tells how every buyer does, by name.
func (p *Pinger) Health() []Health {
	now := time.Now()
	var all []Health
	for _, client := range p.buyers {
		all = append(all, client.health.read(now, client.Name, client.http.PendingRequests()))
	}
	slices.SortFunc(all, func(a, b Health) int {
		if a.Buyer < b.Buyer {
			return -1
		}
		return 1
	})
	return all
}

func broken(buyer, detail string, latency time.Duration) exchange.Answer {
	return exchange.Answer{Buyer: buyer, Status: exchange.AnswerBroken, Detail: detail, Latency: latency}
}

// workers are goroutines that are kept for the next job: a ping's call stack is deep, and growing
// a new one for each costs about as much as the ping.
type workers struct {
	jobs chan func()
	room chan struct{} // one token for each goroutine
	wait sync.WaitGroup
}

func newWorkers(most int) *workers {
	return &workers{jobs: make(chan func()), room: make(chan struct{}, most)}
}

// do runs a job on an idle goroutine, or on a new one; it refuses where all are busy.
func (w *workers) do(job func()) bool {
	select {
	case w.jobs <- job:
		return true
	default:
	}
	select {
	case w.room <- struct{}{}:
	default:
		return false
	}
	w.wait.Add(1)
	go func() {
		defer w.wait.Done()
		for job != nil {
			job()
			job = <-w.jobs
		}
	}()
	return true
}

func (w *workers) close() {
	close(w.jobs)
	w.wait.Wait()
}
