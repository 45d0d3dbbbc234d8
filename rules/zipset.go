package rules

import "leadbid/pingpost"

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

// list gives the ZIPs in ascending order.
func (s *zipSet) list() []pingpost.ZIP {
	zips := make([]pingpost.ZIP, 0, s.count)
	for zip := pingpost.ZIP(1); zip < zipLimit; zip++ {
		if s.has(zip) {
			zips = append(zips, zip)
		}
	}
	return zips
}
