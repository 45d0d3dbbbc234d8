package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// compared is a comparison without its guard, and what must be there for it.
type compared struct {
	node  func() ast.Node
	needs *need
	// A missing text reads as "". Where that cannot make the comparison true, as written and not
	// negated, the guard is left out: most conditions are of this kind.
	falseAnyway bool
}

func (t *translator) comparison(n *ast.BinaryNode) compared {
	if n.Operator == "in" {
		return t.membership(n)
	}
	left, right := t.translate(n.Left), t.translate(n.Right)
	left, right = t.as(left, right.kind), t.as(right, left.kind)
	if t.failed {
		return compared{node: left.node}
	}
	switch n.Operator {
	case "contains", "startsWith", "endsWith", "matches":
		return t.textComparison(n, left, right)
	}
	made := compared{node: t.binary(n.Operator, left.node, right.node), needs: all(left.needs, right.needs)}
	switch f := left.field; {
	case left.kind != right.kind:
		t.kindFault(left, right)
	case left.kind > aTruth || (left.kind == aTruth && n.Operator != "==" && n.Operator != "!="):
		t.fault(n, n.Operator+" cannot compare "+left.kind.String(), "numbers or texts", "")
	case f != nil && f.words != nil && n.Operator != "==" && n.Operator != "!=":
		t.fault(n, n.Operator+" would compare the letters of "+f.name, "== or in; or urgency_days <= 1", "")
	default:
		t.checkWord(left.field, right)
		t.checkWord(right.field, left)
		made.falseAnyway = n.Operator == "==" && (facesWord(left, right) || facesWord(right, left))
	}
	return made
}

// facesWord reports whether one side is a text field that reads as "" where it is missing, and the
// other a text, written out, that is not "".
func facesWord(side, other operand) bool {
	return side.bare && side.kind == aText && other.text != nil && *other.text != ""
}

func (t *translator) kindFault(left, right operand) {
	for _, pair := range [][2]operand{{left, right}, {right, left}} {
		if f := pair[0].field; f != nil && f.check != nil && pair[1].kind == aNumber {
			typed := fmt.Sprintf(`"%05.0f"`, pair[1].value)
			if f.name == "zip3" {
				typed = fmt.Sprintf(`"%03.0f"`, pair[1].value)
			}
			t.faultAt(pair[1].at, f.name+" is a text, so that it keeps its zeros", "a text in quotes", typed)
			return
		}
		if f := pair[0].field; f != nil && f.kind == aTruth {
			t.faultAt(pair[1].at, f.name+" is true or false, and this is "+pair[1].kind.String(),
				"true or false", f.name+" == true")
			return
		}
	}
	t.faultAt(right.at, left.kind.String()+" is compared with "+right.kind.String(), left.kind.String(), "")
}

// checkWord refuses a word that the field can never be.
func (t *translator) checkWord(f *field, other operand) {
	if f == nil || other.text == nil {
		return
	}
	word := *other.text
	if f.words != nil && !slices.Contains(f.words(), word) {
		nearest, ok := yamlfile.Nearest(word, f.words())
		if ok {
			nearest = `"` + nearest + `"`
		}
		t.faultAt(other.at, f.name+" is never "+yamlfile.Quote(word), yamlfile.OneOf(f.words()), nearest)
	}
	if f.check != nil {
		if message, typed := f.check(word); message != "" {
			t.faultAt(other.at, message, f.looksLike()+", in quotes", typed)
		}
	}
}

func (t *translator) textComparison(n *ast.BinaryNode, left, right operand) compared {
	switch {
	case left.kind != aText || right.kind != aText:
		t.fault(n, n.Operator+" needs texts on both sides", `source startsWith "google"`, "")
	case n.Operator != "matches":
	case right.text == nil:
		t.faultAt(right.at, "the pattern of matches must be written out",
			`a text in quotes, such as "^goo"`, "")
	default:
		t.checkPattern(right)
	}
	return compared{
		node:  t.binary(n.Operator, left.node, right.node),
		needs: all(left.needs, right.needs),
		// "" neither begins with, ends with nor contains a text that is not "".
		falseAnyway: n.Operator != "matches" && facesWord(left, right),
	}
}

