package main

import (
	"time"

	"leadbid/exchange"
	"leadbid/pingpost"
)

// market is one exchange process: the real Market in the loop of exchange/server/desk.go, with books
// that keep every committed event. A crash loses a batch that was being committed, or keeps it and
// loses what it asked for.
type market struct {
	process
	config *exchange.Config
	m      *exchange.Market
	leads  map[exchange.OfferID]*exchange.Lead

	events   []exchange.Event // committed
	money    exchange.AuditMoney
	queue    []exchange.Command
	batch    []exchange.Event // being committed
	newLeads []*exchange.Lead
	busy     bool
	planned  int
	offers   []exchange.OfferID
	sold     []exchange.OfferID
	posts    []pingpost.Post // the latest that were sent, for those who repeat or change them
	notices  []pingpost.Notice
}

func (x *market) start() {
	if x.up {
		return
	}
	x.up, x.clock = true, x.wall
	x.life++
	x.queue, x.busy = nil, false
	x.w.note(x.name, "starts", "", int64(len(x.events)))
	restored, err := exchange.Replay(x.config, x.events, func(root exchange.OfferID) *exchange.Lead { return x.leads[root] })
	if err != nil {
		x.w.fail("E7", "%s: %v", x.name, err)
	}
	if step := restored.Last().Sub(x.now()); step > 0 {
		x.clock += step // its time does not go back behind its books
	}
	x.m = restored
	x.after(time.Millisecond, "opens", func() { x.command(exchange.Start{}) })
}

func (x *market) crash() {
	if !x.up {
		return
	}
	x.ended()
	if x.busy && x.w.chance(0.5) {
		x.commit() // nobody heard of it
	}
	x.batch, x.newLeads = nil, nil
	life := x.life
	x.w.in(x.w.between(50*time.Millisecond, 15*time.Second), func() {
		if x.life == life {
			x.start()
		}
	})
}

// command has the desk take a command with the next batch.
func (x *market) command(c exchange.Command) {
	x.queue = append(x.queue, c)
	if !x.busy {
		x.serve()
	}
}

// serve applies a batch, commits it, and acts on it only then.
func (x *market) serve() {
	if x.wall-x.clock > 100*time.Millisecond {
		x.clock = x.wall
	}
	now := x.now()
	for _, c := range x.queue {
		applied := x.m.Apply(now, c)
		x.batch = append(x.batch, applied.Events...)
		if applied.Lead != nil {
			x.newLeads = append(x.newLeads, applied.Lead)
		}
		if err := x.m.Check(); err != nil {
			x.w.fail("E", "%s after %T: %v", x.name, c, err)
		}
	}
	x.queue = nil
	if len(x.batch) == 0 {
		x.plan()
		return
	}
	x.busy = true
	x.after(x.w.between(time.Millisecond, 6*time.Millisecond), "commits", x.committed)
}

func (x *market) committed() {
	events := x.batch
	x.commit()
	x.busy, x.batch, x.newLeads = false, nil, nil
	for _, action := range x.m.Actions(events) {
		x.act(action)
	}
	if len(x.queue) > 0 {
		x.serve()
		return
	}
	x.plan()
}

// commit makes the batch durable.
func (x *market) commit() {
	for i := range x.batch {
		e := &x.batch[i]
		x.money.Add(e)
		x.w.note(x.name, e.Kind.String(), string(e.Offer), int64(e.Price))
		switch e.Kind {
		case exchange.Sold:
			x.w.count.Sold++
			x.sold = append(x.sold, e.Offer)
		case exchange.Returned:
			x.w.count.Returned++
		case exchange.VoidRequested:
			if e.Attempt == 1 {
				x.w.count.Voided++
			}
		}
	}
	for _, finding := range x.money.Findings {
		x.w.fail(finding.ID, "%s: %s", x.name, finding.What)
	}
	for _, lead := range x.newLeads {
		x.leads[lead.Offer] = lead
		x.offers = append(x.offers, lead.Offer)
	}
	x.events = append(x.events, x.batch...)
}

// plan sets the timer to what the Market has to do next.
func (x *market) plan() {
	due, ok := x.m.Due()
	if !ok {
		return
	}
	x.planned++
	planned, life := x.planned, x.life
	x.w.in(max(due.Sub(x.now()), time.Millisecond), func() {
		if x.life == life && x.planned == planned {
			x.run(life, "ticks", func() { x.command(exchange.Tick{}) })
		}
	})
}

