package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"leadbid/bench/sim/books"
	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
	"leadbid/rules"
)

// paced is a contractor with one campaign on two exchanges.
const paced = `
version: 1
business: {name: Paced, timezone: America/Chicago}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: sqlite:paced.db
exchanges:
  north: {profile: native, auth: {bearer: "${NORTH}"}, commitment: refusable, bid_ttl: 60s, auction: second, tells: result}
  south: {profile: native, auth: {bearer: "${SOUTH}"}, commitment: refusable, bid_ttl: 60s, auction: second, tells: result}
campaigns:
  roofs:
    services: [roofing]
    area: {zips: [60614]}
    budget: {day: $BUDGET}
    on_short_budget: clip
    strategy: STRATEGY
    value: lead_score
    duplicates: {window: 1d}
    limits: {max_bid: $60}
    rules: [{name: all, bid: lead_score}]
    delivery: [{file: leads.jsonl}]
`

const (
	pacedDollars = 2000
	pacedPings   = 900 // a day
)

func loadPaced(t *testing.T, strategy string, dollars int) *rules.Ruleset {
	t.Helper()
	text := strings.NewReplacer("BUDGET", fmt.Sprint(dollars), "STRATEGY", strategy).Replace(paced)
	rs, faults := rules.Load(fstest.MapFS{"bidder.yaml": {Data: []byte(text)}}, "bidder.yaml",
		func(name string) (string, bool) { return strings.Repeat(name, 8), true })
	if rs == nil {
		t.Fatal(faults)
	}
	return rs
}

// member is one bidder process: an Agent and its run on the books.
type member struct {
	agent *bidder.Agent
	run   store.Run
}

// team is one or several bidders of a contractor behind an exchange that hands pings, posts and notices
// to any of them, on books in memory, in a time of its own.
type team struct {
	t       *testing.T
	r       *rand.Rand
	now     time.Time
	rules   *rules.Ruleset
	plan    *budget.Plan
	books   *books.Books
	members []*member
	budget  float64
	away    bool          // the books do not answer
	ahead   time.Duration // the bidders' clock
	mute    bool          // losses are not told
	late    time.Duration // after which losses are told
	untold  []notice

	pings  uint64
	spent  float64
	worth  float64
	bought int
}

type notice struct {
	at time.Time
	to *member
	budget.BidRef
}

func newTeam(t *testing.T, strategy string, size int, start time.Time, seed uint64) *team {
	one := &team{t: t, r: rand.New(rand.NewPCG(seed, 31)), now: start, rules: loadPaced(t, strategy, pacedDollars), budget: pacedDollars}
	one.plan = bidder.PlanOf(one.rules)
	one.books = books.New(func() time.Time { return one.now }, "paced")
	one.books.OwnTime, one.books.Shared = true, size > 1
	for range size {
		one.members = append(one.members, one.begin(nil))
	}
	return one
}

// begin starts a process, with what a former one learned.
func (x *team) begin(kept *strategy.State) *member {
	run, err := x.books.Begin(context.Background())
	if err != nil {
		x.t.Fatal(err)
	}
	m := &member{bidder.New(run.ID, x.rules, budget.NewBook(x.plan)), run}
	if kept != nil {
		m.agent.Resume(*kept)
	}
	return m
}

// clock is what the bidders take for the time.
func (x *team) clock() time.Time { return x.now.Add(x.ahead) }

// tend answers what a bidder asks of its books.
func (x *team) tend(m *member) {
	for range 3 {
		ask, ok, _ := m.agent.Upkeep(x.clock())
		if !ok {
			return
		}
		if x.away {
			m.agent.Away(x.clock())
			return
		}
		answer, err := x.books.Upkeep(context.Background(), m.run, x.plan, ask)
		if err != nil {
			x.t.Fatal(err)
		}
		m.agent.Answered(x.clock(), answer)
	}
}

// lead is one ping to be, and the rivals' best bid for it.
type pacedLead struct {
	at           time.Time
	worth, price float64
	exchange     string
}

// day draws a day's leads: most around ten and six o'clock, a third of them on the exchange south.
func (x *team) day(start time.Time) (leads []pacedLead) {
	for len(leads) < pacedPings {
		hour := 24 * x.r.Float64()
		busy := 0.15 + math.Exp(-(hour-10)*(hour-10)/8) + math.Exp(-(hour-18)*(hour-18)/8)
		if 1.2*x.r.Float64() > busy {
			continue
		}
		one := pacedLead{start.Add(time.Duration(hour * float64(time.Hour))), 60 * math.Exp(0.5*x.r.NormFloat64()),
			40 * math.Exp(0.6*x.r.NormFloat64()), "north"}
		if x.r.IntN(3) == 0 {
			one.exchange = "south"
		}
		leads = append(leads, one)
	}
	slices.SortFunc(leads, func(a, b pacedLead) int { return a.at.Compare(b.at) })
	return leads
}

