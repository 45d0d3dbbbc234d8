package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/budget/store"
	"leadbid/internal/cli"
	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
	"leadbid/rules"
)

func statusCommand(env *cli.Env) *cobra.Command {
	var address string
	command := &cobra.Command{
		Use:   "status",
		Short: "Show a running bidder: state, caps, books",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address == "" {
				rs, _, err := loadToLook(env, adminOr(address))
				if err != nil {
					return err
				}
				address = rs.Settings().Server.Admin
			}
			status, err := askStatus(cmd.Context(), address)
			if err != nil {
				return err
			}
			return printStatus(env, status)
		},
	}
	command.Flags().StringVar(&address, "admin", "", "the operators' `address` (default: server.admin of the configuration)")
	return command
}

// askAdmin asks the operators' listener of a running bidder. The caller closes the body.
func askAdmin(ctx context.Context, method, address, path string, body io.Reader) (*http.Response, error) {
	address = strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/")
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, cli.Usage("--admin %q: say HOST:PORT, such as 127.0.0.1:8081", address)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, body)
	if err != nil {
		return nil, cli.Usage("--admin %q: say HOST:PORT, such as 127.0.0.1:8081", address)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) { // What was asked for is in our own words.
			err = failed.Err
		}
		return nil, cli.Hint(cli.Reach(fmt.Errorf("asking the bidder at %s: %w", address, err)),
			"is the bidder running? `bidder serve` prints where operators reach it")
	}
	return response, nil
}

func askStatus(ctx context.Context, address string) (*server.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	response, err := askAdmin(ctx, http.MethodGet, address, "/status", nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, cli.Hint(fmt.Errorf("%s answered %s", address, response.Status),
			"is that server.admin of a bidder? `bidder serve` prints where operators reach it")
	}
	var status server.Status
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&status); err != nil {
		return nil, fmt.Errorf("%s did not answer with a status: %w", address, err)
	}
	return &status, nil
}

func printStatus(env *cli.Env, status *server.Status) error {
	if env.Output() == cli.Text {
		env.Sayf("%s: %s (%s)", status.Business, status.State, atHome(status).Format("Mon 15:04 MST"))
		if !status.Pauses.All && len(status.Pauses.Campaigns)+len(status.Pauses.Exchanges) > 0 {
			env.Sayf("paused: %s", strings.Join(pausedNames(status.Pauses), ", "))
		}
		if len(status.Undeliverable) > 0 {
			env.Sayf("paused because their leads cannot be delivered: %s", strings.Join(status.Undeliverable, ", "))
		}
		sayBooks(env, status)
		saySilence(env, status)
		sayReturns(env, status)
		sayPacing(env, &status.Pacing)
		sayOutcomes(env, status)
		sayAcceptance(env, status)
		sayRules(env, status)
		if status.StoreError != "" {
			env.Sayf("the store is away: %s", status.StoreError)
		}
	}
	return env.Print(status, statusTables(status)...)
}

// statusTables has no table of what the store did not tell: zeros would say that nothing was bought.
func statusTables(status *server.Status) (tables []cli.Table) {
	if status.Caps != nil {
		tables = append(tables, capsTable(status.Caps))
	}
	tables = append(tables, answersTable(status.Answers))
	if len(status.Observed) > 0 {
		tables = append(tables, observedTable(status.Observed))
	}
	if len(status.Returns) > 0 {
		tables = append(tables, returnsTable(status.Returns))
	}
	if status.Books != nil {
		tables = append(tables, countsTable(status.Books))
	}
	return tables
}

func capsTable(caps []bidder.CapStatus) cli.Table {
	table := cli.Table{Columns: []string{"cap", "period", "used_usd", "limit_usd", "leads", "limit_leads"}}
	for _, c := range caps {
		table.Add(strings.TrimSpace(c.Scope+" "+c.Name), c.Period, c.Used, limited(c.Limit), c.UsedLeads, limited(c.LimitLeads))
	}
	return table
}

func answersTable(answers server.AnswerCounts) cli.Table {
	table := cli.Table{Columns: []string{"answer_since_start", "pings"}}
	table.Add("bid", answers.Bids)
	for _, reason := range sortedKeys(answers.NoBids) {
		table.Add("no bid: "+reason, answers.NoBids[reason])
	}
	return table
}

