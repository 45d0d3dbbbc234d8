package bidder

import (
	"cmp"
	"slices"
	"time"

	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/pingpost"
	"leadbid/rules"
)

// Decision is the Agent's answer to a ping.
type Decision struct {
	Stamp
	Bid      bool
	Reason   pingpost.Reason // why not; ReasonNone on a bid
	Campaign string          // that bid, or that got furthest; "" where none was a candidate
	Rule     string          // that priced, where one did; of a sum the first
	Arm      string          // of the campaign's experiment, where it has one and a rule priced
	Price    pingpost.Cents  // the bid; with Observing what it would have been
	Ref      budget.BidRef   // of a bid: to be sealed into its id
	Repeat   bool            // the answer given before to the same ping
	Test     bool            // a test ping's bid: priced, and never touching money

	Generation uint32 // of the rules that decided, from 1; of a repeat: those that decided first
	Would      Would  // on a bid: what a campaign that only observes would have bid before it

	// Quote is how the strategy came to the price, where the campaign has one; else its Worth is 0. An
	// answer that is given again does not repeat it.
	Quote strategy.Quote `json:",omitzero"`
}

// Would is what the first campaign that only observes would have bid; it is zero where none would.
type Would struct {
	Campaign string         `json:"campaign"`
	Price    pingpost.Cents `json:"price"`
}

// ExpiresIn is how long the bid stands from the Decision's instant; a repeat counts down.
func (d *Decision) ExpiresIn() time.Duration { return d.Ref.Expires.Sub(d.At) }

