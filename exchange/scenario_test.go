package exchange

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"leadbid/pingpost"
)

var update = flag.Bool("update", false, "write what the scenarios come to into their files, for review")

// TestScenarios plays every script of testdata/scenarios and compares the timeline of each offer,
// what was to be sent, and the books at the end. A line of a script is a time since the start and
// a command:
//
//	0s    open ID SERVICE [cost=DOLLARS] [test]
//	40ms  close ID BUYER=DOLLARS|no_bid|broken ... [late:BUYER=DOLLARS]
//	1s    post ID BUYER accepted|rejected[:REASON]|unknown|busy|error
//	1s    ack ID BUYER voided|returned
//	1s    top-up TOPUP BUYER DOLLARS
//	1s    return|withdraw ID
//	1s    pause|resume BUYER
//	1s    tick
//
// Between two lines, Tick is applied at every instant that comes due. The section "market" may
// change the exchange that the script plays on; see scenarioConfig.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, f := range archive.Files {
		sections[f.Name] = string(f.Data)
	}
	config := scenarioConfig(t, sections["market"])
	p := &player{script: newScript(t, config), t: t}
	p.script.audit()
	p.sent = nil
	for _, line := range strings.Split(strings.TrimSpace(sections["script"]), "\n") {
		p.line(line)
	}
	p.script.audit()
	p.script.checkRebuilt(config)
	got := p.outcome()
	if got == sections["outcome"] {
		return
	}
	if !*update {
		t.Fatalf("outcome:\n%s\nwant:\n%s", got, sections["outcome"])
	}
	archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "outcome" })
	archive.Files = append(archive.Files, txtar.File{Name: "outcome", Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// scenarioConfig is testConfig, changed by the words of a script's market section.
func scenarioConfig(t *testing.T, changes string) *Config {
	config := testConfig()
	hvac := &config.Campaigns[0].Auction
	for _, word := range strings.Fields(changes) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "price":
			hvac.Price, _ = pingpost.ParseAuction(value)
		case "reroute":
			if err := hvac.Reroute.UnmarshalText([]byte(value)); err != nil {
				t.Fatal(err)
			}
		case "hops":
			fmt.Sscan(value, &hvac.Hops)
		case "window":
			config.Campaigns[0].Window, _ = time.ParseDuration(value)
		case "fallback":
			for i, reserve := range strings.Split(value, ",") {
				name := fmt.Sprintf("hvac-%d", i+2)
				next := testCampaign(name, pingpost.AuctionFirst, pingpost.HVAC)
				next.Auction.Reserve = dollars(t, reserve)
				config.Campaigns[0].Fallback = append(config.Campaigns[0].Fallback, name, "plumbing")
				config.Campaigns = append(config.Campaigns, next)
			}
		default:
			t.Fatalf("market: %q", word)
		}
	}
	return config
}

// player plays one script.
type player struct {
	t      *testing.T
	script *script
	sent   []string
}

func (p *player) line(line string) {
	fields := strings.Fields(line)
	if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
		return
	}
	at, err := time.ParseDuration(fields[0])
	if err != nil {
		p.t.Fatalf("%q: %v", line, err)
	}
	p.waitUntil(start.Add(at))
	command := p.command(fields[1], fields[2:])
	before := p.script.now
	applied := p.script.do(command)
	p.act(applied)
	if note := noteOf(applied); note != "" {
		p.sent = append(p.sent, fmt.Sprintf("%8s   %s: %s", before.Sub(start), strings.Join(fields[1:], " "), note))
	}
}

func noteOf(applied Applied) string {
	switch {
	case applied.Refused != pingpost.ReasonNone:
		return "refused, " + applied.Refused.String()
	case applied.Repeat:
		return "repeat"
	}
	return ""
}

func (p *player) waitUntil(until time.Time) {
	for {
		due, ok := p.script.market.Due()
		if !ok || due.After(until) {
			break
		}
		p.script.now = due
		p.act(p.script.do(Tick{}))
	}
	p.script.now = until
}

// act notes what the shell would send.
func (p *player) act(applied Applied) {
	for _, action := range p.script.market.Actions(applied.Events) {
		text := ""
		switch a := action.(type) {
		case SendPings:
			text = fmt.Sprintf("ping %s for %s, floor %v", strings.Join(a.Buyers, " "), a.Ping.ID, a.Ping.Floor)
		case SendPost:
			text = fmt.Sprintf("post %s to %s for %v, attempt %d", a.Offer, a.Buyer, a.Post.Price, a.Attempt)
		case SendNotice:
			text = fmt.Sprintf("notice to %s: %v %v", a.Buyer, a.Notice.Outcome, a.Notice.Reason)
			if a.MustArrive {
				text += "(must arrive)"
			}
			if a.Notice.MinBidToWin > 0 {
				text += fmt.Sprintf(" cleared at %v, %v wins", a.Notice.ClearingPrice, a.Notice.MinBidToWin)
			}
		}
		p.sent = append(p.sent, fmt.Sprintf("%8s   -> %s", p.script.now.Sub(start), text))
	}
}

