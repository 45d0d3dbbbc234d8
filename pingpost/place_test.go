package pingpost

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseZIP(t *testing.T) {
	reads := func(text string, want ZIP) {
		t.Helper()
		got, err := ParseZIP(text)
		fromBytes, bytesErr := ParseZIP([]byte(text))
		if err != nil || bytesErr != nil || got != want || fromBytes != want {
			t.Errorf("ParseZIP(%q) = %d, %v; of bytes %d, %v; want %d", text, got, err, fromBytes, bytesErr, want)
		}
	}
	reads("60614", 60614)
	reads("00501", 501)
	reads("99950", 99950)
	reads("60614-1234", 60614)
	reads("606141234", 60614)
	reads("60614-0000", 60614)

	for _, text := range []string{"", "6061", "606144", "00000", "00000-1234", "6o614", "60614-", "60614-12",
		"60614-12a4", "60614 1234", "12-45", "123-56789", "60614-12345", "-0614", "+0614", " 0614", "60614\n",
		"٦٠٦١٤", "6061４"} {
		if got, err := ParseZIP(text); !errors.Is(err, ErrZIP) || got != 0 {
			t.Errorf("ParseZIP(%q) = %d, %v; want ErrZIP", text, got, err)
		}
	}
}

func TestZIPRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zip := ZIP(rapid.Uint32Range(1, 99999).Draw(t, "zip"))
		if got, err := ParseZIP(zip.String()); err != nil || got != zip || len(zip.String()) != 5 {
			t.Fatalf("%d became %q and came back as %d, %v", zip, zip.String(), got, err)
		}
	})
	if got := ZIP(0).String(); got != "" {
		t.Errorf("no ZIP prints as %q", got)
	}
}

func TestParseState(t *testing.T) {
	codes := strings.Fields(stateCodes)
	if want := 50 + 1 + 6 + 3 + 3; len(codes) != want { // States, DC, territories, the military, free association.
		t.Errorf("%d codes, want %d", len(codes), want)
	}
	for _, code := range codes {
		for _, text := range []string{code, strings.ToLower(code), code[:1] + strings.ToLower(code[1:])} {
			if got, err := ParseState(text); err != nil || string(got) != code {
				t.Errorf("ParseState(%q) = %q, %v; want %q", text, got, err, code)
			}
		}
	}
	for _, text := range []string{"", "I", "ILL", "Illinois", "ZZ", "L ", " A", "A\x00", "LA "[1:], "\xff\xff"} {
		if got, err := ParseState([]byte(text)); err == nil || got != "" {
			t.Errorf("ParseState(%q) = %q, %v; want an error", text, got, err)
		}
	}
	_, err := ParseState(strings.Repeat("x", 1<<20))
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("the error repeats %d bytes of a body", len(err.Error()))
	}
}

func TestParseStateSharesNoMemory(t *testing.T) {
	body := []byte("il")
	state, err := ParseState(body)
	if err != nil {
		t.Fatal(err)
	}
	body[0], body[1] = 'x', 'x'
	if state != "IL" {
		t.Errorf("the state changed with the body: %q", state)
	}
	if allocations := testing.AllocsPerRun(100, func() { state, _ = ParseState(body[:2:2]) }); allocations > 8 {
		t.Errorf("refusing a code costs %v allocations", allocations)
	}
	good := []byte("IL")
	if allocations := testing.AllocsPerRun(100, func() { state, _ = ParseState(good) }); allocations != 0 {
		t.Errorf("reading a code costs %v allocations", allocations)
	}
}
