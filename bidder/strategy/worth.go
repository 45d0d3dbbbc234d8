package strategy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"leadbid/pingpost"
)

const (
	// priorLeads is how many leads the more general rate counts as beside a group's own: thirty leads of
	// one source say about as much of it as all other leads of its trade do.
	priorLeads = 30.0

	// mostGroups bounds how many sources, and how many ZIP prefixes, are remembered; the rarest is
	// forgotten first.
	mostGroups = 2000

	// longestSource is the longest name of a source that is told apart.
	longestSource = 128
)

// Segment is what leads are told apart by where their outcomes are learned from.
type Segment struct {
	Service pingpost.Service `json:"service"`
	Job     pingpost.Job     `json:"job,omitempty"`
	ZIP3    uint16           `json:"zip3,omitempty"` // the first three digits; 0 where the ZIP is not known
	Source  string           `json:"source,omitempty"`
}

// SegmentOf is that of a ping, or of a lead by its ping's fields.
func SegmentOf(service pingpost.Service, job pingpost.Job, zip pingpost.ZIP, source string) Segment {
	if len(source) > longestSource {
		source = ""
	}
	return Segment{Service: service, Job: job, ZIP3: uint16(zip / 100), Source: source}
}

// Evidence is what became of leads of one segment. What was said of a lead before and is mended now
// is taken back by negative numbers.
type Evidence struct {
	Segment
	Leads   int       `json:"leads,omitempty"`   // whose end is known
	Closed  int       `json:"closed,omitempty"`  // of them: those that became jobs
	Jobs    int       `json:"jobs,omitempty"`    // of these: those whose amount was told
	Dollars float64   `json:"dollars,omitempty"` // what those brought
	Known   time.Time `json:"known"`             // since when: nothing is learned from it before
}

// group is what a tally is about: a trade, a ZIP prefix of one, or a source of one; the rest is blank.
// A trade is a service with the kind of job: repairs close at other rates, and bring other amounts,
// than replacements do.
type group Segment

func (g group) compare(other group) int {
	return cmp.Or(cmp.Compare(g.Service, other.Service), cmp.Compare(g.Job, other.Job),
		cmp.Compare(g.ZIP3, other.ZIP3), cmp.Compare(g.Source, other.Source))
}

func tradeOf(s Segment) group  { return group{Service: s.Service, Job: s.Job} }
func placeOf(s Segment) group  { return group{Service: s.Service, Job: s.Job, ZIP3: s.ZIP3} }
func sourceOf(s Segment) group { return group{Service: s.Service, Job: s.Job, Source: s.Source} }

// tally counts the leads of a group whose end is known.
type tally struct{ leads, closed, jobs, dollars float64 }

func (t *tally) add(e *Evidence) {
	t.leads, t.closed = t.leads+float64(e.Leads), t.closed+float64(e.Closed)
	t.jobs, t.dollars = t.jobs+float64(e.Jobs), t.dollars+e.Dollars
}

// trade and number stand for groups where a bid looks them up.
func (g group) trade() uint16  { return uint16(g.Service)<<8 | uint16(g.Job) }
func (g group) number() uint32 { return uint32(g.trade())<<16 | uint32(g.ZIP3) }

// worths is what became of leads, by trade, ZIP prefix and source. The same tallies are found by what
// costs a bid least: a number, or the name of a source and, of the few trades that it has, the one.
type worths struct {
	trades, places, sources map[group]*tally

	general map[uint32]*tally // trades and places
	named   map[string][]tradeTally
}

type tradeTally struct {
	trade uint16
	*tally
}

// Rate is what is expected of a lead: the share of its like that becomes a job, and what a job brings.
type Rate struct {
	Close float64
	Job   float64 // dollars

	leads float64 // of the narrowest group that taught something
	of    group
}

// String names the leads that a rate was learned from; "" where there were none.
func (r Rate) String() string {
	if r.leads == 0 {
		return ""
	}
	leads := fmt.Sprintf("of %.0f leads", r.leads)
	if r.leads == 1 {
		leads = "of 1 lead"
	}
	switch {
	case r.of.Source != "":
		return leads + " from " + r.of.Source
	case r.of.ZIP3 != 0:
		return leads + fmt.Sprintf(" in ZIPs %03d..", r.of.ZIP3)
	case r.of.Job != 0:
		return leads + " of " + r.of.Service.String() + " " + r.of.Job.String()
	}
	return leads + " of " + r.of.Service.String()
}

// Rate is what is expected of a lead where the contractor expects prior. The rates of the trade are
// drawn towards it, those of the ZIP prefix towards the trade's, and those of the source towards the
// prefix's, (30*general + closed) / (30 + leads) each time: the mean of a Beta distribution whose
// prior counts as 30 leads, one level above the other. So leads of a source with much history go by
// that, and those of one never seen by where they come from.
func (d *Desk) Rate(s Segment, prior Rate) Rate {
	r, w := Rate{Close: prior.Close, Job: prior.Job}, &d.worths
	r.narrow(w.general[tradeOf(s).number()], tradeOf(s))
	if s.ZIP3 != 0 {
		r.narrow(w.general[placeOf(s).number()], placeOf(s))
	}
	for _, t := range w.named[s.Source] {
		if t.trade == group(s).trade() {
			r.narrow(t.tally, sourceOf(s))
		}
	}
	return r
}

