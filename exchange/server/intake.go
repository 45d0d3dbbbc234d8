package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"leadbid/exchange"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// fault is what is wrong with a request, in the client's terms and without its content.
type fault struct{ code, message, field string }

func (f *fault) Error() string { return f.message }

func invalid(field, format string, args ...any) *fault {
	return &fault{code: pingpost.InvalidField.String(), message: fmt.Sprintf(format, args...), field: field}
}

// intakeOwn are the fields of a lead that are not a ping's.
var intakeOwn = []string{"lead_id", "campaign", "cost", "lead"}

// intakePing are the fields of a lead that buyers may be shown, spelled as in a native ping. The
// list is closed: a field that we do not know might hold a name or a number, and must not reach
// buyers as an attribute. What is not known and not private goes into attrs.
var intakePing = []string{
	"service", "task", "job", "zip", "state", "city", "urgency", "property_type", "homeowner",
	"lead_score", "source", "sub_ids", "consent", "test", "attrs",
}

// maxKey is the longest id that a seller may give a lead.
const maxKey = 255

// decodeIntake reads a lead as a seller brings it. idempotencyKey is the request's header, which
// goes before lead_id; with neither (named is false) the lead gets an id of its own.
func decodeIntake(native *wire.Profile, seller, idempotencyKey string, body []byte) (
	open exchange.OpenOffer, named bool, err error) {
	open = exchange.OpenOffer{Seller: seller, Body: sha256.Sum256(body)}
	fields, err := readObject(body)
	if err != nil {
		return open, false, err
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(intakeOwn, name) && !slices.Contains(intakePing, name) {
			return open, false, invalid(clip(name), "unknown field; what buyers may see beside the known fields goes into attrs")
		}
	}
	leadID := ""
	if err := errors.Join(
		readOwn(fields, "lead_id", "a text", &leadID), readOwn(fields, "campaign", "a text", &open.Campaign),
		readOwn(fields, "cost", "an amount of dollars, such as 12.50", &open.Cost)); err != nil {
		return open, false, firstFault(err)
	}
	if idempotencyKey == "" {
		idempotencyKey = leadID
	}
	if len(idempotencyKey) > maxKey {
		return open, false, invalid("lead_id", "an id has at most %d characters", maxKey)
	}
	open.ID = offerID(seller, idempotencyKey)
	if err := decodePing(native, &open, fields); err != nil {
		return open, false, err
	}
	if err := decodeLead(&open, fields["lead"]); err != nil {
		return open, false, err
	}
	return open, idempotencyKey != "", refuseShown(&open)
}

// readObject reads a JSON object without its values.
func readObject(body []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	switch {
	case !utf8.Valid(body):
		return nil, &fault{code: pingpost.Malformed.String(), message: "the body is not valid UTF-8"}
	case json.Unmarshal(body, &fields) != nil || fields == nil:
		return nil, &fault{code: pingpost.Malformed.String(), message: "the body is not a JSON object"}
	}
	return fields, nil
}

func readOwn(fields map[string]json.RawMessage, name, expected string, into any) error {
	if raw, ok := fields[name]; ok && json.Unmarshal(raw, into) != nil {
		return invalid(name, "must be %s", expected)
	}
	return nil
}

// firstFault unpacks the first of several faults.
func firstFault(err error) error {
	var first *fault
	if errors.As(err, &first) {
		return first
	}
	return err
}

// offerID derives the offer's id from the seller's id of the lead, so that the same lead sent
// twice is the same offer. It does not show the seller's id to buyers.
func offerID(seller, key string) exchange.OfferID {
	if key == "" {
		return exchange.OfferID(uuid.Must(uuid.NewV7()).String())
	}
	sum := sha256.Sum256([]byte(seller + "\x00" + key))
	return exchange.OfferID("o-" + strings.ToLower(base32.HexEncoding.EncodeToString(sum[:15])))
}

// decodePing reads the part that buyers may see through the native profile, whose limits and
// messages so hold for sellers too.
func decodePing(native *wire.Profile, open *exchange.OpenOffer, fields map[string]json.RawMessage) error {
	ping := map[string]json.RawMessage{"ping_id": []byte(`"` + open.ID + `"`)}
	for _, name := range intakePing {
		if raw, ok := fields[name]; ok {
			ping[name] = raw
		}
	}
	body, err := json.Marshal(ping)
	if err != nil {
		return &fault{code: pingpost.Malformed.String(), message: "the body is not a JSON object"}
	}
	if err := native.DecodePing(&open.Ping, body); err != nil {
		var wrong *wire.Fault
		if errors.As(err, &wrong) {
			return &fault{code: wrong.Reason.String(), message: wrong.Message, field: wrong.Field}
		}
		return &fault{code: pingpost.Malformed.String(), message: "the lead could not be read"}
	}
	open.Ping = *open.Ping.Clone()
	open.Consent = open.Ping.Consent
	switch {
	case open.Ping.Service == pingpost.ServiceNone:
		return invalid("service", "the service is missing: one of %s", strings.Join(pingpost.ServiceWords(), ", "))
	case open.Ping.ZIP == 0:
		return invalid("zip", "the ZIP code is missing")
	}
	return refusePrivate(&open.Ping)
}

// leadBody is a homeowner as a seller sends it.
type leadBody struct {
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Phone     string `json:"phone"`
	Email     string `json:"email"`
	Address   string `json:"address"`
	City      string `json:"city"`
	State     string `json:"state"`
	ZIP       string `json:"zip"`
	Notes     string `json:"notes"`
}

