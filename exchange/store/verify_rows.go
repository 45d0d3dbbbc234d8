package store

import (
	"slices"
	"strings"

	"leadbid/exchange"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

// posting is a row of the table of postings.
type posting struct {
	Entry, Side                 int
	Offer, Kind, Account, Owner string
	Cents                       pingpost.Cents
}

// bookedBy holds the postings of one event against its entries, row by row.
func (v *verifier) bookedBy(e *exchange.Event) error {
	var want, got []posting
	for place, entry := range e.Entries {
		for side, p := range entry.Postings {
			want = append(want, posting{place, side, string(e.Offer), entry.Kind.String(),
				p.Account.Kind.String(), p.Account.Owner, p.Amount})
		}
	}
	if len(want) == 0 {
		return nil // a posting of its own would be one too many in the end
	}
	err := each(v.q, func(rows sqlstore.Rows) error {
		var p posting
		err := rows.Scan(&p.Entry, &p.Side, &p.Offer, &p.Kind, &p.Account, &p.Owner, &p.Cents)
		got = append(got, p)
		return err
	}, `SELECT entry, side, coalesce(offer, ''), kind, account, owner, cents FROM posting
		WHERE seq = ? ORDER BY entry, side`, e.Seq)
	if v.postings += int64(len(want)); !slices.Equal(want, got) {
		v.find(bookedPostings, "event %d: its postings are %v, its entries say %v", e.Seq, got, want)
	}
	return err
}

// booked: there are no postings but those of events.
func (v *verifier) booked() error {
	var rows int64
	err := each(v.q, func(r sqlstore.Rows) error { return r.Scan(&rows) }, `SELECT count(*) FROM posting`)
	if rows != v.postings {
		v.find(bookedPostings, "the events have %d postings, there are %d rows", v.postings, rows)
	}
	v.checked(bookedPostings, rows)
	return err
}

// leads: who is kept for an offer is who came in with it. A settled offer's lead may be gone.
func (v *verifier) leads() error {
	var kept int64
	err := each(v.q, func(rows sqlstore.Rows) error {
		var id string
		var another bool
		err := rows.Scan(&id, &another)
		if kept++; another {
			v.find(keptLeads, "offer %q: the lead kept for it came from another seller or in another request", id)
		}
		return err
	}, `SELECT offer.id, lead.seller <> offer.seller OR lead.body <> offer.body
		FROM offer JOIN lead ON lead.offer = offer.root ORDER BY offer.id`)
	v.checked(keptLeads, kept)
	if err != nil {
		return err
	}
	return v.privacy()
}

// privacy: no phone number, e-mail or street address of a lead is in its events (E4).
func (v *verifier) privacy() error {
	var checked int64
	err := each(v.q, func(rows sqlstore.Rows) error {
		var scan leadScan
		var body string
		if err := rows.Scan(append(scan.into(), &body)...); err != nil {
			return err
		}
		lead, err := scan.decode()
		if err != nil {
			v.find(privateFields, "%v", err)
			return nil
		}
		checked++
		for _, private := range []pingpost.Private{lead.Lead.Phone, lead.Lead.Email, lead.Lead.Address} {
			if text := private.Reveal(); len(text) > 6 && strings.Contains(body, text) {
				v.find(privateFields, "an event of offer %q shows a private field", lead.Offer)
			}
		}
		return nil
	}, `SELECT `+leadColumns+`, event.body FROM lead
		JOIN offer ON offer.root = lead.offer JOIN event ON event.offer = offer.id`)
	v.checked(privateFields, checked)
	return err
}

// switches: credit limits and pauses are what the events made them.
func (v *verifier) switches() error {
	buyers, err := readBuyers(v.q)
	if err != nil {
		return err
	}
	for _, got := range buyers {
		want := v.buyer(got.Name)
		if got.CreditLimit != want.CreditLimit || got.Paused != want.Paused {
			v.find(rightSwitches, "buyer %s has a credit limit of %v, paused %v; its events say %v, %v",
				got.Name, got.CreditLimit, got.Paused, want.CreditLimit, want.Paused)
		}
	}
	v.checked(rightSwitches, int64(len(buyers)))
	days := 0
	err = each(v.q, func(rows sqlstore.Rows) error {
		var key [2]string
		var cents pingpost.Cents
		if err := rows.Scan(&key[0], &key[1], &cents); err != nil {
			return err
		}
		days++
		if want := v.used[key]; want != cents {
			v.find(rightDays, "%s has used %v on %s, its events come to %v", key[0], cents, key[1], want)
		}
		return nil
	}, `SELECT buyer, day, cents FROM day_use`)
	if days != len(v.used) {
		v.find(rightDays, "presets bought on %d days, %d of them have a row", len(v.used), days)
	}
	v.checked(rightDays, int64(days))
	return err
}

// topUpRow is what makes a repeated top-up the same one.
type topUpRow struct {
	Buyer string
	Cents pingpost.Cents
	Seq   int64
}

// knownBy holds a top-up against the row by which a repeat of it is recognised.
func (v *verifier) knownBy(e *exchange.Event) error {
	var got topUpRow
	err := each(v.q, func(r sqlstore.Rows) error { return r.Scan(&got.Buyer, &got.Cents, &got.Seq) },
		`SELECT buyer, cents, seq FROM top_up WHERE id = ?`, e.Detail)
	if want := (topUpRow{e.Buyer, e.Price, e.Seq}); got != want {
		v.find(knownTopUps, "top-up %q: its row says %+v, its event %+v", e.Detail, got, want)
	}
	v.toppedUp++
	return err
}

// topUps: there are no rows but those of top-ups that happened.
func (v *verifier) topUps() error {
	var rows int64
	err := each(v.q, func(r sqlstore.Rows) error { return r.Scan(&rows) }, `SELECT count(*) FROM top_up`)
	if rows != v.toppedUp {
		v.find(knownTopUps, "%d top-ups have events, there are %d rows", v.toppedUp, rows)
	}
	v.checked(knownTopUps, rows)
	return err
}
