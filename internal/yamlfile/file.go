package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxDepth is how deep maps and lists may be nested. Real files use six levels.
const maxDepth = 50

// File is a YAML document that was read, together with where its faults go.
type File struct {
	*Source
	faults *Faults
	getenv func(string) (string, bool)
	root   *yaml.Node

	unsetIsFine bool
}

// AllowUnset makes a variable that is not set a warning instead of a fault, for checks on a machine
// that has no keys: the values that need it read as absent.
func (f *File) AllowUnset() { f.unsetIsFine = true }

// Read reads a YAML file. getenv resolves ${NAME} in texts; nil means that no variable is set.
// What is wrong goes into faults; the file is nil where nothing can be read from it at all.
func Read(fsys fs.FS, name string, getenv func(string) (string, bool), faults *Faults) *File {
	source, err := ReadSource(fsys, name)
	if err != nil {
		faults.Add(Fault{File: name, Message: err.Error()})
		return nil
	}
	return parse(source, getenv, faults)
}

// Parse is Read for text that is already in memory, such as an embedded profile.
func Parse(name string, text []byte, getenv func(string) (string, bool), faults *Faults) *File {
	if len(text) > MaxSize {
		faults.Add(Fault{File: name, Message: ErrTooLarge.Error()})
		return nil
	}
	source, err := newSource(name, text)
	if err != nil {
		faults.Add(Fault{File: name, Message: err.Error()})
		return nil
	}
	return parse(source, getenv, faults)
}

func parse(source *Source, getenv func(string) (string, bool), faults *Faults) *File {
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	f := &File{Source: source, faults: faults, getenv: getenv}
	if f.hasTabs() {
		return nil
	}
	document, err := decode(source.Text)
	if err != nil {
		faults.Add(f.syntaxFault(err))
		return nil
	}
	if document.first == nil || len(document.first.Content) == 0 {
		faults.Add(Fault{File: f.Name, Message: "the file is empty"})
		return nil
	}
	f.root = document.first.Content[0]
	if next := document.second; next != nil {
		f.add(next, "a second document begins here", "one document per file", "")
	}
	f.check(f.root, 0)
	return f
}

type documents struct{ first, second *yaml.Node }

// decode runs the parser. It only builds nodes: nothing is converted, no alias is followed. The
// recover is a net below a library that reads what strangers write.
func decode(text []byte) (found documents, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the text cannot be read as YAML: %v", p)
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	if err := decoder.Decode(&first); err != nil {
		if errors.Is(err, io.EOF) {
			return documents{}, nil
		}
		return documents{}, err
	}
	found.first = &first
	switch err := decoder.Decode(&second); {
	case err == nil:
		found.second = &second
	case !errors.Is(err, io.EOF):
		return documents{}, err
	}
	return found, nil
}

// check refuses what YAML allows and a configuration should not use, everywhere in the document.
func (f *File) check(node *yaml.Node, depth int) {
	if depth > maxDepth {
		f.add(node, fmt.Sprintf("maps and lists are nested more than %d deep", maxDepth), "", "")
		node.Content = nil
		return
	}
	if node.Kind == yaml.AliasNode {
		f.add(node, "aliases (*name) are not used here", "the value itself", "")
		return
	}
	if node.Anchor != "" {
		f.add(node, "anchors (&name) are not used here",
			"the value itself, written again where it is needed", "")
	}
	if node.Style&yaml.TaggedStyle != 0 {
		f.tagFault(node)
	}
	if node.Kind == yaml.MappingNode {
		f.mendSplitAmounts(node)
		f.checkKeys(node)
	}
	for _, child := range node.Content {
		f.check(child, depth+1)
	}
}

func (f *File) tagFault(node *yaml.Node) {
	if strings.HasPrefix(node.Tag, "!!") || node.Kind != yaml.ScalarNode {
		f.add(node, "tags ("+node.Tag+") are not used here", "the plain value", "")
		return
	}
	whole := strings.TrimSpace(node.Tag + " " + node.Value)
	f.add(node, "a text that begins with ! must be quoted: YAML takes "+Quote(node.Tag)+" for a tag",
		"", "'"+whole+"'")
}

func (f *File) checkKeys(node *yaml.Node) {
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode {
			f.add(key, "a key must be a word", "key: value", "")
			continue
		}
		if key.Value == "<<" {
			f.add(key, "merge keys (<<) are not used here", "the keys themselves", "")
		}
		if earlier, twice := first[key.Value]; twice {
			f.add(key, fmt.Sprintf("key %s is written twice: it is already on line %d",
				Quote(key.Value), earlier.Line), "each key once", "")
			continue
		}
		first[key.Value] = key
	}
}

var (
	amountHead = regexp.MustCompile(`^\$?[0-9]{1,3}$`)
	amountTail = regexp.MustCompile(`^[0-9]{3}(\.[0-9]+)?$`)
)

// mendSplitAmounts finds {month: $8,000}: inside braces the comma ends the value, and YAML sees
// a key 000 without one. The pieces become one fault, at the amount, and leave the map.
func (f *File) mendSplitAmounts(node *yaml.Node) {
	if node.Style&yaml.FlowStyle == 0 {
		return
	}
	kept := node.Content[:0:0]
	for i := 0; i+1 < len(node.Content); {
		key, value := node.Content[i], node.Content[i+1]
		kept = append(kept, key, value)
		i += 2
		if value.Kind != yaml.ScalarNode || value.Style != 0 || !amountHead.MatchString(value.Value) {
			continue
		}
		whole, shown := value.Value, value.Value
		for i+1 < len(node.Content) && isSplitTail(node.Content[i], node.Content[i+1]) {
			whole += node.Content[i].Value
			shown += "," + node.Content[i].Value
			i += 2
		}
		if whole != value.Value {
			f.add(value, shown+" splits at the comma: inside braces a comma ends the value",
				"an amount without thousands separators", whole)
		}
	}
	node.Content = kept
}

func isSplitTail(key, value *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Style == 0 && amountTail.MatchString(key.Value) && isEmpty(value)
}

// isEmpty reports whether nothing at all is written where a value should be.
func isEmpty(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Tag == "!!null" && node.Value == "" && node.Style == 0
}

func (f *File) add(node *yaml.Node, message, expected, typed string) {
	f.faults.Add(f.Fault(node.Line, node.Column, message, expected, typed))
}
