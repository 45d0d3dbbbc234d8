package contact

import (
	"crypto/sha256"
	"testing"

	"leadbid/pingpost"
)

func TestOf(t *testing.T) {
	f := func(phone, email string, kind pingpost.PhoneType, spelling string) {
		t.Helper()
		lead := pingpost.Lead{Phone: pingpost.NewPrivate(phone), Email: pingpost.NewPrivate(email)}
		want := pingpost.Contact{PhoneType: kind}
		if spelling != "" {
			want.Digests[0] = sha256.Sum256([]byte(spelling))
		}
		if email != "" {
			want.Digests[1] = sha256.Sum256([]byte("jo@example.com"))
		}
		if got := Of(&lead); got != want {
			t.Errorf("%q %q: %s, want %s, or another hash", phone, email, got.PhoneType, kind)
		}
	}
	f("(312) 555-0123", "", pingpost.PhoneLandlineOrMobile, "+13125550123")
	f("13125550123", " Jo@Example.com", pingpost.PhoneLandlineOrMobile, "+13125550123")
	f("800-234-5678", "", pingpost.PhoneTollFree, "+18002345678")
	f("900-234-5678", "", pingpost.PhonePremium, "+19002345678")
	f("+44 7912 345678", "", pingpost.PhoneMobile, "+447912345678")
	f("12", "", pingpost.PhoneInvalid, "+112")
	f("", "jo@example.com", pingpost.PhoneNone, "")
}
