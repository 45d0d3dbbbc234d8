package rules

import (
	"maps"
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"

	"leadbid/pingpost"
)

// choice is the part of a condition that the index decides without running anything: which
// services, ZIPs, words of closed vocabularies and lead scores it holds for. The rest of the
// condition is asked only where all of it fits.
type choice struct {
	services uint64    // bit set over pingpost.Service; bit 0: the ping does not say
	facets   uint64    // bit set over the values of all facets, see facet
	zips     *zipPick  // nil: any, and where the ping does not say
	score    scoreSpan // lead_score
}

// zipPick is a set of ZIPs in ascending order. Rules that name the same list share one.
type zipPick struct{ zips []pingpost.ZIP }

// anything is the choice of a rule without a condition.
func anything() choice {
	return choice{services: math.MaxUint64, facets: math.MaxUint64}
}

// meets reports whether some ping may fit both, as far as a glance tells. ZIPs are not compared.
func (c *choice) meets(other *choice) bool {
	both := c.score.and(other.score)
	return c.services&other.services != 0 && both.least <= both.most && c.facetsMeet(other.facets)
}

func (c *choice) facetsMeet(facets uint64) bool {
	common := c.facets & facets
	for _, width := range facetWidths {
		if common&ones(width) == 0 {
			return false
		}
		common >>= width
	}
	return true
}

// facet is a field whose few values each have a bit in the index. A ping sets one bit of each
// facet, and a rule lists the bits that it holds for: one comparison decides them all.
type facet struct {
	name  string
	shift int // of its first value, in a word of facets; of services, which have a word of their own, 0
	size  int // how many values there are
	known uint64
	yes   uint64 // the values for which a yes-or-no field holds
	value func(word string) (value int, ok bool)
	open  bool // there are other words, all of which are value 0
}

// The facets share 64 bits: urgency 13, job 8, property_type 11, homeowner 3, exclusive 2, test 2,
// and the exchanges the rest.
const (
	urgencyShift   = 0
	jobShift       = urgencyShift + 13
	propertyShift  = jobShift + 8
	homeownerShift = propertyShift + 11
	exclusiveShift = homeownerShift + 3
	testShift      = exclusiveShift + 2
	exchangeShift  = testShift + 2
	maxExchangeBit = 64 - exchangeShift - 1 // the first bit stands for all exchanges beyond
)

// facetWidths are the bits of each facet, from the lowest.
var facetWidths = [...]int{jobShift - urgencyShift, propertyShift - jobShift, homeownerShift - propertyShift,
	exclusiveShift - homeownerShift, testShift - exclusiveShift, exchangeShift - testShift, 64 - exchangeShift}

// facetTable describes the facets of a configuration with these exchanges. Rules that name an
// exchange are left to the machine where there are more than have a bit.
func facetTable(exchanges []*Exchange) map[string]*facet {
	words := func(name string, shift int, words []string) *facet {
		return &facet{name: name, shift: shift, size: len(words) + 1, known: ones(len(words)+1) &^ 1,
			value: func(word string) (int, bool) {
				at := slices.Index(words, word)
				return at + 1, at >= 0
			}}
	}
	truth := func(name string, shift int) *facet {
		return &facet{name: name, shift: shift, size: 2, known: 0b11, yes: 0b10}
	}
	list := []*facet{
		words("service", 0, pingpost.ServiceWords()),
		words("urgency", urgencyShift, pingpost.UrgencyWords()),
		words("job", jobShift, pingpost.JobWords()),
		words("property_type", propertyShift, pingpost.PropertyWords()),
		{name: "homeowner", shift: homeownerShift, size: 3, known: 0b110, yes: 1 << pingpost.Yes},
		truth("exclusive", exclusiveShift), truth("test", testShift),
	}
	if len(exchanges) <= maxExchangeBit {
		list = append(list, &facet{name: "exchange", shift: exchangeShift, size: len(exchanges) + 1,
			known: ones(len(exchanges) + 1), open: true, value: func(word string) (int, bool) {
				at := slices.IndexFunc(exchanges, func(e *Exchange) bool { return e.Name == word })
				return at + 1, at >= 0
			}})
	}
	table := map[string]*facet{}
	for _, f := range list {
		table[f.name] = f
	}
	return table
}

// ones is n bits set, from the lowest.
func ones(n int) uint64 { return 1<<n - 1 }

