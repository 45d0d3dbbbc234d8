package server

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"leadbid/bidder/strategy"
	"leadbid/budget"
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

// TestRefusalsAreWarnedOf refuses more and more of what was won: the warning comes before the share falls
// below what the exchange wants, once for each state, and only our own refusals count.
func TestRefusalsAreWarnedOf(t *testing.T) {
	servers, books, wait := quietServers(t, strings.Replace(returnsConfiguration, "returns: {within: 72h}",
		"guard: {accept_rate: 90%}", 1), 1)
	var log bytes.Buffer
	s := servers[0]
	s.log = zerolog.New(&log)
	b := &buyer{t: t, s: s, books: books, wait: wait}
	refuse := func(name string, reason pingpost.Reason) {
		t.Helper()
		post := store.Post{At: s.clock.now(), Charge: budget.Charge{Exchange: "north", PingID: name, BidID: name, Refuse: reason}}
		if _, err := books.Post(t.Context(), post); err != nil {
			t.Fatal(err)
		}
	}
	told := map[string]string{}
	look := func(state string, warned bool) {
		t.Helper()
		list, err := s.acceptance(t.Context())
		if err != nil || len(list) != 1 || list[0].State != state || list[0].Exchange != "north" {
			t.Fatalf("%+v, %v; not %s", list, err, state)
		}
		log.Reset()
		if s.tellAcceptance(list, told); strings.Contains(log.String(), "warn") != warned {
			t.Errorf("%s: logged %s", state, log.String())
		}
	}
	for range 18 {
		if reason, _ := b.buy("north", pingpost.HVAC); reason != pingpost.ReasonNone {
			t.Fatal(reason)
		}
		wait(time.Second)
	}
	refuse("late-1", pingpost.BidExpired)
	refuse("late-2", pingpost.PriceMismatch)
	refuse("own-1", pingpost.RejectedByRule)
	look(AcceptanceFew, false)
	refuse("own-2", pingpost.DuplicateLead)
	look(AcceptanceNear, true)
	look(AcceptanceNear, false)
	refuse("own-3", pingpost.RejectedByRule)
	look(AcceptanceBelow, true)
	wait(acceptanceSpan / 2)
	look(AcceptanceBelow, false)
	for range 30 {
		if reason, _ := b.buy("north", pingpost.HVAC); reason != pingpost.ReasonNone {
			t.Fatal(reason)
		}
		wait(time.Second)
	}
	look(AcceptanceGood, false)
	wait(acceptanceSpan)
	if list, err := s.acceptance(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
