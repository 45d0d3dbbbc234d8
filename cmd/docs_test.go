package cmd_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReadme runs every command of README.md's console blocks, in order, as a newcomer would, in a
// folder of its own with the examples in it. Each must succeed. In a block that does not say
// "varies" what is printed must be what is shown, digits apart.
//
//	UPDATE_DOCS=1 go test ./cmd -run TestReadme     writes the real output into README.md
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: runs programs for about half a minute")
	}
	d := newTour(t)
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"go run ./cmd/demo", "go test ./..."} {
		if !bytes.Contains(text, []byte("\n"+command)) {
			t.Errorf("README.md does not show %q", command)
		}
	}
	var written strings.Builder
	var block []string
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case !inside && strings.HasPrefix(line, "```console"):
			inside, block = true, nil
			written.WriteString(line + "\n")
		case inside && line == "```":
			inside = false
			written.WriteString(d.block(block, strings.HasSuffix(blockHead(written.String()), "varies")))
			written.WriteString(line + "\n")
		case inside:
			block = append(block, line)
		default:
			written.WriteString(line + "\n")
		}
	}
	if os.Getenv("UPDATE_DOCS") != "" && !t.Failed() {
		if err := os.WriteFile("../README.md", []byte(written.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// blockHead is the last line written: the fence that opened the block.
func blockHead(written string) string {
	lines := strings.Split(strings.TrimSpace(written), "\n")
	return lines[len(lines)-1]
}

// tour is a newcomer's terminal.
type tour struct {
	t          *testing.T
	dir, bin   string
	env        []string
	ports      *strings.Replacer // the examples' ports to free ones, in files and commands
	shown      *strings.Replacer // and back, for what is shown
	background *exec.Cmd
	ended      chan error
}

func newTour(t *testing.T) *tour {
	d := &tour{t: t, dir: t.TempDir(), bin: t.TempDir(), env: os.Environ()}
	build := exec.Command("go", "build", "-o", d.bin, "leadbid/cmd/bidder", "leadbid/cmd/demo", "leadbid/cmd/exchange")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the commands: %v\n%s", err, output)
	}
	one, two := freePort(t), freePort(t)
	d.ports = strings.NewReplacer(":8080", ":"+one, ":8081", ":"+two)
	d.shown = strings.NewReplacer(":"+one, ":8080", ":"+two, ":8081")
	err := filepath.WalkDir("../examples", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		target := filepath.Join(d.dir, strings.TrimPrefix(path, ".."))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, []byte(d.ports.Replace(string(text))), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.stop() })
	return d
}

func freePort(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// block runs the commands of a block and gives it with its real output.
func (d *tour) block(lines []string, varies bool) string {
	d.t.Helper()
	var written strings.Builder
	for i := 0; i < len(lines); {
		command, ok := strings.CutPrefix(lines[i], "$ ")
		if !ok {
			d.t.Fatalf("README.md: a block begins with output: %q", lines[i])
		}
		var shown []string
		for i++; i < len(lines) && !strings.HasPrefix(lines[i], "$ "); i++ {
			shown = append(shown, lines[i])
		}
		output := d.run(command)
		if want := strings.Join(shown, "\n"); !varies && os.Getenv("UPDATE_DOCS") == "" && withoutDigits(want) != withoutDigits(output) {
			d.t.Errorf("README.md shows of %q\n%s\nbut it prints\n%s", command, want, output)
		}
		fmt.Fprintf(&written, "$ %s\n", command)
		if output != "" {
			written.WriteString(output + "\n")
		}
	}
	return written.String()
}

var (
	digits  = regexp.MustCompile(`[0-9][0-9.,:]*`)
	goRun   = regexp.MustCompile(`go run \./cmd/(bidder|demo|exchange)`)
	exports = regexp.MustCompile(`^export ([A-Z_]+)=(\S+)$`)
)

func withoutDigits(text string) string {
	return strings.Join(strings.Fields(digits.ReplaceAllString(text, "#")), " ")
}

// run types one command and gives what it prints on both streams.
func (d *tour) run(command string) string {
	d.t.Helper()
	if export := exports.FindStringSubmatch(command); export != nil {
		d.env = append(d.env, export[1]+"="+export[2])
		return ""
	}
	if command == "kill %1" {
		return d.stop()
	}
	typed := d.ports.Replace(goRun.ReplaceAllString(command, d.bin+"/$1"))
	if served, ok := strings.CutSuffix(typed, " &"); ok {
		return d.start(served)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", typed)
	shell.Dir, shell.Env = d.dir, d.env
	output, err := shell.CombinedOutput()
	if err != nil {
		d.t.Errorf("README.md: %s: %v\n%s", command, err, output)
	}
	return d.tidy(string(output))
}

// tidy gives output as the README shows it: the examples' ports, no trailing space, at most the
// lines that a reader wants to see.
func (d *tour) tidy(output string) string {
	var lines []string
	for line := range strings.Lines(d.shown.Replace(output)) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// start runs a command in the background and waits until it says that it answers.
func (d *tour) start(command string) string {
	d.t.Helper()
	d.background = exec.Command("bash", "-c", "exec "+command)
	d.background.Dir, d.background.Env = d.dir, d.env
	output, err := d.background.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.background.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.ended = make(chan error, 1)
	said := make(chan string, 1)
	go func(process *exec.Cmd, ended chan error) {
		var all strings.Builder
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			if !strings.HasPrefix(lines.Text(), "{") { // log lines are not for the tour
				all.WriteString(lines.Text() + "\n")
			}
			if strings.Contains(lines.Text(), "answering pings") {
				said <- all.String()
				break
			}
		}
		_, _ = io.Copy(io.Discard, output)
		ended <- process.Wait()
	}(d.background, d.ended)
	select {
	case text := <-said:
		return d.tidy(text)
	case err := <-d.ended:
		d.background = nil
		d.t.Fatalf("README.md: %s ended before it served: %v", command, err)
	}
	return ""
}

// stop ends what start began.
func (d *tour) stop() string {
	if d.background == nil {
		return ""
	}
	process := d.background
	d.background = nil
	if err := process.Process.Signal(os.Interrupt); err != nil {
		d.t.Error(err)
	}
	select {
	case err := <-d.ended:
		if err != nil {
			d.t.Errorf("README.md: the program in the background ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		_ = process.Process.Kill()
		d.t.Error("README.md: the program in the background did not stop within 20 s")
	}
	return ""
}
