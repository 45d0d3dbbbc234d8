package server

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"leadbid/exchange"
	"leadbid/pingpost"
)

// The bounds of the desk. A batch is what came while the one before it was being synced, so it
// grows with the load by itself.
const (
	deskQueue = 4096
	maxBatch  = 256
)

// errBusy means that the desk's queue is full, errAway that what was asked is not in the books:
// the store was out of reach. Both are answered "try again"; every command may be sent again.
var (
	errBusy = errors.New("server: too many commands are waiting")
	errAway = errors.New("server: the books are out of reach")
)

// desk is the goroutine that owns the Market.
type desk struct {
	config *exchange.Config
	store  Store
	clock  *clock
	log    zerolog.Logger
	meters *meters
	act    func([]exchange.Action) // must not block

	calls  chan call
	away   atomic.Bool   // while the books are out of reach
	ended  chan struct{} // closed when the desk takes no more calls
	market *exchange.Market

	// waiting holds the callers who want to know how a lead ended, by the offer it came in as.
	waiting map[exchange.OfferID][]chan exchange.Event
}

// call is one thing asked of the desk: a command, or a look at the Market, or both.
type call struct {
	prepare func(*exchange.Market) error // before the command; its error stands for an answer
	command exchange.Command
	look    func(*exchange.Market) // after the commit; may only read
	// listener, of an OpenOffer, is told of the lead's end and has room for one event. It is closed
	// without one where the end cannot be told. May be nil.
	listener chan exchange.Event
	done     chan answer // holds one
}

type answer struct {
	applied exchange.Applied
	err     error
}

func newDesk(options Options, clock *clock, meters *meters, act func([]exchange.Action)) *desk {
	return &desk{
		config: options.Config, store: options.Store, clock: clock, log: options.Log, meters: meters, act: act,
		calls: make(chan call, deskQueue), ended: make(chan struct{}),
		waiting: map[exchange.OfferID][]chan exchange.Event{},
	}
}

// ask hands a call to the desk and waits for its answer. It is refused with errBusy where the
// queue is full: for callers who can be told to come back.
func (d *desk) ask(c call) answer {
	c.done = make(chan answer, 1)
	select {
	case d.calls <- c:
	default:
		d.meters.refused.Inc()
		return answer{err: errBusy}
	}
	return d.wait(c)
}

// bring hands over a command that somebody already did the work for, and waits for its place.
func (d *desk) bring(command exchange.Command) answer { return d.hand(call{command: command}) }

// see looks at the Market, and waits for its place too.
func (d *desk) see(look func(*exchange.Market)) answer { return d.hand(call{look: look}) }

func (d *desk) hand(c call) answer {
	c.done = make(chan answer, 1)
	select {
	case d.calls <- c:
		return d.wait(c)
	case <-d.ended:
		return answer{err: errAway}
	}
}

func (d *desk) wait(c call) answer {
	select {
	case a := <-c.done:
		return a
	case <-d.ended:
		// The desk answers what it took before it ends; what it did not take is not in the books.
		select {
		case a := <-c.done:
			return a
		default:
			return answer{err: errAway}
		}
	}
}

// open restores the Market and lets it resolve what the former process left. Only then are
// commands taken.
func (d *desk) open(ctx context.Context) error {
	market, err := d.store.Load(ctx, d.config, d.clock.now())
	if err != nil {
		return err
	}
	if step := d.clock.catchUp(market.Last()); step > clockTolerance {
		d.log.Warn().Dur("step", step).Msg("the wall clock is behind the books; the market goes on from where they end")
	}
	applied := market.Apply(d.clock.now(), exchange.Start{})
	if err := d.store.Commit(ctx, market.Batch([]exchange.Applied{applied})); err != nil {
		return err
	}
	d.market = market
	d.away.Store(false)
	d.act(market.Actions(applied.Events))
	return nil
}

