package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"leadbid/exchange"
	"leadbid/pingpost"
)

// Report is what Verify found. Findings is empty where every invariant holds.
type Report struct {
	Checked  []Check            `json:"checked"`
	Findings []exchange.Finding `json:"findings"`
}

// Check is one invariant and how many rows it was held against.
type Check struct {
	ID   string `json:"id"` // E1 .. E9, as ARCHITECTURE.md lists them
	What string `json:"what"`
	Rows int64  `json:"rows"`
}

// Verify recomputes every invariant that the rows show, from the events up: one consistent state,
// also beside a running exchange. An error means that the rows could not be read at all.
func (s *Store) Verify(ctx context.Context) (Report, error) {
	v := &verifier{}
	err := s.inSnapshot(ctx, func(q querier) error {
		v.q = q
		for _, step := range []func() error{v.events, v.balances, v.timelines, v.states, v.postings, v.switches} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Report{}, fmt.Errorf("exchange/store: verifying: %w", err)
	}
	return v.report, nil
}

// verifier holds one pass. What grows with history is read row by row.
type verifier struct {
	q      querier
	report Report
	money  exchange.AuditMoney
	buyers map[string]*exchange.BuyerState // as the events come to
	used   map[[2]string]pingpost.Cents    // by buyer and day, as the events come to
}

func (v *verifier) checked(id, what string, rows int64) {
	v.report.Checked = append(v.report.Checked, Check{id, what, rows})
}

func (v *verifier) find(id, format string, args ...any) {
	v.report.Findings = append(v.report.Findings, exchange.Finding{ID: id, What: fmt.Sprintf(format, args...)})
}

// events: gap-free, every entry sums to zero, no wallet ever below its credit.
func (v *verifier) events() error {
	v.buyers, v.used = map[string]*exchange.BuyerState{}, map[[2]string]pingpost.Cents{}
	var count, last int64
	err := eachEvent(v.q, func(e *exchange.Event) error {
		count++
		last = e.Seq
		v.money.Add(e)
		v.follow(e)
		return nil
	}, `SELECT body FROM event ORDER BY seq`)
	if err != nil {
		return err
	}
	var leader int64
	err = each(v.q, func(rows *sql.Rows) error { return rows.Scan(&leader) }, `SELECT seq FROM leader`)
	if err != nil {
		return err
	}
	if leader != last {
		v.find("E7", "the last event is %d, the leader's row says %d", last, leader)
	}
	v.report.Findings = append(v.report.Findings, v.money.Findings...)
	v.checked("E3", "every entry sums to zero and leaves every wallet within its credit", v.money.Entries)
	v.checked("E7", "events are numbered without a gap", count)
	return nil
}

// follow keeps what the events make of a buyer.
func (v *verifier) follow(e *exchange.Event) {
	switch {
	case e.Day != "" && e.Kind == exchange.Held:
		v.used[[2]string{e.Buyer, e.Day}] += e.Price
	case e.Day != "" && e.Kind == exchange.Returned:
		v.used[[2]string{e.Buyer, e.Day}] -= e.Price
	}
	switch e.Kind {
	case exchange.CreditLimitSet:
		v.buyer(e.Buyer).CreditLimit = e.Price
	case exchange.BuyerPaused, exchange.BuyerResumed:
		v.buyer(e.Buyer).Paused = e.Kind == exchange.BuyerPaused
	}
}

func (v *verifier) buyer(name string) *exchange.BuyerState {
	if v.buyers[name] == nil {
		v.buyers[name] = &exchange.BuyerState{Name: name}
	}
	return v.buyers[name]
}

// balances: every account is the sum of its entries, and all of them sum to zero.
func (v *verifier) balances() error {
	balances, err := readBalances(v.q)
	if err != nil {
		return err
	}
	var total pingpost.Cents
	touched := 0
	for _, b := range balances {
		total += b.Cents
		if want := v.money.Balance(b.Account); want != b.Cents {
			v.find("E3", "%v is at %v, its entries come to %v", b.Account, b.Cents, want)
		}
		if v.money.Touched(b.Account) {
			touched++
		}
	}
	if total != 0 {
		v.find("E3", "all accounts sum to %v", total)
	}
	if touched != v.money.Accounts() {
		v.find("E3", "%d accounts have entries, %d of them have a row", v.money.Accounts(), touched)
	}
	v.checked("E3", "every account is the sum of its entries, and all accounts sum to zero", int64(len(balances)))
	return nil
}

// timelines: each offer's life by the rules, and its row as its events tell.
func (v *verifier) timelines() error {
	var offers int64
	var timeline []exchange.Event
	finish := func() error {
		if len(timeline) == 0 {
			return nil
		}
		offers++
		err := v.timeline(timeline)
		timeline = timeline[:0]
		return err
	}
	err := eachEvent(v.q, func(e *exchange.Event) error {
		if len(timeline) > 0 && timeline[0].Offer != e.Offer {
			if err := finish(); err != nil {
				return err
			}
		}
		timeline = append(timeline, *e)
		return nil
	}, `SELECT body FROM event WHERE offer IS NOT NULL ORDER BY offer, step`)
	if err == nil {
		err = finish()
	}
	if err != nil {
		return err
	}
	var rows int64
	err = each(v.q, func(r *sql.Rows) error { return r.Scan(&rows) }, `SELECT count(*) FROM offer`)
	if rows != offers {
		v.find("E7", "%d offers have events, %d have a row", offers, rows)
	}
	v.report.Checked = append(v.report.Checked, []Check{
		{"E1", "each offer has at most one winner", offers},
		{"E2", "sold means one hold, one capture and one buyer", offers},
		{"E6", "each offer ends at most once", offers},
		{"E7", "each timeline is gap-free and monotonic, and its offer's row is what it comes to", offers},
		{"E8", "nothing is rerouted before a rejection or an acknowledged withdrawal; hops within the limit", offers},
		{"E9", "prices between floor and bid; the best bid wins; no late bid", offers},
	}...)
	return err
}

func (v *verifier) timeline(events []exchange.Event) error {
	v.report.Findings = append(v.report.Findings, exchange.AuditOffer(events)...)
	id := events[0].Offer
	want, err := exchange.Fold(events)
	if err != nil {
		v.find("E7", "offer %q: %v", id, err)
		return nil
	}
	// The rows of a running query are open: this one goes through the same transaction, which
	// SQLite allows for reading.
	return each(v.q, func(rows *sql.Rows) error {
		got, err := scanOffer(rows)
		if err != nil {
			return err
		}
		if got != want {
			v.find("E7", "offer %q: its row says %+v, its events come to %+v", id, got, want)
		}
		return nil
	}, `SELECT `+offerColumns+` FROM offer WHERE id = ?`, string(id))
}

// states: the Market that a restart would make is sound.
func (v *verifier) states() error {
	snapshot, err := readSnapshot(v.q, time.Unix(1<<40, 0))
	if err != nil {
		return err
	}
	if _, err := exchange.Restore(&exchange.Config{}, snapshot); err != nil {
		v.find("E7", "the market cannot be restored: %v", err)
	}
	v.checked("E7", "the unsettled offers make a sound market", int64(len(snapshot.Offers)))
	return nil
}

// postings: the table of postings says what the events say, and no event shows a lead's private
// fields.
func (v *verifier) postings() error {
	var rows int64
	err := each(v.q, func(r *sql.Rows) error {
		var account, owner string
		var cents pingpost.Cents
		if err := r.Scan(&account, &owner, &cents); err != nil {
			return err
		}
		rows++
		var a exchange.Account
		if err := a.Kind.UnmarshalText([]byte(account)); err != nil {
			return err
		}
		a.Owner = owner
		if want := v.money.Balance(a); want != cents {
			v.find("E3", "the postings of %v sum to %v, its entries to %v", a, cents, want)
		}
		return nil
	}, `SELECT account, owner, sum(cents) FROM posting GROUP BY account, owner`)
	if err != nil {
		return err
	}
	if int(rows) != v.money.Accounts() {
		v.find("E3", "%d accounts have entries, %d have postings", v.money.Accounts(), rows)
	}
	v.checked("E3", "the postings are those of the events", rows)
	return v.privacy()
}

// privacy: no phone number, e-mail or street address of a lead is in its events (E4).
func (v *verifier) privacy() error {
	var checked int64
	err := each(v.q, func(rows *sql.Rows) error {
		var scan leadScan
		var body string
		if err := rows.Scan(append(scan.into(), &body)...); err != nil {
			return err
		}
		lead, err := scan.decode()
		if err != nil {
			return err
		}
		checked++
		for _, private := range []pingpost.Private{lead.Lead.Phone, lead.Lead.Email, lead.Lead.Address} {
			if text := private.Reveal(); len(text) > 6 && strings.Contains(body, text) {
				v.find("E4", "an event of offer %q shows a private field", lead.Offer)
			}
		}
		return nil
	}, `SELECT `+leadColumns+`, event.body FROM lead
		JOIN offer ON offer.root = lead.offer JOIN event ON event.offer = offer.id`)
	v.checked("E4", "no event shows a lead's phone number, e-mail or street address", checked)
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
			v.find("E7", "buyer %s has a credit limit of %v, paused %v; its events say %v, %v",
				got.Name, got.CreditLimit, got.Paused, want.CreditLimit, want.Paused)
		}
	}
	v.checked("E7", "credit limits and pauses are what the events made them", int64(len(buyers)))
	days := 0
	err = each(v.q, func(rows *sql.Rows) error {
		var key [2]string
		var cents pingpost.Cents
		if err := rows.Scan(&key[0], &key[1], &cents); err != nil {
			return err
		}
		days++
		if want := v.used[key]; want != cents {
			v.find("E7", "%s has used %v on %s, its events come to %v", key[0], cents, key[1], want)
		}
		return nil
	}, `SELECT buyer, day, cents FROM day_use`)
	if days != len(v.used) {
		v.find("E7", "presets bought on %d days, %d of them have a row", len(v.used), days)
	}
	v.checked("E7", "what presets used by day is what they bought", int64(days))
	return err
}
