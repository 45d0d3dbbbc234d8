package rules

import (
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
)

// The translated tree of an expression is small and fully typed, so that it can become a Go
// closure: it reads the environment in place and boxes nothing, at a fifth of the machine's time
// and without its allocations. The machine stays the definition: it runs what cannot become a
// closure, and a test holds every closure against it.
type (
	truthFunc  func(*Evaluation) bool
	numberFunc func(*Evaluation) float64
	textFunc   func(*Evaluation) string
)

// slot is where a variable of the environment stands: which of the tables of pointers that an
// Evaluation keeps, and where in it.
type slot struct {
	kind reflect.Type
	at   int
}

var (
	textType    = reflect.TypeFor[string]()
	numberType  = reflect.TypeFor[float64]()
	truthType   = reflect.TypeFor[bool]()
	textsType   = reflect.TypeFor[[]string]()
	numbersType = reflect.TypeFor[[]float64]()
	truthsType  = reflect.TypeFor[[]bool]()
)

// slots are the variables of the environment by their names in rules. The table is read-only.
var slots = slotTable()

func slotTable() map[string]slot {
	table, counts := map[string]slot{}, map[reflect.Type]int{}
	env := reflect.TypeFor[environment]()
	for i := range env.NumField() {
		field := env.Field(i)
		table[field.Tag.Get("expr")] = slot{field.Type, counts[field.Type]}
		counts[field.Type]++
	}
	return table
}

// pointers lead from a slot to the field of one Evaluation's environment.
type pointers struct {
	texts   []*string
	numbers []*float64
	truths  []*bool
	// The lists are of the Evaluation itself or of the ping.
	textLists   []*[]string
	numberLists []*[]float64
	truthLists  []*[]bool
}

func (p *pointers) to(env *environment) {
	fields := reflect.ValueOf(env).Elem()
	for i := range fields.NumField() {
		switch at := fields.Field(i).Addr().Interface().(type) {
		case *string:
			p.texts = append(p.texts, at)
		case *float64:
			p.numbers = append(p.numbers, at)
		case *bool:
			p.truths = append(p.truths, at)
		case *[]string:
			p.textLists = append(p.textLists, at)
		case *[]float64:
			p.numberLists = append(p.numberLists, at)
		case *[]bool:
			p.truthLists = append(p.truthLists, at)
		}
	}
}

// variableOf finds what a name or a place in a list of the environment stands for; at is the
// place in the list, -1 for a plain variable.
func variableOf(node ast.Node) (found slot, at int, ok bool) {
	at = -1
	if member, isMember := node.(*ast.MemberNode); isMember {
		place, isPlace := member.Property.(*ast.IntegerNode)
		if !isPlace || place.Value < 0 {
			return slot{}, -1, false
		}
		node, at = member.Node, place.Value
	}
	name, isName := node.(*ast.IdentifierNode)
	if !isName {
		return slot{}, -1, false
	}
	found, ok = slots[name.Value]
	return found, at, ok
}

// truthClosure turns a condition into a closure; nil where some part of it is not known here.
func truthClosure(node ast.Node) truthFunc {
	switch n := node.(type) {
	case *ast.BoolNode:
		value := n.Value
		return func(*Evaluation) bool { return value }
	case *ast.IdentifierNode, *ast.MemberNode:
		return truthVariable(n)
	case *ast.UnaryNode:
		inner := truthClosure(n.Node)
		if inner == nil || (n.Operator != "not" && n.Operator != "!") {
			return nil
		}
		return func(e *Evaluation) bool { return !inner(e) }
	case *ast.ConditionalNode:
		c, a, b := truthClosure(n.Cond), truthClosure(n.Exp1), truthClosure(n.Exp2)
		if c == nil || a == nil || b == nil {
			return nil
		}
		return func(e *Evaluation) bool {
			if c(e) {
				return a(e)
			}
			return b(e)
		}
	case *ast.BinaryNode:
		return binaryClosure(n)
	}
	return nil
}

func truthVariable(node ast.Node) truthFunc {
	found, at, ok := variableOf(node)
	place := found.at
	switch {
	case ok && at < 0 && found.kind == truthType:
		return func(e *Evaluation) bool { return *e.at.truths[place] }
	case ok && at >= 0 && found.kind == truthsType:
		return func(e *Evaluation) bool { return (*e.at.truthLists[place])[at] }
	}
	return nil
}

func binaryClosure(n *ast.BinaryNode) truthFunc {
	switch n.Operator {
	case "and", "&&", "or", "||":
		a, b := truthClosure(n.Left), truthClosure(n.Right)
		switch {
		case a == nil || b == nil:
			return nil
		case n.Operator == "and" || n.Operator == "&&":
			return func(e *Evaluation) bool { return a(e) && b(e) }
		}
		return func(e *Evaluation) bool { return a(e) || b(e) }
	case "in":
		return membershipClosure(n)
	case "contains", "startsWith", "endsWith", "matches":
		return textOperatorClosure(n)
	}
	if a, b := textClosure(n.Left), textClosure(n.Right); a != nil && b != nil {
		return textComparisonClosure(n, a, b)
	}
	if a, b := numberClosure(n.Left), numberClosure(n.Right); a != nil && b != nil {
		return comparisonClosure(n.Operator, a, b)
	}
	a, b := truthClosure(n.Left), truthClosure(n.Right)
	switch {
	case a == nil || b == nil:
		return nil
	case n.Operator == "==":
		return func(e *Evaluation) bool { return a(e) == b(e) }
	case n.Operator == "!=":
		return func(e *Evaluation) bool { return a(e) != b(e) }
	}
	return nil
}

