package main

import (
	"context"
	"fmt"
	"time"

	"leadbid/budget/store"

	"leadbid/exchange"
	"leadbid/pingpost"
)

// faults are the larger faults; each day has some of these kinds. What goes wrong with single
// messages and single steps is in settings.
var faults = []fault{
	partition, oneWay, clog, crashOne, crashAll, freezeOne, sleepOne, setClock, setStoreClock, slowDisk, fullDisk,
	failingDisk, crashStore, reconfigure, reload, crashMarket, returnLead, withdrawLead, pauseBuyer, repeatPost, changePost,
	forgePost, repeatNotice, falseLoss, rotateKeys, gracefulStop,
}

// chaos has one fault happen, and the next after a while, until an instant.
func (w *world) chaos(until time.Time) {
	if w.calm || !w.now.Before(until) {
		return
	}
	if len(w.settings.faults) > 0 {
		w.count.Faults++
		pick(w, w.settings.faults)(w)
	}
	w.in(time.Duration(w.random.ExpFloat64()*float64(w.settings.chaos)), func() { w.chaos(until) })
}

func (w *world) someone() *contractor { return pick(w, w.contractors) }

// while changes a link for some time.
func (w *world) while(way *link, change, back func(*link)) {
	change(way)
	w.in(w.between(500*time.Millisecond, 90*time.Second), func() { back(way) })
}

func cut(way *link)  { way.cut = true }
func mend(way *link) { way.cut = false }
func unclog(l *link) { l.slow = 0 }

// partition cuts a process off from everybody, or from one.
func partition(w *world) {
	w.count.Partitions++
	one := pick(w, w.processes)
	if w.chance(0.5) {
		other := pick(w, w.processes)
		w.note(one.name, "is cut off from", other.name, 0)
		w.while(w.link(one, other), cut, mend)
		w.while(w.link(other, one), cut, mend)
		return
	}
	w.note(one.name, "is cut off", "", 0)
	for _, other := range w.processes {
		w.while(w.link(one, other), cut, mend)
		w.while(w.link(other, one), cut, mend)
	}
}

// oneWay loses what goes one way: the answer to what was done.
func oneWay(w *world) {
	w.count.Partitions++
	c := w.someone()
	from, to := &pick(w, c.replicas).process, &c.replicas[0].db.process
	if w.chance(0.7) {
		from, to = to, from
	}
	w.note(from.name, "does not reach", to.name, 0)
	w.while(w.link(from, to), cut, mend)
}

// clog slows a random part of all links, each for a time of its own.
func clog(w *world) {
	w.note("network", "is clogged", "", 0)
	for i := range w.links {
		if w.chance(0.2) {
			slow := w.between(50*time.Millisecond, 6*time.Second)
			w.while(&w.links[i], func(l *link) { l.slow = slow }, unclog)
		}
	}
}

func crashOne(w *world) {
	w.count.Crashes++
	pick(w, w.someone().replicas).crash()
}

func crashAll(w *world) {
	for _, r := range w.someone().replicas {
		w.count.Crashes++
		r.crash()
	}
}

func gracefulStop(w *world) {
	pick(w, w.someone().replicas).stop(w.between(100*time.Millisecond, time.Minute))
}

// pauses are shorter and longer than a lease.
func (w *world) pause() time.Duration {
	return pick(w, []time.Duration{time.Second, 20 * time.Second, 31 * time.Second, 70 * time.Second, 4 * time.Minute})
}

func freezeOne(w *world) {
	w.count.Pauses++
	pick(w, w.processes).freeze(w.pause(), false)
}

func sleepOne(w *world) {
	w.count.Pauses++
	pick(w, w.someone().replicas).freeze(w.pause(), true)
}

func (w *world) jump() time.Duration {
	jumps := []time.Duration{
		-5 * time.Hour, -time.Hour, -time.Minute, -2 * time.Second, -400 * time.Millisecond,
		400 * time.Millisecond, 2 * time.Second, time.Minute, time.Hour, 5 * time.Hour,
	}
	return pick(w, jumps)
}

