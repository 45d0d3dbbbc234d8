package recording_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"leadbid/pingpost"
	"leadbid/pingpost/recording"
	"leadbid/pingpost/wire"
)

var noon = time.Date(2026, 3, 8, 12, 0, 0, 123456789, time.FixedZone("CDT", -5*3600))

func keepAll(string) bool { return true }

// usual is a ping with something in every field.
func usual() *pingpost.Ping {
	p := &pingpost.Ping{
		Exchange: "northside", ID: "p-1", TmaxMS: 350, Auction: pingpost.AuctionFirst, Service: pingpost.HVAC,
		Task: "no_heat", Job: pingpost.Repair, ZIP: 501, State: "NY", City: "Holtsville",
		Urgency: pingpost.UrgencyEmergency, Property: pingpost.SingleFamily, Homeowner: pingpost.Yes,
		LeadScore: pingpost.Score{Value: 72.5, Known: true}, Source: "google-12", SubIDs: []string{"a", ""},
		Consent:   pingpost.Consent{Agreed: pingpost.Yes, TrustedFormURL: "https://cert.trustedform.com/x", LeadIDPromised: true},
		Exclusive: true, MaxSold: 1, SoldSoFar: 0, Floor: 1250,
		Attrs: []pingpost.Attr{
			{Name: "system", Value: "furnace"},
			{Name: "age", Value: "17", Kind: pingpost.AttrNumber},
			{Name: "ip", Value: "203.0.113.9"},
			{Name: "callback", Value: "(312) 555-0142"},
		},
	}
	p.Digest = p.ComputeDigest()
	return p
}

// write records lines as a Writer does.
func write(t testing.TB, lines ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := recording.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if err := w.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read gives all records up to the end or an error other than io.EOF.
func read(t testing.TB, content []byte) ([]*recording.Record, error) {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	var records []*recording.Record
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			if _, again := r.Next(); again != err {
				t.Fatalf("after %v the reader went on: %v", err, again)
			}
			return records, err
		}
		records = append(records, record)
	}
}

// TestTheFormIsStable pins the lines to the byte: recordings are kept for years.
func TestTheFormIsStable(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != want+"\n" {
			t.Errorf("got  %swant %s", got, want)
		}
	}
	p := usual()
	p.Digest = 0x0123456789abcdef
	keep := func(name string) bool { return name != "age" }
	f(recording.AppendPing(nil, 7, noon, p, keep, []byte(`{"bid":42.50}`)),
		`{"seq":7,"at":"2026-03-08T17:00:00.123456789Z","kind":"ping","exchange":"northside",`+
			`"digest":"0123456789abcdef","ping":{"ping_id":"p-1","tmax_ms":350,"auction":"first","service":"hvac",`+
			`"task":"no_heat","job":"repair","zip":"00501","state":"NY","city":"Holtsville","urgency":"emergency",`+
			`"property_type":"single_family","homeowner":true,"lead_score":72.5,"source":"google-12","sub_ids":["a",""],`+
			`"exclusive":true,"max_sold":1,"floor":12.50,"consent":{"agreed":true,`+
			`"trustedform_url":"https://cert.trustedform.com/x","leadid_promised":true},"attrs":{"system":"furnace"}},`+
			`"withheld":true,"decision":{"bid":42.50}}`)
	f(recording.Append(nil, 8, noon, recording.KindCancel, []byte("{\n\t\"bid_seq\": 3\r\n}")),
		`{"seq":8,"at":"2026-03-08T17:00:00.123456789Z","kind":"cancel","data":{	"bid_seq": 3}}`)
	f(recording.Append(nil, 9, time.Time{}, recording.KindAway, []byte(`null`)),
		`{"seq":9,"at":"0001-01-01T00:00:00Z","kind":"away","data":null}`)
}

func TestAppendPingDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("NOT COUNTED HERE: the race detector allocates; a run without it counts")
	}
	p, line, decision := usual(), make([]byte, 0, 4096), []byte(`{"no_bid":"outside_area"}`)
	keep := func(name string) bool { return name == "system" || name == "callback" }
	if n := testing.AllocsPerRun(100, func() {
		line = recording.AppendPing(line[:0], 7, noon, p, keep, decision)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAppendPingLeavesThePingAlone(t *testing.T) {
	p := usual()
	p.Source, p.SubIDs = "dana@example.com", []string{"312-555-0142"}
	before := p.Clone()
	recording.AppendPing(nil, 1, noon, p, keepAll, []byte(`{}`))
	if diff := cmp.Diff(before, p); diff != "" {
		t.Error(diff)
	}
}

func TestNothingPersonalIsKept(t *testing.T) {
	p := usual()
	p.Source, p.Task, p.City = "dana@example.com", "call (312) 555-0142", "1 312 555 0142"
	p.SubIDs = []string{"312.555.0142", "3125550142", "spring"}
	p.Attrs = append(p.Attrs,
		pingpost.Attr{Name: "caller", Value: "3125550142", Kind: pingpost.AttrNumber},
		pingpost.Attr{Name: "extra", Value: `{"who":["Dana","dana@example.com"]}`, Kind: pingpost.AttrJSON},
		pingpost.Attr{Name: "hidden", Value: `["dana\u0040example.com"]`, Kind: pingpost.AttrJSON},
		pingpost.Attr{Name: "roof", Value: `{"shade":"none","age":12}`, Kind: pingpost.AttrJSON},
	)
	records, err := read(t, write(t, recording.AppendPing(nil, 1, noon, p, keepAll, []byte(`{}`))))
	if err != nil {
		t.Fatal(err)
	}
	if !records[0].Withheld {
		t.Error("nothing says that something was taken out")
	}
	got := records[0].Ping
	var names []string
	for _, attr := range got.Attrs {
		names = append(names, attr.Name)
	}
	if diff := cmp.Diff([]string{"system", "age", "roof"}, names); diff != "" {
		t.Error("attributes:", diff)
	}
	// A bare run of digits in a sub-source is what campaign ids look like; places do not move.
	if diff := cmp.Diff([]string{"", "3125550142", "spring"}, got.SubIDs); diff != "" {
		t.Error("sub-sources:", diff)
	}
	if got.Source != "" || got.City != "" || got.Digest != p.Digest {
		t.Errorf("source %q, city %q, digest %x", got.Source, got.City, got.Digest)
	}
}

func TestPersonal(t *testing.T) {
	f := func(want bool, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if got := recording.Personal(text); got != want {
				t.Errorf("Personal(%q) = %v", text, got)
			}
		}
	}
	f(true, "dana@example.com", "Dana <dana@example.com>", "mailto:d@e.co", "a @ b d@e.f", "a@b@c.de",
		"3125550142", "13125550142", "+1 (312) 555-0142", "312.555.0142", "1-312-555-0142",
		"203.0.113.9", "2001:db8::1", "::1")
	f(false, "", "furnace", "17", "@", "@dana", "dana@", "a@b", "a@.b", "a@b.", "60614", "60614-1234",
		"1125550142", "3121550142", "312555014", "23125550142", "312555014200", "2026-03-08", "12:30:45",
		"1.2.3", "1.2.3.400", "10:20:30:40", "3-5", "k1.AbC-_9", "1,234,567,890")
}

func drawPing(t *rapid.T) *pingpost.Ping {
	word := rapid.SampledFrom([]string{"", "a", "google-12", "Zoë \"x\"\\", "line\nend", "1234567890123", "\u2028</b>", "🙂"})
	tri := rapid.SampledFrom([]pingpost.Tri{pingpost.Unknown, pingpost.Yes, pingpost.No})
	flag := rapid.Bool()
	count := rapid.IntRange(0, 1000)
	p := &pingpost.Ping{
		Exchange: rapid.SampledFrom([]string{"northside", "e-2", `odd "name" é`}).Draw(t, "exchange"),
		ID:       rapid.StringMatching(`[!-~]{1,128}`).Draw(t, "id"),
		TmaxMS:   rapid.IntRange(0, 60_000).Draw(t, "tmax"),
		Auction:  pingpost.Auction(rapid.IntRange(0, len(pingpost.AuctionWords())).Draw(t, "auction")),
		Service:  pingpost.Service(rapid.IntRange(0, len(pingpost.ServiceWords())).Draw(t, "service")),
		Task:     word.Draw(t, "task"),
		Job:      pingpost.Job(rapid.IntRange(0, len(pingpost.JobWords())).Draw(t, "job")),
		ZIP:      pingpost.ZIP(rapid.Uint32Range(0, 99999).Draw(t, "zip")),
		State:    rapid.SampledFrom([]pingpost.State{"", "IL", "PR"}).Draw(t, "state"),
		City:     word.Draw(t, "city"),
		Urgency:  pingpost.Urgency(rapid.IntRange(0, len(pingpost.UrgencyWords())).Draw(t, "urgency")),
		Property: pingpost.Property(rapid.IntRange(0, len(pingpost.PropertyWords())).Draw(t, "property")),

		Homeowner: tri.Draw(t, "homeowner"),
		Source:    word.Draw(t, "source"),
		SubIDs:    rapid.SliceOfN(word, 0, pingpost.MaxSubIDs).Draw(t, "subs"),
		Consent: pingpost.Consent{Agreed: tri.Draw(t, "agreed"), TrustedFormURL: word.Draw(t, "url"),
			TrustedFormPromised: flag.Draw(t, "tf"), LeadID: word.Draw(t, "leadid"), LeadIDPromised: flag.Draw(t, "lid")},
		Exclusive: flag.Draw(t, "exclusive"),
		MaxSold:   count.Draw(t, "max sold"),
		SoldSoFar: count.Draw(t, "sold"),
		Floor:     pingpost.Cents(rapid.Int64Range(0, int64(pingpost.MaxCents)).Draw(t, "floor")),
		Test:      flag.Draw(t, "test"),
		Digest:    rapid.Uint64().Draw(t, "digest"),
	}
	if flag.Draw(t, "scored") {
		p.LeadScore = pingpost.Score{Known: true, Value: rapid.Float64Range(0, 100).Draw(t, "score")}
	}
	values := map[pingpost.AttrKind][]string{
		pingpost.AttrText:   {"", "furnace", "true", "12", "Zoë \"x\"\\\n"},
		pingpost.AttrNumber: {"0", "-1.50", "1e9", "12345678901234567890"},
		pingpost.AttrBool:   {"true", "false"},
		pingpost.AttrJSON:   {"null", "[]", `{"a":[1,{"b":"c"}]}`},
	}
	for _, name := range rapid.SliceOfNDistinct(word, 0, 4, rapid.ID).Draw(t, "attrs") {
		kind := pingpost.AttrKind(rapid.IntRange(0, 3).Draw(t, "kind"))
		p.Attrs = append(p.Attrs, pingpost.Attr{Name: name, Kind: kind,
			Value: rapid.SampledFrom(values[kind]).Draw(t, "value")})
	}
	return p
}

// Where a ping came as we would write it, it is copied, and nobody can tell: also where something in it
// is personal, or an attribute is not kept.
func TestACopiedPingIsTheSameLine(t *testing.T) {
	profile, err := wire.Load(recording.Profile)
	if err != nil {
		t.Fatal(err)
	}
	copied := 0
	check := func(t *rapid.T) {
		p := drawPing(t)
		if rapid.Bool().Draw(t, "bare") {
			p.Attrs = nil
		}
		if rapid.Bool().Draw(t, "personal") {
			p.Source = "call 312-555-0142"
		}
		body := profile.AppendPing(nil, p)
		var got pingpost.Ping
		asWritten, err := profile.DecodePingAsWritten(&got, body)
		if err != nil {
			t.Fatal(err)
		}
		var written []byte
		if asWritten {
			copied++
			written = body
		}
		got.Exchange, got.Digest = p.Exchange, p.Digest
		keep := func(name string) bool { return len(name)%2 == 0 }
		want := recording.AppendPing(nil, 1, noon, &got, keep, []byte(`{}`))
		if line := recording.AppendWrittenPing(nil, 1, noon, &got, written, keep, []byte(`{}`)); !bytes.Equal(line, want) {
			t.Fatalf("copied it is\n%s written\n%s", line, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 10 { // one in ten is as we would write it
			check(t)
		}
	})
	if copied == 0 {
		t.Error("no ping was copied")
	}
}

// A ping that comes back from a recording is the one that went in: rules cannot tell them apart.
func TestPingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawPing(t)
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		seq := rapid.Uint64().Draw(t, "seq")
		line := recording.AppendPing(nil, seq, at, want, keepAll, []byte(`{"bid":1.00}`))
		if bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Fatalf("more than one line: %q", line)
		}
		var out bytes.Buffer
		w, _ := recording.NewWriter(&out)
		if err := errors.Join(w.Write(line), w.Close()); err != nil {
			t.Fatal(err)
		}
		r, _ := recording.NewReader(&out)
		got, err := r.Next()
		if err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if got.Seq != seq || !got.At.Equal(at) || got.Kind != recording.KindPing || string(got.Decision) != `{"bid":1.00}` {
			t.Fatalf("%s came back as %+v", line, got)
		}
		if diff := cmp.Diff(want, got.Ping, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s\n%s", line, diff)
		}
		again := recording.AppendPing(nil, got.Seq, got.At, got.Ping, keepAll, got.Decision)
		if !bytes.Equal(line, again) {
			t.Fatalf("%s was written again as %s", line, again)
		}
	})
}

