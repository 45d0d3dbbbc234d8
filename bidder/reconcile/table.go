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
	"unicode"
)

// maxFile bounds a file: some hundred thousand lines.
const maxFile = 64 << 20

// Fault is a place that cannot be read. Column is the field's number, from 1; 0 means the whole line.
// Lead is what the line names: an id of a lead, bid or ping, where it names one.
type Fault struct {
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
	Lead   string `json:"lead,omitempty"`
	Why    string `json:"why"`

	ids [3]string // all that the line names, the bid's first
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

func headerFault(column int, why string, args ...any) Fault {
	return Fault{Line: 1, Column: column, Why: fmt.Sprintf(why, args...)}
}

// meaning is what a column is.
type meaning string

// The meanings that every file has.
const (
	leadColumn meaning = "lead"
	bidColumn  meaning = "bid"
	pingColumn meaning = "ping"
	dateColumn meaning = "date"
)

// The names of columns by which both kinds of file name a lead.
var (
	leadHeadings = []string{"leadid", "lead", "leadnumber", "leadno", "leadref", "reference", "externalid"}
	bidHeadings  = []string{"bidid", "bidref", "bidreference"}
	pingHeadings = []string{"pingid", "ping", "offerid", "offer", "auctionid", "pingref"}
)

// table is a kind of file: CSV with a header, separated by commas, semicolons or tabs; a BOM, lines that end in
// CRLF or CR, and quotes are understood.
type table struct {
	what   string // it is, in errors
	header string // that an empty file should have had

	// headings are the names of columns that are understood by themselves, without case and signs.
	headings map[meaning][]string
}

// row is a line below the header.
type row struct {
	number int
	fields []string
	places map[meaning]int // of columns; -1 stands for none
}

// at gives what stands in a column; "" where there is none.
func (r row) at(m meaning) string {
	if r.places[m] < 0 {
		return ""
	}
	return strings.TrimSpace(r.fields[r.places[m]])
}

// lead is what names the row's lead.
func (r row) lead() string { return cmp.Or(r.at(leadColumn), r.at(bidColumn), r.at(pingColumn)) }

func (r row) ids() [3]string { return [3]string{r.at(bidColumn), r.at(leadColumn), r.at(pingColumn)} }

// malformed says why a row's fields cannot stand where they do; "" where they can.
func (r row) malformed(columns int) string {
	if len(r.fields) != columns {
		return fmt.Sprintf("%d fields, and the header has %d", len(r.fields), columns)
	}
	if ids := r.ids(); strings.Contains(strings.Join(ids[:], ""), "\n") {
		return "an id goes on in the next line"
	}
	return ""
}

// errNameless is a row that could be of any lead.
var errNameless = errors.New("it names no lead, no bid and no ping")

// read gives each row to add and lists those that could not be read. add tells what was wrong with a row, and
// the column that it was found in, or "". assign finds the columns. The error is a Fault where the header
// cannot be used.
func (t *table) read(from io.Reader, assign func(header []string) (map[meaning]int, error),
	add func(r row) (wrong meaning, err error)) (unread []Fault, err error) {
	text, err := io.ReadAll(io.LimitReader(from, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reconcile: reading %s: %w", t.what, err)
	}
	if len(text) > maxFile {
		return nil, Fault{Line: 1, Why: fmt.Sprintf("%s is larger than %d MiB", t.what, maxFile>>20)}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n")) // the reader of CSV knows no end of line but LF
	reader := csv.NewReader(bytes.NewReader(text))
	reader.FieldsPerRecord, reader.Comma = -1, separator(text)
	reader.TrimLeadingSpace = reader.Comma != '\t' // it would swallow empty fields
	header, err := reader.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, Fault{Line: 1, Why: fmt.Sprintf("%s is empty: expected a header such as %s", t.what, t.header)}
		}
		return nil, faultOf(err)
	}
	places, err := assign(header)
	if err != nil {
		return nil, err
	}
	for {
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return unread, nil
		}
		if err != nil {
			unread = append(unread, faultOf(err))
			continue
		}
		r := row{fields: fields, places: places}
		r.number, _ = reader.FieldPos(0)
		beyond := linesBeyond(reader, r)
		if !slices.ContainsFunc(fields, func(field string) bool { return strings.TrimSpace(field) != "" }) {
			continue // an empty line
		}
		if why := r.malformed(len(header)); why != "" {
			unread = append(unread, Fault{Line: r.number, Why: why + beyond})
			continue
		}
		if wrong, err := add(r); err != nil {
			fault := Fault{Line: r.number, Lead: r.lead(), Why: err.Error() + beyond, ids: r.ids()}
			if wrong != "" {
				fault.Column = places[wrong] + 1
			}
			unread = append(unread, fault)
		}
	}
}

// linesBeyond tells of a row that cannot be read which other lines it took along between quotes; "" where none.
func linesBeyond(reader *csv.Reader, r row) string {
	last := len(r.fields) - 1
	end, _ := reader.FieldPos(last)
	if end += strings.Count(r.fields[last], "\n"); end == r.number {
		return ""
	}
	return fmt.Sprintf(" (a quote joins lines %d to %d: none of them is read)", r.number, end)
}

// assign finds the column of each meaning. columns names the heading of a meaning where it is not understood
// by itself; both says what to do where two columns look like one meaning.
func (t *table) assign(header []string, columns map[string]string, both string) (map[meaning]int, error) {
	places := map[meaning]int{}
	for _, m := range slices.Sorted(maps.Keys(t.headings)) {
		places[m] = -1
		wanted := t.headings[m]
		named, isNamed := columns[string(m)]
		if isNamed {
			wanted = []string{plain(named)}
		}
		for i, heading := range header {
			if !slices.Contains(wanted, plain(heading)) {
				continue
			}
			if places[m] >= 0 {
				return nil, headerFault(i+1, "both %q and %q look like the %s: %s",
					header[places[m]], heading, m, strings.ReplaceAll(both, "MEANING", string(m)))
			}
			places[m] = i
		}
		if isNamed && places[m] < 0 {
			return nil, headerFault(0, "there is no column %q; there are: %s", named, strings.Join(header, ", "))
		}
	}
	return places, nil
}

func plain(heading string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
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

// faultOf names where a quote opens that took the lines after it along, and not only where that showed.
func faultOf(err error) Fault {
	var parse *csv.ParseError
	switch {
	case !errors.As(err, &parse):
		return Fault{Line: 1, Why: err.Error()}
	case parse.StartLine != parse.Line:
		return Fault{Line: parse.StartLine, Why: fmt.Sprintf("a quote opens here and is not closed before line %d: "+
			"lines %d to %d are not read", parse.Line, parse.StartLine, parse.Line)}
	}
	return Fault{Line: parse.Line, Column: parse.Column, Why: parse.Err.Error() + " (the column counts characters)"}
}
