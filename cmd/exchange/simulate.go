package main

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"leadbid/exchange"
	"leadbid/exchange/load"
	"leadbid/exchange/simulate"
	"leadbid/internal/cli"
	"leadbid/internal/lifecycle"
	"leadbid/pingpost"
)

// simulateFlags are what the flags of simulate say.
type simulateFlags struct {
	seed       uint64
	length     time.Duration
	rate       float64
	speed      float64
	rivals     int
	store      string
	allowHosts []string
}

// The bounds of a simulation.
const (
	maxRivals    = 200
	salesAtOnce  = 1000
	drainWithin  = 30 * time.Second
	simulatedKey = "key-of-the-simulated-rivals"

	// simulatedCredit is what each buyer may owe in the books of a simulation: enough never to
	// stand in the way.
	simulatedCredit pingpost.Cents = 10_000_000_00
)

func simulateCommand(env *cli.Env) *cobra.Command {
	var flags simulateFlags
	command := &cobra.Command{
		Use:   "simulate",
		Short: "Try the market out with made-up homeowners and rival buyers",
		Long: "simulate runs the exchange of your configuration on books of its own, brings it homeowners and\n" +
			"rival buyers that are made up, and reports what happened and whether the books are right. The\n" +
			"buyers of the configuration are asked for bids as they are: put your bidder among them to see\n" +
			"how it does. Without a configuration the rivals are alone. Every buyer has credit for as long as\n" +
			"it takes. The same seed brings the same homeowners and rivals.",
		Example: "  exchange simulate --for 30s --rate 50 --rivals 12\n" +
			"  exchange simulate --for 1m --store sim.db && exchange report --store sim.db",
		Args: cobra.NoArgs,
	}
	set := command.Flags()
	set.Uint64Var(&flags.seed, "seed", 1, "`number` that repeats the same homeowners and rivals")
	set.DurationVar(&flags.length, "for", 30*time.Second, "how long homeowners come")
	set.Float64Var(&flags.rate, "rate", 20, "`homeowners` per second, on average")
	set.Float64Var(&flags.speed, "speed", 60, "how many `seconds` pass in the model for each second here")
	set.IntVar(&flags.rivals, "rivals", 8, "how `many` rival buyers there are, 0 to 200")
	set.StringVar(&flags.store, "store", "", "`file` to keep the books in; without it they are thrown away")
	set.StringArrayVar(&flags.allowHosts, "allow-host", nil,
		"a `host` off this machine whose buyer may be asked, by name and port; may be given several times")
	newLog := env.LogFlags(command, "warn")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		log, err := newLog()
		if err != nil {
			return err
		}
		if err := flags.check(); err != nil {
			return err
		}
		return runSimulation(cmd.Context(), env, flags, log)
	}
	return command
}

func (f *simulateFlags) check() error {
	switch {
	case f.length <= 0 || f.length > 24*time.Hour:
		return cli.Usage("--for %s: say more than nothing and at most 24h", f.length)
	case !(f.rate > 0) || f.rate > 5000:
		return cli.Usage("--rate %g: say more than 0 and at most 5000 homeowners per second", f.rate)
	case !(f.speed > 0) || f.speed > 100_000:
		return cli.Usage("--speed %g: say more than 0 and at most 100000", f.speed)
	case f.perDay() > 10_000_000:
		return cli.Hint(cli.Usage("--rate %g at --speed %g is more than 10 million homeowners a day", f.rate, f.speed),
			"--speed %.0f or more makes that rate possible", math.Ceil(f.rate*86_400/10_000_000))
	case f.rivals < 0 || f.rivals > maxRivals:
		return cli.Usage("--rivals %d: say 0 to %d", f.rivals, maxRivals)
	}
	return nil
}

// perDay is how many homeowners come on a mean day of the model.
func (f *simulateFlags) perDay() float64 { return f.rate * 86_400 / f.speed }

