package strategy

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"leadbid/pingpost"
)

// TestShowTellsWhy looks at a Desk at noon of its second week.
func TestShowTellsWhy(t *testing.T) {
	for _, one := range []struct {
		objective Objective
		pacing    Pacing
		auction   pingpost.Auction
		budget    float64
		begins    []string // of the cap's words, and the line's
	}{
		{Profit, Learned, pingpost.AuctionSecond, 1500, []string{"day: ", "c on x: mu "}},
		{Profit, Learned, pingpost.AuctionSecond, 1e6, []string{"day: 1 % of $1,000,000.00 is used where the plan has ", "c on x: money for every lead: it is bid what it is worth"}},
		{Volume, Even, pingpost.AuctionSecond, 1e6, []string{"day: ", "c on x: more money than leads: one is bid $20.00 for each dollar it is worth, and at most $500.00"}},
		{AsWritten, Learned, pingpost.AuctionFixed, 9000, []string{"day: ", "c on x: buys the best "}},
		{Profit, Asap, pingpost.AuctionFirst, 1500, []string{"c on x: not paced: money for every lead, as long as it lasts; of that, what earns most is bid"}},
	} {
		tr := trader{Desk: NewDesk(oneLine(one.objective, one.pacing, one.auction, one.budget)), budget: one.budget}
		r := rand.New(rand.NewPCG(13, 14))
		for day := range 8 {
			leads := dayOf(r, monday.AddDate(0, 0, day), troublePings)
			if day == 7 {
				leads = slices.DeleteFunc(leads, func(l lead) bool { return l.at.Sub(monday) > (7*24+12)*time.Hour })
			}
			tr.day(monday.AddDate(0, 0, day), leads)
		}
		noon := monday.AddDate(0, 0, 7).Add(12 * time.Hour)
		before := tr.State()
		standing := tr.Show(noon)
		if !reflect.DeepEqual(before, tr.State()) {
			t.Error("showing changes something")
		}
		var words []string
		for _, c := range standing.Caps {
			words = append(words, c.Words)
			if one.pacing != Asap && (c.Plan < 0.2 || c.Plan > 0.55) {
				t.Errorf("%v, %v: at noon the plan has %.2f", one.objective, one.pacing, c.Plan)
			}
		}
		for _, l := range standing.Lines {
			words = append(words, l.Words)
		}
		for i, begin := range one.begins {
			if i >= len(words) || !strings.HasPrefix(words[i], begin) {
				t.Errorf("%v, %v: it says %q, not %q", one.objective, one.pacing, words, begin)
				break
			}
		}
	}
}

// TestCheckpointGoesOn writes and reads what is kept, and spoils each part of it.
func TestCheckpointGoesOn(t *testing.T) {
	setup := oneLine(Profit, Learned, pingpost.AuctionFirst, 1500)
	tr := trader{Desk: NewDesk(setup), budget: 1500}
	tr.day(monday, dayOf(rand.New(rand.NewPCG(15, 16)), monday, 300))
	body, err := WriteCheckpoint(tr.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	state, err := ReadCheckpoint(body)
	if err != nil || state.Empty() {
		t.Fatal(err)
	}
	kept, was := Restore(setup, state).State().Lines[0], tr.State().Lines[0]
	if kept.Week.Seen != was.Week.Seen || kept.Response != was.Response || kept.PendingLeads != 0 || kept.Lambda != was.Lambda {
		t.Error("what was learned is not what was kept")
	}
	for at := 0; at < len(body); at += 61 {
		spoiled := append([]byte{}, body...)
		spoiled[at] ^= 1
		if _, err := ReadCheckpoint(spoiled); !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("byte %d is spoiled, and it says %v", at, err)
		}
	}
	newer := []byte(strings.Replace(string(body), `"version":2`, `"version":3`, 1))
	if _, err := ReadCheckpoint(newer); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("of another version: %v", err)
	}
	if _, err := ReadCheckpoint(nil); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("of nothing: %v", err)
	}
}

// TestResetBeginsAnew forgets one line of two; its open bids stay counted.
func TestResetBeginsAnew(t *testing.T) {
	setup := oneLine(Profit, Learned, pingpost.AuctionSecond, 1500)
	setup.Lines = append(setup.Lines, setup.Lines[0])
	setup.Lines[1].Campaign = "other"
	tr := trader{Desk: NewDesk(setup), budget: 1500}
	tr.day(monday, dayOf(rand.New(rand.NewPCG(17, 18)), monday, 300))
	tr.Placed(9999, Ask{}, Quote{Worth: 40}, 30, monday.AddDate(0, 0, 2))
	noon := monday.Add(12 * time.Hour)
	if n := tr.Reset(noon, "other"); n != 1 || tr.State().Lines[0].Response.Sum == 0 {
		t.Errorf("%d lines began anew, and the wrong one", n)
	}
	if n := tr.Reset(noon, ""); n != 2 {
		t.Errorf("%d lines began anew", n)
	}
	line := tr.State().Lines[0]
	if line.Response.Sum != 0 || line.Week.Seen != [hoursOfWeek]float64{} || line.Pending != 30 || line.PendingLeads != 1 {
		t.Errorf("after a reset: %v answers, $%v pending", line.Response.Sum, line.Pending)
	}
	tr.Lost(noon, 9999)
	if tr.State().Lines[0].Pending != 0 {
		t.Error("a bid from before the reset stays pending")
	}
}
