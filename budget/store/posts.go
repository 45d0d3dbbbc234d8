package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"leadbid/budget"
	"leadbid/internal/planted"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

const storedPost = `SELECT p.bid_id, p.exchange, p.ping_id, p.body_hash, p.accepted = 1, p.reason, p.detail, p.voided = 1,
	coalesce(l.id, ''), coalesce(l.price_cents, 0)
	FROM post p LEFT JOIN lead l ON l.id = p.lead
	WHERE p.bid_id = ?1 OR (p.exchange = ?2 AND p.ping_id = ?3)`

// stored is the row of a post that was answered before.
type stored struct {
	key      PostKey
	withdraw bool // nothing was posted: the bid was withdrawn
	accepted bool
	voided   bool // accepted, and withdrawn afterwards: refused from then on
	reason   string
	detail   string
	leadID   string
	price    int64
}

// scanStored gives the places to scan storedPost into, and what to call when done.
func scanStored(s *stored) (into []any, finish func()) {
	var hash []byte
	into = []any{&s.key.BidID, &s.key.Exchange, &s.key.PingID, &hash, &s.accepted, &s.reason, &s.detail,
		&s.voided, &s.leadID, &s.price}
	return into, func() {
		s.withdraw = hash == nil
		copy(s.key.BodyHash[:], hash)
	}
}

// answer is what the stored post says to a post of that key: its own answer if it is the same one.
func (s *stored) answer(key PostKey) (PostAnswer, error) {
	same := s.key.BidID == key.BidID && s.key.Exchange == key.Exchange && s.key.PingID == key.PingID
	if !same || !s.withdraw && !bytes.Equal(s.key.BodyHash[:], key.BodyHash[:]) && !planted.Is(planted.AnyBody) {
		return PostAnswer{Outcome: PostConflict, Repeat: true}, nil
	}
	if s.voided && !planted.Is(planted.AcceptVoided) {
		return PostAnswer{Outcome: PostRefused, Reason: pingpost.Voided, Repeat: true}, nil
	}
	if s.accepted {
		return PostAnswer{
			Outcome: PostAccepted, LeadID: s.leadID, Price: pingpost.Cents(s.price), Repeat: true,
		}, nil
	}
	var reason pingpost.Reason
	if err := reason.UnmarshalText([]byte(s.reason)); err != nil {
		return PostAnswer{}, err
	}
	return PostAnswer{Outcome: PostRefused, Reason: reason, Detail: s.detail, Repeat: true}, nil
}

func (s *books) Answer(ctx context.Context, key PostKey) (answer PostAnswer, found bool, err error) {
	var row stored
	into, finish := scanStored(&row)
	found, err = s.db.Reader(ctx).Row(storedPost+` LIMIT 1`, []any{key.BidID, key.Exchange, key.PingID}, into...)
	switch {
	case err != nil:
		return PostAnswer{}, false, fmt.Errorf("%w: looking up a post: %w", ErrAway, err)
	case !found:
		return PostAnswer{}, false, nil
	}
	finish()
	if answer, err = row.answer(key); err != nil {
		return PostAnswer{}, false, fmt.Errorf("store: looking up a post: %w", err)
	}
	return answer, true, nil
}

func (s *books) Post(ctx context.Context, post Post) (answer PostAnswer, err error) {
	c := &post.Charge
	if c.Refuse == pingpost.ReasonNone && (c.Price <= 0 || c.Price > c.Ref.Price) {
		return PostAnswer{}, fmt.Errorf("store: posting: a price of %v for a bid of %v", c.Price, c.Ref.Price)
	}
	body, err := encodeLead(&post.Lead, post.Source)
	if err != nil {
		return PostAnswer{}, errors.New("store: posting: the lead cannot be written down")
	}
	entered := time.Now()
	err = s.writeAmongCharges(ctx, "posting", func(tx *sqlstore.Tx) error {
		p := posting{tx: tx, run: s.run.Load(), now: s.now(tx), post: &post, body: body}
		answer, err = p.do()
		s.callers(tx, post.At, entered)(answer.Lease)
		return err
	})
	if err != nil {
		return PostAnswer{}, err
	}
	return answer, nil
}

