package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"leadbid/bidder/server"
	"leadbid/budget"
	"leadbid/internal/cli"
)

func keysCommand(env *cli.Env) *cobra.Command {
	command := &cobra.Command{
		Use:   "keys",
		Short: "Show or replace the keys that bid ids are signed with",
		Long: "Every bid carries an id that only this bidder can sign, and only such an id can be charged. The keys lie in\n" +
			"the books, are shared by all replicas on them, and are replaced by themselves every 30 days\n" +
			"(server: {rotate_keys: 30d}); what a former key signed in its time stays good.",
	}
	command.AddCommand(keysListCommand(env), keysRotateCommand(env))
	return command
}

func keysListCommand(env *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys, newest first; never the secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rs, opened, err := books(cmd.Context(), env)
			if err != nil {
				return err
			}
			ring, err := opened.Keys(cmd.Context())
			if err = errors.Join(err, opened.Close()); err != nil {
				return reached(err)
			}
			table := cli.Table{Columns: []string{"key", "made", "signs_from", "state"}}
			zone, keys := rs.Settings().Business.Location, ring.Keys()
			for place := len(keys) - 1; place >= 0; place-- {
				key := keys[place]
				table.Add(int64(key.ID), key.MadeAt.In(zone), key.SignsFrom.In(zone), keyState(ring, place))
			}
			return env.Print(nil, table)
		},
	}
}

func keyState(ring *budget.Keyring, place int) string {
	switch key := ring.Keys()[place]; {
	case key.Revoked:
		return "revoked"
	case key.ID == ring.Signer().ID:
		return "signs"
	case key.ID > ring.Signer().ID:
		return "is next"
	}
	return "signs no more"
}

func keysRotateCommand(env *cli.Env) *cobra.Command {
	var address string
	var revoke bool
	command := &cobra.Command{
		Use:   "rotate",
		Short: "Have a running bidder make the next key now",
		Long: "The next key signs a minute later, so that every replica knows it by then; no bid is refused for it.\n" +
			"--revoke is for a key that leaked: no former key is honoured any more, and the new one signs at once. That\n" +
			"costs the bids that were sent and not yet posted: their posts are refused as bid_unknown, and on a binding\n" +
			"exchange you may owe them all the same. What was bought stays as it is, and is credited when returned.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rs, _, err := loadToLook(env, adminOr(address))
			if err != nil {
				return err
			}
			if address == "" {
				address = rs.Settings().Server.Admin
			}
			done, err := askRotate(cmd.Context(), address, revoke)
			if err != nil {
				return err
			}
			zone := rs.Settings().Business.Location
			if revoke {
				env.Sayf("key %d signs now; no key before it is honoured. Other replicas follow within seconds", done.Key)
			} else {
				env.Sayf("key %d signs from %s", done.Key, done.SignsFrom.In(zone).Format("Mon 15:04:05 MST"))
			}
			if env.Output() == cli.Text {
				return nil
			}
			return env.Print(done, cli.Table{
				Columns: []string{"key", "signs_from", "revoked_former"},
				Rows:    [][]any{{int64(done.Key), done.SignsFrom.In(zone), done.Revoked}},
			})
		},
	}
	command.Flags().BoolVar(&revoke, "revoke", false, "no former key is honoured any more: for a key that leaked")
	command.Flags().StringVar(&address, "admin", "", "the operators' `address` (default: server.admin of the configuration)")
	return command
}

func askRotate(ctx context.Context, address string, revoke bool) (*server.KeyRotated, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	response, err := askAdmin(ctx, http.MethodPost, address, fmt.Sprintf("/-/keys/rotate?revoke=%t", revoke), nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var done server.KeyRotated
	switch err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&done); {
	case done.Error != "" && response.StatusCode == http.StatusServiceUnavailable:
		return nil, cli.Connect("no key was made: %s", done.Error)
	case done.Error != "":
		return nil, fmt.Errorf("no key was made: %s", done.Error)
	case err != nil || response.StatusCode != http.StatusOK:
		return nil, cli.Hint(fmt.Errorf("%s answered %s", address, response.Status),
			"is that server.admin of a bidder? `bidder serve` prints where operators reach it")
	}
	return &done, nil
}
