package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"leadbid/bidder"
	"leadbid/bidder/delivery"
	"leadbid/budget"
	"leadbid/budget/store"
	"leadbid/internal/httpguard"
	"leadbid/rules"
)

// Options are what New needs.
type Options struct {
	Rules *rules.Ruleset
	Dir   string // the configuration's folder: relative paths start here
	Log   zerolog.Logger

	// Load reads the configuration again. Without it nothing can be reloaded.
	Load Loader
	// Reloaded, where not nil, hears of every reload, one at a time.
	Reloaded func(Reloaded)

	// AllowPrivate lets webhooks go to private addresses, for labs and tests.
	AllowPrivate bool
}

// Server is a running bidder. Its methods may be called from several goroutines.
type Server struct {
	options Options
	log     zerolog.Logger
	clock   *clock

	inForce     atomic.Pointer[inForce]
	reloading   sync.Mutex
	readingKeys sync.Mutex
	lastReload  atomic.Pointer[Reloaded] // nil before the first

	agent  *bidder.Agent
	store  store.Store
	run    store.Run
	keys   atomic.Pointer[budget.Keyring]
	record *recorder
	mail   *delivery.Deliverer
	meters *meters

	public *fasthttp.Server
	admin  *http.Server

	publicListener, adminListener net.Listener

	pauses   pauseState
	books    booksGuard
	outcomes outcomeState
	silent   map[string]bool        // by exchange, as it was told last; of the lease loop
	storeErr atomic.Pointer[string] // why the store did not answer last; nil while it does
	deafness atomic.Pointer[string] // why a listener ended that was to go on; nil while both do
	wake     chan struct{}          // the lease loop should look now
	lost     chan error             // why this process is of no more use: at most one
	draining atomic.Bool
	stop     context.CancelFunc
	running  sync.WaitGroup
	closing  sync.Once
	closeErr error
}

// New opens the store, starts a run on it and makes a Server that is not listening yet. Errors
// name what has to be mended in the configuration or on the machine.
func New(ctx context.Context, options Options) (*Server, error) {
	settings := options.Rules.Settings()
	s := &Server{
		options: options, log: options.Log, clock: newClock(), meters: newMeters(),
		wake: make(chan struct{}, 1), lost: make(chan error, 1),
		silent: map[string]bool{}, outcomes: outcomeState{wake: make(chan struct{}, 1)},
	}
	first, err := s.adopt(options.Rules)
	if err != nil {
		return nil, err
	}
	s.inForce.Store(first)
	certificate, err := s.certificate()
	if err != nil {
		return nil, err
	}
	if s.store, err = openStore(ctx, settings.Store, options.Dir, store.Options{
		Clock: s.clock.now, VerifyRest: verifyRest, Told: func(words string) { s.log.Warn().Msg(words) },
	}); err != nil {
		return nil, err
	}
	if s.run, err = s.store.Begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("server: starting a run on the store: %w", err), s.store.Close())
	}
	s.keys.Store(s.run.Keys)
	s.agent = bidder.New(s.run.ID, first.rules, budget.NewBook(first.plan))
	s.resumeStrategy(ctx)
	if s.record, err = newRecorder(s, settings.Record.Dir); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	s.meters.watch(s)
	s.mail = delivery.New(delivery.Options{
		Outbox: s.store, Run: s.run.ID, Targets: s.targets, Log: s.log, Clock: s.clock.now, Wall: time.Now,
		AllowPrivate: options.AllowPrivate, OnDown: s.deliveryDown, BaseDir: options.Dir,
	})
	s.public = httpguard.NewServer(s.handle, httpguard.Options{
		MaxBody: maxPostBody, BodyLimit: bodyLimit,
		MaxInFlight: maxInFlight, Overloaded: s.overloaded, Panicked: s.panicked,
		Certificate: certificate,
	})
	s.admin = httpguard.NewAdminServer(s.adminRoutes())
	return s, nil
}

