package server

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/pingpost"
)

// meters are the bidder's metrics. What a ping touches is looked up once, at the start, so that
// counting costs an atomic addition and no map of labels.
type meters struct {
	registry *prometheus.Registry

	took prometheus.Histogram

	bids, dollars, noBids *prometheus.CounterVec

	mu    sync.Mutex
	pings map[string]*pingMeters // by exchange: all that there were since the start
	would map[line]*wouldBid

	posts, notices, badInput *prometheus.CounterVec
	capUsed, capLimit        *prometheus.GaugeVec
	silent, heard            *prometheus.GaugeVec // by exchange
	verified, verifyTook     prometheus.Gauge
	findings                 prometheus.Gauge
	unauthorized, overloaded prometheus.Counter
	panics                   prometheus.Counter
	returns                  *prometheus.GaugeVec // by exchange and state
	acceptRate               *prometheus.GaugeVec // by exchange
}

type pingMeters struct {
	bids    counted
	dollars prometheus.Counter
	noBids  [pingpost.Internal + 1]*counted // by reason; nil where a ping never gets it
}

// tookBuckets are seconds: from what a decision costs on a quiet machine to a missed deadline.
var tookBuckets = []float64{5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5}

func newMeters() *meters {
	m := &meters{registry: prometheus.NewRegistry(), pings: map[string]*pingMeters{}, would: map[line]*wouldBid{}}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(g)
		return g
	}
	m.bids = counters("bidder_bids_total", "Bids sent.", "exchange")
	m.dollars = counters("bidder_bid_dollars_total", "Sum of the bids sent, in dollars.", "exchange")
	m.noBids = counters("bidder_no_bids_total", "Pings answered without a bid, by reason.", "exchange", "reason")
	m.took = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "bidder_decision_seconds", Help: "From a decoded ping to its decision.", Buckets: tookBuckets,
	})
	m.registry.MustRegister(m.took, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.posts = counters("bidder_posts_total", "Posts by their answer; reason is empty on accepted ones.", "exchange", "answer", "reason")
	m.notices = counters("bidder_notices_total", "Notices by outcome; empty where the bid id is unknown.", "exchange", "outcome")
	m.badInput = counters("bidder_bad_input_total", "Bodies that could not be read.", "exchange", "reason")
	m.capUsed = gauges("bidder_cap_used", "What a cap's present window has come to: dollars or leads.", "scope", "name", "period", "unit")
	m.capLimit = gauges("bidder_cap_limit", "A cap's limit: dollars or leads.", "scope", "name", "period", "unit")
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	m.verified = gauge("bidder_verified_timestamp_seconds", "When the books were verified last.")
	m.verifyTook = gauge("bidder_verify_seconds", "How long the last verification took, its rests included.")
	m.findings = gauge("bidder_verify_findings", "Broken promises that the last verification found, accepted ones included.")
	m.silent = gauges("bidder_exchange_silent", "1 while bids are withheld because no post and no notice comes.", "exchange")
	m.heard = gauges("bidder_exchange_heard_timestamp_seconds", "When the last post or notice came.", "exchange")
	m.acceptRate = gauges("bidder_post_accept_rate", "Share of an exchange's posts of the last 30 days that were not refused here.", "exchange")
	m.returns = gauges("bidder_leads_to_return", "Leads disputed or undeliverable and not credited; state soon: the exchange's deadline is near.",
		"exchange", "state")
	m.unauthorized = counter("bidder_unauthorized_total", "Requests of an unknown exchange or with a wrong key.")
	m.overloaded = counter("bidder_overload_total", "Requests turned away because too many were under way.")
	m.panics = counter("bidder_panics_total", "Requests that panicked: each is a defect.")
	return m
}

// watch adds what is read when the metrics are read.
func (m *meters) watch(s *Server) {
	m.registry.MustRegister(
		newPacingMeters(s),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "bidder_recording_dropped_total", Help: "Inputs that are missing in the recording.",
		}, func() float64 { return float64(s.record.missed()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "bidder_store_away", Help: "1 while the store does not answer.",
		}, func() float64 {
			return oneIf(s.storeErr.Load() != nil)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "bidder_books_broken", Help: "1 while nothing is bid because a promise about money is broken.",
		}, func() float64 {
			return oneIf(s.books.why() != "")
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "bidder_rules_generation", Help: "The generation of the rules in force, from 1; a reload that changes them adds one.",
		}, func() float64 { return float64(s.inForce.Load().generation) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "bidder_reload_failed", Help: "1 where the last reload was refused and the rules before it go on.",
		}, func() float64 {
			last := s.lastReload.Load()
			return oneIf(last != nil && last.Result == ReloadRefused)
		}),
	)
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// of gives the meters of an exchange. They outlive its settings: a counter never goes back.
func (m *meters) of(exchange string) *pingMeters {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pings[exchange] == nil {
		m.pings[exchange] = newPingMeters(exchange, m.bids, m.dollars, m.noBids)
	}
	return m.pings[exchange]
}