func (x *team) any() *member { return x.members[x.r.IntN(len(x.members))] }

// until lets time pass, in steps of some minutes.
func (x *team) until(now time.Time) {
	for x.now.Before(now) {
		if next := x.now.Add(5 * time.Minute); next.Before(now) {
			x.now = next
		} else {
			x.now = now
		}
		for _, m := range x.members {
			x.tend(m)
		}
		for len(x.untold) > 0 && !x.now.Before(x.untold[0].at) {
			one := x.untold[0]
			x.untold = x.untold[1:]
			one.to.agent.Notify(x.clock(), pingpost.OutcomeLost, one.BidRef)
		}
	}
}

// offer plays one ping, and its post and notice, each at some bidder. It gives the multiplier that the
// lead was bid with; 0 where there was none.
func (x *team) offer(lead pacedLead) (lambda float64) {
	x.until(lead.at)
	x.pings++
	ping := &pingpost.Ping{Exchange: lead.exchange, ID: fmt.Sprint("p", x.pings), TmaxMS: 300, Service: pingpost.Roofing, ZIP: 60614, State: "IL",
		Exclusive: true, LeadScore: pingpost.Score{Value: lead.worth, Known: true}}
	ping.Digest = ping.ComputeDigest()
	m := x.any()
	x.tend(m)
	decision := m.agent.Decide(x.clock(), ping)
	lambda = decision.Quote.Lambda
	if !decision.Bid {
		return lambda
	}
	if decision.Price > 60_00 {
		x.t.Fatalf("a bid of %v", decision.Price)
	}
	if float64(decision.Price)/100 < lead.price {
		if !x.mute {
			x.untold = append(x.untold, notice{x.now.Add(x.late), x.any(), decision.Ref})
		}
		return lambda
	}
	id := string(x.members[0].run.Keys.AppendBidID(nil, decision.Ref, ping.Exchange, ping.ID))
	post := &pingpost.Post{Exchange: ping.Exchange, PingID: ping.ID, BidID: id, Price: pingpost.Cents(100 * lead.price), Service: ping.Service,
		ZIP: ping.ZIP, Exclusive: true, Lead: pingpost.Lead{Phone: pingpost.NewPrivate("+1" + fmt.Sprint(3125550000+x.pings))}}
	binary.LittleEndian.PutUint64(post.BodyHash[:], x.pings)
	binary.LittleEndian.PutUint64(post.Contact.Digests[0][:], x.pings)
	x.take(x.any(), post, lead.worth)
	return lambda
}

// take is the way of a post.
func (x *team) take(m *member, post *pingpost.Post, worth float64) {
	ref, seal := m.run.Keys.OpenBidID(post.BidID, post.Exchange, post.PingID)
	settlement := m.agent.Settle(x.clock(), post, ref, seal == budget.SealGood)
	if x.away || settlement.Charge.BidID == "" {
		return
	}
	durable := server.Durable(x.clock(), post, settlement, post.PingID, m.run.ContactKey)
	answer, err := x.books.Post(context.Background(), durable)
	if err != nil {
		x.t.Fatal(err)
	}
	told := server.ToldOf(settlement.Charge, answer)
	m.agent.Charged(x.clock(), told)
	if told.Accepted {
		x.spent, x.worth, x.bought = x.spent+float64(told.Price)/100, x.worth+worth, x.bought+1
	}
}

// swap puts other terms in force.
func (x *team) swap(rs *rules.Ruleset, dollars float64) {
	x.rules, x.plan, x.budget = rs, bidder.PlanOf(rs), dollars
	for _, m := range x.members {
		m.agent.Swap(x.clock(), rs, m.agent.Generation()+1, nil)
		x.tend(m)
	}
}

var pacedMonday = time.Date(2026, 3, 16, 5, 0, 0, 0, time.UTC) // midnight in Chicago

const volumePaced = "{pacing: learned, objective: volume}"

// learned is what bidders have learned of a quiet week.
func learned(t *testing.T, strategy string, size int) []strategyState {
	t.Helper()
	x := newTeam(t, strategy, size, pacedMonday.AddDate(0, 0, -7), 1)
	for day := -7; day < 0; day++ {
		for _, lead := range x.day(pacedMonday.AddDate(0, 0, day)) {
			x.offer(lead)
		}
	}
	var states []strategyState
	for _, m := range x.members {
		states = append(states, m.agent.Checkpoint())
	}
	return states
}

