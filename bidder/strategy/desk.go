package strategy

import (
	"time"

	"leadbid/pingpost"
)

const (
	// learnEvery and learnShare are after how many answers a line's yields are worked out anew, once it
	// knows some: so many, or that share of those that it knows.
	learnEvery, learnShare = 200.0, 0.1

	// longestGap is how many expected pings a time without any counts for at most: a feed that stopped,
	// or a campaign that was closed, says little about how many pings come once there are some again.
	longestGap = 5.0

	// answerMemory is how many answers the share of bids that win, and what is paid for them, look back
	// over.
	answerMemory = 300.0

	// worthSteps is how many leads the average worth of a line's leads looks back over.
	worthSteps = 100
)

// Desk is the strategy of one bidder: what was learned, and the prices that follow from it. See the
// package comment for who calls it.
type Desk struct {
	setup  Setup
	lines  []line
	caps   []capState
	crews  []crew
	open   openBids
	worths worths
	solved time.Time // when the prices were worked out last
	since  int       // pings since
	stale  bool      // or too much has changed since
	flows  []flow    // the scratch paper of solve
	paper  paper     // and of the win curves

	answered answeredBids

	hours          *hoursPaper // and of the prices of crew hours
	today          int         // the civil day of these instants
	hour, hourEnds time.Time
}

// line is one Line with what is known of it.
type line struct {
	Line
	LineState
	crew int // in Desk.crews, or -1
}

// capState is one cap in its present window.
type capState struct {
	Cap
	CapState
}

// NewDesk makes a Desk that has seen nothing.
func NewDesk(setup Setup) *Desk {
	d := &Desk{setup: setup, worths: newWorths()}
	for _, l := range setup.Lines {
		d.lines = append(d.lines, line{l, LineState{Campaign: l.Campaign, Exchange: l.Exchange, Week: TradeWeek(l.Trade),
			Merit: merit{Written: l.Objective == AsWritten}, Markets: make([]market, 1), Lambda: 1, Part: 1}, -1})
		added := &d.lines[len(d.lines)-1]
		added.Size = added.Week.Total()
		added.learn(&d.paper)
	}
	for _, c := range setup.Caps {
		d.caps = append(d.caps, capState{c, CapState{Name: c.Name, Left: room{c.Dollars, c.Leads}, Lambda: mostRatio}})
	}
	d.hireCrews()
	return d
}

// Quote prices a ping. It changes nothing: who acts on the quote says so by Note.
func (d *Desk) Quote(ask Ask) Quote {
	l := &d.lines[ask.Line]
	worth := ask.Worth
	if worth == 0 {
		worth = ask.Most
	}
	q := Quote{Worth: worth, Lambda: l.Lambda, Nu: l.Nu}
	hours, fits := d.schedule(l, &ask, &q)
	if l.Objective == AsWritten {
		q.cell = int8(meritCell(l.meritOf(ask, worth)))
		if l.Pacing != Asap && !l.Merit.admits(int(q.cell), l.Lambda) {
			q.Reason = pingpost.PacedOut
			return q
		}
		if q.HourPrice > 0 && l.surplus(&ask, worth) < hours {
			q.Reason = pingpost.PacedOut
			return q
		}
		if !fits {
			q.Reason = pingpost.CapacityFull
			return q
		}
		q.Dollars = ask.Most
		return q
	}
	q.cell = int8(meritCell(worth))
	v := (worth - l.Nu - hours) * l.Lambda
	if v <= 0 {
		q.Reason = pingpost.PacedOut
		return q
	}
	if !fits {
		q.Reason = pingpost.CapacityFull
		return q
	}
	q.Dollars = v
	most := ask.Most
	if l.Objective == Volume {
		most = l.MaxBid
	}
	if l.isShaded() && !ask.Unshaded {
		l.shade(&q, ask, v, most)
	}
	q.Dollars = min(q.Dollars, most)
	return q
}

