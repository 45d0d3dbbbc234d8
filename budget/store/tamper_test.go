package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"leadbid/budget"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

// harmless is what verify does not find, and why it may. A column that is not here is found whatever
// its value is changed to, in every row; "-" stands for a row that is deleted.
var harmless = map[string]string{
	"run.at_ms":               "nothing reads it",
	"run.seen_ms":             "how many replicas are thought to be live: what a lease may take at most, within every cap",
	"run.-":                   "a run that wrote no entry and has no lease left nothing behind",
	"signing_key.id":          "bids signed with a key that is gone are unknown: nothing is charged",
	"signing_key.secret":      "bids signed with another key are unknown: nothing is charged",
	"signing_key.made_ms":     "when a key is replaced; every key signs as well as the next",
	"signing_key.signs_ms":    "which of the keys signs",
	"signing_key.revoked":     "bids signed with a revoked key are unknown; who unrevokes one has its secret too",
	"signing_key.-":           "as signing_key.secret",
	"contact_key.id":          "the next start makes another: homeowners bought before are not recognised",
	"contact_key.secret":      "homeowners bought before are not recognised; no cap depends on that",
	"contact_key.-":           "as contact_key.secret",
	"cap.limit_cents":         "the next upkeep puts the plan's limit in force, and every statement is given it",
	"cap.limit_leads":         "as cap.limit_cents",
	"lease.rev":               "a reading with a lower number is not believed: less is bid, never more",
	"lease.bid_until_ms":      "within its windows, and before its close: its money stays set aside",
	"lease.close_at_ms":       "closed early, its posts are paid by the caps' own condition; late, its money is idle longer",
	"post.exchange":           "of a refusal: a repeat is a new post, and meets every condition",
	"post.bid_id":             "as post.exchange",
	"post.ping_id":            "as post.exchange",
	"post.body_hash":          "as post.exchange",
	"post.at_ms":              "nothing reads it",
	"post.reason":             "what a refusal is repeated with",
	"post.detail":             "what a refusal is repeated with",
	"post.voided":             "of a refusal: refused it stays",
	"post.-":                  "as post.exchange",
	"lead.body":               "personal data, which has to be erasable",
	"contact.hash":            "this homeowner may be bought again, within the caps",
	"contact.lead":            "whose it is says nothing of money",
	"contact.at_ms":           "as contact.hash",
	"contact.-":               "as contact.hash",
	"kept.*":                  "what the strategy learned: it holds no money, and is held against its own sum before it is used",
	"outcome.*":               "what became of leads: no money follows from it but the worth of the next",
	"dispute.*":               "what a person is reminded of: the returned notice credits, with or without it",
	"outbox.n":                "what the receiver knows the delivery by",
	"outbox.target":           "a target that is not known becomes a dead letter, visibly",
	"outbox.state":            "whether a lead is sent once more",
	"outbox.attempts":         "when a lead is sent again",
	"outbox.first_ms":         "when a lead is sent again",
	"outbox.next_ms":          "when a lead is sent again",
	"outbox.error":            "words",
	"outbox.claimed_by":       "which replica sends a lead next",
	"outbox.claimed_until_ms": "as outbox.claimed_by, and when",
	"outbox.-":                "a lead is paid and not sent: no cent moves (its row is still in `bidder leads`)",
	"entry.n":                 "its place in its run stays what it was",
	"goose_db_version.*":      "which migrations ran",
	"sqlite_sequence.*":       "the next id; those in use are not given twice",
}

