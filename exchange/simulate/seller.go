package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// Seller brings homeowners to the intake of an exchange, as a web form's owner would. It may be
// used by several goroutines at once.
type Seller struct {
	URL    string // of the intake: http://127.0.0.1:9080/v1/leads
	Key    string // the seller's bearer key
	Client *http.Client
}

// Sale is what the exchange answered to a seller.
type Sale struct {
	Offer  string         `json:"offer_id"`
	Status string         `json:"status"` // open, sold, unsold, expired or withdrawn
	Payout pingpost.Cents `json:"payout"` // of a sold lead: the seller's share
	Reason string         `json:"reason"` // of one that was not sold
}

// saleLimit is the most that is read of an answer.
const saleLimit = 64 << 10

// Sell offers a homeowner and waits until the lead has found its buyer, or none. The same
// homeowner again is the same offer. An error tells the answer's status and never its content.
func (s *Seller) Sell(ctx context.Context, homeowner *Homeowner) (Sale, error) {
	body := bytes.NewReader(AppendLead(nil, homeowner))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"?wait=1", body)
	if err != nil {
		return Sale{}, fmt.Errorf("simulate: selling a lead: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+s.Key)
	request.Header.Set("Content-Type", "application/json")
	response, err := s.Client.Do(request)
	if err != nil {
		return Sale{}, fmt.Errorf("simulate: selling a lead: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, saleLimit))
	if err != nil {
		return Sale{}, fmt.Errorf("simulate: selling a lead: %w", err)
	}
	return ReadSale(answer, response.StatusCode)
}

// Refusal is the error for a lead that an intake did not take.
type Refusal struct {
	Status int
	Code   string // the intake's word for why: service_not_bought; "" where it gave none
}

// Error tells the status and the code.
func (r *Refusal) Error() string {
	return fmt.Sprintf("simulate: the intake answered %d %s", r.Status, r.Code)
}

// ReadSale reads the answer of an intake. The error is a *Refusal where the lead was not taken.
func ReadSale(body []byte, status int) (Sale, error) {
	var sale Sale
	if status != http.StatusOK && status != http.StatusAccepted {
		return sale, readRefusal(body, status)
	}
	if err := json.Unmarshal(body, &sale); err != nil || sale.Status == "" {
		return Sale{}, fmt.Errorf("simulate: the intake answered %d with something that is not an offer", status)
	}
	return sale, nil
}

// readRefusal reads the code of an error. It takes nothing but a word: what else stands in an
// answer may hold anything.
func readRefusal(body []byte, status int) *Refusal {
	var answer struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	isWord := func(r rune) bool { return r == '_' || (r >= 'a' && r <= 'z') }
	if json.Unmarshal(body, &answer) != nil || len(answer.Error.Code) > 40 ||
		strings.TrimFunc(answer.Error.Code, isWord) != "" {
		return &Refusal{Status: status}
	}
	return &Refusal{Status: status, Code: answer.Error.Code}
}

// nativeProfile is read once: it is part of the program, so it is either always right or never.
var nativeProfile = sync.OnceValue(func() *wire.Profile {
	profile, err := wire.Load("native")
	if err != nil {
		panic("simulate: the native profile is broken: " + err.Error())
	}
	return profile
})

// exchangesOwn are the fields of a ping that the exchange fills in by itself.
var exchangesOwn = []string{"ping_id", "tmax_ms", "auction", "exclusive", "max_sold", "sold_so_far", "floor"}

// AppendLead appends the body with which a seller brings the homeowner to an intake: what buyers
// may be shown, the contact, and the id of the ping as the seller's id of the lead.
func AppendLead(dst []byte, homeowner *Homeowner) []byte {
	shown := homeowner.Ping
	shown.Consent = homeowner.Consent
	fields := map[string]any{}
	if err := json.Unmarshal(nativeProfile().AppendPing(nil, &shown), &fields); err != nil {
		panic("simulate: the native profile wrote a ping that is not JSON: " + err.Error())
	}
	for _, name := range exchangesOwn {
		delete(fields, name)
	}
	lead := &homeowner.Lead
	fields["lead_id"] = homeowner.Ping.ID
	fields["lead"] = map[string]string{
		"first_name": lead.FirstName.Reveal(), "last_name": lead.LastName.Reveal(),
		"phone": lead.Phone.Reveal(), "email": lead.Email.Reveal(), "address": lead.Address.Reveal(),
		"city": lead.City, "state": string(lead.State), "zip": lead.ZIP.String(), "notes": lead.Notes.Reveal(),
	}
	body, err := json.Marshal(fields)
	if err != nil {
		panic("simulate: a lead that cannot be written as JSON: " + err.Error())
	}
	return append(dst, body...)
}
