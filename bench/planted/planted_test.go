package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadbid/internal/planted"
)

func TestFlags(t *testing.T) {
	refuses := func(line, why string) {
		t.Helper()
		if _, err := parseFlags(strings.Fields(line), io.Discard); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", line, err)
		}
	}
	refuses("nosuch", `"nosuch" is not understood: there are only flags`)
	refuses("--days 0", "--days 0: say 1 or more")
	refuses("--only nosuch", "--only nosuch: there is no such mistake")
	s, err := parseFlags(strings.Fields("--only charge_bid --days 3"), io.Discard)
	if err != nil || s.only != planted.ChargeBid || s.days != 3 {
		t.Errorf("read %+v, %v", s, err)
	}
}

// TestEachMistakeIsMade: a mistake on the list that no code makes would be caught by nothing, and one
// that is made under a name that is not on the list would never be tried.
func TestEachMistakeIsMade(t *testing.T) {
	names := constants(t)
	if len(names) != len(planted.All()) {
		t.Errorf("%d names, %d on the list", len(names), len(planted.All()))
	}
	made := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for name := range names {
			if bytes.Contains(text, []byte("planted.Is(planted."+name+")")) {
				made[name] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range names {
		if !made[name] {
			t.Errorf("nothing makes the mistake %s", name)
		}
	}
}

// constants reads the names from the list's own source.
func constants(t *testing.T) map[string]bool {
	file, err := parser.ParseFile(token.NewFileSet(), "../../internal/planted/list.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok {
			names[spec.Names[0].Name] = true
		}
		return true
	})
	return names
}

// TestMistakesAreCaught builds the simulation with the mistakes in it, and makes some of those that it
// finds within a day or two.
func TestMistakesAreCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED with -short, as it builds the simulation: that planted mistakes are caught")
	}
	t.Chdir("../..")
	built := t.TempDir()
	if err := command("", "go", "build", "-tags", "planted", "-o", filepath.Join(built, "sim"), "./bench/sim"); err != nil {
		t.Fatal(err)
	}
	for _, bug := range []planted.Bug{planted.ReturnHeld, planted.ReleaseHoldTwice, planted.ChargeBid} {
		row := caught{Bug: bug}
		if !row.bySimulation(built, 20) {
			t.Errorf("%s was not caught within 20 days", bug)
		}
	}
	row := caught{Bug: "none"}
	if row.bySimulation(built, 1) {
		t.Errorf("without a mistake: %s", row.How)
	}
}
