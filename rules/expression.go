package rules

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// The limits on one expression. The first two are held before the parser sees the text: nesting
// alone overflows the stack of a process, which nothing can recover from.
const (
	maxSource    = 8 << 10 // bytes
	maxNesting   = 64      // brackets, signs and nots
	maxNodes     = 500
	memoryBudget = 10_000 // elements that one run may make
)

// condition is a compiled truth: a closure, or a program where there is none. The zero value
// always holds.
type condition struct {
	closure truthFunc
	program *vm.Program
	parts   int // what running it costs, see partsOf
}

func (c *condition) always() bool { return c.closure == nil && c.program == nil }

// number is a compiled price, factor or amount of dollars: a closure, or a program where there is
// none.
type number struct {
	constant float64 // where there is nothing to run
	closure  numberFunc
	program  *vm.Program
	needs    *need
	parts    int // what running it costs, see partsOf
}

func (n *number) isConstant() bool { return n.closure == nil && n.program == nil }

// expressions compiles the expressions of one configuration.
type expressions struct {
	lists   map[string]*list
	tables  map[string]*table
	attrs   *attributes
	uses    *usage
	named   map[string]bool
	parsing *conf.Config
	running *conf.Config
	plain   bool // every condition stays whole, and the machine runs all: the oracle of tests

	// What the index is made of.
	facets map[string]*facet
	scores *scoreScale
	picks  map[string]*zipPick

	// Expressions that were written before. Campaigns are much alike, and an expression means the
	// same wherever it stands.
	conditions map[sourceKey]madeCondition
	numbers    map[sourceKey]madeNumber
}

type sourceKey struct {
	text  string
	where place
	split bool
}

type madeCondition struct {
	tree   ast.Node // as written
	when   condition
	chosen choice
	facts  bool
}

type madeNumber struct {
	number number
	facts  bool
}

func newExpressions(lists map[string]*list, tables map[string]*table, attrs *attributes, uses *usage, named map[string]bool) *expressions {
	parsing, running := conf.CreateNew(), conf.New(environment{})
	parsing.MaxNodes, parsing.DisableIfOperator = maxNodes, true
	for name := range parsing.Builtins {
		if _, allowed := functions[name]; !allowed {
			// A function that the parser does not know becomes a plain call, which is refused by name.
			parsing.Disabled[name] = true
			delete(parsing.Builtins, name)
		}
	}
	running.MaxNodes = maxMade * 2
	return &expressions{lists: lists, tables: tables, attrs: attrs, uses: uses, named: named, parsing: parsing,
		running: running, scores: &scoreScale{}, picks: map[string]*zipPick{},
		conditions: map[sourceKey]madeCondition{}, numbers: map[sourceKey]madeNumber{}}
}

// source is an expression in the configuration: its text, and how to speak about places in it.
type source struct {
	text  string
	where place
	node  yamlfile.Node
}

// condition compiles a truth. Where split is asked for it leaves out what the index decides, and
// chosen says what that is. ok is false after a fault.
func (x *expressions) condition(s source, split bool) (made madeCondition, ok bool) {
	key := sourceKey{s.text, s.where, split}
	if made, known := x.conditions[key]; known {
		return made, true
	}
	if made, ok = x.newCondition(s, split); ok {
		x.conditions[key] = made
	}
	return made, ok
}

func (x *expressions) newCondition(s source, split bool) (made madeCondition, ok bool) {
	made.chosen = anything()
	tree, ok := x.parse(s)
	if !ok {
		return made, false
	}
	made.tree = tree
	t := x.translator(s)
	rest := t.truth(tree)
	if t.failed {
		return made, false
	}
	if split && !x.plain {
		chosen, others := x.choose(tree)
		if len(others) < len(conjuncts(tree)) {
			// The whole was translated because it is what had to be checked. What runs is the rest.
			t = x.translator(s)
			made.chosen, rest = chosen, conjunction(t, others)
		}
	}
	x.uses.add(&t.uses)
	made.facts = t.facts
	if rest == nil {
		return made, true
	}
	when, err := x.compileTruth(t, rest)
	if err != nil {
		t.faultAt(0, err.Error(), "", "")
		return made, false
	}
	made.when = when
	return made, true
}

