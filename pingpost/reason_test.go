package pingpost

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// reasonsInCheckOrder is the list as the design has it. Its order is what "got furthest" means.
const reasonsInCheckOrder = `
	unauthorized overload late
	malformed invalid_field
	paused
	ping_changed duplicate_ping test
	exchange_not_bought service_not_bought outside_area outside_hours consent_missing consent_stale requirement_unmet
	no_rule missing_field declined rule_error below_min_bid below_floor
	no_budget paced open_bids budget_exhausted capacity_full store_away
	observing
	bid_unknown bid_expired price_mismatch ping_mismatch rejected_by_rule duplicate_lead
	lost outbid timed_out not_eligible insufficient_credits window_closed expired withdrawn voided
	internal`

func TestReasonsAreTheClosedListInCheckOrder(t *testing.T) {
	var words []string
	previous := ReasonNone
	for _, reason := range Reasons() {
		words = append(words, reason.String())
		if reason <= previous {
			t.Errorf("%s (%d) is not above %s (%d)", reason, reason, previous, previous)
		}
		previous = reason
		if got, ok := ParseReason(reason.String()); !ok || got != reason {
			t.Errorf("%q reads as %d, %v; want %d", reason, got, ok, reason)
		}
	}
	if want := strings.Fields(reasonsInCheckOrder); !slices.Equal(words, want) {
		t.Errorf("the reasons are\n%q\nwant\n%q", words, want)
	}
}

// TestEveryReasonHasAWord finds a constant that was declared and forgotten in the list of words.
func TestEveryReasonHasAWord(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok {
			if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Reason" {
				declared += len(spec.Names)
			}
		}
		return true
	})
	if want := len(Reasons()) + 1; declared != want { // ReasonNone has no word.
		t.Errorf("%d reasons are declared, %d have words", declared, want)
	}
}

func TestReasonAsText(t *testing.T) {
	type carrier struct {
		Reason Reason `json:"reason,omitempty"`
	}
	for _, pair := range []struct {
		value carrier
		text  string
	}{{carrier{BelowFloor}, `{"reason":"below_floor"}`}, {carrier{}, `{}`}} {
		text, err := json.Marshal(pair.value)
		if err != nil || string(text) != pair.text {
			t.Errorf("%v is written as %s, %v; want %s", pair.value, text, err, pair.text)
		}
		var back carrier
		if err := json.Unmarshal(text, &back); err != nil || back != pair.value {
			t.Errorf("%s is read as %v, %v", text, back, err)
		}
	}
	reason := Late
	if err := reason.UnmarshalText(nil); err != nil || reason != ReasonNone {
		t.Errorf("no word is read as %v, %v", reason, err)
	}
	if err := reason.UnmarshalText([]byte("bored")); err == nil || !strings.Contains(err.Error(), `"bored"`) {
		t.Errorf("an unknown word: %v", err)
	}
	if got := Reason(9999).String(); got != "reason(9999)" {
		t.Errorf("an unknown number prints as %q", got)
	}
	if _, ok := ParseReason(""); ok {
		t.Error("no word is a reason")
	}
}

func TestReasonsHandsOutACopy(t *testing.T) {
	Reasons()[0] = Internal
	if Reasons()[0] != Unauthorized {
		t.Error("a caller changed the list")
	}
}
