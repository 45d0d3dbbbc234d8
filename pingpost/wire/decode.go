package wire

import (
	"encoding/binary"
	"strconv"
	"time"
	"unsafe"

	"leadbid/pingpost"
)

const (
	maxAttrs     = 64   // attributes of one message; more are dropped
	maxConstants = 16   // places of constants in one kind of reply
	maxID        = 128  // bytes of an id
	maxWord      = 256  // bytes of a free text in a ping
	maxURL       = 2048 // bytes of a certificate's address
	maxPrivate   = 8192 // bytes of a contact field or a note

	minYear, maxYear = 2000, 2200 // of an instant
)

// values is what was read from a message, by field; constants of replies follow the fields.
type values [int(numFields) + maxConstants]value

// reader is a scanner that knows the shape of a message, and collects what the shape has no place for.
type reader struct {
	scanner
	collect bool            // the message keeps attributes
	attrs   []pingpost.Attr // those found
}

// decoder reads one message: first all of it into values, without knowing what they mean, then
// value by value as the message wants them. The first fault stands; a broken body comes before
// any field.
type decoder struct {
	reader
	profile *Profile
	paths   *[numFields]string
	values  values
	fault   *Fault
}

// read scans a whole body by the shape of a message.
func (d *decoder) read(shape *body) bool {
	if d.peek() == '{' && d.object(shape) && d.end() {
		return true
	}
	if d.problem == "" {
		d.unexpected("a JSON object")
	}
	message := "the body is not a JSON object: " + d.problem
	if len(d.body) == 0 {
		message = "the body is empty; send a JSON object"
	}
	d.fault = &Fault{Reason: pingpost.Malformed, Message: message}
	return false
}

// object reads an object of the message.
func (d *decoder) object(shape *body) bool {
	next := 0 // where the name is that follows in the profile, and mostly in the message too
	for first := true; ; first = false {
		m := d.expected(shape, next, first)
		if m == nil {
			name, more := d.member(first)
			if !more {
				return d.problem == ""
			}
			if m = shape.find(name); m == nil {
				if !d.attribute(shape.at(name)) {
					return false
				}
				continue
			}
		}
		next = m.index + 1
		if !d.place(shape, m) {
			return false
		}
	}
}

// expected goes to the next value where the message is spelled as the profile spells it, with one of
// the next few names of the profile and no space around it: that takes a comparison for each of them.
// nil, with nothing read, where it is not.
func (r *reader) expected(shape *body, next int, first bool) *member {
	const few = 6 // names that a message may leave out at one place
	rest := r.body[r.pos:]
	if len(rest) <= headBytes || !first && rest[0] != ',' {
		return nil // of what is that short no name is worth the hurry
	}
	head := binary.LittleEndian.Uint64(rest[1:])
	for _, m := range shape.members[next:min(next+few, len(shape.members))] {
		if head&m.headMask == m.head && len(rest) > len(m.key) && string(rest[1:len(m.key)]) == m.key[1:] {
			r.pos += len(m.key)
			return m
		}
	}
	return nil
}

// place reads the value of a member to where it belongs.
func (d *decoder) place(shape *body, m *member) bool {
	if m.child != nil || m.field == fieldAttrs {
		if d.peek() != '{' {
			return d.notAnObject(shape.at(m.name))
		}
		if m.child != nil {
			return d.object(m.child)
		}
		return d.attributes()
	}
	v, ok := d.value()
	d.values[m.field], d.values[m.slot] = v, v // what is neither goes to 0, where nobody looks
	return ok
}

// notAnObject reads what stands where an object belongs. null says nothing.
func (d *decoder) notAnObject(path string) bool {
	v, ok := d.value()
	if ok && v.kind != kindNull {
		d.invalidAt(path, "must be an object, and is "+kindNames[v.kind])
	}
	return ok
}

// attributes reads the object that holds attributes by their own names.
func (r *reader) attributes() bool {
	for first := true; ; first = false {
		name, more := r.member(first)
		if !more {
			return r.problem == ""
		}
		if !r.attribute(name) {
			return false
		}
	}
}

