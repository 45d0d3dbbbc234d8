package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// variable resolves a name.
func (t *translator) variable(node ast.Node, name string) operand {
	t.reads = true
	if f, ok := fields[name]; ok {
		if t.where == atPost && !f.onPost {
			return t.fault(node, "a post does not carry "+name,
				"lead.city, lead.zip, service, consent.certificate ...", "")
		}
		t.uses.note(name)
		return t.fieldPart(f)
	}
	if named, ok := t.lists[name]; ok {
		named.used = true
		return operand{kind: someTexts, node: named.constant(t, false)}
	}
	if named, ok := t.tables[name]; ok {
		return t.fault(node, "a table is asked for a key", named.name+"[zip]", "")
	}
	group, rest, dotted := strings.Cut(name, ".")
	switch {
	case name == "win_rate":
		return t.winRatePart(node)
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
		return t.fault(node, "lead.* is known only at the post", "a field of the ping; or the rule under reject:, where lead.* is known", "")
	}
	t.uses.lead[i] = true
	value := t.slot("?lead", i)
	part := operand{kind: aText, bare: true, node: value}
	switch leadFields[i] {
	case "zip":
		part.field = &field{name: "lead.zip", kind: aText, check: checkZIP}
	case "state":
		part.field = &field{name: "lead.state", kind: aText, check: checkState}
	case "phone_type":
		part.field = &field{name: "lead.phone_type", kind: aText, words: pingpost.PhoneTypeWords}
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
		return t.fault(node, "a post is not weighed against "+group+".*",
			"lead.*, service, zip, consent.*", ""), true
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

func (t *translator) winRatePart(node ast.Node) operand {
	if t.where == atPost {
		return t.fault(node, "a post is not weighed against win_rate", "lead.*, service, zip, consent.*", "")
	}
	t.facts = true
	return operand{kind: aNumber, bare: true, node: t.slot("?facts", winRate),
		needs: &need{name: "win_rate", known: t.slot("?facts_known", numScopes-1),
			isKnown: func(e *Evaluation) bool { return e.factsKnown[numScopes-1] }}}
}

// plannedNames are fields that the rules will read once some exchange's pings carry them.
var plannedNames = []string{"consent.page_host"}

// unknown words the fault of a name that nobody knows, with the likeliest meaning.
func (t *translator) unknown(node ast.Node, name string) operand {
	for _, f := range []string{"urgency", "job", "service", "property_type"} {
		if slices.Contains(fields[f].words(), name) {
			return t.fault(node, "unknown name "+yamlfile.Quote(name)+": a word must be in quotes", "",
				`"`+name+`"`)
		}
	}
	known := slices.Sorted(maps.Keys(fields))
	known = append(known, slices.Sorted(maps.Keys(t.lists))...)
	known = append(known, slices.Sorted(maps.Keys(t.tables))...)
	known = append(known, "win_rate")
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
	if slices.Contains(plannedNames, name) {
		return t.fault(node, yamlfile.Planned(name), "a condition without it, for now", "")
	}
	expected := "a field of the ping, a list, a table, or attrs.NAME"
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
