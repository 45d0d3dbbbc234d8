package recording

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTallyRulesOutOnlyTheImpersonal holds Personal against its three questions asked of each text.
func TestTallyRulesOutOnlyTheImpersonal(t *testing.T) {
	parts := []string{"1", "7", "555", "312", "0142", "203.0", ".113", ".9", ":", "::", "db8", "@", ".", "com", "a", " ", "-", "(", ")", "+", "é"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 9).Draw(t, "parts"), "")
		want := emailShaped(text) || phoneShaped(text) || addressShaped(text)
		if got := Personal(text); got != want {
			t.Fatalf("%q: %v, want %v", text, got, want)
		}
	})
}

func TestLongTextsAreNotTallied(t *testing.T) {
	if long := strings.Repeat("1", 1<<16) + " dana@example.com"; !Personal(long) {
		t.Error("an address at the end of a long text was not seen")
	}
}
