package strategy

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

// curveOf draws a win curve, with flat stretches and jumps.
func curveOf(t *rapid.T) *curve {
	c := &curve{}
	cents, chance := int32(0), 0.0
	for range rapid.IntRange(1, 40).Draw(t, "bids") {
		cents += int32(rapid.IntRange(1, 900).Draw(t, "cents"))
		if rapid.IntRange(0, 2).Draw(t, "wins more") > 0 {
			chance += (1 - chance) * rapid.Float64Range(0, 0.5).Draw(t, "chance")
		}
		c.cents, c.chance = append(c.cents, cents), append(c.chance, chance)
	}
	return c
}

// TestShadesAreTheBestBids compares the envelope with looking at every bid.
func TestShadesAreTheBestBids(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := curveOf(t)
		s := newShades(c, nil)
		v := rapid.Float64Range(0.01, 500).Draw(t, "v")
		most := 0.0
		for i, cents := range c.cents {
			most = max(most, (v-float64(cents)/100)*c.chance[i])
		}
		bid, chance := s.best(v)
		if !(bid > 0) || bid > v {
			t.Fatalf("for $%v the bid is $%v", v, bid)
		}
		other, known := rapid.Float64Range(0, 500).Draw(t, "other"), 0.0
		for _, one := range s {
			if float64(one.Cents)/100 <= other {
				known = one.Chance
			}
		}
		if got := s.chanceOf(other, 500); len(s) > 0 && got != known {
			t.Fatalf("a bid of $%v wins with %v, not %v", other, got, known)
		}
		if earned := (v - bid) * chance; most > 0 && math.Abs(earned-most) > 1e-9*(1+most) {
			t.Fatalf("for $%v a bid of $%v earns %v; %v can be earned", v, bid, earned, most)
		}
		if more, _ := s.best(v * 1.1); most > 0 && more < bid {
			t.Fatalf("for $%v it bids $%v, for more only $%v", v, bid, more)
		}
	})
}

// TestSpotsHoldTogether checks the cells of prices: in order, narrow, and a whole dollar with the
// cent above it apart from others.
func TestSpotsHoldTogether(t *testing.T) {
	last := int32(0)
	for cents := int32(1); cents <= 3000_00; cents++ {
		cell := spotOf(cents)
		if cell < cents || cell < last || cell-cents > max(5, cents/40) {
			t.Fatalf("%d cents are in the cell up to %d, after one up to %d", cents, cell, last)
		}
		last = cell
	}
	for _, dollars := range []int32{1, 7, 20, 35, 100, 250, 1000} {
		at := 100 * dollars
		if !(spotOf(at) == spotOf(at+1) && spotOf(at-1) < spotOf(at) && spotOf(at+2) > spotOf(at)) {
			t.Errorf("$%d: %d %d %d %d", dollars, spotOf(at-1), spotOf(at), spotOf(at+1), spotOf(at+2))
		}
	}
}

// heardOf draws answers to bids: prices lie on spots, so that nothing is rounded.
func heardOf(t *rapid.T, toldWon, toldLost bool) (answers []answer) {
	for range rapid.IntRange(1, 60).Draw(t, "answers") {
		price := spotOf(int32(rapid.IntRange(1000, 9000).Draw(t, "price")))
		bid := spotOf(int32(rapid.IntRange(1000, 9000).Draw(t, "bid")))
		a := answer{bid: bid, price: price, won: bid >= price}
		if a.won && !toldWon || !a.won && !toldLost {
			a.price = 0
		}
		answers = append(answers, a)
	}
	return answers
}

// drawn is a curve after answers, with what was expected before.
func drawn(answers []answer, before logistic, weight float64) (after, expected curve, l ledger) {
	for _, a := range answers {
		l.note(a)
	}
	expected.cents = candidates(&l, math.Exp(before.middle()), nil)
	before.smooth(&expected)
	after = curve{slices.Clone(expected.cents), slices.Clone(expected.chance)}
	after.learn(&l, weight, &paper{})
	return after, expected, l
}

var around40 = logistic{A: -2 * math.Log(40), K: 2}

