package exchange

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"leadbid/pingpost"
)

// Snapshot is what a store keeps of a Market: enough to go on where it stopped.
type Snapshot struct {
	Seq      int64     // of the last event
	Last     time.Time // its instant
	Balances []Balance
	Buyers   []BuyerState
	TopUps   []Event   // ToppedUp events of the last minutes; see KeepFinished
	Offers   []History // every unsettled offer, and those that settled in the last minutes
}

// KeepFinished is how far back a Snapshot holds settled offers and top-ups, so that late
// duplicates are recognised after a restart as before it.
const KeepFinished = keepFinished

// Balance is one account.
type Balance struct {
	Account Account        `json:"account"`
	Cents   pingpost.Cents `json:"balance"`
}

// BuyerState is what changes about a buyer.
type BuyerState struct {
	Name        string         `json:"name"`
	Paused      bool           `json:"paused"`
	CreditLimit pingpost.Cents `json:"credit_limit"`
	Used        []DayUse       `json:"used,omitempty"` // the two latest days, earliest first
}

// DayUse is what a preset spent on one civil day.
type DayUse struct {
	Day   string         `json:"day"`
	Cents pingpost.Cents `json:"used"`
}

// History is one offer as the store has it.
type History struct {
	Events []Event // its whole timeline, in order
	Lead   *Lead   // of its root; shared between the offers of one lead
}

// Restore makes a Market that goes on from a snapshot. Start is its first command. An error means
// that the snapshot contradicts itself, and nothing can be done with it.
func Restore(config *Config, s Snapshot) (m *Market, err error) {
	defer recovered(&err, "restoring the market")
	m = New(config)
	m.last = s.Last
	for _, balance := range s.Balances {
		m.books.balance[balance.Account] = balance.Cents
	}
	for _, buyer := range s.Buyers {
		m.books.limit[buyer.Name] = buyer.CreditLimit
		state := m.state(buyer.Name)
		state.paused = buyer.Paused
		for _, use := range buyer.Used {
			state.used[use.Day] = use.Cents
		}
	}
	for _, e := range s.TopUps {
		m.topUps[e.Detail] = topUp{buyer: e.Buyer, amount: e.Price, at: e.At}
	}
	for _, history := range s.Offers {
		m.foldHistory(history)
	}
	m.seq = s.Seq
	return m, m.Check()
}

// Replay makes a Market from every event there ever was, from the first one. lead gives the
// private part of a root offer; nil where it is not needed.
func Replay(config *Config, events []Event, lead func(OfferID) *Lead) (m *Market, err error) {
	defer recovered(&err, "replaying events")
	m = New(config)
	for i := range events {
		e := &events[i]
		if e.Seq != m.seq+1 {
			return nil, fmt.Errorf("exchange: replaying events: %d follows %d", e.Seq, m.seq)
		}
		m.last = e.At
		m.foldMoney(e)
		m.foldOffer(e)
		if e.Kind == Opened && lead != nil {
			m.offers[e.Offer].lead = lead(e.Root)
		}
	}
	return m, nil
}

// Recall brings a finished offer back to memory, for a Return: from the next command on it stays
// for two minutes. Recalling one that is there changes nothing; so does an error, which means
// that the history is not one.
func (m *Market) Recall(history History) (err error) {
	if len(history.Events) == 0 {
		return errors.New("exchange: recalling an offer: no events")
	}
	if m.Knows(history.Events[0].Offer) {
		return nil
	}
	if _, err := Fold(history.Events); err != nil {
		return err
	}
	m.foldHistory(history)
	m.recalled = append(m.recalled, m.offers[history.Events[0].Offer])
	return nil
}

// foldHistory folds one offer's events without the money: balances come from elsewhere.
func (m *Market) foldHistory(history History) {
	for i := range history.Events {
		m.foldOffer(&history.Events[i])
	}
	m.offers[history.Events[0].Offer].lead = history.Lead
}

// recovered turns the panic of a broken invariant into an error: what is rebuilt comes from a
// disk, and that may hold anything.
func recovered(err *error, doing string) {
	if fault := recover(); fault != nil {
		*err = fmt.Errorf("exchange: %s: %v", doing, fault)
	}
}

