package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"leadbid/exchange"
	"leadbid/exchange/store"
	"leadbid/internal/cli"
)

func reportCommand(env *cli.Env) *cobra.Command {
	var seller, buyer, statement, since, until string
	command := &cobra.Command{
		Use:   "report",
		Short: "Sum up the market, a seller's business, or a buyer's",
		Example: "  exchange report --since 24h\n" +
			"  exchange report --seller webform --since 2026-03-01 --until 2026-04-01 --output csv\n" +
			"  exchange report --buyer lakeview\n" +
			"  exchange report --statement lakeview --output csv > march.csv",
		Args: cobra.NoArgs,
	}
	path := booksFlag(command)
	command.Flags().StringVar(&seller, "seller", "", "only this seller's business, by `name`")
	command.Flags().StringVar(&buyer, "buyer", "", "only this buyer's business, by `name`")
	command.Flags().StringVar(&statement, "statement", "", "every charge to this buyer and every return, by `name`: what `bidder reconcile` reads")
	command.Flags().StringVar(&since, "since", "", "events from this `time` on: a date, an instant, or how long ago")
	command.Flags().StringVar(&until, "until", "", "events before this `time`")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if statement != "" && seller+buyer != "" {
			return cli.Usage("say --statement, or --seller or --buyer: a statement is of one buyer")
		}
		if seller != "" && buyer != "" {
			return cli.Usage("say --seller or --buyer, not both: a report is one side's")
		}
		opened, config, err := books(cmd.Context(), env, *path)
		if err != nil {
			return err
		}
		defer opened.Close()
		zone := time.UTC
		if config != nil {
			zone = config.Location
		}
		from, err := readTime("since", since, time.Now(), zone)
		if err != nil {
			return err
		}
		to, err := readTime("until", until, time.Now(), zone)
		if err != nil {
			return err
		}
		if since != "" && until != "" && !from.Before(to) {
			return cli.Usage("--since %s --until %s: no event is between them; --until must be after --since", since, until)
		}
		if statement != "" {
			lines, err := opened.Statement(cmd.Context(), statement, from, to)
			if err != nil {
				return notBooks(err)
			}
			if len(lines) == 0 { // nothing in this time, or a misspelt name
				ever, err := opened.Report(cmd.Context(), time.Time{}, time.Time{})
				if err != nil {
					return notBooks(err)
				}
				if _, err := narrow(ever, config, "", statement); err != nil {
					return err
				}
			}
			return printStatement(env, lines, zone)
		}
		report, err := opened.Report(cmd.Context(), from, to)
		if err != nil {
			return notBooks(err)
		}
		if report, err = narrow(report, config, seller, buyer); err != nil {
			return err
		}
		tables := reportTables(report)
		if len(tables) == 0 {
			env.Sayf("no lead was brought in this time")
		}
		return env.Print(report, tables...)
	}
	return command
}

// printStatement lists charges and returns. A return has a negative price.
func printStatement(env *cli.Env, lines []store.StatementLine, zone *time.Location) error {
	table := cli.Table{Columns: []string{"ping_id", "date", "price_usd", "status"}}
	for _, line := range lines {
		price := line.Price
		if line.Status == exchange.Returned.String() {
			price = -price
		}
		table.Add(line.PingID, line.Date.In(zone), price, line.Status)
	}
	if len(lines) == 0 {
		env.Sayf("nothing was charged to this buyer in this time")
	}
	return env.Print(nil, table)
}

// narrow keeps one side's business. A name that is in the configuration and has had no business
// yet has a line of zeros; one that is nowhere is a mistake. config may be nil.
func narrow(report exchange.Report, config *exchange.Config, seller, buyer string) (exchange.Report, error) {
	switch {
	case seller != "":
		for _, line := range report.Sellers {
			if line.Seller == seller {
				return exchange.Report{Sellers: []exchange.SellerLine{line}}, nil
			}
		}
		known := func(s exchange.Seller) bool { return s.Name == seller }
		if config == nil || !slices.ContainsFunc(config.Sellers, known) {
			return report, cli.Hint(cli.Usage("there is no seller %q", seller), "without --seller, the report lists all of them")
		}
		return exchange.Report{Sellers: []exchange.SellerLine{{Seller: seller}}}, nil
	case buyer != "":
		for _, line := range report.Buyers {
			if line.Buyer == buyer {
				return exchange.Report{Buyers: []exchange.BuyerLine{line}}, nil
			}
		}
		known := func(b exchange.Buyer) bool { return b.Name == buyer }
		if config == nil || !slices.ContainsFunc(config.Buyers, known) {
			return report, cli.Hint(cli.Usage("there is no buyer %q", buyer), "without --buyer, the report lists all of them")
		}
		return exchange.Report{Buyers: []exchange.BuyerLine{{Buyer: buyer}}}, nil
	}
	return report, nil
}

func timelineCommand(env *cli.Env) *cobra.Command {
	command := &cobra.Command{
		Use:   "timeline OFFER",
		Short: "Show everything that happened to a lead, and why",
		Args:  cobra.ExactArgs(1),
	}
	path := booksFlag(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		opened, config, err := books(cmd.Context(), env, *path)
		if err != nil {
			return err
		}
		defer opened.Close()
		events, err := opened.Timeline(cmd.Context(), exchange.OfferID(args[0]))
		if err != nil {
			return notBooks(err)
		}
		if len(events) == 0 {
			return unknownOffer(cmd.Context(), opened, args[0])
		}
		zone := time.UTC
		if config != nil {
			zone = config.Location
		}
		env.Sayf("times are those of %s", zone)
		return env.Print(events, timelineTable(events, zone))
	}
	return command
}

// unknownOffer helps whoever has the wrong id at hand, which is most often a seller's own.
func unknownOffer(ctx context.Context, opened *store.Store, id string) error {
	err := cli.Usage("there is no offer %q", id)
	latest, listErr := opened.Offers(ctx, store.OfferFilter{Max: 1})
	if listErr != nil || len(latest) == 0 {
		return cli.Hint(err, "the books hold no offer yet")
	}
	return cli.Hint(err, "an offer's id is what the intake answered as offer_id; the latest one is %s", latest[0].ID)
}

func verifyCommand(env *cli.Env) *cobra.Command {
	command := &cobra.Command{
		Use:   "verify",
		Short: "Recompute every promise about money and offers from the books",
		Long: "verify recomputes from the events what every account, offer and switch must be, and compares it\n" +
			"with the rows, to the cent. It may run beside the exchange. It exits with 4 where anything differs.",
		Args: cobra.NoArgs,
	}
	path := booksFlag(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		opened, _, err := books(cmd.Context(), env, *path)
		if err != nil {
			return err
		}
		defer opened.Close()
		report, err := opened.Verify(cmd.Context())
		if err != nil {
			return notBooks(err)
		}
		return printVerified(env, report)
	}
	return command
}

func printVerified(env *cli.Env, report store.Report) error {
	table := cli.Table{Columns: []string{"id", "promise", "rows", "findings"}}
	for _, check := range report.Checked {
		table.Add(check.ID, check.What, check.Rows, check.Broken)
	}
	document := struct {
		OK bool `json:"ok"`
		store.Report
	}{len(report.Findings) == 0, report}
	if err := env.Print(document, table); err != nil {
		return err
	}
	if document.OK {
		return nil
	}
	for _, finding := range report.Findings {
		env.Sayf("%s: %s", finding.ID, finding.What)
	}
	return cli.Failed("%d findings: the books do not keep what they promise", len(report.Findings))
}