// TestToldPricesAreCounted: where every price is told the curve is the share of prices that a bid
// beats, those that were expected among them.
func TestToldPricesAreCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answers := heardOf(t, true, true)
		after, expected, _ := drawn(answers, around40, priceWeight)
		for i, cents := range after.cents {
			beaten := priceWeight * expected.chance[i]
			for _, a := range answers {
				if a.price <= cents {
					beaten++
				}
			}
			if want := beaten / (priceWeight + float64(len(answers))); math.Abs(after.chance[i]-want) > 1e-9 {
				t.Fatalf("%d cents win %v, by hand %v", cents, after.chance[i], want)
			}
		}
	})
}

// TestCurveIsKaplanMeier compares with the estimate in its textbook form, where prices are told of
// won bids only.
func TestCurveIsKaplanMeier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answers := heardOf(t, true, false)
		after, _, _ := drawn(answers, around40, 0)
		for i, cents := range after.cents {
			above := 1.0
			for j, one := range answers {
				price := one.price
				first := slices.IndexFunc(answers, func(a answer) bool { return a.price == price })
				if price == 0 || price > cents || first != j {
					continue
				}
				died, risk := 0.0, 0.0
				for _, a := range answers {
					if a.price == price {
						died++
					}
					if a.price >= price || a.price == 0 && a.bid >= price {
						risk++
					}
				}
				above *= 1 - died/risk
			}
			if math.Abs(after.chance[i]-(1-above)) > 1e-9 {
				t.Fatalf("%d cents win %v, by hand %v", cents, after.chance[i], 1-above)
			}
		}
	})
}

// TestCurvesOnlyRise feeds any mixture of answers.
func TestCurvesOnlyRise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answers := slices.Concat(heardOf(t, true, true), heardOf(t, rapid.Bool().Draw(t, "on wins"), false), heardOf(t, false, rapid.Bool().Draw(t, "on losses")))
		after, _, l := drawn(answers, around40, rapid.Float64Range(0, 100).Draw(t, "weight"))
		last := 0.0
		for i, chance := range after.chance {
			if chance < last-1e-12 || chance > 1+1e-12 || math.IsNaN(chance) {
				t.Fatalf("at %d cents the chance is %v, before it %v", after.cents[i], chance, last)
			}
			last = chance
		}
		if !slices.IsSorted(after.cents) || len(slices.Compact(slices.Clone(after.cents))) != len(after.cents) {
			t.Fatalf("bids are not in order: %v", after.cents)
		}
		if fit := l.fit(around40, responsePrior, &paper{}); !(fit.K > 0) || math.IsInf(fit.A, 0) || math.IsNaN(fit.A) {
			t.Fatalf("the fit is %+v", fit)
		}
	})
}

// TestLedgerForgets takes more answers than count.
func TestLedgerForgets(t *testing.T) {
	var l ledger
	r := rand.New(rand.NewPCG(5, 5))
	for range 20_000 {
		a := answer{bid: int32(1000 + r.IntN(9000)), won: r.IntN(2) == 0}
		l.note(a)
		if a.price = int32(500 + r.IntN(500)); a.won && r.IntN(2) == 0 {
			l.amend(a)
		}
	}
	sum := 0.0
	for _, s := range l.Spots {
		if sum += s.Told + s.Won + s.Lost; s.Told < 0 || s.Won < 0 || s.Lost < 0 {
			t.Fatalf("less than nothing: %+v", s)
		}
	}
	if l.sum() > 1.3*ledgerMemory || math.Abs(sum-l.sum()) > 0.05*l.sum() {
		t.Errorf("%v answers, %v in spots", l.sum(), sum)
	}
}

// shader is a trader in first-price markets of several territories.
type shader struct {
	*Desk
	seq uint64
	now time.Time
}

func newShader(objective Objective) *shader {
	return &shader{Desk: NewDesk(oneLine(objective, Asap, pingpost.AuctionFirst, 1e9)), now: monday}
}

