package main

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	bidderserver "leadbid/bidder/server"
	"leadbid/exchange"
	exchangeserver "leadbid/exchange/server"
	"leadbid/exchange/simulate"
	"leadbid/exchange/store"
	"leadbid/internal/lifecycle"
	"leadbid/internal/webhook"
	"leadbid/pingpost"
	"leadbid/rules"
)

//go:embed config/bidder.yaml config/contender.yaml config/exchange.yaml
var configurations embed.FS

// contractor is the buyer of the exchange that the demo is about.
const contractor = "lakeview"

// The demo's time: homeowners come as on a Monday morning, and a minute of theirs is a second.
var virtualStart = time.Date(2026, time.March, 2, 16, 0, 0, 0, time.UTC)

const (
	virtualSpeed = 60
	stopWithin   = 20 * time.Second
	rivalCredit  = pingpost.Cents(1_000_000_00)
)

// market is everything that runs, wired as its users would: over HTTP and files.
type market struct {
	settings settings
	dir      string
	secrets  map[string]string
	group    *lifecycle.Group

	clock    *simulate.Clock
	crm      *crm
	rivals   *simulate.RivalServer
	roster   *simulate.Roster
	listener net.Listener

	rules    *rules.Ruleset
	bidder   *bidderserver.Server
	books    *store.Store
	exchange *exchangeserver.Server
	config   *exchange.Config
}

func newMarket(s settings, dir string) (*market, error) {
	m := &market{settings: s, dir: dir, secrets: map[string]string{}, clock: simulate.NewClock(virtualStart, virtualSpeed)}
	for _, name := range []string{"LAKEVIEW_KEY", "SELLER_KEY", "RIVAL_KEY"} {
		m.secrets[name] = secret()
	}
	m.secrets["CRM_SECRET"] = "whsec_" + secret()
	m.group = lifecycle.New(stopWithin, m.crmPart(), m.rivalsPart(), m.bidderPart(), m.exchangePart())
	return m, nil
}

// secret is 256 bits of chance: even a demo listens with real keys.
func secret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // crypto/rand.Read never fails
	return base64.StdEncoding.EncodeToString(raw[:])
}

func (m *market) getenv(name string) (string, bool) {
	value, ok := m.secrets[name]
	return value, ok
}

func (m *market) crmPart() lifecycle.Part {
	server := &http.Server{ReadHeaderTimeout: time.Second}
	var listener net.Listener
	return lifecycle.Part{
		Name: "the contractor's CRM",
		Start: func(context.Context) (err error) {
			key, err := webhook.ParseSecret(m.secrets["CRM_SECRET"])
			if err != nil {
				return err
			}
			m.crm = &crm{secret: key, leads: map[string]int{}}
			server.Handler = m.crm
			listener, err = net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				m.secrets["CRM_URL"] = "http://" + listener.Addr().String() + "/leads"
			}
			return err
		},
		Serve: func(context.Context) error {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
		Stop: server.Shutdown,
	}
}

func (m *market) rivalsPart() lifecycle.Part {
	return lifecycle.Part{
		Name: "the rivals",
		Start: func(context.Context) (err error) {
			if m.settings.rivals == 0 {
				return nil
			}
			wanted := simulate.DefaultRosterSettings(m.settings.seed)
			wanted.Rivals = m.settings.rivals
			if m.roster, err = simulate.NewRoster(wanted); err != nil {
				return err
			}
			options := simulate.ServerOptions{Key: m.secrets["RIVAL_KEY"], Now: m.clock.Now}
			if m.rivals, err = simulate.NewRivalServer(m.roster, options); err != nil {
				return err
			}
			m.listener, err = net.Listen("tcp", "127.0.0.1:0")
			return err
		},
		Serve: func(ctx context.Context) error {
			if m.rivals == nil {
				<-ctx.Done()
				return nil
			}
			return m.rivals.Serve(m.listener)
		},
		Stop: func(ctx context.Context) error {
			if m.rivals == nil {
				return nil
			}
			return m.rivals.Close(ctx)
		},
	}
}

