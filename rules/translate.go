package rules

import (
	"maps"
	"slices"

	"github.com/expr-lang/expr/ast"

	"leadbid/internal/yamlfile"
)

// translator turns the tree of an expression as written into one that the expr machine can run:
// with every variable resolved, every kind checked, and the meaning of missing fields written
// out, so that no comparison is ever made with a field that is not there.
//
// Trees are made by functions, anew on each call, because the machine's compiler changes the tree
// it is given and a condition may be needed twice.
type translator struct {
	where  place
	lists  map[string]*list
	tables map[string]*table
	attrs  *attributes
	uses   usage
	named  map[string]bool // attributes that a rule names, for the recording
	report func(offset int, message, expected, typed string)
	facts  bool // budget.* or capacity.* was read
	reads  bool // any field was read
	failed bool
	made   int
}

// place is where an expression stands.
type place uint8

const (
	atPing place = iota // the ping is known
	atPost              // the post is known
)

// maxMade bounds the tree that is made from an expression. Only stacked conditions inside
// conditions come near it, each of which doubles what is below.
const maxMade = 5000

// operand is a part of an expression: what it gives, and what must be there for that.
type operand struct {
	kind  kind
	node  func() ast.Node
	needs *need
	field *field  // the part is nothing but this field
	attr  string  // the part is nothing but this attribute, of a kind not yet told
	bare  bool    // the part is nothing but a field or attribute
	text  *string // the part is nothing but this text, written out
	value float64 // the part is nothing but this number, written out
	at    int     // where it stands in the source
}

func (t *translator) fault(node ast.Node, message, expected, typed string) operand {
	return t.faultAt(node.Location().From, message, expected, typed)
}

func (t *translator) faultAt(offset int, message, expected, typed string) operand {
	// One fault is enough for one expression: what follows from it would only confuse.
	if !t.failed {
		t.report(offset, message, expected, typed)
	}
	t.failed = true
	return operand{kind: aTruth, node: func() ast.Node { return &ast.BoolNode{} }}
}

func (t *translator) make(node ast.Node) ast.Node {
	t.made++
	return node
}

func (t *translator) name(name string) func() ast.Node {
	return func() ast.Node { return t.make(&ast.IdentifierNode{Value: name}) }
}

func (t *translator) slot(list string, i int) func() ast.Node {
	return func() ast.Node {
		return t.make(&ast.MemberNode{Node: &ast.IdentifierNode{Value: list},
			Property: &ast.IntegerNode{Value: i}})
	}
}

func (t *translator) binary(operator string, left, right func() ast.Node) func() ast.Node {
	return func() ast.Node {
		if t.made > maxMade {
			return &ast.BoolNode{}
		}
		return t.make(&ast.BinaryNode{Operator: operator, Left: left(), Right: right()})
	}
}

func (t *translator) negated(node func() ast.Node) func() ast.Node {
	return func() ast.Node { return t.make(&ast.UnaryNode{Operator: "not", Node: node()}) }
}

// guarded is a truth that is false where something it needs is missing.
func (t *translator) guarded(needs *need, node func() ast.Node) func() ast.Node {
	if needs == nil {
		return node
	}
	return t.binary("and", func() ast.Node { return needs.node(t) }, node)
}

func truthOf(node func() ast.Node) operand { return operand{kind: aTruth, node: node} }

// truth translates a part that stands for true or false: a condition. It is always decided.
func (t *translator) truth(node ast.Node) func() ast.Node {
	part := t.as(t.translate(node), aTruth)
	if part.kind != aTruth {
		return t.fault(node, "this is "+part.kind.String()+" where a condition is needed",
			"a comparison, such as lead_score > 50", "").node
	}
	if part.bare {
		return part.node // a missing truth reads as false
	}
	return t.guarded(part.needs, part.node)
}

// as settles the kind of an attribute; other parts stay as they are.
func (t *translator) as(part operand, kind kind) operand {
	if part.kind != anAttribute {
		return part
	}
	if kind == anAttribute || kind == someTexts {
		kind = aText
	}
	list := "?attr_texts"
	switch kind {
	case aNumber:
		list = "?attr_numbers"
	case aTruth:
		list = "?attr_truths"
	}
	i := t.attrs.slot(part.attr, kind)
	part.kind, part.node = kind, t.slot(list, i)
	part.needs = &need{name: "attrs." + part.attr, known: t.slot("?attrs_known", i),
		isKnown: func(e *Evaluation) bool { return e.env.AttrsKnown[i] }}
	return part
}

func (t *translator) translate(node ast.Node) operand {
	part := t.part(node)
	part.at = node.Location().From
	return part
}

func (t *translator) part(node ast.Node) operand {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return t.number(float64(n.Value))
	case *ast.FloatNode:
		return t.number(n.Value)
	case *ast.StringNode:
		text := n.Value
		return operand{kind: aText, text: &text, node: func() ast.Node { return t.make(&ast.StringNode{Value: text}) }}
	case *ast.BoolNode:
		value := n.Value
		return truthOf(func() ast.Node { return t.make(&ast.BoolNode{Value: value}) })
	case *ast.IdentifierNode:
		return t.variable(n, n.Value)
	case *ast.MemberNode:
		if name, ok := n.Node.(*ast.IdentifierNode); ok && t.tables[name.Value] != nil && !n.Optional {
			return t.lookup(n, t.tables[name.Value])
		}
		if path, ok := memberPath(n); ok {
			return t.variable(n, path)
		}
		if name, ok := n.Node.(*ast.IdentifierNode); ok {
			names := slices.Sorted(maps.Keys(t.tables))
			nearest, _ := yamlfile.Nearest(name.Value, names)
			return t.fault(name, "there is no table "+yamlfile.Quote(name.Value), "the name of a table under tables:", nearest)
		}
		return t.fault(n, "this is no field", "a name, such as attrs.system", "")
	case *ast.UnaryNode:
		return t.unary(n)
	case *ast.BinaryNode:
		return t.binaryPart(n)
	case *ast.ConditionalNode:
		return t.conditional(n)
	case *ast.CallNode:
		if name, ok := n.Callee.(*ast.IdentifierNode); ok {
			return t.call(n, name.Value, n.Arguments)
		}
	case *ast.BuiltinNode:
		return t.call(n, n.Name, n.Arguments)
	case *ast.NilNode:
		return t.fault(n, "nil is not used in rules", "known(field), to ask whether a field is there", "")
	case *ast.ArrayNode:
		return t.fault(n, "a list can only stand after in", `zip in ["60614", "60615"]`, "")
	}
	return t.fault(node, "this is not available in rules",
		"comparisons, and, or, not, arithmetic, ?? and c ? a : b", "")
}

