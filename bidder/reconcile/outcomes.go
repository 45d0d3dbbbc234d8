package reconcile

import (
	"fmt"
	"io"
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

var outcomeFiles = table{what: "the file", header: "lead_id,outcome,amount,at,known_at", headings: map[meaning][]string{
	leadColumn:     leadHeadings,
	bidColumn:      bidHeadings,
	pingColumn:     pingHeadings,
	exchangeColumn: {"exchange", "seller"},
	outcomeColumn:  {"outcome", "status", "state", "stage", "result", "disposition"},
	amountColumn:   {"amount", "amountusd", "jobamount", "jobvalue", "jobtotal", "revenue", "total", "value"},
	dateColumn:     {"at", "date", "time", "datetime", "timestamp", "happenedat", "outcomeat"},
	knownColumn:    {"knownat", "known", "knowntime", "recordedat", "updatedat"},
}}

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

// ReadOutcomes reads what became of leads, as a contractor's system exports it. A line that cannot be read is
// listed, and keeps no other from being read. The error is a Fault where the header cannot be used.
func ReadOutcomes(from io.Reader, zone *time.Location) (*OutcomeFile, error) {
	var file OutcomeFile
	var err error
	file.Unread, err = outcomeFiles.read(from, assignOutcomes, func(r row) (wrong meaning, err error) {
		line, wrong, err := readOutcome(r, zone)
		if err == nil {
			file.Lines = append(file.Lines, line)
		}
		return wrong, err
	})
	if err != nil {
		return nil, err
	}
	return &file, nil
}

func assignOutcomes(header []string) (map[meaning]int, error) {
	places, err := outcomeFiles.assign(header, nil, "rename one")
	if err != nil {
		return nil, err
	}
	switch there := strings.Join(header, ", "); {
	case places[outcomeColumn] < 0:
		return nil, headerFault(0, "no column looks like the outcome (%s): expected one named outcome", there)
	case places[leadColumn] < 0 && places[bidColumn] < 0 && places[pingColumn] < 0:
		return nil, headerFault(0, "no column looks like the id of a lead, bid or ping (%s): expected one named lead_id, bid_id or ping_id", there)
	}
	return places, nil
}

func readOutcome(r row, zone *time.Location) (line OutcomeLine, wrong meaning, err error) {
	line.Number, line.Exchange = r.number, r.at(exchangeColumn)
	line.LeadID, line.BidID, line.PingID = r.at(leadColumn), r.at(bidColumn), r.at(pingColumn)
	if r.lead() == "" {
		return line, "", errNameless
	}
	if line.Kind, err = ParseOutcome(r.at(outcomeColumn)); err != nil {
		return line, outcomeColumn, err
	}
	if text := r.at(amountColumn); text != "" {
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
		if text := r.at(date.m); text != "" {
			if *date.into, err = parseDate(text, zone); err != nil {
				return line, date.m, err
			}
		}
	}
	return line, "", nil
}
