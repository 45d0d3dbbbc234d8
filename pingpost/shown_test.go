package pingpost

import "testing"

func TestLeadShownIn(t *testing.T) {
	lead := Lead{
		FirstName: NewPrivate("Al"), LastName: NewPrivate("Li"), Phone: NewPrivate("+1 (312) 555-0123"),
		Email: NewPrivate("al@example.com"), Address: NewPrivate("1 Canary  Street"), Notes: NewPrivate("leak"),
		City: "Chicago",
	}
	for text, want := range map[string]bool{
		"":                                       false,
		"l-4711":                                 false,
		"natural life":                           false,
		"Chicago":                                false,
		"1 canary":                               false,
		"3125550123":                             true,
		"crm-312.555.0123-x":                     true,
		"+13125550123":                           true,
		"312555012":                              false,
		"https://x.example/?mail=AL@example.com": true,
		"at 1 CANARY street":                     true,
		`{"who":"Ms. Al-Li"}`:                    true,
		"for al li today":                        true,
	} {
		if lead.ShownIn(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	if (&Lead{}).ShownIn("anything at all, 3125550123") {
		t.Error("an empty lead is shown")
	}
}
