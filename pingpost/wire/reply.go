package wire

import (
	"errors"
	"math"
	"strconv"

	"leadbid/pingpost"
)

// DecodeAnswer reads a buyer's reply to a ping. Where it says neither bid nor no-bid in the way
// of the profile, the answer is of kind AnswerError with the cause in Detail, and the error says
// the same. Its strings alias body. A reason that is not ours is left out.
func (p *Profile) DecodeAnswer(body []byte, status int) (pingpost.Answer, error) {
	d := decoder{reader: reader{scanner: scanner{body: body}}, profile: p, paths: &p.answer.paths}
	o, err := d.reply(&p.answer.reply, status)
	if err != nil {
		return pingpost.Answer{Detail: err.Error(), Kind: pingpost.AnswerError}, err
	}
	answer := pingpost.Answer{
		Kind:   pingpost.AnswerKind(o.kind),
		PingID: d.id(fieldPingID),
	}
	if answer.Kind == pingpost.AnswerBid {
		d.need([][]field{{fieldBid}, {fieldBidID}})
		answer.Bid = d.dollars(fieldBid)
		answer.BidID = d.id(fieldBidID)
		answer.ExpiresInMS = d.whole(fieldExpiresInMS, 0, math.MaxInt32)
		if answer.Bid == 0 {
			d.invalid(fieldBid, "must be above 0")
		}
	} else {
		answer.Reason = pingpost.Reason(d.word(fieldReason))
	}
	if d.fault != nil {
		return pingpost.Answer{Kind: pingpost.AnswerError, Detail: d.fault.Error()}, d.fault
	}
	return answer, nil
}

// DecodeVerdict reads a buyer's reply to a post. Where it is none of the profile's outcomes, the
// verdict is of kind VerdictError with the cause in Detail, and the error says the same: the
// buyer may have bought or not. Its strings alias body. A rejection whose word is not one of our
// reasons is RejectedByRule with that word as Detail.
func (p *Profile) DecodeVerdict(body []byte, status int) (pingpost.Verdict, error) {
	d := decoder{reader: reader{scanner: scanner{body: body}}, profile: p, paths: &p.verdict.paths}
	o, err := d.reply(&p.verdict.reply, status)
	if err != nil {
		return pingpost.Verdict{Kind: pingpost.VerdictError, Detail: err.Error()}, err
	}
	verdict := pingpost.Verdict{
		Kind:   pingpost.VerdictKind(o.kind),
		PingID: d.id(fieldPingID),
	}
	switch verdict.Kind {
	case pingpost.VerdictAccepted:
		verdict.LeadID = d.id(fieldLeadID)
	case pingpost.VerdictRejected:
		verdict.Reason = pingpost.Reason(d.word(fieldReason))
		verdict.Detail = d.text(fieldDetail, maxWord)
		if word := d.text(fieldReason, maxWord); word != "" && verdict.Reason == pingpost.ReasonNone {
			verdict.Reason, verdict.Detail = pingpost.RejectedByRule, word
		}
	}
	if d.fault != nil {
		return pingpost.Verdict{Kind: pingpost.VerdictError, Detail: d.fault.Error()}, d.fault
	}
	return verdict, nil
}

var errReply = errors.New("wire: the reply says none of the things that this exchange's profile knows")

// reply reads a reply and finds its outcome. A status that stands for one outcome alone needs no
// readable body: the page of a proxy in front of a busy buyer says as much.
func (d *decoder) reply(r *reply, status int) (*outcome, error) {
	o := r.recognise(status, &values{})
	if o != nil && !o.fields {
		return o, nil
	}
	if !r.knows(status) {
		return nil, errors.New("wire: HTTP status " + strconv.Itoa(status))
	}
	if !d.read(r.read) {
		return nil, d.fault
	}
	if o = r.recognise(status, &d.values); o == nil {
		return nil, errReply
	}
	return o, nil
}

// AppendAnswer appends a bid or a no-bid, the latter with its reason where there is one. It
// appends nothing for an AnswerError, which is not on the wire.
func (p *Profile) AppendAnswer(dst []byte, a *pingpost.Answer) []byte {
	o := p.answer.of(uint8(a.Kind))
	if o == nil {
		return dst
	}
	return p.append(dst, o.write, &outgoing{answer: a})
}

// AnswerStatus is the HTTP status that an answer goes with.
func (p *Profile) AnswerStatus(kind pingpost.AnswerKind) int { return p.answer.statusOf(uint8(kind)) }

func (p *Profile) appendAnswerField(dst []byte, f field, a *pingpost.Answer) []byte {
	switch f {
	case fieldPingID:
		return appendKnown(dst, a.PingID)
	case fieldBid:
		return p.appendPrice(dst, a.Bid)
	case fieldBidID:
		return appendKnown(dst, a.BidID)
	case fieldExpiresInMS:
		return strconv.AppendInt(dst, a.ExpiresInMS, 10)
	case fieldReason:
		return p.appendWord(dst, f, uint16(a.Reason))
	}
	return dst
}

// AppendVerdict appends a verdict's body; VerdictStatus gives the HTTP status that it goes with.
// It appends nothing for VerdictUnknown and VerdictError, which are not on the wire.
func (p *Profile) AppendVerdict(dst []byte, v *pingpost.Verdict) []byte {
	o := p.verdict.of(uint8(v.Kind))
	if o == nil {
		return dst
	}
	return p.append(dst, o.write, &outgoing{verdict: v})
}

// VerdictStatus is the HTTP status that a verdict goes with.
func (p *Profile) VerdictStatus(kind pingpost.VerdictKind) int {
	return p.verdict.statusOf(uint8(kind))
}

func (p *Profile) appendVerdictField(dst []byte, f field, v *pingpost.Verdict) []byte {
	switch f {
	case fieldPingID:
		return appendKnown(dst, v.PingID)
	case fieldLeadID:
		return appendKnown(dst, v.LeadID)
	case fieldReason:
		return p.appendWord(dst, f, uint16(v.Reason))
	case fieldDetail:
		return appendKnown(dst, v.Detail)
	}
	return dst
}
