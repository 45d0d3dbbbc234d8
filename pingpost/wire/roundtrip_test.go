package wire_test

import (
	"crypto/sha256"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// What one side writes, the other reads: for each message, in every profile.

func bothProfiles(t *testing.T, check func(t *rapid.T, profile *wire.Profile)) {
	for name, profile := range map[string]*wire.Profile{"native": native(t), "contrary": contrary(t)} {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) { check(t, profile) }))
	}
}

var (
	freeText = rapid.OneOf(
		rapid.StringMatching(`[a-zA-Z0-9 ._-]{0,12}`),
		rapid.SampledFrom([]string{"", "Zoë", "O'Fallon", "say \"hi\"\\", "a\nb\tc\x00", "😀", "</script>", "\u2028"}),
		rapid.StringN(0, 20, 60),
	)
	idText = rapid.StringMatching(`[!-~]{1,40}`)
	tris   = rapid.SampledFrom([]pingpost.Tri{pingpost.Unknown, pingpost.Yes, pingpost.No})
	cents  = rapid.Custom(func(t *rapid.T) pingpost.Cents {
		return pingpost.Cents(rapid.Int64Range(0, int64(pingpost.MaxCents)).Draw(t, "cents"))
	})
	zips = rapid.Custom(func(t *rapid.T) pingpost.ZIP {
		return pingpost.ZIP(rapid.Uint32Range(0, 99999).Draw(t, "zip"))
	})
	states  = rapid.SampledFrom([]pingpost.State{"", "IL", "IN", "PR"})
	reasons = rapid.SampledFrom(append(pingpost.Reasons(), pingpost.ReasonNone))
)

// drawWord draws a value of a closed list, its zero included.
func drawWord[W ~uint8](t *rapid.T, words []string) W {
	return W(rapid.IntRange(0, len(words)).Draw(t, "word"))
}

func drawConsent(t *rapid.T) pingpost.Consent {
	return pingpost.Consent{
		Agreed:              tris.Draw(t, "agreed"),
		TrustedFormURL:      freeText.Draw(t, "trustedform"),
		TrustedFormPromised: rapid.Bool().Draw(t, "promised"),
		LeadID:              freeText.Draw(t, "leadid"),
		LeadIDPromised:      rapid.Bool().Draw(t, "promised"),
		GivenAt:             rapid.SampledFrom([]int64{0, 1_795_000_000_000, 1_795_000_000_123, 946_684_800_000}).Draw(t, "given"),
	}
}

func drawAttrs(t *rapid.T) []pingpost.Attr {
	names := rapid.SliceOfNDistinct(freeText, 0, 5, rapid.ID).Draw(t, "names")
	attrs := make([]pingpost.Attr, 0, len(names))
	for _, name := range names {
		attr := pingpost.Attr{Name: name, Kind: rapid.SampledFrom([]pingpost.AttrKind{
			pingpost.AttrText, pingpost.AttrNumber, pingpost.AttrBool, pingpost.AttrJSON}).Draw(t, "kind")}
		switch attr.Kind {
		case pingpost.AttrText:
			attr.Value = freeText.Draw(t, "value")
		case pingpost.AttrNumber:
			attr.Value = rapid.SampledFrom([]string{"0", "-1.5", "17", "1e9", "123456789012345678901234"}).Draw(t, "value")
		case pingpost.AttrBool:
			attr.Value = rapid.SampledFrom([]string{"true", "false"}).Draw(t, "value")
		case pingpost.AttrJSON:
			attr.Value = rapid.SampledFrom([]string{"null", "[]", `{"a":[1,"x"]}`, `[ null ]`}).Draw(t, "value")
		}
		attrs = append(attrs, attr)
	}
	return attrs
}