// run works until ctx ends. open must have succeeded.
func (d *desk) run(ctx context.Context) {
	defer close(d.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	follow := time.NewTicker(10 * time.Second)
	defer follow.Stop()
	for {
		select {
		case <-ctx.Done():
			d.dismiss()
			return
		case wall := <-follow.C:
			if step := d.clock.follow(wall); step > 0 {
				d.log.Warn().Dur("step", step).Msg("the wall clock ran ahead; the market follows it")
			}
		case first := <-d.calls:
			d.serve(ctx, d.batch(first))
		case <-timer.C:
			d.serve(ctx, []call{{command: exchange.Tick{}, done: make(chan answer, 1)}})
		}
		if due, ok := d.market.Due(); ok {
			timer.Reset(max(due.Sub(d.clock.now()), time.Millisecond))
		} else {
			timer.Stop()
		}
	}
}

func (d *desk) batch(first call) []call {
	batch := []call{first}
	for len(batch) < maxBatch {
		select {
		case next := <-d.calls:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// serve applies a batch, commits it as one, acts on it and answers it, in this order.
func (d *desk) serve(ctx context.Context, batch []call) {
	now := d.clock.now()
	answers := make([]answer, len(batch))
	var events []exchange.Event
	var decided []exchange.Applied
	for i, c := range batch {
		if c.prepare != nil {
			answers[i].err = c.prepare(d.market)
		}
		if c.command == nil || answers[i].err != nil {
			continue
		}
		applied := d.market.Apply(now, c.command)
		answers[i].applied = applied
		if len(applied.Events) > 0 {
			decided, events = append(decided, applied), append(events, applied.Events...)
		}
		d.expect(c, applied)
	}
	if len(decided) > 0 {
		began := time.Now()
		// The commit is not the requests': once it has begun, its outcome must be learned.
		if err := d.store.Commit(context.WithoutCancel(ctx), d.market.Batch(decided)); err != nil {
			d.log.Error().Err(err).Int("commands", len(batch)).Msg("the books are out of reach: starting again from what they hold")
			d.startAgain(ctx, batch)
			return
		}
		d.meters.committed(len(decided), len(events), time.Since(began))
	}
	d.act(d.market.Actions(events))
	d.tell(events)
	for i, c := range batch {
		if c.look != nil {
			c.look(d.market)
		}
		c.done <- answers[i]
	}
}

// expect notes who wants to know the end of a lead that was just taken in.
func (d *desk) expect(c call, applied exchange.Applied) {
	open, ok := c.command.(exchange.OpenOffer)
	if ok && c.listener != nil && !applied.Repeat && applied.Refused == pingpost.ReasonNone {
		d.waiting[open.ID] = append(d.waiting[open.ID], c.listener)
	}
}

// tellGivenUp logs where a notice that must arrive never did.
func (d *desk) tellGivenUp(e *exchange.Event) {
	gone := e.Reason == pingpost.BidUnknown || e.Reason == pingpost.NotEligible
	if gone && (e.Kind == exchange.Voided || e.Kind == exchange.ReturnAcknowledged) {
		d.log.Warn().Str("offer", string(e.Offer)).Str("buyer", e.Buyer).Stringer("price", e.Price).Stringer("reason", e.Reason).
			Msg("a notice was never acknowledged: the buyer pays nothing, and may hold the lead")
	}
}

// tell passes on how leads ended. A lead that fell back goes on as another offer.
func (d *desk) tell(events []exchange.Event) {
	for _, e := range events {
		d.meters.happened(&e)
		d.tellGivenUp(&e)
		if !e.Kind.Ends() || e.Kind == exchange.FellBack {
			continue
		}
		for _, listener := range d.waiting[e.Root] {
			listener <- e // has room for one
		}
		delete(d.waiting, e.Root)
	}
}

// startAgain drops a Market that is ahead of its store and restores one that is not. Until that
// has worked, everybody is told to come back.
func (d *desk) startAgain(ctx context.Context, batch []call) {
	d.market = nil
	d.away.Store(true)
	d.meters.restarts.Inc()
	for _, c := range batch {
		c.done <- answer{err: errAway}
	}
	d.forgetWaiting()
	for pause := 50 * time.Millisecond; ; pause = min(pause*2, 5*time.Second) {
		err := d.open(ctx)
		if err == nil {
			d.log.Info().Msg("the books are back")
			return
		}
		d.log.Error().Err(err).Dur("next_try", pause).Msg("the books cannot be read")
		d.refuseFor(ctx, pause)
		if ctx.Err() != nil {
			d.market = exchange.New(d.config) // for the timer; nothing is applied to it any more
			return
		}
	}
}

func (d *desk) forgetWaiting() {
	for id, listeners := range d.waiting {
		for _, listener := range listeners {
			close(listener)
		}
		delete(d.waiting, id)
	}
}

func (d *desk) refuseFor(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case c := <-d.calls:
			c.done <- answer{err: errAway}
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// dismiss refuses what is still queued when the desk ends.
func (d *desk) dismiss() {
	d.forgetWaiting()
	for {
		select {
		case c := <-d.calls:
			c.done <- answer{err: errAway}
		default:
			return
		}
	}
}
