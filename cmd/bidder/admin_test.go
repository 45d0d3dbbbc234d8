package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"leadbid/bidder/server"
	"leadbid/internal/cli"
)

// TestRefusedByTheBidder: a running bidder that cannot do what it is asked for says why, and whether its books
// are out of reach.
func TestRefusedByTheBidder(t *testing.T) {
	refuses := func(status int, ask func(address string) error, wantCode cli.Code, wantHint bool) {
		t.Helper()
		bidder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"error": "because"}`))
		}))
		defer bidder.Close()
		err := ask(bidder.Listener.Addr().String())
		got := &cli.Error{Code: cli.CodeFailure}
		errors.As(err, &got)
		if err == nil || got.Code != wantCode || (got.Hint != "") != wantHint {
			t.Errorf("%d: %v, exit %d, hint %q", status, err, got.Code, got.Hint)
		}
	}
	dispute := func(address string) error {
		_, err := askDispute(t.Context(), address, server.DisputeRequest{Lead: "l-1", Reason: "bad_phone"})
		return err
	}
	rotate := func(address string) error {
		_, err := askRotate(t.Context(), address, false)
		return err
	}
	refuses(http.StatusNotFound, dispute, cli.CodeFailure, true)
	refuses(http.StatusConflict, dispute, cli.CodeFailure, false)
	refuses(http.StatusServiceUnavailable, dispute, cli.CodeConnect, false)
	refuses(http.StatusServiceUnavailable, rotate, cli.CodeConnect, false)
}
