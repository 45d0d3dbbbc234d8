package rules

import (
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// list is a named list of the configuration: ZIPs or any other texts.
type list struct {
	name    string
	entries []entry
	source  *yamlfile.Source // of a list in a file; nil for one written in the configuration
	faults  *yamlfile.Faults
	set     map[string]struct{} // the entries, once a rule has asked for them
}

// entry is one text of a list and where it is written.
type entry struct {
	text      string
	node      yamlfile.Node // of a list in the configuration
	line, col int           // of a list in a file
}

func (l *list) fault(e entry, message, expected, typed string) {
	if l.source == nil {
		e.node.Fault(message, expected, typed)
		return
	}
	l.faults.Add(l.source.Fault(e.line, e.col, message, expected, typed))
}

// texts gives the entries as a rule compares them.
func (l *list) texts() []string {
	texts := make([]string, len(l.entries))
	for i, e := range l.entries {
		texts[i] = e.text
	}
	return texts
}

// constant is the list as a set for the expr machine, made once for all rules that read it.
func (l *list) constant(t *translator) func() ast.Node {
	return func() ast.Node {
		if l.set == nil {
			l.set = make(map[string]struct{}, len(l.entries))
			for _, e := range l.entries {
				l.set[e.text] = struct{}{}
			}
		}
		return t.make(constant(l.set))
	}
}

// zips reads the list as ZIP codes: an entry that is none is a fault at its place.
func (l *list) zips() []pingpost.ZIP {
	var zips []pingpost.ZIP
	for _, e := range l.entries {
		zip, err := pingpost.ParseZIP(e.text)
		if err != nil {
			message, typed := yamlfile.ZIPHint(e.text)
			l.fault(e, message, "a ZIP code of five digits", typed)
			continue
		}
		zips = append(zips, zip)
	}
	return zips
}

// checkFor holds the entries against the field that they are compared with.
func (l *list) checkFor(f *field) {
	for _, e := range l.entries {
		if f.check != nil {
			if message, typed := f.check(e.text); message != "" {
				l.fault(e, message, "", strings.Trim(typed, `"`))
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
			l.fault(e, f.name+" is never "+yamlfile.Quote(e.text), yamlfile.OneOf(f.words()), nearest)
		}
	}
}

var listName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// loadLists reads lists: each a list of texts, or {file: PATH}.
func (l *loader) loadLists(node yamlfile.Node) {
	entries, _ := node.Entries("a name with a list, or with {file: PATH}")
	for _, value := range entries {
		name := value.Key().Raw()
		switch {
		case !listName.MatchString(name):
			value.Key().Fault(yamlfile.Quote(name)+" cannot be the name of a list",
				"letters, digits and _, to be used in rules", "")
			continue
		case fields[name] != nil || functions[name].gives != 0 || reservedNames[name]:
			value.Key().Fault(yamlfile.Quote(name)+" has a meaning in rules already", "another name",
				"my_"+name)
			continue
		}
		made := &list{name: name, faults: l.faults}
		if value.IsList() {
			items, _ := value.List("texts or ZIP codes")
			for _, item := range items {
				if text, ok := item.Text("a text or a ZIP code"); ok {
					made.entries = append(made.entries, entry{text: plainZIP(text), node: item})
				}
			}
		} else if m, ok := value.Map([]string{"file"}); ok {
			l.loadListFile(made, m.Need("file", "the path of a file with one entry on each line"))
		}
		l.lists[name] = made
	}
}

var reservedNames = map[string]bool{"attrs": true, "lead": true, "budget": true, "capacity": true,
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
		made.entries = append(made.entries, entry{text: plainZIP(text), line: i + 1, col: col})
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
