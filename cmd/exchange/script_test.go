package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"leadbid/exchange/simulate"
	"leadbid/internal/scripttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"exchange": main})
}

// announcement is how serve tells where it listens.
var announcement = regexp.MustCompile(`taking leads at (http://\S+), operators at (http://\S+)`)

// TestScripts runs the commands as users type them, one behaviour a script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("SECRETS", "WEBFORM_KEY")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"bidder":      startBidder,
			"closed-port": scripttest.ClosedPort,
			"crash":       scripttest.Crash,
			"exits":       scripttest.Exits,
			"lead":        bringLead,
			"serving":     scripttest.Serving(announcement, "LEADS", "ADMIN"),
			"interrupt":   scripttest.Interrupt,
			"taken":       awaitTaken,
			"tamper":      scripttest.Tamper,
		},
	})
}

var leadsTaken = regexp.MustCompile(`leads_total\{.*result="taken".*\} (\d+)`)

// awaitTaken is "taken COUNT": waits until the exchange at $ADMIN has taken so many leads, a minute at most.
func awaitTaken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: taken COUNT")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for taken, end := 0, time.Now().Add(time.Minute); taken < want; <-look.C {
		if time.Now().After(end) {
			ts.Fatalf("%d of %d leads were taken in a minute", taken, want)
		}
		response, err := http.Get(ts.Getenv("ADMIN") + "/metrics")
		ts.Check(err)
		body, err := io.ReadAll(response.Body)
		ts.Check(errors.Join(err, response.Body.Close()))
		if found := leadsTaken.FindSubmatch(body); found != nil {
			taken, err = strconv.Atoi(string(found[1]))
			ts.Check(err)
		}
	}
}

// bringLead is "lead KEY FILE": brings the lead in a file to $LEADS, waits for its end, prints the
// answer, and sets $OFFER to its id.
func bringLead(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lead KEY FILE")
	}
	request, err := http.NewRequest(http.MethodPost, ts.Getenv("LEADS")+"?wait=1", strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+args[0])
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d %s\n", response.StatusCode, body)
	var offer struct {
		ID string `json:"offer_id"`
	}
	ts.Check(json.Unmarshal(body, &offer))
	ts.Setenv("OFFER", offer.ID)
}

// startBidder is "bidder": a rival buyer that answers pings at $BIDDER until the script ends.
func startBidder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: bidder")
	}
	settings := simulate.DefaultRosterSettings(1)
	settings.Rivals = 1
	roster, err := simulate.NewRoster(settings)
	ts.Check(err)
	server, err := simulate.NewRivalServer(roster, simulate.ServerOptions{Key: "good-key"})
	ts.Check(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	ts.Setenv("BIDDER", "http://"+listener.Addr().String()+"/"+roster.Rivals[0].Name+"/v1/ping/northside")
	ts.Defer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		ts.Check(server.Close(ctx))
		ts.Check(<-served)
	})
}
