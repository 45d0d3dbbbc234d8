package budget

import (
	"time"

	"leadbid/pingpost"
)

// Short names the first cap above the line that has less left than a bid of that price needs, counting
// only what was bought: what BudgetExhausted and CapacityFull are about. ok is false where none has.
func (b *Book) Short(now time.Time, key Line, price pingpost.Cents) (short CapUse, ok bool) {
	b.expire(now)
	line := b.byLine[key]
	if line == nil {
		return CapUse{}, false
	}
	for _, limit := range line.Caps {
		cents, leads := b.bought(now, limit)
		if limit.reason(cents, leads, price) != pingpost.ReasonNone {
			start, end := WindowOf(limit.Period, now, b.plan.Location)
			return CapUse{Cap: limit, Start: start, End: end, UsedCents: cents, UsedLeads: leads}, true
		}
	}
	return CapUse{}, false
}

// reason says why a cap of which so much is bought allows no bid of that price.
func (c *Cap) reason(cents pingpost.Cents, leads int64, price pingpost.Cents) pingpost.Reason {
	switch {
	case c.Cents.Set && pingpost.Cents(c.Cents.N)-cents < price:
		return pingpost.BudgetExhausted
	case c.Leads.Set && c.Leads.N-leads < 1:
		return pingpost.CapacityFull
	}
	return pingpost.ReasonNone
}
