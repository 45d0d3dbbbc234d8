package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadbid/exchange"
	"leadbid/exchange/pinger"
	"leadbid/internal/httpguard"
	"leadbid/pingpost"
)

// adminRoutes are the operators' API. It shows everything but the homeowners.
func (s *Server) adminRoutes(registry prometheus.Gatherer) http.Handler {
	mux := httpguard.AdminMux(registry, s.readiness)
	mux.HandleFunc("GET /v1/status", s.adminStatus)
	mux.HandleFunc("GET /v1/buyers", s.adminBuyers)
	mux.HandleFunc("POST /v1/topups", s.adminTopUp)
	mux.HandleFunc("POST /v1/buyers/{buyer}/pause", s.adminPause(true))
	mux.HandleFunc("POST /v1/buyers/{buyer}/resume", s.adminPause(false))
	mux.HandleFunc("GET /v1/offers/{offer}/timeline", s.adminTimeline)
	mux.HandleFunc("POST /v1/offers/{offer}/return", s.adminReturn)
	mux.HandleFunc("GET /v1/report", s.adminReport)
	mux.HandleFunc("GET /v1/verify", s.adminVerify)
	return mux
}

var (
	errNotReady = errors.New("the market is not open")
	errStopping = errors.New("stopping")
)

func (s *Server) readiness() error {
	switch {
	case s.draining.Load():
		return errStopping
	case s.deafness.Load() != nil:
		return *s.deafness.Load()
	case !s.ready.Load() || s.desk.away.Load():
		return errNotReady
	}
	return nil
}

// statusView is how the exchange does.
type statusView struct {
	Name      string          `json:"name"`
	Ready     bool            `json:"ready"`
	Now       time.Time       `json:"now"`
	Unsettled int             `json:"unsettled"` // offers that are open or owe something
	InFlight  int64           `json:"in_flight"` // auctions, posts and notices under way
	Queued    int             `json:"queued"`    // commands waiting for the market
	Buyers    []pinger.Health `json:"buyers"`
}

func (s *Server) adminStatus(w http.ResponseWriter, _ *http.Request) {
	view := statusView{
		Name: s.config.Name, Ready: s.readiness() == nil, Now: s.clock.now(), InFlight: s.sender.inFlight.Load(),
		Queued: len(s.desk.calls), Buyers: s.pinger.Health(),
	}
	a := s.desk.ask(call{look: func(market *exchange.Market) { view.Unsettled = market.Unsettled() }})
	answerAdmin(w, view, a.err)
}

func (s *Server) adminBuyers(w http.ResponseWriter, _ *http.Request) {
	wallets, err := s.store.Wallets(s.life, "")
	views := make([]walletView, 0, len(wallets))
	for _, wallet := range wallets {
		views = append(views, s.walletOf(wallet))
	}
	answerAdmin(w, map[string]any{"buyers": views}, err)
}

// adminTopUp puts money into a wallet. The id makes it happen once, however often it is sent.
func (s *Server) adminTopUp(w http.ResponseWriter, r *http.Request) {
	var request struct {
		ID     string         `json:"id"`
		Buyer  string         `json:"buyer"`
		Amount pingpost.Cents `json:"amount"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		answerAdmin(w, nil, invalid("", "the body must be {\"id\", \"buyer\", \"amount\"}, the amount in dollars such as 200.00"))
		return
	}
	command := exchange.TopUp{ID: request.ID, Buyer: request.Buyer, Amount: request.Amount}
	former, found, err := s.store.TopUp(r.Context(), request.ID)
	switch {
	case err != nil:
		answerAdmin(w, nil, err)
		return
	case found && former != command:
		answerAdmin(w, nil, invalid("id", "this id was used for another top-up"))
		return
	case found:
		answerAdmin(w, map[string]any{"id": request.ID, "repeat": true}, nil)
		return
	}
	s.command(w, command, map[string]any{"id": request.ID})
}

func (s *Server) adminPause(paused bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		buyer := r.PathValue("buyer")
		s.command(w, exchange.Pause{Buyer: buyer, Paused: paused}, map[string]any{"buyer": buyer, "paused": paused})
	}
}

// command hands a command to the desk and answers what became of it.
func (s *Server) command(w http.ResponseWriter, command exchange.Command, view map[string]any) {
	a := s.desk.ask(call{command: command})
	if a.err == nil && a.applied.Refused != pingpost.ReasonNone {
		a.err = &fault{code: a.applied.Refused.String(), message: refusalOf(a.applied.Refused)}
	}
	view["repeat"] = a.applied.Repeat
	answerAdmin(w, view, a.err)
}

func refusalOf(reason pingpost.Reason) string {
	switch reason {
	case pingpost.NotEligible:
		return "no such buyer or offer, or not in a state for this"
	case pingpost.InvalidField:
		return "the id or the amount is out of range"
	case pingpost.PingChanged:
		return "this id was used for something else"
	}
	return "refused: " + reason.String()
}

func (s *Server) adminTimeline(w http.ResponseWriter, r *http.Request) {
	events, err := s.store.Timeline(r.Context(), exchange.OfferID(r.PathValue("offer")))
	if err == nil && len(events) == 0 {
		writeAdmin(w, http.StatusNotFound, httpguard.ErrorBody("not_found", "no such offer", ""))
		return
	}
	answerAdmin(w, map[string]any{"events": events}, err)
}

func (s *Server) adminReturn(w http.ResponseWriter, r *http.Request) {
	reason := r.URL.Query().Get("reason")
	if !isWord(reason) {
		answerAdmin(w, nil, invalid("reason", "must be one word of a-z and _, such as wrong_number"))
		return
	}
	state, err := s.giveBack(exchange.OfferID(r.PathValue("offer")), reason)
	if err == nil && state.ID == "" {
		writeAdmin(w, http.StatusNotFound, httpguard.ErrorBody("not_found", "no such offer", ""))
		return
	}
	answerAdmin(w, state, err)
}

func (s *Server) adminReport(w http.ResponseWriter, r *http.Request) {
	var stretch [2]time.Time
	for i, name := range []string{"since", "until"} {
		text := r.URL.Query().Get(name)
		if text == "" {
			continue
		}
		at, err := parseInstant(name, text)
		if err != nil {
			answerAdmin(w, nil, err)
			return
		}
		stretch[i] = at
	}
	report, err := s.store.Report(r.Context(), stretch[0], stretch[1])
	answerAdmin(w, report, err)
}

func (s *Server) adminVerify(w http.ResponseWriter, r *http.Request) {
	report, err := s.store.Verify(r.Context())
	answerAdmin(w, report, err)
}

// answerAdmin answers a view, or what went wrong.
func answerAdmin(w http.ResponseWriter, view any, err error) {
	var wrong *fault
	switch {
	case errors.As(err, &wrong):
		writeAdmin(w, http.StatusBadRequest, httpguard.ErrorBody(wrong.code, wrong.message, wrong.field))
		return
	case err != nil:
		w.Header().Set("Retry-After", "1")
		writeAdmin(w, http.StatusServiceUnavailable, httpguard.ErrorBody(pingpost.StoreAway.String(), err.Error(), ""))
		return
	}
	body, err := json.Marshal(view)
	if err != nil {
		writeAdmin(w, http.StatusInternalServerError, httpguard.ErrorBody("internal", err.Error(), ""))
		return
	}
	writeAdmin(w, http.StatusOK, body)
}

func writeAdmin(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
