package budget

import (
	"testing"
	"time"

	"leadbid/pingpost"
)

var (
	noon    = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	chicago = mustZone("America/Chicago")
)

func mustZone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return loc
}

func dollars(scope Scope, period pingpost.Period, cents int64) Cap {
	return Cap{Scope: scope, Period: period, Cents: Limit{N: cents, Set: true}}
}

func campaign(name string) Scope { return Scope{ScopeCampaign, name} }

var refusable = Terms{Refusable: true, BidTTL: time.Minute, HoldFor: 10 * time.Second, Grace: 2 * time.Second}

var hvac = Line{"hvac", "north"}

func onePlan(terms Terms, largest pingpost.Cents, caps ...Cap) *Plan {
	return &Plan{Location: chicago, Lines: []LinePlan{{Line: hvac, Terms: terms, Caps: caps, LargestBid: largest}}}
}

func TestSmallCapIsUsable(t *testing.T) {
	b := NewBook(onePlan(refusable, 50_00, dollars(campaign("hvac"), pingpost.Day, 60_00)))
	if due, ok := b.Due(noon); !ok || !due.Equal(noon) {
		t.Fatalf("a new book is due at %v, %v", due, ok)
	}
	ask, ok := b.Upkeep(noon)
	if !ok || len(ask.Wants) != 1 {
		t.Fatalf("%+v %v", ask, ok)
	}
	if want := ask.Wants[0]; want.Cents != 60_00 || want.Least != 50_00 {
		t.Errorf("wants %v, at least %v", want.Cents, want.Least)
	}
}
