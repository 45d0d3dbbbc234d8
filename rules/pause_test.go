package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"leadbid/pingpost"
)

func TestPausesOfTheConfiguration(t *testing.T) {
	f := func(business, exchange, campaign string, at time.Time, want pingpost.Reason) {
		t.Helper()
		text := strings.Replace(frame, "budget: {day: $500}", "budget: {day: $500}"+business, 1)
		text = strings.Replace(text, "auction: second", "auction: second"+exchange, 1)
		rs, c := loadCampaign(t, text+"    rules: [{bid: 20}]\n"+campaign)
		e := rs.NewEvaluation()
		e.Begin(at, basePing())
		tr := &Trace{}
		if got := e.Check(c, tr); got != want {
			t.Errorf("%q %q %q at %v: %v, want %v", business, exchange, campaign, at, got, want)
		}
		if traced := len(tr.Steps) > 0 && strings.HasSuffix(tr.Steps[0].String(), ": no (paused)"); traced != (want == pingpost.Paused) {
			t.Errorf("the trace says %v", tr.Steps)
		}
	}
	const none = pingpost.ReasonNone
	f("", "", "", monday, none)
	f(", pause: true", "", "", monday, pingpost.Paused)
	f("", ", pause: true", "", monday, pingpost.Paused)
	f("", "", "    pause: true\n", monday, pingpost.Paused)
	f("", "", "    pause: false\n", monday, none)
	// Chicago is six hours behind in winter.
	until := time.Date(2026, 12, 1, 14, 0, 0, 0, time.UTC)
	for _, written := range []string{"2026-12-01T08:00", "'2026-12-01 08:00'", "2026-12-01T06:00:00-08:00"} {
		f("", "", "    snooze_until: "+written+"\n", until.Add(-time.Nanosecond), pingpost.Paused)
		f("", "", "    snooze_until: "+written+"\n", until, none)
	}
	f(", snooze_until: 2026-12-01", "", "", until.Add(-8*time.Hour-time.Second), pingpost.Paused)
	f(", snooze_until: 2026-12-01", "", "", until.Add(-8*time.Hour), none)
	f("", ", snooze_until: 2026-12-01", "", until, none)
}

func TestPriorities(t *testing.T) {
	text := strings.Replace(frame, "budget: {day: $500}", "budget: {day: $500}, choose: priority", 1) + "    rules: [{bid: 20}]\n"
	for _, more := range []string{"d:\n    priority: 2\n", "e:\n    priority: 1\n", "f:\n    priority: 2\n"} {
		text += "  " + more + "    services: [hvac]\n    area: {zips: [60614]}\n    rules: [{bid: 20}]\n"
	}
	rs, faults := loadWhole(text)
	if rs == nil || strings.Contains(faults.String(), "priority") {
		t.Fatal(faults)
	}
	if rs.Settings().Business.Choose != ChoosePriority {
		t.Error("choose was not read")
	}
	if summary := rs.Summary(); !slices.Contains(summary, "of several campaigns that would buy a ping, the one of the smallest priority is asked first") {
		t.Errorf("the summary says %q", summary)
	}
	candidates, _ := rs.Candidates(basePing(), nil)
	order := ""
	for _, c := range candidates {
		order += c.Name
	}
	if order != "edfc" {
		t.Errorf("asked in the order %s", order)
	}
	rs, faults = loadWhole(strings.Replace(text, ", choose: priority", "", 1))
	if candidates, _ = rs.Candidates(basePing(), nil); candidates[0].Name != "c" || !strings.Contains(faults.String(), "the priority has no effect") {
		t.Errorf("%s first, with\n%s", candidates[0].Name, faults)
	}
}

// rejected tells which rule rejects the post.
func rejected(t *testing.T, reject string, files fstest.MapFS, post *pingpost.Post) string {
	t.Helper()
	files["bidder.yaml"] = &fstest.MapFile{Data: []byte(frame + "    rules: [{bid: 20}]\n    reject: " + reject + "\n")}
	files["rich.txt"] = &fstest.MapFile{Data: []byte("60614\n")}
	rs, faults := Load(files, "bidder.yaml", testenv)
	if rs == nil {
		t.Fatal(faults)
	}
	rule, word, is := rs.NewEvaluation().Reject(rs.Campaigns()[0], post, monday, nil)
	if !is {
		return ""
	}
	return rule + "/" + word
}

