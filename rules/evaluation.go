package rules

import (
	"fmt"
	"math"
	"time"

	"github.com/expr-lang/expr/vm"

	"leadbid/pingpost"
)

// Facts is the live state of a campaign's caps, as the Agent knows it.
type Facts struct {
	Budget, Capacity [pingpost.NumPeriods]Usage
	WinRate          Rate
}

// Rate is a share from 0 to 1 that may not be known. As win_rate it is the share of the campaign's
// latest decided bids that were won.
type Rate struct {
	Value float64
	Known bool
}

// Usage is how far the present window of a cap is used up. Rules read it as budget.day.pace,
// capacity.week.left and so on; where there is no such cap it is missing.
type Usage struct {
	Known      bool
	SpentShare float64 // used / limit
	Pace       float64 // used share / elapsed share of the window: 1 is even, above is fast
	Left       float64 // dollars, or leads
}

// Price is what the rules of a campaign say to a ping.
type Price struct {
	Reason      pingpost.Reason // ReasonNone: priced; else NoRule, MissingField, Declined or RuleError
	Rule        int             // the rule that priced, declined or failed, in Campaign.Rules; -1 for none; of a sum its first
	Missing     string          // MissingField: what the first rule that was passed over lacked
	Dollars     float64         // after adjustments, before strategy and limits
	RuleDollars float64         // the rule's own number, or the sum of all
	Arm         string          // the arm of the experiment, where the campaign has one
}

// Evaluation is the scratch paper of one decision at a time over one Ruleset. It belongs to one
// goroutine and is reused for as long as the Ruleset is.
type Evaluation struct {
	rs      *Ruleset
	machine vm.VM
	env     environment
	at      pointers // into env, for closures
	boxed   any      // env, as the machine wants it; nil until a program runs
	ping    *pingpost.Ping
	now     time.Time // of the ping
	halted  string    // what the configuration pauses for all campaigns, "" for nothing

	// What the index looks up.
	service pingpost.Service
	zip     pingpost.ZIP
	facets  uint64
	rank    uint16 // of the lead score
	cell    []entryOfCampaign
	next    int // in cell: after the campaign that was asked last

	second int64 // the second that the local time below was worked out for
	day    localDay

	facts       [numFacts]float64
	factsKnown  [numScopes]bool
	attrTexts   []string
	attrNumbers []float64
	attrTruths  []bool
	attrsKnown  []bool
	lead        [len(leadFields)]string
}

// NewEvaluation makes the scratch paper for decisions over this Ruleset.
func (rs *Ruleset) NewEvaluation() *Evaluation {
	e := &Evaluation{rs: rs, machine: vm.VM{MemoryBudget: memoryBudget}, second: math.MinInt64}
	n := len(rs.vocabulary)
	e.attrTexts, e.attrNumbers = make([]string, n), make([]float64, n)
	e.attrTruths, e.attrsKnown = make([]bool, n), make([]bool, n)
	e.at.to(&e.env)
	return e
}

