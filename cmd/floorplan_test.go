package cmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floorPlan is who may import whom. It is the floor plan of ARCHITECTURE.md as text, and this
// test holds the code to it.
//
//	a < b      b may import a, and everything that a may import
//	a !< b     b must never come to a, directly or through others, whatever else is written here
//
// A word in capitals names a group and is no package. A package that is not listed is a fault.
//
// DO NOT RELAX THIS to make a test pass. An arrow that points upwards, or sideways between two
// packages that know nothing of each other, is a design decision: it is argued in
// ARCHITECTURE.md first. What you need most likely belongs one floor up, where both are known,
// or comes in as an argument.
const floorPlan = `
	# Floor 0: words, values and formats. CORE, as are floors 1 and 2: see coreRules.
	NONE < pingpost
	NONE < internal/planted
	internal/planted < budget, bidder, budget/store, bidder/server, exchange, internal/sqlstore, bench/sim, bench/planted
	pingpost < internal/yamlfile
	internal/yamlfile < pingpost/wire, pingpost/zips
	pingpost/wire < pingpost/recording
	pingpost/wire, pingpost/recording, pingpost/zips < FLOOR0

	# Floor 1: three parts that do not know each other. The Agent joins them.
	FLOOR0 < rules
	FLOOR0 < budget
	FLOOR0 < bidder/strategy

	# Floor 2: the two deciders. They meet on the wire only.
	rules, budget, bidder/strategy < bidder
	FLOOR0 < exchange

	# What both shells need. The core uses none of it, yamlfile apart.
	pingpost < internal/retry, internal/safedial, internal/lifecycle, internal/cli, internal/contact
	NONE < internal/filelock
	pingpost, internal/filelock < internal/sqlstore
	pingpost < internal/httpguard
	internal/retry, internal/safedial < internal/webhook
	internal/yamlfile, internal/retry, internal/safedial, internal/lifecycle < TOOLS
	internal/yamlfile < internal/cli
	internal/sqlstore, internal/httpguard, internal/webhook < TOOLS

	# Floor 3, the contractor's side.
	budget, TOOLS < budget/store
	budget/store < budget/store/storetest
	budget/store, rules < bidder/delivery
	budget/store < bidder/reconcile
	bidder, budget/store, bidder/delivery, bidder/reconcile < bidder/server
	bidder < bidder/backtest, bidder/cases
	internal/contact < bidder/server, bidder/cases

	# Floor 3, the exchange's side.
	exchange, TOOLS < exchange/store
	exchange, TOOLS < exchange/pinger
	exchange/store, exchange/pinger < exchange/server
	FLOOR0, TOOLS < exchange/simulate
	exchange/simulate < exchange/load

	# Floor 4: flags, wiring, signals.
	bidder/server, bidder/backtest, bidder/cases, bidder/reconcile, internal/cli < cmd/bidder
	exchange/server, exchange/load, internal/cli < cmd/exchange
	bidder/server, bidder/backtest, exchange/server, exchange/load, internal/cli < cmd/demo
	bidder/server, bidder/backtest, exchange/server, exchange/load < bench
	budget/store < bench/sim/books
	bidder/server, bidder/backtest, exchange/server, exchange/load, bench/sim/books < bench/sim
	rules < bench/rules
	NONE < internal/cputime, internal/faultproxy
	internal/faultproxy < internal/pgtest
	bidder/server, internal/pgtest, internal/cputime < bench/money
	internal/cputime < bench
	bidder/strategy < bench/strategy

	# Tools that a person runs while working on the house, and folders without code of their own.
	pingpost/zips < pingpost/zips/generate
	NONE < internal/scripttest, internal/synctrace, examples

	# What must stay true however the lines above change.
	exchange !< bidder, bidder/server, bidder/delivery, bidder/backtest, budget/store, cmd/bidder
	bidder !< exchange, exchange/server, exchange/store, exchange/pinger, cmd/exchange
	rules !< budget, bidder/strategy, exchange, exchange/server, cmd/exchange
	budget !< rules, bidder/strategy, exchange, exchange/server, cmd/exchange
	bidder/strategy !< rules, budget
	# The load generator shares no hot path with what it measures.
	exchange !< exchange/load, exchange/simulate
	internal/httpguard !< rules, budget, bidder, exchange
	internal/sqlstore !< rules, budget, bidder, exchange
`

