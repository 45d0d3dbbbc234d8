package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"leadbid/budget/store"
	"leadbid/pingpost"
)

// payload is what a target gets of a lead, as one JSON object; a field that the exchange did not
// give is left out:
//
//	{"type":"lead.accepted","delivery_id":"...","lead_id":"...","campaign":"hvac-chicago",
//	 "exchange":"northside","ping_id":"p-1","price":41.00,"received_at":"2026-03-02T15:04:05.123Z",
//	 "test":false,"service":"hvac","job":"repair","exclusive":true,
//	 "lead":{"first_name":"..","last_name":"..","phone":"..","email":"..","address":"..",
//	         "city":"Chicago","state":"IL","zip":"60614","notes":".."},
//	 "consent":{"agreed":true,"trustedform_url":"https://cert.trustedform.com/..","leadid":".."},
//	 "attrs":{"system":"furnace"}}
//
// delivery_id is the webhook-id: the same at every attempt. price is in dollars. received_at is
// when the lead was posted, in UTC. attrs are the fields of the post that have no place of their
// own. A webhook's payload stays below maxPayload: what is too long for that loses its attrs first
// and then the ends of its longest texts, and says "trimmed":true; a file gets it whole.
type payload struct {
	Type       string         `json:"type"`
	DeliveryID string         `json:"delivery_id"`
	LeadID     string         `json:"lead_id"`
	Campaign   string         `json:"campaign"`
	Exchange   string         `json:"exchange"`
	PingID     string         `json:"ping_id"`
	Price      pingpost.Cents `json:"price"`
	ReceivedAt time.Time      `json:"received_at"`
	Test       bool           `json:"test"`
	Service    string         `json:"service,omitempty"`
	Job        string         `json:"job,omitempty"`
	Exclusive  bool           `json:"exclusive"`
	Lead       contact        `json:"lead"`
	Consent    consent        `json:"consent"`
	Attrs      attrs          `json:"attrs,omitempty"`
	Trimmed    bool           `json:"trimmed,omitempty"`
}

type contact struct {
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Phone     string `json:"phone,omitempty"`
	Email     string `json:"email,omitempty"`
	Address   string `json:"address,omitempty"`
	City      string `json:"city,omitempty"`
	State     string `json:"state,omitempty"`
	ZIP       string `json:"zip,omitempty"`
	Notes     string `json:"notes,omitempty"`
}

type consent struct {
	Agreed         *bool  `json:"agreed,omitempty"`
	TrustedFormURL string `json:"trustedform_url,omitempty"`
	LeadID         string `json:"leadid,omitempty"`
}

// attrs are written by name; of two with one name the later wins.
type attrs map[string]json.RawMessage

// maxPayload is the size that the Standard Webhooks specification asks senders to stay below.
const maxPayload = 20_000

// encode writes the payload of a delivery as one line without its newline. limit bounds its bytes;
// 0 is no bound.
func encode(delivery store.Delivery, limit int) ([]byte, error) {
	full := newPayload(delivery)
	line, err := marshal(full)
	if err != nil || limit == 0 || len(line) < limit {
		return line, err
	}
	full.Attrs, full.Trimmed = nil, true
	for texts := 16 << 10; texts >= 64; texts /= 2 {
		full.clip(texts)
		if line, err = marshal(full); err != nil || len(line) < limit {
			return line, err
		}
	}
	return nil, fmt.Errorf("the payload is %d bytes, at most %d are sent", len(line), limit)
}

func newPayload(delivery store.Delivery) payload {
	lead, post := delivery.Lead, delivery.Lead.Post
	p := payload{
		Type: "lead.accepted", DeliveryID: delivery.ID, LeadID: delivery.LeadID,
		Campaign: delivery.Campaign, Exchange: lead.Exchange, PingID: lead.PingID,
		Price: lead.Price, ReceivedAt: lead.At.UTC(), Test: post.Test,
		Service: post.Service.String(), Job: post.Job.String(), Exclusive: post.Exclusive,
		Lead: contact{
			FirstName: post.Lead.FirstName.Reveal(), LastName: post.Lead.LastName.Reveal(),
			Phone: post.Lead.Phone.Reveal(), Email: post.Lead.Email.Reveal(),
			Address: post.Lead.Address.Reveal(), City: post.Lead.City, State: string(post.Lead.State),
			ZIP: post.ZIP.String(), Notes: post.Lead.Notes.Reveal(),
		},
		Consent: consent{TrustedFormURL: post.Consent.TrustedFormURL, LeadID: post.Consent.LeadID},
	}
	if post.Consent.Agreed != pingpost.Unknown {
		agreed := post.Consent.Agreed == pingpost.Yes
		p.Consent.Agreed = &agreed
	}
	for _, attr := range post.Attrs {
		if p.Attrs == nil {
			p.Attrs = attrs{}
		}
		p.Attrs[attr.Name] = attrValue(attr)
	}
	return p
}

// attrValue is an attribute as it was written: what is not text is JSON already.
func attrValue(attr pingpost.Attr) json.RawMessage {
	if attr.Kind != pingpost.AttrText && json.Valid([]byte(attr.Value)) {
		return json.RawMessage(attr.Value)
	}
	text, _ := json.Marshal(attr.Value) // a string always marshals
	return text
}

// clip cuts every text of the lead to at most so many bytes.
func (p *payload) clip(most int) {
	for _, text := range []*string{
		&p.Lead.Notes, &p.Lead.Address, &p.Lead.FirstName, &p.Lead.LastName, &p.Lead.Phone, &p.Lead.Email,
		&p.Lead.City, &p.Consent.TrustedFormURL, &p.Consent.LeadID,
	} {
		if len(*text) > most {
			end := most
			for end > 0 && !utf8.RuneStart((*text)[end]) {
				end--
			}
			*text = strings.Clone((*text)[:end])
		}
	}
}

func marshal(p payload) ([]byte, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(p); err != nil {
		return nil, fmt.Errorf("writing the payload: %w", err)
	}
	return bytes.TrimSuffix(line.Bytes(), []byte("\n")), nil
}
