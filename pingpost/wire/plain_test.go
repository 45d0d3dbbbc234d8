package wire

import (
	"testing"

	"pgregory.net/rapid"
)

// TestPlainUntil holds the look at eight bytes against the look at one.
func TestPlainUntil(t *testing.T) {
	near := []byte{0, 1, 0x1f, ' ', '!', '"', '#', '[', '\\', ']', 'a', 0x7e, 0x7f, 0x80, 0x81, 0xa2, 0xdc, 0xff}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom(near), 0, 40).Draw(t, "text")
		from := rapid.IntRange(0, len(text)).Draw(t, "from")
		want := from
		for want < len(text) && !stopsText[text[want]] {
			want++
		}
		if got := plainUntil(text, from); got != want {
			t.Fatalf("%q from %d: %d, want %d", text, from, got, want)
		}
	})
}
