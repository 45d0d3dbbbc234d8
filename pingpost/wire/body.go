package wire

import "slices"

// body is an object of a message as a profile shows it: what stands under which name. The same
// type serves reading, where names are looked up, and writing, where their order counts.
type body struct {
	path     string // "" for the message itself, else "consent"
	members  []*member
	byLength [][]*member // members by the length of their name, for find
}

// member is what stands under one name: a field, a constant, or an object of its own. Where
// several outcomes share a place, it can be a field in one and a constant in another.
type member struct {
	name  string
	index int    // among the body's members
	also  bool   // it is read, and not written there
	key   string // the name as written, with its quotes and colon, behind a comma
	field field
	slot  uint8 // from numFields up: where a constant's value is read into; 0 where there is none
	value string
	child *body

	head, headMask uint64 // what the first bytes of key behind the comma are, and where it has some
}

// headBytes is how much of a key is looked at first.
const headBytes = 8

// settle makes what the key is compared by.
func (m *member) settle() {
	for i, c := range []byte(m.key[1:min(len(m.key), 1+headBytes)]) {
		m.head |= uint64(c) << (8 * i)
		m.headMask |= 0xff << (8 * i)
	}
}

// find looks a name up. A message has few names of one length, so this beats hashing.
func (b *body) find(name string) *member {
	if len(name) < len(b.byLength) {
		for _, m := range b.byLength[len(name)] {
			if m.name == name {
				return m
			}
		}
	}
	return nil
}

// place gives the member of a name, making it where there is none.
func (b *body) place(name string, also bool) *member {
	if m := b.find(name); m != nil {
		return m
	}
	key := string(append(appendText([]byte{','}, name), ':'))
	m := &member{name: name, index: len(b.members), key: key, also: also}
	m.settle()
	b.members = append(b.members, m)
	for len(b.byLength) <= len(name) {
		b.byLength = append(b.byLength, nil)
	}
	b.byLength[len(name)] = append(b.byLength[len(name)], m)
	return m
}

// at is the path of a name in this object.
func (b *body) at(name string) string {
	if b.path == "" {
		return name
	}
	return b.path + "." + name
}

// paths notes where each field stands, its first place counting.
func (b *body) paths(found *[numFields]string) {
	for _, m := range b.members {
		if m.field != noField && found[m.field] == "" {
			found[m.field] = b.at(m.name)
		}
		if m.child != nil {
			m.child.paths(found)
		}
	}
}

// outcome is one of the things that an answer or a verdict can say.
type outcome struct {
	kind      uint8 // pingpost.AnswerKind or pingpost.VerdictKind
	status    int   // of HTTP
	only      bool  // no other outcome of the message has this status
	write     *body
	constants []constant
	fields    bool // the body holds fields
}

// constant is a value that an outcome is known by.
type constant struct {
	slot uint8
	want value
}

// reply is a message with several outcomes.
type reply struct {
	read     *body // what any of the outcomes holds
	outcomes []outcome
}

// of gives the outcome of a kind; nil where the exchange has no way to say that.
func (r *reply) of(kind uint8) *outcome {
	for i := range r.outcomes {
		if r.outcomes[i].kind == kind {
			return &r.outcomes[i]
		}
	}
	return nil
}

// statusOf gives the HTTP status of a kind, 200 for one that the exchange has no way to say.
func (r *reply) statusOf(kind uint8) int {
	if o := r.of(kind); o != nil {
		return o.status
	}
	return 200
}

// knows reports whether any outcome comes with a status.
func (r *reply) knows(status int) bool {
	return slices.ContainsFunc(r.outcomes, func(o outcome) bool { return o.status == status })
}

// recognise finds the outcome that a status and a read body stand for, in the profile's order: of
// its constants at least one is there and none is different. nil where none fits.
func (r *reply) recognise(status int, values *values) *outcome {
	for i := range r.outcomes {
		o := &r.outcomes[i]
		if o.status == status && (o.only || o.fits(values)) {
			return o
		}
	}
	return nil
}

func (o *outcome) fits(values *values) bool {
	found := false
	for _, c := range o.constants {
		switch got := values[c.slot]; {
		case !got.known():
		case got.equal(c.want):
			found = true
		default:
			return false
		}
	}
	return found
}