func TestCustomers(t *testing.T) {
	digest := func(text string) [32]byte { return sha256.Sum256([]byte(text)) }
	phone, email := digest("+13125550123"), digest("jo@example.com")
	f := func(list string, contact pingpost.Contact, want string) {
		t.Helper()
		got := rejected(t, "[{name: ours, customers: {file: c.sha256}, reason: existing_customer}]",
			fstest.MapFS{"c.sha256": {Data: []byte(list)}}, &pingpost.Post{Contact: contact})
		if got != want {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}
	ours := hex.EncodeToString(phone[:]) + "  -\r\n# two\n\n" + strings.ToUpper(hex.EncodeToString(email[:])) + "\n"
	f(ours, pingpost.Contact{Digests: [2][32]byte{phone}}, "ours/existing_customer")
	f(ours, pingpost.Contact{Digests: [2][32]byte{digest("+13125550124"), email}}, "ours/existing_customer")
	f(ours, pingpost.Contact{Digests: [2][32]byte{digest("+13125550124")}}, "")
	f(ours, pingpost.Contact{}, "")
	// The hash of nothing is nobody, also where the list holds zeros.
	f(strings.Repeat("0", 64), pingpost.Contact{}, "")
}

func TestPhoneTypeAndNotes(t *testing.T) {
	post := &pingpost.Post{Lead: pingpost.Lead{Notes: pingpost.NewPrivate("I am a RENTER")}, Contact: pingpost.Contact{PhoneType: pingpost.PhoneTollFree}}
	for when, want := range map[string]string{
		`lead.phone_type == "toll_free"`:                   "reject 1/rejected_by_rule",
		`lead.phone_type in ["premium", "voip"]`:           "",
		`lower(lead.notes) contains "renter"`:              "reject 1/rejected_by_rule",
		`lead.notes contains "renter"`:                     "",
		`lead.phone_type not in ["mobile", "landline"]`:    "reject 1/rejected_by_rule",
		`known(lead.phone_type) and not known(lead.phone)`: "reject 1/rejected_by_rule",
	} {
		if got := rejected(t, "[{when: '"+when+"'}]", fstest.MapFS{}, post); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
}

// A file of customers that were never hashed is a fault, and the fault does not show them.
func TestCustomersInTheOpenAreNotShown(t *testing.T) {
	fsys := fstest.MapFS{"rich.txt": {Data: []byte("60614\n")}, "c.txt": {Data: []byte("312-555-0199\njo@example.com\n")},
		"bidder.yaml": {Data: []byte(frame + "    rules: [{bid: 20}]\n    reject: [{customers: {file: c.txt}}]\n")}}
	rs, faults := Load(fsys, "bidder.yaml", testenv)
	if rs != nil || !strings.Contains(faults.String(), "line 2 is no hash") {
		t.Errorf("faults:\n%s", faults)
	}
	if text := faults.String(); strings.Contains(text, "0199") || strings.Contains(text, "jo@") {
		t.Errorf("a contact is shown:\n%s", text)
	}
}

func TestWinRate(t *testing.T) {
	f := func(facts *Facts, want float64) {
		t.Helper()
		rs, c := one(t, "    rules: [{bid: 20, when: win_rate < 0.2}, {bid: 10 * win_rate}, {bid: 7}]\n")
		if !c.UsesFacts() {
			t.Error("the facts are not asked for")
		}
		e := rs.NewEvaluation()
		e.Begin(monday, basePing())
		if got := e.Price(c, facts, nil).Dollars; got != want {
			t.Errorf("%+v: %v, want %v", facts, got, want)
		}
	}
	f(nil, 7)
	f(&Facts{}, 7)
	f(&Facts{WinRate: Rate{Value: 0.1, Known: true}}, 20)
	f(&Facts{WinRate: Rate{Value: 0.5, Known: true}}, 5)
}
