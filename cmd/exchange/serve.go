package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"leadbid/exchange"
	"leadbid/exchange/server"
	"leadbid/exchange/store"
	"leadbid/internal/cli"
	"leadbid/internal/httpguard"
	"leadbid/internal/lifecycle"
	"leadbid/internal/sqlstore"
)

// stopWithin bounds a graceful stop: auctions and posts under way are given their time.
const stopWithin = 20 * time.Second

func serveCommand(env *cli.Env) *cobra.Command {
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run the market: take leads, ask buyers, post, charge",
		Args:  cobra.NoArgs,
	}
	newLog := env.LogFlags(command, "info")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		config, dir, err := readConfig(env)
		if err != nil {
			return err
		}
		log, err := newLog()
		if err != nil {
			return err
		}
		m := &market{config: config, dir: dir, path: storePath(config.Store, dir), log: log}
		announce := lifecycle.Part{Name: "announcement", Start: func(context.Context) error {
			env.Sayf("taking leads at %s, operators at http://%s", m.address(), m.server.AdminAddr())
			return nil
		}, Stop: func(context.Context) error {
			env.Sayf("stopping: auctions and posts under way come to their end")
			return nil
		}}
		err = lifecycle.New(stopWithin, append(m.parts(), announce)...).Run(cmd.Context())
		switch {
		case errors.Is(err, errBooksFailed):
			return cli.Hint(err, "all that was answered is in the books: see to the disk, then start again")
		case errors.Is(err, httpguard.ErrCertificate):
			return cli.Hint(cli.Faults(err), "server.tls names the files of a certificate and its key, both in PEM")
		case errors.Is(err, sqlstore.ErrDamaged):
			return cli.Hint(err, "the books without their last part would be opened, and what was sold then be forgotten: "+
				"restore them from a backup, or move the log away to go on without that part")
		case errors.Is(err, sqlstore.ErrBusy):
			return cli.Hint(err, "one exchange at a time runs on its books: stop the other one, or name another file at store")
		case cli.CannotListen(err):
			return cli.Hint(err, "server.listen and server.admin name the addresses; is another program listening there?")
		}
		return err
	}
	return command
}

// market is an exchange in this process: its books and its server.
type market struct {
	config *exchange.Config
	dir    string // where the configuration's relative paths begin
	path   string // of the books
	seed   uint64 // for ties; 0 draws one
	log    zerolog.Logger

	store  *store.Store
	server *server.Server
}

// parts are the market's, in the order of their start.
func (m *market) parts() []lifecycle.Part {
	return []lifecycle.Part{{
		Name: "books",
		Start: func(ctx context.Context) (err error) {
			if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
				return fmt.Errorf("making the folder of the books: %w", err)
			}
			m.store, err = store.Open(ctx, m.path, store.Options{})
			return err
		},
		Stop: func(context.Context) error { return m.store.Close() },
	}, {
		Name: "exchange",
		Start: func(ctx context.Context) (err error) {
			m.server, err = server.New(server.Options{
				Config: m.config, Store: m.store, Log: m.log, Registry: prometheus.NewRegistry(), Dir: m.dir, Seed: m.seed,
			})
			if err != nil {
				return err
			}
			if err := m.server.Start(ctx); err != nil {
				_ = m.server.Shutdown(ctx) // It lets go of what New took; the failed start is what to tell.
				return err
			}
			return nil
		},
		Serve: func(ctx context.Context) error { return watch(ctx, m.store.Err, booksWatch, m.server.Lost()) },
		Stop:  func(ctx context.Context) error { return m.server.Shutdown(ctx) },
	}}
}

// errBooksFailed is mostly why an exchange ends by itself.
var errBooksFailed = errors.New("the books can no longer be written")

// booksWatch is how often it is looked whether the books can be written.
const booksWatch = time.Second

// watch waits until ctx ends, or until only a new process can help: where the books refuse every write (a
// disk that was full or failed once is to be trusted again through one only), and where a listener is
// lost. Whoever supervises this one should know.
func watch(ctx context.Context, refusal func() error, every time.Duration, lost <-chan error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-lost:
			return err
		case <-ticker.C:
			if err := refusal(); err != nil {
				return fmt.Errorf("%w: %w", errBooksFailed, err)
			}
		}
	}
}

// address is where sellers bring their leads.
func (m *market) address() string {
	scheme := "http"
	if m.config.Server.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + m.server.Addr() + "/v1/leads"
}
