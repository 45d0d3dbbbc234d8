package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadbid/bidder/reconcile"
	"leadbid/budget/store"
	"leadbid/pingpost"
)

var chicago = func() *time.Location {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		panic(err)
	}
	return zone
}()

func TestReadForms(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		statement, err := reconcile.Read(strings.NewReader(text), nil, chicago)
		var got []string
		if err != nil {
			got = []string{err.Error()}
		} else {
			for _, l := range statement.Lines {
				at := ""
				if !l.At.IsZero() {
					at = l.At.Format(" 2006-01-02T15:04")
				}
				price := strings.TrimSpace(fmt.Sprint(l.Price, " ", l.Currency))
				got = append(got, fmt.Sprint(l.Number, " ", l.Lead, l.Bid, l.Ping, " ", price, " ", l.Credit, at))
			}
			for _, fault := range statement.Unread {
				got = append(got, fault.Error())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: -want +got\n%s", text, diff)
		}
	}
	f("lead_id,price\na,12.50\n", "2 a $12.50 false")
	f("\ufeffPing ID;Amount (USD);Sold At\r\np-1;\"$1,234.50\";3/4/2026 3:04 PM\r\n\r\n", "2 p-1 $1,234.50 false 2026-03-04T15:04")
	f("ping;price\rp;1\rq;x\r\rr;3", "2 p $1.00 false", "5 r $3.00 false",
		`line 3, column 2 (q): "x" is not an amount of dollars, such as 1234.50 or $1,234.50`)
	f("price,ping,note\r1,p,\"so\rso\"\n2,q,\n", "2 p $1.00 false", "4 q $2.00 false")
	f("Bid-Id\tCOST\tDate\nb\t12\t2026-03-04\n", "2 b $12.00 false 2026-03-04T00:00")
	f("ping,price,status\np,5,Sold\np,5,refunded\nq,-3,\nr,($3.00),\n",
		"2 p $5.00 false", "3 p $5.00 true", "4 q $3.00 true", "5 r $3.00 true")
	f("ping\tbid id\tprice\n\tb\t7\n", "2 b $7.00 false")
	f("ping,price,date\n\"p\",1,\"Mar 4, 2026\"\n", "2 p $1.00 false 2026-03-04T00:00")
	f("ping,price,date,status\np,1.005,,\np,x,,\np,1,31/12/2026,\np,1,,pending\n,1,,\np,1\np,1,000,,\n",
		`line 2, column 2 (p): "1.005" is not an amount of dollars, such as 1234.50 or $1,234.50`,
		`line 3, column 2 (p): "x" is not an amount of dollars, such as 1234.50 or $1,234.50`,
		`line 4, column 3 (p): "31/12/2026" is no date that is known here: such as 2026-03-04, 2026-03-04 15:04, 2026-03-04T15:04:05Z or 3/4/2026 (month first)`,
		`line 5, column 4 (p): "pending" is no status that is known here: charged, sold, accepted, billed, returned, refunded, credited or voided`,
		`line 6: it names no lead, no bid and no ping`, `line 7: 2 fields, and the header has 4`, `line 8: 5 fields, and the header has 4`)
	f("ping,price,currency\np,12,usd\np,$12,\np,12.00 USD,US$\np,$12 USD,\np,\"-US$1,012\",\np,12,CAD\np,EUR 12,\np,12€,\np,(C$12),USD\n",
		"2 p $12.00 false", "3 p $12.00 false", "4 p $12.00 false", "5 p $12.00 false", "6 p $1,012.00 true",
		"7 p $12.00 CAD false", "8 p $12.00 EUR false", "9 p $12.00 € false", "10 p $12.00 C$ true")
	f("ping,price\np,1EUR2\np,12 apples\np,EUR\n",
		`line 2, column 2 (p): "1EUR2" is not an amount of dollars, such as 1234.50 or $1,234.50`,
		`line 3, column 2 (p): "12 apples" is not an amount of dollars, such as 1234.50 or $1,234.50`,
		`line 4, column 2 (p): "EUR" is not an amount of dollars, such as 1234.50 or $1,234.50`)
	f("ping,price\np,\"1\"x\nq,2\n", "3 q $2.00 false", `line 2, column 5: extraneous or missing " in quoted-field (the column counts characters)`)
	f("price,ping\n1\n2,q\n", "3 q $2.00 false", "line 2: 1 fields, and the header has 2")
	// A stray quote takes lines along, and says so.
	f("ping,price\np,1\nq,\"2\nr,3\ns,\"4\"\nt,5\n", "2 p $1.00 false", "6 t $5.00 false",
		"line 3: a quote opens here and is not closed before line 5: lines 3 to 5 are not read")
	f("ping,price\np,1\nq,\"2\nr,3\ns,4\n", "2 p $1.00 false",
		"line 3: a quote opens here and is not closed before line 5: lines 3 to 5 are not read")
	f("ping,price\n\"p,1\nq\",2\nr,3\n", "4 r $3.00 false",
		"line 2: an id goes on in the next line (a quote joins lines 2 to 3: none of them is read)")
	f("ping,price\np,\"1\nq,2\"\nr,3\n", "4 r $3.00 false", `line 2, column 2 (p): "1\nq,2" is not an amount of dollars, `+
		"such as 1234.50 or $1,234.50 (a quote joins lines 2 to 3: none of them is read)")
	f("ping,price\np,\"1\r\nq\",2\n", "line 2: 3 fields, and the header has 2 (a quote joins lines 2 to 3: none of them is read)")
	f("\"ping,price\np,1\n", "line 1: a quote opens here and is not closed before line 2: lines 1 to 2 are not read")
	f("", "line 1: the statement is empty: expected a header such as lead_id,price,date,status")
	f("a,b\n", "line 1: no column looks like the price (a, b): say which with --column price=NAME")
	f("price\n1\n", "line 1: no column looks like the id of a lead, bid or ping (price): say which with --column lead=NAME, bid=NAME or ping=NAME")
	f("ping,price,amount\n", `line 1, column 3: both "price" and "amount" look like the price: say which with --column price=NAME`)
}