// The longest texts of a lead in bytes.
const (
	maxLeadText  = 200
	maxLeadNotes = 2000
)

// decodeLead reads who the homeowner is. An unknown field is a fault: dropping it would lose what
// the winner pays for.
func decodeLead(open *exchange.OpenOffer, raw json.RawMessage) error {
	var lead leadBody
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if len(raw) == 0 {
		return invalid("lead", "the lead's contact is missing")
	}
	if err := decoder.Decode(&lead); err != nil {
		return invalid("lead", "must be an object of texts: first_name, last_name, phone, email, address, city, state, zip, notes")
	}
	for _, text := range []struct{ field, value string }{
		{"first_name", lead.FirstName}, {"last_name", lead.LastName}, {"phone", lead.Phone}, {"email", lead.Email},
		{"address", lead.Address}, {"city", lead.City},
	} {
		if len(text.value) > maxLeadText {
			return invalid("lead."+text.field, "is longer than %d bytes", maxLeadText)
		}
	}
	switch {
	case len(lead.Notes) > maxLeadNotes:
		return invalid("lead.notes", "is longer than %d bytes", maxLeadNotes)
	case lead.Phone == "" && lead.Email == "":
		return invalid("lead.phone", "a lead needs a phone number or an e-mail address")
	}
	open.Lead = pingpost.Lead{
		FirstName: pingpost.NewPrivate(lead.FirstName), LastName: pingpost.NewPrivate(lead.LastName),
		Phone: pingpost.NewPrivate(lead.Phone), Email: pingpost.NewPrivate(lead.Email),
		Address: pingpost.NewPrivate(lead.Address), Notes: pingpost.NewPrivate(lead.Notes),
		City: lead.City, State: open.Ping.State, ZIP: open.Ping.ZIP,
	}
	return decodePlace(open, lead)
}

// decodePlace reads where the homeowner lives, which must be where the ping says.
func decodePlace(open *exchange.OpenOffer, lead leadBody) error {
	if lead.ZIP != "" {
		zip, err := pingpost.ParseZIP(lead.ZIP)
		if err != nil {
			return invalid("lead.zip", "a ZIP code has five digits")
		}
		if zip != open.Ping.ZIP {
			return invalid("lead.zip", "is not the ZIP code that buyers are shown")
		}
	}
	if lead.State != "" {
		state, err := pingpost.ParseState(lead.State)
		if err != nil {
			return invalid("lead.state", "must be a two-letter state code, such as IL")
		}
		open.Lead.State = state
	}
	return nil
}

// refusePrivate refuses a ping with a text shaped like a phone number or an e-mail address: it
// would go to every buyer that is asked.
func refusePrivate(ping *pingpost.Ping) error {
	for _, text := range []struct{ field, value string }{{"task", ping.Task}, {"city", ping.City}, {"source", ping.Source}} {
		if looksPrivate(text.value) {
			return invalid(text.field, "looks like a phone number or an e-mail address, and buyers would see it")
		}
	}
	for _, sub := range ping.SubIDs {
		if strings.Contains(sub, "@") {
			return invalid("sub_ids", "looks like an e-mail address, and buyers would see it")
		}
	}
	for _, attr := range ping.Attrs {
		if looksPrivate(attr.Name) || looksPrivate(attr.Value) {
			field := "attrs"
			if !looksPrivate(attr.Name) {
				field += "." + clip(attr.Name) // as a misspelt "consent.certificate" comes to stand there
			}
			return invalid(field, "looks like a phone number or an e-mail address, and buyers would see it")
		}
	}
	return nil
}

// refuseShown refuses a ping that holds the very homeowner it is about, in a field where no shape
// of it would be suspicious: a certificate's address, a sub-source of ten digits.
func refuseShown(open *exchange.OpenOffer) error {
	ping := &open.Ping
	shown := func(field string, texts ...string) error {
		if slices.ContainsFunc(texts, open.Lead.ShownIn) {
			return invalid(field, "holds the lead's own contact, and buyers would see it")
		}
		return nil
	}
	err := errors.Join(shown("task", ping.Task), shown("city", ping.City), shown("source", ping.Source),
		shown("sub_ids", ping.SubIDs...), shown("consent", ping.Consent.TrustedFormURL, ping.Consent.LeadID))
	for _, attr := range ping.Attrs {
		err = errors.Join(err, shown("attrs", attr.Name, attr.Value))
	}
	if err != nil {
		return firstFault(err)
	}
	return nil
}

// looksPrivate finds an e-mail address (an @ with neither a space nor the end beside it) or ten or
// more digits with nothing but the punctuation of phone numbers between them.
func looksPrivate(text string) bool {
	for at := 1; at < len(text)-1; at++ {
		if text[at] == '@' && text[at-1] != ' ' && text[at+1] != ' ' {
			return true
		}
	}
	digits := 0
	for _, char := range []byte(text) {
		switch {
		case char >= '0' && char <= '9':
			if digits++; digits >= 10 {
				return true
			}
		case strings.IndexByte(" -().+/", char) < 0:
			digits = 0
		}
	}
	return false
}

// clip shortens a name that a client made up, for a message.
func clip(name string) string {
	if len(name) > 40 {
		return strings.ToValidUTF8(name[:40], "") + "…"
	}
	return name
}
