package strategy

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

var illinois = mustLoad("America/Chicago")

func mustLoad(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

// crewSetup is one line whose crew has 6 hours from Monday to Friday.
func crewSetup(objective Objective, pacing Pacing) Setup {
	setup := oneLine(objective, pacing, pingpost.AuctionSecond, 1e6)
	setup.Zone, setup.Run, setup.Lines[0].Crew = illinois, 1, "business"
	setup.Crews = []Crew{{Name: "business", Hours: 6}}
	for hour := range setup.Lines[0].Open {
		setup.Lines[0].Open[hour] = hour < 5*24
	}
	return setup
}

func jobAt(at time.Time, urgency pingpost.Urgency, hours, chance float64) Ask {
	return Ask{Most: 50, Worth: 90, At: at, Urgency: urgency, Hours: hours, Chance: chance}
}

// buy quotes, and wins where there is a bid.
func buy(d *Desk, seq uint64, ask Ask) Quote {
	d.Expire(ask.At)
	q := d.Quote(ask)
	d.Note(ask.At, ask, q)
	if q.Reason == pingpost.ReasonNone {
		d.Placed(seq, ask, q, q.Dollars, ask.At.Add(time.Minute))
		d.Won(ask.At, seq, 10)
	}
	return q
}

// TestCrewIsNeverOverbooked buys, loses, returns and restarts at random, and holds every day against
// the sums of what is booked for it.
func TestCrewIsNeverOverbooked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objective := Objective(rapid.IntRange(0, 2).Draw(t, "objective"))
		setup := crewSetup(objective, Pacing(rapid.IntRange(0, 2).Draw(t, "pacing")))
		d := NewDesk(setup)
		now := time.Date(2026, 3, 5, 9, 0, 0, 0, illinois) // the clocks change on the Sunday
		type kept struct {
			day  int
			load load
			won  bool
		}
		booked := map[uint64]kept{}
		for seq := range uint64(rapid.IntRange(1, 60).Draw(t, "pings")) {
			now = now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "minutes")) * time.Minute)
			ask := jobAt(now, pingpost.Urgency(rapid.IntRange(0, int(pingpost.UrgencyUnknown)).Draw(t, "urgency")),
				float64(rapid.IntRange(0, 80).Draw(t, "tenths"))/10, float64(rapid.IntRange(0, 10).Draw(t, "chance"))/10)
			today := civilDay(now)
			d.Expire(now)
			for seq, one := range booked {
				if !one.won {
					delete(booked, seq) // a minute is over, or it is dropped here
					d.Dropped(seq)
				}
			}
			q := d.Quote(ask)
			d.Note(now, ask, q)
			if q.Reason == pingpost.ReasonNone {
				wait := waits[waitClass[ask.Urgency]]
				if q.day < today || q.day > today+wait || weekdayOf(q.day) > 4 {
					t.Fatalf("on day %d %v is given day %d", today, ask.Urgency, q.day)
				}
				d.Placed(seq, ask, q, q.Dollars, now.Add(time.Minute))
				one := kept{q.day, loadOf(ask.Hours, ask.Chance), false}
				switch rapid.SampledFrom([]string{"won", "lost", "dropped", "open", "returned"}).Draw(t, "then") {
				case "won":
					d.Won(now, seq, 10)
					one.won = true
				case "lost":
					d.Lost(now, seq)
					one.load = load{}
				case "dropped":
					d.Dropped(seq)
					one.load = load{}
				case "returned":
					d.Won(now, seq, 10)
					d.Returned(now, 2, seq) // of another run: not this one
					d.Returned(now, 1, seq)
					one.load = load{}
				}
				booked[seq] = one
			}
			if rapid.IntRange(0, 9).Draw(t, "again") == 0 {
				d = Restore(setup, throughJSON(t, d.State()))
			}
			c := &d.crews[0]
			for i, have := range c.Days {
				var want load
				for _, one := range booked {
					if one.day == c.First+i {
						want.Mean, want.Variance = want.Mean+one.load.Mean, want.Variance+one.load.Variance
					}
				}
				if math.Abs(have.Mean-want.Mean) > 1e-9 || math.Abs(have.Variance-want.Variance) > 1e-9 {
					t.Fatalf("day %d has %+v, booked is %+v", c.First+i, have, want)
				}
				if have.Mean+math.Sqrt(max(have.Variance, 0)) > 6+1e-9 {
					t.Fatalf("day %d is overbooked: %+v", c.First+i, have)
				}
			}
		}
	})
}

