package strategy

import (
	"math"
	"time"
)

const (
	// shareNews is how much of a cap the plan must have spent, or the replicas, before the share of one is
	// weighed anew, and shareDoubt how much more says nothing: a few leads bought by chance are no news.
	shareNews, shareDoubt = 0.1, 0.2

	// shareKeeps is how much of its distance from an equal share one keeps each time.
	shareKeeps = 0.9

	// replicaGone is how long one must not have been counted to be gone.
	replicaGone = 15 * time.Minute
)

// share is which part of what a cap has left one of several replicas plans with. None of them knows the
// pings of the others, but each is told what all of them spend. They begin with equal shares; where all
// together spend more than the plan of one says, as where it sees more of the pings than others do, each
// takes less, and where they spend less, as where one of them gets no pings, each takes more.
type share struct {
	Replicas int       `json:"replicas"`
	Counted  time.Time `json:"counted,omitzero"` // when there were as many last
	Part     float64   `json:"part"`
	Planned  float64   `json:"planned"` // to be spent by all since Part was weighed last
	Spent    float64   `json:"spent"`   // by all since then
	Left     float64   `json:"left"`    // in the cap, when it was read last
	Rest     float64   `json:"rest"`    // of the plan, then
}

// part is how much of what is left is this replica's own.
func (s *share) part() float64 {
	if s.Replicas <= 1 {
		return 1
	}
	return s.Part
}

// count takes over how many replicas are told. One that asks nothing of the books for a while is not
// counted there and soon will be again.
func (s *share) count(now time.Time, replicas int) {
	if replicas < s.Replicas && now.Sub(s.Counted) < replicaGone {
		return
	}
	if replicas != s.Replicas {
		*s = share{Replicas: replicas, Part: 1 / float64(max(replicas, 1))}
	}
	s.Counted = now
}

// weigh takes over what a reading tells: so much is left of the limit, and so much of the plan.
func (s *share) weigh(limit, left, rest float64) {
	if !(limit > 0) {
		return
	}
	if s.Rest > rest && s.Left > 0 {
		s.Planned += s.Left * (1 - rest/s.Rest)
		s.Spent += max(s.Left-left, 0)
	}
	s.Left, s.Rest = left, rest
	if news := shareNews * limit; max(s.Planned, s.Spent) < news {
		return
	}
	equal, doubt := 1/float64(s.Replicas), shareDoubt*limit
	s.Part = equal * math.Pow(s.Part/equal*math.Sqrt((s.Planned+doubt)/(s.Spent+doubt)), shareKeeps)
	s.Part = min(max(s.Part, equal/2), 1)
	s.Planned, s.Spent = 0, 0
}

// share weighs the share of a cap that was just read.
func (d *Desk) share(now time.Time, at, replicas int) {
	c := &d.caps[at]
	if c.Share.count(now, max(replicas, 1)); c.Share.Replicas == 1 {
		return
	}
	rest, from, to := 0.0, now.In(d.setup.Zone), c.End.In(d.setup.Zone)
	for i := range d.lines {
		if l := &d.lines[i]; l.Pacing != Asap && l.under(at) {
			rest += l.plan(from, to)
		}
	}
	if c.Dollars > 0 {
		c.Share.weigh(c.Dollars, c.Left.Dollars, rest)
	} else {
		c.Share.weigh(c.Cap.Leads, c.Left.Leads, rest)
	}
}
