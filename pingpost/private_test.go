package pingpost

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

const secret = "Jane Roe"

// carrier holds personal data in every place that a struct has for it.
type carrier struct {
	Name    Private
	Pointer *Private
	List    []Private
	Keyed   map[string]Private
	Any     any
	Embedded
	hidden  Private // fmt does not ask the methods of what is not exported
	deeper  struct{ lead Lead }
	private map[string]Private
}

// Embedded is exported so that encoders look into it.
type Embedded struct{ Phone Private }

func fullCarrier() carrier {
	private := NewPrivate(secret)
	c := carrier{Name: private, Pointer: &private, List: []Private{private}, Keyed: map[string]Private{"a": private},
		Any: private, Embedded: Embedded{private}, hidden: private, private: map[string]Private{"a": private}}
	c.deeper.lead = Lead{FirstName: private, Notes: private}
	return c
}

// mustNotShow fails where a text holds the secret in any of the ways fmt could have written it.
func mustNotShow(t *testing.T, how, text string) {
	t.Helper()
	for _, shown := range []string{secret, "Jane", fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret),
		fmt.Sprintf("%d", []byte(secret)), fmt.Sprintf("% x", secret)} {
		if strings.Contains(text, shown) {
			t.Errorf("%s shows personal data: %s", how, text)
		}
	}
}

func TestPrivateNeverPrints(t *testing.T) {
	private := NewPrivate(secret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%b", "%o", "%U", "%c",
		"%e", "%g", "%t", "%p", "%w", "%z", "%20s", "%-20v", "%.3s", "%+q", "%#x", "%#q", "%!"} {
		for _, value := range []any{private, &private, []Private{private}, fullCarrier(), &Lead{Phone: private},
			Post{Lead: Lead{Email: private}}, struct{ p *Private }{&private}} {
			mustNotShow(t, fmt.Sprintf("%s of %T", verb, value), fmt.Sprintf(verb, value))
		}
	}
	mustNotShow(t, "Sprint", fmt.Sprint(private, fullCarrier()))
	mustNotShow(t, "Errorf", fmt.Errorf("delivering to %v: %w", private, errors.New("refused")).Error())
	mustNotShow(t, "panic", fmt.Sprint(fullCarrier().Any))
}

func TestPrivateShowsThatItIsThere(t *testing.T) {
	private := NewPrivate(secret)
	for _, pair := range [][2]string{
		{fmt.Sprint(private), "[redacted]"}, {fmt.Sprintf("%s", private), "[redacted]"},
		{fmt.Sprintf("%d", private), "[redacted]"}, {fmt.Sprintf("%#v", private), "pingpost.Private([redacted])"},
		{fmt.Sprint(Private{}), ""}, {fmt.Sprintf("%#v", NewPrivate("")), "pingpost.Private()"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("printed as %q, want %q", pair[0], pair[1])
		}
	}
}

func TestPrivateNeverMarshals(t *testing.T) {
	asJSON, err := json.Marshal(fullCarrier())
	if err != nil || bytes.Count(asJSON, []byte(redacted)) != 6 {
		t.Errorf("JSON: %s, %v; want six redacted values", asJSON, err)
	}
	mustNotShow(t, "JSON", string(asJSON))

	type inXML struct {
		Attribute Private `xml:"name,attr"`
		Element   Private
		Text      Private `xml:",chardata"`
	}
	asXML, err := xml.Marshal(inXML{NewPrivate(secret), NewPrivate(secret), NewPrivate(secret)})
	if err != nil || !bytes.Contains(asXML, []byte(redacted)) {
		t.Errorf("XML: %s, %v", asXML, err)
	}
	mustNotShow(t, "XML", string(asXML))

	text, err := NewPrivate(secret).MarshalText()
	if err != nil || string(text) != redacted {
		t.Errorf("text: %q, %v", text, err)
	}
}

func TestPrivateNeverLogs(t *testing.T) {
	var out bytes.Buffer
	private, full := NewPrivate(secret), fullCarrier()
	log := zerolog.New(&out)
	log.Info().Interface("a", private).Any("b", full).Stringer("c", private).Fields(map[string]any{"d": private}).
		Interface("e", &full).Str("f", fmt.Sprint(full)).Msgf("lead %v of %+v", private, full)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("lead", "a", private, "b", full, "c", &private, "d", []Private{private})
	}
	if out.Len() == 0 {
		t.Fatal("nothing was logged")
	}
	mustNotShow(t, "a log", out.String())
}

func TestPrivateIsNotReadBack(t *testing.T) {
	var lead struct{ Phone Private }
	err := json.Unmarshal([]byte(`{"Phone":"[redacted]"}`), &lead)
	if !errors.Is(err, ErrRedacted) || lead.Phone.Known() {
		t.Errorf("read back: %v, %v", lead.Phone, err)
	}
}

func TestPrivateValue(t *testing.T) {
	private := NewPrivate(secret)
	if private.Reveal() != secret || !private.Known() {
		t.Error("the value is lost")
	}
	if NewPrivate("").Known() || (Private{}).Reveal() != "" {
		t.Error("an empty value counts as known")
	}
	if !private.Equal(NewPrivate(secret)) || private.Equal(NewPrivate("John")) || !(Private{}).Equal(NewPrivate("")) {
		t.Error("Equal does not compare values")
	}
}
