package server

import (
	"context"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rs/zerolog"

	"leadbid/bidder"
	"leadbid/bidder/delivery"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
	"leadbid/rules"
)

const keysConfiguration = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {month: $5000}}
server: {rotate_keys: 12h}
exchanges:
  north: {profile: native, auth: {bearer: "a-key-of-at-least-sixteen"}}
campaigns:
  hvac: {services: [hvac], area: {states: [IL]}, budget: {day: $400}, rules: [{bid: 20}], delivery: [{file: leads.jsonl}]}
`

// replicas makes what two servers on one store have of keys, with a clock that the test turns.
func replicas(t *testing.T) (a, b *Server, books store.Store, wait func(time.Duration)) {
	t.Helper()
	servers, books, wait := quietServers(t, keysConfiguration, 2)
	return servers[0], servers[1], books, wait
}

// quietServers makes servers on one store that neither listen nor do anything by themselves, with a
// clock that the test turns. It is ahead of the machine's, which they would follow otherwise.
func quietServers(t *testing.T, configuration string, n int) (servers []*Server, books store.Store, wait func(time.Duration)) {
	t.Helper()
	return quietServersOn(t, configuration, n, func(clock func() time.Time) store.Store {
		books, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "books.db"), store.Options{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return books
	})
}

// quietServersOn is quietServers on a store that is handed that clock.
func quietServersOn(t *testing.T, configuration string, n int,
	open func(clock func() time.Time) store.Store) (servers []*Server, books store.Store, wait func(time.Duration)) {
	t.Helper()
	rs, faults := rules.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(configuration)}}, "bidder.yaml", nil)
	if rs == nil {
		t.Fatal(faults)
	}
	now := time.Date(2092, time.March, 6, 16, 50, 0, 0, time.UTC) // a Thursday
	books = open(func() time.Time { return now })
	t.Cleanup(func() { _ = books.Close() })
	for range n {
		s := &Server{log: zerolog.Nop(), clock: newClock(), meters: newMeters(), store: books, wake: make(chan struct{}, 1)}
		s.clock.set(now)
		first, err := s.adopt(rs)
		if err != nil {
			t.Fatal(err)
		}
		s.inForce.Store(first)
		if s.run, err = books.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.keys.Store(s.run.Keys)
		s.agent = bidder.New(s.run.ID, rs, budget.NewBook(first.plan))
		if s.record, err = newRecorder(s, ""); err != nil {
			t.Fatal(err)
		}
		s.mail = delivery.New(delivery.Options{Outbox: books, Run: s.run.ID, Targets: s.targets, Clock: s.clock.now})
		servers = append(servers, s)
	}
	return servers, books, func(d time.Duration) {
		now = now.Add(d)
		for _, s := range servers {
			s.clock.set(now)
		}
	}
}

func (s *Server) sign(ref budget.BidRef) string {
	return string(s.keys.Load().AppendBidID(nil, ref, "north", "p-1"))
}

func ofHvac(lease budget.LeaseID) budget.BidRef {
	return budget.BidRef{Lease: lease, Campaign: budget.CampaignTag("hvac"), Price: 20_00}
}

func (s *Server) sealOf(t *testing.T, ctx context.Context, id string) budget.Seal {
	t.Helper()
	_, seal, err := s.open(ctx, id, "north", "p-1")
	if err != nil {
		t.Fatal(err)
	}
	return seal
}

// TestReplicasShareKeys lets the keys of two replicas grow old together: one key is made, both know
// it before it signs, and what the former signed stays good.
func TestReplicasShareKeys(t *testing.T) {
	a, b, _, wait := replicas(t)
	turn := func() {
		for _, s := range []*Server{a, b} {
			if err := s.turnKeys(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	ref := func() budget.BidRef {
		return budget.BidRef{Lease: 1, Price: 20_00, Expires: a.clock.now().Add(time.Minute)}
	}
	for turns := range 5 {
		turn()
		wait(12 * time.Hour)
		late := a.sign(ref())
		turn()
		if n := len(a.keys.Load().Keys()); n != turns+2 || n != len(b.keys.Load().Keys()) {
			t.Fatalf("%d keys after %d turns", n, turns+1)
		}
		if a.keys.Load().Signer().ID != uint32(turns+1) {
			t.Fatalf("key %d signs at once", a.keys.Load().Signer().ID)
		}
		wait(time.Minute)
		turn()
		if got := b.keys.Load().Signer().ID; got != uint32(turns+2) || a.keys.Load().Signer().ID != got {
			t.Fatalf("key %d signs", got)
		}
		if a.sealOf(t, t.Context(), b.sign(ref())) != budget.SealGood || b.sealOf(t, t.Context(), late) != budget.SealGood {
			t.Fatal("an honest bid was refused")
		}
	}
}

// TestReplicaThatMissedAKey has one sign with a key that the other has not read: it asks the store,
// and where that is away it says so instead of calling the bid unknown.
func TestReplicaThatMissedAKey(t *testing.T) {
	a, b, books, _ := replicas(t)
	if _, err := a.rotateKeys(t.Context(), store.Rotation{Revoke: true}); err != nil {
		t.Fatal(err)
	}
	post := &pingpost.Post{Exchange: "north", PingID: "p-1", BidID: a.sign(ofHvac(7))}
	x := b.inForce.Load().exchanges["north"]
	if verdict := b.settle(b.clock.now(), x, post); verdict.Kind != pingpost.VerdictRejected || verdict.Reason == pingpost.BidUnknown {
		t.Errorf("the post of a key that the store knows got %v %v", verdict.Kind, verdict.Reason)
	}
	if _, err := a.rotateKeys(t.Context(), store.Rotation{Revoke: true}); err != nil {
		t.Fatal(err)
	}
	post.BidID = a.sign(ofHvac(8))
	if err := books.Close(); err != nil {
		t.Fatal(err)
	}
	if verdict := b.settle(b.clock.now(), x, post); verdict.Kind != pingpost.VerdictBusy {
		t.Errorf("while the store is away the post got %v %v", verdict.Kind, verdict.Reason)
	}
	if _, seal := b.keys.Load().OpenBidID(post.BidID, "north", "p-1"); seal != budget.SealNewer {
		t.Errorf("%v", seal)
	}
}

// TestRevokedKey refuses what a leaked key signed, repeats what was answered under it, and credits
// what was bought under it.
func TestRevokedKey(t *testing.T) {
	a, b, books, _ := replicas(t)
	x, line := a.inForce.Load().exchanges["north"], budget.Line{Campaign: "hvac", Exchange: "north"}
	answer, err := books.Upkeep(t.Context(), a.run, a.inForce.Load().plan, budget.Upkeep{At: a.clock.now(),
		Wants: []budget.Want{{Line: line, Least: 20_00, Cents: 100_00, Leads: 4}}})
	if err != nil || answer.Grants[0].Lease == nil {
		t.Fatal(err, answer)
	}
	post := func(seq uint64, ping string) *pingpost.Post {
		ref := budget.BidRef{Lease: answer.Grants[0].Lease.ID, Campaign: budget.CampaignTag("hvac"), Price: 20_00,
			Expires: a.clock.now().Add(time.Minute).Truncate(time.Millisecond), Run: a.run.ID, Seq: seq,
			Terms: budget.TermsHash(60614, pingpost.HVAC, pingpost.Repair, true)}
		return &pingpost.Post{Exchange: "north", PingID: ping, Price: 20_00, ZIP: 60614, Service: pingpost.HVAC,
			Job: pingpost.Repair, Exclusive: true, Lead: pingpost.Lead{Phone: pingpost.NewPrivate("312-555-01" + ping[2:])},
			BidID: string(a.keys.Load().AppendBidID(nil, ref, "north", ping))}
	}
	bought, open := post(1, "p-11"), post(2, "p-12")
	s := settled{t, a, x}
	s.expect(bought, pingpost.VerdictAccepted, 0)
	if _, err := b.rotateKeys(t.Context(), store.Rotation{Revoke: true}); err != nil {
		t.Fatal(err)
	}
	if err := a.turnKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.expect(bought, pingpost.VerdictAccepted, 0)
	s.expect(open, pingpost.VerdictRejected, pingpost.BidUnknown)
	s.expect(post(3, "p-13"), pingpost.VerdictAccepted, 0)
	ref, seal, err := a.openNotice(x, &pingpost.Notice{PingID: "p-11", BidID: bought.BidID})
	if seal != budget.SealFormer || err != nil {
		t.Fatal(seal, err)
	}
	if err := a.notify(x, &pingpost.Notice{PingID: "p-11", BidID: bought.BidID, Outcome: pingpost.OutcomeReturned}, ref); err != nil {
		t.Fatal(err)
	}
	if counts, err := books.Counts(t.Context()); err != nil || counts.Returned != 1 || counts.Leads != 2 {
		t.Errorf("%+v, %v", counts, err)
	}
}

type settled struct {
	t *testing.T
	s *Server
	x *exchange
}

func (s settled) expect(post *pingpost.Post, kind pingpost.VerdictKind, reason pingpost.Reason) {
	s.t.Helper()
	if got := s.s.settle(s.s.clock.now(), s.x, post); got.Kind != kind || got.Reason != reason {
		s.t.Errorf("the post of %s got %v %v", post.PingID, got.Kind, got.Reason)
	}
}
