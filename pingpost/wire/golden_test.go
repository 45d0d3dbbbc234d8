package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

var update = flag.Bool("update", false, "rewrite what the golden cases expect; read the difference before keeping it")

// goldenCase is one message and what it must be read as. The exemplary ones are documentation:
// they have no fault. The supplemental ones are the ugly ones that exchanges really send.
type goldenCase struct {
	About   string          `json:"about"`
	Message string          `json:"message"`          // ping, answer, post, verdict or notice
	Status  int             `json:"status,omitempty"` // of HTTP, for answers and verdicts
	Body    json.RawMessage `json:"body,omitempty"`
	Text    *string         `json:"text,omitempty"` // the body, where it is no JSON

	Read  map[string]string `json:"read,omitempty"`  // every field that has a value
	Fault *goldenFault      `json:"fault,omitempty"` // what is answered instead
	Wrote json.RawMessage   `json:"wrote,omitempty"` // what the other side writes for it, where that differs
}

type goldenFault struct {
	Reason  string `json:"reason"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

func (c *goldenCase) input() []byte {
	if c.Text != nil {
		return []byte(*c.Text)
	}
	return bytes.Clone(c.Body)
}

func parseCase(t testing.TB, file string, text []byte) *goldenCase {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var c goldenCase
	if err := decoder.Decode(&c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return &c
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/native/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden cases:", err)
	}
	profile := native(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := parseCase(t, file, text)
			got := *c
			got.Read, got.Fault, got.Wrote = nil, nil, nil
			got.run(t, profile)
			if got.Fault != nil && strings.Contains(file, "exemplary") {
				t.Errorf("an exemplary message has a fault: %+v", *got.Fault)
			}
			if now := got.marshal(t); !bytes.Equal(now, text) {
				if *update {
					if err := os.WriteFile(file, now, 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				t.Errorf("got\n%s\nwant\n%s", now, text)
			}
		})
	}
}

// run reads the message and notes what came of it.
func (c *goldenCase) run(t *testing.T, profile *wire.Profile) {
	body := c.input()
	before := bytes.Clone(body)
	message, wrote, err := c.read(profile, body)
	if !bytes.Equal(before, body) {
		t.Errorf("the body was modified: %s", body)
	}
	var fault *wire.Fault
	switch {
	case errors.As(err, &fault):
		c.Fault = &goldenFault{fault.Reason.String(), fault.Field, fault.Message}
	case err != nil:
		c.Fault = &goldenFault{Reason: "error", Message: err.Error()}
	default:
		c.Read = map[string]string{}
		describe(c.Read, "", reflect.ValueOf(message))
		delete(c.Read, "BodyHash")
		var same bytes.Buffer
		if json.Compact(&same, c.input()) != nil || same.String() != string(wrote) {
			c.Wrote = wrote
		}
	}
}

func (c *goldenCase) read(profile *wire.Profile, body []byte) (message any, wrote []byte, err error) {
	switch c.Message {
	case "ping":
		var m pingpost.Ping
		err = profile.DecodePing(&m, body)
		return m, profile.AppendPing(nil, &m), err
	case "answer":
		m, err := profile.DecodeAnswer(body, c.Status)
		return m, profile.AppendAnswer(nil, &m), err
	case "post":
		var m pingpost.Post
		err = profile.DecodePost(&m, body)
		return m, profile.AppendPost(nil, &m), err
	case "verdict":
		m, err := profile.DecodeVerdict(body, c.Status)
		return m, profile.AppendVerdict(nil, &m), err
	case "notice":
		var m pingpost.Notice
		err = profile.DecodeNotice(&m, body)
		return m, profile.AppendNotice(nil, &m), err
	}
	return nil, nil, fmt.Errorf("%q is not a message", c.Message)
}

// describe lists the fields of a message that have a value, by path, as people would write them.
func describe(into map[string]string, path string, v reflect.Value) {
	switch m := v.Interface().(type) {
	case pingpost.Private, fmt.Stringer:
		if !v.IsZero() {
			into[path] = fmt.Sprint(m)
		}
		return
	case pingpost.AnswerKind:
		into[path] = []string{"no_bid", "bid", "error"}[m]
		return
	case pingpost.VerdictKind:
		into[path] = []string{"unknown", "accepted", "rejected", "conflict", "busy", "error"}[m]
		return
	case pingpost.Tri:
		if m != pingpost.Unknown {
			into[path] = []string{"", "yes", "no"}[m]
		}
		return
	case pingpost.Attr:
		if m.Kind == pingpost.AttrJSON { // its spaces are those of the body
			var compact bytes.Buffer
			json.Compact(&compact, []byte(m.Value))
			m.Value = compact.String()
		}
		into[strings.TrimRight(path, "0123456789")+m.Name] = fmt.Sprintf("%s (%s)", m.Value,
			[]string{"text", "number", "bool", "JSON"}[m.Kind])
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if path != "" {
				name = path + "." + name
			}
			describe(into, name, v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			describe(into, fmt.Sprintf("%s.%d", path, i), v.Index(i))
		}
	default:
		if !v.IsZero() {
			into[path] = fmt.Sprint(v.Interface())
		}
	}
}

func (c *goldenCase) marshal(t *testing.T) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(c); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
