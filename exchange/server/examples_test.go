package server

import (
	"os"
	"path/filepath"
	"testing"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// TestExampleLeads reads every example of a lead as the intake does.
func TestExampleLeads(t *testing.T) {
	native, err := wire.Load("native")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../examples/leads/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		open, named, err := decodeIntake(native, "webform", "", body)
		if err != nil || !named || open.Ping.Urgency == pingpost.UrgencyUnknown || open.Ping.Job == pingpost.JobUnknown {
			t.Errorf("%s: named %v, urgency %v, job %v, %v", file, named, open.Ping.Urgency, open.Ping.Job, err)
		}
	}
}
