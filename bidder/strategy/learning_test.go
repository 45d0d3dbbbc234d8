package strategy

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"leadbid/pingpost"

	"pgregory.net/rapid"
)

// TestWeekLearns shows a Week pings of a shape that its prior does not have.
func TestWeekLearns(t *testing.T) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	w := NewWeek([hoursOfWeek]float64{})
	now := time.Date(2026, 2, 23, 0, 0, 0, 0, zone) // two weeks that hold the change to summer time
	for end := now.AddDate(0, 0, 21); now.Before(end); {
		step := time.Hour
		if hour := now.Hour(); hour >= 8 && hour < 18 {
			step = 6 * time.Minute
			w.Note(now)
		} else {
			w.Watch(now)
		}
		now = now.Add(step)
	}
	monday := now
	day := w.Expect(monday, monday.AddDate(0, 0, 1))
	if math.Abs(day-100) > 10 {
		t.Errorf("a day is expected to bring %.1f pings; 100 came on each", day)
	}
	office := w.Expect(monday.Add(8*time.Hour), monday.Add(18*time.Hour))
	if office < 0.9*day {
		t.Errorf("%.1f of %.1f pings are expected in office hours; all came then", office, day)
	}
}

// TestExpectAddsUp cuts a time anywhere: its parts must expect what the whole does.
func TestExpectAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := TradeWeek(0)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for i := range w.Seen {
			w.Seen[i], w.Hours[i] = 10*r.Float64(), 3*r.Float64()
		}
		from := monday.Add(time.Duration(rapid.Int64Range(0, int64(7*24*time.Hour)).Draw(t, "from")))
		first := time.Duration(rapid.Int64Range(0, int64(40*24*time.Hour)).Draw(t, "first"))
		second := time.Duration(rapid.Int64Range(0, int64(40*24*time.Hour)).Draw(t, "second"))
		whole := w.Expect(from, from.Add(first+second))
		parts := w.Expect(from, from.Add(first)) + w.Expect(from.Add(first), from.Add(first+second))
		if math.Abs(whole-parts) > 1e-6*(1+whole) {
			t.Fatalf("%v pings in all, %v in two parts", whole, parts)
		}
		minutes := 0.0 // the naive way
		if first < 48*time.Hour {
			total := w.Total()
			for at := from; at.Before(from.Add(first)); at = at.Add(time.Minute) {
				share := min(from.Add(first).Sub(at).Minutes(), 1) / 60
				minutes += w.perHour(hourOfWeek(at), total) * share
			}
			if got := w.Expect(from, from.Add(first)); math.Abs(got-minutes) > 0.02*total/hoursOfWeek*10+0.01*minutes {
				t.Fatalf("%v pings, minute by minute %v", got, minutes)
			}
		}
	})
}

// TestSecondPriceIsKaplanMeier compares with the estimate in its textbook form, one price at a time,
// without a prior.
func TestSecondPriceIsKaplanMeier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Response
		type answer struct {
			cell int
			won  bool
		}
		var answers []answer
		for range rapid.IntRange(1, 60).Draw(t, "answers") {
			one := answer{rapid.IntRange(10, cells-1).Draw(t, "cell"), rapid.Bool().Draw(t, "won")}
			answers = append(answers, one)
			if ratio := edge(one.cell) * 1.001; one.won {
				r.NoteWon(1, ratio)
			} else {
				r.NoteLost(1, ratio)
			}
		}
		var y, none yield
		r.secondPrice(&y, &none, 0)
		alive := 1.0
		for cell := range cells {
			won, risk := 0.0, 0.0
			for _, one := range answers {
				if one.cell == cell && one.won {
					won++
				}
				if one.cell >= cell {
					risk++
				}
			}
			if risk > 0 {
				alive *= 1 - won/risk
			}
			if math.Abs(y.Leads[cell+1]-(1-alive)) > 1e-9 {
				t.Fatalf("up to cell %d: %v, by hand %v", cell, y.Leads[cell+1], 1-alive)
			}
		}
	})
}

