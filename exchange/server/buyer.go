package server

import (
	"encoding/json"
	"time"

	"github.com/valyala/fasthttp"

	"leadbid/exchange"
	"leadbid/exchange/store"
	"leadbid/pingpost"
)

// returnWindow is how long after its sale a lead may be given back.
const returnWindow = 7 * 24 * time.Hour

func (s *Server) showWallet(ctx *fasthttp.RequestCtx, who caller, _ string) {
	wallets, err := s.store.Wallets(s.life, who.name)
	if err != nil {
		s.fail(ctx, err)
		return
	}
	wallet := store.Wallet{Buyer: who.name} // nothing was ever moved
	for _, own := range wallets {
		wallet = own
	}
	s.reply(ctx, fasthttp.StatusOK, s.walletOf(wallet))
}

// purchasesAtOnce is how many leads one answer lists.
const purchasesAtOnce = 1000

// showPurchases lists what a buyer bought from since to until, the latest first. For a preset this
// is how the leads are delivered, so none may be out of reach: where there are more than one answer
// holds, it says so, and until the last one's instant gets the next ones (and that one again).
func (s *Server) showPurchases(ctx *fasthttp.RequestCtx, who caller, _ string) {
	since, err := instantArg(ctx, "since", s.clock.now().Add(-24*time.Hour))
	if err != nil {
		s.fail(ctx, err)
		return
	}
	until, err := instantArg(ctx, "until", time.Time{})
	if err != nil {
		s.fail(ctx, err)
		return
	}
	bought, err := s.store.Leads(s.life, who.name, store.LeadFilter{Since: since, Until: until, Max: purchasesAtOnce + 1})
	if err != nil {
		s.fail(ctx, err)
		return
	}
	views := make([]purchaseView, 0, len(bought))
	for _, lead := range bought[:min(len(bought), purchasesAtOnce)] {
		views = append(views, purchaseOf(lead))
	}
	s.reply(ctx, fasthttp.StatusOK, map[string]any{"purchases": views, "more": len(bought) > purchasesAtOnce})
}

// takeReturn gives a bought lead back and the buyer its price.
func (s *Server) takeReturn(ctx *fasthttp.RequestCtx, who caller, _ string) {
	var request struct {
		OfferID string `json:"offer_id"`
		Reason  string `json:"reason"`
	}
	if json.Unmarshal(ctx.PostBody(), &request) != nil {
		s.fail(ctx, &fault{code: pingpost.Malformed.String(), message: "the body is not a JSON object with offer_id and reason"})
		return
	}
	if !isWord(request.Reason) {
		s.fail(ctx, invalid("reason", "must be one word of a-z and _, such as wrong_number"))
		return
	}
	id := exchange.OfferID(request.OfferID)
	own, err := s.store.Leads(s.life, who.name, store.LeadFilter{Offer: id})
	switch {
	case err != nil:
		s.fail(ctx, err)
		return
	case id == "" || len(own) == 0:
		s.reject(ctx, fasthttp.StatusNotFound, &fault{code: "not_found", message: "no such purchase"})
		return
	case !own[0].Returned && s.clock.now().Sub(own[0].At) > returnWindow:
		s.reject(ctx, fasthttp.StatusConflict, &fault{code: "window_closed", message: "the lead was bought too long ago"})
		return
	}
	state, err := s.giveBack(id, request.Reason)
	if err != nil {
		s.fail(ctx, err)
		return
	}
	s.reply(ctx, fasthttp.StatusOK, map[string]any{"offer_id": id, "status": statusOf(state), "credited": state.Price})
}

// giveBack returns a sold lead, whether or not the Market still has it in memory. Returning it
// again changes nothing.
func (s *Server) giveBack(id exchange.OfferID, reason string) (exchange.OfferState, error) {
	history, found, err := s.store.History(s.life, id)
	if err != nil || !found {
		return exchange.OfferState{}, err
	}
	var state exchange.OfferState
	a := s.desk.ask(call{
		prepare: func(market *exchange.Market) error { return market.Recall(history) },
		command: exchange.Return{Offer: id, Reason: reason},
		look:    func(market *exchange.Market) { state, _ = market.Offer(id) },
	})
	switch {
	case a.err != nil:
		return state, a.err
	case a.applied.Refused != pingpost.ReasonNone:
		return state, invalid("offer_id", "the lead cannot be returned")
	}
	return state, nil
}

func isWord(text string) bool {
	for _, char := range []byte(text) {
		if (char < 'a' || char > 'z') && char != '_' {
			return false
		}
	}
	return len(text) >= 1 && len(text) <= 40
}

func (s *Server) buyerReport(ctx *fasthttp.RequestCtx, who caller, _ string) {
	report, ok := s.report(ctx)
	if !ok {
		return
	}
	line := exchange.BuyerLine{Buyer: who.name}
	for _, own := range report.Buyers {
		if own.Buyer == who.name {
			line = own
		}
	}
	s.reply(ctx, fasthttp.StatusOK, buyerLineOf(line))
}

func (s *Server) sellerReport(ctx *fasthttp.RequestCtx, who caller, _ string) {
	report, ok := s.report(ctx)
	if !ok {
		return
	}
	line := exchange.SellerLine{Seller: who.name}
	for _, own := range report.Sellers {
		if own.Seller == who.name {
			line = own
		}
	}
	s.reply(ctx, fasthttp.StatusOK, sellerLineOf(line))
}

// longestReport bounds the stretch of a report on the public side: it is read event by event.
const longestReport = 31 * 24 * time.Hour

// report sums up since .. until, the last day where they are not given. One report is made at a
// time, so that many readers do not take the disk from the market.
func (s *Server) report(ctx *fasthttp.RequestCtx) (report exchange.Report, ok bool) {
	now := s.clock.now()
	until, err := instantArg(ctx, "until", now)
	if err != nil {
		s.fail(ctx, err)
		return report, false
	}
	since, err := instantArg(ctx, "since", until.Add(-24*time.Hour))
	switch {
	case err != nil:
		s.fail(ctx, err)
		return report, false
	case until.Before(since) || until.Sub(since) > longestReport:
		s.fail(ctx, invalid("since", "a report covers at most 31 days"))
		return report, false
	}
	select {
	case s.reports <- struct{}{}:
		defer func() { <-s.reports }()
	default:
		s.fail(ctx, errBusy)
		return report, false
	}
	if report, err = s.store.Report(s.life, since, until); err != nil {
		s.fail(ctx, err)
		return report, false
	}
	return report, true
}

// instantArg reads an instant of the query as RFC 3339, or a whole day in UTC.
func instantArg(ctx *fasthttp.RequestCtx, name string, otherwise time.Time) (time.Time, error) {
	text := string(ctx.QueryArgs().Peek(name))
	if text == "" {
		return otherwise, nil
	}
	return parseInstant(name, text)
}

func parseInstant(name, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, invalid(name, "must be an instant such as 2026-03-01T08:00:00Z, or a day")
}