func (x *market) act(action exchange.Action) {
	switch a := action.(type) {
	case exchange.SendPings:
		x.auction(a)
	case exchange.SendPost:
		x.post(a)
	case exchange.SendNotice:
		x.notice(a)
	}
}

// patience is how long a request of the exchange waits to be served where its sender has long given up.
const patience = time.Hour

// auction asks the buyers, and closes when all have answered or the time is over.
func (x *market) auction(a exchange.SendPings) {
	asked := x.w.now
	left := a.Deadline.Sub(x.now())
	answers := make([]exchange.Answer, len(a.Buyers))
	for i, buyer := range a.Buyers {
		answers[i] = exchange.Answer{Buyer: buyer, Status: exchange.AnswerTimedOut, Reason: pingpost.TimedOut, Latency: max(left, 0)}
	}
	open, closed := len(a.Buyers), false
	finish := func() {
		if !closed {
			closed = true
			x.command(exchange.CloseAuction{Offer: a.Offer, Answers: answers})
		}
	}
	x.after(left, "closes an auction", finish)
	for i, name := range a.Buyers {
		c := x.w.contractor(name)
		ping := a.Ping
		ping.Exchange, ping.TmaxMS = x.name, int(max(left-20*time.Millisecond, time.Millisecond).Milliseconds())
		x.w.count.Pings++
		r := c.someReplica()
		var told pingpost.Answer
		x.call(&r.process, "ping", left, patience, func(answer func(func())) {
			r.bid(&ping, func(reply pingpost.Answer) { answer(func() { told = reply }) })
		}, func(ok bool) {
			if closed {
				return
			}
			answers[i] = x.answerOf(name, told, ok, x.w.now.Sub(asked))
			if open--; open == 0 {
				finish()
			}
		})
	}
}

func (x *market) answerOf(buyer string, told pingpost.Answer, ok bool, latency time.Duration) exchange.Answer {
	answer := exchange.Answer{Buyer: buyer, Latency: latency}
	switch {
	case !ok:
		answer.Status, answer.Detail = exchange.AnswerBroken, "no connection"
	case told.Kind == pingpost.AnswerBid:
		answer.Status, answer.Bid, answer.BidID = exchange.AnswerBid, told.Bid, told.BidID
		answer.Until = x.now().Add(time.Duration(told.ExpiresInMS) * time.Millisecond)
	default:
		answer.Status, answer.Reason = exchange.AnswerNoBid, told.Reason
	}
	return answer
}

func (x *market) post(a exchange.SendPost) {
	post := a.Post
	post.Exchange = x.name
	post.BodyHash = bodyOf(&post)
	remember(&x.posts, post)
	c := x.w.contractor(a.Buyer)
	r := c.someReplica()
	asked := x.w.now
	var verdict pingpost.Verdict
	x.call(&r.process, "post", a.Until.Sub(x.now()), patience, func(answer func(func())) {
		r.take(post, func(v pingpost.Verdict) { answer(func() { verdict = v }) })
	}, func(bool) {
		x.command(exchange.PostAnswered{Offer: a.Offer, Buyer: a.Buyer, Verdict: verdict, Latency: x.w.now.Sub(asked)})
	})
}

func (x *market) notice(a exchange.SendNotice) {
	notice := a.Notice
	notice.Exchange = x.name
	remember(&x.notices, notice)
	c := x.w.contractor(a.Buyer)
	r := c.someReplica()
	x.call(&r.process, "notice", 3*time.Second, patience, func(answer func(func())) {
		r.notify(notice, func() { answer(func() {}) })
	}, func(ok bool) {
		if ok && a.MustArrive {
			x.command(exchange.NoticeAcked{Offer: a.Offer, Buyer: a.Buyer, Outcome: notice.Outcome})
		}
	})
}

// remember keeps the latest few.
func remember[T any](list *[]T, value T) {
	const kept = 64
	if len(*list) == kept {
		copy(*list, (*list)[1:])
		(*list)[kept-1] = value
		return
	}
	*list = append(*list, value)
}