// TestFitFindsTheCurve draws wins and losses from a curve and expects its shape back.
func TestFitFindsTheCurve(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	truth := logistic{A: -2.5 * math.Log(40), K: 2.5}
	var points []point
	for range 4000 {
		bid := 10 + 90*r.Float64()
		one := point{x: math.Log(bid), lost: 1}
		if r.Float64() < truth.chance(bid) {
			one.won, one.lost = 1, 0
		}
		points = append(points, one)
	}
	curve := fitLogistic(points, math.Log(60), responsePrior)
	for _, bid := range []float64{20, 40, 80} {
		if d := curve.chance(bid) - truth.chance(bid); math.Abs(d) > 0.03 {
			t.Errorf("at $%v the chance is %.3f, in truth %.3f", bid, curve.chance(bid), truth.chance(bid))
		}
	}
	if empty := fitLogistic(nil, math.Log(60), 4); math.Abs(empty.chance(60)-0.5) > 1e-6 || empty.K != slopeMean {
		t.Errorf("without data the curve is %+v", empty)
	}
}

// TestMeritBuysTheBestShare feeds leads of few kinds, many of them equal: the share that is bought is
// the one asked for, and no lead is bought while a better kind is left out.
func TestMeritBuysTheBestShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.Float64Range(0.05, 0.95).Draw(t, "share")
		kinds := rapid.IntRange(1, 5).Draw(t, "kinds")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		m := merit{Written: true}
		seen, bought := make([]float64, kinds), make([]float64, kinds)
		for i := range 4000 {
			kind := r.IntN(kinds)
			price := 10 * math.Pow(1.5, float64(kind))
			cell := meritCell(price)
			admitted := m.admits(cell, share)
			m.note(cell, price, price, share)
			if i < 1000 {
				continue
			}
			seen[kind]++
			if admitted {
				bought[kind]++
			}
		}
		all, got := 0.0, 0.0
		for kind := range kinds {
			all, got = all+seen[kind], got+bought[kind]
		}
		if math.Abs(got/all-share) > 0.05 {
			t.Fatalf("%.3f of the leads were bought, not %.3f", got/all, share)
		}
		for kind := range kinds - 1 {
			if bought[kind] > 0.1*seen[kind] && bought[kind+1] < 0.9*seen[kind+1] {
				t.Fatalf("leads were bought while better ones were left: %v of %v", bought, seen)
			}
		}
	})
}

// TestLargestFindsTheEdge holds the solver against steps.
func TestLargestFindsTheEdge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left := rapid.Float64Range(0, 120).Draw(t, "left")
		power := rapid.Float64Range(0.5, 3).Draw(t, "power")
		grows := func(x float64) float64 { return math.Pow(x, power) }
		got := largest(left, 0, 10, grows)
		if got < 10 && math.Abs(grows(got)-left) > grows(got+0.01)-grows(max(got-0.01, 0)) {
			t.Fatalf("at %v it is %v, not %v", got, grows(got), left)
		}
		if got == 10 && grows(10) > left {
			t.Fatal("more than is left")
		}
	})
}

