package simulate

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// ServerOptions say how the rivals are reached and what time it is for them.
type ServerOptions struct {
	Key string           // the bearer key that every rival asks for; "" asks for none
	Now func() time.Time // the rivals' clock, for office hours and daily budgets, safe for
	// concurrent use; nil is the wall clock
}

// RivalServer hosts every rival of a roster behind one listener, each under its own base address
// "/NAME" and below it as a real buyer: /v1/ping/{exchange}, /v1/post/{exchange} and
// /v1/notice/{exchange} in the native profile, on plain HTTP. It keeps its books in memory, so
// that they end with it. Its methods are safe for concurrent use.
type RivalServer struct {
	roster  *Roster
	options ServerOptions
	profile *wire.Profile
	byName  map[string]int
	books   []*rivalBook
	http    *fasthttp.Server
	closing chan struct{}
	once    sync.Once
}

// bidTTL is how long a rival's bid stands.
const bidTTL = time.Minute

// NewRivalServer makes the server; Serve starts it.
func NewRivalServer(roster *Roster, options ServerOptions) (*RivalServer, error) {
	profile, err := wire.Load("native")
	if err != nil {
		return nil, fmt.Errorf("simulate: reading the native profile: %w", err)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	s := &RivalServer{
		roster: roster, options: options, profile: profile,
		byName: map[string]int{}, closing: make(chan struct{}),
	}
	for i := range roster.Rivals {
		if err := roster.Rivals[i].Faults.check(); err != nil {
			return nil, err
		}
		s.byName[roster.Rivals[i].Name] = i
		s.books = append(s.books, newRivalBook(roster, i))
	}
	s.http = &fasthttp.Server{
		Handler: s.handle, Name: "simulated rivals",
		MaxRequestBodySize: 64 << 10, ReadTimeout: time.Minute, WriteTimeout: 10 * time.Second,
		// Resets on purpose would fill the log.
		Logger:                log.New(io.Discard, "", 0),
		NoDefaultServerHeader: true, CloseOnShutdown: true,
	}
	return s, nil
}

// Serve answers on the listener until Close; it returns nil after that.
func (s *RivalServer) Serve(listener net.Listener) error {
	err := s.http.Serve(listener)
	select {
	case <-s.closing:
		return nil
	default:
		return fmt.Errorf("simulate: serving the rivals: %w", err)
	}
}

// Close lets go of hanging requests, ends the open connections and stops Serve. It may be called
// more than once.
func (s *RivalServer) Close(ctx context.Context) error {
	s.once.Do(func() { close(s.closing) })
	if err := s.http.ShutdownWithContext(ctx); err != nil {
		return fmt.Errorf("simulate: closing the rivals: %w", err)
	}
	return nil
}

// Account is what one rival did.
type Account struct {
	Name     string
	Pings    int64
	Bids     int64
	Accepted int64
	Voided   int64 // of the accepted: withdrawn afterwards, and given back
	Rejected int64
	Charged  pingpost.Cents // all that it owes for accepted leads, less what was given back
}

// Accounts lists what every rival did, in the roster's order.
func (s *RivalServer) Accounts() []Account {
	accounts := make([]Account, len(s.books))
	for i, book := range s.books {
		accounts[i] = book.account(s.roster.Rivals[i].Name)
	}
	return accounts
}

// handle routes /{rival}/v1/{ping|post|notice}/{exchange}.
func (s *RivalServer) handle(ctx *fasthttp.RequestCtx) {
	parts := strings.Split(strings.Trim(string(ctx.Path()), "/"), "/")
	if len(parts) != 4 || parts[1] != "v1" {
		s.refuse(ctx, fasthttp.StatusNotFound, "not_found", "the routes are /RIVAL/v1/ping|post|notice/EXCHANGE")
		return
	}
	rival, known := s.byName[parts[0]]
	switch {
	case !known:
		s.refuse(ctx, fasthttp.StatusNotFound, "not_found", "no rival has this name")
	case !s.authorized(ctx):
		s.refuse(ctx, fasthttp.StatusUnauthorized, "unauthorized", "wrong key: send Authorization: Bearer KEY")
	case !ctx.IsPost():
		s.refuse(ctx, fasthttp.StatusMethodNotAllowed, "method_not_allowed", "use POST")
	case parts[2] == "ping":
		s.servePing(ctx, rival)
	case parts[2] == "post":
		s.servePost(ctx, rival)
	case parts[2] == "notice":
		s.serveNotice(ctx, rival)
	default:
		s.refuse(ctx, fasthttp.StatusNotFound, "not_found", "the routes are ping, post and notice")
	}
}

func (s *RivalServer) authorized(ctx *fasthttp.RequestCtx) bool {
	if s.options.Key == "" {
		return true
	}
	given := ctx.Request.Header.Peek(fasthttp.HeaderAuthorization)
	return subtle.ConstantTimeCompare(given, []byte("Bearer "+s.options.Key)) == 1
}

func (s *RivalServer) servePing(ctx *fasthttp.RequestCtx, rival int) {
	var ping pingpost.Ping
	if err := s.profile.DecodePing(&ping, ctx.PostBody()); err != nil {
		s.refuseInput(ctx, err)
		return
	}
	fault := s.roster.Rivals[rival].Faults.onPing(s.roster.settings.Seed, rival, ping.ID)
	switch fault {
	case faultReset:
		reset(ctx)
		return
	case faultHang:
		<-s.closing
		reset(ctx)
		return
	case faultSlow:
		s.wait(s.roster.Rivals[rival].Faults.SlowBy)
	}
	answer := pingpost.Answer{Kind: pingpost.AnswerNoBid, PingID: ping.ID}
	bid, reason := s.books[rival].bid(s.options.Now(), &ping)
	if reason == pingpost.ReasonNone {
		answer.Kind, answer.Bid, answer.BidID = pingpost.AnswerBid, bid, bidID(s.roster.settings.Seed, rival, ping.ID, bid)
		answer.ExpiresInMS = bidTTL.Milliseconds()
	} else {
		answer.Reason = reason
	}
	body := s.profile.AppendAnswer(nil, &answer)
	if fault == faultBroken {
		body = body[:len(body)/2]
	}
	respond(ctx, s.profile.AnswerStatus(answer.Kind), body)
}

func (s *RivalServer) servePost(ctx *fasthttp.RequestCtx, rival int) {
	var post pingpost.Post
	if err := s.profile.DecodePost(&post, ctx.PostBody()); err != nil {
		s.refuseInput(ctx, err)
		return
	}
	post.BodyHash = sha256.Sum256(ctx.PostBody())
	verdict, try := s.books[rival].settle(s.options.Now(), &post)
	if s.roster.Rivals[rival].Faults.losesVerdict(s.roster.settings.Seed, rival, post.PingID, try) {
		reset(ctx)
		return
	}
	respond(ctx, s.profile.VerdictStatus(verdict.Kind), s.profile.AppendVerdict(nil, &verdict))
}

func (s *RivalServer) serveNotice(ctx *fasthttp.RequestCtx, rival int) {
	var notice pingpost.Notice
	if err := s.profile.DecodeNotice(&notice, ctx.PostBody()); err != nil {
		s.refuseInput(ctx, err)
		return
	}
	s.books[rival].notify(&notice)
	respond(ctx, s.profile.AcknowledgementStatus(), s.profile.AppendAcknowledgement(nil, &notice))
}

// wait passes time, or less where the server closes.
func (s *RivalServer) wait(length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.closing:
	}
}

func (s *RivalServer) refuseInput(ctx *fasthttp.RequestCtx, err error) {
	fault := &wire.Fault{Reason: pingpost.Malformed, Message: err.Error()}
	_ = errors.As(err, &fault)
	respond(ctx, fasthttp.StatusBadRequest, wire.AppendError(nil, fault.Reason.String(), fault.Message, fault.Field))
}

func (s *RivalServer) refuse(ctx *fasthttp.RequestCtx, status int, code, message string) {
	respond(ctx, status, wire.AppendError(nil, code, message, ""))
}

func respond(ctx *fasthttp.RequestCtx, status int, body []byte) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
}

// reset ends the connection without an answer, with a TCP reset where there is TCP.
func reset(ctx *fasthttp.RequestCtx) {
	if connection, ok := ctx.Conn().(*net.TCPConn); ok {
		_ = connection.SetLinger(0)
	}
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(net.Conn) {})
}