func (m *market) bidderPart() lifecycle.Part {
	return lifecycle.Part{
		Name: "the bidder",
		Start: func(ctx context.Context) error {
			if err := m.unpack("config/bidder.yaml"); err != nil {
				return err
			}
			rs, faults := rules.Load(os.DirFS(m.dir), "bidder.yaml", m.getenv)
			if rs == nil {
				return fmt.Errorf("the demo's bidder.yaml: %w", faults.Err())
			}
			m.rules = rs
			server, err := bidderserver.New(ctx, bidderserver.Options{
				Rules: rs, Dir: m.dir, Log: zerolog.Nop(), AllowPrivate: true, // the CRM is on this machine
			})
			if err != nil {
				return err
			}
			if err := server.Start(ctx); err != nil {
				return errors.Join(err, server.Close(ctx))
			}
			m.bidder = server
			m.secrets["BIDDER_URL"] = "http://" + server.Addr()
			return nil
		},
		Stop: func(ctx context.Context) error { return m.bidder.Close(ctx) },
	}
}

func (m *market) exchangePart() lifecycle.Part {
	return lifecycle.Part{
		Name: "the exchange",
		Start: func(ctx context.Context) (err error) {
			if err := m.unpack("config/exchange.yaml"); err != nil {
				return err
			}
			config, faults := exchange.Load(os.DirFS(m.dir), "exchange.yaml", m.getenv)
			if config == nil {
				return fmt.Errorf("the demo's exchange.yaml: %w", faults.Err())
			}
			m.config = config
			m.addRivals()
			if m.books, err = store.Open(ctx, filepath.Join(m.dir, "exchange.db"), store.Options{}); err != nil {
				return err
			}
			m.exchange, err = exchangeserver.New(exchangeserver.Options{
				Config: config, Store: m.books, Log: zerolog.Nop(), Dir: m.dir,
				Registry: prometheus.NewRegistry(), Seed: m.settings.seed,
			})
			if err == nil {
				err = m.exchange.Start(ctx)
			}
			if err != nil {
				return errors.Join(err, m.books.Close())
			}
			return nil
		},
		Stop: func(ctx context.Context) error {
			return errors.Join(m.exchange.Shutdown(ctx), m.books.Close())
		},
	}
}

// addRivals makes buyers of the rivals.
func (m *market) addRivals() {
	if m.roster == nil {
		return
	}
	for _, rival := range m.roster.Rivals {
		m.config.Buyers = append(m.config.Buyers, exchange.Buyer{
			Name: rival.Name, CreditLimit: rivalCredit, Tells: exchange.TellsResult,
			Ping: &exchange.Endpoint{
				Profile: "native", URL: "http://" + m.listener.Addr().String() + "/" + rival.Name,
				Exchange: "northside", Key: m.secrets["RIVAL_KEY"],
			},
		})
	}
}

// unpack puts a configuration into the folder, where the programs read it as a user's.
func (m *market) unpack(name string) error {
	text, err := fs.ReadFile(configurations, name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.dir, filepath.Base(name)), text, 0o600)
}

// homeowners brings leads until ctx ends or the demo's time is over.
func (m *market) homeowners(ctx context.Context) (simulate.Driven, error) {
	wanted := simulate.DefaultSettings(m.settings.seed, virtualStart)
	wanted.PerDay = m.settings.rate * 86_400 / virtualSpeed
	wanted.Exclusive = 1
	generator, err := simulate.NewGenerator(wanted)
	if err != nil {
		return simulate.Driven{}, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: salesAtOnce}
	defer transport.CloseIdleConnections()
	seller := &simulate.Seller{
		URL: "http://" + m.exchange.Addr() + "/v1/leads", Key: m.secrets["SELLER_KEY"],
		Client: &http.Client{Transport: transport},
	}
	drive := simulate.Drive{Clock: m.clock, For: m.settings.length, InFlight: salesAtOnce}
	return drive.Run(ctx, generator, func(ctx context.Context, h simulate.Homeowner) error {
		_, err := seller.Sell(ctx, &h)
		return err
	})
}

// salesAtOnce is how many homeowners may be waiting for their buyer.
const salesAtOnce = 500
