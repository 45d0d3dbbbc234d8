package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"leadbid/exchange"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

// Report is what Verify found. Findings is empty where every invariant holds.
type Report struct {
	Checked  []Check            `json:"checked"`
	Findings []exchange.Finding `json:"findings"`
}

// Check is one invariant, how many rows it was held against, and how many findings there are of it.
type Check struct {
	ID     string `json:"id"` // E1 .. E9, as ARCHITECTURE.md lists them
	What   string `json:"what"`
	Rows   int64  `json:"rows"`
	Broken int64  `json:"broken"`
}

// promise is an invariant, by its place in a report.
type promise int

const (
	soundEntries promise = iota
	numberedEvents
	summedAccounts
	oneWinner
	wholeSales
	wholeTimelines
	rightReroutes
	rightPrices
	endedOffers
	soundMarket
	bookedPostings
	keptLeads
	privateFields
	rightSwitches
	rightDays
	knownTopUps
)

func promises() []Check {
	return []Check{
		soundEntries:   {ID: "E3", What: "every entry sums to zero and leaves every wallet within its credit"},
		numberedEvents: {ID: "E7", What: "events are numbered without a gap"},
		summedAccounts: {ID: "E3", What: "every account is the sum of its entries, and all accounts sum to zero"},
		oneWinner:      {ID: "E1", What: "each offer has at most one winner"},
		wholeSales:     {ID: "E2", What: "sold means one hold, one capture and one buyer"},
		wholeTimelines: {ID: "E7", What: "each timeline is gap-free and monotonic, and its offer's row is what it comes to"},
		rightReroutes:  {ID: "E8", What: "nothing is rerouted before a rejection or an acknowledged withdrawal; hops within the limit"},
		rightPrices:    {ID: "E9", What: "prices between floor and bid; the best bid wins; no late bid"},
		endedOffers:    {ID: "E6", What: "each offer ends once, and none is open beyond its window"},
		soundMarket:    {ID: "E7", What: "the unsettled offers make a sound market"},
		bookedPostings: {ID: "E3", What: "the postings are, row by row, those of the events"},
		keptLeads:      {ID: "E2", What: "the lead kept for an offer is the one that came in with it"},
		privateFields:  {ID: "E4", What: "no event shows a lead's phone number, e-mail or street address"},
		rightSwitches:  {ID: "E7", What: "credit limits and pauses are what the events made them"},
		rightDays:      {ID: "E7", What: "what presets used by day is what they bought"},
		knownTopUps:    {ID: "E3", What: "every top-up is known by its id"},
	}
}

// The promises whose findings the audits of the core tell by their id alone.
var (
	moneyAudit = map[string]promise{"E3": soundEntries, "E7": numberedEvents}
	offerAudit = map[string]promise{
		"E1": oneWinner, "E2": wholeSales, "E6": endedOffers, "E7": wholeTimelines, "E8": rightReroutes, "E9": rightPrices,
	}
)

