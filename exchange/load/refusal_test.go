package load

import (
	"strings"
	"testing"
)

func TestRefusalIsOneLine(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := newRefusal(1, 401, []byte(body)).text; got != "status 401: "+want {
			t.Errorf("%q: %q", body, got)
		}
	}
	f(`{"error":"a key is needed"}`, `{"error":"a key is needed"}`)
	f("<p>\r\n  not\tfound</p>\n", "<p> not found</p>")
	f("red \x1b[31m", "red [31m")
	f(" \n", "without a body")
	f(strings.Repeat("x", 200), strings.Repeat("x", 200))
	f(strings.Repeat("x", 201), strings.Repeat("x", 200)+" ...")
	f(strings.Repeat("x", 199)+"é", strings.Repeat("x", 199)+" ...")
	f(strings.Repeat("x", 1<<20), strings.Repeat("x", 200)+" ...")
}

func TestEarliestRefusalStands(t *testing.T) {
	none, early, late := refusal{}, refusal{2, "early"}, refusal{5, "late"}
	for _, both := range [][2]refusal{{early, late}, {late, early}, {none, early}, {early, none}} {
		if got := both[0].earlier(both[1]); got != early {
			t.Errorf("of %v: %v", both, got)
		}
	}
}
