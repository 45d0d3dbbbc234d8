// Command planted makes each mistake of internal/planted in turn and tells what catches it: the
// simulation, in at most so many days, or one of the suites. It builds both once with the tag, prints
// a table and writes it as JSON. A mistake that nothing catches is an error.
//
//	go run ./bench/planted
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"leadbid/internal/planted"
)

func main() {
	settings, err := parseFlags(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "planted:", err)
		os.Exit(2)
	}
	if err := run(os.Stdout, settings.days, settings.only, settings.folder); err != nil {
		fmt.Fprintln(os.Stderr, "planted:", err)
		os.Exit(1)
	}
}

// settings are what a run is asked for.
type settings struct {
	days   int         // the most to simulate for one mistake
	only   planted.Bug // "" makes all
	folder string      // of the JSON; "" writes none
}

func parseFlags(args []string, usage io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("planted", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.IntVar(&s.days, "days", 100, "the most days to simulate for one mistake")
	only := flags.String("only", "", "make this one alone")
	flags.StringVar(&s.folder, "out", "bench/results/planted", "folder of the JSON; empty writes none")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.only = planted.Bug(*only)
	isKnown := slices.ContainsFunc(planted.All(), func(mistake planted.Mistake) bool { return mistake.Bug == s.only })
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("%q is not understood: there are only flags", flags.Arg(0))
	case s.days < 1:
		return s, fmt.Errorf("--days %d: say 1 or more", s.days)
	case s.only != "" && !isKnown:
		return s, fmt.Errorf("--only %s: there is no such mistake; internal/planted/list.go has their names", s.only)
	}
	return s, nil
}

// caught is one line of the table.
type caught struct {
	Bug   planted.Bug `json:"bug"`
	Where string      `json:"where"`
	What  string      `json:"what"`
	By    string      `json:"caught_by"` // "" where nothing caught it
	How   string      `json:"how"`       // the broken promise and its seed, or the test
	Days  int         `json:"days,omitempty"`

	Seconds float64 `json:"seconds"`
}

// suites are the tests that are asked, in this order. Each runs in the folder of its package.
var suites = []struct {
	pkg  string
	args []string
}{
	{"budget/store", []string{"-test.run=TestSQLite|TestBooks", "-rapid.checks=20", "-rapid.nofailfile"}},
	{"budget", []string{"-test.short", "-rapid.checks=20", "-rapid.nofailfile"}},
	{"bench/sim", []string{"-test.run=AgreeWithSQL|Scene", "-sim.questions=1500"}},
	{"bidder", []string{"-test.short", "-rapid.checks=20", "-rapid.nofailfile"}},
}

func run(out io.Writer, days int, only planted.Bug, folder string) error {
	built, err := build()
	if err != nil {
		return err
	}
	defer os.RemoveAll(built)
	for i, suite := range suites {
		right := caught{Bug: "none"}
		if right.bySuite(filepath.Join(built, strconv.Itoa(i)+".test"), suite.pkg, suite.args) {
			return fmt.Errorf("without a mistake: the %s fail in %s", right.By, right.How)
		}
	}
	rows := catchAll(built, days, only)
	missed := 0
	for _, row := range rows {
		if row.By == "" {
			missed++
		}
	}
	if err := print(out, rows); err != nil {
		return err
	}
	if folder != "" && only == "" {
		if err := write(folder, rows); err != nil {
			return err
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d mistakes were not caught", missed, len(rows))
	}
	return nil
}

// catchAll makes all mistakes, or one, two at a time.
func catchAll(built string, days int, only planted.Bug) []caught {
	var mistakes []planted.Mistake
	for _, mistake := range planted.All() {
		if only == "" || only == mistake.Bug {
			mistakes = append(mistakes, mistake)
		}
	}
	rows := make([]caught, len(mistakes))
	var both sync.WaitGroup
	var next atomic.Int32
	for range 2 {
		both.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(mistakes); n = int(next.Add(1)) - 1 {
				began := time.Now()
				rows[n] = catch(built, mistakes[n], days)
				rows[n].Seconds = math.Round(10*time.Since(began).Seconds()) / 10
				fmt.Fprintf(os.Stderr, "%s: %s %s\n", rows[n].Bug, rows[n].By, rows[n].How)
			}
		})
	}
	both.Wait()
	return rows
}

