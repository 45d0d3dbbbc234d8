package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"leadbid/budget"
	"leadbid/budget/store"
)

const month = 30 * 24 * time.Hour

func (b *bench) keys() *budget.Keyring {
	b.t.Helper()
	ring, err := b.s.Keys(context.Background())
	b.must(err)
	return ring
}

// rotate asks for a key several times at once, as replicas do, and gives how many were made.
func (b *bench) rotate(how store.Rotation) (made int) {
	b.t.Helper()
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range 8 {
		wait.Go(func() {
			one, err := b.s.Rotate(context.Background(), how)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				b.t.Error(err)
			}
			if one {
				made++
			}
		})
	}
	wait.Wait()
	return made
}

func testRotation(t *testing.T, b *bench) {
	first := b.keys().Signer()
	if first != b.run.Keys.Signer() || !first.SignsFrom.Equal(b.now) || first.ID != 1 {
		t.Fatalf("the first key is %d, from %v", first.ID, first.SignsFrom)
	}
	b.wait(month - time.Second)
	if n := b.rotate(store.Rotation{OlderThan: month}); n != 0 {
		t.Errorf("%d keys were made too early", n)
	}
	b.wait(time.Second)
	if n := b.rotate(store.Rotation{OlderThan: month}); n != 1 {
		t.Errorf("%d keys were made at once", n)
	}
	if ring := b.keys(); ring.Signer() != first || ring.Newest().ID != 2 || ring.Newest().Secret == first.Secret {
		t.Errorf("a new key signs at once: %d", ring.Signer().ID)
	}
	b.wait(59 * time.Second)
	if b.keys().Signer() != first {
		t.Error("a new key signs before its minute is over")
	}
	b.wait(time.Second)
	ring := b.keys()
	if ring.Signer() != ring.Newest() || len(ring.Keys()) != 2 {
		t.Error("a new key does not sign when its minute is over")
	}
	b.begin()
	if b.run.Keys.Signer() != ring.Signer() {
		t.Error("a new run signs with another key")
	}
}

// testRevocation makes more keys than fit into a byte, and then revokes them all.
func testRevocation(t *testing.T, b *bench) {
	ids := []string{}
	for range 300 {
		ids = append(ids, string(b.keys().AppendBidID(nil, budget.BidRef{Lease: 1, Expires: b.now.Add(time.Minute)}, "north", "p")))
		if _, err := b.s.Rotate(context.Background(), store.Rotation{}); err != nil {
			t.Fatal(err)
		}
		b.wait(time.Hour)
	}
	for i, id := range ids {
		if _, seal := b.keys().OpenBidID(id, "north", "p"); seal != budget.SealGood {
			t.Fatalf("the bid of key %d is %d", i+1, seal)
		}
	}
	if _, err := b.s.Rotate(context.Background(), store.Rotation{Revoke: true}); err != nil {
		t.Fatal(err)
	}
	ring := b.keys()
	if ring.Signer().ID != 302 || ring.Signer().Revoked {
		t.Errorf("key %d signs after a revocation", ring.Signer().ID)
	}
	for i, id := range ids {
		if _, seal := ring.OpenBidID(id, "north", "p"); seal != budget.SealFormer {
			t.Fatalf("the bid of key %d is %d", i+1, seal)
		}
	}
}
