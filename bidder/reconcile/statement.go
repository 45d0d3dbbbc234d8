// Package reconcile holds what an exchange says it charged against the books: every difference, with
// its lead.
//
// It owns the reading of what others export: statements of exchanges, and what became of leads out of the
// contractor's own system; and the comparison. The caller hands it the file and the leads; it opens
// nothing, moves no money, and drops no line silently: what it cannot read is listed with its line and
// column. Its functions may be called from several goroutines.
package reconcile

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"leadbid/pingpost"
)

// Line is one line of a statement.
type Line struct {
	Number int    // in the file, from 1
	Lead   string // ids as the exchange writes them; "" where it does not
	Bid    string
	Ping   string
	Price  pingpost.Cents // never negative
	Credit bool           // the price was given back
	At     time.Time      // zero where the line has no date
	Word   string         // the status as written
	// Currency is set where the price is not in dollars, as written. Price is then no amount of ours.
	Currency string
}

// Statement is a statement as it was read. Unread are the lines that could not be.
type Statement struct {
	Lines  []Line
	Unread []Fault
}

// The meanings that only a statement has, as --column names them.
const (
	priceColumn  meaning = "price"
	statusColumn meaning = "status"

	currencyColumn meaning = "currency"
)

var statements = table{what: "the statement", header: "lead_id,price,date,status", headings: map[meaning][]string{
	leadColumn:   leadHeadings,
	bidColumn:    bidHeadings,
	pingColumn:   pingHeadings,
	priceColumn:  {"price", "priceusd", "amount", "amountusd", "charge", "charged", "cost", "leadprice", "chargeusd", "costusd"},
	dateColumn:   {"date", "time", "at", "datetime", "timestamp", "soldat", "chargedat", "createdat", "created", "posted", "postedat"},
	statusColumn: {"status", "state", "outcome", "result", "disposition", "type"},

	currencyColumn: {"currency", "currencycode", "curr", "ccy"},
}}

var meanings = []meaning{leadColumn, bidColumn, pingColumn, priceColumn, dateColumn, statusColumn, currencyColumn}

// Meanings lists what columns can mean.
func Meanings() []string {
	words := make([]string, len(meanings))
	for i, m := range meanings {
		words[i] = string(m)
	}
	return words
}

// Read reads a statement. columns names the heading of a meaning where it is not understood by itself. zone
// is that of dates without one. The error is a Fault where the header cannot be used.
func Read(from io.Reader, columns map[string]string, zone *time.Location) (*Statement, error) {
	var statement Statement
	var err error
	assign := func(header []string) (map[meaning]int, error) { return assignStatement(header, columns) }
	statement.Unread, err = statements.read(from, assign, func(r row) (wrong meaning, err error) {
		line, wrong, err := readLine(r, zone)
		if err == nil {
			statement.Lines = append(statement.Lines, line)
		}
		return wrong, err
	})
	if err != nil {
		return nil, err
	}
	return &statement, nil
}

func assignStatement(header []string, columns map[string]string) (map[meaning]int, error) {
	for name := range columns {
		if !slices.Contains(meanings, meaning(name)) {
			return nil, headerFault(0, "a column cannot be the %q: say one of %s", name, strings.Join(Meanings(), ", "))
		}
	}
	places, err := statements.assign(header, columns, "say which with --column MEANING=NAME")
	if err != nil {
		return nil, err
	}
	switch {
	case places[priceColumn] < 0:
		return nil, headerFault(0, "no column looks like the price (%s): say which with --column price=NAME", strings.Join(header, ", "))
	case places[leadColumn] < 0 && places[bidColumn] < 0 && places[pingColumn] < 0:
		return nil, headerFault(0, "no column looks like the id of a lead, bid or ping (%s): say which with --column lead=NAME, "+
			"bid=NAME or ping=NAME", strings.Join(header, ", "))
	}
	return places, nil
}

func readLine(r row, zone *time.Location) (line Line, wrong meaning, err error) {
	line = Line{Number: r.number, Lead: r.at(leadColumn), Bid: r.at(bidColumn), Ping: r.at(pingColumn), Word: r.at(statusColumn)}
	if line.Price, line.Currency, err = parsePrice(r.at(priceColumn)); err != nil {
		return line, priceColumn, err
	}
	if named := r.at(currencyColumn); line.Currency == "" && !isDollars(named) {
		line.Currency = named
	}
	if text := r.at(dateColumn); text != "" {
		if line.At, err = parseDate(text, zone); err != nil {
			return line, dateColumn, err
		}
	}
	charged, known := statusWords[plain(line.Word)]
	switch {
	case line.Word != "" && !known:
		return line, statusColumn, fmt.Errorf("%q is no status that is known here: charged, sold, accepted, billed, "+
			"returned, refunded, credited or voided", line.Word)
	case r.lead() == "":
		return line, "", errNameless
	}
	line.Credit = known && !charged || line.Price < 0
	if line.Price < 0 {
		line.Price = -line.Price
	}
	return line, "", nil
}

