package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
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
