package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leadbid/exchange"
	"leadbid/exchange/store"
	"leadbid/internal/cli"
)

// readConfig reads the configuration that --config names. Warnings go to stderr; faults are the error,
// all of them at once. dir is where the configuration's relative paths begin.
func readConfig(env *cli.Env) (config *exchange.Config, dir string, err error) {
	path := env.ConfigPath()
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", cli.Hint(cli.Usage("there is no %s", path),
			"name your configuration with --config FILE; examples/exchange/exchange.yaml is one to begin with")
	case err == nil && info.IsDir():
		return nil, "", cli.Hint(cli.Usage("%s is a folder", path),
			"name the file in it: --config %s", filepath.Join(path, configFile))
	}
	dir = filepath.Dir(path)
	config, faults := exchange.Load(os.DirFS(dir), filepath.Base(path), func(name string) (string, bool) {
		value := env.Getenv(name)
		return value, value != ""
	})
	faults.Under(dir)
	if config == nil {
		return nil, "", cli.Faults(faults.Err())
	}
	if len(faults.List()) > 0 { // only warnings are left
		env.Sayf("%s", strings.TrimRight(faults.String(), "\n"))
	}
	return config, dir, nil
}

// storePath is the file that a configuration's store names.
func storePath(name, dir string) string {
	path := strings.TrimPrefix(name, "sqlite:")
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// booksFlag gives a command that reads the books the flag --store.
func booksFlag(command *cobra.Command) *string {
	return command.Flags().String("store", "", "`file` of the books, instead of the configuration's store")
}

// books opens the store to read, beside an exchange that may be running on it. config is nil
// where path names the file and no configuration was needed.
func books(ctx context.Context, env *cli.Env, path string) (opened *store.Store, config *exchange.Config, err error) {
	if path == "" {
		var dir string
		if config, dir, err = readConfig(env); err != nil {
			return nil, nil, err
		}
		path = storePath(config.Store, dir)
	}
	path = strings.TrimPrefix(path, "sqlite:")
	opened, err = store.Open(ctx, path, store.Options{ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, noBooks(path)
	}
	return opened, config, notBooks(err)
}

func noBooks(path string) error {
	return cli.Hint(fmt.Errorf("there are no books at %s", path), "`exchange serve` makes them")
}

// notBooks adds to an error of reading the books what it most often comes from.
func notBooks(err error) error {
	return cli.Hint(err, "are these the books of an exchange? `exchange serve` writes them to its store, and --store names that file")
}

// readTime reads an instant as people give it: a date (its midnight in the exchange's time zone),
// an instant of RFC 3339, or a length of time before now. "" is the zero instant.
func readTime(flag, text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return day, nil
	}
	if instant, err := time.Parse(time.RFC3339, text); err == nil {
		return instant, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, cli.Usage("--%s %q: say a date (2026-03-01), an instant (2026-03-01T08:00:00Z) or how long ago (24h)", flag, text)
}
