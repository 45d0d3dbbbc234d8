package strategy

import (
	"slices"
	"time"

	"leadbid/pingpost"
)

const (
	// calendarDays is how far ahead work is taken on, today included: as long as the most patient
	// homeowner waits.
	calendarDays = 22

	// crewsEvery is how old the prices of crew hours may be; what is booked makes them too old at once.
	crewsEvery = time.Hour
)

// waits is how many days after today the work of each class of urgency may be done at the latest.
var waits = [...]int{0, 1, 7, 14, calendarDays - 1}

const waitClasses = len(waits)

// waitClass is the class of each urgency: this table says how long a homeowner waits. One who says
// nothing waits a week.
var waitClass = [...]uint8{
	pingpost.UrgencyEmergency: 0,
	pingpost.UrgencyASAP:      1,
	pingpost.UrgencyNone:      2, pingpost.UrgencyUnknown: 2, pingpost.UrgencyWeek: 2,
	pingpost.UrgencyTwoWeeks: 3,
	pingpost.UrgencyMonth:    4, pingpost.UrgencyThreeMonths: 4, pingpost.UrgencySixMonths: 4, pingpost.UrgencyYear: 4,
	pingpost.UrgencyLater: 4, pingpost.UrgencyFlexible: 4, pingpost.UrgencyPlanning: 4,
}

// WaitDays is how many days after today the work of an urgency may be done at the latest, as crews' hours are
// priced: 0 to 21.
func WaitDays(urgency pingpost.Urgency) int { return waits[waitClass[urgency]] }

// Crew is who does the work of some lines: so many hours on every day on which one of them is open.
type Crew struct {
	Name  string // its state is kept by it
	Hours float64
}

// CrewState is a crew's calendar.
type CrewState struct {
	Name     string            `json:"name"`
	First    int               `json:"first"` // the civil day of Days[0]
	Days     [calendarDays]day `json:"days"`
	Bookings []booking         `json:"bookings,omitempty"`
	Spread   float64           `json:"spread"` // the deviation of a full day's hours
	Solved   time.Time         `json:"solved,omitzero"`
	Stale    bool              `json:"stale,omitempty"`
}

// day is one day of a calendar: the hours that are expected to be worked for the leads bought, and
// what one more of them costs.
type day struct {
	load
	Leads int     `json:"leads"`
	Price float64 `json:"price"`
}

// load is the hours that leads come to: each becomes a job or not, so that only their mean and their
// variance are known.
type load struct {
	Mean     float64 `json:"mean"`
	Variance float64 `json:"variance"`
}

// booking is the time that one bought lead was given.
type booking struct {
	Run uint32 `json:"run"`
	Seq uint64 `json:"seq"`
	Day int    `json:"day"`
	load
}

// crew is one Crew with its calendar.
type crew struct {
	Crew
	CrewState
	works [7]bool // from Monday
	lines []int   // that it works for
}

// hireCrews gives each line its crew, and each crew its lines and the weekdays on which it works.
func (d *Desk) hireCrews() {
	for _, one := range d.setup.Crews {
		c := crew{Crew: one, CrewState: CrewState{Name: one.Name, Spread: one.Hours}}
		for at := range d.lines {
			l := &d.lines[at]
			if l.Crew != one.Name {
				continue
			}
			l.crew, c.lines = len(d.crews), append(c.lines, at)
			for weekday, works := range l.Open.worksOn() {
				c.works[weekday] = c.works[weekday] || works
			}
		}
		d.crews, d.hours = append(d.crews, c), &hoursPaper{}
	}
}

// loadOf is what a lead comes to that becomes a job of so many hours by chance.
func loadOf(hours, chance float64) load {
	return load{Mean: chance * hours, Variance: chance * (1 - chance) * hours * hours}
}

// fits says whether a day has room for one more lead: mean and one deviation of all that is booked
// stay within its hours. That is overbooking by the binomial tail: most leads become no job.
func (c *crew) fits(d *day, one load) bool {
	room := c.Hours - d.Mean - one.Mean
	return room >= 0 && d.Variance+one.Variance <= room*room
}

// takes is how much of a day's hours a lead uses up: those it is expected to need, and its part of
// the deviation that a full day has to leave free.
func (c *crew) takes(one load) float64 { return one.Mean + one.Variance/c.Spread }