// attribute reads a value that no field is mapped to.
func (r *reader) attribute(name string) bool {
	v, ok := r.value()
	if ok && r.collect {
		kind := pingpost.AttrJSON
		switch v.kind {
		case kindText:
			kind = pingpost.AttrText
		case kindNumber:
			kind = pingpost.AttrNumber
		case kindTruth, kindFalsehood:
			kind = pingpost.AttrBool
		}
		r.setAttr(pingpost.Attr{Name: name, Value: v.text, Kind: kind})
	}
	return ok
}

// setAttr sets an attribute: of a repeated name the last value counts.
func (r *reader) setAttr(attr pingpost.Attr) {
	for i := range r.attrs {
		if r.attrs[i].Name == attr.Name {
			r.attrs[i] = attr
			return
		}
	}
	if len(r.attrs) < maxAttrs {
		r.attrs = append(r.attrs, attr)
	}
}

func (d *decoder) invalid(f field, message string) { d.invalidAt(d.paths[f], message) }

func (d *decoder) invalidAt(path, message string) {
	if d.fault == nil {
		d.fault = &Fault{Reason: pingpost.InvalidField, Field: path, Message: path + " " + message}
	}
}

// need makes sure of the fields that a message cannot do without: one of each group.
func (d *decoder) need(groups [][]field) {
	for _, group := range groups {
		here, list := false, ""
		for i, f := range group {
			here = here || d.values[f].known()
			if i > 0 {
				list += " or " + d.paths[f]
			}
		}
		if !here && list == "" {
			d.invalid(group[0], "is missing")
		} else if !here {
			d.invalid(group[0], "is missing; send it"+list)
		}
	}
}

// of gives a field's value where it says something and is of the kind that is wanted.
func (d *decoder) of(f field, want kind, send string) (string, bool) {
	v := d.values[f]
	if !v.known() {
		return "", false
	}
	if v.kind != want {
		d.invalid(f, "must be "+send+", and is "+kindNames[v.kind])
		return "", false
	}
	return v.text, true
}

func (d *decoder) text(f field, longest int) string {
	content, _ := d.of(f, kindText, "a string")
	if len(content) > longest {
		d.invalid(f, "is too long: at most "+strconv.Itoa(longest)+" bytes")
	}
	return content
}

// id reads an identifier: it becomes a key, a line of a log and a part of other ids, so it is
// printable ASCII without spaces.
func (d *decoder) id(f field) string {
	id := d.text(f, maxID)
	if !isID(id) {
		d.invalid(f, "must be printable ASCII without spaces")
	}
	return id
}