// outcome is one bid and what became of it: price is told before or after the outcome, or not at all.
func (s *shader) outcome(territory Territory, worth, bid, price float64, tell, late bool) {
	s.now, s.seq = s.now.Add(time.Minute), s.seq+1
	ask := Ask{Most: worth, Territory: territory}
	q := s.Quote(ask)
	s.Note(s.now, ask, q)
	s.Placed(s.seq, ask, q, bid, s.now.Add(time.Hour))
	if tell && !late {
		s.Told(s.seq, price)
	}
	if bid >= price {
		s.Won(s.now, s.seq, bid)
	} else {
		s.Lost(s.now, s.seq)
	}
	if tell && late {
		s.Told(s.seq, price)
		s.Told(s.seq, price) // told twice, it counts once
	}
}

var chicago, gary = Territory{Service: pingpost.HVAC, State: "IL"}, Territory{Service: pingpost.HVAC, State: "IN"}

// TestPricesMayBeToldLate: whether a price comes before the outcome or after it, the same is known.
func TestPricesMayBeToldLate(t *testing.T) {
	early, late := newShader(Profit), newShader(Profit)
	r := rand.New(rand.NewPCG(6, 6))
	for range 500 {
		bid, price, tell := 20+60*r.Float64(), math.Ceil(4000*math.Exp(0.5*r.NormFloat64()))/100, r.IntN(3) > 0
		early.outcome(chicago, 90, bid, price, tell, false)
		late.outcome(chicago, 90, bid, price, tell, true)
	}
	for i := range early.lines[0].Markets {
		a, b := early.lines[0].Markets[i].Prices, late.lines[0].Markets[i].Prices
		if a.Won != b.Won || a.Lost != b.Lost || a.ToldWon != b.ToldWon || a.ToldLost != b.ToldLost || a.sum() != 500 {
			t.Errorf("told early: %v %v %v %v, late: %v %v %v %v", a.Won, a.Lost, a.ToldWon, a.ToldLost, b.Won, b.Lost, b.ToldWon, b.ToldLost)
		}
		b.Spots = slices.DeleteFunc(b.Spots, func(s spot) bool { return s.Told+s.Won+s.Lost == 0 })
		if !slices.Equal(a.Spots, b.Spots) {
			t.Error("the spots differ")
		}
	}
}

// TestWhatCannotBeIsNotBelieved: a bid cannot have won below the price, and a stranger is no bid.
func TestWhatCannotBeIsNotBelieved(t *testing.T) {
	s := newShader(Profit)
	s.outcome(chicago, 90, 40, 30, false, false)
	s.Told(s.seq, 55)
	s.Told(77, 30)
	s.Told(s.seq, -3)
	if l := s.lines[0].Markets[0].Prices; l.Won != 1 || l.ToldWon != 0 {
		t.Errorf("%+v", l)
	}
	for range 2 * mostAnswered {
		s.outcome(chicago, 90, 40, 30, false, false)
	}
	if n := len(s.State().Answered); n != mostAnswered {
		t.Errorf("%d answered bids are kept", n)
	}
}

// TestMarketsAreToldApart: two states with other prices get other bids, one without answers gets its
// service's.
func TestMarketsAreToldApart(t *testing.T) {
	for _, tell := range []bool{false, true} {
		s := newShader(Profit)
		r := rand.New(rand.NewPCG(7, 7))
		for range 600 {
			noise := math.Exp(0.2 * r.NormFloat64())
			s.outcome(chicago, 100, 15+75*r.Float64(), math.Ceil(5500*noise)/100, tell, false)
			s.outcome(gary, 100, 15+75*r.Float64(), math.Ceil(2500*noise)/100, tell, false)
		}
		bid := func(territory Territory) float64 { return s.Quote(Ask{Most: 100, Territory: territory}).Dollars }
		if dear, cheap := bid(chicago), bid(gary); !(dear > 52 && dear < 80 && cheap > 24 && cheap < 42) {
			t.Errorf("told %v: $%v where prices are around $55, $%v where around $25", tell, dear, cheap)
		}
		if bid(Territory{Service: pingpost.HVAC, State: "WI"}) != bid(Territory{Service: pingpost.HVAC}) || bid(Territory{Service: pingpost.Roofing, State: "WI"}) != bid(Territory{}) {
			t.Error("an unknown territory is not bid for as its pool")
		}
	}
}

