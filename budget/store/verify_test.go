package store_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

var (
	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	line = budget.Line{Campaign: "hvac", Exchange: "north"}
	day  = budget.Cap{
		Scope: budget.Scope{Kind: budget.ScopeCampaign, Name: "hvac"}, Period: pingpost.Day,
		Cents: budget.Limit{N: 100_00, Set: true}, Leads: budget.Limit{N: 10, Set: true},
	}
	plan = &budget.Plan{Location: time.UTC, Lines: []budget.LinePlan{{
		Line: line, Terms: budget.Terms{Refusable: true, BidTTL: time.Minute}, Caps: []budget.Cap{day},
	}}}
)

// open opens the books at path with a clock that stands at noon and some days.
func open(t *testing.T, path string, days int) store.Store {
	t.Helper()
	clock := func() time.Time { return noon.AddDate(0, 0, days) }
	s, err := store.OpenSQLite(t.Context(), path, store.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func post(name string, lease budget.LeaseID, price pingpost.Cents) store.Post {
	from, to := budget.WindowOf(pingpost.Day, noon, time.UTC)
	return store.Post{
		At: noon, LeadID: "lead-" + name, BodyHash: sha256.Sum256([]byte(name)), Deliveries: []string{"crm"},
		Contacts: []store.ContactHash{store.HashContact(nil, "phone", name)},
		Charge: budget.Charge{
			Exchange: "north", PingID: "ping-" + name, BidID: "bid-" + name, Line: line, Price: price, BidAt: noon,
			Ref:  budget.BidRef{Lease: lease, Price: price, Expires: noon.Add(time.Minute)},
			Caps: []budget.CapWindow{{Cap: day, Start: from, End: to}},
		},
	}
}

// keepBooks makes books with a bit of everything: lead a paid by a lease that is closed, b by one
// that is open, c by the cap, d by the cap and returned, e refused.
func keepBooks(t *testing.T, path string) {
	t.Helper()
	ctx := context.Background()
	for days := range 2 {
		s := open(t, path, days)
		run, err := s.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.Upkeep(ctx, run, plan, budget.Upkeep{Wants: []budget.Want{{Line: line, Least: 1, Cents: 40_00, Leads: 4}}})
		if err != nil || answer.Grants[0].Lease == nil {
			t.Fatal(answer, err)
		}
		lease := answer.Grants[0].Lease.ID
		if days == 0 {
			for _, p := range []store.Post{post("a", lease, 10_00), post("c", 0, 20_00), post("d", 0, 5_00), post("e", 0, 99_00)} {
				if _, err := s.Post(ctx, p); err != nil {
					t.Fatal(err)
				}
			}
			credit := store.Credit{Exchange: "north", PingID: "ping-d", BidID: "bid-d", Outcome: pingpost.OutcomeReturned}
			if _, err := s.Credit(ctx, credit); err != nil {
				t.Fatal(err)
			}
		} else {
			b := post("b", lease, 10_00)
			b.Charge.BidAt = noon.AddDate(0, 0, 1)
			if _, err := s.Post(ctx, b); err != nil {
				t.Fatal(err)
			}
			back := budget.Upkeep{Keeps: []budget.Keep{{ID: lease, ReturnCents: 5_00, ReturnLeads: 1}}}
			if _, err := s.Upkeep(ctx, run, plan, back); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func findings(t *testing.T, path string) (ids []string) {
	t.Helper()
	for _, finding := range verified(t, path).Findings {
		ids = append(ids, finding.ID)
	}
	return ids
}

func verified(t *testing.T, path string) store.Report {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	report, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestVerifyFindsEveryHandEditedCent edits one row at a time, as a person with a database shell
// could, past every constraint.
func TestVerifyFindsEveryHandEditedCent(t *testing.T) {
	clean := filepath.Join(t.TempDir(), "clean.db")
	keepBooks(t, clean)
	if found := findings(t, clean); len(found) != 0 {
		t.Fatalf("clean books: %v", found)
	}
	books, err := os.ReadFile(clean)
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range []struct{ want, sql string }{
		{"B1", `UPDATE lease_cap SET after_cents = limit_cents + 1 WHERE lease = 1`},
		{"B1", `UPDATE lead_cap SET limit_leads = 1`},
		{"B1", `UPDATE cap SET spent_cents = 10001 WHERE id = 1`},
		{"B1", `UPDATE lease SET used_leads = leads + 1 WHERE id = 2`},
		{"B2", `UPDATE post SET accepted = 0 WHERE bid_id = 'bid-a'`},
		{"B2", `UPDATE post SET ping_id = 'other' WHERE bid_id = 'bid-a'`},
		{"B2", `UPDATE lead SET credited = 2 WHERE id = 'lead-c'`},
		{"B2", `INSERT INTO entry (run, n, at_ms, kind, lead, cents, leads, hash) VALUES (1, 99, 1, 'charge', 'lead-c', 2000, 1, zeroblob(32))`},
		{"B3", `UPDATE lead SET bid_cents = price_cents - 1 WHERE id = 'lead-a'`},
		{"B3", `UPDATE lead SET price_cents = price_cents - 1 WHERE id = 'lead-c'`},
		{"B4", `UPDATE lease SET used_cents = used_cents - 1 WHERE id = 2`},
		{"B4", `UPDATE lead SET lease = 1 WHERE id = 'lead-b'`},
		{"B5", `UPDATE lead SET bid_at_ms = bid_at_ms + 86400000 WHERE id = 'lead-c'`},
		{"B5", `UPDATE lead SET bid_at_ms = bid_at_ms - 86400000 WHERE id = 'lead-a'`},
		{"B6", `DELETE FROM lead WHERE id = 'lead-a'`},
		{"B6", `UPDATE post SET accepted = 1 WHERE bid_id = 'bid-e'`},
		{"B7", `UPDATE lease SET granted_cents = granted_cents + 1 WHERE id = 1`},
		{"B7", `UPDATE lease SET cents = cents + 1, granted_cents = granted_cents + 1 WHERE id = 2`},
		{"B7", `UPDATE cap SET leased_cents = leased_cents - 1 WHERE leased_cents > 0`},
		{"B7", `UPDATE cap SET spent_cents = spent_cents - 1 WHERE id = 1`},
		{"B7", `UPDATE cap SET spent_leads = spent_leads - 1 WHERE id = 1`},
		{"B7", `UPDATE cap SET opening_cents = opening_cents + 1 WHERE id = 1`},
		{"B7", `UPDATE cap SET opening_leads = opening_leads + 1 WHERE id = 1`},
		{"B7", `DELETE FROM lease_cap WHERE lease = 1`},
		{"audit", `DROP TRIGGER entry_stays; UPDATE entry SET at_ms = at_ms + 1 WHERE run = 1 AND n = 2`},
		{"audit", `DROP TRIGGER entry_remains; DELETE FROM entry WHERE run = 1 AND n = 2`},
	} {
		path := filepath.Join(t.TempDir(), "bidder.db")
		if err := os.WriteFile(path, books, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=ignore_check_constraints(1)")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(edit.sql); err != nil {
			t.Fatalf("%s: %v", edit.sql, err)
		}
		db.Close()
		if found := findings(t, path); !slices.Contains(found, edit.want) {
			t.Errorf("%s: found %v", edit.sql, found)
		}
	}
}

// TestFindingsBelongToTheirCheck: promises share an id, and one that holds is not called broken for another's
// sake. Where not all findings are listed, that is told.
func TestFindingsBelongToTheirCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bidder.db")
	keepBooks(t, path)
	change := func(query string) {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	broken := func(want ...string) {
		t.Helper()
		report := verified(t, path)
		var got []string
		for _, check := range report.Checked {
			if check.Broken > 0 {
				got = append(got, fmt.Sprint(check.ID, " ", strings.Fields(check.What)[:4], " ", check.Broken, " ", check.More))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, not %q, of %v", got, want, report.Findings)
		}
	}
	broken()
	change(`UPDATE cap SET opening_cents = opening_cents + 1 WHERE id < 3`)
	broken("B7 [each cap has spent] 2 false")
	change(`WITH RECURSIVE number(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number WHERE n < 102)
		INSERT INTO post (bid_id, exchange, ping_id, at_ms, accepted, lead, reason, detail)
		SELECT 'lost-' || n, 'north', 'lost-' || n, 1, 1, 'lost', '', '' FROM number`)
	broken("B6 [every accepted post has] 100 true", "B7 [each cap has spent] 2 false")
	if report := verified(t, path); len(report.Findings) != 103 || !report.Countless() {
		t.Errorf("%d findings: 100 lost leads, that there are more, and two caps", len(report.Findings))
	}
}

func TestEntriesCannotBeChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bidder.db")
	keepBooks(t, path)
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, query := range []string{`UPDATE entry SET cents = 0`, `DELETE FROM entry`} {
		if _, err := db.Exec(query); err == nil || !strings.Contains(err.Error(), "an entry is never") {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestReadingOnlyNeverWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bidder.db")
	keepBooks(t, path)
	s, err := store.OpenSQLite(t.Context(), path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Begin(t.Context()); err == nil || !strings.Contains(err.Error(), "reading only") {
		t.Errorf("a run began: %v", err)
	}
	leads, err := s.Leads(t.Context(), store.LeadFilter{})
	if err != nil || len(leads) != 4 {
		t.Errorf("%d leads, %v", len(leads), err)
	}
}