// TestDates reads the instant that is meant, or none: hours decide which month a lead belongs to.
func TestDates(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		statement, err := reconcile.Read(strings.NewReader("ping,price,date\np,1,"+text+"\n"), nil, chicago)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, line := range statement.Lines {
			got = line.At.UTC().Format(time.RFC3339)
		}
		for _, fault := range statement.Unread {
			got = fault.Error()
		}
		if got != want {
			t.Errorf("%s is read as %s\nnot %s", text, got, want)
		}
	}
	f("2026-01-31T23:30:00", "2026-02-01T05:30:00Z")
	f("2026-01-31T23:30:00.123", "2026-02-01T05:30:00Z")
	f("2026-01-31T23:30:00-0600", "2026-02-01T05:30:00Z")
	f("2026-01-31T23:30-06:00", "2026-02-01T05:30:00Z")
	f("2026-01-31 23:30:00-06:00", "2026-02-01T05:30:00Z")
	f("2026-01-31 23:30:00 -06:00", "2026-02-01T05:30:00Z")
	f("2026-01-31 23:30:00 -0600", "2026-02-01T05:30:00Z")
	f("2026-01-31 23:30:00 -06", "2026-02-01T05:30:00Z")
	f("2026-01-31 23:30:00Z", "2026-01-31T23:30:00Z")
	f("2026-01-31 23:30Z", "2026-01-31T23:30:00Z")
	f("2026-01-31 23:30:00 UTC", "2026-01-31T23:30:00Z")
	f("2026-01-31 23:30:00 GMT", "2026-01-31T23:30:00Z")
	f("2026-01-31 23:30:00 CST", "2026-02-01T05:30:00Z")
	f("2026-03-31 23:30:00 CDT", "2026-04-01T04:30:00Z")
	for _, name := range []string{"EDT", "PST", "IST"} {
		f("2026-03-31 23:30:00 "+name, fmt.Sprintf(`line 2, column 3 (p): "2026-03-31 23:30:00 %s" is in %s, which has not the same `+
			"hour everywhere and is no time of America/Chicago: write its distance to UTC instead, such as 2026-03-04 15:04:05-05:00",
			name, name))
	}
}

