package exchange

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadbid/pingpost"
)

// TestReport counts a small day: one sale after a rejection, one return, one lead that nobody
// wanted, one that went to another campaign.
func TestReport(t *testing.T) {
	config := testConfig()
	config.Buyers = config.Buyers[:3]
	config.Campaigns[0].Fallback = []string{"hvac-2"}
	config.Campaigns = append(config.Campaigns, testCampaign("hvac-2", pingpost.AuctionFirst, pingpost.HVAC))
	s := newScript(t, config)
	slow := bidOf("bob", 30_00)
	slow.Latency = 90 * time.Millisecond
	s.do(testLead("a", pingpost.HVAC))
	s.close("a", bidOf("ann", 40_00), slow)
	s.do(PostAnswered{Offer: "a", Buyer: "ann", Verdict: pingpost.Verdict{Kind: pingpost.VerdictRejected}})
	s.do(accept("a", "bob"))
	s.do(testLead("b", pingpost.HVAC))
	s.close("b", bidOf("ann", 20_00))
	s.do(accept("b", "ann"))
	s.do(Return{Offer: "b"})
	s.do(Pause{Buyer: "bob", Paused: true})
	s.do(testLead("c", pingpost.HVAC))
	s.close("c", Answer{Buyer: "ann", Status: AnswerNoBid})
	s.close("c.2", Answer{Buyer: "ann", Status: AnswerBroken})

	var tally Tally
	for i := range s.events {
		tally.Add(&s.events[i])
	}
	want := Report{
		Sellers: []SellerLine{{Seller: "webform", Leads: 3, Sold: 2, Returned: 1, Revenue: 30_00, Payout: 22_50,
			Unsold: []ReasonLine{{"timed_out", 1}}}},
		Services: []PlaceLine{{Service: "hvac", ZIP3: "606", Leads: 3, Sold: 2, Revenue: 30_00}},
		Buyers: []BuyerLine{
			{Buyer: "ann", Eligible: 4, Bids: 2, NoBids: 1, Broken: 1, Holds: 2, Won: 1, Rejected: 1, Returned: 1,
				Latency50: 40 * time.Millisecond, Latency95: 40 * time.Millisecond},
			{Buyer: "bob", Eligible: 2, Bids: 1, TimedOut: 1, Holds: 1, Won: 1, Spend: 30_00,
				Latency50: 100 * time.Millisecond, Latency95: 100 * time.Millisecond,
				NotAsked: []ReasonLine{{"paused", 2}}},
			{Buyer: "poor", Eligible: 4, TimedOut: 4},
		},
	}
	if diff := cmp.Diff(want, tally.Report()); diff != "" {
		t.Errorf("the report (-want +got):\n%s", diff)
	}
	if rate := tally.Report().Buyers[0].AcceptRate(); rate != 0.5 {
		t.Errorf("ann accepts %v", rate)
	}
	if (BuyerLine{}).AcceptRate() != 0 {
		t.Error("a buyer without a win has an accept rate")
	}
}
