// Package reconcile holds what an exchange says it charged against the books: every difference, with
// its lead.
//
// It owns the reading of what others export: statements of exchanges, and what became of leads out of the
// contractor's own system; and the comparison. The caller hands it the file and the leads; it opens
// nothing, moves no money, and drops no line silently: what it cannot read is listed with its line and
// column. Its functions may be called from several goroutines.
package reconcile

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"leadbid/pingpost"
)

// maxStatement bounds a statement: some hundred thousand lines.
const maxStatement = 64 << 20

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

// Fault is a place that cannot be read. Column is the field's number, from 1; 0 means the whole line.
// Lead is what the line names: an id of a lead, bid or ping, where it names one.
type Fault struct {
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
	Lead   string `json:"lead,omitempty"`
	Why    string `json:"why"`
}

func (f Fault) Error() string {
	place := fmt.Sprintf("line %d", f.Line)
	if f.Column != 0 {
		place += fmt.Sprintf(", column %d", f.Column)
	}
	if f.Lead != "" {
		place += " (" + f.Lead + ")"
	}
	return place + ": " + f.Why
}

// Statement is a statement as it was read. Unread are the lines that could not be.
type Statement struct {
	Lines  []Line
	Unread []Fault
}

// meaning is what a column is.
type meaning string

// The meanings, as --column names them.
const (
	leadColumn   meaning = "lead"
	bidColumn    meaning = "bid"
	pingColumn   meaning = "ping"
	priceColumn  meaning = "price"
	dateColumn   meaning = "date"
	statusColumn meaning = "status"

	currencyColumn meaning = "currency"
)

// headings are the names of columns that are understood by themselves, without case and signs.
var headings = map[meaning][]string{
	leadColumn:   {"leadid", "lead", "leadnumber", "leadno", "leadref", "reference", "externalid"},
	bidColumn:    {"bidid", "bidref", "bidreference"},
	pingColumn:   {"pingid", "ping", "offerid", "offer", "auctionid", "pingref"},
	priceColumn:  {"price", "priceusd", "amount", "amountusd", "charge", "charged", "cost", "leadprice", "chargeusd", "costusd"},
	dateColumn:   {"date", "time", "at", "datetime", "timestamp", "soldat", "chargedat", "createdat", "created", "posted", "postedat"},
	statusColumn: {"status", "state", "outcome", "result", "disposition", "type"},

	currencyColumn: {"currency", "currencycode", "curr", "ccy"},
}

var meanings = []meaning{leadColumn, bidColumn, pingColumn, priceColumn, dateColumn, statusColumn, currencyColumn}

// Meanings lists what columns can mean.
func Meanings() []string {
	words := make([]string, len(meanings))
	for i, m := range meanings {
		words[i] = string(m)
	}
	return words
}

func plain(heading string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// Read reads a statement: CSV with a header, separated by commas, semicolons or tabs; a BOM, CRLF and
// quotes are understood. columns names the heading of a meaning where it is not understood by itself.
// zone is that of dates without one. The error is a Fault where the header cannot be used.
func Read(from io.Reader, columns map[string]string, zone *time.Location) (*Statement, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxStatement+1))
	if err != nil {
		return nil, fmt.Errorf("reconcile: reading the statement: %w", err)
	}
	if len(text) > maxStatement {
		return nil, Fault{Line: 1, Why: fmt.Sprintf("the statement is larger than %d MiB", maxStatement>>20)}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	reader := csv.NewReader(bytes.NewReader(text))
	reader.FieldsPerRecord, reader.Comma = -1, separator(text)
	reader.TrimLeadingSpace = reader.Comma != '\t' // it would swallow empty fields
	header, err := reader.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, Fault{Line: 1, Why: "the statement is empty: expected a header with names of columns"}
		}
		return nil, faultOf(err)
	}
	places, err := assign(header, columns)
	if err != nil {
		return nil, err
	}
	r := rows{places: places, zone: zone, width: len(header)}
	for {
		fields, err := reader.Read()
		switch {
		case errors.Is(err, io.EOF):
			return &r.Statement, nil
		case err != nil:
			r.Unread = append(r.Unread, faultOf(err))
			continue
		}
		line, _ := reader.FieldPos(0)
		r.add(line, fields)
	}
}

// separator is what the header's line has most of.
func separator(text []byte) rune {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	best, most := ',', 0
	for _, candidate := range []rune{',', ';', '\t'} {
		if n := bytes.Count(first, []byte(string(candidate))); n > most {
			best, most = candidate, n
		}
	}
	return best
}