// facetsOf sets one bit for each facet. The place of an exchange is -1 where it is none of ours.
func facetsOf(p *pingpost.Ping, exchange int) uint64 {
	bits := uint64(1)<<(urgencyShift+p.Urgency) | 1<<(jobShift+p.Job) | 1<<(propertyShift+p.Property) |
		1<<(homeownerShift+p.Homeowner)
	bits |= 1 << (exclusiveShift + bitOf(p.Exclusive))
	bits |= 1 << (testShift + bitOf(p.Test))
	if exchange >= maxExchangeBit {
		exchange = -1 // no rule that names an exchange is in such an index
	}
	return bits | 1<<(exchangeShift+exchange+1)
}

func bitOf(truth bool) int {
	if truth {
		return 1
	}
	return 0
}

// choose splits a condition at its outermost ands into what the index decides and the rest.
func (x *expressions) choose(tree ast.Node) (chosen choice, rest []ast.Node) {
	chosen = anything()
	for _, part := range conjuncts(tree) {
		if !x.narrow(&chosen, part) {
			rest = append(rest, part)
		}
	}
	return chosen, rest
}

// narrow takes one part of a condition into the choice, if the index can decide it.
func (x *expressions) narrow(chosen *choice, part ast.Node) bool {
	if f, values, ok := x.valuesOf(part); ok {
		if f.name == "service" {
			chosen.services &= values
		} else {
			chosen.facets &= values<<f.shift | ^(ones(f.size) << f.shift)
		}
		return true
	}
	if span, ok := scoreOf(part); ok && x.scores.add(span) {
		chosen.score = chosen.score.and(span)
		return true
	}
	if picked, ok := x.picksOf(part); ok {
		chosen.zips = chosen.zips.and(picked)
		return true
	}
	return false
}

// valuesOf gives the values of one facet for which a condition holds, where it asks for nothing
// but that facet. It follows the words of the package comment on missing fields, as the
// translator does.
func (x *expressions) valuesOf(node ast.Node) (f *facet, values uint64, ok bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		if f := x.facets[n.Value]; f != nil && f.yes != 0 {
			return f, f.yes, true
		}
	case *ast.CallNode:
		if name, isName := n.Callee.(*ast.IdentifierNode); isName && name.Value == "known" && len(n.Arguments) == 1 {
			if asked, isField := n.Arguments[0].(*ast.IdentifierNode); isField && x.facets[asked.Value] != nil {
				f := x.facets[asked.Value]
				return f, f.known, true
			}
		}
	case *ast.UnaryNode:
		return x.valuesOfNot(n)
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||":
			left, a, ok := x.valuesOf(n.Left)
			right, b, alsoOK := x.valuesOf(n.Right)
			if !ok || !alsoOK || left != right {
				return nil, 0, false
			}
			if n.Operator == "or" || n.Operator == "||" {
				return left, a | b, true
			}
			return left, a & b, true
		}
		return x.valuesOfComparison(n)
	}
	return nil, 0, false
}

func (x *expressions) valuesOfNot(n *ast.UnaryNode) (f *facet, values uint64, ok bool) {
	if n.Operator != "not" && n.Operator != "!" {
		return nil, 0, false
	}
	if f, values, ok = x.valuesOf(n.Node); !ok {
		return nil, 0, false
	}
	_, bare := n.Node.(*ast.IdentifierNode)
	if bare || isNegatedComparison(n) {
		return f, f.known &^ values, true
	}
	return f, ones(f.size) &^ values, true
}

// isNegatedComparison tells x not in y, which is false where x is missing, from not (x in y),
// which is true there. The parser makes the same tree of both, but puts the not of the first at
// the operator itself.
func isNegatedComparison(n *ast.UnaryNode) bool {
	inner, ok := n.Node.(*ast.BinaryNode)
	return ok && inner.Location().From == n.Location().From
}

