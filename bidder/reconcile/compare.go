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
	OtherTime      = "charged here, and bought at another time"
	Credited       = "credited, and not returned in the books"
	NotCredited    = "returned or voided, and not credited on the statement"
	OtherCurrency  = "charged in another currency than dollars"
)

// Difference is one lead about which statement and books differ.
type Difference struct {
	What      string         `json:"what"`
	Lead      string         `json:"lead,omitempty"` // ours where it is in the books, else as the exchange names it
	Ping      string         `json:"ping_id,omitempty"`
	Exchange  string         `json:"exchange,omitempty"` // where the books have it
	Statement pingpost.Cents `json:"statement"`          // charges less credits, what is not in dollars left out
	Books     pingpost.Cents `json:"books"`
	Lines     []int          `json:"lines,omitempty"` // of the statement
	Bought    time.Time      `json:"bought,omitzero"` // where it is in the books
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
	currency         string // of lines that are not in dollars
	lead             *store.Lead
}

// Compare lists every difference. Lines that name the same lead, by whichever id, belong together.
func Compare(s *Statement, books Books) (*Report, error) {
	report := &Report{Exchange: books.Exchange, Lines: len(s.Lines), Unread: s.Unread, Differences: []Difference{}}
	byID := books.byID()
	items := gather(s.Lines, byID, report)
	named := map[*store.Lead]bool{}
	for _, fault := range s.Unread { // it is on the statement, whatever that says of it
		named[find(byID, fault.ids[:]...)] = true
	}
	for _, it := range items {
		named[it.lead] = true
		what, err := it.difference(books)
		if err != nil {
			return nil, err
		}
		if books.From.IsZero() && it.givenBackLate(books) { // else it is found among the leads
			report.BooksTotal -= it.lead.Price
		}
		if what == "" {
			report.Matched++
			continue
		}
		report.Differences = append(report.Differences, it.told(what, books))
	}
	for i := range books.Leads {
		lead := &books.Leads[i]
		if books.givenBackLate(lead) {
			report.BooksTotal -= lead.Price
			if !named[lead] {
				report.Differences = append(report.Differences, lacking(NotCredited, lead, -lead.Price))
			}
		}
		if lead.Exchange != books.Exchange || !books.within(lead.At) {
			continue
		}
		report.Leads++
		report.BooksTotal += books.owed(lead)
		if !named[lead] && books.owed(lead) != 0 {
			report.Differences = append(report.Differences, lacking(NotOnStatement, lead, lead.Price))
		}
	}
	slices.SortStableFunc(report.Differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Ping, b.Ping), cmp.Compare(a.Lead, b.Lead))
	})
	return report, nil
}

// find gives the lead that the first id names which is ours.
func find(byID map[string]*store.Lead, ids ...string) *store.Lead {
	for _, id := range ids {
		if lead := byID[id]; lead != nil && id != "" {
			return lead
		}
	}
	return nil
}

// gather brings the lines of each lead together, in the order of the statement.
func gather(lines []Line, byID map[string]*store.Lead, report *Report) (items []*item) {
	known := map[any]*item{}
	for _, line := range lines {
		lead := find(byID, line.Bid, line.Lead, line.Ping)
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
		switch {
		case line.Currency != "":
			it.currency = line.Currency
		case line.Credit:
			it.credits++
			it.net -= line.Price
		default:
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
	case it.currency != "":
		return OtherCurrency, nil
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
	case it.givenBackLate(books) && it.net == -it.lead.Price:
		return "", nil // a former statement has the charge
	case it.givenBackLate(books) && it.net <= 0:
		return NotCredited, nil // or not wholly
	case books.owed(it.lead) == 0 && it.net != 0:
		return Returned, nil
	case it.charges > it.credits && !books.near(it.lead.At):
		return OtherTime, nil // another statement charges it, or this one's dates are not those of the leads
	case !it.lead.Returned && it.charges <= it.credits:
		return Credited, nil
	case it.net != books.owed(it.lead) && !(it.lead.Returned && it.net == 0):
		return OtherPrice, nil
	}
	return "", nil
}

func (it *item) told(what string, books Books) Difference {
	d := Difference{
		What: what, Lead: cmp.Or(it.first.Lead, it.first.Bid), Ping: it.first.Ping, Statement: it.net, Lines: it.lines,
	}
	if it.lead != nil {
		d.Lead, d.Ping, d.Exchange, d.Books = it.lead.ID, it.lead.PingID, it.lead.Exchange, books.owed(it.lead)
		d.Bought = it.lead.At
		if it.givenBackLate(books) {
			d.Books = -it.lead.Price
		}
	}
	return d
}

// givenBackLate tells of a lead that a former statement charges, and this one gives back. A statement that
// has no first day tells by itself which those are: a credit without a charge.
func (it *item) givenBackLate(books Books) bool {
	switch {
	case it.lead == nil:
		return false
	case !books.From.IsZero():
		return books.givenBackLate(it.lead)
	}
	return it.charges == 0 && it.credits > 0 && it.lead.Exchange == books.Exchange && it.lead.Returned &&
		books.within(it.lead.ReturnedAt)
}

// lacking is a lead of which the statement says nothing.
func lacking(what string, lead *store.Lead, books pingpost.Cents) Difference {
	return Difference{What: what, Lead: lead.ID, Ping: lead.PingID, Exchange: lead.Exchange, Books: books, Bought: lead.At}
}

// byID finds leads by each of their ids.
func (b *Books) byID() map[string]*store.Lead {
	byID := map[string]*store.Lead{}
	for i := range b.Leads {
		lead := &b.Leads[i]
		byID[lead.ID], byID[lead.BidID] = lead, lead
		if lead.Exchange == b.Exchange || byID[lead.PingID] == nil { // ping ids are the exchange's own
			byID[lead.PingID] = lead
		}
	}
	return byID
}

func (b *Books) within(at time.Time) bool {
	return !at.Before(b.From) && (b.To.IsZero() || at.Before(b.To))
}

// near is within with a day to spare: an exchange's midnight may be another than ours, and its clock.
func (b *Books) near(at time.Time) bool {
	return !at.Before(b.From.AddDate(0, 0, -1)) && (b.To.IsZero() || at.Before(b.To.AddDate(0, 0, 1)))
}

// givenBackLate tells of a lead that a former statement charges, and this one gives back.
func (b *Books) givenBackLate(lead *store.Lead) bool {
	return lead.Exchange == b.Exchange && lead.Returned && lead.At.Before(b.From) && b.within(lead.ReturnedAt)
}

// owed is what the books say a lead costs at the end of the statement's time: one that was returned
// later is charged on this statement, and given back on a later one.
func (b *Books) owed(lead *store.Lead) pingpost.Cents {
	if lead.Returned && (b.To.IsZero() || lead.ReturnedAt.Before(b.To)) {
		return 0
	}
	return lead.Price
}