// TestEveryChangeIsFoundOrHarmless changes every column of every row of books with a bit of
// everything, past every constraint and trigger, and deletes every row.
func TestEveryChangeIsFoundOrHarmless(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bidder.db")
	keepAll(t, path)
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=ignore_check_constraints(1)&_pragma=recursive_triggers(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, trigger := range column(t, db, `SELECT name FROM sqlite_schema WHERE type = 'trigger'`) {
		if _, err := db.Exec(`DROP TRIGGER ` + trigger); err != nil {
			t.Fatal(err)
		}
	}
	if found := foundAfter(t, db, `SELECT 1`); found != "" {
		t.Fatalf("untouched books: %s", found)
	}
	changed, found, unused := 0, 0, map[string]bool{}
	for name := range harmless {
		unused[name] = true
	}
	try := func(name, statement string, args ...any) {
		t.Helper()
		changed++
		if foundAfter(t, db, statement, args...) != "" {
			found++
			return
		}
		if delete(unused, name); harmless[name] == "" {
			t.Errorf("%s: not found: %s %v", name, statement, args)
		}
	}
	for _, table := range column(t, db, `SELECT name FROM sqlite_schema WHERE type = 'table'`) {
		if harmless[table+".*"] != "" {
			delete(unused, table+".*")
			continue
		}
		columns := column(t, db, `SELECT name FROM pragma_table_info(?)`, table)
		for _, row := range rowsOf(t, db, table, columns) {
			where := strings.Join(columns, " IS ? AND ") + " IS ?"
			try(table+".-", `DELETE FROM `+table+` WHERE `+where, row...)
			for i, name := range columns {
				for _, other := range othersOf(row[i]) {
					full := table + "." + name
					if other == nil && harmless[full+" NULL"] != "" {
						full += " NULL"
					}
					try(full, `UPDATE `+table+` SET `+name+` = ? WHERE `+where, append([]any{other}, row...)...)
				}
			}
		}
	}
	for name := range unused {
		t.Errorf("%s is listed as harmless, and every change of it was found", name)
	}
	t.Logf("%d changes, %d found, the others harmless", changed, found)
}

// TestCutChainIsFound takes the last purchase out of the books with all that tells of it.
func TestCutChainIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bidder.db")
	keepAll(t, path)
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found := foundAfter(t, db, `DROP TRIGGER entry_remains;
		UPDATE lease SET used_cents = used_cents - 1000, used_leads = used_leads - 1 WHERE id = 2;
		DELETE FROM outbox WHERE lead = 'lead-b'; DELETE FROM contact WHERE lead = 'lead-b';
		DELETE FROM entry WHERE lead = 'lead-b'; DELETE FROM lead WHERE id = 'lead-b'; DELETE FROM post WHERE bid_id = 'bid-b';
		DELETE FROM entry WHERE run = 2 AND n > (SELECT max(n) FROM entry WHERE run = 2 AND kind = 'grant');
		UPDATE lease SET returned_cents = 0, returned_leads = 0, cents = granted_cents, leads = granted_leads WHERE id = 2;
		UPDATE cap SET leased_cents = leased_cents + 500, leased_leads = leased_leads + 1 WHERE leased_cents > 0;
		UPDATE cap SET spent_cents = spent_cents WHERE id = 1`)
	if !strings.Contains(found, "came further than its entries") {
		t.Errorf("found: %s", found)
	}
}

