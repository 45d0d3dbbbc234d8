package budget

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"

	"leadbid/internal/planted"
	"leadbid/pingpost"
)

// A bid id is the base64url of 69 bytes: format, key in 4 bytes, the BidRef in 48 bytes, and the 128
// bits of an AES-256-CMAC over all that and over whose ping it answers. Price and Stands share eight bytes: the
// largest price takes 34 bits, and a bid stands a day at most.
const (
	bidIDFormat = 2
	headBytes   = 5
	refBytes    = 48
	signedBytes = headBytes + refBytes
	macBytes    = 16
	bidIDBytes  = signedBytes + macBytes
	priceBits   = 35
)

// BidIDLength is the length of every bid id in characters.
const BidIDLength = bidIDBytes / 3 * 4

// AppendBidID appends the signed id of a bid on an exchange's ping. The exchange and the ping are
// signed with it, not said in it: the id is worth nothing for any other ping. Expires is kept to
// the millisecond. It allocates only what dst lacks, for exchange and ping names of usual length.
func (k *Keyring) AppendBidID(dst []byte, ref BidRef, exchange, pingID string) []byte {
	var id [bidIDBytes]byte
	key := &k.keys[k.signer]
	id[0] = bidIDFormat
	binary.BigEndian.PutUint32(id[1:], key.ID)
	putRef(id[headBytes:signedBytes], ref)
	mac := k.macs[k.signer].signature(id[:signedBytes], exchange, pingID)
	copy(id[signedBytes:], mac[:])
	return base64.RawURLEncoding.AppendEncode(dst, id[:])
}

// OpenBidID reads a bid id back and says what its signature for this exchange and ping is worth. The
// BidRef is zero on SealBroken and SealNewer. The comparison takes the same time for every wrong
// signature. It does not allocate for names of usual length.
func (k *Keyring) OpenBidID(id, exchange, pingID string) (BidRef, Seal) {
	if len(id) != BidIDLength {
		return BidRef{}, SealBroken
	}
	var text [BidIDLength]byte
	copy(text[:], id)
	var raw [bidIDBytes]byte
	// The decoder skips line breaks, so the count of bytes tells whether every character counted.
	if n, err := base64.RawURLEncoding.Decode(raw[:], text[:]); err != nil || n != bidIDBytes || raw[0] != bidIDFormat {
		return BidRef{}, SealBroken
	}
	keyID := binary.BigEndian.Uint32(raw[1:])
	place, known := k.find(keyID)
	switch {
	case !known && keyID > k.Newest().ID:
		return BidRef{}, SealNewer
	case !known:
		return BidRef{}, SealBroken
	}
	key, until := &k.keys[place], k.honours[place]
	mac := k.macs[place].signature(raw[:signedBytes], exchange, pingID)
	if subtle.ConstantTimeCompare(mac[:], raw[signedBytes:]) != 1 && !planted.Is(planted.AnySignature) {
		return BidRef{}, SealBroken
	}
	ref := getRef(raw[headBytes:signedBytes])
	if key.Revoked || !until.IsZero() && ref.Expires.After(until) {
		return ref, SealFormer
	}
	return ref, SealGood
}

// putRef writes what grows first, so that the ids of a lease's bids grow, and books append them.
func putRef(b []byte, ref BidRef) {
	order := binary.BigEndian
	order.PutUint64(b[0:], uint64(ref.Lease))
	order.PutUint32(b[8:], ref.Campaign)
	order.PutUint32(b[12:], ref.Run)
	order.PutUint64(b[16:], ref.Seq)
	order.PutUint64(b[24:], uint64(ref.Stands.Milliseconds())<<priceBits|uint64(ref.Price))
	order.PutUint64(b[32:], uint64(ref.Expires.UnixMilli()))
	order.PutUint64(b[40:], ref.Terms)
}

func getRef(b []byte) BidRef {
	order := binary.BigEndian
	price := order.Uint64(b[24:])
	return BidRef{
		Lease:    LeaseID(order.Uint64(b[0:])),
		Campaign: order.Uint32(b[8:]),
		Run:      order.Uint32(b[12:]),
		Seq:      order.Uint64(b[16:]),
		Price:    pingpost.Cents(price & (1<<priceBits - 1)),
		Stands:   time.Duration(price>>priceBits) * time.Millisecond,
		Expires:  time.UnixMilli(int64(order.Uint64(b[32:]))).UTC(),
		Terms:    order.Uint64(b[40:]),
	}
}

// signature is the code over what an id says and whose ping it answers. The length of the exchange's
// name goes in front of it, so that no two pairs of names give the same bytes.
func (c *cmac) signature(signed []byte, exchange, pingID string) [macBytes]byte {
	scratch := c.scratch.Get().(*cmacScratch)
	message := append(scratch.message[:0], signed...)
	message = binary.BigEndian.AppendUint32(message, uint32(len(exchange)))
	scratch.message = append(append(message, exchange...), pingID...)
	mac := c.sum(scratch)
	c.scratch.Put(scratch)
	return mac
}

// CampaignTag is a campaign's name in 32 bits (FNV-1a), for a bid id to carry.
func CampaignTag(name string) uint32 {
	tag := uint32(2166136261)
	for i := 0; i < len(name); i++ {
		tag = (tag ^ uint32(name[i])) * 16777619
	}
	return tag
}

// TermsHash says in one number what a bid was made for. It is exact: no two different terms share
// a number, since all of them fit into 64 bits side by side.
func TermsHash(zip pingpost.ZIP, service pingpost.Service, job pingpost.Job, exclusive bool) uint64 {
	if planted.Is(planted.TermsWithoutJob) {
		service, job = 0, 0
	}
	terms := uint64(zip)<<32 | uint64(service)<<24 | uint64(job)<<16
	if exclusive {
		terms |= 1
	}
	return terms
}
