package server

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"leadbid/exchange"
	"leadbid/exchange/pinger"
	"leadbid/internal/httpguard"
	"leadbid/pingpost/wire"
)

// The limits of the public listener.
const (
	maxInFlight = 4096  // requests, sellers who wait for the end of a lead included
	maxWaiting  = 2048  // of those: the rest is for everybody else
	perSecond   = 5_000 // requests of one key, in the long run and at one time
	maxCallers  = 4096

	maxConnsPerIP = 512
)

// Options are what a Server is made of.
type Options struct {
	Config   *exchange.Config
	Store    Store // stays open when the Server ends
	Log      zerolog.Logger
	Registry *prometheus.Registry

	// Dir is the configuration's folder: paths in it are relative to that.
	Dir string

	// Seed decides ties of equal bids, together with the offer's id; drawn by chance where 0.
	Seed uint64
}

// Server is a running exchange. Make it with New, then Start; end it with Shutdown.
type Server struct {
	config  *exchange.Config
	store   Store
	log     zerolog.Logger
	dir     string
	seed    uint64
	clock   *clock
	meters  *meters
	native  *wire.Profile
	keys    *httpguard.Keys
	limiter *httpguard.Limiter
	table   []route
	reports chan struct{} // one token: see report
	waits   chan struct{} // one token for each seller who waits

	pinger *pinger.Pinger
	sender *sender
	desk   *desk
	public *fasthttp.Server
	admin  *http.Server

	listener              net.Listener // of the public side
	publicAddr, adminAddr net.Addr
	life                  context.Context // ends when the desk is told to
	endLife               context.CancelFunc
	running               sync.WaitGroup
	ready, draining       atomic.Bool
	deafness              atomic.Pointer[error] // why a listener ended that was to go on; nil while both do
	lost                  chan error            // the same, for whoever runs this process: at most one
	stopOnce              sync.Once
	stopErr               error
}

// New makes a Server of a checked configuration. Nothing runs and nothing listens yet. The error
// names what cannot be used: a buyer's profile or address, two equal keys, a certificate, an operators'
// listener that other machines could reach.
func New(options Options) (*Server, error) {
	s := &Server{
		config: options.Config, store: options.Store, log: options.Log, dir: options.Dir, seed: options.Seed,
		clock: newClock(), meters: newMeters(options.Registry),
		limiter: httpguard.NewLimiter(perSecond, perSecond, maxCallers), reports: make(chan struct{}, 1),
		waits: make(chan struct{}, maxWaiting), lost: make(chan error, 1),
	}
	s.life, s.endLife = context.WithCancel(context.Background())
	if s.seed == 0 {
		var random [8]byte
		if _, err := rand.Read(random[:]); err != nil {
			return nil, fmt.Errorf("exchange/server: drawing a seed: %w", err)
		}
		s.seed = binary.LittleEndian.Uint64(random[:])
	}
	if err := httpguard.NonLoopbackWithoutAuth(s.config.Server.Admin, false); err != nil {
		return nil, fmt.Errorf("exchange/server: the operators' listener: %w", err)
	}
	if err := s.openKeys(); err != nil {
		return nil, err
	}
	limits, err := s.limits()
	if err != nil {
		return nil, err
	}
	if err := s.openPinger(); err != nil {
		return nil, err
	}
	s.desk = newDesk(options, s.clock, s.meters, func(actions []exchange.Action) { s.sender.act(actions) })
	s.sender = &sender{
		pinger: s.pinger, clock: s.clock, log: s.log, meters: s.meters, bring: s.desk.bring,
		notices: make(chan struct{}, maxNotices),
	}
	s.table = s.routes()
	s.public = httpguard.NewServer(s.handle, limits)
	s.meters.watch(options.Registry, s)
	s.admin = httpguard.NewAdminServer(s.adminRoutes(options.Registry))
	return s, nil
}

// limits are those of the public listener.
func (s *Server) limits() (httpguard.Options, error) {
	limits := httpguard.Options{MaxBody: 64 << 10, MaxInFlight: maxInFlight, Panicked: s.panicked}
	if s.config.Server.TLSCert == "" {
		return limits, nil
	}
	pair, err := httpguard.LoadCertificate(s.path(s.config.Server.TLSCert), s.path(s.config.Server.TLSKey))
	if err != nil {
		return limits, fmt.Errorf("exchange/server: %w", err)
	}
	// With a certificate of our own there is no proxy before us.
	limits.Certificate, limits.MaxConnsPerIP = pair, maxConnsPerIP
	return limits, nil
}

func (s *Server) openKeys() (err error) {
	keys := map[string]string{}
	for _, seller := range s.config.Sellers {
		keys[string(aSeller)+"/"+seller.Name] = seller.Key
	}
	for _, buyer := range s.config.Buyers {
		if buyer.Key != "" {
			keys[string(aBuyer)+"/"+buyer.Name] = buyer.Key
		}
	}
	if s.keys, err = httpguard.NewKeys(keys); err != nil {
		return fmt.Errorf("exchange/server: %w", err)
	}
	for name, key := range keys {
		if httpguard.WeakKey(key) && !httpguard.IsLoopback(s.config.Server.Listen) {
			s.log.Warn().Str("owner", name).Msg("this key is short enough to be guessed: use 32 random hexadecimal digits")
		}
	}
	return nil
}

