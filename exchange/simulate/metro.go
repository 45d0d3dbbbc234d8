package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"leadbid/pingpost/zips"
)

// region is a metro made ready: its ZIPs with their weights, and its time zone.
type region struct {
	number int64 // its place in Settings.Metros, which names its chances
	share  float64
	zone   *time.Location
	places []zips.Place
	weight []float64 // per place; they sum to 1
}

// newRegion reads the ZIPs of a metro. The model wants to draw homes in proportion to housing
// units, of which the ZIP table knows nothing. The stand-in is a weight fixed per ZIP, log-normal
// by a hash of the ZIP with sigma 1.175: with it the heaviest 12 % of ZIPs hold half of the
// homes, as in the country, where half of all housing lies in 4,000 of 33,120 ZIP areas. Which
// ZIPs are the heavy ones is made up.
func newRegion(number int, metro Metro, totalShare float64) (*region, error) {
	center, _ := zips.Lookup(metro.Center)
	zone, err := time.LoadLocation(center.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("simulate: reading the time zone of ZIP %v: %w", metro.Center, err)
	}
	inside, _ := zips.Within(metro.Center, metro.Miles)
	r := &region{number: int64(number), share: metro.Share / totalShare, zone: zone}
	total := 0.0
	for _, zip := range inside {
		place, _ := zips.Lookup(zip)
		weight := logNormal(chance(0, "homes", int64(zip)), 1.175)
		r.places, r.weight = append(r.places, place), append(r.weight, weight)
		total += weight
	}
	for i := range r.weight {
		r.weight[i] /= total
	}
	return r, nil
}

// civilDay numbers the local day of an instant.
func (r *region) civilDay(at time.Time) int64 {
	year, month, day := at.In(r.zone).Date()
	return dayNumber(year, month, day)
}

func dayNumber(year int, month time.Month, day int) int64 {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// drawPlace picks a home's place by weights, and tells by how much storms multiply it there.
func (r *region) drawPlace(random *rand.Rand, storms []*storm, reach float64, at time.Time) (zips.Place, float64) {
	if len(storms) == 0 || reach == 0 {
		return r.places[drawIndex(random, r.weight, 1)], 1
	}
	factors, weights, total := make([]float64, len(r.places)), make([]float64, len(r.places)), 0.0
	for i := range r.places {
		factors[i] = stormFactor(storms, i, reach, at)
		weights[i] = r.weight[i] * factors[i]
		total += weights[i]
	}
	drawn := drawIndex(random, weights, total)
	return r.places[drawn], factors[drawn]
}

func drawIndex(random *rand.Rand, weights []float64, total float64) int {
	at := random.Float64() * total
	for i, weight := range weights {
		if at -= weight; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// income is the yearly household income of a ZIP in thousands of dollars, made up by a hash of
// the ZIP along the country's quantiles over ZIP areas.
func income(place zips.Place) float64 {
	quantiles := []struct{ below, thousands float64 }{
		{0, 18}, {.05, 25.7}, {.25, 38.3}, {.5, 47.8}, {.75, 60.7}, {.95, 93.7}, {1, 180},
	}
	at := share(keyed(0, "income", "", int64(place.ZIP)))
	for i := 1; i < len(quantiles); i++ {
		low, high := quantiles[i-1], quantiles[i]
		if at < high.below {
			return low.thousands + (high.thousands-low.thousands)*(at-low.below)/(high.below-low.below)
		}
	}
	return quantiles[len(quantiles)-1].thousands
}

// incomeFactor is what a place's income does to the worth of a job (assumed).
func incomeFactor(place zips.Place) float64 { return math.Pow(income(place)/48, .4) }
