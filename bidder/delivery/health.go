package delivery

import (
	"context"
	"slices"
	"time"
)

// A target is down after this many failures in a row over this long; the package comment says
// what follows.
const (
	downAfter  = 5
	downSpan   = time.Minute
	probeEvery = time.Minute
)

// health is what an endpoint's last attempts say of it. The zero value is good health.
type health struct {
	failures     int       // in a row
	failingSince time.Time // the beginning of the first of them
	down         bool
	gone         bool      // it answered 410: it gets no attempts
	probeAt      time.Time // down, not gone: when to try ahead of the schedule
	catchUp      bool      // it was down and is back: try all that it is owed
}

// judge takes in the result of an attempt.
func (h *health) judge(began, ended time.Time, result outcome) {
	if result.err == nil {
		*h = health{catchUp: h.down || h.catchUp}
		return
	}
	if h.failures == 0 {
		h.failingSince = began
	}
	h.failures++
	h.gone = h.gone || result.gone
	h.catchUp = false
	h.settle(ended, ended.Add(probeEvery))
}

// settle says whether the failures make the endpoint down.
func (h *health) settle(now, probeAt time.Time) {
	if !h.down && (h.gone || h.failures >= downAfter && now.Sub(h.failingSince) >= downSpan) {
		h.down, h.probeAt = true, probeAt
	}
}

func (h *health) wantsProbe(now time.Time) bool {
	return h.down && !h.gone && !now.Before(h.probeAt)
}

// restore reads from the outbox, once, which endpoints were down when the process ended: those
// with a delivery that has failed often enough and for long enough. One that has come back since
// is found out by a probe at once.
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
		if e.known && delivery.Attempts > e.health.failures {
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
