package strategy

import (
	"fmt"
	"time"
)

// Standing is why the bids are where they are, for people. It is read, and changes nothing.
type Standing struct {
	Lines []LineStanding `json:"lines"`
	Caps  []CapStanding  `json:"caps"`
}

// LineStanding is one campaign on one exchange.
type LineStanding struct {
	Campaign  string  `json:"campaign"`
	Exchange  string  `json:"exchange"`
	Objective string  `json:"objective"`
	Pacing    string  `json:"pacing"`
	Lambda    float64 `json:"lambda"`   // dollars bid for each dollar that a lead is worth; as_written: the share of leads bought
	Mu        float64 `json:"mu"`       // 1/lambda - 1: the price of money; 0 with as_written
	Nu        float64 `json:"nu"`       // dollars: the price of a lead's place
	Worth     float64 `json:"worth"`    // dollars: of its leads on average; 0 before the first
	PerWeek   float64 `json:"per_week"` // pings that a week is expected to bring
	Lately    float64 `json:"lately"`   // how many come lately for each that was expected
	Won       float64 `json:"won"`      // the share of bids that win
	Words     string  `json:"words"`    // the same as a sentence
}

// CapStanding is one cap that is paced, in its present window.
type CapStanding struct {
	Cap    string    `json:"cap"`
	Ends   time.Time `json:"ends,omitzero"` // zero before the books told of it
	Limit  float64   `json:"limit,omitempty"`
	Leads  float64   `json:"leads,omitempty"`
	Spent  float64   `json:"spent"`  // the share that is used: of the dollars, or without a limit on them of the leads
	Plan   float64   `json:"plan"`   // the share that is planned to be used by now
	Lambda float64   `json:"lambda"` // what this cap alone comes to
	Nu     float64   `json:"nu"`     // dollars: likewise
	Words  string    `json:"words"`
}

// Show tells where all lines and caps stand.
func (d *Desk) Show(now time.Time) Standing {
	s := Standing{Lines: []LineStanding{}, Caps: []CapStanding{}} // [] in JSON, not null
	for i := range d.lines {
		s.Lines = append(s.Lines, d.lines[i].show())
	}
	for i := range d.caps {
		if one, paced := d.showCap(now.In(d.setup.Zone), i); paced {
			s.Caps = append(s.Caps, one)
		}
	}
	return s
}

func (l *line) show() LineStanding {
	s := LineStanding{
		Campaign: l.Line.Campaign, Exchange: l.Line.Exchange, Objective: l.Objective.String(), Pacing: l.Pacing.String(),
		Lambda: l.Lambda, Nu: l.Nu, Worth: l.Worth, PerWeek: l.Size, Lately: l.Lately.factor(), Won: l.won(),
	}
	if l.Objective != AsWritten {
		s.Mu = 1/l.Lambda - 1
	}
	s.Words = l.words(s.Mu)
	return s
}

func (l *line) words(mu float64) string {
	text := l.Line.Campaign + " on " + l.Line.Exchange + ": "
	switch {
	case l.Pacing == Asap && l.Objective == Profit:
		text += "not paced: money for every lead, as long as it lasts"
	case l.Pacing == Asap:
		text += fmt.Sprintf("not paced: a lead is bid up to $%.2f for each dollar it is worth, and at most %s", l.Lambda, dollars(l.MaxBid))
	case l.Objective == AsWritten && l.Lambda >= 1:
		text += "money for every lead at its price"
	case l.Objective == AsWritten:
		text += fmt.Sprintf("buys the best %.0f %% of leads at their prices", 100*l.Lambda)
	case mu == 0:
		text += "money for every lead: it is bid what it is worth"
	case mu > 0:
		text += fmt.Sprintf("mu %.2f: a lead is bid $%.2f for each dollar it is worth", mu, l.Lambda)
	default:
		text += fmt.Sprintf("more money than leads: one is bid $%.2f for each dollar it is worth, and at most %s", l.Lambda, dollars(l.MaxBid))
	}
	if l.Nu > 0 {
		text += fmt.Sprintf(", less %s for its place", dollars(l.Nu))
	}
	if l.isShaded() {
		text += "; of that, what earns most is bid"
	}
	return text
}

// showCap tells where a cap stands; paced is false where no line paces by it.
func (d *Desk) showCap(now time.Time, at int) (s CapStanding, paced bool) {
	c := &d.caps[at]
	s = CapStanding{Cap: c.Cap.Name, Limit: c.Dollars, Leads: c.Cap.Leads, Lambda: c.Lambda, Nu: c.Nu}
	known := now.Before(c.End)
	var soFar, whole float64
	for i := range d.lines {
		l := &d.lines[i]
		if l.Pacing == Asap || !l.under(at) {
			continue
		}
		paced = true
		if known {
			start := c.Start.In(d.setup.Zone)
			soFar += l.plan(start, now)
			whole += l.plan(start, c.End.In(d.setup.Zone))
		}
	}
	what := dollars(c.Dollars)
	switch {
	case c.Dollars > 0:
		s.Spent = (c.Dollars - c.Left.Dollars) / c.Dollars
	case c.Cap.Leads > 0:
		s.Spent, what = (c.Cap.Leads-c.Left.Leads)/c.Cap.Leads, fmt.Sprintf("%.0f leads", c.Cap.Leads)
	}
	if !known {
		s.Spent = 0
		s.Words = s.Cap + ": nothing is known of its present window yet"
		return s, paced
	}
	s.Ends, s.Plan = c.End, soFar/max(whole, 1e-9)
	s.Words = fmt.Sprintf("%s: %.0f %% of %s is used where the plan has %.0f %%", s.Cap, 100*s.Spent, what, 100*s.Plan)
	return s, paced
}

// plan is what a line counts on between two instants: pings, or where it spreads evenly, open hours
// in the measure of pings.
func (l *line) plan(from, to time.Time) (sum float64) {
	if l.Pacing != Even {
		return l.Week.Expect(from, to)
	}
	for _, hours := range l.Open.byPart(from, to) {
		sum += hours * l.Size / hoursOfWeek
	}
	return sum
}

// Reset forgets what the lines of a campaign learned of weeks and prices, or those of all where it is
// "". Bids that are out stay counted, and what became of leads stays known. It gives how many lines
// began anew.
func (d *Desk) Reset(now time.Time, campaign string) (lines int) {
	fresh := NewDesk(d.setup)
	for i := range d.lines {
		l := &d.lines[i]
		if campaign != "" && l.Line.Campaign != campaign {
			continue
		}
		fresh.lines[i].Pending, fresh.lines[i].PendingLeads = l.Pending, l.PendingLeads
		l.LineState = fresh.lines[i].LineState
		lines++
	}
	d.solve(now)
	return lines
}
