package books

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

// find gives the post of a bid, or of its ping under another bid; nil where there is none.
func (b *Books) find(key store.PostKey) *postRow {
	if row := b.posts[key.BidID]; row != nil {
		return row
	}
	return b.byPing[pingKey{key.Exchange, key.PingID}]
}

func (p *postRow) same(key store.PostKey) bool {
	return p.key.BidID == key.BidID && p.key.Exchange == key.Exchange && p.key.PingID == key.PingID
}

// answer is what a stored post says to a post of that key.
func (b *Books) answer(p *postRow, key store.PostKey) store.PostAnswer {
	switch {
	case !p.same(key) || !p.withdrawn && p.key.BodyHash != key.BodyHash:
		return store.PostAnswer{Outcome: store.PostConflict, Repeat: true}
	case p.voided:
		return store.PostAnswer{Outcome: store.PostRefused, Reason: pingpost.Voided, Repeat: true}
	case p.accepted:
		lead := b.byBid[key.BidID]
		return store.PostAnswer{
			Outcome: store.PostAccepted, LeadID: lead.id, Price: lead.post.Charge.Price, Repeat: true,
		}
	}
	return store.PostAnswer{Outcome: store.PostRefused, Reason: p.reason, Detail: p.detail, Repeat: true}
}

// Answer implements store.Store.
func (b *Books) Answer(_ context.Context, key store.PostKey) (answer store.PostAnswer, found bool, err error) {
	err = b.read("looking up a post", func() {
		if p := b.find(key); p != nil {
			answer, found = b.answer(p, key), true
		}
	})
	return answer, found, err
}

// Post implements store.Store.
func (b *Books) Post(_ context.Context, post store.Post) (answer store.PostAnswer, err error) {
	charge := &post.Charge
	if charge.Refuse == pingpost.ReasonNone && (charge.Price <= 0 || charge.Price > charge.Ref.Price) {
		return answer, fmt.Errorf("books: posting: a price of %v for a bid of %v", charge.Price, charge.Ref.Price)
	}
	err = b.write("posting", func() error {
		key := store.PostKey{
			Exchange: charge.Exchange, PingID: charge.PingID, BidID: charge.BidID, BodyHash: post.BodyHash,
		}
		if before := b.find(key); before != nil {
			answer = b.answer(before, key)
			return nil
		}
		reason, detail := charge.Refuse, charge.Detail
		if reason == pingpost.ReasonNone {
			mark := len(b.undo)
			answer, reason = b.buy(key, post)
			if reason == pingpost.ReasonNone {
				return nil
			}
			b.back(mark)
			detail = ""
		}
		answer = store.PostAnswer{Outcome: store.PostRefused, Reason: reason, Detail: detail}
		remember(b, &b.refused)
		b.refused++
		b.keepPost(&postRow{key: key, at: milliseconds(post.At), reason: reason, detail: detail})
		return nil
	})
	if err != nil {
		return store.PostAnswer{}, err
	}
	return answer, nil
}

func (b *Books) keepPost(p *postRow) {
	p.written = b.written + 1
	put(b, b.posts, p.key.BidID, p)
	put(b, b.byPing, pingKey{p.key.Exchange, p.key.PingID}, p)
}