func textComparisonClosure(n *ast.BinaryNode, a, b textFunc) truthFunc {
	if word, ok := n.Right.(*ast.StringNode); ok {
		value := word.Value
		switch n.Operator {
		case "==":
			return func(e *Evaluation) bool { return a(e) == value }
		case "!=":
			return func(e *Evaluation) bool { return a(e) != value }
		}
	}
	return comparisonClosure(n.Operator, a, b)
}

func comparisonClosure[T string | float64](operator string, a, b func(*Evaluation) T) truthFunc {
	switch operator {
	case "==":
		return func(e *Evaluation) bool { return a(e) == b(e) }
	case "!=":
		return func(e *Evaluation) bool { return a(e) != b(e) }
	case "<":
		return func(e *Evaluation) bool { return a(e) < b(e) }
	case "<=":
		return func(e *Evaluation) bool { return a(e) <= b(e) }
	case ">":
		return func(e *Evaluation) bool { return a(e) > b(e) }
	case ">=":
		return func(e *Evaluation) bool { return a(e) >= b(e) }
	}
	return nil
}

func membershipClosure(n *ast.BinaryNode) truthFunc {
	if set, ok := n.Right.(*ast.ConstantNode); ok {
		switch members := set.Value.(type) {
		case map[string]struct{}:
			if text := textClosure(n.Left); text != nil {
				return func(e *Evaluation) bool { _, in := members[text(e)]; return in }
			}
		case map[string]float64:
			if text := textClosure(n.Left); text != nil {
				return func(e *Evaluation) bool { _, in := members[text(e)]; return in }
			}
		case map[float64]struct{}:
			if number := numberClosure(n.Left); number != nil {
				return func(e *Evaluation) bool { _, in := members[number(e)]; return in }
			}
		}
		return nil
	}
	text := textClosure(n.Left)
	found, at, ok := variableOf(n.Right)
	if text == nil || !ok || at >= 0 || found.kind != textsType {
		return nil
	}
	place := found.at
	return func(e *Evaluation) bool { return slices.Contains(*e.at.textLists[place], text(e)) }
}

func textOperatorClosure(n *ast.BinaryNode) truthFunc {
	a, b := textClosure(n.Left), textClosure(n.Right)
	if a == nil || b == nil {
		return nil
	}
	switch n.Operator {
	case "contains":
		return func(e *Evaluation) bool { return strings.Contains(a(e), b(e)) }
	case "startsWith":
		return func(e *Evaluation) bool { return strings.HasPrefix(a(e), b(e)) }
	case "endsWith":
		return func(e *Evaluation) bool { return strings.HasSuffix(a(e), b(e)) }
	}
	written, ok := n.Right.(*ast.StringNode)
	if !ok {
		return nil
	}
	pattern, err := regexp.Compile(written.Value)
	if err != nil {
		return nil
	}
	return func(e *Evaluation) bool { return pattern.MatchString(a(e)) }
}

// textClosure turns a part that gives a text into a closure; nil where it is not one.
func textClosure(node ast.Node) textFunc {
	switch n := node.(type) {
	case *ast.StringNode:
		value := n.Value
		return func(*Evaluation) string { return value }
	case *ast.IdentifierNode, *ast.MemberNode:
		found, at, ok := variableOf(n)
		place := found.at
		switch {
		case ok && at < 0 && found.kind == textType:
			return func(e *Evaluation) string { return *e.at.texts[place] }
		case ok && at >= 0 && found.kind == textsType:
			return func(e *Evaluation) string { return (*e.at.textLists[place])[at] }
		}
	case *ast.ConditionalNode:
		c, a, b := truthClosure(n.Cond), textClosure(n.Exp1), textClosure(n.Exp2)
		if c == nil || a == nil || b == nil {
			return nil
		}
		return func(e *Evaluation) string {
			if c(e) {
				return a(e)
			}
			return b(e)
		}
	case *ast.BuiltinNode:
		change := map[string]func(string) string{"lower": strings.ToLower, "upper": strings.ToUpper,
			"trim": strings.TrimSpace}[n.Name]
		if change == nil || len(n.Arguments) != 1 {
			return nil
		}
		if text := textClosure(n.Arguments[0]); text != nil {
			return func(e *Evaluation) string { return change(text(e)) }
		}
	}
	return nil
}

