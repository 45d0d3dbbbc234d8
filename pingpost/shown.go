package pingpost

import (
	"strings"
	"unicode"
)

// ShownIn reports whether a text that others may see gives the homeowner away: by the phone
// number however it is punctuated, the e-mail or street address, or first and last name side by
// side; capitals do not matter. It never gives the value itself away.
func (l *Lead) ShownIn(text string) bool {
	low := oneSpaced(text)
	for _, private := range [...]Private{l.Email, l.Address} {
		if part := oneSpaced(private.Reveal()); len(part) >= minShown && strings.Contains(low, part) {
			return true
		}
	}
	first, last := letters(l.FirstName.Reveal()), letters(l.LastName.Reveal())
	if first != "" && last != "" && strings.Contains(" "+letters(text)+" ", " "+first+" "+last+" ") {
		return true
	}
	number := digits(l.Phone.Reveal())
	number = number[max(0, len(number)-10):] // without the country
	return len(number) >= minShown && strings.Contains(digits(text), number)
}

// minShown keeps what is too short to tell a homeowner from any other text from being found.
const minShown = 6

func oneSpaced(text string) string { return strings.Join(strings.Fields(strings.ToLower(text)), " ") }

// letters are the words of a text, without what stands between them.
func letters(text string) string {
	notLetter := func(char rune) bool { return !unicode.IsLetter(char) }
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), notLetter), " ")
}

func digits(text string) string {
	return strings.Map(func(char rune) rune {
		if char < '0' || char > '9' {
			return -1
		}
		return char
	}, text)
}
