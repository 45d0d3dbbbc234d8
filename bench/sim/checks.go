package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadbid/budget"
	"leadbid/exchange"
	"leadbid/pingpost"
)

// calmDown ends the faults: links are mended, clocks set right, processes go on or start again.
func (w *world) calmDown() {
	w.calm = true
	w.note("world", "is calm", "", 0)
	for i := range w.links {
		w.links[i] = link{}
	}
	for _, p := range w.processes {
		p.wall = 0
		if p.frozen {
			p.thaw()
		}
	}
	for _, c := range w.contractors {
		d := c.replicas[0].db
		d.slow, d.full, d.sick = 0, false, false
		if c.server != nil {
			c.server.goBy(0)
			if !c.server.up {
				c.server.start()
			}
		}
		for _, r := range c.replicas {
			r.start()
		}
	}
	for _, x := range w.markets {
		x.start()
	}
}

// settleAll lets everything come to its end, and compares the books of both sides.
func (w *world) settleAll() {
	for round := 0; ; round++ {
		w.until(w.now.Add(30 * time.Second))
		open := 0
		for _, x := range w.markets {
			open += x.m.Unsettled()
		}
		for _, c := range w.contractors {
			open += len(c.books.Undelivered())
		}
		if open == 0 && round > 1 {
			break
		}
		if round > 1500 { // what was put off by a clock that was hours ahead takes hours
			w.fail("E6", "%d offers and deliveries do not settle", open)
		}
	}
	w.compareBooks()
}

// compareBooks holds what each exchange believes it charged against the books of each contractor,
// lead by lead.
func (w *world) compareBooks() {
	for _, x := range w.markets {
		paid := map[string]map[string]pingpost.Cents{} // by buyer and ping
		for i := range x.events {
			e := &x.events[i]
			switch e.Kind {
			case exchange.Sold:
				if paid[e.Buyer] == nil {
					paid[e.Buyer] = map[string]pingpost.Cents{}
				}
				paid[e.Buyer][string(e.Offer)] = e.Price
			case exchange.Returned:
				delete(paid[e.Buyer], string(e.Offer))
			}
		}
		for _, c := range w.contractors {
			w.compare(x, c, paid[c.name])
		}
	}
	w.count.Compared++
}

func (w *world) compare(x *market, c *contractor, paid map[string]pingpost.Cents) {
	own := map[string]pingpost.Cents{}
	for _, bought := range c.books.Bought() {
		if bought.Exchange == x.name {
			own[bought.PingID] = bought.Price
		}
	}
	for _, ping := range slices.Sorted(maps.Keys(paid)) {
		if own[ping] != paid[ping] {
			w.fail("B2", "%s charged %s %v for %s, whose books say %v", x.name, c.name, paid[ping], ping, own[ping])
		}
	}
	for _, ping := range slices.Sorted(maps.Keys(own)) {
		if _, known := paid[ping]; !known {
			w.fail("B2", "%s has paid %v for %s, and %s knows nothing of it", c.name, own[ping], ping, x.name)
		}
	}
}

// spendAgain is liveness: once the faults are over, money is spent again. One contractor after the
// other has the exchanges for itself, until it bids no more; what its caps have left then is less
// than what each replica needs for one bid.
func (w *world) spendAgain() {
	if w.chance(0.7) {
		return
	}
	c := w.someone()
	for _, x := range w.markets {
		for _, buyer := range x.config.Buyers {
			w.ask(x, "leaves one buyer", exchange.Pause{Buyer: buyer.Name, Paused: buyer.Name != c.name})
		}
		w.ask(x, "lends", exchange.TopUp{ID: "once more", Buyer: c.name, Amount: 1_000_000_00})
	}
	for _, r := range c.replicas {
		r.reload()
		if r.clock != 0 { // it is ahead, and by its windows others would be to be spent
			r.crash()
		}
	}
	w.until(w.now.Add(time.Minute))
	end := c.windowsEnd()
	if end.Sub(w.now) < 45*time.Minute { // too short to spend all of it
		w.until(end.Add(time.Minute))
		end = c.windowsEnd()
	}
	w.keen = true
	if w.chance(0.5) {
		w.in(w.between(0, 30*time.Second), func() { c.asked = pick(w, c.replicas) }) // the others have leases, and give way
	}
	w.note(c.name, "is to spend what it has left", "", 0)
	clear(c.noBids)
	longest := time.Duration(0) // that a bid keeps its money
	for _, x := range c.terms.exchanges {
		longest = max(longest, x.ttl, x.holdFor)
	}
	if most := w.now.Add(45 * time.Minute); end.After(most) {
		end = most // leads of a cent each would take days
	}
	pace := 2 * time.Second
	for idle := time.Duration(0); idle < longest+time.Minute; idle += pace {
		before := w.count.Bids
		for _, x := range w.markets {
			for _, campaign := range c.terms.campaigns {
				w.homeowner(x, campaign.service)
			}
		}
		w.until(w.now.Add(pace))
		pace = min(2*pace, 8*time.Second)
		if w.count.Bids > before { // one that is not won keeps its money for as long as it stands
			idle, pace = 0, 2*time.Second
		}
		if w.now.After(end.Add(-longest)) {
			return // it was still buying, or the window is over: nothing was to be seen
		}
	}
	if findings := c.unspent(); len(findings) > 0 {
		w.fail("liveness", "%s", strings.Join(findings, "; "))
	}
	w.count.Spent++
}