// numberClosure turns a part that gives a number into a closure; nil where it is not one.
func numberClosure(node ast.Node) numberFunc {
	switch n := node.(type) {
	case *ast.FloatNode:
		value := n.Value
		return func(*Evaluation) float64 { return value }
	case *ast.IdentifierNode, *ast.MemberNode:
		return numberVariable(n)
	case *ast.UnaryNode:
		inner := numberClosure(n.Node)
		switch {
		case inner == nil:
		case n.Operator == "-":
			return func(e *Evaluation) float64 { return -inner(e) }
		case n.Operator == "+":
			return inner
		}
	case *ast.ConditionalNode:
		c, a, b := truthClosure(n.Cond), numberClosure(n.Exp1), numberClosure(n.Exp2)
		if c == nil || a == nil || b == nil {
			return nil
		}
		return func(e *Evaluation) float64 {
			if c(e) {
				return a(e)
			}
			return b(e)
		}
	case *ast.BinaryNode:
		a, b := numberClosure(n.Left), numberClosure(n.Right)
		if a != nil && b != nil {
			return arithmeticClosure(n.Operator, a, b)
		}
	case *ast.BuiltinNode:
		return numberFunctionClosure(n)
	}
	return nil
}

// numberVariable is a variable, or the row of a table that a text picks.
func numberVariable(node ast.Node) numberFunc {
	if row, ok := node.(*ast.MemberNode); ok {
		if table, ok := row.Node.(*ast.ConstantNode); ok {
			rows, isTable := table.Value.(map[string]float64)
			key := textClosure(row.Property)
			if !isTable || key == nil {
				return nil
			}
			return func(e *Evaluation) float64 { return rows[key(e)] }
		}
	}
	found, at, ok := variableOf(node)
	place := found.at
	switch {
	case ok && at < 0 && found.kind == numberType:
		return func(e *Evaluation) float64 { return *e.at.numbers[place] }
	case ok && at >= 0 && found.kind == numbersType:
		return func(e *Evaluation) float64 { return (*e.at.numberLists[place])[at] }
	}
	return nil
}

// arithmeticClosure works in float64 throughout, as the machine does. Every step is a call of its
// own, so that no product is fused into a sum: a replay on another machine must come to the same
// cents.
func arithmeticClosure(operator string, a, b numberFunc) numberFunc {
	switch operator {
	case "+":
		return func(e *Evaluation) float64 { return a(e) + b(e) }
	case "-":
		return func(e *Evaluation) float64 { return a(e) - b(e) }
	case "*":
		return func(e *Evaluation) float64 { return float64(a(e) * b(e)) }
	case "/":
		return func(e *Evaluation) float64 { return a(e) / b(e) }
	case "**", "^":
		return func(e *Evaluation) float64 { return math.Pow(a(e), b(e)) }
	}
	return nil
}

func numberFunctionClosure(n *ast.BuiltinNode) numberFunc {
	if n.Name == "float" && len(n.Arguments) == 1 {
		return lengthClosure(n.Arguments[0])
	}
	arguments := make([]numberFunc, len(n.Arguments))
	for i, argument := range n.Arguments {
		if arguments[i] = numberClosure(argument); arguments[i] == nil {
			return nil
		}
	}
	if len(arguments) == 0 {
		return nil
	}
	first := arguments[0]
	switch n.Name {
	case "ceil":
		return func(e *Evaluation) float64 { return math.Ceil(first(e)) }
	case "floor":
		return func(e *Evaluation) float64 { return math.Floor(first(e)) }
	case "round":
		return func(e *Evaluation) float64 { return math.Round(first(e)) }
	case "abs":
		return func(e *Evaluation) float64 {
			value := first(e)
			if value < 0 {
				return -value
			}
			return value // keeps the sign of -0, as the machine does
		}
	case "min", "max":
		return extremeClosure(arguments, n.Name == "min")
	}
	return nil
}

// extremeClosure gives the least or the greatest. It compares as the machine does, also where
// something is no number, and does not use the built-in functions, which differ there.
func extremeClosure(arguments []numberFunc, least bool) numberFunc {
	return func(e *Evaluation) float64 {
		found := arguments[0](e)
		for _, argument := range arguments[1:] {
			if value := argument(e); (least && found > value) || (!least && found < value) {
				found = value
			}
		}
		return found
	}
}

// lengthClosure is float(len(x)), the only use of float that the translator makes.
func lengthClosure(node ast.Node) numberFunc {
	length, ok := node.(*ast.BuiltinNode)
	if !ok || length.Name != "len" || len(length.Arguments) != 1 {
		return nil
	}
	if text := textClosure(length.Arguments[0]); text != nil {
		return func(e *Evaluation) float64 { return float64(utf8.RuneCountInString(text(e))) }
	}
	if set, ok := length.Arguments[0].(*ast.ConstantNode); ok {
		if members, ok := set.Value.(map[string]struct{}); ok {
			return func(*Evaluation) float64 { return float64(len(members)) }
		}
	}
	found, at, ok := variableOf(length.Arguments[0])
	if !ok || at >= 0 || found.kind != textsType {
		return nil
	}
	place := found.at
	return func(e *Evaluation) float64 { return float64(len(*e.at.textLists[place])) }
}
