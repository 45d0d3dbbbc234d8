package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"leadbid/bidder"
	"leadbid/bidder/server"
	"leadbid/budget/store"
)

// TestStatusTellsNothingItDoesNotKnow: while the books are away, no zeros stand for what is in them.
func TestStatusTellsNothingItDoesNotKnow(t *testing.T) {
	prints := func(status server.Status, stderr string, stdout ...string) {
		t.Helper()
		operators := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(status)
		}))
		defer operators.Close()
		code, out, words := runBidder(t, "status", "--admin", operators.URL)
		var heads []string
		for table := range strings.SplitSeq(out, "\n\n") {
			head, _, _ := strings.Cut(table, " ")
			heads = append(heads, strings.TrimSpace(head))
		}
		if got := strings.Join(heads, " "); code != 0 || got != strings.Join(stdout, " ") || !strings.Contains(words, stderr) {
			t.Errorf("exit %d, tables %q, not %q:\n%s%s", code, got, stdout, out, words)
		}
	}
	prints(server.Status{State: "live", Caps: []bidder.CapStatus{}, Books: &store.Counts{}}, "live", "cap", "answer", "leads")
	prints(server.Status{State: "store away", StoreError: "it hangs", Caps: []bidder.CapStatus{}}, "the store is away: it hangs", "cap", "answer")
	prints(server.Status{State: "store away", StoreError: "it hangs"}, "the store is away: it hangs", "answer")
}