// windowsEnd is when the first window of its caps ends.
func (c *contractor) windowsEnd() (end time.Time) {
	plan := c.inForce.plan
	for _, line := range plan.Lines {
		for _, limit := range line.Caps {
			if _, to := budget.WindowOf(limit.Period, c.w.now, plan.Location); end.IsZero() || !to.IsZero() && to.Before(end) {
				end = to
			}
		}
	}
	if end.IsZero() {
		end = c.w.now.Add(24 * time.Hour)
	}
	return end
}

// unspent names the lines that could still buy and did not. A line has spent what it can where one of
// its caps has left, counting only what was bought, at most one of its largest bids and for each other
// replica one as large as any under that cap (of a cap worth 100 such bids or more, at most 3 %), or fewer
// leads than there are replicas. What a run holds that is over, nobody can spend before its leases close.
func (c *contractor) unspent() (findings []string) {
	now := c.replicas[0].now()
	uses, err := c.books.Usage(context.Background(), c.inForce.plan, now)
	if err != nil {
		return []string{err.Error()}
	}
	replicas := int64(len(c.replicas))
	over := func(run uint32) bool {
		return !slices.ContainsFunc(c.replicas, func(r *replica) bool { return r.begun.ID == run })
	}
	for _, line := range c.inForce.plan.Lines {
		exhausted := false
		var left []string
		for _, limit := range line.Caps {
			for _, use := range uses {
				if use.Cap.Scope != limit.Scope || use.Cap.Period != limit.Period {
					continue
				}
				strandedCents, strandedLeads := c.books.Stranded(use, over)
				if rest := limit.Cents.N - int64(use.UsedCents+strandedCents); limit.Cents.Set {
					largest := c.largestUnder(limit)
					allowed := int64(line.LargestBid) + (replicas-1)*largest
					if limit.Cents.N >= 100*largest {
						allowed = min(allowed, limit.Cents.N*3/100)
					}
					exhausted = exhausted || rest <= allowed
					left = append(left, pingpost.Cents(rest).String()+" of "+pingpost.Cents(limit.Cents.N).String())
				}
				if rest := limit.Leads.N - use.UsedLeads - strandedLeads; limit.Leads.Set {
					exhausted = exhausted || rest < replicas
				}
			}
		}
		if !exhausted && len(left) > 0 {
			findings = append(findings, c.name+" "+line.Line.Campaign+" on "+line.Line.Exchange+" with "+strconv.Itoa(len(c.replicas))+" replicas and bids up to "+line.LargestBid.String()+" has not spent "+strings.Join(left, ", ")+c.why())
		}
	}
	return findings
}

// largestUnder is the largest bid of the lines under a cap.
func (c *contractor) largestUnder(limit budget.Cap) (largest int64) {
	for _, line := range c.inForce.plan.Lines {
		if slices.Contains(line.Caps, limit) {
			largest = max(largest, int64(line.LargestBid))
		}
	}
	return largest
}

// why tells of the reasons for no bid so far, the most frequent first.
func (c *contractor) why() string {
	reasons := slices.SortedFunc(maps.Keys(c.noBids), func(a, b pingpost.Reason) int {
		return cmp.Or(cmp.Compare(c.noBids[b], c.noBids[a]), cmp.Compare(a, b))
	})
	text := ""
	for _, reason := range reasons {
		text += fmt.Sprint(" ", reason, " ", c.noBids[reason])
	}
	return "; no bids:" + text
}

// verifyAll is the end of a day: every invariant of every book from its rows and events.
func (w *world) verifyAll() {
	for _, c := range w.contractors {
		report, err := c.books.Verify(context.Background())
		if err != nil {
			w.fail("B", "%s: %v", c.name, err)
		}
		for _, finding := range report.Findings {
			w.fail(finding.ID, "%s: %s", c.name, finding.What)
		}
		for _, id := range c.books.Undelivered() {
			w.fail("E5", "%s was not delivered", id)
		}
		for _, id := range c.books.Delivered() {
			if c.crm.received[id] == 0 {
				w.fail("E5", "%s counts as delivered to %s, which never got it", id, c.name)
			}
		}
	}
	for _, x := range w.markets {
		x.verify()
	}
	w.count.Days++
}

// verify holds every timeline against the rules of an auction, and the Market against its events.
func (x *market) verify() {
	timelines := map[exchange.OfferID][]exchange.Event{}
	var order []exchange.OfferID
	for _, e := range x.events {
		if e.Offer == "" {
			continue
		}
		if timelines[e.Offer] == nil {
			order = append(order, e.Offer)
		}
		timelines[e.Offer] = append(timelines[e.Offer], e)
	}
	for _, offer := range order {
		events := timelines[offer]
		for _, finding := range exchange.AuditOffer(events) {
			x.w.fail(finding.ID, "%s: %s", x.name, finding.What)
		}
		if !slices.ContainsFunc(events, func(e exchange.Event) bool { return e.Kind.Ends() }) {
			x.w.fail("E6", "%s: offer %s never ended", x.name, offer)
		}
	}
	rebuilt, err := exchange.Replay(x.config, x.events, nil)
	if err != nil {
		x.w.fail("E7", "%s: %v", x.name, err)
	}
	if rebuilt.StateHash() != x.m.StateHash() {
		x.w.fail("E7", "%s: its events do not come to its state", x.name)
	}
}