// core lists the packages that decide. Given the same inputs they give the same answers, on any
// machine and at any time: that is what lets a recording be replayed, and the one reason why a
// contractor can believe a backtest.
var core = []string{
	"pingpost", "pingpost/wire", "pingpost/recording", "pingpost/zips", "internal/yamlfile",
	"rules", "budget", "bidder/strategy", "bidder", "exchange",
}

// coreImports are packages that the core must not import, each with what to do instead. An entry
// covers the packages below it, except those of coreExceptions.
var coreImports = map[string]string{
	"context":                     "there is no I/O to cancel, and its deadlines are clocks",
	"database/sql":                "the store is one floor up; a decision is handed to it as a value",
	"github.com/rs/zerolog":       "return what happened; the shell logs it",
	"github.com/google/uuid":      "ids that need chance or a clock come in with the command",
	"github.com/valyala":          "HTTP is one floor up",
	"crypto/rand":                 "chance is an argument: a hash of (seed, ping id)",
	"golang.org/x/sync":           "goroutines belong to the shell",
	"golang.org/x/time":           "limiters read a clock",
	"io/ioutil":                   "take an io/fs.FS, an io.Reader or an io.Writer",
	"log":                         "return what happened; the shell logs it",
	"math/rand":                   "chance is an argument: a hash of (seed, ping id)",
	"net":                         "the network is one floor up",
	"os":                          "take an io/fs.FS, an io.Reader or an io.Writer",
	"syscall":                     "the machine is one floor up",
	"testing":                     "tests are in _test.go files",
	"github.com/prometheus":       "return counts; the shell shows them",
	"modernc.org/sqlite":          "the store is one floor up; a decision is handed to it as a value",
	"github.com/jackc/pgx":        "the store is one floor up; a decision is handed to it as a value",
	"github.com/nyaruka":          "contacts are hashed in the shell, once, at the post",
	"github.com/schollz":          "the terminal belongs to the command",
	"github.com/spf13/cobra":      "the command line belongs to the command",
	"github.com/pressly/goose/v3": "migrations belong to the store",
}

// coreExceptions are pure packages below a forbidden one.
var coreExceptions = []string{"net/url", "net/netip"}

// coreCalls are functions and types that the core must not name, by package.
var coreCalls = map[string]map[string]string{
	"time": {
		"Now": aClock, "Since": aClock, "Until": aClock, "After": aTimer, "AfterFunc": aTimer, "Tick": aTimer,
		"NewTimer": aTimer, "NewTicker": aTimer, "Timer": aTimer, "Ticker": aTimer, "Sleep": aTimer,
		"Local": "the machine's time zone is not the business's: take a *time.Location",
	},
	"sync": {"WaitGroup": aGoroutine, "Cond": aGoroutine, "NewCond": aGoroutine},
	"fmt": {"Print": anOutput, "Printf": anOutput, "Println": anOutput,
		"Scan": anOutput, "Scanf": anOutput, "Scanln": anOutput},
}

const (
	aClock     = "time is data: take now as the first argument"
	aTimer     = "time is data: say what is due with Due, and do it in Expire(now)"
	aGoroutine = "goroutines belong to the shell"
	anOutput   = "return what is to be said"
)

// yamlImporters is where yaml.v3 may be imported. Its upstream is archived: with one import,
// moving to its successor is a change of one line.
var yamlImporters = []string{"internal/yamlfile"}

// revealers are the packages that may turn personal data back into text, each with its reason.
// Everybody else passes it on as pingpost.Private, which prints as [redacted].
var revealers = map[string]string{
	"pingpost":               "finds out whether a text shows a homeowner, and answers yes or no",
	"pingpost/wire":          "writes the post that hands the lead to the winner",
	"budget/store":           "keeps accepted leads for delivery and for their owner",
	"budget/store/storetest": "compares what a store kept with what it was given, in tests",
	"bidder/server":          "hashes contacts under the store's key to find duplicates",
	"internal/contact":       "spells and hashes contacts for the contractor's reject rules",
	"bidder/delivery":        "delivers the lead to the contractor's own systems",
	"exchange/store":         "keeps offered leads until they are sold",
	"exchange/server":        "shows a bought lead to the buyer who paid for it",
	// A homeowner of the simulation is nobody's contact.
	"exchange/simulate": "brings invented contacts to an intake, as a seller would",
	"rules":             "shows the lead to the contractor's own reject rules, at the post",
}

