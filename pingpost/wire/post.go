package wire

import (
	"crypto/sha256"

	"leadbid/pingpost"
)

// DecodePost reads a post, setting everything but Exchange; BodyHash is that of body. dst is reset
// first and may alias body afterwards, its personal data excepted, which is copied. The error is
// a *Fault.
func (p *Profile) DecodePost(dst *pingpost.Post, body []byte) error {
	*dst = pingpost.Post{BodyHash: sha256.Sum256(body)}
	d := decoder{reader: reader{scanner: scanner{body: body}, collect: true}, profile: p, paths: &p.post.paths}
	if d.read(p.post.read) {
		d.need(p.post.need)
		d.fillPost(dst)
	}
	if d.fault != nil {
		return d.fault
	}
	return nil
}

func (d *decoder) fillPost(dst *pingpost.Post) {
	dst.PingID = d.id(fieldPingID)
	dst.BidID = d.id(fieldBidID)
	dst.Price = d.dollars(fieldPrice)
	dst.Service = pingpost.Service(d.word(fieldService))
	dst.Job = pingpost.Job(d.word(fieldJob))
	dst.ZIP = d.zip(fieldZIP)
	dst.Exclusive = d.flag(fieldExclusive)
	dst.Lead = pingpost.Lead{
		FirstName: d.private(fieldFirstName),
		LastName:  d.private(fieldLastName),
		Phone:     d.private(fieldPhone),
		Email:     d.private(fieldEmail),
		Address:   d.private(fieldAddress),
		City:      d.text(fieldCity, maxWord),
		State:     d.state(fieldState),
		ZIP:       dst.ZIP,
		Notes:     d.private(fieldNotes),
	}
	dst.Consent = d.consent()
	dst.Test = d.flag(fieldTest)
	dst.Attrs = d.attrs
}

// AppendPost appends the post as the exchange sends it to the buyer whose bid won. What it
// appends holds personal data in the clear: it is one of the few callers of Private.Reveal.
func (p *Profile) AppendPost(dst []byte, post *pingpost.Post) []byte {
	return p.append(dst, p.post.write, &outgoing{post: post})
}

func (p *Profile) appendPostField(dst []byte, f field, post *pingpost.Post) []byte {
	lead := &post.Lead
	switch f {
	case fieldPingID:
		return appendKnown(dst, post.PingID)
	case fieldBidID:
		return appendKnown(dst, post.BidID)
	case fieldPrice:
		return p.appendPrice(dst, post.Price)
	case fieldService:
		return p.appendWord(dst, f, uint16(post.Service))
	case fieldJob:
		return p.appendWord(dst, f, uint16(post.Job))
	case fieldExclusive:
		return appendBool(dst, post.Exclusive)
	case fieldFirstName:
		return appendKnown(dst, lead.FirstName.Reveal())
	case fieldLastName:
		return appendKnown(dst, lead.LastName.Reveal())
	case fieldPhone:
		return appendKnown(dst, lead.Phone.Reveal())
	case fieldEmail:
		return appendKnown(dst, lead.Email.Reveal())
	case fieldAddress:
		return appendKnown(dst, lead.Address.Reveal())
	case fieldCity:
		return appendKnown(dst, lead.City)
	case fieldState:
		return appendKnown(dst, string(lead.State))
	case fieldZIP:
		return appendZIP(dst, post.ZIP)
	case fieldNotes:
		return appendKnown(dst, lead.Notes.Reveal())
	case fieldTest:
		return appendTrue(dst, post.Test)
	case fieldAttrs:
		return appendAttrs(dst, post.Attrs, nil)
	}
	return p.appendConsentField(dst, f, &post.Consent)
}
