package main

import (
	"fmt"
	"testing"
	"time"

	"leadbid/pingpost"
)

// scene is a short day that is played by hand: one contractor, replicas on a server of books, one exchange
// of which only the name is there, and faults where the scene has them. What breaks a promise fails it, as in
// any day.
type scene struct {
	*world
	t     *testing.T
	c     *contractor
	asked int
}

const sceneBid = 40 // dollars, each

// newScene sets the stage: a day's budget, and an exchange whose bids stand for so long.
func newScene(t *testing.T, replicas int, budget int64, x exchangeTerms) *scene {
	w := newCalmWorld()
	x.name, x.tells, x.holdFor = "north", "none", 10*time.Second
	c := w.newBusiness("ann", replicas)
	c.terms = terms{
		zone: "America/Chicago", exchanges: []exchangeTerms{x},
		campaigns: []campaignTerms{{name: "hvac", service: pingpost.HVAC, base: sceneBid, dedupe: "1h", flat: true}},
	}
	c.terms.campaigns[0].dollars[pingpost.Day] = budget
	c.inForce = w.load(&c.terms)
	w.links = make([]link, len(w.processes)*len(w.processes))
	s := &scene{world: w, t: t, c: c}
	c.server.start()
	for _, r := range c.replicas {
		r.start()
		s.wait(3 * time.Second)
	}
	return s
}

// play ends at the first promise that is broken.
func (s *scene) play(do func()) {
	s.t.Helper()
	defer func() {
		s.t.Helper()
		if f := recover(); f != nil {
			if _, ours := f.(stopped); !ours {
				panic(f)
			}
			s.t.Error(s.failure)
		}
	}()
	do()
}

func (s *scene) wait(d time.Duration) { s.until(s.now.Add(d)) }

// change puts other terms in force at some of the replicas.
func (s *scene) change(at []*replica, do func(terms *terms)) {
	do(&s.c.terms)
	s.c.inForce = s.load(&s.c.terms)
	for _, r := range at {
		r.reload()
	}
}

// offer is a ping with what it was answered; Kind is that of no bid where there was none.
type offer struct {
	ping   pingpost.Ping
	answer pingpost.Answer
}

func (s *scene) bid(r *replica) *offer {
	s.asked++
	o := &offer{ping: pingpost.Ping{
		Exchange: "north", ID: fmt.Sprint("p-", s.asked), TmaxMS: 300, Service: pingpost.HVAC, Job: pingpost.Repair,
		ZIP: 60614, State: "IL", Homeowner: pingpost.Yes, Exclusive: true,
	}}
	r.bid(&o.ping, func(answer pingpost.Answer) { o.answer = answer })
	s.wait(2 * time.Millisecond)
	return o
}

// wantBid is bid where there must be one.
func (s *scene) wantBid(r *replica) *offer {
	s.t.Helper()
	o := s.bid(r)
	if o.answer.Kind != pingpost.AnswerBid {
		s.t.Fatalf("%s does not bid: %v", r.name, o.answer.Reason)
	}
	return o
}

// post sends the lead of a bid, and gives what was said to it so far once it is called.
func (s *scene) post(r *replica, o *offer) (said func() pingpost.Verdict) {
	post := pingpost.Post{
		Exchange: "north", PingID: o.ping.ID, BidID: o.answer.BidID, Price: o.answer.Bid, Service: o.ping.Service,
		Job: o.ping.Job, ZIP: o.ping.ZIP, Exclusive: true,
		Lead: pingpost.Lead{Email: pingpost.NewPrivate(o.ping.ID + "@example.com"), City: "Chicago"},
	}
	post.BodyHash = bodyOf(&post)
	var verdict pingpost.Verdict
	r.take(post, func(v pingpost.Verdict) { verdict = v })
	return func() pingpost.Verdict { return verdict }
}

// wantBought posts a bid, and a second later it must be bought.
func (s *scene) wantBought(r *replica, o *offer) {
	s.t.Helper()
	said := s.post(r, o)
	s.wait(time.Second)
	if v := said(); v.Kind != pingpost.VerdictAccepted {
		s.t.Errorf("the post of %s: %s", o.ping.ID, verdictWord(v))
	}
}

func (s *scene) void(r *replica, o *offer) {
	s.t.Helper()
	acknowledged := false
	notice := pingpost.Notice{Exchange: "north", PingID: o.ping.ID, BidID: o.answer.BidID, Outcome: pingpost.OutcomeVoided}
	r.notify(notice, func() { acknowledged = true })
	s.wait(100 * time.Millisecond)
	if !acknowledged {
		s.t.Errorf("%s does not acknowledge the notice on %s", r.name, o.ping.ID)
	}
}

