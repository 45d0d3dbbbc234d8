package yamlfile_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

func getenv(name string) (string, bool) {
	value, ok := map[string]string{"KEY": "s3cret", "HOST": "crm.example", "EMPTY": ""}[name]
	return value, ok
}

// read parses one document whose only key is v, and hands over its value.
func read(t *testing.T, text string) (yamlfile.Node, *yamlfile.Faults) {
	t.Helper()
	faults := &yamlfile.Faults{}
	file := yamlfile.Parse("f.yaml", []byte(text), getenv, faults)
	if file == nil {
		t.Fatalf("not read:\n%s", faults)
	}
	m, _ := file.Root().Map([]string{"v"})
	return m.Get("v"), faults
}

// only gives the message of the one fault, "" where there is none.
func only(t *testing.T, faults *yamlfile.Faults) string {
	t.Helper()
	list := faults.List()
	if len(list) == 0 {
		return ""
	}
	if len(list) > 1 {
		t.Fatalf("more than one fault:\n%s", faults)
	}
	return list[0].Message + " | " + list[0].Type
}

func TestMoney(t *testing.T) {
	f := func(text string, want pingpost.Cents, wantFault string) {
		t.Helper()
		node, faults := read(t, text)
		amount, ok := node.Dollars()
		if amount != want || ok != (wantFault == "") || only(t, faults) != wantFault {
			t.Errorf("%s: %v, %v, %q, want %v, %q", text, amount, ok, only(t, faults), want, wantFault)
		}
	}
	f("v: $8", 800, "")
	f("v: 8.50", 850, "")
	f(`v: "$8.5"`, 850, "")
	f("v: 0100", 10000, "")
	f("v: 19.99", 1999, "")
	f("v: $8,000", 0, `"$8,000" has a thousands separator | $8000`)
	f("v: 8.505", 0, `"8.505" has more than two decimals | $8.50`)
	f("v: -$5", 0, `"-$5" is negative | `)
	f("v: $-5", 0, `"$-5" is negative | `)
	f("v: eight", 0, `"eight" is not an amount of dollars | `)
	f("v: 1e2", 0, `"1e2" is not an amount of dollars | `)
	f("v: $100000001", 0, `"$100000001" is more than $100,000,000 | `)
	f("v: [1]", 0, "this must be a single value | ")
	f("v:", 0, "there is no value | ")
	f("v: ''", 0, `"" is not an amount of dollars | `)
}

func TestZIP(t *testing.T) {
	f := func(text string, want pingpost.ZIP, wantFault string) {
		t.Helper()
		node, faults := read(t, text)
		zip, ok := node.ZIP()
		if zip != want || ok != (wantFault == "") || only(t, faults) != wantFault {
			t.Errorf("%s: %v, %v, %q", text, zip, ok, only(t, faults))
		}
	}
	f("v: 60614", 60614, "")
	f("v: 06014", 6014, "")
	f("v: '00501'", 501, "")
	f("v: 6014", 0, `"6014" has 4 digits: did a spreadsheet drop the zero? | 06014`)
	f("v: 501", 0, `"501" has 3 digits: did a spreadsheet drop the zero? | 00501`)
	f("v: 606 14", 0, `"606 14" is not a ZIP code | `)
}

func TestDuration(t *testing.T) {
	f := func(text string, want time.Duration, wantFault string) {
		t.Helper()
		node, faults := read(t, text)
		length, ok := node.Duration(time.Second, 400*24*time.Hour)
		if length != want || ok != (wantFault == "") || only(t, faults) != wantFault {
			t.Errorf("%s: %v, %v, %q", text, length, ok, only(t, faults))
		}
	}
	f("v: 60s", time.Minute, "")
	f("v: 1h30m", 90*time.Minute, "")
	f("v: 90d", 90*24*time.Hour, "")
	f("v: 72", 0, `"72" lacks its unit | `) // 72s, 72m, 72h or 72d: none is typed for the contractor
	f("v: 401d", 0, `"401d" does not fit here | `)
	f("v: soon", 0, `"soon" is not a length of time | `)
	suggests := func(number, want string, low, high time.Duration) {
		t.Helper()
		node, faults := read(t, "v: "+number)
		_, _ = node.Duration(low, high)
		if got := only(t, faults); got != `"`+number+`" lacks its unit | `+want {
			t.Errorf("%s from %v to %v: %q", number, low, high, got)
		}
	}
	suggests("300", "300ms", 20*time.Millisecond, 10*time.Second)
	suggests("5", "5s", 20*time.Millisecond, 10*time.Second)
	suggests("90", "", time.Hour, 365*24*time.Hour)  // 90m, 90h or 90d
	suggests("400", "", time.Hour, 365*24*time.Hour) // 400m or 400h
	suggests("20", "20d", 7*24*time.Hour, 30*24*time.Hour)
	node, faults := read(t, "v: 1d")
	if _, ok := node.Duration(0, time.Minute); ok || only(t, faults) != `"1d" does not fit here | ` {
		t.Errorf("a day where the limit is a minute: %q", only(t, faults))
	}
}

