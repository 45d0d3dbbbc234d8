package exchange

import (
	"fmt"
	"time"

	"leadbid/pingpost"
)

// Market is the whole exchange in memory: wallets, buyers' switches, and the offers that are open
// or ended a short while ago. Make it with New or Restore. It is not safe for concurrent use.
//
// Every change of state is the folding of an event, so a Market rebuilt from its events is the
// same Market; what a command decides, it decides by emitting events.
type Market struct {
	config  *Config
	sellers map[string]*Seller
	buyers  map[string]*Buyer

	started bool
	seq     int64
	last    time.Time // the latest instant seen: time does not go back
	books   book
	states  map[string]*buyerState
	offers  map[OfferID]*offer
	topUps  map[string]topUp // of the last keepFinished, by id
	due     agenda

	unsettled int // offers that are open or owe something

	recalled []*offer // since the last command: their stay begins with the next one

	out []Event // of the command under way
}

// buyerState is what changes about a buyer; it is kept for names that left the configuration too.
type buyerState struct {
	paused bool
	// used is what a preset has spent by civil day, for the two latest days it bought on: an
	// offer lives for minutes, so none older is ever asked for.
	used map[string]pingpost.Cents
}

// topUp is what makes a repeated top-up the same one.
type topUp struct {
	buyer  string
	amount pingpost.Cents
	at     time.Time
}

// keepFinished is how long an offer without open obligations, or a top-up, stays in memory for
// late duplicates: longer than any request waits. Older ones are looked up in the store. It is no
// longer than that because an offer that 50 buyers were asked about takes 15 KB, so that 500 leads
// a second hold 900 MB.
const keepFinished = 2 * time.Minute

// maxWallet bounds what a wallet may hold by top-ups, so that sums of all wallets cannot wrap.
const maxWallet = 10_000 * pingpost.MaxCents

// New makes an empty market over a checked configuration, which must not be changed afterwards.
// Start is its first command.
func New(config *Config) *Market {
	m := &Market{
		config: config, sellers: map[string]*Seller{}, buyers: map[string]*Buyer{},
		books: newBook(), states: map[string]*buyerState{},
		offers: map[OfferID]*offer{}, topUps: map[string]topUp{},
	}
	for i := range config.Sellers {
		m.sellers[config.Sellers[i].Name] = &config.Sellers[i]
	}
	for i := range config.Buyers {
		m.buyers[config.Buyers[i].Name] = &config.Buyers[i]
	}
	return m
}

// Apply takes one command at an instant; an instant before that of an earlier command counts as
// that one. It first applies everything that has come due. It panics where an invariant of money
// or of an offer's life is broken, which no input can bring about.
func (m *Market) Apply(now time.Time, command Command) Applied {
	now = m.forward(now)
	m.out = nil
	for _, o := range m.recalled {
		o.recalled = now
		m.schedule(o)
	}
	m.recalled = nil
	m.expire(now)
	result := m.decide(now, command)
	result.Events, m.out = m.out, nil
	return result
}

// forward rounds an instant to what an event can carry to the store and back, and keeps time from
// going backwards.
func (m *Market) forward(now time.Time) time.Time {
	now = now.UTC().Truncate(time.Microsecond)
	if now.Before(m.last) {
		return m.last
	}
	m.last = now
	return now
}

func (m *Market) decide(now time.Time, command Command) Applied {
	switch c := command.(type) {
	case Start:
		return m.start(now)
	case Tick:
		return Applied{}
	case OpenOffer:
		return m.open(now, c)
	case CloseAuction:
		return m.closeAuction(now, c)
	case PostAnswered:
		return m.postAnswered(now, c)
	case NoticeAcked:
		return m.noticeAcked(now, c)
	case NoticeAnswered:
		return m.noticeAnswered(now, c)
	case TopUp:
		return m.topUp(now, c)
	case Return:
		return m.returnLead(now, c)
	case Withdraw:
		return m.withdraw(now, c)
	case Pause:
		return m.pause(now, c)
	}
	panic(fmt.Sprintf("exchange: %T is not a command", command))
}

// Due is the instant of the next Tick that would do something; ok is false where there is none.
func (m *Market) Due() (due time.Time, ok bool) { return m.due.next(m.offers) }

// Knows reports whether the offer is in memory.
func (m *Market) Knows(id OfferID) bool { return m.offers[id] != nil }

// Unsettled counts the offers in memory that are open or still owe something: a held price, or a
// notice that must arrive.
func (m *Market) Unsettled() int { return m.unsettled }

// Last is the latest instant that the Market has seen; for it, time does not go back behind that.
func (m *Market) Last() time.Time { return m.last }

// Ready reports whether Start was applied.
func (m *Market) Ready() bool { return m.started }

// expire applies everything whose time has come, in the order of time and then of ids.
func (m *Market) expire(now time.Time) {
	for {
		o := m.due.pop(now, m.offers)
		if o == nil {
			return
		}
		if o.settled() {
			delete(m.offers, o.id)
			continue
		}
		m.overdue(now, o)
		m.schedule(o)
	}
}

