package budget

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestCMAC holds the code against the examples of NIST SP 800-38B for AES-256.
func TestCMAC(t *testing.T) {
	key := [32]byte(unhex(t, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"))
	message := unhex(t, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52ef"+
		"f69f2445df4f9b17ad2b417be66c3710")
	c := newCMAC(&key)
	f := func(length int, want string) {
		t.Helper()
		if got := c.sum(&cmacScratch{message: message[:length]}); hex.EncodeToString(got[:]) != want {
			t.Errorf("of %d bytes: %x, want %s", length, got, want)
		}
	}
	f(0, "028962f61b7bf89efc6b551f4667d983")
	f(16, "28a7023f452e8f82bd4bf28d8c37c35c")
	f(40, "aaf3d8f1de5640c232f5b169b9c911e6")
	f(64, "e1992190549f6ed5696a2c056c315410")
}

// TestSignatureIsCMAC holds the signature of any names against the definition: CBC over all blocks, the
// last one with a subkey added to it.
func TestSignatureIsCMAC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		signed := rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "signed")
		ping := rapid.String().Draw(t, "ping")
		c := newCMAC(&key)
		got, again := c.signature(signed, "north", ping), c.signature(signed, "north", ping)
		if want := plainCMAC(key[:], string(signed)+"\x00\x00\x00\x05north"+ping); got != want || again != want {
			t.Fatalf("%x, then %x, want %x", got, again, want)
		}
	})
}

func plainCMAC(key []byte, text string) (code [16]byte) {
	block, _ := aes.NewCipher(key)
	var zero [16]byte
	block.Encrypt(zero[:], zero[:])
	twice := func(n *big.Int) *big.Int {
		d := new(big.Int).Lsh(n, 1)
		if d.Bit(128) == 1 {
			d.SetBit(d, 128, 0).Xor(d, big.NewInt(0x87))
		}
		return d
	}
	subkey := twice(new(big.Int).SetBytes(zero[:]))
	message := []byte(text)
	if len(message) == 0 || len(message)%16 != 0 {
		subkey = twice(subkey)
		message = append(message, 0x80)
		for len(message)%16 != 0 {
			message = append(message, 0)
		}
	}
	for i, b := range subkey.FillBytes(make([]byte, 16)) {
		message[len(message)-16+i] ^= b
	}
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(message, message)
	copy(code[:], message[len(message)-16:])
	return code
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