func drawPing(t *rapid.T) *pingpost.Ping {
	ping := &pingpost.Ping{
		ID:        idText.Draw(t, "id"),
		TmaxMS:    rapid.IntRange(0, 60_000).Draw(t, "tmax"),
		Auction:   drawWord[pingpost.Auction](t, pingpost.AuctionWords()),
		Service:   max(1, drawWord[pingpost.Service](t, pingpost.ServiceWords())),
		Task:      freeText.Draw(t, "task"),
		Job:       drawWord[pingpost.Job](t, pingpost.JobWords()),
		ZIP:       zips.Draw(t, "zip"),
		State:     states.Draw(t, "state"),
		City:      freeText.Draw(t, "city"),
		Urgency:   drawWord[pingpost.Urgency](t, pingpost.UrgencyWords()),
		Property:  drawWord[pingpost.Property](t, pingpost.PropertyWords()),
		Homeowner: tris.Draw(t, "homeowner"),
		Source:    freeText.Draw(t, "source"),
		SubIDs:    rapid.SliceOfN(freeText, 0, pingpost.MaxSubIDs).Draw(t, "sub ids"),
		Consent:   drawConsent(t),
		Exclusive: rapid.Bool().Draw(t, "exclusive"),
		MaxSold:   rapid.IntRange(0, 1000).Draw(t, "max sold"),
		SoldSoFar: rapid.IntRange(0, 1000).Draw(t, "sold so far"),
		Floor:     cents.Draw(t, "floor"),
		Test:      rapid.Bool().Draw(t, "test"),
		Attrs:     drawAttrs(t),
	}
	if rapid.Bool().Draw(t, "scored") {
		ping.LeadScore = pingpost.Score{Known: true, Value: rapid.Float64Range(0, 100).Draw(t, "score")}
	}
	return ping
}

func drawPost(t *rapid.T) *pingpost.Post {
	private := func(name string) pingpost.Private { return pingpost.NewPrivate(freeText.Draw(t, name)) }
	zip := max(1, zips.Draw(t, "zip"))
	return &pingpost.Post{
		PingID:    idText.Draw(t, "ping"),
		BidID:     idText.Draw(t, "bid"),
		Price:     cents.Draw(t, "price"),
		Service:   drawWord[pingpost.Service](t, pingpost.ServiceWords()),
		Job:       drawWord[pingpost.Job](t, pingpost.JobWords()),
		ZIP:       zip,
		Exclusive: rapid.Bool().Draw(t, "exclusive"),
		Lead: pingpost.Lead{
			FirstName: private("first"), LastName: private("last"), Email: private("email"),
			Phone:   pingpost.NewPrivate("+1 312 555 0142"),
			Address: private("address"), City: freeText.Draw(t, "city"), State: states.Draw(t, "state"),
			ZIP: zip, Notes: private("notes"),
		},
		Consent: drawConsent(t),
		Test:    rapid.Bool().Draw(t, "test"),
		Attrs:   drawAttrs(t),
	}
}

func mustBeOneLine(t *rapid.T, body []byte) {
	if !json.Valid(body) {
		t.Fatalf("not JSON: %s", body)
	}
	for _, c := range body {
		if c == '\n' || c == '\r' {
			t.Fatalf("more than one line: %q", body)
		}
	}
}

func TestPingRoundTrip(t *testing.T) {
	bothProfiles(t, func(t *rapid.T, profile *wire.Profile) {
		want, got := drawPing(t), pingpost.Ping{}
		body := profile.AppendPing(nil, want)
		mustBeOneLine(t, body)
		if err := profile.DecodePing(&got, body); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if diff := compare(*want, got); diff != "" {
			t.Fatalf("%s\n%s", body, diff)
		}
		if want.ComputeDigest() != got.ComputeDigest() {
			t.Fatal("the digest changed on the way")
		}
	})
}

func TestPostRoundTrip(t *testing.T) {
	bothProfiles(t, func(t *rapid.T, profile *wire.Profile) {
		want, got := drawPost(t), pingpost.Post{}
		body := profile.AppendPost(nil, want)
		mustBeOneLine(t, body)
		want.BodyHash = sha256.Sum256(body)
		if err := profile.DecodePost(&got, body); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if diff := compare(*want, got); diff != "" {
			t.Fatalf("%s\n%s", body, diff)
		}
	})
}

