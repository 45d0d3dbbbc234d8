package budget

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"sync"
)

// cmac makes AES-256-CMAC codes (NIST SP 800-38B): what has to be worked out of a key is worked out
// once, and a bid id takes seven blocks of AES, which the processor does by itself. HMAC-SHA256 takes
// five of SHA-256 for the same, three times as long, and crypto/hmac allocates.
type cmac struct {
	block       cipher.Block
	full, short [aes.BlockSize]byte // what is added to the last block, where it is full and where not
	scratch     *sync.Pool          // of *cmacScratch
}

// cmacScratch is what a code is made in. It is pooled, because what a cipher.Block works on escapes to
// the heap.
type cmacScratch struct {
	state   [aes.BlockSize]byte
	message []byte
}

func newCMAC(key *[32]byte) cmac {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(fmt.Sprintf("budget: AES takes keys of 32 bytes: %v", err))
	}
	c := cmac{block: block, scratch: &sync.Pool{New: func() any { return new(cmacScratch) }}}
	block.Encrypt(c.full[:], c.full[:])
	c.full = doubled(c.full)
	c.short = doubled(c.full)
	return c
}

// doubled multiplies by x in the field of CMAC.
func doubled(b [aes.BlockSize]byte) (d [aes.BlockSize]byte) {
	high, low := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	carry := high >> 63
	high, low = high<<1|low>>63, low<<1^carry*0x87
	binary.BigEndian.PutUint64(d[:8], high)
	binary.BigEndian.PutUint64(d[8:], low)
	return d
}

// sum gives the code of the scratch's message.
func (c *cmac) sum(s *cmacScratch) [aes.BlockSize]byte {
	s.state = [aes.BlockSize]byte{}
	rest := s.message
	for ; len(rest) > aes.BlockSize; rest = rest[aes.BlockSize:] {
		addTo(&s.state, rest)
		c.block.Encrypt(s.state[:], s.state[:])
	}
	var last [aes.BlockSize]byte
	mask := &c.full
	if copy(last[:], rest) < aes.BlockSize {
		last[len(rest)], mask = 0x80, &c.short
	}
	addTo(&s.state, last[:])
	addTo(&s.state, mask[:])
	c.block.Encrypt(s.state[:], s.state[:])
	return s.state
}

// addTo adds the first block of what is given.
func addTo(state *[aes.BlockSize]byte, block []byte) {
	order := binary.LittleEndian
	order.PutUint64(state[:8], order.Uint64(state[:8])^order.Uint64(block[:8]))
	order.PutUint64(state[8:], order.Uint64(state[8:])^order.Uint64(block[8:16]))
}