// topFolders are the folders at the top, each with its reason.
var topFolders = map[string]string{
	"pingpost": "the vocabulary that both sides share, and the formats it travels in",
	"rules":    "the contractor's configuration, compiled",
	"budget":   "the contractor's money: caps, leases, holds and their store",
	"bidder":   "the contractor's side: the Agent and its shell",
	"exchange": "the seller's side: the Market and its shell",
	"cmd":      "the programs: flags, wiring, signals",
	"internal": "what both shells need and nobody else should",
	"bench":    "measurements of whole paths, with kept results",
	"docs":     "pages for users, each line of which a test runs",
	"examples": "complete configurations and pings, each held by a test",
}

const module = "leadbid"

// ourPackage is one package of the module, as it is on disk for every platform.
type ourPackage struct {
	path    string // relative to the module: "budget/store"
	doc     string
	files   []*ast.File // without tests
	tests   []*ast.File
	nothing bool // holds tests only
}

func TestImportsFollowTheFloorPlan(t *testing.T) {
	plan := parsePlan(t, floorPlan)
	fset := token.NewFileSet()
	packages := ourPackages(t, fset)
	for _, pkg := range packages {
		allowed, listed := plan.below[pkg.path]
		if !listed {
			if !pkg.nothing {
				t.Errorf("%s is not in the floor plan: say on which floor it lives", pkg.path)
			}
			continue
		}
		for _, file := range pkg.files {
			for _, spec := range file.Imports {
				imported, ours := strings.CutPrefix(importPath(spec), module+"/")
				if ours && !allowed[imported] {
					t.Errorf("%s: %s must not import %s", fset.Position(spec.Pos()), pkg.path, imported)
				}
			}
		}
	}
	for _, planned := range plan.packages {
		if !slices.ContainsFunc(packages, func(pkg ourPackage) bool { return pkg.path == planned }) {
			t.Logf("in the floor plan and not built yet: %s", planned)
		}
	}
}

func TestProgramsLinkOnlyTheirOwnSide(t *testing.T) {
	for program, foreign := range map[string][]string{
		"cmd/bidder":   {"exchange"},
		"cmd/exchange": {"bidder", "rules", "budget"},
	} {
		if _, err := os.Stat(path.Base(program)); errors.Is(err, os.ErrNotExist) {
			t.Logf("%s is not built yet", program)
			continue
		}
		for _, dependency := range strings.Fields(goList(t, "-e", "-deps", "./"+program)) {
			relative, ours := strings.CutPrefix(dependency, module+"/")
			for _, side := range foreign {
				if ours && isWithin(relative, side) {
					t.Errorf("%s links %s, code of the other side", program, relative)
				}
			}
		}
	}
}

func TestCoreIsDeterministic(t *testing.T) {
	fset := token.NewFileSet()
	for _, pkg := range ourPackages(t, fset) {
		if !slices.Contains(core, pkg.path) {
			continue
		}
		for _, file := range pkg.files {
			for _, fault := range coreFaults(file) {
				t.Errorf("%s: %s is core: %s", fset.Position(fault.at), pkg.path, fault.what)
			}
		}
	}
}

// TestCoreRulesCatch proves that the walk finds what it is for: one file breaks every rule once.
func TestCoreRulesCatch(t *testing.T) {
	const source = `package p
import (
	"math/rand/v2"
	. "strings"
	"os/exec"
	"net/http"
	clock "time"
	"net/url"
	"fmt"
	"sync"
)
func init() {}
func f() {
	go f()
	_ = clock.Now()
	var group sync.WaitGroup
	fmt.Println(url.URL{}, clock.Second, sync.Mutex{})
	_ = func() { clock.NewTimer(0) }
}`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, fault := range coreFaults(file) {
		what, _, _ := strings.Cut(fault.what, ":")
		got = append(got, what)
	}
	want := []string{"import of math/rand/v2", "dot import of strings", "import of os/exec",
		"import of net/http", "func init",
		"go statement", "time.Now", "sync.WaitGroup", "fmt.Println", "time.NewTimer"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q\n want %q", got, want)
	}
}

