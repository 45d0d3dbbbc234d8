package yamlfile

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// hasTabs looks for tabs in the indentation before the parser does: it can name every such line,
// where the parser stops at the first with a message about tokens.
func (f *File) hasTabs() bool {
	found := false
	for i, line := range f.Lines {
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 && len(indent) < len(line) {
			f.faults.Add(f.Fault(i+1, tab+1, "a tab in the indentation",
				"spaces: YAML does not allow tabs there", ""))
			found = true
		}
	}
	return found
}

var errorLine = regexp.MustCompile(`^(?:yaml: )?(?:line ([0-9]+): )?(.*)$`)

// The usual ways to break a line of YAML, in the order in which they are worth suggesting. Each
// is looked for on the line that the parser names and on the one before, since it often notices
// one line late.
var usualCauses = []struct {
	pattern       *regexp.Regexp
	message, hint string
}{
	{regexp.MustCompile(`[:,\[{]\s*!\w`), "a text that begins with ! must be quoted",
		`when: '!homeowner', or: when: not homeowner`},
	{regexp.MustCompile(`:\s+[@` + "`" + `%]`), "a text that begins with @, % or ` must be quoted",
		"'...' around the text"},
	{regexp.MustCompile(`[{,]\s*\w+:\s*[^"'\s\[{][^"'{}]*[\[\]?]`),
		"inside braces an expression with brackets, commas or ? must be quoted", `when: 'zip in ["60614"]'`},
	{regexp.MustCompile(`:\s+[^"'\s\[{#][^#]*\s\?\s[^#]*\s:\s`), "an expression with ? and : must be quoted",
		`hours_per_job: 'job == "install" ? 7 : 2'`},
	{regexp.MustCompile(`:\s+"[^"]*"\s*[^\s#,}\]"]`), "there is more text after the closing quote",
		`'...' around the whole text: when: '"a" in sub_ids'`},
	{regexp.MustCompile(`:\s+'[^']*'\s*[^\s#,}\]']`), "there is more text after the closing quote",
		`"..." around the whole text, or '' for each quote inside it`},
	{regexp.MustCompile(`^[^"'{]*:\s+[^"'{\[#|>][^"'#]*:\s`),
		"a text with a colon and a space in it must be quoted",
		`name: "emergency: at night"`},
	{regexp.MustCompile(`^\s*-?\s*[a-z_]+:[^\s/]`), "a colon needs a space after it", "key: value"},
}

// mayHoldSecret finds lines that are not shown while nothing is known of their values yet.
var mayHoldSecret = regexp.MustCompile(`(?i)(secret|bearer|token|password|key)["']?\s*:\s*["']?[^\s"'$]`)

// syntaxFault turns the parser's error into a fault, without a line that may hold a secret.
func (f *File) syntaxFault(err error) Fault {
	fault := f.placeSyntaxError(err)
	if mayHoldSecret.MatchString(fault.Source) {
		fault.Source = ""
	}
	return fault
}

// placeSyntaxError turns the parser's error into a fault with a line, and adds the usual cause where
// the line shows one. The parser gives no column: the caret stands at the cause, else at the
// line's first character.
func (f *File) placeSyntaxError(err error) Fault {
	parts := errorLine.FindStringSubmatch(strings.Split(err.Error(), "\n")[0])
	line, _ := strconv.Atoi(parts[1])
	if strings.HasPrefix(parts[2], "did not find expected") {
		line++ // the parser counts lines from 0 in these, its scanner from 1 in all others
	}
	line = min(max(line, 1), len(f.Lines))
	for line > 1 && strings.TrimSpace(f.Lines[line-1]) == "" {
		line--
	}
	plain := "the YAML is broken here: " + parts[2]
	for _, at := range []int{line, line - 1} {
		if at < 1 {
			continue
		}
		if opened := openQuote(f.Lines[at-1]); opened > 0 {
			return f.Fault(at, opened, "a quote is opened here and not closed on this line",
				"a closing quote", "")
		}
		for _, cause := range usualCauses {
			if where := cause.pattern.FindStringIndex(f.Lines[at-1]); where != nil {
				text := f.Lines[at-1]
				col := utf8.RuneCountInString(text[:where[0]]) + 1
				for col-1 < len(text) && strings.IndexByte(" \t", text[col-1]) >= 0 {
					col++
				}
				return f.Fault(at, col, plain+"; most likely "+cause.message, "", cause.hint)
			}
		}
	}
	text := f.Lines[line-1]
	return f.Fault(line, len(text)-len(strings.TrimLeft(text, " "))+1, plain, "", "")
}

// openQuote gives the column (from 1) of a quote that begins a value on the line and is not
// closed on it, 0 where there is none.
func openQuote(line string) int {
	var open rune
	column, openedAt := 0, 0
	before := ' '
	for _, r := range line {
		column++
		switch {
		case open == 0 && r == '#' && before == ' ':
			return 0
		case open == 0 && (r == '"' || r == '\'') && strings.ContainsRune(" [{,:", before):
			open, openedAt = r, column
		case r == open && before != '\\':
			open = 0
		}
		before = r
	}
	if open != 0 {
		return openedAt
	}
	return 0
}
