package webhook

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func mustParse(t testing.TB, text string) Secret {
	t.Helper()
	secret, err := ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// The example that the specification's reference libraries are tested with.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTimestamp = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func TestSignGivesThePublishedVector(t *testing.T) {
	header, now := http.Header{}, time.Unix(vectorTimestamp, 999)
	Sign(header, vectorID, now, []byte(vectorBody), mustParse(t, vectorSecret))
	want := http.Header{
		HeaderID: {vectorID}, HeaderTimestamp: {"1614265330"}, HeaderSignature: {vectorSignature},
	}
	if fmt.Sprint(header) != fmt.Sprint(want) {
		t.Errorf("Sign set\n%v, want\n%v", header, want)
	}
	if err := Verify(header, now, []byte(vectorBody), mustParse(t, vectorSecret)); err != nil {
		t.Errorf("Verify of the published vector: %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	secret, now := mustParse(t, vectorSecret), time.Unix(vectorTimestamp, 0)
	f := func(what string, want error, at time.Time, body string, change func(http.Header)) {
		t.Helper()
		header := http.Header{}
		Sign(header, vectorID, now, []byte(vectorBody), secret)
		change(header)
		if err := Verify(header, at, []byte(body), secret); err != want {
			t.Errorf("%s: Verify says %v, want %v", what, err, want)
		}
	}
	set := func(name, value string) func(http.Header) {
		return func(header http.Header) { header.Set(name, value) }
	}
	as := func(http.Header) {}
	f("as signed", nil, now, vectorBody, as)
	f("no id", ErrHeaders, now, vectorBody, func(h http.Header) { h.Del(HeaderID) })
	f("no timestamp", ErrHeaders, now, vectorBody, func(h http.Header) { h.Del(HeaderTimestamp) })
	f("no signature", ErrHeaders, now, vectorBody, func(h http.Header) { h.Del(HeaderSignature) })
	f("timestamp in words", ErrHeaders, now, vectorBody, set(HeaderTimestamp, "yesterday"))
	f("timestamp with a fraction", ErrHeaders, now, vectorBody, set(HeaderTimestamp, "1614265330.5"))
	f("timestamp before 1970", ErrTimestamp, now, vectorBody, set(HeaderTimestamp, "-9223372036854775808"))
	f("other timestamp", ErrSignature, now, vectorBody, set(HeaderTimestamp, "1614265331"))
	f("other id", ErrSignature, now, vectorBody, set(HeaderID, "msg_other"))
	f("other body", ErrSignature, now, vectorBody+" ", as)
	f("signature without its scheme", ErrSignature, now, vectorBody, set(HeaderSignature, vectorSignature[3:]))
	f("other scheme", ErrSignature, now, vectorBody, set(HeaderSignature, "v2"+vectorSignature[2:]))
	f("part of the signature", ErrSignature, now, vectorBody, set(HeaderSignature, vectorSignature[:20]))
	f("as old as may be", nil, now.Add(Tolerance), vectorBody, as)
	f("too old", ErrTimestamp, now.Add(Tolerance+time.Second), vectorBody, as)
	f("as early as may be", nil, now.Add(-Tolerance), vectorBody, as)
	f("too early", ErrTimestamp, now.Add(-Tolerance-time.Second), vectorBody, as)
	f("one of several", nil, now, vectorBody, set(HeaderSignature, "v1,AAAA v1a,BBBB "+vectorSignature))

	if err := Verify(http.Header{}, now, nil, secret); err != ErrHeaders {
		t.Errorf("an unsigned message: %v, want %v", err, ErrHeaders)
	}
	header := http.Header{}
	Sign(header, vectorID, now, []byte(vectorBody), secret)
	if err := Verify(header, now, []byte(vectorBody)); err != ErrSignature {
		t.Errorf("verified without any secret: %v, want %v", err, ErrSignature)
	}
}

func TestRotation(t *testing.T) {
	older := mustParse(t, vectorSecret)
	newer := mustParse(t, "whsec_"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("n", 32))))
	header, now, body := http.Header{}, time.Unix(vectorTimestamp, 0), []byte("{}")
	Sign(header, "msg", now, body, newer, older)
	if count := len(strings.Fields(header.Get(HeaderSignature))); count != 2 {
		t.Errorf("two secrets gave %d signatures", count)
	}
	for _, receiver := range [][]Secret{{older}, {newer}, {older, newer}} {
		if err := Verify(header, now, body, receiver...); err != nil {
			t.Errorf("a receiver with %d of the two secrets: %v", len(receiver), err)
		}
	}
}

