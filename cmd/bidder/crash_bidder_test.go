package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadbid/bidder/backtest"
	"leadbid/bidder/server"
	"leadbid/budget/store"
	"leadbid/internal/cli"
	"leadbid/internal/scripttest"
)

// leashed is the name under which TestMain installs runLeashed.
const leashed = "bidder-on-a-leash"

// runLeashed is the program in a process of its own, which ends with the test: the test holds the
// other end of its input, and lets go of it however it ends.
func runLeashed() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(int(cli.CodeFailure))
	}()
	main()
}

const (
	exchangeKey = "exchange-0123456789abcdef0123456789"
	crmSecret   = "whsec_bm90IGEgc2VjcmV0LCBidXQgbG9uZyBlbm91Z2g="
	leadsFile   = "leads.jsonl"
)

// contractorConfig buys in two campaigns, one of them with a cap on leads. Bids live for seconds, so
// that the leases of a killed run come back within the test, and caps are large, as until then what
// those hold cannot be bid. A large max_bid makes leases that last for more than a bid or two.
const contractorConfig = `
version: 1
business: {name: Often Killed, timezone: America/Chicago, budget: {month: $100000000}}
server: {listen: "${LISTEN}", admin: "${ADMIN}"}
store: sqlite:data/bidder.db
mode: live
record: {dir: recordings}
exchanges:
  northside:
    profile: native
    auth: {bearer: "${EXCHANGE_KEY}"}
    commitment: refusable
    bid_ttl: 5s
    hold_for: 1s
    grace: 1s
    auction: second
    tells: price
    reasons: true
    budget: {day: $50000000}
campaigns:
  comfort:
    services: [hvac, plumbing, electrical]
    area: {zip: 60614, miles: 40, only_states: [IL, IN]}
    budget: {day: $20000000}
    rules: [{name: all, bid: "60 + 0.3 * (lead_score ?? 50)"}]
    limits: {max_bid: $600}
    delivery:
      - {webhook: {url: "${CRM_URL}", secret: "${CRM_SECRET}"}}
      - {file: leads.jsonl}
  exterior:
    services: [roofing, windows, siding, gutters, tree, garage_door, pest, handyman]
    area: {zip: 60614, miles: 40, only_states: [IL, IN]}
    budget: {day: $20000000}
    capacity: {leads: {day: 500000}}
    rules: [{name: all, bid: "80 + 0.5 * (lead_score ?? 50)"}]
    limits: {max_bid: $600}
    delivery:
      - {webhook: {url: "${CRM_URL}", secret: "${CRM_SECRET}"}}
      - {file: leads.jsonl}
`

// contractor is a bidder's folder and the process that runs on it.
type contractor struct {
	process
	dir    string
	config string
	store  string // as the configuration names it
	listen string // the same in every life
}

func newBidder(t *testing.T, crmURL string) *contractor {
	t.Helper()
	dir := t.TempDir()
	c := &contractor{dir: dir, config: filepath.Join(dir, "bidder.yaml"), store: "sqlite:data/bidder.db", listen: scripttest.FixedAddress(t)}
	c.process = process{
		t: t, words: []string{leashed, "serve", "--config", c.config, "--allow-private", "--log-level", "warn"},
		announces: "answering pings at",
		env: map[string]string{
			"LISTEN": c.listen, "ADMIN": scripttest.FixedAddress(t), "EXCHANGE_KEY": exchangeKey,
			"CRM_URL": crmURL, "CRM_SECRET": crmSecret,
		},
	}
	if err := os.WriteFile(c.config, []byte(contractorConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.killIfAlive)
	return c
}

// url is where the bidder is asked.
func (c *contractor) url() string { return "http://" + c.listen }

// run runs one of the program's commands in this process.
func (c *contractor) run(args ...string) (code int, stdout, stderr string) {
	var out, words bytes.Buffer
	args = append(args, "--config", c.config, "--output", "json")
	code = program.Main(c.t.Context(), args, strings.NewReader(""), &out, &words, func(name string) string { return c.env[name] })
	return code, out.String(), words.String()
}

func (c *contractor) verify() {
	c.t.Helper()
	if code, out, words := c.run("verify"); code != int(cli.CodeOK) {
		c.t.Errorf("bidder verify exits %d: %s\n%s", code, words, out)
	}
}

func (c *contractor) backtest() (report backtest.Report) {
	c.t.Helper()
	code, out, words := c.run("backtest")
	if err := json.Unmarshal([]byte(out), &report); code != int(cli.CodeOK) || err != nil {
		c.t.Errorf("bidder backtest exits %d: %s\n%s", code, words, out)
	}
	return report
}

// awaitDelivered waits until the running bidder owes nobody anything.
func (c *contractor) awaitDelivered() {
	c.t.Helper()
	for owed := c.owed(); owed > 0; {
		least := owed
		if !waitFor(patience, func() bool { owed = c.owed(); return owed < least }) {
			c.t.Errorf("%d deliveries are owed, and in %v it became none fewer", owed, patience)
			return
		}
	}
}

// owed is how many deliveries `bidder status` says are owed. It is asked again where the bidder, or its books,
// are too busy to answer it in time.
func (c *contractor) owed() int64 {
	c.t.Helper()
	var code int
	var out, words string
	var status server.Status
	told := waitFor(patience, func() bool {
		code, out, words = c.run("status")
		return code == int(cli.CodeOK) && json.Unmarshal([]byte(out), &status) == nil && status.Books != nil
	})
	if !told {
		c.t.Fatalf("bidder status exits %d: %s\n%s", code, words, c.said)
	}
	return int64(status.Books.Owed)
}

// books opens what the bidder left, to read.
func (c *contractor) books() store.Store {
	c.t.Helper()
	books, err := server.ReadStore(c.t.Context(), c.store, c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	return books
}

// leads are all leads in the books, by the id of the ping.
func (c *contractor) leads() map[string]store.Lead {
	c.t.Helper()
	books := c.books()
	defer books.Close()
	all, err := books.Leads(c.t.Context(), store.LeadFilter{Max: 1 << 30})
	if err != nil {
		c.t.Fatal(err)
	}
	leads := map[string]store.Lead{}
	for _, lead := range all {
		if former, twice := leads[lead.PingID]; twice {
			c.t.Errorf("ping %s has two leads, %s and %s", lead.PingID, former.ID, lead.ID)
		}
		leads[lead.PingID] = lead
	}
	return leads
}

func (c *contractor) counts() store.Counts {
	c.t.Helper()
	books := c.books()
	defer books.Close()
	counts, err := books.Counts(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return counts
}

// filed tells how often each lead is in the file, by its id.
func (c *contractor) filed() map[string]int {
	c.t.Helper()
	filed := map[string]int{}
	file, err := os.Open(filepath.Join(c.dir, leadsFile))
	if err != nil {
		c.t.Error(err)
		return filed
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		filed[leadOf(c.t, "", lines.Bytes())]++
	}
	if err := lines.Err(); err != nil {
		c.t.Error(err)
	}
	return filed
}