func TestCompare(t *testing.T) {
	day := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	lead := func(name string, price pingpost.Cents, change func(*store.Lead)) store.Lead {
		l := store.Lead{ID: "lead-" + name, BidID: "bid-" + name, PingID: name, Exchange: "north", Price: price, At: day}
		if change != nil {
			change(&l)
		}
		return l
	}
	books := reconcile.Books{
		Exchange: "north",
		Leads: []store.Lead{
			lead("same", 10_00, nil), lead("missing", 11_00, nil), lead("dear", 12_00, nil), lead("twice", 13_00, nil),
			lead("returned", 14_00, func(l *store.Lead) { l.Returned = true }),
			lead("given-back", 14_00, func(l *store.Lead) { l.Returned = true }),
			lead("south", 15_00, func(l *store.Lead) { l.Exchange = "south" }),
			lead("credited", 16_00, nil), lead("old", 17_00, func(l *store.Lead) { l.At = day.AddDate(0, -1, 0) }),
			lead("carried", 18_00, func(l *store.Lead) { l.At, l.Returned, l.ReturnedAt = day.AddDate(0, -1, 0), true, day }),
			lead("forgotten", 19_00, func(l *store.Lead) { l.At, l.Returned, l.ReturnedAt = day.AddDate(0, -1, 0), true, day }),
			lead("later", 20_00, func(l *store.Lead) { l.Returned, l.ReturnedAt = true, day.AddDate(0, 0, 5) }),
			lead("circled", 24_00, func(l *store.Lead) { l.At, l.Returned, l.ReturnedAt = day.AddDate(0, -1, 0), true, day }),
			lead("partly", 25_00, func(l *store.Lead) { l.At, l.Returned, l.ReturnedAt = day.AddDate(0, -1, 0), true, day }),
			lead("abroad", 21_00, nil), lead("unreadable", 22_00, nil), lead("theirs", 26_00, nil), lead("nothing", 23_00, nil),
		},
		From:    day.Add(-time.Hour),
		To:      day.AddDate(0, 0, 1),
		Refused: func(bid, ping string) (bool, error) { return ping == "refused", nil },
	}
	statement, err := reconcile.Read(strings.NewReader("lead,bid_id,ping,price,status\n"+
		",,same,10,\nlead-dear,,,12.01,\n,bid-twice,,13,\n,,twice,13,\n,,returned,14,\n,,given-back,14,\n,,given-back,14,returned\n"+
		",,south,15,\n,,credited,16,\n,,credited,16,credited\n,,stranger,20,\n,,refused,21,\n,,broken,x,\n"+
		",,carried,18,returned\n,,circled,24,\n,,circled,24,returned\n,,partly,4,returned\ntheirs-77,,theirs,x,\n,,later,20,\n,,abroad,EUR 21,\n,,unreadable,22,perhaps\n,,nothing,0,\n"), nil, chicago)
	if err != nil {
		t.Fatal(err)
	}
	report, err := reconcile.Compare(statement, books)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range report.Differences {
		got = append(got, fmt.Sprint(d.What, ": ", d.Ping, " ", d.Statement, " ", d.Books, " ", d.Lines))
	}
	want := []string{
		"charged another price than the books say: dear $12.01 $12.00 [3]",
		"charged another price than the books say: nothing $0.00 $23.00 [23]",
		"charged here, and bought on another exchange: south $15.00 $15.00 [9]",
		"charged in another currency than dollars: abroad $0.00 $21.00 [21]",
		"charged more than once: twice $26.00 $13.00 [4 5]",
		"charged, and not in the books: stranger $20.00 $0.00 [12]",
		"charged, though returned or voided: returned $14.00 $0.00 [6]",
		"charged, though the post was refused or withdrawn: refused $21.00 $0.00 [13]",
		"credited, and not returned in the books: credited $0.00 $16.00 [10 11]",
		"in the books, and not on the statement: missing $0.00 $11.00 []",
		"returned or voided, and not credited on the statement: circled $0.00 -$24.00 [16 17]",
		"returned or voided, and not credited on the statement: forgotten $0.00 -$19.00 []",
		"returned or voided, and not credited on the statement: partly -$4.00 -$25.00 [18]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if report.StatementTotal != 116_01 || report.BooksTotal != 88_00 || report.Matched != 4 || report.Leads != 12 || len(report.Unread) != 3 {
		t.Errorf("%+v", report)
	}
}

