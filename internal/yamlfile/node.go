package yamlfile

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Node is one value of a file, or the absence of one (the zero Node). Its methods that read a
// value answer ok = false for an absent value, silently, and for a wrong one after noting the
// fault: a loader can go on and find the next.
type Node struct {
	file *File
	node *yaml.Node
	key  *yaml.Node // the key it stands under; nil for list items and the root
}

// Root is the document's outermost value.
func (f *File) Root() Node { return Node{file: f, node: f.root} }

// Exists reports whether there is a value.
func (n Node) Exists() bool { return n.node != nil }

// Line is where the value begins, from 1; 0 where there is none.
func (n Node) Line() int {
	if n.node == nil {
		return 0
	}
	return n.node.Line
}

// Key is the key that the value stands under, as a value of its own; absent for list items.
func (n Node) Key() Node { return Node{file: n.file, node: n.key} }

// Raw is the text of a scalar as written, without quotes and without expansion; "" for others.
func (n Node) Raw() string {
	if n.node == nil || n.node.Kind != yaml.ScalarNode {
		return ""
	}
	return n.node.Value
}

// IsQuoted reports whether a scalar is written in quotes or as a block: as a text whatever it
// looks like.
func (n Node) IsQuoted() bool {
	return n.node != nil && n.node.Kind == yaml.ScalarNode && n.node.Style != 0
}

// At follows keys from map to map, without holding them against anything: for faults about a
// place that was read before. It is absent where a key is.
func (n Node) At(path ...string) Node {
	for _, key := range path {
		n = Map{Node: n}.find(key)
	}
	return n
}

// IsScalar, IsMap and IsList tell what kind of value it is. All are false for an absent one.
func (n Node) IsScalar() bool {
	return n.node != nil && n.node.Kind == yaml.ScalarNode && !isEmpty(n.node)
}

// IsMap reports whether the value has keys.
func (n Node) IsMap() bool { return n.node != nil && n.node.Kind == yaml.MappingNode }

// IsList reports whether the value is a list.
func (n Node) IsList() bool { return n.node != nil && n.node.Kind == yaml.SequenceNode }

// Fault notes that the value is wrong. expected and typed may be "".
func (n Node) Fault(message, expected, typed string) { n.note(Wrong, message, expected, typed) }

// Warn notes something about the value that the writer should know.
func (n Node) Warn(message, expected, typed string) { n.note(Warning, message, expected, typed) }

func (n Node) note(severity Severity, message, expected, typed string) {
	if n.node == nil {
		return
	}
	fault := n.file.Fault(n.node.Line, n.node.Column, message, expected, typed)
	fault.Severity = severity
	n.file.faults.Add(fault)
}

// Place is a fault at the value that says nothing yet, for whoever finds out later what is wrong
// there. An absent value gives the zero Fault.
func (n Node) Place() Fault {
	if n.node == nil {
		return Fault{}
	}
	return n.file.Fault(n.node.Line, n.node.Column, "", "", "")
}

// FaultAt is Fault for a place inside the text: offset counts characters of Raw. Where the text
// was folded or escaped, so that the place cannot be told, the caret stands at its beginning.
func (n Node) FaultAt(offset int, message, expected, typed string) {
	if n.node == nil {
		return
	}
	line, col := n.place(offset)
	n.file.faults.Add(n.file.Fault(line, col, message, expected, typed))
}

// place finds the line and column of a character of the text.
func (n Node) place(offset int) (line, col int) {
	line, col = n.node.Line, n.node.Column
	characters := []rune(n.node.Value)
	offset = min(max(offset, 0), len(characters))
	if n.node.Style&yaml.LiteralStyle != 0 {
		before := string(characters[:offset])
		row := strings.Count(before, "\n")
		inRow := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
		at := n.node.Line + row // the block begins on the line after its |, and Lines counts from 0
		if at < len(n.file.Lines) {
			value := strings.Split(n.node.Value, "\n")[row]
			if indent := strings.Index(n.file.Lines[at], value); indent >= 0 {
				return at + 1, indent + inRow + 1
			}
		}
		return line, col
	}
	if n.node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		col++
	}
	if line <= len(n.file.Lines) {
		source := []rune(n.file.Lines[line-1])
		if col-1+len(characters) <= len(source) && string(source[col-1:col-1+len(characters)]) == n.node.Value {
			return line, col + offset
		}
	}
	return n.node.Line, n.node.Column
}

// List gives the items of a list. expected says what belongs there, for the fault where it is
// something else.
func (n Node) List(expected string) (items []Node, ok bool) {
	if n.node == nil || n.node.Kind == yaml.AliasNode {
		return nil, false
	}
	if n.node.Kind != yaml.SequenceNode {
		n.Fault("this must be a list", expected, "")
		return nil, false
	}
	for _, item := range n.node.Content {
		items = append(items, Node{file: n.file, node: item})
	}
	return items, true
}

