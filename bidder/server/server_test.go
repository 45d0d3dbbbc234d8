package server_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"leadbid/bidder"
	"leadbid/bidder/backtest"
	"leadbid/bidder/server"
	"leadbid/budget/store"
	"leadbid/internal/httpguard"
	"leadbid/internal/sqlstore"
	"leadbid/rules"
)

func configFS(t *testing.T, _, text string) fs.FS {
	t.Helper()
	return fstest.MapFS{"bidder.yaml": {Data: []byte(text)}}
}

func TestPingToDeliveredLead(t *testing.T) {
	r := start(t, t.TempDir(), configuration)
	b := r.ask("p-1")
	if b.Status != "bid" || b.Bid != "50.00" || b.Expires <= 0 || len(b.BidID) > 96 {
		t.Fatalf("got %+v, want a bid of 50.00", b)
	}
	status, verdict := r.take(b, 1)
	if status != http.StatusOK || verdict.Status != "accepted" || verdict.LeadID == "" {
		t.Fatalf("the post got %d %+v, want accepted", status, verdict)
	}
	lines := r.deliver()
	if len(lines) != 1 || !strings.Contains(lines[0], verdict.LeadID) || !strings.Contains(lines[0], "312-555-0101") {
		t.Fatalf("delivered %q, want the one lead with its contact", lines)
	}
	counts, err := r.server.Store().Counts(t.Context())
	if err != nil || counts.Leads != 1 || counts.Charged != 50_00 || counts.Delivered != 1 {
		t.Errorf("the books say %+v (%v), want one lead of $50, delivered", counts, err)
	}
}

// What an exchange says of the job beyond the fields that have a place of their own was bought, too.
func TestAttributesOfThePostAreDelivered(t *testing.T) {
	r := start(t, t.TempDir(), configuration)
	b := r.ask("p-1")
	body := strings.Replace(postBody(b, 1), `"consent":`, `"attrs":{"system":"furnace","windows":12,"rooms":["attic"]},"consent":`, 1)
	if status, answer := r.post("/v1/post/north", northKey, body); status != http.StatusOK || parse(t, answer).Status != "accepted" {
		t.Fatalf("the post got %d %s, want accepted", status, answer)
	}
	want := `"attrs":{"rooms":["attic"],"system":"furnace","windows":12}`
	if lines := r.deliver(); len(lines) != 1 || !strings.Contains(lines[0], want) {
		t.Errorf("delivered %q, want it with %s", lines, want)
	}
}

func TestRepeatedPingAndPost(t *testing.T) {
	r := start(t, t.TempDir(), configuration)
	first, again := r.ask("p-1"), r.ask("p-1")
	if again.BidID != first.BidID || again.Bid != first.Bid || again.Expires > first.Expires {
		t.Fatalf("the same ping got %+v, then %+v", first, again)
	}
	_, one := r.take(first, 1)
	_, two := r.take(first, 1)
	if one != two || one.Status != "accepted" {
		t.Fatalf("the same post got %+v, then %+v", one, two)
	}
	if status, _ := r.take(first, 2); status != http.StatusConflict {
		t.Errorf("another body under the same bid got %d, want 409", status)
	}
	counts, _ := r.server.Store().Counts(t.Context())
	if counts.Leads != 1 || counts.Charged != 50_00 {
		t.Errorf("charged %s for %d leads, want one charge of $50", counts.Charged, counts.Leads)
	}
}

func TestSamePersonIsBoughtOnce(t *testing.T) {
	r := start(t, t.TempDir(), configuration)
	r.take(r.ask("p-1"), 1)
	if _, verdict := r.take(r.ask("p-2"), 1); verdict.Status != "rejected" || verdict.Reason != "duplicate_lead" {
		t.Errorf("the same person again got %+v, want rejected, duplicate_lead", verdict)
	}
}