// state is the changing part of a buyer.
func (m *Market) state(buyer string) *buyerState {
	state := m.states[buyer]
	if state == nil {
		state = &buyerState{used: map[string]pingpost.Cents{}}
		m.states[buyer] = state
	}
	return state
}

// start puts the configured credit limits in force and resolves what the former process left.
func (m *Market) start(now time.Time) Applied {
	if m.started {
		return Applied{Repeat: true}
	}
	m.started = true
	for _, configured := range m.config.Buyers {
		// A limit that was lowered below what is already owed stays at that: what was promised
		// before is kept, and nothing new is lent.
		limit := max(configured.CreditLimit, -m.books.balance[Account{Wallet, configured.Name}])
		if limit != m.books.limit[configured.Name] {
			m.emit(now, Event{Kind: CreditLimitSet, Buyer: configured.Name, Price: limit})
		}
	}
	for _, o := range m.offersInOrder() {
		if o.phase == asking {
			m.clear(now, o, nil)
		}
	}
	return Applied{}
}

// available is what a buyer can still pay: its wallet and its credit. Where the limit in force is
// above the configured one, because the buyer owed more when that was lowered, it covers the debt
// and lends nothing new: the result may be below zero.
func (m *Market) available(buyer string) pingpost.Cents {
	limit := m.books.limit[buyer]
	if b := m.buyers[buyer]; b != nil {
		limit = min(limit, b.CreditLimit)
	}
	return m.books.balance[Account{Wallet, buyer}] + limit
}

func (m *Market) topUp(now time.Time, c TopUp) Applied {
	if former, ok := m.topUps[c.ID]; ok {
		if former.buyer != c.Buyer || former.amount != c.Amount {
			return Applied{Refused: pingpost.PingChanged}
		}
		return Applied{Repeat: true}
	}
	switch {
	case m.buyers[c.Buyer] == nil:
		return Applied{Refused: pingpost.NotEligible}
	case c.ID == "" || clip(c.ID) != c.ID || c.Amount <= 0 || c.Amount > pingpost.MaxCents,
		m.books.balance[Account{Wallet, c.Buyer}]+c.Amount > maxWallet:
		return Applied{Refused: pingpost.InvalidField}
	}
	for id, old := range m.topUps {
		if now.Sub(old.at) > keepFinished {
			delete(m.topUps, id)
		}
	}
	m.emit(now, Event{Kind: ToppedUp, Buyer: c.Buyer, Price: c.Amount, Detail: c.ID,
		Entries: topUpEntries(c.Buyer, c.Amount)})
	return Applied{}
}

func (m *Market) pause(now time.Time, c Pause) Applied {
	switch {
	case m.buyers[c.Buyer] == nil:
		return Applied{Refused: pingpost.NotEligible}
	case m.state(c.Buyer).paused == c.Paused:
		return Applied{Repeat: true}
	case c.Paused:
		m.emit(now, Event{Kind: BuyerPaused, Buyer: c.Buyer})
	default:
		m.emit(now, Event{Kind: BuyerResumed, Buyer: c.Buyer})
	}
	return Applied{}
}

// emit numbers an event, folds it into the state and puts it out.
func (m *Market) emit(now time.Time, e Event) {
	e.Seq, e.At = m.seq+1, now
	m.foldMoney(&e)
	m.foldOffer(&e)
	m.out = append(m.out, e)
}

// foldMoney is the part of an event that moves balances and switches.
func (m *Market) foldMoney(e *Event) {
	m.seq = e.Seq
	for _, entry := range e.Entries {
		if err := m.books.apply(entry); err != nil {
			panic(fmt.Sprintf("exchange: event %d, %v of offer %q: %v", e.Seq, e.Kind, e.Offer, err))
		}
	}
	switch e.Kind {
	case ToppedUp:
		m.topUps[e.Detail] = topUp{buyer: e.Buyer, amount: e.Price, at: e.At}
	case CreditLimitSet:
		m.books.limit[e.Buyer] = e.Price
	case BuyerPaused, BuyerResumed:
		m.state(e.Buyer).paused = e.Kind == BuyerPaused
	case Held:
		if e.Day != "" {
			m.state(e.Buyer).use(e.Day, e.Price)
		}
	case Returned:
		if e.Day != "" {
			m.state(e.Buyer).giveBack(e.Day, e.Price)
		}
	}
}

// use counts a price against a preset's budget of a day.
func (b *buyerState) use(day string, price pingpost.Cents) {
	b.used[day] += price
	for len(b.used) > 2 {
		oldest := day
		for other := range b.used {
			oldest = min(oldest, other)
		}
		delete(b.used, oldest)
	}
}

func (b *buyerState) giveBack(day string, price pingpost.Cents) {
	if _, kept := b.used[day]; kept {
		b.used[day] -= price
	}
}
