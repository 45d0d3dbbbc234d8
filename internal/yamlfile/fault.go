package yamlfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity is whether a fault keeps a file from being used.
type Severity uint8

// The severities.
const (
	Wrong   Severity = iota // the file cannot be used
	Warning                 // it can, and the writer should know
)

// String gives the word in JSON.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "fault"
}

// MarshalText writes the word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Severity) UnmarshalText(text []byte) error {
	switch string(text) {
	case Wrong.String():
		*s = Wrong
	case Warning.String():
		*s = Warning
	default:
		return fmt.Errorf("yamlfile: %q is no severity", text)
	}
	return nil
}

// Fault is one thing wrong with a file: where, what, what was expected there and what to type.
type Fault struct {
	File     string   `json:"file"` // "" where the fault is about no file
	Line     int      `json:"line"` // from 1; 0 where the fault is about the file as a whole
	Col      int      `json:"col"`  // from 1, in characters
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Source   string   `json:"source,omitempty"` // the line as written
	Expected string   `json:"expected,omitempty"`
	Type     string   `json:"type,omitempty"` // what to type instead
}

// String renders the fault for people: position and message, the line, a caret, the expectation
// and the hint. It ends without a newline.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Where())
	if f.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(f.Message)
	if f.Line > 0 && strings.TrimSpace(f.Source) != "" {
		line, caret := clip(f.Source, f.Col)
		fmt.Fprintf(&b, "\n    %s\n    %s^", line, strings.Repeat(" ", caret))
	}
	if f.Expected != "" {
		b.WriteString("\n  expected " + f.Expected)
	}
	if f.Type != "" {
		b.WriteString("\n  type: " + f.Type)
	}
	return b.String()
}

// Where is what comes before the message: "bidder.yaml:4:20: ", or "" where the fault is about no file.
func (f Fault) Where() string {
	switch {
	case f.File == "":
		return ""
	case f.Line == 0:
		return f.File + ": "
	}
	return fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, f.Col)
}

// clip shortens a line to what fits a terminal around a column (from 1), and gives the caret's
// offset in what is left. Tabs and other control characters become spaces, so that the caret
// stands where it should and a hostile file cannot move the reader's cursor.
func clip(line string, col int) (shown string, caret int) {
	const width, before = 100, 60
	characters := []rune(line)
	for i, r := range characters {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || (r >= 0x80 && r < 0xa0) {
			characters[i] = ' '
		}
	}
	caret = min(max(col-1, 0), len(characters))
	start, head, tail := 0, "", ""
	if len(characters) > width && caret > before {
		start, head = caret-before, "…"
	}
	end := min(start+width, len(characters))
	if end < len(characters) {
		tail = "…"
	}
	shown = strings.TrimRight(head+string(characters[start:end])+tail, " ")
	return shown, caret - start + utf8.RuneCountInString(head)
}

// maxFaults is how many faults of one reading are kept. Nobody reads more, and a hostile file of
// a megabyte can hold half a million; the rest is counted.
const maxFaults = 200

// Faults collects what is wrong with a file and the files it names. The zero value is ready. It
// belongs to one goroutine until the reading is over, and is plain data afterwards.
type Faults struct {
	list   []Fault
	wrong  int // faults of severity Wrong, those beyond maxFaults included
	beyond int
	folder string   // of all files, see Under
	secret []string // texts that no line may show
}

// hide keeps a text out of every line that is shown, those of earlier faults included: a mistake
// beside a written-out secret must not carry it into a terminal or a log.
func (f *Faults) hide(secret string) {
	if secret != "" {
		f.secret = append(f.secret, secret)
	}
}

// Add notes a fault. The same message at the same place is noted once.
func (f *Faults) Add(fault Fault) {
	fault.File = f.under(fault.File)
	if slices.Contains(f.list, fault) {
		return
	}
	if fault.Severity == Wrong {
		f.wrong++
	}
	if len(f.list) >= maxFaults {
		f.beyond++
		return
	}
	f.list = append(f.list, fault)
}

// Any reports whether there is a fault that keeps the file from being used.
func (f *Faults) Any() bool { return f.wrong > 0 }

// Under puts the folder that was read before the files' names, those of faults that are noted later
// included, so that whoever reads them finds the files from where the program was started.
func (f *Faults) Under(folder string) {
	f.folder = folder
	for i := range f.list {
		f.list[i].File = f.under(f.list[i].File)
	}
}

func (f *Faults) under(file string) string {
	if file == "" || f.folder == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(f.folder, file)
}

// List gives faults and warnings by position, at most 200.
func (f *Faults) List() []Fault {
	sorted := slices.Clone(f.list)
	for i := range sorted {
		for _, secret := range f.secret {
			// As many characters as before, so that the caret stays where it belongs.
			mask := strings.Repeat("*", utf8.RuneCountInString(secret))
			sorted[i].Source = strings.ReplaceAll(sorted[i].Source, secret, mask)
		}
	}
	slices.SortStableFunc(sorted, func(a, b Fault) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	return sorted
}

// String renders everything for people, by position, a blank line between two faults. It is ""
// where there is nothing to tell, and ends with a newline otherwise.
func (f *Faults) String() string {
	var b strings.Builder
	for i, fault := range f.List() {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(fault.String())
		b.WriteByte('\n')
	}
	if f.beyond > 0 {
		fmt.Fprintf(&b, "\n... and %d more\n", f.beyond)
	}
	return b.String()
}

// Err is nil unless a fault keeps the file from being used; its text is all of String.
func (f *Faults) Err() error {
	if !f.Any() {
		return nil
	}
	return errors.New(f.String())
}

// MarshalJSON writes the list by position; never null.
func (f *Faults) MarshalJSON() ([]byte, error) {
	list := f.List()
	if list == nil {
		list = []Fault{}
	}
	return json.Marshal(list)
}
