package main

import (
	"time"

	"leadbid/bench/sim/books"
	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/pingpost"
)

// contractor is one business: its books, its replicas, and what the world saw it say.
type contractor struct {
	w        *world
	name     string
	books    *books.Books
	server   *database // of the books; nil where the one replica keeps them itself
	replicas []*replica
	crm      *crm
	terms    terms
	inForce  *configuration // of which a restart or a reload takes the present one
	former   []terms        // whose limits can be put back

	leadIDs  int
	bids     map[string]*promise
	open     map[budget.LeaseID][]*promise // binding bids, by the lease that backs them
	sent     []*promise                    // the latest bids
	noBids   map[pingpost.Reason]int64
	troubled time.Time // when clocks or terms last changed under open bids
}

// crm is where leads are delivered.
type crm struct {
	process
	received map[string]int
}

// promise is a bid as the world saw it go out, and what was said to its post.
type promise struct {
	exchange string
	ping     string
	id       string
	price    pingpost.Cents
	at       time.Time
	binding  bool
	until    time.Time // a post until then comes in time
	expires  time.Time // of the bid, by the clock of whoever is asked
	terms    pingpost.Ping

	answered bool
	body     [32]byte // of the post that was answered
	verdict  pingpost.Verdict
	voided   bool
}

// promised notes a bid that goes out.
func (c *contractor) promised(r *replica, ping *pingpost.Ping, decision *bidder.Decision, id string) {
	if decision.Test {
		return
	}
	c.w.count.Bids++
	if before := c.bids[id]; before != nil {
		if before.price != decision.Price || before.ping != ping.ID {
			c.w.fail("B2", "%s gave bid id %s to two bids", r.name, id)
		}
		return
	}
	x := r.rules.Exchange(ping.Exchange)
	p := &promise{
		expires: decision.Ref.Expires, exchange: ping.Exchange, ping: ping.ID, id: id, price: decision.Price, at: c.w.now, terms: *ping,
	}
	if x != nil {
		p.binding = x.Commitment == 0
		// Half a second for clocks that differ.
		p.until = c.w.now.Add(decision.ExpiresIn()).Add(-500 * time.Millisecond)
	}
	c.bids[id] = p
	remember(&c.sent, p)
	if p.binding && !decision.Repeat {
		c.covered(r, p, decision.Ref.Lease)
	}
}

// covered is B1 where a bid goes out that binds: its lease has the money for it beside what it has paid
// and what other open bids may still cost. A bid's post is decided once it is in the books.
func (c *contractor) covered(r *replica, p *promise, id budget.LeaseID) {
	var sum pingpost.Cents
	open := c.open[id][:0]
	for _, other := range append(c.open[id], p) {
		if !c.books.Decided(other.id) && !r.now().After(other.expires.Add(grace)) {
			open = append(open, other)
			sum += other.price
		}
	}
	c.open[id] = open
	lease := c.books.Lease(id)
	if lease.Open && (lease.UsedCents+sum > lease.Cents || lease.UsedLeads+int64(len(open)) > lease.Leads) {
		c.w.fail("B1", "%s bids from lease %d of %v and %d leads, which has paid %v and %d, %d binding bids of %v in all", r.name,
			id, lease.Cents, lease.Leads, lease.UsedCents, lease.UsedLeads, len(open), sum)
	}
}

// heard counts why there was no bid.
func (c *contractor) heard(reason pingpost.Reason) {
	if reason != pingpost.ReasonNone {
		c.noBids[reason]++
	}
}

