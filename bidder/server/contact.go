package server

import (
	"crypto/sha256"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"leadbid/pingpost"
)

// contactOf works out what the contractor's reject rules may ask of a lead's phone number and e-mail
// address: the kind of number, and the hashes by which their own list names people. They are plain
// SHA-256, since the contractor makes that list with tools of their own; the books keep hashes under
// the store's key instead, see contactHashes.
func contactOf(lead *pingpost.Lead) (contact pingpost.Contact) {
	if lead.Phone.Known() {
		phone := lead.Phone.Reveal()
		contact.PhoneType = phoneType(phone)
		contact.Digests[0] = sha256.Sum256([]byte(onePhoneSpelling(phone)))
	}
	if lead.Email.Known() {
		contact.Digests[1] = sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(lead.Email.Reveal()))))
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
