package load

import (
	"fmt"
	"strings"
	"unicode"
)

// refusal is an answer that was an error by its status. Counts of statuses do not tell why; its body does.
type refusal struct {
	number int64  // of the send
	text   string // "" where there is none
}

// maxRefusal is how many bytes of a body are shown.
const maxRefusal = 200

// newRefusal keeps a body in one line that no terminal acts upon.
func newRefusal(number int64, status int, body []byte) refusal {
	shown := body[:min(len(body), 4*maxRefusal)] // an answer may be a megabyte
	text := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(shown), ""), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	switch {
	case text == "":
		text = "without a body"
	case len(text) > maxRefusal:
		text = strings.ToValidUTF8(text[:maxRefusal], "") + " ..."
	}
	return refusal{number, fmt.Sprintf("status %d: %s", status, text)}
}

// earlier is the one of both whose send came first.
func (r refusal) earlier(other refusal) refusal {
	if r.text == "" || other.text != "" && other.number < r.number {
		return other
	}
	return r
}
