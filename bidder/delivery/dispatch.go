package delivery

import (
	"context"
	"time"

	"leadbid/budget/store"
	"leadbid/internal/webhook"
	"leadbid/rules"
)

// address names an endpoint: targets of different campaigns are different, even at the same URL.
type address struct{ campaign, target string }

// endpoint is one target with what waits for it. The Deliverer's mutex guards it.
type endpoint struct {
	address
	settings rules.Target
	known    bool // the configuration has it
	queue    []job
	busy     int // workers
	health   health
}

// job is one delivery on its way. An early one is not due by the schedule: if it fails, that is
// not written down.
type job struct {
	store.Delivery
	early bool
}

// webhookWorkers is how many deliveries one webhook may get at a time. A file gets one.
const webhookWorkers = 4

func (e *endpoint) workers() int {
	if e.settings.Webhook != "" {
		return webhookWorkers
	}
	return 1
}

// dispatch takes what is due out of the outbox and sets workers on it.
func (d *Deliverer) dispatch(crew *crew) {
	defer d.tell()
	d.mu.Lock()
	defer d.mu.Unlock()
	if crew.ctx.Err() != nil {
		return
	}
	for _, e := range d.endpoints {
		d.refresh(e)
	}
	now := d.options.Clock()
	err := d.restore(crew.ctx, now)
	if err == nil {
		err = d.fetch(crew.ctx, now)
	}
	if err == nil {
		err = d.fetchEarly(crew.ctx, now)
	}
	if err != nil && crew.ctx.Err() == nil {
		d.options.Log.Warn().Err(err).Msg("delivery: the outbox cannot be read")
	}
	for _, e := range d.endpoints {
		// One worker too many finds the queue empty and ends.
		for range min(e.workers()-e.busy, len(e.queue)) {
			e.busy++
			crew.working.Go(func() { d.work(crew.ctx, e) })
		}
	}
}

// due asks the outbox. A store that is silent is given up, and asked again at the next poll: all deliveries
// wait for the answer.
func (d *Deliverer) due(ctx context.Context, now time.Time, most int) ([]store.Delivery, error) {
	asking, cancel := context.WithTimeout(ctx, outboxTimeout)
	defer cancel()
	return d.options.Outbox.Due(asking, now, most)
}

// fetch queues what is due. What is held already is due too and comes first, so that a look-up
// must reach past it.
func (d *Deliverer) fetch(ctx context.Context, now time.Time) error {
	if len(d.held) >= maxHeld {
		return nil
	}
	due, err := d.due(ctx, now, len(d.held)+batch)
	for _, delivery := range due {
		d.enqueue(job{Delivery: delivery})
	}
	return err
}

// fetchEarly queues deliveries ahead of their time: one for each endpoint that is down and due
// for a probe, and all that is owed to one that has come back.
func (d *Deliverer) fetchEarly(ctx context.Context, now time.Time) error {
	wanted := map[address][]store.Delivery{}
	for at, e := range d.endpoints {
		probe := e.health.wantsProbe(now) && e.busy == 0 && len(e.queue) == 0
		if e.known && (probe || e.health.catchUp) {
			wanted[at] = nil
		}
	}
	if len(wanted) == 0 || len(d.held) >= maxHeld {
		return nil
	}
	owed, err := d.due(ctx, now.Add(horizon), maxHeld)
	if err != nil {
		return err
	}
	for _, delivery := range owed {
		at := address{delivery.Campaign, delivery.Target}
		if _, is := wanted[at]; is {
			wanted[at] = append(wanted[at], delivery)
		}
	}
	for at, deliveries := range wanted {
		d.tryEarly(d.endpoints[at], now, deliveries, len(owed) < maxHeld)
	}
	return nil
}

// tryEarly probes an endpoint that is down, or has it catch up, with what it is owed; all says that nothing
// more than this is. One that is owed nothing gets another chance: with nothing to probe it with, only a
// lead that is bought can tell how it is. At the first that fails it is down again.
func (d *Deliverer) tryEarly(e *endpoint, now time.Time, owed []store.Delivery, all bool) {
	if e.health.catchUp {
		e.health.catchUp = false
		for _, delivery := range owed {
			d.enqueue(job{Delivery: delivery, early: true})
		}
		return
	}
	e.health.probeAt = now.Add(probeEvery)
	switch {
	case len(owed) > 0:
		d.enqueue(job{Delivery: e.health.nextProbe(owed), early: true})
	case all:
		e.health.down = false
		d.logState(e)
	}
}

func (d *Deliverer) enqueue(j job) {
	if d.held[j.ID] {
		return
	}
	d.held[j.ID] = true
	e := d.endpoint(address{j.Campaign, j.Target})
	e.queue = append(e.queue, j)
}

func (d *Deliverer) endpoint(at address) *endpoint {
	e := d.endpoints[at]
	if e == nil {
		e = &endpoint{address: at}
		d.endpoints[at] = e
		d.refresh(e)
	}
	return e
}

// refresh brings an endpoint's settings up to date. With new settings it starts in good health; one
// that the configuration lacks keeps no campaign from buying.
func (d *Deliverer) refresh(e *endpoint) {
	settings, known := rules.Target{}, false
	for _, target := range d.options.Targets(e.campaign) {
		if target.Name == e.target {
			settings, known = target, true
		}
	}
	if known != e.known || settings != e.settings {
		e.settings, e.known, e.health = settings, known, health{}
	}
}

// task is a job in a worker's hands, with what it is to be done by.
type task struct {
	job
	settings rules.Target
	disabled bool // no request is made
	began    time.Time
}

