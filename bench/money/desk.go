package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/pingpost"
	"leadbid/rules"
)

// desk is a bidder without its listeners: the real Agent over the real store, asked one after the
// other, under a clock of ours. It counts what reaches the store.
type desk struct {
	agent *bidder.Agent
	store store.Store
	run   store.Run
	plan  *budget.Plan
	now   time.Time
	seq   int

	upkeeps, posts int // writes of the store
	bids, wins     int
	charged        pingpost.Cents
}

// openDesk opens a bidder on new books. What is in folder must not be of an earlier one.
func openDesk(ctx context.Context, folder, configuration string, at time.Time) (*desk, error) {
	return openDeskOn(ctx, folder, configuration, at, func(opts store.Options) (store.Store, error) {
		return store.OpenSQLite(ctx, filepath.Join(folder, booksFile), opts)
	})
}

// openDeskOn is openDesk on the books that open opens.
func openDeskOn(ctx context.Context, folder, configuration string, at time.Time, open opener) (*desk, error) {
	rs, err := load(folder, configuration)
	if err != nil {
		return nil, err
	}
	d := &desk{now: at.UTC(), plan: bidder.PlanOf(rs)}
	if d.store, err = open(store.Options{Clock: d.clock}); err != nil {
		return nil, err
	}
	if d.run, err = d.store.Begin(ctx); err != nil {
		return nil, err
	}
	d.agent = bidder.New(d.run.ID, rs, budget.NewBook(d.plan))
	return d, nil
}

func (d *desk) clock() time.Time { return d.now }

// load reads a configuration from a folder, as a bidder does.
func load(folder, text string) (*rules.Ruleset, error) {
	const name = "bidder.yaml"
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		return nil, err
	}
	rs, faults := rules.Load(os.DirFS(folder), name, func(string) (string, bool) {
		return "0123456789abcdef0123456789abcdef", true
	})
	if rs == nil {
		return nil, fmt.Errorf("the configuration has faults:\n%s", faults)
	}
	return rs, nil
}

// tend answers the Agent's question to the store, where it has one.
func (d *desk) tend(ctx context.Context) error {
	ask, ok, _ := d.agent.Upkeep(d.now)
	if !ok {
		return nil
	}
	answer, err := d.store.Upkeep(ctx, d.run, d.plan, ask)
	if err != nil {
		return err
	}
	d.upkeeps++
	d.agent.Answered(d.now, answer)
	return nil
}

// ping asks for a bid on a homeowner nobody has asked about before.
func (d *desk) ping() bidder.Decision {
	d.seq++
	id := strconv.Itoa(d.seq)
	decision := d.agent.Decide(d.now, &pingpost.Ping{
		Exchange: "north", ID: id, TmaxMS: 300, Service: pingpost.HVAC, Job: pingpost.Repair, ZIP: 60614, State: "IL",
		Exclusive: true, MaxSold: 1, Digest: uint64(d.seq), Consent: pingpost.Consent{Agreed: pingpost.Yes},
	})
	if decision.Bid {
		d.bids++
	}
	return decision
}

// win posts the lead of a bid at its price. ping is the number of its ping: the last one's is d.seq.
func (d *desk) win(ctx context.Context, ping int, bid bidder.Decision) error {
	id := strconv.Itoa(ping)
	post := &pingpost.Post{
		Exchange: "north", PingID: id, BidID: "bid-" + id, Price: bid.Price, Service: pingpost.HVAC, Job: pingpost.Repair,
		ZIP: 60614, Exclusive: true, Lead: pingpost.Lead{Phone: pingpost.NewPrivate("312-555-0101")},
		Consent: pingpost.Consent{Agreed: pingpost.Yes},
	}
	settlement := d.agent.Settle(d.now, post, bid.Ref, true)
	if settlement.Refuse != pingpost.ReasonNone {
		return fmt.Errorf("the post of ping %s at %v: %v", id, d.now, settlement.Refuse)
	}
	answer, err := d.store.Post(ctx, store.Post{
		Charge: settlement.Charge, BodyHash: sha256.Sum256([]byte(id)), At: d.now, LeadID: "lead-" + id, Lead: *post,
	})
	if err != nil {
		return err
	}
	d.posts++
	d.agent.Charged(d.now, server.ToldOf(settlement.Charge, answer))
	if answer.Outcome == store.PostAccepted {
		d.wins++
		d.charged += answer.Price
	}
	return nil
}