func TestForgedAndForeignBids(t *testing.T) {
	r := start(t, t.TempDir(), configuration)
	b := r.ask("p-1")
	forged := b
	forged.BidID = b.BidID[:len(b.BidID)-1] + "x"
	if forged.BidID == b.BidID {
		forged.BidID = b.BidID[:len(b.BidID)-1] + "y"
	}
	if _, verdict := r.take(forged, 1); verdict.Reason != "bid_unknown" {
		t.Errorf("a forged bid id got %+v, want bid_unknown", verdict)
	}
	if _, answer := r.post("/v1/post/south", southKey, postBody(b, 1)); parse(t, answer).Reason != "bid_unknown" {
		t.Errorf("another exchange's bid id got %s, want bid_unknown", answer)
	}
	dearer := b
	dearer.Bid = "50.01"
	if _, verdict := r.take(dearer, 1); verdict.Reason != "price_mismatch" {
		t.Errorf("a price above the bid got %+v, want price_mismatch", verdict)
	}
}

func TestNotices(t *testing.T) {
	r := start(t, t.TempDir(), configuration)
	notice := func(b bid, outcome string) (int, string) {
		return r.post("/v1/notice/north", northKey,
			`{"ping_id":"`+b.PingID+`","bid_id":"`+b.BidID+`","outcome":"`+outcome+`"}`)
	}
	// A lost bid frees its hold: far more bids than the day's budget has room for at one time.
	for i := range 30 {
		b := r.ask("lost-" + fmt.Sprint(i))
		if b.Status != "bid" {
			t.Fatalf("bid %d: %s", i, b.Reason)
		}
		if status, answer := notice(b, "lost"); status != http.StatusOK {
			t.Fatalf("a loss notice got %d %s", status, answer)
		}
	}
	// A voided bid is refused from then on.
	voided := r.ask("voided")
	if status, answer := notice(voided, "voided"); status != http.StatusOK || answer != `{"ping_id":"voided","outcome":"voided","status":"ok"}` {
		t.Fatalf("a voided notice got %d %s", status, answer)
	}
	if _, verdict := r.take(voided, 7); verdict.Reason != "voided" {
		t.Errorf("a voided bid's post got %+v, want voided", verdict)
	}
	// A returned lead gives its money back, once.
	returned := r.ask("returned")
	r.take(returned, 8)
	for range 2 {
		if status, answer := notice(returned, "returned"); status != http.StatusOK {
			t.Fatalf("a returned notice got %d %s", status, answer)
		}
	}
	counts, _ := r.server.Store().Counts(t.Context())
	if counts.Charged != 50_00 || counts.Credited != 50_00 || counts.Returned != 1 {
		t.Errorf("the books say %+v, want $50 charged and credited once", counts)
	}
	if status, _ := notice(bid{PingID: "x", BidID: "y"}, "lost"); status != http.StatusNotFound {
		t.Errorf("a notice for a bid that is not ours got %d, want 404", status)
	}
}

func TestBadInput(t *testing.T) {
	r := start(t, t.TempDir(), configuration)
	f := func(name, path, key, body string, status int, want string) {
		t.Helper()
		got, answer := r.post(path, key, body)
		if got != status || !strings.Contains(answer, want) {
			t.Errorf("%s: got %d %s, want %d and %q", name, got, answer, status, want)
		}
	}
	ping := "/v1/ping/north"
	f("no JSON", ping, northKey, `{"ping_id":`, 400, "malformed")
	f("wrong type", ping, northKey, `{"ping_id":"p","service":7,"zip":"60614"}`, 400, `"field":"service"`)
	f("four digits", ping, northKey, `{"ping_id":"p","service":"hvac","zip":"6061"}`, 400, `"field":"zip"`)
	f("a ZIP as a number", ping, northKey, `{"ping_id":"p","service":"hvac","zip":60614}`, 400, `"field":"zip"`)
	f("no id", ping, northKey, `{"service":"hvac","zip":"60614"}`, 400, `"field":"ping_id"`)
	f("unknown fields are kept, not refused", ping, northKey,
		`{"ping_id":"u","service":"hvac","zip":"60614","moon":"full","consent":{"leadid_promised":true}}`, 200, `"status":"bid"`)
	f("wrong key", ping, southKey, pingBody("p"), 401, "unauthorized")
	f("no key", ping, "", pingBody("p"), 401, "unauthorized")
	f("unknown exchange", "/v1/ping/west", northKey, pingBody("p"), 401, "unauthorized")
	f("unknown route", "/v2/ping/north", northKey, pingBody("p"), 404, "not_found")
	f("oversized ping", ping, northKey, `{"ping_id":"`+strings.Repeat("x", 33<<10)+`"}`, 413, "")
	f("oversized post", "/v1/post/north", northKey, `{"ping_id":"`+strings.Repeat("x", 65<<10)+`"}`, 413, "")
	f("malformed post", "/v1/post/north", northKey, `[]`, 400, "malformed")
	f("malformed notice", "/v1/notice/north", northKey, `{"outcome":"maybe"}`, 400, "invalid_field")
	if status, answer := r.admin("/metrics"); status != 200 || !strings.Contains(answer, "bidder_bad_input_total") {
		t.Errorf("the metrics do not count bad input: %d", status)
	}
}