// statusWords tell charges from credits.
var statusWords = map[string]bool{
	"charged": true, "sold": true, "accepted": true, "billed": true, "won": true, "paid": true, "charge": true, "sale": true,
	"returned": false, "refunded": false, "credited": false, "voided": false, "return": false, "refund": false, "credit": false, "void": false,
}

// isDollars tells whether a currency is ours; "" is.
func isDollars(currency string) bool {
	return slices.Contains([]string{"", "USD", "US$", "$"}, strings.ToUpper(currency))
}

// currencies are codes and signs of currencies: EUR, €, CA$.
var currencies = regexp.MustCompile(`^([A-Z]{3}|[A-Z]{0,3}\p{Sc})$`)

// splitCurrency takes the currency off an amount, before or behind its digits. "" stands for dollars.
func splitCurrency(text string) (amount, currency string) {
	isMark := func(r rune) bool { return unicode.IsLetter(r) || unicode.Is(unicode.Sc, r) }
	from := strings.IndexFunc(text, isMark)
	if from < 0 {
		return text, ""
	}
	before, behind := text[:from], strings.TrimLeftFunc(text[from:], isMark)
	mark := text[from : len(text)-len(behind)]
	inside := strings.ContainsFunc(before, unicode.IsDigit) && strings.ContainsFunc(behind, unicode.IsDigit)
	rest := strings.TrimSpace(before + strings.TrimSpace(behind))
	switch {
	case inside || !currencies.MatchString(mark):
		return text, ""
	case isDollars(mark):
		return splitCurrency(rest) // $12.00 USD
	}
	return rest, mark
}

var grouped = regexp.MustCompile(`^-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$`)

// parsePrice reads 12, 12.5, $1,234.50, -3.00, ($3.00), 12.00 USD, and the same in other currencies.
// currency is "" for dollars.
func parsePrice(text string) (amount pingpost.Cents, currency string, err error) {
	digits, currency := splitCurrency(text)
	negative := false
	if inside, ok := strings.CutPrefix(digits, "("); ok {
		if digits, negative = strings.CutSuffix(inside, ")"); !negative {
			return 0, "", fmt.Errorf("%q is not an amount of dollars", text)
		}
	}
	minus := strings.HasPrefix(digits, "-")
	digits = strings.TrimSpace(strings.TrimPrefix(digits, "-"))
	if grouped.MatchString(digits) {
		digits = strings.ReplaceAll(digits, ",", "")
	}
	amount, err = pingpost.ParseDollars(digits)
	if err != nil || amount < 0 || minus && negative {
		return 0, "", fmt.Errorf("%q is not an amount of dollars, such as 1234.50 or $1,234.50", text)
	}
	if minus || negative {
		amount = -amount
	}
	return amount, currency, nil
}

var dateForms = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04",
	"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700",
	"2006-01-02 15:04Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 -07",
	namedZone, "2006/01/02", "1/2/2006", "1/2/2006 15:04", "1/2/2006 15:04:05",
	"1/2/2006 3:04 PM", "1/2/2006 3:04:05 PM", "1/2/06", "Jan 2, 2006", "January 2, 2006", "2 Jan 2006", "Jan 2, 2006 15:04",
	"Jan 2, 2006 3:04 PM",
}

const namedZone = "2006-01-02 15:04:05 MST"

// parseDate reads the usual forms; with slashes the month comes first.
func parseDate(text string, zone *time.Location) (time.Time, error) {
	for _, form := range dateForms {
		at, err := time.ParseInLocation(form, text, zone)
		switch {
		case err != nil:
			continue
		case form == namedZone && !isKnown(at.Location(), zone):
			return time.Time{}, fmt.Errorf("%q is in %s, which has not the same hour everywhere and is no time of %s: write its "+
				"distance to UTC instead, such as 2026-03-04 15:04:05-05:00", text, at.Location(), zone)
		}
		return at, nil
	}
	return time.Time{}, fmt.Errorf("%q is no date that is known here: such as 2026-03-04, 2026-03-04 15:04, 2026-03-04T15:04:05Z or 3/4/2026 (month first)", text)
}

// isKnown tells whether the name of a time zone was understood: one that is neither the business's nor UTC
// is taken for UTC by Go, under the name that was read.
func isKnown(read, zone *time.Location) bool {
	return read == zone || read == time.UTC || read.String() == "GMT"
}
