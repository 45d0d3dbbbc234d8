package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"leadbid/pingpost"
)

// This file is what the length of a hold costs and saves, in one table: a bidder without faults on an
// exchange whose posts can be refused, and which posts late. Longer holds keep more of the budget out
// of play; shorter ones are over when the post comes, so that its money may be another bid's by then.

// holdsRow is one way to hold.
type holdsRow struct {
	HoldFor     string  `json:"hold_for"`
	Notices     bool    `json:"loss_notices"`
	Bids        int     `json:"bids"`
	OpenBids    int     `json:"no_bids_open_bids"` // pings that got no bid because other bids held the money
	Wins        int     `json:"wins"`              // bids that were posted
	Refused     int     `json:"refused_posts"`     // of those, refused because the money was gone
	Bought      int     `json:"bought"`
	Utilisation float64 `json:"utilisation"` // of the day's budget when the traffic ends
}

const (
	holdBudget  = 4000   // dollars a day
	holdBid     = 40     // dollars
	holdPings   = 12_000 // over two hours
	holdSpan    = 2 * time.Hour
	holdWins    = 0.02 // of the bids
	holdConfirm = 45 * time.Second
)

// holdsTable plays every way to hold over the same pings.
func holdsTable() (rows []holdsRow) {
	for _, holdFor := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute} {
		for _, notices := range []bool{false, true} {
			rows = append(rows, playHolds(holdFor, notices))
		}
	}
	return rows
}

// newCalmWorld is a world without faults, at 09:00 in Chicago: with one exchange, north, that is played by hand.
func newCalmWorld() *world {
	w := &world{random: rand.New(rand.NewPCG(1, 2)), trace: newTrace(), calm: true}
	w.now = time.Date(2026, time.March, 3, 15, 0, 0, 0, time.UTC)
	x := &market{process: w.newProcess("north")}
	w.markets = []*market{x}
	w.enrol(&x.process)
	x.up = true
	return w
}

// playHolds has homeowners come evenly for two hours. The exchange decides an auction at once, tells
// the losers if it tells at all, and posts a won lead after the homeowner has confirmed it: after 45 s
// on average, and within the 30 minutes for which a bid stands.
func playHolds(holdFor time.Duration, notices bool) holdsRow {
	w := newCalmWorld()
	c := w.holdsContractor(holdFor)
	w.links = make([]link, len(w.processes)*len(w.processes))
	r := c.replicas[0]
	r.start()
	w.until(w.now.Add(5 * time.Second))
	row := holdsRow{HoldFor: holdFor.String(), Notices: notices}
	end := w.now.Add(holdSpan)
	for n := range holdPings {
		w.in(holdSpan*time.Duration(n)/holdPings, func() { w.holdsPing(r, n, notices, &row) })
	}
	w.until(end)
	used, err := c.books.Usage(context.Background(), c.inForce.plan, w.now)
	if err == nil {
		row.Utilisation = float64(used[0].UsedCents) / (100 * holdBudget)
	}
	return row
}

func (w *world) holdsContractor(holdFor time.Duration) *contractor {
	c := w.newBusiness("ann", 0)
	c.terms = terms{
		zone:      "America/Chicago",
		exchanges: []exchangeTerms{{name: "north", ttl: 30 * time.Minute, holdFor: holdFor, tells: "result"}},
		campaigns: []campaignTerms{{name: "hvac", service: pingpost.HVAC, base: holdBid, dedupe: "1h", flat: true}},
	}
	c.terms.campaigns[0].dollars[pingpost.Day] = holdBudget
	c.inForce = w.load(&c.terms)
	return c
}

func (w *world) holdsPing(r *replica, n int, notices bool, row *holdsRow) {
	ping := pingpost.Ping{
		Exchange: "north", ID: fmt.Sprint("p-", n), TmaxMS: 300, Service: pingpost.HVAC, Job: pingpost.Repair,
		ZIP: 60614, State: "IL", Homeowner: pingpost.Yes, Exclusive: true,
	}
	won, confirmed := w.chance(holdWins), time.Duration(w.random.ExpFloat64()*float64(holdConfirm))
	r.bid(&ping, func(answer pingpost.Answer) {
		switch {
		case answer.Kind == pingpost.AnswerNoBid && answer.Reason == pingpost.OpenBids:
			row.OpenBids++
		case answer.Kind == pingpost.AnswerBid && won:
			row.Bids++
			row.Wins++
			w.in(min(confirmed, 29*time.Minute), func() { w.holdsPost(r, &ping, answer, row) })
		case answer.Kind == pingpost.AnswerBid:
			row.Bids++
			if notices {
				lost := pingpost.Notice{Exchange: "north", PingID: ping.ID, BidID: answer.BidID, Outcome: pingpost.OutcomeLost}
				w.in(300*time.Millisecond, func() { r.notify(lost, func() {}) })
			}
		}
	})
}

func (w *world) holdsPost(r *replica, ping *pingpost.Ping, answer pingpost.Answer, row *holdsRow) {
	post := pingpost.Post{
		Exchange: ping.Exchange, PingID: ping.ID, BidID: answer.BidID, Price: answer.Bid, Service: ping.Service,
		Job: ping.Job, ZIP: ping.ZIP, Exclusive: true,
		Lead: pingpost.Lead{Phone: pingpost.NewPrivate("+1" + fmt.Sprint(3125550000+len(r.c.bids))), City: "Chicago"},
	}
	post.BodyHash = bodyOf(&post)
	r.take(post, func(verdict pingpost.Verdict) {
		switch {
		case verdict.Kind == pingpost.VerdictAccepted:
			row.Bought++
		case verdict.Reason == pingpost.BudgetExhausted:
			row.Refused++
		}
	})
}

func printHolds(out io.Writer, rows []holdsRow) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "hold_for\tloss notices\tbids\tno bid: open_bids\twins\trefused posts\tbought\tbudget used\t")
	for _, row := range rows {
		told := "no"
		if row.Notices {
			told = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%.1f %%\t\n", row.HoldFor, told, row.Bids, row.OpenBids, row.Wins, row.Refused, row.Bought, 100*row.Utilisation)
	}
	return w.Flush()
}

// holds prints the table and keeps it.
func holds(out io.Writer, folder string) error {
	rows := holdsTable()
	if err := printHolds(out, rows); err != nil || folder == "" {
		return err
	}
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, time.Now().UTC().Format(time.DateOnly)+".json"), append(text, '\n'), 0o644)
}