// readable gives the reason that a profile reads for what it writes for one: several of ours may
// share a word, and the first of them is read.
func readable(profile *wire.Profile, reason pingpost.Reason) pingpost.Reason {
	body := profile.AppendAnswer(nil, &pingpost.Answer{PingID: "p", Reason: reason})
	answer, _ := profile.DecodeAnswer(body, 200)
	return answer.Reason
}

func TestAnswerRoundTrip(t *testing.T) {
	bothProfiles(t, func(t *rapid.T, profile *wire.Profile) {
		want := pingpost.Answer{Kind: pingpost.AnswerNoBid, PingID: idText.Draw(t, "ping")}
		if rapid.Bool().Draw(t, "bid") {
			want.Kind, want.BidID = pingpost.AnswerBid, idText.Draw(t, "bid")
			want.Bid = max(1, cents.Draw(t, "price"))
			want.ExpiresInMS = rapid.Int64Range(0, 3_600_000).Draw(t, "expires")
		} else {
			want.Reason = readable(profile, reasons.Draw(t, "reason"))
		}
		body := profile.AppendAnswer(nil, &want)
		mustBeOneLine(t, body)
		got, err := profile.DecodeAnswer(body, profile.AnswerStatus(want.Kind))
		if err != nil || got != want {
			t.Fatalf("%s\ngot  %+v, %v\nwant %+v", body, got, err, want)
		}
	})
}

func TestVerdictRoundTrip(t *testing.T) {
	bothProfiles(t, func(t *rapid.T, profile *wire.Profile) {
		want := pingpost.Verdict{Kind: rapid.SampledFrom([]pingpost.VerdictKind{pingpost.VerdictAccepted,
			pingpost.VerdictRejected, pingpost.VerdictConflict, pingpost.VerdictBusy}).Draw(t, "kind")}
		switch want.Kind {
		case pingpost.VerdictAccepted:
			want.PingID, want.LeadID = idText.Draw(t, "ping"), idText.Draw(t, "lead")
		case pingpost.VerdictRejected:
			want.PingID = idText.Draw(t, "ping")
			want.Reason = readable(profile, reasons.Draw(t, "reason"))
			want.Detail = freeText.Draw(t, "detail")
		}
		body := profile.AppendVerdict(nil, &want)
		mustBeOneLine(t, body)
		got, err := profile.DecodeVerdict(body, profile.VerdictStatus(want.Kind))
		if err != nil || got != want {
			t.Fatalf("%s\ngot  %+v, %v\nwant %+v", body, got, err, want)
		}
	})
}

func TestNoticeRoundTrip(t *testing.T) {
	bothProfiles(t, func(t *rapid.T, profile *wire.Profile) {
		want := pingpost.Notice{
			PingID: idText.Draw(t, "ping"), BidID: idText.Draw(t, "bid"),
			Outcome:       max(1, drawWord[pingpost.Outcome](t, pingpost.OutcomeWords())),
			ClearingPrice: cents.Draw(t, "clearing"), MinBidToWin: cents.Draw(t, "min"),
			Reason: readable(profile, reasons.Draw(t, "reason")),
		}
		body := profile.AppendNotice(nil, &want)
		mustBeOneLine(t, body)
		var got pingpost.Notice
		if err := profile.DecodeNotice(&got, body); err != nil || got != want {
			t.Fatalf("%s\ngot  %+v, %v\nwant %+v", body, got, err, want)
		}
	})
}

// Line ends inside a kept JSON value would break recordings, which count lines.
func TestAttributesAreWrittenOnOneLine(t *testing.T) {
	profile := native(t)
	var ping pingpost.Ping
	if err := profile.DecodePing(&ping, []byte("{\"ping_id\":\"p\",\"list\":[1,\r\n2]}")); err != nil {
		t.Fatal(err)
	}
	want := `{"ping_id":"p","exclusive":false,"attrs":{"list":[1,  2]}}`
	if got := string(profile.AppendPing(nil, &ping)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
