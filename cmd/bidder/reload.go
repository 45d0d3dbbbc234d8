package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leadbid/bidder/server"
	"leadbid/internal/cli"
	"leadbid/internal/yamlfile"
	"leadbid/rules"
)

func reloadCommand(env *cli.Env) *cobra.Command {
	var address string
	command := &cobra.Command{
		Use:   "reload",
		Short: "Put the configuration into force in a running bidder: whole, or not at all",
		Long: "Asks a running bidder to read its configuration again. Where that is faulty, or a setting changed\n" +
			"that takes a restart, the rules in force stay: the faults are printed, and the exit code is 3.\n" +
			"Bids already sent stay valid by the rules that made them. Where posts may be refused (commitment: refusable),\n" +
			"a bid's money is kept for hold_for after its auction; a post later than that may find it spent, and is\n" +
			"refused as budget_exhausted. kill -HUP does the same as this command.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address == "" {
				rs, _, err := loadToLook(env, adminOr(address)) // a faulty file is told without asking anybody
				if err != nil {
					return err
				}
				address = rs.Settings().Server.Admin
			}
			done, err := askReload(cmd.Context(), address)
			if err != nil {
				return err
			}
			return printReloaded(env, done)
		},
	}
	command.Flags().StringVar(&address, "admin", "", "the operators' `address` (default: server.admin of the configuration)")
	return command
}

// reloadTime bounds a reload: the largest configuration loads in seconds.
const reloadTime = time.Minute

func askReload(ctx context.Context, address string) (*server.Reloaded, error) {
	ctx, cancel := context.WithTimeout(ctx, reloadTime)
	defer cancel()
	response, err := askAdmin(ctx, http.MethodPost, address, "/-/reload", nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusUnprocessableEntity {
		return nil, cli.Hint(fmt.Errorf("%s answered %s", address, response.Status),
			"is that server.admin of a bidder? `bidder serve` prints where operators reach it")
	}
	var done server.Reloaded
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&done); err != nil {
		return nil, fmt.Errorf("%s did not answer how the reload went: %w", address, err)
	}
	return &done, nil
}

func printReloaded(env *cli.Env, done *server.Reloaded) error {
	if env.Output() != cli.Text {
		if err := env.Print(done, cli.Table{
			Columns: []string{"result", "generation", "rules"},
			Rows:    [][]any{{done.Result, int64(done.Generation), done.Rules}},
		}); err != nil {
			return err
		}
	}
	if done.Result == server.ReloadRefused {
		return cli.Faults(errors.New(done.Text + "\n" + reloadedInWords(done)))
	}
	sayReloaded(env, *done)
	return nil
}

// sayReloaded tells a person how a reload went, here and on the stderr of `bidder serve`.
func sayReloaded(env *cli.Env, done server.Reloaded) {
	if done.Text != "" {
		env.Sayf("%s", strings.TrimSuffix(done.Text, "\n"))
	}
	env.Sayf("%s", reloadedInWords(&done))
}

func reloadedInWords(done *server.Reloaded) string {
	switch done.Result {
	case server.ReloadDone:
		return fmt.Sprintf("reloaded: generation %d, rules %s", done.Generation, done.Rules) + recordingInWords(done)
	case server.ReloadUnchanged:
		return fmt.Sprintf("nothing changed: generation %d goes on, rules %s", done.Generation, done.Rules)
	}
	return fmt.Sprintf("not reloaded: generation %d goes on, rules %s", done.Generation, done.Rules)
}

// recordingInWords tells where a reload changed what is recorded.
func recordingInWords(done *server.Reloaded) string {
	switch done.Recording {
	case "":
		return ""
	case server.NoRecording:
		return "; from here on nothing is recorded, so that nothing can be replayed"
	}
	return "; from here on recorded in " + done.Recording
}

// reloader reads the configuration of a serving bidder again.
type reloader struct {
	env    *cli.Env
	loaded func(files []string) // where not nil, hears after each reading which files it opened
}

// load is the server's Loader. A configuration that is gone is a fault like any other.
func (r *reloader) load() (*rules.Ruleset, *yamlfile.Faults) {
	noted := &notedFS{}
	rs, _, faults, err := loadWith(r.env, func(fsys fs.FS, name string,
		getenv func(string) (string, bool)) (*rules.Ruleset, *yamlfile.Faults) {
		noted.FS = fsys
		return rules.Load(noted, name, getenv)
	})
	if faults == nil {
		faults = &yamlfile.Faults{}
	}
	if err != nil && !faults.Any() {
		faults.Add(yamlfile.Fault{File: r.env.ConfigPath(), Message: err.Error()})
	}
	if r.loaded != nil {
		r.loaded(noted.names)
	}
	return rs, faults
}

// notedFS notes what is opened.
type notedFS struct {
	fs.FS
	names []string
}

func (n *notedFS) Open(name string) (fs.File, error) {
	n.names = append(n.names, name)
	return n.FS.Open(name)
}
