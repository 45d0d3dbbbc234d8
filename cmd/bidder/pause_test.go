package main

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"leadbid/bidder/server"
)

// TestPausesAtOnce has two people pause at the same moment: both are paused.
func TestPausesAtOnce(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "bidder.yaml")
	if code, _, stderr := runBidder(t, "init", "--config", config, "--trade", "hvac", "--zip", "60614",
		"--exchange", "north=native", "--exchange", "south=native"); code != 0 {
		t.Fatal(stderr)
	}
	exchanges := []string{"north", "south"}
	paused := map[string][]string{"pause": exchanges, "resume": {}}
	for range 10 {
		for _, change := range []string{"pause", "resume"} {
			var people sync.WaitGroup
			for _, exchange := range exchanges {
				people.Go(func() {
					if code, _, stderr := runBidder(t, change, "--config", config, "--exchange", exchange); code != 0 {
						t.Errorf("%s %s: exit %d\n%s", change, exchange, code, stderr)
					}
				})
			}
			people.Wait()
			pauses, err := server.ReadPauses(filepath.Join(dir, "data", "paused"))
			if err != nil || !slices.Equal(pauses.Exchanges, paused[change]) {
				t.Fatalf("after two of %s: %+v, %v", change, pauses, err)
			}
		}
	}
}
