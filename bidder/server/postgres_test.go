package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"leadbid/internal/pgtest"
)

// TestTwoBiddersOnOnePostgres has one bidder bid and the other take the post, then the other way round and
// after every connection was ended: the bidders make them anew by themselves, and no post has to come twice.
func TestTwoBiddersOnOnePostgres(t *testing.T) {
	address := pgtest.Address(t)
	text := strings.Replace(configuration, "sqlite:data/bidder.db", `"`+address+`"`, 1)
	one, two := start(t, t.TempDir(), text), start(t, t.TempDir(), text)
	first := one.ask("p-1")
	if first.Status != "bid" {
		t.Fatalf("the first replica: %+v", first)
	}
	if status, answer := two.take(first, 1); status != http.StatusOK || answer.Status != "accepted" {
		t.Errorf("a bid of the first, posted to the second: %d %+v", status, answer)
	}
	second := two.ask("p-2")
	if second.Status != "bid" {
		t.Fatalf("the second replica: %+v", second)
	}
	endConnections(t, address)
	status, answer := one.take(second, 2)
	if status != http.StatusOK || answer.Status != "accepted" {
		t.Errorf("after every connection was lost: %d %+v", status, answer)
	}
	if again, repeat := two.take(second, 2); again != http.StatusOK || repeat.LeadID != answer.LeadID {
		t.Errorf("the same post to the other replica: %d %+v, not %+v", again, repeat, answer)
	}
	report, err := one.server.Store().Verify(t.Context())
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("verify: %+v, %v", report.Findings, err)
	}
	if strings.Contains(one.log.String()+two.log.String(), "unused-secret") {
		t.Error("the password is in a log")
	}
}

// endConnections returns once they have ended. What a bidder was just doing on one may have failed.
func endConnections(t *testing.T, address string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
		WHERE application_name = 'leadbid' AND pid <> pg_backend_pid()`)
	if err != nil {
		t.Fatal(err)
	}
}
