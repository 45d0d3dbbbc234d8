package bidder_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"leadbid/bidder"
)

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
