package rules

import (
	"fmt"
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"

	"leadbid/internal/yamlfile"
)

// maxCompared is up to how many rules of a campaign each is compared with each: the work grows
// with the square, and nobody orders more by hand.
const maxCompared = 300

// maxSteps bounds the comparing within a campaign: conditions can be made to take for ever.
const maxSteps = 200_000

// adviseCovered warns of rules that are never asked because one above them holds whenever they do.
// What it says is certain; it does not find everything.
func (l *loader) adviseCovered(c *Campaign, items []yamlfile.Node) {
	if len(c.Rules) > maxCompared || c.RuleMode != FirstMatch { // otherwise all rules are asked
		return
	}
	trees := make([]ast.Node, len(c.Rules))
	for i, rule := range c.Rules {
		trees[i] = l.x.conditions[sourceKey{rule.When, atPing, true}].tree
	}
	search := coverage{lists: l.lists, steps: maxSteps}
	for i, rule := range c.Rules {
		for j, earlier := range c.Rules[:i] {
			if earlier.bid.needs != nil { // Without a price it passes the ping on.
				continue
			}
			switch {
			case earlier.When == "":
				items[i].Warn(fmt.Sprintf("this rule is never asked: %q above it always holds", earlier.Name),
					"rules from the special to the general", "")
				return // All that follow are the same mistake.
			case trees[j] == nil || trees[i] == nil || !rule.chosen.meets(&earlier.chosen) ||
				!search.implies(trees[i], trees[j]):
				continue
			}
			items[i].At("when").Warn(fmt.Sprintf("this rule is never asked: whenever it holds, %q above it does", earlier.Name),
				"the more special rule above the more general one", "")
			break
		}
	}
}

// coverage compares conditions with each other, until its steps are used up.
type coverage struct {
	lists map[string]*list
	steps int
}

// implies reports whether, for every ping, one condition can only hold where the other does.
func (c *coverage) implies(one, other ast.Node) bool {
	if c.steps--; c.steps < 0 {
		return false
	}
	if sameTree(one, other) {
		return true
	}
	if left, right, ok := joined(other, "and", "&&"); ok {
		return c.implies(one, left) && c.implies(one, right)
	}
	if left, right, ok := joined(one, "or", "||"); ok {
		return c.implies(left, other) && c.implies(right, other)
	}
	if left, right, ok := joined(one, "and", "&&"); ok && (c.implies(left, other) || c.implies(right, other)) {
		return true
	}
	if left, right, ok := joined(other, "or", "||"); ok {
		return c.implies(one, left) || c.implies(one, right)
	}
	return c.impliesWords(one, other) || impliesBound(one, other)
}

// sameTree reports whether two conditions are written alike, but for spaces and brackets.
func sameTree(one, other ast.Node) bool {
	switch a := one.(type) {
	case *ast.IdentifierNode:
		b, ok := other.(*ast.IdentifierNode)
		return ok && a.Value == b.Value
	case *ast.StringNode:
		b, ok := other.(*ast.StringNode)
		return ok && a.Value == b.Value
	case *ast.IntegerNode:
		b, ok := other.(*ast.IntegerNode)
		return ok && a.Value == b.Value
	case *ast.FloatNode:
		b, ok := other.(*ast.FloatNode)
		return ok && a.Value == b.Value
	case *ast.BoolNode:
		b, ok := other.(*ast.BoolNode)
		return ok && a.Value == b.Value
	case *ast.UnaryNode:
		b, ok := other.(*ast.UnaryNode)
		return ok && a.Operator == b.Operator && isNegatedComparison(a) == isNegatedComparison(b) &&
			sameTree(a.Node, b.Node)
	case *ast.BinaryNode:
		b, ok := other.(*ast.BinaryNode)
		return ok && a.Operator == b.Operator && sameTree(a.Left, b.Left) && sameTree(a.Right, b.Right)
	case *ast.MemberNode:
		b, ok := other.(*ast.MemberNode)
		return ok && sameTree(a.Node, b.Node) && sameTree(a.Property, b.Property)
	case *ast.ConditionalNode:
		b, ok := other.(*ast.ConditionalNode)
		return ok && sameTree(a.Cond, b.Cond) && sameTree(a.Exp1, b.Exp1) && sameTree(a.Exp2, b.Exp2)
	case *ast.ArrayNode:
		b, ok := other.(*ast.ArrayNode)
		return ok && slices.EqualFunc(a.Nodes, b.Nodes, sameTree)
	case *ast.CallNode:
		b, ok := other.(*ast.CallNode)
		return ok && sameTree(a.Callee, b.Callee) && slices.EqualFunc(a.Arguments, b.Arguments, sameTree)
	case *ast.BuiltinNode:
		b, ok := other.(*ast.BuiltinNode)
		return ok && a.Name == b.Name && slices.EqualFunc(a.Arguments, b.Arguments, sameTree)
	}
	return false
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
func (c *coverage) impliesWords(one, other ast.Node) bool {
	field, words, ok := c.wordsOf(one)
	otherField, others, otherOK := c.wordsOf(other)
	if !ok || !otherOK || !sameTree(field, otherField) {
		return false
	}
	if c.steps -= len(words) + len(others); c.steps < 0 {
		return false
	}
	among := make(map[string]bool, len(others))
	for _, word := range others {
		among[word] = true
	}
	for _, word := range words {
		if !among[word] {
			return false
		}
	}
	return true
}

func (c *coverage) wordsOf(node ast.Node) (field ast.Node, words []string, ok bool) {
	binary, ok := node.(*ast.BinaryNode)
	if !ok || !isField(binary.Left) {
		return nil, nil, false
	}
	switch right := binary.Right.(type) {
	case *ast.StringNode:
		words, ok = []string{right.Value}, binary.Operator == "=="
	case *ast.ArrayNode:
		words, ok = textLiterals(right)
		ok = ok && binary.Operator == "in"
	case *ast.IdentifierNode:
		named := c.lists[right.Value]
		if named == nil || binary.Operator != "in" {
			return nil, nil, false
		}
		words = named.texts()
	default:
		return nil, nil, false
	}
	return binary.Left, words, ok
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
	field, low, high, ok := boundOf(one)
	otherField, otherLow, otherHigh, otherOK := boundOf(other)
	return ok && otherOK && low >= otherLow && high <= otherHigh && sameTree(field, otherField)
}

// boundOf gives the closed interval of a comparison with a number. The number above a strict bound
// stands for it.
func boundOf(node ast.Node) (field ast.Node, low, high float64, ok bool) {
	binary, ok := node.(*ast.BinaryNode)
	if !ok || !isField(binary.Left) {
		return nil, 0, 0, false
	}
	var value float64
	switch right := binary.Right.(type) {
	case *ast.IntegerNode:
		value = float64(right.Value)
	case *ast.FloatNode:
		value = right.Value
	default:
		return nil, 0, 0, false
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
		return nil, 0, 0, false
	}
	return binary.Left, low, high, true
}
