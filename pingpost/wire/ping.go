package wire

import (
	"strconv"
	"time"

	"leadbid/pingpost"
)

// maxTmaxMS is the longest deadline that is believed, in milliseconds: reports know buyers that
// take a minute, and no auction waits longer.
const maxTmaxMS = 60_000

// maxBuyers bounds how many buyers a lead is said to be sold to.
const maxBuyers = 1000

// DecodePing reads a ping, setting everything but Exchange and Digest, which the caller knows to
// set. dst is reset first, its slices are reused, and its strings alias body. The error is a
// *Fault. A ping without escapes in its strings costs no allocation.
func (p *Profile) DecodePing(dst *pingpost.Ping, body []byte) error {
	_, err := p.DecodePingAsWritten(dst, body)
	return err
}

// DecodePingAsWritten is DecodePing that also tells whether the body is, to the byte, what AppendPing
// writes for the ping: then it can be copied instead.
func (p *Profile) DecodePingAsWritten(dst *pingpost.Ping, body []byte) (asWritten bool, err error) {
	blank := pingpost.Ping{SubIDs: dst.SubIDs[:0], Attrs: dst.Attrs[:0]}
	*dst = blank
	if asWritten, ok := p.decodeSwiftly(dst, body); ok {
		return asWritten, nil
	}
	*dst = blank
	return false, p.decodeThoroughly(dst, body)
}

// decodeThoroughly reads a ping into a blank one, and says what is wrong with it.
func (p *Profile) decodeThoroughly(dst *pingpost.Ping, body []byte) error {
	d := decoder{reader: reader{scanner: scanner{body: body}, collect: true, attrs: dst.Attrs}, profile: p, paths: &p.ping.paths}
	if d.read(p.ping.read) {
		d.need(p.ping.need)
		d.fillPing(dst, dst.SubIDs)
	}
	if d.fault != nil {
		return d.fault
	}
	return nil
}

func (d *decoder) fillPing(dst *pingpost.Ping, subIDs []string) {
	dst.ID = d.id(fieldPingID)
	dst.TmaxMS = int(d.whole(fieldTmaxMS, 1, maxTmaxMS))
	dst.Auction = pingpost.Auction(d.word(fieldAuction))
	dst.Service = pingpost.Service(d.word(fieldService))
	dst.Task = d.text(fieldTask, maxWord)
	dst.Job = pingpost.Job(d.word(fieldJob))
	dst.ZIP = d.zip(fieldZIP)
	dst.State = d.state(fieldState)
	dst.City = d.text(fieldCity, maxWord)
	dst.Urgency = pingpost.Urgency(d.word(fieldUrgency))
	dst.Property = pingpost.Property(d.word(fieldPropertyType))
	dst.Homeowner = d.tri(fieldHomeowner)
	dst.LeadScore = d.score(fieldLeadScore)
	dst.Source = d.text(fieldSource, maxWord)
	dst.SubIDs = d.texts(fieldSubIDs, subIDs)
	dst.Consent = d.consent()
	dst.Exclusive = d.flag(fieldExclusive)
	dst.MaxSold = int(d.whole(fieldMaxSold, 0, maxBuyers))
	dst.SoldSoFar = int(d.whole(fieldSoldSoFar, 0, maxBuyers))
	dst.Floor = d.dollars(fieldFloor)
	dst.Test = d.flag(fieldTest)
	dst.Attrs = d.attrs
}

func (d *decoder) consent() pingpost.Consent {
	return pingpost.Consent{
		Agreed:              d.tri(fieldAgreed),
		TrustedFormURL:      d.text(fieldTrustedFormURL, maxURL),
		TrustedFormPromised: d.flag(fieldTrustedFormPromised),
		LeadID:              d.text(fieldLeadIDToken, maxWord),
		LeadIDPromised:      d.flag(fieldLeadIDPromised),
		GivenAt:             d.instant(fieldGivenAt),
	}
}

