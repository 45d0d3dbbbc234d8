package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/budget"
	budgetstore "leadbid/budget/store"
	"leadbid/exchange/simulate"
	"leadbid/pingpost"
	"leadbid/rules"
)

// contender is one of the two contractors of the comparison: the real Agent over the real books,
// without listeners, under virtual time.
type contender struct {
	rules *rules.Ruleset
	plan  *budget.Plan
	store budgetstore.Store
	run   budgetstore.Run
	agent *bidder.Agent
	now   time.Time
}

// pacedStrategy is the line of contender.yaml that another one's strategy takes the place of.
const pacedStrategy = "{pacing: learned, objective: profit}"

// openContender opens new books in a folder of its own, with the configuration beside them.
func openContender(ctx context.Context, folder, strategy string, at time.Time) (*contender, error) {
	c := &contender{now: at}
	var err error
	if c.rules, err = contenderRules(folder, strategy); err != nil {
		return nil, err
	}
	c.plan = bidder.PlanOf(c.rules)
	books := budgetstore.Options{Clock: func() time.Time { return c.now }}
	if c.store, err = budgetstore.OpenSQLite(ctx, filepath.Join(folder, "bidder.db"), books); err != nil {
		return nil, err
	}
	if c.run, err = c.store.Begin(ctx); err != nil {
		return nil, errors.Join(err, c.store.Close())
	}
	c.agent = bidder.New(c.run.ID, c.rules, budget.NewBook(c.plan))
	return c, nil
}

func contenderRules(folder, strategy string) (*rules.Ruleset, error) {
	text, err := configurations.ReadFile("config/contender.yaml")
	if err != nil {
		return nil, err
	}
	written := strings.Replace(string(text), pacedStrategy, strategy, 1)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, "bidder.yaml"), []byte(written), 0o600); err != nil {
		return nil, err
	}
	key := secret() // nothing listens; the file asks for one all the same
	rs, faults := rules.Load(os.DirFS(folder), "bidder.yaml", func(string) (string, bool) { return key, true })
	if rs == nil {
		return nil, fmt.Errorf("the demo's contender.yaml: %w", faults.Err())
	}
	return rs, nil
}

// ask brings a ping to the Agent, with its leases in order as they would be while it serves.
func (c *contender) ask(ctx context.Context, at time.Time, ping *pingpost.Ping) (bidder.Decision, error) {
	c.now = at
	if err := c.tend(ctx); err != nil {
		return bidder.Decision{}, err
	}
	return c.agent.Decide(c.now, ping), nil
}

// tend brings the Agent's questions to the books until it has none.
func (c *contender) tend(ctx context.Context) error {
	for {
		question, ok, _ := c.agent.Upkeep(c.now)
		if !ok {
			return nil
		}
		answer, err := c.store.Upkeep(ctx, c.run, c.plan, question)
		if err != nil {
			return err
		}
		c.agent.Answered(c.now, answer)
	}
}

// take posts the lead that a bid has won: signed, settled, charged and booked as by a server.
func (c *contender) take(ctx context.Context, h *simulate.Homeowner, bid *bidder.Decision) (accepted bool, err error) {
	post := &pingpost.Post{
		Exchange: northside, PingID: h.Ping.ID, Price: bid.Price, BodyHash: sha256.Sum256([]byte(h.Ping.ID)),
		BidID:   string(c.run.Keys.AppendBidID(nil, bid.Ref, northside, h.Ping.ID)),
		Service: h.Ping.Service, Job: h.Ping.Job, ZIP: h.Ping.ZIP, Exclusive: true, Lead: h.Lead, Consent: h.Consent,
	}
	ref, seal := c.run.Keys.OpenBidID(post.BidID, northside, post.PingID)
	settlement := c.agent.Settle(c.now, post, ref, seal == budget.SealGood)
	if settlement.Charge.BidID == "" {
		return false, fmt.Errorf("the contractor does not know its own bid: %s", settlement.Refuse)
	}
	answer, err := c.store.Post(ctx, server.Durable(c.now, post, settlement, "lead-"+post.PingID, c.run.ContactKey))
	if err != nil {
		return false, err
	}
	c.agent.Charged(c.now, server.ToldOf(settlement.Charge, answer))
	return answer.Outcome == budgetstore.PostAccepted, nil
}

// lost tells the Agent that somebody else has the lead.
func (c *contender) lost(bid *bidder.Decision) {
	c.agent.Notify(c.now, pingpost.OutcomeLost, bid.Ref)
}

// verify recomputes every invariant of the books and of the Agent.
func (c *contender) verify(ctx context.Context) (checks int, err error) {
	report, err := c.store.Verify(ctx)
	if err != nil {
		return 0, err
	}
	broken := []error{c.agent.Check()}
	for _, finding := range report.Findings {
		broken = append(broken, fmt.Errorf("%s: %s", finding.ID, finding.What))
	}
	return len(report.Checked), errors.Join(broken...)
}

// campaign is the one that the configuration has.
func (c *contender) campaign() *rules.Campaign { return c.rules.Campaigns()[0] }

// daily is what the campaign may spend in a day.
func (c *contender) daily() pingpost.Cents {
	return pingpost.Cents(c.campaign().Budget[pingpost.Day].N)
}

// worth is what the contractor's own value says of a lead, to the cent. The configuration writes it as
// an expression, which no outcomes move.
func (c *contender) worth(evaluation *rules.Evaluation, h *simulate.Homeowner) (pingpost.Cents, error) {
	evaluation.Begin(h.At, &h.Ping)
	dollars, reason := evaluation.Worth(c.campaign(), rules.Expected{}, nil)
	if reason != pingpost.ReasonNone {
		return 0, fmt.Errorf("the value of ping %s: %s", h.Ping.ID, reason)
	}
	return pingpost.FloorPrice(dollars)
}