func TestLateAnswerIsNoBidAndHoldsNothing(t *testing.T) {
	r := start(t, t.TempDir(), configuration)
	for i := range 30 {
		body := strings.Replace(pingBody("late-"+fmt.Sprint(i)), `"tmax_ms":2000`, `"tmax_ms":1`, 1)
		if _, answer := r.post("/v1/ping/north", northKey, body); parse(t, answer).Reason != "late" {
			t.Fatalf("ping %d with 1 ms left got %s, want late", i, answer)
		}
	}
	if b := r.ask("in-time"); b.Status != "bid" {
		t.Errorf("after late bids: %+v, want a bid: their holds are freed", b)
	}
}

func TestReasonsOnlyWhereConfigured(t *testing.T) {
	r := start(t, t.TempDir(), configuration)
	body := strings.Replace(pingBody("p"), `"hvac"`, `"roofing"`, 1)
	if _, answer := r.post("/v1/ping/north", northKey, body); parse(t, answer).Reason != "service_not_bought" {
		t.Errorf("north got %s, want the reason", answer)
	}
	if _, answer := r.post("/v1/ping/south", southKey, body); parse(t, answer).Reason != "" {
		t.Errorf("south got %s, want no reason", answer)
	}
}

func TestStoreAway(t *testing.T) {
	r := start(t, t.TempDir(), configuration+"outcomes: {key: \"${SOUTH}\"}\n")
	b := r.ask("p-1")
	if err := r.server.Store().Close(); err != nil {
		t.Fatal(err)
	}
	if status, _ := r.take(b, 1); status != http.StatusServiceUnavailable {
		t.Errorf("a post without books got %d, want 503", status)
	}
	for path, body := range map[string]string{
		"/-/dispute": `{"lead":"l-1","reason":"bad_phone"}`, "/-/keys/rotate": "", "/v1/outcomes": `{"lead_id":"l-1","outcome":"lost"}`,
	} {
		request, err := http.NewRequest(http.MethodPost, "http://"+r.server.AdminAddr()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+southKey)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			t.Errorf("%s without books got %d, Retry-After %q", path, response.StatusCode, response.Header.Get("Retry-After"))
		}
	}
	if again := r.ask("p-2"); again.Status != "bid" {
		t.Errorf("with a lease in hand: %+v, want a bid", again)
	}
	select {
	case err := <-r.server.Lost():
		if !errors.Is(err, sqlstore.ErrAway) {
			t.Errorf("the books are lost by %v", err)
		}
	case <-time.After(patience):
		t.Error("nobody was told that the books take nothing more")
	}
	_, status := r.admin("/status")
	for _, want := range []string{
		`"state":"store away"`, `"caps":null`, `"books":null`, `"returns":null`, `"pacing":{"lines":[]`,
	} {
		if !strings.Contains(status, want) {
			t.Errorf("the status has no %s: %s", want, status)
		}
	}
}

func TestPauseFileWorksOnARunningBidder(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, configuration)
	path := filepath.Join(dir, pauseFile(t))
	if err := server.WritePauses(path, bidder.Pauses{All: true}); err != nil {
		t.Fatal(err)
	}
	await(t, "the pause", func() bool { return r.ask("paused").Reason == "paused" })
	if err := server.WritePauses(path, bidder.Pauses{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the pause", func() bool { return r.ask("resumed").Status == "bid" })
	if _, status := r.admin("/status"); !strings.Contains(status, `"state":"live"`) {
		t.Errorf("the status says %s", status)
	}
}

func pauseFile(t *testing.T) string {
	rs, _ := rules.Load(configFS(t, "", configuration), "bidder.yaml", func(name string) (string, bool) { return northKey + name, true })
	if rs == nil {
		t.Fatal("the configuration does not load")
	}
	return rs.Settings().PauseFile
}

// patience is how long a test waits for what must come: it ends a test that fails, and tells nothing of speed.
const patience = time.Minute

// await polls a condition of another goroutine's making.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s did not come within %v", what, patience)
		case <-tick.C:
		}
	}
}

