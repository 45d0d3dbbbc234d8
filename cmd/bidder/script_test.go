package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"leadbid/internal/scripttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"bidder": main, leashed: runLeashed})
}

var announcement = regexp.MustCompile(`answering pings at (http://\S+), operators at http://(\S+)`)

// TestScripts runs the commands as users type them, one behaviour a script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("SECRETS", "NORTH_KEY OUTCOMES_KEY")
			env.Setenv("OUTCOMES_KEY", "00112233445566778899aabbccddeeff")
			env.Setenv("NORTH_KEY", "0123456789abcdef0123456789abcdef")
			return nil
		},
		Cmds: map[string]scripttest.Command{
			"closed-port": scripttest.ClosedPort,
			"exits":       scripttest.Exits,
			"send":        send,
			"serving":     scripttest.Serving(announcement, "BIDDER", "ADMIN"),
			"hangup":      scripttest.Hangup,
			"interrupt":   scripttest.Interrupt,
			"await":       await,
			"fetch":       fetch,
			"fill":        fill,
			"tell":        tell,
			"tamper":      scripttest.Tamper,
		},
	})
}

// await is "await PATTERN": asks the serving bidder's status until it matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await PATTERN")
	}
	pattern := regexp.MustCompile(args[0])
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-look.C {
		response, err := http.Get("http://" + ts.Getenv("ADMIN") + "/status")
		ts.Check(err)
		status, err := io.ReadAll(response.Body)
		ts.Check(errors.Join(err, response.Body.Close()))
		if pattern.Match(status) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the status never came to %s: %s", pattern, status)
		}
	}
}

// fetch is "fetch PATH": prints what the operators' listener of the serving bidder answers.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fetch PATH")
	}
	response, err := http.Get("http://" + ts.Getenv("ADMIN") + args[0])
	ts.Check(err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d %s\n", response.StatusCode, answer)
}

// send is "send ping|post|notice FILE": posts a body to $BIDDER as exchange north, with $BID_ID in
// it replaced, prints the answer, and sets $BID_ID where the answer is a bid, $LEAD_ID where it is a
// lead taken.
func send(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: send ping|post|notice FILE")
	}
	body := strings.ReplaceAll(ts.ReadFile(args[1]), "$BID_ID", ts.Getenv("BID_ID"))
	request, err := http.NewRequest(http.MethodPost, ts.Getenv("BIDDER")+"/v1/"+args[0]+"/north", strings.NewReader(body))
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+ts.Getenv("NORTH_KEY"))
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d %s\n", response.StatusCode, answer)
	var bid struct {
		ID   string `json:"bid_id"`
		Lead string `json:"lead_id"`
	}
	if json.Unmarshal(answer, &bid) != nil {
		return
	}
	for name, id := range map[string]string{"BID_ID": bid.ID, "LEAD_ID": bid.Lead} {
		if id != "" {
			ts.Setenv(name, id)
		}
	}
}

// fill is "fill FILE": replaces $LEAD_ID and $BID_ID in it.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fill FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(filled(ts, args[0])), 0o666))
}

func filled(ts *testscript.TestScript, file string) string {
	return strings.NewReplacer("$LEAD_ID", ts.Getenv("LEAD_ID"), "$BID_ID", ts.Getenv("BID_ID")).Replace(ts.ReadFile(file))
}

// tell is "tell KEY FILE": posts outcomes to the serving bidder, filled in, and prints the answer.
func tell(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tell KEY FILE")
	}
	request, err := http.NewRequest(http.MethodPost, "http://"+ts.Getenv("ADMIN")+"/v1/outcomes", strings.NewReader(filled(ts, args[1])))
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+args[0])
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d %s\n", response.StatusCode, answer)
}