// posting is one post while it is being made durable.
type posting struct {
	tx   *sqlstore.Tx
	run  uint32
	now  time.Time
	post *Post
	body string
	of   facts // what the entry of the charge tells of
}

func (p *posting) key() PostKey {
	return PostKey{
		Exchange: p.post.Charge.Exchange, PingID: p.post.Charge.PingID, BidID: p.post.Charge.BidID,
		BodyHash: p.post.BodyHash,
	}
}

func (p *posting) do() (PostAnswer, error) {
	if reason := p.post.Charge.Refuse; reason != pingpost.ReasonNone {
		return p.refuse(reason, p.post.Charge.Detail)
	}
	fresh, err := p.claim(true, pingpost.ReasonNone, "")
	switch {
	case err != nil:
		return PostAnswer{}, err
	case !fresh:
		return p.repeat()
	}
	answer, reason, err := p.buy()
	if err != nil || reason == pingpost.ReasonNone {
		return answer, err
	}
	if planted.Is(planted.KeepRefused) {
		return PostAnswer{Outcome: PostRefused, Reason: reason}, nil
	}
	if err := p.tx.Undo(); err != nil {
		return PostAnswer{}, err
	}
	return p.refuse(reason, "")
}

// claim makes the post's row. It is there already, and fresh false, where the bid or the ping was
// posted before: that is asked for only then, since hardly a post is.
func (p *posting) claim(accepted bool, reason pingpost.Reason, detail string) (fresh bool, err error) {
	key := p.key()
	lead := ""
	if accepted {
		lead = p.post.LeadID
	}
	return insertPost(p.tx, key, key.BodyHash[:], p.post.At, lead, reason, detail)
}

// repeat answers a post whose row was there before.
func (p *posting) repeat() (PostAnswer, error) {
	if err := p.tx.Settle(); err != nil {
		return PostAnswer{}, err
	}
	before, found, err := findPost(p.tx, p.key())
	switch {
	case err != nil:
		return PostAnswer{}, err
	case !found:
		return PostAnswer{}, errGuard
	}
	return before.answer(p.key())
}

func findPost(tx *sqlstore.Tx, key PostKey) (row stored, found bool, err error) {
	into, finish := scanStored(&row)
	// The bid itself comes first: of a post that meets two rows it is the one to be compared.
	query := storedPost + ` ORDER BY p.bid_id = ?1 DESC LIMIT 1`
	found, err = tx.Row(query, []any{key.BidID, key.Exchange, key.PingID}, into...)
	finish()
	return row, found, err
}

// insertPost makes the row of a post, unless its bid or its ping has one. Of a refused one lead is "".
func insertPost(tx *sqlstore.Tx, key PostKey, hash any, at time.Time, lead string, reason pingpost.Reason, detail string) (fresh bool, err error) {
	if planted.Is(planted.SkipPingUnique) {
		key.PingID += key.BidID
	}
	row := []any{key.BidID, key.Exchange, key.PingID, hash, at.UnixMilli(), number(lead != ""), orNull(lead), reason.String(), detail}
	if !tx.Singly() {
		newPosts.add(tx, row...)
		return true, nil
	}
	hit, err := tx.Exec(newPosts.single(), row...)
	return hit == 1, err
}

var newPosts = newBulk(`INSERT OR FAIL INTO post (bid_id, exchange, ping_id, body_hash, at_ms, accepted, lead, reason, detail)`,
	` ON CONFLICT DO NOTHING`)

func (p *posting) refuse(reason pingpost.Reason, detail string) (PostAnswer, error) {
	fresh, err := p.claim(false, reason, detail)
	switch {
	case err != nil:
		return PostAnswer{}, err
	case !fresh:
		return p.repeat()
	}
	return PostAnswer{Outcome: PostRefused, Reason: reason, Detail: detail}, nil
}

