package main

import (
	"reflect"
	"testing"
)

// TestSideBySideRepeats plays the same days twice: whatever is shown depends on the seed alone.
func TestSideBySideRepeats(t *testing.T) {
	play := func(seed uint64) *comparison {
		t.Helper()
		c, err := sideBySide(t.Context(), seed, span{warm: 1, counted: 2}, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, again, other := play(7), play(7), play(8)
	if !reflect.DeepEqual(first, again) {
		t.Errorf("the same seed gives\n%+v\nand\n%+v", first, again)
	}
	if reflect.DeepEqual(first.Contractors, other.Contractors) {
		t.Error("another seed gives the same market")
	}
	var proof invariants
	first.prove(&proof)
	if !proof.OK || first.Contractors[0].Leads == 0 || first.Contractors[1].Leads == 0 {
		t.Errorf("%+v %+v", first, proof)
	}
}
