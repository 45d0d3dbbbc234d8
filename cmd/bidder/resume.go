package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/budget/store"
	"leadbid/internal/cli"
)

func resumeCommand(env *cli.Env) *cobra.Command {
	var what scope
	var accept bool
	command := &cobra.Command{
		Use:   "resume",
		Short: "Bid again: all, or a campaign or exchange",
		Long: "Lifts what `bidder pause` paused. Without a name it also lifts the stop of a bidder whose books did\n" +
			"not hold: the books are verified first, and where they still do not hold, nothing is lifted and\n" +
			"the exit code is 4. --accept-findings bids all the same: what is found now then stops nothing any\n" +
			"more, and anything else that is found later does.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if accept && !what.all() {
				return cli.Usage("--accept-findings is about the books of all campaigns and exchanges: leave the names away")
			}
			path, err := pauseFile(env, what)
			if err != nil {
				return err
			}
			if what.all() {
				if err := liftStop(cmd.Context(), env, path, accept); err != nil {
					return err
				}
			}
			if err := changePauses(cmd.Context(), env, path, what, func(p *bidder.Pauses) {
				if what.all() {
					*p = bidder.Pauses{}
					return
				}
				p.Campaigns = without(p.Campaigns, what.campaigns)
				p.Exchanges = without(p.Exchanges, what.exchanges)
			}); err != nil {
				return err
			}
			if stoppedByBooks(path) {
				env.Sayf("nothing is bid until `bidder resume` without a name: the books did not hold")
			}
			return nil
		},
	}
	what.flags(command)
	command.Flags().BoolVar(&accept, "accept-findings", false, "bid although the books do not hold")
	return command
}

// liftStop lifts the stop of a bidder whose books did not hold, if there is one and they hold now, or a
// person accepts what does not.
func liftStop(ctx context.Context, env *cli.Env, pauses string, accept bool) error {
	path := server.BooksStopFile(pauses)
	stop, err := server.ReadBooksStop(path)
	if err == nil && !stop.Stopped() {
		return nil
	}
	if err != nil { // what stopped the bidding is not readable; what the books say now counts
		env.Sayf("%v", err)
		stop = server.BooksStop{}
	}
	report, err := verifyBooks(ctx, env)
	if err != nil {
		return cli.Hint(err, "the bidding stopped because the books did not hold, and is resumed once they can be verified")
	}
	findings := stop.Against(report.Findings)
	if len(findings) == 0 {
		if err := writeStop(ctx, env, pauses, server.BooksStop{Accepted: stop.Accepted}); err != nil {
			return err
		}
		env.Sayf("the books hold: the stop is lifted")
		return nil
	}
	for _, finding := range findings {
		env.Sayf("%s: %s", finding.ID, finding.What)
	}
	if accept && report.Countless() {
		return cli.Hint(cli.Failed("the books do not hold in more places than are listed: nothing is resumed"),
			"restore the rows named above: what nobody has seen cannot be accepted")
	}
	if !accept {
		return cli.Hint(cli.Failed("the books still do not hold (%s): nothing is resumed", counted(len(findings), "finding")),
			"restore the rows named above, or bid all the same with --accept-findings")
	}
	keys := stop.Accepted
	for _, finding := range findings {
		keys = union(keys, []string{finding.Key()})
	}
	if err := writeStop(ctx, env, pauses, server.BooksStop{Accepted: keys}); err != nil {
		return err
	}
	env.Sayf("accepted: %s", strings.Join(keys, "; "))
	return nil
}

// stoppedByBooks tells whether a stop is in force beside a file of pauses. One that cannot be read is.
func stoppedByBooks(pauses string) bool {
	stop, err := server.ReadBooksStop(server.BooksStopFile(pauses))
	return err != nil || stop.Stopped()
}

func writeStop(ctx context.Context, env *cli.Env, pauses string, stop server.BooksStop) error {
	return alone(ctx, env, pauses, func() error {
		return server.WriteBooksStop(server.BooksStopFile(pauses), stop)
	})
}

func verifyBooks(ctx context.Context, env *cli.Env) (store.Report, error) {
	_, opened, err := books(ctx, env)
	if err != nil {
		return store.Report{}, err
	}
	report, err := opened.Verify(ctx)
	return report, errors.Join(err, opened.Close())
}
