package strategy

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/pingpost"
)

// TestNothingMakesABidTooDear feeds the Desk what no honest exchange, ledger or rule says, in any order
// and with a clock that jumps. Whatever happened, a bid is a number, is above 0 and at most the rule's number, or
// with Volume max_bid; and its state is plain numbers that a recording can hold.
func TestNothingMakesABidTooDear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const maxBid = 250.0
		line := Line{Campaign: "c", Exchange: "x", MaxBid: maxBid, Caps: []int{0, 1}, Tells: rapid.Bool().Draw(t, "tells"),
			Objective: Objective(rapid.IntRange(0, 2).Draw(t, "objective")), Pacing: Pacing(rapid.IntRange(0, 2).Draw(t, "pacing")),
			Auction: rapid.SampledFrom([]pingpost.Auction{pingpost.AuctionUnknown, pingpost.AuctionFirst, pingpost.AuctionSecond}).Draw(t, "auction"),
			Explore: 0.2, Crew: rapid.SampledFrom([]string{"", "crew"}).Draw(t, "crew")}
		for i := range line.Open {
			line.Open[i] = i%24 < 20
		}
		d := NewDesk(Setup{Zone: time.UTC, Lines: []Line{line}, Crews: []Crew{{Name: "crew", Hours: 6}},
			Caps: []Cap{{Name: "money", Dollars: 500}, {Name: "places", Leads: 8}}})
		amount := rapid.OneOf(rapid.Float64Range(0.01, 300), rapid.SampledFrom([]float64{0.005, 0.01, 1e-9, 1e6, 1e12}))
		told := rapid.OneOf(amount, rapid.SampledFrom([]float64{0, -5, math.Inf(1), math.NaN()}))
		now, seq := monday, uint64(0)
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 60, 3600, 90_000, -3600, 3_000_000}).Draw(t, "passes")) * time.Second)
			switch rapid.IntRange(0, 7).Draw(t, "does") {
			default:
				ask := Ask{Most: amount.Draw(t, "most"), Draw: rapid.Uint64().Draw(t, "draw"), At: now, Hours: 2, Chance: 0.3,
					Least: rapid.SampledFrom([]float64{0, 5}).Draw(t, "least"), Territory: Territory{Service: 1, State: "IL"}}
				if rapid.Bool().Draw(t, "valued") {
					ask.Worth = amount.Draw(t, "worth")
				}
				q := d.Quote(ask)
				most := ask.Most
				if line.Objective == Volume {
					most = maxBid
				}
				if q.Reason == pingpost.ReasonNone && !(q.Dollars > 0 && q.Dollars <= most) || q.Reason != pingpost.ReasonNone && q.Dollars != 0 {
					t.Fatalf("asked %+v it quotes %+v", ask, q)
				}
				if line.Objective == AsWritten && q.Dollars != 0 && q.Dollars != ask.Most {
					t.Fatalf("as written %v is bid %v", ask.Most, q.Dollars)
				}
				d.Note(now, ask, q)
				if q.Dollars > 0 {
					seq++
					d.Placed(seq, ask, q, q.Dollars, now.Add(time.Minute))
				}
			case 0:
				d.Won(now, seq, told.Draw(t, "paid"))
			case 1:
				d.Lost(now, seq)
			case 2:
				d.Told(seq, told.Draw(t, "price"))
			case 3:
				start := now.Truncate(24 * time.Hour)
				d.Read(now, Reading{Cap: 0, Start: start, End: start.Add(24 * time.Hour), Dollars: amount.Draw(t, "used"), Replicas: rapid.IntRange(0, 3).Draw(t, "replicas")})
				d.Read(now, Reading{Cap: 1, Start: start, End: start.Add(24 * time.Hour), Leads: float64(rapid.IntRange(0, 20).Draw(t, "leads"))})
			case 4:
				d.Expire(now)
			case 5:
				body, err := WriteCheckpoint(d.Checkpoint())
				if err != nil {
					t.Fatal(err)
				}
				kept, err := ReadCheckpoint(body)
				if err != nil {
					t.Fatal(err)
				}
				d = Restore(d.setup, kept)
			}
		}
		if _, err := json.Marshal(d.State()); err != nil {
			t.Fatal(err)
		}
	})
}
