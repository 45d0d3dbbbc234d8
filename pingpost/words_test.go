package pingpost

import (
	"fmt"
	"slices"
	"testing"
)

// vocabulary checks one closed list: every value has a word of its own that reads back, the list
// that messages show is complete, and nothing else is understood.
func vocabulary[W interface {
	~uint8
	fmt.Stringer
}](t *testing.T, end W, listed []string, parse func(string) (W, bool), parseBytes func([]byte) (W, bool)) {
	t.Helper()
	var words []string
	for value := W(1); value < end; value++ {
		word := value.String()
		words = append(words, word)
		got, ok := parse(word)
		fromBytes, bytesOK := parseBytes([]byte(word))
		if word == "" || !ok || !bytesOK || got != value || fromBytes != value {
			t.Errorf("%T %d: its word %q reads as %d, %v; of bytes as %d, %v",
				value, uint8(value), word, uint8(got), ok, uint8(fromBytes), bytesOK)
		}
	}
	if !slices.Equal(listed, words) {
		t.Errorf("%T: the list shows %q, the values are %q", end, listed, words)
	}
	if W(0).String() != "" {
		t.Errorf("%T: the zero value has the word %q", end, W(0).String())
	}
	for _, wrong := range []string{"", " ", "Roofing", "roof", "nonsense", words[0] + " ", words[0] + "\x00"} {
		if got, ok := parse(wrong); ok || got != 0 {
			t.Errorf("%T: %q reads as %d", end, wrong, uint8(got))
		}
	}
	listed[0] = "changed"
	if _, ok := parse(words[0]); !ok {
		t.Errorf("%T: changing the list that was handed out changes the vocabulary", end)
	}
}

func TestVocabularies(t *testing.T) {
	vocabulary(t, serviceEnd, ServiceWords(), ParseService[string], ParseService[[]byte])
	vocabulary(t, jobEnd, JobWords(), ParseJob[string], ParseJob[[]byte])
	vocabulary(t, urgencyEnd, UrgencyWords(), ParseUrgency[string], ParseUrgency[[]byte])
	vocabulary(t, propertyEnd, PropertyWords(), ParseProperty[string], ParseProperty[[]byte])
	vocabulary(t, auctionEnd, AuctionWords(), ParseAuction[string], ParseAuction[[]byte])
	vocabulary(t, outcomeEnd, OutcomeWords(), ParseOutcome[string], ParseOutcome[[]byte])
}

// TestWordsMeanWhatTheySay pins every value by hand: two words that changed places would pass every
// round trip.
func TestWordsMeanWhatTheySay(t *testing.T) {
	for _, pair := range []struct {
		value fmt.Stringer
		want  string
	}{
		{Roofing, "roofing"}, {HVAC, "hvac"}, {Plumbing, "plumbing"}, {Electrical, "electrical"},
		{Windows, "windows"}, {Siding, "siding"}, {Gutters, "gutters"}, {Solar, "solar"}, {Flooring, "flooring"},
		{Painting, "painting"}, {Bathroom, "bathroom"}, {Kitchen, "kitchen"}, {Landscaping, "landscaping"},
		{Tree, "tree"}, {Pest, "pest"}, {Fencing, "fencing"}, {Concrete, "concrete"}, {GarageDoor, "garage_door"},
		{Handyman, "handyman"}, {Cleaning, "cleaning"}, {Appliance, "appliance"}, {Insulation, "insulation"},
		{Locksmith, "locksmith"}, {Security, "security"}, {Restoration, "restoration"}, {Foundation, "foundation"},
		{WalkInTub, "walk_in_tub"}, {Moving, "moving"}, {ServiceOther, "other"},
		{Install, "install"}, {Replace, "replace"}, {Repair, "repair"}, {Maintain, "maintain"}, {Inspect, "inspect"},
		{JobEmergency, "emergency"}, {JobUnknown, "unknown"},
		{UrgencyEmergency, "emergency"}, {UrgencyASAP, "asap"}, {UrgencyWeek, "week"}, {UrgencyTwoWeeks, "two_weeks"},
		{UrgencyMonth, "month"}, {UrgencyThreeMonths, "three_months"}, {UrgencySixMonths, "six_months"},
		{UrgencyYear, "year"}, {UrgencyLater, "later"}, {UrgencyFlexible, "flexible"}, {UrgencyPlanning, "planning"},
		{UrgencyUnknown, "unknown"},
		{SingleFamily, "single_family"}, {MultiFamily, "multi_family"}, {Condo, "condo"}, {Townhome, "townhome"},
		{Duplex, "duplex"}, {Apartment, "apartment"}, {MobileHome, "mobile"}, {Commercial, "commercial"},
		{Residential, "residential"}, {PropertyUnknown, "unknown"},
		{AuctionFirst, "first"}, {AuctionSecond, "second"}, {AuctionFixed, "fixed"}, {AuctionUnknown, "unknown"},
		{OutcomeWon, "won"}, {OutcomeLost, "lost"}, {OutcomeReturned, "returned"}, {OutcomeVoided, "voided"},
		{Hour, "hour"}, {Day, "day"}, {Week, "week"}, {Month, "month"}, {Total, "total"},
	} {
		if got := pair.value.String(); got != pair.want {
			t.Errorf("%T %v has the word %q, want %q", pair.value, pair.value, got, pair.want)
		}
	}
}

func TestUrgencyDays(t *testing.T) {
	want := map[Urgency]int{UrgencyEmergency: 0, UrgencyASAP: 1, UrgencyWeek: 7, UrgencyTwoWeeks: 14,
		UrgencyMonth: 30, UrgencyThreeMonths: 90, UrgencySixMonths: 180, UrgencyYear: 365}
	for urgency := UrgencyNone; urgency < urgencyEnd; urgency++ {
		days, ok := urgency.Days()
		wantDays, wantOK := want[urgency]
		if days != wantDays || ok != wantOK {
			t.Errorf("%q.Days() = %d, %v; want %d, %v", urgency, days, ok, wantDays, wantOK)
		}
	}
}

func TestPeriods(t *testing.T) {
	periods := Periods()
	if len(periods) != int(NumPeriods) || !slices.IsSorted(periods) {
		t.Errorf("Periods() = %v", periods)
	}
	for _, period := range periods {
		if got, ok := ParsePeriod(period.String()); !ok || got != period {
			t.Errorf("%q reads as %v, %v", period, got, ok)
		}
	}
	if _, ok := ParsePeriod([]byte("year")); ok {
		t.Error("a year is read as a period")
	}
}

func TestTri(t *testing.T) {
	if TriOf(true) != Yes || TriOf(false) != No || Unknown != Tri(0) {
		t.Error("yes, no and unknown are mixed up")
	}
}

func TestParsingWordsDoesNotAllocate(t *testing.T) {
	word := []byte("walk_in_tub")
	if allocations := testing.AllocsPerRun(100, func() {
		if service, ok := ParseService(word); !ok || service != WalkInTub {
			t.Error("not read")
		}
	}); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
