package store

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"leadbid/exchange"
	"leadbid/internal/sqlstore"
	"leadbid/pingpost"
)

// pingRow is a ping as it is kept: words instead of numbers, so that rows outlive the lists.
type pingRow struct {
	Service   string          `json:"service"`
	Task      string          `json:"task,omitempty"`
	Job       string          `json:"job,omitempty"`
	ZIP       string          `json:"zip"`
	State     string          `json:"state,omitempty"`
	City      string          `json:"city,omitempty"`
	Urgency   string          `json:"urgency,omitempty"`
	Property  string          `json:"property_type,omitempty"`
	Homeowner *bool           `json:"homeowner,omitempty"`
	LeadScore *float64        `json:"lead_score,omitempty"`
	Source    string          `json:"source,omitempty"`
	SubIDs    []string        `json:"sub_ids,omitempty"`
	Consent   consentRow      `json:"consent"`
	Test      bool            `json:"test,omitempty"`
	Attrs     []pingpost.Attr `json:"attrs,omitempty"`
}

type consentRow struct {
	Agreed              *bool  `json:"agreed,omitempty"`
	TrustedFormURL      string `json:"trustedform_url,omitempty"`
	TrustedFormPromised bool   `json:"trustedform_promised,omitempty"`
	LeadID              string `json:"leadid,omitempty"`
	LeadIDPromised      bool   `json:"leadid_promised,omitempty"`
	GivenAt             int64  `json:"given_at_ms,omitempty"`
}

// leadRow is the homeowner, in the clear: this is the one place that keeps it.
type leadRow struct {
	FirstName string     `json:"first_name,omitempty"`
	LastName  string     `json:"last_name,omitempty"`
	Phone     string     `json:"phone,omitempty"`
	Email     string     `json:"email,omitempty"`
	Address   string     `json:"address,omitempty"`
	City      string     `json:"city,omitempty"`
	State     string     `json:"state,omitempty"`
	ZIP       string     `json:"zip,omitempty"`
	Notes     string     `json:"notes,omitempty"`
	Consent   consentRow `json:"consent"`
}

func writeLead(tx *sqlstore.Tx, lead *exchange.Lead) error {
	ping, err := json.Marshal(toPingRow(&lead.Ping))
	if err != nil {
		return fmt.Errorf("lead %q: %w", lead.Offer, err)
	}
	private, err := json.Marshal(toLeadRow(lead))
	if err != nil {
		return fmt.Errorf("lead %q: %w", lead.Offer, err)
	}
	return must(tx, fmt.Sprintf("lead %q", lead.Offer),
		`INSERT INTO lead (offer, seller, body, ping, lead) VALUES (?, ?, ?, ?, ?)`,
		string(lead.Offer), lead.Seller, hex.EncodeToString(lead.Body[:]), string(ping), string(private))
}

// leadColumns are what readLead scans.
const leadColumns = `lead.offer, lead.seller, lead.body, lead.ping, lead.lead`

// leadScan holds a row of leadColumns.
type leadScan struct{ offer, seller, body, ping, lead string }

func (s *leadScan) into() []any { return []any{&s.offer, &s.seller, &s.body, &s.ping, &s.lead} }

func (s *leadScan) decode() (*exchange.Lead, error) {
	var ping pingRow
	var private leadRow
	if err := json.Unmarshal([]byte(s.ping), &ping); err != nil {
		return nil, fmt.Errorf("lead %q: its ping: %w", s.offer, err)
	}
	if err := json.Unmarshal([]byte(s.lead), &private); err != nil {
		// The cause would quote what it could not read.
		return nil, fmt.Errorf("lead %q: its private part is not what was written", s.offer)
	}
	lead := &exchange.Lead{Offer: exchange.OfferID(s.offer), Seller: s.seller, Ping: fromPingRow(ping)}
	if n, err := hex.Decode(lead.Body[:], []byte(s.body)); err != nil || n != len(lead.Body) {
		return nil, fmt.Errorf("lead %q: its body hash is not one", s.offer)
	}
	lead.Lead, lead.Consent = fromLeadRow(private), fromConsentRow(private.Consent)
	return lead, nil
}

