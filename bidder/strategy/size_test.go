package strategy

import (
	"testing"
	"unsafe"
)

func TestOpenBidsFitIntoTheirMap(t *testing.T) {
	if size := unsafe.Sizeof(openBid{}); size > 128 {
		t.Errorf("an open bid takes %d bytes", size)
	}
}