// TestCompareAnotherTime: a lead that an earlier statement charges costs money when a later one charges it again;
// what that gives back is no charge. Midnights and clocks may differ by a day.
func TestCompareAnotherTime(t *testing.T) {
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, chicago)
	f := func(at time.Time, returned bool, lines, want string) {
		t.Helper()
		lead := store.Lead{ID: "lead-1", PingID: "p", Exchange: "north", Price: 20_00, At: at}
		if returned {
			lead.Returned, lead.ReturnedAt = true, march.AddDate(0, 0, 3)
		}
		statement, err := reconcile.Read(strings.NewReader("ping,price,status\n"+lines), nil, chicago)
		if err != nil {
			t.Fatal(err)
		}
		report, err := reconcile.Compare(statement, reconcile.Books{
			Exchange: "north", Leads: []store.Lead{lead}, From: march, To: march.AddDate(0, 1, 0),
		})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, d := range report.Differences {
			got = fmt.Sprint(d.What, " ", d.Statement, " ", d.Books, " ", d.Bought.Format(time.DateOnly))
		}
		if got != want || report.Matched+len(report.Differences) != 1 {
			t.Errorf("%q: %q, not %q", lines, got, want)
		}
	}
	const again = "charged here, and bought at another time $20.00 $20.00 "
	f(march.AddDate(0, 0, -5), false, "p,20,sold\n", again+"2026-02-24")
	f(march.Add(-24*time.Hour-1), false, "p,20,sold\n", again+"2026-02-27")
	f(march.Add(-24*time.Hour), false, "p,20,sold\n", "")
	f(march.AddDate(0, 1, 1).Add(-1), false, "p,20,sold\n", "")
	f(march.AddDate(0, 1, 1), false, "p,20,sold\n", again+"2026-04-02")
	f(march.AddDate(0, 0, -5), true, "p,20,returned\n", "")
	f(march.AddDate(0, 0, -5), true, "p,20,sold\np,20,returned\n", "returned or voided, and not credited on the statement $0.00 -$20.00 2026-02-24")
	f(march.AddDate(0, 0, -5), true, "p,20,sold\n", "charged, though returned or voided $20.00 -$20.00 2026-02-24")
}

// TestCompareUndated holds a statement without dates against the books: a credit alone belongs to a lead that
// a former statement charges.
func TestCompareUndated(t *testing.T) {
	f := func(lines, want string, total pingpost.Cents, change func(*store.Lead)) {
		t.Helper()
		day := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
		lead := store.Lead{ID: "lead-1", PingID: "p", Exchange: "north", Price: 20_00, At: day, Returned: true, ReturnedAt: day.AddDate(0, 1, 0)}
		if change != nil {
			change(&lead)
		}
		statement, err := reconcile.Read(strings.NewReader("ping,price,status\n"+lines), nil, chicago)
		if err != nil {
			t.Fatal(err)
		}
		report, err := reconcile.Compare(statement, reconcile.Books{Exchange: "north", Leads: []store.Lead{lead}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range report.Differences {
			got = append(got, fmt.Sprint(d.What, " ", d.Statement, " ", d.Books))
		}
		if strings.Join(got, "; ") != want || report.BooksTotal != total {
			t.Errorf("%q: %q and %s, not %q and %s", lines, got, report.BooksTotal, want, total)
		}
	}
	f("p,20,returned\n", "", -20_00, nil)
	f("p,4,returned\n", "returned or voided, and not credited on the statement -$4.00 -$20.00", -20_00, nil)
	f("p,20,sold\np,20,returned\n", "", 0, nil)
	f("p,20,sold\n", "charged, though returned or voided $20.00 $0.00", 0, nil)
	f("p,20,returned\n", "credited, and not returned in the books -$20.00 $20.00", 20_00,
		func(l *store.Lead) { l.Returned, l.ReturnedAt = false, time.Time{} })
}

// FuzzRead: whatever the file holds, no line is lost, and nothing panics.
func FuzzRead(f *testing.F) {
	f.Add("lead_id,price,date,status\na,\"$1,234.50\",2026-03-04,sold\n")
	f.Add("\ufeffping;amount\r\np;(3.00)\r\n\"")
	f.Add("ping\tcost\np\t1\tx\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		statement, err := reconcile.Read(strings.NewReader(text), nil, time.UTC)
		if err != nil {
			return
		}
		for _, line := range statement.Lines {
			if line.Price < 0 || line.Number < 2 || line.Lead == "" && line.Bid == "" && line.Ping == "" {
				t.Errorf("%+v", line)
			}
		}
		for _, fault := range statement.Unread {
			if fault.Line < 1 || fault.Why == "" {
				t.Errorf("%+v", fault)
			}
		}
	})
}