func faultOf(err error) Fault {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return Fault{Line: parse.Line, Column: parse.Column, Why: parse.Err.Error() + " (the column counts characters)"}
	}
	return Fault{Line: 1, Why: err.Error()}
}

// assign finds the column of each meaning. -1 stands for none.
func assign(header []string, columns map[string]string) (map[meaning]int, error) {
	places := map[meaning]int{}
	for _, m := range meanings {
		places[m] = -1
		wanted := headings[m]
		named, isNamed := columns[string(m)]
		if isNamed {
			wanted = []string{plain(named)}
		}
		for i, heading := range header {
			if !slices.Contains(wanted, plain(heading)) {
				continue
			}
			if places[m] >= 0 {
				return nil, headerFault(i+1, "both %q and %q look like the %s: say which with --column %s=NAME",
					header[places[m]], heading, m, m)
			}
			places[m] = i
		}
		if isNamed && places[m] < 0 {
			return nil, headerFault(0, "there is no column %q; there are: %s", named, strings.Join(header, ", "))
		}
	}
	for name := range columns {
		if !slices.Contains(meanings, meaning(name)) {
			return nil, headerFault(0, "a column cannot be the %q: say one of %s", name, strings.Join(Meanings(), ", "))
		}
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

func headerFault(column int, why string, args ...any) Fault {
	return Fault{Line: 1, Column: column, Why: fmt.Sprintf(why, args...)}
}

// rows reads the lines below the header.
type rows struct {
	Statement
	places map[meaning]int
	zone   *time.Location
	width  int
}

func (r *rows) add(number int, fields []string) {
	if !slices.ContainsFunc(fields, func(field string) bool { return strings.TrimSpace(field) != "" }) {
		return // an empty line
	}
	if len(fields) != r.width {
		r.Unread = append(r.Unread, Fault{Line: number, Why: fmt.Sprintf("%d fields, and the header has %d", len(fields), r.width)})
		return
	}
	field := func(m meaning) string {
		if r.places[m] < 0 {
			return ""
		}
		return strings.TrimSpace(fields[r.places[m]])
	}
	line := Line{Number: number, Lead: field(leadColumn), Bid: field(bidColumn), Ping: field(pingColumn), Word: field(statusColumn)}
	fault := func(m meaning, err error) {
		r.Unread = append(r.Unread, Fault{number, r.places[m] + 1, cmp.Or(line.Bid, line.Lead, line.Ping), err.Error()})
	}
	var err error
	if line.Price, line.Currency, err = parsePrice(field(priceColumn)); err != nil {
		fault(priceColumn, err)
		return
	}
	if named := field(currencyColumn); line.Currency == "" && !isDollars(named) {
		line.Currency = named
	}
	if text := field(dateColumn); text != "" {
		if line.At, err = parseDate(text, r.zone); err != nil {
			fault(dateColumn, err)
			return
		}
	}
	charged, known := statusWords[plain(line.Word)]
	switch {
	case line.Word != "" && !known:
		fault(statusColumn, fmt.Errorf("%q is no status that is known here: charged, sold, accepted, billed, returned, refunded, credited or voided", line.Word))
		return
	case line.Lead == "" && line.Bid == "" && line.Ping == "":
		r.Unread = append(r.Unread, Fault{Line: number, Why: "it names no lead, no bid and no ping"})
		return
	}
	line.Credit = known && !charged || line.Price < 0
	if line.Price < 0 {
		line.Price = -line.Price
	}
	r.Lines = append(r.Lines, line)
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
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02",
	"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST", "2006/01/02", "1/2/2006", "1/2/2006 15:04", "1/2/2006 15:04:05",
	"1/2/2006 3:04 PM", "1/2/2006 3:04:05 PM", "1/2/06", "Jan 2, 2006", "January 2, 2006", "2 Jan 2006", "Jan 2, 2006 15:04",
	"Jan 2, 2006 3:04 PM",
}

// parseDate reads the usual forms; with slashes the month comes first.
func parseDate(text string, zone *time.Location) (time.Time, error) {
	for _, form := range dateForms {
		if at, err := time.ParseInLocation(form, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date that is known here: such as 2026-03-04, 2026-03-04 15:04, 2026-03-04T15:04:05Z or 3/4/2026 (month first)", text)
}