// OneOrList gives the items of a list, or the value itself as the only one where it is none.
func (n Node) OneOrList() []Node {
	if n.node == nil {
		return nil
	}
	if n.node.Kind != yaml.SequenceNode {
		return []Node{n}
	}
	items, _ := n.List("")
	return items
}

// Map is a value with keys.
type Map struct {
	Node
	known []string
}

// Map reads the value as one with keys out of a closed list. Every other key is a fault: with
// "did you mean" where one is near, and with "planned, not built yet" where planned lists it, so
// that nobody believes a setting to be in force that is not. An empty or absent value has no
// keys; ok is false for anything that is not a map.
func (n Node) Map(known []string, planned ...string) (m Map, ok bool) {
	m = Map{Node: n, known: known}
	if n.node == nil || n.node.Kind == yaml.AliasNode {
		return m, false
	}
	if isEmpty(n.node) {
		return m, true
	}
	if n.node.Kind != yaml.MappingNode {
		expected := "keys with values: " + OneOf(known)
		if len(known) == 1 {
			expected = "a key and its value, such as {" + known[0] + ": ...}"
		}
		n.Fault("this must be a map", expected, "")
		return m, false
	}
	for i := 0; i+1 < len(n.node.Content); i += 2 {
		key, value := n.node.Content[i], n.node.Content[i+1]
		if key.Kind == yaml.ScalarNode && !contains(known, key.Value) {
			n.unknownKey(key, value, known, planned)
		}
	}
	return m, true
}

func (n Node) unknownKey(key, value *yaml.Node, known, planned []string) {
	at := Node{file: n.file, node: key}
	if contains(planned, key.Value) {
		at.Fault(Planned(key.Value), "the file without it, for now", "")
		return
	}
	if n.node.Style&yaml.FlowStyle != 0 && isEmpty(value) {
		if name, text, found := strings.Cut(key.Value, ":"); found && contains(known, name) {
			at.Fault(Quote(key.Value)+" has no value: a colon needs a space after it", "a space after the colon", name+": "+text)
			return
		}
		at.Fault(Quote(key.Value)+" has no value: inside braces a comma ends the value before it",
			"quotes around a text that has a comma in it", "")
		return
	}
	message := "unknown key " + Quote(key.Value)
	if nearest, ok := Nearest(key.Value, known); ok {
		at.Fault(message, Choice(known), nearest)
		return
	}
	at.Fault(message, Choice(known), "")
}

// Planned is the message for a key or word whose meaning is decided and whose code is not
// written.
func Planned(what string) string { return Quote(what) + " is planned, not built yet" }

// Get gives the value under a key; absent where the key is. It panics on a key that was not
// declared to Map, because a typing slip in a loader would otherwise ignore the user's setting.
func (m Map) Get(key string) Node {
	if !contains(m.known, key) {
		panic(fmt.Sprintf("yamlfile: key %q is read and not declared", key))
	}
	return m.find(key)
}

// Need is Get for a key that must be there: its absence is a fault at the map.
func (m Map) Need(key, expected string) Node {
	value := m.Get(key)
	if !value.Exists() && m.node != nil {
		at := m.Node
		if m.key != nil {
			at = m.Key()
		}
		at.Fault("key "+Quote(key)+" is missing", expected, "")
	}
	return value
}

func (m Map) find(key string) Node {
	if m.node == nil || m.node.Kind != yaml.MappingNode {
		return Node{}
	}
	for i := 0; i+1 < len(m.node.Content); i += 2 {
		if m.node.Content[i].Kind == yaml.ScalarNode && m.node.Content[i].Value == key {
			return Node{file: m.file, node: m.node.Content[i+1], key: m.node.Content[i]}
		}
	}
	return Node{}
}

// Entries gives the values of a map whose keys the writer chooses, in file order; each knows its
// Key. expected says what belongs there. ok is false where it is no map.
func (n Node) Entries(expected string) (entries []Node, ok bool) {
	if n.node == nil || n.node.Kind == yaml.AliasNode {
		return nil, false
	}
	if isEmpty(n.node) {
		return nil, true
	}
	if n.node.Kind != yaml.MappingNode {
		n.Fault("this must be a map", expected, "")
		return nil, false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.node.Content); i += 2 {
		key := n.node.Content[i]
		if key.Kind != yaml.ScalarNode || seen[key.Value] {
			continue // noted when the file was checked
		}
		seen[key.Value] = true
		entries = append(entries, Node{file: n.file, node: n.node.Content[i+1], key: key})
	}
	return entries, true
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}
