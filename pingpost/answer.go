package pingpost

// AnswerKind is what a buyer says to a ping.
type AnswerKind uint8

// The kinds of answer.
const (
	AnswerNoBid AnswerKind = iota
	AnswerBid
	AnswerError // the buyer answered, and not in a way that the profile understands
)

// Answer is a buyer's reply to a ping.
type Answer struct {
	Kind        AnswerKind
	PingID      string
	Bid         Cents  // AnswerBid: the most that the buyer pays, above 0
	BidID       string // AnswerBid: what the post must carry
	ExpiresInMS int64  // AnswerBid: how long the bid stands, from now
	Reason      Reason // AnswerNoBid: why, where the exchange is configured to see it
	Detail      string // AnswerError: what was wrong with the reply, without its content
}

// Post is the full lead, handed to the buyer whose bid won.
type Post struct {
	Exchange  string
	PingID    string
	BidID     string
	Price     Cents // what the exchange will charge: at most the bid
	Service   Service
	Job       Job
	ZIP       ZIP // the ZIP of the lead
	Exclusive bool
	Lead      Lead
	Consent   Consent
	Test      bool
	Attrs     []Attr

	// Contact is not part of the message: the shell works it out of the lead, with a library that the
	// core does without.
	Contact Contact

	// BodyHash is the SHA-256 of the body as it came: the same bid id with another body is a
	// conflict, not a repeat.
	BodyHash [32]byte
}

// Contact is what a lead's phone number and e-mail address come to.
type Contact struct {
	PhoneType PhoneType
	// Digests are the SHA-256 of the phone number, as +13125550123, and of the e-mail address, in small
	// letters; zero where there is none.
	Digests [2][32]byte
}

// Lead is the homeowner and their request, as handed over with a post.
type Lead struct {
	FirstName, LastName Private
	Phone, Email        Private
	Address             Private
	City                string
	State               State
	ZIP                 ZIP
	Notes               Private
}

// VerdictKind is a buyer's decision on a post.
type VerdictKind uint8

// The kinds of verdict. VerdictUnknown is not on the wire: it is what the seller's side holds
// while a post has no answer.
const (
	VerdictUnknown VerdictKind = iota
	VerdictAccepted
	VerdictRejected
	VerdictConflict // the same bid id was posted with another body
	VerdictBusy     // come back: the buyer's books are out of reach
	VerdictError    // the answer was not understood
)

// Verdict is a buyer's reply to a post.
type Verdict struct {
	Kind   VerdictKind
	PingID string
	LeadID string // VerdictAccepted: the buyer's id of the lead
	Reason Reason // VerdictRejected: why
	Detail string // VerdictRejected by a contractor's own rule: its word; VerdictError: what was wrong
}

// Outcome is what a notice tells of a bid.
type Outcome uint8

// The outcomes.
const (
	OutcomeNone Outcome = iota
	OutcomeWon
	OutcomeLost
	OutcomeReturned // an accepted lead was given back: its price is credited
	OutcomeVoided   // the exchange withdraws: a post not yet answered must be refused from now on
	outcomeEnd
)

var outcomeWords = [...]string{"", "won", "lost", "returned", "voided"}

// String gives the word on the wire.
func (o Outcome) String() string { return outcomeWords[o] }

// OutcomeWords lists the words on the wire.
func OutcomeWords() []string { return append([]string(nil), outcomeWords[1:]...) }

// ParseOutcome reads a word of the wire exactly; ok is false for any other.
func ParseOutcome[T string | []byte](word T) (Outcome, bool) {
	return find[Outcome](outcomeWords[:], word)
}

// Notice tells a buyer what became of a bid. Prices are 0 where the exchange does not tell them.
type Notice struct {
	Exchange      string
	PingID        string
	BidID         string
	Outcome       Outcome
	ClearingPrice Cents // what the winner pays
	MinBidToWin   Cents // the least bid that would have won
	Reason        Reason
}
