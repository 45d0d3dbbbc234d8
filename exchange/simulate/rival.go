package simulate

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

// Rival is a buyer of the model.
type Rival struct {
	Name     string // the first segment of its address: "rival-07"
	Services []pingpost.Service

	Level       float64        // its appetite: a factor on every price it pays
	Spread      float64        // how widely its single bids scatter: sigma of their logarithm
	Tick        pingpost.Cents // its bids are whole multiples of it
	OfficeHours bool           // bids Monday to Friday, 9 to 17, on the lead's local clock only
	Shade       float64        // share of its value that it bids where the highest bid is paid
	DailyBudget pingpost.Cents // what it buys at most on one of its days
	RejectShare float64        // posts that it refuses
	Faults      Faults         // how it misbehaves; none by default
}

// RosterSettings say what rivals there are.
type RosterSettings struct {
	Seed   uint64
	Rivals int     // 1 to 200
	Trades []Trade // anchors of the prices; one at least

	LeadsPerDay float64 // leads that a mean rival's daily budget buys at its anchor price; above 0

	// Mean rivals beyond the first that want a ping, by how built-up its place is.
	Urban, Suburban, Rural float64

	Faults Faults // every rival's; a caller may change single ones before NewRivalServer
}

// DefaultRosterSettings is a market of 12 rivals for the default trades.
func DefaultRosterSettings(seed uint64) RosterSettings {
	return RosterSettings{
		Seed: seed, Rivals: 12, Trades: DefaultTrades(), LeadsPerDay: 40,
		Urban: 2.5, Suburban: 1, Rural: .4,
	}
}

// Roster is all rivals of a market. A bid is the model's
//
//	bid = round to tick( anchor * exp(Spread * N) * Level * hours * Shade )
//
// for those of 1 + Poisson(m) rivals who want the ping, m being larger where more people live. Where
// fewer trade in the service, all of them want it.
// Rivals must not be changed after the first question; from then on a Roster is safe for
// concurrent use.
type Roster struct {
	Rivals   []Rival
	settings RosterSettings

	// near keeps what a ZIP's neighbourhood is like: finding it out takes some 100 µs.
	near sync.Map // pingpost.ZIP -> neighbourhood
}

// NewRoster draws the rivals: six in ten bid in steps of five dollars, four in ten keep office
// hours, appetites are log-normal with sigma .35.
func NewRoster(settings RosterSettings) (*Roster, error) {
	switch {
	case settings.Rivals < 1 || settings.Rivals > 200:
		return nil, fmt.Errorf("simulate: %d rivals are asked for, and 1 to 200 are possible", settings.Rivals)
	case len(settings.Trades) == 0:
		return nil, fmt.Errorf("simulate: no trade is given: rivals would not know what to pay")
	case !(settings.LeadsPerDay > 0):
		return nil, fmt.Errorf("simulate: leads per day is %g, and must be above 0", settings.LeadsPerDay)
	case !(settings.Urban >= 0 && settings.Suburban >= 0 && settings.Rural >= 0):
		return nil, fmt.Errorf("simulate: a mean number of rivals is below 0")
	}
	if err := settings.Faults.check(); err != nil {
		return nil, err
	}
	roster := &Roster{settings: settings}
	for i := range settings.Rivals {
		roster.Rivals = append(roster.Rivals, newRival(&settings, i))
	}
	return roster, nil
}

// newRival draws one. It takes the trades in turn for its first one, so that every trade has a
// buyer as soon as there are as many rivals as trades; half of the rivals have a second trade.
func newRival(settings *RosterSettings, number int) Rival {
	random := chance(settings.Seed, "rival", int64(number))
	first := &settings.Trades[number%len(settings.Trades)]
	rival := Rival{
		Name:        fmt.Sprintf("rival-%02d", number+1),
		Services:    slices.Clone(first.Services),
		Level:       logNormal(random, .35),
		Spread:      .45,
		Tick:        1_00,
		OfficeHours: random.Float64() < .4,
		Shade:       between(random, .6, .9),
		RejectShare: between(random, .03, .10),
		Faults:      settings.Faults,
	}
	if random.Float64() < .6 {
		rival.Tick = 5_00
	}
	if second := pick(random, settings.Trades); random.Float64() < .5 {
		for _, service := range second.Services {
			if !slices.Contains(rival.Services, service) {
				rival.Services = append(rival.Services, service)
			}
		}
	}
	leads := settings.LeadsPerDay * between(random, .5, 1.5)
	rival.DailyBudget = pingpost.Cents(leads * float64(first.Anchor))
	return rival
}

