package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/bidder/strategy"
	"leadbid/budget"
	"leadbid/internal/cli"
	"leadbid/rules"
)

func pacingCommand(env *cli.Env) *cobra.Command {
	command := &cobra.Command{
		Use:   "pacing",
		Short: "Show why the bids are where they are, or have what was learned forgotten",
		Long: "Where a campaign has a strategy, bids follow from what is left of its caps and from what was learned: how\n" +
			"many pings the hours of a week bring, and what bids win. That is kept in the books every minute.",
	}
	command.AddCommand(pacingShowCommand(env), pacingResetCommand(env))
	return command
}

func pacingShowCommand(env *cli.Env) *cobra.Command {
	var address, campaign string
	command := &cobra.Command{
		Use:   "show",
		Short: "Show the plan, what is used of it, and the prices of money and places",
		Long:  "Asks the running bidder; where none runs, shows what was kept in the books last.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rs, _, err := loadToLook(env, adminOr(address))
			if err != nil {
				return err
			}
			if err := pacedCampaign(rs, campaign); err != nil {
				return err
			}
			asked := address
			if asked == "" {
				asked = rs.Settings().Server.Admin
			}
			var standing strategy.Standing
			err = askPacing(cmd.Context(), http.MethodGet, asked, "/pacing", &standing)
			if away := new(cli.Error); address == "" && errors.As(err, &away) && away.Code == cli.CodeConnect {
				standing, err = keptPacing(cmd.Context(), env)
			}
			if err != nil {
				return err
			}
			return printPacing(env, standing, campaign)
		},
	}
	command.Flags().StringVar(&address, "admin", "", "the operators' `address` (default: server.admin of the configuration)")
	command.Flags().StringVar(&campaign, "campaign", "", "only this `campaign`")
	return command
}

// pacedCampaign refuses a name that no campaign with a strategy has.
func pacedCampaign(rs *rules.Ruleset, name string) error {
	var paced []string
	for _, campaign := range rs.Campaigns() {
		if !campaign.Strategy.IsPlain() {
			paced = append(paced, campaign.Name)
			if campaign.Name == name {
				return nil
			}
		}
	}
	switch {
	case len(paced) == 0:
		return cli.Hint(cli.Usage("no campaign has a strategy: its bids are what its rules say, as pings come"),
			"strategy: {pacing: learned} in a campaign would pace it")
	case name != "":
		return cli.Usage("--campaign %q: no campaign of that name has a strategy; there are: %s", name, strings.Join(paced, ", "))
	}
	return nil
}

// keptPacing makes of what the books keep what a bidder would start from now.
func keptPacing(ctx context.Context, env *cli.Env) (strategy.Standing, error) {
	rs, opened, err := books(ctx, env)
	if err != nil {
		return strategy.Standing{}, err
	}
	kept, at, err := server.ReadStrategy(ctx, opened)
	if err = errors.Join(err, opened.Close()); err != nil {
		return strategy.Standing{}, reached(err)
	}
	if kept.Empty() {
		env.Sayf("no bidder answers, and nothing was learned yet: a start would begin from what is usual")
	} else {
		env.Sayf("no bidder answers: this is what was kept at %s",
			at.In(rs.Settings().Business.Location).Format("Mon 2 Jan 15:04:05 MST"))
	}
	agent := bidder.New(1, rs, budget.NewBook(bidder.PlanOf(rs)))
	agent.Resume(kept)
	return agent.Pacing(time.Now()), nil
}

func printPacing(env *cli.Env, standing strategy.Standing, campaign string) error {
	lines := cli.Table{Columns: []string{"campaign", "exchange", "objective", "pacing", "lambda", "nu_usd", "worth_usd", "pings_a_week", "lately", "won"}}
	caps := cli.Table{Columns: []string{"cap", "used_share", "plan_share", "ends"}}
	shown := strategy.Standing{Lines: []strategy.LineStanding{}, Caps: standing.Caps}
	for _, c := range standing.Caps {
		caps.Add(c.Cap, share(c.Spent), share(c.Plan), untilCell(c.Ends))
		if env.Output() == cli.Text {
			env.Sayf("%s", c.Words)
		}
	}
	for _, l := range standing.Lines {
		if campaign != "" && l.Campaign != campaign {
			continue
		}
		shown.Lines = append(shown.Lines, l)
		lines.Add(l.Campaign, l.Exchange, l.Objective, l.Pacing, fmt.Sprintf("%.3f", l.Lambda), fmt.Sprintf("%.2f", l.Nu),
			fmt.Sprintf("%.2f", l.Worth), fmt.Sprintf("%.0f", l.PerWeek), share(l.Lately), share(l.Won))
		if env.Output() == cli.Text {
			env.Sayf("%s", l.Words)
		}
	}
	return env.Print(shown, lines, caps)
}

func share(of float64) string { return fmt.Sprintf("%.0f%%", 100*of) }

// sayPacing tells why the bids are where they are, a sentence for each cap and line.
func sayPacing(env *cli.Env, standing *strategy.Standing) {
	for _, c := range standing.Caps {
		env.Sayf("%s", c.Words)
	}
	for _, l := range standing.Lines {
		env.Sayf("%s", l.Words)
	}
}

func pacingResetCommand(env *cli.Env) *cobra.Command {
	var address, campaign string
	command := &cobra.Command{
		Use:   "reset",
		Short: "Have a running bidder forget what it learned of weeks and prices",
		Long: "For when a campaign's market is not what it was: another area, other services, another exchange behind the\n" +
			"same name. It begins again from what is usual. What became of leads stays known, and so does all money.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rs, _, err := loadToLook(env, adminOr(address))
			if err != nil {
				return err
			}
			if err := pacedCampaign(rs, campaign); err != nil {
				return err
			}
			if address == "" {
				address = rs.Settings().Server.Admin
			}
			var done server.PacingReset
			path := "/-/pacing/reset?campaign=" + url.QueryEscape(campaign)
			if err := askPacing(cmd.Context(), http.MethodPost, address, path, &done); err != nil {
				return err
			}
			env.Sayf("forgotten: what was learned on %s (a campaign on an exchange each)", counted(done.Lines, "line"))
			if env.Output() == cli.Text {
				return nil
			}
			return env.Print(done, cli.Table{Columns: []string{"campaign", "lines"}, Rows: [][]any{{done.Campaign, int64(done.Lines)}}})
		},
	}
	command.Flags().StringVar(&address, "admin", "", "the operators' `address` (default: server.admin of the configuration)")
	command.Flags().StringVar(&campaign, "campaign", "", "only this `campaign` (default: all)")
	return command
}

func askPacing(ctx context.Context, method, address, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	response, err := askAdmin(ctx, method, address, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return cli.Hint(fmt.Errorf("%s answered %s", address, response.Status),
			"is that server.admin of a bidder? `bidder serve` prints where operators reach it")
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(into); err != nil {
		return fmt.Errorf("%s did not answer how the pacing stands: %w", address, err)
	}
	return nil
}
