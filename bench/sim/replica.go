package main

import (
	"context"
	"time"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
	"leadbid/rules"
)

// The bounds of the shell: bidder/server's.
const (
	leaseStepMin = 20 * time.Millisecond
	awayStep     = time.Second
	storeTimeout = 5 * time.Second
	keyLook      = 5 * time.Second

	// leaseStepMax is 1 s there: it also looks when nothing is due.
	leaseStepMax = 10 * time.Second

	// session is how long after it was sent a server of books still does what a caller asked for: its
	// session is ended then, as idle in a transaction.
	session = 8 * time.Second
)

// replica is one bidder process: the real Agent in a shell of steps.
type replica struct {
	process
	c     *contractor
	db    *database
	agent *bidder.Agent
	begun store.Run
	keys  *budget.Keyring

	rules      *rules.Ruleset
	plan       *budget.Plan
	generation uint32

	tending  bool
	nextLook int // the number of the look that is planned: others are stale
	stopping bool

	heard time.Time // when the latest question was sent that the books' server has heard
}

// ask asks the books, and hears of it once.
func (r *replica) ask(what string, write bool, do func(store.Store) error, done func(error)) {
	if r.db.owner != nil {
		r.askOwn(what, write, do, done)
		return
	}
	var err error
	asked, sent := false, r.w.now
	r.call(&r.db.process, what, storeTimeout, session, func(answer func(func())) {
		if asked || sent.Before(r.heard) && r.w.now.Sub(sent) > storeTimeout {
			return // a connection repeats nothing by itself, and what was given up is done before what is asked next, or never
		}
		asked = true
		if sent.After(r.heard) {
			r.heard = sent
		}
		r.db.ask(&query{write: write, do: do, answer: func(told error) {
			answer(func() { err = told })
		}})
	}, func(ok bool) {
		if !ok {
			err = store.ErrAway
		}
		done(err)
	})
}

// askOwn asks books that are part of this process: what they have begun is waited for.
func (r *replica) askOwn(what string, write bool, do func(store.Store) error, done func(error)) {
	if !r.db.up {
		r.after(0, what+" refused", func() { done(store.ErrAway) })
		return
	}
	q := &query{write: write, do: do}
	q.answer = func(err error) {
		if !q.dropped {
			r.after(0, what+" answered", func() { done(err) })
		}
	}
	r.db.ask(q)
	life := r.life
	r.w.in(storeTimeout, func() {
		if r.life == life && !q.begun && !q.dropped {
			q.dropped = true
			r.run(life, what+" given up", func() { done(errGivenUp) })
		}
	})
}

// start begins a life: a new run on the books, a new Agent, and nothing of the former one.
func (r *replica) start() {
	if r.up {
		return
	}
	r.up = true
	r.goBy(r.wall)
	r.life++
	r.agent, r.tending, r.stopping = nil, false, false
	r.w.count.Starts++
	r.w.note(r.name, "starts", "", 0)
	if r.db.owner != nil && !r.db.up {
		r.db.start()
	}
	r.after(r.w.between(10*time.Millisecond, 300*time.Millisecond), "begins a run", r.begin)
}

func (r *replica) begin() {
	r.rules, r.plan, r.generation = r.c.inForce.rules, r.c.inForce.plan, 1
	var run store.Run
	r.ask("begin", true, func(s store.Store) (err error) {
		run, err = s.Begin(context.Background())
		return err
	}, func(err error) {
		if err != nil {
			r.giveUp()
			return
		}
		r.begun, r.keys = run, run.Keys
		r.agent = bidder.New(run.ID, r.rules, budget.NewBook(r.plan))
		r.tend()
		r.lookAtKeys()
		r.deliver()
	})
}

// giveUp ends a process that cannot go on; what supervises it starts it again.
func (r *replica) giveUp() {
	r.w.note(r.name, "gives up", "", 0)
	r.crash()
}

// crash is kill -9, and what supervises the process.
func (r *replica) crash() {
	if !r.up {
		return
	}
	r.ended()
	r.agent = nil
	if r.db.owner == r {
		r.db.crash()
	}
	r.restartIn(r.w.between(50*time.Millisecond, 20*time.Second))
}

func (r *replica) restartIn(d time.Duration) {
	life := r.life
	r.w.in(d, func() {
		if r.life == life {
			r.start()
		}
	})
}

// tend is one turn of the lease loop (bidder/server/leases.go).
func (r *replica) tend() {
	if r.tending {
		return
	}
	r.follow()
	ask, ok, _ := r.agent.Upkeep(r.now())
	if !ok {
		r.lookAgain(r.untilDue())
		return
	}
	r.tending = true
	var answer budget.UpkeepAnswer
	run, plan := r.begun, r.plan
	r.ask("upkeep", true, func(s store.Store) (err error) {
		answer, err = s.Upkeep(context.Background(), run, plan, ask)
		return err
	}, func(err error) {
		r.tending = false
		if err != nil {
			r.w.count.Away++
			r.agent.Away(r.now())
			if r.db.owner != nil && !r.db.up {
				r.giveUp()
				return
			}
			r.lookAgain(awayStep)
			return
		}
		r.agent.Answered(r.now(), answer)
		r.check()
		r.lookAgain(r.untilDue())
	})
}

func (r *replica) untilDue() time.Duration {
	due, ok := r.agent.Due(r.now())
	if !ok {
		return leaseStepMax
	}
	return min(max(due.Sub(r.now()), leaseStepMin), leaseStepMax)
}

func (r *replica) lookAgain(d time.Duration) {
	r.nextLook++
	look := r.nextLook
	life := r.life
	r.w.in(d, func() {
		if r.life == life && r.nextLook == look && !r.tending {
			r.run(life, "looks at its leases", r.tend)
		}
	})
}

