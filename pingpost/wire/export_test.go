package wire

import "leadbid/pingpost"

// Parse reads a profile that is not embedded, for tests of the mechanism.
var Parse = parse

// DecodeThoroughly is the decoder alone.
func (p *Profile) DecodeThoroughly(dst *pingpost.Ping, body []byte) error {
	return p.decodeThoroughly(dst, body)
}

// DecodeSwiftly is the way without the decoder.
func (p *Profile) DecodeSwiftly(dst *pingpost.Ping, body []byte) (asWritten, ok bool) {
	return p.decodeSwiftly(dst, body)
}
