package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"leadbid/internal/cputime"
)

// A measured server runs in a process of its own, so that its CPU time and its memory are its
// alone. The process is this program again, told so by a variable of the environment. It reads its
// spec as one line of JSON from its input, answers with a hello, and then answers one line for each
// command. The end of its input is the end of its parent: it stops then.

const childVariable = "LEADBID_BENCH_CHILD"

func isChild() bool { return os.Getenv(childVariable) != "" }

// The commands.
const (
	commandUsage = "usage"
	commandStop  = "stop"
)

// spec says which server a child is to be. Exactly one of the parts below Dir is set.
type spec struct {
	Dir     string // its own folder, which is there
	Profile string // file for a CPU profile; "" for none

	Processors int // GOMAXPROCS; 0 means 1

	Bare     *bareSpec
	Bidder   *bidderSpec
	Buyers   *buyersSpec
	Exchange *exchangeSpec
}

// hello is a child's first answer.
type hello struct {
	Error string
	Addr  string
}

// usage is what a process has used since its start.
type usage struct {
	CPU    time.Duration // user and system
	Allocs uint64        // heap objects
	Bytes  uint64        // of them
}

func (u usage) since(before usage) usage {
	return usage{u.CPU - before.CPU, u.Allocs - before.Allocs, u.Bytes - before.Bytes}
}

// final is a child's last answer: what it found when it held its books against each other.
type final struct {
	Error    string
	Broken   []string // promises that do not hold
	Checked  int      // promises that were recomputed
	Recorded bool     // the server recorded
	Dropped  uint64   // inputs that the recording had no room for
	NoBids   map[string]int64
}

// server is a started role.
type server struct {
	addr string
	stop func(context.Context) (final, error)
}

// stopWithin bounds the graceful stop of a child, its verification included.
const stopWithin = 30 * time.Second

// serveRole is the whole life of a child. It returns its exit code.
func serveRole(in io.Reader, out io.Writer) int {
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	var s spec
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &s) != nil {
		fmt.Fprintln(os.Stderr, "bench: a child was started without a spec")
		return 2
	}
	stopProfile, err := startProfile(s.Profile)
	if err != nil {
		_ = answers.Encode(hello{Error: err.Error()})
		return 1
	}
	defer stopProfile()
	running, err := startRole(s)
	if err != nil {
		_ = answers.Encode(hello{Error: err.Error()})
		return 1
	}
	if answers.Encode(hello{Addr: running.addr}) == nil {
		obey(lines, answers)
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	last, err := running.stop(ctx)
	if err != nil {
		last.Error = err.Error()
	}
	if answers.Encode(last) != nil || err != nil {
		return 1
	}
	return 0
}

// obey answers commands until the one to stop, or until the parent is gone.
func obey(lines *bufio.Scanner, answers *json.Encoder) {
	for lines.Scan() && lines.Text() == commandUsage {
		if answers.Encode(usageAtRest()) != nil {
			return
		}
	}
}

func startRole(s spec) (server, error) {
	switch {
	case s.Bare != nil:
		return startBare(*s.Bare)
	case s.Bidder != nil:
		return startBidder(*s.Bidder, s.Dir)
	case s.Buyers != nil:
		return startBuyers(*s.Buyers)
	case s.Exchange != nil:
		return startExchange(*s.Exchange, s.Dir)
	}
	return server{}, errors.New("the spec names no server")
}

func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close() // a profile that is cut off shows when it is read
	}, nil
}

const (
	restStep  = 5 * time.Millisecond
	restNoise = 200 * time.Microsecond // of CPU time in a step: timers, and the looking itself
	restLimit = 2 * time.Second
)

// usageAtRest reads the usage once the process has come to rest, so that work which it put off,
// such as writing what it recorded, is counted where it was caused.
func usageAtRest() usage {
	last := cputime.Used()
	for end := time.Now().Add(restLimit); time.Now().Before(end); {
		time.Sleep(restStep)
		now := cputime.Used()
		if now-last < restNoise {
			break
		}
		last = now
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return usage{CPU: cputime.Used(), Allocs: memory.Mallocs, Bytes: memory.TotalAlloc}
}
