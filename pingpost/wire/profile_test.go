package wire_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"leadbid/internal/yamlfile"
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

// contrary is an exchange that spells everything otherwise than the native profile.
func contrary(t testing.TB) *wire.Profile {
	t.Helper()
	text, err := os.ReadFile("testdata/profiles/contrary.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var faults yamlfile.Faults
	profile := wire.Parse("contrary.yaml", text, &faults)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return profile
}

// compare shows where two messages differ, personal data included.
func compare(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.AllowUnexported(pingpost.Private{}))
}

func TestLoadKnowsItsProfiles(t *testing.T) {
	for _, name := range wire.Names() {
		if _, err := wire.Load(name); err != nil {
			t.Error(err)
		}
	}
	_, err := wire.Load("natve")
	want := `wire: there is no profile "natve"; did you mean "native"? known: native`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err = wire.Load("../secret"); err == nil {
		t.Error("a path was taken for a name")
	}
}

func TestNativeDefaults(t *testing.T) {
	want := wire.Defaults{Commitment: "binding", BidTTL: time.Minute, Grace: 2 * time.Second,
		Auction: pingpost.AuctionUnknown, Tells: "result", Deadline: 400 * time.Millisecond}
	if got := native(t).Defaults(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestProfileFaults(t *testing.T) {
	text, err := os.ReadFile("profiles/native.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := func(what, old, new, want string) {
		t.Helper()
		if !strings.Contains(string(text), old) {
			t.Fatalf("%s: the native profile does not hold %q", what, old)
		}
		var faults yamlfile.Faults
		wire.Parse("mine.yaml", []byte(strings.Replace(string(text), old, new, 1)), &faults)
		if got := faults.String(); !strings.Contains(got, want) {
			t.Errorf("%s: got\n%s\nwant it to hold\n%s", what, got, want)
		}
	}
	f("an encoding to come", "encoding: json", "encoding: xml", "planned, not built yet")
	f("an unknown encoding", "encoding: json", "encoding: yaml", "expected json")
	f("a field misspelled", "zip: $zip", "zip: $zp", "type: $zip")
	f("a field of another message", "bid: $bid,", "bid: $price,", `no field "$price"`)
	f("a bid without its price", "bid: $bid,", "", "a bid has no place for $bid")
	f("a need without a place", "need: [$ping_id]", "need: [$ping_id, $price]", `no field "$price"`)
	f("outcomes alike", "status: no_bid", "status: bid", "bid and no_bid cannot be told apart")
	f("a missing message", "notice:\n", "notices:\n", `notice`)
	f("an acknowledgement like any page", "ping_id: $ping_id, outcome: $outcome, status: ok", "outcome: $outcome, status: ok",
		"this could be an answer to anything")
	f("an acknowledgement without a constant", "outcome: $outcome, status: ok", "outcome: $outcome", "this could be an answer to anything")
	f("an unknown bid like a noted one", "status: 404", "status: 200", "noted and unknown cannot be told apart")
	f("an unknown bid without a status", "unknown:\n    status: 404", "unknown: {}", `key "status" is missing`)
	f("an unknown bid with a body", "status: 404", "status: 404\n    body: {a: b}", "body")
	f("a list in a body", "test: $test", "test: [1]", "a list cannot stand in a body")
	f("a word that is not ours", "ping:\n  need", "words: {service: {hvca: X}}\nping:\n  need", "hvac")
	f("no defaults", "commitment: binding", "committment: binding", "commitment")
}

func TestNeedNamesWhatTheBodyLacks(t *testing.T) {
	text, _ := os.ReadFile("profiles/native.yaml")
	var faults yamlfile.Faults
	wire.Parse("mine.yaml", []byte(strings.Replace(string(text), "      email: $email\n", "", 1)), &faults)
	if got := faults.String(); !strings.Contains(got, "the body has no place for $email") {
		t.Errorf("got\n%s", got)
	}
}

func TestAliasesAndWordsAreRead(t *testing.T) {
	body := `{"zip":"60614","Request":{"Id":"p-1","TYPE":"Heating and Cooling","Homeowner":"Own",` +
		`"Timeframe":"someday","Floor":"12.50","Mode":"ping","Colour":"red"}}`
	var got pingpost.Ping
	if err := contrary(t).DecodePing(&got, []byte(body)); err != nil {
		t.Fatal(err)
	}
	want := pingpost.Ping{ID: "p-1", Service: pingpost.HVAC, ZIP: 60614, Homeowner: pingpost.Yes,
		Urgency: pingpost.UrgencyUnknown, Floor: 1250, Attrs: []pingpost.Attr{
			{Name: "Request.Colour", Value: "red"},
			{Name: "raw.service", Value: "Heating and Cooling"},
			{Name: "raw.urgency", Value: "someday"},
		}}
	if diff := compare(want, got); diff != "" {
		t.Error(diff)
	}
}

// Where several of our words are written as one of theirs, the profile's first is read for it.
func TestSharedWordsAreReadAsTheFirst(t *testing.T) {
	profile := contrary(t)
	f := func(word string, want pingpost.Reason) {
		t.Helper()
		body := `{"response":{"success":false,"id":"p","message":"` + word + `"}}`
		if got, err := profile.DecodeAnswer([]byte(body), 200); err != nil || got.Reason != want {
			t.Errorf("%q: got %v, %v; want %v", word, got.Reason, err, want)
		}
	}
	f("No Coverage", pingpost.OutsideArea)
	f("No Matches", pingpost.OutsideArea)
	f("Quota Reached", pingpost.BudgetExhausted)
	f("paced", pingpost.PacedOut)
	f("outside_area", pingpost.ReasonNone)
	written := string(profile.AppendAnswer(nil, &pingpost.Answer{PingID: "p", Reason: pingpost.ServiceNotBought}))
	if want := `{"response":{"success":false,"id":"p","price":0,"message":"No Coverage"}}`; written != want {
		t.Errorf("got  %s\nwant %s", written, want)
	}
}

func TestStatusAloneTellsAnOutcome(t *testing.T) {
	profile := native(t)
	f := func(status int, body string, want pingpost.VerdictKind) {
		t.Helper()
		got, err := profile.DecodeVerdict([]byte(body), status)
		if got.Kind != want || (err != nil) != (want == pingpost.VerdictError) {
			t.Errorf("HTTP %d %q: got %v %v, want kind %v", status, body, got.Kind, err, want)
		}
	}
	f(503, "<html>upstream down</html>", pingpost.VerdictBusy)
	f(409, "", pingpost.VerdictConflict)
	f(500, `{"status":"accepted"}`, pingpost.VerdictError)
	f(303, "", pingpost.VerdictError)
	f(200, "", pingpost.VerdictError)
	f(200, `{"status":"accep`, pingpost.VerdictError)
	f(200, `{"status":"thinking"}`, pingpost.VerdictError)
	f(200, `{"status":"accepted","lead_id":"l-1"}`, pingpost.VerdictAccepted)
	if got := profile.VerdictStatus(pingpost.VerdictBusy); got != 503 {
		t.Errorf("busy goes with HTTP %d", got)
	}
	if got := profile.AnswerStatus(pingpost.AnswerNoBid); got != 200 {
		t.Errorf("a no-bid goes with HTTP %d", got)
	}
}
