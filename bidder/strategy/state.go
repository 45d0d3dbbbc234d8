package strategy

import (
	"slices"
	"time"
)

// State is everything that a Desk's quotes depend on besides its Setup, as plain data: for
// snapshots, for checkpoints that outlive the process, and for people who ask why the bids are
// where they are.
type State struct {
	Lines  []LineState `json:"lines,omitempty"`
	Caps   []CapState  `json:"caps,omitempty"`
	Crews  []CrewState `json:"crews,omitempty"`
	Open   []openBid   `json:"open,omitempty"`
	Worths Worths      `json:"worths,omitzero"` // what became of leads
	Solved time.Time   `json:"solved,omitzero"` // when the prices were worked out last
	Since  int         `json:"since,omitempty"` // pings since
	Stale  bool        `json:"stale,omitempty"` // or too much has changed since

	Answered []answeredBid `json:"answered,omitempty"` // whose price may still be told
}

// LineState is what is known of one line.
type LineState struct {
	Campaign string `json:"campaign"`
	Exchange string `json:"exchange"`

	Week     Week            `json:"week"`
	Response Response        `json:"response"` // of all hours
	Parts    [parts]Response `json:"parts"`    // of the parts of the day
	Merit    merit           `json:"merit"`

	Size   float64   `json:"size"`   // pings that a whole week is expected to bring, as prices were worked out last
	Worth  float64   `json:"worth"`  // of its leads on average, the latest for more
	Lately mood      `json:"lately"` // whether more pings come than the week lets expect
	Marked time.Time `json:"marked,omitzero"`

	Bids  float64 `json:"bids"` // the latest that were answered
	Wins  float64 `json:"wins"`
	Asked float64 `json:"asked"` // dollars bid
	Spent float64 `json:"spent"` // and paid

	Hoped  float64 `json:"hoped"`  // wins that the latest bids were expected to bring
	Took   float64 `json:"took"`   // and brought
	Doubt  float64 `json:"doubt"`  // the variance of what they bring
	Few    doubt   `json:"few"`    // the same of the last few
	Bursts float64 `json:"bursts"` // how many times as large as by chance the variance of a few usually is

	Pending      float64 `json:"pending"` // dollars and number of the open bids
	PendingLeads float64 `json:"pending_leads"`

	Yields  [parts]yield `json:"yields"`
	Markets []market     `json:"markets"` // by segment; the first is the line's own
	Answers int          `json:"answers"` // since the yields were worked out
	Learned bool         `json:"learned"`
	Lambda  float64      `json:"lambda"` // as Quote.Lambda
	Nu      float64      `json:"nu"`     // as Quote.Nu

	Demand demand  `json:"demand,omitzero"` // for its crew's hours
	Part   float64 `json:"part"`            // of the leads, what the price of those hours leaves
}

func (l LineState) clone() LineState {
	markets := make([]market, max(len(l.Markets), 1))
	copy(markets, l.Markets)
	for i := range markets {
		m := &markets[i]
		m.Prices.Spots, m.Shades = slices.Clone(m.Prices.Spots), slices.Clone(m.Shades)
	}
	l.Markets = markets
	return l
}

// CapState is one cap in its present window.
type CapState struct {
	Name       string    `json:"name"`
	Start      time.Time `json:"start,omitzero"`
	End        time.Time `json:"end,omitzero"`
	Left       room      `json:"left"`
	SolvedLeft room      `json:"solved_left"`
	Lambda     float64   `json:"lambda"`
	Nu         float64   `json:"nu"`
	Share      share     `json:"share,omitzero"`
}

// room is what a cap has left: 0 also where it has no such limit.
type room struct {
	Dollars float64 `json:"dollars"`
	Leads   float64 `json:"leads"`
}

// State copies the Desk's state.
func (d *Desk) State() State {
	s := State{Open: d.open.all(), Answered: d.answered.all(), Worths: d.worths.state(),
		Solved: d.solved, Since: d.since, Stale: d.stale}
	for i := range d.lines {
		s.Lines = append(s.Lines, d.lines[i].LineState.clone())
	}
	for i := range d.caps {
		s.Caps = append(s.Caps, d.caps[i].CapState)
	}
	for i := range d.crews {
		c := d.crews[i].CrewState
		c.Bookings = slices.Clone(c.Bookings)
		s.Crews = append(s.Crews, c)
	}
	return s
}

// Restore makes a Desk that goes on where a State was taken. Lines and caps are found by their
// names: what the Setup no longer has is forgotten, what is new begins anew.
func Restore(setup Setup, s State) *Desk {
	d := NewDesk(setup)
	d.solved, d.since, d.stale = s.Solved, s.Since, s.Stale
	d.worths = restoreWorths(s.Worths)
	moved := map[int]int{} // from the State's number of a line to the Desk's
	for from := range s.Lines {
		if to := d.lineNamed(s.Lines[from].Campaign, s.Lines[from].Exchange); to >= 0 {
			d.lines[to].LineState, moved[from] = s.Lines[from].clone(), to
			d.lines[to].Merit.Written = d.lines[to].Objective == AsWritten
		}
	}
	for _, c := range s.Caps {
		for i := range d.caps {
			if d.caps[i].Cap.Name == c.Name {
				d.caps[i].CapState = c
			}
		}
	}
	for _, c := range s.Crews {
		if to := d.crewNamed(c.Name); to != nil {
			c.Bookings = slices.Clone(c.Bookings)
			to.CrewState = c
		}
	}
	for _, bid := range s.Open {
		to, kept := moved[bid.Line]
		if !kept {
			d.free(bid)
			continue
		}
		bid.Line = to
		d.open.add(bid)
	}
	for _, bid := range s.Answered {
		if to, kept := moved[bid.Line]; kept {
			bid.Line = to
			d.answered.add(bid)
		}
	}
	return d
}

// Adopt puts another Setup in force; what was learned stays, and all prices are worked out anew.
func (d *Desk) Adopt(setup Setup) *Desk {
	next := Restore(setup, d.State())
	next.stale = true
	for i := range next.lines {
		next.lines[i].Learned = false
	}
	for i := range next.crews {
		next.crews[i].Stale = true
	}
	return next
}

// Checkpoint is what is worth keeping when the process ends: a State without open bids, whose lines
// do not take the time until they go on for a time without pings. What became of leads stands in the
// books, and is told anew from there.
func (d *Desk) Checkpoint() State {
	s := d.State()
	without := Restore(d.setup, s)
	for _, bid := range s.Open {
		without.free(bid)
	}
	s.Open, s.Answered, s.Worths, s.Crews = nil, nil, Worths{}, without.State().Crews
	s.Stale = true
	for i := range s.Lines {
		l := &s.Lines[i]
		l.Pending, l.PendingLeads, l.Marked = 0, 0, time.Time{}
		l.Week.Until = time.Time{}
		l.Yields, l.Learned = [parts]yield{}, false // they follow from the rest
	}
	return s
}

// Empty says whether there is anything in it.
func (s *State) Empty() bool { return len(s.Lines) == 0 }

func (d *Desk) lineNamed(campaign, exchange string) int {
	for i := range d.setup.Lines {
		if d.setup.Lines[i].Campaign == campaign && d.setup.Lines[i].Exchange == exchange {
			return i
		}
	}
	return -1
}
