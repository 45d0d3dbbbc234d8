package pingpost

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Ping is a partial lead, offered for a bid: what the homeowner needs and where, without who
// they are. Strings may alias the body that they were decoded from: who keeps a Ping beyond the
// request copies it with Clone.
type Ping struct {
	Exchange string // the exchange's name in the bidder's configuration
	ID       string // the exchange's id of this ping; unique per exchange
	TmaxMS   int    // milliseconds until the exchange closes its auction; 0 where not told

	Auction   Auction // how the exchange prices, where the ping tells; else AuctionNone
	Service   Service
	Task      string // a free word below the service; may be ""
	Job       Job
	ZIP       ZIP
	State     State
	City      string
	Urgency   Urgency
	Property  Property
	Homeowner Tri
	LeadScore Score
	Source    string   // the seller's or publisher's name; "" where not told
	SubIDs    []string // up to MaxSubIDs finer sources
	Consent   Consent

	Exclusive bool  // sold to one buyer only
	MaxSold   int   // buyers that may get it in all; 0 where not told
	SoldSoFar int   // buyers that have it already
	Floor     Cents // bids below are pointless; 0 where there is none
	Test      bool  // answered, and never touches money

	Attrs []Attr // fields that no profile maps, in the order of the body

	// Digest is the hash of everything above except TmaxMS, as Ping.ComputeDigest gave it when
	// the ping came in. It is kept because a recording drops attributes that no rule reads, and
	// still has to tell a repeated ping from a changed one.
	Digest uint64
}

// MaxSubIDs is how many sub-sources a ping may carry; more are dropped.
const MaxSubIDs = 5

// Score is a lead score from 0 to 100 that may be missing.
type Score struct {
	Value float64
	Known bool
}

// Consent is what the ping or post tells of the homeowner's consent to be called. Nothing here
// is verified with the issuer: a format that is right is not a consent that is genuine.
type Consent struct {
	Agreed              Tri    `json:"agreed,omitempty"`               // the plain flag
	TrustedFormURL      string `json:"trustedform_url,omitempty"`      // a certificate's address
	TrustedFormPromised bool   `json:"trustedform_promised,omitempty"` // the certificate will come with the post
	LeadID              string `json:"leadid,omitempty"`               // a LeadiD token
	LeadIDPromised      bool   `json:"leadid_promised,omitempty"`      // the token will come with the post
	GivenAt             int64  `json:"given_at_ms,omitempty"`          // when, in milliseconds since 1970; 0 where it is not said
}

// Attr is a field that is not part of the canonical vocabulary, by its name in the ping. Value
// is the text of a string, or the JSON of anything else.
type Attr struct {
	Name, Value string
	Kind        AttrKind
}

// AttrKind tells how an attribute was written, so that a rule may compare it as that.
type AttrKind uint8

// The kinds of attribute.
const (
	AttrText AttrKind = iota
	AttrNumber
	AttrBool
	AttrJSON // an object, an array or null: kept, and not readable by rules
)

// Attr finds an attribute by name; ok is false where the ping has none of that name.
func (p *Ping) Attr(name string) (attr Attr, ok bool) {
	for _, attr := range p.Attrs {
		if attr.Name == name {
			return attr, true
		}
	}
	return Attr{}, false
}

// ComputeDigest hashes all canonical fields and attributes except TmaxMS and Digest: a repeated
// ping that only has less time left is still the same ping. It does not allocate for pings of
// usual size.
func (p *Ping) ComputeDigest() uint64 {
	var space [768]byte
	b := append(space[:0], byte(p.Auction), byte(p.Service), byte(p.Job), byte(p.Urgency), byte(p.Property),
		byte(p.Homeowner), byte(p.Consent.Agreed), bit(p.Consent.TrustedFormPromised),
		bit(p.Consent.LeadIDPromised), bit(p.Exclusive), bit(p.Test), bit(p.LeadScore.Known))
	order := binary.LittleEndian
	b = order.AppendUint64(b, uint64(p.ZIP))
	b = order.AppendUint64(b, uint64(p.MaxSold))
	b = order.AppendUint64(b, uint64(p.SoldSoFar))
	b = order.AppendUint64(b, uint64(p.Floor))
	b = order.AppendUint64(b, uint64(p.Consent.GivenAt))
	b = order.AppendUint64(b, math.Float64bits(p.LeadScore.Value))
	for _, text := range [...]string{p.Exchange, p.ID, p.Task, string(p.State), p.City, p.Source,
		p.Consent.TrustedFormURL, p.Consent.LeadID} {
		b = appendSized(b, text)
	}
	b = order.AppendUint32(b, uint32(len(p.SubIDs)))
	for _, sub := range p.SubIDs {
		b = appendSized(b, sub)
	}
	for i := range p.Attrs {
		attr := &p.Attrs[i]
		b = appendSized(append(b, byte(attr.Kind)), attr.Name)
		b = appendSized(b, attr.Value)
	}
	return xxhash.Sum64(b)
}

// appendSized appends a text with its length in front, so that no two rows of texts look alike.
func appendSized(b []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...)
}

// Clone copies the ping with all its strings, so that it outlives the body it was decoded from.
func (p *Ping) Clone() *Ping {
	c := *p
	for _, text := range []*string{&c.Exchange, &c.ID, &c.Task, &c.City, &c.Source,
		&c.Consent.TrustedFormURL, &c.Consent.LeadID} {
		*text = strings.Clone(*text)
	}
	c.SubIDs = nil
	for _, sub := range p.SubIDs {
		c.SubIDs = append(c.SubIDs, strings.Clone(sub))
	}
	c.Attrs = nil
	for _, attr := range p.Attrs {
		c.Attrs = append(c.Attrs, Attr{Name: strings.Clone(attr.Name), Value: strings.Clone(attr.Value), Kind: attr.Kind})
	}
	return &c
}

func bit(truth bool) byte {
	if truth {
		return 1
	}
	return 0
}
