package rules

import (
	"strconv"

	"leadbid/pingpost"
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

// addWord adds a ZIP, or all that begin with three digits. ok is false for any other word.
func (s *zipSet) addWord(word string, three bool) (ok bool) {
	if !three {
		zip, err := pingpost.ParseZIP(word)
		if err != nil || zip.String() != word {
			return false
		}
		s.add(zip)
		return true
	}
	first, err := strconv.Atoi(word)
	if err != nil || len(word) != 3 || first < 0 {
		return false
	}
	for zip := first * 100; zip < first*100+100; zip++ {
		s.add(pingpost.ZIP(zip))
	}
	return true
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
