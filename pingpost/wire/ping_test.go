package wire_test

import (
	"testing"

	"leadbid/pingpost"
)

// usualPing is a ping as an exchange sends thousands of them in a second.
const usualPing = `{"ping_id":"p-1","tmax_ms":350,"auction":"first","service":"hvac","job":"repair","zip":"60614",` +
	`"state":"IL","urgency":"emergency","property_type":"single_family","homeowner":true,"lead_score":72.5,` +
	`"source":"google-12","sub_ids":["a","b"],"exclusive":true,"max_sold":1,"floor":12.50,` +
	`"consent":{"trustedform_url":"https://cert.trustedform.com/abc","agreed":true},"test":false,` +
	`"attrs":{"system":"furnace","age_years":17},"unmapped":"é"}`

func TestPingPathDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("NOT COUNTED HERE: the race detector allocates; a run without it counts")
	}
	profile, ping, body := native(t), &pingpost.Ping{}, []byte(usualPing)
	answer := pingpost.Answer{Kind: pingpost.AnswerBid, PingID: "p-1", Bid: 4250, BidID: "b-1", ExpiresInMS: 60000}
	written := make([]byte, 0, 4096)
	f := func(what string, run func()) {
		t.Helper()
		run() // slices that are reused get their size once
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	f("decoding a usual ping", func() {
		if err := profile.DecodePing(ping, body); err != nil {
			t.Fatal(err)
		}
	})
	f("appending a ping", func() { written = profile.AppendPing(written[:0], ping) })
	f("appending a ping with some attributes", func() {
		written = profile.AppendPingKeeping(written[:0], ping, func(a pingpost.Attr) bool { return a.Name == "system" })
	})
	f("appending a bid", func() { written = profile.AppendAnswer(written[:0], &answer) })
	f("appending a no-bid", func() {
		written = profile.AppendAnswer(written[:0], &pingpost.Answer{PingID: "p-1", Reason: pingpost.OutsideArea})
	})
}

func TestDecodePingResetsItsTarget(t *testing.T) {
	profile := native(t)
	var ping, fresh pingpost.Ping
	if err := profile.DecodePing(&ping, []byte(usualPing)); err != nil {
		t.Fatal(err)
	}
	ping.Exchange, ping.Digest = "northside", 7
	second := []byte(`{"ping_id":"p-2","attrs":{"other":true}}`)
	for _, into := range []*pingpost.Ping{&ping, &fresh} {
		if err := profile.DecodePing(into, second); err != nil {
			t.Fatal(err)
		}
	}
	if diff := compare(fresh, ping); diff != "" {
		t.Error("the second ping holds something of the first:\n", diff)
	}
}

func TestAttributesAreBounded(t *testing.T) {
	body := []byte(`{"ping_id":"p-1"`)
	for i := range 200 {
		body = append(body, `,"f`...)
		body = append(body, byte('a'+i/26), byte('a'+i%26))
		body = append(body, `":1`...)
	}
	body = append(body, '}')
	var ping pingpost.Ping
	if err := native(t).DecodePing(&ping, body); err != nil {
		t.Fatal("unknown fields must never fail a ping:", err)
	}
	if len(ping.Attrs) != 64 || ping.Attrs[0].Name != "faa" {
		t.Errorf("got %d attributes, the first %q", len(ping.Attrs), ping.Attrs[0].Name)
	}
}

// ownPing is one as our own exchange spells it.
const ownPing = `{"ping_id":"bench-0123456789abcdef-0000140321","tmax_ms":300,"auction":"first","service":"hvac",` +
	`"task":"furnace","job":"repair","zip":"60004","state":"IL","city":"Chicago","urgency":"year","property_type":"condo",` +
	`"homeowner":true,"lead_score":92,"source":"google-17","sub_ids":["a4"],"exclusive":true,"max_sold":1,` +
	`"consent":{"agreed":true,"trustedform_url":"https://cert.trustedform.com/bench-0123456789abcdef-0000140321"}}`

func BenchmarkDecodePing(b *testing.B) {
	for name, text := range map[string]string{"own": ownPing, "usual": usualPing} {
		b.Run(name, func(b *testing.B) {
			profile, ping, body := native(b), &pingpost.Ping{}, []byte(text)
			b.ReportAllocs()
			for b.Loop() {
				if err := profile.DecodePing(ping, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendAnswer(b *testing.B) {
	profile := native(b)
	answer := pingpost.Answer{Kind: pingpost.AnswerBid, PingID: "p-1", Bid: 4250, BidID: "b-1", ExpiresInMS: 60000}
	written := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		written = profile.AppendAnswer(written[:0], &answer)
	}
}
