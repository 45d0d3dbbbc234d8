package rules

import (
	"fmt"
	"math"
	"strconv"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// maxCrewHours bounds both the hours of a day and those of a job: ten thousand are those of a
// thousand people.
const maxCrewHours = 10_000

// loadCapacityWithCrew reads {leads: {day: 12}, crew_hours: {day: 6}}, either or both.
func loadCapacityWithCrew(node yamlfile.Node) (leads Limits, crewHours float64) {
	m, ok := node.Map([]string{"leads", "crew_hours"}, "jobs", "calendar", "calls")
	if !ok {
		return leads, 0
	}
	if !m.Get("leads").Exists() && !m.Get("crew_hours").Exists() {
		node.Fault("a capacity of nothing", "leads: {day: 12}, crew_hours: {day: 6}, or both", "")
	}
	leads = loadLeads(m.Get("leads"))
	if hours, ok := m.Get("crew_hours").Map([]string{"day"}, "week", "hour", "month"); ok {
		day := hours.Need("day", "the hours that a day of work has for jobs: day: 6")
		if crewHours, ok = day.Number(0, maxCrewHours); ok && crewHours == 0 {
			day.Fault("no job fits into 0 crew hours", "more than 0; or `bidder pause`, to stop buying for a while", "")
		}
	}
	return leads, crewHours
}

// loadHoursPerJob reads hours_per_job: 2, or an expression, and holds it against the crew that does
// the work.
func (l *loader) loadHoursPerJob(c *Campaign, m yamlfile.Map) {
	node := m.Get("hours_per_job")
	switch {
	case node.Exists():
		const expected = "the hours that a job takes: 2, or job == \"install\" ? 7 : 1.5"
		if c.hoursPerJob = l.loadNumber(c, node, expected); c.hoursPerJob == nil {
			return
		}
		c.HoursPerJob = node.Raw()
		_, day := l.rs.CrewOf(c)
		if !l.checkHours(c, node, day) {
			return
		}
		if day == 0 {
			node.Warn("nothing says how many hours the crew has, so that those of jobs do not matter",
				"capacity: {crew_hours: {day: 6}}, of the campaign or the business", "")
		}
	case c.CrewHours > 0:
		m.Get("capacity").At("crew_hours").Fault("crew hours are for jobs, and nothing says how long one takes",
			"hours_per_job: 2 beside capacity, or an expression", "")
	case l.rs.settings.Business.CrewHours > 0:
		m.Get("rules").Warn("the jobs of this campaign take none of the business's crew hours: nothing says how long one takes",
			"hours_per_job: 2, or an expression; hours_per_job: 0 where that is meant", "")
	}
}

// checkHours holds hours that are a plain number against a day without any work yet. ok is false
// after a fault.
func (l *loader) checkHours(c *Campaign, node yamlfile.Node, day float64) (ok bool) {
	if !c.hoursPerJob.isConstant() {
		return true
	}
	hours, chance := c.hoursPerJob.constant, c.jobChance(c.Value.Close)
	if hours < 0 || hours > maxCrewHours {
		node.Fault("a job cannot take "+showNumber(hours)+" hours", fmt.Sprintf("hours from 0 to %d", maxCrewHours), "")
		return false
	}
	if needs := float64(chance*hours) + float64(hours*math.Sqrt(chance*(1-chance))); day > 0 && needs > day {
		node.Warn(fmt.Sprintf("no lead fits into a day of %s: a job of %s hours that a lead becomes with a chance of %.0f%% needs %.1f",
			crewHoursIn(day), showNumber(hours), 100*chance, needs),
			"more crew_hours, shorter jobs, or value: {close: ...} where most leads become no job", "")
	}
	return true
}

// jobChance is how likely a lead of the campaign becomes a job: the share that closes, or 1 where
// value: does not tell it.
func (c *Campaign) jobChance(close float64) float64 {
	if c.Value.Job == 0 {
		return 1
	}
	return close
}

// CrewOf tells who does a campaign's work: its own crew, or the one that all campaigns of the
// business without one share. hours are those of a day, 0 where none are counted.
func (rs *Ruleset) CrewOf(c *Campaign) (own bool, hours float64) {
	switch {
	case c.CrewHours > 0:
		return true, c.CrewHours
	case c.hoursPerJob == nil:
		return false, 0
	}
	return false, rs.settings.Business.CrewHours
}

// JobHours is what the work of the ping of Begin comes to: the hours of a job, and how likely the
// lead becomes one. close is the share of such leads that close, where value: tells of one.
func (e *Evaluation) JobHours(c *Campaign, close float64, tr *Trace) (hours, chance float64, reason pingpost.Reason) {
	if c.hoursPerJob == nil {
		return 0, 0, pingpost.ReasonNone
	}
	hours, missing, err := e.value(c.hoursPerJob)
	step := Step{Kind: StepValue, Name: "hours_per_job"}
	switch {
	case err != nil:
		step.Error, step.Reason = plainError(err), pingpost.RuleError
	case missing != "":
		step.Missing, step.Reason = missing, pingpost.MissingField
	case !(hours >= 0 && hours <= maxCrewHours):
		step.Error, step.Reason = "the hours came to "+showNumber(hours), pingpost.RuleError
	default:
		return hours, c.jobChance(close), pingpost.ReasonNone
	}
	tr.add(step)
	return 0, 0, step.Reason
}

// crewHoursIn says "6 crew hours".
func crewHoursIn(hours float64) string {
	text := strconv.FormatFloat(hours, 'f', -1, 64) + " crew hour"
	if hours != 1 {
		text += "s"
	}
	return text
}

// describeCrew says how the campaign's work is counted.
func (c *Campaign) describeCrew() (parts []string) {
	if c.CrewHours > 0 {
		parts = append(parts, "a crew of its own with "+crewHoursIn(c.CrewHours)+" a day")
	}
	if c.hoursPerJob != nil {
		parts = append(parts, "a job takes "+c.HoursPerJob+" hours")
	}
	return parts
}
