package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	budgetstore "leadbid/budget/store"
	"leadbid/exchange/store"
	"leadbid/internal/cli"
	"leadbid/pingpost"
)

// invariants are the proof: each promise with what was found.
type invariants struct {
	OK     bool    `json:"ok"`
	Checks []check `json:"checks"`
}

type check struct {
	What  string `json:"what"`
	OK    bool   `json:"ok"`
	Found string `json:"found"`
}

// add notes a promise: found says what was held against it, broken what is wrong where it is.
func (i *invariants) add(what, found string, holds bool, broken string) {
	if !holds {
		found = broken
	}
	i.Checks = append(i.Checks, check{what, holds, found})
	i.OK = !slices.ContainsFunc(i.Checks, func(c check) bool { return !c.OK })
}

// bought is one lead as either side knows it.
type bought struct {
	ping  string // the offer's id, under which the exchange pinged
	price pingpost.Cents
}

// allLeads is far above what a demo can buy.
const allLeads = 10_000_000

// prove holds both sides' books against each other and against themselves.
func (m *market) prove(ctx context.Context) (invariants, error) {
	var proof invariants
	leads, err := m.bidder.Store().Leads(ctx, budgetstore.LeadFilter{Max: allLeads})
	if err != nil {
		return proof, err
	}
	sold, err := m.books.Leads(ctx, contractor, store.LeadFilter{Max: allLeads})
	if err != nil {
		return proof, err
	}
	proof.agree(leads, sold)
	if err := m.proveAccounts(ctx, &proof); err != nil {
		return proof, err
	}
	if err := m.proveCaps(ctx, &proof); err != nil {
		return proof, err
	}
	m.proveDelivery(leads, &proof)
	return proof, m.proveBooks(ctx, &proof)
}

// agree compares lead by lead: the same pings at the same prices.
func (i *invariants) agree(leads []budgetstore.Lead, sold []store.BoughtLead) {
	var ours, theirs []bought
	var charged, billed pingpost.Cents
	for _, lead := range leads {
		if !lead.Returned {
			ours, charged = append(ours, bought{lead.PingID, lead.Price}), charged+lead.Price
		}
	}
	for _, lead := range sold {
		if !lead.Returned {
			theirs, billed = append(theirs, bought{string(lead.Offer), lead.Price}), billed+lead.Price
		}
	}
	order := func(a, b bought) int {
		return cmp.Or(cmp.Compare(a.ping, b.ping), cmp.Compare(a.price, b.price))
	}
	slices.SortFunc(ours, order)
	slices.SortFunc(theirs, order)
	i.add("the exchange charged what the bidder booked, lead by lead",
		fmt.Sprintf("%d leads, %s", len(ours), charged), slices.Equal(ours, theirs),
		fmt.Sprintf("bidder: %d leads, %s; exchange: %d leads, %s", len(ours), charged, len(theirs), billed))
}

func (m *market) proveAccounts(ctx context.Context, proof *invariants) error {
	balances, err := m.books.Balances(ctx)
	if err != nil {
		return err
	}
	var sum pingpost.Cents
	for _, balance := range balances {
		sum += balance.Cents
	}
	proof.add("all accounts of the exchange sum to zero", fmt.Sprintf("%d accounts", len(balances)), sum == 0,
		fmt.Sprintf("%d accounts sum to %s", len(balances), sum))
	return nil
}

func (m *market) proveCaps(ctx context.Context, proof *invariants) error {
	status, err := m.bidder.Status(ctx)
	if err != nil {
		return err
	}
	var passed []string
	for _, c := range status.Caps {
		if (c.Limit != nil && c.Used > *c.Limit) || (c.LimitLeads != nil && c.UsedLeads > *c.LimitLeads) {
			passed = append(passed, c.Scope+" "+c.Name+" "+c.Period)
		}
	}
	proof.add("no cap was passed", fmt.Sprintf("%d caps", len(status.Caps)), len(passed) == 0, strings.Join(passed, ", "))
	return nil
}

func (m *market) proveDelivery(leads []budgetstore.Lead, proof *invariants) {
	missing := 0
	for _, lead := range leads {
		if !m.crm.has(lead.ID) || lead.Delivered < lead.Owed {
			missing++
		}
	}
	proof.add("every accepted lead was delivered", fmt.Sprintf("%d at the CRM", m.crm.count()),
		missing == 0 && m.crm.count() == len(leads), fmt.Sprintf("%d of %d are missing", missing, len(leads)))
}

// proveBooks runs both programs' own verify.
func (m *market) proveBooks(ctx context.Context, proof *invariants) error {
	ours, err := m.bidder.Store().Verify(ctx)
	if err != nil {
		return err
	}
	theirs, err := m.books.Verify(ctx)
	if err != nil {
		return err
	}
	var wrong []string
	for _, finding := range ours.Findings {
		wrong = append(wrong, finding.ID+": "+finding.What)
	}
	proof.add("bidder verify", fmt.Sprintf("%d checks hold", len(ours.Checked)), len(wrong) == 0, strings.Join(wrong, "; "))
	wrong = nil
	for _, finding := range theirs.Findings {
		wrong = append(wrong, finding.ID+": "+finding.What)
	}
	proof.add("exchange verify", fmt.Sprintf("%d checks hold", len(theirs.Checked)), len(wrong) == 0, strings.Join(wrong, "; "))
	return nil
}

func (f *figures) print(env *cli.Env) error {
	summary := cli.Table{Title: "the market", Columns: []string{"figure", "value"}, NoHead: true}
	summary.Add("homeowners", f.Homeowners)
	summary.Add("leads sold", f.Sold)
	summary.Add("pings to the bidder", f.Pings)
	summary.Add("bids", f.Bids)
	summary.Add("wins", f.Wins)
	summary.Add("spend", f.Spend)
	summary.Add("latency p50", fmt.Sprintf("at most %.1f ms", f.P50))
	summary.Add("latency p95", fmt.Sprintf("at most %.1f ms", f.P95))
	caps := cli.Table{Title: "spend against budget", Columns: []string{"cap", "used", "limit"}}
	for _, c := range f.Caps {
		caps.Add(c.Cap, c.Used, c.Limit)
	}
	reasons := cli.Table{Title: "why not", Columns: []string{"no bid because", "pings"}}
	for _, reason := range byFrequency(f.NoBids) {
		reasons.Add(reason, f.NoBids[reason])
	}
	proof := cli.Table{Title: "the books", Columns: []string{"promise", "holds", "found"}}
	for _, c := range f.Invariants.Checks {
		proof.Add(c.What, yes(c.OK), c.Found)
	}
	if err := env.Print(f, summary, caps, reasons, f.SideBySide.table(), proof); err != nil {
		return err
	}
	if !f.Invariants.OK {
		return cli.Failed("the books do not agree")
	}
	return nil
}

func yes(holds bool) string {
	if holds {
		return "yes"
	}
	return "NO"
}

func byFrequency(counts map[string]int64) []string {
	var reasons []string
	for reason := range counts {
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	return reasons
}

func mostFrequent(counts map[string]int64, most int) string {
	reasons := byFrequency(counts)
	var parts []string
	for _, reason := range reasons[:min(most, len(reasons))] {
		parts = append(parts, fmt.Sprintf("%s %d", reason, counts[reason]))
	}
	return strings.Join(parts, ", ")
}