// work makes attempts at an endpoint until its queue is empty or ctx ends.
func (d *Deliverer) work(ctx context.Context, e *endpoint) {
	for {
		t, ok := d.take(ctx, e)
		if !ok {
			return
		}
		if !d.claim(ctx, t.job, claimLasts) {
			d.leave(t.job)
			continue
		}
		result := outcome{err: errDisabled}
		if !t.disabled {
			result = d.send(ctx, t.settings, t.job)
		}
		// An attempt that was cut short by our own end says nothing about the endpoint.
		finished := result.err == nil || ctx.Err() == nil
		if finished {
			finished = d.note(ctx, t.job, result)
		} else {
			d.claim(ctx, t.job, 0)
		}
		d.finish(e, t, result, finished)
		d.tell()
	}
}

// claimLasts is longer than an attempt takes, with the note of its end.
const claimLasts = webhookTimeout + 3*outboxTimeout

// claim has the delivery to ourselves for an attempt at it, among all replicas. false means that another
// one has it or had that attempt, or that the outbox cannot be reached.
func (d *Deliverer) claim(ctx context.Context, j job, lasts time.Duration) bool {
	claiming, cancel := context.WithTimeout(context.WithoutCancel(ctx), outboxTimeout)
	defer cancel()
	given, err := d.options.Outbox.Claim(claiming, store.Claim{
		Run: d.options.Run, ID: j.ID, Number: j.Attempts + 1, Lasts: lasts,
	})
	if err != nil {
		d.options.Log.Warn().Err(err).Str("delivery", j.ID).Msg("delivery: it cannot be claimed in the outbox")
	}
	return given
}

// leave lets go of a delivery that could not be claimed, at the next poll: what is due then comes again.
func (d *Deliverer) leave(j job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = append(d.left, j.ID)
}

func (d *Deliverer) forgetLeft() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range d.left {
		delete(d.held, id)
	}
	d.left = d.left[:0]
}

// take gives a worker its next task; ok is false where it should end. Who ends because of ctx lets
// go of what is still queued, for another crew to take up.
func (d *Deliverer) take(ctx context.Context, e *endpoint) (t task, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		d.release(e, func(job) bool { return true })
	}
	if len(e.queue) == 0 {
		e.busy--
		close(d.changed)
		d.changed = make(chan struct{})
		return task{}, false
	}
	t = task{job: e.queue[0], settings: e.settings, disabled: e.health.gone, began: d.options.Clock()}
	e.queue = e.queue[1:]
	return t, true
}

// release lets go of queued jobs.
func (d *Deliverer) release(e *endpoint, which func(job) bool) {
	kept := e.queue[:0:0]
	for _, j := range e.queue {
		if which(j) {
			delete(d.held, j.ID)
		} else {
			kept = append(kept, j)
		}
	}
	e.queue = kept
}

// finish lets go of a task and draws the conclusions from it; finished says that its end is in the
// outbox.
func (d *Deliverer) finish(e *endpoint, t task, result outcome, finished bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.held, t.ID)
	if !finished || t.disabled || !e.known || t.settings != e.settings {
		return
	}
	wasDown := e.health.down
	e.health.judge(t.began, d.options.Clock(), t.Delivery, result)
	if result.err != nil && !result.refused && t.early {
		// It is still down: what else was to be tried ahead of time waits for its time.
		d.release(e, func(other job) bool { return other.early })
	}
	if e.health.down != wasDown {
		d.logState(e)
	}
}

func (d *Deliverer) logState(e *endpoint) {
	d.options.Log.Warn().Str("campaign", e.campaign).Str("target", e.target).Bool("down", e.health.down).
		Int("failures", e.health.failures).Int("refused", len(e.health.refused)).Msg("delivery: a target's state changed")
}

// note writes the end of an attempt into the outbox and tries again while that cannot be reached:
// what was delivered must not be forgotten. A probe that failed is not written, and lets go of its claim. It is
// false where ctx ended before it was written.
func (d *Deliverer) note(ctx context.Context, j job, result outcome) bool {
	attempt, worth := d.attempt(j, result)
	if !worth {
		d.claim(ctx, j, 0)
		return true
	}
	for {
		// The end of a life must not keep its last deliveries out of the books.
		noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), outboxTimeout)
		err := d.options.Outbox.Attempted(noting, attempt)
		cancel()
		if err == nil {
			return true
		}
		d.options.Log.Error().Err(err).Str("delivery", j.ID).Bool("delivered", attempt.Done).
			Msg("delivery: an attempt's end cannot be written to the outbox")
		select {
		case <-ctx.Done():
			return false
		case <-time.After(noteAgain):
		}
	}
}

const (
	outboxTimeout = 5 * time.Second // for each question to the outbox, and each note in it
	noteAgain     = 500 * time.Millisecond
)

// attempt turns the result of an attempt into the outbox's form, and logs it. worth is false where
// there is nothing to write down.
func (d *Deliverer) attempt(j job, result outcome) (attempt store.Attempt, worth bool) {
	now, number := d.options.Clock(), j.Attempts+1
	attempt = store.Attempt{ID: j.ID, Number: number, At: now, Done: result.err == nil}
	event := d.options.Log.Info()
	if result.err != nil {
		attempt.Error = result.err.Error()
		wait, more := webhook.NextDelay(number, webhook.Spread(j.ID, number))
		if attempt.Dead = !more; more {
			attempt.Next = now.Add(wait)
		}
		event = d.options.Log.Warn()
	}
	event.Str("delivery", j.ID).Str("lead", j.LeadID).Str("campaign", j.Campaign).Str("target", j.Target).
		Int("attempt", number).Bool("early", j.early).Bool("dead", attempt.Dead && !j.early).AnErr("error", result.err).
		Msg("delivery: attempted")
	return attempt, attempt.Done || !j.early
}
