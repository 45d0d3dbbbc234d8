package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"time"

	"leadbid/bench/sim/books"
	"leadbid/budget"
	"leadbid/exchange"
	"leadbid/pingpost"
)

// zones are where contractors live: some change their clocks at midnight, one by half an hour.
var zones = []string{
	"America/Chicago", "America/Chicago", "America/New_York", "America/Los_Angeles", "America/Phoenix",
	"America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe",
}

// fault is one kind of larger fault.
type fault func(w *world)

// play simulates the day of a seed. print, where not nil, hears of every step.
func play(seed uint64, print func(step)) *world {
	w := newWorld(seed)
	w.trace.print = print
	w.day()
	return w
}

func newWorld(seed uint64) *world {
	return &world{seed: seed, random: rand.New(rand.NewPCG(seed, 0x1eadb1d)), trace: newTrace()}
}

// day plays the whole day, up to the first broken promise.
func (w *world) day() {
	defer func() {
		if fault := recover(); fault != nil {
			if _, ours := fault.(stopped); !ours {
				w.failure = &failure{seed: w.seed, at: w.now, id: "panic", what: fmt.Sprint(fault), last: w.trace.latest()}
				if w.trace.print != nil {
					panic(fault) // with its stack
				}
			}
		}
	}()
	w.build()
	w.live()
	w.calmDown()
	w.settleAll()
	w.spendAgain()
	w.settleAll()
	w.verifyAll()
}

// build makes a world up.
func (w *world) build() {
	location, err := time.LoadLocation(pick(w, zones))
	if err != nil {
		panic(err)
	}
	w.began = w.drawDate(location)
	w.now = w.began
	w.drawSettings()
	for i := range 1 + w.random.IntN(2) {
		w.markets = append(w.markets, &market{process: w.newProcess([]string{"north", "south"}[i])})
	}
	for i := range 1 + w.random.IntN(3) {
		w.newContractor([]string{"ann", "bob", "cat"}[i], location.String())
	}
	for _, x := range w.markets {
		x.leads = map[exchange.OfferID]*exchange.Lead{}
		x.config = w.marketConfig(x.name, location)
		x.die = x.crash
		w.enrol(&x.process)
	}
	n := len(w.processes)
	w.links = make([]link, n*n)
	for _, x := range w.markets {
		x.start()
	}
	for _, c := range w.contractors {
		if c.server != nil {
			c.server.start()
		}
		c.crm.up = true
		for _, r := range c.replicas {
			r.start()
		}
	}
}

// drawDate gives noon of a day, so that midnight and the change of clocks are in the middle.
func (w *world) drawDate(location *time.Location) time.Time {
	day := time.Date(2024+w.random.IntN(16), time.January, 1+w.random.IntN(366), 12, 0, 0, 0, location)
	switch w.random.IntN(4) {
	case 0: // the day before clocks change
		if _, change := day.ZoneBounds(); !change.IsZero() {
			before := change.In(location).AddDate(0, 0, -1)
			day = time.Date(before.Year(), before.Month(), before.Day(), 12, 0, 0, 0, location)
		}
	case 1: // the last of a month
		day = time.Date(day.Year(), day.Month()+1, 0, 12, 0, 0, 0, location)
	}
	return day.UTC()
}

func (w *world) drawSettings() {
	mild := []float64{0, 0, 0.001, 0.01, 0.05}
	w.settings = settings{
		drop: pick(w, mild), repeat: pick(w, mild), tail: pick(w, mild), slip: pick(w, mild),
		crash: pick(w, []float64{0, 0.0001, 0.0005, 0.002}),
		chaos: pick(w, []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 10 * time.Minute}),
		rate:  pick(w, []time.Duration{300 * time.Millisecond, time.Second, 3 * time.Second}),
	}
	for _, one := range faults {
		if w.chance(0.5) {
			w.settings.faults = append(w.settings.faults, one)
		}
	}
}