// openStore opens the store that a configuration names. SQLite's path is relative to dir.
func openStore(ctx context.Context, name, dir string, options store.Options) (store.Store, error) {
	path, isSQLite := strings.CutPrefix(name, "sqlite:")
	if !isSQLite {
		options.Clock = nil // the server's own, which all replicas share
		return store.OpenPostgres(ctx, name, options)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if options.ReadOnly {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("server: the books: %w", err)
		}
	} else if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("server: making the folder of the books: %w", err)
	}
	return store.OpenSQLite(ctx, path, options)
}

// ReadStore opens the books to look at them, beside a bidder that may be running on them. The
// error is fs.ErrNotExist where there are none yet.
func ReadStore(ctx context.Context, name, dir string) (store.Store, error) {
	return openStore(ctx, name, dir, store.Options{ReadOnly: true})
}

// NewBooks tells whether no bidder ran on the books before this one.
func (s *Server) NewBooks() bool { return s.run.ID == 1 }

func (s *Server) targets(campaign string) []rules.Target { return s.inForce.Load().targets(campaign) }

// Start listens on both addresses and returns once pings are answered. Before that it asks the
// store for a first lease of each line, so that the first ping finds money: but only where it has
// both addresses, as what a start that failed has leased is missing elsewhere. ctx bounds only the
// start.
func (s *Server) Start(ctx context.Context) error {
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	settings := s.options.Rules.Settings().Server
	public, err := httpguard.Listen(settings.Listen, s.shortOf("pings"))
	if err != nil {
		return fmt.Errorf("server: listening for pings: %w", err)
	}
	admin, err := httpguard.Listen(settings.Admin, s.shortOf("operators"))
	if err != nil {
		return errors.Join(fmt.Errorf("server: listening for operators: %w", err), public.Close())
	}
	if err := s.prepare(ctx); err != nil {
		return errors.Join(err, public.Close(), admin.Close())
	}
	s.publicListener, s.adminListener = public, admin
	s.spawn(func() { s.leaseLoop(background) })
	s.spawn(func() { s.keyLoop(background) })
	s.spawn(func() { s.returnsLoop(background) })
	s.spawn(func() { s.outcomesLoop(background) })
	s.spawn(func() { s.keepLoop(background) })
	s.spawn(func() { s.acceptanceLoop(background) })
	s.spawn(func() { s.record.loop(background) })
	s.spawn(func() { s.pauseLoop(background) })
	s.spawn(func() { s.verifyLoop(background) })
	s.spawn(func() {
		if err := s.mail.Run(background); err != nil && background.Err() == nil {
			s.log.Error().Err(err).Msg("delivery stopped")
		}
	})
	s.spawn(func() { s.listened("pings", httpguard.Serve(s.public, public)) })
	s.spawn(func() { s.listened("operators", s.admin.Serve(admin)) })
	return nil
}

// prepare does what comes before the first ping. Where it fails, nothing is leased.
func (s *Server) prepare(ctx context.Context) error {
	if err := s.pauses.load(s.pauseFile()); err != nil {
		return err
	}
	if err := s.beginBooks(ctx); err != nil {
		return err
	}
	s.applyPauses()
	s.tendLeases(ctx)
	s.learnOutcomes(ctx)
	return nil
}

// certificate is nil where none is configured.
func (s *Server) certificate() (*tls.Certificate, error) {
	settings := s.options.Rules.Settings().Server
	if settings.TLSCert == "" {
		return nil, nil
	}
	pair, err := httpguard.LoadCertificate(s.path(settings.TLSCert), s.path(settings.TLSKey))
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return pair, nil
}

func (s *Server) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.options.Dir, name)
}

func (s *Server) spawn(part func()) {
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		part()
	}()
}

// shortOf tells of connections that cannot be accepted at present.
func (s *Server) shortOf(whom string) func(why error) {
	return func(why error) {
		s.log.Error().Err(why).Str("listener", whom).Msg("connections have to wait: it is tried again")
	}
}

