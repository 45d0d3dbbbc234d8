package reconcile

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"leadbid/budget/store"
)

// The meanings that only a file of outcomes has.
const (
	exchangeColumn meaning = "exchange"
	outcomeColumn  meaning = "outcome"
	amountColumn   meaning = "amount"
	knownColumn    meaning = "known"
)

// outcomeHeadings are the columns of a file of outcomes, as headings are those of a statement.
var outcomeHeadings = map[meaning][]string{
	leadColumn:     headings[leadColumn],
	bidColumn:      headings[bidColumn],
	pingColumn:     headings[pingColumn],
	exchangeColumn: {"exchange", "seller"},
	outcomeColumn:  {"outcome", "status", "state", "stage", "result", "disposition"},
	amountColumn:   {"amount", "amountusd", "jobamount", "jobvalue", "jobtotal", "revenue", "total", "value"},
	dateColumn:     {"at", "date", "time", "datetime", "timestamp", "happenedat", "outcomeat"},
	knownColumn:    {"knownat", "known", "knowntime", "recordedat", "updatedat"},
}

// outcomeWords are what contractors' systems call the outcomes.
var outcomeWords = map[string]string{
	"contacted": "contacted", "contact": "contacted", "reached": "contacted",
	"quoted": "quoted", "quote": "quoted", "estimate": "quoted", "estimated": "quoted",
	"booked": store.Booked, "won": store.Booked, "closed": store.Booked, "sold": store.Booked, "job": store.Booked, "scheduled": store.Booked,
	"lost": store.Lost, "dead": store.Lost, "cancelled": store.Lost, "canceled": store.Lost, "notinterested": store.Lost,
}

// OutcomeLine is one line of a file of outcomes.
type OutcomeLine struct {
	Number int // in the file, from 1
	store.Outcome
}

// OutcomeFile is a file of outcomes as it was read. Unread are the lines that could not be.
type OutcomeFile struct {
	Lines  []OutcomeLine
	Unread []Fault
}

// ParseOutcome gives the kind of outcome that a word means.
func ParseOutcome(word string) (kind string, err error) {
	kind, known := outcomeWords[plain(word)]
	if !known {
		return "", fmt.Errorf("%q is no outcome: contacted, quoted, booked or lost", word)
	}
	return kind, nil
}

// ReadOutcomes reads what became of leads, as a contractor's system exports it: CSV with a header, as
// Read takes it. A line that cannot be read is listed, and keeps no other from being read. The error is
// a Fault where the header cannot be used.
func ReadOutcomes(from io.Reader, zone *time.Location) (*OutcomeFile, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxStatement+1))
	if err != nil {
		return nil, fmt.Errorf("reconcile: reading outcomes: %w", err)
	}
	if len(text) > maxStatement {
		return nil, Fault{Line: 1, Why: fmt.Sprintf("the file is larger than %d MiB", maxStatement>>20)}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	reader := csv.NewReader(bytes.NewReader(text))
	reader.FieldsPerRecord, reader.Comma = -1, separator(text)
	reader.TrimLeadingSpace = reader.Comma != '\t'
	header, err := reader.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, Fault{Line: 1, Why: "the file is empty: expected a header such as lead_id,outcome,amount,at,known_at"}
		}
		return nil, faultOf(err)
	}
	rows := outcomeRows{zone: zone, width: len(header)}
	if rows.places, err = assignOutcomes(header); err != nil {
		return nil, err
	}
	for {
		fields, err := reader.Read()
		switch {
		case errors.Is(err, io.EOF):
			return &rows.OutcomeFile, nil
		case err != nil:
			rows.Unread = append(rows.Unread, faultOf(err))
			continue
		}
		line, _ := reader.FieldPos(0)
		rows.add(line, fields)
	}
}

// assignOutcomes finds the column of each meaning. Columns of other meanings are passed over.
func assignOutcomes(header []string) (places map[meaning]int, err error) {
	places = map[meaning]int{}
	for _, m := range slices.Sorted(maps.Keys(outcomeHeadings)) {
		places[m] = -1
		for i, heading := range header {
			if !slices.Contains(outcomeHeadings[m], plain(heading)) {
				continue
			}
			if places[m] >= 0 {
				return nil, headerFault(i+1, "both %q and %q look like the %s: rename one", header[places[m]], heading, m)
			}
			places[m] = i
		}
	}
	switch there := strings.Join(header, ", "); {
	case places[outcomeColumn] < 0:
		return nil, headerFault(0, "no column looks like the outcome (%s): expected one named outcome", there)
	case places[leadColumn] < 0 && places[bidColumn] < 0 && places[pingColumn] < 0:
		return nil, headerFault(0, "no column looks like the id of a lead, bid or ping (%s): expected one named lead_id, bid_id or ping_id", there)
	}
	return places, nil
}

// outcomeRows reads the lines below the header.
type outcomeRows struct {
	OutcomeFile
	places map[meaning]int
	zone   *time.Location
	width  int
}

func (r *outcomeRows) add(number int, fields []string) {
	if !slices.ContainsFunc(fields, func(field string) bool { return strings.TrimSpace(field) != "" }) {
		return // an empty line
	}
	if len(fields) != r.width {
		r.Unread = append(r.Unread, Fault{Line: number, Why: fmt.Sprintf("%d fields, and the header has %d", len(fields), r.width)})
		return
	}
	line, wrong, err := r.read(fields)
	if err != nil {
		column := 0
		if wrong != "" {
			column = r.places[wrong] + 1
		}
		r.Unread = append(r.Unread, Fault{number, column, cmp.Or(line.LeadID, line.BidID, line.PingID), err.Error()})
		return
	}
	line.Number = number
	r.Lines = append(r.Lines, line)
}

// read reads a line; wrong is the column that keeps it from being read.
func (r *outcomeRows) read(fields []string) (line OutcomeLine, wrong meaning, err error) {
	field := func(m meaning) string {
		if r.places[m] < 0 {
			return ""
		}
		return strings.TrimSpace(fields[r.places[m]])
	}
	line.LeadID, line.BidID, line.PingID = field(leadColumn), field(bidColumn), field(pingColumn)
	line.Exchange = field(exchangeColumn)
	if line.LeadID == "" && line.BidID == "" && line.PingID == "" {
		return line, "", errors.New("it names no lead, no bid and no ping")
	}
	if line.Kind, err = ParseOutcome(field(outcomeColumn)); err != nil {
		return line, outcomeColumn, err
	}
	if text := field(amountColumn); text != "" {
		currency := ""
		switch line.Amount, currency, err = parsePrice(text); {
		case err == nil && currency != "":
			err = fmt.Errorf("%q is in %s: expected dollars", text, currency)
		case err == nil && line.Amount < 0:
			err = fmt.Errorf("%q is less than nothing", text)
		}
		if err != nil {
			return line, amountColumn, err
		}
	}
	for _, date := range []struct {
		m    meaning
		into *time.Time
	}{{dateColumn, &line.At}, {knownColumn, &line.Known}} {
		if text := field(date.m); text != "" {
			if *date.into, err = parseDate(text, r.zone); err != nil {
				return line, date.m, err
			}
		}
	}
	return line, "", nil
}