// buy charges a post and books its lead. With a reason, nothing of it may stay.
func (b *Books) buy(key store.PostKey, post store.Post) (answer store.PostAnswer, refused pingpost.Reason) {
	charge := &post.Charge
	post.Lead.Contact = pingpost.Contact{}
	b.keepPost(&postRow{key: key, accepted: true})
	lead := &leadRow{id: post.LeadID, post: post, at: post.At.UnixMilli(), charges: 1}
	lead.lease = b.payer(charge)
	lead.bidAt = bidAt(lead.lease, charge)
	newer := b.newerCaps(lead.lease, charge)
	add(b, &b.leads, lead)
	put(b, b.byBid, key.BidID, lead)
	b.changedLeads = append(b.changedLeads, lead)
	answer = store.PostAnswer{Outcome: store.PostAccepted, LeadID: lead.id, Price: charge.Price}
	if lead.lease != nil {
		b.payFrom(lead)
		state := b.told(lead.lease.state, post.At)
		answer.Lease = &state
	} else if refused = b.payDirectly(lead, newer); refused != pingpost.ReasonNone {
		return answer, refused
	}
	for _, c := range b.caps { // promised without asking them: they cannot refuse it
		if c.holds(lead) && !c.counts(lead) {
			b.count(c, lead, true)
		}
	}
	if !b.claimContacts(lead) {
		return answer, pingpost.DuplicateLead
	}
	b.owe(lead)
	id := budget.LeaseID(0)
	if lead.lease != nil {
		id = lead.lease.state.ID
	}
	b.note("charge", id, lead.id, lead.room())
	return answer, pingpost.ReasonNone
}

// payer is the bid's own lease, while that is open and has enough.
func (b *Books) payer(charge *budget.Charge) *leaseRow {
	if charge.Ref.Lease < 1 || int64(charge.Ref.Lease) > int64(len(b.leases)) {
		return nil
	}
	l := b.leases[charge.Ref.Lease-1]
	if !l.state.Open || l.state.Line != charge.Line ||
		l.state.UsedCents+charge.Price > l.state.Cents || l.state.UsedLeads+1 > l.state.Leads {
		return nil
	}
	return l
}

func (b *Books) payFrom(lead *leadRow) {
	l := lead.lease
	b.change(l)
	l.state.UsedCents += lead.post.Charge.Price
	l.state.UsedLeads++
	l.leads = append(l.leads[:len(l.leads):len(l.leads)], lead)
	for _, c := range l.caps {
		b.count(c, lead, false)
	}
}

func (b *Books) count(c *capRow, lead *leadRow, directly bool) {
	add(b, &c.counted, count{lead, directly})
	b.changedCaps = append(b.changedCaps, c)
}

// newerCaps are the caps in force that the lease which pays was not carved from; all where none does.
func (b *Books) newerCaps(payer *leaseRow, charge *budget.Charge) (newer []*capRow) {
	for _, w := range charge.Caps {
		carved := payer != nil && slices.ContainsFunc(payer.caps, func(c *capRow) bool {
			return c.key == keyOf(w)
		})
		if !carved {
			newer = append(newer, b.openCap(w))
		}
	}
	return newer
}

// bidAt is the bid's instant; within the windows of the lease that pays, since it backs no other bids.
func bidAt(payer *leaseRow, charge *budget.Charge) int64 {
	at := charge.BidAt.UnixMilli()
	if payer == nil {
		return at
	}
	at = min(at, payer.state.BidUntil.UnixMilli()-1)
	for _, c := range payer.caps {
		at = max(at, c.key.from)
	}
	for _, c := range payer.caps {
		if c.key.to > 0 {
			at = min(at, c.key.to-1)
		}
	}
	return at
}

// payDirectly takes the price out of the caps themselves.
func (b *Books) payDirectly(lead *leadRow, caps []*capRow) pingpost.Reason {
	covered := false
	for _, c := range caps {
		left := b.left(c)
		covered = covered || c.limit.cents.Set
		switch {
		case left.cents < int64(lead.post.Charge.Price):
			return pingpost.BudgetExhausted
		case left.leads < 1:
			return pingpost.CapacityFull
		}
		b.count(c, lead, true)
		b.mustAllow(c, "a direct charge")
	}
	if !covered {
		return pingpost.BudgetExhausted
	}
	return pingpost.ReasonNone
}

// claimContacts takes the lead's contacts, unless another lead had one too short a while ago.
func (b *Books) claimContacts(lead *leadRow) bool {
	for _, hash := range lead.post.Contacts {
		before, taken := b.contact[hash]
		age := lead.at - before.at
		if taken && before.lead != lead.id && !b.withdrawn(before.lead) && lead.post.DedupeFor > 0 && age < lead.post.DedupeFor.Milliseconds() {
			return false
		}
		put(b, b.contact, hash, contactRow{lead.id, lead.at})
	}
	return true
}

