package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"leadbid/bidder/server"
	"leadbid/budget/store"
	"leadbid/internal/cli"
	"leadbid/internal/sqlstore"
	"leadbid/internal/yamlfile"
	"leadbid/rules"
)

// configFile is what is read where nothing else is said.
const configFile = "bidder.yaml"

// load reads the configuration that --config names, to serve by it. Warnings go to stderr; faults are the
// error, all of them at once; the folder is told beside them, too.
func load(env *cli.Env) (*rules.Ruleset, string, error) {
	rs, dir, faults, err := loadWith(env, rules.Load)
	if err != nil {
		return nil, dir, err
	}
	sayWarnings(env, faults)
	return rs, dir, nil
}

func sayWarnings(env *cli.Env, faults *yamlfile.Faults) {
	if text := faults.String(); text != "" {
		env.Sayf("%s", strings.TrimSuffix(text, "\n"))
	}
}

// loadToLook is load for a command that needs no keys, and of the settings only one: a contractor looks at
// the books, or stops the bidding, from a shell that has none of the variables of the service. Warnings are
// what `check` is for.
func loadToLook(env *cli.Env, needed func(*rules.Settings) string) (*rules.Ruleset, string, error) {
	rs, dir, _, err := loadOffline(env)
	if err == nil && needed(rs.Settings()) == "" {
		return load(env) // tells which variable is not set
	}
	return rs, dir, err
}

// loadOffline reads the configuration for a command that needs none of its keys.
func loadOffline(env *cli.Env) (rs *rules.Ruleset, dir string, faults *yamlfile.Faults, err error) {
	return loadWith(env, rules.LoadOffline)
}

// What such a command needs: the books, the file of pauses, or where operators reach the bidder, unless its
// flag says so.
func storeOf(settings *rules.Settings) string     { return settings.Store }
func pauseFileOf(settings *rules.Settings) string { return settings.PauseFile }

func adminOr(flag string) func(*rules.Settings) string {
	return func(settings *rules.Settings) string { return cmp.Or(flag, settings.Server.Admin) }
}

// loader is rules.Load or rules.LoadOffline.
type loader func(fs.FS, string, func(string) (string, bool)) (*rules.Ruleset, *yamlfile.Faults)

func loadWith(env *cli.Env, read loader) (rs *rules.Ruleset, dir string, faults *yamlfile.Faults, err error) {
	path := env.ConfigPath()
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", nil, cli.Hint(cli.Usage("there is no %s", path),
			"make one with `bidder init --trade hvac --zip 60614`, or name yours with --config FILE")
	case err == nil && info.IsDir():
		return nil, "", nil, cli.Hint(cli.Usage("%s is a folder", path),
			"name the file in it: --config %s", filepath.Join(path, configFile))
	}
	dir = filepath.Dir(path)
	rs, faults = read(os.DirFS(dir), filepath.Base(path), lookup(env))
	faults.Under(dir)
	if rs == nil {
		return nil, dir, faults, cli.Faults(faults.Err())
	}
	return rs, dir, faults, nil
}

// lookup tells an empty variable from a missing one as far as an environment function can: an
// empty key is as useless as none.
func lookup(env *cli.Env) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value := env.Getenv(name)
		return value, value != ""
	}
}

// books opens the configured store to read, beside a bidder that may be running on it.
func books(ctx context.Context, env *cli.Env) (*rules.Ruleset, store.Store, error) {
	rs, dir, err := loadToLook(env, storeOf)
	if err != nil {
		return nil, nil, err
	}
	opened, err := server.ReadStore(ctx, rs.Settings().Store, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, cli.Hint(fmt.Errorf("there are no books yet at %s", rs.Settings().StoreName()),
			"bidder serve makes them")
	}
	return rs, opened, reached(err)
}

// damagedHint is what to do about a file of books that SQLite finds damaged.
const damagedHint = "stop the bidder, keep the file as it is, and go on with the last copy of it, on a disk that is sound: " +
	"`bidder reconcile` tells what the copy lacks"

// reached tells that a database could not be reached, or is damaged, apart from all else that may be wrong.
func reached(err error) error {
	switch {
	case sqlstore.Damaged(err):
		return cli.Hint(err, damagedHint)
	case errors.Is(err, sqlstore.ErrNoAnswer):
		return cli.Hint(cli.Connect("%w", err), "does PostgreSQL run there, and let this user into that database?")
	case errors.Is(err, fs.ErrPermission):
		return cli.Hint(err, "run it as the user that runs the bidder")
	}
	return err
}
