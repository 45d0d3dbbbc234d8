package rules

import (
	"fmt"
	"strings"

	"leadbid/pingpost"
)

// Summary says in sentences what the configuration does, for check: one paragraph a line.
func (rs *Ruleset) Summary() []string {
	mode := "live: bids are sent"
	if rs.settings.Mode == Observe {
		mode = "observing: every ping is priced and recorded, no bid is sent"
	}
	lines := []string{fmt.Sprintf("%s, %s, %s", rs.settings.Business.Name, rs.settings.Business.Location, mode)}
	if budget := describeBudget(rs.settings.Business.Budget); budget != "" {
		lines = append(lines, "the business spends at most "+budget)
	}
	for _, exchange := range rs.exchanges {
		lines = append(lines, exchange.describe())
	}
	for _, c := range rs.campaigns {
		lines = append(lines, c.describe())
	}
	return lines
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
		count(len(c.Rules), "rule"),
	}
	if len(c.Adjusts) > 0 {
		parts = append(parts, count(len(c.Adjusts), "adjustment"))
	}
	if len(c.Rejects) > 0 {
		parts = append(parts, count(len(c.Rejects), "reject rule"))
	}
	if c.MaxBid > 0 {
		parts = append(parts, "at most "+c.MaxBid.String()+" a lead")
	}
	if budget := describeBudget(c.Budget); budget != "" {
		parts = append(parts, "at most "+budget)
	}
	if capacity := describeLimits(c.Capacity, func(n int64) string { return count(int(n), "lead") }); capacity != "" {
		parts = append(parts, "at most "+capacity)
	}
	return strings.Join(parts, "; ")
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

// describeLimits says "$400.00 a day, $8,000.00 a month"; "" where there is no limit.
func describeLimits(limits Limits, show func(int64) string) string {
	var parts []string
	for _, period := range pingpost.Periods() {
		limit := limits[period]
		switch {
		case !limit.Set:
		case period == pingpost.Total:
			parts = append(parts, show(limit.N)+" in total")
		case period == pingpost.Hour:
			parts = append(parts, show(limit.N)+" an hour")
		default:
			parts = append(parts, show(limit.N)+" a "+period.String())
		}
	}
	return strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