func (b *Books) owe(lead *leadRow) {
	for i, target := range lead.post.Deliveries {
		d := &deliveryRow{lead: lead, next: lead.at, delivery: store.Delivery{
			ID: lead.id + "-" + strconv.Itoa(i+1), LeadID: lead.id, Campaign: lead.post.Charge.Line.Campaign,
			Target: target, FirstAt: instant(lead.at),
		}}
		add(b, &b.outbox, d)
		put(b, b.byOwed, d.delivery.ID, d)
	}
}

// Credit implements store.Store.
func (b *Books) Credit(_ context.Context, credit store.Credit) (answer store.CreditAnswer, err error) {
	voided := credit.Outcome == pingpost.OutcomeVoided
	if !voided && credit.Outcome != pingpost.OutcomeReturned {
		return answer, errors.New("books: crediting: that outcome gives nothing back")
	}
	err = b.write("crediting", func() error {
		key := store.PostKey{Exchange: credit.Exchange, PingID: credit.PingID, BidID: credit.BidID}
		p := b.find(key)
		switch {
		case p == nil && voided:
			remember(b, &b.refused)
			b.refused++
			b.keepPost(&postRow{key: key, withdrawn: true, reason: pingpost.Voided})
			return nil
		case p == nil || !p.same(key):
			return nil
		case p.withdrawn:
			answer.Repeat = true
			return nil
		}
		answer.Found = true
		if !p.accepted {
			return nil
		}
		lead := b.byBid[key.BidID]
		if voided {
			remember(b, p)
			p.voided = true
			b.deliverNoMore(lead)
		}
		if answer.Repeat = lead.credited; !lead.credited {
			answer.Credited, answer.Lease = lead.post.Charge.Price, b.giveBack(lead, credit.At)
		}
		return nil
	})
	if err != nil {
		return store.CreditAnswer{}, err
	}
	return answer, nil
}

// withdrawn tells whether the post of a lead was taken back.
func (b *Books) withdrawn(lead string) bool {
	at := slices.IndexFunc(b.leads, func(l *leadRow) bool { return l.id == lead })
	return at >= 0 && b.posts[b.leads[at].post.Charge.BidID].voided
}

// deliverNoMore takes back what is owed of a lead.
func (b *Books) deliverNoMore(lead *leadRow) {
	remember(b, &b.outbox)
	b.outbox = slices.DeleteFunc(slices.Clone(b.outbox), func(d *deliveryRow) bool {
		withdrawn := d.lead == lead && !d.done && !d.dead
		if withdrawn {
			put(b, b.byOwed, d.delivery.ID, nil)
		}
		return withdrawn
	})
}

// giveBack undoes a charge in the caps: a lease that is still open may buy no more than before.
func (b *Books) giveBack(lead *leadRow, asked time.Time) *budget.LeaseState {
	remember(b, lead)
	lead.credited, lead.givenAt, lead.credits = true, milliseconds(b.now()), lead.credits+1
	b.changedLeads = append(b.changedLeads, lead)
	for _, c := range b.caps {
		switch {
		case c.counts(lead):
			b.changedCaps = append(b.changedCaps, c)
		case c.holds(lead): // it began with it
			remember(b, &c.opening)
			c.opening = room{c.opening.cents - int64(lead.post.Charge.Price), c.opening.leads - 1}
		}
	}
	id := budget.LeaseID(0)
	if lead.lease != nil {
		id = lead.lease.state.ID
	}
	b.note("credit", id, lead.id, room{-int64(lead.post.Charge.Price), -1})
	if lead.lease == nil || !lead.lease.state.Open {
		return nil
	}
	b.change(lead.lease)
	lead.lease.state.UsedCents -= lead.post.Charge.Price
	lead.lease.state.UsedLeads--
	b.takeBack(lead.lease, lead.room())
	state := b.told(lead.lease.state, asked)
	return &state
}