func TestMalformedRecordsAreNamed(t *testing.T) {
	good := recording.Append(nil, 1, noon, recording.KindAway, []byte(`{}`))
	f := func(line, want string) {
		t.Helper()
		records, err := read(t, write(t, good, []byte(line+"\n"), good))
		if len(records) != 1 || err == nil || !strings.Contains(err.Error(), "record 2: "+want) {
			t.Errorf("%s: %d records, then %v; want %q", line, len(records), err, want)
		}
	}
	head := `{"seq":1,"at":"2026-03-08T12:00:00Z","kind":`
	f(`{`, "it is not JSON")
	f(``, "it is not JSON")
	f(`[]`, "it is not JSON")
	f(`{}`, "seq, at or kind is missing")
	f(`{"seq":-1}`, "it is not JSON")
	f(`{"seq":1,"at":"noon","kind":"away","data":1}`, "it is not JSON")
	f(head+`"away"}`, "data is missing")
	f(head+`"ping","decision":{}}`, "ping or decision is missing")
	f(head+`"ping","ping":{"ping_id":"p"},"decision":{}}`, "digest must be")
	f(head+`"ping","digest":"0123456789abcdeg","ping":{"ping_id":"p"},"decision":{}}`, "digest must be")
	f(head+`"ping","digest":"0123456789abcdef","ping":{"zip":7},"decision":{}}`, "its ping: wire: ping_id is missing")
}
