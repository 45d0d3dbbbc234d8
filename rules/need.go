package rules

import "github.com/expr-lang/expr/ast"

// need is what must be there for a value to be worked out. nil needs nothing. It follows the
// shape of the expression: of a ?? b either, of c ? a : b the branch that is taken, of anything
// else all parts. It can be written into an expression, for comparisons, and asked directly, for
// prices, where it names the field that is missing.
type need struct {
	// A field, or the row of a table.
	name    string
	known   func() ast.Node
	isKnown func(*Evaluation) bool // nil where known has to be run

	// All or either of two, or a branch between them.
	shape         shape
	first, second *need
	condition     func() ast.Node
	compiled      condition // the condition; set by prepare
}

type shape uint8

const (
	oneField shape = iota
	allOf
	eitherOf
	branchOf
)

func all(first, second *need) *need {
	if first == nil {
		return second
	}
	if second == nil || first == second {
		return first
	}
	return &need{shape: allOf, first: first, second: second}
}

func either(first, second *need) *need {
	if first == nil || second == nil {
		return nil
	}
	return &need{shape: eitherOf, first: first, second: second}
}

func branch(condition func() ast.Node, first, second *need) *need {
	if first == nil && second == nil {
		return nil
	}
	return &need{shape: branchOf, condition: condition, first: first, second: second}
}

// node writes the need as a condition that is true where it is met.
func (n *need) node(t *translator) ast.Node {
	if n == nil || t.made > maxMade {
		return t.make(&ast.BoolNode{Value: true})
	}
	switch n.shape {
	case allOf:
		return t.make(&ast.BinaryNode{Operator: "and", Left: n.first.node(t), Right: n.second.node(t)})
	case eitherOf:
		return t.make(&ast.BinaryNode{Operator: "or", Left: n.first.node(t), Right: n.second.node(t)})
	case branchOf:
		return t.make(&ast.ConditionalNode{Ternary: true, Cond: n.condition(), Exp1: n.first.node(t),
			Exp2: n.second.node(t)})
	}
	return n.known()
}

// prepare compiles the conditions of branches, so that missing can be asked.
func (n *need) prepare(compile func(func() ast.Node) (condition, error)) error {
	if n == nil || n.isKnown != nil {
		return nil
	}
	asked := n.condition
	if n.shape == oneField {
		asked = n.known
	}
	if asked != nil {
		compiled, err := compile(asked)
		if err != nil {
			return err
		}
		n.compiled = compiled
	}
	if err := n.first.prepare(compile); err != nil {
		return err
	}
	return n.second.prepare(compile)
}

// missing names the first field that is needed and not there; "" where all is there.
func (n *need) missing(e *Evaluation) (string, error) {
	if n == nil {
		return "", nil
	}
	switch n.shape {
	case allOf:
		if name, err := n.first.missing(e); name != "" || err != nil {
			return name, err
		}
		return n.second.missing(e)
	case eitherOf:
		name, err := n.first.missing(e)
		if name == "" || err != nil {
			return "", err
		}
		if other, err := n.second.missing(e); other == "" || err != nil {
			return "", err
		}
		return name, nil
	case branchOf:
		taken, err := e.holds(&n.compiled)
		if err != nil {
			return "", err
		}
		if taken {
			return n.first.missing(e)
		}
		return n.second.missing(e)
	}
	known, err := true, error(nil)
	if n.isKnown != nil {
		known = n.isKnown(e)
	} else {
		known, err = e.holds(&n.compiled)
	}
	if known || err != nil {
		return "", err
	}
	return n.name, nil
}
