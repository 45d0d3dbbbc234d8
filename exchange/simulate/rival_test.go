package simulate_test

import (
	"strings"
	"testing"
	"time"

	"leadbid/exchange/simulate"
	"leadbid/pingpost"
)

func newRoster(t *testing.T, change func(*simulate.RosterSettings)) *simulate.Roster {
	t.Helper()
	settings := simulate.DefaultRosterSettings(1)
	if change != nil {
		change(&settings)
	}
	roster, err := simulate.NewRoster(settings)
	if err != nil {
		t.Fatal(err)
	}
	return roster
}

// The best rival bid of a ping scatters as the best bids of real markets do: with a standard
// deviation of .5 to .9 of their mean.
func TestTheBestBidsScatterAsInRealMarkets(t *testing.T) {
	roster := newRoster(t, func(settings *simulate.RosterSettings) { settings.Rivals = 40 })
	settings := simulate.DefaultSettings(1, monday)
	settings.Auction, settings.Exclusive = pingpost.AuctionFirst, 1
	var best []float64
	bidders, wanted := 0.0, 0.0
	for _, homeowner := range newGenerator(t, settings).Take(4000) {
		highest, eligible := pingpost.Cents(0), 0
		for i := range roster.Rivals {
			bid, reason := roster.Bid(i, homeowner.At, &homeowner.Ping, 0)
			if (bid > 0) != (reason == pingpost.ReasonNone) {
				t.Fatalf("a bid of %v with reason %v", bid, reason)
			}
			if reason == pingpost.ReasonNone || reason == pingpost.OutsideHours {
				eligible++
			}
			highest = max(highest, bid)
		}
		wanted++
		bidders += float64(eligible)
		if eligible < 1 {
			t.Fatal("a ping that no rival wants")
		}
		if highest > 0 {
			best = append(best, float64(highest)/100)
		}
	}
	mean, cv := moments(best)
	if cv < .5 || cv > .9 {
		t.Errorf("best bids: mean $%.2f, cv %.2f, expected .5 to .9", mean, cv)
	}
	// 1 + 2.5 in a city; services that few rivals trade in hold the mean down.
	if got := bidders / wanted; got < 2.5 || got > 3.6 {
		t.Errorf("%.2f rivals want a ping, expected near 3.3", got)
	}
}

func TestARivalsBid(t *testing.T) {
	roster := newRoster(t, func(settings *simulate.RosterSettings) {
		settings.Rivals, settings.Urban = 1, 0
		settings.Trades = settings.Trades[:1] // plumbing
	})
	rival := &roster.Rivals[0]
	rival.OfficeHours, rival.Shade, rival.DailyBudget, rival.Tick = false, .5, 500_00, 1_00
	noon := time.Date(2026, time.June, 1, 17, 0, 0, 0, time.UTC)
	ping := pingpost.Ping{ID: "p", Service: pingpost.Plumbing, Job: pingpost.Repair, ZIP: 60614, Exclusive: true}
	bid := func(at time.Time, spent pingpost.Cents, change func(*pingpost.Ping)) (pingpost.Cents, pingpost.Reason) {
		changed := ping
		if change != nil {
			change(&changed)
		}
		return roster.Bid(0, at, &changed, spent)
	}
	plain, reason := bid(noon, 0, nil)
	if reason != pingpost.ReasonNone || plain%1_00 != 0 || plain < 5_00 || plain > 150_00 {
		t.Fatalf("a plain bid is %v, %v", plain, reason)
	}
	if again, _ := bid(noon.Add(time.Hour), 0, nil); again != plain {
		t.Errorf("the same ping gets %v, then %v", plain, again)
	}
	ratio := func(what string, want float64, change func(*pingpost.Ping)) {
		t.Helper()
		changed, _ := bid(noon, 0, change)
		near(t, what, float64(changed)/float64(plain), want, .1)
	}
	ratio("an emergency", 45.0/28, func(p *pingpost.Ping) { p.Urgency = pingpost.UrgencyEmergency })
	ratio("a shared lead", .4, func(p *pingpost.Ping) { p.Exclusive = false })
	ratio("maintenance", .4, func(p *pingpost.Ping) { p.Job = pingpost.Maintain })
	ratio("a first-price auction", .5, func(p *pingpost.Ping) { p.Auction = pingpost.AuctionFirst })
	ratio("a second-price auction", 1, func(p *pingpost.Ping) { p.Auction = pingpost.AuctionSecond })

	refused := func(want pingpost.Reason, at time.Time, spent pingpost.Cents, change func(*pingpost.Ping)) {
		t.Helper()
		if price, reason := bid(at, spent, change); price != 0 || reason != want {
			t.Errorf("bid %v, reason %v; expected %v", price, reason, want)
		}
	}
	refused(pingpost.ServiceNotBought, noon, 0, func(p *pingpost.Ping) { p.Service = pingpost.Solar })
	refused(pingpost.BelowFloor, noon, 0, func(p *pingpost.Ping) { p.Floor = plain + 1 })
	refused(pingpost.BudgetExhausted, noon, 500_00-plain+1, nil)
	if price, _ := bid(noon, 500_00-plain, nil); price != plain {
		t.Error("the last of the budget is not spent")
	}
	rival.Tick = 5_00
	if price, _ := bid(noon, 0, nil); price%5_00 != 0 {
		t.Errorf("a bid of %v is off the five-dollar ticks", price)
	}
	rival.OfficeHours = true
	refused(pingpost.OutsideHours, noon.Add(6*time.Hour), 0, nil)
	refused(pingpost.OutsideHours, noon.Add(-24*time.Hour), 0, nil)
	// 16:30 in Chicago is 14:30 in Los Angeles, and 22:30 UTC.
	late := time.Date(2026, time.June, 1, 22, 30, 0, 0, time.UTC)
	refused(pingpost.OutsideHours, late, 0, nil)
	if _, reason := bid(late, 0, func(p *pingpost.Ping) { p.ZIP = 90012 }); reason != pingpost.ReasonNone {
		t.Errorf("office hours in Los Angeles: %v", reason)
	}
}

func TestRostersAreChecked(t *testing.T) {
	f := func(wanted string, change func(*simulate.RosterSettings)) {
		t.Helper()
		settings := simulate.DefaultRosterSettings(1)
		change(&settings)
		if _, err := simulate.NewRoster(settings); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%v, expected a fault with %q", err, wanted)
		}
	}
	f("0 rivals", func(s *simulate.RosterSettings) { s.Rivals = 0 })
	f("no trade", func(s *simulate.RosterSettings) { s.Trades = nil })
	f("leads per day", func(s *simulate.RosterSettings) { s.LeadsPerDay = 0 })
	f("below 0", func(s *simulate.RosterSettings) { s.Rural = -1 })
	f("hanging pings", func(s *simulate.RosterSettings) { s.Faults.HangPings = 2 })
	f("a delay above 0", func(s *simulate.RosterSettings) { s.Faults.SlowPings = .1 })
}
