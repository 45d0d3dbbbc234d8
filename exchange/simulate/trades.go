package simulate

import (
	"slices"

	"leadbid/pingpost"
)

// Trade is one kind of work: how often homeowners ask for it and when, what it is worth to a
// contractor, and what buyers usually pay for such a lead.
type Trade struct {
	Name     string
	Services []pingpost.Service // of equal weight
	Jobs     []Weighted[pingpost.Job]
	Tasks    []string // free words below the service, of equal weight; may be empty

	Share  float64     // of all homeowners; shares are normalised
	Hours  [24]float64 // weight of each local hour; normalised to a mean of 1
	Months [12]float64 // weight of each month; normalised to a mean of 1
	Storm  float64     // how much of a storm's factor reaches this trade, 0 to 1
	Heat   bool        // heat waves and cold snaps multiply it
	Calm   bool        // less often urgent, except after a storm: roofing and remodelling

	Owners float64 // share of people who own the home

	Anchor          pingpost.Cents // what a buyer of middling appetite pays for an exclusive lead
	EmergencyAnchor pingpost.Cents // the same in an emergency; 0 means Anchor
	Close           float64        // jobs sold per exclusive lead
	Ticket          pingpost.Cents // revenue of a job
	Margin          float64        // share of the ticket that the contractor keeps before the lead's price
}

// The curves by local hour 0 to 23, per mille. They are drawn by eye between vendors' figures:
// roofing keeps office hours, plumbing has the longest night.
var (
	hvacHours       = [24]float64{7, 4, 3, 3, 8, 21, 44, 66, 72, 62, 51, 47, 49, 53, 58, 66, 74, 77, 72, 59, 43, 29, 18, 11}
	plumbingHours   = [24]float64{14, 10, 7, 7, 13, 31, 58, 75, 71, 57, 49, 49, 50, 49, 47, 47, 50, 57, 62, 60, 51, 39, 28, 20}
	electricalHours = [24]float64{3, 2, 2, 3, 6, 14, 29, 46, 59, 63, 61, 59, 59, 59, 59, 64, 74, 84, 86, 72, 49, 27, 12, 5}
	roofingHours    = [24]float64{3, 2, 2, 2, 3, 5, 11, 27, 54, 83, 99, 96, 84, 75, 68, 62, 56, 56, 62, 62, 47, 27, 11, 4}
	otherHours      = [24]float64{3, 2, 2, 2, 4, 10, 22, 43, 66, 82, 84, 77, 68, 63, 62, 64, 68, 71, 68, 57, 40, 24, 13, 6}
)

// The seasons, January first (assumed): heating in winter and cooling in summer, frozen pipes,
// roofs when it is dry, electricians all the year.
var (
	hvacMonths     = [12]float64{1.35, 1.15, .85, .7, .85, 1.3, 1.6, 1.4, .9, .75, .85, 1.2}
	plumbingMonths = [12]float64{1.2, 1.15, 1, .95, .95, 1, 1, 1, .95, .9, .95, 1.1}
	outdoorMonths  = [12]float64{.6, .65, .9, 1.1, 1.25, 1.3, 1.25, 1.2, 1.15, 1.1, .85, .65}
	evenMonths     = [12]float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
)

// weekdays weighs the days of the week from Sunday, as time.Weekday counts them. Sources disagree
// on Saturday; this is a compromise. It is normalised to a mean of 1.
var weekdays = [7]float64{.75, 1.15, 1.05, 1, 1, 1, .95}

