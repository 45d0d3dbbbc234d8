package server

import (
	"bytes"
	"errors"
	"sync"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"

	"leadbid/bidder"
	"leadbid/internal/httpguard"
	"leadbid/pingpost"
	"leadbid/pingpost/recording"
	"leadbid/pingpost/wire"
)

const (
	maxPingBody = 32 << 10
	maxPostBody = 64 << 10
	maxInFlight = 4096

	// sendMargin is kept of an exchange's deadline for the way back: an answer that is ready later
	// than this before the deadline counts as late.
	sendMargin = 5 * time.Millisecond
)

var (
	pingRoute   = []byte("/v1/ping/")
	postRoute   = []byte("/v1/post/")
	noticeRoute = []byte("/v1/notice/")
)

// overloadAnswer is made beforehand: what is turned away must cost next to nothing.
var overloadAnswer = []byte(`{"status":"no_bid","reason":"` + pingpost.Overload.String() + `"}`)

func bodyLimit(target []byte) int {
	if bytes.HasPrefix(target, pingRoute) {
		return maxPingBody
	}
	return 0
}

// request is the scratch of one request, pooled so that a bid costs no garbage.
type request struct {
	ping     pingpost.Ping
	answer   pingpost.Answer
	body     []byte
	bidID    []byte
	decided  bidder.Decision
	decision []byte // decided, as it is recorded
	written  []byte // the ping as it is recorded, where that is how it came; else nil
}

func (r *request) decode(x *exchange, body []byte) error {
	asWritten, err := x.profile.DecodePingAsWritten(&r.ping, body)
	if r.written = nil; asWritten && x.Profile == recording.Profile {
		r.written = body
	}
	return err
}

var requests = sync.Pool{New: func() any { return new(request) }}

// handle routes. The three routes are the whole public surface.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	path := target(ctx)
	var serve func(*fasthttp.RequestCtx, *exchange)
	var name []byte
	var notice bool
	switch {
	case bytes.HasPrefix(path, pingRoute):
		name, serve = path[len(pingRoute):], s.servePing
	case bytes.HasPrefix(path, postRoute):
		name, serve = path[len(postRoute):], s.servePost
	case bytes.HasPrefix(path, noticeRoute):
		name, serve, notice = path[len(noticeRoute):], s.serveNotice, true
	default:
		httpguard.WriteError(ctx, fasthttp.StatusNotFound, "not_found",
			"the routes are /v1/ping/, /v1/post/ and /v1/notice/ followed by the exchange's name", "")
		return
	}
	exchange := s.inForce.Load().exchanges[string(name)]
	if exchange == nil || !exchange.admits(s.clock, notice, ctx.Request.Header.Peek(fasthttp.HeaderAuthorization)) {
		s.meters.unauthorized.Inc()
		httpguard.WriteError(ctx, fasthttp.StatusUnauthorized, pingpost.Unauthorized.String(),
			"unknown exchange or wrong key: send Authorization: Bearer KEY", "")
		return
	}
	if !ctx.IsPost() {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodPost)
		httpguard.WriteError(ctx, fasthttp.StatusMethodNotAllowed, "method_not_allowed", "use POST", "")
		return
	}
	serve(ctx, exchange)
}

// target is the path as sent. Our routes need no decoding, and parsing an address costs as much as
// a header.
func target(ctx *fasthttp.RequestCtx) []byte {
	path, _, _ := bytes.Cut(ctx.Request.Header.RequestURI(), []byte{'?'})
	return path
}

func (s *Server) servePing(ctx *fasthttp.RequestCtx, x *exchange) {
	arrived := s.clock.now()
	scratch := requests.Get().(*request)
	defer requests.Put(scratch)
	ping := &scratch.ping
	if err := scratch.decode(x, ctx.PostBody()); err != nil {
		s.refuseInput(ctx, x, err)
		return
	}
	ping.Exchange = x.Name
	ping.Digest = ping.ComputeDigest()
	decision := &scratch.decided
	*decision = s.agent.Decide(arrived, ping)
	took := s.clock.now().Sub(arrived)
	s.record.ping(scratch, decision)
	if decision.Bid && took > allowed(ping, x)-sendMargin {
		s.record.cancel(s.agent.Cancel(s.clock.now(), decision.Seq), decision.Seq)
		*decision = bidder.Decision{Stamp: decision.Stamp, Reason: pingpost.Late, Generation: decision.Generation}
	}
	s.answerPing(ctx, x, scratch, decision)
	s.meters.decided(x, decision, took)
	s.wakeLeases(decision.Reason)
	s.logDecision(x, ping, decision)
}

