package store

import (
	"slices"

	"leadbid/budget"
	"leadbid/internal/planted"
	"leadbid/internal/sqlstore"
)

// backing are the open leases by their ids: what backs bids that nobody has posted yet. A cap that is newer
// than a lease, or that another replica knows nothing of, has set nothing aside for it. So it counts what such
// a lease has left as promised: otherwise the bids that are out and those that it backs itself could together
// pass it.
type backing map[budget.LeaseID]*backer

// backer is an open lease as the caps above its line see it.
type backer struct {
	line        budget.Line
	from, until int64 // its bids are of these milliseconds: from 0 where only Totals are above it
	used        room
	rest        room // of which bids may be out, or still be made
	carved      []int64
}

// backedBy reads the open leases, of which there are few: a row for each cap that one was carved from.
const backedBy = `SELECT lease.id, campaign, exchange, bid_until_ms, used_cents, used_leads, cents - used_cents, leads - used_leads,
	cap.id, cap.start_ms FROM lease INDEXED BY lease_open JOIN lease_cap ON lease_cap.lease = lease.id JOIN cap ON cap.id = lease_cap.cap
	WHERE lease.state = 'open'`

func (b backing) scan(rows sqlstore.Rows) error {
	var id budget.LeaseID
	var carved, from int64
	var l backer
	err := rows.Scan((*int64)(&id), &l.line.Campaign, &l.line.Exchange, &l.until, &l.used.cents, &l.used.leads,
		&l.rest.cents, &l.rest.leads, &carved, &from)
	if err != nil {
		return err
	}
	if b[id] == nil {
		b[id] = &l
	}
	b[id].from = max(b[id].from, from)
	b[id].carved = append(b[id].carved, carved)
	return nil
}

// backingOf reads the open leases as a transaction has left them.
func backingOf(tx *sqlstore.Tx) (backing, error) {
	if err := tx.Settle(); err != nil { // what they paid in the same transaction counts
		return nil, err
	}
	rows, err := tx.Query(backedBy)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	open := backing{}
	for rows.Next() {
		if err := open.scan(rows); err != nil {
			return nil, err
		}
	}
	return open, rows.Err()
}

// under sums up what leases that were carved from a cap have used, and what others may still buy in its
// scope and window: past it.
func (b backing) under(c *capRow) (used, past room) {
	window := c.window()
	for _, l := range b {
		switch {
		case slices.Contains(l.carved, c.id):
			used = used.plus(l.used)
		case window.over(l.line) && l.until > window.from && (window.to == 0 || l.from < window.to) && !planted.Is(planted.NewCapAlone):
			past = past.plus(l.rest)
		}
	}
	return used, past
}

func (b backing) carved(id budget.LeaseID, from *capRow) bool {
	l := b[id]
	return l != nil && slices.Contains(l.carved, from.id)
}

// grant notes that a new lease was carved from a cap, and giveBack that one has less left.
func (b backing) grant(lease budget.LeaseState, from *capRow) {
	l := b[lease.ID]
	if l == nil {
		l = &backer{line: lease.Line, until: lease.BidUntil.UnixMilli(), rest: room{int64(lease.Cents), lease.Leads}}
		b[lease.ID] = l
	}
	l.from = max(l.from, from.opens)
	l.carved = append(l.carved, from.id)
}

func (b backing) giveBack(id budget.LeaseID, back room) {
	if l := b[id]; l != nil {
		l.rest = room{l.rest.cents - back.cents, l.rest.leads - back.leads}
	}
}
