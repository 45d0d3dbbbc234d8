package rules

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"leadbid/pingpost"
)

// Summary says in sentences what the configuration does, for check: one paragraph a line.
func (rs *Ruleset) Summary() []string {
	mode := "live: bids are sent"
	switch {
	case rs.settings.Mode == Observe:
		mode = "observing: every ping is priced and recorded, no bid is sent"
	case !rs.settings.SaysMode:
		mode += " (mode: is not written, and live is the default)"
	}
	lines := []string{fmt.Sprintf("%s, %s, %s", rs.settings.Business.Name, rs.settings.Business.Location, mode)}
	if folder := rs.settings.Record.Dir; folder != "" {
		lines = append(lines, "pings and what became of them are recorded in "+folder)
	} else {
		lines = append(lines, "nothing is recorded, so that nothing can be replayed: record: {dir: data/recordings} would")
	}
	switch every := rs.settings.VerifyEvery; every {
	case defaultVerify:
	case 0:
		lines = append(lines, "the books are verified only by `bidder verify` and, in part, at each start")
	default:
		lines = append(lines, "the books are verified every "+showSeconds(every))
	}
	if from := rs.settings.Outcomes.describe(); from != "" {
		lines = append(lines, from)
	}
	if budget := describeBudget(rs.settings.Business.Budget); budget != "" {
		lines = append(lines, "the business spends at most "+budget)
	}
	if capacity := describeCapacity(rs.settings.Business.Capacity); capacity != "" {
		lines = append(lines, "the business takes on at most "+capacity)
	}
	if hours := rs.settings.Business.CrewHours; hours > 0 {
		lines = append(lines, "the business has "+crewHoursIn(hours)+" on each day that it works")
	}
	if paused := rs.settings.Business.Pause.describe(); paused != "" {
		lines = append(lines, paused)
	}
	switch rs.settings.Business.Choose {
	case ChooseValue:
		lines = append(lines, "of several campaigns that would buy a ping, the one that bids most is asked first")
	case ChoosePriority:
		lines = append(lines, "of several campaigns that would buy a ping, the one of the smallest priority is asked first")
	}
	for _, exchange := range rs.exchanges {
		lines = append(lines, exchange.describe())
	}
	for _, c := range rs.campaigns {
		lines = append(lines, c.describe())
		for _, name := range c.Exchanges {
			if line := rs.describeOpen(c, rs.Exchange(name)); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// describeOpen says how many bids the caps let stand at a time: an open bid takes its full price
// and one lead, so that no number of wins at once can pass a cap. It is "" where nothing bounds it.
func (rs *Ruleset) describeOpen(c *Campaign, exchange *Exchange) string {
	open := exchange.BidTTL + exchange.Grace + PostTakes
	if exchange.Commitment == Refusable {
		open = exchange.Deadline + exchange.HoldFor
	}
	var parts []string
	if period, leads, ok := tightest(c.Capacity, exchange.Capacity, rs.settings.Business.Capacity); ok {
		parts = append(parts, fmt.Sprintf("%s with bids open %s: at most %s open at a time",
			describePeriod(count(int(leads), "lead"), period), showSeconds(open), count(int(leads), "bid")))
	}
	if period, cents, ok := tightest(c.Budget, exchange.Budget, rs.settings.Business.Budget); ok && c.MaxBid > 0 {
		parts = append(parts, fmt.Sprintf("%s: room for %s of %s at a time",
			describePeriod(pingpost.Cents(cents).String(), period), count(int(cents/int64(c.MaxBid)), "bid"), c.MaxBid))
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("campaign %s on %s: %s", c.Name, exchange.Name, strings.Join(parts, "; "))
}

// tightest is the smallest of the limits, the shorter period first.
func tightest(all ...Limits) (period pingpost.Period, n int64, ok bool) {
	for _, candidate := range pingpost.Periods() {
		for _, limits := range all {
			if limit := limits[candidate]; limit.Set && (!ok || limit.N < n) {
				period, n, ok = candidate, limit.N, true
			}
		}
	}
	return period, n, ok
}

// showSeconds says 60 s or 10.4 s; longer times in hours, minutes and seconds.
func showSeconds(length time.Duration) string {
	if length >= 2*time.Minute {
		return length.String()
	}
	return strconv.FormatFloat(length.Seconds(), 'f', -1, 64) + " s"
}

// showSpan says 72 hours, or 7 days where they are whole ones of at least four.
func showSpan(length time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case length%day == 0 && length >= 4*day:
		return count(int(length/day), "day")
	case length%time.Hour == 0:
		return count(int(length/time.Hour), "hour")
	}
	return length.String()
}

func (o *Outcomes) describe() string {
	var from []string
	if o.File != "" {
		from = append(from, o.File)
	}
	if o.Key != "" {
		from = append(from, "POST /v1/outcomes")
	}
	if len(from) == 0 {
		return ""
	}
	return "what becomes of leads is learned from " + strings.Join(from, " and ") + "; one that nothing is said of for " +
		showSpan(o.ClosesWithin) + " has not closed"
}

func (e *Exchange) describe() string {
	terms := "a bid binds"
	if e.Commitment == Refusable {
		terms = "a post may be refused"
	}
	line := fmt.Sprintf("exchange %s: profile %s, %s, a bid stands %s", e.Name, e.Profile, terms, e.BidTTL)
	if budget := describeBudget(e.Budget); budget != "" {
		line += ", at most " + budget
	}
	if capacity := describeCapacity(e.Capacity); capacity != "" {
		line += ", at most " + capacity
	}
	if e.ReturnsWithin > 0 {
		line += ", a lead can be returned within " + showSpan(e.ReturnsWithin)
	}
	if e.AcceptRate > 0 {
		line += ", warned of before less than " + showNumber(100*e.AcceptRate) + " % of its posts are accepted"
	}
	switch after := e.SilentAfter(); after {
	case defaultSilence:
	case 0:
		line += ", and may be silent for ever"
	default:
		line += ", nothing is bid after " + showSeconds(after) + " without a word from it"
	}
	if e.Mode == Observe {
		line += ", observed only: nothing is bid"
	}
	if paused := e.Pause.describe(); paused != "" {
		line += ", " + paused
	}
	return line
}

func (c *Campaign) describe() string {
	var services []string
	for _, service := range c.Services {
		services = append(services, service.String())
	}
	parts := []string{
		fmt.Sprintf("campaign %s buys %s on %s", c.Name, strings.Join(services, ", "),
			strings.Join(c.Exchanges, ", ")),
		describeZIPs(&c.area),
		c.describeHours(),
		c.describeRules(),
	}
	parts = append(parts, c.describePrices()...)
	if len(c.Rejects) > 0 {
		parts = append(parts, count(len(c.Rejects), "reject rule"))
	}
	if c.MaxBid > 0 {
		parts = append(parts, "at most "+c.MaxBid.String()+" a lead")
	}
	if budget := describeBudget(c.Budget); budget != "" {
		parts = append(parts, "at most "+budget)
	}
	if capacity := describeCapacity(c.Capacity); capacity != "" {
		parts = append(parts, "at most "+capacity)
	}
	parts = append(parts, c.describeCrew()...)
	if c.Mode == Observe {
		parts = append(parts, "observed only: nothing is bid")
	}
	if paused := c.Pause.describe(); paused != "" {
		parts = append(parts, paused)
	}
	return strings.Join(parts, "; ")
}

func (c *Campaign) describeRules() string {
	rules := count(len(c.Rules), "rule")
	switch c.RuleMode {
	case Highest:
		return "the highest of " + rules
	case Sum:
		return "the sum of " + rules
	}
	return rules
}

// describePrices says what follows the rules.
func (c *Campaign) describePrices() (parts []string) {
	if !c.ladder.none() {
		parts = append(parts, "a price by the number of buyers")
	}
	if len(c.Adjusts) > 0 {
		parts = append(parts, count(len(c.Adjusts), "adjustment"))
	}
	var arms []string
	for _, arm := range c.Arms {
		arms = append(arms, fmt.Sprintf("%s %v%%", arm.Name, arm.Share*100))
	}
	if len(arms) > 0 {
		parts = append(parts, "an experiment: "+strings.Join(arms, ", "))
	}
	if c.RaiseToFloor {
		parts = append(parts, "raised to the exchange's floor up to "+c.MaxBid.String())
	}
	if c.ClipToBudget {
		parts = append(parts, "a short budget is bid to its end")
	}
	return parts
}

// describe says what is paused; "" where nothing is.
func (p Pause) describe() string {
	switch {
	case p.On:
		return "paused: nothing is bid"
	case !p.Until.IsZero():
		return "nothing is bid before " + p.Until.Format("2006-01-02 15:04")
	}
	return ""
}

func (c *Campaign) describeHours() string {
	if c.hours == nil {
		return "at all hours"
	}
	var parts []string
	for first := 0; first < 7; {
		spans := c.hours.describeDay(first)
		last := first
		for last < 6 && c.hours.describeDay(last+1) == spans {
			last++
		}
		days := weekdayNames()[first]
		if last > first {
			days += "-" + weekdayNames()[last]
		}
		if spans != "" {
			parts = append(parts, days+" "+spans)
		}
		first = last + 1
	}
	if !c.hours.keepsNoHolidays {
		spans := describeSpans(c.hours.spans[holiday], c.hours.spill[holiday])
		if spans == "" {
			spans = "closed"
		}
		parts = append(parts, "holidays "+spans)
	}
	return strings.Join(parts, ", ")
}

// describeDay gives the spans of a day, counted from Monday.
func (h *hours) describeDay(day int) string {
	return describeSpans(h.spans[(day+1)%7], h.spill[(day+1)%7])
}

// describeSpans puts a span that runs past midnight together again: 18:00-02:00.
func describeSpans(spans, spill []span) string {
	var parts []string
	for _, s := range spans {
		end := s.to
		if end == minutesPerDay && len(spill) > 0 {
			end, spill = spill[0].to, spill[1:]
		}
		parts = append(parts, fmt.Sprintf("%02d:%02d-%02d:%02d", s.from/60, s.from%60, end/60, end%60))
	}
	return strings.Join(parts, " and ")
}

func describeBudget(limits Limits) string {
	return describeLimits(limits, func(n int64) string { return pingpost.Cents(n).String() })
}

func describeCapacity(limits Limits) string {
	return describeLimits(limits, func(n int64) string { return count(int(n), "lead") })
}

// describeLimits says "$400.00 a day, $8,000.00 a month"; "" where there is no limit.
func describeLimits(limits Limits, show func(int64) string) string {
	var parts []string
	for _, period := range pingpost.Periods() {
		if limit := limits[period]; limit.Set {
			parts = append(parts, describePeriod(show(limit.N), period))
		}
	}
	return strings.Join(parts, ", ")
}

// describePeriod says "$400.00 a day".
func describePeriod(amount string, period pingpost.Period) string {
	switch period {
	case pingpost.Total:
		return amount + " in total"
	case pingpost.Hour:
		return amount + " an hour"
	}
	return amount + " a " + period.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
