package rules

import (
	"leadbid/pingpost"
	"leadbid/pingpost/zips"
)

// zipSet is a set of ZIP codes: one bit for each of the hundred thousand. The zero value is
// empty.
type zipSet struct {
	bits  []uint64
	count int
}

const zipLimit = 100_000

func (s *zipSet) has(zip pingpost.ZIP) bool {
	word := int(zip >> 6)
	return word < len(s.bits) && s.bits[word]&(1<<(zip&63)) != 0
}

func (s *zipSet) add(zip pingpost.ZIP) {
	if s.bits == nil {
		s.bits = make([]uint64, (zipLimit+63)/64)
	}
	if zip > 0 && zip < zipLimit && !s.has(zip) {
		s.bits[zip>>6] |= 1 << (zip & 63)
		s.count++
	}
}

func (s *zipSet) remove(zip pingpost.ZIP) {
	if s.has(zip) {
		s.bits[zip>>6] &^= 1 << (zip & 63)
		s.count--
	}
}

// addSpan adds one ZIP, or of a range all that are in use, and tells how many those were.
func (s *zipSet) addSpan(span zipSpan) (added int) {
	for zip := span.first; zip <= span.last; zip++ {
		if _, known := zips.Lookup(zip); known || span.size() == 1 {
			s.add(zip)
			added++
		}
	}
	return added
}

// removeSpan takes ZIPs out, and tells how many of them there were.
func (s *zipSet) removeSpan(span zipSpan) (removed int) {
	before := s.count
	for zip := span.first; zip <= span.last; zip++ {
		s.remove(zip)
	}
	return before - s.count
}

// list gives the ZIPs in ascending order.
func (s *zipSet) list() []pingpost.ZIP {
	listed := make([]pingpost.ZIP, 0, s.count)
	for zip := pingpost.ZIP(1); zip < zipLimit; zip++ {
		if s.has(zip) {
			listed = append(listed, zip)
		}
	}
	return listed
}
