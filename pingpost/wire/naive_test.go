package wire_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"leadbid/pingpost"
)

// naivePing reads a native ping with encoding/json and no regard for speed. It is the oracle of
// the decoder: same ping, or a fault with the same reason.
func naivePing(body []byte) (*pingpost.Ping, pingpost.Reason) {
	if !json.Valid(body) || !utf8.Valid(body) || bytes.TrimSpace(body)[0] != '{' {
		return nil, pingpost.Malformed
	}
	n := naive{values: map[string]json.RawMessage{}}
	n.object("", body)
	if n.deep {
		return nil, pingpost.Malformed
	}
	ping := n.ping()
	if n.wrong {
		return nil, pingpost.InvalidField
	}
	return ping, pingpost.ReasonNone
}

func naiveDepth(body []byte) (deepest int) {
	decoder, depth := json.NewDecoder(bytes.NewReader(body)), 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		if delim, ok := token.(json.Delim); ok {
			if strings.Contains("{[", delim.String()) {
				depth++
				deepest = max(deepest, depth)
			} else {
				depth--
			}
		}
	}
}

type naive struct {
	values map[string]json.RawMessage
	attrs  []pingpost.Attr
	wrong  bool
	deep   bool
}

var naiveFields = strings.Fields("ping_id tmax_ms auction service task job zip state city urgency property_type " +
	"homeowner lead_score source sub_ids exclusive max_sold sold_so_far floor test consent.agreed " +
	"consent.trustedform_url consent.trustedform_promised consent.leadid consent.leadid_promised consent.given_at")

func (n *naive) object(path string, raw []byte) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.Token() // {
	for decoder.More() {
		token, _ := decoder.Token()
		name := token.(string)
		if path == "consent" {
			name = "consent." + name
		}
		var value json.RawMessage
		decoder.Decode(&value)
		n.member(path, name, value)
	}
}

func (n *naive) member(path, name string, value json.RawMessage) {
	if path == "" && (name == "consent" || name == "attrs") {
		if value[0] == '{' {
			n.object(name, value)
		} else if string(value) != "null" {
			n.wrong = true
		}
		n.deep = n.deep || value[0] == '[' && naiveDepth(value) > 32
		return
	}
	n.deep = n.deep || naiveDepth(value) > 32
	if path != "attrs" {
		for _, field := range naiveFields {
			// "consent.agreed" as a name at the top is not the member of consent.
			if field == name && (path == "consent") == strings.HasPrefix(field, "consent.") {
				n.values[name] = value
				return
			}
		}
	}
	n.attr(pingpost.Attr{Name: name, Value: string(value), Kind: pingpost.AttrJSON})
}

func (n *naive) attr(attr pingpost.Attr) {
	switch c := attr.Value[0]; {
	case attr.Kind == pingpost.AttrText:
	case c == '"':
		json.Unmarshal([]byte(attr.Value), &attr.Value)
		attr.Kind = pingpost.AttrText
	case c == 't' || c == 'f':
		attr.Kind = pingpost.AttrBool
	case c == '-' || c >= '0' && c <= '9':
		attr.Kind = pingpost.AttrNumber
	}
	for i := range n.attrs {
		if n.attrs[i].Name == attr.Name {
			n.attrs[i] = attr
			return
		}
	}
	if len(n.attrs) < 64 {
		n.attrs = append(n.attrs, attr)
	}
}

// known gives a value that says something.
func (n *naive) known(name string) (json.RawMessage, bool) {
	value, ok := n.values[name]
	return value, ok && string(value) != "null" && string(value) != `""`
}

// as reads a value as a Go type; none is wrong.
func as[T any](n *naive, name string) (result T, ok bool) {
	value, ok := n.known(name)
	if !ok {
		return result, false
	}
	if json.Unmarshal(value, &result) != nil {
		n.wrong = true
	}
	return result, !n.wrong
}

func (n *naive) text(name string, longest int) string {
	text, _ := as[string](n, name)
	n.wrong = n.wrong || len(text) > longest
	return text
}

func (n *naive) instant(name string) int64 {
	at, ok := as[string](n, name)
	if !ok || n.wrong {
		return 0
	}
	parsed, err := time.Parse(time.RFC3339, at)
	if err != nil || parsed.Year() < 2000 || parsed.Year() > 2200 {
		n.wrong = true
		return 0
	}
	return parsed.UnixMilli()
}