type strategyState = strategy.State

// trouble is what happens on a day; hours are of that day.
type trouble struct {
	name       string
	from, over float64
	copies     func(hour float64, lead *pacedLead) int
	prices     float64
	each       func(x *team, hour float64) // before each ping
	once       func(x *team)               // at from
}

func during(from, to float64, do func(x *team, on bool)) func(*team, float64) {
	return func(x *team, hour float64) { do(x, hour >= from && hour < to) }
}

// TestNothingUpsetsTheAgent holds what bidder/strategy promises of its Desk (TestNothingUpsetsPacing)
// against the whole bidder: Agent, Book, leases and books. An hour after the trouble is over the bids
// must be what hindsight would bid with the money that is left, as a mean of some days within the factor
// of 1.5; without swinging; never more than the money spent, and no more than one lead's price and a
// twentieth of it left.
func TestNothingUpsetsTheAgent(t *testing.T) {
	kept := learned(t, volumePaced, 1)[0]
	some := func(from, to float64, exchange string) func(float64, *pacedLead) int {
		return func(hour float64, lead *pacedLead) int {
			if hour >= from && hour < to && (exchange == "" || lead.exchange == exchange) {
				return 0
			}
			return 1
		}
	}
	for _, one := range []trouble{
		{name: "a quiet day", from: 8, over: 8},
		{name: "the feed stops for three hours", from: 9, over: 12, copies: some(9, 12, "")},
		{name: "an exchange is dead for the rest of the day", from: 9, over: 9, copies: some(9, 24, "south")},
		{name: "a storm of twenty times the pings", from: 8, over: 9, copies: func(hour float64, _ *pacedLead) int {
			if hour >= 8 && hour < 9 {
				return 20
			}
			return 1
		}},
		// Of some forty pings an hour four are won: an hour is too short to see that two would be.
		{name: "rivals double their bids", from: 12, over: 14, prices: 2},
		{name: "the clock is an hour ahead for two hours", from: 9, over: 11, each: during(9, 11, func(x *team, on bool) {
			x.ahead = 0
			if on {
				x.ahead = time.Hour
			}
		})},
		{name: "the clock goes back an hour for one", from: 9, over: 10, each: during(9, 10, func(x *team, on bool) {
			x.ahead = 0
			if on {
				x.ahead = -time.Hour
			}
		})},
		{name: "twice the budget at noon", from: 12, over: 12, once: func(x *team) {
			x.swap(loadPaced(x.t, volumePaced, 2*pacedDollars), 2*pacedDollars)
		}},
		{name: "three quarters of the budget at noon", from: 12, over: 12, once: func(x *team) {
			x.swap(loadPaced(x.t, volumePaced, pacedDollars*3/4), pacedDollars*3/4)
		}},
		{name: "a kill and a restart at noon", from: 12, over: 12, once: func(x *team) {
			state := x.members[0].agent.Checkpoint()
			x.members[0] = x.begin(&state)
		}},
		{name: "the books are away for half an hour", from: 10, over: 10.5, each: during(10, 10.5, func(x *team, on bool) { x.away = on })},
		{name: "losses are told 50 seconds late", from: 8, over: 8, once: func(x *team) { x.late = 50 * time.Second }},
		{name: "losses are not told any more", from: 8, over: 8, once: func(x *team) { x.mute = true }},
		{name: "outcomes that nobody could have", from: 10, over: 10, once: func(x *team) {
			of := strategy.SegmentOf(pingpost.Roofing, 0, 60614, "")
			x.members[0].agent.Outcome(x.clock(), []strategy.Evidence{{Segment: of, Leads: 1, Closed: 1, Jobs: 1, Dollars: 1e12, Known: x.clock()}})
		}},
	} {
		t.Run(one.name, func(t *testing.T) { one.holds(t, kept) })
	}
}

func (one trouble) holds(t *testing.T, kept strategy.State) {
	const days = 2
	off, swings := map[int]float64{}, 0
	for seed := range uint64(days) {
		x := newTeam(t, volumePaced, 1, pacedMonday, seed+2)
		x.members[0] = x.begin(&kept)
		side := 0.0
		today := one.happens(x)
		for hour, by := range today {
			off[hour] += by / days
		}
		for hour := int(math.Ceil(one.over + 1)); hour < 21; hour++ {
			if by := today[hour]; math.Abs(by) > 0.35 {
				if side*by < 0 {
					swings++
				}
				side = by
			}
		}
		if x.spent > x.budget+0.005 || x.spent < x.budget*19/20-40 {
			t.Errorf("$%.2f of $%.2f are spent", x.spent, x.budget)
		}
		if found := x.books.Look(); len(found) > 0 {
			t.Errorf("the books: %v", found)
		}
	}
	worst := 0.0
	for hour, by := range off {
		if worst = max(worst, math.Abs(by)); math.Abs(by) > math.Log(1.5) {
			t.Errorf("from %d to %d o'clock the bids are %+.0f %% off", hour, hour+1, 100*by)
		}
	}
	if swings > days/2 {
		t.Errorf("the bids swung around the right ones %d times", swings)
	}
	t.Logf("the worst hour is %.0f %% off", 100*worst)
}

