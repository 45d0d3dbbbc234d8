package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
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
	attrs  *attributes
	uses   usage
	named  map[string]bool // attributes that a rule names, for the recording
	report func(offset int, message, expected, typed string)
	facts  bool // budget.* or capacity.* was read
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
	field *field // the part is nothing but this field
	attr  string // the part is nothing but this attribute, of a kind not yet told
	bare  bool   // the part is nothing but a field or attribute
	text  *string
	at    int // where it stands in the source
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
		return t.make(&ast.MemberNode{Node: &ast.IdentifierNode{Value: list}, Property: &ast.IntegerNode{Value: i}})
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
	if kind == someNumbers {
		kind = aNumber
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
		if path, ok := memberPath(n); ok {
			return t.variable(n, path)
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
	return t.fault(node, "this is not available in rules", "comparisons, and, or, not, arithmetic, ?? and c ? a : b", "")
}

func (t *translator) number(value float64) operand {
	return operand{kind: aNumber, node: func() ast.Node { return t.make(&ast.FloatNode{Value: value}) }}
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

// variable resolves a name.
func (t *translator) variable(node ast.Node, name string) operand {
	if f, ok := fields[name]; ok {
		if t.where == atPost && !f.onPost {
			return t.fault(node, "a post does not carry "+name, "lead.city, lead.zip, service, consent.certificate ...", "")
		}
		t.uses.note(name)
		return t.fieldPart(f)
	}
	if named, ok := t.lists[name]; ok {
		return operand{kind: someTexts, node: named.constant(t)}
	}
	group, rest, dotted := strings.Cut(name, ".")
	switch {
	case dotted && group == "attrs":
		t.named[rest] = true
		return operand{kind: anAttribute, attr: rest, bare: true}
	case dotted && group == "lead":
		if i := slices.Index(leadFields[:], rest); i >= 0 {
			return t.leadPart(node, i)
		}
	case dotted && (group == "budget" || group == "capacity"):
		if part, ok := t.factPart(node, group, rest); ok {
			return part
		}
	}
	return t.unknown(node, name)
}

func (t *translator) fieldPart(f *field) operand {
	part := operand{kind: f.kind, field: f, bare: true, node: t.name(f.name)}
	if f.known == "" {
		return part
	}
	known := t.name(f.known)
	if f.known == "=" {
		known = t.binary("!=", t.name(f.name), func() ast.Node { return &ast.StringNode{} })
	}
	isKnown := f.isKnown
	part.needs = &need{name: f.name, known: known, isKnown: func(e *Evaluation) bool { return isKnown(&e.env) }}
	return part
}

func (t *translator) leadPart(node ast.Node, i int) operand {
	if t.where != atPost {
		return t.fault(node, "lead.* is known only at the post", "lead.* in reject rules only", "")
	}
	t.uses.lead[i] = true
	value := t.slot("?lead", i)
	part := operand{kind: aText, bare: true, node: value}
	switch leadFields[i] {
	case "zip":
		part.field = &field{name: "lead.zip", kind: aText, check: checkZIP}
	case "state":
		part.field = &field{name: "lead.state", kind: aText, check: checkState}
	}
	part.needs = &need{name: "lead." + leadFields[i],
		known:   t.binary("!=", value, func() ast.Node { return &ast.StringNode{} }),
		isKnown: func(e *Evaluation) bool { return e.env.Lead[i] != "" }}
	return part
}

func (t *translator) factPart(node ast.Node, group, rest string) (operand, bool) {
	word, fact, _ := strings.Cut(rest, ".")
	period, ok := pingpost.ParsePeriod(word)
	which := slices.Index(factNames, fact)
	if !ok || which < 0 {
		return operand{}, false
	}
	if t.where == atPost {
		return t.fault(node, "a post is not weighed against "+group+".*", "lead.*, service, zip, consent.*", ""), true
	}
	scope := int(period)
	if group == "capacity" {
		scope += int(pingpost.NumPeriods)
	}
	t.facts = true
	return operand{kind: aNumber, bare: true, node: t.slot("?facts", scope*factsPerPeriod+which),
		needs: &need{name: group + "." + rest, known: t.slot("?facts_known", scope),
			isKnown: func(e *Evaluation) bool { return e.factsKnown[scope] }}}, true
}

// unknown words the fault of a name that nobody knows, with the likeliest meaning.
func (t *translator) unknown(node ast.Node, name string) operand {
	for _, f := range []string{"urgency", "job", "service", "property_type"} {
		if slices.Contains(fields[f].words(), name) {
			return t.fault(node, "unknown name "+yamlfile.Quote(name)+": a word must be in quotes", "", `"`+name+`"`)
		}
	}
	known := slices.Sorted(maps.Keys(fields))
	known = append(known, slices.Sorted(maps.Keys(t.lists))...)
	for _, group := range []string{"budget", "capacity"} {
		for _, period := range pingpost.Periods() {
			for _, fact := range factNames {
				known = append(known, group+"."+period.String()+"."+fact)
			}
		}
	}
	if t.where == atPost {
		for _, f := range leadFields {
			known = append(known, "lead."+f)
		}
	}
	expected := "a field of the ping, a list, or attrs.NAME"
	nearest, _ := yamlfile.Nearest(name, known)
	switch name {
	case "True", "TRUE", "yes":
		nearest = "true"
	case "False", "FALSE", "no":
		nearest = "false"
	case "AND", "And", "OR", "Or", "NOT", "Not":
		nearest = strings.ToLower(name)
	}
	return t.fault(node, "unknown name "+yamlfile.Quote(name), expected, nearest)
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
	if inner, ok := n.Node.(*ast.BinaryNode); ok && inner.Location().From == n.Location().From {
		compared := t.comparison(inner)
		return truthOf(t.guarded(compared.needs, t.negated(compared.node)))
	}
	part := t.as(t.translate(n.Node), aTruth)
	if part.kind != aTruth {
		return t.fault(n, "not before "+part.kind.String(), "a condition in parentheses: not (lead_score > 50)", "")
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
				return t.faultAt(part.at, n.Operator+" needs numbers, and this is "+part.kind.String(), "a number", "")
			}
		}
		return operand{kind: aNumber, needs: all(left.needs, right.needs), node: t.binary(n.Operator, left.node, right.node)}
	case "??":
		return t.supplied(n)
	}
	return t.fault(n, "the operator "+n.Operator+" is not available in rules", "+ - * / ** == != < <= > >= in and or not ??", "")
}

