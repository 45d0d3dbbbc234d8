package wire_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// checkSwift holds the swift way against the decoder, and what it says of the body against the body.
// ok is false where it gave up, which it may always do.
func checkSwift(t interface{ Fatalf(string, ...any) }, profile *wire.Profile, body []byte) (asWritten, ok bool) {
	var swift, thorough pingpost.Ping
	asWritten, ok = profile.DecodeSwiftly(&swift, body)
	if !ok {
		return false, false
	}
	if err := profile.DecodeThoroughly(&thorough, body); err != nil {
		t.Fatalf("%q: read swiftly, and the decoder says %v", body, err)
	}
	if diff := compare(thorough, swift); diff != "" {
		t.Fatalf("%q: read swiftly it is another ping\n%s", body, diff)
	}
	if written := profile.AppendPing(nil, &swift); asWritten && !bytes.Equal(written, body) {
		t.Fatalf("%q counts as what we would write, and that is %q", body, written)
	}
	return asWritten, ok
}

// TestSwiftAgainstDecoder draws pings that are nearly right, and pings as we write them with some bytes
// changed, left out or put in.
func TestSwiftAgainstDecoder(t *testing.T) {
	bothProfiles(t, func(t *rapid.T, profile *wire.Profile) {
		checkSwift(t, profile, drawBody(t))
		body := profile.AppendPing(nil, drawPing(t))
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
			to := rapid.IntRange(at, min(at+3, len(body))).Draw(t, "to")
			with := rapid.SampledFrom([]string{"", " ", "0", "9", ".", "-", `"`, "x", ",", "null", "false", "[", "}", `\`, "é"}).Draw(t, "with")
			body = append(bytes.Clone(body[:at]), append([]byte(with), body[to:]...)...)
			if len(body) == 0 {
				return
			}
		}
		checkSwift(t, profile, body)
	})
}

// TestSwiftKeepsBounds: a text that is as long as the decoder allows is read, one that is a byte longer is left
// to the decoder, which drops it.
func TestSwiftKeepsBounds(t *testing.T) {
	profile := native(t)
	for _, field := range []struct {
		body string
		most int
	}{
		{`{"ping_id":"%s","exclusive":true}`, 128},
		{`{"ping_id":"p-1","task":"%s"}`, 256},
		{`{"ping_id":"p-1","city":"%s"}`, 256},
		{`{"ping_id":"p-1","source":"%s"}`, 256},
		{`{"ping_id":"p-1","sub_ids":["%s"]}`, 256},
		{`{"ping_id":"p-1","consent":{"trustedform_url":"%s"}}`, 2048},
		{`{"ping_id":"p-1","consent":{"leadid":"%s"}}`, 256},
	} {
		for _, first := range []string{"x", `\u0078`} {
			for more := range 2 {
				body := fmt.Sprintf(field.body, first+strings.Repeat("x", field.most-1+more))
				if _, ok := checkSwift(t, profile, []byte(body)); ok != (more == 0) {
					t.Errorf("%s with a text of %d bytes: read swiftly: %v", field.body, field.most+more, ok)
				}
			}
		}
	}
}

// TestUsualPingsAreReadSwiftly: what this is for does take that way.
func TestUsualPingsAreReadSwiftly(t *testing.T) {
	profile := native(t)
	f := func(what, body string, want bool) {
		t.Helper()
		asWritten, ok := checkSwift(t, profile, []byte(body))
		if !ok {
			t.Errorf("%s: not read swiftly", what)
		}
		if asWritten != want {
			t.Errorf("%s: counts as what we would write: %v", what, asWritten)
		}
	}
	const whole = `{"ping_id":"p-1","tmax_ms":350,"auction":"first","service":"hvac","task":"furnace","job":"repair",` +
		`"zip":"60614","state":"IL","city":"Chicago","urgency":"emergency","property_type":"single_family","homeowner":true,` +
		`"lead_score":72,"source":"google-12","sub_ids":["a","Zoë",""],"exclusive":true,"max_sold":4,"sold_so_far":1,"floor":12.50,` +
		`"consent":{"agreed":true,"trustedform_url":"https://cert.trustedform.com/abc","leadid":"x","leadid_promised":true,` +
		`"given_at":"2026-03-02T16:00:00Z"},"test":true}`
	f("all fields", whole, true)
	f("some fields", `{"ping_id":"p-1","service":"hvac","zip":"60614","urgency":"asap","lead_score":0,"exclusive":false}`, true)
	f("hardly any", `{"ping_id":"p-1","exclusive":true}`, false) // we do not look that far ahead
	f("another order", usualPing, false)
	f("with spaces", `{"ping_id": "p-1", "zip": "60614"}`, false)
	f("space at the end", `{"ping_id":"p-1","exclusive":true} `, false)
	f("nothing of what we always write", `{"ping_id":"p-1"}`, false)
	const first = `{"ping_id":"p-1","service":"hvac","zip":"60614","urgency":"asap","homeowner":true,"exclusive":true`
	f("an attribute", first+`,"test":true,"attrs":{"a":1}}`, false)
	f("a field that we do not know", first+`,"more":1}`, false)
	f("what goes without saying", first+`,"test":false}`, false)
	f("none sold", first+`,"max_sold":0}`, false)
	f("no floor", first+`,"floor":0.00}`, false)
	f("a part of a dollar", first+`,"floor":12.5}`, false)
	f("a time of another zone", first+`,"consent":{"given_at":"2026-03-02T16:00:00+01:00"}}`, false)
	f("an empty object", first+`,"consent":{}}`, false)
	f("null", first+`,"max_sold":null}`, false)
	f("words of its own", `{"ping_id":"p-1","property_type":"tepee","urgency":"whenever","attrs":{"a":1}}`, false)
	f("an escape", `{"ping_id":"p-1","service":"hvac","task":"\u0061","zip":"60614","urgency":"asap","exclusive":true}`, false)
	f("lower case", `{"ping_id":"p-1","service":"hvac","state":"il","urgency":"asap","homeowner":true,"exclusive":true}`, false)
	f("a whole score as a fraction", `{"ping_id":"p-1","service":"hvac","urgency":"asap","lead_score":7.0,"exclusive":true}`, false)
	for _, list := range []string{`[]`, `[ "1"]`, `["1" ]`, `["1", "2"]`, `["1","2","3","4","5","6"]`, `["\u0061"]`} {
		f("sub-sources "+list, `{"ping_id":"p-1","service":"hvac","urgency":"asap","lead_score":7,"sub_ids":`+list+`,"exclusive":true}`, false)
	}
	for _, twice := range []string{`"max_sold":1,"max_sold":null`, `"sub_ids":["a"],"sub_ids":["b"]`, `"city":"A","city":"B"`} {
		checkSwift(t, profile, []byte(`{"ping_id":"p-1",`+twice+`}`)) // of two the last counts, whatever it says
	}
}
