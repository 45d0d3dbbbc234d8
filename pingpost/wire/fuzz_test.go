package wire_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// seeds adds the golden bodies of a message, so that fuzzing begins with what matters.
func seeds(f *testing.F, message string) {
	files, _ := filepath.Glob("testdata/native/*/*.json")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if c := parseCase(f, file, text); c.Message == message {
			f.Add(c.input())
		}
	}
}

// checkFault makes sure that an error is one that can be answered.
func checkFault(t interface{ Fatalf(string, ...any) }, err error) pingpost.Reason {
	var fault *wire.Fault
	if !errors.As(err, &fault) || fault.Message == "" ||
		fault.Reason != pingpost.Malformed && fault.Reason != pingpost.InvalidField {
		t.Fatalf("not a fault that can be answered: %#v", err)
	}
	return fault.Reason
}

func FuzzDecodePing(f *testing.F) {
	seeds(f, "ping")
	f.Add([]byte(usualPing))
	profile := native(f)
	f.Fuzz(func(t *testing.T, body []byte) { checkPing(t, profile, body) })
}

// checkPing holds the decoder against the naive one, and what it read against what it writes.
func checkPing(t interface{ Fatalf(string, ...any) }, profile *wire.Profile, body []byte) {
	before := bytes.Clone(body)
	checkSwift(t, profile, body)
	var got, again pingpost.Ping
	err := profile.DecodePing(&got, body)
	if !bytes.Equal(before, body) {
		t.Fatalf("the body was modified: %q", before)
	}
	want, reason := naivePing(body)
	if err != nil {
		if r := checkFault(t, err); r != reason {
			t.Fatalf("%q: got %v (%v), the naive decoder says %q", body, r, err, reason)
		}
		return
	}
	if reason != pingpost.ReasonNone {
		t.Fatalf("%q: accepted, the naive decoder says %v", body, reason)
	}
	if diff := compare(*want, got); diff != "" {
		t.Fatalf("%q: the naive decoder reads otherwise\n%s", body, diff)
	}
	written := profile.AppendPing(nil, &got)
	if err := profile.DecodePing(&again, written); err != nil {
		t.Fatalf("%q became %q: %v", body, written, err)
	}
	if got.ComputeDigest() != again.ComputeDigest() && !bytes.ContainsAny(body, "\r\n") {
		t.Fatalf("%q became %q, another ping", body, written)
	}
}

// TestDecodePingAgainstNaive does what fuzzing does, on pings that are nearly right.
func TestDecodePingAgainstNaive(t *testing.T) {
	profile := native(t)
	rapid.Check(t, func(t *rapid.T) { checkPing(t, profile, drawBody(t)) })
}

// drawBody draws an object out of names and values of which most belong together, sometimes
// mutilated.
func drawBody(t *rapid.T) []byte {
	names := rapid.SampledFrom(append([]string{"unknown", "raw.service", "attrs", "consent", "agreed", "consent.agreed",
		"", "Ping_ID", `zi\u0070`, "zi\xffp"}, naiveFields...))
	scalars := rapid.SampledFrom([]string{`"p-1"`, `"60614"`, `"6061"`, `60614`, `350`, `0`, `-1`, `60001`, `1.5`, `1e2`,
		`12.50`, `12.505`, `1e999`, `100000000.01`, `"hvac"`, `"HVAC"`, `"repair"`, `"il"`, `"Illinois"`, `true`, `false`,
		`null`, `""`, `"true"`, `"\u0068vac"`, `"Zo\u00eb"`, `"Zoë"`, `"\ud800"`, `"\x"`, "\"a\nb\"", "\"\xff\"", `01`, `1.`,
		`-`, `tru`, `72`, `"two words"`})
	var draw func(depth int) string
	members := func(depth int) string {
		body := "{"
		for i := range rapid.IntRange(0, 6).Draw(t, "members") {
			if i > 0 {
				body += ","
			}
			body += ` "` + strings.TrimPrefix(names.Draw(t, "name"), "consent.") + `":` + draw(depth+1)
		}
		return body + "}"
	}
	draw = func(depth int) string {
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case depth > 4 || kind < 7:
			return scalars.Draw(t, "scalar")
		case kind < 9:
			return members(depth)
		}
		return "[" + strings.Join([]string{draw(depth + 1), draw(depth + 1)}, ", ") + "]"
	}
	body := members(0)
	if rapid.Bool().Draw(t, "named") {
		body = `{"ping_id":"p-1"` + strings.Replace(","+body[1:], ",}", "}", 1)
	}
	if rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
		body = body[:rapid.IntRange(0, len(body)).Draw(t, "at")]
	}
	return []byte(body)
}

func FuzzDecodePost(f *testing.F) {
	seeds(f, "post")
	profile := native(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		var got, again pingpost.Post
		if err := profile.DecodePost(&got, body); err != nil {
			checkFault(t, err)
			return
		}
		if !bytes.Equal(before, body) {
			t.Fatal("the body was modified")
		}
		written := profile.AppendPost(nil, &got)
		if err := profile.DecodePost(&again, written); err != nil {
			t.Fatalf("%q became %q: %v", body, written, err)
		}
		got.BodyHash = again.BodyHash
		if diff := compare(got, again); diff != "" && !bytes.ContainsAny(body, "\r\n") {
			t.Fatalf("%q became %q\n%s", body, written, diff)
		}
	})
}

func FuzzDecodeNotice(f *testing.F) {
	seeds(f, "notice")
	profile := native(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, again pingpost.Notice
		if err := profile.DecodeNotice(&got, body); err != nil {
			checkFault(t, err)
			return
		}
		written := profile.AppendNotice(nil, &got)
		if err := profile.DecodeNotice(&again, written); err != nil || got != again {
			t.Fatalf("%q became %q: %v", body, written, err)
		}
	})
}

// FuzzDecodeReply covers what a buyer can answer to a ping or a post, with any status.
func FuzzDecodeReply(f *testing.F) {
	for _, body := range []string{
		`{"ping_id":"p-1","status":"bid","bid":42.50,"currency":"USD","bid_id":"b","expires_in_ms":60000}`,
		`{"ping_id":"p-1","status":"no_bid","reason":"outside_area"}`,
		`{"ping_id":"p-1","status":"accepted","lead_id":"l-1"}`,
		`{"status":"rejected","reason":"duplicate_lead"}`,
		`{"error":{"code":"malformed"}}`, `<html>`, ``,
	} {
		for _, status := range []int{200, 201, 303, 400, 409, 503} {
			f.Add([]byte(body), status)
		}
	}
	profile := native(f)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		answer, err := profile.DecodeAnswer(body, status)
		if (err != nil) != (answer.Kind == pingpost.AnswerError) {
			t.Fatalf("kind %v with error %v", answer.Kind, err)
		}
		if answer.Kind == pingpost.AnswerBid && (answer.Bid <= 0 || answer.BidID == "" || status != 200) {
			t.Fatalf("%q with HTTP %d is no bid: %+v", body, status, answer)
		}
		verdict, err := profile.DecodeVerdict(body, status)
		if (err != nil) != (verdict.Kind == pingpost.VerdictError) {
			t.Fatalf("kind %v with error %v", verdict.Kind, err)
		}
		if verdict.Kind == pingpost.VerdictUnknown || verdict.Kind == pingpost.VerdictAccepted && status != 200 {
			t.Fatalf("%q with HTTP %d is no verdict: %+v", body, status, verdict)
		}
	})
}