// newContractor makes a business with one bidder that keeps its own books, or with several on a server.
func (w *world) newContractor(name, zone string) {
	t := w.drawTerms(zone, w.markets)
	c := w.newBusiness(name, w.random.IntN(4))
	c.terms = t
	c.inForce = w.load(&c.terms)
}

// newBusiness makes a contractor without terms. Of 0 replicas, one keeps the books itself.
func (w *world) newBusiness(name string, replicas int) *contractor {
	c := &contractor{
		w: w, name: name, bids: map[string]*promise{}, open: map[budget.LeaseID][]*promise{}, robbed: map[budget.LeaseID]time.Time{}, noBids: map[pingpost.Reason]int64{},
	}
	w.contractors = append(w.contractors, c)
	db := &database{process: w.newProcess(name + " books"), c: c}
	c.crm = &crm{process: w.newProcess(name + " crm"), received: map[string]int{}}
	c.crm.die = func() {}
	for i := range max(replicas, 1) {
		r := &replica{process: w.newProcess(fmt.Sprint(name, " ", i+1)), c: c, db: db}
		r.die = r.crash
		w.enrol(&r.process)
		c.replicas = append(c.replicas, r)
	}
	w.enrol(&db.process)
	w.enrol(&c.crm.process)
	clock := db.now
	if replicas == 0 {
		own := c.replicas[0]
		db.owner, clock, db.die = own, own.now, own.crash
	} else {
		c.server = db
		db.die = func() {
			db.crash()
			w.in(w.between(100*time.Millisecond, 20*time.Second), db.start)
		}
	}
	c.books = books.New(clock, fmt.Sprint(name, w.seed))
	c.books.OwnTime, c.books.Shared = c.server != nil, c.server != nil
	db.books, db.store = c.books, c.books
	if w.twin != nil {
		if twin := w.twin(c, clock); twin != nil {
			db.store = twin
		}
	}
	return c
}