func countsTable(books *store.Counts) cli.Table {
	table := cli.Table{Columns: []string{"leads", "charged_usd", "returned", "credited_usd", "refused", "delivered", "owed", "dead"}}
	table.Add(books.Leads, books.Charged, books.Returned, books.Credited, books.Refused, books.Delivered, books.Owed, books.Dead)
	return table
}

// sayBooks tells that nothing is bid because a promise about money is broken.
func sayBooks(env *cli.Env, status *server.Status) {
	books := &status.Verification
	if books.Error != "" {
		env.Sayf("the books could not be verified: %s", books.Error)
	}
	if books.Stopped.IsZero() {
		return
	}
	env.Sayf("nothing is bid since %s: the books do not hold", books.Stopped.In(atHome(status).Location()).Format("Mon 15:04:05"))
	for _, finding := range books.Findings {
		env.Sayf("  %s: %s", finding.ID, finding.What)
	}
	env.Sayf("look at them (`bidder verify`), then `bidder resume`; posts for bids already sent are still taken")
}

// saySilence tells which exchanges get no bids because nothing is heard of them.
func saySilence(env *cli.Env, status *server.Status) {
	for _, exchange := range status.Exchanges {
		if exchange.Silent.IsZero() {
			continue
		}
		env.Sayf("exchange %s: no post and no notice since %s, though bids went out: bids are withheld (%d so far), "+
			"but for a few that probe", exchange.Exchange,
			exchange.Heard.In(atHome(status).Location()).Format("Mon 15:04:05"), exchange.Withheld)
	}
}

// sayOutcomes tells what bids go by where leads have a value, and which lines of the file say nothing.
func sayOutcomes(env *cli.Env, status *server.Status) {
	if status.Outcomes.Leads > 0 {
		env.Sayf("learned from outcomes: leads %d, jobs %d", status.Outcomes.Leads, status.Outcomes.Closed)
	}
	file := status.Outcomes.File
	switch {
	case file == nil:
		return
	case file.Error != "":
		env.Sayf("outcomes: %s: %s", file.Path, file.Error)
		return
	case file.Unread+file.Unknown > 0:
		env.Sayf("outcomes: %s: %d lines are in the books, %d cannot be read, %d are about leads that were not bought here",
			file.Path, file.Outcomes, file.Unread, file.Unknown)
	}
	for _, fault := range file.Faults {
		env.Sayf("  %s", fault)
	}
}

// sayAcceptance warns of exchanges whose posts are refused too often for their liking.
func sayAcceptance(env *cli.Env, status *server.Status) {
	for _, one := range status.Acceptance {
		if one.State != server.AcceptanceNear && one.State != server.AcceptanceBelow {
			continue
		}
		env.Sayf("exchange %s: %.1f %% of the %d posts of the last 30 days were accepted, and it wants %.1f %%: %s",
			one.Exchange, 100*one.Rate, one.Accepted+one.Refused, 100*one.Wanted,
			map[string]string{
				server.AcceptanceNear:  "what your reject rules refuse is better not bid on",
				server.AcceptanceBelow: "it may penalise you; what your reject rules refuse is better not bid on",
			}[one.State])
	}
}

// sayReturns warns of leads that can be returned only for a little while, and of those that cannot any
// more.
func sayReturns(env *cli.Env, status *server.Status) {
	var soon, over int
	var first time.Time
	for _, one := range status.Returns {
		switch one.State {
		case server.ReturnSoon:
			if soon++; soon == 1 {
				first = one.Until // they come in the order of their deadlines
			}
		case server.ReturnOver:
			over++
		}
	}
	if soon > 0 {
		env.Sayf("to be returned soon: %d disputed or undeliverable, the first until %s; tell the exchange, nothing is sent to it",
			soon, first.In(atHome(status).Location()).Format("Mon 2 Jan 15:04 MST"))
	}
	if over > 0 {
		env.Sayf("no longer to be returned: %d disputed or undeliverable, whose deadline passed without a credit", over)
	}
}