func TestParseSecret(t *testing.T) {
	f := func(bytes int, encoding *base64.Encoding, want error) {
		t.Helper()
		text := "whsec_" + encoding.EncodeToString(make([]byte, bytes))
		if _, err := ParseSecret(text); err != want {
			t.Errorf("a secret of %d bytes: %v, want %v", bytes, err, want)
		}
	}
	f(23, base64.StdEncoding, ErrSecret)
	f(24, base64.StdEncoding, nil)
	f(32, base64.StdEncoding, nil)
	f(32, base64.RawStdEncoding, nil)
	f(64, base64.StdEncoding, nil)
	f(65, base64.StdEncoding, ErrSecret)
	for _, text := range []string{
		"", "whsec_", vectorSecret[6:], "WHSEC_" + vectorSecret[6:], vectorSecret + "!", "whsec_ " + vectorSecret[6:],
	} {
		if _, err := ParseSecret(text); err != ErrSecret {
			t.Errorf("ParseSecret(%q): %v, want %v", text, err, ErrSecret)
		}
	}
}

func TestSecretsPrintRedacted(t *testing.T) {
	secret := mustParse(t, vectorSecret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if printed := fmt.Sprintf(verb, secret); !strings.Contains(printed, "[redacted]") {
			t.Errorf("%s prints %q", verb, printed)
		}
	}
}

func TestSchedule(t *testing.T) {
	want := []string{
		"0s", "1s", "3s", "10s", "30s", "2m0s", "10m0s", "30m0s", "2h0m0s", "5h0m0s", "10h0m0s", "10h0m0s",
	}
	var got []string
	for failed := 0; ; failed++ {
		wait, ok := NextDelay(failed, 0)
		if !ok {
			break
		}
		got = append(got, wait.String())
	}
	if !slices.Equal(got, want) || len(Delays()) != len(want) {
		t.Errorf("the schedule is %v, want %v", got, want)
	}
	if _, ok := NextDelay(-1, 0); ok {
		t.Error("there is a wait before fewer than no attempts")
	}
}

func TestSpreadLengthensByUpToATenth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		failed := rapid.IntRange(0, len(delays)-1).Draw(t, "failed")
		spread := rapid.Float64().Draw(t, "spread")
		wait, ok := NextDelay(failed, spread)
		if base := delays[failed]; !ok || wait < base || wait > base+base/10 {
			t.Fatalf("NextDelay(%d, %v) = %v, want %v and up to a tenth more", failed, spread, wait, base)
		}
	})
	var buckets [10]int
	for i := range 10_000 {
		spread := Spread(fmt.Sprint("dlv-", i/4), i%4)
		if spread != Spread(fmt.Sprint("dlv-", i/4), i%4) {
			t.Fatal("Spread of the same attempt differs")
		}
		buckets[int(spread*10)]++
	}
	if slices.Min(buckets[:]) < 850 || slices.Max(buckets[:]) > 1150 {
		t.Errorf("10,000 spreads fall into tenths as %v, want about 1,000 each", buckets)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorID, "1614265330", vectorSignature, []byte(vectorBody))
	f.Add("", "", "", []byte(nil))
	f.Add("a.b", "-1", "v1, v1,, ,", []byte("{}"))
	secret := mustParse(f, vectorSecret)
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		header := http.Header{HeaderID: {id}, HeaderTimestamp: {timestamp}, HeaderSignature: {signature}}
		err := Verify(header, time.Unix(vectorTimestamp, 0), body, secret)
		if err == nil && !strings.Contains(signature, secret.sign(id, timestamp, body)) {
			t.Errorf("accepted %q", signature)
		}
	})
}
