package cases

import (
	"fmt"
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

// Case is one expectation about the rules.
type Case struct {
	Name string
	File string
	Line int
	At   time.Time
	Ping pingpost.Ping
	Post *pingpost.Post // nil where the case ends with the bid
	Want Outcome

	used map[capKey]usedUp
	won  map[string]int // of the latest bidder.LatestBids bids, by campaign
}

// Outcome is what came of a ping, or ought to. In an expectation the zero value of a field asks
// for nothing.
type Outcome struct {
	Bid      pingpost.Cents  `json:"bid,omitempty"`    // above 0 where something is bid
	NoBid    pingpost.Reason `json:"no_bid,omitempty"` // why nothing is
	Campaign string          `json:"campaign,omitempty"`
	Rule     string          `json:"rule,omitempty"`
	Post     string          `json:"post,omitempty"`   // accepted, or the word that the exchange is told
	Reject   string          `json:"reject,omitempty"` // the reject rule
}

// String says it in a line: bid $53.00 by hvac-chicago, rule "emergency"; post rejected: outside_area.
func (o Outcome) String() string {
	text := "no bid"
	if o.Bid > 0 {
		text = "bid " + o.Bid.String()
	} else if o.NoBid != pingpost.ReasonNone {
		text += ": " + o.NoBid.String()
	}
	switch {
	case o.Campaign == "":
	case o.Bid > 0:
		text += " by " + o.Campaign
	default:
		text += ", campaign " + o.Campaign
	}
	if o.Rule != "" {
		text += fmt.Sprintf(", rule %q", o.Rule)
	}
	switch {
	case o.Post == accepted:
		text += "; post accepted"
	case o.Post != "":
		text += "; post rejected: " + o.Post
	}
	if o.Reject != "" {
		text += fmt.Sprintf(" by %q", o.Reject)
	}
	return text
}

// accepted is the outcome of a post that is bought.
const accepted = "accepted"

// met reports whether what was got fulfils what was wanted.
func (o Outcome) met(got Outcome) bool {
	asked := func(want, got string) bool { return want == "" || want == got }
	return o.Bid == got.Bid && o.NoBid == got.NoBid && asked(o.Campaign, got.Campaign) &&
		asked(o.Rule, got.Rule) && asked(o.Post, got.Post) && asked(o.Reject, got.Reject)
}

// onlyAsked drops from what was got what was not asked for, so that both read alike.
func (o Outcome) onlyAsked(got Outcome) Outcome {
	for _, part := range []struct {
		want string
		got  *string
	}{{o.Campaign, &got.Campaign}, {o.Rule, &got.Rule}, {o.Post, &got.Post}, {o.Reject, &got.Reject}} {
		if part.want == "" {
			*part.got = ""
		}
	}
	return got
}

// Result is a case with what came of it.
type Result struct {
	Name        string             `json:"name"`
	File        string             `json:"file"`
	Line        int                `json:"line"`
	OK          bool               `json:"ok"`
	Want        Outcome            `json:"expected"`
	Got         Outcome            `json:"got"`
	Explanation bidder.Explanation `json:"explanation"`
}

// Differs says expected and got in the words that differ.
func (r Result) Differs() (want, got string) {
	return r.Want.String(), r.Want.onlyAsked(r.Got).String()
}

// Report is all that `bidder test` has to tell.
type Report struct {
	Results   []Result    `json:"results"`
	Passed    int         `json:"passed"`
	Failed    int         `json:"failed"`
	Uncovered []Uncovered `json:"uncovered"` // never null
}

// Run puts every case to the rules, in order.
func Run(rs *rules.Ruleset, all []Case) Report {
	report := Report{Results: []Result{}, Uncovered: []Uncovered{}}
	seen := coverage{}
	for _, one := range all {
		result := one.run(rs)
		if result.OK {
			report.Passed++
		} else {
			report.Failed++
		}
		seen.note(rs, result)
		report.Results = append(report.Results, result)
	}
	report.Uncovered = append(report.Uncovered, seen.missing(rs)...)
	return report
}

func (c Case) run(rs *rules.Ruleset) Result {
	plan := bidder.PlanOf(rs)
	book := bidder.FundedBook(plan, c.At, c.uses(plan))
	agent := bidder.New(0, rs, book)
	for campaign, won := range c.won {
		agent.Recall(campaign, won)
	}
	result := Result{Name: c.Name, File: c.File, Line: c.Line, Want: c.Want}
	result.Explanation = agent.Explain(c.At, &c.Ping)
	result.Got = outcomeOf(result.Explanation)
	if c.Post != nil && result.Got.Bid > 0 {
		result.Got.Post, result.Got.Reject = c.settle(rs, agent, result.Got)
	}
	result.OK = c.Want.met(result.Got)
	return result
}

// outcomeOf takes an observing bidder by what it would do, money included.
func outcomeOf(told bidder.Explanation) Outcome {
	if told.Bid {
		return Outcome{Bid: told.Price, Campaign: told.Campaign, Rule: told.Rule}
	}
	got := Outcome{NoBid: told.Reason, Campaign: told.Campaign, Rule: told.Rule}
	if told.Reason != pingpost.Observing {
		return got
	}
	for _, one := range told.Campaigns {
		if one.Campaign == told.Campaign && one.Money == pingpost.ReasonNone {
			return Outcome{Bid: one.Price, Campaign: one.Campaign, Rule: one.Rule}
		}
	}
	got.NoBid = pingpost.ReasonNone
	for _, one := range told.Campaigns {
		switch {
		case one.Reason != pingpost.Observing:
		case one.Money == pingpost.ReasonNone:
			return Outcome{Bid: one.Price, Campaign: one.Campaign, Rule: one.Rule}
		case one.Money > got.NoBid:
			got = Outcome{NoBid: one.Money, Campaign: one.Campaign, Rule: one.Rule}
		}
	}
	return got
}

// settle hands the full lead over, as an exchange that took the bid would, and gives the word that
// the exchange is told.
func (c Case) settle(rs *rules.Ruleset, agent *bidder.Agent, bid Outcome) (word, rule string) {
	post := *c.Post
	if post.Price == 0 {
		post.Price = bid.Bid
	}
	const anyLease = 1 // lease 0 is that of test bids
	ref := budget.BidRef{
		Lease: anyLease, Campaign: budget.CampaignTag(bid.Campaign), Price: bid.Bid,
		Expires: c.At.Add(rs.Exchange(c.Ping.Exchange).BidTTL), Stands: rs.Exchange(c.Ping.Exchange).BidTTL,
		Terms: budget.TermsHash(c.Ping.ZIP, c.Ping.Service, c.Ping.Job, c.Ping.Exclusive),
	}
	settled := agent.Settle(c.At, &post, ref, true)
	switch {
	case settled.Rejection != nil:
		return settled.Rejection.Word, settled.Rejection.Rule
	case settled.Refuse != pingpost.ReasonNone:
		return settled.Refuse.String(), ""
	case settled.Charge.Refuse != pingpost.ReasonNone:
		return settled.Charge.Refuse.String(), ""
	}
	return accepted, ""
}

// capKey names a cap as a case does.
type capKey struct {
	scope  budget.Scope
	period pingpost.Period
}

type usedUp struct {
	cents pingpost.Cents
	leads int64
}

// uses is the state of every cap at the instant of the case: unused but for what the case says.
func (c Case) uses(plan *budget.Plan) []budget.CapUse {
	uses := bidder.UnusedCaps(plan, c.At)
	for i := range uses {
		used := c.used[capKey{uses[i].Cap.Scope, uses[i].Cap.Period}]
		uses[i].UsedCents, uses[i].UsedLeads = used.cents, used.leads
		uses[i].SpentCents, uses[i].SpentLeads = used.cents, used.leads
	}
	return uses
}