// said holds a reply to a post against everything that was said before, and against what the disk
// has: B2, B3, B6, and what a binding bid promised.
func (c *contractor) said(r *replica, post *pingpost.Post, verdict pingpost.Verdict) {
	w := c.w
	w.note(r.name, "says "+verdictWord(verdict), post.PingID, int64(post.Price))
	w.count.Posts++
	p := c.bids[post.BidID]
	known := p != nil && p.ping == post.PingID && p.exchange == post.Exchange
	switch verdict.Kind {
	case pingpost.VerdictAccepted:
		w.count.Accepted++
		switch {
		case post.Test:
		case !known:
			w.fail("B3", "%s accepted the post of bid %s for %s, which nobody sent", r.name, post.BidID, post.PingID)
		default:
			c.accepted(r, post, p)
		}
	case pingpost.VerdictRejected:
		w.count.refuse(verdict.Reason)
		if known && c.lacks(verdict.Reason, p) {
			w.fail("B1", "%s has no money for a post of %v within the time of its binding bid of %v: %v", r.name, post.Price, p.price, verdict.Reason)
		}
	default:
		return
	}
	if known {
		c.sameAnswer(r, post, p, verdict)
	}
}

// grace is how long after its expiry a bid can still be posted in the native profile.
const grace = 2 * time.Second

// accepted: in time, at most the price of the bid, for what was bid for, and on the disk.
func (c *contractor) accepted(r *replica, post *pingpost.Post, p *promise) {
	switch {
	case c.books.PostedAt(post.BidID).After(p.expires.Add(grace)):
		c.w.fail("B5", "%s accepted the post of %s at %v, and the bid stood until %v", r.name, post.PingID, c.books.PostedAt(post.BidID), p.expires)
	case post.Price > p.price || post.Price <= 0:
		c.w.fail("B3", "%s accepted at %v a bid of %v", r.name, post.Price, p.price)
	case post.ZIP != p.terms.ZIP || post.Service != p.terms.Service || post.Job != p.terms.Job || post.Exclusive != p.terms.Exclusive:
		c.w.fail("B3", "%s accepted another lead than it bid for as %s", r.name, post.PingID)
	case !c.books.Durable(post.BidID):
		c.w.fail("B6", "%s accepted %s, and the disk does not have it", r.name, post.PingID)
	}
}

// longestLease is how long a lease may pay posts: one that was granted before a clock of its books was
// set may end early until then.
const longestLease = 6 * time.Minute

// lacks tells whether a refusal breaks what a binding bid promised: that its money is set aside.
func (c *contractor) lacks(reason pingpost.Reason, p *promise) bool {
	money := reason == pingpost.BudgetExhausted || reason == pingpost.CapacityFull
	return money && p.binding && c.w.now.Before(p.until) && c.troubled.Add(longestLease).Before(p.at)
}

// sameAnswer: a repeat gets the same answer, and another body none at all. A voided notice alone
// changes what is said.
func (c *contractor) sameAnswer(r *replica, post *pingpost.Post, p *promise, verdict pingpost.Verdict) {
	voided := verdict.Reason == pingpost.Voided
	switch {
	case p.voided && !voided:
		c.w.fail("B2", "%s says %s to the post of %s after it was voided", r.name, verdictWord(verdict), post.PingID)
	case voided:
		p.voided = true
	case p.answered && p.body != post.BodyHash:
		c.w.fail("B2", "%s says %s to another body for %s", r.name, verdictWord(verdict), post.PingID)
	case p.answered && p.verdict != verdict:
		c.w.fail("B2", "%s says %s to the post of %s, and %s before", r.name, verdictWord(verdict), post.PingID, verdictWord(p.verdict))
	}
	if !voided {
		p.answered, p.body, p.verdict = true, post.BodyHash, verdict
	}
}

func verdictWord(verdict pingpost.Verdict) string {
	switch verdict.Kind {
	case pingpost.VerdictAccepted:
		return "accepted"
	case pingpost.VerdictRejected:
		return "rejected: " + verdict.Reason.String()
	case pingpost.VerdictConflict:
		return "conflict"
	}
	return "busy"
}

// someReplica is where a request goes: whichever the balancer has.
func (c *contractor) someReplica() *replica { return pick(c.w, c.replicas) }

// trouble notes that what a binding bid may rely on has changed: a clock was set, or the terms of an
// exchange are others.
func (c *contractor) trouble() { c.troubled = c.w.now }