// Bid is what a rival answers to a ping at an instant, when it has already spent so much on this
// day of its own. A bid of 0 has the reason. It depends on nothing else, so that a repeated ping
// gets the same bid as long as the money lasts.
func (m *Roster) Bid(
	rival int, now time.Time, ping *pingpost.Ping, spent pingpost.Cents,
) (pingpost.Cents, pingpost.Reason) {
	r := &m.Rivals[rival]
	trade := tradeOf(m.settings.Trades, ping)
	switch {
	case trade == nil || !slices.Contains(r.Services, ping.Service):
		return 0, pingpost.ServiceNotBought
	case !m.wants(rival, ping):
		// The model knows how many buyers are near a place, and not where each of them works.
		return 0, pingpost.OutsideArea
	case r.OfficeHours && !officeHours(now.In(m.around(ping.ZIP).zone)):
		return 0, pingpost.OutsideHours
	}
	dollars := trade.anchor(ping) * r.Level
	dollars *= math.Exp(r.Spread * chanceFor(m.settings.Seed, "bid", ping.ID, int64(rival)).NormFloat64())
	if ping.Auction == pingpost.AuctionFirst {
		dollars *= r.Shade
	}
	ticks := math.Max(1, math.Round(dollars*100/float64(r.Tick)))
	bid := pingpost.Cents(ticks) * r.Tick
	switch {
	case bid < ping.Floor:
		return 0, pingpost.BelowFloor
	case spent+bid > r.DailyBudget:
		return 0, pingpost.BudgetExhausted
	}
	return bid, pingpost.ReasonNone
}

// Rejects tells whether a rival refuses the post of a ping, and with what reason.
func (m *Roster) Rejects(rival int, pingID string) (pingpost.Reason, bool) {
	random := chanceFor(m.settings.Seed, "reject", pingID, int64(rival))
	if random.Float64() >= m.Rivals[rival].RejectShare {
		return pingpost.ReasonNone, false
	}
	return pick(random, []pingpost.Reason{pingpost.DuplicateLead, pingpost.RejectedByRule}), true
}

// wants draws how many rivals want the ping, 1 + Poisson(m), and tells whether this one is among
// them: those who trade in the service stand in an order drawn for the ping, and the first so
// many want it.
func (m *Roster) wants(rival int, ping *pingpost.Ping) bool {
	count := 1 + poisson(chanceFor(m.settings.Seed, "wanted", ping.ID), m.around(ping.ZIP).rivals)
	place, own := 0, m.rank(rival, ping.ID)
	for other := range m.Rivals {
		if other == rival || !slices.Contains(m.Rivals[other].Services, ping.Service) {
			continue
		}
		if rank := m.rank(other, ping.ID); rank < own || (rank == own && other < rival) {
			place++
		}
	}
	return place < count
}

func (m *Roster) rank(rival int, pingID string) uint64 {
	return keyed(m.settings.Seed, "rank", pingID, int64(rival))
}

// neighbourhood is what the model needs to know of a ZIP.
type neighbourhood struct {
	rivals float64 // mean number of rivals beyond the first
	zone   *time.Location
}

// around gives the neighbourhood of a ZIP. The model goes by people per square mile, which the ZIP
// table lacks; the stand-in is how many other ZIPs have their centroid within ten miles: 20 and
// more is urban, 6 and more suburban. A ZIP that the table lacks is rural, and on UTC.
func (m *Roster) around(zip pingpost.ZIP) neighbourhood {
	if known, ok := m.near.Load(zip); ok {
		return known.(neighbourhood)
	}
	n := neighbourhood{rivals: m.settings.Rural}
	inside, _ := zips.Within(zip, 10)
	switch others := len(inside) - 1; {
	case others >= 20:
		n.rivals = m.settings.Urban
	case others >= 6:
		n.rivals = m.settings.Suburban
	}
	place, _ := zips.Lookup(zip)
	zone, err := time.LoadLocation(place.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	n.zone = zone
	m.near.Store(zip, n)
	return n
}