// wake has the lease loop look at once.
func (r *replica) wake() {
	if !r.tending {
		r.lookAgain(leaseStepMin)
	}
}

// check asks the Agent for its own invariants.
func (r *replica) check() {
	if err := r.agent.Check(); err != nil {
		r.w.fail("B1", "%s: %v", r.name, err)
	}
}

// lookAtKeys is the key loop (bidder/server/keys.go).
func (r *replica) lookAtKeys() {
	wait := keyLook
	if r.w.random.IntN(8) > 0 {
		wait = 10 * keyLook // which is still within the minute that a new key waits
	}
	r.after(wait, "reads the keys", func() {
		r.readKeys(func(error) {})
		r.lookAtKeys()
	})
}

func (r *replica) readKeys(done func(error)) {
	var ring *budget.Keyring
	r.ask("keys", false, func(s store.Store) (err error) {
		ring, err = s.Keys(context.Background())
		return err
	}, func(err error) {
		if err == nil {
			r.keys = ring
		}
		done(err)
	})
}

// reload puts the contractor's present configuration in force (bidder/server/reload.go).
func (r *replica) reload() {
	next := r.c.inForce
	if r.agent == nil || r.rules == next.rules {
		return
	}
	r.rules, r.plan = next.rules, next.plan
	r.generation++
	r.agent.Swap(r.now(), next.rules, r.generation, nil)
	r.w.count.Reloads++
	r.wake()
}

// stop ends the process gracefully: what no open bid needs goes back first.
func (r *replica) stop(again time.Duration) {
	if r.agent == nil || r.stopping {
		return
	}
	r.stopping = true
	ended := func(error) {
		r.w.note(r.name, "has stopped", "", 0)
		r.w.count.Stops++
		r.ended()
		r.agent = nil
		if r.db.owner == r {
			r.db.books.Sync()
			r.db.ended()
			r.db.queue, r.db.syncing = nil, false
		}
		r.restartIn(again)
	}
	ask, ok, _ := r.agent.Surrender(r.now())
	if !ok {
		ended(nil)
		return
	}
	run, plan := r.begun, r.plan
	r.ask("surrender", true, func(s store.Store) error {
		_, err := s.Upkeep(context.Background(), run, plan, ask)
		return err
	}, ended)
}

// deliver hands over what is owed, one lead after the other, until nothing is due.
func (r *replica) deliver() {
	var due []store.Delivery
	now := r.now()
	r.ask("due", false, func(s store.Store) (err error) {
		due, err = s.Due(context.Background(), now, 8)
		return err
	}, func(err error) {
		if err == nil {
			for _, one := range due {
				r.claim(one)
			}
		}
		r.after(r.w.between(20*time.Second, 40*time.Second), "looks at its deliveries", r.deliver)
	})
}

// claim has a delivery to itself for an attempt.
func (r *replica) claim(owed store.Delivery) {
	var given bool
	r.ask("claim", true, func(s store.Store) (err error) {
		given, err = s.Claim(context.Background(), store.Claim{
			Run: r.begun.ID, ID: owed.ID, Number: owed.Attempts + 1, Lasts: 10 * time.Second,
		})
		return err
	}, func(err error) {
		if err == nil && given {
			r.handOver(owed)
		}
	})
}

// handOver is one attempt at one delivery. The receiver may have it although the sender hears nothing.
func (r *replica) handOver(owed store.Delivery) {
	crm := r.c.crm
	var got bool
	r.call(&crm.process, "delivery", 3*time.Second, time.Hour, func(answer func(func())) {
		crm.received[owed.ID]++
		answer(func() { got = true })
	}, func(bool) {
		result := store.Attempt{ID: owed.ID, Number: owed.Attempts + 1, At: r.now(), Done: got}
		if !got {
			result.Next = r.now().Add(10 * time.Second)
		}
		r.ask("attempted", true, func(s store.Store) error {
			return s.Attempted(context.Background(), result)
		}, func(error) {})
	})
}

// bid is the way of a ping (bidder/server/handle.go).
func (r *replica) bid(ping *pingpost.Ping, answer func(pingpost.Answer)) {
	if r.agent == nil || r.stopping {
		return
	}
	own := *ping
	own.Digest = own.ComputeDigest()
	arrived, at := r.now(), r.w.now
	decision, by := r.agent.Decide(arrived, &own), r.rules
	delay := r.w.between(50*time.Microsecond, 500*time.Microsecond)
	if r.w.fault(r.w.settings.slip) {
		delay = r.w.between(0, time.Second)
	}
	r.after(delay, "answers a ping", func() {
		reply := pingpost.Answer{PingID: own.ID, Reason: decision.Reason}
		if took := r.now().Sub(arrived); decision.Bid && took > time.Duration(own.TmaxMS-5)*time.Millisecond {
			r.agent.Cancel(r.now(), decision.Seq)
			decision.Bid, reply.Reason = false, pingpost.Late
		}
		if decision.Bid {
			reply.Kind, reply.Bid = pingpost.AnswerBid, decision.Price
			reply.BidID = string(r.keys.AppendBidID(nil, decision.Ref, own.Exchange, own.ID))
			reply.ExpiresInMS = decision.ExpiresIn().Milliseconds()
			r.c.promised(r, by, &own, &decision, reply.BidID, at, arrived)
		}
		r.c.heard(reply.Reason)
		answer(reply)
		switch reply.Reason {
		case pingpost.OpenBids, pingpost.BudgetExhausted, pingpost.CapacityFull, pingpost.StoreAway:
			r.wake()
		}
	})
}
