package books

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

// Books are one contractor's books, shared by all its replicas. Make them with New.
type Books struct {
	// SyncEach has every write on the disk before it returns, as a store does for its callers.
	SyncEach bool

	// OwnTime has the ends of leases told in the time of who asks, reckoned from the instant at which
	// it asked: its clock and that of the books may differ by any amount.
	OwnTime bool

	// Shared counts the runs that look after leases, as books do that several replicas may have open:
	// they are told how many they are, and of what a cap has left each gets a part only.
	Shared bool

	mu     sync.Mutex
	clock  func() time.Time
	secret string // what the keys are made of
	closed bool

	seen    []int64 // of each run, by number from 1: when it was last noted as live
	keys    []budget.SigningKey
	caps    []*capRow
	byCap   map[capKey]*capRow
	leases  []*leaseRow // by id, from 1
	open    []*leaseRow // those that are not closed, by id
	posts   map[string]*postRow
	byPing  map[pingKey]*postRow
	refused int64
	leads   []*leadRow // in the order of their posts
	byBid   map[string]*leadRow
	contact map[store.ContactHash]contactRow
	outbox  []*deliveryRow
	byOwed  map[string]*deliveryRow
	entries []entry
	kept    map[string]kept

	undo     []func()   // of the write under way
	unsynced [][]func() // of the writes that are not on the disk, oldest first
	written  uint64     // writes so far
	synced   uint64     // of which the disk has this many

	changedCaps   []*capRow // since Look was asked
	changedLeases []*leaseRow
	changedLeads  []*leadRow
	findings      []store.Finding
}

// New makes empty books whose time is clock's. All keys follow from secret.
func New(clock func() time.Time, secret string) *Books {
	return &Books{
		clock: clock, secret: secret, byCap: map[capKey]*capRow{}, posts: map[string]*postRow{},
		byPing: map[pingKey]*postRow{}, byBid: map[string]*leadRow{}, contact: map[store.ContactHash]contactRow{},
		byOwed: map[string]*deliveryRow{}, kept: map[string]kept{},
	}
}

// capKey names a cap in one of its windows.
type capKey struct {
	scope  budget.Scope
	period pingpost.Period
	from   int64 // milliseconds; 0 for Total
	to     int64
}

type capRow struct {
	key   capKey
	limit amounts

	opening room // what was bought before the cap was there, and did not come back

	counted []count     // every lead that counts in it
	leases  []*leaseRow // every lease that was carved from it and is open
}

// count is one lead in a cap. Directly: without a lease between them that was carved from the cap.
type count struct {
	lead     *leadRow
	directly bool
}

// amounts are the two limits of a cap.
type amounts struct{ cents, leads budget.Limit }

type room struct{ cents, leads int64 }

func (r room) plus(other room) room { return room{r.cents + other.cents, r.leads + other.leads} }

type leaseRow struct {
	state    budget.LeaseState
	run      uint32
	granted  room
	returned room
	caps     []*capRow // carved from
	leads    []*leadRow
}

func (l *leaseRow) rest() room {
	return room{int64(l.state.Cents - l.state.UsedCents), l.state.Leads - l.state.UsedLeads}
}

type pingKey struct{ exchange, ping string }

type postRow struct {
	key       store.PostKey
	at        int64
	withdrawn bool // nothing was posted: the bid was withdrawn
	accepted  bool
	voided    bool // accepted, and withdrawn afterwards
	written   uint64
	reason    pingpost.Reason
	detail    string
}

type leadRow struct {
	id       string
	post     store.Post
	at       int64
	bidAt    int64
	lease    *leaseRow // nil: the caps paid directly
	credited bool
	givenAt  int64 // when it was credited
	dispute  store.Dispute
	outcomes []store.Outcome
	charges  int // entries
	credits  int
}

func (l *leadRow) room() room { return room{int64(l.post.Charge.Price), 1} }

type contactRow struct {
	lead string
	at   int64
}

type deliveryRow struct {
	delivery store.Delivery
	lead     *leadRow
	next     int64
	done     bool
	dead     bool

	claimedBy    uint32
	claimedUntil int64
}

// entry is one event of the audit trail.
type entry struct {
	kind  string
	lease budget.LeaseID
	lead  string
	room  room
}

// remember keeps what p points at, to be put back if the write is undone.
func remember[T any](b *Books, p *T) {
	before := *p
	b.undo = append(b.undo, func() { *p = before })
}

// put sets an entry of a map.
func put[K comparable, V any](b *Books, m map[K]V, key K, value V) {
	before, was := m[key]
	b.undo = append(b.undo, func() {
		if was {
			m[key] = before
		} else {
			delete(m, key)
		}
	})
	m[key] = value
}

// add appends to a list.
func add[T any](b *Books, list *[]T, value T) {
	remember(b, list)
	*list = append(*list, value)
}

// back undoes the write under way down to a mark.
func (b *Books) back(mark int) {
	for len(b.undo) > mark {
		last := len(b.undo) - 1
		b.undo[last]()
		b.undo = b.undo[:last]
	}
}

var errClosed = errors.New("the books are closed")