func TestWordsNumbersTruths(t *testing.T) {
	f := func(text, wantFault string, read1 func(yamlfile.Node) bool) {
		t.Helper()
		node, faults := read(t, text)
		if ok := read1(node); ok != (wantFault == "") || only(t, faults) != wantFault {
			t.Errorf("%s: %v, %q", text, ok, only(t, faults))
		}
	}
	word := func(n yamlfile.Node) bool {
		w, ok := n.Word([]string{"first", "second"}, "third")
		return ok && w != ""
	}
	f("v: first", "", word)
	f("v: frist", `"frist" is not a word that is known here | first`, word)
	f("v: third", `"third" is planned, not built yet | `, word)
	truth := func(n yamlfile.Node) bool { _, ok := n.Bool(); return ok }
	f("v: true", "", truth)
	f("v: yes", `"yes" is neither true nor false | true`, truth)
	f("v: Off", `"Off" is neither true nor false | false`, truth)
	whole := func(n yamlfile.Node) bool { i, ok := n.Int(1, 2000); return ok && i >= 1 }
	f("v: 12", "", whole)
	f("v: 1,200", `"1,200" does not fit here | 1200`, whole)
	f("v: 12.5", `"12.5" does not fit here | `, whole)
	share := func(n yamlfile.Node) bool { s, ok := n.Percent(1); return ok && s == 0.25 }
	f("v: 25%", "", share)
	f("v: 25", `"25" lacks its percent sign | 25%`, share)
	f("v: 125%", `"125%" does not fit here | `, share)
	number := func(n yamlfile.Node) bool { x, ok := n.Number(0, 10); return ok && x == 1.2 }
	f("v: 1.2", "", number)
	f("v: .nan", `".nan" does not fit here | `, number)
	f("v: 1e1", `"1e1" does not fit here | `, number)
}

func TestVariables(t *testing.T) {
	f := func(text, want, wantFault string) {
		t.Helper()
		node, faults := read(t, text)
		got, ok := node.Text("a text")
		if ok && got != want || ok != (wantFault == "") || only(t, faults) != wantFault {
			t.Errorf("%s: %q, %v, %q", text, got, ok, only(t, faults))
		}
	}
	f("v: https://${HOST}/x", "https://crm.example/x", "")
	f("v: $400 or $KEY", "$400 or $KEY", "")
	f("v: ${NOPE}", "", "the environment variable NOPE is not set | export NOPE=...")
	f("v: ${9}", "", `"${9}" does not name a variable | `)
	f("v: ${KEY", "", `"${KEY" does not name a variable | `)
}

func TestSecretsAreNotShown(t *testing.T) {
	node, faults := read(t, "v: whsec_literal")
	if secret, ok := node.Secret("a secret", "CRM_SECRET"); !ok || secret != "whsec_literal" || faults.Any() {
		t.Fatalf("a literal secret must work and warn: %v", faults)
	}
	if text := faults.String(); strings.Contains(text, "whsec_literal") || !strings.Contains(text, "${CRM_SECRET}") {
		t.Errorf("the warning is\n%s", text)
	}
	node, faults = read(t, "v: {url: x, secret: whsec_literal}")
	m, _ := node.Map([]string{"secret"})
	m.Get("secret").Secret("a secret", "S")
	if text := faults.String(); strings.Contains(text, "whsec_literal") || !strings.Contains(text, "secret: *************}") {
		t.Errorf("a fault beside the secret shows it:\n%s", text)
	}
	broken := &yamlfile.Faults{}
	if yamlfile.Parse("f.yaml", []byte("a: {secret: hunter2, b: @}\n"), nil, broken); strings.Contains(broken.String(), "hunter2") {
		t.Errorf("a broken line shows its secret:\n%s", broken)
	}
	node, faults = read(t, "v: ${EMPTY}")
	if _, ok := node.Secret("a secret", "X"); ok || only(t, faults) != "the secret is empty | " {
		t.Errorf("an empty secret passed: %v", faults)
	}
}

