package budget

import (
	"testing"

	"pgregory.net/rapid"
)

// TestHoldsAgainstMap holds the table against a map of the language, with numbers in a row, far apart
// and at the ends of their range.
func TestHoldsAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table holds
		twin := map[uint64]*hold{}
		from := rapid.SampledFrom([]uint64{0, 1 << 40, ^uint64(0) - 100}).Draw(t, "from")
		step := rapid.SampledFrom([]uint64{1, 2, 1 << 20, 1 << 58}).Draw(t, "step")
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			seq := from + step*rapid.Uint64Range(0, 150).Draw(t, "seq")
			if rapid.IntRange(0, 2).Draw(t, "what") < 2 {
				h := &hold{seq: seq}
				table.add(h)
				twin[seq] = h
			} else {
				table.remove(seq)
				delete(twin, seq)
			}
			if got := table.of(seq); got != twin[seq] {
				t.Fatalf("hold %d is %p, want %p", seq, got, twin[seq])
			}
		}
		for n := range uint64(151) {
			if seq := from + step*n; table.of(seq) != twin[seq] {
				t.Fatalf("hold %d is %p in the end, want %p", seq, table.of(seq), twin[seq])
			}
		}
		listed := 0
		for h := range table.all() {
			if listed++; twin[h.seq] != h {
				t.Fatalf("hold %d is listed", h.seq)
			}
		}
		if listed != len(twin) || table.count != len(twin) {
			t.Fatalf("%d are listed, %d counted, of %d", listed, table.count, len(twin))
		}
	})
}