// Begin prepares for the questions about one ping, at the instant that decides about hours. The
// ping must stay unchanged until the next Begin.
func (e *Evaluation) Begin(now time.Time, p *pingpost.Ping) {
	e.ping, e.now, e.boxed = p, now, nil
	env := &e.env
	e.lists()
	e.localTime(now)
	e.place(now, p.ZIP)
	e.consent(now, &p.Consent)
	e.attributes(p.Attrs)
	env.Exchange, env.Auction = p.Exchange, ""
	exchange, known := e.rs.exchangeAt(p.Exchange)
	if known {
		env.Auction = e.rs.exchanges[exchange].Auction.String()
	} else {
		exchange = -1
	}
	e.halted = e.rs.haltedAt(now, exchange)
	e.service, e.zip = p.Service, p.ZIP
	e.cell, e.next = e.rs.index.at(p.Service, p.ZIP), 0
	e.facets, e.rank = facetsOf(p, exchange), e.rs.scores.rank(p.LeadScore)
	if p.Auction != pingpost.AuctionNone {
		env.Auction = p.Auction.String()
	}
	env.Service, env.Task, env.Job = p.Service.String(), p.Task, p.Job.String()
	env.State, env.City = string(p.State), p.City
	env.Urgency, env.Property, env.Source = p.Urgency.String(), p.Property.String(), p.Source
	days, known := p.Urgency.Days()
	env.UrgencyDays, env.HasDays = float64(days), known
	env.LeadScore, env.HasScore = 0, p.LeadScore.Known
	if p.LeadScore.Known {
		env.LeadScore = p.LeadScore.Value
	}
	env.MaxSold, env.HasMaxSold = float64(p.MaxSold), p.MaxSold > 0
	env.SoldSoFar, env.Floor = float64(p.SoldSoFar), float64(p.Floor)/100
	env.SubIDs = p.SubIDs
	env.Homeowner, env.HasHomeowner = p.Homeowner == pingpost.Yes, p.Homeowner != pingpost.Unknown
	env.Exclusive, env.Test = p.Exclusive, p.Test
}

// beginPost fills in what a post tells. All that only a ping tells is left out: the loader
// refuses reject rules that ask for it.
func (e *Evaluation) beginPost(now time.Time, post *pingpost.Post) {
	e.ping, e.boxed = nil, nil
	e.env = environment{Exchange: post.Exchange, Service: post.Service.String(), Job: post.Job.String(),
		State: string(post.Lead.State), City: post.Lead.City, Exclusive: post.Exclusive, Test: post.Test}
	e.second = math.MinInt64
	e.lists()
	e.localTime(now)
	e.place(now, post.ZIP)
	e.consent(now, &post.Consent)
	e.attributes(post.Attrs)
	e.readLead(post)
}

// readLead reveals those fields of the lead that some reject rule names, for as long as the rules
// are asked. They stay inside the expr machine: no trace, error or result carries them.
func (e *Evaluation) readLead(post *pingpost.Post) {
	lead := &post.Lead
	for i, value := range [len(leadFields)]pingpost.Private{lead.FirstName, lead.LastName, lead.Phone,
		lead.Email,
		lead.Address, pingpost.NewPrivate(lead.City), pingpost.NewPrivate(string(lead.State)),
		pingpost.NewPrivate(lead.ZIP.String()), lead.Notes, pingpost.NewPrivate(post.Contact.PhoneType.String())} {
		e.lead[i] = ""
		if e.rs.uses.lead[i] {
			e.lead[i] = value.Reveal()
		}
	}
}

// lists lends the machine our lists. Their contents may change after boxing: the facts do, for
// each campaign.
func (e *Evaluation) lists() {
	env := &e.env
	env.Facts, env.FactsKnown, env.Lead = e.facts[:], e.factsKnown[:], e.lead[:]
	env.AttrTexts, env.AttrNumbers = e.attrTexts, e.attrNumbers
	env.AttrTruths, env.AttrsKnown = e.attrTruths, e.attrsKnown
}

// localTime works out the business's civil time, once per second: pings come in crowds.
func (e *Evaluation) localTime(now time.Time) {
	if now.Unix() == e.second {
		return
	}
	e.second = now.Unix()
	local := now.In(e.rs.settings.Business.Location)
	e.day = e.rs.holidays.dayOf(local)
	hour, minute, _ := local.Clock()
	env := &e.env
	env.Hour, env.Minute, env.Month = float64(hour), float64(minute), float64(local.Month())
	env.Weekday, env.Day = weekdayWords[local.Weekday()], float64(local.Day())
	env.Holiday = e.day.kind == holiday
	if e.rs.uses.date {
		env.Date = local.Format(time.DateOnly)
	}
}