func throughJSON(t interface{ Fatal(...any) }, s State) (again State) {
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	return again
}

// TestFullWindow fills today: whoever cannot wait is not bought, whoever can gets another day.
func TestFullWindow(t *testing.T) {
	for _, objective := range []Objective{AsWritten, Profit, Volume} {
		d := NewDesk(crewSetup(objective, Asap))
		friday := time.Date(2026, 3, 6, 10, 0, 0, 0, illinois)
		for seq := range uint64(3) {
			if q := buy(d, seq, jobAt(friday, pingpost.UrgencyEmergency, 2, 1)); q.Reason != pingpost.ReasonNone {
				t.Fatalf("%v: %d hours are booked, and 2 more do not fit: %v", objective, 2*seq, q.Reason)
			}
		}
		if q := d.Quote(jobAt(friday, pingpost.UrgencyEmergency, 0.1, 1)); q.Reason != pingpost.CapacityFull || q.Dollars != 0 {
			t.Errorf("%v: a full day is bought for: %+v", objective, q)
		}
		if q := d.Quote(jobAt(friday, pingpost.UrgencyASAP, 1, 1)); q.Reason != pingpost.CapacityFull {
			t.Errorf("%v: tomorrow is a Saturday, and it is worked: %+v", objective, q)
		}
		if q := d.Quote(jobAt(friday, pingpost.UrgencyWeek, 1, 1)); q.Reason != pingpost.ReasonNone || weekdayOf(q.day) > 4 || q.day == civilDay(friday) {
			t.Errorf("%v: the week has other days: %+v", objective, q)
		}
		d.Returned(friday, 1, 1)
		if q := d.Quote(jobAt(friday, pingpost.UrgencyEmergency, 2, 1)); q.Reason != pingpost.ReasonNone {
			t.Errorf("%v: a returned lead's hours are not free again: %+v", objective, q)
		}
	}
}

// TestDaysOfTheWall books across both changes of the clocks: midnight on the wall is where a day ends.
func TestDaysOfTheWall(t *testing.T) {
	for _, sunday := range []time.Time{time.Date(2026, 3, 8, 0, 0, 0, 0, illinois), time.Date(2026, 11, 1, 0, 0, 0, 0, illinois)} {
		setup := crewSetup(AsWritten, Asap)
		setup.Lines[0].Open = always()
		d := NewDesk(setup)
		last := time.Date(sunday.Year(), sunday.Month(), sunday.Day(), 23, 59, 59, 0, illinois)
		buy(d, 1, jobAt(sunday, pingpost.UrgencyEmergency, 6, 1))
		if q := d.Quote(jobAt(last, pingpost.UrgencyEmergency, 1, 1)); q.Reason != pingpost.CapacityFull {
			t.Errorf("%s is another day than %s", last, sunday)
		}
		monday := last.Add(time.Second)
		if q := d.Quote(jobAt(monday, pingpost.UrgencyEmergency, 6, 1)); q.Reason != pingpost.ReasonNone || q.day != civilDay(sunday)+1 {
			t.Errorf("%s is the same day as %s", monday, sunday)
		}
	}
}

// TestHoursHaveAPrice: an empty calendar costs nothing, and a full one buys only what is worth it.
func TestHoursHaveAPrice(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d := NewDesk(crewSetup(Profit, Learned))
	ask := jobAt(time.Date(2026, 3, 2, 8, 0, 0, 0, illinois), pingpost.UrgencyWeek, 2, 0.5)
	ask.Most = 90
	if q := buy(d, 1<<40, ask); q.Dollars != 90 || q.HourPrice != 0 {
		t.Fatalf("an empty calendar has a price: %+v", q)
	}
	// Ten times what the crew can do is asked for, at very different worth.
	for seq := range uint64(4000) {
		at := ask.At.AddDate(0, 0, int(seq/80)).Add(time.Duration(seq%80) * 10 * time.Minute)
		one := jobAt(at, pingpost.Urgency(1+r.IntN(4)), 1+r.Float64(), 0.5)
		one.Worth = 60 * math.Exp(r.NormFloat64())
		one.Most = one.Worth
		if weekday := at.Weekday(); weekday == time.Saturday || weekday == time.Sunday {
			continue
		}
		buy(d, seq, one)
	}
	at := ask.At.AddDate(0, 0, 52)
	d.Expire(at)
	for _, urgency := range []pingpost.Urgency{pingpost.UrgencyEmergency, pingpost.UrgencyWeek} {
		poor, good := jobAt(at, urgency, 0.5, 0.5), jobAt(at, urgency, 0.5, 0.5)
		poor.Worth, good.Worth, good.Most = 4, 150, 150
		if q := d.Quote(poor); q.Reason != pingpost.PacedOut || q.HourPrice == 0 {
			t.Errorf("%v: a poor lead is bought for a crew that has too much to do: %+v", urgency, q)
		}
		if q := d.Quote(good); q.Dollars == 0 || q.Dollars >= 150 {
			t.Errorf("%v: a good lead: %+v", urgency, q)
		}
	}
}

