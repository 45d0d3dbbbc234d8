package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	budgetstore "leadbid/budget/store"
	"leadbid/exchange/simulate"
	"leadbid/internal/cli"
	"leadbid/pingpost"
)

// This file plays the same days twice, each time with another strategy of the contractor: what
// pacing and value are good for shows over days, and the live market runs for minutes. Time is
// virtual throughout; homeowners, rivals and their bids depend on the seed alone.

// northside is the exchange, as the contractors' configurations name it.
const northside = "northside"

// span is how many days there are. Those that count come after those from which the plan learns.
type span struct{ warm, counted int }

// twoWeeks: the learned plan has to know its week, and then come the working days of the next.
var twoWeeks = span{warm: 7, counted: 5}

const (
	hvacPerDay  = 100 // homeowners on a mean day of a mean season
	hvacRivals  = 8
	smallChange = pingpost.Cents(25_00) // with less than that left, a day's money is out
)

// comparison is what two contractors with the same rules and budget bought of the same homeowners.
type comparison struct {
	WarmDays    int         `json:"warm_up_days"`
	Days        int         `json:"days"`
	Homeowners  int         `json:"homeowners"`
	Contractors []purchases `json:"contractors"`  // the plain one, the paced one
	Gain        int         `json:"gain_percent"` // by how much more the paced one's leads are worth
}

// purchases are what one of them bought in the days that count, as its books have it.
type purchases struct {
	Contractor string         `json:"contractor"`
	Strategy   string         `json:"strategy"`
	Leads      int            `json:"leads"`
	Spent      pingpost.Cents `json:"spent"`
	Budget     pingpost.Cents `json:"budget"`
	Worth      pingpost.Cents `json:"worth"` // by the contractor's own value
	PerDollar  float64        `json:"worth_per_dollar"`
	OutAt      string         `json:"money_out_at"` // on the mean day, local time; a day with money left counts as 24:00

	charged pingpost.Cents // what the market says that it charged, the warm-up included
	booked  pingpost.Cents // what the books say of the same
	checks  int            // invariants of the books that hold
	broken  error          // those that do not
}

// sideBySide plays the days with both strategies, each in a market, books and a folder of its own.
func sideBySide(ctx context.Context, seed uint64, days span, dir string) (*comparison, error) {
	n, err := newNeighbours(seed, days)
	if err != nil {
		return nil, err
	}
	plain := purchases{Contractor: "plain", Strategy: "{pacing: asap, objective: as_written}"}
	paced := purchases{Contractor: "paced", Strategy: pacedStrategy}
	plays := make(chan error)
	for _, one := range []*purchases{&plain, &paced} {
		go func() { plays <- n.play(ctx, filepath.Join(dir, one.Contractor), one) }()
	}
	if err := errors.Join(<-plays, <-plays); err != nil {
		return nil, fmt.Errorf("side by side: %w", err)
	}
	result := &comparison{WarmDays: days.warm, Days: days.counted, Contractors: []purchases{plain, paced}}
	result.Homeowners = len(n.homeowners) - slices.IndexFunc(n.homeowners, n.counts)
	if plain.Worth > 0 {
		result.Gain = int(math.Round(100 * (float64(paced.Worth)/float64(plain.Worth) - 1)))
	}
	return result, nil
}

// neighbours are the homeowners of all days, in order, and the rivals who bid for them.
type neighbours struct {
	homeowners []simulate.Homeowner
	roster     *simulate.Roster
	zone       *time.Location
	from, to   time.Time // the days that count
}

func newNeighbours(seed uint64, days span) (*neighbours, error) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		return nil, err
	}
	monday := time.Date(2026, time.March, 9, 0, 0, 0, 0, zone)
	n := &neighbours{zone: zone, from: monday.AddDate(0, 0, days.warm), to: monday.AddDate(0, 0, days.warm+days.counted)}
	trades := slices.DeleteFunc(simulate.DefaultTrades(), func(trade simulate.Trade) bool {
		return !slices.Contains(trade.Services, pingpost.HVAC)
	})
	rivals := simulate.DefaultRosterSettings(seed)
	rivals.Rivals, rivals.Trades = hvacRivals, trades
	if n.roster, err = simulate.NewRoster(rivals); err != nil {
		return nil, err
	}
	wanted := simulate.DefaultSettings(seed, monday)
	wanted.PerDay, wanted.Trades, wanted.Exclusive, wanted.Auction = hvacPerDay, trades, 1, pingpost.AuctionFirst
	generator, err := simulate.NewGenerator(wanted)
	if err != nil {
		return nil, err
	}
	for h := generator.Next(); h.At.Before(n.to); h = generator.Next() {
		h.Ping.Exchange = northside
		h.Ping.Digest = h.Ping.ComputeDigest()
		n.homeowners = append(n.homeowners, h)
	}
	return n, nil
}

// counts tells whether a homeowner comes on a day that counts.
func (n *neighbours) counts(h simulate.Homeowner) bool { return !h.At.Before(n.from) }

// play lets one contractor buy among the rivals, day after day, and reads its books at the end.
func (n *neighbours) play(ctx context.Context, folder string, bought *purchases) (err error) {
	c, err := openContender(ctx, folder, bought.Strategy, n.homeowners[0].At)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.store.Close()) }()
	rivals := rivalDay{roster: n.roster, spent: make([]pingpost.Cents, len(n.roster.Rivals))}
	for i := range n.homeowners {
		h := &n.homeowners[i]
		rivals.turn(h.At.In(n.zone).YearDay())
		paid, err := rivals.auction(ctx, c, h)
		if err != nil {
			return err
		}
		bought.charged += paid
	}
	return n.read(ctx, c, bought)
}