// shade turns what may be paid into the bid that earns most, or one nearby that explores. Where that
// is less than what a bid must come to, it is raised to it as long as it earns anything. No bid comes to more
// than most, and the chance is that of the bid which is made.
func (l *line) shade(q *Quote, ask Ask, v, most float64) {
	all := l.marketFor(ask.Territory).Shades
	q.Shaded = true
	best, chance := all.best(v)
	q.Dollars, q.Chance = best, chance
	if q.Tried = l.explore(ask.Draw); q.Tried > 0 {
		q.Dollars, q.Explore = min(q.Dollars*q.Tried, v), l.Explore
	}
	if q.Dollars < ask.Least && ask.Least < v {
		q.Dollars, q.Tried, q.Explore = ask.Least, 0, 0
	}
	if q.Dollars = min(q.Dollars, most); q.Dollars != best || chance == 0 {
		q.Chance = all.chanceOf(q.Dollars, q.Worth)
	}
}

// meritOf is what leads of a line whose bids are written are told apart by: what they are worth for
// a dollar, or where the campaign says no worth, the price that it wrote for them.
func (l *line) meritOf(ask Ask, worth float64) float64 {
	if ask.Worth > 0 {
		return worth / ask.Most
	}
	return ask.Most
}

// Note counts a ping that was quoted for, bid or not. Each ping of a line is noted once.
func (d *Desk) Note(now time.Time, ask Ask, q Quote) {
	l := &d.lines[ask.Line]
	l.see(now.In(d.setup.Zone), q.Worth)
	l.Merit.note(int(q.cell), q.Worth, ask.Most, l.Lambda)
	if l.crew >= 0 {
		l.Demand.note(waitClass[ask.Urgency], q.Hours, l.surplus(&ask, q.Worth), loadOf(ask.Hours, ask.Chance), q.Worth, ask.Most)
	}
	if d.since++; d.due(now) {
		d.solve(now)
	}
}

func (l *line) see(local time.Time, worth float64) {
	gap := 0.0
	if !l.Marked.IsZero() {
		gap = min(l.Week.between(l.Marked, local, l.Size), longestGap)
	}
	l.Marked = local
	l.Lately.note(gap)
	l.Week.Note(local)
	if l.Worth == 0 {
		l.Worth = worth
	}
	l.Worth += (worth - l.Worth) / worthSteps
}

// Read takes over how far a cap is used.
func (d *Desk) Read(now time.Time, r Reading) {
	c := &d.caps[r.Cap]
	if !r.Start.Equal(c.Start) || !r.End.Equal(c.End) {
		d.stale = true
		c.Share.Left = 0 // a new window's money is no news of who spent it
	}
	c.Start, c.End = r.Start, r.End
	c.Left = room{max(c.Dollars-r.Dollars, 0), max(c.Leads-r.Leads, 0)}
	d.share(now, r.Cap, r.Replicas)
	switch moved := c.SolvedLeft.Dollars-c.Left.Dollars > solveMoved*c.SolvedLeft.Dollars ||
		c.SolvedLeft.Leads-c.Left.Leads > solveMoved*c.SolvedLeft.Leads; {
	case d.stale:
		d.solve(now)
	case moved:
		d.solveCap(now.In(d.setup.Zone), r.Cap)
		d.reprice()
	}
}

// Placed says that a bid was sent: seq is its number, until when it is heard of at the latest.
func (d *Desk) Placed(seq uint64, ask Ask, q Quote, dollars float64, until time.Time) {
	l := &d.lines[ask.Line]
	l.Pending, l.PendingLeads = l.Pending+dollars, l.PendingLeads+1
	bid := openBid{Seq: seq, Line: ask.Line, Worth: q.Worth, Dollars: dollars, Until: until,
		Chance: float32(l.chance(q, dollars)), Territory: ask.Territory}
	if l.crew >= 0 {
		c := &d.crews[l.crew]
		bid.Crew, bid.Day, bid.load = l.Crew, q.day, loadOf(ask.Hours, ask.Chance)
		c.add(bid.Day, bid.load, 1)
	}
	d.open.add(bid)
}

