package server

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"leadbid/exchange"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

func native(t testing.TB) *wire.Profile {
	t.Helper()
	profile, err := wire.Load("native")
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

const smallLead = `{"service":"hvac","zip":"60614","lead":{"phone":"+13125550100"}}`

func TestIntakeIDs(t *testing.T) {
	decode := func(seller, key, body string) (exchange.OpenOffer, bool) {
		open, named, err := decodeIntake(native(t), seller, key, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return open, named
	}
	withID := strings.Replace(smallLead, `{`, `{"lead_id":"7",`, 1)
	nameless, named := decode("a", "", smallLead)
	if other, _ := decode("a", "", smallLead); named || other.ID == nameless.ID {
		t.Errorf("two nameless leads are one: %q", other.ID)
	}
	first, named := decode("a", "", withID)
	if again, _ := decode("a", "", withID); !named || again.ID != first.ID || again.Body != first.Body {
		t.Errorf("%q is %q", again.ID, first.ID)
	}
	if keyed, _ := decode("a", "7", smallLead); keyed.ID != first.ID {
		t.Errorf("the header names another lead: %q", keyed.ID)
	}
	if other, _ := decode("b", "", withID); other.ID == first.ID {
		t.Error("two sellers share an id")
	}
	if strings.Contains(string(first.ID), "7") && len(first.ID) < 20 {
		t.Errorf("the offer's id shows the seller's: %q", first.ID)
	}
	if _, _, err := decodeIntake(native(t), "a", strings.Repeat("k", 256), []byte(smallLead)); err == nil {
		t.Error("a key of 256 characters was taken")
	}
}

func TestLooksPrivate(t *testing.T) {
	for text, private := range map[string]bool{
		"": false, "call @ 5": false, "@home: jo@example.com": true, "furnace": false, "2 stories": false, "60614-1234": false, "2026-03-01": false, "@": false, "a@": false,
		"built 1999, 2400 sqft": false, "google-12": false,
		"3125550123": true, "(312) 555-0123": true, "call +1 312.555.0123 now": true, "312/555/0123": true,
		"jo@example.com": true, "mail jo@x": true,
	} {
		if looksPrivate(text) != private {
			t.Errorf("%q: %v", text, !private)
		}
	}
}

// TestOwnContactIsNotShown puts the homeowner into fields that buyers see, where it does not look
// like one.
func TestOwnContactIsNotShown(t *testing.T) {
	const lead = `,"lead":{"first_name":"Jo","last_name":"Day","phone":"(312) 555-0123","email":"jo@x.example","address":"1 Elm Street"}}`
	for field, text := range map[string]string{
		"consent": `"consent":{"trustedform_url":"https://cert.trustedform.com/ab?phone=3125550123"}`,
		"sub_ids": `"sub_ids":["s1","3125550123"]`,
		"attrs":   `"attrs":{"system":"furnace","who":{"name":"Ms Jo  Day"}}`,
		"task":    `"task":"at 1 elm street"`,
		"":        `"source":"elm-312","city":"Elm","sub_ids":["3125550124"],"attrs":{"who":"jo"}`,
	} {
		_, _, err := decodeIntake(native(t), "seller", "", []byte(`{"service":"hvac","zip":"60614",`+text+lead))
		var wrong *fault
		if errors.As(err, &wrong); (field == "") != (err == nil) || field != "" && wrong.field != field {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A phone number is found however it is written.
func TestPhoneNumbersAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[0-9]{10}`).Draw(t, "digits")
		var text strings.Builder
		text.WriteString(rapid.StringMatching(`[a-z ]{0,8}`).Draw(t, "before"))
		for _, digit := range digits {
			text.WriteRune(digit)
			text.WriteString(rapid.SampledFrom([]string{"", "", "-", " ", ".", ") ", "("}).Draw(t, "between"))
		}
		if !looksPrivate(text.String()) {
			t.Fatalf("%q", text.String())
		}
	})
}

// FuzzIntake holds that whatever a seller sends is either refused in terms that do not repeat it,
// or an offer that shows buyers nothing like a phone number.
func FuzzIntake(f *testing.F) {
	f.Add([]byte(smallLead))
	f.Add([]byte(`{"lead_id":"1","campaign":"c","cost":1.5,"service":"hvac","zip":"60614","attrs":{"a":[1,{"b":"3125550100"}]},"lead":{"email":"a@b"}}`))
	f.Add([]byte(`{"service":"hvac","zip":"60614","sub_ids":["x"],"consent":{"agreed":true},"test":true,"lead":{"phone":"1","zip":"60614"}}`))
	f.Add([]byte(`{"lead":null,"attrs":null,"service":""}`))
	profile := native(f)
	phone := regexp.MustCompile(`[0-9]{10}`)
	f.Fuzz(func(t *testing.T, body []byte) {
		open, _, err := decodeIntake(profile, "seller", "", body)
		if err != nil {
			var wrong *fault
			if !errors.As(err, &wrong) || wrong.code == "" || wrong.message == "" || len(wrong.message) > 600 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		if open.Ping.ZIP == 0 || open.Ping.Service == pingpost.ServiceNone || !utf8.ValidString(open.Campaign) ||
			!open.Lead.Phone.Known() && !open.Lead.Email.Known() || open.Lead.ZIP != open.Ping.ZIP {
			t.Fatalf("%+v", open)
		}
		for _, attr := range open.Ping.Attrs {
			if phone.MatchString(attr.Value) {
				t.Fatalf("buyers would see %q", attr.Value)
			}
		}
		if shown := fmt.Sprintf("%+v", open); open.Lead.Phone.Known() && len(open.Lead.Phone.Reveal()) > 8 &&
			strings.Contains(shown, open.Lead.Phone.Reveal()) {
			t.Fatalf("the number prints: %s", shown)
		}
	})
}