// TestJobsAreToldApart: what wins a repair wins no replacement, even where only wins and losses are heard
// of; a job without answers gets its service's bids.
func TestJobsAreToldApart(t *testing.T) {
	s := newShader(Profit)
	r := rand.New(rand.NewPCG(9, 9))
	replacement, repair := chicago, chicago
	replacement.Job, repair.Job = pingpost.Replace, pingpost.Repair
	for range 300 {
		noise := math.Exp(0.2 * r.NormFloat64())
		s.outcome(replacement, 100, 15+75*r.Float64(), math.Ceil(5500*noise)/100, false, false)
		s.outcome(repair, 100, 15+75*r.Float64(), math.Ceil(2500*noise)/100, false, false)
		s.outcome(repair, 100, 15+75*r.Float64(), math.Ceil(2500*noise)/100, false, false)
	}
	bid := func(territory Territory) float64 { return s.Quote(Ask{Most: 100, Territory: territory}).Dollars }
	if dear, cheap := bid(replacement), bid(repair); !(dear > 52 && dear < 80 && cheap > 24 && cheap < 42) {
		t.Errorf("$%v where prices are around $55, $%v where around $25", dear, cheap)
	}
	if bid(Territory{Service: pingpost.HVAC, Job: pingpost.Maintain, State: "IL"}) != bid(Territory{Service: pingpost.HVAC}) {
		t.Error("a job without answers is not bid for as its service")
	}
}

// TestBidsLieJustAboveTicks: rivals bid multiples of five dollars, and so much is told.
func TestBidsLieJustAboveTicks(t *testing.T) {
	s := newShader(Profit)
	r := rand.New(rand.NewPCG(8, 8))
	for range 400 {
		s.outcome(chicago, 90, 20+60*r.Float64(), max(math.Round(8*math.Exp(0.5*r.NormFloat64())), 1)*5+0.01, true, false)
	}
	for worth := 30.0; worth < 120; worth += 3.7 {
		if cents := centsOf(s.Quote(Ask{Most: worth, Territory: chicago}).Dollars); cents%500 != 1 {
			t.Errorf("for $%v it bids %d cents", worth, cents)
		}
	}
}

// TestPingsMaySayOtherwise: who pays less than the bid in any case bids what the lead is worth.
func TestPingsMaySayOtherwise(t *testing.T) {
	s := newShader(Profit)
	if q := s.Quote(Ask{Most: 80, Unshaded: true}); q.Shaded || q.Dollars != 80 {
		t.Errorf("%+v", q)
	}
}

// TestShadedBidsAreExplained says what the curve was learned from.
func TestShadedBidsAreExplained(t *testing.T) {
	s := newShader(Profit)
	for range 50 {
		s.outcome(chicago, 100, 50, 40, true, false)
		s.outcome(gary, 100, 50, 40, false, false)
	}
	ask := Ask{Most: 100, Territory: chicago}
	const want = " by 50 answers, 50 of them with a price, for hvac in IL"
	if got := s.Explain(ask, s.Quote(ask)); !strings.HasSuffix(got, want) {
		t.Errorf("%s, not %s", got, want)
	}
}

// TestShadedBidsKeepTheirBounds plays any market and asks for any quote.
func TestShadedBidsKeepTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objective := rapid.SampledFrom([]Objective{Profit, Volume}).Draw(t, "objective")
		setup := oneLine(objective, Learned, pingpost.AuctionFirst, 500)
		setup.Lines[0].MaxBid, setup.Lines[0].Explore = 70, 0.5
		s := &shader{NewDesk(setup), 0, monday}
		s.Read(monday, Reading{Start: monday, End: monday.AddDate(0, 0, 1), Dollars: rapid.Float64Range(0, 600).Draw(t, "spent")})
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		middle := math.Exp(rapid.Float64Range(-1, 8).Draw(t, "middle"))
		for range rapid.IntRange(0, 80).Draw(t, "answers") {
			s.outcome([]Territory{chicago, gary, {Service: pingpost.Roofing}, {}}[r.IntN(4)], middle*(0.5+2*r.Float64()),
				math.Ceil(middle*200*r.Float64()+1)/100, math.Ceil(middle*200*r.Float64()+1)/100, r.IntN(2) == 0, r.IntN(2) == 0)
		}
		for range 20 {
			ask := Ask{Most: middle * 3 * r.Float64(), Worth: middle * 4 * r.Float64() * float64(r.IntN(2)), Draw: r.Uint64(), Territory: chicago}
			if r.IntN(3) == 0 {
				ask.Least = middle * r.Float64()
			}
			q := s.Quote(ask)
			if q.Reason != pingpost.ReasonNone {
				continue
			}
			v, most := (q.Worth-q.Nu)*q.Lambda, ask.Most
			if objective == Volume {
				most = 70
			}
			if !(q.Dollars > 0) || q.Dollars > v || q.Dollars > most || q.Chance < 0 || q.Chance > 1 || math.IsNaN(q.Chance) {
				t.Fatalf("%+v for %+v", q, ask)
			}
			if ask.Least < min(v, most) && q.Dollars < ask.Least {
				t.Fatalf("a bid of %v; at least %v is asked for, and %v may be paid", q.Dollars, ask.Least, v)
			}
		}
	})
}

