package books

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"leadbid/budget/store"
	"leadbid/pingpost"
)

// Outcomes implements store.Store.
func (b *Books) Outcomes(_ context.Context, outcomes []store.Outcome) (answers []store.OutcomeAnswer, err error) {
	for _, o := range outcomes {
		if !slices.Contains(store.OutcomeKinds, o.Kind) || o.Amount < 0 || o.Known.IsZero() && o.Told.IsZero() {
			return nil, errors.New("books: noting an outcome: it is none")
		}
	}
	err = b.write("noting outcomes", func() error {
		answers = nil
		for _, o := range outcomes {
			answers = append(answers, b.noteOutcome(o))
		}
		return nil
	})
	return answers, err
}

func (b *Books) noteOutcome(o store.Outcome) store.OutcomeAnswer {
	at := slices.IndexFunc(b.leads, func(l *leadRow) bool {
		c := &l.post.Charge
		switch {
		case o.LeadID != "":
			return l.id == o.LeadID
		case o.BidID != "":
			return c.BidID == o.BidID
		}
		return o.PingID != "" && c.Exchange == o.Exchange && c.PingID == o.PingID
	})
	if at < 0 {
		return store.OutcomeAnswer{}
	}
	l := b.leads[at]
	fresh := store.Outcome{LeadID: l.id, Kind: o.Kind, Amount: o.Amount, At: instant(milliseconds(o.At)),
		Known: instant(milliseconds(o.KnownAt(instant(l.at))))}
	known := slices.Clone(l.outcomes) // what was written before stays as it was, for a crash
	i := slices.IndexFunc(known, func(k store.Outcome) bool { return k.Kind == o.Kind })
	switch {
	case i < 0:
		known = append(known, fresh)
	case known[i].Amount == fresh.Amount && known[i].At.Equal(fresh.At):
		return store.OutcomeAnswer{LeadID: l.id, Repeat: true}
	default:
		known[i] = fresh
	}
	remember(b, &l.outcomes)
	l.outcomes = known
	return store.OutcomeAnswer{LeadID: l.id}
}

// Ended implements store.Store.
func (b *Books) Ended(_ context.Context, by time.Time, most int) (ended []store.Ended, err error) {
	err = b.read("listing ended leads", func() {
		var first, last int64
		for _, l := range b.leads {
			if len(knownOf(l, by)) > 0 {
				if first == 0 || l.at < first {
					first = l.at
				}
				last = max(last, l.at)
			}
		}
		for _, l := range b.leads {
			if first == 0 || l.credited || l.at < first || l.at > last {
				continue
			}
			p := &l.post.Lead
			ended = append(ended, store.Ended{LeadID: l.id, At: instant(l.at), Service: p.Service, Job: p.Job,
				ZIP: p.ZIP, Source: l.post.Source, Outcomes: knownOf(l, by)})
		}
	})
	slices.SortFunc(ended, func(x, y store.Ended) int {
		return cmp.Or(y.At.Compare(x.At), cmp.Compare(y.LeadID, x.LeadID))
	})
	return ended[:min(len(ended), most)], err
}

func knownOf(l *leadRow, by time.Time) (known []store.Outcome) {
	for _, kind := range store.OutcomeKinds {
		for _, o := range l.outcomes {
			if o.Kind == kind && !o.Known.After(by) {
				known = append(known, o)
			}
		}
	}
	return known
}

// Posted implements store.Store.
func (b *Books) Posted(_ context.Context, since time.Time) (list []store.Posted, err error) {
	counts := map[store.Posted]int64{}
	err = b.read("counting posts", func() {
		for _, l := range b.leads {
			if l.at >= milliseconds(since) {
				counts[store.Posted{Exchange: l.post.Charge.Exchange, Reason: pingpost.ReasonNone}]++
			}
		}
		for _, p := range b.posts {
			if !p.accepted && !p.withdrawn && p.at >= milliseconds(since) {
				counts[store.Posted{Exchange: p.key.Exchange, Reason: p.reason}]++
			}
		}
	})
	for of, n := range counts {
		of.Posts = n
		list = append(list, of)
	}
	slices.SortFunc(list, func(x, y store.Posted) int {
		return cmp.Or(cmp.Compare(x.Exchange, y.Exchange), cmp.Compare(x.Reason, y.Reason))
	})
	return list, err
}
