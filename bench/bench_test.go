package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain serves where a test's own program was started again as a child.
func TestMain(m *testing.M) {
	if isChild() {
		os.Exit(serveRole(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// small is a run that shows that everything works and measures nothing worth telling.
func small() settings {
	s := defaultSettings()
	s.slice, s.pairs, s.rates, s.latency = 100*time.Millisecond, 1, []int{200}, 300*time.Millisecond
	s.people, s.connections, s.salesAtOnce, s.pin, s.log = 200, 4, 8, false, io.Discard
	s.auction = 10 * time.Second    // so that on a busy machine, too, everything is sold
	s.comparisons = comparisons[3:] // the one whose bidder needs no time to get large leases
	return s
}

// runPart runs one part. Every child verifies its books when it stops, and a promise that does not
// hold, an answer that is not 200 or a share of bids below half is an error.
func runPart(t *testing.T, part func(context.Context, settings, string, *report) error) *report {
	t.Helper()
	s := small()
	r := newReport(s)
	if err := part(t.Context(), s, t.TempDir(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBids(t *testing.T) {
	r := runPart(t, measureBids)
	for _, row := range r.Bids {
		if row.Requests == 0 || row.BidShare < 0.5 || row.Keep.Median <= 0 || row.CPU.Median <= 0 || row.Dropped > 0 {
			t.Errorf("%s measured nothing: %+v", row.Name, row)
		}
	}
	if len(r.Bids) != 1 {
		t.Errorf("%d rows, want 1", len(r.Bids))
	}
	var text bytes.Buffer
	r.print(&text)
	if !strings.Contains(text.String(), fullNotices) {
		t.Errorf("the table has no row %s:\n%s", fullNotices, &text)
	}
}

func TestLatency(t *testing.T) {
	rows := runPart(t, measureLatency).Latency
	if len(rows) != len(small().rates) {
		t.Errorf("%d rows, want %d", len(rows), len(small().rates))
	}
	for _, row := range rows {
		if row.Full.Scheduled == 0 || row.Full.Answered != row.Full.Scheduled || row.Bare.Answered != row.Bare.Scheduled {
			t.Errorf("not everything was answered: %+v", row)
		}
	}
}

func TestAuctions(t *testing.T) {
	r := runPart(t, measureAuctions)
	if len(r.Auctions) != len(buyerCounts) {
		t.Fatalf("%d rows, want %d", len(r.Auctions), len(buyerCounts))
	}
	for i, row := range r.Auctions {
		if row.Buyers != buyerCounts[i] || row.Auctions == 0 || row.SoldShare < 0.99 || row.CPU.Median <= 0 {
			t.Errorf("the row of %d buyers: %+v", buyerCounts[i], row)
		}
	}
}

// TestResultsNameNoPlace reads the kept results: whole, and with nothing in them that belongs to
// the machine's owner.
func TestResultsNameNoPlace(t *testing.T) {
	entries, err := os.ReadDir("results")
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	read := 0
	for _, entry := range entries {
		if entry.IsDir() {
			continue // of rules and peers, which write other reports
		}
		text, err := os.ReadFile("results/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		var r report
		if err := json.Unmarshal(text, &r); err != nil || len(r.Bids) == 0 || len(r.Latency) == 0 || len(r.Auctions) == 0 {
			t.Errorf("%s is not a whole result: %v", entry.Name(), err)
		}
		if bytes.Contains(text, []byte("/tmp")) || host != "" && bytes.Contains(text, []byte(`"`+host+`"`)) {
			t.Errorf("%s names a place", entry.Name())
		}
		read++
	}
	if read == 0 {
		t.Error("there are no results")
	}
}

func TestFlags(t *testing.T) {
	for _, wrong := range []string{"--for=1ms", "--pairs=0", "--rates=0", "--rates=x", "--only=speed", "more"} {
		if _, err := parseFlags([]string{wrong}, io.Discard); err == nil {
			t.Errorf("%s was taken", wrong)
		}
	}
	s, err := parseFlags([]string{"--only=bids,latency", "--rates=5,6", "--pairs=2"}, io.Discard)
	if err != nil || !slices.Equal(s.rates, []int{5, 6}) || s.runs(partAuctions) || !s.runs(partBids) || s.pairs != 2 {
		t.Errorf("read %+v, %v", s, err)
	}
}

func TestReadAnswer(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello"
	for end := range answer {
		if body, whole, err := readAnswer([]byte(answer[:end])); whole || err != nil || body != nil {
			t.Errorf("of %d bytes: %q %v %v", end, body, whole, err)
		}
	}
	if body, whole, err := readAnswer([]byte(answer)); string(body) != "hello" || !whole || err != nil {
		t.Errorf("%q %v %v", body, whole, err)
	}
	for _, wrong := range []string{"HTTP/1.1 503 Busy\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"} {
		if _, _, err := readAnswer([]byte(wrong)); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}

func TestSpread(t *testing.T) {
	if got := spreadOf([]float64{3, 1, 2, 10}); got != (spread{2.5, 1, 10}) {
		t.Errorf("%+v", got)
	}
}