func isID(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

func (d *decoder) private(f field) pingpost.Private {
	// The copy lets the value outlive the body, which holds the same personal data and is reused.
	return pingpost.NewPrivate(string([]byte(d.text(f, maxPrivate))))
}

func (d *decoder) tri(f field) pingpost.Tri {
	v := d.values[f]
	switch {
	case !v.known():
		return pingpost.Unknown
	case v.kind == kindTruth || v.kind == kindFalsehood:
		return pingpost.TriOf(v.kind == kindTruth)
	case v.kind == kindText && d.profile.spelled[f]:
		tri, _ := d.profile.words[f].find(v.text)
		return pingpost.Tri(tri)
	}
	d.invalid(f, "must be true or false, and is "+kindNames[v.kind])
	return pingpost.Unknown
}

func (d *decoder) flag(f field) bool { return d.tri(f) == pingpost.Yes }

func (d *decoder) whole(f field, low, high int64) int64 {
	digits, ok := d.of(f, kindNumber, "a whole number")
	if !ok {
		return 0
	}
	whole, short := shortWhole(digits)
	var err error
	if !short {
		whole, err = strconv.ParseInt(digits, 10, 64)
	}
	if err != nil || whole < low || whole > high {
		d.invalid(f, "must be a whole number from "+strconv.FormatInt(low, 10)+" to "+
			strconv.FormatInt(high, 10))
	}
	return whole
}

// shortWhole reads a number of a few digits and nothing else, as nearly all are.
func shortWhole(digits string) (whole int64, ok bool) {
	if len(digits) > 9 {
		return 0, false
	}
	for i := 0; i < len(digits); i++ {
		if digits[i]-'0' > 9 {
			return 0, false
		}
		whole = whole*10 + int64(digits[i]-'0')
	}
	return whole, len(digits) > 0
}

func (d *decoder) score(f field) pingpost.Score {
	digits, ok := d.of(f, kindNumber, "a number from 0 to 100")
	if !ok {
		return pingpost.Score{}
	}
	if whole, short := shortWhole(digits); short && whole <= 100 {
		return pingpost.Score{Value: float64(whole), Known: true}
	}
	score, err := strconv.ParseFloat(digits, 64)
	if err != nil || score < 0 || score > 100 {
		d.invalid(f, "must be a number from 0 to 100")
	}
	return pingpost.Score{Value: score, Known: true}
}

// instant reads a time with its zone, in milliseconds since 1970; 0 where it is not said.
func (d *decoder) instant(f field) int64 {
	const send = `a time such as "2026-03-02T16:00:00Z"`
	text, ok := d.of(f, kindText, send)
	if !ok {
		return 0
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < minYear || at.Year() > maxYear {
		d.invalid(f, "must be "+send)
		return 0
	}
	return at.UnixMilli()
}

func (d *decoder) dollars(f field) pingpost.Cents {
	v := d.values[f]
	if v.kind == kindText && d.profile.pricesAsText {
		v.kind = kindNumber
	}
	if !v.known() {
		return 0
	}
	if v.kind != kindNumber {
		d.invalid(f, "must be a number of dollars, such as 12.50, and is "+kindNames[v.kind])
		return 0
	}
	amount, err := pingpost.ParseDollars(v.text)
	switch {
	case err != nil:
		d.invalid(f, "must be a number of dollars, such as 12.50: "+err.Error())
	case amount < 0:
		d.invalid(f, "must not be negative")
	}
	return amount
}

func (d *decoder) zip(f field) pingpost.ZIP {
	digits, ok := d.of(f, kindText, `a string of five digits, such as "60614"`)
	if !ok {
		return 0
	}
	zip, err := pingpost.ParseZIP(digits)
	if err != nil || len(digits) != 5 {
		d.invalid(f, `must be a string of five digits, such as "60614", its zeros included`)
	}
	return zip
}

func (d *decoder) state(f field) pingpost.State {
	letters, ok := d.of(f, kindText, `a two-letter state code, such as "IL"`)
	if !ok {
		return ""
	}
	state, err := pingpost.ParseState(letters)
	if err != nil {
		d.invalid(f, `must be a two-letter state code, such as "IL"`)
	}
	return state
}

// word reads a word of a closed list. A word outside it is no fault: what it is read as depends
// on the list, and the word itself is kept as an attribute.
func (d *decoder) word(f field) uint16 {
	word, ok := d.of(f, kindText, "a string")
	if !ok {
		return 0
	}
	words := &d.profile.words[f]
	read, listed := words.find(word)
	if !listed {
		read = wordElse[f]
	}
	if d.profile.spelled[f] || !listed {
		d.keepRaw(f, word, words.write[read])
	}
	return read
}

func (d *decoder) keepRaw(f field, word, written string) {
	if word == written || rawNames[f] == "" {
		return
	}
	if len(word) > maxWord {
		d.invalid(f, "is too long: at most "+strconv.Itoa(maxWord)+" bytes")
		return
	}
	d.setAttr(pingpost.Attr{Name: rawNames[f], Value: word, Kind: pingpost.AttrText})
}

// texts reads a list of strings into dst, dropping those beyond MaxSubIDs.
func (d *decoder) texts(f field, dst []string) []string {
	list, ok := d.of(f, kindArray, "a list of strings")
	if !ok {
		return dst
	}
	s := scanner{body: unsafe.Slice(unsafe.StringData(list), len(list))}
	for first := true; s.item(first); first = false {
		item, _ := s.value() // the list was read once, so it is whole
		switch {
		case item.kind != kindText:
			d.invalid(f, "must be a list of strings, and holds "+kindNames[item.kind])
		case len(item.text) > maxWord:
			d.invalid(f, "holds a string that is too long: at most "+strconv.Itoa(maxWord)+" bytes")
		case len(dst) < pingpost.MaxSubIDs:
			dst = append(dst, item.text)
		}
	}
	return dst
}

// equal compares a value with a constant: texts by their content, numbers by their size.
func (v value) equal(w value) bool {
	if v.kind == kindNumber && w.kind == kindNumber {
		a, errA := strconv.ParseFloat(v.text, 64)
		b, errB := strconv.ParseFloat(w.text, 64)
		return errA == nil && errB == nil && a == b
	}
	return v == w
}
