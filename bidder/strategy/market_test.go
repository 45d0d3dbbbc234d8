package strategy

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"leadbid/pingpost"
)

// monday is when the markets of the tests open.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// lead is one ping of a test's market.
type lead struct {
	at           time.Time
	worth, price float64
}

// dayOf draws a day with a busy afternoon.
func dayOf(r *rand.Rand, start time.Time, pings int) []lead {
	var leads []lead
	for hour := 0.0; hour < 24; {
		busy := 0.5
		if hour >= 12 && hour < 18 {
			busy = 2.5
		}
		hour += r.ExpFloat64() * 24 / (float64(pings) * busy)
		leads = append(leads, lead{start.Add(time.Duration(hour * float64(time.Hour))),
			60 * math.Exp(0.5*r.NormFloat64()), 40 * math.Exp(0.6*r.NormFloat64())})
	}
	return leads[:len(leads)-1]
}

// always is open all week.
func always() (open Hours) {
	for i := range open {
		open[i] = true
	}
	return open
}

func oneLine(objective Objective, pacing Pacing, auction pingpost.Auction, budget float64) Setup {
	return Setup{Zone: time.UTC,
		Lines: []Line{{Campaign: "c", Exchange: "x", Objective: objective, Pacing: pacing, Auction: auction,
			MaxBid: 500, Caps: []int{0}, Open: always()}},
		Caps: []Cap{{Name: "day", Dollars: budget}}}
}

// trader plays a Desk against leads with a budget of its own, as the Agent does.
type trader struct {
	*Desk
	budget float64
	seq    uint64
	start  time.Time
	spent  float64
	worth  float64
	bids   []Quote
	quiet  bool // caps are not read
}

func (tr *trader) day(start time.Time, leads []lead) {
	tr.start, tr.spent, tr.worth = start, 0, 0
	tr.read(start)
	for _, one := range leads {
		tr.ping(one)
	}
}

func (tr *trader) read(now time.Time) {
	if tr.quiet {
		return
	}
	tr.Read(now, Reading{Start: tr.start, End: tr.start.AddDate(0, 0, 1), Dollars: tr.spent})
}

func (tr *trader) ping(one lead) {
	ask := Ask{Most: one.worth, Draw: uint64(tr.seq) * 0x9e3779b97f4a7c15}
	q := tr.Quote(ask)
	tr.Note(one.at, ask, q)
	tr.bids = append(tr.bids, q)
	left := tr.budget - tr.spent
	if q.Reason != pingpost.ReasonNone || left <= 0 {
		return
	}
	bid := min(q.Dollars, left)
	tr.seq++
	tr.Placed(tr.seq, ask, q, bid, one.at.Add(time.Minute))
	pays := one.price
	if tr.setup.Lines[0].Auction == pingpost.AuctionFirst {
		pays = bid
	}
	if bid < one.price {
		tr.Lost(one.at, tr.seq)
		return
	}
	tr.spent, tr.worth = tr.spent+pays, tr.worth+one.worth
	tr.Won(one.at, tr.seq, pays)
	tr.read(one.at)
}

// TestBuysMoreThanAnyConstant is the point of the package: with a learned week behind it, the Desk
// buys as much as the best constant multiplier that hindsight finds, and its money lasts.
func TestBuysMoreThanAnyConstant(t *testing.T) {
	const budget, pings, days = 1500.0, 900, 20
	r := rand.New(rand.NewPCG(1, 2))
	tr := trader{Desk: NewDesk(oneLine(Volume, Learned, pingpost.AuctionSecond, budget)), budget: budget}
	worth, spent := 0.0, 0.0
	constants := make([]float64, 20)
	for day := range 7 + days {
		start := monday.AddDate(0, 0, day)
		leads := dayOf(r, start, pings)
		tr.day(start, leads)
		if day < 7 {
			continue
		}
		worth, spent = worth+tr.worth, spent+tr.spent
		for i := range constants {
			left := budget
			for _, one := range leads {
				if min(float64(i+1)/10*one.worth, left) >= one.price {
					left, constants[i] = left-one.price, constants[i]+one.worth
				}
			}
		}
	}
	best := 0.0
	for _, bought := range constants {
		best = max(best, bought)
	}
	if worth < best {
		t.Errorf("bought worth %.0f, the best constant %.0f", worth, best)
	}
	if spent < 0.98*budget*days || spent > budget*days {
		t.Errorf("spent %.0f of %.0f", spent, budget*days)
	}
}

