package pingpost

import (
	"errors"
	"fmt"
	"strings"
)

// ZIP is a five-digit United States ZIP code as a number; 60614 for "60614", 501 for "00501".
// The zero value means that no ZIP is known ("00000" is not assigned to any place).
type ZIP uint32

// ErrZIP is what ParseZIP answers for anything but five digits, with or without a ZIP+4 suffix.
var ErrZIP = errors.New("a ZIP code has five digits")

// ParseZIP reads "60614", "60614-1234" or "606141234". Four digits are an error: a leading zero
// lost by a spreadsheet must be mended where it was lost, not guessed here.
func ParseZIP[T string | []byte](text T) (ZIP, error) {
	withDash := len(text) == 10 && text[5] == '-'
	if len(text) != 5 && len(text) != 9 && !withDash {
		return 0, ErrZIP
	}
	var zip ZIP
	for i := 0; i < len(text); i++ {
		switch {
		case i == 5 && withDash:
		case text[i] < '0' || text[i] > '9':
			return 0, ErrZIP
		case i < 5:
			zip = zip*10 + ZIP(text[i]-'0')
		}
	}
	if zip == 0 {
		return 0, ErrZIP
	}
	return zip, nil
}

// String gives the five digits, or "" where no ZIP is known.
func (z ZIP) String() string {
	if z == 0 {
		return ""
	}
	return string(z.Append(nil))
}

// Append appends the five digits; it appends nothing where no ZIP is known.
func (z ZIP) Append(dst []byte) []byte {
	if z == 0 {
		return dst
	}
	return append(dst, byte('0'+z/10000%10), byte('0'+z/1000%10), byte('0'+z/100%10),
		byte('0'+z/10%10), byte('0'+z%10))
}

// State is the two-letter postal code of a state, the District of Columbia or a territory, in
// capitals; "" where it is not known.
type State string

const stateCodes = "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH " +
	"NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI UM AA AE AP FM MH PW"

// shownAtMost bounds how much of a wrong value an error repeats: it came from outside.
const shownAtMost = 32

// ParseState reads a two-letter code in either case. The result shares no memory with text and
// costs no allocation.
func ParseState[T string | []byte](text T) (State, error) {
	if len(text) == 2 {
		first, second := text[0]&^0x20, text[1]&^0x20
		for i := 0; i < len(stateCodes); i += 3 {
			if stateCodes[i] == first && stateCodes[i+1] == second {
				return State(stateCodes[i : i+2]), nil
			}
		}
	}
	shown := strings.ToValidUTF8(string(text[:min(len(text), shownAtMost)]), "?")
	return "", fmt.Errorf("%q is not a two-letter state code, such as IL", shown)
}
