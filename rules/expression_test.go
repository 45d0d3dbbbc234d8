package rules

import (
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"leadbid/pingpost"
)

// ask loads one rule with the condition and says whether it holds for the ping.
func ask(t *testing.T, when string, p *pingpost.Ping, facts *Facts) bool {
	t.Helper()
	rs, c := one(t, "    rules:\n      - {bid: 7, when: "+strconv.Quote(when)+"}\n")
	e := rs.NewEvaluation()
	e.Begin(monday, p)
	price := e.Price(c, facts, nil)
	if price.Reason != pingpost.ReasonNone && price.Reason != pingpost.NoRule {
		t.Errorf("%s: %v", when, price.Reason)
	}
	return price.Reason == pingpost.ReasonNone
}

func TestConditions(t *testing.T) {
	p := basePing()
	p.Attrs = []pingpost.Attr{{Name: "system", Value: "furnace"}, {Name: "age", Value: "12", Kind: pingpost.AttrNumber},
		{Name: "pets", Value: "true", Kind: pingpost.AttrBool}, {Name: "odd name", Value: "x"}, {Name: "huge", Value: "{}", Kind: pingpost.AttrJSON}}
	p.SubIDs = []string{"a", "b"}
	p.MaxSold, p.SoldSoFar, p.Floor, p.City, p.Task = 3, 1, 1250, "Chicago", "no-heat"
	p.Consent = pingpost.Consent{Agreed: pingpost.No, TrustedFormURL: "https://cert.trustedform.com/abc"}
	f := func(want bool, when string) {
		t.Helper()
		if got := ask(t, when, p, nil); got != want {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	f(true, `service == "hvac" and task == "no-heat" and job == "repair"`)
	f(true, `zip == "60614" and zip3 == "606" and zip in rich and zip not in ["60615"]`)
	f(true, `zip startsWith "606" && zip >= "60000"`)
	f(true, `state == "IL" and city == "Chicago" and lower(city) == "chicago"`)
	f(true, `urgency == "emergency" and urgency_days <= 1 and urgency_days in [0, 1]`)
	f(true, `homeowner and homeowner == true and homeowner != false and not (not homeowner)`)
	f(true, `lead_score == 72 and 70 < lead_score and lead_score in [72]`)
	f(true, `60 < lead_score < 80`)
	f(true, `source in good_sources and source startsWith "goo" and source matches "^g.*-[0-9]$"`)
	f(true, `"a" in sub_ids and "c" not in sub_ids and len(sub_ids) == 2`)
	f(true, `not exclusive and !test and max_sold == 3 and sold_so_far == 1 and floor == 12.5`)
	f(true, `consent.agreed == false and not consent.agreed and consent.promised and consent.certificate`)
	f(true, `consent.host == "cert.trustedform.com" and consent.trustedform_url endsWith "abc"`)
	f(true, `exchange == "north" and auction == "second"`)
	f(true, `local.hour == 10 and local.minute == 30 and local.weekday == "mon" and local.date == "2026-11-23" and local.month == 11`)
	f(true, `lead_local.hour == 10 and lead_local.weekday in ["mon", "tue"] and lead_local.date >= "2026-11-23"`)
	f(true, `attrs.system == "furnace" and attrs.age >= 10 and attrs.pets and attrs["odd name"] == "x"`)
	f(true, `attrs.system in ["furnace", "boiler"] and attrs.age in [12, 13]`)
	f(true, `min(lead_score, 50) == 50 and max(1, 2, 3) == 3 and round(2.5) == 3 and ceil(1.2) == 2 and floor(1.8) == 1`)
	f(true, `abs(-3) == 3 and trim(" x ") == "x" and upper("a") == "A" and len("abc") == 3`)
	f(true, `(homeowner ? lead_score : 0) > 50 and (lead_score ?? 0) == 72`)
	f(true, `2 ** 3 == 8 and 7 / 2 == 3.5 and -lead_score < 0 and 0.1 + 0.2 > 0.3`)
	f(false, `job != "repair" or urgency == "asap"`)
	f(false, `zip == "60615"`)
	f(false, `9223372036854775807 + 1 < 0`) // no wrapping: all numbers are floats
}

// The expr machine with its optimizer takes 0 for -0 wherever both stand in one expression.
func TestTheSignOfZero(t *testing.T) {
	for _, plain := range []bool{false, true} {
		rs, _ := load(fstest.MapFS{"b.yaml": {Data: []byte(frame + "    rules: [{bid: 7, when: '-0 != 3 and (local.hour / 0) > 3'}]\n")},
			"rich.txt": {Data: []byte("60614\n")}}, "b.yaml", testenv, options{unindexed: plain})
		e := rs.NewEvaluation()
		e.Begin(monday, basePing())
		if price := e.Price(rs.Campaigns()[0], nil, nil); price.Dollars != 7 {
			t.Errorf("plain %v: %+v", plain, price)
		}
	}
}

// Every comparison with a missing field is false, whichever way it is written.
func TestMissingFields(t *testing.T) {
	empty := &pingpost.Ping{Exchange: "north", Service: pingpost.HVAC, ZIP: 60614,
		Attrs: []pingpost.Attr{{Name: "text", Value: "12"}, {Name: "null", Value: "null", Kind: pingpost.AttrJSON}}}
	f := func(want bool, when string) {
		t.Helper()
		if got := ask(t, when, empty, &Facts{}); got != want {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	nowhere := &pingpost.Ping{Exchange: "north", Service: pingpost.HVAC}
	for _, when := range []string{`zip3 == "000"`, `zip3 in ["000", "606"]`, `zip in rich`, `zip in []`, `zip not in []`, `zip != "60614"`} {
		if ask(t, when, nowhere, nil) {
			t.Errorf("%s holds without a ZIP", when)
		}
	}
	for _, comparison := range []string{
		`job == "repair"`, `job != "repair"`, `job in ["repair"]`, `job not in ["repair"]`,
		`lead_score > 50`, `lead_score <= 50`, `lead_score != 3`, `lead_score not in [3]`, `0 < lead_score + 1`,
		`homeowner`, `not homeowner`, `!homeowner`, `homeowner == false`, `homeowner != true`, `homeowner != homeowner`,
		`source startsWith ""`, `source not startsWith "x"`, `source not contains "x"`, `source not matches "x"`,
		`source == ""`, `source in [""]`, `source not in good_sources`, `lower(source) == ""`,
		`budget.day.pace < 1`, `capacity.week.left != 0`, `max_sold < 100`, `consent.agreed`, `not consent.agreed`,
		`attrs.no != "x"`, `attrs.text > 3`, `attrs.text`, `not attrs.text`, `attrs.null != "x"`, `attrs.no != attrs.text`,
		`(lead_score ?? max_sold) < 1`, `(homeowner ? 1 : 2) < lead_score`, `-lead_score < 0`, `urgency_days < 9`,
		`consent.host != "x"`, `city != "Gary"`, `(exclusive ? 1 : lead_score) != 5`,
	} {
		f(false, comparison)
	}
	f(true, `not (job == "repair")`)
	f(true, `not (job in ["repair"])`)
	f(true, `not (not homeowner)`)
	f(true, `not known(job) and not known(homeowner) and not known(attrs.no) and known(zip) and known(attrs.text)`)
	f(false, `known(attrs.null) or known(budget.day.pace) or known(lead_score)`)
	f(true, `known(floor) and known(exclusive) and known(local.hour)`)
	f(true, `(lead_score ?? 50) == 50 and (job ?? "none") == "none" and (homeowner ?? true)`)
	f(true, `((lead_score ?? max_sold) ?? 9) == 9`)
	f(true, `(exclusive ? lead_score : 3) == 3`)
	f(true, `(known(lead_score) ? lead_score : 40) == 40`)
	f(true, `lead_score > 1 or zip == "60614"`)
	f(true, `attrs.text == "12"`)
	f(true, `"x" not in sub_ids and sold_so_far == 0 and floor == 0`)
}

func TestPrices(t *testing.T) {
	f := func(rules string, change func(*pingpost.Ping), want Price) {
		t.Helper()
		rs, c := one(t, "    rules:\n      - "+strings.ReplaceAll(rules, "\n", "\n      - ")+"\n")
		p := basePing()
		if change != nil {
			change(p)
		}
		e := rs.NewEvaluation()
		e.Begin(monday, p)
		if got := e.Price(c, nil, nil); got != want {
			t.Errorf("%s: %+v, want %+v", rules, got, want)
		}
		traced := &Trace{}
		if got := e.Price(c, nil, traced); got != want || len(traced.Steps) == 0 {
			t.Errorf("%s: traced %+v, want %+v", rules, got, want)
		}
	}
	noScore := func(p *pingpost.Ping) { p.LeadScore = pingpost.Score{} }
	priced := func(rule int, dollars float64) Price {
		return Price{Rule: rule, Dollars: dollars, RuleDollars: dollars}
	}
	f("bid: 20", nil, priced(0, 20))
	f("bid: $22.50", nil, priced(0, 22.5))
	f("bid: lead_score / 2", nil, priced(0, 36))
	f("bid: 2 * (3 + 4.5)", nil, priced(0, 15))
	f(`{bid: 1, when: job == "install"}`+"\nbid: 2", nil, priced(1, 2))
	f(`{bid: 1, when: job == "install"}`, nil, Price{Reason: pingpost.NoRule, Rule: -1})
	f("bid: 18 + 0.1 * (lead_score ?? 50)", noScore, priced(0, 23))
	f("bid: 18 + lead_score\nbid: 5", noScore, priced(1, 5))
	f("bid: 18 + lead_score\nbid: max_sold", noScore, Price{Reason: pingpost.MissingField, Rule: -1, Missing: "lead_score"})
	f("bid: 'homeowner ? 30 : lead_score'", noScore, priced(0, 30))
	f("bid: 'exclusive ? 30 : lead_score'", noScore, Price{Reason: pingpost.MissingField, Rule: -1, Missing: "lead_score"})
	f("bid: 'known(lead_score) ? lead_score : 12'", noScore, priced(0, 12))
	f("bid: lead_score ?? max_sold", noScore, Price{Reason: pingpost.MissingField, Rule: -1, Missing: "lead_score"})
	f("bid: max_sold ?? lead_score", nil, priced(0, 72))
	f("bid: 10 * budget.day.pace", nil, Price{Reason: pingpost.MissingField, Rule: -1, Missing: "budget.day.pace"})
	f("bid: 0\nbid: 5", nil, Price{Reason: pingpost.Declined, Rule: 0})
	f("bid: 1 / (lead_score - 72)", nil, Price{Reason: pingpost.RuleError, Rule: 0})
	f("bid: 0 / (lead_score - 72)", nil, Price{Reason: pingpost.RuleError, Rule: 0})
	f("bid: 3 - lead_score", nil, Price{Reason: pingpost.RuleError, Rule: 0})
	f("bid: 10 ** lead_score\nbid: 5", nil, Price{Reason: pingpost.RuleError, Rule: 0})
	f("bid: attrs.price", nil, Price{Reason: pingpost.MissingField, Rule: -1, Missing: "attrs.price"})
	f("bid: attrs.price", func(p *pingpost.Ping) {
		p.Attrs = []pingpost.Attr{{Name: "price", Value: "9.5", Kind: pingpost.AttrNumber}}
	}, priced(0, 9.5))
}

func TestAdjustments(t *testing.T) {
	f := func(adjust string, want float64, wantReason pingpost.Reason) {
		t.Helper()
		rs, c := one(t, "    rules: [{bid: 10}]\n    adjust:\n      - "+strings.ReplaceAll(adjust, "\n", "\n      - ")+"\n")
		p := basePing()
		p.LeadScore = pingpost.Score{}
		e := rs.NewEvaluation()
		e.Begin(monday, p)
		facts := &Facts{}
		facts.Capacity[pingpost.Week] = Usage{Known: true, Pace: 0.5, Left: 3, SpentShare: 0.25}
		for _, tr := range []*Trace{nil, {}} {
			price := e.Price(c, facts, tr)
			if price.Dollars != want || price.Reason != wantReason {
				t.Errorf("%s: %+v, want %v, %v", adjust, price, want, wantReason)
			}
		}
	}
	f("{multiply: 1.5}", 15, 0)
	f("{add: 3}\n{multiply: 2}", 26, 0)
	f("{multiply: 2}\n{add: 3}", 23, 0)
	f("{add: -2.5}", 7.5, 0)
	f("{multiply: 2, when: capacity.week.pace < 0.8}", 20, 0)
	f("{multiply: 2, when: capacity.day.pace < 0.8}", 10, 0)
	f("{multiply: capacity.week.left}", 30, 0)
	f("{add: 100 * capacity.week.spent_share}", 35, 0)
	f("{add: lead_score}", 10, 0) // it needs what is missing: it does not apply
	f("{multiply: 0}", 0, 0)
	f("{add: -20}", 0, pingpost.RuleError)
	f("{multiply: 1 / (capacity.week.left - 3)}", 0, pingpost.RuleError)
}

func TestBidLimits(t *testing.T) {
	c := &Campaign{MinBid: 500, MaxBid: 6000}
	f := func(dollars float64, floor, want pingpost.Cents, reason pingpost.Reason) {
		t.Helper()
		if got, why := c.Bid(dollars, floor, nil); got != want || why != reason {
			t.Errorf("Bid(%v, %v) = %v, %v, want %v, %v", dollars, floor, got, why, want, reason)
		}
	}
	f(12.349, 0, 1234, 0)
	f(60.01, 0, 6000, 0)
	f(4.999, 0, 0, pingpost.BelowMinBid)
	f(5, 0, 500, 0)
	f(20, 2001, 0, pingpost.BelowFloor)
	f(20, 2000, 2000, 0)
	f(0.001, 0, 0, pingpost.Declined)
	f(-1, 0, 0, pingpost.RuleError)
}

func TestReject(t *testing.T) {
	f := func(rejects, wantRule, wantReason string) {
		t.Helper()
		rs, c := one(t, "    rules: [{bid: 10}]\n    reject:\n      - "+strings.ReplaceAll(rejects, "\n", "\n      - ")+"\n")
		post := &pingpost.Post{Exchange: "north", Service: pingpost.HVAC, Job: pingpost.Repair, ZIP: 60614,
			Lead: pingpost.Lead{FirstName: pingpost.NewPrivate("Pat"), Phone: pingpost.NewPrivate("+13125550100"),
				City: "Gary", State: "IN", ZIP: 46402, Notes: pingpost.NewPrivate("please call")},
			Consent: pingpost.Consent{LeadID: "01234567-89ab-cdef-0123-456789abcdef"},
			Attrs:   []pingpost.Attr{{Name: "system", Value: "furnace"}}}
		e := rs.NewEvaluation()
		tr := &Trace{}
		rule, reason, rejected := e.Reject(c, post, monday, tr)
		if rule != wantRule || reason != wantReason || rejected != (wantRule != "") {
			t.Errorf("%s: %q, %q, %v", rejects, rule, reason, rejected)
		}
		for _, step := range tr.Steps {
			if s := step.String(); strings.Contains(s, "Pat") || strings.Contains(s, "312") {
				t.Errorf("the trace shows the lead: %s", s)
			}
		}
		if e.lead != ([len(leadFields)]string{}) || e.boxed != nil || e.env.City != "" {
			t.Error("the lead outlives its decision")
		}
	}
	f(`{name: town, when: 'lead.city in ["Gary"]', reason: outside_area}`, "town", "outside_area")
	f(`{when: lead.zip != zip}`, "reject 1", "rejected_by_rule")
	f(`{when: lead.email != "x"}`, "", "") // no e-mail address came: the comparison is false
	f(`{when: not known(lead.email), reason: no_email}`, "reject 1", "no_email")
	f(`{when: lead.phone startsWith "+1312555"}`, "reject 1", "rejected_by_rule")
	f(`{when: len(lead.notes) < 5}`+"\n"+`{name: b, when: lead.first_name == "Pat"}`, "b", "rejected_by_rule")
	f(`{when: consent.certificate and attrs.system == "furnace" and local.hour == 10 and state == "IN"}`, "reject 1", "rejected_by_rule")
}