// setClock sets the clock of a machine; what runs there follows it by its own rules.
func setClock(w *world) {
	p := pick(w, w.processes)
	p.wall += w.jump()
	w.count.Jumps++
	w.note(p.name, "has its clock set", "", int64(p.wall))
}

// setStoreClock sets the clock of a server of books, which it follows at once, as databases do.
func setStoreClock(w *world) {
	if c := w.someone(); c.server != nil {
		c.server.wall += w.jump()
		c.server.goBy(c.server.wall)
		w.count.Jumps++
		w.note(c.server.name, "has its clock set", "", int64(c.server.wall))
	}
}

func (w *world) someDatabase() *database { return w.someone().replicas[0].db }

func slowDisk(w *world) {
	d := w.someDatabase()
	d.slow = w.between(100*time.Millisecond, 8*time.Second)
	w.count.DiskFaults++
	w.note(d.name, "has a slow disk", "", int64(d.slow))
	w.in(w.between(time.Second, 30*time.Second), func() { d.slow = 0 })
}

func fullDisk(w *world) {
	d := w.someDatabase()
	d.full = true
	w.count.DiskFaults++
	w.note(d.name, "has a full disk", "", 0)
	w.in(w.between(time.Second, 30*time.Second), func() { d.full = false })
}

func failingDisk(w *world) { w.someDatabase().sick = true }

func crashStore(w *world) {
	if d := w.someDatabase(); d.up {
		w.count.Crashes++
		d.die()
	}
}

// reconfigure changes a contractor's file, and has the replicas read it, one sooner than another.
func reconfigure(w *world) {
	c := w.someone()
	w.change(c)
	for _, r := range c.replicas {
		w.in(w.between(0, 20*time.Second), func() {
			if r.up {
				r.run(r.life, "reloads", r.reload)
			}
		})
	}
}

func reload(w *world) {
	r := pick(w, w.someone().replicas)
	if r.up {
		r.run(r.life, "reloads", r.reload)
	}
}

func crashMarket(w *world) {
	w.count.Crashes++
	pick(w, w.markets).crash()
}

func (w *world) ask(x *market, what string, c exchange.Command) {
	if x.up {
		x.run(x.life, what, func() { x.command(c) })
	}
}

func returnLead(w *world) {
	if x := pick(w, w.markets); len(x.sold) > 0 {
		late := x.sold[max(0, len(x.sold)-6):]
		w.ask(x, "takes a lead back", exchange.Return{Offer: pick(w, late)})
	}
}

func withdrawLead(w *world) {
	if x := pick(w, w.markets); len(x.offers) > 0 {
		late := x.offers[max(0, len(x.offers)-3):]
		w.ask(x, "withdraws a lead", exchange.Withdraw{Offer: pick(w, late)})
	}
}

func pauseBuyer(w *world) {
	x, c := pick(w, w.markets), w.someone()
	w.ask(x, "pauses a buyer", exchange.Pause{Buyer: c.name, Paused: true})
	w.in(w.between(time.Second, time.Minute), func() {
		w.ask(x, "resumes a buyer", exchange.Pause{Buyer: c.name})
	})
}

// owner is whose bid a post or notice is about; nil where nobody's.
func (w *world) owner(bidID string) *contractor {
	for _, c := range w.contractors {
		if c.bids[bidID] != nil {
			return c
		}
	}
	return nil
}

func (w *world) somePost() (post pingpost.Post, c *contractor, ok bool) {
	if x := pick(w, w.markets); len(x.posts) > 0 {
		post = pick(w, x.posts)
		c = w.owner(post.BidID)
	}
	return post, c, c != nil
}

// deliverPost has a post arrive at some replica, of which nobody waits for the answer.
func (w *world) deliverPost(c *contractor, post pingpost.Post) {
	r := c.someReplica()
	if r.up {
		r.run(r.life, "post from nowhere", func() { r.take(post, func(pingpost.Verdict) {}) })
	}
}

