package server

import (
	"cmp"
	"context"
	"slices"
	"time"

	"leadbid/bidder/strategy"
	"leadbid/budget/store"
	"leadbid/pingpost"
	"leadbid/pingpost/recording"
)

// taught is what the Agent was told of leads in this run, so that it is told only of changes.
type taught map[string]ending

// ending is how a lead ended, by what is known now.
type ending struct {
	segment strategy.Segment
	closed  bool
	amount  pingpost.Cents // of a job; 0 where nobody said
}

// endingOf tells how a lead ended; ok is false while that is open. It closed where it was booked and not
// lost afterwards. Where nothing was said for as long as jobs take to close, it did not.
func endingOf(lead *store.Ended, now time.Time, closesWithin time.Duration) (e ending, ok bool) {
	source := lead.Source
	if recording.Personal(source) {
		source = ""
	}
	e.segment = strategy.SegmentOf(lead.Service, lead.Job, lead.ZIP, source)
	var booked, lost *store.Outcome
	for i := range lead.Outcomes {
		switch o := &lead.Outcomes[i]; o.Kind {
		case store.Booked:
			booked = o
		case store.Lost:
			lost = o
		}
	}
	switch {
	case booked != nil && lost != nil && happened(lost).After(happened(booked)):
		return e, true
	case booked != nil:
		e.closed, e.amount = true, booked.Amount
		return e, true
	}
	return e, lost != nil || now.Sub(lead.At) >= closesWithin
}

func happened(o *store.Outcome) time.Time {
	if o.At.IsZero() {
		return o.Known
	}
	return o.At
}

// learn asks the books, and gives what changed.
func (t *taught) learn(ctx context.Context, books store.Store, now time.Time, closesWithin time.Duration) ([]strategy.Evidence, error) {
	leads, err := books.Ended(ctx, now, mostEnded)
	if err != nil {
		return nil, err
	}
	return t.follow(leads, now, closesWithin), nil
}

// follow gives what changed since it was asked last, summed up by segment. What is no longer listed,
// as a lead that was returned, is taken back.
func (t *taught) follow(leads []store.Ended, now time.Time, closesWithin time.Duration) []strategy.Evidence {
	next, sums := taught{}, map[strategy.Segment]*strategy.Evidence{}
	count := func(e ending, sign int) {
		sum := sums[e.segment]
		if sum == nil {
			sum = &strategy.Evidence{Segment: e.segment, Known: now}
			sums[e.segment] = sum
		}
		sum.Leads += sign
		if e.closed {
			sum.Closed += sign
		}
		if e.amount > 0 {
			sum.Jobs, sum.Dollars = sum.Jobs+sign, sum.Dollars+float64(sign)*float64(e.amount)/100
		}
	}
	for i := range leads {
		id := leads[i].LeadID
		e, ended := endingOf(&leads[i], now, closesWithin)
		if !ended {
			continue
		}
		next[id] = e
		before, known := (*t)[id]
		switch {
		case known && before == e:
			continue
		case known:
			count(before, -1)
		}
		count(e, 1)
	}
	for id, before := range *t {
		if _, known := next[id]; !known {
			count(before, -1)
		}
	}
	*t = next
	var changed []strategy.Evidence
	for _, sum := range sums {
		if sum.Leads != 0 || sum.Closed != 0 || sum.Jobs != 0 || sum.Dollars != 0 {
			changed = append(changed, *sum)
		}
	}
	slices.SortFunc(changed, func(a, b strategy.Evidence) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Job, b.Job),
			cmp.Compare(a.ZIP3, b.ZIP3), cmp.Compare(a.Source, b.Source))
	})
	return changed
}