// compileTruth makes a closure of a condition, or a program where some part of it cannot be one.
func (x *expressions) compileTruth(t *translator, node func() ast.Node) (condition, error) {
	tree := node()
	if t.made > maxMade {
		return condition{}, errTooMany
	}
	parts := partsOf(tree)
	if closure := truthClosure(tree); closure != nil && !x.plain {
		return condition{closure: closure, parts: parts}, nil
	}
	program, err := x.compile(tree, reflect.Bool)
	return condition{program: program, parts: parts}, err
}

var errTooMany = errors.New("the expression has too many conditions inside conditions")

// partsOf counts the parts of an expression that run, as a measure of the time that they take. A
// regular expression takes the time of many.
func partsOf(tree ast.Node) int {
	counted := partsCounter(0)
	ast.Walk(&tree, &counted)
	return int(counted)
}

type partsCounter int

func (c *partsCounter) Visit(node *ast.Node) {
	*c++
	if n, ok := (*node).(*ast.BinaryNode); ok && n.Operator == "matches" {
		*c += patternParts
		if written, ok := n.Right.(*ast.StringNode); ok {
			steps, _ := patternSteps(written.Value)
			*c += partsCounter(partsPerStep * steps)
		}
	}
}

// What a regular expression costs. Each character of a text may be held against each of its steps.
const (
	patternParts    = 100
	partsPerStep    = 4
	maxPattern      = 500 // bytes
	maxPatternSteps = 500
)

// patternSteps counts the steps that a regular expression is compiled into: "(a?){1000}" is short
// and has thousands.
func patternSteps(pattern string) (steps int, err error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	compiled, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0, err
	}
	return len(compiled.Inst), nil
}

// number compiles a price or factor. A plain number needs no program, and dollars may be written
// as in a budget: $50.
func (x *expressions) number(s source) (n number, facts, ok bool) {
	key := sourceKey{text: s.text, where: s.where}
	if made, known := x.numbers[key]; known {
		return made.number, made.facts, true
	}
	if n, facts, ok = x.newNumber(s); ok {
		x.numbers[key] = madeNumber{n, facts}
	}
	return n, facts, ok
}

func (x *expressions) newNumber(s source) (n number, facts, ok bool) {
	if text, isDollars := strings.CutPrefix(s.text, "$"); isDollars {
		amount, err := pingpost.ParseDollars(strings.TrimSpace(text))
		if err != nil && strings.ContainsAny(text, "+*/(?") {
			s.node.Fault("$ stands before a plain amount only", "dollars without a sign in a calculation",
				strings.ReplaceAll(s.text, "$", ""))
			return number{}, false, false
		}
		if err != nil {
			s.node.Dollars() // notes the fault in the words for money
			return number{}, false, false
		}
		return number{constant: float64(amount) / 100}, false, true
	}
	if strings.HasPrefix(s.text, "00") {
		s.node.Dollars() // a shell ate $4 of $400: notes the fault in the words for money
		return number{}, false, false
	}
	if constant, err := strconv.ParseFloat(s.text, 64); err == nil && !math.IsInf(constant,
		0) && !math.IsNaN(constant) {
		return number{constant: constant}, false, true
	}
	tree, ok := x.parse(s)
	if !ok {
		return number{}, false, false
	}
	t := x.translator(s)
	part := t.as(t.translate(tree), aNumber)
	if !t.failed && part.kind != aNumber {
		t.fault(tree, "this is "+part.kind.String()+" where dollars or a factor are needed", "a number", "")
	}
	if t.failed {
		return number{}, false, false
	}
	x.uses.add(&t.uses)
	n, err := x.compileNumber(t, part)
	if err != nil {
		t.faultAt(0, err.Error(), "", "")
		return number{}, false, false
	}
	if !t.reads {
		constant, ok := constantOf(t, &n)
		return number{constant: constant}, false, ok
	}
	return n, t.facts, true
}

func (x *expressions) compileNumber(t *translator, part operand) (n number, err error) {
	tree := part.node()
	if t.made > maxMade {
		return number{}, errTooMany
	}
	n.needs, n.parts = part.needs, partsOf(tree)
	if n.closure = numberClosure(tree); n.closure == nil || x.plain {
		n.closure = nil
		if n.program, err = x.compile(tree, reflect.Float64); err != nil {
			return number{}, err
		}
	}
	return n, part.needs.prepare(func(node func() ast.Node) (condition, error) { return x.compileTruth(t, node) })
}