func toPingRow(p *pingpost.Ping) pingRow {
	row := pingRow{
		Service: p.Service.String(), Task: p.Task, Job: p.Job.String(), ZIP: p.ZIP.String(), State: string(p.State),
		City: p.City, Urgency: p.Urgency.String(), Property: p.Property.String(), Homeowner: fromTri(p.Homeowner),
		Source: p.Source, SubIDs: p.SubIDs, Consent: toConsentRow(p.Consent), Test: p.Test, Attrs: p.Attrs,
	}
	if p.LeadScore.Known {
		row.LeadScore = &p.LeadScore.Value
	}
	return row
}

// fromPingRow reads a row back. A word that has left its list becomes unknown.
func fromPingRow(row pingRow) pingpost.Ping {
	p := pingpost.Ping{
		Task: row.Task, City: row.City, State: pingpost.State(row.State), Homeowner: toTri(row.Homeowner),
		Source: row.Source, SubIDs: row.SubIDs, Consent: fromConsentRow(row.Consent), Test: row.Test, Attrs: row.Attrs,
	}
	p.Service, _ = pingpost.ParseService(row.Service)
	p.Job, _ = pingpost.ParseJob(row.Job)
	p.Urgency, _ = pingpost.ParseUrgency(row.Urgency)
	p.Property, _ = pingpost.ParseProperty(row.Property)
	p.ZIP, _ = pingpost.ParseZIP(row.ZIP)
	if row.LeadScore != nil {
		p.LeadScore = pingpost.Score{Value: *row.LeadScore, Known: true}
	}
	return p
}

func toLeadRow(lead *exchange.Lead) leadRow {
	l := &lead.Lead
	row := leadRow{
		FirstName: l.FirstName.Reveal(), LastName: l.LastName.Reveal(), Phone: l.Phone.Reveal(),
		Email: l.Email.Reveal(), Address: l.Address.Reveal(), City: l.City, State: string(l.State),
		Notes: l.Notes.Reveal(), Consent: toConsentRow(lead.Consent),
	}
	if l.ZIP != 0 {
		row.ZIP = l.ZIP.String()
	}
	return row
}

func fromLeadRow(row leadRow) pingpost.Lead {
	lead := pingpost.Lead{
		FirstName: pingpost.NewPrivate(row.FirstName), LastName: pingpost.NewPrivate(row.LastName),
		Phone: pingpost.NewPrivate(row.Phone), Email: pingpost.NewPrivate(row.Email),
		Address: pingpost.NewPrivate(row.Address), City: row.City, State: pingpost.State(row.State),
		Notes: pingpost.NewPrivate(row.Notes),
	}
	lead.ZIP, _ = pingpost.ParseZIP(row.ZIP)
	return lead
}

func toConsentRow(c pingpost.Consent) consentRow {
	return consentRow{
		Agreed: fromTri(c.Agreed), TrustedFormURL: c.TrustedFormURL, TrustedFormPromised: c.TrustedFormPromised,
		LeadID: c.LeadID, LeadIDPromised: c.LeadIDPromised, GivenAt: c.GivenAt,
	}
}

func fromConsentRow(row consentRow) pingpost.Consent {
	return pingpost.Consent{
		Agreed: toTri(row.Agreed), TrustedFormURL: row.TrustedFormURL, TrustedFormPromised: row.TrustedFormPromised,
		LeadID: row.LeadID, LeadIDPromised: row.LeadIDPromised, GivenAt: row.GivenAt,
	}
}

func fromTri(t pingpost.Tri) *bool {
	if t == pingpost.Unknown {
		return nil
	}
	truth := t == pingpost.Yes
	return &truth
}

func toTri(truth *bool) pingpost.Tri {
	if truth == nil {
		return pingpost.Unknown
	}
	return pingpost.TriOf(*truth)
}