// Dropped says that a bid was not sent after all.
func (d *Desk) Dropped(seq uint64) {
	if bid, found := d.take(seq); found {
		d.free(bid)
	}
}

func (d *Desk) take(seq uint64) (openBid, bool) {
	bid, found := d.open.take(seq)
	if found {
		l := &d.lines[bid.Line]
		l.Pending, l.PendingLeads = l.Pending-bid.Dollars, l.PendingLeads-1
		if l.PendingLeads < 0.5 {
			l.Pending, l.PendingLeads = 0, 0 // no sums of rounding errors
		}
	}
	return bid, found
}

// Won says that a bid was charged. A bid of a former run, which no line knows, teaches nothing, and
// nothing is learned from a price that no winner can have paid: it is taken for the bid.
func (d *Desk) Won(now time.Time, seq uint64, paid float64) {
	if bid, found := d.take(seq); found {
		if !(paid > 0 && paid <= bid.Dollars) {
			paid = bid.Dollars
		}
		d.book(bid)
		l := &d.lines[bid.Line]
		l.answer(bid, paid)
		l.Response.NoteWon(bid.Worth, paid)
		l.Parts[partOf(now.In(d.setup.Zone))].NoteWon(bid.Worth, paid)
		d.answerTo(bid, true)
	}
}

// Lost says that a bid was not won.
func (d *Desk) Lost(now time.Time, seq uint64) {
	if bid, found := d.take(seq); found {
		d.lose(now, bid)
	}
}

func (d *Desk) lose(now time.Time, bid openBid) {
	d.free(bid)
	l := &d.lines[bid.Line]
	l.answer(bid, 0)
	l.Response.NoteLost(bid.Worth, bid.Dollars)
	l.Parts[partOf(now.In(d.setup.Zone))].NoteLost(bid.Worth, bid.Dollars)
	d.answerTo(bid, false)
}

// Expire takes bids of which nothing was heard in time for lost, and brings the calendars up to date.
// Among several replicas a post or a notice may go to another one. Where the exchange tells of each bid,
// nothing is learned then: of won and lost bids alike the others hear the same part.
func (d *Desk) Expire(now time.Time) {
	d.turn(now)
	d.solveCrews(now)
	for {
		seq, due := d.open.due(now)
		if !due {
			return
		}
		if bid := d.open.bySeq[seq]; d.shared(bid.Line) {
			d.Dropped(seq)
		} else {
			d.Lost(now, seq)
		}
	}
}

// shared says whether what becomes of a line's bids may be told to another replica.
func (d *Desk) shared(at int) bool {
	l := &d.lines[at]
	for _, c := range l.Caps {
		if l.Tells && d.caps[c].Share.Replicas > 1 {
			return true
		}
	}
	return false
}

// answer counts what became of a bid: paid is 0 where it was lost.
func (l *line) answer(bid openBid, paid float64) {
	l.Answers++
	l.Bids, l.Asked = l.Bids+1, l.Asked+bid.Dollars
	if paid > 0 {
		l.Wins, l.Spent = l.Wins+1, l.Spent+paid
	}
	if l.Bids > answerMemory {
		l.Bids, l.Wins, l.Asked, l.Spent = l.Bids/2, l.Wins/2, l.Asked/2, l.Spent/2
	}
	l.weigh(float64(bid.Chance), paid > 0)
}

// won is the share of bids that win, and paid what a dollar that was bid comes to.
func (l *line) won() float64  { return (l.Wins + 2) / (l.Bids + 4) }
func (l *line) paid() float64 { return (l.Spent + 2*l.Worth) / (l.Asked + 4*l.Worth + 1e-9) }

func (l *line) under(capAt int) bool {
	for _, at := range l.Caps {
		if at == capAt {
			return true
		}
	}
	return false
}
