package rules

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// list is a named list of the configuration: ZIPs or any other texts.
type list struct {
	name    string
	key     yamlfile.Node
	entries []entry
	source  *yamlfile.Source // of a list in a file; nil for one written in the configuration
	faults  *yamlfile.Faults
	mixed   bool // the entries of other lists are in it by now
	used    bool // something reads it

	// The entries as sets, once a rule has asked for them: as texts, and as ZIP codes, where ranges
	// and prefixes are what they stand for.
	set, zipSet map[string]struct{}
}

// entry is one text of a list and where it is written.
type entry struct {
	text      string
	from      *list
	node      yamlfile.Node // of a list in the configuration
	line, col int           // of a list in a file
}

// includes names the list that an entry such as "list north_shore" stands for.
func (e entry) includes() (name string, ok bool) {
	name, ok = strings.CutPrefix(e.text, "list ")
	name = strings.TrimSpace(name)
	return name, ok && e.from.source == nil && listName.MatchString(name)
}

func (e entry) fault(message, expected, typed string) {
	if e.from.source == nil {
		e.node.Fault(message, expected, typed)
		return
	}
	e.from.faults.Add(e.from.source.Fault(e.line, e.col, message, expected, typed))
}

// maxInLists bounds all lists together, those in others included.
const maxInLists = 1_000_000

// mixLists puts the entries of lists that other lists name into those, so that from here on a list
// holds texts only.
func (l *loader) mixLists() {
	for _, named := range l.listOrder {
		l.mix(named, nil)
	}
}

// mix resolves one list. path is how it was come to: a list that is on it includes itself.
func (l *loader) mix(named *list, path []*list) {
	if named.mixed {
		return
	}
	path = append(path, named)
	var texts []entry
	seen := map[string]bool{}
	add := func(e entry) {
		if !seen[e.text] && l.inLists < maxInLists {
			seen[e.text] = true
			texts = append(texts, e)
			l.inLists++
		}
	}
	for _, e := range named.entries {
		name, isList := e.includes()
		other := l.lists[name]
		switch {
		case !isList:
			add(e)
		case other == nil:
			nearest, near := yamlfile.Nearest(name, l.listNames())
			if near {
				nearest = "list " + nearest
			}
			e.fault("there is no list "+yamlfile.Quote(name), "the name of a list under lists:", nearest)
		case slices.Contains(path, other):
			e.fault("the lists include each other: "+wayRound(path, other), "lists that end somewhere", "")
		default:
			l.mix(other, path)
			other.used = true
			for _, e := range other.entries {
				add(e)
			}
		}
	}
	if l.inLists == maxInLists {
		named.key.Fault(fmt.Sprintf("the lists hold more than %d entries in all", maxInLists), "shorter lists", "")
		l.inLists++ // one fault is enough
	}
	named.entries, named.mixed = texts, true
}

// wayRound says how a list comes back to itself: a -> b -> a.
func wayRound(path []*list, again *list) string {
	var names []string
	for _, named := range path[slices.Index(path, again):] {
		names = append(names, named.name)
	}
	return strings.Join(append(names, again.name), " -> ")
}

// texts gives the entries as a rule compares them.
func (l *list) texts() []string {
	texts := make([]string, len(l.entries))
	for i, e := range l.entries {
		texts[i] = e.text
	}
	return texts
}

// constant is the list as a set for the expr machine, made once for all rules that read it. Beside
// a ZIP, ranges and prefixes are all that they stand for.
func (l *list) constant(t *translator, asZIPs bool) func() ast.Node {
	return func() ast.Node {
		set := &l.set
		if asZIPs {
			set = &l.zipSet
		}
		if *set == nil {
			*set = make(map[string]struct{}, len(l.entries))
			for _, e := range l.entries {
				if span, message, _ := parseZIPs(e.text); asZIPs && message == "" {
					span.addTo(*set)
					continue
				}
				(*set)[e.text] = struct{}{}
			}
		}
		return t.make(constant(*set))
	}
}

// zips reads the list as ZIP codes: an entry that is none is a fault at its place.
func (l *list) zips() []zipSpan {
	l.used = true
	var spans []zipSpan
	for _, e := range l.entries {
		span, message, typed := parseZIPs(e.text)
		if message != "" {
			e.fault(message, zipExpected, typed)
			continue
		}
		spans = append(spans, span)
	}
	return spans
}

