package cmd_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"leadbid/bidder"
	"leadbid/exchange"
	"leadbid/internal/yamlfile"
	"leadbid/pingpost"
	"leadbid/pingpost/wire"
	"leadbid/rules"
)

// secretFor stands for the environment of whoever copies an example: a different good value for
// every name.
func secretFor(name string) (string, bool) {
	if len(name) > 7 && name[len(name)-7:] == "_SECRET" {
		return "whsec_bGVhZGJpZC1leGFtcGxlLXNlY3JldC0wMTIzNDU2Nzg5", true
	}
	return "a-long-random-key-0123456789-" + name, true
}

// TestExampleContractors loads every example of a contractor without a fault or a warning, and
// asks each about every example of a ping.
func TestExampleContractors(t *testing.T) {
	configurations := glob(t, "../examples/*/bidder.yaml")
	pings := glob(t, "../examples/pings/*.json")
	profile, err := wire.Load("native")
	if err != nil {
		t.Fatal(err)
	}
	mondayMorning := time.Date(2026, time.March, 2, 16, 0, 0, 0, time.UTC)
	bids := map[string]int{}
	for _, path := range configurations {
		rs, faults := rules.Load(os.DirFS(filepath.Dir(path)), "bidder.yaml", secretFor)
		if rs == nil || len(faults.List()) > 0 {
			t.Fatalf("%s:\n%s", path, faults)
		}
		agent := bidder.New(0, rs, bidder.FundedBook(bidder.PlanOf(rs), mondayMorning, nil))
		for _, file := range pings {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var ping pingpost.Ping
			if err := profile.DecodePing(&ping, body); err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			ping.Exchange = rs.Exchanges()[0].Name
			ping.Digest = ping.ComputeDigest()
			if told := agent.Explain(mondayMorning, &ping); told.Bid {
				bids[path]++
			} else if told.Reason == pingpost.ReasonNone || told.Reason == pingpost.RuleError {
				t.Errorf("%s on %s: no bid because of %q", path, file, told.Reason)
			}
		}
	}
	for _, path := range configurations {
		if bids[path] < 2 {
			t.Errorf("%s bids on %d of the %d example pings: examples should meet each other", path, bids[path], len(pings))
		}
	}
}

// TestExamplesFitTheSchema holds the examples against what editors complete by.
func TestExamplesFitTheSchema(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(rules.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("bidder.json", document); err != nil {
		t.Fatal(err)
	}
	schema := compiler.MustCompile("bidder.json")
	for _, path := range append(glob(t, "../examples/*/bidder.yaml"), "demo/config/bidder.yaml") {
		var faults yamlfile.Faults
		file := yamlfile.Read(os.DirFS(filepath.Dir(path)), "bidder.yaml", nil, &faults)
		if file == nil {
			t.Fatal(faults.String())
		}
		if err := schema.Validate(file.Root().Plain()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestExampleExchange loads the example of an exchange without a fault or a warning.
func TestExampleExchange(t *testing.T) {
	for _, path := range glob(t, "../examples/*/exchange.yaml") {
		config, faults := exchange.Load(os.DirFS(filepath.Dir(path)), "exchange.yaml", secretFor)
		if config == nil || len(faults.List()) > 0 {
			t.Fatalf("%s:\n%s", path, faults)
		}
		if len(config.Buyers) < 6 {
			t.Errorf("%s has %d buyers, want at least six", path, len(config.Buyers))
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return found
}