// AppendPing appends the ping as the exchange sends it.
func (p *Profile) AppendPing(dst []byte, ping *pingpost.Ping) []byte {
	return p.append(dst, p.ping.write, &outgoing{ping: ping})
}

// AppendPingKeeping is AppendPing with only the attributes that keep says yes to.
func (p *Profile) AppendPingKeeping(dst []byte, ping *pingpost.Ping, keep func(pingpost.Attr) bool) []byte {
	return p.append(dst, p.ping.write, &outgoing{ping: ping, keep: keep})
}

func (p *Profile) appendPingField(dst []byte, f field, ping *pingpost.Ping, keep func(pingpost.Attr) bool) []byte {
	switch f {
	case fieldPingID:
		return appendKnown(dst, ping.ID)
	case fieldTmaxMS:
		return appendPositive(dst, ping.TmaxMS)
	case fieldAuction:
		return p.appendWord(dst, f, uint16(ping.Auction))
	case fieldService:
		return p.appendWord(dst, f, uint16(ping.Service))
	case fieldTask:
		return appendKnown(dst, ping.Task)
	case fieldJob:
		return p.appendWord(dst, f, uint16(ping.Job))
	case fieldZIP:
		return appendZIP(dst, ping.ZIP)
	case fieldState:
		return appendKnown(dst, string(ping.State))
	case fieldCity:
		return appendKnown(dst, ping.City)
	case fieldUrgency:
		return p.appendWord(dst, f, uint16(ping.Urgency))
	case fieldPropertyType:
		return p.appendWord(dst, f, uint16(ping.Property))
	case fieldHomeowner:
		return p.appendTri(dst, f, ping.Homeowner)
	case fieldLeadScore:
		return appendScore(dst, ping.LeadScore)
	case fieldSource:
		return appendKnown(dst, ping.Source)
	case fieldSubIDs:
		return appendTexts(dst, ping.SubIDs)
	case fieldExclusive:
		return appendBool(dst, ping.Exclusive)
	case fieldMaxSold:
		return appendPositive(dst, ping.MaxSold)
	case fieldSoldSoFar:
		return appendPositive(dst, ping.SoldSoFar)
	case fieldFloor:
		return p.appendPositivePrice(dst, ping.Floor)
	case fieldTest:
		return appendTrue(dst, ping.Test)
	case fieldAttrs:
		return appendAttrs(dst, ping.Attrs, keep)
	}
	return p.appendConsentField(dst, f, &ping.Consent)
}

func (p *Profile) appendConsentField(dst []byte, f field, consent *pingpost.Consent) []byte {
	switch f {
	case fieldAgreed:
		return p.appendTri(dst, f, consent.Agreed)
	case fieldTrustedFormURL:
		return appendKnown(dst, consent.TrustedFormURL)
	case fieldTrustedFormPromised:
		return appendTrue(dst, consent.TrustedFormPromised)
	case fieldLeadIDToken:
		return appendKnown(dst, consent.LeadID)
	case fieldLeadIDPromised:
		return appendTrue(dst, consent.LeadIDPromised)
	case fieldGivenAt:
		return appendInstant(dst, consent.GivenAt)
	}
	return dst
}

func appendPositive(dst []byte, n int) []byte {
	if n <= 0 {
		return dst
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

func (p *Profile) appendPositivePrice(dst []byte, amount pingpost.Cents) []byte {
	if amount <= 0 {
		return dst
	}
	return p.appendPrice(dst, amount)
}

func appendInstant(dst []byte, ms int64) []byte {
	if ms == 0 {
		return dst
	}
	return append(time.UnixMilli(ms).UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
}

func appendScore(dst []byte, score pingpost.Score) []byte {
	if !score.Known {
		return dst
	}
	return strconv.AppendFloat(dst, score.Value, 'f', -1, 64)
}

func appendTexts(dst []byte, list []string) []byte {
	if len(list) == 0 {
		return dst
	}
	for i, item := range list {
		if i == 0 {
			dst = append(dst, '[')
		} else {
			dst = append(dst, ',')
		}
		dst = appendText(dst, item)
	}
	return append(dst, ']')
}
