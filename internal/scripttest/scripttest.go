// Package scripttest is what the tests of our commands share: commands of testscript for exit codes,
// programs that serve, and books that somebody tampered with; addresses; a clean environment.
//
// It is called by tests only. What a script starts is ended with the script, by its process.
package scripttest

import (
	"bufio"
	"database/sql"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // for Tamper
)

// Command is a command of a script.
type Command = func(ts *testscript.TestScript, neg bool, args []string)

// Exits is "exits CODE program args...": exec for a program that must end with that code.
func Exits(ts *testscript.TestScript, neg bool, args []string) {
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

// running holds what each script started, by the script's folder.
var running sync.Map

// Serving makes "serving program args...": starts a program, waits for the line that announcement
// matches on its stderr, and sets the script's variables of the given names to what its groups
// matched. The program is stopped by Interrupt, or with the script. It gets Environment, and
// the script's keys and secrets.
func Serving(announcement *regexp.Regexp, names ...string) Command {
	return ServingIn("", announcement, names...)
}

// ServingIn is Serving for programs in a folder, "" for those of the PATH.
func ServingIn(folder string, announcement *regexp.Regexp, names ...string) Command {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: serving program args...")
		}
		path := filepath.Join(folder, args[0])
		if folder == "" {
			var err error
			path, err = exec.LookPath(args[0]) // testscript puts the commands of Main into the PATH.
			ts.Check(err)
		}
		command := exec.Command(path, args[1:]...)
		command.Dir, command.Env = ts.Getenv("WORK"), environment(ts)
		stderr, err := command.StderrPipe()
		ts.Check(err)
		ts.Check(command.Start())
		program := &served{process: command.Process, ended: make(chan error, 1)}
		said := make(chan []string, 1)
		go func() {
			lines := bufio.NewScanner(stderr)
			for lines.Scan() {
				if found := announcement.FindStringSubmatch(lines.Text()); found != nil {
					said <- found[1:]
				}
			}
			program.ended <- command.Wait()
		}()
		select {
		case found := <-said:
			for i, name := range names {
				ts.Setenv(name, found[i])
			}
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
}

// Environment is what a program under test gets of this process's environment: where programs, homes
// and temporary files are, and what steers Go's runtime and our tests. It has none of the flags and
// keys that whoever runs the tests may have set for a program of their own.
func Environment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "PATH", "HOME", "TMPDIR":
			return false
		}
		return !strings.HasPrefix(name, "GO") && !strings.HasPrefix(name, "LEADBID_")
	})
}

// environment is Environment with the keys and secrets that the script set.
func environment(ts *testscript.TestScript) []string {
	variables := Environment()
	for _, name := range strings.Fields(ts.Getenv("SECRETS")) {
		variables = append(variables, name+"="+ts.Getenv(name))
	}
	return variables
}

// Interrupt is "interrupt": asks what Serving started to end, which it must do without an error. It
// is not called "stop", because testscript has a command of that name, which ends a script early.
func Interrupt(ts *testscript.TestScript, neg bool, args []string) {
	value, ok := running.LoadAndDelete(ts.Getenv("WORK"))
	if neg || len(args) != 0 || !ok {
		ts.Fatalf("usage: interrupt, after serving")
	}
	program := value.(*served)
	ts.Check(program.process.Signal(os.Interrupt))
	ts.Check(<-program.ended)
}

// Interrupts is "interrupts": asks what Serving started to end, again and again, until it does, as
// somebody does who presses the keys more than once.
func Interrupts(ts *testscript.TestScript, neg bool, args []string) {
	value, ok := running.LoadAndDelete(ts.Getenv("WORK"))
	if neg || len(args) != 0 || !ok {
		ts.Fatalf("usage: interrupts, after serving")
	}
	program := value.(*served)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		_ = program.process.Signal(os.Interrupt)
		select {
		case <-program.ended: // with the exit code of one that was interrupted
			return
		case <-again.C:
		}
	}
}

// Hangup is "hangup": sends SIGHUP to what Serving started.
func Hangup(ts *testscript.TestScript, neg bool, args []string) {
	value, ok := running.Load(ts.Getenv("WORK"))
	if neg || len(args) != 0 || !ok {
		ts.Fatalf("usage: hangup, after serving")
	}
	ts.Check(value.(*served).process.Signal(syscall.SIGHUP))
}

// Crash is "crash": kills what Serving started, without a word of warning.
func Crash(ts *testscript.TestScript, neg bool, args []string) {
	value, ok := running.LoadAndDelete(ts.Getenv("WORK"))
	if neg || len(args) != 0 || !ok {
		ts.Fatalf("usage: crash, after serving")
	}
	program := value.(*served)
	ts.Check(program.process.Kill())
	<-program.ended // with the error that it was killed
}

// Tamper is "tamper FILE SQL": changes the books behind their program's back. Like any second
// writer it waits until the program has finished the write it is in.
func Tamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tamper FILE SQL")
	}
	database, err := sql.Open("sqlite", ts.MkAbs(args[0])+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	_, err = database.Exec(args[1])
	ts.Check(errors.Join(err, database.Close()))
}

// FixedAddress finds a loopback address that a program can have later, and again in another life. It
// lies below the ports that systems hand out by themselves, so that nobody is given it while nobody is
// there; another run of tests, with one of the next process ids, begins elsewhere.
func FixedAddress(t *testing.T) string {
	t.Helper()
	for port := 20_000 + os.Getpid()*101%10_000; port < 32_000; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		defer listener.Close()
		if _, taken := givenAddresses.LoadOrStore(port, true); !taken {
			return listener.Addr().String()
		}
	}
	t.Fatal("no port between 20000 and 32000 is free")
	return ""
}

// givenAddresses are the ports that FixedAddress gave out.
var givenAddresses sync.Map

// ClosedPort is "closed-port": sets $CLOSED to a loopback address where nobody listens.
func ClosedPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: closed-port")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv("CLOSED", listener.Addr().String())
	ts.Check(listener.Close())
}
