// Package contact gives a lead's phone number and e-mail address one spelling, and works out what the
// contractor's reject rules may ask of them.
//
// It is what a bidder and the cases of its rules share, so that a case is rejected as a lead would be.
// It keeps nothing: hashes are what leaves it. Its functions may be called from any goroutine.
package contact

import (
	"crypto/sha256"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"leadbid/pingpost"
)

// Of works out what reject rules may ask of a lead: the kind of its number, and the hashes by which the
// contractor's own list names people. They are plain SHA-256, since the contractor makes that list with
// tools of their own; the books keep hashes under the store's key instead.
func Of(lead *pingpost.Lead) (contact pingpost.Contact) {
	if lead.Phone.Known() {
		phone := lead.Phone.Reveal()
		contact.PhoneType = phoneType(phone)
		contact.Digests[0] = sha256.Sum256([]byte(Phone(phone)))
	}
	if lead.Email.Known() {
		contact.Digests[1] = sha256.Sum256([]byte(Email(lead.Email.Reveal())))
	}
	return contact
}

func phoneType(phone string) pingpost.PhoneType {
	number, err := phonenumbers.Parse(phone, "US")
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return pingpost.PhoneInvalid
	}
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.MOBILE:
		return pingpost.PhoneMobile
	case phonenumbers.FIXED_LINE:
		return pingpost.PhoneLandline
	case phonenumbers.FIXED_LINE_OR_MOBILE:
		return pingpost.PhoneLandlineOrMobile
	case phonenumbers.TOLL_FREE:
		return pingpost.PhoneTollFree
	case phonenumbers.PREMIUM_RATE:
		return pingpost.PhonePremium
	case phonenumbers.VOIP:
		return pingpost.PhoneVoIP
	}
	return pingpost.PhoneOther
}

// Phone spells a number as +13125550123, wherever that is one; otherwise as it is written.
func Phone(phone string) string {
	number, err := phonenumbers.Parse(phone, "US")
	if err != nil {
		return strings.TrimSpace(phone)
	}
	return phonenumbers.Format(number, phonenumbers.E164)
}

// Email spells an address in small letters.
func Email(address string) string { return strings.ToLower(strings.TrimSpace(address)) }