// returnsTable lists what the exchanges have not credited yet.
func returnsTable(returns []server.ReturnStatus) cli.Table {
	table := cli.Table{Columns: []string{"to_return", "exchange", "why", "price_usd", "until", "state"}}
	for _, one := range returns {
		why := one.Why
		if one.Reason != "" {
			why = one.Reason
		}
		table.Add(one.Lead, one.Exchange, why, one.Price, untilCell(one.Until), one.State)
	}
	return table
}

// untilCell is empty where there is no deadline.
func untilCell(until time.Time) any {
	if until.IsZero() {
		return nil
	}
	return until
}

// sayRules tells which rules are in force, and why not those of the file.
func sayRules(env *cli.Env, status *server.Status) {
	env.Sayf("rules %s, generation %d, since %s", status.Rules, status.Generation,
		status.RulesSince.In(atHome(status).Location()).Format("Mon 15:04:05"))
	if status.Recording == nil {
		env.Sayf("nothing is recorded")
	}
	if last := status.LastReload; last != nil && last.Result == server.ReloadRefused {
		env.Sayf("the last reload was refused, at %s:\n%s", last.At.In(atHome(status).Location()).Format("Mon 15:04:05"),
			strings.TrimSuffix(last.Text, "\n"))
	}
}

// observedTable says what would have been bid since the start. Each of those bids could have won at
// its price or less.
func observedTable(observed []server.ObservedStatus) cli.Table {
	table := cli.Table{Columns: []string{"observed_campaign", "exchange", "would_bid", "won_at_most_usd"}}
	for _, o := range observed {
		table.Add(o.Campaign, o.Exchange, o.Bids, o.AtMost)
	}
	return table
}

// atHome is the status's time in the zone of the business, whose name JSON does not carry.
func atHome(status *server.Status) time.Time {
	if zone, err := time.LoadLocation(status.Timezone); err == nil {
		return status.Now.In(zone)
	}
	return status.Now
}

// limited is a limit's cell: none where there is none.
func limited[N pingpost.Cents | int64](limit *N) any {
	if limit == nil {
		return nil
	}
	return *limit
}

func leadsCommand(env *cli.Env) *cobra.Command {
	var filter store.LeadFilter
	var since age
	command := &cobra.Command{
		Use:   "leads",
		Short: "List the leads bought, newest first (no personal data)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if filter.Max < 1 {
				return cli.Usage("--max %d: say 1 or more", filter.Max)
			}
			rs, opened, err := books(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer opened.Close()
			if since > 0 {
				filter.Since = time.Now().Add(-time.Duration(since))
			}
			leads, err := opened.Leads(cmd.Context(), filter)
			if err != nil {
				return reached(err)
			}
			if len(leads) == 0 {
				if err := knownBuyer(cmd.Context(), rs, opened, filter); err != nil {
					return err
				}
				env.Sayf("no lead was bought that this asks for")
			}
			if filter.ID != "" && len(leads) == 1 && leads[0].Dispute.Note != "" {
				env.Sayf("disputed on %s: %s", leads[0].Dispute.At.In(rs.Settings().Business.Location).Format("Mon 2 Jan 15:04"),
					leads[0].Dispute.Note)
			}
			return env.Print(nil, leadsTable(rs, leads, time.Now()))
		},
	}
	command.Flags().StringVar(&filter.Campaign, "campaign", "", "only this `campaign`")
	command.Flags().StringVar(&filter.Exchange, "exchange", "", "only this `exchange`")
	command.Flags().StringVar(&filter.ID, "id", "", "only this `lead`")
	command.Flags().Var(&since, "since", "only the last `24h` or 7d, for example")
	command.Flags().IntVar(&filter.Max, "max", 100, "at most this `many`")
	return command
}

// age is how long ago something was, in days, too, as in the configuration.
type age time.Duration

// Set, String and Type are those of a flag.
func (a *age) Set(text string) error {
	length, err := yamlfile.ParseLength(text)
	if err != nil || length < 0 {
		return errors.New("say how long ago, such as 24h or 7d")
	}
	*a = age(length)
	return nil
}

func (a *age) String() string {
	if *a == 0 {
		return ""
	}
	return time.Duration(*a).String()
}

