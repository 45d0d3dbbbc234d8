package strategy

import "leadbid/pingpost"

// How a trade's homeowners spread over the day, per mille by the hour, and over the week from
// Monday: what is expected until a contractor's own pings tell. Assumed, after what trade surveys
// tell of office hours, evenings and nights.
var (
	dayOfTrade = map[pingpost.Service][24]float64{
		pingpost.HVAC:       {7, 4, 3, 3, 8, 21, 44, 66, 72, 62, 51, 47, 49, 53, 58, 66, 74, 77, 72, 59, 43, 29, 18, 11},
		pingpost.Plumbing:   {14, 10, 7, 7, 13, 31, 58, 75, 71, 57, 49, 49, 50, 49, 47, 47, 50, 57, 62, 60, 51, 39, 28, 20},
		pingpost.Electrical: {3, 2, 2, 3, 6, 14, 29, 46, 59, 63, 61, 59, 59, 59, 59, 64, 74, 84, 86, 72, 49, 27, 12, 5},
		pingpost.Roofing:    {3, 2, 2, 2, 3, 5, 11, 27, 54, 83, 99, 96, 84, 75, 68, 62, 56, 56, 62, 62, 47, 27, 11, 4},
	}
	dayOfOthers = [24]float64{3, 2, 2, 2, 4, 10, 22, 43, 66, 82, 84, 77, 68, 63, 62, 64, 68, 71, 68, 57, 40, 24, 13, 6}
	weekOfAll   = [7]float64{1.15, 1.05, 1.0, 1.0, 1.0, 0.95, 0.75}
)

// TradeWeek is the week that a trade's homeowners are expected to make.
func TradeWeek(trade pingpost.Service) Week {
	day, known := dayOfTrade[trade]
	if !known {
		day = dayOfOthers
	}
	var shares [hoursOfWeek]float64
	for i := range shares {
		shares[i] = weekOfAll[i/24] * day[i%24]
	}
	return NewWeek(shares)
}
