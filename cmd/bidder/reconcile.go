package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leadbid/bidder/reconcile"
	"leadbid/budget/store"
	"leadbid/internal/cli"
	"leadbid/rules"
)

func reconcileCommand(env *cli.Env) *cobra.Command {
	var exchange, since, until string
	var columns map[string]string
	command := &cobra.Command{
		Use:   "reconcile STATEMENT.csv",
		Short: "Compare what an exchange charged with the books; list every difference with its lead",
		Long: "Reads a statement that an exchange exported: CSV with a header that names a price, the id of the lead,\n" +
			"bid or ping, and perhaps a date, a status and a currency. Exit 4 where anything differs, 3 where a line\n" +
			"or the header cannot be read, 0 where every lead costs the same on both sides. Leads of the days that\n" +
			"the statement has dates of must be on it, and no others; what is given back may be older. Where its\n" +
			"dates are those of the bill, say with --since and --until which days it bills.",
		Example: "  bidder reconcile --exchange northside march.csv\n" +
			"  bidder reconcile --column price=\"Net due\" --column ping=Auction march.csv",
		Args: cobra.ExactArgs(1),
	}
	command.Flags().StringVar(&exchange, "exchange", "", "whose `statement` it is; not needed where there is one exchange")
	command.Flags().StringVar(&since, "since", "", "leads from this `day` on must be on it")
	command.Flags().StringVar(&until, "until", "", "leads before this `day` must be on it")
	command.Flags().StringToStringVar(&columns, "column", nil, "what a column is, such as `price=HEADING`; or lead, bid, ping, date, status or currency")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		rs, opened, err := books(cmd.Context(), env)
		if err != nil {
			return err
		}
		defer opened.Close()
		if exchange, err = theExchange(rs, exchange); err != nil {
			return err
		}
		zone := rs.Settings().Business.Location
		statement, err := readStatement(args[0], columns, zone)
		if err != nil {
			return err
		}
		compared := reconcile.Books{Exchange: exchange, Refused: refusedIn(cmd.Context(), opened, exchange)}
		if compared.From, compared.To, err = statementTime(statement, since, until, zone); err != nil {
			return err
		}
		if compared.Leads, err = opened.Leads(cmd.Context(), store.LeadFilter{Max: math.MaxInt32}); err != nil {
			return reached(err)
		}
		report, err := reconcile.Compare(statement, compared)
		if err != nil {
			return reached(err)
		}
		return printReconciled(env, report, zone)
	}
	return command
}

// theExchange is the one that is meant.
func theExchange(rs *rules.Ruleset, name string) (string, error) {
	names := exchangeNames(rs)
	switch {
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", cli.Usage("say whose statement it is with --exchange: %s", strings.Join(names, ", "))
	case rs.Exchange(name) == nil:
		return "", cli.Usage("there is no exchange %q; there are: %s", name, strings.Join(names, ", "))
	}
	return name, nil
}

func readStatement(path string, columns map[string]string, zone *time.Location) (*reconcile.Statement, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, cli.Usage("%w", err)
	}
	defer file.Close()
	statement, err := reconcile.Read(file, columns, zone)
	var fault reconcile.Fault
	if errors.As(err, &fault) {
		return nil, cli.Faults(fmt.Errorf("%s: %w", path, fault))
	}
	return statement, err
}

// statementTime is which leads must be on a statement: those of its days, unless said otherwise.
func statementTime(s *reconcile.Statement, since, until string, zone *time.Location) (from, to time.Time, err error) {
	for _, line := range s.Lines {
		if line.At.IsZero() {
			continue
		}
		year, month, day := line.At.In(zone).Date()
		first, next := time.Date(year, month, day, 0, 0, 0, 0, zone), time.Date(year, month, day+1, 0, 0, 0, 0, zone)
		if from.IsZero() || first.Before(from) {
			from = first
		}
		if next.After(to) {
			to = next
		}
	}
	for _, flag := range []struct {
		name, text string
		into       *time.Time
	}{{"since", since, &from}, {"until", until, &to}} {
		if flag.text == "" {
			continue
		}
		if *flag.into, err = time.ParseInLocation(time.DateOnly, flag.text, zone); err != nil {
			return from, to, cli.Usage("--%s %q: say a day, such as 2026-03-01", flag.name, flag.text)
		}
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return from, to, emptyTime(since, until, from, to)
	}
	return from, to, nil
}

// emptyTime tells that no lead can be between two days, of which at least one is a flag's.
func emptyTime(since, until string, from, to time.Time) error {
	switch {
	case until == "":
		return cli.Usage("--since %s: no lead is from then on until the statement's last day, which is %s; say --until, too, "+
			"or an earlier day", since, to.AddDate(0, 0, -1).Format(time.DateOnly))
	case since == "":
		return cli.Usage("--until %s: no lead is before that and from the statement's first day on, which is %s; say --since, too, "+
			"or a later day", until, from.Format(time.DateOnly))
	}
	return cli.Usage("--since %s --until %s: no lead is between them; --until is the first day that no longer counts, "+
		"and must be after --since", since, until)
}

// refusedIn asks the books whether a post that is no lead was refused, or its bid withdrawn.
func refusedIn(ctx context.Context, opened store.Store, exchange string) func(bid, ping string) (bool, error) {
	return func(bid, ping string) (bool, error) {
		_, found, err := opened.Answer(ctx, store.PostKey{Exchange: exchange, PingID: ping, BidID: bid})
		return found, err
	}
}

func printReconciled(env *cli.Env, report *reconcile.Report, zone *time.Location) error {
	if report.Unread == nil {
		report.Unread = []reconcile.Fault{}
	}
	totals := cli.Table{Columns: []string{"exchange", "lines", "leads", "statement_usd", "books_usd", "same", "different", "unread"}}
	totals.Add(report.Exchange, report.Lines, report.Leads, report.StatementTotal, report.BooksTotal, report.Matched,
		len(report.Differences), len(report.Unread))
	tables := []cli.Table{totals}
	if len(report.Differences) > 0 {
		tables = append(tables, differencesTable(report.Differences, zone))
	}
	if err := env.Print(report, tables...); err != nil {
		return err
	}
	for _, fault := range report.Unread {
		env.Sayf("%v", fault)
	}
	switch {
	case len(report.Unread) > 0:
		return cli.Faults(fmt.Errorf("%s of the statement could not be read and compared; %s in the others",
			counted(len(report.Unread), "line"), counted(len(report.Differences), "difference")))
	case len(report.Differences) > 0:
		err := cli.Failed("%s between the statement and the books", counted(len(report.Differences), "difference"))
		if slices.ContainsFunc(report.Differences, func(d reconcile.Difference) bool { return d.What == reconcile.OtherTime }) {
			return cli.Hint(err, "where the statement's dates are those of the bill, say with --since and --until which days it bills")
		}
		return err
	}
	return nil
}

// counted says 1 line or 2 lines.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func differencesTable(differences []reconcile.Difference, zone *time.Location) cli.Table {
	table := cli.Table{Columns: []string{"difference", "lead", "ping", "statement_usd", "books_usd", "lines", "bought"}}
	for _, d := range differences {
		bought := any(nil)
		if !d.Bought.IsZero() {
			bought = d.Bought.In(zone)
		}
		table.Add(d.What, d.Lead, d.Ping, d.Statement, d.Books, strings.Trim(fmt.Sprint(d.Lines), "[]"), bought)
	}
	return table
}