// TestCalendarGoesOn restores a Desk in the middle of its work, adopts other rules, and keeps what
// was booked over a restart, open bids apart.
func TestCalendarGoesOn(t *testing.T) {
	setup := crewSetup(Profit, Learned)
	whole, half := NewDesk(setup), NewDesk(setup)
	ask := func(n uint64) Ask {
		at := time.Date(2026, 3, 5, 8, 0, 0, 0, illinois).Add(time.Duration(n) * 17 * time.Minute)
		return jobAt(at, pingpost.Urgency(1+n%6), 1+float64(n%5), 0.3)
	}
	for n := range uint64(400) {
		if n == 200 {
			half = Restore(setup, throughJSON(t, half.State()))
		}
		if a, b := buy(whole, n, ask(n)), buy(half, n, ask(n)); a != b {
			t.Fatalf("quote %d is %+v, after a restore %+v", n, a, b)
		}
	}
	if !reflect.DeepEqual(whole.State().Crews, half.State().Crews) {
		t.Error("the calendars differ")
	}
	before := whole.State().Crews[0]
	q := whole.Quote(ask(401))
	whole.Placed(401, ask(401), q, 20, ask(401).At.Add(time.Minute))
	setup.Run = 2
	after := Restore(setup, throughJSON(t, whole.Checkpoint()))
	if got := after.State().Crews[0]; !reflect.DeepEqual(got.Bookings, before.Bookings) || len(got.Bookings) == 0 ||
		math.Abs(got.Days[1].Mean-before.Days[1].Mean) > 1e-9 {
		t.Errorf("after a restart the calendar is\n%+v\nbefore it was\n%+v", got, before)
	}
	one := before.Bookings[0]
	after.Returned(ask(402).At, one.Run, one.Seq)
	if got := after.State().Crews[0]; len(got.Bookings) != len(before.Bookings)-1 {
		t.Error("a lead of the former run was returned, and kept its hours")
	}
	setup.Lines[0].Crew, setup.Crews = "", nil
	if gone := whole.Adopt(setup).State().Crews; len(gone) > 0 {
		t.Error("rules without a crew have a calendar")
	}
}

func BenchmarkCrew(b *testing.B) {
	setup := crewSetup(Profit, Learned)
	setup.Lines[0].Open = always()
	d := NewDesk(setup)
	now := monday
	for seq := range uint64(2000) {
		now = now.Add(5 * time.Minute)
		buy(d, seq, jobAt(now, pingpost.Urgency(1+seq%6), 1+float64(seq%5), 0.3))
	}
	ask, seq := jobAt(now, pingpost.UrgencyFlexible, 2, 0.3), uint64(1<<40)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(9 * time.Second)
		ask.At = now
		seq++
		d.Expire(now)
		q := d.Quote(ask)
		d.Note(now, ask, q)
		if q.Reason == pingpost.ReasonNone {
			d.Placed(seq, ask, q, q.Dollars, now.Add(time.Minute))
			d.Lost(now, seq)
		}
	}
}

func BenchmarkSolveCrew(b *testing.B) {
	d := NewDesk(crewSetup(Profit, Learned))
	now := monday
	for seq := range uint64(2000) {
		now = now.Add(5 * time.Minute)
		buy(d, seq, jobAt(now, pingpost.Urgency(1+seq%6), 1+float64(seq%5), 0.3))
	}
	for b.Loop() {
		d.solveCrew(now.In(d.setup.Zone), &d.crews[0])
	}
}