// rivalDay is the rivals' side of one contractor's market: what each has spent of its day.
type rivalDay struct {
	roster *simulate.Roster
	day    int
	spent  []pingpost.Cents
}

// turn begins the rivals' budgets anew with each day.
func (r *rivalDay) turn(day int) {
	if day != r.day {
		r.day = day
		clear(r.spent)
	}
}

// auction sells one homeowner's lead to the highest bid, for what it bids; among equals a rival was
// first. paid is what the contractor pays where it bought the lead.
func (r *rivalDay) auction(ctx context.Context, c *contender, h *simulate.Homeowner) (paid pingpost.Cents, err error) {
	bid, err := c.ask(ctx, h.At, &h.Ping)
	if err != nil {
		return 0, err
	}
	rival, highest := r.best(h)
	switch {
	case bid.Bid && bid.Price > highest:
		// What the contractor refuses (it has this homeowner already) goes to the next.
		if accepted, err := c.take(ctx, h, &bid); accepted || err != nil {
			return bid.Price, err
		}
	case bid.Bid:
		c.lost(&bid)
	}
	if highest > 0 {
		r.spent[rival] += highest
	}
	return 0, nil
}

// best is the highest bid of the rivals who would take the lead at its post.
func (r *rivalDay) best(h *simulate.Homeowner) (rival int, highest pingpost.Cents) {
	for i := range r.roster.Rivals {
		price, _ := r.roster.Bid(i, h.At, &h.Ping, r.spent[i])
		if _, rejects := r.roster.Rejects(i, h.Ping.ID); price > highest && !rejects {
			rival, highest = i, price
		}
	}
	return rival, highest
}

// read takes what was bought from the contractor's books, and verifies them.
func (n *neighbours) read(ctx context.Context, c *contender, bought *purchases) error {
	leads, err := c.store.Leads(ctx, budgetstore.LeadFilter{Max: allLeads})
	if err != nil {
		return err
	}
	slices.Reverse(leads) // oldest first
	for _, lead := range leads {
		bought.booked += lead.Price
	}
	leads = slices.DeleteFunc(leads, func(lead budgetstore.Lead) bool { return lead.At.Before(n.from) })
	if err := n.value(c, leads, bought); err != nil {
		return err
	}
	days, daily := n.outAt(leads, c.daily())
	bought.Budget, bought.OutAt = pingpost.Cents(days)*c.daily(), fmt.Sprintf("%02d:%02d", int(daily.Hours()), int(daily.Minutes())%60)
	bought.checks, bought.broken = c.verify(ctx)
	return nil
}

// value adds up what leads cost and what they are worth.
func (n *neighbours) value(c *contender, leads []budgetstore.Lead, bought *purchases) error {
	homeowners := map[string]*simulate.Homeowner{}
	for i := range n.homeowners {
		homeowners[n.homeowners[i].Ping.ID] = &n.homeowners[i]
	}
	evaluation := c.rules.NewEvaluation()
	for _, lead := range leads {
		worth, err := c.worth(evaluation, homeowners[lead.PingID])
		if err != nil {
			return err
		}
		bought.Leads, bought.Spent, bought.Worth = bought.Leads+1, bought.Spent+lead.Price, bought.Worth+worth
	}
	if bought.Spent > 0 {
		bought.PerDollar = math.Round(100*float64(bought.Worth)/float64(bought.Spent)) / 100
	}
	return nil
}

// outAt counts the days, and gives the mean time of day after which the money was as good as gone.
// leads are oldest first.
func (n *neighbours) outAt(leads []budgetstore.Lead, daily pingpost.Cents) (days int, mean time.Duration) {
	for day := n.from; day.Before(n.to); day = day.AddDate(0, 0, 1) {
		days++
		out, left := 24*time.Hour, daily
		for _, lead := range leads {
			today := !lead.At.Before(day) && lead.At.Before(day.AddDate(0, 0, 1))
			if today && left >= smallChange {
				if left -= lead.Price; left < smallChange {
					out = lead.At.Sub(day)
				}
			}
		}
		mean += out
	}
	return days, mean / time.Duration(days)
}

// prove holds both contractors' books against the market's word and against themselves.
func (c *comparison) prove(proof *invariants) {
	for _, one := range c.Contractors {
		proof.add("side by side, "+one.Contractor+": booked what was charged", one.booked.String(),
			one.booked == one.charged, fmt.Sprintf("booked %s, charged %s", one.booked, one.charged))
		proof.add("side by side, "+one.Contractor+": bidder verify", fmt.Sprintf("%d checks hold", one.checks),
			one.broken == nil, fmt.Sprint(one.broken))
	}
}

// line says in one sentence what came of it.
func (c *comparison) line() string {
	more, percent := "more", c.Gain
	if percent < 0 {
		more, percent = "less", -percent
	}
	plain, paced := &c.Contractors[0], &c.Contractors[1]
	return fmt.Sprintf("side by side: the same %d days twice, after %d days to learn; paced and valued, the same budget bought %d %% %s worth"+
		" than as leads came, at the rules' prices (%s for %s, not %s for %s)",
		c.Days, c.WarmDays, percent, more, paced.Worth, paced.Spent, plain.Worth, plain.Spent)
}

func (c *comparison) table() cli.Table {
	table := cli.Table{
		Title:   "side by side: the same homeowners, rivals, rules and budget; two strategies",
		Columns: []string{"contractor", "strategy", "leads", "spent", "of_budget", "worth", "worth_per_dollar", "money_out_at"},
	}
	for _, one := range c.Contractors {
		table.Add(one.Contractor, one.Strategy, one.Leads, one.Spent, one.Budget, one.Worth,
			fmt.Sprintf("%.2f", one.PerDollar), one.OutAt)
	}
	return table
}
