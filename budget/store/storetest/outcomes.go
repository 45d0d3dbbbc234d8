package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadbid/budget/store"
	"leadbid/pingpost"
)

func testOutcomes(t *testing.T, b *bench) {
	ctx, plan := context.Background(), planOf(cents(pingpost.Day, 100_00))
	var posts []store.Post
	var bought []time.Time
	for range 6 {
		p := b.post(plan, 0, 10_00)
		p.Lead.Service, p.Lead.Job, p.Lead.ZIP, p.Source = pingpost.HVAC, pingpost.Repair, 60614, "google-12"
		b.accepted(p)
		posts, bought = append(posts, p), append(bought, p.At)
		b.wait(time.Minute)
	}
	note := func(want store.OutcomeAnswer, o store.Outcome) {
		t.Helper()
		o.Told = b.clock()
		answers, err := b.s.Outcomes(ctx, []store.Outcome{o})
		b.must(err)
		if diff := cmp.Diff([]store.OutcomeAnswer{want}, answers); diff != "" {
			t.Errorf("%+v: %s", o, diff)
		}
	}
	ended := func(known time.Time, want ...string) (list []store.Ended) {
		t.Helper()
		list, err := b.s.Ended(ctx, known, 100)
		b.must(err)
		var got []string
		for _, e := range list {
			words := e.LeadID
			for _, o := range e.Outcomes {
				words += " " + o.Kind
			}
			got = append(got, words)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("known at %v: %s", known, diff)
		}
		return list
	}
	ended(b.clock())
	note(store.OutcomeAnswer{}, store.Outcome{LeadID: "nobody", Kind: store.Booked})
	note(store.OutcomeAnswer{}, store.Outcome{Kind: store.Booked})
	note(store.OutcomeAnswer{}, store.Outcome{LeadID: "a\x00", Kind: store.Booked})
	note(store.OutcomeAnswer{}, store.Outcome{LeadID: "\xff", Kind: store.Booked})
	note(store.OutcomeAnswer{}, store.Outcome{PingID: posts[1].Charge.PingID, Exchange: "south", Kind: store.Booked})

	// By lead, bid and ping; with its known time, so long after it happened, and when it was told.
	now := b.clock()
	note(store.OutcomeAnswer{LeadID: posts[1].LeadID}, store.Outcome{LeadID: posts[1].LeadID, Kind: "contacted", Known: now.Add(-time.Second)})
	note(store.OutcomeAnswer{LeadID: posts[1].LeadID}, store.Outcome{BidID: posts[1].Charge.BidID, Kind: store.Booked,
		Amount: 9000_00, At: bought[1].Add(time.Second), KnownAfter: 2 * time.Second})
	note(store.OutcomeAnswer{LeadID: posts[3].LeadID}, store.Outcome{PingID: posts[3].Charge.PingID, Exchange: "north", Kind: store.Lost, KnownAfter: 365 * 24 * time.Hour})
	note(store.OutcomeAnswer{LeadID: posts[4].LeadID}, store.Outcome{LeadID: posts[4].LeadID, Kind: store.Booked, Known: now.Add(time.Hour)})
	none := []string(nil)
	ended(bought[1].Add(3*time.Second-time.Millisecond), none...)
	ended(bought[1].Add(3*time.Second), posts[1].LeadID+" booked")
	list := ended(now, posts[3].LeadID+" lost", posts[2].LeadID, posts[1].LeadID+" contacted booked")
	want := store.Ended{LeadID: posts[1].LeadID, At: bought[1], Service: pingpost.HVAC, Job: pingpost.Repair, ZIP: 60614, Source: "google-12",
		Outcomes: []store.Outcome{
			{LeadID: posts[1].LeadID, Kind: "contacted", Known: now.Add(-time.Second)},
			{LeadID: posts[1].LeadID, Kind: store.Booked, Amount: 9000_00, At: bought[1].Add(time.Second), Known: bought[1].Add(3 * time.Second)},
		}}
	if diff := cmp.Diff(want, list[2]); diff != "" {
		t.Error(diff)
	}
	ended(now.Add(time.Hour), posts[4].LeadID+" booked", posts[3].LeadID+" lost", posts[2].LeadID, posts[1].LeadID+" contacted booked")

	// Told again it changes nothing; told otherwise it is mended, and known from then on.
	b.wait(time.Minute)
	booked := store.Outcome{LeadID: posts[1].LeadID, Kind: store.Booked, Amount: 9000_00, At: bought[1].Add(time.Second)}
	note(store.OutcomeAnswer{LeadID: posts[1].LeadID, Repeat: true}, booked)
	booked.Amount, booked.Known = 8000_00, b.clock()
	note(store.OutcomeAnswer{LeadID: posts[1].LeadID}, booked)
	ended(b.clock().Add(-time.Millisecond), posts[3].LeadID+" lost", posts[2].LeadID, posts[1].LeadID+" contacted")
	if list := ended(b.clock(), posts[3].LeadID+" lost", posts[2].LeadID, posts[1].LeadID+" contacted booked"); list[2].Outcomes[1].Amount != 8000_00 {
		t.Errorf("%+v", list[2])
	}

	// A returned lead cost nothing, and teaches nothing.
	b.credit(posts[2], pingpost.OutcomeReturned)
	ended(b.clock(), posts[3].LeadID+" lost", posts[1].LeadID+" contacted booked")
	if list, err := b.s.Ended(ctx, b.clock(), 1); err != nil || len(list) != 1 || list[0].LeadID != posts[3].LeadID {
		t.Errorf("%+v, %v", list, err)
	}
	for _, wrong := range []store.Outcome{{LeadID: "x", Kind: "won", Told: now}, {LeadID: "x", Kind: store.Booked},
		{LeadID: "x", Kind: store.Booked, Amount: -1, Told: now}} {
		if _, err := b.s.Outcomes(ctx, []store.Outcome{wrong}); err == nil {
			t.Errorf("taken: %+v", wrong)
		}
	}
	b.verify()
}

func posted(reason pingpost.Reason, posts int64) store.Posted {
	return store.Posted{Exchange: "north", Reason: reason, Posts: posts}
}

func testPosted(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	refuse := func(reason pingpost.Reason) {
		t.Helper()
		p := b.post(plan, 0, 10_00)
		p.Charge.Refuse = reason
		if _, err := b.s.Post(context.Background(), p); err != nil {
			t.Fatal(err)
		}
	}
	b.accepted(b.post(plan, 0, 10_00))
	b.wait(time.Hour)
	since := b.clock()
	b.accepted(b.post(plan, 0, 10_00))
	b.accepted(b.post(plan, 0, 10_00))
	refuse(pingpost.RejectedByRule)
	refuse(pingpost.RejectedByRule)
	refuse(pingpost.BidExpired)
	b.credit(b.post(plan, 0, 10_00), pingpost.OutcomeVoided) // was never posted
	for _, c := range []struct {
		since time.Time
		want  []store.Posted
	}{
		{since, []store.Posted{posted(0, 2), posted(pingpost.BidExpired, 1), posted(pingpost.RejectedByRule, 2)}},
		{since.Add(-time.Minute - time.Hour), []store.Posted{posted(0, 3), posted(pingpost.BidExpired, 1), posted(pingpost.RejectedByRule, 2)}},
		{since.Add(time.Hour), nil},
	} {
		got, err := b.s.Posted(context.Background(), c.since)
		b.must(err)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Error(diff)
		}
	}
}