// cheapest is the best day within a window that has room for a lead; ok is false where none has.
// Of equally dear days it is the one with most room, the earliest of those.
func (c *crew) cheapest(today int, class uint8, one load) (best int, price float64, ok bool) {
	room := 0.0
	for at := today; at <= today+waits[class]; at++ {
		i := at - c.First
		if !c.works[weekdayOf(at)] || i < 0 || i >= calendarDays {
			continue
		}
		d := &c.Days[i]
		if ok && (d.Price > price || d.Price == price && c.Hours-d.Mean <= room) || !c.fits(d, one) {
			continue
		}
		best, price, room, ok = at, d.Price, c.Hours-d.Mean, true
	}
	return best, price, ok
}

// add books a lead's hours, or takes them out again. Days that are over are left alone.
func (c *crew) add(at int, one load, leads int) {
	i := at - c.First
	if i < 0 || i >= calendarDays {
		return
	}
	d := &c.Days[i]
	d.Leads += leads
	d.Mean += float64(leads) * one.Mean
	d.Variance += float64(leads) * one.Variance
	if d.Leads <= 0 {
		d.Leads, d.load = 0, load{} // no sums of rounding errors
	}
}

// turn moves the calendar on to a day.
func (c *crew) turn(today int) {
	gone := today - c.First
	if c.First == 0 || gone >= calendarDays {
		gone = calendarDays
	}
	if gone <= 0 {
		return
	}
	copy(c.Days[:], c.Days[gone:])
	clear(c.Days[calendarDays-gone:])
	c.First, c.Stale = today, true
	c.Bookings = slices.DeleteFunc(c.Bookings, func(b booking) bool { return b.Day < today })
}

// day gives the civil day of an instant. It is asked for every ping, so the hour that it was worked
// out for last is remembered.
func (d *Desk) day(now time.Time) int {
	if now.Before(d.hour) || !now.Before(d.hourEnds) {
		local := now.In(d.setup.Zone)
		d.today, d.hour, d.hourEnds = civilDay(local), now, nextHour(local)
	}
	return d.today
}

// turn moves the calendars on.
func (d *Desk) turn(now time.Time) {
	for i := range d.crews {
		d.crews[i].turn(d.day(now))
	}
}

// schedule finds the time that the crew of a line would do a lead's work in, and its price.
func (d *Desk) schedule(l *line, ask *Ask, q *Quote) (cost float64, ok bool) {
	if l.crew < 0 {
		return 0, true
	}
	c := &d.crews[l.crew]
	one := loadOf(ask.Hours, ask.Chance)
	q.Hours = c.takes(one)
	q.day, q.HourPrice, ok = c.cheapest(d.day(ask.At), waitClass[ask.Urgency], one)
	if l.Pacing == Asap {
		q.HourPrice = 0
	}
	return q.HourPrice * q.Hours, ok
}

// Returned says that a lead which was won is given back, or withdrawn: its time is free again. run
// is that of the bid.
func (d *Desk) Returned(now time.Time, run uint32, seq uint64) {
	d.turn(now)
	for i := range d.crews {
		c := &d.crews[i]
		at := slices.IndexFunc(c.Bookings, func(b booking) bool { return b.Run == run && b.Seq == seq })
		if at < 0 {
			continue
		}
		c.add(c.Bookings[at].Day, c.Bookings[at].load, -1)
		c.Bookings, c.Stale = slices.Delete(c.Bookings, at, at+1), true
	}
}

// book keeps the time of an open bid for the lead that it won.
func (d *Desk) book(bid openBid) {
	if c := d.crewNamed(bid.Crew); c != nil && bid.Day >= c.First {
		c.Bookings = append(c.Bookings, booking{Run: d.setup.Run, Seq: bid.Seq, Day: bid.Day, load: bid.load})
		c.Stale = true
	}
}

// free gives back the time of an open bid that did not win.
func (d *Desk) free(bid openBid) {
	if c := d.crewNamed(bid.Crew); c != nil {
		c.add(bid.Day, bid.load, -1)
	}
}

func (d *Desk) crewNamed(name string) *crew {
	if name == "" {
		return nil
	}
	for i := range d.crews {
		if d.crews[i].Crew.Name == name {
			return &d.crews[i]
		}
	}
	return nil
}

// civilDay counts the days of the calendar on the wall, those of 23 and 25 hours like any other.
func civilDay(local time.Time) int {
	year, month, date := local.Date()
	return int(time.Date(year, month, date, 0, 0, 0, 0, time.UTC).Unix() / 86_400)
}

// weekdayOf is the weekday of a civil day, from Monday: the first one was a Thursday.
func weekdayOf(at int) int { return (at + 3) % 7 }

// worksOn tells on which weekdays, from Monday, a line is open.
func (h *Hours) worksOn() (works [7]bool) {
	for i, open := range h {
		works[i/24] = works[i/24] || open
	}
	return works
}