func (s *Server) openPinger() (err error) {
	if s.native, err = wire.Load("native"); err != nil {
		return fmt.Errorf("exchange/server: %w", err)
	}
	var buyers []pinger.Buyer
	profiles := map[string]*wire.Profile{"native": s.native}
	for _, buyer := range s.config.Buyers {
		if buyer.Ping == nil {
			continue
		}
		name := buyer.Ping.Profile
		if profiles[name] == nil {
			if profiles[name], err = wire.Load(name); err != nil {
				return fmt.Errorf("exchange/server: buyer %s: %w", buyer.Name, err)
			}
		}
		buyers = append(buyers, pinger.Buyer{
			Name: buyer.Name, BaseURL: buyer.Ping.URL, Exchange: buyer.Ping.Exchange, Key: buyer.Ping.Key, Profile: profiles[name],
		})
	}
	if s.pinger, err = pinger.New(pinger.Options{Buyers: buyers, Now: s.clock.now}); err != nil {
		return fmt.Errorf("exchange/server: %w", err)
	}
	return nil
}

// Start restores the market from the store, resolves what the former process left, listens on
// both addresses and returns once leads are taken. ctx bounds only the start.
func (s *Server) Start(ctx context.Context) error {
	public, err := httpguard.Listen(s.config.Server.Listen, s.shortOf("leads"))
	if err != nil {
		return fmt.Errorf("exchange/server: listening: %w", err)
	}
	admin, err := httpguard.Listen(s.config.Server.Admin, s.shortOf("operators"))
	if err != nil {
		return errors.Join(fmt.Errorf("exchange/server: listening for operators: %w", err), public.Close())
	}
	if err := s.desk.open(ctx); err != nil {
		close(s.desk.ended) // for what open already sent
		return errors.Join(fmt.Errorf("exchange/server: opening the market: %w", err), public.Close(), admin.Close())
	}
	s.listener, s.publicAddr, s.adminAddr = public, public.Addr(), admin.Addr()
	s.running.Go(func() { s.desk.run(s.life) })
	s.running.Go(func() { s.listened("leads", httpguard.Serve(s.public, public)) })
	s.running.Go(func() { s.listened("operators", s.admin.Serve(admin)) })
	s.ready.Store(true)
	s.log.Info().Stringer("listen", s.publicAddr).Stringer("admin", s.adminAddr).Int("buyers", len(s.config.Buyers)).
		Int("campaigns", len(s.config.Campaigns)).Msg("exchange ready")
	return nil
}

func (s *Server) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// shortOf tells of connections that cannot be accepted at present.
func (s *Server) shortOf(whom string) func(why error) {
	return func(why error) {
		s.log.Error().Err(why).Str("listener", whom).Msg("connections have to wait: it is tried again")
	}
}

// listened is told when a listener ended. Where Shutdown did not end it, callers would wait in vain for
// ever: only a new process can help them.
func (s *Server) listened(whom string, err error) {
	if s.draining.Load() {
		return
	}
	if err == nil {
		err = net.ErrClosed
	}
	err = fmt.Errorf("exchange/server: the listener for %s ended by itself: %w", whom, err)
	s.log.Error().Err(err).Msg("nobody is listened to any more")
	if s.deafness.CompareAndSwap(nil, &err) {
		s.lost <- err
	}
}

// Lost gives, once, why this process should end, so that whoever supervises it starts it anew: one of
// its listeners is gone.
func (s *Server) Lost() <-chan error { return s.lost }

// Addr is where leads are taken; "" before Start.
func (s *Server) Addr() string { return addrText(s.publicAddr) }

// AdminAddr is where operators are served; "" before Start.
func (s *Server) AdminAddr() string { return addrText(s.adminAddr) }

func addrText(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	return addr.String()
}

// Drain waits until no offer is open, every hold is captured or void and every notice is settled.
// It does not keep new leads from coming in. Its error is that of ctx.
func (s *Server) Drain(ctx context.Context) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		unsettled := 0
		a := s.desk.see(func(market *exchange.Market) { unsettled = market.Unsettled() })
		if a.err == nil && unsettled == 0 && s.sender.inFlight.Load() == 0 {
			return nil
		}
		if a.err != nil && s.life.Err() != nil {
			return fmt.Errorf("exchange/server: draining: %w", a.err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("exchange/server: draining: %d offers are unsettled: %w", unsettled, ctx.Err())
		}
	}
}

// finishWithin bounds how long Shutdown waits for auctions and posts. What is not done by then is
// resolved at the next start.
const finishWithin = 5 * time.Second

// Shutdown ends the exchange: no longer ready, no new leads, the auctions and posts under way
// finished as far as that takes no more than five seconds, then everything closed. The store
// stays open. Later calls return what the first one did.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopOnce.Do(func() { s.stopErr = s.shutdown(ctx) })
	return s.stopErr
}

func (s *Server) shutdown(ctx context.Context) error {
	started := s.ready.Swap(false)
	s.draining.Store(true)
	if !started {
		s.endLife()
		s.sender.running.Wait()
		s.pinger.Close()
		return nil
	}
	finish, cancel := context.WithTimeout(ctx, finishWithin)
	if err := s.Drain(finish); err != nil {
		s.log.Warn().Err(err).Msg("stopping with offers under way: they are resolved at the next start")
	}
	cancel()
	s.endLife()
	err := errors.Join(s.public.ShutdownWithContext(ctx), s.admin.Shutdown(ctx))
	_ = s.listener.Close() // where serving has not begun yet, Shutdown did not reach it
	s.running.Wait()
	s.sender.running.Wait() // each ends at its own deadline, seconds from now at the latest
	s.pinger.Close()
	if err != nil {
		return fmt.Errorf("exchange/server: stopping: %w", err)
	}
	return nil
}

// panicked notes a handler that failed. The client got 500, and the Market was not in its hands: a
// panic there is a broken invariant of money and ends the process.
func (s *Server) panicked(what string, stack []byte) {
	s.log.Error().Str("panic", what).Bytes("stack", stack).Msg("a request panicked; it got status 500")
}
