package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"leadbid/internal/yamlfile"
)

// node is a part of the schema.
type node = map[string]any

func schemaDocument(t *testing.T) node {
	t.Helper()
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	return decoded.(node)
}

// drift walks the schema and holds every map and every list of words in it against what the loader
// says when it meets a word that it does not know.
type drift struct {
	t     *testing.T
	root  node
	maps  int
	words int
}

// TestSchemaIsTheLoader finds a key or a word that the loader knows and the schema does not, and
// the other way round. It builds a configuration down to every map of the schema, puts a key into
// it that nobody knows, and reads from the fault what the loader would have taken; the same with
// words.
func TestSchemaIsTheLoader(t *testing.T) {
	root := schemaDocument(t)
	d := &drift{t: t, root: root}
	d.walk(root, func(inner any) any { return inner })
	if d.maps < 20 || d.words < 10 {
		t.Errorf("only %d maps and %d lists of words were compared", d.maps, d.words)
	}
}

// walk visits a part of the schema. around puts a value into that place of a whole configuration.
func (d *drift) walk(at node, around func(any) any) {
	at = d.resolve(at)
	for _, branch := range alternatives(at) {
		d.walk(branch, around)
	}
	if words, ok := at["enum"].([]any); ok {
		d.compareWords(words, around)
	}
	if item, ok := at["items"].(node); ok {
		list := make([]any, max(1, wholeNumber(at["minItems"])))
		for i := range list {
			list[i] = d.example(item)
		}
		d.walk(item, func(inner any) any { return around(append([]any{inner}, list[1:]...)) })
	}
	for _, free := range freeKeys(at) {
		d.walk(free.value, func(inner any) any { return around(node{free.name: inner}) })
	}
	properties, ok := at["properties"].(node)
	if !ok {
		return
	}
	needed := d.example(at).(node)
	if at["additionalProperties"] == false {
		d.compareKeys(properties, needed, around)
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		d.walk(properties[key].(node), func(inner any) any {
			whole := maps.Clone(needed)
			whole[key] = inner
			return around(whole)
		})
	}
}

func (d *drift) compareKeys(properties, needed node, around func(any) any) {
	d.maps++
	whole := maps.Clone(needed)
	whole["zzzz"] = 1
	known := d.expected(around(whole), `unknown key "zzzz"`)
	d.compare(around(node{"HERE": "..."}), known, slices.Sorted(maps.Keys(properties)))
}

func (d *drift) compareWords(enum []any, around func(any) any) {
	d.words++
	known := d.expected(around("zzzz"), `"zzzz" is not a word that is known here`)
	var words []string
	for _, word := range enum {
		words = append(words, word.(string))
	}
	slices.Sort(words)
	d.compare(around("HERE"), known, words)
}

func (d *drift) compare(where any, loader, schema []string) {
	for _, word := range loader {
		if !slices.Contains(schema, word) {
			d.t.Errorf("the loader knows %q, and schema.json does not, at %s", word, asJSON(where))
		}
	}
	for _, word := range schema {
		if !slices.Contains(loader, word) {
			d.t.Errorf("schema.json offers %q, which the loader does not know, at %s", word, asJSON(where))
		}
	}
}

// expected loads a configuration and reads what the fault with this message expects: "one of a, b
// or c", or "a" where that is all. A map that the loader does not even look at has no such fault.
func (d *drift) expected(configuration any, message string) []string {
	d.t.Helper()
	_, faults := Load(fstest.MapFS{"bidder.yaml": {Data: []byte(asJSON(configuration))}}, "bidder.yaml", testenv)
	for _, fault := range faults.List() {
		if strings.Contains(fault.Message, message) {
			list := strings.TrimPrefix(fault.Expected, "one of ")
			words := strings.Split(strings.ReplaceAll(list, " or ", ", "), ", ")
			slices.Sort(words)
			return words
		}
	}
	d.t.Errorf("no fault says %s in %s:\n%s", message, asJSON(configuration), faults)
	return nil
}

// resolve follows a reference to $defs. What stands beside it only describes.
func (d *drift) resolve(at node) node {
	reference, ok := at["$ref"].(string)
	if !ok {
		return at
	}
	name := strings.TrimPrefix(reference, "#/$defs/")
	found, ok := d.root["$defs"].(node)[name].(node)
	if !ok {
		d.t.Fatalf("schema.json has no %s", reference)
	}
	return d.resolve(found)
}

func alternatives(at node) []node {
	var branches []node
	list, _ := at["anyOf"].([]any)
	for _, branch := range list {
		branches = append(branches, branch.(node))
	}
	return branches
}

func wholeNumber(value any) int {
	whole, _ := value.(json.Number)
	n, _ := strconv.Atoi(string(whole))
	return n
}

type freeKey struct {
	name  string
	value node
}

// freeKeys gives an example of a key for maps whose keys the writer chooses.
func freeKeys(at node) []freeKey {
	var free []freeKey
	if value, ok := at["additionalProperties"].(node); ok {
		free = append(free, freeKey{"any", value})
	}
	if patterns, ok := at["patternProperties"].(node); ok {
		for _, value := range patterns {
			free = append(free, freeKey{"mon-fri", value.(node)}, freeKey{"2", value.(node)})
		}
	}
	return free
}

// example makes the least value that the schema allows at a place.
func (d *drift) example(at node) any {
	at = d.resolve(at)
	if value, ok := at["const"]; ok {
		return value
	}
	for _, key := range []string{"examples", "enum"} {
		if list, ok := at[key].([]any); ok {
			return list[0]
		}
	}
	if branches := alternatives(at); len(branches) > 0 {
		return d.example(branches[0])
	}
	switch at["type"] {
	case "object":
		whole := node{}
		required, _ := at["required"].([]any)
		for _, key := range required {
			whole[key.(string)] = d.example(at["properties"].(node)[key.(string)].(node))
		}
		if wholeNumber(at["minProperties"]) > 0 {
			whole["any"] = d.example(at["additionalProperties"].(node))
		}
		return whole
	case "array":
		return []any{d.example(at["items"].(node))}
	case "boolean":
		return true
	case "integer", "number":
		return 1
	}
	return "any"
}

func asJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text)
}

// TestSchemaTakesGoodFiles holds configurations that load against the schema, and one that does
// not.
func TestSchemaTakesGoodFiles(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", schemaDocument(t)); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/warn/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		var faults yamlfile.Faults
		read := yamlfile.Read(os.DirFS("."), file, testenv, &faults)
		if read == nil {
			t.Fatal(faults.String())
		}
		if err := compiled.Validate(read.Root().Plain()); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	bad := yamlfile.Read(os.DirFS("."), "testdata/bad/seven_mistakes.yaml", testenv, &yamlfile.Faults{})
	if compiled.Validate(bad.Root().Plain()) == nil {
		t.Error("the schema takes what the loader refuses for its keys")
	}
}
