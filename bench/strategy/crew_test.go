package main

import "testing"

// TestCrewEarns holds the price of hours to what it is for, with few seeds: the table of 200 periods
// is kept under bench/results.
func TestCrewEarns(t *testing.T) {
	rows := compareCrews("crowded", 24, 5).Rows
	ours, first, planned := rows[0], rows[4], rows[6]
	if ours.Profit < 1.2*first.Profit || ours.Profit < 0.85*planned.Profit {
		t.Errorf("%s $%.0f, %s $%.0f, %s $%.0f", ours.Buyer, ours.Profit, first.Buyer, first.Profit, planned.Buyer, planned.Profit)
	}
	for _, row := range rows {
		if row.Share > 1+1e-9 {
			t.Errorf("%s is above the bound: %.3f", row.Buyer, row.Share)
		}
	}
}