// buy charges the post and books the lead. With a reason nothing of it may stay.
func (p *posting) buy() (answer PostAnswer, refused pingpost.Reason, err error) {
	c := &p.post.Charge
	lease, leased, err := p.chargeLease()
	if err != nil {
		return answer, 0, err
	}
	var paid any
	answer = PostAnswer{Outcome: PostAccepted, LeadID: p.post.LeadID, Price: c.Price}
	if leased {
		paid, answer.Lease = int64(lease.ID), &lease
	}
	set, err := p.carvedFrom(lease.ID)
	if err != nil {
		return answer, 0, err
	}
	// Before the lead is there: a cap that is new counts the leads that came before it.
	caps, err := p.openCaps(set)
	if err != nil {
		return answer, 0, err
	}
	bidAt := p.bidAt(set)
	if leased {
		bidAt = min(bidAt, lease.BidUntil.UnixMilli()-1) // caps that it may buy past reckon with no later one
	}
	newLeads.add(p.tx, p.post.LeadID, c.BidID, c.Exchange, c.Line.Campaign, c.PingID, p.post.At.UnixMilli(), bidAt,
		int64(c.Ref.Price), int64(c.Price), paid, p.body)
	p.of.number(p.post.At.UnixMilli(), bidAt, int64(c.Ref.Price), int64(c.Price), int64(lease.ID))
	p.of.words(c.BidID, c.Exchange, c.Line.Campaign, c.PingID, string(p.post.BodyHash[:]))
	if !leased {
		if refused, err = p.chargeCaps(caps); err != nil || refused != pingpost.ReasonNone {
			return answer, refused, err
		}
		for _, row := range caps {
			set = append(set, row.window())
		}
	}
	if err := p.countPast(set, bidAt); err != nil {
		return answer, 0, err
	}
	if refused, err = p.claimContacts(); err != nil || refused != pingpost.ReasonNone {
		return answer, refused, err
	}
	p.owe()
	return answer, 0, note(p.tx, entry{
		run: int64(p.run), at: p.now, kind: "charge", lease: int64(lease.ID), lead: p.post.LeadID,
		cents: int64(c.Price), leads: 1, of: p.of,
	})
}

var newLeads = newBulk(`INSERT OR FAIL INTO lead (id, bid_id, exchange, campaign, ping_id, at_ms, bid_at_ms, bid_cents,
	price_cents, lease, body)`, "")

// carved is one cap in one window, which the lease that paid was carved from, or which paid itself.
type carved struct {
	kind     budget.ScopeKind
	name     string
	period   pingpost.Period
	from, to int64 // its window in milliseconds; 0 for Total
}

// carvedOf names the caps of a lease among what a transaction remembers: they are fixed at its grant.
type carvedOf budget.LeaseID