// listened is told when a listener ended. Where Close did not end it, callers would wait in vain for
// ever: only a new process can help them.
func (s *Server) listened(whom string, err error) {
	if s.draining.Load() {
		return
	}
	if err == nil {
		err = net.ErrClosed
	}
	err = fmt.Errorf("server: the listener for %s ended by itself: %w", whom, err)
	why := err.Error()
	s.deafness.Store(&why)
	s.log.Error().Err(err).Msg("nobody is listened to any more")
	s.giveUp(err)
}

// giveUp tells whoever runs this process to end it. The first reason is enough.
func (s *Server) giveUp(why error) {
	select {
	case s.lost <- why:
	default:
	}
}

// Addr is the public listener's address, after Start.
func (s *Server) Addr() string { return s.publicListener.Addr().String() }

// URL is where pings are answered, after Start: https where there is a certificate.
func (s *Server) URL() string {
	if s.public.TLSConfig != nil {
		return "https://" + s.Addr()
	}
	return "http://" + s.Addr()
}

// AdminAddr is the operator's listener's address, after Start.
func (s *Server) AdminAddr() string { return s.adminListener.Addr().String() }

// Store is the books, for callers in the same process that hold them against the exchange's.
func (s *Server) Store() store.Store { return s.store }

// ErrBooksLost is that the books can no longer be written by this process. Whether the last transaction
// is in them is known only when they are opened anew.
var ErrBooksLost = errors.New("the books can no longer be written")

// Lost gives, once, why this process should end, so that whoever supervises it starts it anew: its
// books are lost (ErrBooksLost), or one of its listeners is.
func (s *Server) Lost() <-chan error { return s.lost }

// Drain delivers everything that is due in the outbox, or says what ctx cut short.
func (s *Server) Drain(ctx context.Context) error { return s.mail.Drain(ctx) }

// Close stops gracefully within ctx: no longer ready, open requests answered, free leases given
// back, the recording flushed, the store closed. What has come to no end soon after ctx has, because a
// disk hangs, is left behind. It may be called more than once.
func (s *Server) Close(ctx context.Context) error {
	s.closing.Do(func() { s.closeErr = s.closeWithin(ctx) })
	return s.closeErr
}

func (s *Server) closeWithin(ctx context.Context) error {
	closed := make(chan error, 1)
	go func() { closed <- s.close(ctx) }()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-closed:
		return err
	case <-time.After(lastWait):
		return errors.New("server: stopping: the books come to no end: does their disk hang?")
	}
}

func (s *Server) close(ctx context.Context) error {
	s.draining.Store(true)
	var errs []error
	if s.publicListener != nil {
		errs = append(errs, s.public.ShutdownWithContext(ctx), s.admin.Shutdown(ctx))
		// Where serving has not begun yet, the shutdowns did not reach the listeners.
		_, _ = s.publicListener.Close(), s.adminListener.Close()
		s.returnLeases(ctx)
		s.stop()
		s.running.Wait()
		s.keepStrategy(ctx)
	}
	errs = append(errs, s.record.close(), s.store.Close())
	return errors.Join(errs...)
}

// ready says why the bidder should get no traffic, nil where it should.
func (s *Server) ready() error {
	if s.draining.Load() {
		return errors.New("stopping")
	}
	if why := s.deafness.Load(); why != nil {
		return errors.New(*why)
	}
	if why := s.storeErr.Load(); why != nil {
		return fmt.Errorf("the store is away: %s", *why)
	}
	return s.degraded()
}

func (s *Server) panicked(what string, stack []byte) {
	s.meters.panics.Inc()
	s.log.Error().Str("panic", what).Bytes("stack", stack).Msg("a request panicked; it got status 500")
}

// shutdownStep bounds each store call while stopping, so that a store that hangs cannot keep the
// process alive.
const shutdownStep = 2 * time.Second

// lastWait is for what ends at once where nothing hangs, after the time for a graceful stop is over.
const lastWait = 5 * time.Second
