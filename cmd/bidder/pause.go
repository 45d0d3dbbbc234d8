package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/internal/cli"
	"leadbid/rules"
)

// what pause and resume are about.
type scope struct{ campaigns, exchanges []string }

func (s *scope) flags(command *cobra.Command) {
	command.Flags().StringSliceVar(&s.campaigns, "campaign", nil, "only this `campaign` (may be repeated)")
	command.Flags().StringSliceVar(&s.exchanges, "exchange", nil, "only this `exchange` (may be repeated)")
}

func (s *scope) all() bool { return len(s.campaigns) == 0 && len(s.exchanges) == 0 }

// known refuses names that the configuration does not have: a pause of a misspelt campaign would
// go on buying.
func (s *scope) known(rs *rules.Ruleset) error {
	for _, name := range s.campaigns {
		if rs.Campaign(name) == nil {
			return cli.Usage("there is no campaign %q; there are: %s", name, strings.Join(campaignNames(rs), ", "))
		}
	}
	for _, name := range s.exchanges {
		if rs.Exchange(name) == nil {
			return cli.Usage("there is no exchange %q; there are: %s", name, strings.Join(exchangeNames(rs), ", "))
		}
	}
	return nil
}

func pauseCommand(env *cli.Env) *cobra.Command {
	var what scope
	command := &cobra.Command{
		Use:   "pause",
		Short: "Stop bidding at once, for all or for a campaign or exchange; works without the database",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := pauseFile(env, what)
			if err != nil {
				return err
			}
			return changePauses(cmd.Context(), env, path, what, func(p *bidder.Pauses) {
				p.All = p.All || what.all()
				p.Campaigns = union(p.Campaigns, what.campaigns)
				p.Exchanges = union(p.Exchanges, what.exchanges)
			})
		},
	}
	what.flags(command)
	return command
}

func changePauses(ctx context.Context, env *cli.Env, path string, what scope, change func(*bidder.Pauses)) error {
	var pauses bidder.Pauses
	var unread error
	if err := alone(ctx, env, path, func() error {
		pauses, unread = server.ReadPauses(path)
		if unread != nil && !what.all() { // The kill switch needs nothing of what stood there.
			return unread
		}
		change(&pauses)
		return server.WritePauses(path, pauses)
	}); err != nil {
		return err
	}
	if unread != nil {
		env.Sayf("%s could not be read, and is written anew", path)
	}
	env.Sayf("%s", pausesInWords(pauses))
	sayReach(env, path)
	if env.Output() == cli.Text {
		return nil
	}
	paused := cli.Table{Columns: []string{"paused", "name"}}
	if pauses.All {
		paused.Add("all", "")
	}
	for _, name := range pauses.Campaigns {
		paused.Add("campaign", name)
	}
	for _, name := range pauses.Exchanges {
		paused.Add("exchange", name)
	}
	return env.Print(pauses, paused)
}

// sayReach tells that a pause stops one bidder of several: their books are shared, the file is not.
func sayReach(env *cli.Env, path string) {
	config := env.ConfigPath()
	if rules.MayShareBooks(os.DirFS(filepath.Dir(config)), filepath.Base(config), lookup(env)) {
		env.Sayf("this bidder only: others on the same PostgreSQL go by pause files of their own, not by %s", path)
	}
}

// alone changes the pauses, or the stop beside them, while nobody else does. Without the lock, too: a pause
// that is not made is worse than one that another may undo.
func alone(ctx context.Context, env *cli.Env, path string, change func() error) error {
	lock, unlocked := server.LockPauses(ctx, path)
	switch {
	case unlocked == nil:
		defer lock.Close()
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if err := change(); err != nil {
		return err
	}
	if unlocked != nil {
		env.Sayf("%v: changed all the same; look at what `bidder status` says is paused", unlocked)
	}
	return nil
}

// pauseFile finds the file that a running bidder looks at. Pausing everything takes no more of the
// configuration than where that is: a bidder goes on by its old rules while the file is faulty, and must
// be stoppable.
func pauseFile(env *cli.Env, what scope) (path string, err error) {
	rs, dir, err := loadToLook(env, pauseFileOf)
	switch {
	case err == nil:
		if err := what.known(rs); err != nil {
			return "", err
		}
		path = rs.Settings().PauseFile
	case dir == "": // there is no file
		return "", err
	case !what.all():
		return "", cli.Hint(err, "without a name, `bidder pause` and `bidder resume` work with a faulty configuration, too")
	default:
		path = rules.PauseFile(os.DirFS(dir), filepath.Base(env.ConfigPath()), lookup(env))
		if path == "" {
			return "", cli.Hint(err, "only pause_file has to be right, and its variables set: then `bidder pause` stops everything")
		}
		env.Sayf("the configuration is faulty (`bidder check` tells how); its pause file is taken to be %s", path)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return path, nil
}

func pausesInWords(p bidder.Pauses) string {
	if p.All {
		return "paused: everything. Posts for bids already sent are still taken; a running bidder follows within a second"
	}
	names := pausedNames(p)
	if len(names) == 0 {
		return "nothing is paused; a running bidder follows within a second"
	}
	return "paused: " + strings.Join(names, ", ") + "; a running bidder follows within a second"
}

func pausedNames(p bidder.Pauses) []string {
	var names []string
	for _, name := range p.Campaigns {
		names = append(names, "campaign "+name)
	}
	for _, name := range p.Exchanges {
		names = append(names, "exchange "+name)
	}
	return names
}

func union(a, b []string) []string {
	both := append(slices.Clone(a), b...)
	slices.Sort(both)
	return slices.Compact(both)
}

func without(from, names []string) []string {
	return slices.DeleteFunc(slices.Clone(from), func(name string) bool { return slices.Contains(names, name) })
}

func campaignNames(rs *rules.Ruleset) []string {
	var names []string
	for _, campaign := range rs.Campaigns() {
		names = append(names, campaign.Name)
	}
	return names
}

func exchangeNames(rs *rules.Ruleset) []string {
	var names []string
	for _, exchange := range rs.Exchanges() {
		names = append(names, exchange.Name)
	}
	return names
}
