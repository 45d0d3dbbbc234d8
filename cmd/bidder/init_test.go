package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"leadbid/bidder/cases"
	"leadbid/internal/yamlfile"
	"leadbid/rules"
)

// runBidder runs a command in this process, without any variable set.
func runBidder(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = program.Main(t.Context(), args, strings.NewReader(""), &out, &errs, func(string) string { return "" })
	return code, out.String(), errs.String()
}

// TestInitTrades makes a configuration for every trade, in every time zone of the country, and puts
// it through what its user is told to do next.
func TestInitTrades(t *testing.T) {
	if len(trades) != 12 {
		t.Errorf("there are %d trades", len(trades))
	}
	compiler := jsonschema.NewCompiler()
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(rules.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("schema.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled := compiler.MustCompile("schema.json")
	places := []struct{ zip, zone string }{
		{"60614", "America/Chicago"}, {"10001", "America/New_York"}, {"80202", "America/Denver"},
		{"90210", "America/Los_Angeles"}, {"85001", "America/Phoenix"}, {"02108", "America/New_York"},
	}
	for i, trade := range trades {
		t.Run(trade.Service, func(t *testing.T) {
			place := places[i%len(places)]
			config := filepath.Join(t.TempDir(), "bidder.yaml")
			code, _, stderr := runBidder(t, "init", "--config", config, "--trade", trade.Service, "--zip", place.zip,
				"--exchange", "north=native", "--exchange", "south-side=native", "--name", `Jo's "best": #1`)
			if code != 0 || !strings.Contains(stderr, "export SOUTH_SIDE_KEY=") {
				t.Fatalf("init: exit %d\n%s", code, stderr)
			}
			text, err := os.ReadFile(config)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(text), "\n")
			if first != "# yaml-language-server: $schema=bidder.schema.json" {
				t.Errorf("it begins with %s", first)
			}
			var faults yamlfile.Faults
			if err := compiled.Validate(yamlfile.Parse(config, text, nil, &faults).Root().Plain()); err != nil {
				t.Error(err)
			}
			checkInit(t, config, place.zone)
			code, _, stderr = runBidder(t, "init", "--config", config, "--trade", trade.Service, "--zip", place.zip)
			if code != 2 || !strings.Contains(stderr, "exists already, and is not touched") {
				t.Errorf("init again: exit %d\n%s", code, stderr)
			}
			if again, _ := os.ReadFile(config); !bytes.Equal(again, text) {
				t.Error("init overwrote it")
			}
		})
	}
}

func checkInit(t *testing.T, config, zone string) {
	t.Helper()
	code, stdout, stderr := runBidder(t, "check", "--offline", "-o", "json", "--config", config)
	var checked struct {
		Faults    []struct{ Message string }
		Summary   []string
		Questions []rules.Question
	}
	if err := json.Unmarshal([]byte(stdout), &checked); code != 0 || err != nil {
		t.Fatalf("check: exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	for _, fault := range checked.Faults {
		if !strings.Contains(fault.Message, "is not set") {
			t.Error(fault.Message)
		}
	}
	if len(checked.Questions) != 4 || !strings.Contains(checked.Summary[0], zone+", observing") {
		t.Errorf("%d questions; %s", len(checked.Questions), checked.Summary[0])
	}
	code, stdout, stderr = runBidder(t, "test", "-o", "json", "--config", config)
	var report struct {
		Passed, Failed int
		Uncovered      []cases.Uncovered
	}
	if err := json.Unmarshal([]byte(stdout), &report); code != 0 || err != nil {
		t.Fatalf("test: exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if report.Passed < 8 || report.Failed > 0 || len(report.Uncovered) > 0 {
		t.Errorf("%+v", report)
	}
}
