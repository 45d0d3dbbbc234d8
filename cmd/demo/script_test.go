package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"leadbid/internal/scripttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"demo": main})
}

// TestScripts runs the demo as users type it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("SECRETS", "TMPDIR")
			return nil
		},
		Cmds: map[string]scripttest.Command{
			"empty":      empty,
			"exits":      scripttest.Exits,
			"interrupts": scripttest.Interrupts,
			"serving":    scripttest.Serving(regexp.MustCompile(`(synthetic), illustrative`), "SYNTHETIC"),
		},
	})
}

// empty is "empty FOLDER".
func empty(ts *testscript.TestScript, neg bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) != 0 {
		ts.Fatalf("%s holds %v", args[0], entries)
	}
}
