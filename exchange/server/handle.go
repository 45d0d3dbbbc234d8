package server

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"leadbid/exchange"
	"leadbid/internal/httpguard"
	"leadbid/pingpost"
)

// role is which side of the market a key belongs to.
type role string

const (
	aSeller role = "seller"
	aBuyer  role = "buyer"
)

// caller is who a request's key belongs to.
type caller struct {
	role role
	name string
}

// route is one entry of the public API. A pattern may hold one {id}.
type route struct {
	method, pattern string
	role            role
	serve           func(ctx *fasthttp.RequestCtx, who caller, id string)
}

func (s *Server) routes() []route {
	return []route{
		{fasthttp.MethodPost, "/v1/leads", aSeller, s.takeLead},
		{fasthttp.MethodGet, "/v1/offers/{id}", aSeller, s.showOffer},
		{fasthttp.MethodPost, "/v1/offers/{id}/withdraw", aSeller, s.withdrawOffer},
		{fasthttp.MethodGet, "/v1/seller/report", aSeller, s.sellerReport},
		{fasthttp.MethodGet, "/v1/wallet", aBuyer, s.showWallet},
		{fasthttp.MethodGet, "/v1/purchases", aBuyer, s.showPurchases},
		{fasthttp.MethodPost, "/v1/returns", aBuyer, s.takeReturn},
		{fasthttp.MethodGet, "/v1/buyer/report", aBuyer, s.buyerReport},
	}
}

// handle finds out who asks, then what for. Without a key nothing is told, not even which routes
// there are.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	name, ok := s.keys.Find(ctx.Request.Header.Peek(fasthttp.HeaderAuthorization))
	if !ok {
		s.reject(ctx, fasthttp.StatusUnauthorized, &fault{code: "unauthorized", message: "unknown key: send Authorization: Bearer KEY"})
		return
	}
	if !s.limiter.Allow(s.clock.now(), name) {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
		s.reject(ctx, fasthttp.StatusTooManyRequests, &fault{code: "rate_limited", message: "too many requests with this key"})
		return
	}
	side, owner, _ := strings.Cut(name, "/")
	who := caller{role(side), owner}
	path, allowed := string(ctx.Path()), ""
	for _, r := range s.table {
		id, fits := r.match(path)
		switch {
		case !fits || r.role != who.role:
		case r.method != string(ctx.Method()):
			allowed = r.method
		default:
			r.serve(ctx, who, id)
			return
		}
	}
	if allowed != "" {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, allowed)
		s.reject(ctx, fasthttp.StatusMethodNotAllowed, &fault{code: "method_not_allowed", message: "use " + allowed})
		return
	}
	s.reject(ctx, fasthttp.StatusNotFound, &fault{code: "not_found", message: "no such route for this key"})
}

func (r route) match(path string) (id string, ok bool) {
	before, after, hasID := strings.Cut(r.pattern, "{id}")
	if !hasID {
		return "", path == r.pattern
	}
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(rest, after)
	return id, ok && id != "" && !strings.Contains(id, "/")
}

// reject answers what never became a command.
func (s *Server) reject(ctx *fasthttp.RequestCtx, status int, f *fault) {
	s.meters.rejected.WithLabelValues(f.code).Inc()
	httpguard.WriteError(ctx, status, f.code, f.message, f.field)
}

// fail answers an error: the client's fault, or ours.
func (s *Server) fail(ctx *fasthttp.RequestCtx, err error) {
	var wrong *fault
	switch {
	case errors.As(err, &wrong):
		s.reject(ctx, fasthttp.StatusBadRequest, wrong)
	case errors.Is(err, errBusy), errors.Is(err, errAway), errors.Is(err, context.Canceled):
		s.away(ctx)
	default:
		// Only the store fails otherwise. Every request may be sent again.
		s.log.Error().Err(err).Msg("a request failed")
		s.away(ctx)
	}
}

func (s *Server) away(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
	s.reject(ctx, fasthttp.StatusServiceUnavailable,
		&fault{code: pingpost.StoreAway.String(), message: "it may not have been done: send the same request, with the same id, again shortly"})
}

func (s *Server) reply(ctx *fasthttp.RequestCtx, status int, view any) {
	body, err := json.Marshal(view)
	if err != nil {
		s.fail(ctx, err)
		return
	}
	httpguard.WriteJSON(ctx, status, body)
}

// longestWait bounds how long a seller may wait for the end of its lead in one request.
const longestWait = 30 * time.Second

// takeLead takes a lead in. The answer says that it is in the books; with ?wait=1 it comes when
// the lead has found its buyer or none, unless too many sellers are waiting already.
func (s *Server) takeLead(ctx *fasthttp.RequestCtx, who caller, _ string) {
	if s.draining.Load() {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "5")
		s.reject(ctx, fasthttp.StatusServiceUnavailable, &fault{code: "stopping", message: "the exchange is stopping; send the same lead again shortly"})
		return
	}
	open, named, err := decodeIntake(s.native, who.name, string(ctx.Request.Header.Peek("Idempotency-Key")), ctx.PostBody())
	if err != nil {
		s.meters.leads.WithLabelValues(who.name, "refused").Inc()
		s.fail(ctx, err)
		return
	}
	open.Seed = s.seed
	if named {
		former, found, err := s.store.Offer(s.life, open.ID)
		if err != nil || found {
			s.repeatLead(ctx, who, open, former, err)
			return
		}
	}
	wait := ctx.QueryArgs().GetBool("wait")
	if wait {
		select {
		case s.waits <- struct{}{}:
			defer func() { <-s.waits }()
		default:
			wait = false
		}
	}
	s.openLead(ctx, who, open, wait)
}