// allowed is how long the exchange waits for an answer.
func allowed(ping *pingpost.Ping, x *exchange) time.Duration {
	if ping.TmaxMS > 0 {
		return time.Duration(ping.TmaxMS) * time.Millisecond
	}
	return x.Deadline
}

func (s *Server) answerPing(ctx *fasthttp.RequestCtx, x *exchange, scratch *request, d *bidder.Decision) {
	scratch.answer = pingpost.Answer{Kind: pingpost.AnswerNoBid, PingID: scratch.ping.ID}
	switch {
	case d.Bid:
		scratch.bidID = s.keys.Load().AppendBidID(scratch.bidID[:0], d.Ref, x.Name, scratch.ping.ID)
		scratch.answer.Kind = pingpost.AnswerBid
		scratch.answer.Bid = d.Price
		// A view instead of a copy: the answer is written before the scratch is used again.
		scratch.answer.BidID = unsafe.String(unsafe.SliceData(scratch.bidID), len(scratch.bidID))
		scratch.answer.ExpiresInMS = d.ExpiresIn().Milliseconds()
	case x.Reasons:
		scratch.answer.Reason = d.Reason
	}
	scratch.body = x.profile.AppendAnswer(scratch.body[:0], &scratch.answer)
	httpguard.WriteJSON(ctx, fasthttp.StatusOK, scratch.body)
}

// refuseInput answers a body that could not be read. It is counted, and never reaches the Agent.
func (s *Server) refuseInput(ctx *fasthttp.RequestCtx, x *exchange, err error) {
	fault := &wire.Fault{Reason: pingpost.Malformed, Message: err.Error()}
	_ = errors.As(err, &fault)
	s.meters.refused(x, fault.Reason)
	s.log.Debug().Str("exchange", x.Name).Stringer("reason", fault.Reason).Str("field", fault.Field).Msg("bad input")
	httpguard.WriteError(ctx, fasthttp.StatusBadRequest, fault.Reason.String(), fault.Message, fault.Field)
}

// overloaded answers what is beyond maxInFlight: a ping at once with a no-bid, so that the
// exchange's auction goes on, anything else with "try again".
func (s *Server) overloaded(ctx *fasthttp.RequestCtx) {
	s.meters.overloaded.Inc()
	if bytes.HasPrefix(target(ctx), pingRoute) {
		httpguard.WriteJSON(ctx, fasthttp.StatusOK, overloadAnswer)
		return
	}
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
	httpguard.WriteError(ctx, fasthttp.StatusServiceUnavailable, pingpost.Overload.String(), "too many requests at once: try again", "")
}

func (s *Server) logDecision(x *exchange, ping *pingpost.Ping, d *bidder.Decision) {
	event := s.log.Debug()
	if !event.Enabled() {
		return
	}
	event.Str("exchange", x.Name).Str("ping_id", ping.ID).Uint64("seq", d.Seq).Uint32("generation", d.Generation).
		Bool("bid", d.Bid).Stringer("reason", d.Reason).Str("campaign", d.Campaign).
		Str("rule", d.Rule).Stringer("price", d.Price).Bool("repeat", d.Repeat).Msg("ping")
}

// wakeLeases lets the lease loop look at once where a lack of money was the reason.
func (s *Server) wakeLeases(reason pingpost.Reason) {
	switch reason {
	case pingpost.OpenBids, pingpost.BudgetExhausted, pingpost.CapacityFull, pingpost.StoreAway:
		s.lookAtLeases()
	}
}

// lookAtLeases never waits: a look that is already due serves as well.
func (s *Server) lookAtLeases() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
