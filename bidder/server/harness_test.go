package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"leadbid/bidder/server"
	"leadbid/rules"
)

const (
	northKey = "north-0123456789abcdef0123456789"
	southKey = "south-0123456789abcdef0123456789"
)

const configuration = `
version: 1
business: {name: Test, timezone: America/Chicago, budget: {month: $5000}}
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: sqlite:data/bidder.db
mode: live
record: {dir: recordings}
exchanges:
  north: {profile: native, auth: {bearer: "${NORTH}"}, commitment: refusable, reasons: true}
  south: {profile: native, auth: {bearer: "${SOUTH}"}, commitment: binding}
campaigns:
  hvac:
    services: [hvac]
    area: {zip: 60614, miles: 25, only_states: [IL]}
    budget: {day: $400}
    capacity: {leads: {day: 50}}
    require: {consent: promised}
    rules:
      - {name: emergency, when: urgency == "emergency", bid: 50}
      - {name: other, bid: 20}
    limits: {max_bid: $60}
    delivery: [{file: leads.jsonl}]
`

// running is a bidder on the loopback, with what it logged.
type running struct {
	t      *testing.T
	dir    string
	server *server.Server
	log    *lockedBuffer
	stop   func()
}

// start runs a bidder in a folder. A folder that another one ran in gives a restart.
func start(t *testing.T, dir, text string) *running { return startWith(t, dir, text, nil) }

// startWith is start for a configuration that can be read again.
func startWith(t *testing.T, dir, text string, load server.Loader) *running {
	t.Helper()
	rs, faults := rules.Load(configFS(t, dir, text), "bidder.yaml", func(name string) (string, bool) {
		key, ok := map[string]string{"NORTH": northKey, "SOUTH": southKey}[name]
		return key, ok
	})
	if rs == nil {
		t.Fatalf("loading: %v", faults)
	}
	log := &lockedBuffer{}
	s, err := server.New(t.Context(), server.Options{
		Rules: rs, Dir: dir, Log: zerolog.New(log).Level(zerolog.DebugLevel), AllowPrivate: true, Load: load,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, dir: dir, server: s, log: log}
	r.stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// insist sends a request again where the connection was reset or broken: a server that refuses a body
// before it has read it closes the connection, and that may overtake its answer.
func insist(client *http.Client, request *http.Request) (*http.Response, error) {
	response, err := client.Do(request)
	for tries := 0; tries < 20 && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)); tries++ {
		if request.Body, err = request.GetBody(); err != nil {
			return nil, err
		}
		response, err = client.Do(request)
	}
	return response, err
}

// post sends a body and gives status and answer.
func (r *running) post(path, key, body string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequest(http.MethodPost, "http://"+r.server.Addr()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := insist(http.DefaultClient, request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// admin reads from the operator's listener.
func (r *running) admin(path string) (int, string) {
	r.t.Helper()
	response, err := http.Get("http://" + r.server.AdminAddr() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// bid is a bid as the exchange sees it.
type bid struct {
	PingID  string      `json:"ping_id"`
	Status  string      `json:"status"`
	Bid     json.Number `json:"bid"`
	BidID   string      `json:"bid_id"`
	Reason  string      `json:"reason"`
	Expires int64       `json:"expires_in_ms"`
	LeadID  string      `json:"lead_id"`
}

func (r *running) ask(id string) bid {
	r.t.Helper()
	status, answer := r.post("/v1/ping/north", northKey, pingBody(id))
	if status != http.StatusOK {
		r.t.Fatalf("a ping got %d: %s", status, answer)
	}
	return parse(r.t, answer)
}

func parse(t *testing.T, answer string) bid {
	t.Helper()
	var b bid
	if err := json.Unmarshal([]byte(answer), &b); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	return b
}

func pingBody(id string) string {
	return fmt.Sprintf(`{"ping_id":%q,"tmax_ms":2000,"service":"hvac","job":"repair","zip":"60614","state":"IL",
		"urgency":"emergency","homeowner":true,"exclusive":true,"source":"google-12",
		"consent":{"trustedform_url":"https://cert.trustedform.com/%s"},"attrs":{"system":"furnace"}}`, id, id)
}

// postBody is the full lead of a bid, of a person who is the same for the same id.
func postBody(b bid, person int) string {
	return fmt.Sprintf(`{"ping_id":%q,"bid_id":%q,"price":%s,"service":"hvac","job":"repair","exclusive":true,
		"lead":{"first_name":"Canary-First","last_name":"Canary-Last","phone":"312-555-%04d",
		"email":"canary-%d@example.com","address":"%d Canary Street","city":"Chicago","state":"IL","zip":"60614",
		"notes":"Canary-Notes"},"consent":{"trustedform_url":"https://cert.trustedform.com/%s"}}`,
		b.PingID, b.BidID, b.Bid, 100+person, person, person, b.PingID)
}

func (r *running) take(b bid, person int) (int, bid) {
	r.t.Helper()
	status, answer := r.post("/v1/post/north", northKey, postBody(b, person))
	if status != http.StatusOK {
		return status, bid{}
	}
	return status, parse(r.t, answer)
}

// deliver waits for the outbox to be empty and gives the lines of the file target.
func (r *running) deliver() []string {
	r.t.Helper()
	if err := r.server.Drain(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(r.dir, "leads.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
