package yamlfile

import (
	"strconv"

	"gopkg.in/yaml.v3"
)

// Plain gives the value as an editor's YAML reader sees it: maps, lists, texts, numbers, truths and
// nil. It is what a JSON Schema is held against; loaders read values one by one instead, from their
// raw text.
func (n Node) Plain() any {
	if n.node == nil {
		return nil
	}
	switch n.node.Kind {
	case yaml.MappingNode:
		plain := map[string]any{}
		for i := 0; i+1 < len(n.node.Content); i += 2 {
			plain[n.node.Content[i].Value] = Node{file: n.file, node: n.node.Content[i+1]}.Plain()
		}
		return plain
	case yaml.SequenceNode:
		plain := []any{}
		for _, item := range n.node.Content {
			plain = append(plain, Node{file: n.file, node: item}.Plain())
		}
		return plain
	}
	return plainScalar(n.node)
}

// plainScalar follows the core schema of YAML 1.2: a bare 06614 is the number 6614.
func plainScalar(node *yaml.Node) any {
	if node.Style != 0 {
		return node.Value
	}
	switch node.Value {
	case "", "~", "null":
		return nil
	case "true":
		return true
	case "false":
		return false
	}
	if decimalNumber.MatchString(node.Value) {
		if number, err := strconv.ParseFloat(node.Value, 64); err == nil {
			return number
		}
	}
	return node.Value
}