func (n *naive) tri(name string) pingpost.Tri {
	if truth, ok := as[bool](n, name); ok {
		return pingpost.TriOf(truth)
	}
	return pingpost.Unknown
}

func (n *naive) whole(name string, low, high int64) int {
	number, ok := as[int64](n, name)
	n.wrong = n.wrong || ok && (number < low || number > high)
	return int(number)
}

func (n *naive) dollars(name string) pingpost.Cents {
	number, ok := as[json.Number](n, name)
	if !ok {
		return 0
	}
	if value, _ := n.known(name); value[0] == '"' || strings.ContainsAny(number.String(), "eE") {
		n.wrong = true
		return 0
	}
	amount, _ := new(big.Rat).SetString(number.String())
	amount.Mul(amount, big.NewRat(100, 1))
	if !amount.IsInt() || amount.Sign() < 0 || amount.Cmp(big.NewRat(int64(pingpost.MaxCents), 1)) > 0 {
		n.wrong = true
		return 0
	}
	return pingpost.Cents(amount.Num().Int64())
}

func naiveWord[W ~uint8](n *naive, name string, words []string, otherwise W) W {
	word, ok := as[string](n, name)
	if !ok || word == "" {
		return 0
	}
	for i, known := range words {
		if known == word {
			return W(i + 1)
		}
	}
	n.wrong = n.wrong || len(word) > 256
	n.attr(pingpost.Attr{Name: "raw." + name, Value: word, Kind: pingpost.AttrText})
	return otherwise
}

func (n *naive) ping() *pingpost.Ping {
	p := &pingpost.Ping{
		ID:        n.text("ping_id", 128),
		TmaxMS:    n.whole("tmax_ms", 1, 60_000),
		Auction:   naiveWord(n, "auction", pingpost.AuctionWords(), pingpost.AuctionUnknown),
		Service:   naiveWord(n, "service", pingpost.ServiceWords(), pingpost.ServiceOther),
		Task:      n.text("task", 256),
		Job:       naiveWord(n, "job", pingpost.JobWords(), pingpost.JobUnknown),
		City:      n.text("city", 256),
		Urgency:   naiveWord(n, "urgency", pingpost.UrgencyWords(), pingpost.UrgencyUnknown),
		Property:  naiveWord(n, "property_type", pingpost.PropertyWords(), pingpost.PropertyUnknown),
		Homeowner: n.tri("homeowner"),
		Source:    n.text("source", 256),
		Consent: pingpost.Consent{
			Agreed:              n.tri("consent.agreed"),
			TrustedFormURL:      n.text("consent.trustedform_url", 2048),
			TrustedFormPromised: n.tri("consent.trustedform_promised") == pingpost.Yes,
			LeadID:              n.text("consent.leadid", 256),
			LeadIDPromised:      n.tri("consent.leadid_promised") == pingpost.Yes,
			GivenAt:             n.instant("consent.given_at"),
		},
		Exclusive: n.tri("exclusive") == pingpost.Yes,
		MaxSold:   n.whole("max_sold", 0, 1000),
		SoldSoFar: n.whole("sold_so_far", 0, 1000),
		Floor:     n.dollars("floor"),
		Test:      n.tri("test") == pingpost.Yes,
	}
	n.wrong = n.wrong || p.ID == "" || strings.ContainsFunc(p.ID, func(r rune) bool { return r <= ' ' || r > '~' })
	n.places(p)
	p.Attrs = n.attrs
	return p
}

func (n *naive) places(p *pingpost.Ping) {
	var err error
	if zip, ok := as[string](n, "zip"); ok {
		p.ZIP, err = pingpost.ParseZIP(zip)
		n.wrong = n.wrong || err != nil || len(zip) != 5
	}
	if state, ok := as[string](n, "state"); ok {
		p.State, err = pingpost.ParseState(state)
		n.wrong = n.wrong || err != nil
	}
	if score, ok := as[float64](n, "lead_score"); ok {
		p.LeadScore = pingpost.Score{Value: score, Known: true}
		n.wrong = n.wrong || score < 0 || score > 100
	}
	subs, _ := as[[]*string](n, "sub_ids")
	for i, sub := range subs {
		n.wrong = n.wrong || sub == nil || len(*sub) > 256
		if i < pingpost.MaxSubIDs && sub != nil {
			p.SubIDs = append(p.SubIDs, *sub)
		}
	}
}
