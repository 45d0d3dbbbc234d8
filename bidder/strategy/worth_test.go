package strategy

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

func evidence(service pingpost.Service, zip pingpost.ZIP, source string, leads, closed int) Evidence {
	return Evidence{Segment: SegmentOf(service, pingpost.Repair, zip, source), Leads: leads, Closed: closed, Known: monday}
}

// TestRatesAreShrunken holds the rates against numbers worked out by hand.
func TestRatesAreShrunken(t *testing.T) {
	d := NewDesk(Setup{Zone: time.UTC})
	prior := Rate{Close: 0.12, Job: 9000}
	f := func(zip pingpost.ZIP, source string, close, job float64, words string) {
		t.Helper()
		r := d.Rate(SegmentOf(pingpost.Roofing, pingpost.Repair, zip, source), prior)
		if math.Abs(r.Close-close) > 1e-9 || math.Abs(r.Job-job) > 1e-6 || r.String() != words {
			t.Errorf("%v %s: %v %v %q", zip, source, r.Close, r.Job, r)
		}
	}
	f(60614, "google-12", 0.12, 9000, "")
	e := evidence(pingpost.Roofing, 60614, "google-12", 30, 9)
	e.Jobs, e.Dollars = 10, 60_000
	d.Learn(monday, e)
	trade := (30*0.12 + 9) / 60
	place := (30*trade + 9) / 60
	source := (30*place + 9) / 60
	job := 9000.0
	for range 3 {
		job = (30*job + 60_000) / 40
	}
	f(60614, "google-12", source, job, "of 30 leads from google-12")
	f(60699, "google-12", source, job, "of 30 leads from google-12")
	f(60614, "other", place, (30*((30*9000.0+60_000)/40)+60_000)/40, "of 30 leads in ZIPs 606..")
	f(90210, "other", trade, (30*9000.0+60_000)/40, "of 30 leads of roofing repair")
	r := d.Rate(SegmentOf(pingpost.Roofing, pingpost.Install, 60614, "google-12"), prior)
	if r.Close != 0.12 || r.String() != "" {
		t.Errorf("another kind of job learned: %v %q", r.Close, r)
	}
}

// TestRatesConverge: with much history a rate is that of the lead's own source, whatever was expected.
func TestRatesConverge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sources := map[string]float64{"good": 0.30, "middling": 0.10, "bad": 0.02}
	for _, expected := range []float64{0.01, 0.12, 0.6} {
		d := NewDesk(Setup{Zone: time.UTC})
		for range 3000 {
			for _, source := range slices.Sorted(maps.Keys(sources)) { // so that each draws the same in every run
				closed := 0
				if r.Float64() < sources[source] {
					closed = 1
				}
				d.Learn(monday, evidence(pingpost.HVAC, pingpost.ZIP(60600+r.IntN(3)*100), source, 1, closed))
			}
		}
		for source, rate := range sources {
			got := d.Rate(SegmentOf(pingpost.HVAC, pingpost.Repair, 60614, source), Rate{Close: expected})
			if math.Abs(got.Close-rate) > 0.02 {
				t.Errorf("expected %v, %s: %v, not %v", expected, source, got.Close, rate)
			}
		}
	}
}

// TestNothingIsLearnedBeforeItIsKnown is what makes backtests honest: evidence that is known only
// after a quote changes neither the quote nor the state.
func TestNothingIsLearnedBeforeItIsKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := NewDesk(Setup{Zone: time.UTC})
		draw := func(known time.Time) Evidence {
			e := evidence(pingpost.HVAC, pingpost.ZIP(rapid.IntRange(0, 99_999).Draw(t, "zip")),
				rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "source"), rapid.IntRange(1, 9).Draw(t, "leads"), 1)
			e.Known = known
			return e
		}
		for range rapid.IntRange(0, 5).Draw(t, "known") {
			if !d.Learn(monday, draw(monday.Add(-time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "ago"))))) {
				t.Fatal("what is known was not learned from")
			}
		}
		before := d.State()
		for range rapid.IntRange(1, 5).Draw(t, "later") {
			if d.Learn(monday, draw(monday.Add(time.Duration(rapid.Int64Range(1, 1e15).Draw(t, "in"))))) {
				t.Fatal("what is known later was learned from")
			}
		}
		if after := d.State(); !reflect.DeepEqual(before, after) {
			t.Fatalf("%+v\n%+v", before, after)
		}
	})
}

// TestEvidenceIsTakenBack: a lead that was taken for lost and then becomes a job leaves no trace of
// the first opinion.
func TestEvidenceIsTakenBack(t *testing.T) {
	d := NewDesk(Setup{Zone: time.UTC})
	d.Learn(monday, evidence(pingpost.HVAC, 60614, "a", 1, 0))
	d.Learn(monday, evidence(pingpost.HVAC, 60614, "a", 0, 1))
	if leads, closed := d.Learned(); leads != 1 || closed != 1 {
		t.Errorf("%d leads, %d closed", leads, closed)
	}
	d.Learn(monday, evidence(pingpost.HVAC, 60614, "a", -1, -1))
	if s := d.State().Worths; !reflect.DeepEqual(s, Worths{}) {
		t.Errorf("%+v", s)
	}
}

// TestTheRarestIsForgotten fills the memory of sources: it stays bounded, keeps those with much
// history, and comes back from its state the same.
func TestTheRarestIsForgotten(t *testing.T) {
	d := NewDesk(Setup{Zone: time.UTC})
	d.Learn(monday, evidence(pingpost.HVAC, 60614, "often", 50, 5))
	for i := range mostGroups + 500 {
		d.Learn(monday, evidence(pingpost.HVAC, 60614, fmt.Sprint("s", i), 1, 0))
	}
	s := d.State()
	if n := len(s.Worths.Sources); n != mostGroups {
		t.Errorf("%d sources are remembered", n)
	}
	if r := d.Rate(SegmentOf(pingpost.HVAC, pingpost.Repair, 60614, "often"), Rate{}); r.leads != 50 {
		t.Errorf("%v", r)
	}
	if again := Restore(d.setup, s).State(); !reflect.DeepEqual(s.Worths, again.Worths) {
		t.Error("the state comes back as another")
	}
	if n := testing.AllocsPerRun(100, func() {
		d.Rate(SegmentOf(pingpost.HVAC, pingpost.Repair, 60614, "often"), Rate{})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