// constantOf works out a number that reads no field, so that 1 / 0 is found now and not at the
// first ping.
func constantOf(t *translator, n *number) (value float64, ok bool) {
	value, _, err := (&Evaluation{}).value(n)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
		t.faultAt(0, "this comes to "+showNumber(value)+", whatever the ping says", "a number", "")
		return 0, false
	}
	return value, true
}

func (x *expressions) translator(s source) *translator {
	return &translator{where: s.where, lists: x.lists, tables: x.tables, attrs: x.attrs, named: x.named,
		report: func(offset int, message, expected, typed string) { s.node.FaultAt(offset, message, expected, typed) }}
}

// parse holds the limits and reads the text into a tree.
func (x *expressions) parse(s source) (ast.Node, bool) {
	if len(s.text) > maxSource {
		s.node.Fault(fmt.Sprintf("the expression is longer than %d characters", maxSource),
			"a shorter one, or several rules", "")
		return nil, false
	}
	if at, deep := tooDeep(s.text); deep {
		s.node.FaultAt(at, fmt.Sprintf("the expression is nested more than %d deep", maxNesting),
			"fewer brackets, signs or nots", "")
		return nil, false
	}
	tree, err := parser.ParseWithConfig(s.text, x.parsing)
	if err == nil {
		return tree.Node, true
	}
	var fault *file.Error
	if !errors.As(err, &fault) {
		s.node.FaultAt(0, err.Error(), "", "")
		return nil, false
	}
	message, expected, typed := syntaxWords(fault.Message)
	s.node.FaultAt(fault.Location.From, message, expected, typed)
	return nil, false
}

// syntaxWords puts the parser's most frequent complaints into the words of somebody who writes
// rules, not programs.
func syntaxWords(message string) (plain, expected, typed string) {
	switch {
	case strings.HasPrefix(message, `unexpected token Operator("=")`):
		return "one = does not compare", "", "=="
	case strings.HasPrefix(message, "unexpected token EOF"), strings.HasPrefix(message, "unexpected end"):
		return "the expression ends too soon", "a value after an operator, and a closing bracket for each opening one", ""
	case strings.HasPrefix(message, "literal not terminated"):
		return "a quote is not closed", "a text in quotes", ""
	case strings.Contains(message, "exceeds maximum allowed nodes"):
		return fmt.Sprintf("the expression has more than %d parts",
			maxNodes), "a shorter one, or several rules", ""
	case strings.HasPrefix(message, "Operator (") && strings.Contains(message, "??"):
		return "?? beside another operator needs parentheses", "", "(lead_score ?? 50) > 60"
	case strings.HasPrefix(message, "unrecognized character"):
		return message, "letters, digits, quotes and operators", ""
	}
	if token := unexpectedToken.FindStringSubmatch(message); token != nil {
		typed, _ = yamlfile.Nearest(token[1], operatorWords)
		if meant, ok := operatorHabits[strings.ToLower(token[1])]; ok {
			typed = meant
		}
		return yamlfile.Quote(token[1]) + " does not fit here", "an operator, such as and, or, ==, <, in", typed
	}
	return message, `an expression, such as urgency == "emergency" and lead_score > 50`, ""
}

var (
	unexpectedToken = regexp.MustCompile(`^unexpected token [A-Za-z]+\("(.*)"\)`)
	operatorWords   = []string{"and", "or", "not", "in", "contains", "startsWith", "endsWith", "matches"}
	operatorHabits  = map[string]string{"is": "==", "equals": "==", "&": "and", "|": "or", "isnt": "!=", "<>": "!="}
)

// tooDeep scans the text for brackets and runs of signs and nots beyond maxNesting, leaving out
// quoted texts, and gives the place where it is passed, in characters.
func tooDeep(text string) (at int, deep bool) {
	depth, run := 0, 0
	var quote rune
	escaped := false
	word := 0 // the byte offset at which a run of letters began
	for i, r := range text {
		switch {
		case quote != 0:
			if r == quote && !escaped {
				quote = 0
			}
			escaped = r == '\\' && !escaped && quote != '`'
		case r == '"' || r == '\'' || r == '`':
			quote, escaped, run = r, false, 0
		case r == '(' || r == '[' || r == '{':
			depth++
			run = 0
		case r == ')' || r == ']' || r == '}':
			depth--
			run = 0
		case r == '-' || r == '+' || r == '!' || r == '?' || r == '*':
			run++
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if text[word:i] == "not" {
				run++
			}
		case r >= 'a' && r <= 'z':
			if !strings.HasPrefix("not", text[word:i]+string(r)) {
				run = 0
			}
		default:
			run = 0
		}
		if r < 'a' || r > 'z' {
			word = i + 1
			if r > 0x7f {
				word = i + len(string(r))
			}
		}
		if depth > maxNesting || run > maxNesting {
			return len([]rune(text[:i])), true
		}
	}
	return 0, false
}