// carvedFrom lists the caps of a lease; none for lease 0.
func (p *posting) carvedFrom(lease budget.LeaseID) (caps []carved, err error) {
	if lease == 0 {
		return nil, nil
	}
	if caps, known := p.tx.Recall(carvedOf(lease)).([]carved); known {
		return caps, nil
	}
	rows, err := p.tx.Query(`SELECT kind, name, period, start_ms, end_ms FROM cap
		WHERE id IN (SELECT cap FROM lease_cap WHERE lease = ?)`, int64(lease))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c carved
		if err := rows.Scan(&c.kind, &c.name, &c.period, &c.from, &c.to); err != nil {
			return nil, err
		}
		caps = append(caps, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	p.tx.Remember(carvedOf(lease), caps)
	return caps, nil
}

// bidAt is the bid's instant in milliseconds. A lease backs bids only within its windows, so where
// one paid and the instant lies outside them, that was told with another bid_ttl than the bid had.
func (p *posting) bidAt(caps []carved) int64 {
	at := p.post.Charge.BidAt.UnixMilli()
	for _, c := range caps {
		at = max(at, c.from)
	}
	for _, c := range caps {
		if c.to > 0 {
			at = min(at, c.to-1)
		}
	}
	return at
}

// tabOf names a lease among what a transaction remembers.
type tabOf budget.LeaseID

// tab is a lease that a charge of the transaction was paid from, as it stands now. The first charge is in
// its row; what the others took is added to the row at the end, under the same condition.
type tab struct {
	state budget.LeaseState
	cents int64
	leads int64
}

// chargeLease pays from the lease that the bid was made from, while that is open and has enough.
func (p *posting) chargeLease() (budget.LeaseState, bool, error) {
	c := &p.post.Charge
	if t, known := p.tx.Recall(tabOf(c.Ref.Lease)).(*tab); known {
		state, paid := t.charge(c)
		return state, paid, nil
	}
	state, paid, err := leaseRow(p.tx, `UPDATE lease SET used_cents = used_cents + ?1, used_leads = used_leads + 1, rev = rev + 1
		WHERE id = ?2 AND state = 'open' AND used_cents + ?1 <= cents AND used_leads + 1 <= leads
		AND campaign = ?3 AND exchange = ?4 RETURNING `+leaseColumns,
		int64(c.Price), int64(c.Ref.Lease), c.Line.Campaign, c.Line.Exchange)
	if err == nil && paid {
		t := &tab{state: state}
		p.tx.Remember(tabOf(state.ID), t)
		p.tx.AtEnd(func() error { return t.settle(p.tx) })
	}
	return state, paid, err
}

func (t *tab) charge(c *budget.Charge) (state budget.LeaseState, paid bool) {
	s := &t.state
	if s.Line != c.Line || s.UsedCents+c.Price > s.Cents || s.UsedLeads+1 > s.Leads {
		return budget.LeaseState{}, false
	}
	t.cents, t.leads = t.cents+int64(c.Price), t.leads+1
	s.UsedCents, s.UsedLeads, s.Rev = s.UsedCents+c.Price, s.UsedLeads+1, s.Rev+1
	return *s, true
}

// settle brings the row up to date. Whoever looks at the lease after it reads that.
func (t *tab) settle(tx *sqlstore.Tx) error {
	tx.Remember(tabOf(t.state.ID), nil)
	if t.leads == 0 {
		return nil
	}
	return tx.Later(`UPDATE lease SET used_cents = used_cents + ?1, used_leads = used_leads + ?2, rev = rev + ?2
		WHERE id = ?3 AND state = 'open' AND used_cents + ?1 <= cents AND used_leads + ?2 <= leads`,
		[]any{t.cents, t.leads, int64(t.state.ID)}, func(hit int64) error { return mustHit(hit, nil) })
}

// openCaps opens the caps in force that no lease has set the price aside in: all of them on a
// direct charge, else those that are newer than the lease that paid.
func (p *posting) openCaps(set []carved) ([]capRow, error) {
	var rows []capRow
	for _, w := range p.post.Charge.Caps {
		within := carved{w.Cap.Scope.Kind, w.Cap.Scope.Name, w.Cap.Period, milliseconds(w.Start), milliseconds(w.End)}
		if slices.Contains(set, within) {
			continue
		}
		row, err := openCap(p.tx, w)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// countPast counts a lead in every cap of its scopes and windows beside those that paid: one that is
// newer than the lease, one that only another replica knows of yet, one that was taken out and may come
// back. The lead was promised without them, so they cannot refuse it; but what they still allow is less
// by it.
func (p *posting) countPast(paid []carved, bidAt int64) error {
	if planted.Is(planted.ForgetAway) {
		return nil
	}
	rows, err := capsOver(p.tx, bidAt)
	if err != nil {
		return err
	}
	for _, row := range rows {
		window := row.window()
		if !window.holds(p.post.Charge.Line, bidAt) || slices.Contains(paid, window) {
			continue
		}
		_, err := p.tx.Row(`UPDATE cap SET spent_cents = spent_cents + ?2, spent_leads = spent_leads + 1 WHERE id = ?1
			RETURNING spent_cents + leased_cents, spent_leads + leased_leads`,
			[]any{row.id, int64(p.post.Charge.Price)}, &row.cents, &row.leads)
		if err != nil {
			return err
		}
		if err := p.noteCap(row); err != nil { // without limits: it was asked for no leave
			return err
		}
	}
	return nil
}

// noteCap keeps that a cap paid or counted the lead itself, and what the cap came to.
func (p *posting) noteCap(row capRow) error {
	p.of.cap(&row)
	_, err := p.tx.Exec(`INSERT INTO lead_cap (lead, cap, limit_cents, limit_leads, after_cents, after_leads)
		VALUES (?, ?, ?, ?, ?, ?)`, p.post.LeadID, row.id, row.limits[0], row.limits[1], row.cents, row.leads)
	return err
}

// chargeCaps pays from the caps themselves, in the windows of the bid. Without a cap of dollars
// nothing is bought.
func (p *posting) chargeCaps(caps []capRow) (refused pingpost.Reason, err error) {
	price, covered := int64(p.post.Charge.Price), false
	open, err := backingOf(p.tx)
	if err != nil {
		return 0, err
	}
	for _, row := range caps {
		_, row.past = open.under(&row)
		if planted.Is(planted.SkipLeadCap) {
			row.limits[1] = nil
		}
		covered = covered || row.cap.Cents.Set
		hit, err := row.takeFrom(p.tx, "spent", price, 1)
		switch {
		case err != nil:
			return 0, err
		case !hit:
			if cents, _ := row.left(); cents < price {
				return pingpost.BudgetExhausted, nil
			}
			return pingpost.CapacityFull, nil
		}
		if err := p.noteCap(row); err != nil {
			return 0, err
		}
	}
	if !covered {
		return pingpost.BudgetExhausted, nil
	}
	return pingpost.ReasonNone, nil
}

// claimContacts takes the lead's phone number and e-mail address, unless another lead had one of
// them too short a while ago.
func (p *posting) claimContacts() (refused pingpost.Reason, err error) {
	at := p.post.At.UnixMilli()
	free := at - p.post.DedupeFor.Milliseconds()
	if p.post.DedupeFor <= 0 || planted.Is(planted.SkipContact) {
		free = 1<<63 - 1
	}
	for i, hash := range p.post.Contacts {
		if slices.Contains(p.post.Contacts[:i], hash) {
			continue
		}
		if !p.tx.Singly() {
			// The strictest of all charges' conditions: who would meet only their own is looked at singly.
			all := newContacts.add(p.tx, hash[:], p.post.LeadID, at)
			all.free = min(all.free, free)
			continue
		}
		hit, err := p.tx.Exec(newContacts.single(), hash[:], p.post.LeadID, at, free)
		if err == nil && hit == 0 {
			hit, err = p.tx.Exec(contactOfWithdrawn, hash[:], p.post.LeadID, at)
		}
		if err != nil {
			return 0, err
		}
		if hit == 0 {
			return pingpost.DuplicateLead, nil
		}
	}
	return pingpost.ReasonNone, nil
}

var newContacts = newBulk(`INSERT OR FAIL INTO contact (hash, lead, at_ms)`, ` ON CONFLICT (hash) DO UPDATE
	SET lead = excluded.lead, at_ms = excluded.at_ms WHERE contact.at_ms <= ? OR contact.lead = excluded.lead`)

// contactOfWithdrawn takes a contact over from a lead that was withdrawn, so was never bought.
const contactOfWithdrawn = `UPDATE contact SET lead = ?2, at_ms = ?3 WHERE hash = ?1 AND EXISTS (
	SELECT 1 FROM lead JOIN post ON post.bid_id = lead.bid_id WHERE lead.id = contact.lead AND post.voided = 1)`

// owe writes one delivery for each target.
func (p *posting) owe() {
	at := p.post.At.UnixMilli()
	for i, target := range p.post.Deliveries {
		newDeliveries.add(p.tx, p.post.LeadID, i+1, target, at, at)
	}
}

var newDeliveries = newBulk(`INSERT OR FAIL INTO outbox (lead, n, target, first_ms, next_ms)`, "")

// orNull is how a text is kept that may be missing.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// number is how both databases keep yes and no.
func number(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