// checkFor holds the entries against the field that they are compared with.
func (l *list) checkFor(f *field) {
	for _, e := range l.entries {
		switch {
		case f.isZIP() && isZIPPattern(e.text):
			if _, message, typed := parseZIPs(e.text); message != "" {
				e.fault(message, zipExpected, typed)
			}
		case f.check != nil:
			if message, typed := f.check(e.text); message != "" {
				e.fault(message, f.looksLike(), strings.Trim(typed, `"`))
			}
		}
		if f.words == nil {
			continue
		}
		known := false
		for _, word := range f.words() {
			known = known || word == e.text
		}
		if !known {
			nearest, _ := yamlfile.Nearest(e.text, f.words())
			e.fault(f.name+" is never "+yamlfile.Quote(e.text), yamlfile.OneOf(f.words()), nearest)
		}
	}
}

var listName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// loadLists reads lists: each a list of texts and of other lists, or {file: PATH}.
func (l *loader) loadLists(node yamlfile.Node) {
	entries, _ := node.Entries("a name with a list, or with {file: PATH}")
	for _, value := range entries {
		name := value.Key().Raw()
		if !l.checkNewName(value.Key(), "list") {
			continue
		}
		made := &list{name: name, key: value.Key(), faults: l.faults}
		if value.IsList() {
			items, _ := value.List("texts or ZIP codes")
			for _, item := range items {
				if text, ok := item.Text("a text or a ZIP code"); ok {
					made.entries = append(made.entries, entry{text: plainZIP(text), from: made, node: item})
				}
			}
		} else if m, ok := value.Map([]string{"file"}); ok {
			l.loadListFile(made, m.Need("file", "the path of a file with one entry on each line"))
		}
		l.lists[name] = made
		l.listOrder = append(l.listOrder, made)
	}
	l.mixLists()
}

// checkNewName holds the name of a list or table against what rules can read.
func (l *loader) checkNewName(key yamlfile.Node, what string) bool {
	switch name := key.Raw(); {
	case !listName.MatchString(name):
		key.Fault(yamlfile.Quote(name)+" cannot be the name of a "+what,
			"letters, digits and _, to be used in rules", "")
		return false
	case fields[name] != nil || functions[name].gives != 0 || reservedNames[name]:
		key.Fault(yamlfile.Quote(name)+" has a meaning in rules already", "another name", "my_"+name)
		return false
	}
	return true
}

var reservedNames = map[string]bool{"attrs": true, "lead": true, "budget": true, "capacity": true, "win_rate": true,
	"local":      true,
	"lead_local": true, "consent": true, "known": true, "and": true, "or": true, "not": true, "in": true,
	"true": true, "false": true, "nil": true, "let": true, "if": true, "else": true, "contains": true,
	"matches": true, "startsWith": true, "endsWith": true}

// loadListFile reads one entry from each line: the first column, without quotes. Empty lines and
// what follows a # are passed over, and so is a first line that is the title of a column.
func (l *loader) loadListFile(made *list, node yamlfile.Node) {
	name, ok := node.Text("a path")
	if !ok {
		return
	}
	read, err := l.readSource(name)
	if err != nil {
		node.Fault("the list cannot be read: "+err.Error(), "a text file with one entry on each line", "")
		return
	}
	made.source = read
	for i, line := range read.Lines {
		if comment := strings.IndexByte(line, '#'); comment >= 0 {
			line = line[:comment]
		}
		if end := strings.IndexAny(line, ",;\t"); end >= 0 {
			line = line[:end]
		}
		text := strings.Trim(line, " \"'")
		if text == "" || (len(made.entries) == 0 && isTitle(text)) {
			continue
		}
		col := strings.Index(line, text) + 1
		made.entries = append(made.entries, entry{text: plainZIP(text), from: made, line: i + 1, col: col})
	}
}

// isTitle reports whether the first line of a file is the title of its column.
func isTitle(text string) bool {
	switch strings.NewReplacer("_", "", " ", "", "-", "").Replace(strings.ToLower(text)) {
	case "zip", "zips", "zipcode", "zipcodes", "postalcode", "postcode", "zip5", "zcta", "source", "sources", "name", "publisher":
		return true
	}
	return false
}

// plainZIP cuts a ZIP+4 to the five digits that a ping carries; other texts stay as they are.
func plainZIP(text string) string {
	if len(text) == 10 && text[5] == '-' {
		if zip, err := pingpost.ParseZIP(text); err == nil {
			return zip.String()
		}
	}
	return text
}

// readSource reads a file that the configuration names, relative to its folder, and adds it to
// what the hash covers.
func (l *loader) readSource(name string) (*yamlfile.Source, error) {
	full := path.Join(l.folder, name)
	if path.IsAbs(name) || !fs.ValidPath(full) {
		return nil, errOutside
	}
	read, err := yamlfile.ReadSource(l.fsys, full)
	if err == nil {
		l.hash(full, read.Text)
	}
	return read, err
}