// place fills in what follows from the ZIP, as far as some rule reads it.
func (e *Evaluation) place(now time.Time, zip pingpost.ZIP) {
	env, uses := &e.env, &e.rs.uses
	env.ZIP, env.ZIP3 = "", ""
	if uses.zip && zip != 0 {
		env.ZIP = zip.String()
		env.ZIP3 = env.ZIP[:3]
	}
	if !uses.leadLocal {
		return
	}
	env.LeadHour, env.LeadMinute, env.LeadMonth, env.LeadWeekday, env.LeadDate = 0, 0, 0, "", ""
	env.LeadDay, env.LeadHoliday = 0, false
	zone := e.rs.zones.zone(zip)
	env.HasLeadLocal = zone != nil
	if zone == nil {
		return
	}
	local := now.In(zone)
	hour, minute, _ := local.Clock()
	env.LeadHour, env.LeadMinute, env.LeadMonth = float64(hour), float64(minute), float64(local.Month())
	env.LeadWeekday, env.LeadDay = weekdayWords[local.Weekday()], float64(local.Day())
	env.LeadHoliday = e.rs.holidays.on(local)
	if uses.date {
		env.LeadDate = local.Format(time.DateOnly)
	}
}

func (e *Evaluation) consent(now time.Time, c *pingpost.Consent) {
	env := &e.env
	age, known := consentAge(now, c)
	env.ConsentAge, env.HasAge = float64(age)/float64(time.Minute), known
	env.Agreed, env.HasAgreed = c.Agreed == pingpost.Yes, c.Agreed != pingpost.Unknown
	env.Promised, env.Certificate = consentIsPromised(c), consentIsCertified(c)
	env.CertURL, env.LeadID = c.TrustedFormURL, c.LeadID
	if e.rs.uses.host {
		env.CertHost = certificateHost(c.TrustedFormURL)
	}
}

// attributes reads those that rules name, each as the kind that a rule compares it with.
func (e *Evaluation) attributes(attrs []pingpost.Attr) {
	for i, wanted := range e.rs.vocabulary {
		e.attrTexts[i], e.attrNumbers[i], e.attrTruths[i], e.attrsKnown[i] = "", 0, false, false
		for _, attr := range attrs {
			if attr.Name != wanted.name {
				continue
			}
			e.attrsKnown[i] = e.readAttribute(i, wanted.kind, attr)
			break
		}
	}
}

func (e *Evaluation) readAttribute(i int, kind kind, attr pingpost.Attr) (known bool) {
	switch {
	case kind == aText && attr.Kind == pingpost.AttrText && attr.Value != "":
		e.attrTexts[i] = attr.Value
	case kind == aNumber && attr.Kind == pingpost.AttrNumber:
		value, ok := parseNumber(attr.Value)
		if !ok {
			return false
		}
		e.attrNumbers[i] = value
	case kind == aTruth && attr.Kind == pingpost.AttrBool:
		e.attrTruths[i] = attr.Value == "true"
	default:
		return false
	}
	return true
}

// run runs a program over the environment. The machine itself turns a panic inside a program
// into an error.
func (e *Evaluation) run(program *vm.Program) (any, error) {
	if e.boxed == nil {
		e.boxed = e.env
	}
	return e.machine.Run(program, e.boxed)
}

// holds asks a condition.
func (e *Evaluation) holds(when *condition) (bool, error) {
	switch {
	case when.closure != nil:
		return when.closure(e), nil
	case when.program == nil:
		return true, nil
	}
	result, err := e.run(when.program)
	if err != nil {
		return false, err
	}
	truth, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("the condition came to %T", result)
	}
	return truth, nil
}

// value works a number out; missing names the field that it lacks.
func (e *Evaluation) value(n *number) (value float64, missing string, err error) {
	if n.isConstant() {
		return n.constant, "", nil
	}
	if n.needs != nil {
		if missing, err = n.needs.missing(e); missing != "" || err != nil {
			return 0, missing, err
		}
	}
	if n.closure != nil {
		return n.closure(e), "", nil
	}
	result, err := e.run(n.program)
	if err != nil {
		return 0, "", err
	}
	value, ok := result.(float64)
	if !ok {
		return 0, "", fmt.Errorf("the price came to %T", result)
	}
	return value, "", nil
}