// keepAll makes books with a bit of everything: leads paid by a lease that is closed, by one that is
// open, by the caps; one returned to each; one withdrawn, one refused, a bid withdrawn before its post.
func keepAll(t *testing.T, path string) {
	t.Helper()
	ctx, noon := t.Context(), time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	line := budget.Line{Campaign: "hvac", Exchange: "north"}
	limit := func(n int64) budget.Limit { return budget.Limit{N: n, Set: true} }
	plan := &budget.Plan{Location: time.UTC, Lines: []budget.LinePlan{{
		Line: line, Terms: budget.Terms{Refusable: true, BidTTL: time.Minute}, Caps: []budget.Cap{
			{Period: pingpost.Month, Cents: limit(900_00)},
			{Scope: budget.Scope{Kind: budget.ScopeExchange, Name: "north"}, Period: pingpost.Total, Cents: limit(800_00)},
			{Scope: budget.Scope{Kind: budget.ScopeCampaign, Name: "hvac"}, Period: pingpost.Day, Cents: limit(100_00), Leads: limit(10)},
		},
	}}}
	for days := range 2 {
		now := noon.AddDate(0, 0, days)
		s, err := OpenSQLite(ctx, path, Options{Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		run, err := s.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ask := budget.Upkeep{Wants: []budget.Want{{Line: line, Least: 1, Cents: 40_00, Leads: 4}}}
		answer, err := s.Upkeep(ctx, run, plan, ask)
		if err != nil || answer.Grants[0].Lease == nil {
			t.Fatal(answer, err)
		}
		lease := answer.Grants[0].Lease.ID
		buy := func(name string, lease budget.LeaseID, price pingpost.Cents) {
			post := Post{
				At: now, LeadID: "lead-" + name, BodyHash: sha256.Sum256([]byte(name)), Deliveries: []string{"crm"},
				Contacts: []ContactHash{HashContact(nil, "phone", name)},
				Charge: budget.Charge{
					Exchange: "north", PingID: "ping-" + name, BidID: "bid-" + name, Line: line, Price: price, BidAt: now,
					Ref:  budget.BidRef{Lease: lease, Price: price + 1, Expires: now.Add(time.Minute)},
					Caps: budget.WindowsOf(plan.Lines[0].Caps, now, time.UTC),
				},
			}
			if _, err := s.Post(ctx, post); err != nil {
				t.Fatal(err)
			}
		}
		credit := func(name string, outcome pingpost.Outcome) {
			c := Credit{Exchange: "north", PingID: "ping-" + name, BidID: "bid-" + name, Outcome: outcome, At: now}
			if _, err := s.Credit(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		if days == 0 {
			buy("a", lease, 10_00)
			buy("r", lease, 5_00)
			buy("c", 0, 20_00)
			buy("d", 0, 5_00)
			buy("e", 0, 99_00) // refused
			credit("d", pingpost.OutcomeReturned)
			credit("w", pingpost.OutcomeVoided) // before its post
		} else {
			buy("v", lease, 5_00)
			credit("v", pingpost.OutcomeVoided)
			credit("r", pingpost.OutcomeReturned) // its lease is closed
			buy("b", lease, 10_00)
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

// foundAfter runs a statement, verifies what it leaves, and takes it back. A statement that the
// database itself refuses is found.
func foundAfter(t *testing.T, db *sql.DB, statement string, args ...any) string {
	t.Helper()
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(statement, args...); err != nil {
		if !strings.Contains(err.Error(), "constraint") && !strings.Contains(err.Error(), "mismatch") {
			t.Fatalf("%s: %v", statement, err)
		}
		return err.Error()
	}
	report, err := verifyRows(context.Background(), sqlstore.ReadWithin(context.Background(), tx), nil, 0)
	if err != nil {
		return err.Error() // unreadable is as good as found: nothing is bid
	}
	var found []string
	for _, finding := range report.Findings {
		found = append(found, finding.ID+": "+finding.What)
	}
	return strings.Join(found, "\n")
}

func column(t *testing.T, db *sql.DB, query string, args ...any) (values []string) {
	t.Helper()
	rows, err := db.Query(query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	return values
}

func rowsOf(t *testing.T, db *sql.DB, table string, columns []string) (all [][]any) {
	t.Helper()
	rows, err := db.Query(`SELECT ` + strings.Join(columns, ", ") + ` FROM ` + table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, values)
	}
	return all
}

// othersOf gives values that a person could put in place of one.
func othersOf(value any) []any {
	switch value := value.(type) {
	case nil:
		return []any{int64(1)}
	case int64:
		return []any{value + 1, value - 1, nil}
	case string:
		if value == "open" {
			return []any{"closed"}
		}
		return []any{value + "x"}
	case []byte:
		flipped := slices.Clone(value)
		if len(flipped) == 0 {
			return []any{nil}
		}
		flipped[0] ^= 1
		return []any{flipped, nil}
	}
	panic(fmt.Sprintf("%T", value))
}

// TestRecentIsAPartOfTheWhole begins the trail at every entry, and looks for what the start-up check of
// large books is there for.
func TestRecentIsAPartOfTheWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bidder.db")
	keepAll(t, path)
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=ignore_check_constraints(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	verify := func(after map[int64]int64, statement string) []Finding {
		t.Helper()
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if _, err := tx.Exec(statement); err != nil {
			t.Fatal(err)
		}
		report, err := verifyRows(context.Background(), sqlstore.ReadWithin(t.Context(), tx), after, 0)
		if err != nil {
			t.Fatal(err)
		}
		return report.Findings
	}
	for run := int64(1); run <= 2; run++ {
		var last int64
		if err := db.QueryRow(`SELECT max(n) FROM entry WHERE run = ?`, run).Scan(&last); err != nil {
			t.Fatal(err)
		}
		for after := range last {
			if found := verify(map[int64]int64{run: after}, `SELECT 1`); len(found) > 0 {
				t.Errorf("run %d after entry %d: %v", run, after, found)
			}
		}
	}
	for statement, want := range map[string]string{
		`UPDATE lease SET used_cents = cents + 1 WHERE id = 2`:                                                                        "lease 2 used more than it holds",
		`UPDATE lease SET used_leads = used_leads - 1 WHERE id = 2`:                                                                   "lease 2 used something else",
		`UPDATE cap SET leased_cents = leased_cents - 1 WHERE leased_cents > 0`:                                                       "cap 1 has leased",
		`UPDATE lease_cap SET limit_cents = after_cents - 1 WHERE lease = 2`:                                                          "lease 2 took cap 1 past its limits",
		`DROP TRIGGER entry_remains; DELETE FROM entry WHERE run = 2 AND n = (SELECT max(n) FROM entry WHERE run = 2)`:                "came further than its entries",
		`UPDATE lead SET bid_cents = bid_cents + 1 WHERE id = 'lead-b'`:                                                               "not from the rows that it tells of",
		`DROP TRIGGER entry_stays; UPDATE entry SET cents = cents + 1 WHERE run = 2 AND n = (SELECT max(n) FROM entry WHERE run = 2)`: "does not follow",
		`DROP TRIGGER entry_remains; DELETE FROM entry WHERE run = 2 AND n = (SELECT max(n) - 1 FROM entry WHERE run = 2)`:            "does not follow",
	} {
		found := verify(map[int64]int64{2: 1}, statement)
		if !strings.Contains(fmt.Sprint(found), want) {
			t.Errorf("%s: found %v", statement, found)
		}
		whole := keysOf(verify(nil, statement))
		for _, key := range keysOf(found) {
			if !slices.Contains(whole, key) {
				t.Errorf("%s: %q is not among what the whole finds: %q", statement, key, whole)
			}
		}
	}
	// What a person accepted goes on stopping nothing while the cap's amounts move on, but not once it is more,
	// another promise of the same cap, or the same place in another run's chain.
	const spent = `UPDATE cap SET spent_cents = spent_cents - 5000 WHERE id = 1`
	const moves = `UPDATE cap SET spent_cents = spent_cents + 100, opening_cents = opening_cents + 100 WHERE id = 1; `
	accepted := keysOf(verify(nil, spent))
	for statement, same := range map[string]bool{
		spent:         true,
		moves + spent: true,
		`UPDATE cap SET spent_cents = spent_cents - 5001 WHERE id = 1`:          false,
		spent + `; UPDATE cap SET leased_cents = leased_cents + 7 WHERE id = 1`: false,
	} {
		if keys := keysOf(verify(nil, statement)); slices.Equal(keys, accepted) != same {
			t.Errorf("%s: %q, and accepted were %q", statement, keys, accepted)
		}
	}
}

func keysOf(findings []Finding) (keys []string) {
	for _, finding := range findings {
		keys = append(keys, finding.Key())
	}
	return keys
}
