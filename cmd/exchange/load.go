package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leadbid/exchange/load"
	"leadbid/exchange/simulate"
	"leadbid/internal/cli"
	"leadbid/pingpost/wire"
)

// populationStart is the instant at which the made-up homeowners of load begin to come: a fixed
// one, so that the same seed gives the same pings on every day.
var populationStart = time.Date(2026, time.March, 2, 15, 0, 0, 0, time.UTC)

// loadFlags are what the flags of load say beside what load.Options takes as it is.
type loadFlags struct {
	options load.Options
	profile string
	leads   bool
	notices string
	failIf  []string
	seed    uint64
	people  int
}

func loadCommand(env *cli.Env) *cobra.Command {
	var flags loadFlags
	command := &cobra.Command{
		Use:   "load URL",
		Short: "Send pings, or leads, at given rates and measure the answers",
		Long: "load sends made-up pings to a bidder's ping address (or, with --leads, made-up leads to an\n" +
			"exchange's intake) at each of the given rates, one after the other, and reports how long the\n" +
			"answers took. It never waits for an answer before it sends the next: latency counts from\n" +
			"the instant at which a send was due. The contacts are invented and cannot belong to a person.",
		Example: "  exchange load --rate 1000,5000 --for 10s --fail-if 'p99>5ms' http://127.0.0.1:8080/v1/ping/northside\n" +
			"  exchange load --leads --rate 20 'http://127.0.0.1:9080/v1/leads?wait=1'",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.options.Target = args[0]
			return runLoad(cmd.Context(), env, flags)
		},
	}
	set := command.Flags()
	set.IntSliceVar(&flags.options.Rates, "rate", []int{1000}, "pings per second; several `rates` are run one after the other")
	set.DurationVar(&flags.options.For, "for", 10*time.Second, "how long each rate is held")
	set.StringArrayVar(&flags.failIf, "fail-if", nil,
		"`condition` under which to exit with 4, such as p99>5ms or errors>0.1%; may be given several times")
	set.StringVar(&flags.options.Key, "key", "", "bearer `key` to show; better given as EXCHANGE_KEY")
	set.StringVar(&flags.profile, "profile", "native", "the `profile` that the target speaks: "+strings.Join(wire.Names(), ", "))
	set.BoolVar(&flags.leads, "leads", false, "the target is an exchange's intake: bring leads, as a seller does")
	set.StringVar(&flags.notices, "notices", "auto",
		"`address` for a loss notice after each bid, so that what it held is free again; auto derives it, none sends none")
	set.StringVar(&flags.options.AllowHost, "allow-host", "", "a `host` off this machine that may be sent to, by name and port")
	set.IntVar(&flags.options.Connections, "connections", 64, "how `many` connections are kept open")
	set.DurationVar(&flags.options.Timeout, "timeout", 5*time.Second, "after which an answer counts as an error")
	set.Uint64Var(&flags.seed, "seed", 1, "`number` that repeats the same homeowners")
	set.IntVar(&flags.people, "people", 10_000, "how `many` different homeowners there are, 1 to 1,000,000")
	return command
}

func runLoad(ctx context.Context, env *cli.Env, flags loadFlags) error {
	thresholds, err := flags.prepare()
	if err != nil {
		return err
	}
	options := flags.options
	options.Population = simulateHomeowners(flags.seed, flags.people)
	steps := int64(len(options.Rates))
	progress := env.Progress("sending, seconds", int64(options.For/time.Second)*steps)
	options.Progress = func(p load.Progress) {
		progress.Set(int64((time.Duration(p.Step-1)*options.For + min(p.Elapsed, options.For)) / time.Second))
	}
	result, err := load.Run(ctx, options)
	progress.Done()
	switch {
	case errors.Is(err, load.ErrUnreachable):
		return cli.Hint(cli.Connect("%w", err), "is the bidder running? `bidder serve` prints where it answers")
	case result == nil:
		return cli.Usage("%w", err)
	}
	if err != nil {
		env.Sayf("stopped early: the figures are of what was sent until then")
	}
	if err := printLoad(env, result); err != nil {
		return err
	}
	if failures := result.Failures(thresholds); len(failures) > 0 {
		return cli.Failed("%s", strings.Join(failures, "\nexchange: "))
	}
	return nil
}

// prepare turns words into options, and tells what is wrong with them before anything is sent.
func (flags *loadFlags) prepare() ([]load.Threshold, error) {
	thresholds, err := load.ParseThresholds(strings.Join(flags.failIf, ","))
	if len(flags.failIf) > 0 && err != nil {
		return nil, cli.Usage("%w", err)
	}
	if flags.people < 1 || flags.people > 1_000_000 {
		return nil, cli.Usage("--people %d: say 1 to 1,000,000", flags.people)
	}
	profile, err := wire.Load(flags.profile)
	if err != nil {
		return nil, cli.Usage("--profile: %w", err)
	}
	flags.options.Protocol = load.Pings(profile)
	if flags.leads {
		flags.options.Protocol, flags.notices = load.Leads(), "none"
	}
	switch flags.notices {
	case "none":
	case "auto":
		base, rest, native := strings.Cut(flags.options.Target, "/v1/ping/")
		if native {
			flags.options.NoticeTarget, flags.options.NoticeProfile = base+"/v1/notice/"+rest, profile
		}
	default:
		flags.options.NoticeTarget, flags.options.NoticeProfile = flags.notices, profile
	}
	if len(flags.failIf) == 0 {
		return nil, nil
	}
	return thresholds, nil
}

// simulateHomeowners makes whom the pings are about.
func simulateHomeowners(seed uint64, count int) []simulate.Homeowner {
	generator, err := simulate.NewGenerator(simulate.DefaultSettings(seed, populationStart))
	if err != nil {
		panic("exchange: the default market is not valid: " + err.Error())
	}
	return generator.Take(count)
}

func printLoad(env *cli.Env, result *load.Result) error {
	if env.Output() == cli.Text {
		return result.WriteText(env.Stdout)
	}
	table := cli.Table{Columns: []string{"rate", "seconds", "scheduled", "answered", "errors", "dropped", "bids",
		"no_bids", "answered_per_second", "p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "max_ms", "lag_p99_ms"}}
	for _, step := range result.Steps {
		table.Add(step.Rate, step.Seconds, step.Scheduled, step.Answered, step.Errors, step.Dropped, step.Bids,
			step.NoBids, step.PerSecond, step.Latency.P50, step.Latency.P90, step.Latency.P99, step.Latency.P999,
			step.Latency.Max, step.Lag.P99)
	}
	return env.Print(result, table)
}
