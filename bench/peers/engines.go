package main

import (
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"github.com/google/cel-go/cel"
	"github.com/hyperjumptech/grule-rule-engine/ast"
	"github.com/hyperjumptech/grule-rule-engine/builder"
	grule "github.com/hyperjumptech/grule-rule-engine/engine"
	"github.com/hyperjumptech/grule-rule-engine/pkg"

	"leadbid/pingpost"
	leadbid "leadbid/rules"
)

// withLeadbid loads a configuration of one campaign. Nothing of these rules is left to run, so that
// what the index leaves is what holds.
func withLeadbid(rules []rule) (func(p *ping) (int, error), error) {
	var b strings.Builder
	fmt.Fprintf(&b, `version: 1
business: {name: Lakeview, timezone: America/Chicago, budget: {day: $500}}
exchanges: {north: {auth: {bearer: "${NORTH_KEY}"}}}
campaigns:
  c:
    services: [%s]
    area: {zips: ["60000-61999"]}
    rules:
`, strings.Join(services, ", "))
	for _, r := range rules {
		fmt.Fprintf(&b, "      - bid: 20\n        when: 'service == \"%s\" and zip in [%s] and urgency in [%s] and lead_score >= %d and property_type != \"%s\"'\n",
			r.service, quoted(r.zips), quoted(r.urgencies), r.score, r.not)
	}
	rs, faults := leadbid.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(b.String())}}, "bidder.yaml",
		func(string) (string, bool) { return "0123456789abcdef0123456789abcdef", true })
	if rs == nil {
		return nil, fmt.Errorf("faults:\n%s", faults)
	}
	e, campaign, now := rs.NewEvaluation(), rs.Campaigns()[0], time.Unix(1_800_000_000, 0)
	return func(p *ping) (int, error) {
		var q pingpost.Ping
		q.Exchange = "north"
		q.Service, _ = pingpost.ParseService(p.Service)
		q.Urgency, _ = pingpost.ParseUrgency(p.Urgency)
		q.Property, _ = pingpost.ParseProperty(p.Property)
		q.ZIP, _ = pingpost.ParseZIP(p.Zip)
		q.LeadScore = pingpost.Score{Value: p.Score, Known: true}
		e.Begin(now, &q)
		return e.Asked(campaign), nil
	}, nil
}

// withExpr is how expr is used by its documentation: a struct as environment, one program for each
// rule, one machine for all.
func withExpr(rules []rule) (func(p *ping) (int, error), error) {
	programs := make([]*vm.Program, len(rules))
	for i, r := range rules {
		program, err := expr.Compile(fmt.Sprintf(`Service == "%s" and Zip in [%s] and Urgency in [%s] and Score >= %d and Property != "%s"`,
			r.service, quoted(r.zips), quoted(r.urgencies), r.score, r.not), expr.Env(ping{}), expr.AsBool())
		if err != nil {
			return nil, err
		}
		programs[i] = program
	}
	var machine vm.VM
	return func(p *ping) (held int, err error) {
		var env any = *p
		for _, program := range programs {
			result, err := machine.Run(program, env)
			if err != nil {
				return 0, err
			}
			if result.(bool) {
				held++
			}
		}
		return held, nil
	}, nil
}

func withCEL(rules []rule) (func(p *ping) (int, error), error) {
	env, err := cel.NewEnv(cel.Variable("service", cel.StringType), cel.Variable("zip", cel.StringType),
		cel.Variable("urgency", cel.StringType), cel.Variable("property", cel.StringType), cel.Variable("score", cel.DoubleType))
	if err != nil {
		return nil, err
	}
	programs := make([]cel.Program, len(rules))
	for i, r := range rules {
		tree, issues := env.Compile(fmt.Sprintf(`service == "%s" && zip in [%s] && urgency in [%s] && score >= %d.0 && property != "%s"`,
			r.service, quoted(r.zips), quoted(r.urgencies), r.score, r.not))
		if err := issues.Err(); err != nil {
			return nil, err
		}
		if programs[i], err = env.Program(tree, cel.EvalOptions(cel.OptOptimize)); err != nil {
			return nil, err
		}
	}
	return func(p *ping) (held int, err error) {
		values := map[string]any{"service": p.Service, "zip": p.Zip, "urgency": p.Urgency, "property": p.Property, "score": p.Score}
		for _, program := range programs {
			result, _, err := program.Eval(values)
			if err != nil {
				return 0, err
			}
			if result.Value() == true {
				held++
			}
		}
		return held, nil
	}, nil
}

// withGrule asks the engine for all rules that hold. Its language has no in: the ZIPs are written
// out with or.
func withGrule(rules []rule) (func(p *ping) (int, error), error) {
	var b strings.Builder
	anyOf := func(field string, words []string) string {
		return "(" + field + ` == "` + strings.Join(words, `" || `+field+` == "`) + `")`
	}
	for i, r := range rules {
		fmt.Fprintf(&b, "rule R%d { when P.Service == \"%s\" && %s && %s && P.Score >= %d && P.Property != \"%s\" then Retract(\"R%d\"); }\n",
			i, r.service, anyOf("P.Zip", r.zips), anyOf("P.Urgency", r.urgencies), r.score, r.not, i)
	}
	library := ast.NewKnowledgeLibrary()
	if err := builder.NewRuleBuilder(library).BuildRuleFromResource("pings", "1", pkg.NewBytesResource([]byte(b.String()))); err != nil {
		return nil, err
	}
	base, err := library.NewKnowledgeBaseInstance("pings", "1")
	if err != nil {
		return nil, err
	}
	asking := grule.NewGruleEngine()
	return func(p *ping) (int, error) {
		data := ast.NewDataContext()
		if err := data.Add("P", p); err != nil {
			return 0, err
		}
		held, err := asking.FetchMatchingRules(data, base)
		return len(held), err
	}, nil
}