func TestFaultsStandWhereTheirFilesAre(t *testing.T) {
	var faults yamlfile.Faults
	absolute, err := filepath.Abs("outcomes.csv")
	if err != nil {
		t.Fatal(err)
	}
	faults.Add(yamlfile.Fault{File: "f.yaml"})
	faults.Under("folder")
	faults.Add(yamlfile.Fault{File: "lists.txt"})
	faults.Add(yamlfile.Fault{File: absolute})
	faults.Add(yamlfile.Fault{})
	var files []string
	for _, fault := range faults.List() {
		files = append(files, fault.File)
	}
	want := []string{"", absolute, filepath.Join("folder", "f.yaml"), filepath.Join("folder", "lists.txt")}
	if !slices.Equal(files, want) {
		t.Errorf("%q, not %q", files, want)
	}
}

func TestFaultsOfOneFileAllAtOnce(t *testing.T) {
	text := "\xef\xbb\xbfv: 1\r\nbuget: 2\r\nlater: 3\r\nxyzzy: 4\r\nv: 5\r\n"
	faults := &yamlfile.Faults{}
	file := yamlfile.Parse("f.yaml", []byte(text), nil, faults)
	file.Root().Map([]string{"v", "budget"}, "later")
	want := `f.yaml:2:1: unknown key "buget"
    buget: 2
    ^
  expected one of v or budget
  type: budget

f.yaml:3:1: "later" is planned, not built yet
    later: 3
    ^
  expected the file without it, for now

f.yaml:4:1: unknown key "xyzzy"
    xyzzy: 4
    ^
  expected one of v or budget

f.yaml:5:1: key "v" is written twice: it is already on line 1
    v: 5
    ^
  expected each key once
`
	if got := faults.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	encoded, err := json.Marshal(faults)
	if err != nil || !strings.Contains(string(encoded), `{"file":"f.yaml","line":2,"col":1,"severity":"fault",`) {
		t.Errorf("JSON: %s, %v", encoded, err)
	}
}

func TestRefusals(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		faults := &yamlfile.Faults{}
		yamlfile.Parse("f.yaml", []byte(text), nil, faults)
		if got := faults.String(); !faults.Any() || !strings.Contains(got, want) {
			t.Errorf("%.60q: got\n%s\nwant %q in it", text, got, want)
		}
	}
	f("", "the file is empty")
	f("# nothing\n", "the file is empty")
	f("a: &x 1\nb: *x\n", "f.yaml:2:4: aliases")
	f("a: &x 1\n", "f.yaml:1:4: anchors")
	f("a: {<<: 1}\n", "merge keys")
	f("a: !!binary x\n", "tags (!!binary) are not used")
	f("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document")
	f("? [a]\n: 1\n", "a key must be a word")
	f("a: {month: $8,000}\n", "f.yaml:1:12: $8,000 splits at the comma")
	f("a: {total: 1,000,000, day: 4}\n", "1,000,000 splits at the comma")
	f("when: !homeowner and x\n", "type: '!homeowner and x'")
	f("a:\n\tb: 1\n", "f.yaml:2:1: a tab in the indentation")
	f("a: {when: !homeowner, bid: 5}\n", "a text that begins with ! must be quoted")
	f("a: \"open\nb: 2\n", "f.yaml:1:4: a quote is opened here")
	f("name: emergency: at night\n", "a colon and a space")
	f("a: {when: zip in [\"60614\"], bid: 5}\n", "f.yaml:1:4: the YAML is broken here")
	f("a: {when: zip in [\"60614\"], bid: 5}\n", "brackets, commas or ? must be quoted")
	f("x: 1\n\ny:\n  - {when: 'a', bid: 5}\n  - {bid: 18 + 0.1 * (lead_score ?? 50)}\n", "f.yaml:5:5: the YAML is broken here")
	f("a: @x\n", "must be quoted")
	f("a: job == \"install\" ? 7 : 2\n", "an expression with ? and : must be quoted")
	f("a: {when: job == \"install\" ? true : false, bid: 5}\n", "an expression with ? and : must be quoted")
	f("a: \"x\" in sub_ids\n", "after the closing quote")
	f("a: 'x' in sub_ids\n", "after the closing quote")
	f("\xff\xfe", "UTF-8")
	f(strings.Repeat("[", 5000), "f.yaml:1:")
	f(strings.Repeat("[", 60)+strings.Repeat("]", 60), "nested more than 50 deep")
	f(strings.Repeat(" ", yamlfile.MaxSize+1), "larger than 4096 KiB")
}

