package pingpost

// PhoneType is what kind of number a lead's phone is, as its digits tell. The North American plan
// does not tell a mobile phone from a landline.
type PhoneType uint8

// The kinds of phone number. The zero value means that there is no number, or nobody looked.
const (
	PhoneNone PhoneType = iota
	PhoneMobile
	PhoneLandline
	PhoneLandlineOrMobile
	PhoneTollFree
	PhonePremium
	PhoneVoIP
	PhoneOther
	PhoneInvalid
	phoneEnd
)

var phoneTypeWords = [...]string{
	"", "mobile", "landline", "landline_or_mobile", "toll_free", "premium", "voip", "other", "invalid",
}

// String gives the word, "" for PhoneNone.
func (t PhoneType) String() string {
	if t >= phoneEnd {
		return ""
	}
	return phoneTypeWords[t]
}

// PhoneTypeWords lists the words, without that of PhoneNone.
func PhoneTypeWords() []string { return append([]string(nil), phoneTypeWords[1:]...) }
