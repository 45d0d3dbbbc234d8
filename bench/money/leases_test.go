package main

import "testing"

// TestBidsSeldomAsk is a short run of go run ./bench/money leases.
func TestBidsSeldomAsk(t *testing.T) {
	s := &settings{folder: t.TempDir()}
	for _, traffic := range []traffic{{100, 20_00, "loss notices", 4, 3}, {100, 20_00, "no notices", 4, 3}, {100, 150_00, "binding", 1.5, 3}} {
		row, err := s.hour(t.Context(), traffic)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", row)
		if row.PerAsk < leastBids || row.Refused > row.Bids/10 {
			t.Errorf("%+v", row)
		}
	}
}
