package wire

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// maxDepth is how deep the value of a field may be nested. Real ones use three levels. It counts
// from the field and not from the body, because an attribute may be written in another place than
// it was read from.
const maxDepth = 32

// kind is the type of a JSON value.
type kind uint8

// The kinds; absent is the zero value.
const (
	kindAbsent kind = iota
	kindNull
	kindTruth
	kindFalsehood
	kindNumber
	kindText
	kindArray
	kindObject
)

var kindNames = [...]string{"missing", "null", "a boolean", "a boolean", "a number", "a string", "a list", "an object"}

// value is one JSON value: the content of a string, the JSON text of anything else. It aliases
// the body, unless a string had to be unescaped.
type value struct {
	text string
	kind kind
}

// known reports whether the value says anything: null and "" do not.
func (v value) known() bool { return v.kind > kindNull && (v.kind != kindText || v.text != "") }

// scanner reads one JSON text, once, from left to right. Its methods answer ok = false after
// noting the first problem, which then stands.
type scanner struct {
	body    []byte
	pos     int
	depth   int // objects and lists that are open in the value being read
	problem string
}

func (s *scanner) fail(problem string) bool {
	if s.problem == "" {
		s.problem = problem + " at byte " + strconv.Itoa(s.pos+1)
	}
	return false
}

// unexpected notes that the byte at hand, or the end, is not what belongs here.
func (s *scanner) unexpected(belongs string) bool {
	if s.pos >= len(s.body) {
		return s.fail("the body ends where " + belongs + " belongs,")
	}
	return s.fail("something else stands where " + belongs + " belongs,")
}

// alias views bytes of the body as a string without copying them.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// peek skips white space and gives the next byte, 0 at the end (a NUL is no JSON either).
func (s *scanner) peek() byte {
	if s.pos < len(s.body) && s.body[s.pos] > ' ' {
		return s.body[s.pos]
	}
	return s.skipSpace()
}