// compile takes the steps of expr.Compile that follow parsing. They are taken one by one because
// the tree between parsing and checking is ours: expr.Compile starts from a text. The optimizer is
// left out: it folds -0 into a constant, which the compiler then takes for the constant 0, and so
// turns the sign of what is divided by either.
func (x *expressions) compile(node ast.Node, kind reflect.Kind) (program *vm.Program, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the expression cannot be compiled: %v", p)
		}
	}()
	x.running.Expect, x.running.ExpectAny = kind, true
	tree := &parser.Tree{Node: node, Source: file.NewSource("")}
	if _, err := checker.Check(tree, x.running); err != nil {
		return nil, err
	}
	return compiler.Compile(tree, x.running)
}

func constant(value any) *ast.ConstantNode {
	node := &ast.ConstantNode{Value: value}
	node.SetType(reflect.TypeOf(value))
	return node
}

// conjuncts splits a condition at its outermost ands.
func conjuncts(node ast.Node) []ast.Node {
	if and, ok := node.(*ast.BinaryNode); ok && (and.Operator == "and" || and.Operator == "&&") {
		return append(conjuncts(and.Left), conjuncts(and.Right)...)
	}
	return []ast.Node{node}
}

func conjunction(t *translator, parts []ast.Node) func() ast.Node {
	var joined func() ast.Node
	for _, part := range parts {
		truth := t.truth(part)
		if joined == nil {
			joined = truth
			continue
		}
		joined = t.binary("and", joined, truth)
	}
	return joined
}

// zipsOf gives the ZIPs of a comparison of zip or zip3 with texts; ok is false for any other.
func (x *expressions) zipsOf(part ast.Node) (zips []pingpost.ZIP, ok bool) {
	comparison, ok := part.(*ast.BinaryNode)
	if !ok {
		return nil, false
	}
	left, right := comparison.Left, comparison.Right
	if text, ok := left.(*ast.StringNode); ok && comparison.Operator == "==" {
		left, right = right, text
	}
	name, ok := left.(*ast.IdentifierNode)
	if !ok || (name.Value != "zip" && name.Value != "zip3") {
		return nil, false
	}
	var words []string
	switch r := right.(type) {
	case *ast.StringNode:
		if comparison.Operator != "==" {
			return nil, false
		}
		words = []string{r.Value}
	case *ast.ArrayNode:
		if comparison.Operator != "in" {
			return nil, false
		}
		for _, item := range r.Nodes {
			text, ok := item.(*ast.StringNode)
			if !ok {
				return nil, false
			}
			words = append(words, text.Value)
		}
	case *ast.IdentifierNode:
		named := x.lists[r.Value]
		if comparison.Operator != "in" || named == nil {
			return nil, false
		}
		words = named.texts()
	default:
		return nil, false
	}
	zips = []pingpost.ZIP{} // never nil: a list without entries picks none
	for _, word := range words {
		picked, ok := zipsOfWord(word, name.Value == "zip3")
		if !ok || len(zips)+len(picked) > maxPicked {
			return nil, false
		}
		zips = append(zips, picked...)
	}
	return zips, true
}

// maxPicked is how many ZIPs a rule may pick in the index. A rule for more of them is asked
// everywhere, like one that names none.
const maxPicked = 20_000

// zipsOfWord gives the ZIP, those of a range or prefix, or all that begin with three digits. ok is
// false for any other word.
func zipsOfWord(word string, three bool) (zips []pingpost.ZIP, ok bool) {
	if !three && isZIPPattern(word) {
		span, message, _ := parseZIPs(word)
		for zip := span.first; zip <= span.last; zip++ {
			zips = append(zips, zip)
		}
		return zips, message == ""
	}
	if !three {
		zip, err := pingpost.ParseZIP(word)
		return []pingpost.ZIP{zip}, err == nil && zip.String() == word
	}
	first, err := pingpost.ParseZIP(word + "99")
	if err != nil || len(word) != 3 {
		return nil, false
	}
	for zip := max(first-99, 1); zip <= first; zip++ { // 0 stands for a ZIP that is not known
		zips = append(zips, zip)
	}
	return zips, true
}