// TestChanceIsThatOfTheBid: where nothing is known it is the usual market's, and where the rules write less than
// the best bid, that of the bid which is made.
func TestChanceIsThatOfTheBid(t *testing.T) {
	desk := NewDesk(oneLine(Profit, Asap, pingpost.AuctionFirst, 500))
	for _, most := range []float64{60, 300} {
		q := desk.Quote(Ask{Most: most, Worth: 324, Territory: chicago})
		if want := usual(q.Dollars / 324); !q.Shaded || q.Tried > 0 || math.Abs(q.Chance-want) > 1e-12 || q.Dollars > most {
			t.Errorf("for at most $%v: a bid of $%.2f with a chance of %.3f, not %.3f", most, q.Dollars, q.Chance, want)
		}
	}
}

// TestMarketsGoOn restores a Desk that was told prices, through JSON.
func TestMarketsGoOn(t *testing.T) {
	whole := newShader(Profit)
	other := whole
	r := rand.New(rand.NewPCG(9, 9))
	for i := range 900 {
		if i == 450 {
			text, err := json.Marshal(whole.State())
			if err != nil {
				t.Fatal(err)
			}
			var state State
			if err := json.Unmarshal(text, &state); err != nil {
				t.Fatal(err)
			}
			other = &shader{Restore(whole.setup, state), whole.seq, whole.now}
		}
		territory, bid, price := []Territory{chicago, gary, {Service: pingpost.Plumbing}}[r.IntN(3)], 20+60*r.Float64(), 20+60*r.Float64()
		tell, late := r.IntN(2) == 0, r.IntN(2) == 0
		whole.outcome(territory, 90, bid, price, tell, late)
		if other == whole {
			continue
		}
		other.outcome(territory, 90, bid, price, tell, late)
		ask := Ask{Most: 150 * r.Float64(), Territory: territory}
		if first, second := whole.Quote(ask), other.Quote(ask); first != second {
			t.Fatalf("answer %d: %+v, after a restore %+v", i, first, second)
		}
	}
	first, _ := json.Marshal(whole.State())
	second, _ := json.Marshal(other.State())
	if string(first) != string(second) {
		t.Error("the states differ in the end")
	}
}

// TestShadedMoneyIsPaced: where the winner pays its bid, too, the money lasts and buys more than the
// best constant multiplier that hindsight finds.
func TestShadedMoneyIsPaced(t *testing.T) {
	const budget, pings, days = 1500.0, 900, 10
	r := rand.New(rand.NewPCG(1, 2))
	tr := trader{Desk: NewDesk(oneLine(Profit, Learned, pingpost.AuctionFirst, budget)), budget: budget}
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
				if bid := min(float64(i+1)/20*one.worth, left); bid >= one.price {
					left, constants[i] = left-bid, constants[i]+one.worth
				}
			}
		}
	}
	if best := slices.Max(constants); worth < best {
		t.Errorf("bought worth %.0f, the best constant %.0f", worth, best)
	}
	if spent < 0.97*budget*days || spent > budget*days {
		t.Errorf("spent %.0f of %.0f", spent, budget*days)
	}
}