func (s *scanner) skipSpace() byte {
	for ; s.pos < len(s.body); s.pos++ {
		switch c := s.body[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// end reports whether nothing but white space is left.
func (s *scanner) end() bool {
	s.peek()
	return s.pos == len(s.body) || s.unexpected("the end")
}

// stopsText marks the bytes at which reading a string cannot just go on.
var stopsText = func() (stops [256]bool) {
	for c := range stops {
		stops[c] = c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf
	}
	return stops
}()

// plainUntil gives the place of the first byte from i on that stopsText marks, or the end. It looks
// at eight bytes at a time: of those that are marked in a word the lowest is always one of them,
// since a subtraction borrows only from a byte above one that is.
func plainUntil(text []byte, i int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(text); i += 8 {
		word := binary.LittleEndian.Uint64(text[i:])
		quote, backslash := word^each*'"', word^each*'\\'
		marked := word | (word - each*' ') | (quote-each)&^quote | (backslash-each)&^backslash
		if marked &= high; marked != 0 {
			return i + bits.TrailingZeros64(marked)/8
		}
	}
	for i < len(text) && !stopsText[text[i]] {
		i++
	}
	return i
}

// str reads a string; the next byte is its opening quote.
func (s *scanner) str() (string, bool) {
	body := s.body
	i := plainUntil(body, s.pos+1)
	if i < len(body) && body[i] == '"' {
		content := alias(body[s.pos+1 : i])
		s.pos = i + 1
		return content, true
	}
	return s.strangeText(i)
}

// strangeText reads a string that holds an escape or a byte outside ASCII, or is broken. i is the
// first such byte.
func (s *scanner) strangeText(i int) (string, bool) {
	start, escaped := s.pos, false
	for ; i < len(s.body) && s.body[i] != '"'; i++ {
		switch c := s.body[i]; {
		case c < ' ':
			s.pos = i
			return "", s.fail("a control character stands unescaped in a string")
		case c == '\\':
			escaped = true
			i++
		}
	}
	if i >= len(s.body) {
		s.pos = len(s.body)
		return "", s.fail("a string does not end, the body does,")
	}
	s.pos = i + 1
	quoted := s.body[start:s.pos]
	if !utf8.Valid(quoted) {
		s.pos = start
		return "", s.fail("a string is not valid UTF-8")
	}
	if !escaped {
		return alias(quoted[1 : len(quoted)-1]), true
	}
	var content string
	if json.Unmarshal(quoted, &content) != nil {
		s.pos = start
		return "", s.fail("a string has an escape that JSON does not know")
	}
	return content, true
}

// value reads any value.
func (s *scanner) value() (value, bool) {
	switch c := s.peek(); {
	case c == '"':
		content, ok := s.str()
		return value{content, kindText}, ok
	case c == '-' || (c >= '0' && c <= '9'):
		start := s.pos // behind the space that peek passed over
		ok := s.number()
		return value{alias(s.body[start:s.pos]), kindNumber}, ok
	case c == '{' || c == '[':
		start := s.pos
		kind, ok := s.nested()
		return value{alias(s.body[start:s.pos]), kind}, ok
	case c == 't':
		return s.literal("true", kindTruth)
	case c == 'f':
		return s.literal("false", kindFalsehood)
	case c == 'n':
		return s.literal("null", kindNull)
	}
	return value{}, s.unexpected("a value")
}

func (s *scanner) literal(word string, kind kind) (value, bool) {
	if len(s.body)-s.pos < len(word) || string(s.body[s.pos:s.pos+len(word)]) != word {
		return value{}, s.unexpected(word)
	}
	s.pos += len(word)
	return value{word, kind}, true
}

// number skips a number: a minus, digits without a leading zero, a fraction, an exponent.
func (s *scanner) number() bool {
	if s.body[s.pos] == '-' {
		s.pos++
	}
	first := s.pos
	if !s.digits() {
		return false
	}
	if s.body[first] == '0' && s.pos > first+1 {
		s.pos = first
		return s.fail("a number begins with a zero too many")
	}
	if s.pos < len(s.body) && s.body[s.pos] == '.' {
		s.pos++
		if !s.digits() {
			return false
		}
	}
	if s.pos < len(s.body) && s.body[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.body) && (s.body[s.pos] == '+' || s.body[s.pos] == '-') {
			s.pos++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.body) && s.body[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos > start || s.unexpected("a digit")
}

// nested skips an object or a list, checking all of it.
func (s *scanner) nested() (kind, bool) {
	if s.depth >= maxDepth {
		return kindAbsent, s.fail("values are nested more than " + strconv.Itoa(maxDepth) + " deep")
	}
	s.depth++
	kind := kindObject
	if s.body[s.pos] == '[' {
		kind = kindArray
		for first := true; s.item(first); first = false {
			if _, ok := s.value(); !ok {
				return kind, false
			}
		}
	} else {
		for first := true; ; first = false {
			if _, more := s.member(first); !more {
				break
			}
			if _, ok := s.value(); !ok {
				return kind, false
			}
		}
	}
	s.depth--
	return kind, s.problem == ""
}

// member goes to the next value of an object and gives its name. first tells that the opening
// brace is at hand. more is false after the last member, and where the object is broken.
func (s *scanner) member(first bool) (name string, more bool) {
	if !s.more(first, '}') {
		return "", false
	}
	if s.peek() != '"' {
		return "", s.unexpected("a name in quotes")
	}
	name, ok := s.str()
	if !ok || s.peek() != ':' {
		return "", ok && s.unexpected("a colon")
	}
	s.pos++
	return name, true
}

// item goes to the next value of a list. first tells that the opening bracket is at hand. It is
// false after the last item, and where the list is broken.
func (s *scanner) item(first bool) bool { return s.more(first, ']') }

// more goes past the opening byte or a comma, or past the last byte.
func (s *scanner) more(first bool, last byte) bool {
	if first {
		s.pos++
		if s.peek() != last {
			return true
		}
	}
	switch s.peek() {
	case last:
		s.pos++
		return false
	case ',':
		s.pos++
		return true
	}
	return s.unexpected("a comma or " + string(last))
}