func (p *player) command(verb string, args []string) Command {
	id := OfferID("")
	if len(args) > 0 {
		id = OfferID(args[0])
	}
	switch verb {
	case "open":
		return p.open(id, args[1:])
	case "close":
		return p.close(id, args[1:])
	case "post":
		return PostAnswered{Offer: id, Buyer: args[1], Verdict: verdict(p.t, args[2])}
	case "ack":
		outcome, ok := pingpost.ParseOutcome(args[2])
		if !ok {
			p.t.Fatalf("ack: %q", args[2])
		}
		return NoticeAcked{Offer: id, Buyer: args[1], Outcome: outcome}
	case "top-up":
		return TopUp{ID: args[0], Buyer: args[1], Amount: dollars(p.t, args[2])}
	case "return":
		return Return{Offer: id}
	case "withdraw":
		return Withdraw{Offer: id}
	case "pause", "resume":
		return Pause{Buyer: args[0], Paused: verb == "pause"}
	case "tick":
		return Tick{}
	}
	p.t.Fatalf("unknown command %q", verb)
	return nil
}

func (p *player) open(id OfferID, args []string) Command {
	service, ok := pingpost.ParseService(args[0])
	if !ok {
		p.t.Fatalf("open: %q", args[0])
	}
	lead := testLead(id, service)
	for _, arg := range args[1:] {
		switch key, value, _ := strings.Cut(arg, "="); key {
		case "cost":
			lead.Cost = dollars(p.t, value)
		case "test":
			lead.Ping.Test = true
		case "body":
			lead.Body[0] ^= 0xff
		}
	}
	return lead
}

func (p *player) close(id OfferID, args []string) Command {
	c := CloseAuction{Offer: id}
	for _, arg := range args {
		buyer, word, _ := strings.Cut(arg, "=")
		buyer, late := strings.CutPrefix(buyer, "late:")
		answer := Answer{Buyer: buyer, Latency: 40 * time.Millisecond}
		if late {
			answer.Latency = 301 * time.Millisecond
		}
		switch word {
		case "no_bid":
			answer.Status, answer.Reason = AnswerNoBid, pingpost.OutsideArea
		case "broken":
			answer.Status, answer.Detail = AnswerBroken, "not JSON"
		default:
			answer.Status, answer.Bid, answer.BidID = AnswerBid, dollars(p.t, word), "bid-"+buyer
		}
		c.Answers = append(c.Answers, answer)
	}
	return c
}

func verdict(t *testing.T, word string) pingpost.Verdict {
	word, reason, _ := strings.Cut(word, ":")
	parsed, _ := pingpost.ParseReason(reason)
	switch word {
	case "accepted":
		return pingpost.Verdict{Kind: pingpost.VerdictAccepted, LeadID: "their-id"}
	case "rejected":
		return pingpost.Verdict{Kind: pingpost.VerdictRejected, Reason: parsed}
	case "unknown":
		return pingpost.Verdict{}
	case "busy":
		return pingpost.Verdict{Kind: pingpost.VerdictBusy}
	case "error":
		return pingpost.Verdict{Kind: pingpost.VerdictError}
	}
	t.Fatalf("unknown verdict %q", word)
	return pingpost.Verdict{}
}

func dollars(t *testing.T, text string) pingpost.Cents {
	cents, err := pingpost.ParseDollars(text)
	if err != nil {
		t.Fatal(err)
	}
	return cents
}

// outcome is what the script came to: each offer's timeline, what was sent, and the books.
func (p *player) outcome() string {
	var out strings.Builder
	seen := map[OfferID]bool{}
	for _, e := range p.script.events {
		if e.Offer == "" || seen[e.Offer] {
			continue
		}
		seen[e.Offer] = true
		fmt.Fprintf(&out, "offer %s\n", e.Offer)
		for _, e := range p.script.timeline(e.Offer) {
			fmt.Fprintln(&out, strings.TrimRight(fmt.Sprintf("%8s   %s", e.At.Sub(start), eventText(&e)), " "))
		}
	}
	fmt.Fprintln(&out, "sent")
	for _, line := range p.sent {
		fmt.Fprintln(&out, strings.TrimRight(line, " "))
	}
	fmt.Fprintln(&out, "books")
	for _, balance := range p.script.market.Balances() {
		if balance.Cents != 0 {
			fmt.Fprintf(&out, "%11s %v\n", balance.Cents, balance.Account)
		}
	}
	return out.String()
}

func eventText(e *Event) string {
	parts := []string{e.Kind.String()}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if e.Buyer != "" {
		add("%s", e.Buyer)
	}
	if e.Price != 0 {
		add("%v", e.Price)
	}
	if e.Reason != pingpost.ReasonNone {
		add("%v", e.Reason)
	}
	if e.Attempt > 0 {
		add("attempt %d until %s", e.Attempt, e.Until.Sub(start))
	}
	if e.Next != "" {
		add("on as %s", e.Next)
	}
	if e.Detail != "" {
		add("(%s)", e.Detail)
	}
	if e.Opened != nil {
		add("in %s, floor %v", e.Opened.Campaign, e.Opened.Floor)
	}
	for _, target := range e.Targets {
		if target.Eligible {
			add("%s", target.Buyer)
		} else {
			add("(%s: %v)", target.Buyer, target.Reason)
		}
	}
	for _, answer := range e.Answers {
		if answer.Status == AnswerBid {
			add("%s=%v", answer.Buyer, answer.Bid)
		} else {
			add("%s=%v", answer.Buyer, answer.Status)
		}
	}
	return strings.Join(parts, " ")
}