type pacedMoment struct {
	hour, lambda, left float64
	lead               pacedLead
}

// happens plays the day, and tells by the hour how far the bids were off.
func (one trouble) happens(x *team) map[int]float64 {
	start := x.now
	var day []pacedMoment
	done := false
	for _, usual := range x.day(start) {
		hour := usual.at.Sub(start).Hours()
		copies := 1
		if one.copies != nil {
			copies = one.copies(hour, &usual)
		}
		for range copies {
			lead := usual
			lead.worth, lead.price = lead.worth*math.Exp(0.1*x.r.NormFloat64()), lead.price*math.Exp(0.1*x.r.NormFloat64())
			if one.prices > 0 && hour >= one.from {
				lead.price *= one.prices
			}
			x.until(lead.at)
			if one.each != nil {
				one.each(x, hour)
			}
			if one.once != nil && !done && hour >= one.from {
				one.once(x)
				done = true
			}
			left := x.budget - x.spent
			if lambda := x.offer(lead); lambda > 0 {
				day = append(day, pacedMoment{hour, lambda, left, lead})
			}
		}
	}
	off := map[int]float64{}
	for hour := int(math.Ceil(one.over + 1)); hour < 21; hour++ {
		if by, known := pacedOff(day, hour); known {
			off[hour] = by
		}
	}
	return off
}

// pacedOff compares an hour's multipliers with the one that spends what was left at its begin on what
// was still to come.
func pacedOff(day []pacedMoment, hour int) (by float64, known bool) {
	var rest []pacedMoment
	sum, n := 0.0, 0.0
	for _, m := range day {
		if m.hour < float64(hour) {
			continue
		}
		rest = append(rest, m)
		if m.hour < float64(hour+1) {
			sum, n = sum+math.Log(m.lambda), n+1
		}
	}
	if n == 0 {
		return 0, false
	}
	left := rest[0].left
	slices.SortFunc(rest, func(a, b pacedMoment) int { return cmp.Compare(a.lead.price/a.lead.worth, b.lead.price/b.lead.worth) })
	right := rest[len(rest)-1].lead.price / rest[len(rest)-1].lead.worth
	for _, m := range rest {
		if left -= m.lead.price; left < 0 {
			right = m.lead.price / m.lead.worth
			break
		}
	}
	return sum/n - math.Log(right), true
}

// TestReplicasPaceTogether spreads pings, posts and notices evenly over several bidders on one database.
// Together they must keep to the plan: less what the leases of each keep from the others, which is money
// that no plan spends, they buy what one buys. Each planning with all that is left they would have spent
// five sixths by 13:00, and bought three quarters.
func TestReplicasPaceTogether(t *testing.T) {
	play := func(size int) (worth, noon, spent float64) {
		kept := learned(t, volumePaced, size)
		for seed := range uint64(2) {
			x := newTeam(t, volumePaced, size, pacedMonday, seed+40)
			for i := range x.members {
				x.members[i] = x.begin(&kept[i])
			}
			start, last := x.now, 0.0
			for _, lead := range x.day(start) {
				x.offer(lead)
				if lead.at.Sub(start).Hours() < 13 {
					last = x.spent / x.budget
				}
			}
			if found := x.books.Look(); len(found) > 0 {
				t.Errorf("the books: %v", found)
			}
			noon += last / 2
			worth, spent = worth+x.worth/2, spent+x.spent/x.budget/2
		}
		return worth, noon, spent
	}
	alone, aloneNoon, _ := play(1)
	for _, size := range []int{3} {
		worth, noon, spent := play(size)
		if noon > aloneNoon+0.15 {
			t.Errorf("by 13:00 %d replicas spent %.2f of the money, where one spends %.2f", size, noon, aloneNoon)
		}
		if worth < alone*5/6 || spent < 0.93 {
			t.Errorf("%d replicas buy %.3f of what one does, and spend %.3f", size, worth/alone, spent)
		}
		t.Logf("%d replicas buy %.3f of what one does; by 13:00 %.2f of the money is spent, by one %.2f; in the end %.3f", size, worth/alone, noon, aloneNoon, spent)
	}
}
