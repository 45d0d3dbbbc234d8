package strategy

import (
	"fmt"

	"leadbid/pingpost"
)

// Explain says in words how a quote came about.
func (d *Desk) Explain(ask Ask, q Quote) string {
	l := &d.lines[ask.Line]
	text := "strategy " + l.Objective.String() + ", " + l.Pacing.String() + ": worth " + dollars(q.Worth)
	if l.Objective == AsWritten {
		text += hoursOf(q)
		switch {
		case q.Reason == pingpost.CapacityFull:
			return text
		case l.Pacing == Asap || q.Lambda >= 1:
			return text + ", money for every lead"
		case q.Reason == pingpost.PacedOut:
			return text + fmt.Sprintf(", money for the best %.0f %% of leads, and this is none of them", 100*q.Lambda)
		}
		return text + fmt.Sprintf(", among the best %.0f %% of leads", 100*q.Lambda)
	}
	if q.Nu > 0 {
		text += ", less " + dollars(q.Nu) + " for its place"
	}
	text += hoursOf(q)
	switch {
	case q.Reason == pingpost.CapacityFull:
		return text
	case q.Lambda < 1:
		text += fmt.Sprintf(", over 1 + mu with mu %.2f", 1/q.Lambda-1)
	case q.Lambda > 1:
		text += fmt.Sprintf(", times %.2f to spend the budget", q.Lambda)
	}
	if q.Shaded {
		text += fmt.Sprintf(", shaded to a %.0f %% chance", 100*q.Chance) + l.evidence(ask.Territory)
	}
	if q.Tried > 0 {
		text += fmt.Sprintf(", tried at x%.3f", q.Tried)
	}
	return text
}

// hoursOf tells of the crew hours that a lead takes.
func hoursOf(q Quote) string {
	switch {
	case q.Hours == 0:
		return ""
	case q.Reason == pingpost.CapacityFull:
		return fmt.Sprintf(", and no day that it can wait for has room for %.1f crew hours and their deviation", q.Hours)
	case q.HourPrice > 0:
		return fmt.Sprintf(", less %s for %.1f crew hours", dollars(q.Hours*q.HourPrice), q.Hours)
	}
	return fmt.Sprintf(", %.1f crew hours on a day that has them", q.Hours)
}

// evidence says in words what the win curve for a territory was learned from.
func (l *line) evidence(t Territory) string {
	m := l.marketFor(t)
	sum := m.Prices.sum()
	if sum < 1 {
		return " (a guess: nothing is known of this market yet)"
	}
	text := fmt.Sprintf(" by %.0f answers", sum)
	if told := m.Prices.ToldWon + m.Prices.ToldLost; told >= 1 {
		text += fmt.Sprintf(", %.0f of them with a price", told)
	}
	if m.Service != 0 {
		text += ", for " + m.Service.String()
	}
	if m.Job != 0 {
		text += " " + m.Job.String()
	}
	if m.State != "" {
		text += " in " + string(m.State)
	}
	return text
}

func dollars(amount float64) string {
	cents, _ := pingpost.FloorPrice(amount)
	return cents.String()
}

// String gives the word of the configuration.
func (o Objective) String() string { return [...]string{"as_written", "profit", "volume"}[o] }

// String gives the word of the configuration.
func (p Pacing) String() string { return [...]string{"asap", "even", "learned"}[p] }
