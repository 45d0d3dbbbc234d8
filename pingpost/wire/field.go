package wire

import (
	"maps"
	"slices"

	"leadbid/pingpost"
)

// field is a canonical value that a profile gives a place in a message.
type field uint8

// The fields. In a profile they are written as "$" and their name.
const (
	noField field = iota
	fieldPingID
	fieldTmaxMS
	fieldAuction
	fieldService
	fieldTask
	fieldJob
	fieldZIP
	fieldState
	fieldCity
	fieldUrgency
	fieldPropertyType
	fieldHomeowner
	fieldLeadScore
	fieldSource
	fieldSubIDs
	fieldAgreed
	fieldTrustedFormURL
	fieldTrustedFormPromised
	fieldLeadIDToken
	fieldLeadIDPromised
	fieldGivenAt
	fieldExclusive
	fieldMaxSold
	fieldSoldSoFar
	fieldFloor
	fieldTest
	fieldAttrs
	fieldBid
	fieldBidID
	fieldExpiresInMS
	fieldReason
	fieldPrice
	fieldFirstName
	fieldLastName
	fieldPhone
	fieldEmail
	fieldAddress
	fieldNotes
	fieldLeadID
	fieldDetail
	fieldOutcome
	fieldClearingPrice
	fieldMinBidToWin
	numFields
)

var fieldNames = [numFields]string{
	"", "ping_id", "tmax_ms", "auction", "service", "task", "job", "zip", "state", "city", "urgency",
	"property_type", "homeowner", "lead_score", "source", "sub_ids", "agreed", "trustedform_url",
	"trustedform_promised", "leadid", "leadid_promised", "given_at", "exclusive", "max_sold", "sold_so_far",
	"floor", "test", "attrs", "bid", "bid_id", "expires_in_ms", "reason", "price", "first_name",
	"last_name", "phone", "email", "address", "notes", "lead_id", "detail", "outcome",
	"clearing_price", "min_bid_to_win",
}

// What each message may hold.
var (
	pingFields = []field{fieldPingID, fieldTmaxMS, fieldAuction, fieldService, fieldTask, fieldJob, fieldZIP, fieldState, fieldCity, fieldUrgency,
		fieldPropertyType, fieldHomeowner, fieldLeadScore, fieldSource, fieldSubIDs, fieldAgreed, fieldTrustedFormURL, fieldTrustedFormPromised,
		fieldLeadIDToken, fieldLeadIDPromised, fieldGivenAt, fieldExclusive, fieldMaxSold, fieldSoldSoFar, fieldFloor, fieldTest, fieldAttrs}
	answerFields = []field{fieldPingID, fieldBid, fieldBidID, fieldExpiresInMS, fieldReason}
	postFields   = []field{fieldPingID, fieldBidID, fieldPrice, fieldService, fieldJob, fieldExclusive, fieldFirstName, fieldLastName, fieldPhone, fieldEmail,
		fieldAddress, fieldCity, fieldState, fieldZIP, fieldNotes, fieldAgreed, fieldTrustedFormURL, fieldTrustedFormPromised, fieldLeadIDToken,
		fieldLeadIDPromised, fieldGivenAt, fieldTest, fieldAttrs}
	verdictFields = []field{fieldPingID, fieldLeadID, fieldReason, fieldDetail}
	noticeFields  = []field{fieldPingID, fieldBidID, fieldOutcome, fieldClearingPrice, fieldMinBidToWin, fieldReason}
	ackFields     = []field{fieldPingID, fieldBidID, fieldOutcome}
)

// vocabulary is how an exchange spells the words of one closed list: several words may be read as
// one value, and one of them is written for it.
type vocabulary struct {
	read  map[string]uint16
	write map[uint16]string

	// The same for use, which settle makes of the two: a word is found in a few comparisons with
	// others of its length, and written as it stands in a message.
	byLength [][]listed
	quoted   []string // by value; "" where there is no word
}

// listed is a word that is read as a value.
type listed struct {
	word  string
	value uint16
}

func (v *vocabulary) settle() {
	words := slices.Sorted(maps.Keys(v.read))
	for _, word := range words {
		for len(v.byLength) <= len(word) {
			v.byLength = append(v.byLength, nil)
		}
		v.byLength[len(word)] = append(v.byLength[len(word)], listed{word, v.read[word]})
	}
	for value, word := range v.write {
		for len(v.quoted) <= int(value) {
			v.quoted = append(v.quoted, "")
		}
		if word != "" {
			v.quoted[value] = string(appendText(nil, word))
		}
	}
}

// find gives what a word is read as.
func (v *vocabulary) find(word string) (value uint16, ok bool) {
	if len(word) < len(v.byLength) {
		for _, one := range v.byLength[len(word)] {
			if one.word == word {
				return one.value, true
			}
		}
	}
	return 0, false
}

// writes tells whether a word is the one that is written for a value.
func (v *vocabulary) writes(value uint16, word string) bool { return v.write[value] == word }

// append appends the word for a value, or nothing where there is none.
func (v *vocabulary) append(dst []byte, value uint16) []byte {
	if int(value) < len(v.quoted) {
		dst = append(dst, v.quoted[value]...)
	}
	return dst
}

// ownWords is the vocabulary of an exchange that uses our words.
func ownWords(words []string, first uint16) vocabulary {
	v := vocabulary{read: map[string]uint16{}, write: map[uint16]string{}}
	for i, word := range words {
		v.read[word], v.write[first+uint16(i)] = first+uint16(i), word
	}
	return v
}

// ownVocabularies gives the closed lists by field. A value's number is that of its type.
func ownVocabularies() map[field]vocabulary {
	reasons := vocabulary{read: map[string]uint16{}, write: map[uint16]string{}}
	for _, r := range pingpost.Reasons() {
		reasons.read[r.String()], reasons.write[uint16(r)] = uint16(r), r.String()
	}
	return map[field]vocabulary{
		fieldAuction:      ownWords(pingpost.AuctionWords(), 1),
		fieldService:      ownWords(pingpost.ServiceWords(), 1),
		fieldJob:          ownWords(pingpost.JobWords(), 1),
		fieldUrgency:      ownWords(pingpost.UrgencyWords(), 1),
		fieldPropertyType: ownWords(pingpost.PropertyWords(), 1),
		fieldOutcome:      ownWords(pingpost.OutcomeWords(), 1),
		fieldHomeowner:    ownWords([]string{"yes", "no"}, uint16(pingpost.Yes)),
		fieldReason:       reasons,
	}
}

// wordElse is what a word outside its list is read as. The raw word is kept as an attribute.
var wordElse = [numFields]uint16{
	fieldAuction:      uint16(pingpost.AuctionUnknown),
	fieldService:      uint16(pingpost.ServiceOther),
	fieldJob:          uint16(pingpost.JobUnknown),
	fieldUrgency:      uint16(pingpost.UrgencyUnknown),
	fieldPropertyType: uint16(pingpost.PropertyUnknown),
}

// rawNames are the attributes that keep a word which is not the one that we would write for what
// it was read as: sellers inflate their words, and a rule may want the original.
var rawNames = [numFields]string{
	fieldAuction: "raw.auction", fieldService: "raw.service", fieldJob: "raw.job", fieldUrgency: "raw.urgency",
	fieldPropertyType: "raw.property_type",
}
