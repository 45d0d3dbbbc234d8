package bidder

import (
	"time"

	"leadbid/budget"
	"leadbid/pingpost"
)

// FundedBook makes a Book for looking ahead: every line holds a lease over all that its caps have
// left, as uses tell it (none where the books are empty). It serves explain, which must say what
// money would allow without taking any; nothing that is bid from it can be charged.
func FundedBook(plan *budget.Plan, now time.Time, uses []budget.CapUse) *budget.Book {
	book := budget.NewBook(plan)
	ask, ok := book.Upkeep(now)
	if !ok {
		return book
	}
	answer := budget.UpkeepAnswer{At: ask.At, Caps: uses}
	for i, line := range plan.Lines {
		cents, leads, until := left(line, uses)
		grant := budget.Grant{Line: line.Line}
		switch {
		case cents <= 0:
			grant.Refused, grant.Until = pingpost.BudgetExhausted, until
		case leads <= 0:
			grant.Refused, grant.Until = pingpost.CapacityFull, until
		default:
			grant.Lease = &budget.LeaseState{
				ID: budget.LeaseID(i + 1), Line: line.Line, Rev: 1, Cents: cents, Leads: leads,
				BidUntil: now.Add(time.Hour), CloseAt: now.Add(2 * time.Hour), Open: true,
			}
		}
		answer.Grants = append(answer.Grants, grant)
	}
	book.Answer(now, answer)
	return book
}

// UnusedCaps is what FundedBook takes for caps of which nothing is used yet, in the windows of an
// instant.
func UnusedCaps(plan *budget.Plan, now time.Time) []budget.CapUse {
	var uses []budget.CapUse
	type key struct {
		scope  budget.Scope
		period pingpost.Period
	}
	seen := map[key]bool{}
	for _, line := range plan.Lines {
		for _, c := range line.Caps {
			if seen[key{c.Scope, c.Period}] {
				continue
			}
			seen[key{c.Scope, c.Period}] = true
			use := budget.CapUse{Cap: c}
			use.Start, use.End = budget.WindowOf(c.Period, now, plan.Location)
			uses = append(uses, use)
		}
	}
	return uses
}

// left is the least that the caps above a line leave, and the end of the window that leaves least.
// A cap that uses does not tell of is unused.
func left(line budget.LinePlan, uses []budget.CapUse) (cents pingpost.Cents, leads int64, until time.Time) {
	cents, leads = pingpost.MaxCents, 1_000_000
	for _, c := range line.Caps {
		use := budget.CapUse{Cap: c}
		for _, known := range uses {
			if known.Cap.Scope == c.Scope && known.Cap.Period == c.Period {
				use = known
			}
		}
		if rest := pingpost.Cents(c.Cents.N) - use.UsedCents; c.Cents.Set && rest < cents {
			cents, until = rest, use.End
		}
		if rest := c.Leads.N - use.UsedLeads; c.Leads.Set && rest < leads {
			leads, until = rest, use.End
		}
	}
	return cents, leads, until
}