// OfferState is where an offer stands: what its events come to.
type OfferState struct {
	ID       OfferID         `json:"offer"`
	Root     OfferID         `json:"root"`
	Seller   string          `json:"seller"`
	Campaign string          `json:"campaign"`
	Service  string          `json:"service"`
	ZIP      string          `json:"zip"`
	Body     string          `json:"body"`
	Opened   time.Time       `json:"opened"`
	Touched  time.Time       `json:"touched"` // by its latest event
	Step     int             `json:"step"`
	End      EventKind       `json:"end"` // EventNone while open
	EndAt    time.Time       `json:"end_at,omitzero"`
	Settled  bool            `json:"settled"`         // ended, and nothing is owed
	Next     OfferID         `json:"next,omitempty"`  // where it fell back to
	Buyer    string          `json:"buyer,omitempty"` // the winner, or whose price is held
	Price    pingpost.Cents  `json:"price,omitempty"` // paid, or held
	Share    pingpost.Cents  `json:"share,omitempty"` // the seller's part of a sale; 0 once returned
	Reason   pingpost.Reason `json:"reason,omitempty"`
	Returned bool            `json:"returned,omitempty"`
}

// Offer is where an offer stands; ok is false where it is not in memory.
func (m *Market) Offer(id OfferID) (state OfferState, ok bool) {
	o := m.offers[id]
	if o == nil {
		return OfferState{}, false
	}
	return o.state(), true
}

// Fold is what the timeline of one offer comes to. An error means that it is not a timeline.
func Fold(events []Event) (state OfferState, err error) {
	defer recovered(&err, "folding a timeline")
	m := New(&Config{})
	m.foldHistory(History{Events: events})
	return m.offers[events[0].Offer].state(), nil
}

func (o *offer) state() OfferState {
	state := OfferState{
		ID: o.id, Root: o.root, Seller: o.seller, Campaign: o.facts.Campaign, Service: o.service, ZIP: o.zip,
		Body: o.facts.Body, Opened: o.opened, Touched: o.touched, Step: o.step, End: o.end, EndAt: o.endAt,
		Settled: o.settled(), Reason: o.reason, Next: o.next,
	}
	switch {
	case o.sale != nil:
		state.Buyer, state.Price, state.Returned = o.sale.buyer, o.sale.price, o.sale.returned
		if !o.sale.returned {
			state.Share, _ = split(o.sale.price, o.facts.Margin)
		}
	case o.hop != nil:
		state.Buyer, state.Price = o.hop.buyer, o.hop.price
	}
	return state
}

// Balances lists every account that was ever touched, in order.
func (m *Market) Balances() []Balance {
	balances := make([]Balance, 0, len(m.books.balance))
	for account, cents := range m.books.balance {
		balances = append(balances, Balance{account, cents})
	}
	slices.SortFunc(balances, func(a, b Balance) int {
		return cmp.Or(cmp.Compare(a.Account.Kind, b.Account.Kind), cmp.Compare(a.Account.Owner, b.Account.Owner))
	})
	return balances
}

// BuyerStates lists what changes about buyers, by name.
func (m *Market) BuyerStates() []BuyerState {
	names := map[string]bool{}
	for name := range m.states {
		names[name] = true
	}
	for name := range m.books.limit {
		names[name] = true
	}
	var states []BuyerState
	for _, name := range slices.Sorted(maps.Keys(names)) {
		state := BuyerState{Name: name, CreditLimit: m.books.limit[name]}
		if changing := m.states[name]; changing != nil {
			state.Paused = changing.paused
			for _, day := range slices.Sorted(maps.Keys(changing.used)) {
				state.Used = append(state.Used, DayUse{day, changing.used[day]})
			}
		}
		states = append(states, state)
	}
	return states
}

// StateHash sums up everything that decides what the Market does next, personal data apart: two
// Markets with the same hash and the same configuration answer every command alike. Settled
// offers, kept for duplicates only, do not count.
func (m *Market) StateHash() [32]byte {
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	write := func(value any) {
		if err := encoder.Encode(value); err != nil {
			panic(fmt.Sprintf("exchange: hashing the state: %v", err))
		}
	}
	write(m.seq)
	for _, balance := range m.Balances() {
		if balance.Cents != 0 {
			write(balance)
		}
	}
	for _, state := range m.BuyerStates() {
		if state.Paused || state.CreditLimit != 0 || len(state.Used) > 0 {
			write(state)
		}
	}
	for _, o := range m.offersInOrder() {
		if o.settled() {
			continue
		}
		write([]any{o.state(), o.facts, o.phase, o.due, o.targets, o.answers, o.out, o.passed, o.posted})
		if h := o.hop; h != nil {
			write([]any{h.buyer, h.price, h.bid, h.bidID, h.postBy, h.attempt, h.until, h.late, h.goneSince, h.unknownSince})
		}
		if o.owed != nil {
			write([]any{o.owed.attempt, o.owed.until, o.owed.goneSince, o.owed.unknownSince})
		}
	}
	return [32]byte(hash.Sum(nil))
}
