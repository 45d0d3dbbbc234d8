package wire

import (
	"unicode/utf8"
	"unsafe"

	"leadbid/pingpost"
)

// outgoing is one message on its way out: exactly one of the pointers is set. It is a struct and
// not a function per message so that nothing escapes to the heap on the way of a ping.
type outgoing struct {
	ping    *pingpost.Ping
	keep    func(pingpost.Attr) bool // which attributes of the ping are written; nil for all
	answer  *pingpost.Answer
	post    *pingpost.Post
	verdict *pingpost.Verdict
	notice  *pingpost.Notice
}

// append writes an object in the profile's order, without what has no value. An inner object with
// nothing in it is left out.
func (p *Profile) append(dst []byte, b *body, out *outgoing) []byte {
	start := len(dst)
	for _, m := range b.members {
		before := len(dst)
		dst = append(dst, m.key...)
		mark := len(dst)
		switch {
		case m.child != nil:
			dst = p.append(dst, m.child, out)
		case m.field != noField:
			dst = p.appendField(dst, m.field, out)
		default:
			dst = append(dst, m.value...)
		}
		if len(dst) == mark {
			dst = dst[:before]
		}
	}
	if len(dst) > start {
		dst[start] = '{' // instead of the first comma
		return append(dst, '}')
	}
	if b.path == "" {
		return append(dst, "{}"...)
	}
	return dst
}

// appendField appends a field's value, or nothing where it says nothing.
func (p *Profile) appendField(dst []byte, f field, out *outgoing) []byte {
	switch {
	case out.ping != nil:
		return p.appendPingField(dst, f, out.ping, out.keep)
	case out.answer != nil:
		return p.appendAnswerField(dst, f, out.answer)
	case out.post != nil:
		return p.appendPostField(dst, f, out.post)
	case out.verdict != nil:
		return p.appendVerdictField(dst, f, out.verdict)
	}
	return p.appendNoticeField(dst, f, out.notice)
}

func (p *Profile) appendWord(dst []byte, f field, value uint16) []byte {
	return p.words[f].append(dst, value)
}

func (p *Profile) appendPrice(dst []byte, amount pingpost.Cents) []byte {
	if !p.pricesAsText {
		return amount.AppendDollars(dst)
	}
	return append(amount.AppendDollars(append(dst, '"')), '"')
}

func (p *Profile) appendTri(dst []byte, f field, tri pingpost.Tri) []byte {
	switch {
	case tri == pingpost.Unknown:
		return dst
	case p.spelled[f]:
		return p.appendWord(dst, f, uint16(tri))
	}
	return appendBool(dst, tri == pingpost.Yes)
}

func appendBool(dst []byte, truth bool) []byte {
	if truth {
		return append(dst, "true"...)
	}
	return append(dst, "false"...)
}

// appendTrue writes a flag only where it is set: what is rarely true need not be said.
func appendTrue(dst []byte, truth bool) []byte {
	if !truth {
		return dst
	}
	return append(dst, "true"...)
}

func appendZIP(dst []byte, zip pingpost.ZIP) []byte {
	if zip == 0 {
		return dst
	}
	return append(zip.Append(append(dst, '"')), '"')
}

// appendKnown appends a string where it is not empty.
func appendKnown(dst []byte, content string) []byte {
	if content == "" {
		return dst
	}
	return appendText(dst, content)
}

// appendAttrs appends the attributes as one object, or nothing where none is kept.
func appendAttrs(dst []byte, attrs []pingpost.Attr, keep func(pingpost.Attr) bool) []byte {
	start := len(dst)
	for _, attr := range attrs {
		if keep != nil && !keep(attr) {
			continue
		}
		if len(dst) == start {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, attr.Name), ':')
		if attr.Kind == pingpost.AttrText {
			dst = appendText(dst, attr.Value)
		} else {
			dst = appendOneLine(dst, attr.Value)
		}
	}
	if len(dst) == start {
		return dst
	}
	return append(dst, '}')
}

// appendOneLine appends JSON text. Line ends, which can only stand between its tokens, become
// spaces: a message is one line wherever lines are counted.
func appendOneLine(dst []byte, text string) []byte {
	start := len(dst)
	dst = append(dst, text...)
	for i := start; i < len(dst); i++ {
		if dst[i] == '\n' || dst[i] == '\r' {
			dst[i] = ' '
		}
	}
	return dst
}

// appendText appends a JSON string. Bytes that are not valid UTF-8 become the replacement
// character, as in encoding/json: what we write can be read everywhere.
func appendText(dst []byte, content string) []byte {
	dst = append(dst, '"')
	i := plainUntil(unsafe.Slice(unsafe.StringData(content), len(content)), 0)
	if i < len(content) {
		return appendStrangeText(dst, content, i)
	}
	return append(append(dst, content...), '"')
}

// appendStrangeText is appendText behind the opening quote. i is the first byte that needs a look.
func appendStrangeText(dst []byte, content string, i int) []byte {
	const hex = "0123456789abcdef"
	plain := 0
	for i < len(content) {
		c := content[i]
		if !stopsText[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(content[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, content[plain:i]...), `\ufffd`...)
				plain = i + size
			}
			i += size
			continue
		}
		dst = append(dst, content[plain:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		plain = i
	}
	return append(append(dst, content[plain:]...), '"')
}
