package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadbid/bidder/reconcile"
	"leadbid/budget/store"
)

// TestOutcomesAreReadAsTheyAreExported: a BOM, CRLF, semicolons, quotes and other words are understood;
// each bad line says where, and loses no other.
func TestOutcomesAreReadAsTheyAreExported(t *testing.T) {
	const text = "\ufeffLead ID;Status;Job value;Date;Known at;Salesman\r\n" +
		"a;Booked;\"$9,000.50\";2026-03-04 15:04;2026-03-05;Ann\r\n" +
		"\r\n" +
		"b;Not interested;;;;\r\n" +
		"c;maybe;;;;\r\n" +
		"d;quoted;lots;;;\r\n" +
		"e;quoted;-3;;;\r\n" +
		"f;quoted;;soon;;\r\n" +
		"g;quoted;;;soon;\r\n" +
		";quoted;;;;\r\n" +
		"h;quoted\r\n" +
		"i;\"quo\"ted;;;;\r\n" +
		"j;contacted;;;;\r\n"
	zone := time.FixedZone("CST", -6*3600)
	read, err := reconcile.ReadOutcomes(strings.NewReader(text), zone)
	if err != nil {
		t.Fatal(err)
	}
	want := []reconcile.OutcomeLine{
		{Number: 2, Outcome: store.Outcome{LeadID: "a", Kind: store.Booked, Amount: 9000_50,
			At: time.Date(2026, 3, 4, 15, 4, 0, 0, zone), Known: time.Date(2026, 3, 5, 0, 0, 0, 0, zone)}},
		{Number: 4, Outcome: store.Outcome{LeadID: "b", Kind: store.Lost}},
		{Number: 13, Outcome: store.Outcome{LeadID: "j", Kind: "contacted"}},
	}
	if diff := cmp.Diff(want, read.Lines); diff != "" {
		t.Error(diff)
	}
	var unread []string
	for _, fault := range read.Unread {
		unread = append(unread, fault.Error())
	}
	if diff := cmp.Diff([]string{
		`line 5, column 2 (c): "maybe" is no outcome: contacted, quoted, booked or lost`,
		`line 6, column 3 (d): "lots" is not an amount of dollars, such as 1234.50 or $1,234.50`,
		`line 7, column 3 (e): "-3" is less than nothing`,
		`line 8, column 4 (f): "soon" is no date that is known here: such as 2026-03-04, 2026-03-04 15:04, 2026-03-04T15:04:05Z or 3/4/2026 (month first)`,
		`line 9, column 5 (g): "soon" is no date that is known here: such as 2026-03-04, 2026-03-04 15:04, 2026-03-04T15:04:05Z or 3/4/2026 (month first)`,
		`line 10: it names no lead, no bid and no ping`,
		`line 11: 2 fields, and the header has 6`,
		`line 12, column 7: extraneous or missing " in quoted-field (the column counts characters)`,
	}, unread); diff != "" {
		t.Error(diff)
	}
}

func TestFilesOfOutcomesThatCannotBeUsed(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := reconcile.ReadOutcomes(strings.NewReader(text), time.UTC); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	f("", "line 1: the file is empty: expected a header such as lead_id,outcome,amount,at,known_at")
	f("lead_id,amount\n", "line 1: no column looks like the outcome (lead_id, amount): expected one named outcome")
	f("outcome\n", "line 1: no column looks like the id of a lead, bid or ping (outcome): expected one named lead_id, bid_id or ping_id")
	f("lead_id,outcome,status\n", `line 1, column 3: both "outcome" and "status" look like the outcome: rename one`)
}

func FuzzReadOutcomes(f *testing.F) {
	f.Add("lead_id,outcome,amount\na,booked,$9\nb,\"x\n")
	f.Fuzz(func(t *testing.T, text string) {
		read, err := reconcile.ReadOutcomes(strings.NewReader(text), time.UTC)
		if err != nil {
			return
		}
		for _, line := range read.Lines {
			if line.Number < 2 || line.Amount < 0 || line.Kind == "" || line.LeadID+line.BidID+line.PingID == "" {
				t.Errorf("%+v", line)
			}
		}
	})
}
