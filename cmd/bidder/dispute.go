package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"leadbid/bidder/server"
	"leadbid/internal/cli"
	"leadbid/rules"
)

func disputeCommand(env *cli.Env) *cobra.Command {
	var asked server.DisputeRequest
	var address string
	command := &cobra.Command{
		Use:   "dispute LEAD",
		Short: "Note that a bought lead is bad, to be warned before its return comes too late",
		Long: "Notes in the books of a running bidder why a lead is bad. Nothing is sent to the exchange, since no protocol\n" +
			"that is spoken here has a message for it: tell it in its own way. Its `returned` notice then credits the lead.\n" +
			"Until that comes, `bidder status`, the log and the metrics warn before the exchange's deadline\n" +
			"(exchanges: {NAME: {returns: {within: 72h}}}). Again, it replaces the reason and the note.",
		Example: "  bidder dispute 0199... --reason bad_phone --note \"three calls, the number does not exist\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked.Lead = args[0]
			if asked.Reason == "" {
				return cli.Usage("--reason is missing: a word such as bad_phone, wrong_person, out_of_area or duplicate")
			}
			if wrong := asked.Check(); wrong != "" {
				return cli.Usage("%s", wrong)
			}
			rs, _, err := loadToLook(env, adminOr(address))
			if err != nil {
				return err
			}
			if address == "" {
				address = rs.Settings().Server.Admin
			}
			done, err := askDispute(cmd.Context(), address, asked)
			if err != nil {
				return err
			}
			sayDispute(env, rs, done)
			if env.Output() == cli.Text {
				return nil
			}
			return env.Print(done, returnsTable([]server.ReturnStatus{done.ReturnStatus}))
		},
	}
	command.Flags().StringVar(&asked.Reason, "reason", "", "a `word` such as bad_phone, wrong_person, out_of_area, duplicate")
	command.Flags().StringVar(&asked.Note, "note", "", "some `words` for people; they stay in the books")
	command.Flags().StringVar(&address, "admin", "", "the operators' `address` (default: server.admin of the configuration)")
	return command
}

func sayDispute(env *cli.Env, rs *rules.Ruleset, done *server.DisputeAnswer) {
	switch done.State {
	case server.ReturnOver:
		env.Sayf("noted; but %s took returns of that lead only until %s", done.Exchange, ofDeadline(rs, done.Until))
	default:
		if done.Until.IsZero() {
			env.Sayf("noted. Tell %s yourself: nothing is sent to it. How long it takes returns is not configured "+
				"(exchanges: {%s: {returns: {within: 72h}}})", done.Exchange, done.Exchange)
			return
		}
		env.Sayf("noted. Tell %s yourself, until %s: nothing is sent to it", done.Exchange, ofDeadline(rs, done.Until))
	}
}

func ofDeadline(rs *rules.Ruleset, until time.Time) string {
	return until.In(rs.Settings().Business.Location).Format("Mon 2 Jan 15:04 MST")
}

func askDispute(ctx context.Context, address string, asked server.DisputeRequest) (*server.DisputeAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	response, err := askAdmin(ctx, http.MethodPost, address, "/-/dispute", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var done server.DisputeAnswer
	switch err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&done); {
	case done.Error != "" && response.StatusCode == http.StatusServiceUnavailable:
		return nil, cli.Connect("not noted: %s", done.Error)
	case done.Error != "" && response.StatusCode == http.StatusNotFound:
		return nil, cli.Hint(fmt.Errorf("not noted: %s", done.Error), "`bidder leads` lists the leads bought, with their ids")
	case done.Error != "":
		return nil, fmt.Errorf("not noted: %s", done.Error)
	case err != nil || response.StatusCode != http.StatusOK:
		return nil, cli.Hint(fmt.Errorf("%s answered %s", address, response.Status),
			"is that server.admin of a bidder? `bidder serve` prints where operators reach it")
	}
	return &done, nil
}
