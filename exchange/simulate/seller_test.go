package simulate_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"leadbid/exchange/simulate"
)

func someHomeowners(t *testing.T, count int) []simulate.Homeowner {
	t.Helper()
	start := time.Date(2026, time.March, 2, 15, 0, 0, 0, time.UTC)
	generator, err := simulate.NewGenerator(simulate.DefaultSettings(7, start))
	if err != nil {
		t.Fatal(err)
	}
	return generator.Take(count)
}

// intakeFields are the fields that an intake takes; any other is refused there.
const intakeFields = " lead_id campaign cost lead service task job zip state city urgency property_type homeowner " +
	"lead_score source sub_ids consent test attrs "

func TestLeadOfASellerHoldsWhatTheIntakeTakes(t *testing.T) {
	for _, homeowner := range someHomeowners(t, 200) {
		body := simulate.AppendLead([]byte("before"), &homeowner)
		var lead struct {
			LeadID  string            `json:"lead_id"`
			Service string            `json:"service"`
			ZIP     string            `json:"zip"`
			Lead    map[string]string `json:"lead"`
			Consent map[string]any    `json:"consent"`
		}
		var fields map[string]json.RawMessage
		text, ok := strings.CutPrefix(string(body), "before")
		if !ok || json.Unmarshal([]byte(text), &lead) != nil || json.Unmarshal([]byte(text), &fields) != nil {
			t.Fatalf("not appended, or not JSON: %s", body)
		}
		for name := range fields {
			if !strings.Contains(intakeFields, " "+name+" ") {
				t.Errorf("an intake does not take %q", name)
			}
		}
		if lead.LeadID != homeowner.Ping.ID || lead.Service != homeowner.Ping.Service.String() ||
			lead.ZIP != homeowner.Ping.ZIP.String() || lead.Lead["zip"] != homeowner.Lead.ZIP.String() ||
			lead.Lead["email"] != homeowner.Lead.Email.Reveal() || lead.Lead["phone"] != homeowner.Lead.Phone.Reveal() {
			t.Errorf("another lead: %s", text)
		}
		if url := homeowner.Consent.TrustedFormURL; url != "" && lead.Consent["trustedform_url"] != url {
			t.Errorf("the certificate is lost: %s", text)
		}
	}
}

func TestSellerWaitsForTheSale(t *testing.T) {
	homeowner := someHomeowners(t, 1)[0]
	status, answer := http.StatusOK, `{"offer_id":"o-1","status":"sold","payout":31.50}`
	intake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.String() != "/v1/leads?wait=1" ||
			r.Header.Get("Authorization") != "Bearer secret" || string(body) != string(simulate.AppendLead(nil, &homeowner)) {
			t.Errorf("%s %s: %s, %v", r.Method, r.URL, body, err)
		}
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	defer intake.Close()
	seller := simulate.Seller{URL: intake.URL + "/v1/leads", Key: "secret", Client: intake.Client()}

	sale, err := seller.Sell(context.Background(), &homeowner)
	if want := (simulate.Sale{Offer: "o-1", Status: "sold", Payout: 31_50}); err != nil || sale != want {
		t.Errorf("got %+v, %v; want %+v", sale, err, want)
	}
	for _, bad := range []struct {
		status int
		answer string
	}{{401, `{"error":{"code":"unauthorized"}}`}, {200, `{}`}, {200, `busy with 555-0100`}, {503, ``}} {
		status, answer = bad.status, bad.answer
		if sale, err := seller.Sell(context.Background(), &homeowner); err == nil || strings.Contains(err.Error(), "busy") || strings.Contains(err.Error(), "555-0100") {
			t.Errorf("%d %s was read as %+v, %v", bad.status, bad.answer, sale, err)
		}
	}
	for body, want := range map[string]string{
		`{"error":{"code":"service_not_bought","message":"no campaign"}}`: "service_not_bought",
		`{"error":{"code":"call 555-0100"}}`:                              "", `{"error":7}`: "", ``: "",
	} {
		status, answer = 422, body
		var refusal *simulate.Refusal
		_, err := seller.Sell(context.Background(), &homeowner)
		if !errors.As(err, &refusal) || *refusal != (simulate.Refusal{Status: 422, Code: want}) {
			t.Errorf("%s was read as %v", body, err)
		}
	}
	intake.Close()
	if _, err := seller.Sell(context.Background(), &homeowner); err == nil {
		t.Error("nobody there, and no error")
	}
}
