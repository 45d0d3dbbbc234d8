package budget

import (
	"crypto/sha256"
	"encoding/base64"
	"hash/fnv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

func ring(ids ...uint32) *Keyring {
	var keys []SigningKey
	for _, id := range ids {
		keys = append(keys, SigningKey{ID: id, Secret: sha256.Sum256([]byte{byte(id)})})
	}
	return NewKeyring(keys, time.Time{})
}

var someRef = BidRef{
	Lease: 7, Campaign: CampaignTag("hvac"), Price: 42_50, Expires: time.UnixMilli(1772625600123).UTC(),
	Stands: time.Minute, Run: 3, Seq: 99, Terms: TermsHash(60614, pingpost.HVAC, pingpost.Repair, true),
}

func TestBidIDsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := BidRef{
			Lease:    LeaseID(rapid.Int64().Draw(t, "lease")),
			Campaign: rapid.Uint32().Draw(t, "campaign"),
			Price:    pingpost.Cents(rapid.Int64Range(0, int64(pingpost.MaxCents)).Draw(t, "price")),
			Stands:   time.Duration(rapid.Int64Range(0, 1<<29-1).Draw(t, "stands")) * time.Millisecond,
			Expires:  time.UnixMilli(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "expires")).UTC(),
			Run:      rapid.Uint32().Draw(t, "run"), Seq: rapid.Uint64().Draw(t, "seq"), Terms: rapid.Uint64().Draw(t, "terms"),
		}
		exchange, ping := rapid.String().Draw(t, "exchange"), rapid.String().Draw(t, "ping")
		id := string(ring(1).AppendBidID([]byte("x"), ref, exchange, ping))[1:]
		if len(id) != BidIDLength || len(id) > 96 || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("%q", id)
		}
		if got, seal := ring(1).OpenBidID(id, exchange, ping); seal != SealGood || got != ref {
			t.Fatalf("%+v came back as %+v, %v", ref, got, seal)
		}
	})
}

// TestNothingElseOpens changes each character of an id, and each thing that is signed with it.
func TestNothingElseOpens(t *testing.T) {
	k := ring(1)
	id := string(k.AppendBidID(nil, someRef, "north", "p-1"))
	for i := range id {
		for _, c := range []byte{'A', 'B', '_', '\n', '=', id[i] ^ 1} {
			changed := id[:i] + string(c) + id[i+1:]
			if _, seal := k.OpenBidID(changed, "north", "p-1"); seal > SealNewer && changed != id {
				t.Fatalf("%q opened", changed)
			}
		}
	}
	for _, c := range []struct{ id, exchange, ping string }{
		{id, "north", "p-2"}, {id, "south", "p-1"}, {id, "northp", "-1"}, {id, "nort", "hp-1"}, {id, "", "northp-1"},
		{id + "A", "north", "p-1"}, {id + "\n", "north", "p-1"}, {id[:91], "north", "p-1"}, {"", "north", "p-1"},
		{id[:40] + "\n" + id[40:], "north", "p-1"}, {strings.Repeat("A", BidIDLength), "north", "p-1"},
	} {
		if _, seal := k.OpenBidID(c.id, c.exchange, c.ping); seal != SealBroken {
			t.Errorf("%+v opened", c)
		}
	}
	if ref, seal := ring(2).OpenBidID(id, "north", "p-1"); seal != SealBroken || ref != (BidRef{}) {
		t.Errorf("a keyring without the key opened it: %v", seal)
	}
	newer := string(ring(2).AppendBidID(nil, someRef, "north", "p-1"))
	if ref, seal := k.OpenBidID(newer, "north", "p-1"); seal != SealNewer || ref != (BidRef{}) {
		t.Errorf("of a newer key the ring says %v", seal)
	}
	other := NewKeyring([]SigningKey{{ID: 1, Secret: sha256.Sum256([]byte("other"))}}, time.Time{})
	if _, seal := other.OpenBidID(id, "north", "p-1"); seal != SealBroken {
		t.Errorf("another key opened it: %v", seal)
	}
}

func TestTags(t *testing.T) {
	for _, name := range []string{"", "a", "hvac-chicago", "Überdachung"} {
		want := fnv.New32a()
		want.Write([]byte(name))
		if got := CampaignTag(name); got != want.Sum32() {
			t.Errorf("%q: %d", name, got)
		}
	}
	seen := map[uint64]bool{}
	for _, zip := range []pingpost.ZIP{0, 501, 60614, 99999} {
		for service := range pingpost.Service(30) {
			for job := range pingpost.Job(8) {
				for _, exclusive := range []bool{false, true} {
					seen[TermsHash(zip, service, job, exclusive)] = true
				}
			}
		}
	}
	if len(seen) != 4*30*8*2 {
		t.Errorf("%d different terms", len(seen))
	}
}

func TestBidIDsDoNotAllocate(t *testing.T) {
	k, dst := ring(1), make([]byte, 0, 128)
	id := string(k.AppendBidID(nil, someRef, "north", "p-1"))
	if n := testing.AllocsPerRun(100, func() { dst = k.AppendBidID(dst[:0], someRef, "north", "p-1") }); n != 0 {
		t.Errorf("signing: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { k.OpenBidID(id, "north", "p-1") }); n != 0 {
		t.Errorf("opening: %v allocations", n)
	}
}

func FuzzOpenBidID(f *testing.F) {
	k := ring(1)
	f.Add(string(k.AppendBidID(nil, someRef, "north", "p-1")), "north", "p-1")
	f.Add(strings.Repeat("A", BidIDLength), "", "")
	f.Add(base64.RawURLEncoding.EncodeToString(make([]byte, bidIDBytes)), "north", "p")
	f.Add("", "north", "p-1")
	f.Fuzz(func(t *testing.T, id, exchange, ping string) {
		ref, seal := k.OpenBidID(id, exchange, ping)
		if seal == SealGood && string(k.AppendBidID(nil, ref, exchange, ping)) != id {
			t.Fatalf("%q opened as %+v, which is another id", id, ref)
		}
	})
}

func BenchmarkBidID(b *testing.B) {
	k, dst := ring(1), make([]byte, 0, 128)
	id := string(k.AppendBidID(nil, someRef, "north", "5f0c6c3e-9d55"))
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			dst = k.AppendBidID(dst[:0], someRef, "north", "5f0c6c3e-9d55")
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			k.OpenBidID(id, "north", "5f0c6c3e-9d55")
		}
	})
}
