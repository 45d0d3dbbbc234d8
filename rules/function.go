package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/expr-lang/expr/ast"

	"leadbid/internal/yamlfile"
)

// function is one function of the rules: what it takes and gives.
type function struct {
	takes kind
	gives kind
	least int
	most  int
}

var functions = map[string]function{
	"abs": {aNumber, aNumber, 1, 1}, "ceil": {aNumber, aNumber, 1, 1}, "floor": {aNumber, aNumber, 1, 1},
	"round": {aNumber, aNumber, 1, 1}, "min": {aNumber, aNumber, 1, 20}, "max": {aNumber, aNumber, 1, 20},
	"len": {someTexts, aNumber, 1, 1}, "lower": {aText, aText, 1, 1}, "upper": {aText, aText, 1, 1},
	"trim": {aText, aText, 1, 1},
}

func (t *translator) call(n ast.Node, name string, arguments []ast.Node) operand {
	if name == "known" {
		return t.known(n, arguments)
	}
	f, ok := functions[name]
	if !ok {
		names := append(slices.Sorted(maps.Keys(functions)), "known")
		nearest, _ := yamlfile.Nearest(name, names)
		return t.fault(n, "there is no function "+yamlfile.Quote(name)+" in rules",
			yamlfile.Choice(names), nearest)
	}
	if len(arguments) < f.least || len(arguments) > f.most {
		return t.fault(n, fmt.Sprintf("%s does not take %d values", name, len(arguments)), "", "")
	}
	var parts []operand
	var needs *need
	for _, argument := range arguments {
		part := t.as(t.translate(argument), f.takes)
		if part.kind != f.takes && (name != "len" || part.kind != aText) {
			return t.fault(argument,
				name+" takes "+f.takes.String()+", and this is "+part.kind.String(), "", "")
		}
		parts, needs = append(parts, part), all(needs, part.needs)
	}
	return operand{kind: f.gives, needs: needs, node: func() ast.Node {
		if t.made > maxMade {
			return parts[0].node()
		}
		call := &ast.BuiltinNode{Name: name}
		for _, part := range parts {
			call.Arguments = append(call.Arguments, part.node())
		}
		if name == "len" {
			return t.make(&ast.BuiltinNode{Name: "float", Arguments: []ast.Node{t.make(call)}})
		}
		return t.make(call)
	}}
}

func (t *translator) known(n ast.Node, arguments []ast.Node) operand {
	if len(arguments) != 1 {
		return t.fault(n, "known asks for one field", "known(homeowner)", "")
	}
	part := t.translate(arguments[0])
	if t.failed {
		return part
	}
	if !part.bare {
		return t.fault(arguments[0], "known asks for a field", "known(homeowner)", "")
	}
	if part.kind == anAttribute {
		// Whatever its kind: known as any of the three.
		needs := either(t.as(part, aText).needs, either(t.as(part, aNumber).needs, t.as(part, aTruth).needs))
		return truthOf(func() ast.Node { return needs.node(t) })
	}
	if part.needs == nil {
		return truthOf(func() ast.Node { return t.make(&ast.BoolNode{Value: true}) })
	}
	return truthOf(func() ast.Node { return part.needs.node(t) })
}
