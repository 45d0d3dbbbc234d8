package storetest

import (
	"context"
	"testing"
	"time"

	"leadbid/budget/store"
	"leadbid/pingpost"
)

func testDisputes(t *testing.T, b *bench) {
	plan := planOf(cents(pingpost.Day, 100_00))
	var posts []store.Post
	for range 4 {
		posts = append(posts, b.post(plan, 0, 10_00))
		b.accepted(posts[len(posts)-1])
		b.wait(time.Second)
	}
	dispute := func(lead, reason string) (store.Lead, bool) {
		t.Helper()
		found, ok, err := b.s.Dispute(context.Background(), store.Dispute{LeadID: lead, At: b.clock(), Reason: reason, Note: reason + " indeed"})
		b.must(err)
		return found, ok
	}
	returnable := func(want ...string) {
		t.Helper()
		leads, err := b.s.Leads(context.Background(), store.LeadFilter{Returnable: true})
		b.must(err)
		var got []string
		for _, lead := range leads {
			got = append(got, lead.ID)
		}
		if len(got) != len(want) {
			t.Errorf("%q are to be returned, not %q", got, want)
			return
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q are to be returned, not %q", got, want)
			}
		}
	}
	returnable()
	if _, found := dispute("nobody", "bad_phone"); found {
		t.Error("a lead that nobody bought was found")
	}
	first := b.clock()
	if lead, found := dispute(posts[0].LeadID, "bad_phone"); !found || lead.Dispute.Reason != "bad_phone" ||
		lead.Dispute.Note != "bad_phone indeed" || !lead.Dispute.At.Equal(first) || lead.ID != posts[0].LeadID {
		t.Errorf("%+v", lead)
	}
	b.wait(time.Hour)
	if lead, _ := dispute(posts[0].LeadID, "wrong_person"); lead.Dispute.Reason != "wrong_person" || !lead.Dispute.At.Equal(first) {
		t.Errorf("disputed again: %+v", lead.Dispute)
	}
	dispute(posts[2].LeadID, "duplicate")
	returnable(posts[2].LeadID, posts[0].LeadID)

	// A lead of which one target of two is given up has reached somebody; with both it has not.
	dead := func(lead string, target int) {
		b.must(b.s.Attempted(context.Background(), store.Attempt{ID: lead + []string{"-1", "-2"}[target], At: b.clock(), Dead: true, Error: "gone"}))
	}
	dead(posts[3].LeadID, 0)
	returnable(posts[2].LeadID, posts[0].LeadID)
	dead(posts[3].LeadID, 1)
	returnable(posts[3].LeadID, posts[2].LeadID, posts[0].LeadID)

	counts := func(disputed int64) {
		t.Helper()
		if c, err := b.s.Counts(context.Background()); err != nil || c.Disputed != disputed {
			t.Errorf("%d are disputed, not %d; %v", c.Disputed, disputed, err)
		}
	}
	counts(2)
	b.credit(posts[0], pingpost.OutcomeReturned)
	b.credit(posts[3], pingpost.OutcomeReturned)
	returnable(posts[2].LeadID)
	counts(1)
	if leads, err := b.s.Leads(context.Background(), store.LeadFilter{}); err != nil {
		t.Error(err)
	} else {
		for _, lead := range leads {
			if lead.Returned == lead.ReturnedAt.IsZero() || lead.Returned && lead.ReturnedAt.Before(lead.At) {
				t.Errorf("returned %v, at %v", lead.Returned, lead.ReturnedAt)
			}
		}
	}
	if lead, found := dispute(posts[0].LeadID, "too_late"); !found || !lead.Returned || lead.Dispute.Reason != "wrong_person" {
		t.Errorf("a credited lead was disputed: %+v", lead.Dispute)
	}
	if lead, found := dispute(posts[3].LeadID, "too_late"); !found || !lead.Dispute.At.IsZero() {
		t.Errorf("a credited lead was disputed: %+v", lead.Dispute)
	}
	b.verify()
}