// DefaultTrades is the usual mix of home services. Shares, anchors, close rates, tickets and
// margins are assumed, between published ranges.
func DefaultTrades() []Trade {
	return []Trade{
		{
			Name: "plumbing", Services: []pingpost.Service{pingpost.Plumbing},
			Jobs: []Weighted[pingpost.Job]{{pingpost.Repair, .72}, {pingpost.Replace, .14},
				{pingpost.Install, .1}, {pingpost.Maintain, .04}},
			Tasks: []string{"leak", "drain", "water_heater", "toilet", "pipe"},
			Share: .22, Hours: plumbingHours, Months: plumbingMonths, Storm: .15, Owners: .72,
			Anchor: 28_00, EmergencyAnchor: 45_00, Close: .30, Ticket: 650_00, Margin: .45,
		}, {
			Name: "hvac repair", Services: []pingpost.Service{pingpost.HVAC},
			Jobs:  []Weighted[pingpost.Job]{{pingpost.Repair, .74}, {pingpost.Maintain, .2}, {pingpost.Inspect, .06}},
			Tasks: []string{"ac", "furnace", "heat_pump", "thermostat"},
			Share: .20, Hours: hvacHours, Months: hvacMonths, Heat: true, Owners: .80,
			Anchor: 30_00, Close: .35, Ticket: 500_00, Margin: .5,
		}, {
			Name: "hvac replace", Services: []pingpost.Service{pingpost.HVAC},
			Jobs:  []Weighted[pingpost.Job]{{pingpost.Replace, .75}, {pingpost.Install, .25}},
			Tasks: []string{"ac", "furnace", "heat_pump"},
			Share: .08, Hours: hvacHours, Months: hvacMonths, Heat: true, Owners: .92,
			Anchor: 70_00, Close: .18, Ticket: 9_000_00, Margin: .32,
		}, {
			Name: "electrical", Services: []pingpost.Service{pingpost.Electrical},
			Jobs:  []Weighted[pingpost.Job]{{pingpost.Repair, .55}, {pingpost.Install, .35}, {pingpost.Inspect, .1}},
			Tasks: []string{"outlet", "panel", "lighting", "ev_charger"},
			Share: .12, Hours: electricalHours, Months: evenMonths, Owners: .75,
			Anchor: 26_00, Close: .30, Ticket: 600_00, Margin: .45,
		}, {
			Name: "roofing repair", Services: []pingpost.Service{pingpost.Roofing},
			Jobs:  []Weighted[pingpost.Job]{{pingpost.Repair, .85}, {pingpost.Inspect, .15}},
			Tasks: []string{"leak", "shingles", "flashing"},
			Share: .06, Hours: roofingHours, Months: outdoorMonths, Storm: 1, Calm: true, Owners: .90,
			Anchor: 35_00, Close: .25, Ticket: 1_200_00, Margin: .4,
		}, {
			Name: "roofing replace", Services: []pingpost.Service{pingpost.Roofing},
			Jobs:  []Weighted[pingpost.Job]{{pingpost.Replace, .9}, {pingpost.Install, .1}},
			Tasks: []string{"asphalt", "metal", "tile"},
			Share: .12, Hours: roofingHours, Months: outdoorMonths, Storm: 1, Calm: true, Owners: .96,
			Anchor: 85_00, Close: .11, Ticket: 13_000_00, Margin: .30,
		}, {
			Name: "exterior", Services: []pingpost.Service{pingpost.Windows, pingpost.Siding, pingpost.Gutters},
			Jobs:  []Weighted[pingpost.Job]{{pingpost.Replace, .6}, {pingpost.Install, .2}, {pingpost.Repair, .2}},
			Share: .10, Hours: otherHours, Months: outdoorMonths, Storm: .3, Calm: true, Owners: .93,
			Anchor: 55_00, Close: .12, Ticket: 7_000_00, Margin: .33,
		}, {
			Name: "tree", Services: []pingpost.Service{pingpost.Tree},
			Jobs:  []Weighted[pingpost.Job]{{pingpost.Maintain, .6}, {pingpost.Repair, .4}},
			Share: .03, Hours: otherHours, Months: outdoorMonths, Storm: .3, Owners: .88,
			Anchor: 18_00, Close: .30, Ticket: 350_00, Margin: .45,
		}, {
			Name: "other", Services: []pingpost.Service{pingpost.Pest, pingpost.GarageDoor, pingpost.Handyman},
			Jobs:  []Weighted[pingpost.Job]{{pingpost.Repair, .6}, {pingpost.Install, .25}, {pingpost.Maintain, .15}},
			Share: .07, Hours: otherHours, Months: evenMonths, Owners: .74,
			Anchor: 18_00, Close: .30, Ticket: 350_00, Margin: .45,
		},
	}
}

// maintenanceDiscount is what a routine visit is worth compared with a repair (assumed).
const maintenanceDiscount = .4

// sharedDiscount is the price of a shared lead compared with an exclusive one.
const sharedDiscount = .4

// anchor is what a buyer of middling appetite pays for this ping, exclusive or shared.
func (t *Trade) anchor(ping *pingpost.Ping) float64 {
	dollars := float64(t.Anchor) / 100
	if ping.Urgency == pingpost.UrgencyEmergency && t.EmergencyAnchor > 0 {
		dollars = float64(t.EmergencyAnchor) / 100
	}
	if ping.Job == pingpost.Maintain || ping.Job == pingpost.Inspect {
		dollars *= maintenanceDiscount
	}
	if !ping.Exclusive {
		dollars *= sharedDiscount
	}
	return dollars
}

// tradeOf finds the trade of a ping by service and job; of those that serve the service, the
// first where no job fits. It returns nil where no trade serves it.
func tradeOf(trades []Trade, ping *pingpost.Ping) *Trade {
	var nearest *Trade
	for i := range trades {
		trade := &trades[i]
		if !slices.Contains(trade.Services, ping.Service) {
			continue
		}
		for _, job := range trade.Jobs {
			if job.Is == ping.Job {
				return trade
			}
		}
		if nearest == nil {
			nearest = trade
		}
	}
	return nearest
}