// valuesOfComparison is field == "word", != or in, the other way round, or urgency_days <= 7.
func (x *expressions) valuesOfComparison(n *ast.BinaryNode) (f *facet, values uint64, ok bool) {
	left, right, operator := fieldFirst(n)
	name, isName := left.(*ast.IdentifierNode)
	if !isName {
		return nil, 0, false
	}
	if name.Value == "urgency_days" {
		compare, limit, ok := comparisonOf(operator, right)
		if !ok {
			return nil, 0, false
		}
		return x.facets["urgency"], valuesOfDays(compare, limit), true
	}
	if f = x.facets[name.Value]; f == nil {
		return nil, 0, false
	}
	switch word := right.(type) {
	case *ast.BoolNode:
		values = f.yes
		if !word.Value {
			values = f.known &^ f.yes
		}
		ok = f.yes != 0
	case *ast.StringNode:
		values, ok = f.valuesOfWords([]string{word.Value})
	case *ast.ArrayNode:
		if words, allTexts := textLiterals(word); allTexts && operator == "in" {
			values, ok = f.valuesOfWords(words)
			return f, values, ok
		}
	case *ast.IdentifierNode:
		if named := x.lists[word.Value]; named != nil && operator == "in" {
			values, ok = f.valuesOfWords(named.texts())
			return f, values, ok
		}
	}
	switch {
	case !ok:
	case operator == "==":
		return f, values, true
	case operator == "!=":
		return f, f.known &^ values, true
	}
	return nil, 0, false
}

// valuesOfWords leaves out words that the field can never be. ok is false where the field is no
// word, or where a ping may well have a word that has no bit.
func (f *facet) valuesOfWords(words []string) (values uint64, ok bool) {
	if f.value == nil {
		return 0, false
	}
	for _, word := range words {
		value, known := f.value(word)
		if !known && f.open {
			return 0, false
		}
		if known {
			values |= 1 << value
		}
	}
	return values, true
}

func valuesOfDays(compare func(a, b float64) bool, limit float64) (values uint64) {
	for i, word := range pingpost.UrgencyWords() {
		urgency, _ := pingpost.ParseUrgency(word)
		if days, known := urgency.Days(); known && compare(float64(days), limit) {
			values |= 1 << (i + 1)
		}
	}
	return values
}

// comparisonOf reads a comparison with a number that is written out.
func comparisonOf(operator string, right ast.Node) (compare func(a, b float64) bool, limit float64, ok bool) {
	compare = map[string]func(a, b float64) bool{
		"==": func(a, b float64) bool { return a == b },
		"!=": func(a, b float64) bool { return a != b },
		"<":  func(a, b float64) bool { return a < b },
		"<=": func(a, b float64) bool { return a <= b },
		">":  func(a, b float64) bool { return a > b },
		">=": func(a, b float64) bool { return a >= b },
	}[operator]
	limit, ok = numberLiteral(right)
	return compare, limit, ok && compare != nil
}

// fieldFirst turns "a" == x into x == "a".
func fieldFirst(n *ast.BinaryNode) (left, right ast.Node, operator string) {
	switch n.Left.(type) {
	case *ast.StringNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.UnaryNode:
		turned := map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
		if operator, ok := turned[n.Operator]; ok {
			return n.Right, n.Left, operator
		}
	}
	return n.Left, n.Right, n.Operator
}

func numberLiteral(node ast.Node) (float64, bool) {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return float64(n.Value), true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.UnaryNode:
		value, ok := numberLiteral(n.Node)
		if n.Operator == "-" {
			value = -value
		}
		return value, ok && (n.Operator == "-" || n.Operator == "+")
	}
	return 0, false
}

func textLiterals(array *ast.ArrayNode) (words []string, ok bool) {
	for _, item := range array.Nodes {
		text, isText := item.(*ast.StringNode)
		if !isText {
			return nil, false
		}
		words = append(words, text.Value)
	}
	return words, true
}

// picksOf gives the ZIPs for which a condition holds, where it only says which ZIPs. A missing ZIP
// is in no set, as every comparison with it is false.
func (x *expressions) picksOf(part ast.Node) (*zipPick, bool) {
	n, ok := part.(*ast.BinaryNode)
	if !ok {
		return nil, false
	}
	if n.Operator == "or" || n.Operator == "||" {
		left, ok := x.picksOf(n.Left)
		if !ok {
			return nil, false
		}
		right, ok := x.picksOf(n.Right)
		if !ok || len(left.zips)+len(right.zips) > maxPicked {
			return nil, false
		}
		return newZIPPick(slices.Concat(left.zips, right.zips)), true
	}
	key := "" // of a named list, whose ZIPs are worked out once
	if field, isField := n.Left.(*ast.IdentifierNode); isField && n.Operator == "in" {
		if named, isList := n.Right.(*ast.IdentifierNode); isList {
			key = field.Value + " in " + named.Value
		}
	}
	if before := x.picks[key]; before != nil && key != "" {
		return before, true
	}
	found, ok := x.zipsOf(n)
	if !ok {
		return nil, false
	}
	picked := newZIPPick(found)
	if key != "" {
		x.picks[key] = picked
	}
	return picked, true
}