// write does one write: whole, or not at all.
func (b *Books) write(doing string, do func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("%w: %s: %w", store.ErrAway, doing, errClosed)
	}
	if err := do(); err != nil {
		b.back(0)
		return fmt.Errorf("%w: %s: %w", store.ErrAway, doing, err)
	}
	b.unsynced = append(b.unsynced, b.undo)
	b.undo = nil
	b.written++
	if b.SyncEach {
		b.Sync()
	}
	return nil
}

func (b *Books) read(doing string, do func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("%w: %s: %w", store.ErrAway, doing, errClosed)
	}
	do()
	return nil
}

// Unsynced is how many writes the disk does not have yet.
func (b *Books) Unsynced() int { return len(b.unsynced) }

// Sync brings everything to the disk.
func (b *Books) Sync() { b.unsynced, b.synced = nil, b.written }

// Crash loses all unsynced writes but the oldest kept ones, which turn out to be on the disk.
func (b *Books) Crash(kept int) {
	for len(b.unsynced) > kept {
		last := len(b.unsynced) - 1
		b.undo, b.unsynced = b.unsynced[last], b.unsynced[:last]
		b.back(0)
	}
	b.Sync()
}

// Err implements store.Store: the modelled disk fails from outside.
func (b *Books) Err() error { return nil }

// Close implements store.Store.
func (b *Books) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// Begin implements store.Store.
func (b *Books) Begin(context.Context) (run store.Run, err error) {
	err = b.write("beginning a run", func() error {
		add(b, &b.seen, b.now().UnixMilli())
		id := uint32(len(b.seen))
		run = store.Run{ID: id, Owner: fmt.Sprintf("run-%d", id), ContactKey: b.contactKey()}
		if len(b.keys) == 0 {
			b.addKey(b.now(), b.now())
		}
		run.Keys = budget.NewKeyring(b.keys, b.now())
		return nil
	})
	return run, err
}

func (b *Books) addKey(now, signsFrom time.Time) {
	id := uint32(len(b.keys) + 1)
	add(b, &b.keys, budget.SigningKey{
		ID: id, Secret: b.key(fmt.Sprint("signing ", id)), MadeAt: now, SignsFrom: signsFrom,
	})
}

// Keys implements store.Store.
func (b *Books) Keys(context.Context) (ring *budget.Keyring, err error) {
	err = b.read("reading the signing keys", func() { ring = budget.NewKeyring(b.keys, b.now()) })
	return ring, err
}

// signsAfter is how long a new signing key waits, so that every replica knows it by then.
const signsAfter = time.Minute

// Rotate implements store.Store.
func (b *Books) Rotate(_ context.Context, how store.Rotation) (made bool, err error) {
	err = b.write("making a signing key", func() error {
		now := b.now()
		made = now.Sub(b.keys[len(b.keys)-1].MadeAt) >= how.OlderThan
		if !made {
			return nil
		}
		signs := now.Add(signsAfter)
		if how.Revoke {
			signs = now
			remember(b, &b.keys)
			b.keys = slices.Clone(b.keys)
			for i := range b.keys {
				b.keys[i].Revoked = true
			}
		}
		b.addKey(now, signs)
		return nil
	})
	return made && err == nil, err
}

func (b *Books) key(purpose string) [32]byte { return sha256.Sum256([]byte(purpose + " " + b.secret)) }

func (b *Books) contactKey() []byte {
	key := b.key("contacts")
	return key[:]
}

func (b *Books) now() time.Time { return b.clock().Truncate(time.Millisecond).UTC() }

func milliseconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Durable tells whether the disk has the accepted post of a bid.
func (b *Books) Durable(bidID string) bool {
	p := b.posts[bidID]
	return p != nil && p.accepted && p.written <= b.synced
}

// told gives a lease as its state is told to somebody who asked at an instant of a clock of their own.
func (b *Books) told(state budget.LeaseState, asked time.Time) budget.LeaseState {
	if shift := asked.Sub(b.now()); b.OwnTime && !state.BidUntil.IsZero() {
		state.BidUntil, state.CloseAt = state.BidUntil.Add(shift), state.CloseAt.Add(shift)
		if most := asked.Add(leaseLength); state.BidUntil.After(most) {
			state.BidUntil = most
		}
	}
	return state
}

// Decided tells whether a bid was posted or withdrawn.
func (b *Books) Decided(bidID string) bool { return b.posts[bidID] != nil }

// Lease is a lease as it stands.
func (b *Books) Lease(id budget.LeaseID) budget.LeaseState {
	if id < 1 || int(id) > len(b.leases) {
		return budget.LeaseState{}
	}
	return b.leases[id-1].state
}

// BidAt is when the bid of a lead was made, as its charge says; zero where nothing was bought.
func (b *Books) BidAt(bidID string) time.Time {
	if lead := b.byBid[bidID]; lead != nil {
		return instant(lead.bidAt)
	}
	return time.Time{}
}

// PostedAt is when the post came that bought a bid's lead; zero where none did.
func (b *Books) PostedAt(bidID string) time.Time {
	if lead := b.byBid[bidID]; lead != nil {
		return instant(lead.at)
	}
	return time.Time{}
}
