package budget

// Keyring holds the keys that bid ids are signed with. It is immutable and safe to share.
type Keyring struct {
	Current byte              // the key that signs
	Keys    map[byte][32]byte // every key whose bids are still honoured, Current included
}
