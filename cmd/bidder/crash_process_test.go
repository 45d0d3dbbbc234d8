package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"leadbid/internal/cli"
	"leadbid/internal/scripttest"
)

// process is a program that serves, is ended, and is started again.
type process struct {
	t         *testing.T
	words     []string // the program and its arguments
	under     []string // a command that it is run under, with its arguments
	announces string   // what it says when it is ready
	env       map[string]string

	command *exec.Cmd
	input   io.Closer
	said    *console
	ended   chan struct{} // closed when the process has ended
	stopped bool          // it was ended by us
	started time.Time

	starts   int // that were waited for
	starting time.Duration
}

// start starts a process and does not wait for it to answer.
func (p *process) start() {
	p.t.Helper()
	p.said, p.ended, p.stopped, p.started = newConsole(p.announces), make(chan struct{}), false, time.Now()
	words := slices.Concat(p.under, p.words)
	p.command = exec.Command(words[0], words[1:]...)
	p.command.Env = scripttest.Environment()
	for name, value := range p.env {
		p.command.Env = append(p.command.Env, name+"="+value)
	}
	p.command.Stderr = p.said
	endWithUs(p.command)
	input, err := p.command.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.input = input
	if err := p.command.Start(); err != nil {
		p.command = nil
		p.t.Fatal(err)
	}
	go func(command *exec.Cmd, ended chan struct{}) {
		_ = command.Wait() // how it ended is in its state
		close(ended)
	}(p.command, p.ended)
}

// patience bounds every wait for a process; none of them takes a second on an idle machine.
const patience = time.Minute

func (p *process) awaitReady() {
	p.t.Helper()
	select {
	case <-p.said.ready:
		p.starts++
		p.starting += p.said.readyAt.Sub(p.started)
	case <-p.ended:
		p.endedByItself()
	case <-time.After(patience):
		p.t.Fatalf("the process does not answer %v after its start; it said:\n%s", patience, p.said)
	}
}

// meanStart is how long the starts took that were waited for.
func (p *process) meanStart() time.Duration {
	return (p.starting / time.Duration(p.starts)).Round(time.Millisecond)
}

// live lets time pass in which the process must not end.
func (p *process) live(length time.Duration) {
	p.t.Helper()
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ended:
		p.endedByItself()
	}
}

func (p *process) endedByItself() {
	p.t.Helper()
	p.stopped = true
	p.t.Fatalf("the process ended by itself: %v; it said:\n%s", p.command.ProcessState, p.said)
}

// kill ends the process without giving it a moment, by SIGKILL where there is one.
func (p *process) kill() {
	p.t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		p.t.Errorf("killing: %v", err)
	}
	p.awaitEnd()
	if state := p.command.ProcessState; state.Exited() {
		p.t.Errorf("the process ended by itself before it was killed: %v; it said:\n%s", state, p.said)
	}
}

func (p *process) killIfAlive() {
	if p.command != nil && !p.stopped {
		p.kill()
	}
}

// stop asks the process to end, as Ctrl-C does.
func (p *process) stop() {
	p.t.Helper()
	if err := p.command.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatalf("stopping: %v", err)
	}
	p.awaitEnd()
	if code := p.command.ProcessState.ExitCode(); code != int(cli.CodeOK) {
		p.t.Errorf("the process was asked to stop and exited with %d; it said:\n%s", code, p.said)
	}
}

func (p *process) awaitEnd() {
	p.t.Helper()
	p.stopped = true
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("process %d is still there after %v", p.command.Process.Pid, patience)
	}
	_ = p.input.Close() // the process is gone, and with it the other end
}

// console keeps the end of what a process says, and notices when it is ready.
type console struct {
	announces string // what is said by who is ready
	ready     chan struct{}
	readyAt   time.Time // set before ready is closed

	mu    sync.Mutex
	text  []byte
	heard bool
}

func newConsole(announces string) *console {
	return &console{announces: announces, ready: make(chan struct{})}
}

func (c *console) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, text...)
	if !c.heard && bytes.Contains(c.text, []byte(c.announces)) {
		c.heard, c.readyAt = true, time.Now()
		close(c.ready)
	}
	const kept = 32 << 10
	if len(c.text) > 2*kept {
		c.text = append([]byte("..."), c.text[len(c.text)-kept:]...)
	}
	return len(text), nil
}

// announced tells whether the process came to be ready.
func (c *console) announced() bool {
	select {
	case <-c.ready:
		return true
	default:
		return false
	}
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}
