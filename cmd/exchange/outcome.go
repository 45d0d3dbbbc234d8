package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"leadbid/exchange"
	"leadbid/exchange/simulate"
	"leadbid/internal/cli"
)

// simulated is what a simulation came to. Its JSON is stable.
type simulated struct {
	Label      string          `json:"label"` // that nothing of this was measured on a real market
	Seed       uint64          `json:"seed"`
	Seconds    float64         `json:"seconds"`
	Homeowners homeowners      `json:"homeowners"`
	Report     exchange.Report `json:"report"`
	Invariants struct {
		OK       bool     `json:"ok"`
		Findings []string `json:"findings,omitempty"`
	} `json:"invariants"`
}

type homeowners struct {
	Came    int                   `json:"came"`
	Taken   int                   `json:"taken"`   // by the intake, sold or not
	Dropped int                   `json:"dropped"` // came while too many others were being served
	Refused []exchange.ReasonLine `json:"refused"` // by the intake, and why
}

// compare finds where the exchange and a rival disagree on what the rival bought and owes.
func (o *simulated) compare(accounts []simulate.Account) {
	lines := map[string]exchange.BuyerLine{}
	for _, line := range o.Report.Buyers {
		lines[line.Buyer] = line
	}
	for _, account := range accounts {
		line := lines[account.Name]
		// A post whose answer came too late was taken there, and then withdrawn from both books.
		if kept := account.Accepted - account.Voided; line.Spend != account.Charged || line.Won != kept {
			o.Invariants.Findings = append(o.Invariants.Findings, fmt.Sprintf(
				"%s counts %d leads for %s, the exchange %d for %s", account.Name, kept, account.Charged, line.Won, line.Spend))
		}
	}
}

func (o *simulated) print(env *cli.Env) error {
	summary := cli.Table{Columns: []string{"figure", "value"}, NoHead: true}
	summary.Add("these figures are", o.Label)
	summary.Add("homeowners", o.Homeowners.Came)
	summary.Add("leads taken", o.Homeowners.Taken)
	summary.Add("not brought in time", o.Homeowners.Dropped)
	summary.Add("refused", cmp.Or(reasonWords(o.Homeowners.Refused), "none"))
	summary.Add("invariants hold", o.Invariants.OK)
	shown := o.Report
	shown.Services = nil // For a look at the market they are too many rows; the JSON has them.
	if err := env.Print(o, append([]cli.Table{summary}, reportTables(shown)...)...); err != nil {
		return err
	}
	if o.Invariants.OK {
		return nil
	}
	for _, finding := range o.Invariants.Findings {
		env.Sayf("%s", finding)
	}
	return cli.Failed("%d findings: the books are not right", len(o.Invariants.Findings))
}

// refusals counts why leads were not taken.
type refusals struct {
	mu     sync.Mutex
	counts map[string]int64
}

func (r *refusals) add(err error) {
	if err == nil {
		return
	}
	why := "no_answer"
	var refusal *simulate.Refusal
	if errors.As(err, &refusal) {
		why = cmp.Or(refusal.Code, fmt.Sprintf("status_%d", refusal.Status))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]int64{}
	}
	r.counts[why]++
}

func (r *refusals) lines() []exchange.ReasonLine {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := []exchange.ReasonLine{} // [] in JSON, not null
	for _, why := range slices.Sorted(maps.Keys(r.counts)) {
		lines = append(lines, exchange.ReasonLine{Reason: why, Count: r.counts[why]})
	}
	return lines
}
