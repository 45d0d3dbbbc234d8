package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"leadbid/exchange/simulate"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"exchange": main})
}

// TestScripts runs the commands as users type them, one behaviour a script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"bidder":      startBidder,
			"closed-port": closedPort,
			"exits":       exits,
			"crash":       crashServing,
			"lead":        bringLead,
			"serving":     serving,
			"stop":        stopServing,
			"tamper":      tamper,
		},
	})
}

// exits is "exits CODE program args...": exec for a program that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit %d, want %d", got, want)
	}
}

// served is a program that a script started in the background.
type served struct {
	process *os.Process
	ended   chan error
}

// announcement is how serve tells where it listens.
var announcement = regexp.MustCompile(`taking leads at (http://\S+), operators at (http://\S+)`)

// serving is "serving program args...": starts a program that serves, waits until it says where,
// and sets $LEADS and $ADMIN to that. It is stopped by "stop", or with the script.
func serving(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: serving program args...")
	}
	path, err := exec.LookPath(args[0]) // testscript puts the commands of Main into the PATH.
	ts.Check(err)
	command := exec.Command(path, args[1:]...)
	command.Dir = ts.Getenv("WORK")
	command.Env = append(os.Environ(), "WEBFORM_KEY="+ts.Getenv("WEBFORM_KEY"))
	stderr, err := command.StderrPipe()
	ts.Check(err)
	ts.Check(command.Start())
	program := &served{process: command.Process, ended: make(chan error, 1)}
	said := make(chan []string, 1)
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if found := announcement.FindStringSubmatch(lines.Text()); found != nil {
				said <- found
			}
		}
		program.ended <- command.Wait()
	}()
	select {
	case found := <-said:
		ts.Setenv("LEADS", found[1])
		ts.Setenv("ADMIN", found[2])
	case err := <-program.ended:
		ts.Fatalf("%q ended before it served: %v", args, err)
	}
	running.Store(ts.Getenv("WORK"), program)
	ts.Defer(func() {
		if _, still := running.LoadAndDelete(ts.Getenv("WORK")); still {
			ts.Check(program.process.Kill())
			<-program.ended
		}
	})
}

// running holds what each script started, by the script's folder.
var running sync.Map

// stopServing is "stop": asks what "serving" started to end, which it must do without an error.
func stopServing(ts *testscript.TestScript, neg bool, args []string) {
	value, ok := running.LoadAndDelete(ts.Getenv("WORK"))
	if neg || len(args) != 0 || !ok {
		ts.Fatalf("usage: stop, after serving")
	}
	program := value.(*served)
	ts.Check(program.process.Signal(os.Interrupt))
	ts.Check(<-program.ended)
}

// crashServing is "crash LEADS": waits until what "serving" started has taken so many leads, and
// kills it without a word of warning.
func crashServing(ts *testscript.TestScript, neg bool, args []string) {
	value, ok := running.LoadAndDelete(ts.Getenv("WORK"))
	if neg || len(args) != 1 || !ok {
		ts.Fatalf("usage: crash LEADS, after serving")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for taken := 0; taken < want; <-look.C {
		response, err := http.Get(ts.Getenv("ADMIN") + "/metrics")
		ts.Check(err)
		body, err := io.ReadAll(response.Body)
		ts.Check(errors.Join(err, response.Body.Close()))
		if found := leadsTaken.FindSubmatch(body); found != nil {
			taken, err = strconv.Atoi(string(found[1]))
			ts.Check(err)
		}
	}
	program := value.(*served)
	ts.Check(program.process.Kill())
	<-program.ended
}

var leadsTaken = regexp.MustCompile(`leads_total\{.*result="taken".*\} (\d+)`)

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

// tamper is "tamper FILE SQL": changes the books behind the exchange's back.
func tamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tamper FILE SQL")
	}
	database, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = database.Exec(args[1])
	ts.Check(errors.Join(err, database.Close()))
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
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		ts.Check(server.Close(ctx))
		ts.Check(<-served)
	})
}

// closedPort is "closed-port": sets $CLOSED to a loopback address where nobody listens.
func closedPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: closed-port")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv("CLOSED", listener.Addr().String())
	ts.Check(listener.Close())
}