// build makes the simulation and the suites once, with the mistakes in them.
func build() (folder string, err error) {
	if folder, err = os.MkdirTemp("", "leadbid-planted-"); err != nil {
		return "", err
	}
	if err = command("", "go", "build", "-tags", "planted", "-o", filepath.Join(folder, "sim"), "./bench/sim"); err != nil {
		return folder, err
	}
	for i, suite := range suites {
		binary := filepath.Join(folder, strconv.Itoa(i)+".test")
		if err = command("", "go", "test", "-c", "-tags", "planted", "-o", binary, "./"+suite.pkg); err != nil {
			return folder, err
		}
	}
	return folder, nil
}

func command(dir, name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Dir, c.Stdout, c.Stderr = dir, os.Stderr, os.Stderr
	return c.Run()
}

// catch makes one mistake. What lies beneath the modelled books, the simulation cannot meet.
func catch(built string, mistake planted.Mistake, days int) caught {
	row := caught{Bug: mistake.Bug, Where: mistake.Where, What: mistake.What}
	if mistake.Where != "budget/store" && row.bySimulation(built, days) {
		return row
	}
	for i, suite := range suites {
		if row.bySuite(filepath.Join(built, strconv.Itoa(i)+".test"), suite.pkg, suite.args) {
			return row
		}
	}
	return row
}

var (
	broken   = regexp.MustCompile(`(?m)^seed (\d+): (\w+): `)
	played   = regexp.MustCompile(`(?m)^days +(\d+)$`)
	failed   = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)
	panicked = regexp.MustCompile(`(?m)^panic: `)
)

func (row *caught) bySimulation(built string, days int) bool {
	output, err := row.output("", filepath.Join(built, "sim"), "--days", strconv.Itoa(days), "--for", "40s", "--failures", "1")
	found := broken.FindSubmatch(output)
	if err == nil || found == nil {
		return false
	}
	if n := played.FindSubmatch(output); n != nil {
		row.Days, _ = strconv.Atoi(string(n[1]))
	}
	row.Days++ // the last one did not come to its end
	row.By, row.How = "simulation", fmt.Sprintf("%s, seed %s", found[2], found[1])
	return true
}

func (row *caught) bySuite(binary, pkg string, args []string) bool {
	output, err := row.output(pkg, binary, args...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Exited() {
		return false // it holds, or took too long to tell
	}
	row.By, row.How = "tests of "+pkg, "a test"
	// The last line is of the innermost test.
	if all := failed.FindAllSubmatch(output, -1); all != nil {
		row.How = string(all[len(all)-1][1])
	} else if panicked.Match(output) {
		row.How = "a panic"
	}
	return true
}

// output runs a program with the mistake in it, for 80 s at most.
func (row *caught) output(dir, name string, args ...string) ([]byte, error) {
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "LEADBID_PLANTED="+string(row.Bug))
	timer := time.AfterFunc(80*time.Second, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	return c.CombinedOutput()
}

func print(out io.Writer, rows []caught) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "bug\twhere\twhat it does\tcaught by\tas\tdays\tseconds")
	for _, row := range rows {
		days := ""
		if row.Days > 0 {
			days = strconv.Itoa(row.Days)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%.1f\n", row.Bug, row.Where, row.What, row.By, row.How, days, row.Seconds)
	}
	return w.Flush()
}

func write(folder string, rows []caught) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	name := time.Now().UTC().Format(time.DateOnly) + ".json"
	return os.WriteFile(filepath.Join(folder, name), append(text, '\n'), 0o644)
}
