package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leadbid/bidder/server"
	"leadbid/budget/store"
	"leadbid/internal/cli"
)

func statusCommand(env *cli.Env) *cobra.Command {
	var address string
	command := &cobra.Command{
		Use:   "status",
		Short: "Show a running bidder: state, caps, books",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address == "" {
				rs, _, err := load(env)
				if err != nil {
					return err
				}
				address = rs.Settings().Server.Admin
			}
			status, err := askStatus(cmd.Context(), address)
			if err != nil {
				return cli.Hint(cli.Reach(err), "is the bidder running? `bidder serve` prints where operators reach it")
			}
			return printStatus(env, status)
		},
	}
	command.Flags().StringVar(&address, "admin", "", "the operators' `address` (default: server.admin of the configuration)")
	return command
}

func askStatus(ctx context.Context, address string) (*server.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/status", nil)
	if err != nil {
		return nil, cli.Usage("--admin %q: say HOST:PORT", address)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s: is that a bidder's admin address?", address, response.Status)
	}
	var status server.Status
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&status); err != nil {
		return nil, fmt.Errorf("%s did not answer with a status: %w", address, err)
	}
	return &status, nil
}

func printStatus(env *cli.Env, status *server.Status) error {
	if env.Output() == cli.Text {
		env.Sayf("%s: %s (%s)", status.Business, status.State, status.Now.Format("Mon 15:04 MST"))
		if len(status.Undeliverable) > 0 {
			env.Sayf("paused because their leads cannot be delivered: %s", strings.Join(status.Undeliverable, ", "))
		}
		if status.StoreError != "" {
			env.Sayf("the store is away: %s", status.StoreError)
		}
	}
	caps := cli.Table{Columns: []string{"cap", "period", "used_usd", "limit_usd", "leads", "of"}}
	for _, c := range status.Caps {
		caps.Rows = append(caps.Rows, []any{
			strings.TrimSpace(c.Scope + " " + c.Name), c.Period, c.Used, orDash(c.Limit, c.Limit > 0),
			c.UsedLeads, orDash(c.LimitLead, c.LimitLead > 0),
		})
	}
	books := status.Books
	return env.Print(status, caps, cli.Table{
		Columns: []string{"leads", "charged_usd", "returned", "credited_usd", "refused", "delivered", "owed", "dead"},
		Rows: [][]any{{books.Leads, books.Charged, books.Returned, books.Credited, books.Refused,
			books.Delivered, books.Owed, books.Dead}},
	})
}

func orDash(value any, known bool) any {
	if !known {
		return "-"
	}
	return value
}

func leadsCommand(env *cli.Env) *cobra.Command {
	var filter store.LeadFilter
	var since time.Duration
	command := &cobra.Command{
		Use:   "leads",
		Short: "List the leads bought, newest first (no personal data)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rs, opened, err := books(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer opened.Close()
			if since > 0 {
				filter.Since = time.Now().Add(-since)
			}
			leads, err := opened.Leads(cmd.Context(), filter)
			if err != nil {
				return err
			}
			table := cli.Table{Columns: []string{"lead", "at", "exchange", "campaign", "price_usd", "state"}}
			for _, lead := range leads {
				table.Rows = append(table.Rows, []any{lead.ID, lead.At.In(rs.Settings().Business.Location),
					lead.Exchange, lead.Campaign, lead.Price, leadState(lead)})
			}
			return env.Print(nil, table)
		},
	}
	command.Flags().StringVar(&filter.Campaign, "campaign", "", "only this `campaign`")
	command.Flags().StringVar(&filter.Exchange, "exchange", "", "only this `exchange`")
	command.Flags().StringVar(&filter.ID, "id", "", "only this `lead`")
	command.Flags().DurationVar(&since, "since", 0, "only the last `24h`, say")
	command.Flags().IntVar(&filter.Max, "max", 100, "at most this many")
	return command
}

func leadState(lead store.Lead) string {
	switch {
	case lead.Returned:
		return "returned"
	case lead.Dead > 0:
		return fmt.Sprintf("undeliverable to %d of %d", lead.Dead, lead.Owed)
	case lead.Delivered < lead.Owed:
		return fmt.Sprintf("delivered to %d of %d", lead.Delivered, lead.Owed)
	}
	return "delivered"
}

func verifyCommand(env *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Recompute every promise about money from the books; exit 4 where one is broken",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, opened, err := books(cmd.Context(), env)
			if err != nil {
				return err
			}
			report, err := opened.Verify(cmd.Context())
			if err = errors.Join(err, opened.Close()); err != nil {
				return err
			}
			return printReport(env, report)
		},
	}
}

func printReport(env *cli.Env, report store.Report) error {
	table := cli.Table{Columns: []string{"promise", "what", "rows", "result"}}
	broken := map[string]int{}
	for _, finding := range report.Findings {
		broken[finding.ID]++
		env.Sayf("%s: %s", finding.ID, finding.What)
	}
	for _, check := range report.Checked {
		result := "holds"
		if n := broken[check.ID]; n > 0 {
			result = fmt.Sprintf("BROKEN (%d)", n)
		}
		table.Rows = append(table.Rows, []any{check.ID, check.What, check.Rows, result})
	}
	if err := env.Print(report, table); err != nil {
		return err
	}
	if len(report.Findings) > 0 {
		return cli.Hint(cli.Failed("the books do not hold: %d findings", len(report.Findings)),
			"stop buying (`bidder pause`), keep the database as it is, and look at the rows named above")
	}
	return nil
}
