package cli

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"leadbid/pingpost"
)

// Output is a form that data is written in. It is a flag value.
type Output string

// The forms of output.
const (
	Text Output = "text" // aligned columns for people; their look may change
	JSON Output = "json" // one document; names and types are stable
	CSV  Output = "csv"  // tables with a header, for spreadsheets
)

// String gives the form's word.
func (o *Output) String() string { return string(*o) }

// Type names the flag's value in help texts.
func (o *Output) Type() string { return "text|json|csv" }

// Set reads the form's word.
func (o *Output) Set(word string) error {
	switch known := Output(word); known {
	case Text, JSON, CSV:
		*o = known
		return nil
	}
	return errors.New("say text, json or csv")
}

// Env is what a command may touch of the world around it.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer // data
	Stderr io.Writer // words for people
	Getenv func(string) string

	output Output
	config string
}

// Output is the form that --output asks for.
func (e *Env) Output() Output { return e.output }

// ConfigPath is the configuration to read: --config, else NAME_CONFIG, else the default.
func (e *Env) ConfigPath() string { return e.config }

// Sayf writes a line for people to stderr.
func (e *Env) Sayf(format string, args ...any) { fmt.Fprintf(e.Stderr, format+"\n", args...) }

// Table is rows of data under named columns.
type Table struct {
	Title   string   // a line above it in text; not written where ""
	Columns []string // snake_case, with the unit last: "latency_ms", "price_usd"
	Rows    [][]any  // strings, numbers, booleans, Cents, time.Time, time.Duration, Stringers; nil: none
	NoHead  bool     // in text, no header: for pairs of a name and its value
}

// Add appends a row.
func (t *Table) Add(cells ...any) { t.Rows = append(t.Rows, cells) }

// Print writes data to stdout in the form that --output asks for: document as JSON, the tables
// as text and CSV. With a nil document the JSON is an array of the first table's rows as objects.
//
// In JSON and CSV a Cents cell is dollars with two decimals, a time is RFC 3339, a duration is
// a number of milliseconds. In text both carry their unit, which the head then leaves out. A nil
// cell is null in JSON, empty in CSV, and a dash in text.
func (e *Env) Print(document any, tables ...Table) error {
	switch e.output {
	case JSON:
		if document == nil && len(tables) > 0 {
			document = rowObjects(tables[0])
		}
		encoder := json.NewEncoder(e.Stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(document)
	case CSV:
		return writeCSV(e.Stdout, tables)
	default:
		return writeText(e.Stdout, tables)
	}
}

// rowObjects keeps the columns' order, which a map would lose.
func rowObjects(table Table) []json.RawMessage {
	objects := make([]json.RawMessage, 0, len(table.Rows))
	for _, row := range table.Rows {
		object := []byte{'{'}
		for i, cell := range row {
			if i > 0 {
				object = append(object, ',')
			}
			object = append(strconv.AppendQuote(object, table.Columns[i]), ':')
			object = append(object, jsonCell(cell)...)
		}
		objects = append(objects, append(object, '}'))
	}
	return objects
}

func jsonCell(cell any) []byte {
	switch value := cell.(type) {
	case time.Duration:
		return []byte(milliseconds(value))
	case time.Time:
		if value.IsZero() {
			return []byte("null")
		}
	case fmt.Stringer:
		if _, ok := cell.(json.Marshaler); !ok {
			cell = value.String()
		}
	}
	text, err := json.Marshal(cell)
	if err != nil { // Only a float that is not a number gets here: it has no JSON.
		return []byte("null")
	}
	return text
}

func writeCSV(w io.Writer, tables []Table) error {
	for i, table := range tables {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		writer := csv.NewWriter(w)
		if err := writer.Write(table.Columns); err != nil {
			return err
		}
		for _, row := range table.Rows {
			fields := make([]string, len(row))
			for column, cell := range row {
				fields[column] = csvCell(cell)
			}
			if err := writer.Write(fields); err != nil {
				return err
			}
		}
		writer.Flush()
		if err := writer.Error(); err != nil {
			return err
		}
	}
	return nil
}

func csvCell(cell any) string {
	switch value := cell.(type) {
	case nil:
		return ""
	case pingpost.Cents:
		return string(value.AppendDollars(nil))
	case time.Duration:
		return milliseconds(value)
	case time.Time:
		return formatTime(value)
	}
	return withoutFormula(fmt.Sprint(cell))
}

// withoutFormula keeps a spreadsheet from running text that came in with a lead: a leading
// apostrophe makes it plain text there. Telephone and other numbers stay as they are.
func withoutFormula(text string) string {
	if text == "" || !strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return text
	}
	if strings.Trim(text, "+-. 0123456789()") == "" {
		return text
	}
	return "'" + text
}

// writeText writes each table as aligned columns, those of numbers to the right.
func writeText(w io.Writer, tables []Table) error {
	var text strings.Builder
	for i, table := range tables {
		if i > 0 {
			text.WriteByte('\n')
		}
		if table.Title != "" {
			text.WriteString(table.Title + "\n")
		}
		alignText(&text, table)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func alignText(text *strings.Builder, table Table) {
	lines := make([][]string, 0, len(table.Rows)+1)
	if !table.NoHead {
		lines = append(lines, textHead(table))
	}
	wordy := make([]bool, len(table.Columns)) // columns that hold anything but numbers
	for _, row := range table.Rows {
		line := make([]string, len(row))
		for i, cell := range row {
			line[i] = textCell(cell)
			wordy[i] = wordy[i] || (cell != nil && line[i] != "" && !isNumber(cell))
		}
		lines = append(lines, line)
	}
	widths := make([]int, len(table.Columns))
	for _, line := range lines {
		for i, field := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(field))
		}
	}
	for _, line := range lines {
		var aligned strings.Builder
		for i, field := range line {
			if i > 0 {
				aligned.WriteString("  ")
			}
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(field))
			if wordy[i] {
				aligned.WriteString(field + space)
			} else {
				aligned.WriteString(space + field)
			}
		}
		text.WriteString(strings.TrimRight(aligned.String(), " ") + "\n")
	}
}

// textHead is the columns' names in words. A unit that each cell shows itself is left out: $4.00
// stands under "price", not under "price usd".
func textHead(table Table) []string {
	head := make([]string, len(table.Columns))
	for i, column := range table.Columns {
		for _, row := range table.Rows {
			switch row[i].(type) {
			case pingpost.Cents:
				column = strings.TrimSuffix(column, "_usd")
			case time.Duration:
				column = strings.TrimSuffix(column, "_ms")
			}
		}
		head[i] = strings.ReplaceAll(column, "_", " ")
	}
	return head
}

func textCell(cell any) string {
	switch value := cell.(type) {
	case nil:
		return "-"
	case float64:
		return strconv.FormatFloat(value, 'g', 6, 64)
	case time.Time:
		return formatTime(value)
	}
	// What came in with a ping could hold the terminal's control sequences.
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, fmt.Sprint(cell))
}

func isNumber(cell any) bool {
	switch cell.(type) {
	case int, int32, int64, uint32, uint64, float64, pingpost.Cents, time.Duration:
		return true
	}
	return false
}

func formatTime(instant time.Time) string {
	if instant.IsZero() {
		return ""
	}
	return instant.Format(time.RFC3339Nano)
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', -1, 64)
}
