package main

import (
	"cmp"
	"math"
	"slices"
)

// bound is the most worth that any bidder could buy who knew all prices and may buy a part of a lead
// (the linear program, solved by worth per dollar), and how many leads it would buy.
func bound(leads []lead, budget float64) (worth float64, bought int) {
	sorted := slices.Clone(leads)
	slices.SortFunc(sorted, func(a, b lead) int { return cmp.Compare(b.worth*a.price, a.worth*b.price) })
	for _, one := range sorted {
		if one.price > budget {
			return worth + one.worth*budget/one.price, bought
		}
		budget, worth, bought = budget-one.price, worth+one.worth, bought+1
	}
	return worth, bought
}

// optimum is the most worth of whole leads, where all prices are whole dollars (the knapsack, by
// dynamic programming over the dollars).
func optimum(leads []lead, budget float64) float64 {
	best := make([]float64, int(budget)+1)
	for _, one := range leads {
		price := int(math.Round(one.price))
		for left := len(best) - 1; left >= price; left-- {
			best[left] = max(best[left], best[left-price]+one.worth)
		}
	}
	return best[len(best)-1]
}
