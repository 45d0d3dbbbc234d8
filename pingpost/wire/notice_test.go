package wire_test

import (
	"errors"
	"strings"
	"testing"

	"leadbid/pingpost"
	"leadbid/pingpost/wire"
)

// TestAcknowledgements: what one side writes the other takes, and nothing else.
func TestAcknowledgements(t *testing.T) {
	notice := pingpost.Notice{PingID: "p-1", BidID: "k1.AbC-_9", Outcome: pingpost.OutcomeVoided}
	for _, profile := range []*wire.Profile{native(t), contrary(t)} {
		written := profile.AppendAcknowledgement(nil, &notice)
		if err := profile.Acknowledged(&notice, written, profile.AcknowledgementStatus()); err != nil {
			t.Errorf("%s: %v", written, err)
		}
		other := notice
		other.PingID, other.BidID = "p-2", "k1.other"
		if profile.Acknowledged(&other, written, profile.AcknowledgementStatus()) == nil {
			t.Errorf("%s acknowledges the notice of another ping", written)
		}
	}
	profile := native(t)
	f := func(status int, body string, want bool) {
		t.Helper()
		err := profile.Acknowledged(&notice, []byte(body), status)
		if (err == nil) != want {
			t.Errorf("HTTP %d %s: %v", status, body, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error quotes the answer: %v", err)
		}
	}
	f(200, `{"ping_id":"p-1","outcome":"voided","status":"ok"}`, true)
	f(200, `{"status":"ok","outcome":"voided","ping_id":"p-1","more":1}`, true)
	f(200, `{"status":"ok"}`, false)
	f(200, `{"ping_id":"p-1","status":"ok"}`, false)
	f(200, `{"ping_id":"p-1","outcome":"lost","status":"ok"}`, false)
	f(200, `{"ping_id":"p-1","outcome":"eaten","status":"ok"}`, false)
	f(200, `{"ping_id":"p-1","outcome":"voided","status":"rejected"}`, false)
	f(200, `{"ping_id":"p-1","outcome":"voided"}`, false)
	f(200, `{"ping_id":7,"outcome":"voided","status":"ok"}`, false)
	f(200, `<html>secret</html>`, false)
	f(200, ``, false)
	for _, status := range []int{201, 202, 204, 301, 404, 410, 500, 503} {
		f(status, `{"ping_id":"p-1","outcome":"voided","status":"ok"}`, false)
		for unknown, profile := range map[int]*wire.Profile{404: profile, 410: contrary(t)} {
			if err := profile.Acknowledged(&notice, nil, status); errors.Is(err, wire.ErrUnknownBid) != (status == unknown) {
				t.Errorf("HTTP %d where %d says that no such bid is known: %v", status, unknown, err)
			}
		}
	}
}