func TestRestartKeepsTheBooks(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, configuration)
	b := r.ask("p-1")
	_, accepted := r.take(b, 1)
	open := r.ask("p-2")
	r.stop()

	again := start(t, dir, configuration)
	if _, verdict := again.take(b, 1); verdict != accepted {
		t.Errorf("after a restart the same post got %+v, want %+v", verdict, accepted)
	}
	if _, verdict := again.take(open, 2); verdict.Status != "accepted" {
		t.Errorf("a bid of the former run got %+v, want accepted", verdict)
	}
	if lines := again.deliver(); len(lines) != 2 {
		t.Errorf("%d leads delivered, want 2", len(lines))
	}
	report, err := again.server.Store().Verify(t.Context())
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("verify: %v %v", report.Findings, err)
	}
}

// TestRecordedTrafficReplaysEqual is the acceptance of the recording: live traffic over HTTP, in
// parallel, replayed by the same code, gives the same bytes.
func TestRecordedTrafficReplaysEqual(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, configuration)
	done := make(chan struct{})
	for worker := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 60 {
				b := r.ask(fmt.Sprintf("w%d-%d", worker, i))
				switch {
				case b.Status != "bid":
				case i%5 == 0:
					r.take(b, worker*1000+i)
				default:
					r.post("/v1/notice/north", northKey, `{"ping_id":"`+b.PingID+`","bid_id":"`+b.BidID+`","outcome":"lost"}`)
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
	r.stop()
	segments, err := backtest.Segments(filepath.Join(dir, "recordings"))
	if err != nil {
		t.Fatal(err)
	}
	otherKeys := func(name string) (string, bool) { return name + northKey, true }
	rs, _ := rules.Load(configFS(t, dir, configuration), "bidder.yaml", otherKeys)
	report, err := backtest.Replay(t.Context(), rs, segments, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Identical() || report.Uncompared > 0 || report.Pings != 240 {
		t.Fatalf("got %+v, want 240 pings, all the same", report)
	}
	counts := books(t, dir)
	if report.Spend != counts.Charged || report.Wins != counts.Leads {
		t.Errorf("the recording says %d wins for %s, the books %d for %s", report.Wins, report.Spend, counts.Leads, counts.Charged)
	}
}

func books(t *testing.T, dir string) store.Counts {
	t.Helper()
	opened, err := server.ReadStore(t.Context(), "sqlite:data/bidder.db", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	counts, err := opened.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// TestPersonalDataStaysIn greps everything that the bidder says for the words of one lead.
func TestPersonalDataStaysIn(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, configuration)
	b := r.ask("p-1")
	_, answer := r.post("/v1/post/north", northKey, postBody(b, 1))
	_, again := r.post("/v1/post/north", northKey, postBody(b, 2))
	r.deliver()
	_, metrics := r.admin("/metrics")
	_, status := r.admin("/status")
	r.stop()
	said := answer + again + metrics + status + r.log.String()
	for _, secret := range []string{"Canary", "canary-1", "555-0101", northKey, southKey} {
		if strings.Contains(said, secret) {
			t.Errorf("%q got out", secret)
		}
	}
	segments, _ := filepath.Glob(filepath.Join(dir, "recordings", "*"))
	for _, path := range segments {
		if text := decompress(t, path); strings.Contains(text, "anary") || strings.Contains(text, "555-01") {
			t.Errorf("%s holds personal data", filepath.Base(path))
		}
	}
	if len(segments) == 0 {
		t.Error("nothing was recorded")
	}
}

func TestRefusesToListenWithoutTheFolder(t *testing.T) {
	rs, _ := rules.Load(configFS(t, "", strings.Replace(configuration, "sqlite:data/bidder.db", "sqlite:blocked/bidder.db", 1)),
		"bidder.yaml", func(name string) (string, bool) { return name + northKey, true })
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "blocked"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := server.New(t.Context(), server.Options{Rules: rs, Dir: dir}); err == nil {
		t.Error("a bidder started without its books")
	}
}

// A delivery into a pipe would fail at its first lead, and at every one after it.
func TestRefusesADeliveryThatTakesNoLeads(t *testing.T) {
	rs, faults := rules.Load(configFS(t, "", strings.Replace(configuration, "leads.jsonl", os.DevNull, 1)),
		"bidder.yaml", func(name string) (string, bool) { return name + northKey, true })
	if rs == nil {
		t.Fatal(faults)
	}
	_, err := server.New(t.Context(), server.Options{Rules: rs, Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "such as leads.jsonl") {
		t.Errorf("New: %v", err)
	}
}

func TestLostListenerIsToldOf(t *testing.T) {
	r := start(t, t.TempDir(), configuration)
	if err := r.server.CutListener(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-r.server.Lost():
		if !errors.Is(err, net.ErrClosed) || errors.Is(err, server.ErrBooksLost) {
			t.Errorf("it is lost by %v", err)
		}
	case <-time.After(patience):
		t.Fatal("nobody was told that no ping can come in any more")
	}
	if status, why := r.admin("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(why, "pings ended by itself") {
		t.Errorf("without a listener for pings it is ready with %d %s", status, why)
	}
	if !strings.Contains(r.log.String(), "pings ended by itself") {
		t.Errorf("the log says nothing of it: %s", r.log)
	}
}

func TestPingsOverTLS(t *testing.T) {
	dir := t.TempDir()
	trusting := writeCertificate(t, dir)
	text := strings.Replace(configuration, `admin: "127.0.0.1:0"}`, `admin: "127.0.0.1:0", tls: {cert: cert.pem, key: key.pem}}`, 1)
	r := start(t, dir, text)
	if url := r.server.URL(); url != "https://"+r.server.Addr() {
		t.Errorf("it says that pings are answered at %s", url)
	}
	request, err := http.NewRequest(http.MethodPost, r.server.URL()+"/v1/ping/north", strings.NewReader(pingBody("p-1")))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+northKey)
	response, err := trusting.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err := io.ReadAll(response.Body); err != nil || parse(t, string(answer)).Status != "bid" {
		t.Errorf("a ping over TLS got %s, %v", answer, err)
	}
}

// writeCertificate puts cert.pem and key.pem into a folder and gives a client that trusts them.
func writeCertificate(t *testing.T, dir string) *http.Client {
	t.Helper()
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(lender.Close)
	pair := lender.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return lender.Client()
}

// TestFailedStartLeasesNothing takes an address away from a bidder, as a second one does on the same
// machine: what it leased would be missing to the others until the leases end.
func TestFailedStartLeasesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, key := range []string{"listen", "admin"} {
		dir := t.TempDir()
		text := strings.Replace(configuration, key+`: "127.0.0.1:0"`, key+`: "`+taken.Addr().String()+`"`, 1)
		rs, _ := rules.Load(configFS(t, dir, text), "bidder.yaml", func(name string) (string, bool) { return name + northKey, true })
		s, err := server.New(t.Context(), server.Options{Rules: rs, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context()); err == nil {
			t.Errorf("%s: it listens where another does", key)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("%s: closing: %v", key, err)
		}
		if counts := books(t, dir); counts.OpenLeases != 0 {
			t.Errorf("%s: after a start that failed %d leases are open", key, counts.OpenLeases)
		}
	}
}

func TestRefusesToListenWithoutItsCertificate(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	refuses := func(cert, key string) {
		t.Helper()
		tls := fmt.Sprintf(`admin: "127.0.0.1:0", tls: {cert: %s, key: %s}}`, cert, key)
		rs, _ := rules.Load(configFS(t, dir, strings.Replace(configuration, `admin: "127.0.0.1:0"}`, tls, 1)), "bidder.yaml",
			func(name string) (string, bool) { return name + northKey, true })
		s, err := server.New(t.Context(), server.Options{Rules: rs, Dir: dir})
		if err == nil {
			_ = s.Close(t.Context())
		}
		if !errors.Is(err, httpguard.ErrCertificate) {
			t.Errorf("with %s and %s: %v", cert, key, err)
		}
	}
	refuses("nowhere.pem", "key.pem")
	refuses("cert.pem", "nowhere.pem")
	refuses("key.pem", "cert.pem")
	if _, err := os.Stat(filepath.Join(dir, "data")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it opened the books before: %v", err)
	}
}
