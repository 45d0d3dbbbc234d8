package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadbid/bidder/strategy"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

// TestOnlyChangesAreTold goes through a lead's life: open, taken for lost after a while, booked after
// all, its amount mended, and returned.
func TestOnlyChangesAreTold(t *testing.T) {
	const within = 60 * 24 * time.Hour
	bought := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	lead := store.Ended{LeadID: "a", At: bought, Service: pingpost.HVAC, Job: pingpost.Repair, ZIP: 60614, Source: "google-12"}
	var told taught
	f := func(what string, now time.Time, leads []store.Ended, want ...strategy.Evidence) {
		t.Helper()
		for i := range want {
			want[i].Known = now
			want[i].Segment = strategy.SegmentOf(pingpost.HVAC, pingpost.Repair, 60614, "google-12")
		}
		if diff := cmp.Diff(want, told.follow(leads, now, within)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	outcome := func(kind string, amount pingpost.Cents, at time.Time) store.Outcome {
		return store.Outcome{LeadID: "a", Kind: kind, Amount: amount, At: at, Known: at}
	}
	f("open", bought.Add(within-1), []store.Ended{lead})
	lead.Outcomes = []store.Outcome{outcome("quoted", 500_00, bought)}
	f("quoted", bought.Add(within-1), []store.Ended{lead})
	f("nothing for long", bought.Add(within), []store.Ended{lead}, strategy.Evidence{Leads: 1})
	f("again", bought.Add(within+1), []store.Ended{lead})
	later := bought.Add(within + time.Hour)
	lead.Outcomes = append(lead.Outcomes, outcome(store.Booked, 0, later))
	f("booked", later, []store.Ended{lead}, strategy.Evidence{Closed: 1})
	lead.Outcomes[1].Amount = 9000_00
	f("its amount", later, []store.Ended{lead}, strategy.Evidence{Jobs: 1, Dollars: 9000})
	lead.Outcomes[1].Amount = 8000_00
	f("mended", later, []store.Ended{lead}, strategy.Evidence{Dollars: -1000})
	lead.Outcomes = append(lead.Outcomes, outcome(store.Lost, 0, later.Add(time.Hour)))
	f("cancelled", later, []store.Ended{lead}, strategy.Evidence{Closed: -1, Jobs: -1, Dollars: -8000})
	f("returned", later, nil, strategy.Evidence{Leads: -1})

	lead.Source, lead.Outcomes = "312-555-0100", []store.Outcome{outcome(store.Lost, 0, bought)}
	if changed := told.follow([]store.Ended{lead}, later, within); len(changed) != 1 || changed[0].Source != "" {
		t.Errorf("a source that looks like a phone number is recorded: %+v", changed)
	}
}

// TestAcceptanceIsWarnedOfBefore: the warning comes while some posts may still be refused.
func TestAcceptanceIsWarnedOfBefore(t *testing.T) {
	f := func(accepted, refused int64, wanted float64, want string) {
		t.Helper()
		a := AcceptanceStatus{Accepted: accepted, Refused: refused, Wanted: wanted}
		if a.judge(); a.State != want {
			t.Errorf("%d of %d with %v wanted: %s, not %s", accepted, accepted+refused, wanted, a.State, want)
		}
	}
	f(0, 0, 0.9, AcceptanceFew)
	f(0, 19, 0.9, AcceptanceFew)
	f(0, 20, 0.9, AcceptanceBelow)
	f(0, 20, 0, AcceptanceGood)
	f(94, 6, 0.9, AcceptanceGood)
	f(93, 7, 0.9, AcceptanceNear)
	f(90, 10, 0.9, AcceptanceNear)
	f(89, 11, 0.9, AcceptanceBelow)
}
