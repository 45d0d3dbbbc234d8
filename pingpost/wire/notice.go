package wire

import (
	"errors"

	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
)

// DecodeNotice reads a notice, setting everything but Exchange. dst is reset first; its strings
// alias body. A reason that is not ours is left out. The error is a *Fault.
func (p *Profile) DecodeNotice(dst *pingpost.Notice, body []byte) error {
	*dst = pingpost.Notice{}
	d := decoder{reader: reader{scanner: scanner{body: body}}, profile: p, paths: &p.notice.paths}
	if d.read(p.notice.read) {
		d.need(p.notice.need)
		*dst = pingpost.Notice{
			PingID:        d.id(fieldPingID),
			BidID:         d.id(fieldBidID),
			Outcome:       d.outcome(),
			ClearingPrice: d.dollars(fieldClearingPrice),
			MinBidToWin:   d.dollars(fieldMinBidToWin),
			Reason:        pingpost.Reason(d.word(fieldReason)),
		}
	}
	if d.fault != nil {
		return d.fault
	}
	return nil
}

// outcome reads what became of a bid. It moves money, so a word outside the list is a fault.
func (d *decoder) outcome() pingpost.Outcome {
	outcome := pingpost.Outcome(d.word(fieldOutcome))
	if outcome == pingpost.OutcomeNone && d.values[fieldOutcome].known() {
		var words []string
		for o := pingpost.OutcomeWon; o <= pingpost.OutcomeVoided; o++ {
			words = append(words, d.profile.words[fieldOutcome].write[uint16(o)])
		}
		d.invalid(fieldOutcome, "must be "+yamlfile.OneOf(words))
	}
	return outcome
}

// AppendNotice appends the notice as the exchange sends it; prices of 0 are left out.
func (p *Profile) AppendNotice(dst []byte, n *pingpost.Notice) []byte {
	return p.append(dst, p.notice.write, &outgoing{notice: n})
}

// errAcknowledgement never quotes the answer: it may be anybody's page.
var errAcknowledgement = errors.New("wire: the answer does not acknowledge this notice")

// ErrUnknownBid is what Acknowledged says of an answer by which the buyer knows no such bid. Not only the
// buyer may say so: a proxy that does not find it answers alike.
var ErrUnknownBid = errors.New("wire: the buyer knows no such bid")

// Acknowledged reads the answer to a notice. It is nil only where the buyer says, in the way of the
// profile, that it has noted this one: its id and outcome stand in the answer wherever the profile has
// a place for them. Any other answer leaves open what the buyer did, and the notice may be sent again.
func (p *Profile) Acknowledged(n *pingpost.Notice, body []byte, status int) error {
	if status == p.unknownBid {
		return ErrUnknownBid
	}
	d := decoder{reader: reader{scanner: scanner{body: body}}, profile: p, paths: &p.acknowledgement.paths}
	if _, err := d.reply(&p.acknowledgement.reply, status); err != nil {
		return err
	}
	for _, f := range ackFields {
		if p.acknowledgement.paths[f] == "" {
			continue
		}
		same := false
		switch f {
		case fieldPingID:
			same = d.id(f) == n.PingID
		case fieldBidID:
			same = d.id(f) == n.BidID
		case fieldOutcome:
			same = pingpost.Outcome(d.word(f)) == n.Outcome
		}
		if !same || d.fault != nil {
			return errAcknowledgement
		}
	}
	return nil
}

// AppendAcknowledgement appends the answer to a notice that was noted; AcknowledgementStatus gives the HTTP
// status that it goes with.
func (p *Profile) AppendAcknowledgement(dst []byte, n *pingpost.Notice) []byte {
	return p.append(dst, p.acknowledgement.of(0).write, &outgoing{notice: n})
}

// AcknowledgementStatus is the HTTP status that an acknowledgement goes with.
func (p *Profile) AcknowledgementStatus() int { return p.acknowledgement.statusOf(0) }

func (p *Profile) appendNoticeField(dst []byte, f field, n *pingpost.Notice) []byte {
	switch f {
	case fieldPingID:
		return appendKnown(dst, n.PingID)
	case fieldBidID:
		return appendKnown(dst, n.BidID)
	case fieldOutcome:
		return p.appendWord(dst, f, uint16(n.Outcome))
	case fieldClearingPrice:
		return p.appendPositivePrice(dst, n.ClearingPrice)
	case fieldMinBidToWin:
		return p.appendPositivePrice(dst, n.MinBidToWin)
	case fieldReason:
		return p.appendWord(dst, f, uint16(n.Reason))
	}
	return dst
}
