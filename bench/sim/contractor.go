package main

import (
	"time"

	"leadbid/bench/sim/books"
	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
	"leadbid/rules"
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
	asked    *replica       // the only one that the balancer has; nil for all
	inForce  *configuration // of which a restart or a reload takes the present one
	former   []terms        // whose limits can be put back

	leadIDs int
	bids    map[string]*promise
	open    map[budget.LeaseID][]*promise // binding bids, by the lease that backs them
	sent    []*promise                    // the latest bids
	noBids  map[pingpost.Reason]int64
	robbed  map[budget.LeaseID]time.Time // when one last paid a bid whose hold was over
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
	lease    budget.LeaseID
	by       *replica
	life     int       // of it
	at       time.Time // when it was decided
	made     time.Time // the same by the clock of the replica that made it
	awake    time.Time // since when the replica that made it was, after the last sleep of its machine
	binding  bool
	until    time.Time // a post until then comes in time
	held     time.Time // when its hold is over, as long as no clock is set
	expires  time.Time // of the bid, by the clock of whoever is asked
	terms    pingpost.Ping

	answered bool
	body     [32]byte // of the post that was answered
	verdict  pingpost.Verdict
	voided   time.Time // since when its post is refused as withdrawn; zero where it is not
}

// promised notes a bid that goes out, decided by some rules at an instant of the true time, made of the replica's.
func (c *contractor) promised(r *replica, by *rules.Ruleset, ping *pingpost.Ping, decision *bidder.Decision, id string, at, made time.Time) {
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
	x := by.Exchange(ping.Exchange)
	stands := decision.ExpiresIn()
	p := &promise{
		expires: decision.Ref.Expires, exchange: ping.Exchange, ping: ping.ID, id: id, price: decision.Price, terms: *ping,
		lease: decision.Ref.Lease, by: r, life: r.life, at: at, made: made, awake: r.woke, held: at.Add(stands + grace + rules.PostTakes),
		until: at.Add(stands - 500*time.Millisecond), // for clocks that differ
	}
	p.binding = x != nil && x.Commitment == 0
	c.bids[id] = p
	remember(&c.sent, p)
	if p.binding {
		c.covered(r, p, decision.Ref.Lease)
	}
}

// covered is B1 where a bid goes out that binds: its lease has the money for it beside what it has paid
// and what other open bids may still cost. A bid's post is decided once it is in the books. What a lease
// paid for a bid whose hold was over, through another replica, its owner has not heard of when it bids.
func (c *contractor) covered(r *replica, p *promise, id budget.LeaseID) {
	sum, many, stand := pingpost.Cents(0), int64(0), c.open[id][:0]
	for _, other := range append(c.open[id], p) {
		if r.now().After(other.expires.Add(grace + rules.PostTakes)) {
			continue
		}
		stand = append(stand, other) // also one that is decided: a crash may take that back
		if !c.books.Decided(other.id) {
			sum, many = sum+other.price, many+1
		}
	}
	c.open[id] = stand
	lease := c.books.Lease(id)
	if lease.Open && !c.wasRobbed(p) && (lease.UsedCents+sum > lease.Cents || lease.UsedLeads+many > lease.Leads) {
		c.w.fail("B1", "%s bids from lease %d of %v and %d leads, which has paid %v and %d, %d binding bids of %v in all", r.name,
			id, lease.Cents, lease.Leads, lease.UsedCents, lease.UsedLeads, many, sum)
	}
}

// heard counts why there was no bid.
func (c *contractor) heard(reason pingpost.Reason) {
	if reason != pingpost.ReasonNone {
		c.noBids[reason]++
	}
}

// said holds a reply to a post against everything that was said before, and against what the disk
// has: B2, B3, B6, and what a binding bid promised. The replica began with the post at an instant of
// the true time.
func (c *contractor) said(r *replica, post *pingpost.Post, verdict pingpost.Verdict, began time.Time) {
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
		c.sameAnswer(r, post, p, verdict, began)
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

// leaseLength is how far ahead a lease is granted and extended.
const leaseLength = 30 * time.Second

// lacks tells whether a refusal breaks what a binding bid promised: that its money is set aside until
// the last instant at which its post may come. A crash, a reload, a cut or a slow disk is no excuse.
func (c *contractor) lacks(reason pingpost.Reason, p *promise) bool {
	money := reason == pingpost.BudgetExhausted || reason == pingpost.CapacityFull
	if !money || !p.binding || !c.w.now.Before(p.until) {
		return false
	}
	if c.endedEarly(p) || c.wasRobbed(p) || p.freedEarly() {
		c.w.count.LostToClocks++
		return false
	}
	return true
}

// freedEarly tells whether the clock by which the hold of a bid ends was set so far ahead that it has ended: its
// money may have been another bid's by the time of its post.
func (p *promise) freedEarly() bool {
	return !p.by.reached(p.life).Before(p.expires.Add(grace + rules.PostTakes))
}

// wasRobbed tells whether the money of a bid may have gone to another one whose hold was over: its lease has paid
// for one since, or so shortly before that its owner had not heard of it when it bid.
func (c *contractor) wasRobbed(p *promise) bool {
	return p.at.Before(c.robbed[p.lease].Add(leaseLength))
}

// endedEarly tells whether a bid's lease may have been closed before its time, which is the store's:
// the server's clock went ahead since its owner was last told of the lease, which is 30 s at most; or
// the bid was made after a sleep of its machine that the lease did not outlive, and of which no clock
// there tells. Where the bidder keeps its own books, both go by the same time.
func (c *contractor) endedEarly(p *promise) bool {
	return c.server != nil && !c.books.Lease(p.lease).Open &&
		(p.at.Before(c.server.ahead.Add(leaseLength)) || p.at.Before(p.awake.Add(leaseLength)))
}

// paid notes a post that the books have accepted. One that comes after its hold was over, in time by
// the clock of another replica only, is paid with what another bid of the lease may rely on by then.
func (c *contractor) paid(post *pingpost.Post, answer store.PostAnswer) {
	p := c.bids[post.BidID]
	if p == nil || answer.Outcome != store.PostAccepted || answer.Repeat {
		return
	}
	if answer.Lease == nil { // what a lease pays lies within its windows
		if booked := c.books.BidAt(p.id); booked.Sub(p.made).Abs() > 2*time.Millisecond {
			c.w.fail("B5", "%s was bid for at %v, and the caps of %v have paid", post.PingID, p.made, booked)
		}
		return
	}
	if c.w.now.After(p.held) || p.freedEarly() {
		c.robbed[p.lease] = c.w.now
	}
}

// sameAnswer: a repeat gets the same answer, and another body none at all. A voided notice alone
// changes what is said.
func (c *contractor) sameAnswer(r *replica, post *pingpost.Post, p *promise, verdict pingpost.Verdict, began time.Time) {
	voided := verdict.Reason == pingpost.Voided
	switch {
	case voided && p.voided.IsZero():
		p.voided = c.w.now
	case voided:
	case !p.voided.IsZero() && began.After(p.voided): // one that was on its way may still say what was so before
		c.w.fail("B2", "%s says %s to the post of %s after it was voided", r.name, verdictWord(verdict), post.PingID)
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
func (c *contractor) someReplica() *replica {
	if c.asked != nil {
		return c.asked
	}
	return pick(c.w, c.replicas)
}