// Verify recomputes every invariant that the rows show, from the events up: one consistent state,
// also beside a running exchange. An error means that the rows could not be read at all.
func (s *Store) Verify(ctx context.Context) (Report, error) {
	v := &verifier{report: Report{Checked: promises()}}
	err := s.inSnapshot(ctx, func(q querier) error {
		v.q = q
		for _, step := range []func() error{
			v.events, v.balances, v.timelines, v.overdue, v.states, v.booked, v.leads, v.switches, v.topUps,
		} {
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
	last   time.Time                       // of the latest commit

	postings, offers, toppedUp int64 // that the events have
}

func (v *verifier) checked(p promise, rows int64) { v.report.Checked[p].Rows = rows }

func (v *verifier) find(p promise, format string, args ...any) {
	check := &v.report.Checked[p]
	v.report.Findings = append(v.report.Findings, exchange.Finding{ID: check.ID, What: fmt.Sprintf(format, args...)})
	check.Broken++
}

// findAll takes the findings of an audit over, whose ids each name one of the promises.
func (v *verifier) findAll(promises map[string]promise, findings []exchange.Finding) {
	for _, finding := range findings {
		v.find(promises[finding.ID], "%s", finding.What)
	}
}

// events: gap-free, every entry sums to zero, no wallet ever below its credit.
func (v *verifier) events() error {
	v.buyers, v.used = map[string]*exchange.BuyerState{}, map[[2]string]pingpost.Cents{}
	var count int64
	var last exchange.Event
	err := each(v.q, func(rows sqlstore.Rows) error {
		e, columns, err := scanEvent(rows)
		if err != nil {
			return err
		}
		if want := columnsOf(&e); columns != want {
			v.find(numberedEvents, "event %d: its row says %+v, its body %+v", e.Seq, columns, want)
		}
		count, last = count+1, e
		v.money.Add(&e)
		v.follow(&e)
		if e.Kind == exchange.ToppedUp {
			if err := v.knownBy(&e); err != nil {
				return err
			}
		}
		return v.bookedBy(&e)
	}, `SELECT seq, at, kind, coalesce(offer, ''), coalesce(step, 0), buyer, body FROM event ORDER BY seq`)
	if err != nil {
		return err
	}
	var leader, at int64
	err = each(v.q, func(rows sqlstore.Rows) error { return rows.Scan(&leader, &at) }, `SELECT seq, at FROM leader`)
	if err != nil {
		return err
	}
	if v.last = instant(at); leader != last.Seq || at != micros(last.At) {
		v.find(numberedEvents, "the last event is %d at %v, the leader's row says %d at %v", last.Seq, last.At, leader, v.last)
	}
	v.findAll(moneyAudit, v.money.Findings)
	v.checked(soundEntries, v.money.Entries)
	v.checked(numberedEvents, count)
	return nil
}

// eventColumns is what a row of events tells beside the body.
type eventColumns struct {
	Seq, At     int64
	Kind, Offer string
	Step        int
	Buyer       string
}

func columnsOf(e *exchange.Event) eventColumns {
	return eventColumns{e.Seq, micros(e.At), e.Kind.String(), string(e.Offer), e.Step, e.Buyer}
}

func scanEvent(rows sqlstore.Rows) (e exchange.Event, columns eventColumns, err error) {
	var body []byte
	if err = rows.Scan(&columns.Seq, &columns.At, &columns.Kind, &columns.Offer, &columns.Step, &columns.Buyer, &body); err != nil {
		return e, columns, err
	}
	if err = json.Unmarshal(body, &e); err != nil {
		return e, columns, fmt.Errorf("event %d is not one: %w", columns.Seq, err)
	}
	return e, columns, nil
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
			v.find(summedAccounts, "%v is at %v, its entries come to %v", b.Account, b.Cents, want)
		}
		if v.money.Touched(b.Account) {
			touched++
		}
	}
	if total != 0 {
		v.find(summedAccounts, "all accounts sum to %v", total)
	}
	if touched != v.money.Accounts() {
		v.find(summedAccounts, "%d accounts have entries, %d of them have a row", v.money.Accounts(), touched)
	}
	v.checked(summedAccounts, int64(len(balances)))
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
	err = each(v.q, func(r sqlstore.Rows) error { return r.Scan(&rows) }, `SELECT count(*) FROM offer`)
	if v.offers = offers; rows != offers {
		v.find(wholeTimelines, "%d offers have events, %d have a row", offers, rows)
	}
	for _, p := range offerAudit {
		v.checked(p, offers)
	}
	return err
}

func (v *verifier) timeline(events []exchange.Event) error {
	v.findAll(offerAudit, exchange.AuditOffer(events))
	id := events[0].Offer
	want, err := exchange.Fold(events)
	if err != nil {
		v.find(wholeTimelines, "offer %q: %v", id, err)
		return nil
	}
	// The rows of a running query are open: this one goes through the same transaction, which
	// SQLite allows for reading.
	return each(v.q, func(rows sqlstore.Rows) error {
		got, err := scanOffer(rows)
		if err != nil {
			return err
		}
		if got != want {
			v.find(wholeTimelines, "offer %q: its row says %+v, its events come to %+v", id, got, want)
		}
		return nil
	}, `SELECT `+offerColumns+` FROM offer WHERE id = ?`, string(id))
}

// overdue: with every command the Market first ends what is due, so no offer was open beyond its
// window when the latest batch was committed. That an offer ends only once its timeline tells.
func (v *verifier) overdue() error {
	err := eachEvent(v.q, func(e *exchange.Event) error {
		if e.Opened != nil && !e.Opened.WindowEnd.After(v.last) {
			v.find(endedOffers, "offer %q is open at %v, its window closed at %v", e.Offer, v.last, e.Opened.WindowEnd)
		}
		return nil
	}, `SELECT event.body FROM offer JOIN event ON event.offer = offer.id AND event.step = 1 WHERE offer.ended = ''`)
	return err
}

// states: the Market that a restart would make is sound.
func (v *verifier) states() error {
	snapshot, err := readSnapshot(v.q, time.Unix(1<<40, 0))
	if err == nil {
		_, err = exchange.Restore(&exchange.Config{}, snapshot)
	}
	if err != nil {
		v.find(soundMarket, "the market cannot be restored: %v", err)
	}
	v.checked(soundMarket, int64(len(snapshot.Offers)))
	return nil
}