// simulation is one run: the market and what is made up around it.
type simulation struct {
	flags  simulateFlags
	market *market
	roster *simulate.Roster
	clock  *simulate.Clock

	listener net.Listener
	rivals   *simulate.RivalServer
}

func runSimulation(ctx context.Context, env *cli.Env, flags simulateFlags, log zerolog.Logger) error {
	config, dir, err := simulatedConfig(env, flags)
	if err != nil {
		return err
	}
	path := flags.store
	if path == "" {
		folder, remove, err := cli.Temporary("exchange-simulate-")
		if err != nil {
			return err
		}
		defer remove()
		path = filepath.Join(folder, "exchange.db")
	}
	s := &simulation{flags: flags, market: &market{config: config, dir: dir, path: path, seed: flags.seed, log: log}}
	group := lifecycle.New(stopWithin, append([]lifecycle.Part{s.rivalsPart()}, s.market.parts()...)...)
	if err := group.Start(ctx); err != nil {
		return err
	}
	outcome, err := s.run(ctx, env)
	if stopErr := group.Stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	return outcome.print(env)
}

// simulatedConfig is the configuration as a simulation runs it: listening on free ports of this
// machine, with credit for everybody.
func simulatedConfig(env *cli.Env, flags simulateFlags) (*exchange.Config, string, error) {
	config, dir, err := readConfig(env)
	if _, statErr := os.Stat(env.ConfigPath()); errors.Is(statErr, fs.ErrNotExist) && env.ConfigPath() == configFile {
		env.Sayf("there is no %s: simulating a market of rivals only", configFile)
		config, dir, err = rivalsOnly(), ".", nil
	}
	if err != nil {
		return nil, "", err
	}
	changed := *config
	changed.Server = exchange.Server{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	changed.Buyers = slices.Clone(config.Buyers)
	for i := range changed.Buyers {
		buyer := &changed.Buyers[i]
		buyer.CreditLimit = simulatedCredit
		if buyer.Ping == nil {
			continue
		}
		allowed := func(host string) bool { return load.CheckTarget(buyer.Ping.URL, host) == nil }
		if !allowed("") && !slices.ContainsFunc(flags.allowHosts, allowed) {
			return nil, "", cli.Hint(cli.Usage("the buyer %s is not on this machine, at %s", buyer.Name, buyer.Ping.URL),
				"made-up leads go to others only where --allow-host names them")
		}
	}
	return &changed, dir, nil
}

// rivalsOnly is a market for those who have no configuration yet.
func rivalsOnly() *exchange.Config {
	var services []pingpost.Service
	for _, word := range pingpost.ServiceWords() {
		service, _ := pingpost.ParseService(word)
		services = append(services, service)
	}
	return &exchange.Config{
		Name: "Simulated Leads", Location: time.UTC,
		Sellers: []exchange.Seller{{Name: "webform", Key: "key-of-the-simulated-seller", Margin: 2500}},
		Campaigns: []exchange.Campaign{{
			Name: "everything", Services: services, Window: exchange.DefaultWindow,
			Auction: exchange.Auction{
				Price: pingpost.AuctionFirst, Deadline: exchange.DefaultDeadline, PostTimeout: exchange.DefaultPostTimeout,
				PostDeadline: exchange.DefaultPostDeadline, Reroute: exchange.RerouteOn, Hops: exchange.DefaultHops,
			},
		}},
	}
}

// rivalsPart opens the rivals' doors and writes them into the configuration.
func (s *simulation) rivalsPart() lifecycle.Part {
	return lifecycle.Part{
		Name:  "rivals",
		Start: func(context.Context) error { return s.openRivals() },
		Serve: func(ctx context.Context) error {
			if s.rivals == nil {
				<-ctx.Done()
				return nil
			}
			return s.rivals.Serve(s.listener)
		},
		Stop: func(ctx context.Context) error {
			if s.rivals == nil {
				return nil
			}
			return s.rivals.Close(ctx)
		},
	}
}

func (s *simulation) openRivals() (err error) {
	s.clock = simulate.NewClock(populationStart, s.flags.speed)
	if s.flags.rivals == 0 {
		return nil
	}
	settings := simulate.DefaultRosterSettings(s.flags.seed)
	settings.Rivals = s.flags.rivals
	if s.roster, err = simulate.NewRoster(settings); err != nil {
		return err
	}
	options := simulate.ServerOptions{Key: simulatedKey, Now: s.clock.Now}
	if s.rivals, err = simulate.NewRivalServer(s.roster, options); err != nil {
		return err
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	config := s.market.config
	for _, rival := range s.roster.Rivals {
		if slices.ContainsFunc(config.Buyers, func(b exchange.Buyer) bool { return b.Name == rival.Name }) {
			return errors.Join(cli.Usage("the configuration has a buyer %q, which is a rival's name", rival.Name), s.listener.Close())
		}
		config.Buyers = append(config.Buyers, exchange.Buyer{
			Name: rival.Name, CreditLimit: simulatedCredit, Tells: exchange.TellsPrice,
			Ping: &exchange.Endpoint{
				Profile: "native", URL: "http://" + s.listener.Addr().String() + "/" + rival.Name,
				Exchange: "simulated", Key: simulatedKey,
			},
		})
	}
	return nil
}

// run brings the homeowners, waits until every offer is settled, and takes stock.
func (s *simulation) run(ctx context.Context, env *cli.Env) (*simulated, error) {
	settings := simulate.DefaultSettings(s.flags.seed, populationStart)
	settings.PerDay = s.flags.perDay()
	generator, err := simulate.NewGenerator(settings)
	if err != nil {
		return nil, err
	}
	env.Sayf("taking leads at %s, operators at http://%s", s.market.address(), s.market.server.AdminAddr())
	began := time.Now()
	progress := env.Progress("simulating, seconds", int64(s.flags.length/time.Second))
	drive := simulate.Drive{
		Clock: s.clock, For: s.flags.length, InFlight: salesAtOnce,
		Progress: func(simulate.Driven) { progress.Set(int64(min(time.Since(began), s.flags.length) / time.Second)) },
	}
	transport := &http.Transport{MaxIdleConnsPerHost: salesAtOnce}
	defer transport.CloseIdleConnections()
	seller := &simulate.Seller{
		URL: s.market.address(), Key: s.market.config.Sellers[0].Key,
		Client: &http.Client{Transport: transport},
	}
	var refusals refusals
	driven, err := drive.Run(ctx, generator, func(ctx context.Context, h simulate.Homeowner) error {
		_, err := seller.Sell(ctx, &h)
		refusals.add(err)
		return err
	})
	progress.Done()
	if err != nil {
		return nil, err
	}
	// Stopping early is no reason to leave offers open: what was begun is finished and counted.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	if err := s.market.server.Drain(bounded); err != nil {
		return nil, err
	}
	outcome, err := s.takeStock(bounded)
	if err != nil {
		return nil, err
	}
	outcome.Seed, outcome.Seconds = s.flags.seed, time.Since(began).Seconds()
	outcome.Homeowners = homeowners{driven.Offered, driven.Sent, driven.Dropped, refusals.lines()}
	return outcome, nil
}

// takeStock reads the books and holds them against the rivals'.
func (s *simulation) takeStock(ctx context.Context) (*simulated, error) {
	report, err := s.market.store.Report(ctx, time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	verified, err := s.market.store.Verify(ctx)
	if err != nil {
		return nil, err
	}
	outcome := &simulated{Label: simulate.Label, Report: report}
	for _, finding := range verified.Findings {
		outcome.Invariants.Findings = append(outcome.Invariants.Findings, finding.ID+": "+finding.What)
	}
	if s.rivals != nil && s.flags.store == "" { // Kept books may hold former runs, and the rivals' do not.
		outcome.compare(s.rivals.Accounts())
	}
	outcome.Invariants.OK = len(outcome.Invariants.Findings) == 0
	return outcome, nil
}
