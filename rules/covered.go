package rules

import (
	"fmt"
	"math"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"leadbid/internal/yamlfile"
)

// maxCompared is up to how many rules of a campaign each is compared with each: the work grows
// with the square, and nobody orders more by hand.
const maxCompared = 300

// adviseCovered warns of rules that are never asked because one above them holds whenever they do.
// What it says is certain; it does not find everything.
func (l *loader) adviseCovered(c *Campaign, items []yamlfile.Node) {
	if len(c.Rules) > maxCompared {
		return
	}
	trees := make([]ast.Node, len(c.Rules))
	for i, rule := range c.Rules {
		if tree, err := parser.ParseWithConfig(rule.When, l.x.parsing); err == nil && rule.When != "" {
			trees[i] = tree.Node
		}
	}
	for i := range c.Rules {
		for j, earlier := range c.Rules[:i] {
			if earlier.bid.needs != nil { // Without a price it passes the ping on.
				continue
			}
			switch {
			case earlier.When == "":
				items[i].Warn(fmt.Sprintf("this rule is never asked: %q above it always holds", earlier.Name),
					"rules from the special to the general", "")
				return // All that follow are the same mistake.
			case trees[j] == nil || trees[i] == nil || !l.implies(trees[i], trees[j]):
				continue
			}
			items[i].At("when").Warn(fmt.Sprintf("this rule is never asked: whenever it holds, %q above it does", earlier.Name),
				"the more special rule above the more general one", "")
			break
		}
	}
}

// implies reports whether, for every ping, one condition can only hold where the other does.
func (l *loader) implies(one, other ast.Node) bool {
	if one.String() == other.String() {
		return true
	}
	if left, right, ok := joined(other, "and", "&&"); ok {
		return l.implies(one, left) && l.implies(one, right)
	}
	if left, right, ok := joined(one, "or", "||"); ok {
		return l.implies(left, other) && l.implies(right, other)
	}
	if left, right, ok := joined(one, "and", "&&"); ok && (l.implies(left, other) || l.implies(right, other)) {
		return true
	}
	if left, right, ok := joined(other, "or", "||"); ok {
		return l.implies(one, left) || l.implies(one, right)
	}
	return l.impliesWords(one, other) || impliesBound(one, other)
}

// joined splits a condition at its operator.
func joined(node ast.Node, operator, sign string) (left, right ast.Node, ok bool) {
	binary, ok := node.(*ast.BinaryNode)
	if !ok || (binary.Operator != operator && binary.Operator != sign) {
		return nil, nil, false
	}
	return binary.Left, binary.Right, true
}

// impliesWords compares sets of words: job == "repair" with job in ["repair", "replace"].
func (l *loader) impliesWords(one, other ast.Node) bool {
	name, words, ok := l.wordsOf(one)
	otherName, others, otherOK := l.wordsOf(other)
	if !ok || !otherOK || name != otherName {
		return false
	}
	for word := range words {
		if !others[word] {
			return false
		}
	}
	return true
}

func (l *loader) wordsOf(node ast.Node) (name string, words map[string]bool, ok bool) {
	binary, ok := node.(*ast.BinaryNode)
	if !ok {
		return "", nil, false
	}
	words = map[string]bool{}
	switch right := binary.Right.(type) {
	case *ast.StringNode:
		if binary.Operator != "==" {
			return "", nil, false
		}
		words[right.Value] = true
	case *ast.ArrayNode:
		for _, item := range right.Nodes {
			text, isText := item.(*ast.StringNode)
			if !isText || binary.Operator != "in" {
				return "", nil, false
			}
			words[text.Value] = true
		}
	case *ast.IdentifierNode:
		named := l.lists[right.Value]
		if named == nil || binary.Operator != "in" {
			return "", nil, false
		}
		for _, text := range named.texts() {
			words[text] = true
		}
	default:
		return "", nil, false
	}
	return binary.Left.String(), words, isField(binary.Left)
}

// isField reports whether a side is a field by itself: two calls of one function are alike too,
// but two missing fields in them are not.
func isField(node ast.Node) bool {
	switch node.(type) {
	case *ast.IdentifierNode, *ast.MemberNode:
		return true
	}
	return false
}

// impliesBound compares bounds of one number: lead_score > 80 with lead_score > 50.
func impliesBound(one, other ast.Node) bool {
	name, low, high, ok := boundOf(one)
	otherName, otherLow, otherHigh, otherOK := boundOf(other)
	return ok && otherOK && name == otherName && low >= otherLow && high <= otherHigh
}

// boundOf gives the closed interval of a comparison with a number. The number above a strict bound
// stands for it.
func boundOf(node ast.Node) (name string, low, high float64, ok bool) {
	binary, ok := node.(*ast.BinaryNode)
	if !ok || !isField(binary.Left) {
		return "", 0, 0, false
	}
	var value float64
	switch right := binary.Right.(type) {
	case *ast.IntegerNode:
		value = float64(right.Value)
	case *ast.FloatNode:
		value = right.Value
	default:
		return "", 0, 0, false
	}
	low, high = math.Inf(-1), math.Inf(1)
	switch binary.Operator {
	case ">":
		low = math.Nextafter(value, high)
	case ">=":
		low = value
	case "<":
		high = math.Nextafter(value, low)
	case "<=":
		high = value
	case "==":
		low, high = value, value
	default:
		return "", 0, 0, false
	}
	return binary.Left.String(), low, high, true
}
