package store

import (
	"context"
	"fmt"
	"time"

	"leadbid/exchange"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

// read gives a reader for queries of one statement.
func (s *Store) read(ctx context.Context) sqlstore.Reader { return s.db.Reader(ctx) }

// Timeline is everything that happened to a lead, in order: the offer that it came in as and
// those that it fell back to, by the id of any of them. Empty where there is no such offer.
func (s *Store) Timeline(ctx context.Context, id exchange.OfferID) ([]exchange.Event, error) {
	events, err := readEvents(s.read(ctx), `SELECT event.body FROM offer JOIN event ON event.offer = offer.id
		WHERE offer.root = (SELECT root FROM offer WHERE id = ?) ORDER BY event.seq`, string(id))
	if err != nil {
		return nil, fmt.Errorf("exchange/store: timeline of %q: %w", id, err)
	}
	return events, nil
}

// History is one offer for Market.Recall; found is false where there is none.
func (s *Store) History(ctx context.Context, id exchange.OfferID) (history exchange.History, found bool, err error) {
	err = s.inSnapshot(ctx, func(q querier) error {
		histories, err := readHistories(q, `offer.id = ?`, string(id))
		if len(histories) == 1 {
			history, found = histories[0], true
		}
		return err
	})
	if err != nil {
		return history, false, fmt.Errorf("exchange/store: history of %q: %w", id, err)
	}
	return history, found, nil
}

// Offer is where an offer stands; found is false where there is none.
func (s *Store) Offer(ctx context.Context, id exchange.OfferID) (offer exchange.OfferState, found bool, err error) {
	offers, err := s.offers(ctx, `WHERE offer.id = ?`, string(id))
	if err != nil || len(offers) == 0 {
		return offer, false, err
	}
	return offers[0], true, nil
}

// Latest is where a lead stands that came in as the offer root: the last of the offers that it
// fell back to, or root itself. It is what a seller that repeats its lead is answered with.
func (s *Store) Latest(ctx context.Context, root exchange.OfferID) (offer exchange.OfferState, found bool, err error) {
	offers, err := s.offers(ctx, `WHERE offer.root = ? AND offer.ended <> 'fell_back'`, string(root))
	if err != nil || len(offers) == 0 {
		return offer, false, err
	}
	return offers[0], true, nil
}

// OfferFilter narrows Offers. Zero values mean all; Max 0 means 100.
type OfferFilter struct {
	Seller string
	Buyer  string // the winner, or whose price is held
	End    exchange.EventKind
	Open   bool // only those that have not ended
	Since  time.Time
	Until  time.Time
	Max    int
}

// Offers lists offers, the latest first.
func (s *Store) Offers(ctx context.Context, f OfferFilter) ([]exchange.OfferState, error) {
	until := micros(f.Until)
	if f.Until.IsZero() {
		until = 1 << 62
	}
	if f.Max <= 0 {
		f.Max = 100
	}
	return s.offers(ctx, `WHERE (?1 = '' OR offer.seller = ?1) AND (?2 = '' OR offer.buyer = ?2)
		AND (?3 = '' OR offer.ended = ?3) AND (NOT ?4 OR offer.ended = '') AND offer.opened >= ?5 AND offer.opened < ?6
		ORDER BY offer.opened DESC, offer.id DESC LIMIT ?7`,
		f.Seller, f.Buyer, f.End.String(), f.Open, micros(f.Since), until, f.Max)
}

func (s *Store) offers(ctx context.Context, where string, args ...any) ([]exchange.OfferState, error) {
	var offers []exchange.OfferState
	err := each(s.read(ctx), func(rows sqlstore.Rows) error {
		offer, err := scanOffer(rows)
		offers = append(offers, offer)
		return err
	}, `SELECT `+offerColumns+` FROM offer `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("exchange/store: reading offers: %w", err)
	}
	return offers, nil
}

// Wallet is a buyer's money.
type Wallet struct {
	Buyer       string         `json:"buyer"`
	Balance     pingpost.Cents `json:"balance"` // holds already taken out
	Held        pingpost.Cents `json:"held"`
	CreditLimit pingpost.Cents `json:"credit_limit"`
	Paused      bool           `json:"paused"`
}

// Wallets lists every buyer's money, by name; of one buyer where a name is given.
func (s *Store) Wallets(ctx context.Context, buyer string) ([]Wallet, error) {
	var wallets []Wallet
	err := each(s.read(ctx), func(rows sqlstore.Rows) error {
		var w Wallet
		err := rows.Scan(&w.Buyer, &w.Balance, &w.Held, &w.CreditLimit, &w.Paused)
		wallets = append(wallets, w)
		return err
	}, `SELECT w.owner, w.cents, coalesce(h.cents, 0), w.credit_limit, coalesce(b.paused, 0)
		FROM account w LEFT JOIN account h ON h.kind = 'held' AND h.owner = w.owner LEFT JOIN buyer b ON b.name = w.owner
		WHERE w.kind = 'wallet' AND (?1 = '' OR w.owner = ?1) ORDER BY w.owner`, buyer)
	if err != nil {
		return nil, fmt.Errorf("exchange/store: reading wallets: %w", err)
	}
	return wallets, nil
}

// Balances lists every account. They sum to zero.
func (s *Store) Balances(ctx context.Context) ([]exchange.Balance, error) {
	balances, err := readBalances(s.read(ctx))
	if err != nil {
		return nil, fmt.Errorf("exchange/store: reading balances: %w", err)
	}
	return balances, nil
}

// TopUp finds a top-up by its id, so that a late repeat is recognised.
func (s *Store) TopUp(ctx context.Context, id string) (topUp exchange.TopUp, found bool, err error) {
	err = each(s.read(ctx), func(rows sqlstore.Rows) error {
		found = true
		return rows.Scan(&topUp.ID, &topUp.Buyer, &topUp.Amount)
	}, `SELECT id, buyer, cents FROM top_up WHERE id = ?`, id)
	if err != nil {
		return topUp, false, fmt.Errorf("exchange/store: reading a top-up: %w", err)
	}
	return topUp, found, nil
}

// BoughtLead is a lead as its winner sees it, personal data and all.
type BoughtLead struct {
	Offer    exchange.OfferID
	Price    pingpost.Cents
	At       time.Time // when it was sold
	Returned bool
	Ping     pingpost.Ping
	Lead     pingpost.Lead
	Consent  pingpost.Consent
}

// LeadFilter narrows Leads. Zero values mean all; Max 0 means 100.
type LeadFilter struct {
	Offer        exchange.OfferID
	Since, Until time.Time // sold then; both ends count
	Max          int
}

// Leads lists what a buyer has bought, the latest first: only what was sold to that buyer, and a
// returned lead without its personal data.
func (s *Store) Leads(ctx context.Context, buyer string, f LeadFilter) ([]BoughtLead, error) {
	if f.Max <= 0 {
		f.Max = 100
	}
	until := micros(f.Until)
	if f.Until.IsZero() {
		until = 1 << 62
	}
	var leads []BoughtLead
	err := each(s.read(ctx), func(rows sqlstore.Rows) error {
		var scan leadScan
		offer, err := scanOffer(rows, scan.into()...)
		if err != nil {
			return err
		}
		lead, err := scan.decode()
		if err != nil {
			return err
		}
		bought := BoughtLead{Offer: offer.ID, Price: offer.Price, At: offer.EndAt, Returned: offer.Returned, Ping: lead.Ping}
		if !offer.Returned {
			bought.Lead, bought.Consent = lead.Lead, lead.Consent
		}
		leads = append(leads, bought)
		return nil
	}, `SELECT `+offerColumns+`, `+leadColumns+` FROM offer JOIN lead ON lead.offer = offer.root
		WHERE offer.buyer = ?1 AND offer.ended = 'sold' AND (?2 = '' OR offer.id = ?2) AND offer.ended_at BETWEEN ?3 AND ?4
		ORDER BY offer.ended_at DESC, offer.id DESC LIMIT ?5`, buyer, string(f.Offer), micros(f.Since), until, f.Max)
	if err != nil {
		return nil, fmt.Errorf("exchange/store: reading bought leads: %w", err)
	}
	return leads, nil
}

// Report sums up the events from since to until; zero instants leave that side open.
func (s *Store) Report(ctx context.Context, since, until time.Time) (exchange.Report, error) {
	end := micros(until)
	if until.IsZero() {
		end = 1 << 62
	}
	var tally exchange.Tally
	err := eachEvent(s.read(ctx), func(e *exchange.Event) error {
		tally.Add(e)
		return nil
	}, `SELECT body FROM event WHERE at >= ? AND at < ? ORDER BY seq`, micros(since), end)
	if err != nil {
		return exchange.Report{}, fmt.Errorf("exchange/store: reporting: %w", err)
	}
	return tally.Report(), nil
}

// inSnapshot runs several statements over the same committed state.
func (s *Store) inSnapshot(ctx context.Context, do func(q querier) error) error {
	return s.db.Snapshot(ctx, func(r sqlstore.Reader) error { return do(r) })
}
