package cmd_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"leadbid/internal/scripttest"
)

// documents are the pages that a newcomer follows step by step, each in a folder of its own.
var documents = []string{"README.md", "docs/first-rules.md", "docs/strategy.md"}

// TestDocuments runs every command of the pages' console blocks, in order, as a newcomer would, in a
// folder of its own with the examples in it. Each must succeed. In a block that does not say
// "varies" what is printed must be what is shown, digits apart. A yaml block that names a file is
// what its reader types into that file: see edit.
//
//	UPDATE_DOCS=1 go test ./cmd -run TestDocuments     writes the real output into the pages
func TestDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED with -short, as they take half a minute: the commands that the documents show")
	}
	bin := programs(t)
	for _, page := range documents {
		t.Run(page, func(t *testing.T) { newTour(t, page, bin).follow() })
	}
}

func TestReadmeBegins(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"go run ./cmd/demo", "go test ./..."} {
		if !bytes.Contains(text, []byte("\n"+command)) {
			t.Errorf("README.md does not show %q", command)
		}
	}
}

// follow walks through the page from its first line to its last.
func (d *tour) follow() {
	path := filepath.Join("..", d.page)
	text, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	var written strings.Builder
	var block []string
	fence := "" // that of the block inside which the line is
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case fence == "" && strings.HasPrefix(line, "```"):
			fence, block = line, nil
		case fence != "" && line == "```":
			if strings.HasPrefix(fence, "```console") {
				block = d.block(block, strings.HasSuffix(fence, "varies"))
			} else if file, ok := strings.CutPrefix(fence, "```yaml "); ok {
				d.edit(file, block)
			}
			for _, shown := range append([]string{fence}, block...) {
				written.WriteString(shown + "\n")
			}
			fence = ""
		case fence != "":
			block = append(block, line)
			continue
		}
		if fence == "" {
			written.WriteString(line + "\n")
		}
	}
	if os.Getenv("UPDATE_DOCS") != "" && !d.t.Failed() {
		if err := os.WriteFile(path, []byte(written.String()), 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
}

// edit types a block into a file of the tour. One that begins with a version is the whole file.
// Any other is one key with what belongs to it: it takes the place of the key that is there at the
// same depth, or goes before the first key "campaigns:" where there is none.
func (d *tour) edit(file string, block []string) {
	d.t.Helper()
	path := filepath.Join(d.dir, file)
	if strings.HasPrefix(block[0], "version:") {
		d.write(path, block)
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatalf("%s: %v", d.page, err)
	}
	lines := strings.Split(string(text), "\n")
	key := regexp.MustCompile(`^ *[a-z_]+:`).FindString(block[0])
	if key == "" {
		d.t.Fatalf("%s: a block for %s begins with %q, which is no key", d.page, file, block[0])
	}
	depth := len(key) - len(strings.TrimLeft(key, " "))
	from := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, key) })
	to := from + 1
	if from < 0 {
		from = slices.Index(lines, "campaigns:")
		to = from
	}
	if from < 0 {
		d.t.Fatalf("%s: there is no place for %s in %s", d.page, key, file)
	}
	for to > from && to < len(lines) && (lines[to] == "" || len(lines[to])-len(strings.TrimLeft(lines[to], " ")) > depth) {
		to++
	}
	d.write(path, slices.Concat(lines[:from], block, []string{""}, lines[to:]))
}

func (d *tour) write(path string, lines []string) {
	d.t.Helper()
	if err := os.WriteFile(path, []byte(d.ports.Replace(strings.Join(lines, "\n")+"\n")), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// tour is a newcomer's terminal.
type tour struct {
	t          *testing.T
	page       string
	dir, bin   string
	env        []string
	ports      *strings.Replacer // the examples' ports to free ones, in files and commands
	shown      *strings.Replacer // and back, for what is shown
	background *exec.Cmd
	ended      chan error
}

func newTour(t *testing.T, page, bin string) *tour {
	d := &tour{t: t, page: page, dir: t.TempDir(), bin: bin}
	d.env = append(scripttest.Environment(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	one, two := fixedPort(t), fixedPort(t)
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

func fixedPort(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(scripttest.FixedAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// block runs the commands of a block and gives it with its real output.
func (d *tour) block(lines []string, varies bool) []string {
	d.t.Helper()
	var written []string
	for i := 0; i < len(lines); {
		command, ok := strings.CutPrefix(lines[i], "$ ")
		if !ok {
			d.t.Fatalf("%s: a block begins with output: %q", d.page, lines[i])
		}
		var shown []string
		for i++; i < len(lines) && !strings.HasPrefix(lines[i], "$ "); i++ {
			shown = append(shown, lines[i])
		}
		output := d.run(command)
		if want := strings.Join(shown, "\n"); !varies && os.Getenv("UPDATE_DOCS") == "" && withoutDigits(want) != withoutDigits(output) {
			d.t.Errorf("%s shows of %q\n%s\nbut it prints\n%s", d.page, command, want, output)
		}
		written = append(written, "$ "+command)
		if output != "" {
			written = append(written, strings.Split(output, "\n")...)
		}
	}
	return written
}

var (
	digits  = regexp.MustCompile(`[0-9][0-9.,:]*`)
	program = regexp.MustCompile(`(?:go run \./cmd|\bbin)/(bidder|demo|exchange)\b`)
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
	switch command {
	case "kill %1":
		return d.stop()
	case "go build -o bin/ ./cmd/...": // it is what programs did
		return ""
	}
	typed := d.ports.Replace(program.ReplaceAllString(command, d.bin+"/$1"))
	if served, ok := strings.CutSuffix(typed, " &"); ok {
		return d.start(served)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", typed)
	shell.Dir, shell.Env = d.dir, d.env
	output, err := shell.CombinedOutput()
	if err != nil {
		d.t.Errorf("%s: %s: %v\n%s", d.page, command, err, output)
	}
	return d.tidy(string(output))
}

// tidy gives output as a page shows it: the examples' ports, no trailing space, at most the
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
		d.t.Fatalf("%s: %s ended before it served: %v", d.page, command, err)
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
			d.t.Errorf("%s: the program in the background ended with %v", d.page, err)
		}
	case <-time.After(time.Minute):
		_ = process.Process.Kill()
		d.t.Errorf("%s: the program in the background did not stop within a minute", d.page)
	}
	return ""
}