// Decide prices a ping and holds the money for the bid, or says why not. The ping's Exchange and
// Digest must be set. Its strings are not kept.
func (a *Agent) Decide(now time.Time, p *pingpost.Ping) (decision Decision) {
	key, consent := keyOf(p), consentKeyOf(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	stamp := a.stampLocked(now)
	if a.pausedLocked(p.Exchange) {
		return Decision{Stamp: stamp, Reason: pingpost.Paused, Generation: a.inForce.number}
	}
	if before, known := a.repeats.find(key, stamp.At); known {
		return a.repeats.repeat(before, stamp, p.Digest, a.run, a.inForce.number)
	}
	if a.repeats.offered(consent, stamp.At) {
		return Decision{Stamp: stamp, Reason: pingpost.DuplicatePing, Generation: a.inForce.number}
	}
	a.decideLocked(stamp, p, &decision)
	if decision.Bid && !decision.Test {
		a.sendLocked(&decision, p.Exchange)
		a.placeLocked(&decision, p.Exchange)
	}
	a.repeats.remember(key, consent, p.Digest, &decision, a.rememberUntil(&decision, p.Exchange))
	if decision.Bid && !decision.Test {
		a.repeats.noteSource(p.Source)
	}
	return decision
}

// decideLocked asks the candidates in the order that the contractor chose; the first that holds its
// price bids. decision is blank.
func (a *Agent) decideLocked(stamp Stamp, p *pingpost.Ping, decision *Decision) {
	decision.Stamp, decision.Generation = stamp, a.inForce.number
	a.scratch, decision.Reason = a.inForce.rules.Candidates(p, a.scratch[:0])
	a.inForce.eval.Begin(stamp.At, p)
	if a.inForce.rules.Settings().Business.Choose == rules.ChooseValue {
		a.sortByValueLocked(stamp.At, p)
	}
	for _, campaign := range a.scratch {
		attempt := Decision{Stamp: stamp, Campaign: campaign.Name, Generation: a.inForce.number}
		a.tryLocked(p, campaign, &attempt)
		if attempt.Reason == pingpost.ReasonNone {
			if decision.Reason == pingpost.Observing {
				attempt.Would = Would{decision.Campaign, decision.Price}
			}
			*decision = attempt
			return
		}
		if attempt.Reason > decision.Reason {
			*decision = attempt
		}
	}
}

// sortByValueLocked brings the candidates into the order of what each would bid, the most first; of
// equals in the order of the file.
func (a *Agent) sortByValueLocked(now time.Time, p *pingpost.Ping) {
	if len(a.scratch) < 2 {
		return
	}
	a.values = a.values[:0]
	for _, campaign := range a.scratch {
		var attempt Decision
		if a.priceLocked(now, p, campaign, &attempt, nil) != pingpost.ReasonNone {
			attempt.Price = 0
		}
		a.values = append(a.values, value{campaign, attempt.Price})
	}
	slices.SortStableFunc(a.values, func(first, second value) int { return cmp.Compare(second.price, first.price) })
	for i := range a.values {
		a.scratch[i] = a.values[i].campaign
	}
	clear(a.values) // or it would keep campaigns of former rules alive
}

// value is what a campaign would bid.
type value struct {
	campaign *rules.Campaign
	price    pingpost.Cents
}

// tryLocked takes one campaign through checks, price, limits and money, in that order. attempt comes
// with the campaign's name and goes with what became of it.
func (a *Agent) tryLocked(p *pingpost.Ping, campaign *rules.Campaign, attempt *Decision) {
	attempt.Reason = a.priceLocked(attempt.At, p, campaign, attempt, nil)
	if a.quoted.line != plainLine {
		attempt.Quote = a.quoted.quote
	}
	if !p.Test {
		a.noteLocked(attempt.At)
	}
	if attempt.Reason != pingpost.ReasonNone {
		return
	}
	exchange := a.inForce.rules.Exchange(p.Exchange)
	if p.Test {
		a.testBid(attempt, p, campaign, exchange)
		return
	}
	if a.inForce.rules.ModeOf(campaign, exchange) == rules.Observe {
		attempt.Reason = pingpost.Observing
		return
	}
	ticket, price, reason := hold(a.book, attempt.Stamp, p, campaign, exchange, attempt.Price)
	if reason != pingpost.ReasonNone {
		attempt.Reason = reason
		return
	}
	attempt.Bid, attempt.Price = true, price
	attempt.Ref = a.refOf(attempt, p, campaign, ticket.Lease, ticket.Expires)
}

// hold takes the price out of the book, or less where the contractor lets a short budget clip it:
// what the caps have left, down to min_bid and the exchange's floor. price is what was held.
func hold(book *budget.Book, stamp Stamp, p *pingpost.Ping, campaign *rules.Campaign,
	exchange *rules.Exchange, full pingpost.Cents) (ticket budget.HoldTicket, price pingpost.Cents, reason pingpost.Reason) {
	line, tmax := budget.Line{Campaign: campaign.Name, Exchange: p.Exchange}, timeLeft(p, exchange)
	ticket, reason = book.Hold(stamp.At, line, stamp.Seq, full, tmax)
	least := max(campaign.MinBid, p.Floor, 1)
	if reason != pingpost.BudgetExhausted || !campaign.ClipToBudget || least >= full {
		return ticket, full, reason
	}
	// The least is asked for even where less than that is in hand: it is what the next lease has to be
	// good for.
	price = max(book.Rest(stamp.At, line, full, tmax), least)
	ticket, reason = book.Hold(stamp.At, line, stamp.Seq, price, tmax)
	return ticket, price, reason
}

// priceLocked is all that comes before money. It fills in the rule and the price.
func (a *Agent) priceLocked(now time.Time, p *pingpost.Ping, campaign *rules.Campaign,
	attempt *Decision, trace *rules.Trace) pingpost.Reason {
	a.quoted.line = plainLine
	if slices.Contains(a.pauses.Campaigns, campaign.Name) {
		return pingpost.Paused
	}
	if reason := a.inForce.eval.Check(campaign, trace); reason != pingpost.ReasonNone {
		return reason
	}
	if campaign.UsesFacts() {
		a.fillFactsLocked(now, campaign)
	}
	price := a.inForce.eval.Price(campaign, &a.facts, trace)
	if price.Rule >= 0 {
		attempt.Rule = campaign.Rules[price.Rule].Name
	}
	attempt.Arm = price.Arm
	if price.Reason != pingpost.ReasonNone {
		return price.Reason
	}
	dollars, reason := a.quoteLocked(now, p, campaign, price.Dollars, trace)
	if reason != pingpost.ReasonNone {
		return reason
	}
	attempt.Price, reason = campaign.Bid(dollars, p.Floor, trace)
	return reason
}

// testBid answers a test ping with the bid that a real one would get, of lease 0, which no store
// ever grants: its post is recognised by that, and books nothing.
func (a *Agent) testBid(attempt *Decision, p *pingpost.Ping, campaign *rules.Campaign, exchange *rules.Exchange) {
	attempt.Bid, attempt.Test = true, true
	attempt.Ref = a.refOf(attempt, p, campaign, 0, wholeMillisecond(attempt.At.Add(exchange.BidTTL)))
}

func (a *Agent) refOf(d *Decision, p *pingpost.Ping, campaign *rules.Campaign, lease budget.LeaseID,
	expires time.Time) budget.BidRef {
	return budget.BidRef{
		Lease:    lease,
		Campaign: campaign.Tag,
		Price:    d.Price,
		Expires:  expires,
		Stands:   expires.Sub(wholeMillisecond(d.At)),
		Run:      a.run,
		Seq:      d.Seq,
		Terms:    budget.TermsHash(p.ZIP, p.Service, p.Job, p.Exclusive),
	}
}

// rememberUntil is when the same ping is a new one again: a bid's expiry, else one bid_ttl.
func (a *Agent) rememberUntil(d *Decision, exchange string) time.Time {
	if d.Bid {
		return d.Ref.Expires
	}
	if terms := a.inForce.rules.Exchange(exchange); terms != nil {
		return d.At.Add(terms.BidTTL)
	}
	return d.At
}

// fillFactsLocked tells the rules how far the campaign's caps are used, as far as is known.
func (a *Agent) fillFactsLocked(now time.Time, campaign *rules.Campaign) {
	a.facts.WinRate = a.outcomes.rate(campaign.Tag)
	a.facts.Budget, a.facts.Capacity = [pingpost.NumPeriods]rules.Usage{}, [pingpost.NumPeriods]rules.Usage{}
	uses := a.usesLocked(campaign)
	for i := range uses {
		use := &uses[i]
		elapsed := elapsedShare(use, now)
		a.facts.Budget[use.Cap.Period] = usage(use.Cap.Cents, int64(use.UsedCents), elapsed, 100)
		a.facts.Capacity[use.Cap.Period] = usage(use.Cap.Leads, use.UsedLeads, elapsed, 1)
	}
}

// usage turns a cap's use into what rules read. unit is what one of the rule's units is worth in
// the cap's: 100 cents to the dollar, 1 lead to the lead. Within the first hundredth of a window
// the pace counts as if that hundredth were over: a single early lead is no slow or fast week.
func usage(limit budget.Limit, used int64, elapsed float64, unit float64) rules.Usage {
	if !limit.Set || limit.N == 0 {
		return rules.Usage{}
	}
	share := float64(used) / float64(limit.N)
	return rules.Usage{
		Known:      true,
		SpentShare: share,
		Pace:       share / max(elapsed, 0.01),
		Left:       float64(limit.N-used) / unit,
	}
}

// elapsedShare is how much of the cap's window is over; all of it for a total, which has no end.
func elapsedShare(use *budget.CapUse, now time.Time) float64 {
	if use.End.IsZero() || !now.Before(use.End) {
		return 1
	}
	return float64(now.Sub(use.Start)) / float64(use.End.Sub(use.Start))
}

// timeLeft is how long the exchange waits for the answer.
func timeLeft(p *pingpost.Ping, exchange *rules.Exchange) time.Duration {
	if p.TmaxMS > 0 {
		return time.Duration(p.TmaxMS) * time.Millisecond
	}
	return exchange.Deadline
}

func wholeMillisecond(t time.Time) time.Time { return t.Truncate(time.Millisecond) }
