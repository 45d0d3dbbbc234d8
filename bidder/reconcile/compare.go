package reconcile

import (
	"cmp"
	"slices"
	"time"

	"leadbid/budget/store"
	"leadbid/pingpost"
)

// What a difference is.
const (
	NotInBooks     = "charged, and not in the books"
	NotOnStatement = "in the books, and not on the statement"
	OtherPrice     = "charged another price than the books say"
	Twice          = "charged more than once"
	Returned       = "charged, though returned or voided"
	Refused        = "charged, though the post was refused or withdrawn"
	OtherExchange  = "charged here, and bought on another exchange"
	Credited       = "credited, and not returned in the books"
)

// Difference is one lead about which statement and books differ.
type Difference struct {
	What      string         `json:"what"`
	Lead      string         `json:"lead,omitempty"` // ours where it is in the books, else as the exchange names it
	Ping      string         `json:"ping_id,omitempty"`
	Exchange  string         `json:"exchange,omitempty"` // where the books have it
	Statement pingpost.Cents `json:"statement"`          // charges less credits
	Books     pingpost.Cents `json:"books"`
	Lines     []int          `json:"lines,omitempty"` // of the statement
}

// Report is a statement beside the books.
type Report struct {
	Exchange       string         `json:"exchange"`
	Lines          int            `json:"lines"`
	Leads          int            `json:"leads"` // in the books in this time
	StatementTotal pingpost.Cents `json:"statement_total"`
	BooksTotal     pingpost.Cents `json:"books_total"` // returned leads are not in it
	Matched        int            `json:"matched"`
	Differences    []Difference   `json:"differences"`
	Unread         []Fault        `json:"unread"`
}

// Books is what a statement is compared with.
type Books struct {
	Leads    []store.Lead // of all exchanges
	Exchange string       // whose statement it is
	From, To time.Time    // which leads must be on it; zero: open
	// Refused tells of an id that is no lead whether its post was refused or its bid withdrawn.
	Refused func(bid, ping string) (bool, error)
}

// item is what the statement says of one lead.
type item struct {
	first            Line
	lines            []int
	net              pingpost.Cents
	charges, credits int
	lead             *store.Lead
}

// Compare lists every difference. Lines that name the same lead, by whichever id, belong together.
func Compare(s *Statement, books Books) (*Report, error) {
	report := &Report{Exchange: books.Exchange, Lines: len(s.Lines), Unread: s.Unread, Differences: []Difference{}}
	byID := map[string]*store.Lead{}
	for i := range books.Leads {
		lead := &books.Leads[i]
		byID[lead.ID], byID[lead.BidID] = lead, lead
		if lead.Exchange == books.Exchange || byID[lead.PingID] == nil { // ping ids are the exchange's own
			byID[lead.PingID] = lead
		}
	}
	items := gather(s.Lines, byID, report)
	named := map[*store.Lead]bool{}
	for _, it := range items {
		named[it.lead] = true
		what, err := it.difference(books)
		if err != nil {
			return nil, err
		}
		if what == "" {
			report.Matched++
			continue
		}
		report.Differences = append(report.Differences, it.told(what))
	}
	for i := range books.Leads {
		lead := &books.Leads[i]
		if lead.Exchange != books.Exchange || lead.At.Before(books.From) || !books.To.IsZero() && !lead.At.Before(books.To) {
			continue
		}
		report.Leads++
		report.BooksTotal += owed(lead)
		if !named[lead] && !lead.Returned {
			report.Differences = append(report.Differences, Difference{
				What: NotOnStatement, Lead: lead.ID, Ping: lead.PingID, Exchange: lead.Exchange, Books: lead.Price,
			})
		}
	}
	slices.SortStableFunc(report.Differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Ping, b.Ping), cmp.Compare(a.Lead, b.Lead))
	})
	return report, nil
}

// gather brings the lines of each lead together, in the order of the statement.
func gather(lines []Line, byID map[string]*store.Lead, report *Report) (items []*item) {
	known := map[any]*item{}
	for _, line := range lines {
		var lead *store.Lead
		for _, id := range []string{line.Bid, line.Lead, line.Ping} {
			if lead == nil && id != "" {
				lead = byID[id]
			}
		}
		var key any = lead
		if lead == nil {
			key = cmp.Or(line.Bid, line.Lead, line.Ping)
		}
		it := known[key]
		if it == nil {
			it = &item{first: line, lead: lead}
			known[key] = it
			items = append(items, it)
		}
		it.lines = append(it.lines, line.Number)
		if line.Credit {
			it.credits++
			it.net -= line.Price
		} else {
			it.charges++
			it.net += line.Price
		}
	}
	for _, it := range items {
		report.StatementTotal += it.net
	}
	return items
}

// difference is what is wrong with an item, the gravest first; "" where nothing is.
func (it *item) difference(books Books) (string, error) {
	switch {
	case it.lead == nil && it.net == 0 && it.charges == it.credits:
		return "", nil
	case it.lead == nil:
		refused, err := books.Refused(cmp.Or(it.first.Bid, it.first.Lead), cmp.Or(it.first.Ping, it.first.Lead))
		if refused || err != nil {
			return Refused, err
		}
		return NotInBooks, nil
	case it.lead.Exchange != books.Exchange:
		return OtherExchange, nil
	case it.charges-it.credits > 1:
		return Twice, nil
	case it.lead.Returned && it.net != 0:
		return Returned, nil
	case !it.lead.Returned && it.charges <= it.credits:
		return Credited, nil
	case it.net != owed(it.lead):
		return OtherPrice, nil
	}
	return "", nil
}

func (it *item) told(what string) Difference {
	d := Difference{
		What: what, Lead: cmp.Or(it.first.Lead, it.first.Bid), Ping: it.first.Ping, Statement: it.net, Lines: it.lines,
	}
	if it.lead != nil {
		d.Lead, d.Ping, d.Exchange, d.Books = it.lead.ID, it.lead.PingID, it.lead.Exchange, owed(it.lead)
	}
	return d
}

// owed is what the books say a lead costs in the end.
func owed(lead *store.Lead) pingpost.Cents {
	if lead.Returned {
		return 0
	}
	return lead.Price
}
