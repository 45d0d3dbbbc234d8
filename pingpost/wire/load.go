package wire

import (
	"slices"
	"strings"
	"time"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// loader turns the YAML of a profile into a Profile. Faults go to the file's collector; what it
// returns is to be used only where there are none.
type loader struct{ *Profile }

func parse(name string, content []byte, faults *yamlfile.Faults) *Profile {
	file := yamlfile.Parse(name, content, nil, faults)
	if file == nil {
		return nil
	}
	l := loader{&Profile{}}
	root, ok := file.Root().Map([]string{"version", "encoding", "prices", "defaults", "words",
		"ping", "answer", "post", "verdict", "notice", "acknowledgement"})
	if !ok {
		return nil
	}
	root.Need("version", "1").Int(1, 1)
	root.Need("encoding", "json").Word([]string{"json"}, "form", "query", "xml")
	prices, _ := root.Get("prices").Word([]string{"number", "string"})
	l.pricesAsText = prices == "string"
	l.readDefaults(root.Need("defaults", "what holds where the configuration says nothing"))
	l.readWords(root.Get("words"))
	l.readMessage(&l.ping, root.Need("ping", "the body of a ping"), pingFields)
	l.readReply(&l.answer, root.Need("answer", "bid and no_bid"), answerFields, []named{
		{"bid", uint8(pingpost.AnswerBid), []field{fieldBid, fieldBidID}},
		{"no_bid", uint8(pingpost.AnswerNoBid), nil},
	})
	l.readMessage(&l.post, root.Need("post", "the body of a post"), postFields)
	l.readReply(&l.verdict, root.Need("verdict", "accepted, rejected, conflict and busy"), verdictFields, []named{
		{"accepted", uint8(pingpost.VerdictAccepted), nil},
		{"rejected", uint8(pingpost.VerdictRejected), nil},
		{"conflict", uint8(pingpost.VerdictConflict), nil},
		{"busy", uint8(pingpost.VerdictBusy), nil},
	})
	l.readMessage(&l.notice, root.Need("notice", "the body of a notice"), noticeFields)
	l.readAcknowledgement(root.Need("acknowledgement", "what a buyer answers to a notice that it has noted"))
	for f := range l.words {
		l.words[f].settle()
	}
	return l.Profile
}

func (l loader) readDefaults(node yamlfile.Node) {
	keys, ok := node.Map([]string{"commitment", "bid_ttl", "grace", "auction", "tells", "deadline"})
	if !ok || !node.Exists() {
		return
	}
	d := &l.defaults
	d.Commitment, _ = keys.Need("commitment", "binding or refusable").Word([]string{"binding", "refusable"})
	d.BidTTL, _ = keys.Need("bid_ttl", "a length of time, such as 60s").Duration(time.Second, time.Hour)
	d.Grace, _ = keys.Need("grace", "a length of time, such as 5s").Duration(0, time.Hour)
	auction, _ := keys.Need("auction", "first, second, fixed or unknown").Word(pingpost.AuctionWords())
	d.Auction, _ = pingpost.ParseAuction(auction)
	d.Tells, _ = keys.Need("tells", "none, result or price").Word([]string{"none", "result", "price"})
	d.Deadline, _ = keys.Need("deadline", "a length of time, such as 400ms").
		Duration(10*time.Millisecond, maxTmaxMS*time.Millisecond)
}

// readWords reads an exchange's own words: by list, our word and what the exchange writes for it.
// Words that it does not name are spelled as ours.
func (l loader) readWords(node yamlfile.Node) {
	own := ownVocabularies()
	var names []string
	for f := range numFields {
		if v, ok := own[f]; ok {
			names = append(names, fieldNames[f])
			l.words[f] = v
		}
	}
	lists, ok := node.Map(names)
	if !ok {
		return
	}
	for f, v := range own {
		if list := lists.Get(fieldNames[f]); list.Exists() {
			l.spelled[f] = true
			l.words[f] = spell(list, v)
		}
	}
}

func spell(list yamlfile.Node, own vocabulary) vocabulary {
	var ours []string
	for word := range own.read {
		ours = append(ours, word)
	}
	slices.Sort(ours)
	v := vocabulary{read: map[string]uint16{}, write: map[uint16]string{}}
	entries, _ := list.Entries("our word and the exchange's, such as " + ours[0] + ": " + strings.ToUpper(ours[0]))
	for _, entry := range entries {
		word, ok := entry.Key().Word(ours)
		if !ok {
			continue
		}
		value := own.read[word]
		for i, item := range entry.OneOrList() {
			theirs, ok := item.Text("the exchange's word")
			if !ok {
				continue
			}
			if i == 0 {
				v.write[value] = theirs
			}
			if _, taken := v.read[theirs]; !taken {
				v.read[theirs] = value
			}
		}
	}
	for _, word := range ours {
		value := own.read[word]
		if _, named := v.write[value]; named {
			continue
		}
		v.write[value] = word
		if _, taken := v.read[word]; !taken {
			v.read[word] = value
		}
	}
	return v
}

// readMessage reads a request: its body, further places to read from, and what must be there.
func (l loader) readMessage(m *message, node yamlfile.Node, allowed []field) {
	m.write, m.read = &body{}, &body{}
	keys, ok := node.Map([]string{"need", "body", "also"})
	if !ok || !node.Exists() {
		return
	}
	shape := shapeReader{allowed: allowed}
	shape.fill(keys.Need("body", "the body as it looks on the wire"), m.write, nil)
	shape.fill(keys.Get("body"), m.read, nil)
	shape.also = true
	shape.fill(keys.Get("also"), m.read, nil)
	m.read.paths(&m.paths)
	items, _ := keys.Need("need", "a list of the fields that must be there, such as [$ping_id]").
		List("a list of fields, such as [$ping_id]")
	for _, item := range items {
		var group []field
		for _, one := range item.OneOrList() {
			f, ok := shape.field(one)
			if ok && m.paths[f] == "" {
				one.Fault("the body has no place for "+one.Raw(), "a field that the body holds", "")
			}
			group = append(group, f)
		}
		m.need = append(m.need, group)
	}
}

// named is an outcome of a reply by its key in the profile, and the fields it is nothing without.
type named struct {
	key  string
	kind uint8
	need []field
}

// readReply reads the outcomes of a reply. It gives the map that they stand in, for what else may stand there.
func (l loader) readReply(m *replyMessage, node yamlfile.Node, allowed []field, outcomes []named, also ...string) yamlfile.Map {
	m.read = &body{}
	var keys []string
	for _, o := range outcomes {
		keys = append(keys, o.key)
	}
	each, ok := node.Map(slices.Concat(keys, also))
	if !ok || !node.Exists() {
		return each
	}
	shape := shapeReader{allowed: allowed}
	for _, o := range outcomes {
		outcomeNode := each.Need(o.key, "its status and body")
		parts, ok := outcomeNode.Map([]string{"status", "body"})
		if !ok || !outcomeNode.Exists() {
			continue
		}
		read := outcome{kind: o.kind, status: 200, write: &body{}}
		if status, ok := parts.Get("status").Int(100, 599); ok {
			read.status = int(status)
		}
		bodyNode := parts.Need("body", "the body as it looks on the wire")
		shape.fill(bodyNode, read.write, nil)
		shape.fill(bodyNode, m.read, &read)
		var paths [numFields]string
		read.write.paths(&paths)
		for f, path := range paths {
			read.fields = read.fields || path != "" && field(f) != noField
		}
		for _, f := range o.need {
			if paths[f] == "" {
				bodyNode.Fault("a "+o.key+" has no place for $"+fieldNames[f], "", "")
			}
		}
		m.outcomes = append(m.outcomes, read)
	}
	m.read.paths(&m.paths)
	m.tellApart(node, keys)
	return each
}

// readAcknowledgement wants a constant and an id in it: a withdrawal counts as done by it, and any page
// that somebody's proxy answers must not be taken for one.
func (l loader) readAcknowledgement(node yamlfile.Node) {
	each := l.readReply(&l.acknowledgement, node, ackFields, []named{{"noted", 0, nil}}, "unknown")
	l.readUnknownBid(each.Get("unknown"))
	for i := range l.acknowledgement.outcomes {
		noted := &l.acknowledgement.outcomes[i]
		noted.only = false // its status alone says nothing
		paths := &l.acknowledgement.paths
		if len(noted.constants) == 0 || paths[fieldPingID] == "" && paths[fieldBidID] == "" {
			node.Fault("this could be an answer to anything",
				"a constant and the notice's $ping_id or $bid_id in the body, such as {ping_id: $ping_id, status: ok}", "")
		}
	}
}

// readUnknownBid reads how a buyer says of a notice that it knows no such bid: by a status alone, as whoever
// answers in its place would.
func (l loader) readUnknownBid(node yamlfile.Node) {
	parts, ok := node.Map([]string{"status"})
	if !ok || !node.Exists() {
		return
	}
	status, _ := parts.Need("status", "status: 404").Int(100, 599)
	if l.unknownBid = int(status); l.acknowledgement.knows(l.unknownBid) {
		node.Fault("noted and unknown cannot be told apart", "another status", "")
	}
}

// tellApart makes sure that a reply can only be read as one outcome.
func (m *replyMessage) tellApart(node yamlfile.Node, keys []string) {
	for i := range m.outcomes {
		one := &m.outcomes[i]
		one.only = true
		for j := range m.outcomes {
			other := &m.outcomes[j]
			if i == j || one.status != other.status {
				continue
			}
			one.only = false
			if i < j && !one.differs(other) {
				node.Fault(keys[i]+" and "+keys[j]+" cannot be told apart",
					"another status, or another constant in the same place of their bodies", "")
			}
		}
	}
}

func (o *outcome) differs(other *outcome) bool {
	return slices.ContainsFunc(o.constants, func(c constant) bool {
		return slices.ContainsFunc(other.constants, func(d constant) bool {
			return c.slot == d.slot && !c.want.equal(d.want)
		})
	})
}

// shapeReader reads bodies of one message.
type shapeReader struct {
	allowed []field
	slots   uint8
	also    bool // what is filled in is only read
}

// fill reads a body, adding to what is there. Constants are noted with the outcome that has them,
// where there is one.
func (r *shapeReader) fill(node yamlfile.Node, into *body, of *outcome) {
	if !node.Exists() {
		return
	}
	entries, _ := node.Entries("the body as it looks on the wire, such as {zip: $zip}")
	for _, entry := range entries {
		name := entry.Key().Raw()
		m := into.place(name, r.also)
		switch {
		case entry.IsMap():
			if m.child == nil {
				m.child = &body{path: into.at(name)}
			}
			r.fill(entry, m.child, of)
		case !entry.IsScalar():
			entry.Fault("a list cannot stand in a body", "a $field, a constant or a map", "")
		case strings.HasPrefix(entry.Raw(), "$"):
			if f, ok := r.field(entry); ok {
				m.field = f
			}
		default:
			r.constant(entry, m, of)
		}
		if m.child != nil && (m.field != noField || m.value != "") {
			entry.Fault("an object stands here, and something else in the same place", "", "")
		}
	}
}

func (r *shapeReader) constant(node yamlfile.Node, m *member, of *outcome) {
	want := value{kind: kindText}
	want.text, _ = node.Text("a constant")
	s := scanner{body: []byte(want.text)}
	if v, ok := s.value(); ok && s.pos == len(s.body) && v.kind < kindText {
		want = v
	}
	m.value = want.text
	if want.kind == kindText {
		m.value = string(appendText(nil, want.text))
	}
	if of == nil {
		return
	}
	if m.slot == 0 {
		if r.slots == maxConstants {
			node.Fault("a reply has too many constants", "fewer places with constants", "")
			return
		}
		m.slot = uint8(numFields) + r.slots
		r.slots++
	}
	of.constants = append(of.constants, constant{slot: m.slot, want: want})
}

// field reads "$name".
func (r *shapeReader) field(node yamlfile.Node) (field, bool) {
	for _, f := range r.allowed {
		if node.Raw() == "$"+fieldNames[f] {
			return f, true
		}
	}
	var names []string
	for _, f := range r.allowed {
		names = append(names, "$"+fieldNames[f])
	}
	typed, _ := yamlfile.Nearest(node.Raw(), names)
	node.Fault("this message has no field "+yamlfile.Quote(node.Raw()), yamlfile.OneOf(names), typed)
	return noField, false
}