func (w *world) contractor(name string) *contractor {
	for _, c := range w.contractors {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (w *world) marketConfig(name string, location *time.Location) *exchange.Config {
	config := &exchange.Config{
		Name: name, Location: location,
		Sellers: []exchange.Seller{{Name: "webform", Margin: 2500, Floor: pick(w, []pingpost.Cents{0, 8_00})}},
	}
	for _, c := range w.contractors {
		config.Buyers = append(config.Buyers, exchange.Buyer{
			Name: c.name, Ping: &exchange.Endpoint{Profile: "native"}, Tells: exchange.Tells(w.random.IntN(3)),
			CreditLimit: pick(w, []pingpost.Cents{100_000_00, 100_000_00, 300_00}),
		})
	}
	if w.chance(0.5) {
		config.Buyers = append(config.Buyers, exchange.Buyer{
			Name: "preset", CreditLimit: 100_000_00,
			Preset: &exchange.Preset{Services: services, Bid: 25_00, DayBudget: 500_00},
		})
	}
	for _, service := range services {
		config.Campaigns = append(config.Campaigns, exchange.Campaign{
			Name: service.String(), Services: []pingpost.Service{service}, Window: time.Minute,
			Auction: exchange.Auction{
				Price:    pick(w, []pingpost.Auction{pingpost.AuctionFirst, pingpost.AuctionSecond}),
				Deadline: 300 * time.Millisecond, Reserve: pick(w, []pingpost.Cents{1, 10_00}),
				PostTimeout: 2 * time.Second, PostDeadline: pick(w, []time.Duration{6 * time.Second, 15 * time.Second}),
				Reroute: exchange.RerouteOn, Hops: 2,
			},
		})
	}
	return config
}

// live lets the day pass: bursts of homeowners, faults among them, and quiet hours in between.
func (w *world) live() {
	end := w.began.Add(24 * time.Hour)
	for w.now.Before(end) {
		burst := w.now.Add(w.between(20*time.Second, 2*time.Minute))
		w.burst(burst)
		w.chaos(burst)
		w.until(burst)
		w.quiet(end)
	}
}

// burst has homeowners come until an instant.
func (w *world) burst(until time.Time) {
	if !w.now.Before(until) {
		return
	}
	w.homeowner(pick(w, w.markets), pick(w, services))
	w.in(time.Duration(w.random.ExpFloat64()*float64(w.settings.rate)), func() { w.burst(until) })
}

// quiet lets time pass without homeowners: to just before a window's end, or for a while. The bidders
// are stopped one way or another, or stay up.
func (w *world) quiet(end time.Time) {
	gap := w.between(time.Second, 5*time.Hour)
	if midnight := w.began.Add(12 * time.Hour).Sub(w.now); midnight > 0 && gap > midnight && w.chance(0.9) {
		gap = max(midnight-w.between(0, 3*time.Minute), 0)
	} else if w.chance(0.3) {
		gap = max(w.now.Add(gap).Truncate(time.Hour).Sub(w.now)-w.between(0, time.Minute), 0)
	}
	gap = min(gap, max(end.Sub(w.now), 0))
	if gap > 3*time.Minute {
		rest := gap - w.between(time.Minute, 2*time.Minute)
		for _, c := range w.contractors {
			for _, r := range c.replicas {
				w.rest(r, rest)
			}
		}
	}
	w.until(w.now.Add(gap))
}

func (w *world) rest(r *replica, d time.Duration) {
	switch w.random.IntN(8) {
	case 0:
		r.freeze(d, false)
	case 1:
		r.freeze(d, true)
	case 2:
		if r.up {
			r.crash()
			r.life++ // not at once
			r.restartIn(d)
		}
	case 3:
		if d < 20*time.Minute {
			return // it stays up
		}
		r.stop(d)
	default:
		r.stop(d)
	}
}

// homeowner brings a lead to an exchange.
func (w *world) homeowner(x *market, service pingpost.Service) {
	w.people++
	w.count.Offers++
	person := w.people
	if w.chance(0.02) && person > 5 {
		person -= 1 + w.random.IntN(4) // somebody asks again
	}
	id := exchange.OfferID(fmt.Sprintf("%s-%d", x.name, w.people))
	open := exchange.OpenOffer{
		ID: id, Seller: "webform", Body: sha256.Sum256([]byte(id)), Seed: w.random.Uint64(),
		Ping: pingpost.Ping{
			Service: service, Job: pick(w, []pingpost.Job{pingpost.Repair, pingpost.Install}), ZIP: 60614, State: "IL",
			LeadScore: pingpost.Score{Value: float64(w.random.IntN(100)), Known: w.chance(0.9)},
			Homeowner: pick(w, []pingpost.Tri{pingpost.Yes, pingpost.Yes, pingpost.Yes, pingpost.Unknown, pingpost.No}),
			Test:      w.chance(0.01),
		},
		Lead: pingpost.Lead{
			FirstName: pingpost.NewPrivate("Sim"), Phone: pingpost.NewPrivate(fmt.Sprintf("+1312%07d", 2000000+person)),
			City: pick(w, []string{"Chicago", "Chicago", "Chicago", "Chicago", "Chicago", "Chicago", "Gary"}), State: "IL", ZIP: 60614,
		},
	}
	if w.chance(0.2) {
		open.Ping.ZIP, open.Lead.ZIP = 60657, 60657
	}
	if w.keen {
		open.Ping.Homeowner, open.Ping.Test, open.Lead.City = pingpost.Yes, false, "Chicago"
	}
	if x.up {
		x.run(x.life, "takes a lead", func() { x.command(open) })
	}
}

// bodyOf stands for the hash of a post's body.
func bodyOf(post *pingpost.Post) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s|%d|%d|%d|%d|%t|%t", post.Exchange, post.PingID, post.BidID, post.Price,
		post.Service, post.Job, post.ZIP, post.Exclusive, post.Test))
}