// TestForbiddenPackagesExist keeps a rule from losing its meaning when a package moves.
func TestForbiddenPackagesExist(t *testing.T) {
	standard := strings.Fields(goList(t, "std"))
	required, err := os.ReadFile(filepath.Join("..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	named := append([]string{"gopkg.in/yaml.v3"}, coreExceptions...)
	for name := range coreImports {
		named = append(named, name)
	}
	for name := range coreCalls {
		named = append(named, name)
	}
	for _, name := range named {
		if !slices.Contains(standard, name) && !bytes.Contains(required, []byte(name)) {
			t.Errorf("a rule speaks of %s, which is neither in the standard library nor in go.mod", name)
		}
	}
	plan := parsePlan(t, floorPlan)
	for _, list := range [][]string{core, yamlImporters, keys(revealers)} {
		for _, name := range list {
			if !slices.Contains(plan.packages, name) {
				t.Errorf("a rule speaks of %s, which is not in the floor plan", name)
			}
		}
	}
}

func TestYAMLHasOneImport(t *testing.T) {
	fset := token.NewFileSet()
	for _, pkg := range ourPackages(t, fset) {
		for _, file := range slices.Concat(pkg.files, pkg.tests) {
			for _, spec := range file.Imports {
				if importPath(spec) == "gopkg.in/yaml.v3" && !slices.Contains(yamlImporters, pkg.path) {
					t.Errorf("%s: yaml.v3 is imported in %q only; use that", fset.Position(spec.Pos()), yamlImporters)
				}
			}
		}
	}
}

func TestPersonalDataIsRevealedInFewPlaces(t *testing.T) {
	fset := token.NewFileSet()
	for _, pkg := range ourPackages(t, fset) {
		calls := 0
		for _, file := range pkg.files {
			ast.Inspect(file, func(node ast.Node) bool {
				selector, ok := node.(*ast.SelectorExpr)
				if ok && selector.Sel.Name == "Reveal" {
					calls++
					if revealers[pkg.path] == "" {
						t.Errorf("%s: %s may not reveal personal data: pass it on as pingpost.Private",
							fset.Position(selector.Pos()), pkg.path)
					}
				}
				return true
			})
		}
		if calls == 0 && revealers[pkg.path] != "" {
			t.Errorf("%s may reveal personal data and does not: take it off the list", pkg.path)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, pkg := range ourPackages(t, token.NewFileSet()) {
		if pkg.doc == "" && !pkg.nothing {
			t.Errorf("%s has no package comment: what it owns, who calls it, what it never does", pkg.path)
		}
	}
}

func TestTopFoldersHaveReasons(t *testing.T) {
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		tracked := entry.IsDir() && !strings.HasPrefix(name, ".") && name != "data"
		if tracked && topFolders[name] == "" {
			t.Errorf("the folder %s has no reason: name it here and in ARCHITECTURE.md", name)
		}
	}
}

// plan is the parsed floorPlan.
type plan struct {
	packages []string                   // in order of their first mention, groups left out
	below    map[string]map[string]bool // what each may import
}

// parsePlan reads the text, and checks its !< lines against all that the < lines allow.
func parsePlan(t *testing.T, text string) plan {
	t.Helper()
	p := plan{below: map[string]map[string]bool{}}
	var never [][2]string
	for number, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		relation := "<"
		if strings.Contains(line, "!<") {
			relation = "!<"
		}
		left, right, ok := strings.Cut(line, relation)
		if !ok || strings.ContainsAny(right, "<!") {
			t.Fatalf("floor plan, line %d: want \"a, b < c\" or \"a !< c\", not %q", number, line)
		}
		for _, upper := range names(right) {
			for _, lower := range names(left) {
				if relation == "!<" {
					never = append(never, [2]string{lower, upper})
					continue
				}
				p.allow(t, lower, upper)
			}
		}
	}
	for _, pair := range never {
		lower, upper := pair[0], pair[1]
		if p.below[lower] == nil || p.below[upper] == nil {
			t.Errorf("floor plan: %s !< %s names a package that no < line has", lower, upper)
		}
		if p.below[upper][lower] {
			t.Errorf("floor plan: its lines let %s import %s, and it says never", upper, lower)
		}
	}
	return p
}

// allow lets upper import lower and all that lower may. A lower that is not placed yet would make
// the outcome depend on the order of lines, and could hide a cycle.
func (p *plan) allow(t *testing.T, lower, upper string) {
	t.Helper()
	if p.below[upper] == nil {
		p.below[upper] = map[string]bool{}
		if upper != strings.ToUpper(upper) {
			p.packages = append(p.packages, upper)
		}
	}
	if lower == "NONE" {
		return
	}
	if p.below[lower] == nil {
		t.Fatalf("floor plan: %s is used below %s before it has a place itself", lower, upper)
	}
	if p.below[lower][upper] || lower == upper {
		t.Fatalf("floor plan: %s and %s are above each other", lower, upper)
	}
	p.below[upper][lower] = true
	for deeper := range p.below[lower] {
		p.below[upper][deeper] = true
	}
}

// fault is something that the core must not do.
type fault struct {
	at   token.Pos
	what string
}

// coreFaults lists what a file of the core must not hold, in the order of the file.
func coreFaults(file *ast.File) []fault {
	var faults []fault
	local := map[string]string{} // the file's name of an imported package: its path
	for _, spec := range file.Imports {
		imported := importPath(spec)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "." {
			faults = append(faults, fault{spec.Pos(), "dot import of " + imported + ": it hides what is called"})
		}
		local[name] = imported
		for forbidden, instead := range coreImports {
			if isWithin(imported, forbidden) && !slices.Contains(coreExceptions, imported) {
				faults = append(faults, fault{spec.Pos(), "import of " + imported + ": " + instead})
			}
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.GoStmt:
			faults = append(faults, fault{node.Pos(), "go statement: " + aGoroutine})
		case *ast.FuncDecl:
			if node.Recv == nil && node.Name.Name == "init" {
				faults = append(faults, fault{node.Pos(), "func init: state is made by constructors"})
			}
		case *ast.SelectorExpr:
			if base, ok := node.X.(*ast.Ident); ok {
				imported := local[base.Name]
				if instead, ok := coreCalls[imported][node.Sel.Name]; ok {
					what := fmt.Sprintf("%s.%s: %s", imported, node.Sel.Name, instead)
					faults = append(faults, fault{node.Pos(), what})
				}
			}
		}
		return true
	})
	return faults
}

// ourPackages lists the module's packages with the files of every platform, parsed.
func ourPackages(t *testing.T, fset *token.FileSet) []ourPackage {
	t.Helper()
	watchFolders(t)
	var packages []ourPackage
	decoder := json.NewDecoder(strings.NewReader(goList(t, "-e",
		"-json=ImportPath,Dir,Doc,GoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", "./...")))
	for {
		var listed struct {
			ImportPath, Dir, Doc                               string
			GoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
		}
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		pkg := ourPackage{
			path:    strings.TrimPrefix(listed.ImportPath, module+"/"),
			doc:     listed.Doc,
			nothing: len(listed.GoFiles) == 0,
		}
		for _, name := range slices.Concat(listed.GoFiles, listed.IgnoredGoFiles,
			listed.TestGoFiles, listed.XTestGoFiles) {
			file, err := parser.ParseFile(fset, filepath.Join(listed.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Error(err)
				continue
			}
			if strings.HasSuffix(name, "_test.go") {
				pkg.tests = append(pkg.tests, file)
			} else {
				pkg.files = append(pkg.files, file)
			}
		}
		packages = append(packages, pkg)
	}
}

// watchFolders reads every folder of the module in this process. The go command takes a test's
// result from its cache as long as what the test has read is unchanged, and it does not see what
// go list reads: without this, a new file would go unnoticed.
func watchFolders(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir("..", func(name string, entry os.DirEntry, err error) error {
		hidden := strings.HasPrefix(entry.Name(), ".") && name != ".."
		if err == nil && entry.IsDir() && hidden {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goList runs go list at the root of the module.
func goList(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.Command("go", append([]string{"list"}, args...)...)
	command.Dir = ".."
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list %q: %v\n%s", args, err, stderr.Bytes())
	}
	return string(output)
}

func importPath(spec *ast.ImportSpec) string {
	unquoted, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value // The parser has checked it: cannot happen, and matches nothing.
	}
	return unquoted
}

// isWithin reports whether a package is the named one or below it.
func isWithin(pkg, root string) bool { return pkg == root || strings.HasPrefix(pkg, root+"/") }

// names splits "a, b".
func names(list string) []string {
	var found []string
	for _, name := range strings.Split(list, ",") {
		found = append(found, strings.TrimSpace(name))
	}
	return found
}

func keys(reasons map[string]string) []string {
	var sorted []string
	for key := range reasons {
		sorted = append(sorted, key)
	}
	slices.Sort(sorted)
	return sorted
}
