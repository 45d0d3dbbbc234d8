package rules

import (
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"leadbid/internal/yamlfile"
)

// table is a named lookup table of the configuration, from texts to numbers: the price of a ZIP's
// tier, the factor of a source. Rules read it as name[zip].
type table struct {
	name     string
	key      yamlfile.Node
	rows     map[string]float64
	keys     []entry // in file order, to be held against the field that they are compared with
	fallback float64 // what it gives for every other key
	hasOther bool    // there is such a value
	used     bool
}

const tableExpected = "{file: tiers.csv, key: zip, value: price}, or {values: {google-1: 1.2}}"

// loadTables reads tables: each from a CSV file or written out.
func (l *loader) loadTables(node yamlfile.Node) {
	entries, _ := node.Entries("a name with " + tableExpected)
	for _, value := range entries {
		name := value.Key().Raw()
		if !l.checkNewName(value.Key(), "table") {
			continue
		}
		if l.lists[name] != nil {
			value.Key().Fault("there is a list "+yamlfile.Quote(name)+" already", "another name", name+"_table")
			continue
		}
		made := &table{name: name, key: value.Key(), rows: map[string]float64{}}
		l.tables[name] = made
		l.tableOrder = append(l.tableOrder, made)
		m, ok := value.Map([]string{"file", "key", "value", "values", "default"})
		if !ok {
			continue
		}
		switch file, values := m.Get("file"), m.Get("values"); {
		case file.Exists() == values.Exists():
			value.Fault("a table comes either from a file or from values", tableExpected, "")
		case file.Exists():
			l.loadTableFile(made, m)
		default:
			loadTableValues(made, values)
		}
		if other := m.Get("default"); other.Exists() {
			made.fallback, made.hasOther = other.Number(-maxInTable, maxInTable)
		}
	}
}

