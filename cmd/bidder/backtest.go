package main

import (
	"cmp"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"leadbid/bidder/backtest"
	"leadbid/internal/cli"
)

func backtestCommand(env *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "backtest [RECORDING...]",
		Short: "Replay recordings through the Agent, and prove that it decides the same",
		Long: "Replays what `bidder serve` recorded (files or folders; record.dir by default) through the same\n" +
			"Agent with the same rules, prints spend, wins and reasons by campaign, and compares every\n" +
			"decision byte by byte with the recorded one. Exit 4 where one differs. What was recorded with\n" +
			"another configuration is counted and not compared, and that is told.",
		RunE: func(cmd *cobra.Command, args []string) error {
			rs, dir, _, err := loadOffline(env)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				recordings := rs.Settings().Record.Dir
				if recordings == "" {
					return cli.Usage("the configuration records nothing: set record.dir and the variables in it, or name a recording")
				}
				if !filepath.IsAbs(recordings) {
					recordings = filepath.Join(dir, recordings)
				}
				args = []string{recordings}
			}
			segments, err := backtest.Segments(args...)
			if err != nil {
				return cli.Hint(err, "`bidder serve` records into record.dir; `bidder backtest FILE...` replays others")
			}
			progress := env.Progress("replaying", -1)
			report, err := backtest.Replay(cmd.Context(), rs, segments, progress.Set)
			progress.Done()
			if err != nil {
				return cli.Hint(err, "recordings are the files *.jsonl.zst that `bidder serve` writes into record.dir")
			}
			return printReplay(env, report)
		},
	}
}

func printReplay(env *cli.Env, report *backtest.Report) error {
	campaigns := cli.Table{Columns: []string{"campaign", "bids", "wins", "spend_usd"}}
	reasons := cli.Table{Columns: []string{"campaign", "no bid because", "pings"}}
	for _, campaign := range report.Campaigns {
		name := campaign.Campaign
		if name == "" {
			name = "(none)"
		} else {
			campaigns.Rows = append(campaigns.Rows, []any{name, campaign.Bids, campaign.Wins, campaign.Spend})
		}
		for _, reason := range sortedKeys(campaign.NoBids) {
			reasons.Rows = append(reasons.Rows, []any{name, reason, campaign.NoBids[reason]})
		}
	}
	total := cli.Table{
		Columns: []string{"pings", "bids", "wins", "spend_usd", "compared", "different", "uncompared"},
		Rows: [][]any{{report.Pings, report.Bids, report.Wins, report.Spend, report.Compared,
			report.DifferentCount, report.Uncompared}},
	}
	tables := []cli.Table{total}
	if len(campaigns.Rows) > 0 {
		tables = append(tables, campaigns)
	}
	if len(reasons.Rows) > 0 {
		tables = append(tables, reasons)
	}
	if err := env.Print(report, tables...); err != nil {
		return err
	}
	for _, d := range report.Differences {
		env.Sayf("input %d, %s: recorded %s, replayed %s", d.Seq, d.What, d.Recorded, d.Replayed)
	}
	if report.WithheldPings > 0 {
		env.Sayf("recorded without a phone number or an address that a rule could read in them: %d pings; %d of them decide "+
			"otherwise without it, and after each of these nothing is compared until the next snapshot",
			report.WithheldPings, report.Withheld)
	}
	if report.AfterWithheld > 0 {
		env.Sayf("%d of the differences come after such a ping, and may come of it", report.AfterWithheld)
	}
	switch {
	case report.DifferentCount > 0:
		return cli.Failed("%d of %d decisions differ from the recording", report.DifferentCount, report.Compared)
	case report.Compared == 0 && len(report.OtherRules) > 0:
		return cli.Hint(cli.Failed("nothing could be compared: what is recorded was recorded with another configuration"),
			"name the configuration that it was recorded with: --config FILE")
	case report.Compared == 0:
		return cli.Failed("nothing could be compared: the recording has no whole segment")
	}
	for _, other := range report.OtherRules {
		env.Sayf("recorded with another configuration, rules %.12s: %d inputs are counted, and were not compared",
			other.Rules, other.Inputs)
	}
	if report.Former > 0 {
		env.Sayf("posts of bids that the rules before a reload made: %d, taken as recorded", report.Former)
	}
	env.Sayf("every decision is the same to the byte: %d compared", report.Compared)
	return nil
}

// sortedKeys puts the most frequent first.
func sortedKeys(counts map[string]int64) []string {
	var keys []string
	for key := range counts {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	return keys
}
