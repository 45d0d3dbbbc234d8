// Package delivery brings accepted leads from the outbox to where the contractor wants them: to a
// webhook, or appended to a file.
//
// It owns the attempts: which delivery is tried when, over which target, and what is written back
// to the outbox. The outbox itself belongs to the store, in whose transaction a lead and its
// deliveries became durable before the exchange was answered; so delivery never delays an accept,
// and a crash here loses nothing. It never decides about bids: it only says, through OnDown, that a
// campaign's leads have nowhere to go. Contact data leaves it in payloads only, never in logs or
// errors.
//
// # What is promised
//
// Every delivery is made at least once, or ends as a visible dead letter. A webhook gets the same
// webhook-id at every attempt, by which its receiver knows a repeat; a file gets each lead once, also where
// replicas on one machine share it (which takes a system with locks on files, as all but Windows have).
// Attempts follow the schedule of internal/webhook (at once, then after 1, 3, 10, 30 s and so on to
// 10 h, twelve in all). Within a target the oldest delivery goes first, several at a time; targets
// do not wait for each other. Of several replicas one at a time has a delivery: it claims it in the outbox
// for an attempt, and where its claim runs out because it died, stood still or lost the store, another one
// makes the attempt again.
//
// # When a target is down
//
// A target is down once at least five attempts in a row have failed over at least a minute, or once
// it answered 410 Gone, which disables it: it is sent nothing more until its configuration changes or
// the process restarts, and its deliveries run through their schedule, so that there is a day to mend
// it. While it is down otherwise, one delivery is tried every minute in addition to the schedule, each in
// turn; after the first success everything that the target is owed is tried at once. Such extra attempts do
// not count towards the end of the schedule. What is down follows from the attempts in the outbox, so that a
// restart knows it too; a disabled target is asked once more after one.
//
// An answer of 400, 409, 413, 415 or 422 refuses the one lead: the target is there, and what failed before
// is over. The lead runs through its schedule. But a target that refuses five different leads over at
// least a minute, and takes none between them, is down as well, since it may refuse all of them: its contract
// changed, or something before it answers. A lead counts when it is refused for the first time, and a restart
// begins to count anew: the outbox does not say what was taken between.
//
// A target whose every delivery has become a dead letter can be probed with nothing. It gets another
// chance: its campaign buys again, and the first lead that fails there, or is refused, puts it down again.
//
// A Deliverer has one mutex over its queues, held during look-ups in the outbox and never during an
// attempt. OnDown is called without it, one call at a time, and must not call the Deliverer.
package delivery

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"leadbid/budget/store"
	"leadbid/rules"
)

// Outbox is the part of the store that delivery needs.
type Outbox interface {
	// Due lists deliveries whose time has come, oldest first, at most max.
	Due(ctx context.Context, now time.Time, max int) ([]store.Delivery, error)
	// Claim gives a run a delivery for an attempt, for so long or until its end is noted.
	Claim(ctx context.Context, claim store.Claim) (given bool, err error)
	// Attempted notes the end of one attempt at a delivery.
	Attempted(ctx context.Context, result store.Attempt) error
}

// Options are what a Deliverer needs. Outbox, Targets, Clock and Wall are required.
type Options struct {
	Outbox Outbox
	Run    uint32 // of the process: deliveries are claimed in its name
	// Targets gives the delivery targets of a campaign as the configuration in force has them; none
	// for a campaign that is not in it. It is asked anew for every delivery, so that a reload counts.
	Targets func(campaign string) []rules.Target
	Log     zerolog.Logger
	Clock   func() time.Time
	// Wall is what the machine's clock shows, also where that was set back: webhooks are signed with
	// it, since their receivers compare it with theirs.
	Wall func() time.Time
	// AllowPrivate lets webhooks go to addresses that are not public, and over plain HTTP.
	AllowPrivate bool
	// OnDown hears when a campaign has a target that is down, and when none is down any more.
	OnDown func(campaign string, down bool)
	// BaseDir is the folder that relative names of files start from.
	BaseDir string
}

const (
	// pollEvery is how often the outbox is asked without being told to, for attempts that the
	// schedule makes due.
	pollEvery = 500 * time.Millisecond
	// batch is how many new deliveries one look-up takes, and how many may be held before look-ups
	// wait for the poll.
	batch = 256
	// maxHeld bounds the deliveries in memory; the others wait in the outbox.
	maxHeld = 10_000
	// horizon reaches beyond the longest wait of the schedule: who asks the outbox with it sees
	// everything that is owed.
	horizon = 24 * time.Hour
)

// Deliverer makes deliveries. Run is its life; all methods may be called from several goroutines.
type Deliverer struct {
	options  Options
	client   *http.Client
	journals journals
	notified chan struct{}

	mu        sync.Mutex
	restored  bool // the endpoints' health was read from the outbox
	held      map[string]bool
	left      []string // of those held: they could not be claimed, and wait for the next poll
	endpoints map[address]*endpoint
	changed   chan struct{} // closed and replaced when a worker ends

	telling sync.Mutex // taken before mu
	told    map[string]bool
}

// New makes a Deliverer that does nothing until Run or Drain.
func New(options Options) *Deliverer {
	return &Deliverer{
		options:   options,
		client:    newClient(options.AllowPrivate),
		journals:  journals{byPath: map[string]*journal{}},
		notified:  make(chan struct{}, 1),
		held:      map[string]bool{},
		endpoints: map[address]*endpoint{},
		changed:   make(chan struct{}),
		told:      map[string]bool{},
	}
}

// Notify says that there may be something new in the outbox. It never blocks.
func (d *Deliverer) Notify() {
	select {
	case d.notified <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends, then waits for the attempts under way, which ctx cuts short; an
// attempt that was cut short is repeated in the next life. It returns nil.
func (d *Deliverer) Run(ctx context.Context) error {
	defer d.client.CloseIdleConnections()
	crew := &crew{ctx: ctx}
	defer crew.working.Wait()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		changed, notified := d.changes(), d.notified
		d.dispatch(crew)
		if d.crowded() {
			// Enough to do: looking again at every change would read the same rows again.
			changed, notified = nil, nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
			d.forgetLeft()
		case <-changed:
		case <-notified:
		}
	}
}

// Drain makes one attempt at every delivery that is due now, beside Run or in its place, and
// returns when their ends are in the outbox. A failed delivery is not waited for: it has a later
// time then. The error is that of ctx.
func (d *Deliverer) Drain(ctx context.Context) error {
	defer d.client.CloseIdleConnections()
	crew := &crew{ctx: ctx}
	defer crew.working.Wait()
	until := d.options.Clock()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		changed := d.changes()
		d.dispatch(crew)
		rest, err := d.due(ctx, until, 1)
		if err == nil && len(rest) == 0 && !d.holding() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
			d.forgetLeft()
		case <-changed:
		}
	}
}

// changes gives a channel that is closed when a worker ends after this call.
func (d *Deliverer) changes() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// holding tells whether a delivery is queued or under way: what has been claimed is due to nobody.
func (d *Deliverer) holding() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.held) > 0
}

func (d *Deliverer) crowded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.held) > batch
}

// crew is the workers that one Run or Drain started.
type crew struct {
	ctx     context.Context
	working sync.WaitGroup
}
