package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/internal/cli"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
	"leadbid/rules"
)

func explainCommand(env *cli.Env) *cobra.Command {
	var exchange, at string
	command := &cobra.Command{
		Use:   "explain PING.json...",
		Short: "Say what each campaign makes of a ping, step by step to the cent",
		Long: "Reads pings as the exchange spells them (a file of one ping, a file with one on each line, or -\n" +
			"for standard input) and asks every campaign. Money is taken as the books have it; nothing is\n" +
			"bid, held or recorded. No keys are needed.\n\n" +
			"A recording, or a folder of them, is explained ping by ping: by the rules of today, at the\n" +
			"instant of each ping, over caps of which nothing is used.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rs, dir, _, err := loadOffline(env)
			if err != nil {
				return err
			}
			from, err := exchangeNamed(env, rs, exchange)
			if err != nil {
				return err
			}
			now, err := instant(at)
			if err != nil {
				return err
			}
			agent, err := lookingAgent(cmd.Context(), env, rs, dir, now)
			if err != nil {
				return err
			}
			return explainAll(env, agent, from, now, args)
		},
	}
	command.Flags().StringVar(&exchange, "exchange", "", "the `exchange` that the ping comes from (default: the first)")
	command.Flags().StringVar(&at, "at", "", "the `instant`, such as 2026-03-02T10:00:00-06:00 (default: now)")
	return command
}

func exchangeNamed(env *cli.Env, rs *rules.Ruleset, name string) (*rules.Exchange, error) {
	if name == "" {
		first := rs.Exchanges()[0]
		if len(rs.Exchanges()) > 1 {
			env.Sayf("as a ping of %s; --exchange names another", first.Name)
		}
		return first, nil
	}
	if found := rs.Exchange(name); found != nil {
		return found, nil
	}
	return nil, cli.Usage("there is no exchange %q; there are: %s", name, strings.Join(exchangeNames(rs), ", "))
}

func instant(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, cli.Usage("--at %q: write it like 2026-03-02T10:00:00-06:00", text)
	}
	return parsed, nil
}

// lookingAgent is an Agent over the money that the books say is left; all of it where there are
// no books yet, as a bidder would begin.
func lookingAgent(ctx context.Context, env *cli.Env, rs *rules.Ruleset, dir string, now time.Time) (*bidder.Agent, error) {
	plan := bidder.PlanOf(rs)
	uses, learned, err := fromBooks(ctx, env, rs, dir, plan, now)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		uses = bidder.UnusedCaps(plan, now)
	case err != nil:
		return nil, reached(err)
	}
	agent := bidder.New(0, rs, bidder.FundedBook(plan, now, uses))
	agent.Outcome(now, learned)
	return agent, nil
}

// fromBooks reads what is spent of the caps, and what became of leads. The error is fs.ErrNotExist where
// there are no books yet, or nobody can tell where.
func fromBooks(ctx context.Context, env *cli.Env, rs *rules.Ruleset, dir string, plan *budget.Plan,
	now time.Time) (uses []budget.CapUse, learned []strategy.Evidence, err error) {
	if rs.Settings().Store == "" {
		env.Sayf("where the books are takes a variable that is not set here: nothing is taken to be spent")
		return nil, nil, fs.ErrNotExist
	}
	opened, err := server.ReadStore(ctx, rs.Settings().Store, dir)
	if err != nil {
		return nil, nil, err
	}
	uses, err = opened.Usage(ctx, plan, now)
	if err == nil {
		learned, err = server.Taught(ctx, opened, rs, now)
	}
	if err = errors.Join(err, opened.Close()); err != nil {
		return nil, nil, fmt.Errorf("reading what is spent: %w", err)
	}
	return uses, learned, nil
}

// explained is one ping's explanation with the file it came from.
type explained struct {
	File string `json:"file"`
	Ping string `json:"ping_id"`
	bidder.Explanation
}

func explainAll(env *cli.Env, agent *bidder.Agent, from *rules.Exchange, now time.Time, files []string) error {
	rs := agent.Rules()
	zone := rs.Settings().Business.Location
	profile, err := wire.Load(from.Profile)
	if err != nil {
		return err
	}
	read := pingReader{from.Name, profile}
	all := []explained{} // [] in JSON, not null
	var unread []string
	told, missing := 0, 0
	for _, file := range files {
		for asked, err := range pingsOf(env.Stdin, file, read) {
			if err != nil {
				env.Sayf("%s: %v", asked.label, err)
				unread = append(unread, asked.label)
				if errors.Is(err, fs.ErrNotExist) {
					missing++
				}
				continue
			}
			told++
			one := explained{File: asked.label, Ping: asked.ping.ID}
			if asked.at.IsZero() {
				one.Explanation = agent.Explain(now, asked.ping)
			} else {
				one.Explanation = explainThen(rs, asked.at, asked.ping)
			}
			if env.Output() == cli.Text {
				writeExplanation(env.Stdout, one, zone)
			} else {
				all = append(all, one)
			}
		}
	}
	if env.Output() != cli.Text {
		if err := env.Print(all, table(all)); err != nil {
			return err
		}
	}
	if len(unread) == 0 {
		return nil
	}
	err = fmt.Errorf("not explained: %s", strings.Join(unread, ", "))
	if told == 0 && missing == len(unread) {
		err = cli.Usage("%w", err)
	}
	return cli.Hint(err, "a ping is a file of JSON such as those in examples/pings")
}