func TestReadFromFiles(t *testing.T) {
	fsys := fstest.MapFS{"a.yaml": {Data: []byte("v: 1\n")}}
	faults := &yamlfile.Faults{}
	if file := yamlfile.Read(fsys, "a.yaml", nil, faults); file == nil || faults.Err() != nil {
		t.Fatal(faults)
	}
	if file := yamlfile.Read(fsys, "b.yaml", nil, faults); file != nil || faults.String() != "b.yaml: there is no such file\n" {
		t.Error(faults)
	}
	faults = &yamlfile.Faults{}
	if file := yamlfile.Read(fsys, "../a.yaml", nil, faults); file != nil || !strings.Contains(faults.String(), "stay inside") {
		t.Error(faults)
	}
}

func TestPlacesInsideTexts(t *testing.T) {
	f := func(text string, offset int, want string) {
		t.Helper()
		node, faults := read(t, text)
		node.FaultAt(offset, "here", "", "")
		if got := faults.String(); got != want {
			t.Errorf("%q at %d: got\n%s\nwant\n%s", text, offset, got, want)
		}
	}
	f("v: abc def\n", 4, "f.yaml:1:8: here\n    v: abc def\n           ^\n")
	f("v: 'abc def'\n", 4, "f.yaml:1:9: here\n    v: 'abc def'\n            ^\n")
	f("v: é \"x\"\n", 2, "f.yaml:1:6: here\n    v: é \"x\"\n         ^\n")
	f("v: |\n  abc\n  def\n", 5, "f.yaml:3:4: here\n      def\n       ^\n")
	f("v: >\n  abc\n  def\n", 5, "f.yaml:1:4: here\n    v: >\n       ^\n")
	f("v: 'it''s'\n", 4, "f.yaml:1:4: here\n    v: 'it''s'\n       ^\n")
}

func TestLongLinesAreClipped(t *testing.T) {
	node, faults := read(t, "v: "+strings.Repeat("(", 100_000))
	node.FaultAt(50_000, "too deep", "", "")
	got := faults.String()
	if len(got) > 600 {
		t.Errorf("a fault of %d bytes", len(got))
	}
	if want := strings.Repeat(" ", 65) + "^"; !strings.Contains(got, want) {
		t.Errorf("got\n%s", got)
	}
}

func TestNearest(t *testing.T) {
	f := func(word, want string) {
		t.Helper()
		got, _ := yamlfile.Nearest(word, []string{"install", "replace", "repair", "maintain", "inspect", "emergency"})
		if got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	f("maintenance", "maintain")
	f("instal", "install")
	f("Repiar", "repair")
	f("emergancy", "emergency")
	f("zzz", "")
	f("", "")
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"v: 1", "v: {a: $8,000}", "v: !x y", "v: |\n  a\n", "- *a", "\"", "a: [", "\t", "a: b: c", "? x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		faults := &yamlfile.Faults{}
		file := yamlfile.Parse("f.yaml", text, getenv, faults)
		if file == nil && !faults.Any() {
			t.Fatal("not read, and nothing said")
		}
		if file != nil {
			m, _ := file.Root().Map([]string{"v"})
			v := m.Get("v")
			v.Text("a text")
			v.Dollars()
			v.Entries("keys")
			v.FaultAt(3, "x", "", "")
		}
		_ = faults.String()
	})
}