// line is a campaign on an exchange.
type line struct{ campaign, exchange string }

// wouldBid sums up what was not bid because it was only observed.
type wouldBid struct {
	bids    int64
	dollars pingpost.Cents
}

// observed counts what a campaign would have bid. An answer that is repeated counts once.
func (m *meters) observed(x *exchange, d *bidder.Decision) {
	would := d.Would
	if d.Reason == pingpost.Observing {
		would = bidder.Would{Campaign: d.Campaign, Price: d.Price}
	}
	if would.Campaign == "" || d.Repeat {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := line{would.Campaign, x.Name}
	if m.would[key] == nil {
		m.would[key] = &wouldBid{}
	}
	m.would[key].bids++
	m.would[key].dollars += would.Price
}

// wouldBids lists what was only observed, by campaign and exchange.
func (m *meters) wouldBids() []ObservedStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []ObservedStatus
	for key, sum := range m.would {
		list = append(list, ObservedStatus{key.campaign, key.exchange, sum.bids, sum.dollars})
	}
	slices.SortFunc(list, func(a, b ObservedStatus) int {
		return cmp.Or(cmp.Compare(a.Campaign, b.Campaign), cmp.Compare(a.Exchange, b.Exchange))
	})
	return list
}

// forgetCaps drops what was shown of caps: some may be gone. The next answer of the store shows
// those in force.
func (m *meters) forgetCaps() {
	m.capUsed.Reset()
	m.capLimit.Reset()
}

func newPingMeters(exchange string, bids, dollars, noBids *prometheus.CounterVec) *pingMeters {
	p := &pingMeters{
		bids:    counted{Counter: bids.WithLabelValues(exchange)},
		dollars: dollars.WithLabelValues(exchange),
	}
	for _, reason := range pingpost.Reasons() {
		if reason <= pingpost.Observing || reason == pingpost.Voided || reason == pingpost.Internal {
			p.noBids[reason] = &counted{Counter: noBids.WithLabelValues(exchange, reason.String())}
		}
	}
	return p
}

func (m *meters) decided(x *exchange, d *bidder.Decision, took time.Duration) {
	m.took.Observe(took.Seconds())
	m.observed(x, d)
	p := x.meters
	if d.Bid {
		p.bids.inc()
		p.dollars.Add(dollars(d.Price))
		return
	}
	if counter := p.noBids[d.Reason]; counter != nil {
		counter.inc()
	}
}

// answers reads the counters of pings back, summed over the exchanges.
func (m *meters) answers() AnswerCounts {
	counts := AnswerCounts{NoBids: map[string]int64{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pings {
		counts.Bids += p.bids.count.Load()
		for reason, counter := range p.noBids {
			if counter == nil {
				continue
			}
			if n := counter.count.Load(); n > 0 {
				counts.NoBids[pingpost.Reason(reason).String()] += n
			}
		}
	}
	return counts
}

// counted is a counter that can also be read back.
type counted struct {
	prometheus.Counter
	count atomic.Int64
}

func (c *counted) inc() {
	c.count.Add(1)
	c.Counter.Inc()
}

func (m *meters) refused(x *exchange, reason pingpost.Reason) {
	m.badInput.WithLabelValues(x.Name, reason.String()).Inc()
}

func (m *meters) settled(x *exchange, verdict pingpost.Verdict) {
	m.posts.WithLabelValues(x.Name, verdictWords[verdict.Kind], verdict.Reason.String()).Inc()
}

var verdictWords = map[pingpost.VerdictKind]string{
	pingpost.VerdictAccepted: "accepted", pingpost.VerdictRejected: "rejected",
	pingpost.VerdictConflict: "conflict", pingpost.VerdictBusy: "busy",
}

func (m *meters) noticed(x *exchange, outcome pingpost.Outcome) {
	m.notices.WithLabelValues(x.Name, outcome.String()).Inc()
}

// caps shows what the store said of every cap.
func (m *meters) caps(uses []budget.CapUse) {
	for _, use := range uses {
		scope, period := use.Cap.Scope.Kind.String(), use.Cap.Period.String()
		if use.Cap.Cents.Set {
			m.capUsed.WithLabelValues(scope, use.Cap.Scope.Name, period, "dollars").Set(dollars(use.UsedCents))
			m.capLimit.WithLabelValues(scope, use.Cap.Scope.Name, period, "dollars").Set(dollars(pingpost.Cents(use.Cap.Cents.N)))
		}
		if use.Cap.Leads.Set {
			m.capUsed.WithLabelValues(scope, use.Cap.Scope.Name, period, "leads").Set(float64(use.UsedLeads))
			m.capLimit.WithLabelValues(scope, use.Cap.Scope.Name, period, "leads").Set(float64(use.Cap.Leads.N))
		}
	}
}

func dollars(c pingpost.Cents) float64 { return float64(c) / 100 }
