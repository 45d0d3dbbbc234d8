package server

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"leadbid/bidder"
	"leadbid/bidder/strategy"
	"leadbid/budget/store"
	"leadbid/internal/httpguard"
	"leadbid/pingpost"
	"leadbid/rules"
)

// Status is what a person wants to know of a running bidder at a glance. It is served as JSON at
// /status of the operator's listener, and its names are stable.
type Status struct {
	Now      time.Time `json:"now"`
	Timezone string    `json:"timezone"`
	State    string    `json:"state"` // "live", "observing", "paused", "books broken", "store away" or "stopping"
	Business string    `json:"business"`
	Rules    string    `json:"rules"` // the first 12 digits of the hash of the rules in force

	Generation uint32    `json:"generation"` // of the rules, from 1
	RulesSince time.Time `json:"rules_since"`
	LastReload *Reloaded `json:"last_reload,omitempty"`

	Pauses bidder.Pauses `json:"pauses"`
	// Undeliverable campaigns are paused because their leads have nowhere to go.
	Undeliverable []string           `json:"undeliverable,omitempty"`
	StoreError    string             `json:"store_error,omitempty"`
	Exchanges     []ExchangeStatus   `json:"exchanges"`
	Verification  BooksStatus        `json:"verification"`
	Answers       AnswerCounts       `json:"answers"`
	Observed      []ObservedStatus   `json:"observed,omitempty"`
	Caps          []bidder.CapStatus `json:"caps"` // these three are null where the store did not tell
	Books         *store.Counts      `json:"books"`
	Returns       []ReturnStatus     `json:"returns"`
	Outcomes      OutcomesStatus     `json:"outcomes"`
	Pacing        strategy.Standing  `json:"pacing"` // why the bids are where they are
	Acceptance    []AcceptanceStatus `json:"acceptance,omitempty"`
	Recording     *RecordingStatus   `json:"recording,omitempty"`
}

// AnswerCounts are the answers to pings since the start.
type AnswerCounts struct {
	Bids   int64            `json:"bids"`
	NoBids map[string]int64 `json:"no_bids"` // by reason
}

// ObservedStatus is what a campaign would have bid on an exchange since the start, had it not only
// observed: so often, and so much in all. More than that it could not have won.
type ObservedStatus struct {
	Campaign string         `json:"campaign"`
	Exchange string         `json:"exchange"`
	Bids     int64          `json:"would_bids"`
	AtMost   pingpost.Cents `json:"at_most"`
}

// RecordingStatus tells whether the recording is whole.
type RecordingStatus struct {
	Dir     string `json:"dir"`
	Dropped uint64 `json:"dropped"`           // inputs that are missing in it
	Stopped bool   `json:"stopped,omitempty"` // the disk takes nothing at present; it is tried again
}

// Status reads the present state. Beside an error, it holds what is known without the store.
func (s *Server) Status(ctx context.Context) (Status, error) {
	inForce, now := s.inForce.Load(), s.clock.now()
	settings := inForce.rules.Settings()
	pauses, down := s.pauses.effective()
	status := Status{
		Now: now.In(settings.Business.Location), Timezone: settings.Business.Location.String(),
		Business: settings.Business.Name, Rules: inForce.rules.Hash()[:12],
		Generation: inForce.generation, RulesSince: inForce.since.In(settings.Business.Location),
		LastReload: s.lastReload.Load(), Observed: s.meters.wouldBids(),
		Exchanges: s.hearings(settings.Business.Location), Verification: s.books.status(settings.Business.Location),
		Pauses: pauses, Undeliverable: down, State: s.state(pauses), Answers: s.meters.answers(),
		Outcomes: s.outcomesStatus(), Pacing: s.agent.Pacing(now),
	}
	if why := s.storeErr.Load(); why != nil {
		status.StoreError = *why
	}
	if folder := s.record.into(); folder != "" {
		status.Recording = &RecordingStatus{Dir: folder, Dropped: s.record.missed(), Stopped: s.record.failed.Load()}
	}
	uses, err := s.store.Usage(ctx, inForce.plan, now)
	if err != nil {
		return status, err
	}
	status.Caps = []bidder.CapStatus{} // [] in JSON, not null
	for _, use := range uses {
		status.Caps = append(status.Caps, bidder.CapStatusOf(use))
	}
	if status.Acceptance, err = s.acceptance(ctx); err != nil {
		return status, err
	}
	if status.Returns, err = s.returns(ctx); err != nil {
		return status, err
	}
	counts, err := s.store.Counts(ctx)
	if err == nil {
		status.Books = &counts
	}
	return status, err
}

func (s *Server) state(pauses bidder.Pauses) string {
	switch {
	case s.draining.Load(), s.deafness.Load() != nil:
		return "stopping"
	case s.books.why() != "":
		return "books broken"
	case pauses.All:
		return "paused"
	case s.storeErr.Load() != nil:
		return "store away"
	case s.inForce.Load().rules.Settings().Mode == rules.Observe:
		return "observing"
	}
	return "live"
}

// answerAdmin answers an operator. What the books were out of reach for may be sent again in a second.
func answerAdmin(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// adminRoutes are the operator's: health, metrics, profiles, the status, and reloading.
func (s *Server) adminRoutes() http.Handler {
	routes := httpguard.AdminMux(s.meters.registry, s.ready)
	routes.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		status, err := s.Status(r.Context())
		if err != nil {
			status.StoreError = err.Error()
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(status)
	})
	routes.HandleFunc("POST /-/keys/rotate", s.serveRotate)
	routes.HandleFunc("POST /-/dispute", s.serveDispute)
	routes.HandleFunc("POST /v1/outcomes", s.serveOutcomes)
	routes.HandleFunc("GET /pacing", s.servePacing)
	routes.HandleFunc("POST /-/pacing/reset", s.serveReset)
	if s.options.Load != nil {
		routes.HandleFunc("POST /-/reload", func(w http.ResponseWriter, r *http.Request) {
			// Whoever asked may go away; what has begun is ended.
			done := s.Reload()
			w.Header().Set("Content-Type", "application/json")
			if done.Result == ReloadRefused {
				w.WriteHeader(http.StatusUnprocessableEntity)
			}
			_ = json.NewEncoder(w).Encode(done)
		})
	}
	return routes
}