// repeatPost sends a post again, now or long after its bid has expired. The exchange knows of it, so
// that only one that it is done with or still waits for may be repeated: the same body.
func repeatPost(w *world) {
	if post, c, ok := w.somePost(); ok {
		w.in(w.between(0, 2*time.Minute), func() { w.deliverPost(c, post) })
	}
}

// someBid is a late bid that may not be posted yet, as its true post would be.
func (w *world) someBid() (post pingpost.Post, c *contractor, ok bool) {
	c = w.someone()
	if len(c.sent) == 0 {
		return post, c, false
	}
	p := pick(w, c.sent)
	return pingpost.Post{
		Exchange: p.exchange, PingID: p.ping, BidID: p.id, Price: p.price, Service: p.terms.Service, Job: p.terms.Job,
		ZIP: p.terms.ZIP, Exclusive: p.terms.Exclusive,
		Lead: pingpost.Lead{Phone: pingpost.NewPrivate(fmt.Sprintf("+1312%07d", 9000000+w.random.IntN(100000))), City: "Chicago"},
	}, c, true
}

// postOrBid is a post that was sent, or that of a bid that nobody may have posted: what is wrong with it
// must be seen without anything known of the ping or the bid.
func (w *world) postOrBid() (post pingpost.Post, c *contractor, ok bool) {
	if w.chance(0.5) {
		return w.someBid()
	}
	return w.somePost()
}

// changePost sends a post that differs from its bid. None of these may be accepted: said holds it
// against what was bid.
func changePost(w *world) {
	post, c, ok := w.postOrBid()
	if !ok {
		return
	}
	p := c.bids[post.BidID]
	switch w.random.IntN(6) {
	case 0:
		post.Price = p.price + 1
	case 1:
		post.ZIP = 60601
	case 2:
		post.Exclusive = !post.Exclusive
	case 3:
		post.PingID += "x"
	case 4:
		post.Service = pingpost.Windows
	case 5:
		post.Job = pingpost.Inspect
	}
	post.BodyHash = bodyOf(&post)
	w.deliverPost(c, post)
}

// forgePost sends a post of a bid id that nobody signed.
func forgePost(w *world) {
	post, c, ok := w.postOrBid()
	if !ok {
		return
	}
	id := []byte(post.BidID)
	id[w.random.IntN(len(id))] ^= byte(1 + w.random.IntN(7))
	if post.BidID = string(id); c.bids[post.BidID] == nil {
		post.BodyHash = bodyOf(&post)
		w.deliverPost(c, post)
	}
}

// repeatNotice sends a notice again.
func repeatNotice(w *world) {
	x := pick(w, w.markets)
	if len(x.notices) == 0 {
		return
	}
	notice := pick(w, x.notices)
	if c := w.owner(notice.BidID); c != nil {
		w.tell(c, notice)
	}
}

func (w *world) tell(c *contractor, notice pingpost.Notice) {
	r := c.someReplica()
	if r.up {
		r.run(r.life, "notice from nowhere", func() { r.notify(notice, func() {}) })
	}
}

// falseLoss tells that a bid lost whose post is on its way.
func falseLoss(w *world) {
	if post, c, ok := w.somePost(); ok {
		w.tell(c, pingpost.Notice{Exchange: post.Exchange, PingID: post.PingID, BidID: post.BidID, Outcome: pingpost.OutcomeLost})
	}
}

// rotateKeys has another key sign.
func rotateKeys(w *world) {
	r := pick(w, w.someone().replicas)
	if r.agent == nil || !r.up {
		return
	}
	r.run(r.life, "rotates keys", func() {
		r.ask("rotate", true, func(s store.Store) error {
			_, err := s.Rotate(context.Background(), store.Rotation{})
			return err
		}, func(error) {})
	})
}
