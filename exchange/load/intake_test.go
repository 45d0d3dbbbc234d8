package load_test

import (
	"testing"

	"leadbid/exchange/load"
	"leadbid/pingpost"
)

func TestLeadsReadsASale(t *testing.T) {
	reads := func(status int, body string, want pingpost.Answer) {
		t.Helper()
		if got, err := load.Leads().ReadAnswer([]byte(body), status); err != nil || got != want {
			t.Errorf("%d %s is read as %+v, %v; want %+v", status, body, got, err, want)
		}
	}
	reads(200, `{"offer_id":"o-1","status":"sold","payout":31.5}`,
		pingpost.Answer{Kind: pingpost.AnswerBid, PingID: "o-1", Bid: 31_50})
	reads(200, `{"offer_id":"o-2","status":"unsold","reason":"not_eligible"}`,
		pingpost.Answer{Kind: pingpost.AnswerNoBid, PingID: "o-2", Reason: pingpost.NotEligible})
	reads(202, `{"offer_id":"o-3","status":"open"}`, pingpost.Answer{Kind: pingpost.AnswerNoBid, PingID: "o-3"})
	for _, body := range []string{"", "{}", `{"error":{"code":"malformed"}}`} {
		if answer, err := load.Leads().ReadAnswer([]byte(body), 200); err == nil {
			t.Errorf("%q is read as %+v", body, answer)
		}
	}
	if _, err := load.Leads().ReadAnswer([]byte(`{"status":"sold"}`), 503); err == nil {
		t.Error("a 503 is read as a sale")
	}
}
