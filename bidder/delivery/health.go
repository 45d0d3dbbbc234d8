package delivery

import (
	"context"
	"slices"
	"time"

	"leadbid/budget/store"
)

// A target is down after this many failures in a row, or leads refused in a row, over this long; the
// package comment says what follows.
const (
	downAfter  = 5
	downSpan   = time.Minute
	probeEvery = time.Minute
)

// health is what an endpoint's last attempts say of it. The zero value is good health.
type health struct {
	failures      int       // in a row
	failingSince  time.Time // the beginning of the first of them
	refused       []string  // deliveries that it refused since it last took one, at most downAfter
	refusingSince time.Time // the beginning of the first of these attempts
	down          bool
	gone          bool      // it answered 410: it gets no attempts
	probeAt       time.Time // down, not gone: when to try ahead of the schedule
	probed        string    // the delivery that it was last tried with so
	catchUp       bool      // it was down and is back: try all that it is owed
}

// judge takes in the result of an attempt.
func (h *health) judge(began, ended time.Time, delivery store.Delivery, result outcome) {
	switch {
	case result.err == nil:
		*h = health{catchUp: h.down || h.catchUp}
		return
	case result.refused:
		h.refuse(began, ended, delivery)
	default:
		h.fail(began, result)
	}
	h.settle(ended, ended.Add(probeEvery))
}

func (h *health) fail(began time.Time, result outcome) {
	if h.failures == 0 {
		h.failingSince = began
	}
	h.failures++
	h.gone = h.gone || result.gone
	h.catchUp = false
}

// refuse takes in an answer that says that the endpoint is there: what failed before is over. A delivery
// counts once, however often the schedule comes back to it.
func (h *health) refuse(began, ended time.Time, delivery store.Delivery) {
	h.failures = 0
	again := wasRefused(delivery.Error) || slices.Contains(h.refused, delivery.ID)
	if !again && len(h.refused) < downAfter {
		if len(h.refused) == 0 {
			h.refusingSince = began
		}
		h.refused = append(h.refused, delivery.ID)
	}
	if h.down && !h.bad(ended) {
		h.down, h.catchUp = false, true
	}
}

// bad tells whether what is known makes the endpoint down.
func (h *health) bad(now time.Time) bool {
	return h.gone || h.failures >= downAfter && now.Sub(h.failingSince) >= downSpan ||
		len(h.refused) >= downAfter && now.Sub(h.refusingSince) >= downSpan
}

func (h *health) settle(now, probeAt time.Time) {
	if !h.down && h.bad(now) {
		h.down, h.probeAt = true, probeAt
	}
}

func (h *health) wantsProbe(now time.Time) bool {
	return h.down && !h.gone && !now.Before(h.probeAt)
}

// nextProbe chooses what an endpoint that is down is tried with: each of its deliveries in turn, so that
// one which fails everywhere does not stand for the endpoint.
func (h *health) nextProbe(owed []store.Delivery) store.Delivery {
	before := slices.IndexFunc(owed, func(d store.Delivery) bool { return d.ID == h.probed })
	next := owed[(before+1)%len(owed)]
	h.probed = next.ID
	return next
}

// restore reads from the outbox, once, which endpoints were down when the process ended: those
// with a delivery that has failed often enough and for long enough. One that has come back since
// is found out by a probe at once. A delivery that was refused says nothing of its endpoint.
func (d *Deliverer) restore(ctx context.Context, now time.Time) error {
	if d.restored {
		return nil
	}
	owed, err := d.due(ctx, now.Add(horizon), maxHeld)
	if err != nil {
		return err
	}
	d.restored = true
	for _, delivery := range owed {
		e := d.endpoint(address{delivery.Campaign, delivery.Target})
		if e.known && !wasRefused(delivery.Error) && delivery.Attempts > e.health.failures {
			e.health.failures, e.health.failingSince = delivery.Attempts, delivery.FirstAt
			e.health.settle(now, now)
		}
	}
	return nil
}

// tell says which campaigns went down or came back since it was last called.
func (d *Deliverer) tell() {
	if d.options.OnDown == nil {
		return
	}
	d.telling.Lock()
	defer d.telling.Unlock()
	d.mu.Lock()
	down := map[string]bool{}
	for at, e := range d.endpoints {
		down[at.campaign] = down[at.campaign] || e.health.down
	}
	d.mu.Unlock()
	var campaigns []string
	for campaign, is := range down {
		if is != d.told[campaign] {
			campaigns = append(campaigns, campaign)
		}
	}
	slices.Sort(campaigns)
	for _, campaign := range campaigns {
		d.told[campaign] = down[campaign]
		d.options.OnDown(campaign, down[campaign])
	}
}