func (s *Server) openLead(ctx *fasthttp.RequestCtx, who caller, open exchange.OpenOffer, wait bool) {
	var state exchange.OfferState
	look := func(market *exchange.Market) { state = followIn(market, open.ID) }
	ended := make(chan exchange.Event, 1)
	c := call{command: open, look: look}
	if wait {
		c.listener = ended
	}
	a := s.desk.ask(c)
	switch {
	case a.err != nil:
		s.meters.leads.WithLabelValues(who.name, "away").Inc()
		s.fail(ctx, a.err)
		return
	case a.applied.Refused != pingpost.ReasonNone:
		s.meters.leads.WithLabelValues(who.name, a.applied.Refused.String()).Inc()
		s.refuseLead(ctx, a.applied.Refused)
		return
	case a.applied.Repeat:
		s.meters.leads.WithLabelValues(who.name, "repeat").Inc()
	default:
		s.meters.leads.WithLabelValues(who.name, "taken").Inc()
		if wait && s.awaitEnd(ended) {
			a = s.desk.ask(call{look: look})
		}
	}
	// Where the desk could not be asked again, what it said when it took the lead still holds.
	s.answerLead(ctx, open.ID, state)
}

// awaitEnd waits for the end of a lead, and gives up after longestWait or when the exchange stops.
func (s *Server) awaitEnd(ended <-chan exchange.Event) bool {
	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	select {
	case _, ok := <-ended:
		return ok
	case <-timer.C:
	case <-s.desk.ended:
	}
	return false
}

// repeatLead answers a lead that came before: the same one gets the same offer, another one under
// its id is a conflict.
func (s *Server) repeatLead(ctx *fasthttp.RequestCtx, who caller, open exchange.OpenOffer, former exchange.OfferState, err error) {
	switch {
	case err != nil:
		s.fail(ctx, err)
	case former.Seller != who.name || former.Body != hex.EncodeToString(open.Body[:]):
		s.refuseLead(ctx, pingpost.PingChanged)
	default:
		s.meters.leads.WithLabelValues(who.name, "repeat").Inc()
		s.showOffer(ctx, who, string(open.ID))
	}
}

func (s *Server) refuseLead(ctx *fasthttp.RequestCtx, reason pingpost.Reason) {
	switch reason {
	case pingpost.PingChanged:
		s.reject(ctx, fasthttp.StatusConflict, &fault{code: "conflict", message: "this id was used for another lead", field: "lead_id"})
	case pingpost.ServiceNotBought:
		s.reject(ctx, fasthttp.StatusUnprocessableEntity, &fault{code: reason.String(), message: "no campaign takes this service", field: "service"})
	case pingpost.StoreAway:
		s.fail(ctx, errAway)
	default:
		s.reject(ctx, fasthttp.StatusUnprocessableEntity, &fault{code: reason.String(), message: "the lead cannot be offered"})
	}
}

// answerLead tells where a lead stands: 202 while it is open, 200 once it has ended.
func (s *Server) answerLead(ctx *fasthttp.RequestCtx, id exchange.OfferID, state exchange.OfferState) {
	status := fasthttp.StatusAccepted
	if state.End.Ends() && state.End != exchange.FellBack {
		status = fasthttp.StatusOK
	}
	s.reply(ctx, status, sellerView(id, state))
}

func (s *Server) showOffer(ctx *fasthttp.RequestCtx, who caller, id string) {
	if state, ok := s.ownOffer(ctx, who, id); ok {
		s.answerLead(ctx, exchange.OfferID(id), state)
	}
}

func (s *Server) withdrawOffer(ctx *fasthttp.RequestCtx, who caller, id string) {
	state, ok := s.ownOffer(ctx, who, id)
	if !ok {
		return
	}
	if state.End == exchange.Withdrawn { // long ago, perhaps: the Market need not know it any more
		s.answerLead(ctx, exchange.OfferID(id), state)
		return
	}
	a := s.withdrawLatest(&state)
	switch {
	case a.err != nil:
		s.fail(ctx, a.err)
	case a.applied.Refused != pingpost.ReasonNone:
		s.reject(ctx, fasthttp.StatusConflict, &fault{code: "conflict", message: "the offer has ended"})
	default:
		s.answerLead(ctx, exchange.OfferID(id), state)
	}
}

// withdrawLatest withdraws a lead that may fall back to another campaign while we ask: then it is
// the offer there that is to be withdrawn. The chain of campaigns has an end.
func (s *Server) withdrawLatest(state *exchange.OfferState) answer {
	for {
		asked := state.ID
		a := s.desk.ask(call{
			command: exchange.Withdraw{Offer: asked},
			look: func(market *exchange.Market) {
				if latest := followIn(market, asked); latest.ID != "" {
					*state = latest
				}
			},
		})
		if a.err != nil || a.applied.Refused == pingpost.ReasonNone || state.ID == asked {
			return a
		}
	}
}

// ownOffer finds a seller's own lead, as the offer that it went on as. Another seller's lead is as
// unknown as one that never was.
func (s *Server) ownOffer(ctx *fasthttp.RequestCtx, who caller, id string) (state exchange.OfferState, ok bool) {
	state, found, err := s.store.Latest(s.life, exchange.OfferID(id))
	switch {
	case err != nil:
		s.fail(ctx, err)
	case !found || state.Seller != who.name:
		s.reject(ctx, fasthttp.StatusNotFound, &fault{code: "not_found", message: "no such offer"})
	default:
		return state, true
	}
	return state, false
}

// followIn finds the offer that a lead went on as, in the Market's memory.
func followIn(market *exchange.Market, id exchange.OfferID) (state exchange.OfferState) {
	for {
		next, known := market.Offer(id)
		if !known {
			return state
		}
		state = next
		if state.End != exchange.FellBack || state.Next == "" {
			return state
		}
		id = state.Next
	}
}
