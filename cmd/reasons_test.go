package cmd_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// notYetReached are reasons of capabilities that are planned and not built; each names the one
// that will give it. A reason that is reached must leave this list.
var notYetReached = map[string]string{
	"WindowClosed": "live leads",
}

// TestEveryReasonIsGiven finds, for every reason, a place in our code outside tests and outside
// pingpost that gives it: the list is closed at both ends.
func TestEveryReasonIsGiven(t *testing.T) {
	declared := reasonNames(t)
	given := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		if filepath.ToSlash(filepath.Dir(path)) == "../pingpost" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if from, ok := selector.X.(*ast.Ident); ok && from.Name == "pingpost" {
				given[selector.Sel.Name] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range declared {
		_, planned := notYetReached[name]
		switch {
		case !given[name] && !planned:
			t.Errorf("nothing gives the reason %s", name)
		case given[name] && planned:
			t.Errorf("the reason %s is given by now: take it off the list", name)
		}
	}
}

// reasonNames are the constants of type Reason.
func reasonNames(t *testing.T) map[string]bool {
	file, err := parser.ParseFile(token.NewFileSet(), "../pingpost/reason.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Reason" && spec.Names[0].Name != "ReasonNone" {
			names[spec.Names[0].Name] = true
		}
		return true
	})
	if len(names) < 40 {
		t.Fatalf("found only %d reasons: has their declaration moved?", len(names))
	}
	return names
}