func (t *translator) number(value float64) operand {
	return operand{kind: aNumber, value: value, node: func() ast.Node {
		return t.make(&ast.FloatNode{Value: value})
	}}
}

// memberPath writes a.b["c"] as a.b.c.
func memberPath(node *ast.MemberNode) (path string, ok bool) {
	property, ok := node.Property.(*ast.StringNode)
	if !ok || node.Optional {
		return "", false
	}
	switch n := node.Node.(type) {
	case *ast.IdentifierNode:
		return n.Value + "." + property.Value, true
	case *ast.MemberNode:
		if path, ok := memberPath(n); ok {
			return path + "." + property.Value, true
		}
	}
	return "", false
}

func (t *translator) unary(n *ast.UnaryNode) operand {
	switch n.Operator {
	case "-", "+":
		part := t.as(t.translate(n.Node), aNumber)
		if part.kind != aNumber {
			return t.fault(n, "a sign before "+part.kind.String(), "a number", "")
		}
		operator := n.Operator
		return operand{kind: aNumber, needs: part.needs, node: func() ast.Node {
			return t.make(&ast.UnaryNode{Operator: operator, Node: part.node()})
		}}
	}
	// The parser reads x not in y as not (x in y). The two differ where x is missing: the first
	// is a comparison and false. They are told apart by place: the parser puts the not of the
	// first at the operator itself.
	if isNegatedComparison(n) {
		compared := t.comparison(n.Node.(*ast.BinaryNode))
		return truthOf(t.guarded(compared.needs, t.negated(compared.node)))
	}
	part := t.as(t.translate(n.Node), aTruth)
	if part.kind != aTruth {
		return t.fault(n, "not before "+part.kind.String(),
			"a condition in parentheses: not (lead_score > 50)", "")
	}
	if part.bare {
		return truthOf(t.guarded(part.needs, t.negated(part.node)))
	}
	return truthOf(t.negated(t.guarded(part.needs, part.node)))
}

func (t *translator) binaryPart(n *ast.BinaryNode) operand {
	switch n.Operator {
	case "and", "&&", "or", "||":
		left, right := t.truth(n.Left), t.truth(n.Right)
		return truthOf(t.binary(n.Operator, left, right))
	case "==", "!=", "<", "<=", ">", ">=", "in", "contains", "startsWith", "endsWith", "matches":
		compared := t.comparison(n)
		if compared.falseAnyway {
			return truthOf(compared.node)
		}
		return truthOf(t.guarded(compared.needs, compared.node))
	case "+", "-", "*", "/", "**", "^":
		left, right := t.as(t.translate(n.Left), aNumber), t.as(t.translate(n.Right), aNumber)
		for _, part := range []operand{left, right} {
			if part.kind != aNumber {
				return t.faultAt(part.at, n.Operator+" needs numbers, and this is "+part.kind.String(),
					"a number", "")
			}
		}
		return operand{kind: aNumber, needs: all(left.needs, right.needs),
			node: t.binary(n.Operator, left.node, right.node)}
	case "??":
		return t.supplied(n)
	}
	return t.fault(n, "the operator "+n.Operator+" is not available in rules",
		"+ - * / ** == != < <= > >= in and or not ??", "")
}

// supplied is a ?? b: a where it is there, else b.
func (t *translator) supplied(n *ast.BinaryNode) operand {
	left, right := t.translate(n.Left), t.translate(n.Right)
	left, right = t.as(left, right.kind), t.as(right, left.kind)
	if left.kind != right.kind || left.kind > aTruth {
		return t.faultAt(right.at, "?? supplies "+right.kind.String()+" for "+left.kind.String(),
			left.kind.String(), "")
	}
	if left.needs == nil {
		return left
	}
	return operand{kind: left.kind, needs: either(left.needs, right.needs), node: func() ast.Node {
		if t.made > maxMade {
			return left.node()
		}
		return t.make(&ast.ConditionalNode{Ternary: true, Cond: left.needs.node(t), Exp1: left.node(),
			Exp2: right.node()})
	}}
}

func (t *translator) conditional(n *ast.ConditionalNode) operand {
	condition := t.truth(n.Cond)
	first, second := t.translate(n.Exp1), t.translate(n.Exp2)
	first, second = t.as(first, second.kind), t.as(second, first.kind)
	if first.kind != second.kind || first.kind > aTruth {
		return t.faultAt(second.at, "the two results of ? : must be of one kind: this is "+second.kind.String(),
			first.kind.String(), "")
	}
	return operand{kind: first.kind, needs: branch(condition, first.needs, second.needs), node: func() ast.Node {
		if t.made > maxMade {
			return first.node()
		}
		return t.make(&ast.ConditionalNode{Ternary: true, Cond: condition(), Exp1: first.node(),
			Exp2: second.node()})
	}}
}