// TestSceneVoidedTwice: the post was another replica's affair, and so was the first notice that withdrew it. What the
// second one tells the owner of the lease is not that the lease has the money.
func TestSceneVoidedTwice(t *testing.T) {
	s := newScene(t, 2, 128, exchangeTerms{binding: true, ttl: time.Minute})
	s.play(func() {
		owner, other := s.c.replicas[0], s.c.replicas[1]
		first := s.wantBid(owner)
		s.wantBought(other, first)
		s.void(other, first)
		s.void(owner, first)
		for range 5 {
			s.bid(owner)
		}
	})
}

// TestSceneAnotherBidTTL: a bid of today is today's, also where a replica books it that lets bids stand from yesterday.
func TestSceneAnotherBidTTL(t *testing.T) {
	s := newScene(t, 2, 128, exchangeTerms{ttl: 30 * time.Second})
	s.play(func() {
		maker, other := s.c.replicas[0], s.c.replicas[1]
		s.until(time.Date(2026, time.March, 4, 6, 0, 40, 0, time.UTC)) // 00:00:40 in Chicago
		late := s.wantBid(maker)
		s.wait(13 * time.Second) // beyond its hold
		for range 3 {
			if o := s.bid(maker); o.answer.Kind == pingpost.AnswerBid {
				s.wantBought(maker, o)
			}
		}
		s.change([]*replica{other}, func(t *terms) { t.exchanges[0].ttl = 5 * time.Minute })
		s.wait(500 * time.Millisecond)
		s.post(other, late)
		s.wait(time.Second)
		var spent pingpost.Cents
		for _, lead := range s.c.books.Bought() {
			spent += lead.Price
		}
		if spent == 0 || spent > 128_00 {
			t.Errorf("%v were spent of a day's $128", spent)
		}
	})
}

// TestSceneMadeBinding: bids of before may be posted after their holds, and their money is not promised again.
func TestSceneMadeBinding(t *testing.T) {
	s := newScene(t, 1, 64, exchangeTerms{ttl: time.Minute})
	s.play(func() {
		r := s.c.replicas[0]
		first := s.wantBid(r)
		s.wait(13 * time.Second)
		s.change(s.c.replicas, func(t *terms) { t.exchanges[0].binding = true })
		s.wait(5 * time.Second)
		second := s.bid(r)
		s.post(r, first)
		s.wait(time.Second)
		if second.answer.Kind == pingpost.AnswerBid {
			s.wantBought(r, second)
		}
	})
}

// TestScenePostOfTheLastMoment: one that comes in time is written a moment later, and finds its money.
func TestScenePostOfTheLastMoment(t *testing.T) {
	s := newScene(t, 2, 64, exchangeTerms{binding: true, ttl: 10 * time.Second})
	s.play(func() {
		owner, other := s.c.replicas[0], s.c.replicas[1]
		first := s.wantBid(owner)
		s.wait(11900 * time.Millisecond) // it expires after 10 s, and 2 s of grace
		s.link(&other.process, &s.c.server.process).slow = 400 * time.Millisecond
		said := s.post(other, first)
		s.wait(300 * time.Millisecond)
		if second := s.bid(owner); second.answer.Kind == pingpost.AnswerBid {
			s.wait(2 * time.Second)
			s.wantBought(owner, second)
		}
		s.wait(2 * time.Second)
		if v := said(); v.Kind != pingpost.VerdictAccepted || s.count.LostToClocks > 0 {
			t.Errorf("the post of the last moment: %s, and %d posts were lost", verdictWord(v), s.count.LostToClocks)
		}
	})
}

// TestSceneServersClockBackAndForth: what was told of a lease while it was behind is not believed for longer than any
// lease lasts.
func TestSceneServersClockBackAndForth(t *testing.T) {
	s := newScene(t, 1, 64, exchangeTerms{binding: true, ttl: 5 * time.Minute})
	s.play(func() {
		r := s.c.replicas[0]
		s.c.server.goBy(-time.Hour)
		s.wait(25 * time.Second)
		s.c.server.goBy(0)
		s.wait(5 * time.Minute)
		first := s.wantBid(r)
		s.wait(2 * time.Minute)
		s.bid(r)
		s.wait(time.Second)
		if second := s.bid(r); second.answer.Kind == pingpost.AnswerBid {
			s.wantBought(r, second)
		}
		s.wantBought(r, first)
	})
}
