package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"leadbid/bidder/backtest"
	"leadbid/bidder/server"
	"leadbid/budget/store"
	"leadbid/internal/cli"
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
	t      *testing.T
	dir    string
	config string
	listen string   // the same in every life
	under  []string // a command that the program is run under, with its arguments
	env    map[string]string

	command *exec.Cmd
	input   io.Closer
	said    *console
	ended   chan struct{} // closed when the process has ended
	stopped bool          // it was ended by us
	started time.Time

	starts   int // that were waited for
	starting time.Duration
}

func newBidder(t *testing.T, crmURL string) *contractor {
	t.Helper()
	dir := t.TempDir()
	c := &contractor{t: t, dir: dir, config: filepath.Join(dir, "bidder.yaml"), listen: fixedAddress(t)}
	c.env = map[string]string{
		"LISTEN": c.listen, "ADMIN": fixedAddress(t), "EXCHANGE_KEY": exchangeKey,
		"CRM_URL": crmURL, "CRM_SECRET": crmSecret,
	}
	if err := os.WriteFile(c.config, []byte(contractorConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.command != nil && !c.stopped {
			c.kill()
		}
	})
	return c
}

// start starts a process and does not wait for it to answer.
func (c *contractor) start() {
	c.t.Helper()
	c.said, c.ended, c.stopped, c.started = newConsole(), make(chan struct{}), false, time.Now()
	words := append(slices.Clone(c.under), leashed, "serve", "--config", c.config, "--allow-private", "--log-level", "warn")
	c.command = exec.Command(words[0], words[1:]...)
	c.command.Env = os.Environ()
	for name, value := range c.env {
		c.command.Env = append(c.command.Env, name+"="+value)
	}
	c.command.Stderr = c.said
	input, err := c.command.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	c.input = input
	if err := c.command.Start(); err != nil {
		c.command = nil
		c.t.Fatal(err)
	}
	go func(command *exec.Cmd, ended chan struct{}) {
		_ = command.Wait() // how it ended is in its state
		close(ended)
	}(c.command, c.ended)
}

// patience bounds every wait for a process; none of them takes a second on an idle machine.
const patience = time.Minute

func (c *contractor) awaitReady() {
	c.t.Helper()
	select {
	case <-c.said.ready:
		c.starts++
		c.starting += c.said.readyAt.Sub(c.started)
	case <-c.ended:
		c.endedByItself()
	case <-time.After(patience):
		c.t.Fatalf("the bidder does not answer %v after its start; it said:\n%s", patience, c.said)
	}
}

// meanStart is how long the starts took that were waited for.
func (c *contractor) meanStart() time.Duration {
	return (c.starting / time.Duration(c.starts)).Round(time.Millisecond)
}

// live lets time pass in which the bidder must not end.
func (c *contractor) live(length time.Duration) {
	c.t.Helper()
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ended:
		c.endedByItself()
	}
}

func (c *contractor) endedByItself() {
	c.t.Helper()
	c.stopped = true
	c.t.Fatalf("the bidder ended by itself: %v; it said:\n%s", c.command.ProcessState, c.said)
}

// kill ends the process without giving it a moment, by SIGKILL where there is one.
func (c *contractor) kill() {
	c.t.Helper()
	if err := c.command.Process.Kill(); err != nil {
		c.t.Errorf("killing: %v", err)
	}
	c.awaitEnd()
	if state := c.command.ProcessState; state.Exited() {
		c.t.Errorf("the bidder ended by itself before it was killed: %v; it said:\n%s", state, c.said)
	}
}

// stop asks the process to end, as Ctrl-C does.
func (c *contractor) stop() {
	c.t.Helper()
	if err := c.command.Process.Signal(os.Interrupt); err != nil {
		c.t.Fatalf("stopping: %v", err)
	}
	c.awaitEnd()
	if code := c.command.ProcessState.ExitCode(); code != int(cli.CodeOK) {
		c.t.Errorf("the bidder was asked to stop and exited with %d; it said:\n%s", code, c.said)
	}
}

func (c *contractor) awaitEnd() {
	c.t.Helper()
	c.stopped = true
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.t.Fatalf("process %d is still there after %v", c.command.Process.Pid, patience)
	}
	_ = c.input.Close() // the process is gone, and with it the other end
}

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
	var status server.Status
	delivered := waitFor(patience, func() bool {
		code, out, words := c.run("status")
		if err := json.Unmarshal([]byte(out), &status); code != int(cli.CodeOK) || err != nil {
			c.t.Fatalf("bidder status exits %d: %s\n%s", code, words, c.said)
		}
		return status.Books.Owed == 0
	})
	if !delivered {
		c.t.Errorf("%d deliveries are owed after %v", status.Books.Owed, patience)
	}
}

// books opens what the bidder left, to read.
func (c *contractor) books() store.Store {
	c.t.Helper()
	books, err := server.ReadStore(c.t.Context(), "sqlite:data/bidder.db", c.dir)
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

// console keeps the end of what a process says, and notices when it is ready.
type console struct {
	ready   chan struct{}
	readyAt time.Time // set before ready is closed

	mu    sync.Mutex
	text  []byte
	heard bool
}

func newConsole() *console { return &console{ready: make(chan struct{})} }

func (c *console) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, text...)
	if !c.heard && bytes.Contains(c.text, []byte("answering pings at")) {
		c.heard, c.readyAt = true, time.Now()
		close(c.ready)
	}
	const kept = 32 << 10
	if len(c.text) > 2*kept {
		c.text = append([]byte("..."), c.text[len(c.text)-kept:]...)
	}
	return len(text), nil
}

// announced tells whether the process came to be ready.
func (c *console) announced() bool {
	select {
	case <-c.ready:
		return true
	default:
		return false
	}
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// fixedAddress finds a loopback address that every life of the bidder can have. It lies below the
// ports that systems hand out by themselves, so that nobody is given it while no bidder is there.
func fixedAddress(t *testing.T) string {
	t.Helper()
	for port := 20_000 + os.Getpid()%10_000; port < 32_000; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		defer listener.Close()
		if _, taken := givenAddresses.LoadOrStore(port, true); !taken {
			return listener.Addr().String()
		}
	}
	t.Fatal("no port between 20000 and 32000 is free")
	return ""
}

// givenAddresses are the ports that fixedAddress gave out.
var givenAddresses sync.Map
