package wire_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

const usualPost = `{"ping_id":"p-1","bid_id":"b-1","price":41.00,"service":"hvac","job":"repair","exclusive":true,` +
	`"lead":{"first_name":"Dana","last_name":"Example","phone":"312-555-0142","email":"dana@example.com",` +
	`"address":"100 Example St","city":"Chicago","state":"IL","zip":"60614","notes":"Call after five."}}`

// The contact of a decoded post must neither print nor live in the body, which the server reuses.
func TestPersonalDataIsCopiedAndRedacted(t *testing.T) {
	profile, body := native(t), []byte(usualPost)
	var post pingpost.Post
	if err := profile.DecodePost(&post, body); err != nil {
		t.Fatal(err)
	}
	if post.BodyHash != sha256.Sum256([]byte(usualPost)) {
		t.Error("BodyHash is not the hash of the body")
	}
	clear(body)
	if got := post.Lead.Phone.Reveal() + post.Lead.Notes.Reveal(); got != "312-555-0142Call after five." {
		t.Errorf("the contact went with the body: %q", got)
	}
	for _, shown := range []string{fmt.Sprintf("%v", post.Lead), fmt.Sprintf("%#v", post.Lead)} {
		if strings.Contains(shown, "Dana") || strings.Contains(shown, "555") {
			t.Error("personal data was printed:", shown)
		}
	}
}

// Faults are answered and logged: whatever is wrong, they never show what was sent.
func TestFaultsNeverShowTheContent(t *testing.T) {
	profile := native(t)
	values := []string{`"secret-value`, `"secret-value"x`, `["secret-value"]`, `{"secret-value":"secret-value"}`,
		`"secret-value\q"`, "\"secret-value\n\"", `"secret-value` + strings.Repeat("x", 9000) + `"`}
	for _, name := range []string{"ping_id", "bid_id", "price", "service", "lead", "phone", "zip", "state", "email",
		"exclusive", "consent", "attrs"} {
		for _, value := range values {
			broken := strings.Replace(usualPost, `"`+name+`":`, `"`+name+`":`+value+`,"old":`, 1)
			if broken == usualPost {
				broken = strings.Replace(usualPost, "{", `{"`+name+`":`+value+`,`, 1)
			}
			var post pingpost.Post
			err := profile.DecodePost(&post, []byte(broken))
			if err == nil {
				continue // the value is fine in this place
			}
			checkFault(t, err)
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "xxx") {
				t.Errorf("%s %.30s: %v", name, value, err)
			}
		}
	}
}

// Every cut of a message is malformed: nothing is taken for whole that is not.
func TestCutOffBodiesAreMalformed(t *testing.T) {
	profile := native(t)
	for cut := range len(usualPost) {
		var post pingpost.Post
		if err := profile.DecodePost(&post, []byte(usualPost[:cut])); err == nil ||
			checkFault(t, err) != pingpost.Malformed {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	for cut := range len(usualPing) {
		var ping pingpost.Ping
		if err := profile.DecodePing(&ping, []byte(usualPing[:cut])); err == nil ||
			checkFault(t, err) != pingpost.Malformed {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestRepliesThatAreNotOnTheWire(t *testing.T) {
	profile := native(t)
	if got := profile.AppendAnswer(nil, &pingpost.Answer{Kind: pingpost.AnswerError}); len(got) != 0 {
		t.Errorf("an answer that was not understood is written as %s", got)
	}
	if got := profile.AppendVerdict(nil, &pingpost.Verdict{Kind: pingpost.VerdictUnknown}); len(got) != 0 {
		t.Errorf("a verdict that is not known is written as %s", got)
	}
}

func TestAppendError(t *testing.T) {
	f := func(code, message, field, want string) {
		t.Helper()
		if got := string(wire.AppendError(nil, code, message, field)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f("invalid_field", `zip must be a string, such as "60614"`, "zip",
		`{"error":{"code":"invalid_field","message":"zip must be a string, such as \"60614\"","field":"zip"}}`)
	f("malformed", "the body is empty", "", `{"error":{"code":"malformed","message":"the body is empty"}}`)
}

// Bytes that no sane sender sends, in every place of a body.
func TestEveryByteInEveryPlace(t *testing.T) {
	profile, ping := native(t), pingpost.Ping{}
	for at := 0; at < len(usualPing); at += stride {
		for _, b := range []byte{0, '\n', '"', '\\', '{', '}', '[', ',', ':', '0', 'e', 0x7f, 0x80, 0xff} {
			body := []byte(usualPing)
			body[at] = b
			before := bytes.Clone(body)
			if err := profile.DecodePing(&ping, body); err != nil {
				checkFault(t, err)
			}
			if !bytes.Equal(before, body) {
				t.Fatal("the body was modified")
			}
			checkPing(t, profile, body)
		}
	}
}