// TestStormsAreNoWeek plays weeks of a peaked day, with something in them that is not usual, and asks
// what a week is expected to bring.
func TestStormsAreNoWeek(t *testing.T) {
	f := func(name string, weeks int, times func(week int, hour float64) float64, least, most float64) {
		t.Helper()
		w, usual := TradeWeek(0), 0.0
		for hour := range weeks * hoursOfWeek {
			now := monday.Add(time.Duration(hour) * time.Hour)
			rate := 4 + 30*math.Exp(-math.Pow(float64(hour%24)-17, 2)/8)
			if hour < hoursOfWeek {
				usual += rate
			}
			pings := int(rate * times(hour/hoursOfWeek, float64(hour%hoursOfWeek)))
			for i := range pings {
				w.Note(now.Add(time.Duration(i) * time.Hour / time.Duration(pings)))
			}
			w.Watch(now.Add(time.Hour - 1))
		}
		if got := w.Total() / usual; got < least || got > most {
			t.Errorf("%s: a week is expected to bring %.2f times the usual pings", name, got)
		}
	}
	once := func(week int, hour float64) bool { return week == 1 && hour > 60 && hour < 108 }
	f("nothing happens", 3, func(int, float64) float64 { return 1 }, 0.95, 1.05)
	f("a storm of two days, twenty times as much", 2, func(week int, hour float64) float64 {
		if once(week, hour) {
			return 20
		}
		return 1
	}, 0.95, 1.6)
	f("a storm in the first week", 1, func(_ int, hour float64) float64 {
		if hour > 100 && hour < 124 {
			return 20
		}
		return 1
	}, 0.95, 1.6)
	f("twenty times as much from the second week on", 3, func(week int, _ float64) float64 {
		if week > 0 {
			return 20
		}
		return 1
	}, 10, 20)
	f("twice as much from the second week on", 3, func(week int, _ float64) float64 {
		if week > 0 {
			return 2
		}
		return 1
	}, 1.6, 2)
}

// TestMoodSeesStorms: within a few minutes of its beginning a storm is seen, and so is its end.
func TestMoodSeesStorms(t *testing.T) {
	var m mood
	r := rand.New(rand.NewPCG(5, 6))
	play := func(pings int, times float64) (lowest, highest float64) {
		lowest = math.Inf(1)
		for range pings {
			m.note(r.ExpFloat64() / times)
			lowest, highest = min(lowest, m.factor()), max(highest, m.factor())
		}
		return lowest, highest
	}
	if lowest, highest := play(5000, 1); lowest < 0.7 || highest > 1.4 {
		t.Errorf("without a storm from %.2f to %.2f times the pings are counted on", lowest, highest)
	}
	play(100, 20)
	if now := m.factor(); now < 10 {
		t.Errorf("after 100 pings at twenty times the rate, %.2f times are counted on", now)
	}
	play(20, 1)
	if now := m.factor(); now > 2 {
		t.Errorf("20 pings after the storm, %.2f times are counted on", now)
	}
}

// TestSilentLinesAreNotSavedFor: an exchange that never sends a ping, or sends none any more, keeps no
// money from the others.
func TestSilentLinesAreNotSavedFor(t *testing.T) {
	setup := oneLine(Volume, Learned, pingpost.AuctionSecond, 300)
	silent := setup.Lines[0]
	silent.Exchange = "silent"
	setup.Lines = append(setup.Lines, silent)
	r := rand.New(rand.NewPCG(8, 9))
	tr := &trader{Desk: NewDesk(setup), budget: 300}
	for day := range 10 {
		start := monday.AddDate(0, 0, day)
		tr.day(start, dayOf(r, start, 20))
	}
	if size := tr.lines[1].Size; size > 10 {
		t.Errorf("an exchange that never sent a ping is counted on for %.0f a week", size)
	}
	l := &tr.lines[0]
	now := monday.AddDate(0, 0, 10)
	if alive := l.alive(now); alive < 0.99 {
		t.Errorf("after one night a line is counted on for %.2f", alive)
	}
	if alive := l.alive(now.AddDate(0, 0, 3)); alive > 0.6 {
		t.Errorf("three days after its last ping a line is counted on for %.2f", alive)
	}
}

// TestHourOfWeek holds it against the calendar.
func TestHourOfWeek(t *testing.T) {
	for _, name := range []string{"UTC", "America/Chicago", "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := time.Date(2026, 1, 1, 0, 17, 0, 0, time.UTC); at.Year() < 2028; at = at.Add(37 * time.Minute) {
			local := at.In(zone)
			if want := (int(local.Weekday())+6)%7*24 + local.Hour(); hourOfWeek(local) != want {
				t.Fatalf("%v is hour %d of the week, not %d", local, want, hourOfWeek(local))
			}
		}
	}
	if got := hourOfWeek(time.Date(1, 1, 1, 5, 0, 0, 0, time.UTC)); got != 5 {
		t.Errorf("the first Monday of all: %d", got)
	}
}
