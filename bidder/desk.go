package bidder

import (
	"slices"
	"time"

	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

// plainLine stands for a campaign on an exchange where bids are what the rules say: the strategy
// never hears of it.
const plainLine = -1

// plans are what a generation's strategies work for: which line of the Desk is whose, and which caps
// of the Book are the Desk's.
type plans struct {
	setup strategy.Setup
	lines map[budget.Line]int
	caps  []pacedCap // by their number in setup.Caps
}

type pacedCap struct {
	scope  budget.Scope
	period pingpost.Period
}

// plansOf joins rules and strategy.
func plansOf(run uint32, rs *rules.Ruleset, plan *budget.Plan) plans {
	p := plans{setup: strategy.Setup{Zone: plan.Location, Run: run}, lines: map[budget.Line]int{}}
	numbers := map[pacedCap]int{}
	for _, line := range plan.Lines {
		campaign := rs.Campaign(line.Line.Campaign)
		if campaign.IsPlain() {
			continue
		}
		one := strategyLine(campaign, rs.Exchange(line.Line.Exchange))
		one.Crew = p.hire(rs, campaign)
		for _, c := range line.Caps {
			if c.Period == pingpost.Hour || c.Period == pingpost.Total {
				continue
			}
			key := pacedCap{c.Scope, c.Period}
			number, known := numbers[key]
			if !known {
				number = len(p.caps)
				numbers[key], p.caps = number, append(p.caps, key)
				p.setup.Caps = append(p.setup.Caps, strategyCap(c))
			}
			one.Caps = append(one.Caps, number)
		}
		p.lines[line.Line] = len(p.setup.Lines)
		p.setup.Lines = append(p.setup.Lines, one)
	}
	return p
}

// hire gives the name of who does a campaign's work; "" where nobody's hours are counted.
func (p *plans) hire(rs *rules.Ruleset, campaign *rules.Campaign) string {
	own, hours := rs.CrewOf(campaign)
	if hours == 0 {
		return ""
	}
	crew := strategy.Crew{Name: "business", Hours: hours}
	if own {
		crew.Name = "campaign " + campaign.Name
	}
	if !slices.Contains(p.setup.Crews, crew) {
		p.setup.Crews = append(p.setup.Crews, crew)
	}
	return crew.Name
}

func strategyLine(campaign *rules.Campaign, exchange *rules.Exchange) strategy.Line {
	return strategy.Line{
		Campaign: campaign.Name, Exchange: exchange.Name,
		Objective: strategy.Objective(campaign.Strategy.Objective), Pacing: strategy.Pacing(campaign.Strategy.Pacing),
		Auction: exchange.Auction, MaxBid: dollarsOf(campaign.MaxBid), Explore: campaign.Strategy.Explore,
		Trade: campaign.Services[0], Open: campaign.OpenHours(), Tells: exchange.Tells != rules.TellsNone,
	}
}

func strategyCap(c budget.Cap) strategy.Cap {
	one := strategy.Cap{Name: capName(c)}
	if c.Cents.Set {
		one.Dollars = dollarsOf(pingpost.Cents(c.Cents.N))
	}
	if c.Leads.Set {
		one.Leads = float64(c.Leads.N)
	}
	return one
}

// capName is what people call a cap, and what its state is kept by.
func capName(c budget.Cap) string {
	switch c.Scope.Kind {
	case budget.ScopeBusiness:
		return "business/" + c.Period.String()
	case budget.ScopeExchange:
		return "exchange " + c.Scope.Name + "/" + c.Period.String()
	}
	return "campaign " + c.Scope.Name + "/" + c.Period.String()
}

func dollarsOf(cents pingpost.Cents) float64 { return float64(cents) / 100 }

// quoted is what the strategy made of a campaign's price for the ping in hand.
type quoted struct {
	line  int // plainLine where it was not asked
	ask   strategy.Ask
	quote strategy.Quote
}

// quoteLocked lets the strategy turn the rules' dollars into those to bid, and keeps what it said.
// It changes nothing else: a ping may be priced more than once.
func (a *Agent) quoteLocked(now time.Time, p *pingpost.Ping, campaign *rules.Campaign, dollars float64,
	trace *rules.Trace) (float64, pingpost.Reason) {
	if campaign.IsPlain() {
		return dollars, pingpost.ReasonNone
	}
	line := a.inForce.plans.lines[budget.Line{Campaign: campaign.Name, Exchange: p.Exchange}]
	expected := a.expectedLocked(p, campaign, trace)
	worth, reason := a.inForce.eval.Worth(campaign, expected, trace)
	if reason != pingpost.ReasonNone {
		return 0, reason
	}
	hours, chance, reason := a.inForce.eval.JobHours(campaign, expected.Close, trace)
	if reason != pingpost.ReasonNone {
		return 0, reason
	}
	most := dollars
	if campaign.MaxBid > 0 {
		most = min(most, dollarsOf(campaign.MaxBid))
	}
	least := dollarsOf(max(campaign.MinBid, p.Floor))
	if !(most > 0) || most < least {
		return dollars, pingpost.ReasonNone // no bid in any case: nothing to be learned from
	}
	q := &a.quoted
	q.line, q.ask = line, strategy.Ask{Line: line, Most: most, Least: least, Worth: worth, Draw: drawOf(p),
		Territory: strategy.Territory{Service: p.Service, Job: p.Job, State: p.State},
		Unshaded:  p.Auction == pingpost.AuctionSecond || p.Auction == pingpost.AuctionFixed,
		At:        now, Urgency: p.Urgency, Hours: hours, Chance: chance}
	q.quote = a.desk.Quote(q.ask)
	if trace != nil {
		trace.Plan(a.desk.Explain(q.ask, q.quote), most, q.quote.Dollars, q.quote.Reason)
	}
	return q.quote.Dollars, q.quote.Reason
}

// expectedLocked is what the campaign expects of leads like the ping, by what outcomes taught of others.
func (a *Agent) expectedLocked(p *pingpost.Ping, campaign *rules.Campaign, trace *rules.Trace) rules.Expected {
	if campaign.Value.Job == 0 {
		return rules.Expected{}
	}
	rate := a.desk.Rate(strategy.SegmentOf(p.Service, p.Job, p.ZIP, p.Source),
		strategy.Rate{Close: campaign.Value.Close, Job: campaign.Value.Job})
	expected := rules.Expected{Close: rate.Close, Job: rate.Job}
	if trace != nil {
		expected.Of = rate.String()
	}
	return expected
}

// drawOf is the ping's own chance: the same on every machine and in every replay.
func drawOf(p *pingpost.Ping) uint64 { return hashPair("draw/"+p.Exchange, p.ID) }

// noteLocked tells the strategy of the ping that it was asked about last.
func (a *Agent) noteLocked(now time.Time) {
	if q := &a.quoted; q.line != plainLine {
		a.desk.Note(now, q.ask, q.quote)
	}
}

// placeLocked tells the strategy of a bid that goes out; one that was withheld after all does not.
func (a *Agent) placeLocked(d *Decision, exchange string) {
	if q := &a.quoted; q.line != plainLine && d.Bid {
		grace := a.inForce.rules.Exchange(exchange).Grace
		a.desk.Placed(d.Seq, q.ask, q.quote, dollarsOf(d.Price), d.Ref.Expires.Add(grace))
	}
}

// readCapsLocked brings the strategy up to date on what the caps have left.
func (a *Agent) readCapsLocked(now time.Time) {
	for number, one := range a.inForce.plans.caps {
		use, known := a.book.Use(one.scope, one.period)
		if !known {
			continue
		}
		a.desk.Read(now, strategy.Reading{
			Cap: number, Start: use.Start, End: use.End,
			Dollars: dollarsOf(use.UsedCents), Leads: float64(use.UsedLeads), Replicas: a.book.Replicas(),
		})
	}
}

// Prices are what a notice tells besides the outcome; 0 where it does not.
type Prices struct {
	Clearing    pingpost.Cents // what the winner pays
	MinBidToWin pingpost.Cents // the least bid that would have won
}

// leastToWin is the least bid that would have won in a first-price auction, as far as a notice says
// so; else 0. Who lost learns it from what the winner bid; who won knew that before.
func (p Prices) leastToWin(outcome pingpost.Outcome) pingpost.Cents {
	switch {
	case p.MinBidToWin > 0:
		return p.MinBidToWin
	case outcome == pingpost.OutcomeLost && p.Clearing > 0:
		return p.Clearing + 1
	}
	return 0
}
