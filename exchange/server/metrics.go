package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadbid/exchange"
	"leadbid/pingpost"
)

// meters are what the exchange counts. Labels are names of the configuration and words of closed
// lists: nothing that a client sends becomes a label.
type meters struct {
	leads    *prometheus.CounterVec   // by seller and result
	answers  *prometheus.CounterVec   // by buyer and status
	latency  *prometheus.HistogramVec // of answers, by buyer
	posts    *prometheus.CounterVec   // by buyer and verdict
	notices  *prometheus.CounterVec   // by buyer, outcome and result
	ends     *prometheus.CounterVec   // by event and reason
	cents    *prometheus.CounterVec   // sold, by seller
	batches  prometheus.Histogram
	commits  prometheus.Histogram
	events   prometheus.Counter
	refused  prometheus.Counter
	restarts prometheus.Counter
	rejected *prometheus.CounterVec // requests, by why
}

func newMeters(registry prometheus.Registerer) *meters {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "exchange", Name: name, Help: help}, labels)
		registry.MustRegister(vec)
		return vec
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "exchange", Name: name, Help: help, Buckets: buckets}, labels)
		registry.MustRegister(vec)
		return vec
	}
	milliseconds := []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .3, .5, 1, 2}
	return &meters{
		leads:    counter("leads_total", "Leads that sellers brought, by what became of the request.", "seller", "result"),
		answers:  counter("answers_total", "Answers of buyers to pings.", "buyer", "status"),
		latency:  histogram("answer_seconds", "Time from the beginning of an auction to a buyer's answer.", milliseconds, "buyer"),
		posts:    counter("posts_total", "Attempts at posting a lead, by the buyer's verdict.", "buyer", "verdict"),
		notices:  counter("notices_total", "Notices to buyers, by what became of them.", "buyer", "outcome", "result"),
		ends:     counter("offers_ended_total", "Offers that ended, by how and why.", "end", "reason"),
		cents:    counter("sold_dollars_total", "Prices of sold leads in dollars, returned ones included.", "seller"),
		batches:  histogram("batch_commands", "Commands in one commit.", []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}).WithLabelValues().(prometheus.Histogram),
		commits:  histogram("commit_seconds", "Time of one commit, sync included.", milliseconds).WithLabelValues().(prometheus.Histogram),
		events:   counter("events_total", "Events that happened.").WithLabelValues(),
		refused:  counter("commands_refused_total", "Commands refused because too many were waiting.").WithLabelValues(),
		restarts: counter("restarts_total", "Restarts from the store after a failed commit.").WithLabelValues(),
		rejected: counter("requests_rejected_total", "Requests refused before they became a command.", "why"),
	}
}

// watch adds what is read when somebody looks.
func (m *meters) watch(registry prometheus.Registerer, s *Server) {
	gauge := func(name, help string, read func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "exchange", Name: name, Help: help}, read))
	}
	gauge("commands_waiting", "Commands waiting for the market.", func() float64 { return float64(len(s.desk.calls)) })
	gauge("sending", "Auctions, posts and notices under way.", func() float64 { return float64(s.sender.inFlight.Load()) })
	gauge("buyers_resting", "Buyers that are left alone for a while after failing repeatedly.", func() float64 {
		resting := 0
		for _, health := range s.pinger.Health() {
			if health.Resting > 0 {
				resting++
			}
		}
		return float64(resting)
	})
}

func (m *meters) committed(commands, events int, took time.Duration) {
	m.batches.Observe(float64(commands))
	m.commits.Observe(took.Seconds())
	m.events.Add(float64(events))
}

func (m *meters) happened(e *exchange.Event) {
	if e.Kind.Ends() {
		m.ends.WithLabelValues(e.Kind.String(), e.Reason.String()).Inc()
	}
	if e.Kind == exchange.Sold {
		m.cents.WithLabelValues(e.Seller).Add(float64(e.Price) / 100)
	}
}

func (m *meters) answered(a *exchange.Answer) {
	m.answers.WithLabelValues(a.Buyer, a.Status.String()).Inc()
	m.latency.WithLabelValues(a.Buyer).Observe(a.Latency.Seconds())
}

func (m *meters) posted(buyer string, verdict pingpost.VerdictKind) {
	m.posts.WithLabelValues(buyer, verdictWord(verdict)).Inc()
}
