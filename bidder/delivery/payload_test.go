package delivery

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"leadbid/budget/store"
	"leadbid/pingpost"
)

func TestPayloadStaysBelowTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := func(name string) pingpost.Private {
			pattern := rapid.SampledFrom([]string{"a", "ü", "\"", "\x01", "<", "\xff", "日本"}).Draw(t, name)
			return pingpost.NewPrivate(strings.Repeat(pattern, rapid.IntRange(0, 30_000).Draw(t, name+"_length")))
		}
		delivery := store.Delivery{ID: "dlv_1"}
		lead := &delivery.Lead.Post.Lead
		lead.FirstName, lead.Address, lead.Notes = long("first"), long("address"), long("notes")
		delivery.Lead.Post.Attrs = []pingpost.Attr{{Name: "story", Value: long("story").Reveal()}}

		line, err := encode(delivery, maxPayload)
		if err != nil {
			t.Fatal(err)
		}
		var got payload
		if err := json.Unmarshal(line, &got); err != nil || len(line) >= maxPayload || !utf8.Valid(line) {
			t.Fatalf("%d bytes: %v", len(line), err)
		}
		whole, err := encode(delivery, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got.Trimmed != (len(whole) >= maxPayload) {
			t.Fatalf("trimmed is %v for a payload of %d bytes", got.Trimmed, len(whole))
		}
		if !got.Trimmed && string(line) != string(whole) {
			t.Fatal("a payload that fits was changed")
		}
	})
}

func TestAPayloadThatCannotFitIsAnError(t *testing.T) {
	delivery := store.Delivery{ID: "dlv_1", Campaign: strings.Repeat("x", maxPayload)}
	if _, err := encode(delivery, maxPayload); err == nil {
		t.Error("a payload beyond the limit was made")
	}
}

func TestPayloadOfALeadWithLittleInIt(t *testing.T) {
	delivery := store.Delivery{ID: "dlv_1", Lead: store.Lead{Post: pingpost.Post{
		Test: true, Attrs: []pingpost.Attr{{Name: "odd", Value: "{not json", Kind: pingpost.AttrJSON}},
	}}}
	line, err := encode(delivery, maxPayload)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"lead.accepted","delivery_id":"dlv_1","lead_id":"","campaign":"","exchange":"","ping_id":"",` +
		`"price":0.00,"received_at":"0001-01-01T00:00:00Z","test":true,"exclusive":false,"lead":{},"consent":{},` +
		`"attrs":{"odd":"{not json"}}`
	if string(line) != want {
		t.Errorf("payload\n%s, want\n%s", line, want)
	}
}