// How spreadsheets write numbers: 1,250.00, and 18,5 in other countries.
var (
	inThousands  = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?$`)
	decimalComma = regexp.MustCompile(`^[0-9]+,[0-9]{1,2}$`)
)

// maxInTable bounds the values: no price or factor comes near it.
const maxInTable = 1_000_000_000

func loadTableValues(made *table, node yamlfile.Node) {
	values, _ := node.Entries("keys with numbers, such as {google-1: 1.2}")
	for _, value := range values {
		if number, ok := value.Number(-maxInTable, maxInTable); ok {
			at := entry{text: plainZIP(value.Key().Raw()), from: &list{name: made.name}, node: value.Key()}
			if _, twice := made.rows[at.text]; twice { // 60614 and 60614-1234
				value.Key().Fault("the key "+yamlfile.Quote(at.text)+" is there twice", "each key once", "")
			}
			made.rows[at.text] = number
			made.keys = append(made.keys, at)
		}
	}
}

// loadTableFile reads a CSV file with titles in its first line. Without key and value its first two
// columns count.
func (l *loader) loadTableFile(made *table, m yamlfile.Map) {
	name, ok := m.Get("file").Text("a path")
	if !ok {
		return
	}
	source, err := l.readSource(name)
	if err != nil {
		m.Get("file").Fault("the table cannot be read: "+err.Error(),
			"a CSV file with titles in its first line", "")
		return
	}
	reader := csv.NewReader(strings.NewReader(string(source.Text)))
	reader.Comma, reader.FieldsPerRecord, reader.TrimLeadingSpace = separatorOf(source.Lines[0]), -1, true
	titles, err := reader.Read()
	if err != nil || len(titles) < 2 {
		l.faults.Add(source.Fault(1, 1, "the first line does not hold the titles of at least two columns",
			"titles, such as zip,price", ""))
		return
	}
	rows := tableRows{source: source, faults: l.faults, made: made,
		from: &list{name: name, source: source, faults: l.faults}}
	var found [2]bool
	rows.key, found[0] = columnOf(m.Get("key"), titles, 0)
	rows.value, found[1] = columnOf(m.Get("value"), titles, 1)
	if found[0] && found[1] {
		rows.read(reader)
	}
}

// separatorOf guesses what parts the columns, from the line of titles.
func separatorOf(titles string) rune {
	for _, separator := range ";\t" {
		if strings.ContainsRune(titles, separator) && !strings.ContainsRune(titles, ',') {
			return separator
		}
	}
	return ','
}

// columnOf finds a column by its title; the one at otherwise where none is named.
func columnOf(node yamlfile.Node, titles []string, otherwise int) (at int, ok bool) {
	if !node.Exists() {
		return otherwise, true
	}
	wanted, ok := node.Text("the title of a column")
	if !ok {
		return 0, false
	}
	for i, title := range titles {
		if strings.EqualFold(strings.TrimSpace(title), wanted) {
			return i, true
		}
	}
	nearest, _ := yamlfile.Nearest(wanted, titles)
	node.Fault("the file has no column "+yamlfile.Quote(wanted), yamlfile.OneOf(titles), nearest)
	return 0, false
}

// tableRows reads the rows of one file.
type tableRows struct {
	source     *yamlfile.Source
	faults     *yamlfile.Faults
	made       *table
	from       *list
	key, value int
}

func (r *tableRows) read(reader *csv.Reader) {
	firstLine := map[string]int{}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			var at *csv.ParseError
			line, message := 1, err.Error()
			if errors.As(err, &at) {
				line, message = at.Line, at.Err.Error()
			}
			r.faults.Add(r.source.Fault(line, 1, "the line cannot be read as CSV: "+message, "", ""))
			return
		}
		line, _ := reader.FieldPos(0)
		if len(row) <= max(r.key, r.value) {
			r.faults.Add(r.source.Fault(line, 1, "the line has fewer columns than the titles", "a key and a number on each line", ""))
			continue
		}
		key := plainZIP(strings.TrimSpace(row[r.key]))
		_, keyCol := reader.FieldPos(r.key)
		if key == "" {
			r.faults.Add(r.source.Fault(line, keyCol, "the key is empty", "a key and a number on each line", ""))
			continue
		}
		if first, twice := firstLine[key]; twice {
			r.faults.Add(r.source.Fault(line, keyCol, "the key "+yamlfile.Quote(key)+" is there twice: it is already on line "+
				strconv.Itoa(first), "each key once", ""))
			continue
		}
		firstLine[key] = line
		_, valueCol := reader.FieldPos(r.value)
		text := strings.TrimPrefix(strings.TrimSpace(row[r.value]), "$")
		value, ok := parseNumber(text)
		if !ok || value > maxInTable || value < -maxInTable || strings.Trim(text, "+-.0123456789") != "" {
			typed := ""
			switch {
			case inThousands.MatchString(text):
				typed = strings.ReplaceAll(text, ",", "")
			case decimalComma.MatchString(text):
				typed = strings.ReplaceAll(text, ",", ".")
			}
			r.faults.Add(r.source.Fault(line, valueCol, yamlfile.Quote(row[r.value])+" is not a number",
				"a plain number, such as 18 or 1.25", typed))
			continue
		}
		r.made.rows[key] = value
		r.made.keys = append(r.made.keys, entry{text: key, from: r.from, line: line, col: keyCol})
	}
}

// lookup translates tier[zip]: the value of the key, else the table's default. Without a default a
// key that the table lacks is missing, like a field that the ping lacks.
func (t *translator) lookup(n *ast.MemberNode, from *table) operand {
	from.used, t.reads = true, true
	key := t.as(t.translate(n.Property), aText)
	if t.failed {
		return key
	}
	if key.kind != aText {
		return t.faultAt(key.at, "a table is asked with a text, and this is "+key.kind.String(),
			from.name+"[zip]", "")
	}
	if key.field != nil {
		(&list{entries: from.keys}).checkFor(key.field)
	}
	rows := func() ast.Node { return t.make(constant(from.rows)) }
	value := func() ast.Node {
		return t.make(&ast.MemberNode{Node: rows(), Property: key.node()})
	}
	held := t.binary("in", key.node, rows)
	if from.hasOther {
		return operand{kind: aNumber, node: func() ast.Node {
			return t.make(&ast.ConditionalNode{Ternary: true, Cond: held(), Exp1: value(),
				Exp2: t.make(&ast.FloatNode{Value: from.fallback})})
		}}
	}
	asked := &need{name: from.name + "[" + describeKey(n.Property) + "]", known: held}
	return operand{kind: aNumber, node: value, needs: all(key.needs, asked), bare: true}
}

func describeKey(node ast.Node) string {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.StringNode:
		return strconv.Quote(n.Value)
	case *ast.MemberNode:
		if path, ok := memberPath(n); ok {
			return path
		}
	}
	return "..."
}
