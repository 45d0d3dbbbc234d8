package store

import (
	"encoding/json"
	"fmt"

	"leadbid/pingpost"
)

// record is a bought lead as the books keep it: with its personal data in the clear, since it has
// to be delivered. It never leaves this file but as a row's text.
type record struct {
	Price     int64           `json:"price_cents"`
	Service   string          `json:"service,omitempty"`
	Job       string          `json:"job,omitempty"`
	ZIP       pingpost.ZIP    `json:"zip,omitempty"`
	Exclusive bool            `json:"exclusive,omitempty"`
	Lead      recordLead      `json:"lead"`
	Consent   recordConsent   `json:"consent"`
	Attrs     []pingpost.Attr `json:"attrs,omitempty"`
	BodyHash  []byte          `json:"body_hash"`
	Source    string          `json:"source,omitempty"`
}

type recordLead struct {
	FirstName string         `json:"first_name,omitempty"`
	LastName  string         `json:"last_name,omitempty"`
	Phone     string         `json:"phone,omitempty"`
	Email     string         `json:"email,omitempty"`
	Address   string         `json:"address,omitempty"`
	City      string         `json:"city,omitempty"`
	State     pingpost.State `json:"state,omitempty"`
	ZIP       pingpost.ZIP   `json:"zip,omitempty"`
	Notes     string         `json:"notes,omitempty"`
}

type recordConsent struct {
	Agreed              pingpost.Tri `json:"agreed,omitempty"`
	TrustedFormURL      string       `json:"trustedform_url,omitempty"`
	TrustedFormPromised bool         `json:"trustedform_promised,omitempty"`
	LeadID              string       `json:"leadid,omitempty"`
	LeadIDPromised      bool         `json:"leadid_promised,omitempty"`
	GivenAt             int64        `json:"given_at_ms,omitempty"`
}

// encodeLead writes a lead for its row. It is the one place of this package that reveals personal
// data.
func encodeLead(p *pingpost.Post, source string) (string, error) {
	l := &p.Lead
	text, err := json.Marshal(record{
		Price: int64(p.Price), Service: p.Service.String(), Job: p.Job.String(), ZIP: p.ZIP, Exclusive: p.Exclusive,
		Lead: recordLead{
			FirstName: l.FirstName.Reveal(), LastName: l.LastName.Reveal(), Phone: l.Phone.Reveal(),
			Email: l.Email.Reveal(), Address: l.Address.Reveal(), City: l.City, State: l.State, ZIP: l.ZIP,
			Notes: l.Notes.Reveal(),
		},
		Consent: recordConsent(p.Consent), Attrs: p.Attrs, BodyHash: p.BodyHash[:], Source: source,
	})
	return string(text), err
}

// decodeLead reads a row's text back. Its errors don't quote it.
func decodeLead(text string) (pingpost.Post, error) {
	var r record
	if err := json.Unmarshal([]byte(text), &r); err != nil || len(r.BodyHash) != 32 {
		return pingpost.Post{}, fmt.Errorf("the row of a lead is not readable")
	}
	service, _ := pingpost.ParseService(r.Service)
	job, _ := pingpost.ParseJob(r.Job)
	l := &r.Lead
	return pingpost.Post{
		Price: pingpost.Cents(r.Price), Service: service, Job: job, ZIP: r.ZIP, Exclusive: r.Exclusive,
		Lead: pingpost.Lead{
			FirstName: pingpost.NewPrivate(l.FirstName), LastName: pingpost.NewPrivate(l.LastName),
			Phone: pingpost.NewPrivate(l.Phone), Email: pingpost.NewPrivate(l.Email),
			Address: pingpost.NewPrivate(l.Address), City: l.City, State: l.State, ZIP: l.ZIP,
			Notes: pingpost.NewPrivate(l.Notes),
		},
		Consent: pingpost.Consent(r.Consent), Attrs: r.Attrs, BodyHash: [32]byte(r.BodyHash),
	}, nil
}
