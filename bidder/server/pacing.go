package server

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadbid/bidder/strategy"
	"leadbid/budget/store"
	"leadbid/rules"
)

const (
	// keptStrategy is the name in the books of what the strategy learned.
	keptStrategy = "strategy"

	keepEvery = time.Minute
)

// hasStrategy says whether any campaign's bids are moved or paced.
func hasStrategy(rs *rules.Ruleset) bool {
	return slices.ContainsFunc(rs.Campaigns(), func(c *rules.Campaign) bool { return !c.Strategy.IsPlain() })
}

// resumeStrategy takes over what was learned of weeks and prices before, as far as it can be read.
// Whatever is wrong with it costs days of learning and no money, so it keeps nobody from starting.
func (s *Server) resumeStrategy(ctx context.Context) {
	if !hasStrategy(s.options.Rules) {
		return
	}
	kept, since, err := ReadStrategy(ctx, s.store)
	switch {
	case err != nil:
		s.log.Warn().Err(err).Msg("pacing begins anew: what was learned of weeks and prices cannot be used")
	case !kept.Empty():
		s.agent.Resume(kept)
		s.log.Info().Time("of", since).Msg("pacing goes on from what was learned")
	}
}

// ReadStrategy reads what was kept in the books last; nothing where nothing was.
func ReadStrategy(ctx context.Context, books store.Store) (kept strategy.State, at time.Time, err error) {
	body, at, err := books.Kept(ctx, keptStrategy)
	if err != nil || body == nil {
		return strategy.State{}, at, err
	}
	kept, err = strategy.ReadCheckpoint(body)
	return kept, at, err
}

// keepLoop keeps what the strategy learned, beside the bids. Of several replicas the one that wrote
// last is taken over from.
func (s *Server) keepLoop(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.keepStrategy(ctx)
		}
	}
}

func (s *Server) keepStrategy(ctx context.Context) {
	state := s.agent.Checkpoint()
	if state.Empty() {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, shutdownStep)
	defer cancel()
	body, err := strategy.WriteCheckpoint(state)
	if err == nil {
		err = s.store.Keep(bounded, keptStrategy, s.clock.now(), body)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn().Err(err).Msg("what the strategy learned is not kept")
	}
}

// PacingReset tells what a reset came to.
type PacingReset struct {
	Campaign string `json:"campaign,omitempty"` // "" for all
	Lines    int    `json:"lines"`              // that began anew: campaigns on exchanges
}

// servePacing tells why the bids are where they are.
func (s *Server) servePacing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.agent.Pacing(s.clock.now()))
}

// serveReset forgets what was learned, in memory and in the books.
func (s *Server) serveReset(w http.ResponseWriter, r *http.Request) {
	campaign := r.FormValue("campaign")
	lines, stamp := s.agent.ResetPacing(s.clock.now(), campaign)
	s.record.reset(stamp, campaign)
	s.keepStrategy(context.WithoutCancel(r.Context()))
	s.log.Info().Str("campaign", campaign).Int("lines", lines).Msg("what pacing learned is forgotten")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(PacingReset{Campaign: campaign, Lines: lines})
}

// pacingMeters are read from the strategy when the metrics are.
type pacingMeters struct {
	server                       *Server
	lambda, nu, planned, reached *prometheus.Desc
}

func newPacingMeters(s *Server) *pacingMeters {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &pacingMeters{
		server:  s,
		lambda:  of("bidder_pacing_lambda", "Dollars bid for each dollar that a lead is worth; with as_written the share of leads bought.", "campaign", "exchange"),
		nu:      of("bidder_pacing_nu_dollars", "The price of a lead's place.", "campaign", "exchange"),
		planned: of("bidder_pacing_plan_share", "The share of a cap's present window that is planned to be used by now.", "cap"),
		reached: of("bidder_pacing_used_share", "The share of it that is used.", "cap"),
	}
}

// Describe implements prometheus.Collector.
func (m *pacingMeters) Describe(out chan<- *prometheus.Desc) {
	for _, one := range []*prometheus.Desc{m.lambda, m.nu, m.planned, m.reached} {
		out <- one
	}
}

// Collect implements prometheus.Collector.
func (m *pacingMeters) Collect(out chan<- prometheus.Metric) {
	gauge := func(of *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, value, labels...)
	}
	standing := m.server.agent.Pacing(m.server.clock.now())
	for _, l := range standing.Lines {
		gauge(m.lambda, l.Lambda, l.Campaign, l.Exchange)
		gauge(m.nu, l.Nu, l.Campaign, l.Exchange)
	}
	for _, c := range standing.Caps {
		gauge(m.planned, c.Plan, c.Cap)
		gauge(m.reached, c.Spent, c.Cap)
	}
}
