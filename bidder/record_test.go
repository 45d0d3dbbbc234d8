package bidder_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadbid/bidder"
	"leadbid/budget"
	"leadbid/pingpost"
)

// TestNoticeJSON holds the form by hand against encoding/json.
func TestNoticeJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Custom(func(t *rapid.T) pingpost.Cents {
			return pingpost.Cents(rapid.Int64Range(-1, int64(pingpost.MaxCents)).Draw(t, "cents"))
		})
		notice := bidder.NoticeRecord{
			Outcome: rapid.SampledFrom(append(pingpost.OutcomeWords(), "")).Draw(t, "outcome"),
			Ref: budget.BidRef{
				Lease:    budget.LeaseID(rapid.Int64().Draw(t, "lease")),
				Campaign: rapid.Uint32().Draw(t, "campaign"),
				Price:    price.Draw(t, "price"),
				Expires:  time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "expires")).UTC(),
				Stands:   time.Duration(rapid.Int64Range(0, 1<<29-1).Draw(t, "stands")) * time.Millisecond,
				Run:      rapid.Uint32().Draw(t, "run"), Seq: rapid.Uint64().Draw(t, "seq"),
				Terms: rapid.Uint64().Draw(t, "terms"),
			},
			ClearingPrice: price.Draw(t, "clearing price"), MinBidToWin: price.Draw(t, "min bid to win"),
		}
		want, err := json.Marshal(notice)
		if err != nil {
			t.Fatal(err)
		}
		if got := notice.AppendJSON(nil); string(got) != string(want) {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}

func TestDecisionJSONReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		decision := bidder.Decision{Bid: true, Price: 12_34, Campaign: "c" + name, Rule: "r" + name}
		var read struct {
			Bid            json.Number
			Campaign, Rule string
		}
		text := decision.AppendJSON(nil)
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if read.Bid != "12.34" || read.Campaign != decision.Campaign || read.Rule != decision.Rule {
			t.Fatalf("%s reads back as %+v", text, read)
		}
	})
}
