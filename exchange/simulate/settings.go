package simulate

import (
	"errors"
	"fmt"
	"time"

	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

// Settings say which homeowners come, where and when. DefaultSettings fills all of it.
type Settings struct {
	Seed  uint64
	Start time.Time // the virtual instant at which the sequence begins

	PerDay float64 // homeowners on a mean day, before storms and duplicates: above 0, at most 10 million
	Metros []Metro // one at least
	Trades []Trade // one at least

	DayShape       float64 // shape of the gamma shock that all trades of a metro share in a day; at least 1
	StormsPerYear  float64 // hail storms per metro and year, from April to September
	SpellsPerYear  float64 // heat waves and cold snaps per metro and year
	DuplicateShare float64 // pings that bring back a homeowner through another source, 0 to 0.5

	Exclusive float64          // share of exclusive leads, 0 to 1; the others go to up to MaxSold buyers
	MaxSold   int              // buyers of a shared lead
	Auction   pingpost.Auction // what the pings say of the auction; AuctionNone says nothing
	Floor     pingpost.Cents   // the seller's floor in every ping; 0 for none
	TmaxMS    int              // milliseconds in which the pings ask for an answer; 0 says nothing
}

// Metro is a circle of ZIPs in which homeowners live.
type Metro struct {
	Center pingpost.ZIP
	Miles  float64
	Share  float64 // of all homeowners; shares are normalised
}

// DefaultSettings is a mean market of 2,000 homeowners a day within 25 miles of ZIP 60614 in
// Chicago.
func DefaultSettings(seed uint64, start time.Time) Settings {
	return Settings{
		Seed: seed, Start: start, PerDay: 2000,
		Metros:   []Metro{{Center: 60614, Miles: 25, Share: 1}},
		Trades:   DefaultTrades(),
		DayShape: 10, StormsPerYear: 8, SpellsPerYear: 6, DuplicateShare: .05,
		Exclusive: .6, MaxSold: 3,
	}
}

// check names everything that is wrong with the settings.
func (s *Settings) check() error {
	var faults []error
	fault := func(wrong bool, format string, values ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("simulate: "+format, values...))
		}
	}
	fault(!(s.PerDay > 0 && s.PerDay <= 10_000_000),
		"per day is %g, and must be above 0 and at most 10,000,000", s.PerDay)
	fault(len(s.Metros) == 0, "no metro is given: homeowners must live somewhere")
	fault(len(s.Trades) == 0, "no trade is given: homeowners must need something")
	fault(!(s.DayShape >= 1), "day shape is %g, and must be at least 1", s.DayShape)
	fault(!(s.StormsPerYear >= 0 && s.StormsPerYear <= 100),
		"storms per year is %g, and must be 0 to 100", s.StormsPerYear)
	fault(!(s.SpellsPerYear >= 0 && s.SpellsPerYear <= 50),
		"spells per year is %g, and must be 0 to 50", s.SpellsPerYear)
	fault(!(s.DuplicateShare >= 0 && s.DuplicateShare <= .5),
		"duplicate share is %g, and must be 0 to 0.5", s.DuplicateShare)
	fault(!(s.Exclusive >= 0 && s.Exclusive <= 1), "the exclusive share is %g, and must be 0 to 1", s.Exclusive)
	fault(s.Exclusive < 1 && s.MaxSold < 2, "a shared lead goes to %d buyers, and must go to 2 at least", s.MaxSold)
	for _, metro := range s.Metros {
		_, known := zips.Lookup(metro.Center)
		fault(!known, "ZIP %v, the centre of a metro, is not in the ZIP table", metro.Center)
		fault(!(metro.Miles >= 0 && metro.Miles <= 300),
			"the metro around %v reaches %g miles, and must reach 0 to 300", metro.Center, metro.Miles)
		fault(!(metro.Share > 0), "the metro around %v has share %g, and must have more than 0", metro.Center, metro.Share)
	}
	for _, trade := range s.Trades {
		fault(len(trade.Services) == 0 || len(trade.Jobs) == 0, "trade %q has no service or no job", trade.Name)
		fault(!(trade.Share > 0), "trade %q has share %g, and must have more than 0", trade.Name, trade.Share)
		fault(!(sum(trade.Hours[:]) > 0 && sum(trade.Months[:]) > 0),
			"trade %q never happens: its curve of hours or months is empty", trade.Name)
		fault(trade.Anchor <= 0, "trade %q has no anchor price", trade.Name)
	}
	return errors.Join(faults...)
}

func sum(values []float64) float64 {
	total := 0.0
	for _, value := range values {
		total += value
	}
	return total
}
