package main

import (
	"context"
	"fmt"
	"time"

	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/internal/planted"
	"leadbid/pingpost"
)

// posting is the way of one post through a replica, step by step: settle in bidder/server/post.go,
// with an end of the process possible between any two steps.
type posting struct {
	r      *replica
	post   pingpost.Post
	came   time.Time
	began  time.Time // by the true time
	over   bool
	answer func(pingpost.Verdict)
}

func (r *replica) take(post pingpost.Post, answer func(pingpost.Verdict)) {
	if r.agent == nil || r.stopping {
		return
	}
	p := &posting{r: r, post: post, came: r.now(), began: r.w.now, answer: answer}
	r.after(storeTimeout, "gives a post up", func() {
		if !p.over {
			p.busy()
		}
	})
	p.open()
}

// open reads the bid id; one of a key that is not known here yet is no forgery before the store was
// asked.
func (p *posting) open() {
	ref, seal := p.r.keys.OpenBidID(p.post.BidID, p.post.Exchange, p.post.PingID)
	if seal != budget.SealNewer {
		p.lookUp(ref, seal)
		return
	}
	p.r.readKeys(func(err error) {
		if p.over || err != nil {
			p.busy()
			return
		}
		ref, seal := p.r.keys.OpenBidID(p.post.BidID, p.post.Exchange, p.post.PingID)
		p.lookUp(ref, seal)
	})
}

// lookUp asks for an answer given before.
func (p *posting) lookUp(ref budget.BidRef, seal budget.Seal) {
	if signed := seal == budget.SealGood || seal == budget.SealFormer; !signed || ref.Lease == 0 {
		p.settle(ref, seal == budget.SealGood)
		return
	}
	var answer store.PostAnswer
	var found bool
	key := server.KeyOf(&p.post)
	p.r.ask("answer", false, func(s store.Store) (err error) {
		answer, found, err = s.Answer(context.Background(), key)
		return err
	}, func(err error) {
		switch {
		case p.over:
		case err != nil:
			p.busy()
		case found:
			p.reply(server.VerdictOf(&p.post, answer))
		default:
			p.settle(ref, seal == budget.SealGood)
		}
	})
}

// settle asks the Agent, and has the store make durable what it decided.
func (p *posting) settle(ref budget.BidRef, authentic bool) {
	r := p.r
	settlement := r.agent.Settle(p.came, &p.post, ref, authentic)
	if settlement.Charge.BidID == "" {
		p.reply(server.NotBooked(&p.post, settlement))
		return
	}
	r.c.leadIDs++
	id := fmt.Sprintf("lead-%d", r.c.leadIDs)
	durable := server.Durable(p.came, &p.post, settlement, id, r.begun.ContactKey)
	var answer store.PostAnswer
	r.after(0, "posts", func() {
		r.ask("post", true, func(s store.Store) (err error) {
			if answer, err = s.Post(context.Background(), durable); err == nil {
				r.c.paid(&p.post, answer)
			}
			return err
		}, func(err error) {
			if p.over {
				return
			}
			if err != nil {
				p.busy()
				return
			}
			told := server.ToldOf(settlement.Charge, answer)
			r.agent.Charged(r.now(), told)
			r.check()
			if told.Accepted && !told.Repeat {
				r.wake()
			}
			r.after(0, "answers a post", func() { p.reply(server.VerdictOf(&p.post, answer)) })
		})
	})
}

func (p *posting) busy() {
	if p.over {
		return
	}
	p.over = true
	p.r.w.count.Busy++
	p.answer(pingpost.Verdict{Kind: pingpost.VerdictBusy, PingID: p.post.PingID, Reason: pingpost.StoreAway})
	p.r.wake()
}

func (p *posting) reply(verdict pingpost.Verdict) {
	if p.over {
		return
	}
	p.over = true
	p.r.c.said(p.r, &p.post, verdict, p.began)
	p.answer(verdict)
}

// notify is the way of a notice: what moves money or withdraws a bid is durable before it is
// acknowledged.
func (r *replica) notify(notice pingpost.Notice, acknowledge func()) {
	if r.agent == nil || r.stopping {
		return
	}
	ref, seal := r.keys.OpenBidID(notice.BidID, notice.Exchange, notice.PingID)
	if seal == budget.SealNewer {
		r.readKeys(func(err error) {
			ref, seal := r.keys.OpenBidID(notice.BidID, notice.Exchange, notice.PingID)
			if err == nil && seal != budget.SealNewer {
				r.apply(notice, ref, seal, acknowledge)
			}
		})
		return
	}
	r.apply(notice, ref, seal, acknowledge)
}

func (r *replica) apply(notice pingpost.Notice, ref budget.BidRef, seal budget.Seal, acknowledge func()) {
	if seal != budget.SealGood && seal != budget.SealFormer {
		return // 404: it was not signed here for this ping
	}
	tell := func() {
		prices := bidder.Prices{Clearing: notice.ClearingPrice, MinBidToWin: notice.MinBidToWin}
		r.agent.NotifyPrices(r.now(), notice.Outcome, ref, prices)
		r.check()
		r.after(0, "acknowledges", acknowledge)
	}
	switch {
	case ref.Lease == 0:
		acknowledge()
	case notice.Outcome != pingpost.OutcomeReturned && notice.Outcome != pingpost.OutcomeVoided,
		notice.Outcome == pingpost.OutcomeVoided && planted.Is(planted.NoticeFirst):
		tell()
	default:
		credit := store.Credit{
			Exchange: notice.Exchange, PingID: notice.PingID, BidID: notice.BidID, Outcome: notice.Outcome, At: r.now(),
		}
		var answer store.CreditAnswer
		r.ask("credit", true, func(s store.Store) (err error) {
			answer, err = s.Credit(context.Background(), credit)
			return err
		}, func(err error) {
			if err != nil {
				return // 503: the exchange sends the notice again
			}
			if answer.Credited > 0 {
				r.w.count.Credits++
			}
			if answer.Lease != nil {
				r.agent.Answered(r.now(), budget.UpkeepAnswer{Leases: []budget.LeaseState{*answer.Lease}})
			}
			tell()
		})
	}
}
