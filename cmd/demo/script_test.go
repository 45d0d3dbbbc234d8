package main

import (
	"os"
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
		Cmds:          map[string]scripttest.Command{"exits": scripttest.Exits},
	})
}