// supplied is a ?? b: a where it is there, else b.
func (t *translator) supplied(n *ast.BinaryNode) operand {
	left, right := t.translate(n.Left), t.translate(n.Right)
	left, right = t.as(left, right.kind), t.as(right, left.kind)
	if left.kind != right.kind || left.kind > aTruth {
		return t.faultAt(right.at, "?? supplies "+right.kind.String()+" for "+left.kind.String(), left.kind.String(), "")
	}
	if left.needs == nil {
		return left
	}
	return operand{kind: left.kind, needs: either(left.needs, right.needs), node: func() ast.Node {
		if t.made > maxMade {
			return left.node()
		}
		return t.make(&ast.ConditionalNode{Ternary: true, Cond: left.needs.node(t), Exp1: left.node(), Exp2: right.node()})
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
		return t.make(&ast.ConditionalNode{Ternary: true, Cond: condition(), Exp1: first.node(), Exp2: second.node()})
	}}
}

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
			t.faultAt(pair[1].at, f.name+" is a text, so that it keeps its zeros", "a text in quotes", f.name+` == "60614"`)
			return
		}
		if f := pair[0].field; f != nil && f.kind == aTruth {
			t.faultAt(pair[1].at, f.name+" is true or false, and this is "+pair[1].kind.String(), "true or false", f.name+" == true")
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
			t.faultAt(other.at, message, "", typed)
		}
	}
}

func (t *translator) textComparison(n *ast.BinaryNode, left, right operand) compared {
	switch {
	case left.kind != aText || right.kind != aText:
		t.fault(n, n.Operator+" needs texts on both sides", `source startsWith "google"`, "")
	case n.Operator != "matches":
	case right.text == nil:
		t.faultAt(right.at, "the pattern of matches must be written out", `a text in quotes, such as "^goo"`, "")
	default:
		if _, err := regexp.Compile(*right.text); err != nil {
			t.faultAt(right.at, "the pattern is not a regular expression: "+err.Error(), "", "")
		}
	}
	return compared{
		node:  t.binary(n.Operator, left.node, right.node),
		needs: all(left.needs, right.needs),
		// "" neither begins with, ends with nor contains a text that is not "".
		falseAnyway: n.Operator != "matches" && facesWord(left, right),
	}
}

// membership translates x in y. The list becomes a set, so that its length costs nothing.
func (t *translator) membership(n *ast.BinaryNode) compared {
	left := t.translate(n.Left)
	array, written := n.Right.(*ast.ArrayNode)
	if !written {
		return t.membershipByName(n, left)
	}
	texts, numbers, ok := t.literals(array, &left)
	if !ok {
		return compared{node: left.node}
	}
	var set any = texts
	if numbers != nil {
		set = numbers
	}
	_, empty := texts[""]
	return compared{
		node:        t.binary("in", left.node, func() ast.Node { return t.make(constant(set)) }),
		needs:       left.needs,
		falseAnyway: left.bare && left.kind == aText && !empty,
	}
}

// membershipByName is x in a named list or a list of the ping.
func (t *translator) membershipByName(n *ast.BinaryNode, left operand) compared {
	right := t.translate(n.Right)
	left = t.as(left, aText)
	switch {
	case t.failed:
	case right.kind != someTexts:
		t.faultAt(right.at, "in needs a list, and this is "+right.kind.String(), `a list, such as ["60614", "60615"]`, "")
	case left.kind != aText:
		t.faultAt(left.at, "the list holds texts, and this is "+left.kind.String(), "a text", "")
	default:
		if name, ok := n.Right.(*ast.IdentifierNode); ok && left.field != nil && t.lists[name.Value] != nil {
			t.lists[name.Value].checkFor(left.field)
		}
	}
	return compared{node: t.binary("in", left.node, right.node), needs: left.needs}
}

// literals reads a list as written: all texts or all numbers.
func (t *translator) literals(array *ast.ArrayNode, left *operand) (texts map[string]struct{}, numbers map[float64]struct{}, ok bool) {
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
			return nil, nil, false
		}
		if i == 0 {
			*left = t.as(*left, part.kind)
		}
		if part.kind != left.kind {
			t.kindFault(*left, part)
			return nil, nil, false
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
	return texts, numbers, !t.failed
}

func numberOf(node ast.Node) float64 {
	if whole, ok := node.(*ast.IntegerNode); ok {
		return float64(whole.Value)
	}
	return node.(*ast.FloatNode).Value
}

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
		return t.fault(n, "there is no function "+yamlfile.Quote(name)+" in rules", "one of "+yamlfile.OneOf(names), nearest)
	}
	if len(arguments) < f.least || len(arguments) > f.most {
		return t.fault(n, fmt.Sprintf("%s does not take %d values", name, len(arguments)), "", "")
	}
	var parts []operand
	var needs *need
	for _, argument := range arguments {
		part := t.as(t.translate(argument), f.takes)
		if part.kind != f.takes && (name != "len" || part.kind != aText) {
			return t.fault(argument, name+" takes "+f.takes.String()+", and this is "+part.kind.String(), "", "")
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