// explainThen explains a recorded ping at its instant. What was spent then is not known: nothing.
func explainThen(rs *rules.Ruleset, at time.Time, ping *pingpost.Ping) bidder.Explanation {
	plan := bidder.PlanOf(rs)
	return bidder.New(0, rs, bidder.FundedBook(plan, at, bidder.UnusedCaps(plan, at))).Explain(at, ping)
}

// inWords leaves out of an error what its reader knows: the file that is named before it anyway,
// and which package could not read it.
func inWords(err error) error {
	var path *fs.PathError
	var fault *wire.Fault
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &fault) && fault.Field != "":
		return fmt.Errorf("%s: %s", fault.Field, fault.Message)
	case errors.As(err, &fault):
		return errors.New(fault.Message)
	}
	return err
}

func writeExplanation(out io.Writer, one explained, zone *time.Location) {
	verdict := "no bid: " + one.Reason.String()
	switch {
	case one.Bid:
		verdict = fmt.Sprintf("bid %s by campaign %s, rule %q", one.Price, one.Campaign, one.Rule)
	case one.Reason == pingpost.Observing:
		verdict = fmt.Sprintf("would bid %s by campaign %s, rule %q, and only observes", one.Price, one.Campaign, one.Rule)
	}
	fmt.Fprintf(out, "%s (ping %s) at %s\n  %s\n", one.File, one.Ping,
		one.At.In(zone).Format("Mon 2006-01-02 15:04:05 MST"), verdict)
	writeCampaigns(out, one.Campaigns)
	fmt.Fprintln(out)
}

// writeCampaigns shows each campaign's steps, and last the way of its price in one sentence.
func writeCampaigns(out io.Writer, campaigns []bidder.CampaignExplanation) {
	for _, campaign := range campaigns {
		fmt.Fprintf(out, "\n  campaign %s: %s\n", campaign.Campaign, outcome(campaign))
		for _, step := range campaign.Trace.Steps {
			fmt.Fprintf(out, "    %s\n", step)
		}
		if path := campaign.Path; path != "" {
			fmt.Fprintf(out, "    %s\n", path)
		}
	}
}

func outcome(c bidder.CampaignExplanation) string {
	if c.Reason == pingpost.ReasonNone {
		return "would bid " + c.Price.String()
	}
	if c.Reason == pingpost.Observing && c.Money == pingpost.ReasonNone {
		return fmt.Sprintf("observing: would bid %s", c.Price)
	}
	if c.Reason == pingpost.Observing {
		return fmt.Sprintf("observing: would not bid its price of %s (%s%s)", c.Price, c.Money, short(c.Cap))
	}
	if c.Price > 0 {
		return fmt.Sprintf("%s, at a price of %s%s", c.Reason, c.Price, short(c.Cap))
	}
	return c.Reason.String()
}

// short names the cap that has not enough left.
func short(c *bidder.CapStatus) string {
	if c == nil {
		return ""
	}
	var used []string
	if c.Limit != nil {
		used = append(used, fmt.Sprintf("%s of %s", c.Used, *c.Limit))
	}
	if c.LimitLeads != nil {
		used = append(used, fmt.Sprintf("%d of %d leads", c.UsedLeads, *c.LimitLeads))
	}
	owner := "the " + strings.TrimSpace(c.Scope+" "+c.Name)
	if c.Name != "" {
		owner = c.Scope + " " + c.Name
	}
	return fmt.Sprintf(": the %s cap of %s has used %s", c.Period, owner, strings.Join(used, " and "))
}

func table(all []explained) cli.Table {
	t := cli.Table{Columns: []string{"file", "ping_id", "campaign", "reason", "rule", "price_usd", "path"}}
	for _, one := range all {
		for _, c := range one.Campaigns {
			t.Add(one.File, one.Ping, c.Campaign, c.Reason.String(), c.Rule, c.Price, c.Path)
		}
	}
	return t
}
