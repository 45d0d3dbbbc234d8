package simulate

import (
	"math"
	"time"

	"leadbid/pingpost/zips"
)

// storm is a hail storm over a region: requests rise with distance from its centre falling and
// with a kernel in time, x/peak * exp(1 - x/peak), which is 1 after 14 hours.
type storm struct {
	start     time.Time
	amplitude float64   // by how much it multiplies roofing at its centre and peak, beyond the usual
	near      []float64 // per place of the region: exp(-(distance/radius)^2)
}

const (
	stormPeak        = 14 * time.Hour
	stormDays        = 14 // after so many days nothing is left of it
	longestSpellDays = 5  // the longest heat wave or cold snap, in days
)

// stormsOf lists the storms whose effect reaches into the local day, oldest first. A storm
// depends on the day of its start alone, so that no day needs the days before it.
func (g *Generator) stormsOf(r *region, day int64) []*storm {
	var storms []*storm
	for start := day - stormDays; start <= day; start++ {
		random := chance(g.settings.Seed, "storm", r.number, start)
		date := time.Unix(start*86400, 0).UTC()
		if date.Month() < time.April || date.Month() > time.September {
			continue
		}
		const daysOfSeason = 183
		for range poisson(random, g.settings.StormsPerYear/daysOfSeason) {
			begin := time.Date(date.Year(), date.Month(), date.Day(), 0, 0, 0, 0, r.zone)
			s := &storm{
				start:     begin.Add(time.Duration(random.Float64() * float64(24*time.Hour))),
				amplitude: logBetween(random, 3, 20),
			}
			center, radius := pick(random, r.places), between(random, 15, 40)
			for _, place := range r.places {
				x := zips.Miles(center, place) / radius
				s.near = append(s.near, math.Exp(-x*x))
			}
			storms = append(storms, s)
		}
	}
	return storms
}

// stormFactor is by how much storms multiply a trade that they reach by so much, at a place.
func stormFactor(storms []*storm, place int, reach float64, at time.Time) float64 {
	factor := 1.0
	for _, s := range storms {
		since := at.Sub(s.start)
		if since <= 0 || since > stormDays*24*time.Hour {
			continue
		}
		x := float64(since) / float64(stormPeak)
		factor += s.amplitude * reach * s.near[place] * x * math.Exp(1-x)
	}
	return factor
}

// spell is by how much a heat wave or cold snap multiplies heating and cooling on a local day: 1
// on an ordinary one. Heat comes from June to August, cold from December to February.
func (g *Generator) spell(r *region, day int64) float64 {
	factor := 1.0
	for start := day - longestSpellDays + 1; start <= day; start++ {
		switch time.Unix(start*86400, 0).UTC().Month() {
		case time.June, time.July, time.August, time.December, time.January, time.February:
		default:
			continue
		}
		random := chance(g.settings.Seed, "spell", r.number, start)
		const daysOfSeasons = 182
		if random.Float64() >= g.settings.SpellsPerYear/daysOfSeasons {
			continue
		}
		amplitude, days := between(random, 2, 5), int64(3+random.IntN(longestSpellDays-2))
		if day-start < days {
			factor = math.Max(factor, amplitude)
		}
	}
	return factor
}