// checkPattern refuses a pattern that is none, and one that would keep pings waiting.
func (t *translator) checkPattern(pattern operand) {
	const shorter = "a shorter pattern; or startsWith, endsWith or contains with a plain text"
	if len(*pattern.text) > maxPattern {
		t.faultAt(pattern.at, fmt.Sprintf("the pattern is longer than %d characters", maxPattern), shorter, "")
		return
	}
	switch steps, err := patternSteps(*pattern.text); {
	case err != nil:
		t.faultAt(pattern.at, "the pattern is not a regular expression: "+
			strings.TrimPrefix(err.Error(), "error parsing regexp: "),
			`a pattern such as "^google-[0-9]+$"; or startsWith, endsWith or contains with a plain text`, "")
	case steps > maxPatternSteps:
		t.faultAt(pattern.at, fmt.Sprintf("the pattern comes to %d steps, and may have at most %d steps", steps,
			maxPatternSteps), shorter, "")
	}
}

// membership translates x in y. The list becomes a set, so that its length costs nothing.
func (t *translator) membership(n *ast.BinaryNode) compared {
	left := t.translate(n.Left)
	array, written := n.Right.(*ast.ArrayNode)
	if !written {
		return t.membershipByName(n, left)
	}
	texts, numbers, spans, ok := t.literals(array, &left)
	if !ok {
		return compared{node: left.node}
	}
	var set any = texts
	if numbers != nil {
		set = numbers
	}
	_, empty := texts[""]
	node := t.binary("in", left.node, func() ast.Node { return t.make(constant(set)) })
	for _, span := range spans {
		node = t.binary("or", node, t.within(left, span))
	}
	return compared{
		node:        node,
		needs:       left.needs,
		falseAnyway: left.bare && left.kind == aText && !empty,
	}
}

// within asks for a range of ZIPs. They are texts of five digits, so that the order of the letters
// is the order of the numbers, and no set has to hold them all.
func (t *translator) within(left operand, span zipSpan) func() ast.Node {
	text := func(zip pingpost.ZIP) func() ast.Node {
		return func() ast.Node { return t.make(&ast.StringNode{Value: zip.String()}) }
	}
	return t.binary("and", t.binary(">=", left.node, text(span.first)), t.binary("<=", left.node, text(span.last)))
}

// membershipByName is x in a named list or a list of the ping.
func (t *translator) membershipByName(n *ast.BinaryNode, left operand) compared {
	right := t.translate(n.Right)
	left = t.as(left, aText)
	switch {
	case t.failed:
	case right.kind != someTexts:
		t.faultAt(right.at, "in needs a list, and this is "+right.kind.String(),
			`a list, such as ["60614", "60615"]`, "")
	case left.kind != aText:
		t.faultAt(left.at, "the list holds texts, and this is "+left.kind.String(), "a text", "")
	default:
		if name, ok := n.Right.(*ast.IdentifierNode); ok && left.field != nil && t.lists[name.Value] != nil {
			named := t.lists[name.Value]
			named.checkFor(left.field)
			right.node = named.constant(t, left.field.isZIP())
		}
	}
	return compared{node: t.binary("in", left.node, right.node), needs: left.needs}
}

// literals reads a list as written: all texts or all numbers. Ranges and prefixes beside a ZIP are
// left to be compared.
func (t *translator) literals(array *ast.ArrayNode, left *operand) (texts map[string]struct{},
	numbers map[float64]struct{}, spans []zipSpan, ok bool) {
	texts = map[string]struct{}{}
	for i, item := range array.Nodes {
		var part operand
		switch item.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode:
			part = t.translate(item)
		default:
			if name, ok := item.(*ast.IdentifierNode); ok {
				t.unknown(name, name.Value)
			}
			t.fault(item, "a list holds only texts and numbers, written out", `["60614", "60615"]`, "")
			return nil, nil, nil, false
		}
		if i == 0 {
			*left = t.as(*left, part.kind)
		}
		if part.kind != left.kind {
			t.kindFault(*left, part)
			return nil, nil, nil, false
		}
		if part.text != nil && left.field.isZIP() && isZIPPattern(*part.text) {
			span, message, typed := parseZIPs(*part.text)
			if message != "" {
				t.faultAt(part.at, message, zipExpected, typed)
			}
			spans = append(spans, span)
			continue
		}
		t.checkWord(left.field, part)
		if part.text != nil {
			texts[*part.text] = struct{}{}
			continue
		}
		if numbers == nil {
			numbers = map[float64]struct{}{}
		}
		numbers[numberOf(item)] = struct{}{}
	}
	*left = t.as(*left, aText)
	if len(array.Nodes) == 0 && left.kind != aText && left.kind != aNumber {
		t.fault(array, "an empty list", `["60614", "60615"]`, "")
	}
	return texts, numbers, spans, !t.failed
}

func numberOf(node ast.Node) float64 {
	if whole, ok := node.(*ast.IntegerNode); ok {
		return float64(whole.Value)
	}
	return node.(*ast.FloatNode).Value
}
