package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"leadbid/exchange"
	"leadbid/exchange/store"
)

// BenchmarkSales brings leads from the door to their sale, 64 at a time: three synced commits per
// batch. The time is that of one lead.
func BenchmarkSales(b *testing.B) {
	s, err := store.Open(ctx, filepath.Join(b.TempDir(), "exchange.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	config := testConfig()
	config.Buyers[0].CreditLimit = 1e15
	market, err := s.Load(ctx, config, start)
	if err != nil {
		b.Fatal(err)
	}
	stage := func(commands []exchange.Command) {
		var applied []exchange.Applied
		for _, command := range commands {
			applied = append(applied, market.Apply(start, command))
		}
		if err := s.Commit(ctx, market.Batch(applied)); err != nil {
			b.Fatal(err)
		}
	}
	stage([]exchange.Command{exchange.Start{}})
	var opened, closed, posted []exchange.Command
	number := 0
	for b.Loop() {
		id := exchange.OfferID(fmt.Sprint("lead-", number))
		opened = append(opened, testLead(id))
		closed = append(closed, exchange.CloseAuction{Offer: id, Answers: []exchange.Answer{bid("ann", 40_00), bid("bob", 30_00)}})
		posted = append(posted, accepted(id, "ann"))
		if number++; number%64 == 0 {
			stage(opened)
			stage(closed)
			stage(posted)
			opened, closed, posted = nil, nil, nil
		}
	}
}