func newZIPPick(found []pingpost.ZIP) *zipPick {
	slices.Sort(found)
	return &zipPick{slices.Compact(found)}
}

// and gives the ZIPs that are in both; nil stands for all.
func (p *zipPick) and(other *zipPick) *zipPick {
	if p == nil || p == other {
		return other
	}
	both := &zipPick{}
	for _, zip := range p.zips {
		if _, found := slices.BinarySearch(other.zips, zip); found {
			both.zips = append(both.zips, zip)
		}
	}
	return both
}

// scoreSpan is a span of lead scores. The zero value holds for every score and for a missing one.
type scoreSpan struct {
	asked        bool // a missing score is outside
	least, most  float64
	above, below bool // least, most are themselves outside
}

// scoreOf reads lead_score compared with a number.
func scoreOf(part ast.Node) (scoreSpan, bool) {
	n, ok := part.(*ast.BinaryNode)
	if !ok {
		return scoreSpan{}, false
	}
	left, right, operator := fieldFirst(n)
	name, isName := left.(*ast.IdentifierNode)
	value, isNumber := numberLiteral(right)
	if !isName || !isNumber || name.Value != "lead_score" {
		return scoreSpan{}, false
	}
	span := scoreSpan{asked: true, least: math.Inf(-1), most: math.Inf(1)}
	switch operator {
	case "==":
		span.least, span.most = value, value
	case "<":
		span.most, span.below = value, true
	case "<=":
		span.most = value
	case ">":
		span.least, span.above = value, true
	case ">=":
		span.least = value
	default:
		return scoreSpan{}, false
	}
	return span, true
}

func (s scoreSpan) and(other scoreSpan) scoreSpan {
	if !s.asked {
		return other
	}
	if !other.asked {
		return s
	}
	if other.least > s.least || (other.least == s.least && other.above) {
		s.least, s.above = other.least, other.above
	}
	if other.most < s.most || (other.most == s.most && other.below) {
		s.most, s.below = other.most, other.below
	}
	return s
}

// scoreScale turns lead scores into ranks among all the numbers that rules compare them with, so
// that two small numbers say exactly which scores a rule holds for. Rank 0 is a missing score;
// 2i+2 is the i-th number itself, 2i+1 and 2i+3 what lies below and above it.
type scoreScale struct {
	seen    map[float64]struct{} // while rules are read
	numbers []float64            // ascending
	whole   [101]uint16          // the ranks of 0 to 100, which most scores are
}

const (
	maxScoreNumbers = 30_000
	anyRank         = math.MaxUint16
)

// add notes the numbers of a span. ok is false where the scale is full.
func (s *scoreScale) add(span scoreSpan) (ok bool) {
	if len(s.seen) > maxScoreNumbers {
		return false
	}
	if s.seen == nil {
		s.seen = map[float64]struct{}{}
	}
	for _, number := range []float64{span.least, span.most} {
		if !math.IsInf(number, 0) {
			s.seen[number] = struct{}{}
		}
	}
	return true
}

// finish sorts the numbers, once all are known.
func (s *scoreScale) finish() {
	s.numbers = slices.Sorted(maps.Keys(s.seen))
	s.seen = nil
	for score := range s.whole {
		s.whole[score] = s.search(float64(score))
	}
}

// rank is where a score stands.
func (s *scoreScale) rank(score pingpost.Score) uint16 {
	switch value := score.Value; {
	case !score.Known || value != value: // no comparison with what is no number holds
		return 0
	case value >= 0 && value <= 100 && value == float64(int(value)):
		return s.whole[int(value)]
	default:
		return s.search(value)
	}
}

func (s *scoreScale) search(value float64) uint16 {
	at, found := slices.BinarySearch(s.numbers, value)
	if found {
		return uint16(2*at + 2)
	}
	return uint16(2*at + 1)
}

// ranks are the first and the last rank of a span; least is above most where nothing fits.
func (s *scoreScale) ranks(span scoreSpan) (least, most uint16) {
	if !span.asked {
		return 0, anyRank
	}
	least, most = 1, anyRank
	if !math.IsInf(span.least, 0) {
		if least = s.search(span.least); span.above {
			least++
		}
	}
	if !math.IsInf(span.most, 0) {
		if most = s.search(span.most); span.below {
			most--
		}
	}
	return least, most
}
