package recording

import (
	"net/netip"
	"slices"
	"strings"

	"leadbid/pingpost"
)

// Personal reports whether a text looks like something that leads to a person: an e-mail address,
// an American phone number however it is punctuated, or an IP address. Rather too much is taken
// for personal than too little: ten digits that could be dialled are a phone number.
func Personal(text string) bool {
	if len(text) > maxTallied {
		return emailShaped(text) || phoneShaped(text) || addressShaped(text)
	}
	var tally uint64
	for i := 0; i < len(text); i++ {
		tally += tallies[text[i]]
	}
	digits, points := tally&maxTallied, tally>>16&maxTallied
	colons, ats := tally>>32&maxTallied, tally>>48
	return ats > 0 && emailShaped(text) || digits >= 10 && phoneShaped(text) ||
		(points == 3 || colons >= 2) && addressShaped(text)
}

// tallies counts, in one walk over a text, what it needs to look like something personal: sixteen
// bits each for its digits, points, colons and ats.
var tallies = func() (tallies [256]uint64) {
	for c := '0'; c <= '9'; c++ {
		tallies[c] = 1
	}
	tallies['.'], tallies[':'], tallies['@'] = 1<<16, 1<<32, 1<<48
	return tallies
}()

// maxTallied is the longest text whose tally cannot spill over.
const maxTallied = 1<<16 - 1

// emailShaped: something, an @, something with a point inside, and no space around the @.
func emailShaped(text string) bool {
	for at := strings.IndexByte(text, '@'); at >= 0; {
		after := text[at+1:]
		end := strings.IndexAny(after, " \t\r\n,;<>\"@")
		if end < 0 {
			end = len(after)
		}
		point := strings.IndexByte(after[:end], '.')
		if at > 0 && text[at-1] > ' ' && point > 0 && point < end-1 {
			return true
		}
		next := strings.IndexByte(after, '@')
		if next < 0 {
			return false
		}
		at += 1 + next
	}
	return false
}

// phoneShaped: ten digits of the North American plan, an optional country code, and nothing else
// but what people put between digits.
func phoneShaped(text string) bool {
	var digits [11]byte
	n := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			if n == len(digits) {
				return false
			}
			digits[n] = c
			n++
		case !strings.ContainsRune(" +-.()/\t", rune(c)):
			return false
		}
	}
	number := digits[:n]
	if n == 11 && number[0] == '1' {
		number = number[1:]
	}
	return len(number) == 10 && number[0] >= '2' && number[3] >= '2'
}

// addressShaped: an IP address. Most texts are ruled out before netip is asked, which allocates
// for what it refuses.
func addressShaped(text string) bool {
	if strings.Count(text, ".") != 3 && strings.Count(text, ":") < 2 {
		return false
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; c != '.' && c != ':' && !(c >= '0' && c <= '9') && !(c|0x20 >= 'a' && c|0x20 <= 'f') {
			return false
		}
	}
	_, err := netip.ParseAddr(text)
	return err == nil
}

// personalAttr looks at an attribute's name and value; inside JSON at every string and number.
func personalAttr(attr pingpost.Attr) bool {
	if attr.Kind != pingpost.AttrJSON {
		return Personal(attr.Value)
	}
	if strings.IndexByte(attr.Value, '\\') >= 0 {
		return true // an escape could hide anything
	}
	return personalParts(attr.Value)
}

// personalParts looks at each string of JSON text without escapes, and at what stands between
// them.
func personalParts(text string) bool {
	for len(text) > 0 {
		end := strings.IndexAny(text, "\",:[]{} \t\r\n")
		if text[0] == '"' {
			end = 1 + strings.IndexByte(text[1:], '"')
			if end == 0 {
				return true // no JSON
			}
			if Personal(text[1:end]) {
				return true
			}
			text = text[end+1:]
			continue
		}
		if end < 0 {
			return Personal(text)
		}
		if end == 0 {
			text = text[1:]
			continue
		}
		if Personal(text[:end]) {
			return true
		}
		text = text[end:]
	}
	return false
}

// cleanTexts empties the free texts of a ping in which a seller put personal data. A bare run of
// digits stays: that is what the ids of sources look like. Each sub-source keeps its place. It
// reports whether anything was taken out.
func cleanTexts(p *pingpost.Ping) (withheld bool) {
	for _, text := range []*string{&p.Task, &p.City, &p.Source} {
		if tellsPerson(*text) {
			*text, withheld = "", true
		}
	}
	for i, sub := range p.SubIDs {
		if tellsPerson(sub) {
			p.SubIDs = slices.Clone(p.SubIDs) // the ping's own list stays as it is
			p.SubIDs[i], withheld = "", true
		}
	}
	return withheld
}

// personalTexts tells whether cleanTexts would take something out.
func personalTexts(p *pingpost.Ping) bool {
	return tellsPerson(p.Task) || tellsPerson(p.City) || tellsPerson(p.Source) || slices.ContainsFunc(p.SubIDs, tellsPerson)
}

func tellsPerson(text string) bool { return Personal(text) && strings.Trim(text, "0123456789") != "" }
