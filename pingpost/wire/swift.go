package wire

import (
	"strconv"
	"time"

	"leadbid/pingpost"
)

// swift reads a ping as nearly all of them come: no field twice, each of its kind, and in words that
// the profile lists. Every value goes to its place as it is read, where the decoder reads the whole
// body before any field, and on the way it sees whether we would write the ping just so. Whatever else
// it meets, it gives up, and the decoder begins anew: what is a fault, and which one, is said in one
// place only.
type swift struct {
	reader
	profile     *Profile
	ping        *pingpost.Ping
	seen, known fields                        // in the body; and those of them that are not null
	raw         [fieldPropertyType + 1]string // words that become attributes
	asWritten   bool                          // so far the body is what AppendPing writes
}

// fields is a set of them.
type fields uint64

func (s fields) has(f field) bool { return s>>f&1 != 0 }
func (s *fields) add(f field)     { *s |= 1 << f }

// decodeSwiftly reads a ping into a blank one. Where ok is false, something is half read.
func (p *Profile) decodeSwiftly(dst *pingpost.Ping, body []byte) (asWritten, ok bool) {
	s := swift{reader: reader{scanner: scanner{body: body}, collect: true, attrs: dst.Attrs}, profile: p, ping: dst, asWritten: true}
	if len(body) == 0 || body[0] != '{' || !s.object(p.ping.read) {
		return false, false
	}
	s.asWritten = s.asWritten && s.pos == len(body) && (s.seen.has(fieldExclusive) || p.ping.paths[fieldExclusive] == "")
	s.keepRaw()
	dst.Attrs = s.attrs
	return s.asWritten, s.end() && s.complete()
}

// complete tells whether everything is there that a ping cannot do without.
func (s *swift) complete() bool {
	for _, group := range s.profile.ping.need {
		here := false
		for _, f := range group {
			here = here || s.known.has(f)
		}
		if !here {
			return false
		}
	}
	return true
}

// object reads an object of the message.
func (s *swift) object(shape *body) bool {
	next := 0
	for first := true; ; first = false {
		if !first && s.pos < len(s.body) && s.body[s.pos] == '}' {
			s.pos++
			return true
		}
		m := s.expected(shape, next, first)
		if m == nil {
			s.asWritten = false
			name, more := s.member(first)
			if !more {
				return s.problem == ""
			}
			if m = shape.find(name); m == nil {
				if !s.attribute(shape.at(name)) {
					return false
				}
				continue
			}
		}
		s.asWritten = s.asWritten && !m.also
		next = m.index + 1
		if !s.place(m) {
			return false
		}
	}
}

// place reads the value of a member to where it belongs.
func (s *swift) place(m *member) bool {
	before := s.pos
	c := s.peek()
	s.asWritten = s.asWritten && s.pos == before
	switch {
	case m.child != nil:
		return c == '{' && s.object(m.child)
	case m.field == fieldAttrs:
		s.asWritten = false // who passes a ping on may leave some of them out
		return c == '{' && s.attributes()
	case m.field == noField:
		s.asWritten = false
		_, ok := s.value()
		return ok
	case s.seen.has(m.field):
		return false
	}
	s.seen.add(m.field)
	if c == 'n' {
		s.asWritten = false
		_, null := s.literal("null", kindNull)
		return null
	}
	s.known.add(m.field)
	return s.field(m.field, c)
}

// field reads the value of a field; c is its first byte.
func (s *swift) field(f field, c byte) (ok bool) {
	p := s.ping
	switch f {
	case fieldPingID:
		p.ID, ok = s.text(c, maxID)
		return ok && isID(p.ID)
	case fieldTmaxMS:
		p.TmaxMS, ok = s.whole(c, 1, maxTmaxMS)
	case fieldAuction:
		return word(s, f, c, &p.Auction)
	case fieldService:
		return word(s, f, c, &p.Service)
	case fieldTask:
		p.Task, ok = s.text(c, maxWord)
	case fieldJob:
		return word(s, f, c, &p.Job)
	case fieldZIP:
		return s.zip(c)
	case fieldState:
		return s.state(c)
	case fieldCity:
		p.City, ok = s.text(c, maxWord)
	case fieldUrgency:
		return word(s, f, c, &p.Urgency)
	case fieldPropertyType:
		return word(s, f, c, &p.Property)
	case fieldHomeowner:
		p.Homeowner, ok = s.tri(f, c)
	case fieldLeadScore:
		return s.score(c)
	case fieldSource:
		p.Source, ok = s.text(c, maxWord)
	case fieldSubIDs:
		return s.subIDs(c)
	case fieldExclusive:
		p.Exclusive, ok = s.flag(f, c)
	case fieldMaxSold:
		p.MaxSold, ok = s.whole(c, 0, maxBuyers)
	case fieldSoldSoFar:
		p.SoldSoFar, ok = s.whole(c, 0, maxBuyers)
	case fieldFloor:
		return s.floor(c)
	case fieldTest:
		p.Test, ok = s.trueFlag(f, c)
	default:
		return s.consent(f, c)
	}
	return ok
}

func (s *swift) consent(f field, c byte) (ok bool) {
	p := &s.ping.Consent
	switch f {
	case fieldAgreed:
		p.Agreed, ok = s.tri(f, c)
	case fieldTrustedFormURL:
		p.TrustedFormURL, ok = s.text(c, maxURL)
	case fieldTrustedFormPromised:
		p.TrustedFormPromised, ok = s.trueFlag(f, c)
	case fieldLeadIDToken:
		p.LeadID, ok = s.text(c, maxWord)
	case fieldLeadIDPromised:
		p.LeadIDPromised, ok = s.trueFlag(f, c)
	case fieldGivenAt:
		return s.givenAt(c)
	}
	return ok
}

