package main

import (
	"fmt"
	"strings"
	"time"

	"leadbid/exchange"
	"leadbid/internal/cli"
	"leadbid/pingpost"
)

// reportTables is a report as tables: those of sellers where one is asked about or nobody, those
// of buyers likewise.
func reportTables(report exchange.Report) []cli.Table {
	var tables []cli.Table
	if len(report.Sellers) > 0 {
		sellers := cli.Table{Title: "sellers", Columns: []string{"seller", "leads", "sold", "returned",
			"revenue_usd", "payout_usd", "unsold_because"}}
		for _, s := range report.Sellers {
			sellers.Add(s.Seller, s.Leads, s.Sold, s.Returned, s.Revenue, s.Payout, reasonWords(s.Unsold))
		}
		tables = append(tables, sellers)
	}
	if len(report.Buyers) > 0 {
		buyers := cli.Table{Title: "buyers", Columns: []string{"buyer", "eligible", "bids", "no_bids", "timed_out",
			"broken", "won", "rejected", "voided", "returned", "spend_usd", "p50_ms", "p95_ms",
			"not_asked_because"}}
		for _, b := range report.Buyers {
			buyers.Add(b.Buyer, b.Eligible, b.Bids, b.NoBids, b.TimedOut, b.Broken, b.Won, b.Rejected, b.Voided,
				b.Returned, b.Spend, b.Latency50, b.Latency95, reasonWords(b.NotAsked))
		}
		tables = append(tables, buyers)
	}
	if len(report.Services) > 0 {
		places := cli.Table{Title: "services", Columns: []string{"service", "zip3", "leads", "sold", "revenue_usd"}}
		for _, p := range report.Services {
			places.Add(p.Service, p.ZIP3, p.Leads, p.Sold, p.Revenue)
		}
		tables = append(tables, places)
	}
	return tables
}

// reasonWords is "outbid 12, outside_area 3".
func reasonWords(lines []exchange.ReasonLine) string {
	words := make([]string, len(lines))
	for i, line := range lines {
		words[i] = fmt.Sprintf("%s %d", line.Reason, line.Count)
	}
	return strings.Join(words, ", ")
}

// timelineTable is the life of an offer, an event a row, and a row for each buyer where an event
// is about several. Times are shown in the exchange's zone.
func timelineTable(events []exchange.Event, zone *time.Location) cli.Table {
	table := cli.Table{Columns: []string{"offer", "step", "at", "after_ms", "event", "buyer", "price_usd", "why"}}
	for i := range events {
		e := &events[i]
		after := e.At.Sub(events[0].At)
		row := func(buyer string, price pingpost.Cents, why ...string) {
			table.Add(e.Offer, e.Step, e.At.In(zone), after, e.Kind, buyer, optional(price), sentence(why...))
		}
		switch e.Kind {
		case exchange.Opened:
			row("", e.Opened.Floor, e.Seller, e.Service, e.ZIP, "campaign "+e.Opened.Campaign, e.Opened.Price+" price")
		case exchange.Targeted:
			for _, target := range e.Targets {
				row(target.Buyer, target.Preset, eligibility(target), "wallet "+target.Available.String())
			}
		case exchange.Cleared:
			for _, answer := range e.Answers {
				row(answer.Buyer, answer.Bid, answer.Status.String(), answer.Reason.String(), answer.Detail,
					latency(answer.Latency))
			}
		case exchange.Held:
			row(e.Buyer, e.Price, "bid "+e.Hold.Bid.String(), fmt.Sprintf("hop %d", e.Hold.Hop),
				fmt.Sprintf("%d rivals", e.Hold.Rivals))
		case exchange.FellBack:
			row("", 0, e.Reason.String(), "goes on as "+string(e.Next))
		default:
			row(e.Buyer, e.Price, e.Reason.String(), e.Detail, attempt(e.Attempt), latency(e.Latency))
		}
	}
	return table
}

func eligibility(target exchange.Target) string {
	if target.Eligible {
		return "asked"
	}
	return "not asked: " + target.Reason.String()
}

func attempt(number int) string {
	if number < 2 {
		return ""
	}
	return fmt.Sprintf("attempt %d", number)
}

func latency(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.Round(10 * time.Microsecond).String()
}

// optional leaves a cell empty where there is no amount.
func optional(amount pingpost.Cents) any {
	if amount == 0 {
		return ""
	}
	return amount
}

// sentence joins what there is to say.
func sentence(parts ...string) string {
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	return strings.Join(said, ", ")
}
