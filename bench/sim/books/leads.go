package books

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"leadbid/budget/store"
)

func (b *Books) lead(l *leadRow) store.Lead {
	c := &l.post.Charge
	lead := store.Lead{
		ID: l.id, Exchange: c.Exchange, Campaign: c.Line.Campaign, PingID: c.PingID, BidID: c.BidID, Price: c.Price,
		At: instant(l.at), Returned: l.credited, Post: l.post.Lead,
		Dispute: l.dispute, ReturnedAt: instant(l.givenAt),
	}
	for _, d := range b.outbox {
		switch {
		case d.lead != l:
			continue
		case d.done:
			lead.Delivered++
		case d.dead:
			lead.Dead++
		}
		lead.Owed++
	}
	return lead
}

// returnable tells whether a lead is to be returned: disputed, or given up by every target, and not
// credited yet.
func returnable(l store.Lead) bool {
	return !l.Returned && (!l.Dispute.At.IsZero() || l.Dead > 0 && l.Dead == l.Owed)
}

// Dispute implements store.Store.
func (b *Books) Dispute(_ context.Context, dispute store.Dispute) (lead store.Lead, found bool, err error) {
	err = b.write("disputing", func() error {
		at := slices.IndexFunc(b.leads, func(l *leadRow) bool { return l.id == dispute.LeadID })
		if found = at >= 0; !found {
			return nil
		}
		l := b.leads[at]
		if !l.credited {
			remember(b, &l.dispute)
			if !l.dispute.At.IsZero() {
				dispute.At = l.dispute.At
			}
			l.dispute = dispute
		}
		lead = b.lead(l)
		return nil
	})
	return lead, found && err == nil, err
}

// Leads implements store.Store.
func (b *Books) Leads(_ context.Context, filter store.LeadFilter) (leads []store.Lead, err error) {
	err = b.read("listing leads", func() {
		for _, l := range b.leads {
			c := &l.post.Charge
			if l.at >= milliseconds(filter.Since) && (filter.ID == "" || filter.ID == l.id) &&
				(filter.Campaign == "" || filter.Campaign == c.Line.Campaign) &&
				(filter.Exchange == "" || filter.Exchange == c.Exchange) &&
				(!filter.Returnable || returnable(b.lead(l))) {
				leads = append(leads, b.lead(l))
			}
		}
	})
	slices.SortFunc(leads, func(x, y store.Lead) int {
		return cmp.Or(y.At.Compare(x.At), cmp.Compare(y.ID, x.ID))
	})
	if filter.Max <= 0 {
		filter.Max = 100
	}
	return leads[:min(len(leads), filter.Max)], err
}

// Due implements store.Store.
func (b *Books) Due(_ context.Context, now time.Time, most int) (due []store.Delivery, err error) {
	err = b.read("listing deliveries", func() {
		var rows []*deliveryRow
		for _, d := range b.outbox {
			if !d.done && !d.dead && d.next <= now.UnixMilli() && !d.claimed(now) {
				rows = append(rows, d)
			}
		}
		slices.SortFunc(rows, func(x, y *deliveryRow) int {
			return cmp.Or(cmp.Compare(x.next, y.next), cmp.Compare(x.delivery.ID, y.delivery.ID))
		})
		for _, d := range rows[:min(len(rows), most)] {
			d.delivery.Lead = b.lead(d.lead)
			due = append(due, d.delivery)
		}
	})
	return due, err
}

// claimed tells whether somebody has it. No claim lasts longer than a minute: it is over, where the clock
// was set back since.
func (d *deliveryRow) claimed(now time.Time) bool {
	left := instant(d.claimedUntil).Sub(now.Truncate(time.Millisecond))
	return left > 0 && left <= time.Minute
}

// Claim implements store.Store.
func (b *Books) Claim(_ context.Context, claim store.Claim) (given bool, err error) {
	err = b.write("claiming a delivery", func() error {
		now, d := b.now(), b.byOwed[claim.ID]
		if d == nil || d.done || d.dead || d.delivery.Attempts >= claim.Number ||
			d.claimedBy != claim.Run && d.claimed(now) {
			return nil
		}
		remember(b, d)
		d.claimedBy, d.claimedUntil, given = claim.Run, now.Add(claim.Lasts).UnixMilli(), true
		return nil
	})
	return given && err == nil, err
}

// Attempted implements store.Store.
func (b *Books) Attempted(_ context.Context, result store.Attempt) error {
	if !result.Done && !result.Dead && result.Next.IsZero() {
		return errors.New("books: noting an attempt: neither done nor dead, and no next one")
	}
	return b.write("noting an attempt", func() error {
		d := b.byOwed[result.ID]
		late := d != nil && (d.dead || result.Number != 0 && d.delivery.Attempts >= result.Number)
		if d == nil || d.done || late && !result.Done {
			return nil
		}
		remember(b, d)
		d.delivery.Attempts, d.delivery.Error = d.delivery.Attempts+1, result.Error
		d.done, d.dead = result.Done, result.Dead && !result.Done
		d.next, d.claimedUntil = milliseconds(result.Next), 0
		return nil
	})
}

// Counts implements store.Store.
func (b *Books) Counts(context.Context) (c store.Counts, err error) {
	err = b.read("counting", func() {
		for _, l := range b.leads {
			c.Leads++
			c.Charged += l.post.Charge.Price
			if !l.credited && !l.dispute.At.IsZero() {
				c.Disputed++
			}
			if l.credited {
				c.Returned++
				c.Credited += l.post.Charge.Price
			}
		}
		for _, d := range b.outbox {
			switch {
			case d.done:
				c.Delivered++
			case d.dead:
				c.Dead++
			default:
				c.Owed++
			}
		}
		c.Refused, c.OpenLeases = b.refused, int64(len(b.open))
	})
	return c, err
}

// Bought lists the leads that are paid and not given back.
func (b *Books) Bought() (bought []store.Lead) {
	for _, l := range b.leads {
		if c := &l.post.Charge; !l.credited {
			bought = append(bought, store.Lead{ID: l.id, Exchange: c.Exchange, PingID: c.PingID, Price: c.Price})
		}
	}
	return bought
}

// Undelivered lists the deliveries that are neither done nor dead.
func (b *Books) Undelivered() (ids []string) {
	for _, d := range b.outbox {
		if !d.done && !d.dead {
			ids = append(ids, d.delivery.ID)
		}
	}
	return ids
}

// Delivered lists the deliveries that are done.
func (b *Books) Delivered() (ids []string) {
	for _, d := range b.outbox {
		if d.done {
			ids = append(ids, d.delivery.ID)
		}
	}
	return ids
}