// text reads a string that says something. With an escape in it, it is longer in the body than in
// itself, and we might spell it otherwise.
func (s *swift) text(c byte, longest int) (content string, ok bool) {
	content, ok = s.anyText(c, longest)
	return content, ok && content != ""
}

func (s *swift) anyText(c byte, longest int) (content string, ok bool) {
	if c != '"' {
		return "", false
	}
	start := s.pos
	if end := plainUntil(s.body, start+1); end < len(s.body) && s.body[end] == '"' {
		s.pos = end + 1
		return alias(s.body[start+1 : end]), end-start-len(`"`) <= longest
	}
	content, ok = s.str()
	s.asWritten = s.asWritten && s.pos-start == len(content)+len(`""`)
	return content, ok && len(content) <= longest
}

// word reads a word of a closed list into a value of its type. A word that is not the one we would
// write for it is noted: it becomes an attribute.
func word[W ~uint8](s *swift, f field, c byte, into *W) bool {
	text, ok := s.text(c, maxWord)
	words := &s.profile.words[f]
	value, listed := words.find(text)
	if !listed {
		value = wordElse[f]
	}
	*into = W(value)
	if (s.profile.spelled[f] || !listed) && !words.writes(value, text) {
		s.raw[f], s.asWritten = text, false
	}
	return ok
}

// keepRaw adds the noted words behind all other attributes, in the order of the fields.
func (s *swift) keepRaw() {
	for f, word := range s.raw {
		if word != "" {
			s.setAttr(pingpost.Attr{Name: rawNames[f], Value: word, Kind: pingpost.AttrText})
		}
	}
}

func (s *swift) zip(c byte) bool {
	digits, ok := s.text(c, 5)
	if !ok || len(digits) != 5 {
		return false
	}
	zip, err := pingpost.ParseZIP(digits)
	s.ping.ZIP = zip
	return err == nil
}

func (s *swift) state(c byte) bool {
	letters, ok := s.text(c, 2)
	if !ok {
		return false
	}
	state, err := pingpost.ParseState(letters)
	s.ping.State = state
	s.asWritten = s.asWritten && string(state) == letters
	return err == nil
}

// numberText reads a number as it is written.
func (s *swift) numberText(c byte) (digits string, ok bool) {
	if c != '-' && c-'0' > 9 {
		return "", false
	}
	start := s.pos
	ok = s.number()
	return alias(s.body[start:s.pos]), ok
}

func (s *swift) whole(c byte, low, high int) (int, bool) {
	digits, ok := s.numberText(c)
	whole, short := shortWhole(digits)
	s.asWritten = s.asWritten && whole > 0 // what is 0 goes without saying
	return int(whole), ok && short && int(whole) >= low && int(whole) <= high
}

func (s *swift) score(c byte) bool {
	digits, ok := s.numberText(c)
	if !ok {
		return false
	}
	if whole, short := shortWhole(digits); short {
		s.ping.LeadScore = pingpost.Score{Value: float64(whole), Known: true}
		return whole <= 100
	}
	value, err := strconv.ParseFloat(digits, 64)
	s.ping.LeadScore = pingpost.Score{Value: value, Known: true}
	s.asWritten = false
	return err == nil && value >= 0 && value <= 100
}

func (s *swift) floor(c byte) bool {
	digits, ok := s.numberText(c)
	if !ok || s.profile.pricesAsText {
		return false
	}
	amount, err := pingpost.ParseDollars(digits)
	s.ping.Floor = amount
	var room [32]byte
	s.asWritten = s.asWritten && amount > 0 && string(amount.AppendDollars(room[:0])) == digits
	return err == nil && amount >= 0
}

func (s *swift) tri(f field, c byte) (pingpost.Tri, bool) {
	s.asWritten = s.asWritten && !s.profile.spelled[f]
	switch c {
	case 't':
		_, ok := s.literal("true", kindTruth)
		return pingpost.Yes, ok
	case 'f':
		_, ok := s.literal("false", kindFalsehood)
		return pingpost.No, ok
	}
	return pingpost.Unknown, false
}

func (s *swift) flag(f field, c byte) (bool, bool) {
	tri, ok := s.tri(f, c)
	return tri == pingpost.Yes, ok
}

// trueFlag reads a flag that we write only where it is set.
func (s *swift) trueFlag(f field, c byte) (bool, bool) {
	flag, ok := s.flag(f, c)
	s.asWritten = s.asWritten && flag
	return flag, ok
}

// subIDs reads a list of strings, dropping those beyond MaxSubIDs.
func (s *swift) subIDs(c byte) bool {
	if c != '[' {
		return false
	}
	start, length := s.pos, len("[]")
	list := s.ping.SubIDs
	for first := true; s.item(first); first = false {
		text, ok := s.anyText(s.peek(), maxWord)
		if !ok {
			return false
		}
		if length += len(text) + len(`"",`); len(list) < pingpost.MaxSubIDs {
			list = append(list, text)
		} else {
			s.asWritten = false
		}
	}
	s.ping.SubIDs = list
	s.asWritten = s.asWritten && len(list) > 0 && s.pos-start == length-len(",") // no space between them
	return s.problem == ""
}

func (s *swift) givenAt(c byte) bool {
	start := s.pos
	text, ok := s.text(c, maxWord)
	if !ok {
		return false
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < minYear || at.Year() > maxYear {
		return false
	}
	var room [64]byte
	s.ping.Consent.GivenAt = at.UnixMilli()
	s.asWritten = s.asWritten && string(appendInstant(room[:0], at.UnixMilli())) == string(s.body[start:s.pos])
	return true
}