// TestObjectives holds every quote of a market against what its objective promises.
func TestObjectives(t *testing.T) {
	for _, auction := range []pingpost.Auction{pingpost.AuctionFirst, pingpost.AuctionSecond, pingpost.AuctionFixed, pingpost.AuctionNone} {
		for _, objective := range []Objective{AsWritten, Profit, Volume} {
			for _, pacing := range []Pacing{Asap, Even, Learned} {
				setup := oneLine(objective, pacing, auction, 800)
				setup.Lines[0].MaxBid, setup.Lines[0].Explore = 90, 0.2
				tr := trader{Desk: NewDesk(setup), budget: 800}
				leads := dayOf(rand.New(rand.NewPCG(3, 4)), monday, 400)
				tr.day(monday, leads)
				paced := 0
				for i, q := range tr.bids {
					most := leads[i].worth
					if objective == Volume {
						most = 90
					}
					switch {
					case q.Reason == pingpost.PacedOut:
						paced++
						if q.Dollars != 0 || pacing == Asap {
							t.Fatalf("%v %v: paced with a bid of %v", objective, pacing, q.Dollars)
						}
					case objective == AsWritten && q.Dollars != leads[i].worth:
						t.Fatalf("as written bids %v for %v", q.Dollars, leads[i].worth)
					case !(q.Dollars > 0) || q.Dollars > most:
						t.Fatalf("%v %v %v: a bid of %v, at most %v is allowed", auction, objective, pacing, q.Dollars, most)
					}
					if q.Shaded != (objective != AsWritten && auction == pingpost.AuctionFirst) {
						t.Fatalf("%v in an auction %v: shaded is %v", objective, auction, q.Shaded)
					}
				}
				if objective == AsWritten && pacing != Asap && paced < len(leads)/10 {
					t.Errorf("%v, %v: only %d of %d leads were passed over", auction, pacing, paced, len(leads))
				}
			}
		}
	}
}

// TestStateGoesOn restores a Desk in the middle of a day, through JSON, and expects the same quotes
// from then on.
func TestStateGoesOn(t *testing.T) {
	for _, objective := range []Objective{AsWritten, Profit, Volume} {
		for _, auction := range []pingpost.Auction{pingpost.AuctionFirst, pingpost.AuctionSecond} {
			leads := dayOf(rand.New(rand.NewPCG(5, 6)), monday, 300)
			setup := oneLine(objective, Learned, auction, 700)
			whole := trader{Desk: NewDesk(setup), budget: 700}
			whole.day(monday, leads)

			half := trader{Desk: NewDesk(setup), budget: 700}
			half.day(monday, leads[:150])
			text, err := json.Marshal(half.State())
			if err != nil {
				t.Fatal(err)
			}
			var state State
			if err := json.Unmarshal(text, &state); err != nil {
				t.Fatal(err)
			}
			half.Desk = Restore(setup, state)
			for _, one := range leads[150:] {
				half.ping(one)
			}
			for i := range whole.bids {
				if whole.bids[i] != half.bids[i] {
					t.Fatalf("%v: quote %d is %+v, after a restore %+v", objective, i, whole.bids[i], half.bids[i])
				}
			}
		}
	}
}

// TestAdoptKeepsWhatWasLearned changes the setup as a reload does.
func TestAdoptKeepsWhatWasLearned(t *testing.T) {
	setup := oneLine(Volume, Learned, pingpost.AuctionSecond, 500)
	tr := trader{Desk: NewDesk(setup), budget: 500}
	tr.day(monday, dayOf(rand.New(rand.NewPCG(7, 8)), monday, 300))
	before := tr.State().Lines[0]
	setup.Lines = append([]Line{{Campaign: "new", Exchange: "x", Caps: []int{0}}}, setup.Lines...)
	setup.Caps[0].Dollars = 250
	after := tr.Adopt(setup).State()
	if after.Lines[1].Response != before.Response || after.Lines[1].Week != before.Week {
		t.Error("what was learned of the line is gone")
	}
	if after.Lines[0].Response.Sum != 0 {
		t.Error("a new line knows something")
	}
}

func TestOpenBidsEndAsLost(t *testing.T) {
	d := NewDesk(oneLine(Profit, Learned, pingpost.AuctionSecond, 500))
	ask := Ask{Most: 50}
	for seq := range uint64(45) {
		at := monday.Add(time.Duration(seq) * time.Second)
		d.Placed(seq, ask, d.Quote(ask), 50, at.Add(time.Minute))
		if seq%3 == 0 {
			d.Won(at, seq, 20)
		}
	}
	d.Dropped(1)
	d.Expire(monday.Add(time.Minute + 22*time.Second))
	state := d.State()
	if len(state.Open) != 15 || state.Open[0].Seq != 23 {
		t.Fatalf("%d bids are open, the first is %d", len(state.Open), state.Open[0].Seq)
	}
	if line := state.Lines[0]; line.Wins != 15 || line.Bids != 15+14 || line.PendingLeads != 15 {
		t.Errorf("%v bids, %v wins, %v pending", line.Bids, line.Wins, line.PendingLeads)
	}
	d.Won(monday, 7, 20) // too late: it counts as lost, and stays so
	if d.State().Lines[0].Wins != 15 {
		t.Error("a bid was answered twice")
	}
}

func BenchmarkBid(b *testing.B) {
	tr := trader{Desk: NewDesk(oneLine(Profit, Learned, pingpost.AuctionFirst, 20_000)), budget: 20_000}
	var leads []lead
	r := rand.New(rand.NewPCG(9, 10))
	for day := range 7 {
		leads = append(leads, dayOf(r, monday.AddDate(0, 0, day), 10_000)...)
	}
	tr.day(monday, leads)
	ask := Ask{Most: 50}
	now := monday.AddDate(0, 0, 7)
	tr.start, tr.spent = now, 0
	tr.read(now)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(9 * time.Second)
		tr.seq++
		tr.Expire(now)
		q := tr.Quote(ask)
		tr.Note(now, ask, q)
		tr.Placed(tr.seq, ask, q, q.Dollars, now.Add(time.Minute))
		tr.Lost(now, tr.seq)
	}
}
