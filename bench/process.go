package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// process is a child as its parent sees it. It is used by one goroutine.
type process struct {
	name    string
	addr    string
	command *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Scanner
}

// startProcess starts a child in a folder of its own below dir and waits until it serves. It runs
// on cpus; where that is nil, anywhere.
func startProcess(name, dir string, s spec, cpus []int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s.Dir = filepath.Join(dir, name)
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, err
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), childVariable+"=1", fmt.Sprintf("GOMAXPROCS=%d", max(s.Processors, 1)))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startPinned(command, cpus); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{name: name, command: command, in: in, answers: bufio.NewScanner(out)}
	text, _ := json.Marshal(s) // plain data
	var greeting hello
	if err := p.ask(string(text), &greeting); err != nil {
		return nil, errors.Join(err, p.kill())
	}
	if greeting.Error != "" {
		return nil, errors.Join(fmt.Errorf("%s: %s", name, greeting.Error), p.kill())
	}
	p.addr = greeting.Addr
	return p, nil
}

// ask sends a line and reads the line that answers it.
func (p *process) ask(line string, answer any) error {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return fmt.Errorf("%s does not listen: %w", p.name, err)
	}
	if !p.answers.Scan() {
		return fmt.Errorf("%s ended without an answer", p.name)
	}
	if err := json.Unmarshal(p.answers.Bytes(), answer); err != nil {
		return fmt.Errorf("%s answered something else: %w", p.name, err)
	}
	return nil
}

func (p *process) usage() (u usage, err error) {
	err = p.ask(commandUsage, &u)
	return u, err
}

// stop ends the child and gives what it found. An error where a promise does not hold.
func (p *process) stop() (final, error) {
	var last final
	if err := p.ask(commandStop, &last); err != nil {
		return last, errors.Join(err, p.kill())
	}
	_ = p.in.Close()
	timer := time.AfterFunc(stopWithin, func() { _ = p.command.Process.Kill() })
	defer timer.Stop()
	err := p.command.Wait()
	switch {
	case last.Error != "":
		return last, fmt.Errorf("%s: stopping: %s", p.name, last.Error)
	case err != nil:
		return last, fmt.Errorf("%s: %w", p.name, err)
	case len(last.Broken) > 0:
		return last, fmt.Errorf("%s: a promise does not hold: %v", p.name, last.Broken)
	}
	return last, nil
}

// kill ends a child that does not answer. After stop it does nothing.
func (p *process) kill() error {
	if p.command.ProcessState != nil {
		return nil
	}
	_ = p.in.Close()
	_ = p.command.Process.Kill()
	_ = p.command.Wait() // it was killed: that is its error
	return nil
}
