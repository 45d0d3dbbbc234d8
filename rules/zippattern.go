package rules

import (
	"fmt"
	"strings"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// zipSpan is a run of ZIP codes, both ends included. One ZIP is a span of itself.
type zipSpan struct{ first, last pingpost.ZIP }

const (
	zipExpected = `a ZIP code of five digits, a range such as 60601-60661, or the first digits of some, such as 606*`

	// maxSpan is how many ZIP codes one range or prefix may stand for: all of the largest state, and
	// not by a slip of the finger the whole country.
	maxSpan = 10_000
)

func (s zipSpan) size() int { return int(s.last-s.first) + 1 }

// addTo adds the ZIP codes as texts.
func (s zipSpan) addTo(set map[string]struct{}) {
	for zip := s.first; zip <= s.last; zip++ {
		set[zip.String()] = struct{}{}
	}
}

// isZIPPattern reports whether a text is meant as a range or a prefix of ZIP codes.
func isZIPPattern(text string) bool {
	return len(text) > 1 && strings.Trim(text, "0123456789 *-") == "" &&
		(strings.HasSuffix(text, "*") || (strings.Contains(text, "-") && len(text) != len("60614-1234")))
}

// parseZIPs reads 60614, 60601-60661 or 606*. message is "" where it is one of them.
func parseZIPs(text string) (span zipSpan, message, typed string) {
	if digits, isPrefix := strings.CutSuffix(text, "*"); isPrefix {
		return parseZIPPrefix(text, digits)
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange || len(strings.TrimSpace(last)) == 4 {
		zip, err := pingpost.ParseZIP(text)
		if err != nil {
			message, typed = yamlfile.ZIPHint(text)
		}
		return zipSpan{zip, zip}, message, typed
	}
	for i, end := range [2]string{strings.TrimSpace(first), strings.TrimSpace(last)} {
		zip, err := pingpost.ParseZIP(end)
		if err != nil || len(end) != 5 {
			message, typed = yamlfile.ZIPHint(end)
			return zipSpan{}, "in the range " + yamlfile.Quote(text) + ", " + message, typed
		}
		if i == 0 {
			span.first = zip
		}
		span.last = zip
	}
	switch {
	case span.last < span.first:
		return zipSpan{}, "the range " + yamlfile.Quote(text) + " ends before it begins",
			span.last.String() + "-" + span.first.String()
	case span.size() > maxSpan:
		return zipSpan{}, fmt.Sprintf("the range %s spans more than %d ZIP codes",
			yamlfile.Quote(text), maxSpan), ""
	}
	return span, "", ""
}

func parseZIPPrefix(text, digits string) (span zipSpan, message, typed string) {
	if len(digits) < 1 || len(digits) > 4 || strings.Trim(digits, "0123456789") != "" {
		return zipSpan{}, yamlfile.Quote(text) + " does not stand for ZIP codes", ""
	}
	for i := range 5 {
		low, high := pingpost.ZIP(0), pingpost.ZIP(9)
		if i < len(digits) {
			low = pingpost.ZIP(digits[i] - '0')
			high = low
		}
		span.first, span.last = span.first*10+low, span.last*10+high
	}
	span.first = max(span.first, 1) // 0 stands for a ZIP that is not known
	return span, "", ""
}
