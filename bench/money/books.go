package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

// The trade that all books here tell of: one campaign on one exchange, under six caps of which none
// is ever reached.
var line = budget.Line{Campaign: "hvac-chicago", Exchange: "northside"}

func wideCaps() []budget.Cap {
	var caps []budget.Cap
	limit := budget.Limit{N: 1 << 44, Set: true}
	for _, scope := range []budget.Scope{{Kind: budget.ScopeBusiness}, {Kind: budget.ScopeCampaign, Name: line.Campaign}} {
		for _, period := range []pingpost.Period{pingpost.Day, pingpost.Month, pingpost.Total} {
			caps = append(caps, budget.Cap{Scope: scope, Period: period, Cents: limit, Leads: limit})
		}
	}
	return caps
}

var terms = budget.Terms{Refusable: true, BidTTL: time.Minute, HoldFor: 10 * time.Second, Grace: 2 * time.Second}

// books are a contractor's books that are written faster than they would be in life: the store's
// clock is ours.
type books struct {
	store  store.Store
	run    store.Run
	plan   *budget.Plan
	now    atomic.Int64 // the store's time, in nanoseconds
	seq    uint64
	lease  budget.LeaseState
	room   int // posts that the lease still pays
	prices uint64
}

// opener opens books under a clock of ours.
type opener func(store.Options) (store.Store, error)

func openBooks(ctx context.Context, path string, at time.Time) (*books, error) {
	return openBooksOn(ctx, at, func(opts store.Options) (store.Store, error) { return store.OpenSQLite(ctx, path, opts) })
}

func openBooksOn(ctx context.Context, at time.Time, open opener) (*books, error) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		return nil, err
	}
	b := &books{plan: &budget.Plan{Location: chicago, Lines: []budget.LinePlan{{
		Line: line, Terms: terms, Caps: wideCaps(), LargestBid: 60_00,
	}}}}
	b.now.Store(at.UnixNano())
	if b.store, err = open(store.Options{Clock: b.clock}); err != nil {
		return nil, err
	}
	if b.run, err = b.store.Begin(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *books) clock() time.Time { return time.Unix(0, b.now.Load()).UTC() }

// grant has a lease for some posts of at most $60.
func (b *books) grant(ctx context.Context, posts int) error {
	ask := budget.Upkeep{At: b.clock(), Wants: []budget.Want{
		{Line: line, Least: 1, Cents: pingpost.Cents(posts) * 60_00, Leads: int64(posts)},
	}}
	answer, err := b.store.Upkeep(ctx, b.run, b.plan, ask)
	if err != nil {
		return err
	}
	if answer.Grants[0].Lease == nil {
		return fmt.Errorf("no lease was granted: %v", answer.Grants[0].Refused)
	}
	b.lease, b.room = *answer.Grants[0].Lease, posts
	return nil
}

// closeLeases has the store close every lease whose time is over.
func (b *books) closeLeases(ctx context.Context) error {
	_, err := b.store.Upkeep(ctx, b.run, b.plan, budget.Upkeep{At: b.clock()})
	return err
}

// post makes the next post, paid by the lease: a lead as full as they come, two contacts, one
// delivery.
func (b *books) post() store.Post {
	b.seq++
	b.room--
	b.prices = b.prices*6364136223846793005 + 1442695040888963407
	now, price := b.clock(), pingpost.Cents(10_00+b.prices>>33%40_00)
	ref := budget.BidRef{Lease: b.lease.ID, Campaign: budget.CampaignTag(line.Campaign), Price: price,
		Expires: now.Add(terms.BidTTL), Stands: terms.BidTTL, Run: b.run.ID, Seq: b.seq}
	pingID := uuid.NewSHA1(uuid.Nil, binary.BigEndian.AppendUint64(nil, uint64(b.run.ID)<<40|b.seq)).String()
	bidID := string(b.run.Keys.AppendBidID(nil, ref, line.Exchange, pingID))
	phone := fmt.Sprintf("312-%03d-%04d", b.seq/10_000%1_000, b.seq%10_000)
	return store.Post{
		At: now, LeadID: leadID(now, b.run.ID, b.seq), BodyHash: sha256.Sum256([]byte(bidID)), Deliveries: []string{"crm"},
		Contacts:  []store.ContactHash{store.HashContact(nil, "phone", pingID), store.HashContact(nil, "email", pingID)},
		DedupeFor: 90 * 24 * time.Hour,
		Charge: budget.Charge{Exchange: line.Exchange, PingID: pingID, BidID: bidID, Ref: ref, Line: line, Price: price,
			BidAt: now, Caps: budget.WindowsOf(b.plan.Lines[0].Caps, now, b.plan.Location)},
		Lead: pingpost.Post{
			Exchange: line.Exchange, PingID: pingID, BidID: bidID, Price: price, Service: pingpost.HVAC, Job: pingpost.Repair,
			ZIP: 60614, Exclusive: true, Lead: pingpost.Lead{
				FirstName: pingpost.NewPrivate("Alexandra"), LastName: pingpost.NewPrivate("Kowalski"),
				Phone: pingpost.NewPrivate(phone), Email: pingpost.NewPrivate(fmt.Sprintf("alexandra.%d@example.com", b.seq)),
				Address: pingpost.NewPrivate("2044 North Lincoln Avenue"), City: "Chicago", State: "IL", ZIP: 60614,
				Notes: pingpost.NewPrivate("No heat since last night, furnace clicks and does not light."),
			},
			Consent: pingpost.Consent{Agreed: pingpost.Yes, TrustedFormURL: "https://cert.trustedform.com/" + pingID},
		},
	}
}

// leadID is a UUID of version 7: it begins with the time.
func leadID(now time.Time, run uint32, seq uint64) string {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], uint64(now.UnixMilli())<<16)
	binary.BigEndian.PutUint64(id[8:], uint64(run)<<40|seq)
	id[6], id[8] = 7<<4|id[6]&0xf, 0x80|id[8]&0x3f
	return id.String()
}

// hand gives work to callers who call the store at the same time, and waits for all of them.
func hand[T any](callers int, work []T, do func(T) error) error {
	var next atomic.Int64
	faults := make(chan error, callers)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(work) {
					return
				}
				if err := do(work[i]); err != nil {
					faults <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-faults:
		return err
	default:
		return nil
	}
}