func (a *age) Type() string { return "age" }

// knownBuyer refuses a campaign or an exchange that neither is in the configuration nor ever bought
// anything: a misspelt name.
func knownBuyer(ctx context.Context, rs *rules.Ruleset, opened store.Store, filter store.LeadFilter) error {
	for _, named := range []struct {
		what, name string
		known      bool
		there      []string
	}{
		{"campaign", filter.Campaign, filter.Campaign == "" || rs.Campaign(filter.Campaign) != nil, campaignNames(rs)},
		{"exchange", filter.Exchange, filter.Exchange == "" || rs.Exchange(filter.Exchange) != nil, exchangeNames(rs)},
	} {
		if named.known {
			continue
		}
		only := store.LeadFilter{Campaign: named.name, Max: 1}
		if named.what == "exchange" {
			only = store.LeadFilter{Exchange: named.name, Max: 1}
		}
		switch leads, err := opened.Leads(ctx, only); {
		case err != nil:
			return reached(err)
		case len(leads) == 0:
			return cli.Usage("there is no %s %q, and none of that name ever bought anything; there are: %s",
				named.what, named.name, strings.Join(named.there, ", "))
		}
	}
	return nil
}

func leadsTable(rs *rules.Ruleset, leads []store.Lead, now time.Time) cli.Table {
	table := cli.Table{Columns: []string{"lead", "at", "exchange", "campaign", "price_usd", "state", "dispute", "return_until"}}
	for _, lead := range leads {
		zone := rs.Settings().Business.Location
		until, dispute := any(nil), any(nil)
		if lead.Dispute.Reason != "" {
			dispute = lead.Dispute.Reason
		}
		// A lead that nobody has anything against has no deadline to be shown.
		standing := server.ReturnOf(lead, rs.Exchange(lead.Exchange), now)
		if wanted := !lead.Dispute.At.IsZero() || lead.Dead > 0; wanted && !lead.Returned && !standing.Until.IsZero() {
			until = standing.Until.In(zone)
		}
		table.Add(lead.ID, lead.At.In(zone), lead.Exchange, lead.Campaign, lead.Price, leadState(lead), dispute, until)
	}
	return table
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
			report, err := verifyBooks(cmd.Context(), env)
			if err != nil {
				return err
			}
			if err := printReport(env, report); err != nil {
				return err
			}
			return sayStop(env)
		},
	}
}

// sayStop tells that the bidding is stopped although the books hold.
func sayStop(env *cli.Env) error {
	path, err := pauseFile(env, scope{})
	if err != nil {
		return err
	}
	if stoppedByBooks(path) {
		env.Sayf("the books hold now; nothing is bid until `bidder resume`")
	}
	return nil
}

// resultOf says whether a promise holds, and how often it does not.
func resultOf(check store.Check) string {
	switch {
	case check.Broken == 0:
		return "holds"
	case check.More:
		return fmt.Sprintf("BROKEN (more than %d)", check.Broken)
	}
	return fmt.Sprintf("BROKEN (%d)", check.Broken)
}

func printReport(env *cli.Env, report store.Report) error {
	table := cli.Table{Columns: []string{"promise", "what", "rows", "result"}}
	damaged := false
	for _, finding := range report.Findings {
		damaged = damaged || finding.ID == "file"
		env.Sayf("%s: %s", finding.ID, finding.What)
	}
	for _, check := range report.Checked {
		table.Add(check.ID, check.What, check.Rows, resultOf(check))
	}
	if report.Findings == nil {
		report.Findings = []store.Finding{} // [] in JSON, not null
	}
	document := struct {
		OK bool `json:"ok"`
		store.Report
	}{len(report.Findings) == 0, report}
	if err := env.Print(document, table); err != nil {
		return err
	}
	if damaged {
		return cli.Hint(cli.Failed("the file of the books is damaged, or was written into past its rules"),
			damagedHint)
	}
	if !document.OK {
		return cli.Hint(cli.Failed("the books do not hold: %s", counted(len(report.Findings), "finding")),
			"stop buying (`bidder pause`), keep the database as it is, and look at the rows named above")
	}
	return nil
}
