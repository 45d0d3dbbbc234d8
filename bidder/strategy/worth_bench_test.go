package strategy

import (
	"fmt"
	"testing"
	"time"

	"leadbid/pingpost"
)

// BenchmarkRate is what learned close rates cost a bid.
func BenchmarkRate(b *testing.B) {
	d := NewDesk(Setup{Zone: time.UTC})
	for i := range mostGroups {
		d.Learn(monday, evidence(pingpost.HVAC, pingpost.ZIP(i%900*100), fmt.Sprint("google-", i), 3, 1))
	}
	s := SegmentOf(pingpost.HVAC, pingpost.Repair, 60614, "google-1234")
	b.ReportAllocs()
	for b.Loop() {
		d.Rate(s, Rate{Close: 0.12, Job: 9000})
	}
}
