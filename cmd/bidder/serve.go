package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/budget"
	"leadbid/internal/cli"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
	"leadbid/rules"
)

// stopTime bounds a graceful stop.
const stopTime = 10 * time.Second

func serveCommand(env *cli.Env) *cobra.Command {
	var allowPrivate, watch bool
	var log func() (zerolog.Logger, error)
	command := &cobra.Command{
		Use:   "serve",
		Short: "Answer pings, take posts, deliver leads",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := log()
			if err != nil {
				return err
			}
			rs, dir, err := load(env)
			if err != nil {
				return err
			}
			if err := checkCertificate(env, rs, dir); err != nil {
				return err
			}
			again := &reloader{env: env}
			options := server.Options{
				Rules: rs, Dir: dir, Log: logger, AllowPrivate: allowPrivate, Load: again.load,
				Reloaded: func(done server.Reloaded) {
					if done.Result != server.ReloadUnchanged {
						sayReloaded(env, done)
					}
				},
			}
			var changed <-chan struct{}
			if watch {
				if changed, err = watchFiles(cmd.Context(), dir, again); err != nil {
					return err
				}
			}
			return serve(cmd.Context(), env, rs, options, changed)
		},
	}
	log = env.LogFlags(command, "info")
	command.Flags().BoolVar(&allowPrivate, "allow-private", false, "let webhooks go to private addresses (labs only)")
	command.Flags().BoolVar(&watch, "watch", false, "reload when the configuration or a file that it names changes")
	return command
}

func serve(ctx context.Context, env *cli.Env, rs *rules.Ruleset, options server.Options, changed <-chan struct{}) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	s, err := server.New(ctx, options)
	if err != nil {
		return advised(err)
	}
	if s.NewBooks() {
		env.Sayf("new books at %s: nothing is known of what was bought before", rs.Settings().StoreName())
	}
	err = s.Start(ctx)
	if err == nil {
		err = sayToday(ctx, env, rs, s)
	}
	if err == nil {
		env.Sayf("answering pings at %s, operators at http://%s", s.URL(), s.AdminAddr())
		err = reloadUntil(ctx, s, hangups, changed)
		env.Sayf("stopping: open requests are answered, leases given back")
	}
	bounded, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	return advised(errors.Join(err, s.Close(bounded)))
}

// reloadUntil reloads at each SIGHUP and change until ctx ends, or only a new process can help: a disk
// that was full or failed once is to be trusted again through one only, and whoever supervises this
// one should know.
func reloadUntil(ctx context.Context, s *server.Server, hangups <-chan os.Signal, changed <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.Lost():
			return err
		case <-hangups:
		case <-changed:
		}
		s.Reload()
	}
}

// advised adds to what most often keeps a bidder from starting, or ends it, what to do about it.
func advised(err error) error {
	switch {
	case errors.Is(err, server.ErrBooksLost):
		return cli.Hint(err, "all that was answered is in the books: see to the disk, then start again")
	case errors.Is(err, sqlstore.ErrDamaged):
		return cli.Hint(err, "the books without their last part would be opened, and what was bought then be forgotten: "+
			"restore them from a backup, or move the log away to go on without that part")
	case errors.Is(err, sqlstore.ErrNoAnswer), sqlstore.Damaged(err):
		return reached(err)
	case errors.Is(err, sqlstore.ErrBusy):
		return cli.Hint(err, "one bidder at a time spends from a database: stop the other one, or name another file at store")
	case cli.CannotListen(err):
		return cli.Hint(err, "server.listen and server.admin name the addresses; is another program listening there?")
	}
	return err
}

// sayToday tells, before the first ping, what this process may spend at most today.
func sayToday(ctx context.Context, env *cli.Env, rs *rules.Ruleset, s *server.Server) error {
	if rs.Settings().Mode == rules.Observe {
		env.Sayf("mode: observe: pings are priced and recorded, and nothing is bid")
		return nil
	}
	if rs.Settings().Record.Dir == "" {
		env.Sayf("nothing is recorded, so that nothing can be replayed: record: {dir: data/recordings} would")
	}
	plan, now := bidder.PlanOf(rs), time.Now()
	uses, err := s.Store().Usage(ctx, plan, now)
	if err != nil {
		return fmt.Errorf("reading what is spent: %w", err)
	}
	most, bounded := mostToday(plan, uses)
	if !bounded {
		env.Sayf("no campaign can bid: none is covered by a dollar cap")
		return nil
	}
	mode := "live"
	if !rs.Settings().SaysMode {
		mode = "live (the default, as the file says nothing)"
	}
	env.Sayf("mode: %s: at most %s more may be spent today (%s)", mode, most, rs.Settings().Business.Location)
	return nil
}

// mostToday is the least upper bound that the caps give without solving for their overlap: the
// sum over campaigns of the tightest cap of each, and never more than the tightest of the business.
func mostToday(plan *budget.Plan, uses []budget.CapUse) (most pingpost.Cents, bounded bool) {
	left := map[budget.Scope]pingpost.Cents{}
	for _, use := range uses {
		if !use.Cap.Cents.Set || use.Cap.Period == pingpost.Hour {
			continue
		}
		remaining := max(pingpost.Cents(use.Cap.Cents.N)-use.UsedCents, 0)
		if known, ok := left[use.Cap.Scope]; !ok || remaining < known {
			left[use.Cap.Scope] = remaining
		}
	}
	campaigns := map[string]pingpost.Cents{}
	for _, line := range plan.Lines {
		for _, c := range line.Caps {
			tightest, known := left[c.Scope]
			if !known {
				continue
			}
			if before, seen := campaigns[line.Line.Campaign]; !seen || tightest < before {
				campaigns[line.Line.Campaign] = tightest
			}
		}
	}
	for _, tightest := range campaigns {
		most += tightest
		bounded = true
	}
	if business, ok := left[budget.Scope{Kind: budget.ScopeBusiness}]; ok {
		most = min(most, business)
	}
	return most, bounded
}