// narrow draws a rate towards that of a group within the former one; t is nil where nothing is known of
// it.
func (r *Rate) narrow(t *tally, of group) {
	if t == nil {
		return
	}
	r.Close = (float64(priorLeads*r.Close) + t.closed) / (priorLeads + t.leads)
	if t.jobs > 0 {
		r.Job = (float64(priorLeads*r.Job) + t.dollars) / (priorLeads + t.jobs)
	}
	r.leads, r.of = t.leads, of
}

// Learn takes what became of leads. What is known only later is not learned from: who has it tells it
// again then. It reports whether it was learned.
func (d *Desk) Learn(now time.Time, e Evidence) bool {
	if e.Known.After(now) {
		return false
	}
	w := &d.worths
	w.learn(w.trades, tradeOf(e.Segment), &e)
	if e.ZIP3 != 0 {
		w.learn(w.places, placeOf(e.Segment), &e)
	}
	if e.Source != "" {
		w.learn(w.sources, sourceOf(e.Segment), &e)
	}
	return true
}

// newWorths is what a Desk knows that was told of no lead.
func newWorths() worths {
	return worths{map[group]*tally{}, map[group]*tally{}, map[group]*tally{}, map[uint32]*tally{}, map[string][]tradeTally{}}
}

// learn adds to what is known of a group, which known holds or is to hold.
func (w *worths) learn(known map[group]*tally, of group, e *Evidence) {
	t := known[of]
	if t == nil {
		if e.Leads <= 0 {
			return // it was forgotten meanwhile
		}
		if len(known) >= mostGroups {
			w.forget(known, rarest(known))
		}
		t = w.begin(known, of)
	}
	if t.add(e); t.leads <= 0 {
		w.forget(known, of)
	}
}

func (w *worths) begin(known map[group]*tally, of group) *tally {
	t := &tally{}
	known[of] = t
	if of.Source == "" {
		w.general[of.number()] = t
	} else {
		w.named[of.Source] = append(w.named[of.Source], tradeTally{of.trade(), t})
	}
	return t
}

func (w *worths) forget(known map[group]*tally, of group) {
	delete(known, of)
	if of.Source == "" {
		delete(w.general, of.number())
		return
	}
	left := slices.DeleteFunc(w.named[of.Source], func(t tradeTally) bool { return t.trade == of.trade() })
	if w.named[of.Source] = left; len(left) == 0 {
		delete(w.named, of.Source)
	}
}

// rarest is the group with the fewest leads; of equals the one that sorts first, so that every replay
// forgets the same.
func rarest(known map[group]*tally) (least group) {
	first := true
	for of, t := range known {
		if first || t.leads < known[least].leads || t.leads == known[least].leads && of.compare(least) < 0 {
			least, first = of, false
		}
	}
	return least
}

// Learned is how many leads, and jobs among them, the rates were learned from.
func (d *Desk) Learned() (leads, closed int) {
	for _, t := range d.worths.trades {
		leads, closed = leads+int(t.leads), closed+int(t.closed)
	}
	return leads, closed
}

// Tally is what became of the leads of one group, as a State tells it.
type Tally struct {
	Segment
	Leads   float64 `json:"leads"`
	Closed  float64 `json:"closed"`
	Jobs    float64 `json:"jobs,omitempty"`
	Dollars float64 `json:"dollars,omitempty"`
}

// Worths are tallies by trade, ZIP prefix and source, each list in the order of its groups.
type Worths struct {
	Trades  []Tally `json:"trades,omitempty"`
	Places  []Tally `json:"places,omitempty"`
	Sources []Tally `json:"sources,omitempty"`
}

func (w *worths) state() Worths {
	return Worths{tallies(w.trades), tallies(w.places), tallies(w.sources)}
}

func tallies(known map[group]*tally) (list []Tally) {
	for _, of := range slices.SortedFunc(maps.Keys(known), group.compare) {
		t := known[of]
		list = append(list, Tally{Segment(of), t.leads, t.closed, t.jobs, t.dollars})
	}
	return list
}

func restoreWorths(s Worths) worths {
	w := newWorths()
	w.restore(w.trades, s.Trades)
	w.restore(w.places, s.Places)
	w.restore(w.sources, s.Sources)
	return w
}

func (w *worths) restore(known map[group]*tally, list []Tally) {
	for _, t := range list {
		*w.begin(known, group(t.Segment)) = tally{t.Leads, t.Closed, t.Jobs, t.Dollars}
	}
}
